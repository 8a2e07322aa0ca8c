//! Statements, and rows as what they mean.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::session::Handle;
use crate::observation::Observation;
use crate::pair::PairId;
use crate::record::{PairRecord, neighbors_of_text, neighbors_to_text, signed, unsigned};
use crate::state::Step;
use crate::store::{Page, PairSummary, SeriesPoint, StoredObservation};

/// A prepared statement, by its place in [`STATEMENTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Pair,
    LockPair,
    InsertPair,
    UpdatePair,
    InsertObservations,
    Prune,
    LastSequence,
    Page,
    BySequence,
    Series,
    Pairs,
    NoteSeen,
    LockOthers,
    NoteUnseen,
    RemoveOldest,
    RemovePair,
}

macro_rules! columns {
    () => {
        "sequence, epoch, time_ms, request_id, predicted_class, confidence, score, p_value, out_of_distribution, \
         neighbors, image_sha256, e_value, cusum"
    };
}

macro_rules! pair_row {
    ($end:literal) => {
        concat!(
            "SELECT id, state, notice, writers, seen_ms, unseen_days FROM sdd_monitor.pair \
             WHERE model_sha256 = $1 AND reference_sha256 = $2",
            $end
        )
    };
}

/// In the order of [`Name`].
pub(super) const STATEMENTS: [&str; 16] = [
    pair_row!(""),
    pair_row!(" FOR UPDATE"),
    "INSERT INTO sdd_monitor.pair (model_sha256, reference_sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    "UPDATE sdd_monitor.pair SET state = $2, notice = $3, writers = $4, seen_ms = $5, unseen_days = $6 WHERE id = $1",
    concat!(
        "INSERT INTO sdd_monitor.observation (pair, ",
        columns!(),
        ") SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], \
         $7::double precision[], $8::double precision[], $9::double precision[], $10::boolean[], $11::text[], \
         $12::text[], $13::double precision[], $14::double precision[])"
    ),
    // A bounded number: others wait for the pair's row meanwhile.
    "DELETE FROM sdd_monitor.observation WHERE pair = $1 AND sequence IN (SELECT sequence FROM \
     sdd_monitor.observation WHERE pair = $1 AND sequence <= $2 ORDER BY sequence LIMIT 5000)",
    "SELECT max(sequence) FROM sdd_monitor.observation WHERE pair = $1",
    concat!(
        "SELECT ",
        columns!(),
        " FROM sdd_monitor.observation WHERE pair = (SELECT id FROM sdd_monitor.pair WHERE model_sha256 = $1 AND \
         reference_sha256 = $2) AND sequence < $3 ORDER BY sequence DESC LIMIT $4"
    ),
    concat!(
        "SELECT ",
        columns!(),
        " FROM sdd_monitor.observation WHERE pair = (SELECT id FROM sdd_monitor.pair WHERE model_sha256 = $1 AND \
         reference_sha256 = $2) AND sequence = ANY($3)"
    ),
    "SELECT sequence, time_ms, predicted_class, score, p_value, out_of_distribution, e_value, cusum FROM \
     sdd_monitor.observation WHERE pair = (SELECT id FROM sdd_monitor.pair WHERE model_sha256 = $1 AND \
     reference_sha256 = $2) AND sequence > $3 ORDER BY sequence DESC LIMIT $4",
    "SELECT model_sha256, reference_sha256, last.sequence, last.time_ms FROM sdd_monitor.pair LEFT JOIN LATERAL \
     (SELECT sequence, time_ms FROM sdd_monitor.observation WHERE pair = pair.id ORDER BY sequence DESC LIMIT 1) \
     AS last ON true ORDER BY last.time_ms DESC NULLS LAST, pair.id DESC",
    "UPDATE sdd_monitor.pair SET seen_ms = greatest(seen_ms, $3), unseen_days = '' \
     WHERE model_sha256 = $1 AND reference_sha256 = $2",
    // Whoever else removes one, or uses it after all, is not waited for.
    "SELECT id, model_sha256, reference_sha256, unseen_days FROM sdd_monitor.pair WHERE \
     (model_sha256, reference_sha256) <> ($1, $2) ORDER BY seen_ms FOR UPDATE SKIP LOCKED",
    "UPDATE sdd_monitor.pair SET unseen_days = $2 WHERE id = $1",
    "DELETE FROM sdd_monitor.observation WHERE pair = $1 AND sequence IN (SELECT sequence FROM \
     sdd_monitor.observation WHERE pair = $1 ORDER BY sequence LIMIT 5000)",
    "DELETE FROM sdd_monitor.pair WHERE id = $1",
];

/// A text as PostgreSQL can keep it: without the one letter that it cannot.
fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The parameters that name a pair.
pub(super) fn key(pair: &PairId) -> [&(dyn ToSql + Sync); 2] {
    [&pair.model_sha256, &pair.reference_sha256]
}

pub(super) fn record(row: &Row) -> Result<(i64, PairRecord), Fault> {
    let record = PairRecord {
        state: row.try_get(1)?,
        notice: row.try_get(2)?,
        writers: row.try_get(3)?,
        seen_ms: row.try_get(4)?,
        unseen_days: row.try_get(5)?,
    };
    Ok((row.try_get(0)?, record))
}

/// A pair that is not served, and on which days it was not seen.
pub(super) fn other(row: &Row) -> Result<(i64, PairId, String), Fault> {
    let pair = PairId { model_sha256: row.try_get(1)?, reference_sha256: row.try_get(2)? };
    Ok((row.try_get(0)?, pair, row.try_get(3)?))
}

pub(super) async fn insert(
    handle: Handle<'_>,
    pair: i64,
    rows: &[(Step, &Observation)],
) -> Result<(), Fault> {
    let neighbors = rows.iter().map(|(_, seen)| neighbors_to_text(&seen.neighbors));
    let neighbors = neighbors.collect::<Result<Vec<_>, _>>().map_err(Fault::Row)?;
    macro_rules! column {
        ($row:ident, $value:expr) => {
            &rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let statement = handle.statement(Name::InsertObservations);
    let parameters: [&(dyn ToSql + Sync); 14] = [
        &pair,
        column!(row, signed(row.0.sequence)),
        column!(row, signed(row.0.epoch)),
        column!(row, row.1.time_ms),
        column!(row, text(&row.1.request_id)),
        column!(row, text(&row.1.predicted_class)),
        column!(row, row.1.confidence),
        column!(row, row.1.score),
        column!(row, row.1.p_value),
        column!(row, row.1.out_of_distribution),
        &neighbors,
        column!(row, row.1.image_sha256.as_deref()),
        column!(row, row.0.e_value),
        column!(row, row.0.cusum),
    ];
    handle.client.execute(statement, &parameters).await?;
    Ok(())
}

pub(super) async fn page(
    handle: Handle<'_>,
    pair: &PairId,
    page: Page,
) -> Result<Vec<StoredObservation>, Fault> {
    let [model, reference] = key(pair);
    let before = page.before.map_or(i64::MAX, signed);
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    let statement = handle.statement(Name::Page);
    let rows = handle.client.query(statement, &[model, reference, &before, &limit]).await?;
    rows.iter().map(stored).collect()
}

pub(super) async fn by_sequence(
    handle: Handle<'_>,
    pair: &PairId,
    sequences: &[u64],
) -> Result<Vec<StoredObservation>, Fault> {
    let [model, reference] = key(pair);
    let wanted: Vec<i64> = sequences.iter().map(|sequence| signed(*sequence)).collect();
    let statement = handle.statement(Name::BySequence);
    let rows = handle.client.query(statement, &[model, reference, &wanted]).await?;
    let mut found = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
    found.sort_by_key(|row| sequences.iter().position(|sequence| *sequence == row.sequence));
    Ok(found)
}

pub(super) async fn series(
    handle: Handle<'_>,
    pair: &PairId,
    after: u64,
    limit: usize,
) -> Result<Vec<SeriesPoint>, Fault> {
    let [model, reference] = key(pair);
    let (after, limit) = (signed(after), i64::try_from(limit).unwrap_or(i64::MAX));
    let statement = handle.statement(Name::Series);
    let rows = handle.client.query(statement, &[model, reference, &after, &limit]).await?;
    // Latest first.
    let points = rows.iter().rev().map(|row| {
        Ok(SeriesPoint {
            sequence: unsigned(row.try_get(0)?),
            time_ms: row.try_get(1)?,
            predicted_class: row.try_get(2)?,
            score: row.try_get(3)?,
            p_value: row.try_get(4)?,
            out_of_distribution: row.try_get(5)?,
            e_value: row.try_get(6)?,
            cusum: row.try_get(7)?,
        })
    });
    points.collect()
}

pub(super) async fn pairs(handle: Handle<'_>) -> Result<Vec<PairSummary>, Fault> {
    let rows = handle.client.query(handle.statement(Name::Pairs), &[]).await?;
    let summaries = rows.iter().map(|row| {
        Ok(PairSummary {
            pair: PairId { model_sha256: row.try_get(0)?, reference_sha256: row.try_get(1)? },
            images: row.try_get::<_, Option<i64>>(2)?.map_or(0, unsigned),
            last_ms: row.try_get(3)?,
        })
    });
    summaries.collect()
}

/// The largest number that an observation of the pair has; 0 without one.
pub(super) async fn last_sequence(handle: Handle<'_>, pair: i64) -> Result<u64, Fault> {
    let row = handle.client.query_one(handle.statement(Name::LastSequence), &[&pair]).await?;
    Ok(row.try_get::<_, Option<i64>>(0)?.map_or(0, unsigned))
}

fn stored(row: &Row) -> Result<StoredObservation, Fault> {
    let neighbors: String = row.try_get(9)?;
    let neighbors = neighbors_of_text(&neighbors).map_err(Fault::Row)?;
    Ok(StoredObservation {
        sequence: unsigned(row.try_get(0)?),
        epoch: unsigned(row.try_get(1)?),
        e_value: row.try_get(11)?,
        cusum: row.try_get(12)?,
        observation: Observation {
            time_ms: row.try_get(2)?,
            request_id: row.try_get(3)?,
            predicted_class: row.try_get(4)?,
            confidence: row.try_get(5)?,
            score: row.try_get(6)?,
            p_value: row.try_get(7)?,
            out_of_distribution: row.try_get(8)?,
            neighbors,
            image_sha256: row.try_get(10)?,
        },
    })
}
