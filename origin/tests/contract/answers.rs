//! Statuses and headers of sound requests, and of those that are none.

use http::{Method, StatusCode};

use super::rig::Rig;

/// Every kind of thing there is.
async fn things(rig: &Rig) -> Vec<(String, &'static str)> {
    let [video, sound] = rig.renditions().await;
    vec![
        ("/vod/show/main.m3u8".to_owned(), "application/vnd.apple.mpegurl"),
        (format!("{video}/index.m3u8"), "application/vnd.apple.mpegurl"),
        (format!("{video}/init.mp4"), "video/mp4"),
        (format!("{video}/0.m4s"), "video/mp4"),
        (format!("{sound}/init.mp4"), "audio/mp4"),
        (format!("{sound}/0.m4s"), "audio/mp4"),
    ]
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let rig = Rig::open().with_show().await;
    for (path, mime) in things(&rig).await {
        let mut get = rig.get(&path).await;
        let mut head = rig.ask(Method::HEAD, &path, &[]).await;
        assert_eq!((get.status, head.status), (StatusCode::OK, StatusCode::OK), "{path}");
        assert_eq!(get.header("content-type"), mime, "{path}");
        assert_eq!(get.header("content-length"), get.body.len().to_string(), "{path}");
        assert!(get.whole && head.body.is_empty(), "{path}");
        // Where media comes from is known only where it is read, and what is asked for again is a hit.
        get.headers.remove("cache-status");
        head.headers.remove("cache-status");
        assert_eq!(get.headers, head.headers, "{path}");
    }
}

#[tokio::test]
async fn a_known_tag_is_answered_with_304_and_the_headers_that_keep_it_fresh() {
    let rig = Rig::open().with_show().await;
    for (path, _) in things(&rig).await {
        let whole = rig.get(&path).await;
        let tag = whole.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{path}: {tag} is strong");
        for method in [Method::GET, Method::HEAD] {
            let known = rig.ask(method, &path, &[("if-none-match", &format!("\"x\", W/{tag}"))]).await;
            assert_eq!((known.status, known.body.len()), (StatusCode::NOT_MODIFIED, 0), "{path}");
            // RFC 9110 §15.4.5: what a 200 would have had of these.
            for name in ["etag", "cache-control", "vary"] {
                assert_eq!(known.header(name), whole.header(name), "{path}: {name}");
            }
            assert!(!known.headers.contains_key("content-length"), "{path}");
        }
        let other = rig.ask(Method::GET, &path, &[("if-none-match", "\"other\"")]).await;
        assert_eq!((other.status, other.body), (StatusCode::OK, whole.body), "{path}");
    }
}

#[tokio::test]
async fn a_playlist_in_gzip_has_its_own_tag_and_takes_no_range() {
    let rig = Rig::open().with_show().await;
    let [video, _] = rig.renditions().await;
    for path in ["/vod/show/main.m3u8".to_owned(), format!("{video}/index.m3u8")] {
        let plain = rig.get(&path).await;
        let asked = [("accept-encoding", "br, gzip"), ("range", "bytes=0-3")];
        let packed = rig.ask(Method::GET, &path, &asked).await;
        assert_eq!((packed.status, packed.header("content-encoding")), (StatusCode::OK, "gzip"));
        assert_eq!(packed.header("content-length"), packed.body.len().to_string());
        assert_ne!(plain.header("etag"), packed.header("etag"));
        for answer in [&plain, &packed] {
            assert_eq!(answer.header("vary"), "Accept-Encoding");
        }
        let mut text = String::new();
        let mut reader = flate2::read::GzDecoder::new(packed.body.as_slice());
        std::io::Read::read_to_string(&mut reader, &mut text).unwrap();
        assert_eq!(text, plain.text());
        // The tag of one coding is not the other's.
        let asked = [("accept-encoding", "gzip"), ("if-none-match", plain.header("etag"))];
        assert_eq!(rig.ask(Method::GET, &path, &asked).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_preflight_is_answered_without_a_token_and_for_any_path() {
    let rig = Rig::of(|_| {});
    for target in ["/vod/show/main.m3u8", "/t/x/vod/nothing", "*"] {
        let answer = rig.ask(Method::OPTIONS, target, &[("origin", "https://a.example")]).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0));
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-methods"), "GET, HEAD, OPTIONS");
        assert!(answer.header("access-control-allow-headers").contains("Range"));
    }
}

/// Method, target, headers, and the status that comes of them.
type Case<'a> = (Method, String, Vec<(&'a str, &'a str)>, u16);

#[tokio::test]
async fn what_is_no_request_for_anything_is_a_short_4xx() {
    let rig = Rig::open().with_show().await;
    let [video, _] = rig.renditions().await;
    let long = format!("/vod/{}", "x".repeat(9000));
    let large = "x".repeat(70_000);
    let cases: Vec<Case<'_>> = vec![
        (Method::GET, "/vod/none/main.m3u8".into(), vec![], 404),
        (Method::GET, "/vod/show/main.m3u9".into(), vec![], 404),
        (Method::GET, "/vod/show/1/video-72/index.m3u8".into(), vec![], 404),
        (Method::GET, format!("{video}/999999.m4s"), vec![], 404),
        (Method::GET, format!("{video}/18446744073709551615.m4s"), vec![], 404),
        (Method::GET, format!("{video}x/0.m4s"), vec![], 404),
        (Method::GET, "/vod/show/../show/main.m3u8".into(), vec![], 400),
        (Method::GET, "/vod/%2e%2e/show/main.m3u8".into(), vec![], 400),
        (Method::GET, "/vod/show%2fmain.m3u8".into(), vec![], 400),
        (Method::GET, "vod/show/main.m3u8".into(), vec![], 400),
        (Method::GET, "*".into(), vec![], 400),
        (Method::POST, "/vod/show/main.m3u8".into(), vec![], 405),
        (Method::DELETE, "/vod/show/main.m3u8".into(), vec![], 405),
        (Method::GET, long, vec![], 414),
        (Method::GET, "/vod/show/main.m3u8".into(), vec![("x-large", &large)], 431),
        (Method::GET, format!("{video}/0.m4s"), vec![("range", "bytes=999999999-")], 416),
    ];
    for (method, target, headers, status) in cases {
        let answer = rig.ask(method, &target, &headers).await;
        let short = &target[..target.len().min(60)];
        assert_eq!(answer.status.as_u16(), status, "{short}");
        assert!(answer.body.len() < 200 && answer.whole, "{short}");
        assert_eq!(answer.header("content-length"), answer.body.len().to_string(), "{short}");
        assert_eq!(answer.header("cache-control"), "public, max-age=1", "{short}");
        assert_eq!(answer.header("allow").is_empty(), status != 405, "{short}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "a player can read why: {short}");
    }
}

#[tokio::test]
async fn a_request_is_counted_once_when_its_body_is_over() {
    let rig = Rig::open().with_show().await;
    let [video, _] = rig.renditions().await;
    let line = "forebay_edge_requests_total{route=\"segment\",status=\"2xx\"}";
    let reply = rig.reply(Method::GET, &format!("{video}/0.m4s"), &[]).await;
    assert_eq!((rig.counter(line), rig.counter("forebay_edge_in_flight_requests")), (0, 1));
    let answer = super::rig::read(reply).await;
    assert_eq!((rig.counter(line), rig.counter("forebay_edge_in_flight_requests")), (1, 0));
    let sent = rig.counter("forebay_edge_sent_bytes_total{route=\"segment\"}");
    assert_eq!(sent, answer.body.len() as u64);
}
