use std::fs;
use std::path::Path;

use transcoder::publishing::{Admission, KeyRefusal, MemoryStreamKeys};

use super::super::super::tests::forebay;
use super::*;

/// A folder with a configuration, and its path.
fn place() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.toml");
    fs::write(&path, "[auth]\nrequired = false\n[database]\nurl = \"sqlite://state/forebay.db\"\n").unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

/// `forebay keys stream …` with a configuration.
fn keys(config: &str, arguments: &[&str]) -> (u8, String, String) {
    forebay(&[&["keys", "stream"], arguments, &["--config", config]].concat())
}

/// What `gen` printed after a word.
fn said<'a>(printed: &'a str, what: &str) -> &'a str {
    let line = printed.lines().find_map(|line| line.strip_prefix(what));
    line.unwrap_or_else(|| panic!("no {what:?} in {printed}")).trim_start()
}

/// What becomes of a publisher with this secret.
fn admit(config: &str, secret: &str) -> Admission {
    let secret = StreamSecret::parse(secret).unwrap().fingerprint();
    runtime().unwrap().block_on(async {
        let keys = open(Path::new(config)).await.unwrap();
        keys.admit(&secret).await.unwrap()
    })
}

#[test]
fn a_key_is_made_used_listed_and_revoked() {
    let (_folder, config) = place();
    assert_eq!(keys(&config, &["list"]), (0, String::new(), "no stream keys\n".into()));
    assert_eq!(keys(&config, &["list", "--json"]), (0, "{\"keys\":[]}\n".into(), String::new()));

    let (code, first, words) = keys(&config, &["gen", "gala"]);
    assert_eq!(code, 0);
    assert_eq!(words, "Whoever has this stream key can publish gala. It cannot be shown again.\n");
    assert_eq!((said(&first, "stream  "), said(&first, "id")), ("gala", "1"));
    assert_eq!(first.lines().count(), 3);
    let secret = said(&first, "stream key");
    assert!(secret.len() == 42 && secret.starts_with("fb-"), "{secret}");
    let admitted = Admission::Admitted { stream: "gala".parse().unwrap(), key: StreamKeyId(1) };
    assert_eq!(admit(&config, secret), admitted);

    let (code, second, _) = keys(&config, &["gen", "Gala", "--label", "Küche, links", "--expires", "90d"]);
    assert_eq!((code, said(&second, "id")), (0, "2"));
    assert_ne!(said(&second, "stream key"), secret);
    let expires = said(&second, "expires").to_owned();

    let (code, listed, words) = keys(&config, &["list"]);
    assert_eq!((code, words.as_str()), (0, ""));
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split("  ").collect()).collect();
    let cells = |line: usize| {
        let cells = lines[line].iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty());
        cells.collect::<Vec<_>>()
    };
    assert_eq!(cells(0), ["ID", "STREAM", "STATE", "CREATED", "EXPIRES", "LAST USED", "LABEL"]);
    let [id, stream, state, created, never, used, none] = cells(1)[..] else { panic!("{listed}") };
    assert_eq!([id, stream, state, never, none], ["1", "gala", "active", "-", "-"]);
    assert!(used >= created && created.starts_with("20"), "{listed}");
    let [id, stream, state, _, until, never, label] = cells(2)[..] else { panic!("{listed}") };
    assert_eq!(
        [id, stream, state, until, never, label],
        ["2", "Gala", "active", &expires, "-", "Küche, links"]
    );
    // No output but that of `gen` has anything of a secret.
    assert!(!listed.contains("fb-") && !listed.contains(&secret[3..]), "{listed}");

    assert_eq!(keys(&config, &["revoke", "1"]), (0, "key 1: revoked\n".into(), String::new()));
    assert_eq!(
        keys(&config, &["revoke", "1"]),
        (0, "key 1: had been revoked already\n".into(), String::new())
    );
    assert_eq!(admit(&config, secret), Admission::Refused(KeyRefusal::Revoked(StreamKeyId(1))));

    let json = |arguments: &[&str]| -> serde_json::Value {
        let (code, json, words) = keys(&config, &[&["list", "--json"], arguments].concat());
        assert_eq!((code, words.as_str()), (0, ""));
        assert!(!json.contains("fb-") && !json.contains("fingerprint"), "{json}");
        serde_json::from_str(&json).unwrap()
    };
    let all = json(&[]);
    assert_eq!((&all["keys"][0]["state"], &all["keys"][1]["state"]), (&json!("revoked"), &json!("active")));
    assert!(all["keys"][0]["revoked_ms"].is_i64() && all["keys"][0]["used_ms"].is_i64(), "{all}");
    let created = all["keys"][1]["created_ms"].as_i64().unwrap();
    let expected = json!({"keys": [{
        "id": 2, "stream": "Gala", "label": "Küche, links", "state": "active", "created_ms": created,
        "expires_ms": created + 90 * 86_400_000, "revoked_ms": null, "used_ms": null,
    }]});
    assert_eq!(json(&["--stream", "Gala"]), expected);
    assert_eq!(json(&["--stream", "nobody"]), json!({"keys": []}));
}

#[test]
fn a_key_whose_time_is_over_is_listed_as_expired() {
    let (_folder, config) = place();
    let (code, printed, _) = keys(&config, &["gen", "gala", "--expires", "1ms"]);
    assert_eq!(code, 0);
    let refused = Admission::Refused(KeyRefusal::Expired(StreamKeyId(1)));
    while admit(&config, said(&printed, "stream key")) != refused {}
    let (_, listed, _) = keys(&config, &["list"]);
    assert!(listed.contains("gala    expired  "), "{listed}");
}

#[test]
fn what_cannot_be_done_is_said_in_one_line() {
    let (folder, config) = place();
    keys(&config, &["gen", "gala"]);
    for id in ["2", "18446744073709551615"] {
        let expected = format!(
            "forebay: catalogue: expected to revoke a stream key, it failed: expected a key that was made, found {id}\n"
        );
        assert_eq!(keys(&config, &["revoke", id]), (1, String::new(), expected));
    }
    let (code, said, words) = keys(&config, &["gen", "gala", "--expires", "36501d"]);
    assert_eq!((code, said.as_str()), (1, ""));
    assert!(words.contains("expected a key for 1 ms to 100 years") && words.lines().count() == 1, "{words}");

    for wrong in [
        &["gen"][..],
        &["gen", "no/stream"],
        &["gen", "gala", "--expires", "soon"],
        &["gen", "gala", "--label", ""],
        &["gen", "gala", "--label", "two\nlines"],
        &["revoke", "0"],
        &["revoke", "first"],
        &["list", "--stream", ""],
    ] {
        let (code, said, words) = keys(&config, wrong);
        assert_eq!((code, said.as_str()), (2, ""), "{wrong:?} {words}");
    }
    let (code, _, words) = forebay(&["keys", "stream", "list"]);
    assert!(code == 2 && words.contains("--config"), "{words}");

    let absent = folder.path().join("absent.toml");
    let (code, said, words) = keys(absent.to_str().unwrap(), &["list"]);
    assert_eq!((code, said.as_str(), words.lines().count()), (1, "", 1));
    assert!(words.contains("absent.toml: cannot be read"), "{words}");
    fs::write(folder.path().join("state/forebay.db"), "no database, but longer than nothing".repeat(40))
        .unwrap();
    let (code, said, words) = keys(&config, &["list"]);
    assert_eq!((code, said.as_str(), words.lines().count()), (1, "", 1));
    assert!(words.starts_with("forebay: database ") && words.contains("expected a database"), "{words}");
}

#[tokio::test]
async fn keys_of_many_pages_are_all_listed() {
    let keys = MemoryStreamKeys::new(|| 0);
    for number in 0..7 {
        let stream = if number % 2 == 0 { "even" } else { "odd" }.parse().unwrap();
        let new = NewKey { stream, label: None, lifetime: None };
        keys.create(&StreamSecret::of([number; 20]).fingerprint(), &new).await.unwrap();
    }
    for page in 1..9 {
        let ids = async |stream: Option<&StreamName>| -> Vec<u64> {
            all(&keys, stream, page).await.unwrap().iter().map(|key| key.id.0).collect()
        };
        assert_eq!(ids(None).await, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ids(Some(&"even".parse().unwrap())).await, [1, 3, 5, 7]);
    }
}
