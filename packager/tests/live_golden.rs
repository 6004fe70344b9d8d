//! Live playlists as clients see them, held against goldens that explain the format to whoever reads them.
//!
//! `FOREBAY_BLESS=1 cargo test -p forebay-packager --test live_golden` writes them anew. The fixtures of a picture at 25
//! frames a second and of sound at 48,000 Hz are sent round and round, in chunks of a fifth of a second, from media time
//! zero on; that is 16:00 UTC. Segments are of a second, in two parts.
#![allow(dead_code, reason = "the stage serves several tests")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reads its files"
)]

mod live_stage;

use bytes::Bytes;
use forebay_packager::live::{EventMessage, Form, Listing};
use forebay_packager::time::MediaTime;

use live_stage::Stage;

/// Whole segments, the newest of them with their parts, then the parts of the one that is being made, what comes next, and
/// how far the other tracks are.
#[test]
fn a_show_at_its_edge_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 4000);
    stage.send(5600);
    stage.say("video after 5.6 s, in a window of 4 s", 0, Form::Full);
    stage.say("audio after 5.6 s", 1, Form::Full);
    stage.say_main();
    stage.is_as_before("edge");
}

/// What was over before the window slid on is told to have gone, with a tab between two; what is older than the skip
/// boundary is left out.
#[test]
fn updates_look_as_before() {
    let mut stage = Stage::sliding(&["video"], 9000);
    stage.send(600);
    stage.mark("goal-1", 200, 100);
    stage.mark("foul-1", 100, 100);
    stage.send(1600);
    stage.mark("half-1", 1000, 2_700_000);
    stage.send(8600);
    stage.mark("goal-2", 8000, 1000);
    stage.send(10_600);
    stage.say("video after 10.6 s, in a window of 9 s, to ?_HLS_skip=YES", 0, Form::Delta);
    stage.say("the same to ?_HLS_skip=v2", 0, Form::DeltaRanges);
    stage.is_as_before("updates");
}

/// From 1.2 s to 3.4 s all is lost, and until the keyframe at 4 s nothing can be decoded.
#[test]
fn lost_media_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 60_000);
    stage.send(1200);
    stage.lose(3400);
    stage.send(4600);
    stage.say("video after 4.6 s, of which 1.2 s to 4 s are missing", 0, Form::Full);
    stage.is_as_before("gap");
}

/// The encoder of the picture is replaced at 2 s; the sound shows the discontinuity with it.
#[test]
fn a_discontinuity_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 3000);
    stage.send(2000);
    stage.change_encoder();
    stage.send(2200);
    stage.say("video after 2.2 s, with another encoder since 2 s", 0, Form::Full);
    stage.send(3600);
    stage.say("video after 3.6 s", 0, Form::Full);
    stage.say("audio after 3.6 s", 1, Form::Full);
    stage.send(6600);
    stage.say("video after 6.6 s: the discontinuity has left the window of 3 s", 0, Form::Full);
    stage.is_as_before("discontinuity");
}

/// A break of the network is announced half a second before it begins, and its end when it comes.
#[test]
fn an_ad_break_looks_as_before() {
    let mut stage = Stage::sliding(&["video"], 60_000);
    stage.send(1000);
    stage.send_with(2600, &[cue(1500, OUT)]);
    stage.say("video after 2.6 s; at 1.5 s a break of 2 s has begun", 0, Form::Full);
    stage.send_with(4600, &[cue(3500, IN)]);
    stage.say("video after 4.6 s; at 3.5 s the break has ended", 0, Form::Full);
    stage.is_as_before("ad-break");
}

/// From the first segment on; and when it has ended, nothing is hinted or reported any more.
#[test]
fn an_event_and_its_end_look_as_before() {
    let mut stage = Stage::of(&["video", "audio"], Listing::Event);
    stage.send(2600);
    stage.say("video after 2.6 s", 0, Form::Full);
    stage.show.end_now();
    stage.say("video when the show has ended", 0, Form::Full);
    stage.is_as_before("event");
    let playlist = stage.show.playlist(&stage.lines[0].name).unwrap();
    assert_eq!(
        playlist.render(Form::Delta),
        playlist.render(Form::Full),
        "nothing is skipped behind the end"
    );
}

/// Event 7 of a network (SCTE 35 §9.7.3): out of it at once, for 2 s, with automatic return.
const OUT: &[u8] = &[
    0xfc, 0x30, 0x20, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x0f, 5, // table, no encryption, splice_insert
    0, 0, 0, 7, 0x7f, 0xff, 0xfe, 0, 2, 0xbf, 0x20, 0, 1, 1,
    1, // event, flags, 180,000 ticks, programme 1
    0, 0, 0x8b, 0x10, 0xbc, 0x43, // no descriptors; checksum
];
/// And back to it.
const IN: &[u8] = &[
    0xfc, 0x30, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x0a, 5, // table, no encryption, splice_insert
    0, 0, 0, 7, 0x7f, 0x5f, 0, 1, 1, 1, // event, flags, programme 1
    0, 0, 0x69, 0x93, 0x7e, 0x94, // no descriptors; checksum
];

fn cue(at_ms: i64, section: &'static [u8]) -> EventMessage {
    EventMessage {
        scheme: "urn:scte:scte35:2013:bin".to_owned(),
        value: String::new(),
        id: 7,
        start: MediaTime::from_millis(at_ms),
        duration: None,
        payload: Bytes::from_static(section),
        raw: Bytes::new(),
    }
}

#[test]
fn only_what_lies_well_behind_the_end_is_behind() {
    let mut stage = Stage::sliding(&["video"], 60_000);
    // Ten whole segments of a second, and half of the next; the target duration is one second.
    stage.send(10_500);
    let behind = |stage: &Stage| {
        let playlist = stage.show.playlist(&stage.lines[0].name).unwrap();
        (0..12).map(|msn| playlist.is_behind(forebay_packager::time::Msn(msn))).collect::<Vec<_>>()
    };
    let wanted: Vec<bool> = (0..12).map(|msn| msn < 6).collect();
    assert_eq!(behind(&stage), wanted);
    stage.show.end_now();
    assert_eq!(behind(&stage), [true; 12], "nobody watches live any more");
}
