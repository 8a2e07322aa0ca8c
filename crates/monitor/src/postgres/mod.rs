//! The monitor's memory in PostgreSQL (13 or newer), which several servers may share.
//!
//! Each change is one transaction that begins with a lock on the pair's row: whatever server an image came to, all of
//! them see one stream, and one verdict. The lock is held for two round trips.
//!
//! Nobody knows what has become of a transaction whose connection was lost at its end. So each batch has a
//! [`Delivery`]: the pair's row holds the last one of each writer, and one that is handed in again changes nothing.

mod address;
mod fault;
mod password;
mod rows;
mod schema;
mod session;
mod statements;
mod tls;

#[cfg(all(test, feature = "sqlite"))]
mod tests;

use std::fmt;
use std::time::Duration;

use futures_util::future::{try_join, try_join3};
use tokio_postgres::types::ToSql;

pub use self::address::PostgresAddress;
use self::fault::Fault;
use self::session::Session;
use self::statements::{BEGIN, BEGIN_TO_READ, Handle, Name};
use super::notice::Notice;
use super::observation::Observation;
use super::pair::PairId;
use super::plan::Monitor;
use super::record::{Changed, Known, PairRecord, UnseenDays, signed};
use super::state::{MonitorState, Step};
use super::store::{
    Delivery, MonitorStore, Page, PairSummary, SeriesPoint, StoredObservation, Tidied,
};
use crate::error::Result;

/// Observations are removed when so many have come since the last time.
const PRUNE_EVERY: u64 = 1000;

/// Times that a transaction is tried which others have got in the way of.
const CONFLICTS: u32 = 5;

/// Time before it is tried again.
const CONFLICT_PAUSE: Duration = Duration::from_millis(20);

/// Keeps states and observations in PostgreSQL, by one connection that is made anew when it is lost.
pub struct PostgresMonitorStore {
    address: PostgresAddress,
    session: Option<Session>,
    /// Observations that are kept of each pair.
    keep: u64,
    /// For batches that come without a delivery of their own.
    writer: String,
    delivered: u64,
    /// The state that was read or stored last, and of which pair.
    known: Option<(PairId, Known)>,
}

impl PostgresMonitorStore {
    /// Connects, and makes the schema `sdd_monitor` and its tables where there are none. `keep` is how many
    /// observations are kept of each pair, at least a window's.
    ///
    /// # Errors
    ///
    /// [`Error::DatabaseRefuses`](crate::Error::DatabaseRefuses) for what waiting does not mend,
    /// [`Error::DatabaseUnavailable`](crate::Error::DatabaseUnavailable) for what it may,
    /// [`Error::DatabaseTooNew`](crate::Error::DatabaseTooNew), and
    /// [`Error::Database`](crate::Error::Database).
    pub fn open(address: &PostgresAddress, keep: u64) -> Result<Self> {
        let session = Session::open(address).map_err(|fault| fault.into_error("open", address))?;
        let mut random = fastrand::Rng::new();
        let writer = format!("{:016x}{:016x}", random.u64(..), random.u64(..));
        let session = Some(session);
        Ok(Self { address: address.clone(), session, keep, writer, delivered: 0, known: None })
    }

    /// The same for who only reads: nothing is made.
    ///
    /// # Errors
    ///
    /// As [`PostgresMonitorStore::open`], and [`Error::DatabaseRefuses`](crate::Error::DatabaseRefuses)
    /// where no server has made the tables.
    pub fn open_to_read(address: &PostgresAddress) -> Result<Self> {
        let session = Session::open_to_read(address);
        let session = session.map_err(|fault| fault.into_error("open", address))?;
        let (address, session, writer) = (address.clone(), Some(session), String::new());
        Ok(Self { address, session, keep: u64::MAX, writer, delivered: 0, known: None })
    }

    /// Does something by the connection that there is; where the server has closed it, once more by a new one.
    fn run<T>(
        &mut self,
        action: &'static str,
        mut work: impl AsyncFnMut(Handle<'_>) -> Result<T, Fault>,
    ) -> Result<T> {
        let mut conflicts = 0;
        loop {
            let known = self.session.take();
            let is_known = known.is_some();
            let session = known.map_or_else(|| Session::open(&self.address), Ok);
            let outcome = session.and_then(|session| {
                let outcome = session.run(&mut work);
                // Of what was not answered in time nobody knows where it stands.
                if !matches!(outcome, Err(Fault::Timeout)) {
                    self.session = Some(session);
                }
                outcome
            });
            let fault = match outcome {
                Ok(done) => return Ok(done),
                Err(fault) => fault,
            };
            if fault.is_conflict() && conflicts < CONFLICTS {
                conflicts += 1;
                std::thread::sleep(CONFLICT_PAUSE);
                continue;
            }
            if fault.is_lost() {
                self.session = None;
                if is_known {
                    continue;
                }
            }
            return Err(fault.into_error(action, &self.address));
        }
    }

    /// Changes a pair's state in a transaction; its row is made where there is none. With `needs_last` the action is told
    /// the number of the last observation.
    fn change_state<'a>(
        &mut self,
        pair: &PairId,
        needs_last: bool,
        mut action: impl FnMut(
            &mut PairRecord,
            Result<Option<MonitorState>>,
            u64,
        ) -> Result<Changed<'a>>,
    ) -> Result<MonitorState> {
        let known = self.known.take().filter(|(of, _)| of == pair).map(|(_, known)| known);
        let (record, state) = self.run("write", async |handle| {
            let changed = async {
                let (id, before) = lock(handle, pair).await?;
                let parts = rows::parts(handle, id, &before.missing(known.as_ref())).await?;
                let last = if needs_last { rows::last_sequence(handle, id).await? } else { 0 };
                let mut record = before.clone();
                let changed = action(&mut record, before.read(known.as_ref(), parts), last)?;
                store(handle, id, &before, &record, &changed).await?;
                Ok((record, changed.state))
            };
            or_roll_back(handle, changed.await).await
        })?;
        self.known = Some((pair.clone(), record.known(state.clone())));
        Ok(state)
    }
}

/// Begins a transaction and locks a pair's row, in one round trip where there is one.
async fn lock(handle: Handle<'_>, pair: &PairId) -> Result<(i64, PairRecord), Fault> {
    let key = rows::key(pair);
    let find = || handle.client.query_opt(handle.statement(Name::LockPair), &key);
    let ((), found) = try_join(handle.client.batch_execute(BEGIN), find()).await?;
    if let Some(row) = found {
        return rows::record(&row);
    }
    handle.client.execute(handle.statement(Name::InsertPair), &key).await?;
    // Ours, or that of whoever was faster.
    let row = handle.client.query_one(handle.statement(Name::LockPair), &key).await?;
    rows::record(&row)
}

/// Stores what has changed and ends the transaction, in one round trip.
async fn store(
    handle: Handle<'_>,
    id: i64,
    before: &PairRecord,
    record: &PairRecord,
    changed: &Changed<'_>,
) -> Result<(), Fault> {
    let update = update(handle, id, before, record);
    let remove = rows::remove_parts(handle, id, &changed.removed);
    let add = rows::insert_parts(handle, id, &changed.inserted);
    let insert = async {
        match changed.rows.as_slice() {
            [] => Ok(()),
            rows => rows::insert(handle, id, rows).await,
        }
    };
    let crosses = |(step, _): &(Step, &Observation)| step.sequence.is_multiple_of(PRUNE_EVERY);
    let prune = async {
        if changed.last_removable > 0 && changed.rows.iter().any(crosses) {
            let last = signed(changed.last_removable);
            handle.client.execute(handle.statement(Name::Prune), &[&id, &last]).await?;
        }
        Ok(())
    };
    // What fails makes the COMMIT a ROLLBACK, and is what is reported.
    let commit = async { Ok(handle.client.batch_execute("COMMIT").await?) };
    try_join(try_join3(update, remove, add), try_join3(insert, prune, commit)).await?;
    Ok(())
}

async fn update(
    handle: Handle<'_>,
    id: i64,
    before: &PairRecord,
    record: &PairRecord,
) -> Result<(), Fault> {
    if record != before {
        let PairRecord { state, notice, writers, seen_ms, unseen_days } = record;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&id, state, notice, writers, seen_ms, unseen_days];
        handle.client.execute(handle.statement(Name::UpdatePair), &parameters).await?;
    }
    Ok(())
}

/// Ends a transaction that has failed.
async fn or_roll_back<T>(handle: Handle<'_>, outcome: Result<T, Fault>) -> Result<T, Fault> {
    if outcome.is_err() {
        // Where that fails, too, the next one learns why.
        let _ = handle.client.batch_execute("ROLLBACK").await;
    }
    outcome
}

impl MonitorStore for PostgresMonitorStore {
    fn state(&mut self, pair: &PairId, monitor: &Monitor) -> Result<MonitorState> {
        let known = self.known.take().filter(|(of, _)| of == pair).map(|(_, known)| known);
        let found = self.run("read", async |handle| {
            let read = async {
                let key = rows::key(pair);
                let find = handle.client.query_opt(handle.statement(Name::Pair), &key);
                let ((), found) =
                    try_join(handle.client.batch_execute(BEGIN_TO_READ), find).await?;
                let Some((id, record)) = found.as_ref().map(rows::record).transpose()? else {
                    handle.client.batch_execute("COMMIT").await?;
                    return Ok(None);
                };
                let missing = record.missing(known.as_ref());
                let commit = async { Ok(handle.client.batch_execute("COMMIT").await?) };
                let (parts, ()) = try_join(rows::parts(handle, id, &missing), commit).await?;
                Ok(Some((record, parts)))
            };
            or_roll_back(handle, read.await).await
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
        self.delivered += 1;
        let (keep, writer, number) = (self.keep, self.writer.clone(), self.delivered);
        let delivery = delivery.unwrap_or(Delivery { writer: &writer, number });
        self.change_state(pair, false, |record, before, _| {
            record.deliver(before?.as_ref(), monitor, Some(delivery), batch, keep)
        })
    }

    fn reset(&mut self, pair: &PairId, monitor: &Monitor, now_ms: i64) -> Result<MonitorState> {
        self.change_state(pair, true, |record, before, last| {
            record.reset(before, monitor, now_ms, last)
        })
    }

    fn observations(&mut self, pair: &PairId, page: Page) -> Result<Vec<StoredObservation>> {
        self.run("read", async |handle| rows::page(handle, pair, page).await)
    }

    fn by_sequence(&mut self, pair: &PairId, sequences: &[u64]) -> Result<Vec<StoredObservation>> {
        self.run("read", async |handle| rows::by_sequence(handle, pair, sequences).await)
    }

    fn series(&mut self, pair: &PairId, after: u64, limit: usize) -> Result<Vec<SeriesPoint>> {
        self.run("read", async |handle| rows::series(handle, pair, after, limit).await)
    }

    fn pairs(&mut self) -> Result<Vec<PairSummary>> {
        self.run("read", async |handle| rows::pairs(handle).await)
    }

    fn notice(&mut self, pair: &PairId) -> Result<Notice> {
        let found = self.run("read", async |handle| {
            let statement = handle.statement(Name::Pair);
            let found = handle.client.query_opt(statement, &rows::key(pair)).await?;
            found.as_ref().map(rows::record).transpose()
        })?;
        Ok(found.map_or_else(Notice::default, |(_, record)| record.notice()))
    }

    fn change_notice(&mut self, pair: &PairId, change: &mut dyn FnMut(&mut Notice)) -> Result<()> {
        self.run("write", async |handle| {
            let changed = async {
                let (id, before) = lock(handle, pair).await?;
                let mut record = before.clone();
                record.change_notice(change)?;
                let commit = async { Ok(handle.client.batch_execute("COMMIT").await?) };
                try_join(update(handle, id, &before, &record), commit).await.map(drop)
            };
            or_roll_back(handle, changed.await).await
        })
    }

    fn tidy(&mut self, current: &PairId, now_ms: i64, keep_days: u64) -> Result<Tidied> {
        self.run("write", async |handle| {
            let tidied = async {
                handle.client.batch_execute(BEGIN).await?;
                let tidied = tidy(handle, current, now_ms, keep_days).await?;
                handle.client.batch_execute("COMMIT").await?;
                Ok(tidied)
            };
            or_roll_back(handle, tidied.await).await
        })
    }
}

async fn tidy(
    handle: Handle<'_>,
    current: &PairId,
    now_ms: i64,
    keep_days: u64,
) -> Result<Tidied, Fault> {
    let (client, [model, reference]) = (handle.client, rows::key(current));
    client.execute(handle.statement(Name::NoteSeen), &[model, reference, &now_ms]).await?;
    let mut gone = None;
    for row in client.query(handle.statement(Name::LockOthers), &[model, reference]).await? {
        let (id, pair, unseen_days) = rows::other(&row)?;
        let mut days = UnseenDays::of(&unseen_days);
        if let Some(unseen_days) = days.add(now_ms) {
            client.execute(handle.statement(Name::NoteUnseen), &[&id, &unseen_days]).await?;
        }
        gone = gone.or(days.are_more_than(keep_days).then_some((id, pair)));
    }
    let Some((id, pair)) = gone else { return Ok(Tidied::default()) };
    if client.execute(handle.statement(Name::RemoveOldest), &[&id]).await? > 0 {
        return Ok(Tidied { removed: None, more: true });
    }
    client.execute(handle.statement(Name::RemovePair), &[&id]).await?;
    Ok(Tidied { removed: Some(pair), more: true })
}

impl fmt::Debug for PostgresMonitorStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresMonitorStore")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
