//! What one client may take, and who comes first when all want more than there is.

use std::net::IpAddr;
use std::time::Duration;

use forebay_origin::{AskedFrom, NoUpload, Reply};
use http::{HeaderMap, Method, Request, StatusCode};

use super::live::{PLAYLIST, VIDEO, header, rig, sending, sent, settle, until};
use super::rig::{Answer, Rig, fixture, key, read, token};

/// A request from an address, through the door for embedders.
async fn from(rig: &Rig, address: &str, method: Method, target: &str, forwarded: &str) -> Answer {
    let address: IpAddr = address.parse().unwrap();
    let request = Request::builder().method(method).uri(target).header("x-forwarded-for", forwarded);
    let request = request.extension(AskedFrom(address)).body(String::new()).unwrap();
    read(rig.origin.handle(request).await).await
}

/// How many of many equal requests are answered with something else than 429.
async fn passed(rig: &Rig, address: &str, target: &str, forwarded: &str) -> usize {
    let mut passed = 0;
    for _ in 0..50 {
        let answer = from(rig, address, Method::GET, target, forwarded).await;
        passed += usize::from(answer.status != StatusCode::TOO_MANY_REQUESTS);
    }
    passed
}

#[tokio::test(start_paused = true)]
async fn an_address_asks_so_often_and_no_other_is_told_of_it() {
    let rig = Rig::with(|config| {
        config.limits.requests_per_address = 2;
        config.limits.proxies = vec!["10.0.0.0/8".parse().unwrap()];
    });
    // Whatever they are answered with.
    let target = "/vod/show/main.m3u8";
    assert_eq!(passed(&rig, "192.0.2.1", target, "").await, 20);
    let refused = from(&rig, "192.0.2.1", Method::HEAD, target, "").await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        (refused.header("cache-control"), refused.header("retry-after"), refused.header("content-length")),
        ("private, no-store", "1", "18")
    );
    assert_eq!(refused.header("access-control-allow-origin"), "*", "a page must be able to see the status");
    assert_eq!(
        passed(&rig, "192.0.2.2", target, "192.0.2.1").await,
        20,
        "what it says of itself is not asked"
    );
    assert_eq!(passed(&rig, "10.0.0.1", target, "192.0.2.1").await, 0);
    assert_eq!(passed(&rig, "10.0.0.1", target, "192.0.2.9, 198.51.100.1").await, 20);
    assert_eq!(passed(&rig, "10.0.0.1", target, "").await, 50, "a proxy that names nobody");
    // A sender that may not send is one more of them; one that may is never asked to wait.
    let denied = from(&rig, "192.0.2.1", Method::POST, VIDEO, "").await;
    assert_eq!(denied.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(rig.counter("forebay_edge_limited_requests_total{whose=\"address\"}") > 60);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(passed(&rig, "192.0.2.1", target, "").await, 2);
}

#[tokio::test]
async fn nobody_is_counted_who_is_not_known_or_need_not_be() {
    let rig = Rig::with(|config| config.limits.requests_per_address = 1);
    for _ in 0..50 {
        assert_eq!(rig.get("/vod/show/main.m3u8").await.status, StatusCode::UNAUTHORIZED);
    }
    let rig = Rig::with(|config| {
        config.auth.required = false;
        config.limits.requests_per_address = 1;
    });
    for _ in 0..50 {
        // The answer to an empty request of a sender.
        assert_eq!(from(&rig, "192.0.2.1", Method::POST, VIDEO, "").await.status, StatusCode::OK);
    }
    let rig = Rig::of(|_| {});
    assert_eq!(passed(&rig, "192.0.2.1", "/vod/show/main.m3u8", "").await, 50);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_asked_with_so_often_and_only_a_good_one_counts() {
    let rig = Rig::with(|config| config.limits.requests_per_token = 1).with_show().await;
    let (one, other) = (token(&key(), "/vod/show/**", 100), token(&key(), "/vod/**", 100));
    let ask = async |token: &str| rig.get(&format!("/t/{token}/vod/show/main.m3u8")).await;
    let forged = one[..one.len() / 2].to_owned();
    for _ in 0..30 {
        assert_eq!(ask(&forged).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(rig.get(&format!("/t/{one}/vod/other/main.m3u8")).await.status, StatusCode::FORBIDDEN);
    }
    for _ in 0..10 {
        assert_eq!(ask(&one).await.status, StatusCode::OK);
    }
    let refused = ask(&one).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!((refused.header("cache-control"), refused.header("retry-after")), ("private, no-store", "1"));
    assert_eq!(ask(&other).await.status, StatusCode::OK);
    assert_eq!(rig.counter("forebay_edge_limited_requests_total{whose=\"token\"}"), 1);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(ask(&one).await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_held_request_counts_once() {
    let rig = Rig::with(|config| {
        config.live.segment = "1s".parse().unwrap();
        config.limits.requests_per_token = 1;
    });
    let publish = {
        use authz::{Claims, ResourceGlob, Scope, UnixSeconds, Verb, mint};
        let scope = Scope::new(Verb::Publish, vec![ResourceGlob::parse("/ingest/**").unwrap()]).unwrap();
        let claims = Claims::new(UnixSeconds(super::rig::NOW.0 + 100), scope).unwrap();
        format!("/t/{}{VIDEO}", mint(&claims, &key()).unwrap().as_str())
    };
    let video = fixture("live/cmaf-video.mp4");
    let sender = sending(&rig, &publish);
    sender.send(until(&video, 6)).await;
    settle().await;
    let viewer = format!("/t/{}", token(&key(), "/live/**", 100));
    let held: Vec<_> = (0..10)
        .map(|_| {
            let (origin, target) = (rig.origin.clone(), format!("{viewer}{PLAYLIST}?_HLS_msn=1"));
            tokio::spawn(async move {
                origin.answer(&Method::GET, &target, &HeaderMap::new(), &mut NoUpload).await.status
            })
        })
        .collect();
    settle().await;
    assert_eq!(rig.counter("forebay_live_waiting_requests"), 10);
    sender.send(&video[until(&video, 6).len()..]).await;
    for held in held {
        assert_eq!(held.await.unwrap(), StatusCode::OK, "and not once more when it is released");
    }
    assert_eq!(rig.get(&format!("{viewer}{PLAYLIST}")).await.status, StatusCode::TOO_MANY_REQUESTS);
}

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
