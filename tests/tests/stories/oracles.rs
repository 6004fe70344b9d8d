//! The oracles themselves: they accept what ffmpeg made, and they notice when it is spoilt.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use forebay_tests::inputs::{foreign, ours};
use forebay_tests::oracle::fragments::Fragments;
use forebay_tests::oracle::hls::{Presentation, Rendition};
use forebay_tests::oracle::{doctor, fidelity, media, playlists, rules};
use forebay_tests::rig::tool::{self, tool};
use tempfile::TempDir;

/// ffmpeg's own HLS of a clip: one variant, one audio rendition.
fn made_by_ffmpeg() -> (TempDir, PathBuf) {
    let source = ours::moov_last();
    let dir = tempfile::tempdir().unwrap();
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-i"])
        .arg(&source)
        .args(["-map", "0:v", "-map", "0:a", "-c", "copy"]);
    ffmpeg.args(["-f", "hls", "-hls_time", "2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]);
    ffmpeg.args(["-hls_flags", "independent_segments", "-hls_segment_filename", "%v-%d.m4s"]);
    ffmpeg.args(["-hls_fmp4_init_filename", "init-%v.mp4", "-master_pl_name", "main.m3u8"]);
    ffmpeg.args(["-var_stream_map", "a:0,agroup:sound v:0,agroup:sound", "%v.m3u8"]).current_dir(dir.path());
    tool::bytes(&mut ffmpeg);
    (dir, source)
}

fn follow(dir: &Path) -> Presentation {
    Presentation::follow("/main.m3u8", |path| fs::read(dir.join(&path[1..])).unwrap())
}

fn is_caught(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_err()
}

#[test]
fn what_ffmpeg_made_is_read_alike_by_all() {
    let (dir, source) = made_by_ffmpeg();
    let presentation = follow(dir.path());
    playlists::agree(&presentation);
    assert_eq!((presentation.video().len(), presentation.audio().len()), (1, 1));
    let read = Fragments::of(presentation.video()[0]);
    assert_eq!((read.handler.as_str(), read.samples(), read.segments.len()), ("vide", 200, 4));
    let file = |rendition: &Rendition| dir.path().join(&rendition.path[1..]);
    let (video, audio) = (presentation.video()[0], presentation.audio()[0]);
    fidelity::packets(video, file(video), &source, "v:0");
    fidelity::packets(audio, file(audio), &source, "a:0");
    fidelity::pictures(file(video), &source, "v:0");
}

#[test]
fn a_lost_segment_is_noticed() {
    let (dir, source) = made_by_ffmpeg();
    let presentation = follow(dir.path());
    let video = presentation.video()[0].clone();
    let playlist = dir.path().join(&video.path[1..]);
    let second = video.segments[1].path.trim_start_matches('/').to_owned();
    let text = fs::read_to_string(&playlist).unwrap();
    let shorter = text.replace(&format!("#EXTINF:2.000000,\n{second}\n"), "");
    assert_ne!(shorter, text, "nothing was taken out of:\n{text}");
    fs::write(&playlist, shorter).unwrap();
    assert!(is_caught(|| _ = fidelity::packets(&video, &playlist, &source, "v:0")));
    assert!(is_caught(|| fidelity::pictures(&playlist, &source, "v:0")));
    assert!(is_caught(|| rules::check(&follow(dir.path()))));
}

#[test]
fn a_wrong_duration_in_a_playlist_is_noticed() {
    let (dir, _) = made_by_ffmpeg();
    let mut presentation = follow(dir.path());
    presentation.renditions[0].segments[2].seconds = 1.0;
    assert!(is_caught(|| playlists::agree(&presentation)));
}

/// A live playlist with all that low latency has: parts, a gap, a discontinuity, a hint, a report and a date range.
const LIVE: &str = "#EXTM3U
#EXT-X-VERSION:6
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.0,PART-HOLD-BACK=1.002,HOLD-BACK=6.0
#EXT-X-PART-INF:PART-TARGET=0.334
#EXT-X-MEDIA-SEQUENCE:100
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI=\"init-00c0ffee.mp4\"
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00.000Z
#EXTINF:2.000000,
100.m4s
#EXT-X-GAP
#EXTINF:0.333333,
101.m4s
#EXT-X-DISCONTINUITY
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:04.000Z
#EXT-X-DATERANGE:ID=\"splice-1\",START-DATE=\"2026-01-01T00:00:05.000Z\",DURATION=1.0
#EXT-X-PART:DURATION=0.333333,URI=\"102.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.333333,URI=\"102.1.m4s\"
#EXTINF:0.666666,
102.m4s
#EXT-X-PART:DURATION=0.333333,URI=\"103.0.m4s\",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.333333,URI=\"103.1.m4s\",GAP=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"103.2.m4s\"
#EXT-X-RENDITION-REPORT:URI=\"../audio/index.m3u8\",LAST-MSN=103,LAST-PART=1
";

#[test]
fn a_live_playlist_is_read_alike_by_all() {
    let map = "#EXT-X-MAP:URI=\"init-00c0ffee.mp4\"\n";
    let (head, rest) = LIVE
        .replace("VERSION:6", "VERSION:9")
        .split_once(map)
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let update = head + "#EXT-X-SKIP:SKIPPED-SEGMENTS=1\n" + rest.split_once("100.m4s\n").unwrap().1;
    let ended = LIVE.split("#EXT-X-PART:DURATION=0.333333,URI=\"103.0").next().unwrap().to_owned()
        + "#EXT-X-ENDLIST\n";
    let texts = [LIVE, &update, &ended];
    playlists::agree_live(&texts);
    doctor::finds_nothing(&texts);
    let odd = LIVE.replacen("#EXTINF:2.000000,", "#EXTINF:0x2,", 1);
    assert!(is_caught(|| playlists::agree_live(&[&odd])));
    let long = LIVE.replace("PART-TARGET=0.334", "PART-TARGET=0.3");
    assert_eq!(doctor::findings(&[LIVE, &long]).len(), 4, "four parts are longer than their target");
}

#[test]
fn a_broken_picture_is_noticed() {
    let source = fs::read(ours::moov_first()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("broken.mp4");
    let mut bytes = source;
    let length = bytes.len();
    bytes[length / 2..length / 2 + 2000].fill(0);
    fs::write(&broken, bytes).unwrap();
    assert!(is_caught(|| fidelity::pictures(&broken, ours::moov_first(), "v:0")));
}

#[test]
fn the_foreign_inputs_are_what_they_should_be() {
    let all = foreign::all();
    assert!(all.len() >= 10);
    for asset in &all {
        let any = |kind| asset.files.iter().any(|file| media::has(file, kind));
        assert!(any("v") || asset.name.contains("sound-alone"), "{} has no picture", asset.name);
        assert!(
            any("a") || ["bikes", "carphone", "silent"].iter().any(|n| asset.name.contains(n)),
            "{}",
            asset.name
        );
        for file in asset.files.iter().filter(|file| media::has(file, "v")) {
            assert!(media::frames(file, "v:0").len() >= 100, "{}", file.display());
        }
    }
}
