//! TLS and HTTP/2.

use http::Version;

use forebay_tests::inputs::ours;
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::client::Connection;
use forebay_tests::rig::site::Site;

#[test]
fn the_whole_film_comes_over_http_2_and_is_the_same_as_in_clear() {
    let (site, certificate) = Site::new().with_tls();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let entry = site.entry("film");
    let clear = crate::watching::follow(&daemon, &entry);
    for (protocols, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"][..], Version::HTTP_11)]
    {
        let mut connection = Connection::open_tls(daemon.https(), certificate.client(protocols));
        let secure = Presentation::follow(&entry, |path| {
            let answer = connection.request("GET", path, &[]).is(200);
            assert_eq!(answer.version, version, "{path}");
            answer.body.to_vec()
        });
        assert!(secure.objects() == clear.objects(), "{version:?} gives other bytes");
    }
}

#[test]
fn http_2_has_the_same_semantics() {
    let (site, certificate) = Site::new().with_tls();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let presentation = crate::watching::follow(&daemon, &site.entry("film"));
    let segment = &presentation.video()[0].segments[0];
    let mut connection = Connection::open_tls(daemon.https(), certificate.client(&["h2"]));
    let full = connection.request("GET", &segment.path, &[]).is(200);
    let part = connection.request("GET", &segment.path, &[("range", "bytes=10-19")]).is(206);
    assert_eq!(part.body, segment.bytes[10..20]);
    let unchanged = connection.request("GET", &segment.path, &[("if-none-match", full.header("etag"))]);
    assert_eq!(unchanged.status, 304);
    let head = connection.request("HEAD", &segment.path, &[]).is(200);
    assert_eq!(head.header("content-length"), segment.bytes.len().to_string());
    assert!(matches!(connection.request("GET", "/vod/film/main.m3u8", &[]).status, 401 | 403));
    assert!(!connection.is_closed());
}

#[test]
fn a_clear_request_on_the_tls_port_does_no_harm() {
    let (site, certificate) = Site::new().with_tls();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let answer = forebay_tests::rig::raw::exchange(
        daemon.https(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        std::time::Duration::from_secs(20),
    );
    assert_ne!(answer.status(), 200);
    let mut connection = Connection::open_tls(daemon.https(), certificate.client(&["h2"]));
    assert_eq!(connection.request("GET", &site.entry("film"), &[]).status, 200);
}
