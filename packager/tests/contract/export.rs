//! An export is a progressive file that presents what its source does in a range, to the tick, whoever reads it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::export::{Assembler, Media, Need, Plan, whole};
use forebay_packager::fuzzing::read;
use forebay_packager::presentation::{Presentation, Rendition, name_tracks};
use forebay_packager::range::ByteRange;
use forebay_packager::segment::ETag;
use forebay_packager::time::{MediaTime, Rounding};
use forebay_packager::track::Track;
use mp4_atom::{Ctts, Decode as _, Elst, Header, Mvhd, Tkhd};
use proptest::prelude::*;

use super::clip::Clip;
use super::rig::{FIXTURES, fixture, present};
use super::tables;

fn renditions(presentation: &Presentation) -> Vec<&Rendition> {
    presentation.renditions().iter().map(Arc::as_ref).collect()
}

fn millis(range: Range<i64>) -> Range<MediaTime> {
    MediaTime::from_millis(range.start)..MediaTime::from_millis(range.end)
}

/// A window of the export of one object.
fn window(object: &[u8], plan: &Plan, window: ByteRange) -> Vec<u8> {
    let mut assembler = Assembler::new(plan.clone(), window);
    let mut out = Vec::new();
    loop {
        match assembler.next() {
            Need::Done => break,
            Need::Piece(piece) => {
                assert!(piece.len() <= 256 * 1024);
                out.extend_from_slice(&piece);
            }
            Need::Media(Media { range, .. }) => {
                let bytes = &object[range.start() as usize..range.end() as usize];
                assembler.feed(Bytes::copy_from_slice(bytes));
            }
        }
    }
    assert_eq!(assembler.left(), 0);
    out
}

/// The whole file; `None` where there is nothing in the range.
fn file(object: &[u8], renditions: &[&Rendition], range: &Range<MediaTime>) -> Option<Vec<u8>> {
    let plan = Plan::of(renditions, range).unwrap()?;
    let bytes = window(object, &plan, ByteRange::new(0, plan.len()));
    assert_eq!(bytes.len() as u64, plan.len(), "the length is known before");
    Some(bytes)
}

/// The bodies of all boxes of a kind, at whatever depth of `moov`.
fn bodies(file: &[u8], kind: &[u8; 4]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut rest = file;
    while !rest.is_empty() {
        let header = Header::decode(&mut rest).unwrap();
        let name = <[u8; 4]>::from(header.kind);
        let body = &rest[..header.size.unwrap()];
        if name == *kind {
            found.push(body.to_vec());
        } else if [b"moov", b"trak", b"edts", b"mdia", b"minf", b"stbl"].contains(&&name) {
            found.extend(bodies(body, kind));
        }
        rest = &rest[header.size.unwrap()..];
    }
    found
}

fn decoded<T: mp4_atom::Atom>(body: &[u8]) -> T {
    T::decode_body(&mut &*body).unwrap()
}

/// Holds the export of `range` against its source.
fn presents_the_same(object: &[u8], renditions: &[&Rendition], range: &Range<MediaTime>) {
    let range = &from_a_picture(renditions, range);
    let mut sources = renditions.iter().map(|r| r.track()).filter(|track| presents(track, range));
    let Some(file) = file(object, renditions, range) else {
        assert!(sources.next().is_none(), "{range:?} is not nothing");
        return;
    };
    let movie = read(&file).unwrap();
    assert_eq!(movie.anomalies, [], "what we write is not strange");
    for track in &movie.tracks {
        let source = sources.next().expect("what presents nothing is left out");
        assert_eq!((track.kind(), track.timescale()), (source.kind(), source.timescale()));
        assert_eq!((track.language(), track.decoding()), (source.language(), source.decoding()));
        same_samples((&file, track), (object, source), range);
    }
    assert!(sources.next().is_none(), "what presents something is in the file");
}

/// A range in ticks of a track.
fn in_ticks(track: &Track, range: &Range<MediaTime>) -> Range<MediaTime> {
    let tick = |time: MediaTime| time.rescale(track.timescale(), Rounding::Nearest);
    tick(range.start)..tick(range.end)
}

/// The range from the picture on that is on the screen when it begins.
fn from_a_picture(renditions: &[&Rendition], range: &Range<MediaTime>) -> Range<MediaTime> {
    let Some(video) = renditions.iter().map(|r| r.track()).find(|track| track.kind().is_video()) else {
        return range.clone();
    };
    let from = in_ticks(video, range).start;
    if range.is_empty() || from >= video.end() {
        return range.clone();
    }
    // Of what can be decoded from the keyframe on that is early enough.
    let table = video.samples();
    let Some(key) = table.sync_samples().filter(|i| video.presented_at(*i) <= from).last() else {
        return range.clone();
    };
    let shown = (key..table.len()).map(|i| video.presented_at(i)).filter(|at| *at <= from).max();
    shown.unwrap().max(MediaTime::zero(video.timescale()))..range.end
}

fn presents(track: &Track, range: &Range<MediaTime>) -> bool {
    let Range { start, end } = in_ticks(track, range);
    start.max(track.start()) < end.min(track.end())
}

fn same_samples((file, track): (&[u8], &Track), (object, source): (&[u8], &Track), range: &Range<MediaTime>) {
    let wanted = in_ticks(source, range);
    let from = wanted.start.ticks();
    let at = |track: &Track, i: u32| track.presented_at(i).ticks();
    let (ours, theirs) = (track.samples(), source.samples());
    let count = ours.len();
    let bytes = |object: &[u8], track: &Track, i: u32| -> Vec<u8> {
        let ranges = track.samples().byte_ranges(i..i + 1);
        ranges.iter().flat_map(|r| object[r.start() as usize..r.end() as usize].to_vec()).collect()
    };
    // Where in the source it begins.
    let same = |first: u32| {
        (0..count).all(|i| {
            at(track, i) == at(source, first + i) - from
                && bytes(file, track, i) == bytes(object, source, first + i)
        })
    };
    let first = (0..=theirs.len() - count).find(|first| same(*first));
    let first = first.expect("each sample is one of the source, presented when it was");
    for (one, other) in ours.samples(0..count).zip(theirs.samples(first..first + count)) {
        assert_eq!((one.duration, one.size, one.sync), (other.duration, other.size, other.sync));
    }
    assert!(source.presented_at(first + count - 1) < wanted.end, "nothing is taken that comes after the end");
    if source.kind().is_video() {
        assert_eq!(ours.sync_samples().next(), Some(0), "decoding can start at the first");
        let later = theirs.sync_samples().find(|i| *i > first && at(source, *i) <= from);
        assert_eq!(later, None, "it starts at the last keyframe that is early enough");
    }
    // Pictures that are decoded before the keyframe, and presented after it, are as good as lost.
    let start = if source.kind().is_video() { first } else { 0 };
    let missing = (start..theirs.len())
        .filter(|i| wanted.contains(&source.presented_at(*i)))
        .find(|i| !(first..first + count).contains(i));
    assert_eq!(missing, None, "what is presented in the range is in the file");
}

#[test]
fn the_whole_of_a_file_is_the_file() {
    for name in FIXTURES {
        let object = fixture(name);
        let presentation = present(&object, 2000);
        let all = renditions(&presentation);
        presents_the_same(&object, &all, &whole(&all));
        let given = read(&file(&object, &all, &whole(&all)).unwrap()).unwrap();
        for (track, rendition) in given.tracks.iter().zip(&all) {
            let source = rendition.track();
            assert_eq!(track.samples().len(), source.samples().len(), "{name}");
            assert_eq!((track.start(), track.end()), (source.start(), source.end()), "{name}");
        }
    }
}

#[test]
fn any_piece_of_a_file_presents_what_the_file_does_there() {
    for name in FIXTURES {
        let object = fixture(name);
        let presentation = present(&object, 2000);
        let all = renditions(&presentation);
        for (from, to) in
            [(0, 1), (1, 40), (1990, 2010), (2000, 4000), (777, 3333), (2499, 2501), (5000, 60_000)]
        {
            presents_the_same(&object, &all, &millis(from..to));
            for rendition in &all {
                presents_the_same(&object, &[*rendition], &millis(from..to));
            }
        }
        assert!(file(&object, &all, &millis(60_000..70_000)).is_none());
        assert!(file(&object, &all, &millis(2000..2000)).is_none());
        let (start, end) = (MediaTime::from_millis(3000), MediaTime::from_millis(2000));
        assert!(file(&object, &all, &(start..end)).is_none());
    }
    assert!(file(&[], &[], &millis(0..1)).is_none());
}

#[test]
fn the_edit_list_trims_to_the_range_and_the_boxes_come_first() {
    let object = fixture("moov-last.mp4");
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let (video, audio) = (all[0].track(), all[1].track());
    // Keyframes are at 0, 2 and 4 s, pictures each 40 ms; 2.68 s is between two frames of sound, and 3.08 s too.
    let bytes = file(&object, &all, &millis(2700..3080)).unwrap();
    let order: Vec<usize> =
        [b"ftyp", b"moov", b"mdat"].map(|kind| bytes.windows(4).position(|w| w == kind).unwrap()).to_vec();
    assert!(order.is_sorted() && order[0] == 4, "{order:?}");

    let scale = decoded::<Mvhd>(&bodies(&bytes, b"mvhd")[0]);
    let per_second = u64::from(scale.timescale);
    assert!(per_second.is_multiple_of(u64::from(video.timescale().ticks_per_second())));
    assert!(per_second.is_multiple_of(u64::from(audio.timescale().ticks_per_second())));
    assert_eq!(scale.duration * 10, per_second * 4);
    let edits: Vec<Elst> = bodies(&bytes, b"elst").iter().map(|body| decoded(body)).collect();
    assert_eq!(edits.len(), 2);
    for edit in &edits {
        assert_eq!(edit.entries.len(), 1);
        assert_eq!(edit.entries[0].segment_duration * 10, per_second * 4);
    }
    // From the keyframe at 2 s; the offsets have no reorder delay left in them.
    let expected = u64::from(video.timescale().ticks_per_second()) * 68 / 100;
    assert_eq!(edits[0].entries[0].media_time, Some(expected));
    // 2.68 s of sound and 1024 of priming lie in the frame 126 (of 1024 samples each); the one before it is decoded for it.
    assert_eq!((128_640 + 1024) / 1024, 126);
    assert_eq!(edits[1].entries[0].media_time, Some(128_640 + 1024 - 125 * 1024));
    // Composition offsets are signed where they need be.
    let ctts = &bodies(&bytes, b"ctts")[0];
    let lowest = decoded::<Ctts>(ctts).entries.iter().map(|e| e.sample_offset).min().unwrap();
    assert_eq!((lowest < 0, ctts[0]), (true, 1));
}

#[test]
fn sound_that_starts_late_starts_as_late_in_the_export() {
    let object = fixture("late-audio.mp4");
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let starts = |range: Range<i64>| -> Vec<MediaTime> {
        let bytes = file(&object, &all, &millis(range)).unwrap();
        read(&bytes).unwrap().tracks.iter().map(Track::start).collect()
    };
    let late = all[1].track().start();
    assert!(late > MediaTime::from_millis(2400));
    assert_eq!(starts(0..4000)[1], late);
    assert_eq!(starts(2000..4000), [MediaTime::from_millis(0), late.since(MediaTime::from_millis(2000))]);
    // Before it starts there is none.
    assert_eq!(starts(0..2000).len(), 1);
}

#[test]
fn a_picture_that_is_turned_or_stretched_stays_so() {
    let mut object = Clip::pictures(50, 10, 40).file();
    let tkhd = object.windows(4).position(|w| w == b"tkhd").unwrap();
    let turned = [0u32, 0x1_0000, 0, 0xffff_0000, 0, 0, 0x48_0000, 0, 0x4000_0000];
    let matrix: Vec<u8> = turned.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    // Behind version, times, number, duration, reserved words, layer, group and volume (ISO/IEC 14496-12 §8.3.2).
    object[tkhd + 4 + 40..tkhd + 4 + 40 + 36].copy_from_slice(&matrix);
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let bytes = file(&object, &all, &millis(500..1500)).unwrap();
    let track = &read(&bytes).unwrap().tracks[0];
    assert_eq!(track.decoding(), all[0].track().decoding());
    assert_eq!(track.decoding().matrix[3], -0x1_0000);
    let head = decoded::<Tkhd>(&bodies(&bytes, b"tkhd")[0]);
    assert!(head.enabled && head.in_movie);
    assert_eq!((head.width.integer(), head.height.integer()), (128, 72));
}

#[test]
fn every_window_is_that_part_of_the_file() {
    let object = fixture("moov-last.mp4");
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let plan = Plan::of(&all, &millis(700..5300)).unwrap().unwrap();
    let whole = window(&object, &plan, ByteRange::new(0, plan.len()));
    let mut turn = 1u64;
    for _ in 0..300 {
        turn = turn.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let start = (turn >> 33) % (plan.len() + 10);
        let asked = ByteRange::at(start, (turn >> 20) % 5000);
        let end = asked.end().min(plan.len()) as usize;
        let expected = &whole[(start as usize).min(end)..end];
        assert_eq!(window(&object, &plan, asked), expected, "{asked:?}");
        let needed: u64 = plan.media(asked).map(|media| media.range.len()).sum();
        assert!(needed + 20_000 >= expected.len() as u64, "{asked:?}");
    }
}

#[test]
fn chunks_of_all_tracks_take_turns_each_second() {
    let object = fixture("moov-last.mp4");
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let plan = Plan::of(&all, &whole(&all)).unwrap().unwrap();
    let owners: Vec<usize> = plan.media(ByteRange::new(0, plan.len())).map(|media| media.rendition).collect();
    let turns = owners.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((10..=13).contains(&turns), "six seconds of two tracks: {owners:?}");
}

#[test]
fn tags_are_of_the_recipe() {
    let object = fixture("moov-last.mp4");
    let presentation = present(&object, 2000);
    let all = renditions(&presentation);
    let tag = ETag::of_export(&all, &millis(0..1000));
    assert_eq!(tag, ETag::of_export(&all, &millis(0..1000)));
    let tracks = read(&object).unwrap().tracks.into_iter().map(|t| (0, [8; 32], t)).collect();
    let other = Presentation::plan(name_tracks(tracks).unwrap(), MediaTime::from_millis(2000)).unwrap().0;
    for another in [
        ETag::of_export(&all, &millis(0..1001)),
        ETag::of_export(&all, &millis(1..1000)),
        ETag::of_export(&all[..1], &millis(0..1000)),
        ETag::of_export(&renditions(&other), &millis(0..1000)),
        ETag::of_init(all[0]),
    ] {
        assert_ne!(tag, another);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_table_reads_back(clip in tables::clip(), from in 0.0f64..1.2, len in 0.0f64..1.2) {
        let object = clip.file();
        let presentation = present(&object, if clip.timescale < 600 { 600_000 } else { 2000 });
        let all = renditions(&presentation);
        let micros = whole(&all).end.as_micros().max(1) as f64;
        let at = |part: f64| MediaTime::new((part * micros) as i64, forebay_packager::time::Timescale::MICROS);
        presents_the_same(&object, &all, &(at(from)..at(from + len)));
        presents_the_same(&object, &all, &whole(&all));
    }
}
