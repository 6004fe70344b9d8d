//! `forebay check` names every fault of a config file with its line.

use std::fs;
use std::path::Path;

use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::site::Site;

fn check(config: &Path) -> Outcome {
    command::run(["check".as_ref(), "--config".as_ref(), config.as_os_str()])
}

#[test]
fn a_good_config_passes() {
    let (site, _certificate) = Site::new().with_tls();
    check(&site.config()).ok();
}

#[test]
fn every_fault_is_named_with_its_line_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("forebay.toml");
    let lines = [
        "[listen]",
        "http = \"nowhere\"",     // 2: no address
        "htps = \"127.0.0.1:0\"", // 3: no such key
        "[store]",
        "url = \"ftp://host/\"", // 5: no such store
        "[auth]",
        "keys = \"missing.toml\"", // 7: no such file
        "[cache]",
        "memory = \"much\"", // 9: no size
        "[nonsense]",        // 10: no such section
        "x = 1",
        "[segments]",
        "target = \"2s\"", // right, and not named
    ];
    fs::write(&config, lines.join("\n")).unwrap();
    let outcome = check(&config);
    assert_eq!(outcome.code(), 1, "{}{}", outcome.stdout, outcome.stderr);
    let text = format!("{}{}", outcome.stdout, outcome.stderr);
    for (line, word) in [(2, "http"), (3, "htps"), (5, "url"), (7, "keys"), (9, "memory"), (10, "nonsense")] {
        let marks = [format!("line {line}:"), format!(":{line}:")];
        let named =
            text.lines().any(|told| marks.iter().any(|mark| told.contains(mark)) && told.contains(word));
        assert!(named, "the fault of {word} in line {line} is not named:\n{text}");
    }
    for line in [1, 4, 6, 8, 12, 13] {
        assert!(!text.contains(&format!("line {line}:")), "line {line} has no fault:\n{text}");
    }
}

#[test]
fn what_is_no_toml_and_what_is_not_there_are_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("forebay.toml");
    let missing = check(&config);
    assert!(missing.is_one_line_of_refusal().contains("forebay.toml"), "{}", missing.stderr);
    fs::write(&config, "[listen\nhttp = 1\n").unwrap();
    let broken = check(&config);
    assert_eq!(broken.code(), 1);
    assert!(
        format!("{}{}", broken.stdout, broken.stderr).contains("1:"),
        "{}{}",
        broken.stdout,
        broken.stderr
    );
}

#[test]
fn a_server_does_not_start_with_a_config_that_has_faults() {
    let site = Site::new().with("cache", "memory", "\"much\"");
    let outcome = command::run(["serve".as_ref(), "--config".as_ref(), site.config().as_os_str()]);
    assert_eq!(outcome.code(), 1, "{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.stderr.contains("memory"), "{}", outcome.stderr);
}
