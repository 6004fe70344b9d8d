//! Media that no show can go on with: what is said of it, and that nothing of what came before is lost.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::asset::RenditionName;
use forebay_packager::live::{
    Chunk, Event, Feed, Form, Header, Listing, Refusal, Sample, Sender, Show, Splitter,
};

use super::{WINDOW, ZERO_MS, show};

/// The header of a fixture.
pub(crate) fn header(kind: &str) -> Arc<Header> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live");
    let mut splitter = Splitter::new();
    splitter.feed(std::fs::read(folder.join(format!("cmaf-{kind}.mp4"))).unwrap().into());
    match splitter.next().unwrap() {
        Some(Event::Header(header)) => header,
        other => panic!("a header comes first, found {other:?}"),
    }
}

/// A track of pictures at 25 a second, made up on the spot.
pub(crate) struct Camera {
    pub(crate) show: Show,
    pub(crate) name: RenditionName,
    feed: Feed,
}

impl Camera {
    fn on() -> Self {
        Self::with(WINDOW)
    }

    pub(crate) fn with(listing: Listing) -> Self {
        let (mut show, name) = (show(listing), "video".parse().unwrap());
        show.greet(&name, &header("video")).unwrap();
        Self { show, name, feed: Feed::new(Sender(1)) }
    }

    /// Sends frames of so many ticks of 1/12,800 s; those that are listed are keyframes.
    pub(crate) fn send(&mut self, frames: Range<i64>, ticks: u32, keyframes: &[i64]) -> Result<(), Refusal> {
        let sample = |frame: i64| Sample {
            decode: frame * i64::from(ticks),
            duration: ticks,
            offset: 0,
            sync: keyframes.contains(&frame),
            data: Bytes::from_static(b"picture"),
        };
        for frame in frames {
            let chunk = Chunk { samples: vec![sample(frame)], ..Chunk::default() };
            let now_ms = ZERO_MS + 60_000;
            self.show.push(&self.name, &mut self.feed, chunk, now_ms)?;
        }
        Ok(())
    }

    pub(crate) fn text(&self) -> String {
        self.show.playlist(&self.name).map_or_else(String::new, |playlist| playlist.render(Form::Full))
    }
}

#[test]
fn a_keyframe_that_does_not_come_costs_what_follows_and_the_next_time_the_request() {
    let mut camera = Camera::on();
    camera.send(0..100, 512, &[0, 50]).unwrap();
    let before = camera.text();
    assert!(before.contains("\n0.m4s\n") && before.contains("\n1.m4s\n"), "{before}");
    // Due at 4 s, where the segment has ended, and half a second late.
    camera.send(100..112, 512, &[]).unwrap();
    assert_eq!(camera.text(), before, "nobody can decode what follows");
    camera.send(112..162, 512, &[112]).unwrap();
    let before = camera.text();
    assert!(before.contains("GAP=YES,URI=\"2.0.m4s\""), "{before}");
    // From now on keyframes are waited for. The segment lasts from 4 s on, and 2.48 s still round to the target duration.
    assert_eq!(camera.send(162..163, 512, &[]), Err(Refusal::NoKeyframe { segment_ms: 2000 }));
    assert_eq!(camera.text(), before, "what was listed stays");
    camera.send(200..210, 512, &[200]).unwrap();
    let after = camera.text();
    assert!(after.contains("URI=\"4.0.m4s\""), "it comes back with a keyframe: {after}");
    let durations = after.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','));
    assert!(durations.map(|text| text.parse::<f64>().unwrap()).all(|seconds| seconds < 2.5), "{after}");
}

#[test]
fn samples_that_are_longer_than_a_part_are_refused() {
    let mut camera = Camera::on();
    // 2.5 a second; the longest part is 366.7 ms.
    assert_eq!(camera.send(0..2, 5120, &[0]), Err(Refusal::FewFrames { longest_ms: 367 }));
    assert_eq!(camera.text(), "");
}

#[test]
fn samples_without_a_length_are_refused() {
    let mut camera = Camera::on();
    camera.send(0..9, 512, &[0]).unwrap();
    let chunk = |duration| {
        let sample =
            Sample { decode: 9 * 512, duration, offset: 0, sync: false, data: Bytes::from_static(b"x") };
        Chunk { samples: vec![sample], ..Chunk::default() }
    };
    let pushed = camera.show.push(&camera.name, &mut camera.feed, chunk(0), ZERO_MS + 60_000);
    assert_eq!(pushed, Err(Refusal::Endless));
}

#[test]
fn times_that_run_backwards_or_ahead_of_the_clock_are_refused() {
    let mut camera = Camera::on();
    camera.send(0..20, 512, &[0]).unwrap();
    assert_eq!(camera.send(10..11, 512, &[]), Err(Refusal::Backwards { by_ms: 400 }));
    // The clock says one minute; ten minutes more is as far as clocks differ.
    camera.feed = Feed::new(Sender(2));
    let ahead = 25 * 661;
    assert_eq!(camera.send(ahead..ahead + 1, 512, &[ahead]), Err(Refusal::Ahead { by_ms: 601_000 }));
}

#[test]
fn a_show_has_so_many_tracks_each_of_one_kind_and_takes_nothing_behind_its_end() {
    let mut camera = Camera::on();
    let (sound, third): (RenditionName, RenditionName) = ("sound".parse().unwrap(), "third".parse().unwrap());
    camera.show.greet(&sound, &header("audio")).unwrap();
    assert_eq!(camera.show.greet(&third, &header("audio")), Err(Refusal::ManyTracks { limit: 2 }));
    let other = camera.show.greet(&sound, &header("video"));
    assert_eq!(other, Err(Refusal::WrongKind { expected: "audio", found: "video" }));
    camera.send(0..60, 512, &[0, 50]).unwrap();
    camera.show.end_now();
    let ended = camera.text();
    assert!(ended.ends_with("#EXT-X-ENDLIST\n"), "{ended}");
    assert_eq!(camera.send(60..61, 512, &[]), Err(Refusal::Ended));
    assert_eq!(camera.show.greet(&sound, &header("audio")), Err(Refusal::Ended));
    assert_eq!(camera.text(), ended);
}
