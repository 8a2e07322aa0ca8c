//! Observations as rows.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::monitor::observation::{Observation, ObservedNeighbor};
use crate::monitor::store::{Page, StoredObservation};

const COLUMNS: &str = "sequence, epoch, time_ms, request_id, predicted_class, confidence, score, p_value, \
                       out_of_distribution, neighbors, image_sha256";

/// Integers of `SQLite` have a sign; counts stay far below where it matters.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

pub(super) fn insert(
    connection: &Connection,
    pair: i64,
    sequence: u64,
    epoch: u64,
    observation: &Observation,
) -> rusqlite::Result<()> {
    let neighbors: Vec<_> =
        observation.neighbors.iter().map(|near| (&near.id, &near.label, near.distance)).collect();
    let neighbors = serde_json::to_string(&neighbors)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO observation (pair, sequence, epoch, time_ms, request_id, predicted_class, confidence, score, \
         p_value, out_of_distribution, neighbors, image_sha256) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    )?;
    insert.execute(params![
        pair,
        signed(sequence),
        signed(epoch),
        observation.time_ms,
        observation.request_id,
        observation.predicted_class,
        observation.confidence,
        observation.score,
        observation.p_value,
        observation.out_of_distribution,
        neighbors,
        observation.image_sha256,
    ])?;
    Ok(())
}

pub(super) fn page(
    connection: &Connection,
    pair: i64,
    page: Page,
) -> rusqlite::Result<Vec<StoredObservation>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM observation WHERE pair = ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3"
    ))?;
    let before = page.before.map_or(i64::MAX, signed);
    let limit = i64::try_from(page.limit).unwrap_or(i64::MAX);
    query.query_map(params![pair, before, limit], stored)?.collect()
}

pub(super) fn by_sequence(
    connection: &Connection,
    pair: i64,
    sequences: &[u64],
) -> rusqlite::Result<Vec<StoredObservation>> {
    let mut query = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM observation WHERE pair = ?1 AND sequence = ?2"
    ))?;
    let found = sequences
        .iter()
        .map(|sequence| query.query_row(params![pair, signed(*sequence)], stored).optional());
    found.filter_map(Result::transpose).collect()
}

/// The largest number that an observation of the pair has; 0 without one.
pub(super) fn last_sequence(connection: &Connection, pair: i64) -> rusqlite::Result<u64> {
    let last: Option<i64> = connection.query_row(
        "SELECT max(sequence) FROM observation WHERE pair = ?1",
        [pair],
        |row| row.get(0),
    )?;
    Ok(last.map_or(0, unsigned))
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredObservation> {
    let neighbors: String = row.get(9)?;
    let neighbors: Vec<(String, Option<String>, f64)> = serde_json::from_str(&neighbors)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(9, Type::Text, error.into()))?;
    let neighbor = |(id, label, distance)| ObservedNeighbor { id, label, distance };
    Ok(StoredObservation {
        sequence: unsigned(row.get(0)?),
        epoch: unsigned(row.get(1)?),
        observation: Observation {
            time_ms: row.get(2)?,
            request_id: row.get(3)?,
            predicted_class: row.get(4)?,
            confidence: row.get(5)?,
            score: row.get(6)?,
            p_value: row.get(7)?,
            out_of_distribution: row.get(8)?,
            neighbors: neighbors.into_iter().map(neighbor).collect(),
            image_sha256: row.get(10)?,
        },
    })
}
