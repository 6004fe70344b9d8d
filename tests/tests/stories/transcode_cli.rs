//! `forebay transcode`: what it makes, what it refuses, and what is left when it is stopped.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use forebay_tests::inputs::ours::{self, Clip};
use forebay_tests::oracle::rules;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fixture;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tool::{self, tool};

use crate::watching::follow;

#[test]
fn wrong_input_is_one_clear_line_and_the_former_revision_plays_on() {
    let site = fixture::show();
    let daemon = site.serve();
    let entry = site.entry("show");
    let before = follow(&daemon, &entry);
    let stored = files(&site.store());
    for (what, input) in wrong_inputs(site.path()) {
        let outcome = site.transcode(&input, "show");
        let line = outcome.is_one_line_of_refusal();
        eprintln!("{what}: {line}");
        assert!(line.len() < 400, "{what}: {line}");
    }
    assert_eq!(files(&site.store()), stored, "something was left in the store");
    let after = follow(&daemon, &entry);
    assert!(before.objects() == after.objects(), "the published film changed");
}

fn wrong_inputs(dir: &Path) -> Vec<(&'static str, PathBuf)> {
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let film = fs::read(ours::moov_last()).unwrap();
    let sound = dir.join("sound.m4a");
    tool::bytes(
        tool("ffmpeg")
            .args(["-nostdin", "-v", "error", "-i"])
            .arg(ours::moov_last())
            .args(["-vn", "-c", "copy"])
            .arg(&sound),
    );
    vec![
        ("no such file", dir.join("nothing.mp4")),
        ("no video track", sound),
        ("a text file", file("text.mp4", &b"this is no film\n".repeat(1000))),
        ("a truncated file", file("cut.mp4", &film[..film.len() / 2])),
        ("an empty file", file("empty.mp4", b"")),
        ("a folder", dir.to_owned()),
    ]
}

#[test]
fn wrong_names_and_configs_are_one_clear_line_too() {
    let site = Site::new();
    for name in ["", "..", "a/../b", "/abs", "a b", "a\nb", "a%2fb"] {
        let outcome = site.transcode(&ours::moov_first(), name);
        assert!(outcome.code() != 0, "{name:?} was taken for a name");
        assert!(
            !outcome.stderr.contains("panicked") && !outcome.stderr.is_empty(),
            "{name:?}: {}",
            outcome.stderr
        );
    }
    assert!(files(&site.store()).is_empty());
}

#[test]
fn ctrl_c_leaves_nothing_half_published() {
    let site = fixture::show().with("transcode", "work", "\"work\"");
    fs::create_dir(site.path().join("work")).unwrap();
    let stored = files(&site.store());
    let running = site.start_transcode(&long(), "show");
    let ffmpeg = until("ffmpeg to run", || {
        descendants(running.pid()).into_iter().find(|pid| name(*pid).contains("ffmpeg"))
    });
    running.signal("INT");
    let outcome = running.finish(Duration::from_secs(30));
    assert_ne!(outcome.code(), 0, "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
    until("ffmpeg to be gone", || (!alive(ffmpeg)).then_some(()));
    assert_eq!(files(&site.store()), stored, "something was left in the store");
    assert!(files(&site.path().join("work")).is_empty(), "something was left in the work folder");
    let daemon = site.serve();
    rules::check(&follow(&daemon, &site.entry("show")));
}

#[test]
fn ffmpeg_dies_with_a_transcode_that_is_killed() {
    let site = Site::new();
    let running = site.start_transcode(&long(), "film");
    let ffmpeg = until("ffmpeg to run", || {
        descendants(running.pid()).into_iter().find(|pid| name(*pid).contains("ffmpeg"))
    });
    running.signal("KILL");
    until("ffmpeg to be gone", || (!alive(ffmpeg)).then_some(()));
    let daemon = site.serve();
    assert_eq!(daemon.get(&site.entry("film")).status, 404);
}

#[test]
fn a_new_revision_takes_over_and_who_watches_the_old_one_finishes_it() {
    let site = fixture::show();
    let daemon = site.serve();
    let entry = site.entry("show");
    let before = follow(&daemon, &entry);
    let input = Clip {
        name: "second",
        seconds: 4,
        size: "426x240",
        rate: "25",
        sound: 48_000,
        options: &["-g", "25"],
    }
    .make();
    site.transcode(&input, "show").ok();
    until("the new revision", || (daemon.get(&entry).text() != before.text).then_some(()));
    let after = follow(&daemon, &entry);
    rules::check(&after);
    assert_eq!(after.video()[0].attributes.value("RESOLUTION"), "426x240");
    for (path, bytes) in before.objects().iter().skip(1) {
        assert_eq!(daemon.get(path).is(200).body, *bytes, "{path}");
    }
}

#[test]
fn every_sound_language_and_odd_source_is_taken_as_it_is() {
    // 29.97 frames per second, an odd shape, two languages.
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("odd.mkv");
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args([
        "-nostdin",
        "-v",
        "error",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=358x202:rate=30000/1001:duration=5",
    ]);
    for frequency in ["440", "880"] {
        ffmpeg.args([
            "-f",
            "lavfi",
            "-i",
            &format!("sine=frequency={frequency}:sample_rate=44100:duration=5"),
        ]);
    }
    ffmpeg.args([
        "-map", "0", "-map", "1", "-map", "2", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac",
    ]);
    ffmpeg.args(["-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"]);
    tool::bytes(ffmpeg.arg(&input));
    let site = Site::new();
    site.transcode(&input, "odd").ok();
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("odd"));
    rules::check(&presentation);
    let languages: BTreeSet<&str> =
        presentation.audio().iter().map(|r| r.attributes.value("LANGUAGE")).collect();
    // BCP 47 prefers the shortest code (RFC 5646 §2.2.1).
    assert_eq!(languages, BTreeSet::from(["de", "en"]));
    assert!(presentation.video().iter().all(|r| r.attributes.value("FRAME-RATE") == "29.970"));
}

fn long() -> PathBuf {
    Clip {
        name: "long",
        seconds: 40,
        size: "1280x720",
        rate: "30",
        sound: 48_000,
        options: &["-g", "60", "-preset", "ultrafast"],
    }
    .make()
}

/// Every file below `dir`, from `dir`.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let (mut found, mut folders) = (BTreeSet::new(), vec![dir.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(dir).unwrap().to_owned());
            }
        }
    }
    found
}

/// The processes below `pid`.
fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return found };
    for thread in threads.flatten() {
        let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse().ok()) {
            found.push(child);
            found.extend(descendants(child));
        }
    }
    found
}

fn name(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// Whether a process does anything: one that ended and was not asked about yet does not.
fn alive(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z') && !line.contains('X'))
}
