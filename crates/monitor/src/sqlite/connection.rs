//! Opening the file.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rusqlite::{Connection, OpenFlags};

use super::files::{Identity, identity};
use super::{errors, files, schema};
use crate::error::{Error, Result};

/// How long a transaction waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(1);

/// How long the last write waits for others: the program's end waits for it.
pub(super) const FINISH_TIMEOUT: Duration = Duration::from_millis(100);

/// Time between two attempts where waiting is not done for us.
const RETRY_PAUSE: Duration = Duration::from_millis(10);

/// What every `SQLite` file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// `read_all` reads the whole file once, see [`schema::check`].
pub(super) fn open(path: &Path, read_all: bool) -> Result<Connection> {
    look_at(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|source| Error::File {
            action: "make the folder of",
            path: path.to_owned(),
            source: source.into(),
        })?;
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let failed = |error| errors::error("open", path, error);
    files::remove_stale(path);
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // The change to write-ahead mode does not wait for another process that does the same.
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        match prepare(&mut connection, path, read_all) {
            Err(Error::Busy { .. }) if Instant::now() < deadline => {
                std::thread::sleep(RETRY_PAUSE);
            }
            prepared => {
                known().extend(known_as(path));
                return prepared.map(|()| connection);
            }
        }
    }
}

/// For who only reads. A file that nobody may write to, and no server is writing to, is read as it is.
pub(super) fn open_to_read(path: &Path) -> Result<Connection> {
    look_at(path)?;
    match read_by(path, "") {
        // Write-ahead mode makes a file beside it even for readers.
        Err(Error::File { .. }) if !has_log(path) => read_by(path, "&immutable=1"),
        read => read,
    }
}

fn read_by(path: &Path, parameters: &str) -> Result<Connection> {
    let failed = |error| errors::error("open", path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let uri = format!("{}?mode=ro{parameters}", uri_of(path));
    let connection = Connection::open_with_flags(uri, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    if schema::check(&connection, path, true)? {
        let found = "it is empty, or of an earlier version that no server has brought up".into();
        return Err(Error::NotAMonitor { path: path.to_owned(), found });
    }
    Ok(connection)
}

/// Whether there may be transactions that are not in the file itself.
fn has_log(path: &Path) -> bool {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    std::fs::metadata(log).is_ok_and(|log| log.len() > 0)
}

/// With what has a meaning in a URI escaped.
fn uri_of(path: &Path) -> String {
    let text = path.to_string_lossy();
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{escaped}")
}

fn prepare(connection: &mut Connection, path: &Path, read_all: bool) -> Result<()> {
    let failed = |error| errors::error("open", path, error);
    // Before anything is written, write-ahead mode included.
    let is_to_be_made = schema::check(connection, path, read_all)?;
    connection.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "normal").map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    // So that a quiet day's file does not stay as large as the busiest hour made it.
    connection.pragma_update(None, "journal_size_limit", 1_i64 << 20).map_err(failed)?;
    if is_to_be_made {
        schema::bring_up(connection).map_err(failed)?;
    }
    // In write-ahead mode, which makes the files beside it.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(())).map_err(failed)
}

/// The files that this process has looked at, or has made. Such a file is not opened but by `SQLite`: closing any handle of
/// it would take away the locks (those of POSIX are the process's) by which `SQLite` keeps other processes from what is in
/// use, and whoever reads the file would then take away its log.
static KNOWN: Mutex<BTreeSet<Known>> = Mutex::new(BTreeSet::new());

/// A file, and when it was made, where the file system knows that: a new file may have the number of one that is gone.
type Known = (Identity, Option<SystemTime>);

fn known_as(path: &Path) -> Option<Known> {
    let made = std::fs::metadata(path).and_then(|found| found.created()).ok();
    Some((identity(path)?, made))
}

fn known() -> MutexGuard<'static, BTreeSet<Known>> {
    // Whoever panicked has added a file or has not.
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Refuses a file that is none of `SQLite`'s before `SQLite` sees it.
fn look_at(path: &Path) -> Result<()> {
    let file = known_as(path);
    if file.is_some_and(|file| known().contains(&file)) {
        return Ok(());
    }
    look_into(path)?;
    known().extend(file);
    Ok(())
}

fn look_into(path: &Path) -> Result<()> {
    let failed = |source: std::io::Error| Error::File {
        action: "open",
        path: path.to_owned(),
        source: source.into(),
    };
    let foreign = |found: &str| Error::NotAMonitor { path: path.to_owned(), found: found.into() };
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(foreign("it is no regular file"));
    }
    let mut first = Vec::new();
    file.by_ref().take(MAGIC.len() as u64).read_to_end(&mut first).map_err(failed)?;
    // SQLite makes a file before it writes to it: empty is what a process leaves that was killed in between.
    if first.is_empty() || first == MAGIC {
        Ok(())
    } else {
        Err(foreign("it is no SQLite database"))
    }
}
