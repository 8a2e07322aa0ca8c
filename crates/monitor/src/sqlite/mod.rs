//! The monitor's memory in one `SQLite` file.
//!
//! State and observations change in one transaction, in write-ahead mode with `synchronous = NORMAL`: what was
//! committed survives the end of the process, however it ends. A computer that loses its power may lose the last
//! transactions, never the file. Several processes may share the file: a transaction takes the write lock before it
//! reads the state. A file that is moved, removed or replaced under a store is noticed before the next read or write
//! ([`Error::FileGone`]); a store that is opened then uses what is there.

mod connection;
mod errors;
mod files;
mod rows;
mod schema;

#[cfg(all(test, feature = "postgres"))]
pub(super) mod tests;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, Transaction, TransactionBehavior};

use self::files::OpenFiles;
use super::notice::Notice;
use super::observation::Observation;
use super::pair::PairId;
use super::plan::Monitor;
use super::record::{Changed, Known, PairRecord, UnseenDays};
use super::state::MonitorState;
use super::store::{
    Delivery, MonitorStore, Page, PairSummary, SeriesPoint, StoredObservation, Tidied,
};
use crate::error::{Error, Result};

/// Observations are removed once so many more than asked for are there, so that it happens now and then.
const SLACK: u64 = 1000;

/// Observations that are removed in one transaction at most: others wait for it.
const MOST_REMOVED: u64 = 5000;

/// Keeps states and observations in an `SQLite` file.
#[derive(Debug)]
pub struct SqliteMonitorStore {
    path: PathBuf,
    connection: Connection,
    /// None for who only reads for a moment.
    files: Option<OpenFiles>,
    /// Observations that are kept of each pair.
    keep: u64,
    /// The state that was read or stored last, and of which pair.
    known: Option<(PairId, Known)>,
}

impl SqliteMonitorStore {
    /// Opens the file, or makes it and its folder where there is none. `keep` is how many observations are kept of
    /// each pair, at least a window's.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMonitor`], [`Error::FileTooNew`], [`Error::FileDamaged`]: the file is left as
    /// it is. [`Error::Busy`] and [`Error::File`].
    pub fn open(path: &Path, keep: u64) -> Result<Self> {
        Self::open_by(path, keep, true)
    }

    /// The same without reading all of the file first, for one that this process has opened before.
    ///
    /// # Errors
    ///
    /// As [`SqliteMonitorStore::open`].
    pub fn open_again(path: &Path, keep: u64) -> Result<Self> {
        Self::open_by(path, keep, false)
    }

    fn open_by(path: &Path, keep: u64, read_all: bool) -> Result<Self> {
        let connection = connection::open(path, read_all)?;
        let files = Some(OpenFiles::at(path));
        Ok(Self { path: path.to_owned(), connection, files, keep, known: None })
    }

    /// The same for who only reads: nothing is made, changed, or brought up to this version.
    ///
    /// # Errors
    ///
    /// As [`SqliteMonitorStore::open`], and [`Error::NotAMonitor`] for one that is empty or of an earlier version.
    pub fn open_to_read(path: &Path) -> Result<Self> {
        let connection = connection::open_to_read(path)?;
        Ok(Self { path: path.to_owned(), connection, files: None, keep: u64::MAX, known: None })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is read and written is what is at the path.
    fn look_for_files(&self) -> Result<()> {
        match &self.files {
            Some(files) if !files.are_there() => files.leave(&self.connection, &self.path),
            _ => Ok(()),
        }
    }

    /// Does something in a transaction that has the write lock from its beginning.
    fn change<T>(
        &mut self,
        action: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        self.look_for_files()?;
        let failed = |failure: Failure| match failure {
            Failure::Monitor(error) => error,
            Failure::Database(error) => errors::error("write", &self.path, error),
        };
        let begin = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begin.map_err(Failure::Database).map_err(failed)?;
        let done = action(&transaction).map_err(failed)?;
        transaction.commit().map_err(Failure::Database).map_err(failed)?;
        Ok(done)
    }

    /// Changes a pair's row, which is made where there is none.
    fn change_pair<T>(
        &mut self,
        pair: &PairId,
        action: impl FnOnce(&Transaction<'_>, i64, &mut PairRecord) -> Result<T, Failure>,
    ) -> Result<T> {
        self.change(|transaction| {
            let (id, before) = match rows::pair(transaction, pair)? {
                Some(known) => known,
                None => (rows::insert_pair(transaction, pair)?, PairRecord::default()),
            };
            let mut record = before.clone();
            let done = action(transaction, id, &mut record)?;
            if record != before {
                rows::update_pair(transaction, id, &record)?;
            }
            Ok(done)
        })
    }

    /// Changes a pair's state. With `needs_last` the action is told the number of the last observation.
    fn change_state<'a>(
        &mut self,
        pair: &PairId,
        needs_last: bool,
        action: impl FnOnce(&mut PairRecord, Result<Option<MonitorState>>, u64) -> Result<Changed<'a>>,
    ) -> Result<MonitorState> {
        let known = self.known.take().filter(|(of, _)| of == pair).map(|(_, known)| known);
        let (record, state) = self.change_pair(pair, |transaction, id, record| {
            let parts = rows::parts(transaction, id, &record.missing(known.as_ref()))?;
            let before = record.read(known.as_ref(), parts);
            let last = if needs_last { rows::last_sequence(transaction, id)? } else { 0 };
            let changed = action(record, before, last)?;
            rows::change_parts(transaction, id, &changed.removed, &changed.inserted)?;
            for (step, observation) in changed.rows {
                rows::insert(transaction, id, step, observation)?;
            }
            Self::prune(transaction, id, changed.last_removable)?;
            Ok((record.clone(), changed.state))
        })?;
        self.known = Some((pair.clone(), record.known(state.clone())));
        Ok(state)
    }

    fn prune(connection: &Connection, id: i64, last_removable: u64) -> rusqlite::Result<()> {
        if last_removable == 0 {
            return Ok(());
        }
        let oldest = rows::first_sequence(connection, id)?.unwrap_or(0);
        if oldest + SLACK <= last_removable {
            rows::remove(connection, id, last_removable.min(oldest + MOST_REMOVED))?;
        }
        Ok(())
    }

    fn read<T>(&self, action: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        self.look_for_files()?;
        action(&self.connection).map_err(|error| errors::error("read", &self.path, error))
    }
}

impl MonitorStore for SqliteMonitorStore {
    /// Closing the connection would do it only where this process has no other.
    fn finish(&mut self) {
        if self.look_for_files().is_ok() {
            // Whoever is at work there needs the log, and whoever closes the file last empties it.
            let _ = self.connection.busy_timeout(connection::FINISH_TIMEOUT);
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let _ = self.connection.query_row(checkpoint, [], |_| Ok(()));
        }
    }

    fn state(&mut self, pair: &PairId, monitor: &Monitor) -> Result<MonitorState> {
        let known = self.known.take().filter(|(of, _)| of == pair).map(|(_, known)| known);
        let found = self.read(|connection| {
            // Head and parts as they are at one moment.
            let moment = connection.unchecked_transaction()?;
            let Some((id, record)) = rows::pair(&moment, pair)? else { return Ok(None) };
            let parts = rows::parts(&moment, id, &record.missing(known.as_ref()))?;
            Ok(Some((record, parts)))
        })?;
        let Some((record, parts)) = found else { return Ok(monitor.start(0)) };
        let Some(state) = record.read(known.as_ref(), parts)? else { return Ok(monitor.start(0)) };
        self.known = Some((pair.clone(), record.known(state.clone())));
        Ok(state)
    }

    fn declare(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.change_state(pair, false, |record, before, _| {
            record.declare(before?.as_ref(), monitor, now_ms)
        })
    }

    fn deliver(
        &mut self,
        pair: &PairId,
        monitor: &Monitor,
        delivery: Option<Delivery<'_>>,
        batch: &[Observation],
    ) -> Result<MonitorState> {
        let keep = self.keep;
        self.change_state(pair, false, |record, before, _| {
            record.deliver(before?.as_ref(), monitor, delivery, batch, keep)
        })
    }

    fn reset(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.change_state(pair, true, |record, before, last| {
            record.reset(before, monitor, now_ms, last)
        })
    }

    fn observations(&mut self, pair: &PairId, page: Page) -> Result<Vec<StoredObservation>> {
        self.read(|connection| match rows::pair(connection, pair)? {
            Some((id, _)) => rows::page(connection, id, page),
            None => Ok(Vec::new()),
        })
    }

    fn by_sequence(&mut self, pair: &PairId, sequences: &[u64]) -> Result<Vec<StoredObservation>> {
        self.read(|connection| match rows::pair(connection, pair)? {
            Some((id, _)) => rows::by_sequence(connection, id, sequences),
            None => Ok(Vec::new()),
        })
    }

    fn series(&mut self, pair: &PairId, after: u64, limit: usize) -> Result<Vec<SeriesPoint>> {
        self.read(|connection| match rows::pair(connection, pair)? {
            Some((id, _)) => rows::series(connection, id, after, limit),
            None => Ok(Vec::new()),
        })
    }

    fn pairs(&mut self) -> Result<Vec<PairSummary>> {
        self.read(rows::pairs)
    }

    fn notice(&mut self, pair: &PairId) -> Result<Notice> {
        let known = self.read(|connection| rows::pair(connection, pair))?;
        Ok(known.map_or_else(Notice::default, |(_, record)| record.notice()))
    }

    fn change_notice(&mut self, pair: &PairId, change: &mut dyn FnMut(&mut Notice)) -> Result<()> {
        self.change_pair(pair, |_, _, record| Ok(record.change_notice(change)?))
    }

    fn tidy(&mut self, current: &PairId, now_ms: i64, keep_days: u64) -> Result<Tidied> {
        self.change(|transaction| {
            rows::note_seen(transaction, current, now_ms)?;
            let mut gone = None;
            for (id, pair, unseen_days) in rows::others(transaction, current)? {
                let mut days = UnseenDays::of(&unseen_days);
                if let Some(unseen_days) = days.add(now_ms) {
                    rows::note_unseen(transaction, id, &unseen_days)?;
                }
                gone = gone.or(days.are_more_than(keep_days).then_some((id, pair)));
            }
            let Some((id, pair)) = gone else { return Ok(Tidied::default()) };
            // Numbers have no gaps, so that this is about as many rows.
            let oldest = rows::first_sequence(transaction, id)?;
            if let Some(oldest) = oldest {
                rows::remove(transaction, id, oldest + MOST_REMOVED)?;
                return Ok(Tidied { removed: None, more: true });
            }
            transaction.execute("DELETE FROM pair WHERE id = ?1", [id])?;
            Ok(Tidied { removed: Some(pair), more: true })
        })
    }
}

/// What ends a transaction early.
enum Failure {
    Database(rusqlite::Error),
    Monitor(Error),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Monitor(error)
    }
}
