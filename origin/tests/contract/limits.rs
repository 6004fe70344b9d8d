//! What one client may take, and who comes first when all want more than there is.

use forebay_origin::{NoUpload, Reply};
use http::{HeaderMap, Method, StatusCode};

use super::live::{header, rig, sent, settle};
use super::rig::{Rig, fixture};

/// A rig with ten answers at once, an asset, a show that is over and one that runs.
async fn crowded() -> Rig {
    let rig = Rig::with(|config| {
        config.auth.required = false;
        config.live.segment = "1s".parse().unwrap();
        config.limits.answers = 10;
    })
    .with_show()
    .await;
    let video = fixture("live/cmaf-video.mp4");
    for _ in 0..2 {
        sent(&rig, "/ingest/gala/init-video.m4s", header(&video)).await;
        sent(&rig, "/ingest/gala/chunk-video-00001.m4s", &video[header(&video).len()..]).await;
    }
    rig
}

const VOD: &str = "/vod/show/main.m3u8";
const OVER: [&str; 2] = ["/live/gala/1/video/0.m4s", "/live/gala/1/video/index.m3u8"];
const EDGE: [&str; 4] = [
    "/live/gala/main.m3u8",
    "/live/gala/2/video/0.m4s",
    "/live/gala/2/video/index.m3u8",
    "/live/gala/2/video/0.0.m4s",
];

#[tokio::test]
async fn the_live_edge_is_answered_when_nothing_else_is_any_more() {
    let rig = crowded().await;
    let begin = async |target: &str| rig.reply(Method::GET, target, &[]).await;
    let mut open: Vec<Reply> = Vec::new();
    for _ in 0..8 {
        open.push(begin(VOD).await);
    }
    assert!(open.iter().all(|reply| reply.status == StatusCode::OK));
    let refused = rig.get(VOD).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!((refused.header("cache-control"), refused.header("retry-after")), ("public, max-age=5", "5"));
    for target in OVER.iter().chain(&EDGE) {
        assert_eq!(rig.get(target).await.status, StatusCode::OK, "{target}");
    }
    open.push(begin(EDGE[1]).await);
    for target in OVER {
        assert_eq!(rig.get(target).await.status, StatusCode::SERVICE_UNAVAILABLE, "{target}");
    }
    for target in EDGE {
        assert_eq!(rig.get(target).await.status, StatusCode::OK, "{target}");
    }
    open.push(begin(EDGE[1]).await);
    assert_eq!(rig.get(EDGE[2]).await.status, StatusCode::SERVICE_UNAVAILABLE);
    // Senders come in all the same, and what cannot be found is no answer that takes long.
    assert_eq!(sent(&rig, "/ingest/gala/audio", b"").await.status, StatusCode::OK);
    assert_eq!(rig.get("/live/nobody/main.m3u8").await.status, StatusCode::NOT_FOUND);
    for (class, count) in [("vod", 1), ("dvr", 2), ("edge", 1)] {
        assert_eq!(rig.counter(&format!("forebay_edge_shed_requests_total{{class=\"{class}\"}}")), count);
    }
    assert_eq!(rig.counter("forebay_edge_answering_requests"), 10);
    // What is read to its end is still there; what is dropped is not.
    drop(open);
    assert_eq!(rig.counter("forebay_edge_answering_requests"), 0);
    assert_eq!(rig.get(VOD).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_what_is_to_come_takes_no_room() {
    let rig = crowded().await;
    let held: Vec<_> = (0..30)
        .map(|_| {
            let origin = rig.origin.clone();
            tokio::spawn(async move {
                let target = "/live/gala/2/video/index.m3u8?_HLS_msn=4";
                origin.answer(&Method::GET, target, &HeaderMap::new(), &mut NoUpload).await.status
            })
        })
        .collect();
    settle().await;
    assert_eq!(rig.counter("forebay_live_waiting_requests"), 30);
    assert_eq!(rig.counter("forebay_edge_answering_requests"), 0);
    assert_eq!(rig.get(VOD).await.status, StatusCode::OK);
    held.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn an_answer_without_a_body_is_over_at_once_and_so_is_a_failure() {
    let rig = rig().with_show().await;
    for (method, target, status) in
        [(Method::HEAD, VOD, 200), (Method::GET, "/vod/none/main.m3u8", 404), (Method::GET, "/vod/x", 404)]
    {
        let reply = rig.reply(method, target, &[]).await;
        assert_eq!(reply.status.as_u16(), status, "{target}");
        assert_eq!(rig.counter("forebay_edge_answering_requests"), 0, "{target}");
    }
}
