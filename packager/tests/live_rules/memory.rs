//! What leaves a playlist when memory runs short.

use forebay_packager::live::Listing;
use forebay_packager::time::{MediaTime, Msn};

use super::refusals::Camera;

/// Twenty segments of two seconds.
fn filmed(listing: Listing) -> Camera {
    let mut camera = Camera::with(listing);
    let keyframes: Vec<i64> = (0..20).map(|segment| segment * 50).collect();
    camera.send(0..1000, 512, &keyframes).unwrap();
    camera
}

#[test]
fn memory_takes_nothing_of_an_event() {
    let mut camera = filmed(Listing::Event);
    let (text, held) = (camera.text(), camera.show.bytes());
    assert_eq!(camera.show.shed(0), held);
    assert_eq!(camera.text(), text);
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:0\n") && text.contains("\n0.m4s\n"), "{text}");
}

#[test]
fn memory_leaves_six_segments_of_a_window() {
    let mut camera = filmed(Listing::Sliding(MediaTime::from_millis(60_000)));
    let held = camera.show.bytes();
    let half = camera.show.shed(held / 2);
    assert!(half <= held / 2 && half > held / 3, "{half} of {held}: no more than is asked for");
    let left = camera.show.shed(0);
    assert_eq!(left, camera.show.bytes());
    let text = camera.text();
    assert!(text.contains("#EXT-X-MEDIA-SEQUENCE:14\n") && text.contains("\n14.m4s\n"), "{text}");
    assert!(!text.contains("\n13.m4s\n"), "{text}");
    assert!(camera.show.segment(&camera.name, Msn(13)).ready().is_none(), "what is not listed is gone");
    assert!(camera.show.segment(&camera.name, Msn(14)).ready().is_some());
}
