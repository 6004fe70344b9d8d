//! `forebay keys` and `forebay token`.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use forebay_tests::inputs::ours;
use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::site::Site;

fn forebay(args: &[&str], keys: &Path) -> Outcome {
    let keys = [OsString::from("--keys"), keys.into()];
    command::run(args.iter().map(OsString::from).chain(keys))
}

#[test]
fn a_key_file_is_for_its_owner_alone_and_listing_shows_no_secret() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let first = forebay(&["keys", "gen"], &keys).ok().stdout.trim().to_owned();
    assert_eq!(fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let second = forebay(&["keys", "gen"], &keys).ok().stdout.trim().to_owned();
    assert_ne!(first, second);
    let listed = forebay(&["keys", "list"], &keys).ok().stdout;
    assert!(listed.contains(&first) && listed.contains(&second), "{listed}");
    let file: serde_json::Value = serde_json::from_slice(&fs::read(&keys).unwrap()).unwrap();
    let mut secrets = Vec::new();
    collect_secrets(&file, &mut secrets);
    assert!(secrets.len() >= 2, "{} secrets in the key file", secrets.len());
    assert!(secrets.iter().all(|secret| !listed.contains(secret.as_str())), "a secret is listed");
}

/// Long texts of a key file that are no names: its secrets.
fn collect_secrets(value: &serde_json::Value, secrets: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) if text.len() >= 40 => secrets.push(text.clone()),
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect_secrets(value, secrets)),
        serde_json::Value::Object(fields) => {
            fields.values().for_each(|value| collect_secrets(value, secrets))
        }
        _ => {}
    }
}

#[test]
fn verify_says_what_the_gate_would() {
    let site = Site::new();
    let token = site.token("/vod/film/**");
    let verify = |token: &str, path: &str, verb: &str| {
        forebay(&["token", "verify", token, "--path", path, "--verb", verb], &site.keys())
    };
    assert!(verify(&token, "/vod/film/main.m3u8", "play").ok().stdout.contains("ok"));
    for (path, verb, reason) in
        [("/vod/other/main.m3u8", "play", "wrong_path"), ("/vod/film/main.m3u8", "publish", "wrong_verb")]
    {
        let denied = verify(&token, path, verb);
        assert_eq!(denied.code(), 1);
        assert!(denied.stderr.contains(reason), "{}", denied.stderr);
    }
    let stranger = Site::new().token("/vod/film/**");
    assert!(verify(&stranger, "/vod/film/main.m3u8", "play").stderr.contains("unknown_key"));
    verify("nonsense", "/vod/film/main.m3u8", "play").is_one_line_of_refusal();
}

#[test]
fn inspect_shows_what_a_token_says_and_never_its_key() {
    let site = Site::new();
    let token = site.mint(&["--path", "/vod/film/**", "--verb", "play", "--ttl", "6h", "--subject", "anna"]);
    let shown = command::run(["token", "inspect", &token]).ok().stdout;
    for word in ["/vod/film/**", "play", "anna"] {
        assert!(shown.contains(word), "{word} is not in {shown}");
    }
    assert!(!shown.contains(&token), "the token itself is no news");
    command::run(["token", "inspect", "nonsense"]).is_one_line_of_refusal();
}

#[test]
fn an_older_key_stays_good_when_a_new_one_signs() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let old = site.entry("film");
    forebay(&["keys", "gen"], &site.keys()).ok();
    let new = site.entry("film");
    assert_ne!(old, new);
    let daemon = site.serve();
    assert_eq!((daemon.get(&old).status, daemon.get(&new).status), (200, 200));
}

#[test]
fn what_cannot_be_minted_is_refused() {
    let site = Site::new();
    let mint = |args: &[&str]| forebay(&[&["token", "mint"][..], args].concat(), &site.keys());
    for args in [
        &["--path", "vod/film", "--ttl", "6h"][..],
        &["--path", "/vod/**", "--ttl", "0s"],
        &["--path", "/vod/**", "--ttl", "-1h"],
        &["--path", "/vod/**", "--ttl", "soon"],
        &["--path", "/vod/**", "--verb", "watch"],
        &["--path", "/vod/../**"],
        &["--path", "/vod/**", "--kid", "nobody"],
        &[],
    ] {
        let outcome = mint(args);
        assert_ne!(outcome.code(), 0, "{args:?} gave {}", outcome.stdout);
        assert!(
            outcome.stdout.is_empty() && !outcome.stderr.contains("panicked"),
            "{args:?}: {}",
            outcome.stderr
        );
    }
    let missing = command::run(["keys", "list", "--keys", "/nonexistent/keys"]);
    missing.is_one_line_of_refusal();
}
