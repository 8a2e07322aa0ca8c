//! Rows as what they mean.

use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use super::fault::Fault;
use super::statements::{Handle, Name};
use crate::observation::Observation;
use crate::pair::PairId;
use crate::part::Parts;
use crate::record::{
    PairRecord, Removed, neighbors_of_text, neighbors_to_text, properties_of_text,
    properties_to_text, signed, unsigned,
};
use crate::state::Step;
use crate::store::{Page, PairSummary, SeriesPoint, StoredObservation};

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

/// Those of a pair's parts that have these keys.
pub(super) async fn parts(
    handle: Handle<'_>,
    pair: i64,
    keys: &[i64],
) -> Result<Vec<(i64, String)>, Fault> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = handle.client.query(handle.statement(Name::Parts), &[&pair, &keys]).await?;
    found.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Removes some of a pair's parts.
pub(super) async fn remove_parts(
    handle: Handle<'_>,
    pair: i64,
    removed: &Removed,
) -> Result<(), Fault> {
    let keys = match removed {
        Removed::Keys(keys) if keys.is_empty() => return Ok(()),
        Removed::Keys(keys) => Some(keys),
        Removed::All => None,
    };
    handle.client.execute(handle.statement(Name::RemoveParts), &[&pair, &keys]).await?;
    Ok(())
}

pub(super) async fn insert_parts(
    handle: Handle<'_>,
    pair: i64,
    parts: &Parts,
) -> Result<(), Fault> {
    if !parts.is_empty() {
        let keys: Vec<i64> = parts.keys().copied().collect();
        let texts: Vec<&String> = parts.values().collect();
        let statement = handle.statement(Name::InsertParts);
        handle.client.execute(statement, &[&pair, &keys, &texts]).await?;
    }
    Ok(())
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
    let properties = rows.iter().map(|(_, seen)| properties_to_text(seen.properties));
    let properties = properties.collect::<Result<Vec<_>, _>>().map_err(Fault::Row)?;
    macro_rules! column {
        ($row:ident, $value:expr) => {
            &rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let statement = handle.statement(Name::InsertObservations);
    let parameters: [&(dyn ToSql + Sync); 16] = [
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
        column!(row, row.0.evidence),
        column!(row, row.1.stream.as_deref().map(text)),
        column!(row, row.1.group.as_deref().map(text)),
        &properties,
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
            evidence: row.try_get(6)?,
            properties: properties_of_text(row.try_get(7)?).map_err(Fault::Row)?,
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
        evidence: row.try_get(11)?,
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
            stream: row.try_get(12)?,
            group: row.try_get(13)?,
            properties: properties_of_text(row.try_get(14)?).map_err(Fault::Row)?,
        },
    })
}
