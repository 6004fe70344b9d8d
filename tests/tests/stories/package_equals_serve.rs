//! A static folder written by `forebay package` holds the bytes that `forebay serve` gives.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use forebay_tests::inputs::{foreign, ours};
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::oracle::{fidelity, playlists, rules};
use forebay_tests::rig::command;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

fn package(inputs: &[PathBuf], out: &Path) -> Presentation {
    let head = [OsString::from("package")].into_iter().chain(inputs.iter().map(OsString::from));
    command::run(head.chain([OsString::from("--out"), out.into()])).ok();
    Presentation::follow("/main.m3u8", |path| fs::read(out.join(&path[1..])).unwrap())
}

#[test]
fn the_static_folder_is_what_the_server_gives() {
    let shaka = foreign::all().into_iter().find(|asset| asset.name == "shaka").unwrap().files;
    for (name, files) in [("one", vec![ours::moov_last()]), ("two", shaka)] {
        // `package` cuts as a server with an empty config does.
        let site = Site::new().with("segments", "target", "\"6s\"").with("transcode", "gop", "\"2s\"");
        site.place(name, &files.iter().map(PathBuf::as_path).collect::<Vec<_>>());
        let daemon = site.serve();
        let served = follow(&daemon, &site.entry(name));
        let out = tempfile::tempdir().unwrap();
        let packaged = package(&files, out.path());
        assert_eq!(packaged.renditions.len(), served.renditions.len(), "{name}");
        for (still, live) in packaged.renditions.iter().zip(&served.renditions) {
            let what = format!("{name}: {} and {}", still.path, live.path);
            assert_eq!(still.text, live.text, "{what}");
            assert!(still.init == live.init, "{what}: init");
            assert_eq!(still.segments.len(), live.segments.len(), "{what}");
            for (mine, theirs) in still.segments.iter().zip(&live.segments) {
                assert!(mine.bytes == theirs.bytes, "{what}: {} and {}", mine.path, theirs.path);
            }
        }
    }
}

#[test]
fn the_static_folder_plays_by_itself() {
    let out = tempfile::tempdir().unwrap();
    let source = ours::moov_first();
    let packaged = package(std::slice::from_ref(&source), out.path());
    playlists::agree(&packaged);
    rules::check(&packaged);
    let playlist = out.path().join(&packaged.video()[0].path[1..]);
    fidelity::pictures(&playlist, &source, "v:0");
    fidelity::packets(packaged.video()[0], &playlist, &source, "v:0");
}

#[test]
fn packaging_twice_gives_the_same_folder() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let input = [ours::moov_last()];
    assert!(package(&input, one.path()).objects() == package(&input, other.path()).objects());
}

#[test]
fn what_cannot_be_packaged_leaves_no_folder_that_looks_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (input, out) = (dir.path().join("text.mp4"), dir.path().join("out"));
    fs::write(&input, "this is no film").unwrap();
    let outcome = command::run(["package".as_ref(), input.as_os_str(), "--out".as_ref(), out.as_os_str()]);
    outcome.is_one_line_of_refusal();
    assert!(!out.join("main.m3u8").exists());
}
