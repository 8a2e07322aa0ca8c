//! The monitor's memory in one `SQLite` file.
//!
//! State and observations change in one transaction, in write-ahead mode with `synchronous = NORMAL`: what was
//! committed survives the end of the process, however it ends. A computer that loses its power may lose the last
//! transactions, never the file. Several processes may share the file: a transaction takes the write lock before it
//! reads the state.

mod connection;
mod rows;
mod schema;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::observation::Observation;
use super::pair::PairId;
use super::plan::Monitor;
use super::state::MonitorState;
use super::store::{MonitorStore, Page, PairSummary, SeriesPoint, StoredObservation};
use crate::error::{Error, Result};

/// Observations are removed once so many more than asked for are there, so that it happens now and then.
const SLACK: u64 = 1000;

/// Keeps states and observations in an `SQLite` file.
#[derive(Debug)]
pub struct SqliteMonitorStore {
    path: PathBuf,
    connection: Connection,
    /// Observations that are kept of each pair.
    keep: u64,
}

/// A pair's row.
struct PairRow {
    id: i64,
    state: String,
}

impl SqliteMonitorStore {
    /// Opens the file, or makes it and its folder where there is none. `keep` is how many observations are kept of
    /// each pair, at least a window's.
    ///
    /// # Errors
    ///
    /// [`Error::NotAMonitorFile`], [`Error::MonitorFileTooNew`], [`Error::MonitorFileDamaged`]: the file is left as
    /// it is. [`Error::MonitorBusy`] and [`Error::MonitorFile`].
    pub fn open(path: &Path, keep: u64) -> Result<Self> {
        let connection = connection::open(path)?;
        Ok(Self { path: path.to_owned(), connection, keep })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Does something in a transaction that has the write lock from its beginning.
    fn change<T>(
        &mut self,
        action: impl FnOnce(&Transaction<'_>) -> Result<T, Failure>,
    ) -> Result<T> {
        let failed = |failure: Failure| match failure {
            Failure::Monitor(error) => error,
            Failure::Database(error) => connection::error("write", &self.path, error),
        };
        let begin = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begin.map_err(Failure::Database).map_err(failed)?;
        let done = action(&transaction).map_err(failed)?;
        transaction.commit().map_err(Failure::Database).map_err(failed)?;
        Ok(done)
    }

    fn pair(connection: &Connection, pair: &PairId) -> rusqlite::Result<Option<PairRow>> {
        let mut query = connection.prepare_cached(
            "SELECT id, state FROM pair WHERE model_sha256 = ?1 AND reference_sha256 = ?2",
        )?;
        let row = query.query_row(params![pair.model_sha256, pair.reference_sha256], |row| {
            Ok(PairRow { id: row.get(0)?, state: row.get(1)? })
        });
        row.optional()
    }

    fn put_pair(
        connection: &Connection,
        pair: &PairId,
        state: &MonitorState,
    ) -> Result<i64, Failure> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO pair (model_sha256, reference_sha256, state) VALUES (?1, ?2, ?3) \
             ON CONFLICT (model_sha256, reference_sha256) DO UPDATE SET state = excluded.state \
             RETURNING id",
        )?;
        let state = state.to_json()?;
        let id = insert
            .query_row(params![pair.model_sha256, pair.reference_sha256, state], |row| {
                row.get(0)
            })?;
        Ok(id)
    }

    fn prune(connection: &Connection, id: i64, sequence: u64, keep: u64) -> rusqlite::Result<()> {
        let Some(last_removed) = sequence.checked_sub(keep) else { return Ok(()) };
        let oldest: Option<i64> = connection
            .prepare_cached("SELECT min(sequence) FROM observation WHERE pair = ?1")?
            .query_row([id], |row| row.get(0))?;
        let oldest = oldest.map_or(0, rows::unsigned);
        if oldest + SLACK <= last_removed {
            connection
                .prepare_cached("DELETE FROM observation WHERE pair = ?1 AND sequence <= ?2")?
                .execute(params![id, rows::signed(last_removed)])?;
        }
        Ok(())
    }

    fn read<T>(&self, action: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        action(&self.connection).map_err(|error| connection::error("read", &self.path, error))
    }
}

impl MonitorStore for SqliteMonitorStore {
    fn state(&mut self, pair: &PairId, monitor: &Monitor) -> Result<MonitorState> {
        match self.read(|connection| Self::pair(connection, pair))? {
            Some(row) => MonitorState::from_json(&row.state),
            None => Ok(monitor.start(0)),
        }
    }

    fn apply(
        &mut self,
        pair: &PairId,
        monitor: &Monitor,
        batch: &[Observation],
    ) -> Result<MonitorState> {
        let keep = self.keep.max(monitor.settings().window as u64);
        self.change(|transaction| {
            let known = Self::pair(transaction, pair)?;
            let mut state = match &known {
                Some(row) => MonitorState::from_json(&row.state)?,
                None => monitor.start(batch.first().map_or(0, |first| first.time_ms)),
            };
            let mut rows = Vec::with_capacity(batch.len());
            for observation in batch {
                rows.push((state.observe(monitor, observation)?, observation));
            }
            let id = Self::put_pair(transaction, pair, &state)?;
            for (step, observation) in rows {
                rows::insert(transaction, id, step, observation)?;
            }
            Self::prune(transaction, id, state.sequence(), keep)?;
            Ok(state)
        })
    }

    fn reset(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.change(|transaction| {
            let state = match Self::pair(transaction, pair)? {
                None => monitor.start(now_ms),
                Some(row) => {
                    let mut state = match MonitorState::from_json(&row.state) {
                        Ok(state) => state,
                        // This is also how one gets rid of a state that cannot be read.
                        Err(_) => {
                            monitor.resume_after(rows::last_sequence(transaction, row.id)?, now_ms)
                        }
                    };
                    state.reset(monitor, now_ms);
                    state
                }
            };
            Self::put_pair(transaction, pair, &state)?;
            Ok(state)
        })
    }

    fn observations(&mut self, pair: &PairId, page: Page) -> Result<Vec<StoredObservation>> {
        self.read(|connection| match Self::pair(connection, pair)? {
            Some(row) => rows::page(connection, row.id, page),
            None => Ok(Vec::new()),
        })
    }

    fn by_sequence(&mut self, pair: &PairId, sequences: &[u64]) -> Result<Vec<StoredObservation>> {
        self.read(|connection| match Self::pair(connection, pair)? {
            Some(row) => rows::by_sequence(connection, row.id, sequences),
            None => Ok(Vec::new()),
        })
    }

    fn series(&mut self, pair: &PairId, epoch: u64, limit: usize) -> Result<Vec<SeriesPoint>> {
        self.read(|connection| match Self::pair(connection, pair)? {
            Some(row) => rows::series(connection, row.id, epoch, limit),
            None => Ok(Vec::new()),
        })
    }

    fn pairs(&mut self) -> Result<Vec<PairSummary>> {
        self.read(rows::pairs)
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
