//! A film that was transcoded and published is served as adaptive HLS, and what is served is what was made.

use std::path::PathBuf;

use forebay_tests::oracle::hls::Rendition;
use forebay_tests::oracle::{fidelity, media, playlists, rules};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::fixture;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

#[test]
fn a_transcoded_film_obeys_the_specification_and_three_parsers_read_it_alike() {
    let site = fixture::show();
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("show"));
    playlists::agree(&presentation);
    rules::check(&presentation);
}

#[test]
fn the_ladder_is_fitted_to_the_source_and_sound_is_a_group_of_its_own() {
    let site = fixture::show();
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("show"));
    let heights: Vec<&str> = presentation
        .video()
        .iter()
        .map(|rendition| rendition.attributes.value("RESOLUTION").split_once('x').unwrap().1)
        .collect();
    let mut sorted: Vec<u32> = heights.iter().map(|height| height.parse().unwrap()).collect();
    sorted.sort_unstable();
    // The source has 720 lines: nothing above it.
    assert_eq!(sorted, [240, 360, 480, 720]);
    for video in presentation.video() {
        let codecs = video.attributes.value("CODECS");
        assert!(codecs.contains("avc1.") && codecs.contains("mp4a.40.2"), "{codecs}");
        assert_eq!(video.attributes.value("FRAME-RATE"), "30.000");
        assert!(video.attributes.find("AUDIO").is_some());
    }
    assert_eq!(presentation.audio().len(), 1);
}

#[test]
fn every_rendition_is_its_object_in_the_store_packet_by_packet_and_picture_by_picture() {
    let site = fixture::show();
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("show"));
    let mut shifts = Vec::new();
    for rendition in presentation.video() {
        let source = stored(&site, rendition);
        shifts.push(fidelity::packets(rendition, daemon.url(&rendition.path), &source, "v:0"));
        fidelity::pictures(daemon.url(&rendition.path), &source, "v:0");
    }
    for rendition in presentation.audio() {
        shifts.push(fidelity::packets(
            rendition,
            daemon.url(&rendition.path),
            stored(&site, rendition),
            "a:0",
        ));
    }
    assert!(shifts.iter().all(|shift| (shift.0 - shifts[0].0).abs() < fidelity::SYNC), "{shifts:?}");
}

#[test]
fn ffmpeg_plays_the_whole_presentation_from_its_entry() {
    let site = fixture::show();
    let daemon = site.serve();
    let url = daemon.url(&site.entry("show"));
    assert_eq!(media::frames(&url, "v:0").len(), 360, "12 s at 30 frames per second");
    let sound: f64 = media::packets(&url, "a:0").iter().map(|packet| packet.duration).sum();
    assert!((sound - 12.0).abs() < 0.1, "{sound} s of sound");
}

#[test]
fn renditions_switch_without_a_seam() {
    // The first half from one rung, the second from another: a player's view of a level switch.
    let site = fixture::show();
    let daemon = site.serve();
    let presentation = follow(&daemon, &site.entry("show"));
    let (low, high) = (presentation.video()[0], presentation.video()[1]);
    let middle = low.segments.len() / 2;
    let tail = |rendition: &Rendition| Rendition {
        segments: rendition.segments[middle..].to_vec(),
        ..rendition.clone()
    };
    let times = |bytes: Vec<u8>| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("part.mp4");
        std::fs::write(&file, bytes).unwrap();
        media::packets(&file, "v:0").iter().map(|packet| packet.pts).fold(f64::INFINITY, f64::min)
    };
    let (from_low, from_high) = (times(tail(low).joined()), times(tail(high).joined()));
    assert!((from_low - from_high).abs() < 1e-4, "the second half starts at {from_low} s and {from_high} s");
}

#[test]
fn two_servers_on_the_same_store_give_the_same_bytes_and_tags() {
    let site = fixture::show();
    let (one, other) = (site.serve(), site.serve());
    let entry = site.entry("show");
    let (mine, theirs) = (follow(&one, &entry), follow(&other, &entry));
    for ((path, bytes), (_, others)) in mine.objects().iter().zip(theirs.objects()) {
        assert_eq!(*bytes, others, "{path}");
        let tag = |daemon: &Daemon| daemon.get(path).is(200).header("etag").to_owned();
        assert_eq!(tag(&one), tag(&other), "{path}");
    }
}

/// The object that a rendition of the transcoded film is cut from: the one whose name is the rendition's.
fn stored(site: &Site, rendition: &Rendition) -> PathBuf {
    let name = rendition.path.rsplit('/').nth(1).unwrap();
    let mut folders = vec![site.asset("show")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.file_stem().is_some_and(|stem| stem == name)
                && path.extension().is_some_and(|e| e == "mp4")
            {
                return path;
            }
        }
    }
    panic!("no object {name}.mp4 in the store")
}
