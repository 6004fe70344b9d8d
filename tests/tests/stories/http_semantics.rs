//! The parts of HTTP that players, pages and caches lean on (RFC 9110, RFC 9111, the Fetch standard).

use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

use forebay_tests::inputs::ours;
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::client::{Answer, Connection};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::raw;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

struct Served {
    _site: Site,
    daemon: Daemon,
    presentation: Presentation,
}

fn served() -> Served {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("film"));
    Served { _site: site, daemon, presentation }
}

impl Served {
    /// One path of each kind: multivariant playlist, media playlist, init, segment of picture and of sound.
    fn one_of_each(&self) -> [(&'static str, &str); 6] {
        let (video, audio) = (self.presentation.video()[0], self.presentation.audio()[0]);
        [
            ("main", &self.presentation.entry),
            ("playlist", &video.path),
            ("init", &video.init_path),
            ("segment", &video.segments[1].path),
            ("audio init", &audio.init_path),
            ("audio segment", &audio.segments[1].path),
        ]
    }

    fn segment(&self) -> (&str, &[u8]) {
        let segment = &self.presentation.video()[0].segments[1];
        (&segment.path, &segment.bytes)
    }
}

#[test]
fn every_kind_of_answer_has_its_type_lifetime_and_tag() {
    let served = served();
    for (kind, path) in served.one_of_each() {
        let answer = served.daemon.get(path).is(200);
        let types: &[&str] = match kind {
            "main" | "playlist" => &["application/vnd.apple.mpegurl"],
            "init" => &["video/mp4"],
            "audio init" => &["audio/mp4"],
            _ => &["video/iso.segment", "video/mp4", "audio/mp4"],
        };
        assert!(types.contains(&answer.header("content-type")), "{kind}: {}", answer.header("content-type"));
        let control = answer.header("cache-control");
        assert!(control.contains("max-age="), "{kind}: {control:?}");
        // What has its revision in its address never changes; the door may.
        assert_eq!(control.contains("immutable"), kind != "main", "{kind}: {control:?}");
        assert!(!control.contains("no-store") && answer.headers.get("set-cookie").is_none(), "{kind}");
        let tag = answer.header("etag");
        assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 8, "{kind}: {tag}");
        assert_eq!(answer.header("content-length").parse::<usize>().unwrap(), answer.body.len(), "{kind}");
    }
}

#[test]
fn a_page_from_anywhere_may_read_answers_and_the_headers_it_needs() {
    let served = served();
    for (kind, path) in served.one_of_each() {
        let answer = served.daemon.get_with(path, &[("origin", "https://player.example")]).is(200);
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{kind}");
        let exposed = answer.header("access-control-expose-headers").to_ascii_lowercase();
        for name in ["age", "date", "content-length", "content-range"] {
            assert!(
                exposed.split(',').any(|word| word.trim() == name),
                "{kind}: {name} is not in {exposed:?}"
            );
        }
    }
    let (path, _) = served.segment();
    let ask = [
        ("origin", "https://player.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "range"),
    ];
    let answer = served.daemon.request("OPTIONS", path, &ask);
    assert!(matches!(answer.status, 200 | 204), "{answer:?}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert!(answer.header("access-control-allow-methods").contains("GET"));
    let allowed = answer.header("access-control-allow-headers").to_ascii_lowercase();
    assert!(allowed.contains("range") || allowed.trim() == "*", "{allowed:?}");
}

#[test]
fn head_is_get_without_the_body() {
    let served = served();
    for (kind, path) in served.one_of_each() {
        let (get, head) = (served.daemon.get(path).is(200), served.daemon.request("HEAD", path, &[]).is(200));
        assert!(head.body.is_empty(), "{kind}");
        for name in ["content-type", "content-length", "etag", "cache-control", "vary", "accept-ranges"] {
            assert_eq!(get.header(name), head.header(name), "{kind}: {name}");
        }
    }
}

#[test]
fn who_has_it_already_gets_304() {
    let served = served();
    for (kind, path) in served.one_of_each() {
        let full = served.daemon.get(path).is(200);
        let tag = full.header("etag");
        let weak = format!("W/{tag}");
        let list = format!("\"other\", {tag}");
        for value in [tag, "*", &weak, &list] {
            let answer = served.daemon.get_with(path, &[("if-none-match", value)]);
            assert_eq!((answer.status, answer.body.len()), (304, 0), "{kind}: If-None-Match: {value}");
            // RFC 9110 §15.4.5: what a cache would update.
            for name in ["etag", "cache-control", "vary"] {
                assert_eq!(answer.header(name), full.header(name), "{kind}: {name}");
            }
        }
        let other = served.daemon.get_with(path, &[("if-none-match", "\"other\"")]).is(200);
        assert_eq!(other.body, full.body, "{kind}");
    }
}

#[test]
fn playlists_are_gzip_where_accepted_and_caches_are_told() {
    let served = served();
    for (kind, path) in &served.one_of_each()[..2] {
        let plain = served.daemon.get(path).is(200);
        assert_eq!(plain.header("content-encoding"), "", "{kind}");
        let small = served.daemon.get_with(path, &[("accept-encoding", "gzip, deflate, br")]).is(200);
        assert_eq!(small.header("content-encoding"), "gzip", "{kind}");
        assert_eq!(small.text(), plain.text(), "{kind}");
        for answer in [&plain, &small] {
            let vary = answer.header("vary").to_ascii_lowercase();
            assert!(vary.contains("accept-encoding"), "{kind}: {vary:?}");
        }
        // RFC 9110 §8.8.3.3: other bytes, another strong tag.
        assert_ne!(plain.header("etag"), small.header("etag"), "{kind}");
        let revalidate = [("accept-encoding", "gzip"), ("if-none-match", small.header("etag"))];
        assert_eq!(served.daemon.get_with(path, &revalidate).status, 304, "{kind}");
        for refused in ["gzip;q=0", "identity", "br"] {
            let answer = served.daemon.get_with(path, &[("accept-encoding", refused)]).is(200);
            assert_eq!(answer.header("content-encoding"), "", "{kind}: {refused}");
        }
    }
    let (path, bytes) = served.segment();
    let media = served.daemon.get_with(path, &[("accept-encoding", "gzip")]).is(200);
    assert_eq!((media.header("content-encoding"), &media.body[..]), ("", bytes), "media is never gzip");
}

#[test]
fn ranges_of_a_segment_are_its_bytes() {
    let served = served();
    let (path, whole) = served.segment();
    let length = whole.len();
    let range = |value: &str| served.daemon.get_with(path, &[("range", value)]);
    let cases = [
        ("bytes=0-0".to_owned(), 0..1),
        ("bytes=0-99".to_owned(), 0..100),
        ("bytes=100-".to_owned(), 100..length),
        ("bytes=-100".to_owned(), length - 100..length),
        (format!("bytes={}-{}", length - 1, length - 1), length - 1..length),
        (format!("bytes=10-{}", length * 2), 10..length),
        (format!("bytes=-{}", length * 2), 0..length),
        // RFC 8673: the last position that a client names when it does not know the end.
        ("bytes=5-9007199254740991".to_owned(), 5..length),
    ];
    for (value, wanted) in cases {
        let answer = range(&value).is(206);
        assert_eq!(answer.body, whole[wanted.clone()], "{value}");
        let told = format!("bytes {}-{}/{length}", wanted.start, wanted.end - 1);
        assert_eq!(answer.header("content-range"), told, "{value}");
        assert_eq!(answer.header("content-length"), wanted.len().to_string(), "{value}");
    }
    for value in [format!("bytes={length}-"), "bytes=-0".to_owned()] {
        let answer = range(&value).is(416);
        assert_eq!(answer.header("content-range"), format!("bytes */{length}"), "{value}");
        has_a_lifetime(&answer);
    }
}

#[test]
fn a_range_that_makes_no_sense_is_ignored_or_refused() {
    let served = served();
    let (path, whole) = served.segment();
    let nonsense = [
        "bytes=5-2",
        "bytes=a-b",
        "bytes=",
        "bytes=-",
        "bytes",
        "chunks=0-5",
        "bytes=0-5,7-9",
        "bytes=--5",
        "bytes=1-2-3",
        "bytes=99999999999999999999999-",
        "bytes=0-99999999999999999999999",
        "bytes= 0-5",
        "bytes=0-5;x",
        "bytes=+1-5",
        "=0-5",
    ];
    for value in nonsense {
        let answer = served.daemon.get_with(path, &[("range", value)]);
        match answer.status {
            200 => assert_eq!(&answer.body[..], whole, "{value}"),
            206 => {
                // A recipient may be lenient about form, never about the bytes.
                let told =
                    answer.header("content-range").trim_start_matches("bytes ").split('/').next().unwrap();
                let (from, to) = told.split_once('-').unwrap();
                assert_eq!(answer.body, whole[from.parse().unwrap()..=to.parse().unwrap()], "{value}");
            }
            416 => has_a_lifetime(&answer),
            other => panic!("{value}: {other}"),
        }
    }
}

#[test]
fn if_range_gives_a_part_only_of_what_the_client_has() {
    let served = served();
    let (path, whole) = served.segment();
    let tag = served.daemon.get(path).header("etag").to_owned();
    let part = served.daemon.get_with(path, &[("range", "bytes=0-9"), ("if-range", &tag)]).is(206);
    assert_eq!(part.body, whole[..10]);
    for other in ["\"other\"".to_owned(), format!("W/{tag}"), "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()] {
        let answer = served.daemon.get_with(path, &[("range", "bytes=0-9"), ("if-range", &other)]).is(200);
        assert_eq!(&answer.body[..], whole, "{other}");
    }
}

#[test]
fn a_compressed_playlist_takes_no_ranges() {
    let served = served();
    let path = &served.presentation.video()[0].path;
    let answer = served.daemon.get_with(path, &[("accept-encoding", "gzip"), ("range", "bytes=0-9")]);
    match answer.header("content-encoding") {
        "gzip" => assert_eq!(answer.status, 200),
        // A part of the plain text is right as well.
        _ => assert_eq!((answer.status, answer.body.len()), (206, 10)),
    }
}

#[test]
fn what_is_not_there_is_404_for_a_short_while() {
    let served = served();
    let (segment, _) = served.segment();
    let folder = segment.rsplit_once('/').unwrap().0;
    let base = served.presentation.entry.rsplit_once('/').unwrap().0;
    for path in [
        format!("{folder}/9999.m4s"),
        format!("{folder}/18446744073709551615.m4s"),
        format!("{folder}/99999999999999999999999.m4s"),
        format!("{folder}/x.m4s"),
        format!("{folder}/01.m4s"),
        format!("{folder}/1.mp4"),
        format!("{folder}/"),
        format!("{base}/nothing.m3u8"),
        format!("{base}/0000000000000000/video-180/index.m3u8"),
    ] {
        let answer = served.daemon.get(&path);
        assert!(matches!(answer.status, 404 | 400), "{path}: {}", answer.status);
        has_a_lifetime(&answer);
        let control = answer.header("cache-control");
        let age =
            control.split("max-age=").nth(1).and_then(|rest| rest.split(',').next()?.parse::<u64>().ok());
        assert!(age.is_none_or(|seconds| seconds <= 60), "{path}: {control}");
    }
}

#[test]
fn other_methods_are_refused_by_name() {
    let served = served();
    let (path, _) = served.segment();
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let answer = served.daemon.request(method, path, &[]).is(405);
        assert!(answer.header("allow").contains("GET"), "{method}: {:?}", answer.header("allow"));
        has_a_lifetime(&answer);
    }
}

#[test]
fn a_connection_serves_many_requests_and_outlives_a_pause() {
    let served = served();
    let mut connection = Connection::open(served.daemon.http());
    for (kind, path) in served.one_of_each().iter().cycle().take(30) {
        assert_eq!(connection.request("GET", path, &[]).status, 200, "{kind}");
    }
    // Refusals do not cost the connection either.
    assert!(matches!(connection.request("GET", "/vod/film/main.m3u8", &[]).status, 401 | 403));
    assert_eq!(connection.request("GET", served.segment().0, &[]).status, 200);
    assert!(!connection.is_closed());
}

#[test]
fn http_1_0_and_a_missing_host_get_an_answer() {
    let served = served();
    let (path, whole) = served.segment();
    let answer = raw::exchange(
        served.daemon.http(),
        format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes(),
        Duration::from_secs(20),
    );
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.body(), whole);
    assert!(!answer.head().contains("transfer-encoding"), "{}", answer.head());
    let answer = raw::exchange(
        served.daemon.http(),
        format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes(),
        Duration::from_secs(20),
    );
    assert!(matches!(answer.status(), 200 | 400), "{}", answer.head());
}

#[test]
fn a_slow_reader_gets_every_byte() {
    let served = served();
    let (path, whole) = served.segment();
    let mut stream = TcpStream::connect(served.daemon.http()).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let mut piece = [0; 997];
    loop {
        let length = std::io::Read::read(&mut stream, &mut piece).unwrap();
        if length == 0 {
            break;
        }
        bytes.extend_from_slice(&piece[..length]);
    }
    assert!(bytes.ends_with(whole), "{} bytes came", bytes.len());
}

#[test]
fn operators_have_a_listener_of_their_own() {
    let served = served();
    let admin = |path: &str| forebay_tests::rig::client::get(served.daemon.admin(), path);
    assert_eq!(admin("/healthz").status, 200);
    assert_eq!(admin("/readyz").status, 200);
    let metrics = admin("/metrics").is(200);
    assert!(metrics.header("content-type").starts_with("text/plain"), "{}", metrics.header("content-type"));
    assert!(metrics.text().contains("# TYPE forebay_edge_requests_total counter"));
    for path in ["/healthz", "/readyz", "/metrics"] {
        let public = served.daemon.get(path);
        assert!(public.status >= 400, "{path} is public: {}", public.status);
    }
    assert!(served.daemon.metric("forebay_edge_requests_total", "route=\"segment\"") >= 8.0);
}

fn has_a_lifetime(answer: &Answer) {
    assert!(!answer.header("cache-control").is_empty(), "{answer:?}");
    assert!(answer.body.len() < 1024, "{answer:?}");
}
