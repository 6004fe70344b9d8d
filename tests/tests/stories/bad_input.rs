//! Broken files and hostile requests: each gets a short, clear answer at once, and nobody else notices.

use std::env;
use std::fs;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::{hostile, ours};
use forebay_tests::oracle::hls::resolve;
use forebay_tests::rig::client::{Answer, Connection};
use forebay_tests::rig::command;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::raw::{self, RawAnswer};
use forebay_tests::rig::site::Site;

use crate::watching::follow;

/// What a clear answer takes at most. One second try is granted: on a loaded machine a thread may sleep longer.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Long enough to tell slow from never.
const NEVER: Duration = Duration::from_secs(30);

#[test]
fn a_thousand_mutated_films_get_clear_answers_while_a_good_one_plays() {
    let mutations = env::var("FOREBAY_MUTATIONS").map_or(1000, |count| count.parse().unwrap());
    let site = Site::new().with("cache", "memory", "\"16MiB\"").with("log", "level", "\"info\"");
    let progressive = fs::read(ours::moov_first()).unwrap();
    let fragmented = fs::read(forebay_tests::inputs::foreign::all().pop().unwrap().files[0].clone()).unwrap();
    site.place("good", &[&ours::moov_first()]);
    let daemon = site.serve();
    let good = follow(&daemon, &site.entry("good"));
    let token = site.token("/vod/**");
    let (done, played) = (AtomicBool::new(false), AtomicU64::new(0));
    daemon.forget_peak_memory();
    let before = daemon.current_memory();
    let mut refused = 0_u64;
    thread::scope(|scope| {
        // A fault in this thread must not leave the player playing for ever.
        let _stop = AtEnd(&done);
        let player = scope.spawn(|| {
            let mut connection = Connection::open(daemon.http());
            while !done.load(Ordering::Relaxed) {
                for (path, bytes) in good.objects() {
                    assert_eq!(connection.request("GET", path, &[]).is(200).body, bytes, "{path}");
                    played.fetch_add(1, Ordering::Relaxed);
                    // The pace of a player; at full speed it would take a whole core from the mutations.
                    thread::sleep(Duration::from_millis(5));
                }
            }
        });
        for seed in 0..mutations {
            let source = if seed % 2 == 0 { &progressive } else { &fragmented };
            let asset = format!("bad-{seed}");
            fs::create_dir_all(site.asset(&asset)).unwrap();
            fs::write(site.asset(&asset).join("film.mp4"), hostile::mutate(source, seed)).unwrap();
            refused += u64::from(!plays(&daemon, &format!("/t/{token}/vod/{asset}/main.m3u8")));
            fs::remove_dir_all(site.asset(&asset)).unwrap();
            assert!(!player.is_finished(), "the good film stopped at mutation {seed}");
        }
        done.store(true, Ordering::Relaxed);
        player.join().unwrap();
    });
    eprintln!(
        "{refused} of {mutations} refused; the good film gave {} answers",
        played.load(Ordering::Relaxed)
    );
    // A mutation that hits the media leaves a film that is served; most hit the boxes.
    assert!(
        refused > mutations / 4,
        "only {refused} of {mutations} were refused: the mutations are too tame"
    );
    assert!(played.load(Ordering::Relaxed) > 0);
    let input = u64::try_from(progressive.len().max(fragmented.len())).unwrap();
    let (grown, allowed) = (daemon.peak_memory().saturating_sub(before), 8 * input + (64 << 20));
    assert!(grown <= allowed, "{grown} bytes more than before; allowed: {allowed}");
    assert!(!daemon.log().contains("panicked"), "a panic is in the log");
}

#[test]
fn a_moov_of_hostile_sizes_is_refused_without_taking_memory() {
    let site = Site::new();
    site.place("good", &[&ours::moov_first()]);
    let all = hostile::greedy();
    for (name, bytes) in &all {
        fs::create_dir_all(site.asset(name)).unwrap();
        fs::write(site.asset(name).join("film.mp4"), bytes).unwrap();
    }
    let daemon = site.serve();
    let token = site.token("/vod/**");
    assert!(plays(&daemon, &format!("/t/{token}/vod/good/main.m3u8")));
    for (name, bytes) in &all {
        daemon.forget_peak_memory();
        let before = daemon.current_memory();
        assert!(!plays(&daemon, &format!("/t/{token}/vod/{name}/main.m3u8")), "{name} is no film");
        let grown = daemon.peak_memory().saturating_sub(before);
        let allowed = 8 * u64::try_from(bytes.len()).unwrap() + (64 << 20);
        assert!(grown <= allowed, "{name}: {grown} bytes; allowed: {allowed}");
    }
    assert!(!daemon.log().contains("panicked"), "a panic is in the log");
}

#[test]
fn the_command_line_says_in_one_line_what_is_wrong_with_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let good = fs::read(ours::moov_first()).unwrap();
    let mut files = hostile::greedy();
    files.push(("cut-in-half", good[..good.len() / 2].to_vec()));
    files.push(("cut-in-moov", good[..200].to_vec()));
    for (name, bytes) in files {
        let file = dir.path().join(format!("{name}.mp4"));
        fs::write(&file, bytes).unwrap();
        let start = Instant::now();
        let outcome = command::run(["inspect".as_ref(), file.as_os_str()]);
        assert!(start.elapsed() < NEVER, "{name}");
        // A film that is cut in its media can still be described.
        if outcome.code() != 0 {
            outcome.is_one_line_of_refusal();
        } else {
            assert_eq!(name, "cut-in-half", "{}", outcome.stdout);
        }
    }
}

#[test]
fn no_spelling_of_dot_dot_leads_anywhere() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let secret = "a file beside the store";
    fs::write(site.path().join("secret.m3u8"), secret).unwrap();
    fs::write(site.store().join("secret.m3u8"), secret).unwrap();
    let daemon = site.serve();
    let token = site.token("/**");
    let dots = [
        "..",
        "%2e%2e",
        "%2E%2E",
        ".%2e",
        "%2e.",
        "..%2f",
        "..%2F",
        "..%5c",
        "..\\",
        "%252e%252e",
        "..;",
        "..%00",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%u002e%u002e",
        "..%20",
        ".. ",
        "...",
        "....//",
        "%2e%2e%2f%2e%2e",
        "．．",
        "..%0d%0a",
    ];
    for spelling in dots {
        for prefix in
            [format!("/t/{token}/vod/film"), format!("/t/{token}/vod"), "/vod/film".to_owned(), String::new()]
        {
            for suffix in ["secret.m3u8", "../secret.m3u8", "vod/film/main.m3u8", "etc/passwd"] {
                let path = format!("{prefix}/{spelling}/{suffix}");
                let answer = refused(daemon.http(), &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
                assert!(!String::from_utf8_lossy(answer.body()).contains(secret), "{path}");
                assert!(matches!(answer.status(), 400 | 401 | 403 | 404), "{path}: {}", answer.head());
            }
        }
    }
    for odd in [
        "//vod/film/main.m3u8",
        "/vod//film/main.m3u8",
        "/vod/film/./main.m3u8",
        "/vod/film/main.m3u8/",
        "/vod/film%2fmain.m3u8",
    ] {
        let path = format!("/t/{token}{odd}");
        let answer = refused(daemon.http(), &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(matches!(answer.status(), 400 | 401 | 403 | 404), "{path}: {}", answer.head());
    }
}

#[test]
fn heads_that_are_too_large_are_refused_by_name() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let entry = site.entry("film");
    let long = "a".repeat(9 << 10);
    let large = format!("X-Large: {}", "b".repeat(65 << 10));
    let many: String = (0..2000).map(|n| format!("X-{n}: {}\r\n", "c".repeat(40))).collect();
    let cases = [
        ("a URL over 8 KB", format!("GET {entry}?{long} HTTP/1.1\r\nHost: x\r\n\r\n"), &[414][..]),
        ("a path over 8 KB", format!("GET /vod/{long}/main.m3u8 HTTP/1.1\r\nHost: x\r\n\r\n"), &[414]),
        ("a header over 64 KB", format!("GET {entry} HTTP/1.1\r\nHost: x\r\n{large}\r\n\r\n"), &[431]),
        // Pingora itself refuses more than 256 headers.
        ("2,000 headers", format!("GET {entry} HTTP/1.1\r\nHost: x\r\n{many}\r\n"), &[431, 400]),
    ];
    for (what, request, wanted) in cases {
        let answer = refused(daemon.http(), &request);
        assert!(wanted.contains(&answer.status()), "{what}: {}", answer.head());
    }
    assert_eq!(daemon.get(&entry).status, 200);
}

#[test]
fn bytes_that_are_no_http_do_no_harm() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let entry = site.entry("film");
    let requests: [&[u8]; 9] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    for request in requests {
        let answer = raw::exchange(daemon.http(), request, NEVER);
        let shown = String::from_utf8_lossy(request);
        // Closing without a word is an answer too.
        assert!(answer.status() == 0 || answer.status() >= 400, "{shown:?}: {}", answer.head());
        assert!(answer.body().len() < 1024, "{shown:?}");
    }
    assert_eq!(daemon.get(&entry).status, 200);
}

#[test]
fn clients_that_never_finish_their_head_keep_nobody_waiting() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let entry = site.entry("film");
    let half = |n: usize| {
        let mut stream = TcpStream::connect(daemon.http()).unwrap();
        write!(stream, "GET {entry} HTTP/1.1\r\nX-Slow-{n}: ").unwrap();
        stream
    };
    let mut slow: Vec<TcpStream> = (0..300).map(half).collect();
    for round in 0..5 {
        for stream in &mut slow {
            // Who was let go is no loss.
            let _ = stream.write_all(b"x");
        }
        let start = Instant::now();
        assert_eq!(daemon.get(&entry).status, 200, "round {round}");
        assert!(start.elapsed() < 5 * AT_ONCE, "round {round}: {:?}", start.elapsed());
    }
}

/// Raises a flag when it is dropped.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Follows an asset as far as it leads. True when all of it was served, false when it was refused; anything else stops
/// the story.
fn plays(daemon: &Daemon, entry: &str) -> bool {
    let mut connection = Connection::open(daemon.http());
    let mut good = |path: &str| good(&mut connection, path);
    let Some(main) = good(entry) else { return false };
    for playlist in uris(&main.text()).iter().map(|uri| resolve(entry, uri)) {
        let Some(media) = good(&playlist) else { return false };
        let text = media.text();
        let map =
            text.split("#EXT-X-MAP:URI=\"").nth(1).and_then(|rest| rest.split('"').next()).map(str::to_owned);
        for uri in map.into_iter().chain(uris(&text)) {
            if good(&resolve(&playlist, &uri)).is_none() {
                return false;
            }
        }
    }
    true
}

fn uris(playlist: &str) -> Vec<String> {
    playlist.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// The answer, when it is good; `None` when it is a clear refusal.
fn good(connection: &mut Connection, path: &str) -> Option<Answer> {
    let mut ask = || {
        let start = Instant::now();
        (connection.request("GET", path, &[]), start.elapsed())
    };
    let (mut answer, mut took) = ask();
    if took > AT_ONCE {
        (answer, took) = ask();
    }
    assert!(took <= AT_ONCE, "{path}: {took:?} for a {}", answer.status);
    if answer.status == 200 {
        return Some(answer);
    }
    assert!((400..600).contains(&answer.status), "{path}: {answer:?}");
    assert!(answer.body.len() < 1024 && !answer.header("cache-control").is_empty(), "{path}: {answer:?}");
    None
}

/// Sends a request that must be refused: at once, briefly and with a lifetime.
fn refused(to: SocketAddr, request: &str) -> RawAnswer {
    let mut answer = raw::exchange(to, request.as_bytes(), NEVER);
    if answer.took > AT_ONCE {
        answer = raw::exchange(to, request.as_bytes(), NEVER);
    }
    let line = request.lines().next().unwrap_or_default();
    let shown: String = line.chars().take(120).collect();
    assert!(answer.took <= AT_ONCE, "{shown}: {:?}", answer.took);
    assert!((400..500).contains(&answer.status()), "{shown}: {:?}", answer.head());
    assert!(answer.body().len() < 1024, "{shown}");
    assert!(answer.head().contains("\r\ncache-control:"), "{shown}: {}", answer.head());
    answer
}
