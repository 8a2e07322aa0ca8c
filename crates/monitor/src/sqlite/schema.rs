//! The tables, and whether a file has them.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::errors;
use crate::error::{Error, Result};

/// Tells our files from other programs' (`PRAGMA application_id`): "sddm".
const APPLICATION_ID: i64 = 0x7364_646d;

/// The version of the tables (`PRAGMA user_version`): as many as there are steps.
#[expect(clippy::cast_possible_wrap, reason = "they are few")]
const VERSION: i64 = STEPS.len() as i64;

/// From each version to the next; from 0, an empty database, to 1 first. What was released is never changed: a step is
/// added.
const STEPS: [&str; 6] = [
    "CREATE TABLE pair (
        id INTEGER PRIMARY KEY,
        model_sha256 TEXT NOT NULL,
        reference_sha256 TEXT NOT NULL,
        state TEXT NOT NULL,
        UNIQUE (model_sha256, reference_sha256)
    ) STRICT;
    CREATE TABLE observation (
        pair INTEGER NOT NULL REFERENCES pair (id),
        sequence INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        time_ms INTEGER NOT NULL,
        request_id TEXT NOT NULL,
        predicted_class TEXT NOT NULL,
        confidence REAL NOT NULL,
        score REAL NOT NULL,
        p_value REAL,
        out_of_distribution INTEGER,
        neighbors TEXT NOT NULL,
        image_sha256 TEXT,
        PRIMARY KEY (pair, sequence)
    ) STRICT, WITHOUT ROWID;",
    // What the tests said after each image.
    "ALTER TABLE observation ADD COLUMN e_value REAL;
    ALTER TABLE observation ADD COLUMN cusum REAL;",
    // What other programs were told, which deliveries have come, and when a pair was last served: now, for all that is
    // known.
    "ALTER TABLE pair ADD COLUMN notice TEXT NOT NULL DEFAULT '';
    ALTER TABLE pair ADD COLUMN writers TEXT NOT NULL DEFAULT '';
    ALTER TABLE pair ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;
    UPDATE pair SET seen_ms = 1000 * CAST(strftime('%s', 'now') AS INTEGER);",
    // On which days others were served.
    "ALTER TABLE pair ADD COLUMN unseen_days TEXT NOT NULL DEFAULT '';",
    // Groups are tested, not images.
    "ALTER TABLE observation DROP COLUMN e_value;
    ALTER TABLE observation DROP COLUMN cusum;
    ALTER TABLE observation ADD COLUMN evidence REAL;
    ALTER TABLE observation ADD COLUMN stream TEXT;
    ALTER TABLE observation ADD COLUMN group_name TEXT;
    ALTER TABLE observation ADD COLUMN properties TEXT;",
    // An image changes a small part of a state.
    "CREATE TABLE part (
        pair INTEGER NOT NULL REFERENCES pair (id) ON DELETE CASCADE,
        key INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (pair, key)
    ) STRICT;",
];

/// Whether there is something to be done by [`bring_up`]: the database is empty, or of an earlier version. Changes
/// nothing. `read_all` reads everything once: what is damaged shall be known when a program starts, not when an alarm
/// is due.
///
/// # Errors
///
/// What it is, where it is neither empty nor ours.
pub(super) fn check(connection: &Connection, path: &Path, read_all: bool) -> Result<bool> {
    let failed = |error| errors::error("read", path, error);
    // All of it as it is at one moment: another process may be making the tables.
    let moment = connection.unchecked_transaction().map_err(failed)?;
    let number = |pragma: &str| {
        moment.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).map_err(failed)
    };
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = moment
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    moment.finish().map_err(failed)?;
    if application == 0 && version == 0 && tables == 0 {
        return Ok(true);
    }
    if application != APPLICATION_ID {
        let found = "it is the database of another program".into();
        return Err(Error::NotAMonitor { path: path.to_owned(), found });
    }
    if !(0..=VERSION).contains(&version) {
        return Err(Error::FileTooNew {
            path: path.to_owned(),
            found: version,
            supported: VERSION,
        });
    }
    if !read_all {
        return Ok(version < VERSION);
    }
    let said: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if said == "ok" {
        Ok(version < VERSION)
    } else {
        Err(Error::FileDamaged { path: path.to_owned(), source: said.into() })
    }
}

/// Makes the tables, or brings them up to this version, unless another process has done so meanwhile.
pub(super) fn bring_up(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    for step in STEPS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if version < VERSION {
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
}
