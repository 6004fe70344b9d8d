//! Who has no token sees nothing, and learns nothing from the refusal.

use forebay_tests::inputs::ours;
use forebay_tests::rig::client::Answer;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;

struct Guarded {
    site: Site,
    daemon: Daemon,
}

fn guarded() -> Guarded {
    let site = Site::new().with("auth", "skew", "\"0s\"");
    site.place("film", &[&ours::moov_first()]);
    site.place("other", &[&ours::moov_first()]);
    let daemon = site.serve();
    Guarded { site, daemon }
}

const FILM: &str = "/vod/film/main.m3u8";

fn under(token: &str, path: &str) -> String {
    format!("/t/{token}{path}")
}

/// What every refusal is, whatever the reason.
fn is_refused(answer: &Answer) {
    assert!(matches!(answer.status, 401 | 403), "{answer:?}");
    assert_eq!(answer.header("cache-control"), "private, no-store");
    assert!(answer.headers.get("set-cookie").is_none());
    assert_eq!(answer.header("access-control-allow-origin"), "*", "a page must be able to see the status");
    assert!(answer.body.len() < 1024);
}

/// The ways to be refused: what it is, its reason in the log, the path that causes it.
fn refusals(guarded: &Guarded) -> Vec<(&'static str, &'static str, String)> {
    let mint = |path: &str, verb: &str| guarded.site.mint(&["--path", path, "--verb", verb, "--ttl", "6h"]);
    let good = mint("/vod/film/**", "play");
    let stranger = Site::new().token("/vod/film/**");
    vec![
        ("no token", "no_token", FILM.to_owned()),
        ("another path's token", "wrong_path", under(&mint("/vod/other/**", "play"), FILM)),
        ("another verb's token", "wrong_verb", under(&mint("/vod/film/**", "publish"), FILM)),
        ("another server's token", "unknown_key", under(&stranger, FILM)),
        ("a forged token", "bad_signature", under(&with_another_last_letter(&good), FILM)),
        ("a shortened token", "malformed", under(&good[..good.len() / 2], FILM)),
        ("an expired token", "expired", under(&expired(guarded), FILM)),
        ("a word", "malformed", under("x", FILM)),
        ("a very long token", "malformed", under(&"A".repeat(4000), FILM)),
    ]
}

fn expired(guarded: &Guarded) -> String {
    let token = guarded.site.mint(&["--path", "/vod/film/**", "--verb", "play", "--ttl", "1s"]);
    let path = under(&token, FILM);
    until("the token to expire", || (guarded.daemon.get(&path).status != 200).then_some(()));
    token
}

/// Changes the signature in bits that count: not those that pad the last letter of base64.
fn with_another_last_letter(token: &str) -> String {
    let at = token.len() - 5;
    let other = if token.as_bytes()[at] == b'A' { 'B' } else { 'A' };
    format!("{}{other}{}", &token[..at], &token[at + 1..])
}

#[test]
fn every_refusal_has_one_public_text() {
    let guarded = guarded();
    let mut texts = Vec::new();
    for (what, reason, path) in refusals(&guarded) {
        let answer = guarded.daemon.get(&path);
        eprintln!("{what}: {}", answer.status);
        is_refused(&answer);
        let text = answer.text();
        for word in [reason, "expired", "signature", "key", "scope", "forged", "mac"] {
            assert!(!text.to_lowercase().contains(word), "{what} is told to the client: {text}");
        }
        texts.push(text);
    }
    texts.sort_unstable();
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

#[test]
fn the_reason_is_in_the_log_and_the_metric_and_the_token_is_not() {
    let guarded = guarded();
    let all = refusals(&guarded);
    let count =
        |reason: &str| guarded.daemon.metric("forebay_gate_denials_total", &format!("reason=\"{reason}\""));
    for (what, reason, path) in &all {
        let before = count(reason);
        is_refused(&guarded.daemon.get(path));
        until(&format!("{what} in the metrics"), || (count(reason) == before + 1.0).then_some(()));
        until(&format!("{what} in the log"), || guarded.daemon.log().contains(reason).then_some(()));
    }
    let log = guarded.daemon.log();
    for (what, _, path) in &all {
        let token = path.strip_prefix("/t/").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        assert!(token.len() < 16 || !log.contains(&token[..16]), "{what}: the token is in the log");
    }
}

#[test]
fn a_refusal_does_not_tell_what_exists() {
    let guarded = guarded();
    let other = guarded.site.token("/vod/other/**");
    let there = guarded.daemon.get(&under(&other, FILM));
    let nowhere = guarded.daemon.get(&under(&other, "/vod/nothing/main.m3u8"));
    assert_eq!((there.status, &there.body), (nowhere.status, &nowhere.body));
    let (there, nowhere) = (guarded.daemon.get(FILM), guarded.daemon.get("/vod/nothing/main.m3u8"));
    assert_eq!((there.status, &there.body), (nowhere.status, &nowhere.body));
}

#[test]
fn a_token_opens_what_it_covers_and_nothing_beside_it() {
    let guarded = guarded();
    let token = guarded.site.token("/vod/film/**");
    assert_eq!(guarded.daemon.get(&under(&token, FILM)).status, 200);
    for around in
        ["/vod/filmx/main.m3u8", "/vod/fil/main.m3u8", "/vod/other/main.m3u8", "/vod/film/../other/main.m3u8"]
    {
        let answer = guarded.daemon.get(&under(&token, around));
        assert!(matches!(answer.status, 400 | 401 | 403), "{around}: {}", answer.status);
    }
}

#[test]
fn an_answer_never_outlives_its_token() {
    let guarded = guarded();
    let token = guarded.site.mint(&["--path", "/vod/film/**", "--verb", "play", "--ttl", "90s"]);
    let presentation = crate::watching::follow(&guarded.daemon, &under(&token, FILM));
    for (path, _) in presentation.objects() {
        let answer = guarded.daemon.get(path).is(200);
        let control = answer.header("cache-control").to_owned();
        let age = |name: &str| {
            control
                .split(',')
                .find_map(|part| part.trim().strip_prefix(name))
                .map(|age| age.parse::<u64>().unwrap())
        };
        for directive in ["max-age=", "s-maxage=", "stale-while-revalidate=", "stale-if-error="] {
            assert!(age(directive).is_none_or(|seconds| seconds <= 90), "{path}: {control}");
        }
        assert!(age("max-age=").is_some(), "{path}: {control}");
        // Together they must not outlive it either: a cache may serve stale for as long as it is told.
        let total = age("max-age=").unwrap_or(0) + age("stale-while-revalidate=").unwrap_or(0);
        assert!(total <= 90, "{path}: {control}");
    }
}

#[test]
fn an_open_server_needs_no_token() {
    let site = Site::new().with("auth", "required", "false");
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    assert_eq!(daemon.get(FILM).status, 200);
}
