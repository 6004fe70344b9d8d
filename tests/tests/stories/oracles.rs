//! The oracles themselves: they accept what ffmpeg made, and they notice when it is spoilt.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use forebay_tests::inputs::{foreign, ours};
use forebay_tests::oracle::fragments::Fragments;
use forebay_tests::oracle::hls::{Presentation, Rendition};
use forebay_tests::oracle::{fidelity, media, playlists, rules};
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
