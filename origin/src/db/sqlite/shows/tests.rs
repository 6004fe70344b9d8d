use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use tokio::task::JoinSet;
use transcoder::publishing::shows_conformance as conformance;

use super::*;
use crate::clock::Clock;

const NOW: Opening = Opening { media_ms: 10_000, anchor: Anchor::Now, segment_ms: 2000, parts: 6 };

fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

async fn open(folder: &tempfile::TempDir, name: &str) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.path().join(name)).await.unwrap())
}

/// Two pools are what two processes are to SQLite: connections that share nothing but the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_in_sqlite_conform() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    let fresh = async || {
        count.set(count.get() + 1);
        let name = format!("{}.db", count.get());
        let both: conformance::Both = [open(&folder, &name).await, open(&folder, &name).await];
        both
    };
    conformance::run(fresh).await.unwrap();
}

/// Each of eight senders opens, goes over to the next show and ends, and no two ever see different shows
/// under one number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_see_two_shows_under_one_number() {
    let folder = tempfile::tempdir().unwrap();
    let pools = [open(&folder, "forebay.db").await, open(&folder, "forebay.db").await];
    let mut tasks = JoinSet::new();
    for task in 0..8_u32 {
        let database = Arc::clone(&pools[usize::from(task % 2 == 1)]);
        tasks.spawn(async move {
            let (mut seen, mut ended) = (Vec::new(), Vec::new());
            for round in 0..8 {
                let opening = Opening { parts: 1 + task, media_ms: round, ..NOW };
                let first = database.open(&stream("show"), &opening).await.unwrap();
                let next = database.succeed(&first, &opening).await.unwrap();
                assert!(next.id > first.id && !first.ended && !next.ended);
                if database.end(&stream("show"), next.id).await.unwrap() {
                    ended.push(next.id);
                }
                seen.extend([first, next]);
            }
            (seen, ended)
        });
    }
    let (seen, ended): (Vec<Vec<Show>>, Vec<Vec<ShowId>>) = tasks.join_all().await.into_iter().unzip();
    let mut shows = BTreeMap::new();
    for show in seen.into_iter().flatten() {
        let known = shows.entry(show.id).or_insert_with(|| show.clone());
        assert_eq!(*known, show);
    }
    // Each was seen by whoever opened it, so none is missing; the last was ended by whoever opened it.
    let last = shows.last_key_value().unwrap().0.0;
    assert_eq!(shows.keys().map(|id| id.0).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(pools[0].running(10).await.unwrap(), []);
    let mut ended = ended.concat();
    let count = ended.len();
    ended.sort_unstable();
    ended.dedup();
    assert_eq!(ended.len(), count, "a show that two ended");
}

#[tokio::test]
async fn a_show_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let video: RenditionName = "video-720".parse().unwrap();
    let show = {
        let database = open(&folder, "forebay.db").await;
        let show = database.open(&stream("show"), &NOW).await.unwrap();
        database.note(&stream("show"), show.id, Msn(41)).await.unwrap();
        database.identify(&stream("show"), show.id, &video, Msn(40), "0badcafe").await.unwrap();
        database.pool.close().await;
        Show { last: Some(Msn(41)), ..show }
    };
    let database = open(&folder, "forebay.db").await;
    assert_eq!(database.current(&stream("show")).await.unwrap(), Some(show.clone()));
    assert_eq!(database.running(10).await.unwrap(), std::slice::from_ref(&show));
    assert_eq!(database.open(&stream("show"), &NOW).await.unwrap(), show);
    let inits = database.inits(&stream("show"), show.id).await.unwrap();
    assert_eq!(inits, [(video, Msn(40), "0badcafe".to_owned())]);
    assert_eq!(database.succeed(&show, &NOW).await.unwrap().id, ShowId(2));
}

#[tokio::test]
async fn a_show_starts_by_the_clock_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let before = now();
    let show = database.open(&stream("show"), &NOW).await.unwrap();
    let next = database.succeed(&show, &NOW).await.unwrap();
    let after = now();
    // SQLite's clock drops fractions of a millisecond, as this one does.
    assert!((before..=after).contains(&show.started_ms), "{before} {} {after}", show.started_ms);
    assert!((show.started_ms..=after).contains(&next.started_ms));
    let ended: i64 =
        sqlx::query_scalar("SELECT ended_ms FROM show WHERE id = 1").fetch_one(&database.pool).await.unwrap();
    assert_eq!(ended, next.started_ms);
}

#[tokio::test]
async fn no_statement_can_make_two_shows_of_a_stream_run() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let show = database.open(&stream("show"), &NOW).await.unwrap();
    database.succeed(&show, &NOW).await.unwrap();
    for statement in [
        "INSERT INTO show (stream, id, anchor_ms, segment_ms, parts, started_ms) VALUES ('show', 3, 0, 1, 1, 0)",
        "UPDATE show SET ended_ms = NULL",
    ] {
        let refused = sqlx::query(statement).execute(&database.pool).await.unwrap_err();
        let refused = refused.into_database_error().unwrap();
        assert!(refused.is_unique_violation(), "{refused}");
    }
}

/// The schema would refuse it too, in words that help nobody.
#[tokio::test]
async fn a_show_that_was_never_opened_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let show = database.open(&stream("show"), &NOW).await.unwrap();
    let beyond = Show { id: ShowId(7), ..show };
    let refused = [
        database.succeed(&beyond, &NOW).await.unwrap_err(),
        database.end(&beyond.stream, beyond.id).await.unwrap_err(),
        database.note(&beyond.stream, beyond.id, Msn(1)).await.unwrap_err(),
    ];
    for error in refused {
        assert!(error.to_string().ends_with("expected a show that was opened, found show/7"), "{error}");
    }
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    sqlx::query(
        "INSERT INTO show (stream, id, anchor_ms, segment_ms, parts, started_ms) VALUES ('a/b', 1, 0, 1, 1, 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    let error = database.running(10).await.unwrap_err();
    assert!(error.to_string().contains("expected a stream name"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_locked_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.db");
    let database = open(&folder, "forebay.db").await;
    let show = database.open(&stream("show"), &NOW).await.unwrap();
    let hasty = impatient(&path).await;
    let mut holder = database.pool.acquire().await.unwrap();
    let held = sqlx::Connection::begin_with(&mut *holder, "BEGIN IMMEDIATE").await.unwrap();
    assert!(hasty.succeed(&show, &NOW).await.is_err());
    assert!(hasty.note(&stream("show"), show.id, Msn(1)).await.is_err());
    assert!(hasty.end(&stream("show"), show.id).await.is_err());
    drop(held);
    // Readers never wait.
    assert_eq!(hasty.current(&stream("show")).await.unwrap(), Some(show));
}

async fn impatient(path: &Path) -> Sqlite {
    Sqlite::open_within(path, std::time::Duration::from_millis(50)).await.unwrap()
}
