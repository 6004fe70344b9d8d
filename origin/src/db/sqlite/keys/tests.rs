use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection;
use transcoder::publishing::StreamSecret;
use transcoder::publishing::stream_keys_conformance::{self as conformance, Stage};

use super::*;
use crate::clock::Clock;

fn secret(number: u8) -> Fingerprint {
    StreamSecret::of([number; 20]).fingerprint()
}

fn new(lifetime: Option<Duration>) -> NewKey {
    NewKey { stream: "show".parse().unwrap(), label: Some("Ana's laptop".parse().unwrap()), lifetime }
}

async fn open(folder: &tempfile::TempDir, name: &str) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.path().join(name)).await.unwrap())
}

/// Two pools are what two processes are to SQLite. Its clock cannot be set, so everything else is moved the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_keys_in_sqlite_conform() {
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
                sqlx::query(
                    "UPDATE stream_key SET created_ms = created_ms - ?1, expires_ms = expires_ms - ?1,
                         revoked_ms = revoked_ms - ?1, used_ms = used_ms - ?1",
                )
                .bind(by)
                .execute(&database.pool)
                .await
                .unwrap();
            }) as _
        };
        Stage { both: [one, other], step: Box::new(step) }
    };
    conformance::run(fresh).await.unwrap();
}

#[tokio::test]
async fn a_key_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let key = {
        let database = open(&folder, "forebay.db").await;
        let key = database.create(&secret(1), &new(Some(Duration::from_secs(90)))).await.unwrap();
        database.create(&secret(2), &new(None)).await.unwrap();
        assert!(database.revoke(StreamKeyId(2)).await.unwrap());
        database.pool.close().await;
        key
    };
    let database = open(&folder, "forebay.db").await;
    let keys = database.list(None, None, 10).await.unwrap();
    assert_eq!((keys.len(), &keys[0], keys[1].state), (2, &key, KeyState::Revoked));
    let admitted = Admission::Admitted { stream: key.stream, key: key.id };
    assert_eq!(database.admit(&secret(1)).await.unwrap(), admitted);
    assert_eq!(database.create(&secret(3), &new(None)).await.unwrap().id, StreamKeyId(3));
}

#[tokio::test]
async fn points_in_time_are_by_the_clock_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let before = now();
    let key = database.create(&secret(1), &new(Some(Duration::from_millis(86_400_001)))).await.unwrap();
    database.admit(&secret(1)).await.unwrap();
    database.revoke(key.id).await.unwrap();
    let after = now();
    assert!((before..=after).contains(&key.created_ms));
    assert_eq!(key.expires_ms, Some(key.created_ms + 86_400_001));
    let listed = database.list(None, None, 1).await.unwrap().pop().unwrap();
    for noted in [listed.used_ms, listed.revoked_ms] {
        assert!((key.created_ms..=after).contains(&noted.unwrap()), "{listed:?}");
    }
}

#[tokio::test]
async fn the_file_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let random = std::array::from_fn(|place| u8::try_from(place).unwrap() + 100);
    let secret = StreamSecret::of(random);
    let database = open(&folder, "forebay.db").await;
    database.create(&secret.fingerprint(), &new(None)).await.unwrap();
    database.admit(&secret.fingerprint()).await.unwrap();
    database.pool.close().await;
    let fingerprint = secret.fingerprint();
    let mut found = 0;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let holds = |needle: &[u8]| bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!holds(&random) && !holds(secret.reveal().as_bytes()));
        found += usize::from(holds(fingerprint.as_bytes()));
    }
    assert!(found > 0);
}

#[tokio::test]
async fn no_statement_brings_a_revoked_key_back() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let key = database.create(&secret(1), &new(None)).await.unwrap();
    database.revoke(key.id).await.unwrap();
    let refused = sqlx::query("UPDATE stream_key SET revoked_ms = NULL").execute(&database.pool).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("a revoked stream key stays revoked"), "{refused}");
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_words() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    database.create(&secret(1), &new(None)).await.unwrap();
    let error = database.create(&secret(1), &new(None)).await.unwrap_err();
    assert!(
        error.to_string().ends_with("expected a secret of its own, found that of another key"),
        "{error}"
    );
    let error = database.revoke(StreamKeyId(7)).await.unwrap_err();
    assert!(error.to_string().ends_with("expected a key that was made, found 7"), "{error}");
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    for (number, stream, label) in [(1, "a/b", "good"), (2, "good", "two\nlines")] {
        sqlx::query("INSERT INTO stream_key (fingerprint, stream, label, created_ms) VALUES (?1, ?2, ?3, 0)")
            .bind(secret(number).as_bytes().as_slice())
            .bind(stream)
            .bind(label)
            .execute(&database.pool)
            .await
            .unwrap();
    }
    let error = database.list(None, None, 1).await.unwrap_err();
    assert!(error.to_string().contains("expected a stream name"), "{error}");
    let error = database.list(None, Some(StreamKeyId(1)), 1).await.unwrap_err();
    assert!(error.to_string().contains("expected a label"), "{error}");
    assert!(database.admit(&secret(1)).await.is_err());
}

#[tokio::test]
async fn a_publisher_is_admitted_while_the_database_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let key = database.create(&secret(1), &new(None)).await.unwrap();
    let path = folder.path().join("forebay.db");
    let hasty = Sqlite::open_within(&path, Duration::from_millis(50)).await.unwrap();
    let mut holder = database.pool.acquire().await.unwrap();
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let admitted = Admission::Admitted { stream: key.stream, key: key.id };
    assert_eq!(hasty.admit(&secret(1)).await.unwrap(), admitted);
    assert_eq!(hasty.list(None, None, 1).await.unwrap()[0].used_ms, None);
    assert!(hasty.revoke(key.id).await.is_err());
    assert!(hasty.create(&secret(2), &new(None)).await.is_err());
    drop(held);
    assert_eq!(hasty.list(None, None, 9).await.unwrap().len(), 1);
}
