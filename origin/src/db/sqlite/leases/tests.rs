use std::sync::Arc;

use sqlx::Connection;
use transcoder::publishing::leases_conformance::{self as conformance, Stage};

use super::*;
use crate::clock::Clock;

const TTL: Duration = Duration::from_secs(600);

fn stream() -> StreamName {
    "show".parse().unwrap()
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

async fn open(folder: &tempfile::TempDir, name: &str) -> Arc<Sqlite> {
    Arc::new(Sqlite::open(&folder.path().join(name)).await.unwrap())
}

/// Two pools are what two processes are to SQLite. Its clock cannot be set, so everything else is moved the other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_in_sqlite_conform() {
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
                let moved = sqlx::query("UPDATE lease SET until_ms = until_ms - ?1");
                moved.bind(by).execute(&database.pool).await.unwrap();
            }) as _
        };
        Stage { both: [one, other], step: Box::new(step) }
    };
    conformance::run(fresh).await.unwrap();
}

#[tokio::test]
async fn a_lease_is_there_after_a_restart_and_a_fence_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let lease = {
        let database = open(&folder, "forebay.db").await;
        database.take(&stream(), &worker("a"), TTL).await.unwrap();
        let lease = database.take(&stream(), &worker("b"), TTL).await.unwrap();
        database.pool.close().await;
        lease
    };
    let database = open(&folder, "forebay.db").await;
    assert_eq!(database.holder(&stream()).await.unwrap(), Some(lease.clone()));
    assert!(matches!(database.renew(&lease, TTL).await.unwrap(), Renewal::Renewed(_)));
    assert!(database.release(&lease).await.unwrap());
    database.pool.close().await;
    let database = open(&folder, "forebay.db").await;
    let next = database.claim(&stream(), &worker("a"), TTL).await.unwrap().unwrap();
    assert_eq!((lease.fence, next.fence), (Fence(2), Fence(3)));
}

#[tokio::test]
async fn a_lease_ends_by_the_clock_of_the_database() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let before = now();
    let taken = database.take(&stream(), &worker("a"), TTL).await.unwrap();
    let Renewal::Renewed(renewed) = database.renew(&taken, TTL * 2).await.unwrap() else { panic!("lost") };
    let after = now();
    assert!((before + 600_000..=after + 600_000).contains(&taken.until_ms));
    assert!((before + 1_200_000..=after + 1_200_000).contains(&renewed.until_ms));
}

/// What the type of a port cannot promise of statements that others write.
#[tokio::test]
async fn no_statement_can_give_a_fence_twice() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let former = database.take(&stream(), &worker("a"), TTL).await.unwrap();
    let lease = database.take(&stream(), &worker("b"), TTL).await.unwrap();
    let refused = async |statement: &'static str, why: &str| {
        let error = sqlx::query(statement).execute(&database.pool).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    refused("UPDATE lease SET fence = fence - 1", "a lease has its own fence").await;
    refused("UPDATE lease SET worker = 'c'", "a lease has its own fence").await;
    refused("DELETE FROM lease", "a lease is released").await;
    refused("UPDATE lease SET worker = NULL", "CHECK constraint failed").await;
    assert!(database.release(&lease).await.unwrap());
    refused("UPDATE lease SET worker = 'b', until_ms = 1, ttl_ms = 1", "a lease has its own fence").await;
    assert_eq!(database.renew(&former, TTL).await.unwrap(), Renewal::Lost);
}

/// Workers that take, hold and lose a stream: nobody ever renews a fence that is not the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_believe_in_one_stream_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let pools = [open(&folder, "forebay.db").await, open(&folder, "forebay.db").await];
    let newest = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for task in 0..8_usize {
        let (database, newest) = (Arc::clone(&pools[task % 2]), Arc::clone(&newest));
        tasks.spawn(async move {
            for _ in 0..6 {
                let lease = database.take(&stream(), &worker(&format!("w{task}")), TTL).await.unwrap();
                newest.fetch_max(lease.fence.0, std::sync::atomic::Ordering::SeqCst);
                // Read before the renewal: what was given by then is older than what is renewed, or the same.
                let given = newest.load(std::sync::atomic::Ordering::SeqCst);
                if let Renewal::Renewed(renewed) = database.renew(&lease, TTL).await.unwrap() {
                    assert!(renewed.fence.0 >= given, "{renewed:?} {given}");
                }
            }
        });
    }
    tasks.join_all().await;
    let holder = pools[0].holder(&stream()).await.unwrap().unwrap();
    assert_eq!(holder.fence, Fence(48));
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    sqlx::query("INSERT INTO lease VALUES ('show', 1, 'a b', 1 << 50, 1 << 50)")
        .execute(&database.pool)
        .await
        .unwrap();
    let error = database.holder(&stream()).await.unwrap_err();
    assert!(error.to_string().contains("expected a worker's name"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_locked_is_an_error_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let database = open(&folder, "forebay.db").await;
    let lease = database.take(&stream(), &worker("a"), TTL).await.unwrap();
    let path = folder.path().join("forebay.db");
    let hasty = Sqlite::open_within(&path, Duration::from_millis(50)).await.unwrap();
    let mut holder = database.pool.acquire().await.unwrap();
    let held = holder.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert!(hasty.take(&stream(), &worker("b"), TTL).await.is_err());
    assert!(hasty.claim(&stream(), &worker("b"), TTL).await.is_err());
    assert!(hasty.renew(&lease, TTL).await.is_err());
    assert!(hasty.release(&lease).await.is_err());
    drop(held);
    // Readers never wait.
    assert_eq!(hasty.holder(&stream()).await.unwrap(), Some(lease));
}
