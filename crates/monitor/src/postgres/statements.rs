//! What is asked of the database, and what it is asked with.

use tokio_postgres::{Client, Statement};

/// Begins a transaction.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// Begins one that sees everything as it is at one moment.
pub(super) const BEGIN_TO_READ: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A prepared statement, by its place in [`STATEMENTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    Pair,
    LockPair,
    InsertPair,
    UpdatePair,
    Parts,
    RemoveParts,
    InsertParts,
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
         neighbors, image_sha256, evidence, stream, group_name, properties"
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
pub(super) const STATEMENTS: [&str; 19] = [
    pair_row!(""),
    pair_row!(" FOR UPDATE"),
    "INSERT INTO sdd_monitor.pair (model_sha256, reference_sha256) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    "UPDATE sdd_monitor.pair SET state = $2, notice = $3, writers = $4, seen_ms = $5, unseen_days = $6 WHERE id = $1",
    "SELECT key, state FROM sdd_monitor.part WHERE pair = $1 AND key = ANY($2)",
    // These, or all.
    "DELETE FROM sdd_monitor.part WHERE pair = $1 AND ($2::bigint[] IS NULL OR key = ANY($2))",
    "INSERT INTO sdd_monitor.part (pair, key, state) SELECT $1, * FROM unnest($2::bigint[], $3::text[])",
    concat!(
        "INSERT INTO sdd_monitor.observation (pair, ",
        columns!(),
        ") SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], \
         $7::double precision[], $8::double precision[], $9::double precision[], $10::boolean[], $11::text[], \
         $12::text[], $13::double precision[], $14::text[], $15::text[], $16::text[])"
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
    "SELECT sequence, time_ms, predicted_class, score, p_value, out_of_distribution, evidence, properties FROM \
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

/// What a call works with.
#[derive(Clone, Copy)]
pub(super) struct Handle<'a> {
    pub client: &'a Client,
    statements: &'a [Statement],
}

impl<'a> Handle<'a> {
    /// `statements` are [`STATEMENTS`], prepared.
    pub fn new(client: &'a Client, statements: &'a [Statement]) -> Self {
        Self { client, statements }
    }

    pub fn statement(self, name: Name) -> &'a Statement {
        &self.statements[name as usize]
    }
}
