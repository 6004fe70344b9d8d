//! Databases: every port that needs rows, implemented once for each dialect of SQL.
//!
//! Two dialects are two files, not one query that means something else in each; one suite of tests runs on
//! both. Nothing but the command line names this module: all others know the ports.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use transcoder::publishing::{Leases, Publishing, Shows, StreamKeys};

use crate::catalog::{Catalog, Recordings};
use crate::config;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::config::DatabaseUrl;

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod recorded;
#[cfg(feature = "sqlite")]
mod sqlite;

/// The ports of one database.
#[derive(Clone)]
pub struct Ports {
    /// Which revision of an asset is served.
    pub catalog: Arc<dyn Catalog>,
    /// Counts revisions and publishes them.
    pub publishing: Arc<dyn Publishing>,
    /// Opens, numbers and ends the shows of live streams.
    pub shows: Arc<dyn Shows>,
    /// Admits publishers.
    pub stream_keys: Arc<dyn StreamKeys>,
    /// Says which worker works on which stream.
    pub leases: Arc<dyn Leases>,
    /// Says how far live shows are recorded, and who records them.
    pub recordings: Arc<dyn Recordings>,
}

/// Why there is no database.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The folder of the file cannot be made.
    #[error("database {path}: expected a folder that can be written to")]
    Folder {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The file cannot be opened: a folder, or no permission.
    #[error("database {path}: expected a file that can be opened")]
    Open {
        /// Which file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The file cannot be written.
    #[error("database {path}: expected a file that can be written, found that it is read-only")]
    ReadOnly {
        /// Which file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// Another process holds the file for longer than we wait.
    #[error("database {path}: expected to be let in, found it locked by another process")]
    Locked {
        /// Which file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The file is no database, or a damaged one.
    #[error("database {path}: expected a database, found a damaged or another kind of file")]
    Corrupt {
        /// Which file.
        path: PathBuf,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// A later version of this program has been here.
    #[error(
        "database {place}: expected at most schema version {known}, found {found}: it was made by a newer forebay"
    )]
    Newer {
        /// Which database.
        place: String,
        /// The last version this program knows.
        known: i64,
        /// The version of the file.
        found: i64,
    },
    /// The schema could not be brought up to date; it is as it was.
    #[error("database {place}: the schema cannot be brought up to date")]
    Schema {
        /// Which database.
        place: String,
        /// What the database said.
        #[source]
        source: Cause,
    },
    /// The server does not answer.
    #[error("database {place}: expected a server that answers")]
    Unreachable {
        /// Which database.
        place: String,
        /// What the system, the driver or the server said.
        #[source]
        source: Cause,
    },
    /// The server answers, and lets nobody of this name and password in, or not into this database.
    #[error("database {place}: expected to be let in, found a refusal")]
    Refused {
        /// Which database.
        place: String,
        /// What the server said.
        #[source]
        source: Cause,
    },
    /// The file of the password cannot be used.
    #[error("database {place}: {fault}")]
    Password {
        /// Which database.
        place: String,
        /// What was expected of the file.
        fault: String,
    },
    /// This build has no driver for it.
    #[error("database {place}: not supported by this build")]
    Unsupported {
        /// Which database.
        place: String,
    },
}

/// What a driver said.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Opens a database and brings its schema up to date; a file that is not there yet is made, a database of a server is not.
pub async fn open(database: &config::Database) -> Result<Ports, DatabaseError> {
    match &database.url {
        #[cfg(feature = "sqlite")]
        DatabaseUrl::Sqlite(path) => Ok(Ports::of(Arc::new(sqlite::Sqlite::open(path).await?))),
        #[cfg(feature = "postgres")]
        DatabaseUrl::Postgres(url) => Ok(Ports::of(Arc::new(postgres::Postgres::open(url, database).await?))),
        #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
        url => Err(DatabaseError::Unsupported { place: url.to_string() }),
    }
}

impl Ports {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    fn of<D>(database: Arc<D>) -> Self
    where
        D: Catalog + Publishing + Shows + StreamKeys + Leases + Recordings + 'static,
    {
        Self {
            catalog: Arc::clone(&database) as _,
            publishing: Arc::clone(&database) as _,
            shows: Arc::clone(&database) as _,
            stream_keys: Arc::clone(&database) as _,
            leases: Arc::clone(&database) as _,
            recordings: database,
        }
    }
}
