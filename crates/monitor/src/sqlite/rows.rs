//! Pairs, parts of states and observations as rows.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::observation::Observation;
use crate::pair::PairId;
use crate::part::Parts;
use crate::record::{
    PairRecord, Removed, neighbors_of_text, neighbors_to_text, properties_of_text,
    properties_to_text, signed, unsigned,
};
use crate::state::Step;
use crate::store::{Page, PairSummary, SeriesPoint, StoredObservation};

const COLUMNS: &str = "sequence, epoch, time_ms, request_id, predicted_class, confidence, score, p_value, \
                       out_of_distribution, neighbors, image_sha256, evidence, stream, group_name, properties";

pub(super) fn pair(
    connection: &Connection,
    pair: &PairId,
) -> rusqlite::Result<Option<(i64, PairRecord)>> {
    let mut query = connection.prepare_cached(
        "SELECT id, state, notice, writers, seen_ms, unseen_days FROM pair \
         WHERE model_sha256 = ?1 AND reference_sha256 = ?2",
    )?;
    let record = |row: &Row<'_>| {
        let record = PairRecord {
            state: row.get(1)?,
            notice: row.get(2)?,
            writers: row.get(3)?,
            seen_ms: row.get(4)?,
            unseen_days: row.get(5)?,
        };
        Ok((row.get(0)?, record))
    };
    query.query_row(params![pair.model_sha256, pair.reference_sha256], record).optional()
}

pub(super) fn insert_pair(connection: &Connection, pair: &PairId) -> rusqlite::Result<i64> {
    let insert =
        "INSERT INTO pair (model_sha256, reference_sha256, state) VALUES (?1, ?2, '') RETURNING id";
    let key = params![pair.model_sha256, pair.reference_sha256];
    connection.prepare_cached(insert)?.query_row(key, |row| row.get(0))
}

pub(super) fn update_pair(
    connection: &Connection,
    id: i64,
    record: &PairRecord,
) -> rusqlite::Result<()> {
    let update = "UPDATE pair SET state = ?2, notice = ?3, writers = ?4, seen_ms = ?5, unseen_days = ?6 WHERE id = ?1";
    let mut update = connection.prepare_cached(update)?;
    let PairRecord { state, notice, writers, seen_ms, unseen_days } = record;
    update.execute(params![id, state, notice, writers, seen_ms, unseen_days])?;
    Ok(())
}

/// Those of a pair's parts that have these keys.
pub(super) fn parts(
    connection: &Connection,
    pair: i64,
    keys: &[i64],
) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut query =
        connection.prepare_cached("SELECT state FROM part WHERE pair = ?1 AND key = ?2")?;
    let part = |key: &i64| {
        let text = query.query_row([pair, *key], |row| row.get(0)).optional();
        text.map(|text| text.map(|text| (*key, text))).transpose()
    };
    keys.iter().filter_map(part).collect()
}

/// Removes some of a pair's parts, and adds others.
pub(super) fn change_parts(
    connection: &Connection,
    pair: i64,
    removed: &Removed,
    inserted: &Parts,
) -> rusqlite::Result<()> {
    match removed {
        Removed::All => drop(connection.execute("DELETE FROM part WHERE pair = ?1", [pair])?),
        Removed::Keys(keys) => {
            let delete = "DELETE FROM part WHERE pair = ?1 AND key = ?2";
            let mut delete = connection.prepare_cached(delete)?;
            keys.iter().try_for_each(|key| delete.execute([pair, *key]).map(drop))?;
        }
    }
    let insert = "INSERT INTO part (pair, key, state) VALUES (?1, ?2, ?3)";
    let mut insert = connection.prepare_cached(insert)?;
    inserted.iter().try_for_each(|(key, text)| insert.execute(params![pair, key, text]).map(drop))
}

pub(super) fn note_seen(
    connection: &Connection,
    pair: &PairId,
    now_ms: i64,
) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE pair SET seen_ms = max(seen_ms, ?3), unseen_days = '' \
         WHERE model_sha256 = ?1 AND reference_sha256 = ?2",
        params![pair.model_sha256, pair.reference_sha256, now_ms],
    )?;
    Ok(())
}

/// All pairs but one, and on which days they were not seen; those that were seen longest ago first.
pub(super) fn others(
    connection: &Connection,
    current: &PairId,
) -> rusqlite::Result<Vec<(i64, PairId, String)>> {
    let mut query = connection.prepare_cached(
        "SELECT id, model_sha256, reference_sha256, unseen_days FROM pair \
         WHERE (model_sha256, reference_sha256) <> (?1, ?2) ORDER BY seen_ms",
    )?;
    let other = |row: &Row<'_>| {
        let pair = PairId { model_sha256: row.get(1)?, reference_sha256: row.get(2)? };
        Ok((row.get(0)?, pair, row.get(3)?))
    };
    query.query_map(params![current.model_sha256, current.reference_sha256], other)?.collect()
}

pub(super) fn note_unseen(
    connection: &Connection,
    pair: i64,
    unseen_days: &str,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("UPDATE pair SET unseen_days = ?2 WHERE id = ?1")?
        .execute(params![pair, unseen_days])?;
    Ok(())
}

/// Removes the observations of a pair up to this number.
pub(super) fn remove(connection: &Connection, pair: i64, last: u64) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM observation WHERE pair = ?1 AND sequence <= ?2")?
        .execute(params![pair, signed(last)])?;
    Ok(())
}

pub(super) fn insert(
    connection: &Connection,
    pair: i64,
    step: Step,
    observation: &Observation,
) -> rusqlite::Result<()> {
    let failed = |error: serde_json::Error| rusqlite::Error::ToSqlConversionFailure(error.into());
    let neighbors = neighbors_to_text(&observation.neighbors).map_err(failed)?;
    let properties = properties_to_text(observation.properties).map_err(failed)?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO observation (pair, sequence, epoch, time_ms, request_id, predicted_class, confidence, score, \
         p_value, out_of_distribution, neighbors, image_sha256, evidence, stream, group_name, properties) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    insert.execute(params![
        pair,
        signed(step.sequence),
        signed(step.epoch),
        observation.time_ms,
        observation.request_id,
        observation.predicted_class,
        observation.confidence,
        observation.score,
        observation.p_value,
        observation.out_of_distribution,
        neighbors,
        observation.image_sha256,
        step.evidence,
        observation.stream,
        observation.group,
        properties,
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

pub(super) fn series(
    connection: &Connection,
    pair: i64,
    after: u64,
    limit: usize,
) -> rusqlite::Result<Vec<SeriesPoint>> {
    let mut query = connection.prepare_cached(
        "SELECT sequence, time_ms, predicted_class, score, p_value, out_of_distribution, evidence, properties \
         FROM observation WHERE pair = ?1 AND sequence > ?2 ORDER BY sequence DESC LIMIT ?3",
    )?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let point = |row: &Row<'_>| {
        Ok(SeriesPoint {
            sequence: unsigned(row.get(0)?),
            time_ms: row.get(1)?,
            predicted_class: row.get(2)?,
            score: row.get(3)?,
            p_value: row.get(4)?,
            out_of_distribution: row.get(5)?,
            evidence: row.get(6)?,
            properties: properties_of_text(row.get(7)?).map_err(|error| unreadable(7, error))?,
        })
    };
    let latest_first = query.query_map(params![pair, signed(after), limit], point)?;
    let mut points = latest_first.collect::<rusqlite::Result<Vec<_>>>()?;
    points.reverse();
    Ok(points)
}

pub(super) fn pairs(connection: &Connection) -> rusqlite::Result<Vec<PairSummary>> {
    let mut query = connection.prepare_cached(
        "SELECT model_sha256, reference_sha256, last.sequence, last.time_ms FROM pair \
         LEFT JOIN observation AS last ON last.pair = pair.id \
         AND last.sequence = (SELECT max(sequence) FROM observation AS each WHERE each.pair = pair.id) \
         ORDER BY last.time_ms DESC NULLS LAST, pair.id DESC",
    )?;
    let summary = |row: &Row<'_>| {
        Ok(PairSummary {
            pair: PairId { model_sha256: row.get(0)?, reference_sha256: row.get(1)? },
            images: row.get::<_, Option<i64>>(2)?.map_or(0, unsigned),
            last_ms: row.get(3)?,
        })
    };
    query.query_map([], summary)?.collect()
}

/// The largest number that an observation of the pair has; 0 without one.
pub(super) fn last_sequence(connection: &Connection, pair: i64) -> rusqlite::Result<u64> {
    let query = "SELECT max(sequence) FROM observation WHERE pair = ?1";
    let last: Option<i64> = connection.query_row(query, [pair], |row| row.get(0))?;
    Ok(last.map_or(0, unsigned))
}

/// The smallest number that an observation of the pair has.
pub(super) fn first_sequence(connection: &Connection, pair: i64) -> rusqlite::Result<Option<u64>> {
    let mut query =
        connection.prepare_cached("SELECT min(sequence) FROM observation WHERE pair = ?1")?;
    let first: Option<i64> = query.query_row([pair], |row| row.get(0))?;
    Ok(first.map(unsigned))
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredObservation> {
    let neighbors: String = row.get(9)?;
    let neighbors = neighbors_of_text(&neighbors).map_err(|error| unreadable(9, error))?;
    Ok(StoredObservation {
        sequence: unsigned(row.get(0)?),
        epoch: unsigned(row.get(1)?),
        evidence: row.get(11)?,
        observation: Observation {
            time_ms: row.get(2)?,
            request_id: row.get(3)?,
            predicted_class: row.get(4)?,
            confidence: row.get(5)?,
            score: row.get(6)?,
            p_value: row.get(7)?,
            out_of_distribution: row.get(8)?,
            neighbors,
            image_sha256: row.get(10)?,
            stream: row.get(12)?,
            group: row.get(13)?,
            properties: properties_of_text(row.get(14)?).map_err(|error| unreadable(14, error))?,
        },
    })
}
