//! The schema and its versions.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection, SqliteConnection};

use super::fault;
use crate::db::DatabaseError;

/// Applies what is missing, all of it or nothing. Two processes that start at the same time wait for each
/// other; the second finds everything done.
pub(super) async fn bring_up_to_date(
    path: &Path,
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    let failed = |error| fault::opening(path, error);
    // Takes the write lock before looking, so that nobody else can change what was seen.
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    match MIGRATIONS.run_direct(None, &mut *transaction, false).await {
        Ok(()) => transaction.commit().await.map_err(failed),
        Err(MigrateError::VersionMissing(found)) => {
            let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
            Err(DatabaseError::Newer { place: path.display().to_string(), known, found })
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(fault::migrating(path, error))
        }
        Err(other) => {
            Err(DatabaseError::Schema { place: path.display().to_string(), source: Box::new(other) })
        }
    }
}

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

#[cfg(test)]
mod tests {
    use packager::asset::Revision;
    use sqlx::sqlite::SqliteConnectOptions;

    use super::super::Sqlite;
    use super::*;
    use crate::catalog::Catalog;

    #[tokio::test]
    async fn a_catalogue_of_the_first_version_keeps_what_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forebay.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
        let first = MIGRATIONS.iter().take(1).cloned().collect();
        Migrator::with_migrations(first).run_direct(None, &mut connection, false).await.unwrap();
        sqlx::query("INSERT INTO asset VALUES ('film', 7, 6, 0)").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();

        let database = Sqlite::open(&path).await.unwrap();
        let film = "film".parse().unwrap();
        assert_eq!(Catalog::current(&database, &film).await.unwrap(), Some(Revision::counted(6)));
        assert_eq!(transcoder::publishing::Shows::running(&database, 10).await.unwrap(), []);
    }
}
