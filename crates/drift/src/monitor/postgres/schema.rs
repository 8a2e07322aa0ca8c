//! The tables, in a schema of their own.

use tokio_postgres::Client;

use super::fault::Fault;

/// The version of the tables.
pub(super) const VERSION: i64 = 1;

/// The number of the lock that whoever makes the tables holds: "sddm".
const LOCK: i64 = 0x7364_646d;

const TABLES: &str = "
CREATE TABLE sdd_monitor.version (version bigint NOT NULL);
INSERT INTO sdd_monitor.version VALUES (1);
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
CREATE INDEX observation_by_epoch ON sdd_monitor.observation (pair, epoch, sequence);
";

/// Makes the tables where there are none. Several servers may do so at once.
pub(super) async fn ensure(client: &Client) -> Result<(), Fault> {
    if is_made(client).await? {
        return Ok(());
    }
    let made = make(client).await;
    let end = if made.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = client.batch_execute(end).await;
    made?;
    Ok(ended?)
}

async fn make(client: &Client) -> Result<(), Fault> {
    client.batch_execute(super::session::BEGIN).await?;
    client.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    if is_made(client).await? {
        return Ok(());
    }
    // An administrator may have made it for us. Where it exists, CREATE SCHEMA IF NOT EXISTS would ask for rights that
    // are not needed.
    let query = "SELECT count(*) FROM pg_namespace WHERE nspname = 'sdd_monitor'";
    let schemas: i64 = client.query_one(query, &[]).await?.try_get(0)?;
    if schemas == 0 {
        client.batch_execute("CREATE SCHEMA sdd_monitor").await?;
    }
    Ok(client.batch_execute(TABLES).await?)
}

/// Whether the tables are there.
pub(super) async fn is_made(client: &Client) -> Result<bool, Fault> {
    let query = "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace \
                 WHERE nspname = 'sdd_monitor' AND relname = 'version'";
    let tables: i64 = client.query_one(query, &[]).await?.try_get(0)?;
    if tables == 0 {
        return Ok(false);
    }
    let version = client.query_one("SELECT max(version) FROM sdd_monitor.version", &[]).await?;
    match version.try_get(0)? {
        Some(version) if version > VERSION => Err(Fault::TooNew(version)),
        found => Ok(found == Some(VERSION)),
    }
}
