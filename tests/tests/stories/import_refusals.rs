//! What `forebay import` does not take: named, and nothing is left behind.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use forebay_tests::inputs::hls;
use forebay_tests::rig::host::{Host, Reply};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tool::{self, tool};
use tempfile::TempDir;

use crate::watching::follow;

/// A copy of a source that may be spoilt.
fn copy(source: &Path) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    tool::bytes(tool("cp").arg("-a").arg(source.join(".")).arg(dir.path()));
    dir
}

/// A copy of the ladder, one of whose files `change` has written anew.
fn spoilt(file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> TempDir {
    let dir = copy(&hls::ladder());
    let path = dir.path().join(file);
    fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    dir
}

fn text(change: impl FnOnce(String) -> String) -> impl FnOnce(Vec<u8>) -> Vec<u8> {
    |bytes| change(String::from_utf8(bytes).unwrap()).into_bytes()
}

/// Every file below a folder.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let listed = tool::text(tool("find").arg(dir).args(["-type", "f"]));
    listed.lines().map(PathBuf::from).collect()
}

/// A site whose temporary files lie in a folder of its own.
fn site() -> Site {
    let site = Site::new().with("transcode", "work", "\"work\"");
    fs::create_dir(site.path().join("work")).unwrap();
    site
}

fn nothing_is_left(site: &Site) {
    assert_eq!(files(&site.store()), BTreeSet::new(), "something was left in the store");
    assert_eq!(files(&site.path().join("work")), BTreeSet::new(), "something was left in the work folder");
}

#[test]
fn what_cannot_be_imported_is_one_line_that_says_where() {
    let index = "v0/index.m3u8";
    let cases: Vec<(TempDir, &str)> = vec![
        (
            spoilt(index, text(|t| t.replace("#EXT-X-ENDLIST\n", ""))),
            "v0/index.m3u8: expected EXT-X-ENDLIST, found none: it is live",
        ),
        (
            spoilt(
                index,
                text(|t| t.replace("#EXT-X-MAP", "#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n#EXT-X-MAP")),
            ),
            "v0/index.m3u8, segment 0 (line 9): expected segments in clear, found EXT-X-KEY",
        ),
        (
            spoilt(index, text(|t| t.replace("2.m4s", "#EXT-X-GAP\n2.m4s"))),
            "v0/index.m3u8, segment 2 (line 13): expected a segment, found EXT-X-GAP",
        ),
        (
            spoilt(
                index,
                text(|t| {
                    t.replace("#EXTINF:2.000000,\n2.m4s", "#EXT-X-DISCONTINUITY\n#EXTINF:2.000000,\n2.m4s")
                }),
            ),
            "expected 1 discontinuities as in",
        ),
        (
            spoilt("v1/2.m4s", |bytes| bytes[..bytes.len() / 2].to_vec()),
            "v1/index.m3u8, segment 2 (line 12): expected",
        ),
        (
            spoilt("v1/2.m4s", |_| Vec::new()),
            "v1/index.m3u8, segment 2 (line 12): expected bytes, found none",
        ),
        (spoilt("v2/init_2.mp4", |bytes| bytes[..100].to_vec()), "v2/index.m3u8: init segment init_2.mp4"),
        (
            spoilt("v2/init_2.mp4", |bytes| replaced(bytes, b"mp4a", b"enca")),
            "v2/index.m3u8: expected H.264 or HEVC video and AAC audio, found: codec enca is not served",
        ),
        (
            spoilt("main.m3u8", |_| b"<html>".to_vec()),
            "main.m3u8: expected a playlist that starts with #EXTM3U",
        ),
        (
            copy(&hls::ts()),
            "v0/index.m3u8, segment 0 (line 7): expected fragmented MP4 with EXT-X-MAP, found MPEG-TS",
        ),
    ];
    let site = site();
    for (source, expected) in &cases {
        let outcome = site.import(source.path().join("main.m3u8"), "film", &[]);
        assert_eq!((outcome.code(), outcome.stdout.as_str()), (1, ""), "{expected}: {}", outcome.stderr);
        let lines: Vec<&str> = outcome.stderr.lines().filter(|line| line.starts_with("forebay: ")).collect();
        assert!(lines.len() == 1 && outcome.stderr.contains(expected), "{expected}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        nothing_is_left(&site);
    }
    for (source, expected) in [
        ("nothing.m3u8", "nothing.m3u8: expected a file, found none"),
        ("ftp://host/main.m3u8?secret", "main.m3u8: expected http or https, found ftp"),
        ("http://127.0.0.1:1/t/secret/main.m3u8?secret", "main.m3u8: expected an answer, found"),
    ] {
        let outcome = site.import(source, "film", &[]);
        let line = outcome.is_one_line_of_refusal();
        assert!(line.contains(expected) && !line.contains("secret"), "{line}");
    }
}

fn replaced(bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn all_faults_are_named_and_broken_renditions_may_be_left_out() {
    let source = copy(&hls::ladder());
    for segment in ["v1/1.m4s", "v1/3.m4s"] {
        fs::remove_file(source.path().join(segment)).unwrap();
    }
    let (site, entry) = (site(), source.path().join("main.m3u8"));
    let outcome = site.import(&entry, "film", &[]);
    assert_eq!(outcome.code(), 1, "{}", outcome.stderr);
    for fault in [
        "fault: v1/index.m3u8, segment 1 (line 10): expected a file, found none\n",
        "fault: v1/index.m3u8, segment 3 (line 14): expected a file, found none\n",
        "forebay: main.m3u8: expected a presentation that can be imported, found 2 faults\n",
    ] {
        assert!(outcome.stderr.contains(fault), "{fault}: {}", outcome.stderr);
    }
    nothing_is_left(&site);
    let told = site.import(&entry, "film", &["--skip-broken"]).ok();
    assert_eq!(told.stdout, "film 1: 3 tracks published\n");
    assert!(told.stderr.contains("note: v1/index.m3u8, segment 1 (line 10)"), "{}", told.stderr);
    let daemon = site.serve();
    assert_eq!(follow(&daemon, &site.entry("film")).video().len(), 1);
}

#[test]
fn side_tracks_are_left_out_with_a_line_each() {
    let media = "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"s.m3u8\"\n\
                 #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"frames.m3u8\"\n#EXT-X-MEDIA";
    let source = spoilt("main.m3u8", text(|t| t.replacen("#EXT-X-MEDIA", media, 1)));
    let site = site();
    let told = site.import(source.path().join("main.m3u8"), "film", &[]).ok();
    let notes: Vec<&str> = told.stderr.lines().filter(|line| line.starts_with("note: ")).collect();
    let expected = [
        "note: main.m3u8: frames.m3u8: an I-frame playlist is left out",
        "note: main.m3u8: subtitles \"Deutsch\" are left out",
    ];
    assert_eq!(notes, expected);
    assert_eq!(told.stdout, "film 1: 4 tracks published\n");
}

#[test]
fn a_codec_that_is_not_served_is_left_out_where_others_show_the_same() {
    let site = site();
    let source = spoilt("v1/init_1.mp4", |bytes| replaced(bytes, b"avc1", b"vp09"));
    let told = site.import(source.path().join("main.m3u8"), "film", &[]).ok();
    assert_eq!(told.stdout, "film 1: 3 tracks published\n");
    let note =
        "note: v1/index.m3u8: expected H.264 or HEVC video and AAC audio, found: codec vp09 is not served\n";
    assert!(told.stderr.contains(note), "{}", told.stderr);
    // Sound that is lost with its pictures is missed.
    let source = copy(&hls::muxed());
    let init = source.path().join("v0/init.mp4");
    fs::write(&init, replaced(fs::read(&init).unwrap(), b"mp4a", b"ac-3")).unwrap();
    let outcome = site.import(source.path().join("main.m3u8"), "film", &[]);
    assert!(outcome.is_one_line_of_refusal().ends_with("found: codec ac-3 is not served"));
}

#[test]
fn renditions_that_do_not_fit_together_are_named() {
    let (site, source) = (site(), copy(&hls::ladder()));
    // The smaller pictures are those of a shorter film.
    let other = hls::second();
    for file in ["0.m4s", "1.m4s", "2.m4s", "init_1.mp4", "index.m3u8"] {
        fs::copy(other.join("v1").join(file), source.path().join("v1").join(file)).unwrap();
    }
    let told = site.import(source.path().join("main.m3u8"), "film", &[]).ok();
    assert_eq!(told.stdout, "film 1: 3 tracks published\n");
    let note = "note: v1/index.m3u8: video-180 left out: it ends at 6.000000 s, video-360 at 8.000000 s\n";
    assert!(told.stderr.contains(note), "{}", told.stderr);
}

#[test]
fn ctrl_c_leaves_nothing() {
    let (folder, site) = (hls::ladder(), site());
    let (asked, was_asked) = mpsc::channel();
    let host = Host::start(move |request| {
        if request.target.ends_with("v1/2.m4s") {
            let _ = asked.send(());
            std::thread::sleep(Duration::from_secs(20));
        }
        fs::read(folder.join(&request.target[1..]))
            .map_or(Reply::nothing(), |bytes| Reply::file(request, &bytes))
    });
    let running = site.start_import(host.url("/main.m3u8"), "film");
    was_asked.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(!files(&site.path().join("work")).is_empty());
    running.signal("INT");
    let outcome = running.finish(Duration::from_secs(10));
    assert_eq!(outcome.code(), 130, "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("forebay: interrupted: nothing was published\n"), "{}", outcome.stderr);
    nothing_is_left(&site);
}

#[test]
fn a_store_that_fails_leaves_the_former_revision_alone() {
    let (site, entry) = (site(), hls::ladder().join("main.m3u8"));
    site.import(&entry, "film", &[]).ok();
    let before = files(&site.store());
    // The folder of the second revision cannot be made.
    fs::write(site.asset("film").join("2"), "in the way").unwrap();
    let outcome = site.import(&entry, "film", &[]);
    assert_eq!(outcome.code(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("forebay: object vod/film/2/"), "{}", outcome.stderr);
    fs::remove_file(site.asset("film").join("2")).unwrap();
    assert_eq!(files(&site.store()), before);
    assert_eq!(files(&site.path().join("work")), BTreeSet::new());
    let daemon = site.serve();
    assert_eq!(follow(&daemon, &site.entry("film")).renditions.len(), 4);
}
