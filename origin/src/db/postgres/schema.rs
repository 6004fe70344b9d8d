//! The schema and its versions.

use std::time::Duration;

use sqlx::migrate::MigrateError;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::fault;
use crate::db::DatabaseError;

/// Applies what is missing, all of it or nothing. Nodes that start at the same time wait for each other; all but the
/// first find everything done.
pub(super) async fn bring_up_to_date(
    place: &str,
    options: &PgConnectOptions,
    patience: Duration,
) -> Result<(), DatabaseError> {
    let silent = |patience: Duration| {
        let source = format!("expected an answer within {patience:?}, found none").into();
        DatabaseError::Unreachable { place: place.to_owned(), source }
    };
    // Longer than a statement may take: a change of a large table is no fault.
    let bounds = [("lock_timeout", CHANGE), ("statement_timeout", CHANGE)]
        .map(|(name, bound)| (name, format!("{}s", bound.as_secs())));
    // That the table of versions is there already is no news.
    let options = options.clone().options(bounds).options([("client_min_messages", "warning")]);
    let connected = timeout(patience, options.connect()).await.map_err(|_| silent(patience))?;
    let connection = connected.map_err(|error| fault::opening(place, error))?;
    timeout(WHOLE, change(place, connection)).await.map_err(|_| silent(WHOLE))?
}

async fn change(place: &str, mut connection: PgConnection) -> Result<(), DatabaseError> {
    let failed = |error| fault::opening(place, error);
    let mut transaction = connection.begin().await.map_err(failed)?;
    // Held until the end of the transaction, however that comes about. The driver's own lock is of the session: a session that
    // a proxy keeps for the next client would keep it too.
    sqlx::query("SELECT pg_advisory_xact_lock($1)")
        .bind(ONE_AT_A_TIME)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
    let mut migrations = sqlx::migrate!("migrations/postgres");
    migrations.set_locking(false);
    match migrations.run_direct(None, &mut *transaction, false).await {
        Ok(()) => transaction.commit().await.map_err(failed)?,
        Err(MigrateError::VersionMissing(found)) => {
            let known = migrations.iter().map(|migration| migration.version).max().unwrap_or_default();
            return Err(DatabaseError::Newer { place: place.to_owned(), known, found });
        }
        Err(other) => return Err(DatabaseError::Schema { place: place.to_owned(), source: Box::new(other) }),
    }
    // What was to be done is done.
    let _ = connection.close().await;
    Ok(())
}

/// For one change of the schema, and for a lock that it needs.
const CHANGE: Duration = Duration::from_secs(60);
/// For all of them.
const WHOLE: Duration = Duration::from_secs(180);
/// Any number, but for ever the same. Locks of other programs in one database had better have others.
const ONE_AT_A_TIME: i64 = 7_290_000_000_000_000_001;
