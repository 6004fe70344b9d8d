//! What holds whatever nodes do at the same time, and whatever a statement says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packager::asset::{Revision, ShowId};
use sqlx::AssertSqlSafe;
use tokio::task::JoinSet;
use transcoder::publishing::{
    Anchor, Fence, Leases, NewKey, Opening, Publishing, Renewal, Show, Shows, StreamKeys, StreamSecret,
    WorkerName,
};

use super::super::Postgres;
use super::{name, stream, two_nodes};
use crate::catalog::Catalog;
use crate::clock::Clock;

const NOW: Opening = Opening { media_ms: 10_000, anchor: Anchor::Now, segment_ms: 2000, parts: 6 };
const TTL: Duration = Duration::from_secs(600);

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

/// Sixteen tasks, on more connections than one node may have.
fn crowd<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    nodes: &[Arc<Postgres>; 2],
    task: impl Fn(Arc<Postgres>, u32) -> F,
) -> JoinSet<T> {
    let mut tasks = JoinSet::new();
    for (number, node) in (0..16).zip(nodes.iter().cycle()) {
        tasks.spawn(task(Arc::clone(node), number));
    }
    tasks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_get_one_number_and_the_newest_wins() {
    let nodes = two_nodes().await;
    let begun = crowd(&nodes, |node, _| async move {
        let mut begun = Vec::new();
        for _ in 0..10 {
            let revision = node.begin(&name("show")).await.unwrap();
            node.publish(&name("show"), &revision).await.unwrap();
            begun.push(revision.as_str().parse::<u64>().unwrap());
        }
        assert!(begun.is_sorted());
        begun
    });
    let mut all: Vec<u64> = begun.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=160).collect::<Vec<_>>());
    for node in &nodes {
        assert_eq!(Catalog::current(&**node, &name("show")).await.unwrap(), Some(Revision::counted(160)));
    }
}

/// Each opens, goes over to the next show and ends it, and no two ever see different shows under one number.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_see_two_shows_under_one_number() {
    let nodes = two_nodes().await;
    let tasks = crowd(&nodes, |node, task| async move {
        let (mut seen, mut ended) = (Vec::new(), Vec::new());
        for round in 0..8 {
            let opening = Opening { parts: 1 + task, media_ms: round, ..NOW };
            let first = node.open(&stream(), &opening).await.unwrap();
            let next = node.succeed(&first, &opening).await.unwrap();
            assert!(next.id > first.id && !first.ended && !next.ended);
            if node.end(&stream(), next.id).await.unwrap() {
                ended.push(next.id);
            }
            seen.extend([first, next]);
        }
        (seen, ended)
    });
    let (seen, ended): (Vec<Vec<Show>>, Vec<Vec<ShowId>>) = tasks.join_all().await.into_iter().unzip();
    let mut shows = BTreeMap::new();
    for show in seen.into_iter().flatten() {
        let known = shows.entry(show.id).or_insert_with(|| show.clone());
        assert_eq!(*known, show);
    }
    // Each was seen by whoever opened it, so none is missing; the last was ended by whoever opened it.
    let last = shows.last_key_value().unwrap().0.0;
    assert_eq!(shows.keys().map(|id| id.0).collect::<Vec<_>>(), (1..=last).collect::<Vec<_>>());
    assert_eq!(nodes[0].running(10).await.unwrap(), []);
    let mut ended = ended.concat();
    let count = ended.len();
    ended.sort_unstable();
    ended.dedup();
    assert_eq!(ended.len(), count, "a show that two ended");
}

/// Workers that take, hold and lose a stream: nobody ever renews a fence that is not the newest.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_believe_in_one_stream_at_once() {
    let nodes = two_nodes().await;
    let newest = Arc::new(AtomicU64::new(0));
    let tasks = crowd(&nodes, |node, task| {
        let newest = Arc::clone(&newest);
        async move {
            for _ in 0..6 {
                let lease = node.take(&stream(), &worker(&format!("w{task}")), TTL).await.unwrap();
                newest.fetch_max(lease.fence.0, Ordering::SeqCst);
                // Read before the renewal: what was given by then is older than what is renewed, or the same.
                let given = newest.load(Ordering::SeqCst);
                if let Renewal::Renewed(renewed) = node.renew(&lease, TTL).await.unwrap() {
                    assert!(renewed.fence.0 >= given, "{renewed:?} {given}");
                }
            }
        }
    });
    tasks.join_all().await;
    let holder = nodes[0].holder(&stream()).await.unwrap().unwrap();
    assert_eq!(holder.fence, Fence(16 * 6));
}

/// What the type of a port cannot promise of statements that others write.
#[tokio::test]
async fn no_statement_breaks_what_the_ports_promise() {
    let [node, _] = two_nodes().await;
    let former = node.take(&stream(), &worker("a"), TTL).await.unwrap();
    let lease = node.take(&stream(), &worker("b"), TTL).await.unwrap();
    let new = NewKey { stream: stream(), label: None, lifetime: None };
    let key = node.create(&StreamSecret::of([1; 20]).fingerprint(), &new).await.unwrap();
    node.revoke(key.id).await.unwrap();
    let show = node.open(&stream(), &NOW).await.unwrap();
    node.succeed(&show, &NOW).await.unwrap();
    node.begin(&name("show")).await.unwrap();
    for (statement, why) in [
        ("UPDATE lease SET fence = fence - 1", "a lease has its own fence"),
        ("UPDATE lease SET worker = 'c'", "a lease has its own fence"),
        ("DELETE FROM lease", "a lease is released"),
        ("UPDATE lease SET worker = NULL", "violates check constraint"),
        ("UPDATE stream_key SET revoked_ms = NULL", "a revoked stream key stays revoked"),
        ("INSERT INTO show VALUES ('show', 3, 0, 1, 1, 0)", "show_running"),
        ("UPDATE show SET ended_ms = NULL", "show_running"),
        ("UPDATE asset SET published = 2, published_ms = 0", "violates check constraint"),
    ] {
        let error =
            node.sessions.changes(sqlx::query(AssertSqlSafe(statement))).await.unwrap_err().to_string();
        assert!(error.contains(why), "{statement}: {error}");
    }
    assert!(node.release(&lease).await.unwrap());
    let again = sqlx::query("UPDATE lease SET worker = 'b', until_ms = 1, ttl_ms = 1");
    assert!(node.sessions.changes(again).await.is_err());
    assert_eq!(node.renew(&former, TTL).await.unwrap(), Renewal::Lost);
}

#[tokio::test]
async fn points_in_time_are_by_the_clock_of_the_server() {
    let [node, _] = two_nodes().await;
    let now = || i64::try_from(Clock::system().now_millis()).unwrap();
    let before = now();
    let show = node.open(&stream(), &NOW).await.unwrap();
    let lease = node.take(&stream(), &worker("a"), TTL).await.unwrap();
    let new = NewKey { stream: stream(), label: None, lifetime: Some(Duration::from_millis(86_400_001)) };
    let key = node.create(&StreamSecret::of([1; 20]).fingerprint(), &new).await.unwrap();
    let after = now();
    // The server is on this machine, and drops fractions of a millisecond as we do.
    assert!((before..=after).contains(&show.started_ms), "{before} {} {after}", show.started_ms);
    assert!((before + 600_000..=after + 600_000).contains(&lease.until_ms));
    assert!((before..=after).contains(&key.created_ms));
    assert_eq!(key.expires_ms, Some(key.created_ms + 86_400_001));
}

#[tokio::test]
async fn what_cannot_be_done_is_said_in_words() {
    let [node, _] = two_nodes().await;
    let secret = StreamSecret::of([1; 20]).fingerprint();
    let new = NewKey { stream: stream(), label: None, lifetime: None };
    node.create(&secret, &new).await.unwrap();
    let show = node.open(&stream(), &NOW).await.unwrap();
    let beyond = Show { id: ShowId(7), ..show };
    for (error, words) in [
        (
            node.create(&secret, &new).await.unwrap_err(),
            "expected a secret of its own, found that of another key",
        ),
        (
            node.revoke(transcoder::publishing::StreamKeyId(7)).await.unwrap_err(),
            "expected a key that was made, found 7",
        ),
        (node.succeed(&beyond, &NOW).await.unwrap_err(), "expected a show that was opened, found show/7"),
        (node.end(&stream(), beyond.id).await.unwrap_err(), "expected a show that was opened, found show/7"),
    ] {
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

#[tokio::test]
async fn a_row_that_no_version_writes_is_an_error() {
    let [node, _] = two_nodes().await;
    for statement in [
        "INSERT INTO show (stream, id, anchor_ms, segment_ms, parts, started_ms) VALUES ('a/b', 1, 0, 1, 1, 0)",
        "INSERT INTO lease VALUES ('show', 1, 'a b', 1::bigint << 50, 1::bigint << 50)",
        "INSERT INTO asset VALUES ('a b', 1, 1, 0)",
    ] {
        node.sessions.changes(sqlx::query(AssertSqlSafe(statement))).await.unwrap();
    }
    let error = node.running(10).await.unwrap_err();
    assert!(error.to_string().contains("expected a stream name"), "{error}");
    let error = node.holder(&stream()).await.unwrap_err();
    assert!(error.to_string().contains("expected a worker's name"), "{error}");
    let error = Catalog::list(&*node, None, 9).await.unwrap_err();
    assert!(error.to_string().contains("a bad row for \"a b\""), "{error}");
}
