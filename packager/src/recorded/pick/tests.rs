use std::collections::VecDeque;

use super::*;
use crate::live::{Gait, Header, Stored};
use crate::segment::ETag;

const SENT: &[u8] = include_bytes!("../../../tests/fixtures/live/dash-video.mp4");

fn seconds(seconds: i64) -> MediaTime {
    MediaTime::from_millis(seconds * 1000)
}

/// Segments of two seconds: numbers, whether each is stored, decoded in the usual way, and after a discontinuity.
fn past(segments: &[(u64, bool, bool, bool)]) -> Arc<Past> {
    let header = Header::read(SENT).unwrap();
    let ways: [InitId; 2] = [header.id(), "00000001".parse().unwrap()];
    let inits = ways.iter().map(|id| (*id, header.init())).collect();
    let tag = ETag::of_pieces(&[Bytes::from_static(b"x")]).bits().unwrap();
    let segment = |(msn, is_stored, is_usual, discontinuity): &(u64, bool, bool, bool)| {
        let start = i64::try_from(*msn).unwrap() * 2;
        Arc::new(Segment {
            msn: Msn(*msn),
            start: seconds(start),
            end: seconds(start + 2),
            parts: Vec::new(),
            media: None,
            stored: is_stored.then_some(Stored { len: 10, tag, fence: Some(1) }),
            init: ways[usize::from(!is_usual)],
            discontinuity: *discontinuity,
        })
    };
    let segments: VecDeque<_> = segments.iter().map(segment).collect();
    let gait = Gait { ticks: 1, frames: 1, count: 1, part_target: 1 };
    Arc::new(Past { header, gait, inits, segments })
}

fn show(tracks: &[(&str, Arc<Past>)]) -> BTreeMap<RenditionName, Arc<Past>> {
    tracks.iter().map(|(name, past)| (name.parse().unwrap(), Arc::clone(past))).collect()
}

fn even(numbers: std::ops::Range<u64>) -> Vec<(u64, bool, bool, bool)> {
    numbers.map(|number| (number, true, true, false)).collect()
}

/// Of each track: numbers, breaks before them, and where their bytes lie.
fn told(picked: &Picked, track: usize) -> Vec<(u64, usize, u64)> {
    picked.tracks[track].segments.iter().map(|(s, at)| (s.msn.0, at.breaks, at.at)).collect()
}

#[test]
fn a_range_is_widened_to_whole_segments() {
    let show = show(&[("a", past(&even(10..20)))]);
    let picked = pick(&show, &(seconds(25)..MediaTime::from_millis(28_001))).unwrap();
    assert_eq!(told(&picked, 0), [(12, 0, 0), (13, 0, 10), (14, 0, 20)]);
    assert_eq!((picked.numbers, picked.range), ((Msn(12), Msn(14)), seconds(24)..seconds(30)));
    let exactly = pick(&show, &(seconds(24)..seconds(30))).unwrap();
    assert_eq!(exactly.numbers, (Msn(12), Msn(14)));
    assert!(pick(&show, &(seconds(0)..seconds(20))).is_none());
    assert!(pick(&show, &(seconds(40)..seconds(50))).is_none());
}

#[test]
fn where_one_track_has_a_hole_all_of_them_break() {
    let mut holed = even(0..8);
    holed[3].1 = false;
    let show = show(&[("a", past(&holed)), ("b", past(&even(0..8)))]);
    let picked = pick(&show, &(seconds(0)..seconds(16))).unwrap();
    let breaks =
        |track| told(&picked, track).iter().map(|(msn, breaks, _)| (*msn, *breaks)).collect::<Vec<_>>();
    assert_eq!(breaks(0), [(0, 0), (1, 0), (2, 0), (4, 2), (5, 0), (6, 0), (7, 0)]);
    assert_eq!(breaks(1), [(0, 0), (1, 0), (2, 0), (3, 1), (4, 1), (5, 0), (6, 0), (7, 0)]);
}

#[test]
fn what_comes_late_and_goes_early_breaks_once_for_all() {
    let show = show(&[("a", past(&even(0..6))), ("b", past(&even(2..4)))]);
    let picked = pick(&show, &(seconds(0)..seconds(12))).unwrap();
    let breaks = |track| told(&picked, track).iter().map(|(_, breaks, _)| *breaks).collect::<Vec<_>>();
    assert_eq!(breaks(0), [0, 0, 1, 0, 1, 0]);
    assert_eq!(breaks(1), [1, 0]);
}

#[test]
fn of_a_track_that_changed_the_longest_stretch_is_taken() {
    let mut changed = even(0..6);
    changed[4].2 = false;
    changed[5].2 = false;
    changed[4].3 = true;
    let show = show(&[("a", past(&changed)), ("b", past(&even(0..6)))]);
    let picked = pick(&show, &(seconds(0)..seconds(12))).unwrap();
    assert_eq!(told(&picked, 0).iter().map(|(msn, ..)| *msn).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(told(&picked, 1).len(), 6);
    assert_eq!(picked.notes, ["a: 2 of 6 segments are left out, they are decoded otherwise than the rest"]);
}
