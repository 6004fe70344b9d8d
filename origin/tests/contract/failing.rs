//! A store or a catalogue that fails, waits, or dies on the way; and many who want the same.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Method, StatusCode};

use super::rig::{Answer, Rig, read};

fn is_later(answer: &Answer) {
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    assert_eq!((answer.header("retry-after"), answer.header("cache-control")), ("5", "public, max-age=5"));
    assert!(!answer.text().contains("broken") && answer.body.len() < 100);
}

#[tokio::test]
async fn a_store_that_fails_is_503_and_all_is_well_when_it_is_back() {
    let rig = Rig::open().with_show().await;
    rig.shelf.broken.store(true, Ordering::SeqCst);
    is_later(&rig.get("/vod/show/main.m3u8").await);
    rig.shelf.broken.store(false, Ordering::SeqCst);
    let [video, _] = rig.renditions().await;
    // What is known is served without the store; what must be read is not.
    rig.shelf.broken.store(true, Ordering::SeqCst);
    assert_eq!(rig.get(&format!("{video}/index.m3u8")).await.status, StatusCode::OK);
    is_later(&rig.get(&format!("{video}/0.m4s")).await);
    rig.shelf.broken.store(false, Ordering::SeqCst);
    let segment = rig.get(&format!("{video}/0.m4s")).await;
    assert!(segment.status == StatusCode::OK && segment.whole);
}

#[tokio::test]
async fn a_catalogue_that_fails_is_503_and_what_plays_goes_on() {
    let rig = Rig::open().with_show().await;
    rig.rows.gone.store(true, Ordering::SeqCst);
    is_later(&rig.get("/vod/show/main.m3u8").await);
    rig.rows.gone.store(false, Ordering::SeqCst);
    let [video, _] = rig.renditions().await;
    rig.rows.gone.store(true, Ordering::SeqCst);
    assert_eq!(rig.get(&format!("{video}/0.m4s")).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_known_is_served_without_a_catalogue_and_nothing_else_is() {
    let rig = Rig::open().with_show().await;
    let unanswered = || rig.counter("forebay_catalog_lookups_total{outcome=\"unavailable\"}");
    assert_eq!(rig.get("/vod/other/main.m3u8").await.status, StatusCode::NOT_FOUND);
    let main = rig.get("/vod/show/main.m3u8").await;
    assert_eq!(main.status, StatusCode::OK);
    rig.rows.gone.store(true, Ordering::SeqCst);
    // Until it has been asked in vain, and again a second later.
    while unanswered() < 2 {
        let answer = rig.get("/vod/show/main.m3u8").await;
        assert_eq!((answer.status, &answer.body), (StatusCode::OK, &main.body));
    }
    // What was not there may be by now, for all that can be said. Its name is no longer trusted after a second either.
    is_later(&rig.get("/vod/third/main.m3u8").await);
    while rig.get("/vod/other/main.m3u8").await.status == StatusCode::NOT_FOUND {}
    is_later(&rig.get("/vod/other/main.m3u8").await);
    rig.rows.gone.store(false, Ordering::SeqCst);
    assert_eq!(rig.get("/vod/other/main.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_thousand_cold_requests_read_what_one_reads() {
    let path = async |rig: &Rig| format!("{}/0.m4s", rig.renditions().await[0]);
    let alone = Rig::open().with_show().await;
    let wanted = alone.get(&path(&alone).await).await;
    let reads = alone.shelf.reads.load(Ordering::SeqCst);

    let rig = Arc::new(Rig::open().with_show().await);
    let target = path(&rig).await;
    rig.shelf.close();
    let asking: Vec<_> = (0..2000)
        .map(|_| {
            let (rig, target) = (Arc::clone(&rig), target.clone());
            tokio::spawn(async move { rig.get(&target).await })
        })
        .collect();
    // Each task of this runtime of one thread runs until it waits for the store.
    for _ in 0..2000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.counter("forebay_edge_in_flight_requests"), 2000, "all of them wait for one read");
    rig.shelf.open();
    for answer in asking {
        let answer = answer.await.unwrap();
        assert!(answer.status == StatusCode::OK && answer.body == wanted.body);
    }
    assert_eq!(rig.shelf.reads.load(Ordering::SeqCst), reads);
}

#[tokio::test]
async fn a_fill_goes_on_without_the_one_who_asked_for_it() {
    let rig = Arc::new(Rig::open().with_show().await);
    let target = format!("{}/0.m4s", rig.renditions().await[0]);
    let before = rig.shelf.reads.load(Ordering::SeqCst);
    rig.shelf.close();
    let asking = tokio::spawn({
        let (rig, target) = (Arc::clone(&rig), target.clone());
        async move { rig.get(&target).await.status }
    });
    while rig.shelf.reads.load(Ordering::SeqCst) == before {
        tokio::task::yield_now().await;
    }
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    assert_eq!(rig.counter("forebay_edge_in_flight_requests"), 0, "one who left is not in flight");
    rig.shelf.open();
    let answer = rig.get(&target).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(rig.shelf.reads.load(Ordering::SeqCst), before + 1, "what was begun is used");
}

#[tokio::test]
async fn a_body_whose_store_dies_ends_with_an_error_and_not_as_if_it_were_whole() {
    let rig = Rig::open();
    // Large enough for several reads: media of 8 MiB and more lie behind each other.
    rig.put("vod/show/film.mp4", long_film()).await;
    let main = rig.get("/vod/show/main.m3u8").await;
    let variant = main.text().lines().rfind(|l| !l.starts_with('#')).unwrap().to_owned();
    let target = format!("/vod/show/{}", variant.replace("index.m3u8", "0.m4s"));
    rig.shelf.broken_from.store(4 << 20, Ordering::SeqCst);
    let reply = rig.reply(Method::GET, &target, &[]).await;
    assert_eq!(reply.status, StatusCode::OK);
    let answer = read(reply).await;
    let promised: usize = answer.header("content-length").parse().unwrap();
    assert!(!answer.whole && answer.body.len() < promised, "{} of {promised}", answer.body.len());
    rig.shelf.broken_from.store(0, Ordering::SeqCst);
    let answer = rig.get(&target).await;
    assert!(answer.whole && answer.body.len() == promised);
}

/// The fixture with sound samples so large that one segment has 12 MiB: its `stsz` says 40 KiB for each.
fn long_film() -> Vec<u8> {
    let mut film = super::rig::fixture("audio.mp4");
    let at = film.windows(4).position(|w| w == b"stsz").unwrap() + 8;
    let count = u32::from_be_bytes(film[at + 4..at + 8].try_into().unwrap()) as usize;
    for i in 0..count {
        film[at + 8 + 4 * i..at + 12 + 4 * i].copy_from_slice(&40_960u32.to_be_bytes());
    }
    film.resize(film.len() + count * 40_960 + (1 << 20), 7);
    film
}
