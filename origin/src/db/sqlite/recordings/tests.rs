use std::sync::Arc;

use sqlx::Connection;

use super::*;
use crate::catalog::Span;
use crate::catalog::recordings::conformance::{self, Stage};
use crate::clock::Clock;

const SHOW: ShowId = ShowId(7);
const TTL: Duration = Duration::from_secs(600);

fn stream() -> StreamName {
    "show".parse().unwrap()
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

fn clip() -> (AssetName, Revision) {
    ("clip".parse().unwrap(), Revision::counted(1))
}

async fn open(folder: &tempfile::TempDir, name: &str) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.path().join(name)).await.unwrap())
}

async fn claim(database: &Sqlite, holder: &str) -> Tenure {
    database.claim(&stream(), SHOW, &worker(holder), TTL, 0).await.unwrap().unwrap()
}

/// Two pools are what two processes are to SQLite. Its clock cannot be set, so everything else is moved the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recordings_in_sqlite_conform() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    let fresh = async || {
        count.set(count.get() + 1);
        let name = format!("{}.db", count.get());
        let [one, other] = [open(&folder, &name).await, open(&folder, &name).await];
        let hand = Arc::clone(&one);
        let step = move |by: i64| {
            let database = Arc::clone(&hand);
            Box::pin(async move {
                let moved = sqlx::query(
                    "UPDATE recording SET held_until_ms = held_until_ms - ?1, changed_ms = changed_ms - ?1",
                );
                moved.bind(by).execute(&database.pool).await.unwrap();
            }) as _
        };
        Stage { both: [one, other], step: Box::new(step) }
    };
    conformance::run(fresh).await.unwrap();
}

#[tokio::test]
async fn a_recording_is_there_after_a_restart_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (asset, revision) = clip();
    let (tenure, before) = {
        let database = open(&folder, "forebay.db").await;
        let tenure = claim(&database, "a").await;
        assert!(database.commit(&tenure, 3).await.unwrap());
        assert_eq!(database.expire(&stream(), SHOW, 1).await.unwrap(), Some(1));
        assert!(database.hold_for(&asset, &revision, &stream(), SHOW, 1, 2).await.unwrap());
        let recording = database.recording(&stream(), SHOW).await.unwrap().unwrap();
        database.pool.close().await;
        (tenure, recording)
    };
    let database = open(&folder, "forebay.db").await;
    assert_eq!(database.list(None, 9).await.unwrap(), [before]);
    let next = claim(&database, "a").await;
    assert_eq!((tenure.fence, next.fence, next.from), (1, 2, 3));
    assert!(database.seal(&next, 5).await.unwrap());
    let recording = database.recording(&stream(), SHOW).await.unwrap().unwrap();
    assert_eq!(recording.spans, [Span { fence: 1, from: 0 }, Span { fence: 2, from: 3 }]);
    assert_eq!(database.expire(&stream(), SHOW, 5).await.unwrap(), Some(1));
    assert_eq!(database.let_go(&asset, None).await.unwrap(), 1);
    assert_eq!(database.expire(&stream(), SHOW, 5).await.unwrap(), Some(5));
}

#[tokio::test]
async fn a_recording_changes_by_the_clock_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let changed = async || database.recording(&stream(), SHOW).await.unwrap().unwrap().changed_ms;
    let before = now();
    let tenure = claim(&database, "a").await;
    let claimed = changed().await;
    assert!(database.commit(&tenure, 1).await.unwrap());
    let committed = changed().await;
    assert!(database.seal(&tenure, 1).await.unwrap());
    let times = [before, claimed, committed, changed().await, now()];
    assert!(times.is_sorted(), "{times:?}");
}

/// What the type of a port cannot promise of statements that others write.
#[tokio::test]
async fn no_statement_can_take_back_what_was_promised() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let (asset, revision) = clip();
    let tenure = claim(&database, "a").await;
    assert!(database.commit(&tenure, 3).await.unwrap());
    assert_eq!(database.expire(&stream(), SHOW, 1).await.unwrap(), Some(1));
    assert!(database.hold_for(&asset, &revision, &stream(), SHOW, 1, 2).await.unwrap());
    let refused = async |statement: &'static str, why: &str| {
        let error = sqlx::query(statement).execute(&database.pool).await.unwrap_err().to_string();
        assert!(error.contains(why), "{statement}: {error}");
    };
    let why = "a recording only goes on";
    refused("UPDATE recording SET fence = fence - 1", why).await;
    refused("UPDATE recording SET holder = 'b'", why).await;
    refused("UPDATE recording SET until_page = 2", why).await;
    refused("UPDATE recording SET first_page = 0", why).await;
    refused("UPDATE recording SET first_page = 4", "CHECK constraint failed").await;
    refused("UPDATE recording SET is_sealed = 1", "CHECK constraint failed").await;
    refused("UPDATE recording SET is_forgotten = 1", "CHECK constraint failed").await;
    refused("DELETE FROM recording", "a recording is forgotten").await;
    assert!(database.seal(&tenure, 3).await.unwrap());
    refused("UPDATE recording SET is_sealed = 0", why).await;
    refused("UPDATE recording SET until_page = 4", why).await;
    refused("UPDATE recording SET fence = fence + 1", why).await;
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    for statement in [
        "INSERT INTO recording VALUES ('a b', 7, 1, NULL, NULL, NULL, 0, 9, 0, 0, 0)",
        "INSERT INTO recording VALUES ('show', 7, 1, NULL, NULL, NULL, 0, 9, 0, 0, 0)",
        "INSERT INTO recording_use VALUES ('show', 7, 0, 1, 'clip', 'A')",
    ] {
        sqlx::query(statement).execute(&database.pool).await.unwrap();
    }
    for error in
        [database.list(None, 9).await.unwrap_err(), database.uses(&stream(), SHOW).await.unwrap_err()]
    {
        assert!(matches!(error, RecordingError::Corrupt { show: 7, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_database_that_is_locked_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let (asset, revision) = clip();
    let tenure = claim(&database, "a").await;
    assert!(database.commit(&tenure, 3).await.unwrap());
    let before = database.recording(&stream(), SHOW).await.unwrap();
    let path = folder.path().join("forebay.db");
    let hasty = Sqlite::open_within(&path, Duration::from_millis(50)).await.unwrap();
    let mut holder = database.pool.acquire().await.unwrap();
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(hasty.claim(&stream(), SHOW, &worker("a"), TTL, 0).await.is_err());
    assert!(hasty.commit(&tenure, 4).await.is_err());
    assert!(hasty.seal(&tenure, 4).await.is_err());
    assert!(hasty.expire(&stream(), SHOW, 2).await.is_err());
    assert!(hasty.hold_for(&asset, &revision, &stream(), SHOW, 1, 2).await.is_err());
    drop(held);
    // Readers never wait.
    assert_eq!(hasty.recording(&stream(), SHOW).await.unwrap(), before);
    assert_eq!(hasty.uses(&stream(), SHOW).await.unwrap(), []);
}
