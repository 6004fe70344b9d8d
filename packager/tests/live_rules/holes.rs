//! What is listed as missing, and where a sender goes on so that nothing is.

use std::ops::Range;

use bytes::Bytes;
use forebay_packager::asset::RenditionName;
use forebay_packager::live::{Chunk, Feed, Form, Sample, Sender, Show};

use super::refusals::{Camera, header};
use super::{WINDOW, ZERO_MS, show};

/// Frames of sound, 1,024 of 48,000 samples a second each.
fn hear(show: &mut Show, name: &RenditionName, frames: Range<i64>) {
    let mut feed = Feed::new(Sender(1));
    for frame in frames {
        let data = Bytes::from_static(b"sound");
        let sample = Sample { decode: frame * 1_024, duration: 1_024, offset: 0, sync: true, data };
        let chunk = Chunk { samples: vec![sample], ..Chunk::default() };
        show.push(name, &mut feed, chunk, ZERO_MS + 60_000).unwrap();
    }
}

#[test]
fn a_segment_of_sound_behind_a_gap_lacks_nothing_where_its_first_frame_is_there() {
    let (mut show, name): (_, RenditionName) = (show(WINDOW), "sound".parse().unwrap());
    show.greet(&name, &header("audio")).unwrap();
    // Frame 94 is the first at or after 2 s, frame 188 the first at or after 4 s.
    hear(&mut show, &name, 0..94);
    hear(&mut show, &name, 188..300);
    let text = show.playlist(&name).unwrap().render(Form::Full);
    assert!(text.contains("#EXT-X-GAP\n#EXTINF:2.005334,\n1.m4s"), "{text}");
    assert!(!text.contains("GAP=YES") && text.contains("\n2.m4s"), "{text}");
}

#[test]
fn a_frame_that_is_missing_behind_a_gap_is_listed_as_missing() {
    let (mut show, name): (_, RenditionName) = (show(WINDOW), "sound".parse().unwrap());
    show.greet(&name, &header("audio")).unwrap();
    hear(&mut show, &name, 0..94);
    hear(&mut show, &name, 189..300);
    let text = show.playlist(&name).unwrap().render(Form::Full);
    assert_eq!(text.matches("GAP=YES,URI=\"2.0.m4s\"").count(), 1, "{text}");
}

#[test]
fn a_track_ends_with_what_was_taken_whether_it_is_listed_or_not() {
    let mut camera = Camera::with(WINDOW);
    assert_eq!(camera.show.taken(&camera.name), None);
    // A part has eight frames of 40 ms.
    camera.send(0..19, 512, &[0]).unwrap();
    let listed = camera.show.playlist(&camera.name).unwrap().end();
    assert_eq!(
        (listed.as_micros(), camera.show.taken(&camera.name).unwrap().as_micros()),
        (640_000, 760_000)
    );
    // Another sender goes on with a keyframe there.
    let mut feed = Feed::new(Sender(2));
    for frame in 19..60 {
        let data = Bytes::from_static(b"another picture");
        let sample =
            Sample { decode: frame * 512, duration: 512, offset: 0, sync: frame == 19 || frame == 50, data };
        let chunk = Chunk { samples: vec![sample], ..Chunk::default() };
        let taken = camera.show.push(&camera.name, &mut feed, chunk, ZERO_MS + 60_000).unwrap();
        assert_eq!(taken.dropped + taken.duplicates, 0, "{frame}");
    }
    assert!(!camera.text().contains("GAP"), "{}", camera.text());
}
