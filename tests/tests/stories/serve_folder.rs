//! A folder of MP4 files that nobody registered is an asset.

use std::fs;

use forebay_tests::inputs::ours::{self, Clip};
use forebay_tests::oracle::{fidelity, playlists, rules};
use forebay_tests::rig::site::Site;

use crate::watching::follow;

#[test]
fn a_progressive_file_is_served_wherever_its_moov_stands() {
    let site = Site::new();
    let (first, last) = (ours::moov_first(), ours::moov_last());
    site.place("first", &[&first]);
    site.place("last", &[&last]);
    let daemon = site.serve();
    let mut segments = Vec::new();
    for (asset, source) in [("first", &first), ("last", &last)] {
        let presentation = follow(&daemon, &site.entry(asset));
        playlists::agree(&presentation);
        rules::check(&presentation);
        let (video, audio) = (presentation.video()[0], presentation.audio()[0]);
        let picture = fidelity::packets(video, daemon.url(&video.path), source, "v:0");
        let sound = fidelity::packets(audio, daemon.url(&audio.path), source, "a:0");
        assert!((picture.0 - sound.0).abs() < fidelity::SYNC, "{asset}: {picture:?} and {sound:?}");
        fidelity::pictures(daemon.url(&video.path), source, "v:0");
        segments.push(
            presentation
                .renditions
                .iter()
                .flat_map(|r| r.segments.clone())
                .map(|s| s.bytes)
                .collect::<Vec<_>>(),
        );
    }
    // The samples are the same, so the segments are.
    assert!(segments[0] == segments[1], "the segments depend on where moov stands");
}

#[test]
fn sound_that_starts_before_or_after_the_picture_keeps_its_place() {
    let site = Site::new();
    for (asset, milliseconds) in [("late", 700), ("early", -300)] {
        let source = ours::sound_off_by(milliseconds);
        site.place(asset, &[&source]);
        let daemon = site.serve();
        let presentation = follow(&daemon, &site.entry(asset));
        let (video, audio) = (presentation.video()[0], presentation.audio()[0]);
        let picture = fidelity::packets(video, daemon.url(&video.path), &source, "v:0");
        let sound = fidelity::packets(audio, daemon.url(&audio.path), &source, "a:0");
        assert!((picture.0 - sound.0).abs() < fidelity::SYNC, "{asset}: {picture:?} and {sound:?}");
        rules::check(&presentation);
    }
}

#[test]
fn several_files_are_the_rungs_of_one_ladder() {
    let rung = |name, size| {
        Clip {
            name,
            seconds: 8,
            size,
            rate: "25",
            sound: 0,
            options: &["-g", "50", "-keyint_min", "50", "-bf", "2"],
        }
        .make()
    };
    let (small, large) = (rung("rung-180", "320x180"), rung("rung-360", "640x360"));
    let site = Site::new();
    site.place("ladder", &[&small, &large, &ours::moov_first()]);
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("ladder"));
    rules::check(&presentation);
    let mut heights: Vec<&str> =
        presentation.video().iter().map(|r| r.attributes.value("RESOLUTION")).collect();
    heights.sort_unstable();
    heights.dedup();
    assert_eq!(heights, ["320x180", "640x360"]);
    assert!(!presentation.audio().is_empty());
}

#[test]
fn a_folder_that_changes_gets_another_revision_and_the_door_stays() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    let daemon = site.serve();
    let entry = site.entry("film");
    let before = follow(&daemon, &entry);
    let other =
        Clip { name: "other", seconds: 6, size: "426x240", rate: "25", sound: 0, options: &["-g", "50"] }
            .make();
    fs::remove_dir_all(site.asset("film")).unwrap();
    site.place("film", &[&other]);
    let after = forebay_tests::rig::deadline::until("the new revision", || {
        let now = daemon.get(&entry);
        (now.status == 200 && now.text() != before.text).then(|| follow(&daemon, &entry))
    });
    assert_eq!(after.video()[0].attributes.value("RESOLUTION"), "426x240");
    // What is immutable under one address never changes: the new bytes have new addresses.
    let old: Vec<&str> = before.renditions.iter().map(|rendition| rendition.path.as_str()).collect();
    assert!(after.renditions.iter().all(|rendition| !old.contains(&rendition.path.as_str())), "{old:?}");
}

#[test]
fn what_is_no_film_in_the_folder_does_not_disturb() {
    let site = Site::new();
    site.place("film", &[&ours::moov_first()]);
    fs::write(site.asset("film").join("notes.txt"), "not a film").unwrap();
    fs::create_dir(site.asset("film").join("folder.mp4")).unwrap();
    let daemon = site.serve();
    rules::check(&follow(&daemon, &site.entry("film")));
}
