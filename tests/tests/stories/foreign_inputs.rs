//! Files that other tools made are served, each packet and picture as it was.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use forebay_tests::inputs::foreign::{self, Foreign};
use forebay_tests::oracle::{fidelity, media, playlists, rules};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

#[test]
fn at_least_ten_files_that_others_made_are_served_faithfully() {
    let site = Site::new();
    let all = foreign::all();
    assert!(all.len() >= 10);
    for asset in &all {
        let files: Vec<&Path> = asset.files.iter().map(AsRef::as_ref).collect();
        site.place(asset.name, &files);
    }
    let daemon = site.serve();
    // All of them, so that one fault does not hide the next.
    let check =
        |asset: &&Foreign| catch_unwind(AssertUnwindSafe(|| is_faithful(&daemon, &site, asset))).is_err();
    let failed: Vec<&str> = all.iter().filter(check).map(|asset| asset.name).collect();
    assert!(failed.is_empty(), "{failed:?}: see above");
}

fn is_faithful(daemon: &Daemon, site: &Site, asset: &Foreign) {
    eprintln!("--- {}", asset.name);
    let presentation = follow(daemon, &site.entry(asset.name));
    playlists::agree(&presentation);
    rules::check(&presentation);
    let range = presentation.video().first().and_then(|video| video.attributes.find("VIDEO-RANGE"));
    assert_eq!(range, (asset.name == "hdr").then_some("PQ"));
    let source = |kind: &str| asset.files.iter().find(|file| media::has(file, kind));
    let mut shifts = Vec::new();
    if let Some(source) = source("v") {
        let rendition = presentation.video()[0];
        let url = daemon.url(&rendition.path);
        shifts.push(fidelity::packets(rendition, &url, source, "v:0"));
        fidelity::pictures(&url, source, "v:0");
    }
    if let Some(source) = source("a") {
        let rendition = presentation.audio()[0];
        let url = daemon.url(&rendition.path);
        shifts.push(fidelity::packets(rendition, &url, source, "a:0"));
    }
    let apart = shifts.iter().map(|shift| (shift.0 - shifts[0].0).abs()).fold(0.0, f64::max);
    assert!(apart < fidelity::SYNC, "sound and picture moved apart by {apart} s");
}
