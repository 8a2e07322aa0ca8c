//! A connection, its prepared statements, and the loop that drives it: on the thread that asks, for as long as it asks.

use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::{Client, Statement};

use super::address::PostgresAddress;
use super::fault::Fault;
use super::schema;
use super::statements::{Handle, STATEMENTS};
use super::tls::Tls;

/// Time that the server has for what is asked in one call, seen from here: it may hang.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Time for connecting and making the tables.
const OPEN_TIMEOUT: Duration = Duration::from_secs(8);

/// The server's own limits, below ours: what waits for a lock there ends, though nobody waits here any more, and a process
/// that stops in the middle (SIGSTOP, a machine that is gone) does not hold the row of a pair for long.
const LIMITS: &str = "SET lock_timeout = '2s'; SET statement_timeout = '4s'; \
                      SET idle_in_transaction_session_timeout = '5s'";

pub(super) struct Session {
    /// Taken when this is dropped.
    runtime: Option<Runtime>,
    client: Client,
    statements: Vec<Statement>,
}

impl Session {
    /// Makes the tables where there are none.
    pub fn open(address: &PostgresAddress) -> Result<Self, Fault> {
        Self::connect(address, false)
    }

    /// Makes nothing.
    pub fn open_to_read(address: &PostgresAddress) -> Result<Self, Fault> {
        Self::connect(address, true)
    }

    fn connect(address: &PostgresAddress, only_reads: bool) -> Result<Self, Fault> {
        let tls = Tls::new(&address.security)?;
        let runtime =
            Builder::new_current_thread().enable_io().enable_time().build().map_err(Fault::Loop)?;
        let opened = runtime.block_on(async {
            tokio::time::timeout(OPEN_TIMEOUT, async {
                let (client, connection) = address.config.connect(tls).await?;
                // What ends it is told to whoever asks next.
                tokio::spawn(async move { drop(connection.await) });
                client.batch_execute(LIMITS).await?;
                if only_reads {
                    schema::check(&client).await?;
                } else {
                    schema::ensure(&client).await?;
                }
                let prepare = STATEMENTS.iter().map(|statement| client.prepare(statement));
                let statements = try_join_all(prepare).await?;
                Ok::<_, Fault>((client, statements))
            })
            .await
            .unwrap_or(Err(Fault::Timeout))
        });
        let (client, statements) = opened?;
        Ok(Self { runtime: Some(runtime), client, statements })
    }

    /// Does something within the time that it may take. Where that is over nobody knows what came of it: the session
    /// is of no more use.
    pub fn run<T>(
        &self,
        work: &mut impl AsyncFnMut(Handle<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Some(runtime) = &self.runtime else { return Err(Fault::Timeout) };
        let handle = Handle::new(&self.client, &self.statements);
        runtime.block_on(async {
            tokio::time::timeout(CALL_TIMEOUT, work(handle)).await.unwrap_or(Err(Fault::Timeout))
        })
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // Also where a thread must not wait.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
