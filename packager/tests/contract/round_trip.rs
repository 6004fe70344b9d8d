//! Init and segments, put one after the other, are a fragmented file with the source's samples.

use forebay_packager::fuzzing::read;
use forebay_packager::index::Sample;
use forebay_packager::presentation::Rendition;
use forebay_packager::segment::{Plan, init_segment};
use forebay_packager::time::Msn;
use mp4_atom::{Atom as _, Decode as _, Header, Tfdt};

use super::rig::{FIXTURES, fixture, present, segment};

#[test]
fn init_and_segments_hold_the_samples_of_the_source() {
    for name in FIXTURES {
        let object = fixture(name);
        for target in [500, 2000, 6000, 60_000] {
            for rendition in present(&object, target).renditions() {
                reads_back(&object, rendition);
            }
        }
    }
}

/// What a rendition serves, read again, is the track from its first served sample on.
pub(crate) fn reads_back(object: &[u8], rendition: &Rendition) {
    let name = rendition.name();
    let mut served = init_segment(rendition).unwrap();
    let mut next = rendition.samples(Msn(0)).unwrap().start;
    let first = next;
    for number in 0..rendition.segment_count() {
        let range = rendition.samples(Msn(number)).unwrap();
        assert_eq!(range.start, next, "{name}/{number}: segments partition the samples");
        next = range.end;
        let Some(bytes) = segment(object, rendition, number) else {
            assert!(range.is_empty() && rendition.is_gap(Msn(number)));
            continue;
        };
        assert_eq!(bytes.len() as u64, rendition.segment_bytes(Msn(number)), "{name}/{number}");
        assert_eq!(bytes.len() as u64, Plan::segment(rendition, Msn(number)).unwrap().unwrap().len());
        let decode = rendition.track().samples().decode_time(range.start);
        assert_eq!(decode_time(&bytes), decode, "{name}/{number}: decode times go on without a step");
        served.extend(bytes);
    }
    let (source, count) = (rendition.track(), rendition.track().samples().len());
    assert_eq!(next, count, "{name}: the last segment ends with the last sample");

    let movie = read(&served).unwrap();
    assert_eq!(movie.anomalies, [], "{name}: what we write is not strange");
    let [track] = movie.tracks.as_slice() else { panic!("{name}: one track") };
    assert_eq!((track.kind(), track.timescale()), (source.kind(), source.timescale()));
    assert_eq!(track.language(), source.language());
    assert_eq!(track.decoding(), source.decoding());
    assert_eq!((track.start(), track.end()), (source.presented_at(first), source.end()), "{name}");
    let (ours, theirs) = (track.samples(), source.samples());
    // What an edit list cuts off before the first keyframe that is needed counts neither here nor there.
    let cut = theirs.decode_time(first) - ours.decode_time(0);
    assert!(first > 0 || (cut, track.skip()) == (0, source.skip()), "{name}: {cut}");
    let shifted = ours.samples(0..ours.len()).map(|s| Sample { decode: s.decode + cut, ..s });
    assert!(shifted.eq(theirs.samples(first..count)), "{name}: samples differ");
    for (ours_at, theirs_at) in (0..ours.len()).zip(first..count) {
        let bytes = |object: &[u8], ranges: Vec<forebay_packager::range::ByteRange>| {
            ranges
                .iter()
                .flat_map(|r| &object[r.start() as usize..r.end() as usize])
                .copied()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            bytes(&served, ours.byte_ranges(ours_at..ours_at + 1)),
            bytes(object, theirs.byte_ranges(theirs_at..theirs_at + 1)),
            "{name}: media of sample {theirs_at}"
        );
    }
}

/// `baseMediaDecodeTime` of a segment, read by a reader that is not ours.
fn decode_time(segment: &[u8]) -> u64 {
    let mut rest = segment;
    while !rest.is_empty() {
        let header = Header::decode(&mut rest).unwrap();
        match &<[u8; 4]>::from(header.kind) {
            b"moof" | b"traf" => {}
            b"tfdt" => {
                let mut body = &rest[..header.size.unwrap()];
                return Tfdt::decode_body(&mut body).unwrap().base_media_decode_time;
            }
            _ => rest = &rest[header.size.unwrap()..],
        }
    }
    panic!("a segment has a tfdt");
}
