//! Recordings on two nodes that share nothing but the server.

use std::sync::Arc;
use std::time::Duration;

use packager::asset::{AssetName, Revision, ShowId};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::task::JoinHandle;
use transcoder::publishing::WorkerName;

use super::super::Postgres;
use super::server::{Server, open, url};
use super::{hand, stream, two_nodes};
use crate::catalog::recordings::conformance::{self, Stage};
use crate::catalog::{RecordingError, Recordings, Tenure};
use crate::clock::Clock;

const SHOW: ShowId = ShowId(7);
const TTL: Duration = Duration::from_secs(600);

fn clip() -> (AssetName, Revision) {
    ("clip".parse().unwrap(), Revision::counted(1))
}

/// The archive of a show with five pages.
async fn recorded(node: &Postgres) -> Tenure {
    let worker: WorkerName = "a".parse().unwrap();
    let tenure = node.claim(&stream(), SHOW, &worker, TTL, 0).await.unwrap().unwrap();
    assert!(node.commit(&tenure, 5).await.unwrap());
    tenure
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_in_postgres_conform() {
    let fresh = async || {
        let [one, other] = two_nodes().await;
        let step = hand(
            &one,
            "UPDATE recording SET held_until_ms = held_until_ms - $1, changed_ms = changed_ms - $1",
        );
        Stage { both: [one, other], step }
    };
    conformance::run(fresh).await.unwrap();
}

#[tokio::test]
async fn a_recording_changes_by_the_clock_of_the_server() {
    let [node, _] = two_nodes().await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let before = now();
    recorded(&node).await;
    let changed = node.recording(&stream(), SHOW).await.unwrap().unwrap().changed_ms;
    let after = now();
    // The server is on this machine, and drops fractions of a millisecond as we do.
    assert!((before..=after).contains(&changed), "{before} {changed} {after}");
}

/// Who holds pages has the row until it is committed, and who expires pages waits for that and sees what was held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_being_held_do_not_expire() {
    let (node, mut connection) = node_and_connection().await;
    recorded(&node).await;
    let mut holding = connection.begin().await.unwrap();
    for statement in [
        "SELECT 1 FROM recording FOR SHARE",
        "INSERT INTO recording_use VALUES ('show', 7, 2, 3, 'clip', '1')",
    ] {
        sqlx::query(statement).execute(&mut *holding).await.unwrap();
    }
    let expiring = tokio::spawn({
        let node = Arc::clone(&node);
        async move { node.expire(&stream(), SHOW, 5).await.unwrap() }
    });
    until_it_waits(&node, &expiring).await;
    holding.commit().await.unwrap();
    assert_eq!(expiring.await.unwrap(), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_that_are_being_expired_are_not_held() {
    let (node, mut connection) = node_and_connection().await;
    recorded(&node).await;
    let mut expiring = connection.begin().await.unwrap();
    sqlx::query("SELECT recording_expire('show', 7, 3)").execute(&mut *expiring).await.unwrap();
    let holding = tokio::spawn({
        let node = Arc::clone(&node);
        async move {
            let (asset, revision) = clip();
            node.hold_for(&asset, &revision, &stream(), SHOW, 2, 3).await.unwrap()
        }
    });
    until_it_waits(&node, &holding).await;
    expiring.commit().await.unwrap();
    assert!(!holding.await.unwrap());
    assert_eq!(node.uses(&stream(), SHOW).await.unwrap(), []);
}

/// What the type of a port cannot promise of statements that others write.
#[tokio::test]
async fn no_statement_can_take_back_what_was_promised() {
    let [node, _] = two_nodes().await;
    let (asset, revision) = clip();
    let tenure = recorded(&node).await;
    assert_eq!(node.expire(&stream(), SHOW, 1).await.unwrap(), Some(1));
    assert!(node.hold_for(&asset, &revision, &stream(), SHOW, 1, 2).await.unwrap());
    let refused = async |statement: &'static str, why: &str| {
        let changed = node.sessions.changes(sqlx::query(AssertSqlSafe(statement))).await;
        let error = changed.unwrap_err().to_string();
        assert!(error.contains(why), "{statement}: {error}");
    };
    let why = "a recording only goes on";
    refused("UPDATE recording SET fence = fence - 1", why).await;
    refused("UPDATE recording SET holder = 'b'", why).await;
    refused("UPDATE recording SET until_page = 2", why).await;
    refused("UPDATE recording SET first_page = 0", why).await;
    refused("UPDATE recording SET first_page = 6", "violates check constraint").await;
    refused("UPDATE recording SET is_sealed = true", "violates check constraint").await;
    refused("UPDATE recording SET is_forgotten = true", "violates check constraint").await;
    refused("DELETE FROM recording", "a recording is forgotten").await;
    assert!(node.seal(&tenure, 5).await.unwrap());
    refused("UPDATE recording SET is_sealed = false", why).await;
    refused("UPDATE recording SET until_page = 6", why).await;
    refused("UPDATE recording SET fence = fence + 1", why).await;
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let [node, _] = two_nodes().await;
    for statement in [
        "INSERT INTO recording VALUES ('a b', 7, 1, NULL, NULL, NULL, 0, 9, false, false, 0)",
        "INSERT INTO recording VALUES ('show', 7, 1, NULL, NULL, NULL, 0, 9, false, false, 0)",
        "INSERT INTO recording_use VALUES ('show', 7, 0, 1, 'clip', 'A')",
    ] {
        node.sessions.changes(sqlx::query(AssertSqlSafe(statement))).await.unwrap();
    }
    for error in [node.list(None, 9).await.unwrap_err(), node.uses(&stream(), SHOW).await.unwrap_err()] {
        assert!(matches!(error, RecordingError::Corrupt { show: 7, .. }), "{error:?}");
    }
}

async fn node_and_connection() -> (Arc<Postgres>, PgConnection) {
    let database = Server::shared().database().await;
    let node = Arc::new(open(&database).await);
    (node, Server::shared().connect(&url(&database).database).await)
}

/// Until a task of this database waits for a lock; it has not ended before.
async fn until_it_waits<T>(node: &Postgres, task: &JoinHandle<T>) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    loop {
        assert!(!task.is_finished(), "it did not wait");
        let rows: Vec<(i64,)> = node.sessions.rows(sqlx::query_as(waiting)).await.unwrap();
        if rows != [(0,)] {
            return;
        }
    }
}
