//! Where a monitor's memory is: a file, or a database.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::error::Result;
#[cfg(feature = "postgres")]
use crate::postgres::{PostgresAddress, PostgresMonitorStore};
#[cfg(feature = "sqlite")]
use crate::sqlite::SqliteMonitorStore;
use crate::store::MonitorStore;

/// Where a monitor's memory is. What it shows of itself has no password.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Location {
    /// An `SQLite` file.
    File(PathBuf),
    /// A PostgreSQL database.
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresAddress>),
}

/// What a connection string of PostgreSQL begins with.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];

/// What the other form of it begins with.
const KEYS: [&str; 7] = ["dbname", "host", "hostaddr", "password", "port", "sslmode", "user"];

impl Location {
    /// Of a file's path, or of a connection string: `postgres://…`, or `host=… dbname=…`.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidLocation`](crate::Error::InvalidLocation) for a connection string that cannot be read.
    pub fn parse(text: &str) -> Result<Self> {
        if !is_connection_string(text) {
            if text.contains("://") {
                return Err(crate::Error::InvalidLocation {
                    reason: "it begins with a scheme that is not known: expected postgres://… or a file's path".into(),
                });
            }
            return Ok(Self::File(PathBuf::from(text)));
        }
        #[cfg(feature = "postgres")]
        return Ok(Self::Postgres(Box::new(text.parse()?)));
        #[cfg(not(feature = "postgres"))]
        return Err(crate::Error::InvalidLocation {
            reason: "this program was built without PostgreSQL".into(),
        });
    }

    /// With what the environment has that a connection string has not, see
    /// [`PostgresAddress::with_password_of`].
    #[must_use]
    pub fn with_password_of(self, variable: impl Fn(&str) -> Option<OsString>) -> Self {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => Self::Postgres(Box::new(address.with_password_of(variable))),
            #[allow(unreachable_patterns, reason = "which there are depends on the features")]
            other => {
                let _ = variable;
                other
            }
        }
    }

    /// Opens it, or makes it where there is none. `keep` is how many observations are kept of each pair, at least a
    /// window's. A file is read once as a whole, so that damage is known now.
    ///
    /// # Errors
    ///
    /// As [`SqliteMonitorStore::open`](super::SqliteMonitorStore::open) and
    /// [`PostgresMonitorStore::open`](super::PostgresMonitorStore::open).
    pub fn open(&self, keep: u64) -> Result<Box<dyn MonitorStore>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => {
                refuse_special(path)?;
                Ok(Box::new(SqliteMonitorStore::open(path, keep)?))
            }
            #[cfg(not(feature = "sqlite"))]
            Self::File(_) => Err(crate::Error::InvalidLocation {
                reason: "this program was built without SQLite".into(),
            }),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => Ok(Box::new(PostgresMonitorStore::open(address, keep)?)),
        }
    }

    /// The same for one that this process has opened before: a file is not read as a whole again.
    ///
    /// # Errors
    ///
    /// As [`Location::open`].
    pub fn open_again(&self, keep: u64) -> Result<Box<dyn MonitorStore>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => {
                refuse_special(path)?;
                Ok(Box::new(SqliteMonitorStore::open_again(path, keep)?))
            }
            #[allow(unreachable_patterns, reason = "which there are depends on the features")]
            other => other.open(keep),
        }
    }

    /// For who only reads: nothing is made or changed.
    ///
    /// # Errors
    ///
    /// As [`SqliteMonitorStore::open_to_read`](super::SqliteMonitorStore::open_to_read) and
    /// [`PostgresMonitorStore::open_to_read`](super::PostgresMonitorStore::open_to_read).
    pub fn open_to_read(&self) -> Result<Box<dyn MonitorStore>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => {
                refuse_special(path)?;
                Ok(Box::new(SqliteMonitorStore::open_to_read(path)?))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => Ok(Box::new(PostgresMonitorStore::open_to_read(address)?)),
            #[allow(unreachable_patterns, reason = "which there are depends on the features")]
            other => other.open(u64::MAX),
        }
    }
}

/// Without a password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Postgres(address) => address.fmt(f),
        }
    }
}

/// Refuses what is neither a file nor a folder, which has an error of its own: opening a pipe would wait for its other
/// end.
#[cfg(feature = "sqlite")]
fn refuse_special(path: &std::path::Path) -> Result<()> {
    if std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir()) {
        let reason = format!("{} is neither a regular file nor new", path.display());
        return Err(crate::Error::InvalidLocation { reason });
    }
    Ok(())
}

fn is_connection_string(text: &str) -> bool {
    let text = text.trim_start();
    let of_key = |(key, _): (&str, &str)| KEYS.contains(&key.trim_end());
    SCHEMES.iter().any(|scheme| text.starts_with(scheme))
        || text.split_once('=').is_some_and(of_key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_path_and_a_connection_string_is_not_shown_with_its_password() {
        for path in ["m.sqlite", "/var/lib/sdd/a=b", "postgres", "folder/host=x", ""] {
            assert_eq!(
                Location::parse(path).unwrap(),
                Location::File(PathBuf::from(path)),
                "{path}"
            );
        }
        for text in [
            "postgres://me:sesame@db.example:5433/sdd",
            "postgresql://me:sesame@db.example:5433/sdd?sslmode=require",
            "host=db.example port=5433 user=me password='sesame' dbname=sdd",
            "password=sesame host=db.example port=5433 user = me dbname=sdd",
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!(location.to_string(), "db.example:5433/sdd");
            assert!(!format!("{location:?}").contains("sesame"), "{location:?}");
        }
    }
}
