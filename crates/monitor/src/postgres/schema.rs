//! The tables, in a schema of their own.

use tokio_postgres::Client;

use super::fault::Fault;
use super::statements::BEGIN;

/// The version of the tables: as many as there are steps.
#[expect(clippy::cast_possible_wrap, reason = "they are few")]
pub(super) const VERSION: i64 = STEPS.len() as i64;

/// The number of the lock that whoever makes the tables holds: "sddm".
const LOCK: i64 = 0x7364_646d;

/// From each version to the next; from 0, no tables, to 1 first. What was released is never changed: a step is added.
pub(super) const STEPS: [&str; 4] = [
    "CREATE TABLE sdd_monitor.version (version bigint NOT NULL);
    INSERT INTO sdd_monitor.version VALUES (0);
    CREATE TABLE sdd_monitor.pair (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        model_sha256 text NOT NULL,
        reference_sha256 text NOT NULL,
        state text NOT NULL DEFAULT '',
        notice text NOT NULL DEFAULT '',
        writers text NOT NULL DEFAULT '',
        seen_ms bigint NOT NULL DEFAULT 0,
        UNIQUE (model_sha256, reference_sha256)
    );
    CREATE TABLE sdd_monitor.observation (
        pair bigint NOT NULL REFERENCES sdd_monitor.pair (id),
        sequence bigint NOT NULL,
        epoch bigint NOT NULL,
        time_ms bigint NOT NULL,
        request_id text NOT NULL,
        predicted_class text NOT NULL,
        confidence double precision NOT NULL,
        score double precision NOT NULL,
        p_value double precision,
        out_of_distribution boolean,
        neighbors text NOT NULL,
        image_sha256 text,
        e_value double precision,
        cusum double precision,
        PRIMARY KEY (pair, sequence)
    );
    CREATE INDEX observation_by_epoch ON sdd_monitor.observation (pair, epoch, sequence);",
    // On which days others were served. Curves are read by their numbers.
    "ALTER TABLE sdd_monitor.pair ADD COLUMN unseen_days text NOT NULL DEFAULT '';
    DROP INDEX IF EXISTS sdd_monitor.observation_by_epoch;",
    // Groups are tested, not images.
    "ALTER TABLE sdd_monitor.observation DROP COLUMN e_value, DROP COLUMN cusum,
        ADD COLUMN evidence double precision, ADD COLUMN stream text, ADD COLUMN group_name text,
        ADD COLUMN properties text;",
    // An image changes a small part of a state.
    "CREATE TABLE sdd_monitor.part (
        pair bigint NOT NULL REFERENCES sdd_monitor.pair (id) ON DELETE CASCADE,
        key bigint NOT NULL,
        state text NOT NULL,
        PRIMARY KEY (pair, key)
    );",
];

/// Makes the tables, or brings them up to this version. Several servers may do so at once.
pub(super) async fn ensure(client: &Client) -> Result<(), Fault> {
    if version(client).await? == VERSION {
        return Ok(());
    }
    let made = bring_up(client).await;
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await;
    made?;
    Ok(ended?)
}

/// Whether the tables are of this version, for who only reads.
pub(super) async fn check(client: &Client) -> Result<(), Fault> {
    match version(client).await? {
        0 => Err(Fault::NotMade),
        VERSION => Ok(()),
        _ => Err(Fault::TooOld),
    }
}

async fn bring_up(client: &Client) -> Result<(), Fault> {
    client.batch_execute(BEGIN).await?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    let version = version(client).await?;
    // An administrator may have made it for us. Where it exists, CREATE SCHEMA IF NOT EXISTS would ask for rights that
    // are not needed.
    let query = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sdd_monitor'";
    let schemas: i64 = client.query_one(query, &[]).await?.try_get(0)?;
    if schemas == 0 {
        client.batch_execute("CREATE SCHEMA sdd_monitor").await?;
    }
    for step in STEPS.iter().skip(usize::try_from(version).unwrap_or(0)) {
        client.batch_execute(step).await?;
    }
    client.execute("UPDATE sdd_monitor.version SET version = $1", &[&VERSION]).await?;
    Ok(())
}

/// That of the tables; 0 where there are none.
async fn version(client: &Client) -> Result<i64, Fault> {
    let query = "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                 WHERE nspname = 'sdd_monitor' AND relname = 'version'";
    let tables: i64 = client.query_one(query, &[]).await?.try_get(0)?;
    if tables == 0 {
        return Ok(0);
    }
    let row = client.query_one("SELECT max(version) FROM sdd_monitor.version", &[]).await?;
    match row.try_get::<_, Option<i64>>(0)? {
        Some(version) if version > VERSION => {
            Err(Fault::TooNew { found: version, supported: VERSION })
        }
        version => Ok(version.unwrap_or(0)),
    }
}
