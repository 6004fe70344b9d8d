//! Where samples lie on the presentation timeline (ISO/IEC 14496-12 §8.6.6, §8.8.12).

use forebay_packager::live::{Header, Sample};

use super::clip::{flagged, full, words};
use super::rig::{read, samples};
use super::sender::{chunk, chunk_of, clip, header, header_of, mdat, moof, tfdt, tfhd, traf, trex, trun};

fn given(stream: &[Vec<u8>]) -> Vec<Sample> {
    samples(&read(&stream.concat()).1)
}

fn times(stream: &[Vec<u8>]) -> Vec<(i64, u32, i32)> {
    given(stream).iter().map(|s| (s.decode, s.duration, s.offset)).collect()
}

/// A chunk of pictures with these composition offsets.
fn pictures(time: u64, version: u32, offsets: &[i32]) -> Vec<u8> {
    let run = |at: u32| {
        let fields = [at].into_iter().chain(offsets.iter().flat_map(|o| [1, o.cast_unsigned()]));
        trun(version << 24 | 0xa01, offsets.len() as u32, &fields.collect::<Vec<_>>())
    };
    let all = |at| moof(&[traf(&[tfhd(1), tfdt(time), run(at)])]);
    let at = all(0).len() as u32 + 8;
    [all(at), mdat(&vec![7; offsets.len()])].concat()
}

#[test]
fn an_edit_list_takes_the_reordering_out_of_offsets() {
    let sent = pictures(0, 0, &[1024, 2048, 512]);
    assert_eq!(
        times(&[header(true, &[]), sent.clone()]),
        [(0, 1024, 1024), (1024, 1024, 2048), (2048, 1024, 512)]
    );
    assert_eq!(
        times(&[header(true, &[(0, 1024)]), sent]),
        [(0, 1024, 0), (1024, 1024, 1024), (2048, 1024, -512)]
    );
    let signed = pictures(5000, 1, &[0, -512]);
    assert_eq!(times(&[header(true, &[]), signed]), [(5000, 1024, 0), (6024, 1024, -512)]);
}

#[test]
fn an_edit_list_leaves_no_trace_in_the_init_segment() {
    for video in [true, false] {
        let [plain, edited] =
            [&[][..], &[(500, -1), (0, 1024)]].map(|edits| Header::read(&header(video, edits)).unwrap());
        assert_eq!((plain.init(), plain.id()), (edited.init(), edited.id()));
        assert!(!edited.init().windows(4).any(|w| w == b"elst"));
        assert_ne!(plain, edited, "but in the times that it gives");
    }
}

#[test]
fn an_empty_edit_delays_both() {
    let delayed = [(500, -1), (0, 1024)];
    assert_eq!(times(&[header(true, &delayed), pictures(0, 0, &[1024])]), [(6400, 1024, 0)]);
    // Half a second, less the priming.
    assert_eq!(times(&[header(false, &delayed), chunk(0, &[3, 3])]), [(22_976, 1024, 0), (24_000, 1024, 0)]);
}

#[test]
fn sound_before_the_start_is_dropped_and_a_frame_across_it_is_shortened() {
    let primed = header(false, &[(0, 2112)]);
    let sent = chunk(0, &[1, 2, 3, 4]);
    let given = given(&[primed.clone(), sent]);
    assert_eq!(given.iter().map(|s| (s.decode, s.duration)).collect::<Vec<_>>(), [(0, 960), (960, 1024)]);
    assert_eq!(given[0].data, [4, 5, 6].as_slice());
    // The same where the frames come one by one, and all later ones are only moved.
    let single = (0..4).map(|n| chunk(n * 1024, &[1])).collect::<Vec<_>>();
    assert_eq!(times(&[primed.clone(), single.concat()]), [(0, 960, 0), (960, 1024, 0)]);
    assert_eq!(times(&[primed, chunk(48_000, &[1])]), [(45_888, 1024, 0)]);
}

#[test]
fn pictures_before_the_start_are_kept_for_those_that_need_them() {
    // A start four seconds in: the pictures from the keyframe before it are decoded before zero.
    let sent = [header(true, &[(0, 51_200)]), pictures(48_128, 1, &[0, 0, 0, 0])];
    assert_eq!(times(&sent), [(-3072, 1024, 0), (-2048, 1024, 0), (-1024, 1024, 0), (0, 1024, 0)]);
}

#[test]
fn a_time_just_before_zero_is_written_in_twos_complement() {
    let sound = |time: i64| times(&[header(false, &[]), chunk(time.cast_unsigned(), &[1, 1])]);
    assert_eq!(sound(-1024), [(0, 1024, 0)]);
    assert_eq!(sound(-480_000 + 1024), []);
    let picture = |time: i64| times(&[header(true, &[]), chunk(time.cast_unsigned(), &[1])]);
    assert_eq!(picture(-1024), [(-1024, 1024, 0)]);
}

#[test]
fn times_of_32_and_of_64_bits_are_the_same() {
    let narrow = full(b"tfdt", 0, &words(&[90_000]));
    let sent = |tfdt| [header(false, &[]), chunk_of(&[tfhd(1), tfdt], &[5, 6], 0)];
    assert_eq!(given(&sent(narrow)), given(&sent(tfdt(90_000))));
    // No two's complement in 32 bits.
    assert_eq!(times(&sent(full(b"tfdt", 0, &words(&[u32::MAX]))))[0].0, i64::from(u32::MAX));
    assert_eq!(times(&sent(tfdt(1 << 60)))[0].0, 1 << 60);
}

#[test]
fn what_a_run_does_not_say_the_fragment_says_or_the_header() {
    const NON_SYNC: u32 = 0x0101_0000;
    let head = header_of(&clip(true, &[]), &[trex(7, [9, 9, 9]), trex(1, [111, 4, NON_SYNC])]);
    let sent = |tfhd: Vec<u8>, run: &dyn Fn(u32) -> Vec<u8>| {
        let all = |at| moof(&[traf(&[tfhd.clone(), tfdt(0), run(at)])]);
        let at = all(0).len() as u32 + 8;
        let given = given(&[head.clone(), all(at), mdat(&[5; 12])]);
        given.iter().map(|s| (s.duration, s.data.len(), s.sync)).collect::<Vec<_>>()
    };
    let plain = |at| trun(0x001, 3, &[at]);
    assert_eq!(sent(tfhd(1), &plain), [(111, 4, false); 3]);
    let defaults = flagged(b"tfhd", 0x02_0038, &words(&[1, 222, 2, 0x0200_0000]));
    assert_eq!(sent(defaults.clone(), &plain), [(222, 2, true); 3]);
    // The first sample's flags are its own.
    assert_eq!(sent(tfhd(1), &|at| trun(0x005, 2, &[at, 0])), [(111, 4, true), (111, 4, false)]);
    assert_eq!(sent(tfhd(1), &|at| trun(0x205, 2, &[at, 0, 1, 2])), [(111, 1, true), (111, 2, false)]);
    // All of a sample's own.
    let all = |at| trun(0x701, 2, &[at, 333, 3, 0, 444, 1, NON_SYNC]);
    assert_eq!(sent(defaults, &all), [(333, 3, true), (444, 1, false)]);
}

#[test]
fn several_runs_and_several_fragments_of_the_track_go_on_where_the_one_before_ended() {
    let run = |at: Option<u32>, size: u32| match at {
        Some(at) => trun(0x201, 1, &[at, size]),
        None => trun(0x200, 2, &[size, size]),
    };
    // Without default-base-is-moof the second traf counts from the end of the first one's data.
    let relative = flagged(b"tfhd", 0, &words(&[1]));
    let all = |at| {
        let first = traf(&[relative.clone(), tfdt(0), run(Some(at), 2), run(None, 3)]);
        moof(&[first, traf(&[relative.clone(), tfdt(9000), run(Some(1), 4)])])
    };
    let at = all(0).len() as u32 + 8;
    let media: Vec<u8> = (0..13).collect();
    let given = given(&[header(false, &[]), all(at), mdat(&media)]);
    let seen: Vec<_> = given.iter().map(|s| (s.decode, s.data.to_vec())).collect();
    let expected = [(0, 0..2), (1024, 2..5), (2048, 5..8), (9000, 9..13)];
    assert_eq!(seen, expected.map(|(time, bytes)| (time, bytes.collect::<Vec<u8>>())));
}

#[test]
fn data_may_be_placed_in_the_stream_itself() {
    let head = header(false, &[]);
    let all = |base: u64| {
        let tfhd = flagged(b"tfhd", 1, &[words(&[1]), base.to_be_bytes().to_vec()].concat());
        moof(&[traf(&[tfhd, tfdt(0), trun(0x201, 1, &[0, 3])])])
    };
    let base = head.len() + all(0).len() + 8;
    assert_eq!(given(&[head, all(base as u64), mdat(&[1, 2, 3])])[0].data, [1, 2, 3].as_slice());
}

#[test]
fn sound_can_be_decoded_from_every_frame_whatever_its_flags() {
    let head = header_of(&clip(false, &[]), &[trex(1, [1024, 0, 0x0101_0000])]);
    assert!(given(&[head, chunk(0, &[1, 2, 3])]).iter().all(|s| s.sync));
}
