//! Other spellings of a path, over the wire: what a token does not cover, nobody gets by writing it otherwise.

use std::time::Duration;

use forebay_tests::inputs::ours;
use forebay_tests::rig::client::Connection;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::raw;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tls::Certificate;

const NEVER: Duration = Duration::from_secs(30);

/// A server with two assets, and a token for one of them.
struct Guarded {
    _site: Site,
    daemon: Daemon,
    certificate: Certificate,
    token: String,
    /// The door of the asset that is covered.
    film: Vec<u8>,
}

fn guarded() -> Guarded {
    let (site, certificate) = Site::new().with_tls();
    site.place("film", &[&ours::moov_first()]);
    site.place("other", &[&ours::moov_last()]);
    let daemon = site.serve();
    let token = site.token("/vod/film/**");
    let film = daemon.get(&format!("/t/{token}/vod/film/main.m3u8")).is(200).body.to_vec();
    let other = daemon.get(&site.entry("other")).is(200).body.to_vec();
    assert_ne!(film, other);
    Guarded { _site: site, daemon, certificate, token, film }
}

/// What is right for a spelling: 200 is always with the body that the token covers.
struct Spelling {
    what: &'static str,
    /// Behind the token, or for what is sent without one, behind nothing.
    path: String,
    status: u16,
}

fn spelling(what: &'static str, path: impl Into<String>, status: u16) -> Spelling {
    Spelling { what, path: path.into(), status }
}

/// Ways from what the token covers to what it does not, and other spellings of what it covers.
fn spellings() -> Vec<Spelling> {
    let out = |step: &str| format!("/vod/film/{step}other/main.m3u8");
    vec![
        spelling("as it is", "/vod/film/main.m3u8", 200),
        spelling("another asset", "/vod/other/main.m3u8", 403),
        spelling("dot segments", out("../"), 400),
        spelling("dot segments to itself", "/vod/film/../film/main.m3u8", 400),
        spelling("encoded dots", out("%2e%2e/"), 400),
        spelling("encoded dots in capitals", out("%2E%2E/"), 400),
        spelling("one encoded dot", out(".%2e/"), 400),
        spelling("an encoded slash", out("..%2f"), 400),
        spelling("an encoded slash in capitals", out("..%2F"), 400),
        spelling("dots that are encoded twice", out("%252e%252e/"), 400),
        spelling("backslashes", out("..\\"), 400),
        spelling("backslashes around", "/vod/film\\..\\other/main.m3u8", 400),
        spelling("encoded backslashes", out("..%5c"), 400),
        spelling("an empty segment", "/vod//other/main.m3u8", 400),
        spelling("an empty segment in front", "//vod/other/main.m3u8", 400),
        spelling("an empty segment in what is covered", "/vod/film//main.m3u8", 400),
        spelling("a dot segment", "/vod/./other/main.m3u8", 400),
        spelling("a dot segment in what is covered", "/vod/film/./main.m3u8", 400),
        spelling("a parameter", "/vod/film;x=y/main.m3u8", 400),
        spelling("a parameter behind dots", out("..;/"), 400),
        spelling("an encoded semicolon", out("..%3b/"), 400),
        spelling("a NUL", "/vod/film%00/../other/main.m3u8", 400),
        spelling("a NUL at the end", "/vod/other/main.m3u8%00film", 400),
        spelling("an overlong dot", out("%c0%ae%c0%ae/"), 400),
        spelling("an overlong slash", out("..%c0%af"), 400),
        spelling("fullwidth dots", out("%ef%bc%8e%ef%bc%8e/"), 400),
        spelling("another case", "/vod/Film/main.m3u8", 403),
        spelling("another case of the room", "/VOD/other/main.m3u8", 403),
        spelling("an encoded letter of what is covered", "/vod/%66ilm/main.m3u8", 200),
        spelling("an encoded letter of what is not", "/vod/%6fther/main.m3u8", 403),
        spelling("a dot at the end", "/vod/film./main.m3u8", 400),
        spelling("a dot at the very end", "/vod/film/main.m3u8.", 400),
        spelling("an encoded space at the end", "/vod/film%20/main.m3u8", 400),
        spelling("a query that is a path", "/vod/film/main.m3u8?/../../other/main.m3u8", 200),
        spelling("an encoded question mark", "/vod/film/main.m3u8%3f", 400),
        spelling("an encoded number sign", "/vod/film/main.m3u8%23", 400),
        spelling("half an escape", "/vod/film/main.m3u8%2", 400),
        spelling("an escape that is none", "/vod/film/%zz/main.m3u8", 400),
        spelling("a path of 8 KiB", format!("/vod/film/{}", "x".repeat(8 * 1024)), 414),
        spelling("a long path", format!("/vod/other/{}", "x".repeat(7000)), 403),
    ]
}

#[test]
fn no_spelling_of_a_path_leads_past_the_token_over_http_1() {
    let guarded = guarded();
    let mut wrong = Vec::new();
    for Spelling { what, path, status } in spellings() {
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
        wrong.extend(guarded.http1(what, &get(&format!("/t/{}{path}", guarded.token)), status));
        wrong.extend(guarded.http1(what, &get(&path), without_token(status)));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_spelling_of_a_path_leads_past_the_token_over_http_2() {
    let guarded = guarded();
    let mut connection = Connection::open_tls(guarded.daemon.https(), guarded.certificate.client(&["h2"]));
    let mut wrong = Vec::new();
    for Spelling { what, path, status } in spellings() {
        for (path, status) in [(format!("/t/{}{path}", guarded.token), status), (path, without_token(status))]
        {
            let answer = connection.request("GET", &path, &[]);
            wrong.extend(guarded.judge(what, status, answer.status, &answer.body));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Without a token there is nothing to be had at all.
fn without_token(status: u16) -> u16 {
    if matches!(status, 400 | 414) { status } else { 401 }
}

/// What no library sends: the whole request, `T` in it for the token, and the status.
const REQUESTS: [(&str, &str, u16); 32] = [
    ("a raw TAB", "GET /t/T/vod/film/\t../other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("a raw LF", "GET /t/T/vod/film/\n../other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("a raw CR", "GET /t/T/vod/film/\r../other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("a raw space", "GET /t/T/vod/film /main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("a raw space at the end", "GET /t/T/vod/film/main.m3u8  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (
        "raw fullwidth dots",
        "GET /t/T/vod/film/\u{ff0e}\u{ff0e}/other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
    ),
    ("a fragment", "GET /t/T/vod/film/main.m3u8#/../../other HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    (
        "another host in the target",
        "GET http://evil.example/t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
    ),
    ("the host in the target", "GET http://h/t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 200),
    (
        "the host in the target, and what is not covered",
        "GET http://h/t/T/vod/other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n",
        403,
    ),
    (
        "dots behind a host in the target",
        "GET http://h/t/T/vod/film/../other/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n",
        400,
    ),
    ("a user in the target", "GET http://u:p@h/t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("a host and no path", "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("no slash in front", "GET t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("no target", "GET  HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("two hosts", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", 400),
    ("twice the same host", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400),
    ("no host", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\n\r\n", 400),
    ("a host with a port", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h:80\r\n\r\n", 200),
    ("a host with a dot at the end", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h.example.\r\n\r\n", 200),
    ("a user in the host", "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: u@h\r\n\r\n", 400),
    ("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", 400),
    ("CONNECT to a path", "CONNECT /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    ("TRACE", "TRACE /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    ("PUT", "PUT /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", 405),
    (
        "PUT to where streams are sent",
        "PUT /t/T/ingest/film/video HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        403,
    ),
    ("an unknown method", "FETCH /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    ("a method in small letters", "get /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\n\r\n", 405),
    (
        "a method in a header",
        "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nX-HTTP-Method-Override: PUT\r\n\r\n",
        200,
    ),
    (
        "a GET in a header",
        "POST /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nX-HTTP-Method-Override: GET\r\n\r\n",
        405,
    ),
    (
        "another path in headers",
        "GET /t/T/vod/film/main.m3u8 HTTP/1.1\r\nHost: h\r\nX-Original-URL: /vod/other/main.m3u8\r\nX-Rewrite-URL: /vod/other/main.m3u8\r\n\r\n",
        200,
    ),
    (
        "a covered path in headers",
        "GET /t/T/vod/other/main.m3u8 HTTP/1.1\r\nHost: h\r\nX-Original-URL: /vod/film/main.m3u8\r\nX-Forwarded-Uri: /vod/film/main.m3u8\r\n\r\n",
        403,
    ),
];

#[test]
fn no_request_that_a_library_would_not_send_leads_past_the_token() {
    let guarded = guarded();
    let mut wrong = Vec::new();
    for (what, request, status) in REQUESTS {
        wrong.extend(guarded.http1(what, &request.replace("/T/", &format!("/{}/", guarded.token)), status));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn over_http_2_one_authority_asks_for_one_path() {
    let guarded = guarded();
    let film = format!("/t/{}/vod/film/main.m3u8", guarded.token);
    let other = format!("/t/{}/vod/other/main.m3u8", guarded.token);
    let mut wrong = Vec::new();
    for (what, method, path, headers, status) in [
        ("another host beside the authority", "GET", &film, &[("host", "evil.example")][..], 400),
        ("TRACE", "TRACE", &film, &[], 405),
        ("PUT", "PUT", &film, &[], 405),
        ("a method in a header", "GET", &film, &[("x-http-method-override", "PUT")], 200),
        ("a GET in a header", "POST", &film, &[("x-http-method-override", "GET")], 405),
        ("another path in a header", "GET", &film, &[("x-original-url", "/vod/other/main.m3u8")], 200),
        ("a covered path in a header", "GET", &other, &[("x-original-url", "/vod/film/main.m3u8")], 403),
    ] {
        let mut connection =
            Connection::open_tls(guarded.daemon.https(), guarded.certificate.client(&["h2"]));
        let answer = connection.request(method, path, headers);
        wrong.extend(guarded.judge(what, status, answer.status, &answer.body));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn large_heads_are_refused_over_http_2_as_over_http_1() {
    let guarded = guarded();
    let film = format!("/t/{}/vod/film/main.m3u8", guarded.token);
    let many: Vec<(String, String)> = (0..300).map(|n| (format!("x-{n}"), "y".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let long = "y".repeat(66_000);
    let open = || Connection::open_tls(guarded.daemon.https(), guarded.certificate.client(&["h2"]));
    assert_eq!(open().request("GET", &film, &many).status, 431, "too many headers");
    assert_eq!(open().request("GET", &film, &[("x", &long)]).status, 431, "too large a header");
    let head = |rest: &str| format!("GET {film} HTTP/1.1\r\nHost: h\r\n{rest}\r\n");
    let http1 = |what, rest: &str| guarded.http1(what, &head(rest), 431);
    assert_eq!(http1("too many headers", &"x: y\r\n".repeat(300)), None);
    assert_eq!(http1("too large a header", &format!("x: {long}\r\n")), None);
}

impl Guarded {
    fn http1(&self, what: &str, request: &str, status: u16) -> Option<String> {
        let answer = raw::exchange(self.daemon.http(), request.as_bytes(), NEVER);
        self.judge(what, status, answer.status(), answer.body())
    }

    /// What is wrong with an answer: its status, or a body that is neither that of the asset which the token covers nor a
    /// few words.
    fn judge(&self, what: &str, wanted: u16, found: u16, body: &[u8]) -> Option<String> {
        let is_right = match found {
            200 => body == self.film,
            _ => body.len() < 100 && !body.starts_with(b"#EXTM3U"),
        };
        (wanted != found || !is_right)
            .then(|| format!("{what}: expected {wanted}, found {found} with {} bytes", body.len()))
    }
}
