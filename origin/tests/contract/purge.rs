//! What is purged is served to nobody who asks after it, wherever it was at the time.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use forebay_origin::{PurgeError, PurgeRequest, Purged};
use http::StatusCode;

use super::rig::{Answer, Rig};

fn keys(keys: &[&str]) -> PurgeRequest {
    PurgeRequest { keys: keys.iter().map(|&key| key.to_owned()).collect(), ..PurgeRequest::default() }
}

async fn purge(rig: &Rig, request: &PurgeRequest) {
    let named = request.urls.len() + request.prefixes.len() + request.keys.len() + usize::from(request.all);
    assert_eq!(rig.origin.purge(request).await, Ok(Purged { purged: named, kept: true }));
}

async fn segment(rig: &Rig) -> String {
    format!("{}/0.m4s", rig.renditions().await[0])
}

/// An answer, and how often the store was read for it.
async fn cost(rig: &Rig, target: &str) -> (Answer, u32) {
    let before = rig.shelf.reads.load(Ordering::SeqCst);
    let answer = rig.get(target).await;
    (answer, rig.shelf.reads.load(Ordering::SeqCst) - before)
}

#[tokio::test]
async fn a_purge_reaches_every_tier() {
    let rig = Rig::open().with_show().await;
    let target = segment(&rig).await;
    let (first, _) = cost(&rig, &target).await;
    for request in [keys(&["asset/show"]), PurgeRequest { all: true, ..PurgeRequest::default() }] {
        assert_eq!(cost(&rig, &target).await.1, 0);
        purge(&rig, &request).await;
        let (again, reads) = cost(&rig, &target).await;
        assert!(reads > 1 && again.body == first.body, "{reads} reads of index and media");
        assert_eq!(again.header("cache-status"), "forebay; fwd=miss");
    }
}

#[tokio::test]
async fn who_asks_after_a_purge_does_not_join_what_was_on_its_way_before_it() {
    let rig = Arc::new(Rig::open().with_show().await);
    let target = segment(&rig).await;
    let before = rig.get("/vod/show/main.m3u8").await;
    purge(&rig, &keys(&["asset/show"])).await;
    rig.shelf.close();
    let ask = || {
        let (rig, target) = (Arc::clone(&rig), target.clone());
        tokio::spawn(async move { cost(&rig, &target).await.0 })
    };
    // Until it waits for the store, or for who does. A store that is slow is asked a second time, so reads tell only who was
    // first.
    let on_its_way = async || {
        for _ in 0..32 {
            tokio::task::yield_now().await;
        }
    };
    let early = ask();
    on_its_way().await;
    assert!(rig.shelf.reads.load(Ordering::SeqCst) > 0);
    let joined = ask();
    on_its_way().await;
    purge(&rig, &keys(&["asset/show"])).await;
    let late = ask();
    on_its_way().await;
    rig.shelf.open();
    for asked in [early, joined, late] {
        assert_eq!(asked.await.unwrap().status, StatusCode::OK);
    }
    let loads = rig.counter("forebay_cache_loads_total{outcome=\"ok\",tier=\"index\"}");
    assert_eq!(loads, 3, "the first, the one that was overtaken, and the one after it");
    assert_eq!(rig.get("/vod/show/main.m3u8").await.body, before.body);
}

#[tokio::test]
async fn a_soft_purge_looks_for_a_newer_one_behind_who_asks() {
    let rig = Rig::open().with_show().await;
    let playlist = format!("{}/index.m3u8", rig.renditions().await[0]);
    let first = rig.get(&playlist).await;
    purge(&rig, &PurgeRequest { soft: true, ..keys(&["asset/show"]) }).await;
    let (stale, _) = cost(&rig, &playlist).await;
    assert_eq!(stale.header("cache-status"), "forebay; hit; ttl=0; detail=purged");
    assert_eq!(stale.body, first.body);
    while rig.get(&playlist).await.header("cache-status") != "forebay; hit" {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn nothing_is_purged_where_one_of_it_is_no_such_thing() {
    let rig = Rig::open().with_show().await;
    let target = segment(&rig).await;
    rig.get(&target).await;
    assert_eq!(rig.origin.purge(&PurgeRequest::default()).await, Err(PurgeError::Nothing));
    assert_eq!(rig.origin.purge(&keys(&["asset/a"; 257])).await, Err(PurgeError::TooMany(257)));
    let mixed = PurgeRequest { urls: vec!["/vod/show".to_owned()], ..keys(&["asset/show"]) };
    let refused = rig.origin.purge(&mixed).await.unwrap_err();
    assert_eq!(refused.to_string(), "expected the URL of something that is served here, found \"/vod/show\"");
    assert_eq!(cost(&rig, &target).await.1, 0);
}
