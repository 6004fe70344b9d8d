//! Any small table, written as a progressive file and read back.

use forebay_packager::fuzzing::read;
use forebay_packager::track::Track;
use proptest::prelude::*;

use super::clip::{Clip, Shot};
use super::playlists::keep_their_promises;
use super::rig::present;
use super::round_trip::reads_back;

fn shots(video: bool) -> impl Strategy<Value = Vec<Shot>> {
    let (offset, lead) = if video { (-3i32..4, -2i32..3) } else { (0..1, 0..1) };
    let shot = (1u32..4, offset, 0u32..60, any::<bool>()).prop_map(move |(duration, offset, size, sync)| {
        Shot { duration: duration * 500, offset: offset * 500, size, sync: sync || !video }
    });
    (prop::collection::vec(shot, 1..300), lead).prop_map(|(mut shots, lead)| {
        shots[0].sync = true;
        // Keyframes are shown in the order in which they are decoded.
        shots.iter_mut().filter(|s| s.sync).for_each(|s| s.offset = 0);
        shots.iter_mut().for_each(|s| s.offset += lead * 250);
        shots
    })
}

pub(crate) fn clip() -> impl Strategy<Value = Clip> {
    (any::<bool>(), prop::sample::select(vec![1u32, 600, 1000, 12_800, 90_000, 10_000_000])).prop_flat_map(
        |(video, timescale)| {
            (shots(video), prop::collection::vec(1usize..20, 1..5), any::<bool>(), 0i64..2000).prop_map(
                move |(shots, chunks, wide_offsets, time)| {
                    let base = if video { Clip::pictures(0, 1, 0) } else { Clip::sound(0, 0) };
                    let edits = if time % 3 == 0 { Vec::new() } else { vec![(0, time)] };
                    Clip { shots, chunks, wide_offsets, timescale, edits, ..base }
                },
            )
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_table_reads_back_as_it_was_written(clip in clip()) {
        let object = clip.file();
        let movie = read(&object).unwrap();
        let track = &movie.tracks[0];
        let table = track.samples();
        prop_assert_eq!(table.len() as usize, clip.shots.len());
        let lead = clip.shots[0].offset;
        for (i, (given, wanted)) in table.samples(0..table.len()).zip(&clip.shots).enumerate() {
            let given = Shot {
                duration: given.duration, offset: given.offset + lead, size: given.size, sync: given.sync,
            };
            prop_assert_eq!(&given, wanted);
            let bytes: Vec<u8> = table
                .byte_ranges(i as u32..i as u32 + 1)
                .iter()
                .flat_map(|r| object[r.start() as usize..r.end() as usize].to_vec())
                .collect();
            prop_assert_eq!(bytes, clip.media(i));
        }
        let time = clip.edits.first().map_or(0, |e| e.1);
        prop_assert_eq!(track.start().ticks(), i64::from(lead) - time);
        prop_assert_eq!(&Track::from_index(&track.to_index()).unwrap(), track);
    }

    #[test]
    fn any_table_is_cut_into_segments_that_partition_it(clip in clip(), target in 1i64..9000) {
        // A second of a coarse clock is a whole segment: the number of segments stays small.
        let object = clip.file();
        let target = if clip.timescale < 600 { 600_000 } else { target.max(200) };
        let presentation = present(&object, target);
        let ascending = presentation.boundaries().windows(2).all(|w| w[0] < w[1]);
        prop_assert!(ascending || presentation.boundaries().len() == 2);
        for rendition in presentation.renditions() {
            reads_back(&object, rendition);
        }
        keep_their_promises(&object, &presentation);
    }
}
