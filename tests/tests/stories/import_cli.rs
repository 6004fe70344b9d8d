//! `forebay import`: HLS of others becomes an asset, sample for sample, from a folder and from a server.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use forebay_tests::inputs::hls;
use forebay_tests::oracle::hls::{Presentation, Rendition};
use forebay_tests::oracle::{fidelity, media, playlists, rules, tags};
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::host::{Asked, Host, Reply};
use forebay_tests::rig::player::{Pages, Player};
use forebay_tests::rig::site::Site;

use crate::watching::follow;

/// Digests of the decoded pictures, and of the packets of sound.
fn pictures(input: impl AsRef<std::ffi::OsStr>) -> Vec<String> {
    media::frames(input, "v:0").into_iter().map(|frame| frame.digest).collect()
}

fn sounds(input: impl AsRef<std::ffi::OsStr>) -> Vec<String> {
    media::packets(input, "a:0").into_iter().map(|packet| packet.digest).collect()
}

/// The durations of the segments, as a playlist has them.
fn lengths(text: &str) -> Vec<String> {
    tags::all(text, "EXTINF").iter().map(|tag| tag.trim_end_matches(',').to_owned()).collect()
}

/// A source's rendition as one file.
fn joined(folder: &Path, rendition: &str, to: &Path) -> PathBuf {
    let text = fs::read_to_string(folder.join(rendition).join("index.m3u8")).unwrap();
    let init = text.split("URI=\"").nth(1).unwrap().split('"').next().unwrap();
    let mut whole = fs::read(folder.join(rendition).join(init)).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        whole.extend(fs::read(folder.join(rendition).join(line)).unwrap());
    }
    let file = to.join(format!("{rendition}.mp4"));
    fs::write(&file, whole).unwrap();
    file
}

fn is_sound(presentation: &Presentation) {
    playlists::agree(presentation);
    rules::check(presentation);
}

fn url(daemon: &Daemon, rendition: &Rendition) -> String {
    daemon.url(&rendition.path)
}

#[test]
fn a_ladder_with_two_languages_is_served_as_it_was() {
    let (site, source) = (Site::new(), hls::ladder());
    let told = site.import(source.join("main.m3u8"), "film", &[]).ok();
    assert_eq!(told.stdout, "film 1: 4 tracks published\n");
    assert!(told.stderr.starts_with("2 renditions with pictures, 2 of sound alone, 8"), "{}", told.stderr);
    assert!(!told.stderr.contains("note:"), "{}", told.stderr);
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("film"));
    is_sound(&presentation);
    let (dir, mut shifts) = (tempfile::tempdir().unwrap(), Vec::new());
    for (served, (height, rendition)) in presentation.video().iter().zip([("360", "v0"), ("180", "v1")]) {
        assert!(served.attributes.value("RESOLUTION").ends_with(height));
        let original = source.join(rendition).join("index.m3u8");
        assert_eq!(lengths(&served.text), lengths(&fs::read_to_string(&original).unwrap()), "{rendition}");
        assert_eq!(pictures(url(&daemon, served)), pictures(&original), "{rendition}");
        let whole = joined(&source, rendition, dir.path());
        shifts.push(fidelity::packets(served, url(&daemon, served), &whole, "v:0"));
    }
    for (served, (language, rendition)) in presentation.audio().iter().zip([("en", "v2"), ("de", "v3")]) {
        assert_eq!(served.attributes.value("LANGUAGE"), language);
        assert_eq!(served.attributes.value("DEFAULT"), if language == "en" { "YES" } else { "NO" });
        assert_eq!(sounds(url(&daemon, served)), sounds(source.join(rendition).join("index.m3u8")));
        let whole = joined(&source, rendition, dir.path());
        shifts.push(fidelity::packets(served, url(&daemon, served), &whole, "a:0"));
    }
    let apart = shifts.iter().map(|shift| (shift.0 - shifts[0].0).abs()).fold(0.0, f64::max);
    assert!(apart < fidelity::SYNC, "sound and picture moved apart by {apart} s");
}

#[test]
fn sound_beside_the_pictures_becomes_a_rendition_of_its_own() {
    let (site, source) = (Site::new(), hls::muxed());
    // A media playlist is a source too.
    for (asset, entry) in [("film", "main.m3u8"), ("alone", "v0/index.m3u8")] {
        let told = site.import(source.join(entry), asset, &[]).ok();
        assert_eq!(told.stdout, format!("{asset} 1: 2 tracks published\n"));
    }
    let daemon = site.serve();
    let original = source.join("v0/index.m3u8");
    for asset in ["film", "alone"] {
        let presentation = follow(&daemon, &site.entry(asset));
        is_sound(&presentation);
        assert_eq!(pictures(url(&daemon, presentation.video()[0])), pictures(&original));
        assert_eq!(sounds(url(&daemon, presentation.audio()[0])), sounds(&original));
    }
}

/// A server of a folder that wants a query with everything but the entry, moves the entry, and fails each first time.
fn moody(folder: PathBuf) -> Host {
    let seen = Mutex::new(BTreeSet::new());
    Host::start(move |asked: &Asked| {
        let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
        if path == "/film.m3u8" {
            return Reply::redirect("/deep/main.m3u8?key=1");
        }
        if query != "key=1" {
            return Reply::status(403);
        }
        if seen.lock().unwrap().insert((asked.target.clone(), asked.range)) {
            return Reply::status(503);
        }
        let Ok(bytes) = fs::read(folder.join(path.trim_start_matches("/deep/"))) else {
            return Reply::nothing();
        };
        if !path.ends_with(".m3u8") {
            return Reply::file(asked, &bytes);
        }
        let signed = |line: &str| match line.starts_with('#') {
            true => line.replace(".m3u8\"", ".m3u8?key=1\"").replace(".mp4\"", ".mp4?key=1\""),
            false if line.is_empty() => String::new(),
            false => format!("{line}?key=1"),
        };
        let text = String::from_utf8(bytes).unwrap();
        let text: Vec<String> = text.lines().map(signed).collect();
        Reply::of("application/vnd.apple.mpegurl", text.join("\n") + "\n")
    })
}

#[test]
fn a_server_is_asked_again_where_it_leads_and_for_ranges() {
    let (site, source) = (Site::new(), hls::ranges());
    let host = moody(source.clone());
    let told = site.import(host.url("/film.m3u8"), "film", &[]).ok();
    assert_eq!(told.stdout, "film 1: 2 tracks published\n", "{}", told.stderr);
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("film"));
    is_sound(&presentation);
    let original = |rendition: &str| source.join(rendition).join("index.m3u8");
    let (video, sound) = (presentation.video()[0], presentation.audio()[0]);
    assert_eq!(lengths(&video.text), lengths(&fs::read_to_string(original("v0")).unwrap()));
    assert_eq!(pictures(url(&daemon, video)), pictures(original("v0")));
    assert_eq!(sounds(url(&daemon, sound)), sounds(original("v1")));
    // The same from the folder gives the same objects.
    site.import(source.join("main.m3u8"), "film", &[]).ok();
    for name in ["video-360.mp4", "video-360.idx", "audio-und.mp4", "audio-und.idx"] {
        let read = |revision: &str| fs::read(site.asset("film").join(revision).join(name)).unwrap();
        assert!(read("1") == read("2"), "{name}");
    }
}

#[test]
fn timelines_that_start_anew_are_laid_one_after_the_other() {
    let (site, source) = (Site::new(), hls::two_parts());
    let told = site.import(source.join("main.m3u8"), "film", &[]).ok();
    assert_eq!(told.stdout, "film 1: 4 tracks published\n", "{}", told.stderr);
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("film"));
    is_sound(&presentation);
    let parts = [hls::ladder(), hls::second()];
    for (served, rendition) in presentation.video().iter().zip(["v0", "v1"]) {
        assert_eq!(served.segments.len(), 4 + 3, "{}", served.text);
        let whole: Vec<String> =
            parts.iter().flat_map(|part| pictures(part.join(rendition).join("index.m3u8"))).collect();
        assert_eq!(pictures(url(&daemon, served)), whole, "{rendition}");
    }
    for (served, rendition) in presentation.audio().iter().zip(["v2", "v3"]) {
        let [first, second] = parts.each_ref().map(|part| sounds(part.join(rendition).join("index.m3u8")));
        let found = sounds(url(&daemon, served));
        // The second part's priming is heard by nobody.
        let dropped = first.len() + second.len() - found.len();
        assert!(dropped <= 2, "{dropped} frames of sound are gone");
        assert_eq!(found, [first, second[dropped..].to_vec()].concat(), "{rendition}");
    }
    // Everything is one timeline, on which sound and pictures end together.
    let end = |rendition: &Rendition| rendition.segments.iter().map(|segment| segment.seconds).sum::<f64>();
    let ends: Vec<f64> = presentation.renditions.iter().map(end).collect();
    assert!(ends.iter().all(|end| (end - ends[0]).abs() < 0.1 && (13.9..14.2).contains(end)), "{ends:?}");
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    let viewing = pages.play(&browser, Player::Classic, &daemon.url(&site.entry("film")));
    // Across the place where the parts meet.
    let report = viewing.plays(Duration::from_secs(10), Duration::from_secs(60));
    assert_eq!(report.accusations(), Vec::<String>::new(), "{report}");
    assert!(report.frames() > 150, "{report}");
}
