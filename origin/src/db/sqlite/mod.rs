//! SQLite: the embedded catalogue, one file for any number of processes of one machine.
//!
//! The file is in WAL mode: readers never wait for the one writer. Each change is one statement, so no
//! transaction is ever open while something else is waited for. What was published survives a power cut.

use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection, SqliteConnection, SqlitePool};

use super::DatabaseError;

mod catalog;
mod fault;
mod keys;
mod leases;
mod publishing;
mod recordings;
mod schema;
mod shows;

/// A catalogue in a file.
#[derive(Debug)]
pub(super) struct Sqlite {
    pool: SqlitePool,
}

impl Sqlite {
    /// Opens the file, makes it and its folder where they are missing, and brings its schema up to date.
    pub(super) async fn open(path: &Path) -> Result<Self, DatabaseError> {
        Self::open_within(path, PATIENCE).await
    }

    async fn open_within(path: &Path, patience: Duration) -> Result<Self, DatabaseError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            tokio::fs::create_dir_all(folder)
                .await
                .map_err(|source| DatabaseError::Folder { path: path.to_owned(), source })?;
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(patience);
        let begun = Instant::now();
        // Two processes that make a new file at the same time may each be told at once that it is locked: SQLite does not wait
        // while it goes over to its log (sqlite.org/wal.html, "Sometimes Queries Return SQLITE_BUSY In WAL Mode").
        while let Err(error) = prepare(path, &options).await {
            if !matches!(error, DatabaseError::Locked { .. }) || begun.elapsed() >= patience {
                return Err(error);
            }
            tokio::time::sleep(AGAIN).await;
        }
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(patience)
            .connect_lazy_with(options);
        Ok(Self { pool })
    }
}

/// Makes the file where there is none, and brings its schema up to date. On a connection of its own: the pool would answer every
/// fault with "timed out".
async fn prepare(path: &Path, options: &SqliteConnectOptions) -> Result<(), DatabaseError> {
    let mut connection =
        SqliteConnection::connect_with(options).await.map_err(|error| fault::opening(path, error))?;
    schema::bring_up_to_date(path, &mut connection).await?;
    connection.close().await.map_err(|error| fault::opening(path, error))
}

/// How long a statement waits for another process, and a caller for a connection.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between two tries to open a file that others are making.
const AGAIN: Duration = Duration::from_millis(20);
/// Readers at the same time; look-ups are rare, since who serves remembers.
const CONNECTIONS: u32 = 4;

#[cfg(test)]
mod tests;
