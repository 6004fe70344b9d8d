mod conforming;
mod failing;
mod fencing;
mod proxy;
mod recordings;
mod server;
#[cfg(feature = "daemon")]
mod tls;

use std::sync::Arc;

use packager::asset::{AssetName, Revision, StreamName};
use sqlx::{AssertSqlSafe, Connection};
use transcoder::publishing::{Publishing, leases_conformance};

use super::*;
use crate::catalog::Catalog;
use server::{Server, open, url};

fn name(text: &str) -> AssetName {
    text.parse().unwrap()
}

fn stream() -> StreamName {
    "show".parse().unwrap()
}

/// Two nodes on one new database.
async fn two_nodes() -> [Arc<Postgres>; 2] {
    let database = Server::shared().database().await;
    [Arc::new(open(&database).await), Arc::new(open(&database).await)]
}

/// A hand on the clock, which cannot be set: everything else is moved the other way.
fn hand(node: &Arc<Postgres>, statement: &'static str) -> leases_conformance::Step {
    let node = Arc::clone(node);
    Box::new(move |by| {
        let node = Arc::clone(&node);
        Box::pin(async move {
            node.sessions.changes(sqlx::query(AssertSqlSafe(statement)).bind(by)).await.unwrap();
        })
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_on_a_new_database_all_come_up() {
    let database = Server::shared().database().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let database = database.clone();
        tasks.spawn(async move { open(&database).await.begin(&name("show")).await.unwrap() });
    }
    let mut begun = tasks.join_all().await;
    begun.sort_unstable_by_key(|revision| revision.as_str().to_owned());
    assert_eq!(begun, (1..=8).map(Revision::counted).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let database = Server::shared().database().await;
    open(&database).await;
    let mut connection = Server::shared().connect(&url(&database).database).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'later', TRUE, '\\x00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    let error = Postgres::open(url(&database), &database).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Newer { known: 5, found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn a_schema_that_cannot_be_made_is_as_it_was() {
    let database = Server::shared().database().await;
    let mut connection = Server::shared().connect(&url(&database).database).await;
    sqlx::query("CREATE TABLE show_init (x integer)").execute(&mut connection).await.unwrap();
    let error = Postgres::open(url(&database), &database).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Schema { .. }), "{error:?}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    assert_eq!(tables, 1);
    connection.close().await.unwrap();
}

/// What the server's administrator has set for all is not what the statements were written for.
#[tokio::test]
async fn a_session_is_held_to_what_the_configuration_says() {
    let database = Server::shared().database().await;
    let mut connection = Server::shared().connect(&url(&database).database).await;
    let set = format!(
        "ALTER DATABASE {} SET default_transaction_isolation = serializable",
        url(&database).database
    );
    sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut connection).await.unwrap();
    let node = open(&config::Database { lock_timeout: config::Span::millis(1234), ..database }).await;
    for (setting, expected) in [
        ("transaction_isolation", "read committed"),
        ("lock_timeout", "1234ms"),
        ("statement_timeout", "20s"),
        ("idle_in_transaction_session_timeout", "20s"),
        ("client_connection_check_interval", "1s"),
        ("application_name", "forebay"),
    ] {
        let query = sqlx::query_as("SELECT current_setting($1)").bind(setting);
        let found: Vec<(String,)> = node.sessions.rows(query).await.unwrap();
        assert_eq!(found, [(expected.to_owned(),)], "{setting}");
    }
}

#[tokio::test]
async fn another_spelling_of_a_number_is_another_revision() {
    let [node, _] = two_nodes().await;
    node.begin(&name("show")).await.unwrap();
    for spelling in ["01", "0", "2", "9223372036854775808"] {
        assert!(node.publish(&name("show"), &spelling.parse().unwrap()).await.is_err(), "{spelling}");
    }
    assert_eq!(Catalog::current(&*node, &name("show")).await.unwrap(), None);
}
