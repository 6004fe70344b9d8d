//! Folders that nobody registered.

use std::time::{Duration, Instant};

use http::StatusCode;

use super::rig::{Rig, fixture};

#[tokio::test]
async fn a_bad_file_does_not_take_the_good_one_along_and_alone_is_422() {
    let rig = Rig::open().with_show().await;
    rig.put("vod/show/bad.mp4", b"this is no film at all".to_vec()).await;
    rig.put("vod/show/cut.mp4", fixture("moov-last.mp4")[..5000].to_vec()).await;
    rig.put("vod/bad/bad.mp4", fixture("moov-last.mp4")[..5000].to_vec()).await;
    rig.put("vod/text/readme.txt", b"no film".to_vec()).await;
    let [video, _] = rig.renditions().await;
    assert_eq!(rig.get(&format!("{video}/0.m4s")).await.status, StatusCode::OK);
    let bad = rig.get("/vod/bad/main.m3u8").await;
    assert_eq!(
        (bad.status, bad.header("cache-control")),
        (StatusCode::UNPROCESSABLE_ENTITY, "public, max-age=1")
    );
    assert!(!bad.text().contains("bad.mp4"), "what lies in the store is nobody's business");
    assert_eq!(rig.get("/vod/text/main.m3u8").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_file_that_is_replaced_is_another_revision_soon_and_its_bytes_are_never_mixed() {
    let rig = Rig::open().with_show().await;
    let [before, _] = rig.renditions().await;
    let first = rig.get(&format!("{before}/0.m4s")).await;
    rig.put("vod/show/film.mp4", fixture("late-audio.mp4")).await;
    let replaced = Instant::now();
    let after = loop {
        let [now, _] = rig.renditions().await;
        if now != before {
            break now;
        }
        assert!(replaced.elapsed() < Duration::from_secs(20), "the name still means the former file");
        tokio::task::yield_now().await;
    };
    assert_eq!(rig.get(&format!("{after}/0.m4s")).await.status, StatusCode::OK);
    // What is in the cache of the former file is served; what is not is gone, and never read from the new one.
    let again = rig.get(&format!("{before}/0.m4s")).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    assert_eq!(again.header("etag"), first.header("etag"));
    assert_ne!(rig.get(&format!("{after}/0.m4s")).await.header("etag"), first.header("etag"));
}

#[tokio::test]
async fn a_file_that_was_replaced_before_it_was_read_is_gone() {
    let rig = Rig::open().with_show().await;
    let [before, _] = rig.renditions().await;
    rig.put("vod/show/film.mp4", fixture("moov-first.mp4")).await;
    let gone = rig.get(&format!("{before}/0.m4s")).await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND, "the other file's bytes are not served for it");
}
