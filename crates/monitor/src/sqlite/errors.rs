//! What the database's errors mean to people.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::error::Error;

/// What a database error means.
pub(super) fn error(action: &'static str, path: &Path, error: rusqlite::Error) -> Error {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Error::FileDamaged { path, source: error.into() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Busy { path, reason: "another process holds it locked", source: error.into() }
        }
        Some(ErrorCode::DiskFull) => {
            Error::Busy { path, reason: "the disk is full", source: error.into() }
        }
        _ => Error::File { action, path, source: error.into() },
    }
}
