//! Several files on one timeline.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads its files")]

use std::path::Path;

use forebay_packager::fuzzing::read;
use forebay_packager::presentation::{Presentation, name_tracks};
use forebay_packager::time::{MediaTime, Msn};

fn present(names: &[&str]) -> (Presentation, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut tracks = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let movie = read(&std::fs::read(folder.join(name)).unwrap()).unwrap();
        tracks.extend(movie.tracks.into_iter().map(|track| (number, [0; 32], track)));
    }
    let (presentation, anomalies) =
        Presentation::plan(name_tracks(tracks).unwrap(), MediaTime::from_millis(2000)).unwrap();
    (presentation, anomalies.iter().map(ToString::to_string).collect())
}

#[test]
fn a_second_file_with_the_same_pictures_is_a_second_rendition() {
    let (presentation, anomalies) = present(&["moov-first.mp4", "moov-last.mp4"]);
    assert_eq!(presentation.renditions().iter().filter(|r| r.is_video()).count(), 2);
    assert_eq!(anomalies, ["audio-fra-2 left out: there is audio of this language already"]);
}

#[test]
fn a_file_that_begins_elsewhere_is_left_out_and_the_others_play() {
    // Without an edit list its pictures come one reorder delay later.
    let (presentation, anomalies) = present(&["moov-first.mp4", "fragmented.mp4"]);
    assert_eq!(presentation.renditions().iter().filter(|r| r.is_video()).count(), 1);
    assert_eq!(
        anomalies.first().unwrap(),
        "video-72-2 left out: it begins at 0.080000 s, video-72 at 0.000000 s"
    );
    let video = presentation.rendition("video-72").unwrap();
    assert_eq!(video.segment_count(), 3);
    assert!(video.rates(presentation.target_duration()).peak.0 > 0);
    assert_eq!(video.starts_at(Msn(1)), MediaTime::from_millis(2000));
}
