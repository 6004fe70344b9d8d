use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::*;

/// What a stream was written.
#[derive(Clone, Default)]
pub(super) struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// Code, standard output and standard error of a command line.
pub(super) fn forebay<A: AsRef<Path>>(arguments: &[A]) -> (u8, String, String) {
    let (results, words) = (Buffer::default(), Buffer::default());
    let arguments = arguments.iter().map(|argument| argument.as_ref().as_os_str().to_owned());
    let output = Output::buffers(results.clone(), words.clone());
    let code = run(std::iter::once("forebay".into()).chain(arguments), &output);
    (code, results.text(), words.text())
}

/// A folder with the key file `keys.json`, and its path.
fn keys(kid: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys.json").to_str().unwrap().to_owned();
    let (code, printed, _) = forebay(&["keys", "gen", "--keys", &path, "--kid", kid]);
    assert_eq!((code, printed), (0, format!("{kid}\n")));
    (folder, path)
}

#[test]
fn the_command_line_is_sound() {
    Forebay::command().debug_assert();
}

#[test]
fn a_wrong_command_line_is_code_2_and_help_is_code_0() {
    for wrong in [
        &[][..],
        &["juggle"],
        &["keys"],
        &["token", "mint"],
        &["check", "--config"],
        &["check", "--conf", "x"],
    ] {
        let (code, results, words) = forebay(wrong);
        assert_eq!((code, results.as_str()), (2, ""), "{wrong:?} {words}");
        assert!(words.contains("Usage") || words.starts_with("error: "), "{words}");
    }
    let (code, results, _) = forebay(&["--help"]);
    assert!(code == 0 && results.contains("transcode"), "{results}");
    let (code, results, _) = forebay(&["--version"]);
    assert_eq!((code, results), (0, format!("forebay {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn the_secret_is_shown_only_on_request() {
    let (_folder, path) = keys("k1");
    let file = fs::read_to_string(&path).unwrap();
    let secret = file.split("\"secret\":\"").nth(1).unwrap().split('"').next().unwrap();
    let (code, listed, words) = forebay(&["keys", "list", "--keys", &path]);
    assert_eq!((code, listed.as_str(), words.as_str()), (0, "active    k1  signs\n", ""));

    let (code, shown, _) = forebay(&["keys", "gen", "--keys", &path, "--show"]);
    assert_eq!(code, 0);
    let shown = authz::KeySet::parse(&shown).unwrap();
    let kid = shown.signer().unwrap().id().to_string();
    assert!(kid.len() == 17 && kid.starts_with('k'), "{kid}");
    let (_, listed, _) = forebay(&["keys", "list", "--keys", &path]);
    assert_eq!(listed, format!("active    k1\nactive    {kid}  signs\n"));
    assert!(fs::read_to_string(&path).unwrap().contains(secret));
}

#[test]
fn a_key_is_never_replaced() {
    let (_folder, path) = keys("k1");
    let before = fs::read(&path).unwrap();
    let (code, _, words) = forebay(&["keys", "gen", "--keys", &path, "--kid", "k1"]);
    assert_eq!(code, 1);
    assert!(words.starts_with("forebay: key file ") && words.lines().count() == 1, "{words}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_minted_token_is_verified_and_inspected() {
    let (_folder, path) = keys("k1");
    let mint =
        ["token", "mint", "--keys", &path, "--path", "/vod/show/**", "--ttl", "90m", "--subject", "ana"];
    let (code, token, words) = forebay(&mint);
    let token = token.trim_end();
    assert_eq!((code, words.as_str()), (0, ""));

    let verify = |token: &str, path_: &str, verb: &str| {
        forebay(&["token", "verify", token, "--path", path_, "--verb", verb, "--keys", &path])
    };
    let (code, said, _) = verify(token, "/vod/show/main.m3u8", "play");
    assert!(code == 0 && said.starts_with("ok until 2"), "{said}");
    for (token, path, verb, reason) in [
        (token, "/vod/other/main.m3u8", "play", "wrong_path"),
        (token, "/vod/show/main.m3u8", "manage", "wrong_verb"),
        (&token[..token.len() - 2], "/vod/show/main.m3u8", "play", "malformed"),
        ("", "/vod/show/main.m3u8", "play", "malformed"),
    ] {
        let (code, said, words) = verify(token, path, verb);
        assert_eq!((code, said.as_str()), (1, ""), "{words}");
        assert!(words.starts_with(&format!("forebay: denied: {reason}: ")), "{words}");
    }

    let (code, said, _) = forebay(&["token", "inspect", token]);
    assert_eq!(code, 0);
    for piece in ["not verified", "k1", "/vod/show/**", "play", "ana"] {
        assert!(said.contains(piece), "{said}");
    }
}

#[test]
fn what_cannot_be_minted_is_refused() {
    let (_folder, path) = keys("k1");
    for (args, code, said) in [
        (&["--path", "vod/show"][..], 1, ""),
        (&["--path", "/vod/../**"], 1, ""),
        (&["--path", "/vod/**", "--ttl", "0s"], 1, "expected a ttl of at least 1s"),
        (&["--path", "/vod/**", "--ttl", "999ms"], 1, "expected a ttl of at least 1s"),
        (&["--path", "/vod/**", "--ttl", "9999999d"], 1, ""),
        (&["--path", "/vod/**", "--ttl", "soon"], 2, "expected a time such as"),
        (&["--path", "/vod/**", "--verb", "watch"], 2, ""),
        (&["--path", "/vod/**", "--kid", "nobody"], 1, "expected a key to sign with"),
        (&["--path", "/vod/**", "--base-url", "https://x"], 2, ""),
        (&[], 2, ""),
    ] {
        let (found, results, words) = forebay(&[&["token", "mint", "--keys", &path][..], args].concat());
        assert_eq!((found, results.as_str()), (code, ""), "{args:?} {words}");
        assert!(words.contains(said) && !words.is_empty(), "{args:?} {words}");
    }
}

#[test]
fn a_signed_url_is_one_that_the_gate_lets_in() {
    let (_folder, path) = keys("k1");
    let base = "https://media.example.com/";
    let (code, url, words) =
        forebay(&["token", "mint", "--keys", &path, "--asset", "show", "--base-url", base]);
    assert_eq!((code, words.as_str()), (0, ""));
    let request = url.trim_end().strip_prefix("https://media.example.com").unwrap();
    let headers = http::HeaderMap::new();
    let lifted = authz::Carrier::default().lift(request, &headers).unwrap();
    assert_eq!(lifted.path.as_str(), "/vod/show/main.m3u8");
    let (code, ..) =
        forebay(&["token", "verify", lifted.token.unwrap(), "--path", "/vod/show/7/a.m4s", "--keys", &path]);
    assert_eq!(code, 0);
    for bad in ["media.example.com", "https://", "ftp://x", "https://x/y"] {
        let (code, said, words) =
            forebay(&["token", "mint", "--keys", &path, "--asset", "show", "--base-url", bad]);
        assert_eq!((code, said.as_str()), (1, ""), "{bad}");
        assert!(words.contains("expected a base url"), "{words}");
    }
}

#[test]
fn a_configuration_bounds_the_tokens_that_are_minted_for_it() {
    let (folder, _) = keys("k1");
    let config = folder.path().join("forebay.toml");
    fs::write(&config, "[auth]\nkeys = \"keys.json\"\nmax_ttl = \"1h\"\n").unwrap();
    let config = config.to_str().unwrap();
    let mint = |ttl| forebay(&["token", "mint", "--config", config, "--asset", "show", "--ttl", ttl]);
    let (code, token, _) = mint("1h");
    assert_eq!(code, 0);
    let (code, ..) =
        forebay(&["token", "verify", token.trim_end(), "--path", "/vod/show/x", "--config", config]);
    assert_eq!(code, 0);
    let (code, _, words) = mint("61m");
    assert_eq!(
        (code, words.as_str()),
        (1, "forebay: expected a ttl of at most auth.max_ttl = 1h, found 1h1m\n")
    );
}

#[test]
fn a_sender_and_a_viewer_of_a_live_stream_have_tokens_of_their_own() {
    let (folder, _) = keys("k1");
    let config = folder.path().join("forebay.toml");
    fs::write(&config, "[auth]\nkeys = \"keys.json\"\n").unwrap();
    let config = config.to_str().unwrap();
    let mint = |verb, path| {
        let (code, token, words) =
            forebay(&["token", "mint", "--config", config, "--verb", verb, "--path", path]);
        assert_eq!((code, words.as_str()), (0, ""));
        token
    };
    let (sender, viewer) = (mint("publish", "/ingest/show/**"), mint("play", "/live/show/**"));
    for (token, verb, path, reason) in [
        (&sender, "publish", "/ingest/show/video-720", None),
        (&sender, "publish", "/ingest/show/Streams(video-720.cmfv)", None),
        (&sender, "publish", "/ingest/other/video-720", Some("wrong_path")),
        (&sender, "play", "/live/show/main.m3u8", Some("wrong_verb")),
        (&viewer, "play", "/live/show/main.m3u8", None),
        (&viewer, "play", "/live/show/7/video-720/42.3.m4s", None),
        (&viewer, "play", "/live/other/main.m3u8", Some("wrong_path")),
        (&viewer, "publish", "/ingest/show/video-720", Some("wrong_verb")),
    ] {
        let (code, _, words) = forebay(&[
            "token",
            "verify",
            token.trim_end(),
            "--config",
            config,
            "--verb",
            verb,
            "--path",
            path,
        ]);
        let denied = reason.map(|reason| format!("forebay: denied: {reason}: "));
        assert_eq!(code == 0, denied.is_none(), "{verb} {path} {words}");
        assert!(words.starts_with(&denied.unwrap_or_default()), "{verb} {path} {words}");
    }
}

#[test]
fn check_names_every_fault_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    fs::write(&path, "[auth]\nrequired = false\n[cache]\nmemroy = \"1GiB\"\nblock = \"lots\"\n").unwrap();
    let (code, results, words) = forebay(&["check".as_ref(), "--config".as_ref(), path.as_path()]);
    assert_eq!((code, results.as_str()), (1, ""));
    let lines: Vec<&str> = words.lines().collect();
    assert_eq!(lines.len(), 2, "{words}");
    let place = path.display();
    assert_eq!(lines[0], format!("{place}: line 4: cache.memroy: unknown key; did you mean memory?"));
    assert!(lines[1].starts_with(&format!("{place}: line 5: cache.block: expected a size")), "{words}");
}

#[test]
fn check_of_a_sound_file_says_what_it_means() {
    let (folder, _) = keys("k1");
    let path = folder.path().join("forebay.toml");
    fs::write(&path, "[auth]\nkeys = \"keys.json\"\n[limits]\nkeepalive = \"1m\"\n").unwrap();
    let (code, results, words) = forebay(&["check".as_ref(), "--config".as_ref(), path.as_path()]);
    assert_eq!(code, 0);
    assert!(results.starts_with("ok\nhttp       127.0.0.1:8080\n"), "{results}");
    assert!(results.contains("keys       1 of ") && results.contains("signing: k1"), "{results}");
    assert!(results.ends_with("live       2s in 6 parts, window 1m, memory 1GiB\n"), "{results}");
    assert!(words.starts_with("forebay: warning: limits.keepalive"), "{words}");
}

#[test]
fn a_missing_file_is_one_line() {
    let (code, results, words) = forebay(&["check", "--config", "no/such/forebay.toml"]);
    assert_eq!((code, results.as_str()), (1, ""));
    assert_eq!(
        words,
        "forebay: no/such/forebay.toml: cannot be read: No such file or directory (os error 2)\n"
    );
}

#[test]
fn an_error_is_one_line_and_says_nothing_twice() {
    #[derive(Debug, thiserror::Error)]
    #[error("outer: {source}")]
    struct Outer {
        source: Inner,
    }
    #[derive(Debug, thiserror::Error)]
    #[error("inner\nline")]
    struct Inner(#[source] io::Error);
    let error = Outer { source: Inner(io::Error::other("root")) };
    assert_eq!(chain(&error), "outer: inner line: root");
}
