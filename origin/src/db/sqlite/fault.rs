//! What SQLite's result codes mean to whoever must mend it (sqlite.org/rescode.html).

use std::path::Path;

use crate::db::DatabaseError;

/// A fault of opening the file.
pub(super) fn opening(path: &Path, error: sqlx::Error) -> DatabaseError {
    let path = path.to_owned();
    match code(&error) {
        Some(BUSY | LOCKED) => DatabaseError::Locked { path, source: Box::new(error) },
        Some(READONLY) => DatabaseError::ReadOnly { path, source: Box::new(error) },
        Some(CORRUPT | NOTADB) => DatabaseError::Corrupt { path, source: Box::new(error) },
        _ => DatabaseError::Open { path, source: Box::new(error) },
    }
}

/// A fault of changing the schema.
pub(super) fn migrating(path: &Path, error: sqlx::Error) -> DatabaseError {
    match code(&error) {
        Some(BUSY | LOCKED | READONLY | CORRUPT | NOTADB) => opening(path, error),
        _ => DatabaseError::Schema { place: path.display().to_string(), source: Box::new(error) },
    }
}

/// The primary result code: the low byte of the extended one.
fn code(error: &sqlx::Error) -> Option<u32> {
    let code: u32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

const BUSY: u32 = 5;
const LOCKED: u32 = 6;
const READONLY: u32 = 8;
const CORRUPT: u32 = 11;
const NOTADB: u32 = 26;
