//! What the database's errors mean to people.

use std::error::Error as StdError;

use tokio_postgres::error::SqlState;

use super::address::PostgresAddress;
use crate::error::Error;

/// What ends a transaction early.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database, or the way to it.
    Database(tokio_postgres::Error),
    /// It took too long.
    Timeout,
    /// There are no tables, and none are to be made.
    NotMade,
    /// The tables are of an earlier version, and are not to be changed.
    TooOld,
    /// The tables are of a newer version.
    TooNew { found: i64, supported: i64 },
    /// The authorities' file, or the machine's.
    Authorities(Box<dyn StdError + Send + Sync>),
    /// The thread's own loop could not be made.
    Loop(std::io::Error),
    /// A row that does not hold what we write.
    Row(serde_json::Error),
    /// What the state said.
    Monitor(Error),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Database(error)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Monitor(error)
    }
}

impl Fault {
    /// Whether the connection has ended: by another one it may work at once, the server has been restarted.
    pub fn is_lost(&self) -> bool {
        match self {
            Self::Database(error) => match error.code() {
                Some(code) => is_of(code, &["57P01", "57P02", "57P03"]),
                None => error.is_closed() || io_error(error).is_some(),
            },
            _ => false,
        }
    }

    /// Whether the same transaction may well succeed when it is tried again at once.
    pub fn is_conflict(&self) -> bool {
        let codes = [&SqlState::T_R_SERIALIZATION_FAILURE, &SqlState::T_R_DEADLOCK_DETECTED];
        matches!(self, Self::Database(error) if error.code().is_some_and(|code| codes.contains(&code)))
    }

    pub fn into_error(self, action: &'static str, address: &PostgresAddress) -> Error {
        let database = address.to_string();
        match self {
            Self::Monitor(error) => error,
            Self::TooNew { found, supported } => {
                Error::DatabaseTooNew { database, found, supported }
            }
            Self::NotMade => Error::DatabaseRefuses {
                database,
                advice: "no server has remembered anything there",
                source: "it has no tables of a monitor".into(),
            },
            Self::TooOld => Error::DatabaseRefuses {
                database,
                advice: "start a server of this version once, which brings the tables up",
                source: "its tables are of an earlier version".into(),
            },
            Self::Timeout => Error::DatabaseUnavailable {
                database,
                reason: "it does not answer in time",
                source: "time is over".into(),
            },
            Self::Authorities(source) => {
                let advice = "the certificates of the authorities (sslrootcert) cannot be read";
                Error::DatabaseRefuses { database, advice, source }
            }
            Self::Loop(source) => Error::Database { action, database, source: source.into() },
            Self::Row(source) => Error::Database { action, database, source: source.into() },
            Self::Database(error) => of_database(error, action, database),
        }
    }
}

fn of_database(error: tokio_postgres::Error, action: &'static str, database: String) -> Error {
    if let Some(advice) = refusal(&error) {
        return Error::DatabaseRefuses { database, advice, source: error.into() };
    }
    match unavailability(&error) {
        Some(reason) => Error::DatabaseUnavailable { database, reason, source: error.into() },
        None => Error::Database { action, database, source: error.into() },
    }
}

/// What to do where waiting does not help.
fn refusal(error: &tokio_postgres::Error) -> Option<&'static str> {
    let Some(code) = error.code() else {
        // The library's own errors have no codes but their texts.
        let said = error.to_string();
        return if said.starts_with("authentication error") {
            Some("give the user's password in the connection string, or in PGPASSWORD")
        } else if said.contains("TLS") && io_error(error).is_none_or(is_of_certificate) {
            Some("its certificate, or that it has none, does not fit sslmode")
        } else if said.starts_with("invalid configuration") {
            Some("the connection string has not all that it takes")
        } else {
            None
        };
    };
    match code.code() {
        "28P01" | "28000" => {
            Some("see user and password of the connection string, and the server's pg_hba.conf")
        }
        "3D000" => Some("create the database, or name another one"),
        "42501" => Some(
            "its user lacks rights there; an administrator runs CREATE SCHEMA sdd_monitor AUTHORIZATION user, see \
             docs/drift.md",
        ),
        "0A000" | "42601" => Some("it takes PostgreSQL 13 or newer"),
        "42P01" | "42703" => Some("the schema sdd_monitor is not as this program made it"),
        _ => None,
    }
}

/// Why it does not work now, where it may work again without anybody's doing.
fn unavailability(error: &tokio_postgres::Error) -> Option<&'static str> {
    let Some(code) = error.code() else { return Some("it cannot be reached") };
    match code.code() {
        "55P03" => Some("another server holds it locked"),
        "57014" | "25P03" => Some("it does not answer in time"),
        "57P01" | "57P02" | "57P03" => Some("it is stopping or starting"),
        "25006" => Some("it is read-only"),
        "53100" => Some("its disk is full"),
        other if other.starts_with("53") => Some("it is short of resources"),
        other if other.starts_with("08") => Some("it cannot be reached"),
        other if other.starts_with("40") => Some("it was too busy"),
        _ => None,
    }
}

fn is_of(code: &SqlState, codes: &[&str]) -> bool {
    codes.contains(&code.code())
}

fn io_error(error: &tokio_postgres::Error) -> Option<&std::io::Error> {
    error.source()?.downcast_ref()
}

fn is_of_certificate(error: &std::io::Error) -> bool {
    matches!(error.get_ref(), Some(inner) if inner.is::<rustls::Error>())
}
