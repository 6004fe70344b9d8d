//! Edit lists (ISO/IEC 14496-12 §8.6.6): where a presentation starts.

use forebay_packager::fuzzing::read;
use forebay_packager::time::{MediaTime, Msn};

use super::clip::Clip;
use super::playlists::keep_their_promises;
use super::rig::present;
use super::round_trip::reads_back;

#[test]
fn a_start_between_two_keyframes_is_played_from_the_keyframe_before_it() {
    // Keyframes each 2.5 s, presentation starts 2 s into the media: the second keyframe is the nearer one.
    let mut clip = Clip::pictures(250, 63, 40);
    clip.edits = vec![(8000, 2 * 12_800)];
    let object = clip.file();
    let presentation = present(&object, 2000);
    let video = &presentation.renditions()[0];
    assert_eq!(video.samples(Msn(0)).unwrap().start, 0, "what is shown at 0 s can be decoded");
    assert_eq!(video.starts_at(Msn(0)), MediaTime::from_millis(0));
    assert_eq!(video.track().start(), MediaTime::from_millis(-2000));
    reads_back(&object, video);
    keep_their_promises(&object, &presentation);
}

#[test]
fn what_is_trimmed_as_a_whole_is_one_segment_of_no_length() {
    // Both last a second; trimmed are more than four.
    for clip in [Clip::pictures(25, 10, 40), Clip::sound(47, 30)] {
        let object = Clip { edits: vec![(0, 200_000)], ..clip }.file();
        let presentation = present(&object, 2000);
        let rendition = &presentation.renditions()[0];
        assert_eq!(rendition.segment_count(), 1);
        assert_eq!(rendition.duration(Msn(0)).ticks(), 0);
        reads_back(&object, rendition);
        keep_their_promises(&object, &presentation);
    }
}

#[test]
fn an_empty_edit_delays_and_priming_is_skipped() {
    let mut clip = Clip::sound(200, 30);
    clip.edits = vec![(500, -1), (4000, 1024)];
    let track = &read(&clip.file()).unwrap().tracks[0];
    // 0.5 s of nothing, less one frame of priming that lies before it.
    assert_eq!(track.start(), MediaTime::new(24_000 - 1024, track.timescale()));
    clip.edits = vec![(4000, 1024)];
    let track = &read(&clip.file()).unwrap().tracks[0];
    assert_eq!((track.skip(), track.start()), (1024, MediaTime::new(-1024, track.timescale())));
}

#[test]
fn an_edit_list_of_extremes_is_placed_or_left_out_and_never_wraps() {
    for edits in [
        vec![(u64::MAX, -1), (0, 0)],
        vec![(0, i64::MAX)],
        vec![(0, i64::MIN)],
        vec![(u64::MAX, -1), (u64::MAX, i64::MAX)],
        vec![(u64::MAX, -1); 50],
        vec![(1, 5); 1000],
    ] {
        for movie_scale in [0, 1, u32::MAX] {
            let clip = Clip { movie_scale, edits: edits.clone(), ..Clip::sound(3, 8) };
            let _ = super::hostile::survives(&clip.file());
        }
    }
}
