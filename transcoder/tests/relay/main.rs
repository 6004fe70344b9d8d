//! Shows from a publisher to origins, with everything on the way being killed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test that cannot go on fails"
)]

mod rig;
mod taken_on;

use std::path::Path;
use std::time::Duration;

use forebay_transcoder::ingest::TagKind;
use forebay_transcoder::live::relay::{Event, Settings, Silence};
use http::StatusCode;
use packager::time::Bitrate;
use rig::{Air, Clip, Sink, assert_on_grid, assert_unbroken, playlist, read, steps};

/// A keyframe every two seconds.
const GOP: &str = "-g 60 -keyint_min 60 -sc_threshold 0 -bf 0";

/// An origin lists all of it, without a gap or a discontinuity.
fn assert_smooth(sink: &Sink, tracks: &[&str]) {
    for track in tracks {
        let playlist = playlist(sink, track);
        assert!(playlist.matches("#EXTINF").count() >= 2, "{track} {playlist}");
        assert!(!playlist.contains("GAP") && !playlist.contains("DISCONTINUITY\n"), "{track} {playlist}");
    }
}

fn names(events: &[Event]) -> Vec<&'static str> {
    events.iter().map(Event::reason).collect()
}

#[tokio::test]
async fn an_encoder_that_is_killed_is_not_missed() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 2).await;
    air.signal("KILL");
    sink.reaches("video-180", 5).await;
    let folder = tempfile::tempdir().unwrap();
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "stopped", "started"], "{events:?}");

    assert_smooth(&sink, &["video-180", "audio"]);
    for (track, lasts) in [("video-180", 512), ("audio", 1_024)] {
        let bodies = sink.bodies(track);
        assert_eq!(bodies.len(), 1, "{track}: one request");
        let (headers, samples, last) = read(&bodies[0]);
        assert_eq!((headers.len(), last), (1, false), "{track}");
        assert_unbroken(track, &samples);
        assert!(samples.iter().all(|sample| sample.end - sample.decode == lasts));
        assert_eq!(samples[0].decode % if track == "audio" { 1_024 } else { 30_720 }, 0);
        if track != "audio" {
            assert_on_grid(track, &samples, 1);
            let steps = steps(folder.path(), &bodies[0]);
            assert_eq!(steps.len(), samples.len());
            for (number, pair) in steps.windows(2).enumerate() {
                assert_eq!(pair[1], (pair[0] + 1) % 13, "frame {number} of {steps:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_picture_that_is_passed_through_goes_on_frame_by_frame_when_the_encoder_is_killed() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let settings = Settings { pass_through: Some(Bitrate(9_000_000)), rungs: 2, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "480x270", 25, "-g 50 -keyint_min 50 -sc_threshold 0 -bf 2");
    air.publish(&clip, 12_000).await;
    sink.reaches("video-270", 3).await;
    air.signal("KILL");
    sink.reaches("video-270", 6).await;
    let folder = tempfile::tempdir().unwrap();
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "stopped", "started"], "{events:?}");
    assert!(
        matches!(&events[0], Event::Started { is_passed: true, tracks } if tracks.len() == 3),
        "{events:?}"
    );
    let bodies = sink.bodies("video-270");
    assert_eq!(bodies.len(), 1);
    let (headers, samples, _) = read(&bodies[0]);
    assert_eq!(headers.len(), 1);
    assert_unbroken("passed", &samples);
    assert_eq!(
        samples.iter().filter(|sample| sample.sync).count(),
        samples.len().div_ceil(50),
        "as they came"
    );
    let steps = steps(folder.path(), &bodies[0]);
    // What was cut off at the end may be shown before what was not.
    for pair in steps[..steps.len() - 3].windows(2) {
        assert_eq!(pair[1], (pair[0] + 1) % 13, "{steps:?}");
    }
    assert!(samples.iter().all(|sample| !sample.sync || sample.shown % 2_000_000 == 0), "{samples:?}");
    assert_smooth(&sink, &["video-270", "video-240", "audio"]);
    let (_, samples, _) = read(&sink.bodies("video-240")[0]);
    assert_unbroken("video-240", &samples);
    assert_on_grid("video-240", &samples, 1);
}

#[tokio::test]
async fn a_picture_that_is_passed_through_has_the_parts_of_its_frame_rate() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let settings = Settings { pass_through: Some(Bitrate(9_000_000)), rungs: 1, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    // A frame lasts 33 1/3 ms, and FLV says 33 or 34.
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-240", 5).await;
    let events = air.stop().await;
    assert!(matches!(&events[0], Event::Started { is_passed: true, .. }), "{events:?}");
    let listed = playlist(&sink, "video-240");
    assert!(listed.contains("PART-TARGET=0.334000\n"), "{listed}");
    assert!(listed.contains(".5.m4s\"\n#EXTINF:2.000000,\n"), "six parts in a segment: {listed}");
}

#[tokio::test]
async fn an_encoder_that_hangs_is_replaced() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 1).await;
    air.signal("STOP");
    sink.reaches("video-180", 6).await;
    let folder = tempfile::tempdir().unwrap();
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "stopped", "started"], "{events:?}");
    let (_, samples, _) = read(&sink.bodies("video-180")[0]);
    assert_unbroken("video-180", &samples);
    let steps = steps(folder.path(), &sink.bodies("video-180")[0]);
    assert!(steps.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 13), "{steps:?}");
}

#[tokio::test]
async fn a_publisher_that_is_gone_for_three_seconds_leaves_its_last_picture() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 2_500).await;
    tokio::time::sleep(Duration::from_millis(5_000)).await;
    air.publish(&clip.later(70_000_000), 12_000).await;
    sink.reaches("video-180", 7).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "slate_on", "jumped", "back"], "{events:?}");
    assert_smooth(&sink, &["video-180", "audio"]);
    for track in ["video-180", "audio"] {
        let bodies = sink.bodies(track);
        assert_eq!(bodies.len(), 1, "{track}");
        let (headers, samples, _) = read(&bodies[0]);
        assert_eq!(headers.len(), 1);
        assert_unbroken(track, &samples);
        if track != "audio" {
            assert_on_grid(track, &samples, 0);
        }
    }
}

#[tokio::test]
async fn a_publisher_whose_picture_is_passed_through_leaves_its_last_one_too() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let settings = Settings { pass_through: Some(Bitrate(9_000_000)), rungs: 2, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "480x270", 25, "-g 50 -keyint_min 50 -sc_threshold 0 -bf 2");
    air.publish(&clip, 3_300).await;
    tokio::time::sleep(Duration::from_millis(5_300)).await;
    air.publish(&clip, 12_000).await;
    sink.reaches("video-270", 8).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "slate_on", "jumped", "back"], "{events:?}");
    assert_smooth(&sink, &["video-270", "video-240", "audio"]);
    let (headers, samples, _) = read(&sink.bodies("video-270")[0]);
    assert_eq!(headers.len(), 1);
    assert_unbroken("video-270", &samples);
    let boundaries = samples.iter().filter(|sample| sample.sync && sample.shown % 2_000_000 == 0);
    assert!(boundaries.count() >= 4);
}

#[tokio::test]
async fn a_publisher_that_is_gone_for_six_seconds_leaves_a_gap_where_one_is_wished() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let settings = Settings { max_height: 180, silence: Silence::Gap, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 2_500).await;
    // Of these, up to four are made whole or placed before now.
    tokio::time::sleep(Duration::from_millis(8_500)).await;
    air.publish(&clip.later(-1_000), 12_000).await;
    sink.reaches("video-180", 11).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "paused", "jumped", "back", "started"], "{events:?}");
    for track in ["video-180", "audio"] {
        let listed = playlist(&sink, track);
        assert!(listed.contains("#EXT-X-GAP") && !listed.contains("DISCONTINUITY\n"), "{listed}");
        assert!(!listed.contains("GAP=YES"), "whole segments are missing: {track}: {listed}");
        let (headers, mut samples) = sink.all(track);
        // A request that has nothing to say for long ends, and the next one begins with what this sink does not say it has.
        samples.sort_by_key(|sample| sample.micros);
        samples.dedup_by_key(|sample| sample.micros);
        assert!(headers.windows(2).all(|pair| pair[0] == pair[1]), "one init segment");
        let holes: Vec<i64> =
            samples.windows(2).map(|pair| pair[1].micros - pair[0].micros - pair[0].lasts).collect();
        let holes: Vec<i64> = holes.into_iter().filter(|hole| hole.abs() > 1).collect();
        assert!(matches!(holes[..], [hole] if (500_000..7_000_000).contains(&hole)), "{track} {holes:?}");
        if track != "audio" {
            assert_on_grid(track, &samples, 0);
            assert_eq!(holes[0] % 2_000_000, 0, "whole segments are missing");
        }
    }
}

#[tokio::test]
async fn a_publisher_that_does_not_come_back_ends_the_show() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let reconnect = Duration::from_secs(2);
    let settings = Settings { max_height: 180, reconnect, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 2_000).await;
    let events = air.over().await;
    assert_eq!(names(&events), ["started", "slate_on", "ended"], "{events:?}");
    for track in ["video-180", "audio"] {
        let bodies = sink.bodies(track);
        assert_eq!(bodies.len(), 1);
        let (_, samples, last) = read(&bodies[0]);
        assert!(last, "{track}: it says that it is the last");
        assert_unbroken(track, &samples);
    }
}

#[tokio::test]
async fn an_origin_that_is_started_again_gets_what_it_lacks_and_no_other_feels_it() {
    let (good, bad) = (Sink::default(), Sink::default());
    good.look().answers = true;
    bad.look().answers = true;
    let (serving, failing) = (good.open(None).await, bad.open(None).await);
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving, &failing]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    bad.reaches("video-180", 2).await;
    let address = failing.address;
    drop(failing);
    let had = bad.bodies("video-180");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    // It has lost all it had.
    bad.look().bodies.clear();
    let _again = bad.open(Some(address)).await;
    good.reaches("video-180", 5).await;
    bad.reaches("video-180", 5).await;
    let events = air.stop().await;
    let interrupted = events.iter().filter(|event| event.reason() == "interrupted").count();
    let resumed = events.iter().filter(|event| event.reason() == "resumed").count();
    assert_eq!((interrupted, resumed), (2, 2), "{events:?}");
    for track in ["video-180", "audio"] {
        let bodies = bad.bodies(track);
        let (_, samples, _) = read(&bodies[0]);
        assert_unbroken(track, &samples);
        let (_, all, _) = read(&good.bodies(track)[0]);
        assert_eq!(good.bodies(track).len(), 1);
        assert_unbroken(track, &all);
        assert_eq!(samples[0], all[0], "{track}: from the beginning on");
    }
    let (_, before, _) = read(&had[0]);
    assert!(before.len() > 50);
}

#[tokio::test]
async fn an_origin_that_breaks_off_is_sent_what_follows_its_end() {
    let sink = Sink::default();
    sink.look().answers = true;
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 3).await;
    let address = serving.address;
    drop(serving);
    let _again = sink.open(Some(address)).await;
    sink.reaches("video-180", 5).await;
    air.stop().await;
    let bodies = sink.bodies("video-180");
    assert_eq!(bodies.len(), 2);
    let ((_, before, _), (_, after, _)) = (read(&bodies[0]), read(&bodies[1]));
    let last = before.last().unwrap().end;
    assert!(after[0].decode < last && after[0].decode > last - 15_360, "with less than a second again");
    assert_unbroken("after", &after);
}

#[tokio::test]
async fn an_origin_that_is_stuck_holds_up_nobody() {
    let (good, stuck) = (Sink::default(), Sink::default());
    stuck.look().is_stuck = true;
    let (serving, slow) = (good.open(None).await, stuck.open(None).await);
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&slow, &serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    good.reaches("video-180", 4).await;
    assert!(stuck.bodies("video-180").is_empty());
    stuck.look().is_stuck = false;
    stuck.reaches("video-180", 5).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started"], "{events:?}");
    for track in ["video-180", "audio"] {
        let ((_, all, _), (_, late, _)) = (read(&good.bodies(track)[0]), read(&stuck.bodies(track)[0]));
        assert_unbroken(track, &all);
        assert_unbroken(track, &late);
        assert_eq!(late[0], all[0], "it made up for it");
    }
}

#[tokio::test]
async fn a_picture_of_another_size_goes_on_in_the_same_tracks() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let wide = Clip::steps(air.folder.path(), "320x180", 30, GOP);
    let narrow = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    let first = wide.0.iter().filter(|tag| tag.at_ms < 3_000);
    let then = narrow.later(3_000).0;
    let clip = Clip(first.cloned().chain(then).collect());
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 6).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "jumped", "changed", "started"], "{events:?}");
    let bodies = sink.bodies("video-180");
    assert_eq!(bodies.len(), 1, "in one request");
    let (headers, samples, _) = read(&bodies[0]);
    assert_eq!(headers.len(), 2);
    let playlist = playlist(&sink, "video-180");
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
    assert!(!playlist.contains("GAP"), "{playlist}");
    assert_unbroken("video-180", &samples);
    assert_on_grid("video-180", &samples, 0);
    let (headers, samples, _) = read(&sink.bodies("audio")[0]);
    assert_eq!(headers.len(), 1);
    assert_unbroken("audio", &samples);
}

#[tokio::test]
async fn keyframes_that_leave_the_grid_end_passing_through() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let settings = Settings { pass_through: Some(Bitrate(9_000_000)), rungs: 1, ..Settings::default() };
    let mut air = Air::new(settings, &[&serving]);
    // On the grid for four seconds, off it afterwards.
    let keys = "-force_key_frames expr:eq(mod(n,60),0)*lt(n,121)+eq(mod(n,75),0)*gt(n,121)";
    let options = format!("-g 999 -keyint_min 1 -sc_threshold 0 -bf 0 {keys}");
    let clip = Clip::steps(air.folder.path(), "320x180", 30, &options);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 8).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "pass_through_ended", "started"], "{events:?}");
    let (headers, samples, _) = read(&sink.bodies("video-180")[0]);
    assert_eq!(headers.len(), 2, "{events:?} {samples:?}");
    let playlist = playlist(&sink, "video-180");
    assert_eq!(playlist.matches("#EXT-X-DISCONTINUITY\n").count(), 1, "{playlist}");
    assert!(!playlist.contains("GAP"), "{playlist}");
    let boundary = samples[0].micros + 8_000_000;
    assert!(samples.iter().any(|sample| sample.sync && sample.micros == boundary));
}

#[tokio::test]
async fn a_stream_that_cannot_be_used_is_told_and_the_next_one_is() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    let mut broken = clip.clone();
    for tag in broken.0.iter_mut().filter(|tag| tag.kind == TagKind::Video) {
        // What a codec header should be, and every frame, is noise; heads are left as they are.
        let noise = (0..tag.data.len()).map(|at| u8::try_from(at * 7 % 251).unwrap());
        tag.data = tag.data.iter().copied().take(5).chain(noise.skip(5)).collect();
    }
    air.publish(&broken, 2_000).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 1).await;
    let events = air.stop().await;
    assert_eq!(names(&events)[0], "unusable", "{events:?}");
    assert!(names(&events).contains(&"started"), "{events:?}");
}

#[tokio::test]
async fn sound_that_stops_and_comes_back_is_silence_meanwhile() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let mut clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    clip.0.retain(|tag| tag.kind != TagKind::Audio || !(1_500..5_500).contains(&tag.at_ms));
    air.publish(&clip, 12_000).await;
    // Long before the sound is back.
    sink.reaches("audio", 3).await;
    sink.reaches("audio", 6).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started"], "{events:?}");
    assert_smooth(&sink, &["video-180", "audio"]);
    let (_, samples, _) = read(&sink.bodies("audio")[0]);
    assert_unbroken("audio", &samples);
}

#[tokio::test]
async fn what_belonged_to_a_show_that_was_ended_does_not_begin_the_next() {
    let sink = Sink::default();
    sink.look().refusal = Some((60_000, StatusCode::CONFLICT));
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = Clip::steps(air.folder.path(), "320x240", 30, GOP);
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 4).await;
    let events = air.stop().await;
    let interrupted = events.iter().filter_map(|event| match event {
        Event::Interrupted { why, .. } => Some(why.as_str()),
        _ => None,
    });
    assert_eq!(interrupted.collect::<Vec<_>>(), ["409 Conflict: no more of this"], "{events:?}");
    let refused = sink.look().bodies.iter().find(|(_, bodies)| bodies.len() > 1).unwrap().0.clone();
    let bodies = sink.bodies(&refused);
    let ((_, before, _), (_, after, _)) = (read(&bodies[0]), read(&bodies[1]));
    assert!(after[0].decode >= before.last().unwrap().end, "{refused}");
}

/// A publisher of newer codecs, whose encoder is killed.
async fn newer_codecs_are_made_into_what_everybody_plays(clip: impl Fn(&Path) -> Clip) {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, ..Settings::default() }, &[&serving]);
    let clip = clip(air.folder.path());
    air.publish(&clip, 12_000).await;
    sink.reaches("video-180", 2).await;
    air.signal("KILL");
    sink.reaches("video-180", 4).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "stopped", "started"], "{events:?}");
    assert_smooth(&sink, &["video-180", "audio"]);
    for track in ["video-180", "audio"] {
        let (_, samples, _) = read(&sink.bodies(track)[0]);
        assert_unbroken(track, &samples);
    }
}

#[tokio::test]
async fn hevc_and_opus_are_made_into_what_everybody_plays() {
    newer_codecs_are_made_into_what_everybody_plays(Clip::hevc).await;
}

#[tokio::test]
async fn av1_is_made_into_what_everybody_plays() {
    newer_codecs_are_made_into_what_everybody_plays(Clip::av1).await;
}

#[tokio::test]
async fn vp9_is_made_into_what_everybody_plays() {
    newer_codecs_are_made_into_what_everybody_plays(Clip::vp9).await;
}

#[tokio::test]
async fn what_comes_late_and_cannot_be_made_less_is_told() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 180, rungs: 1, ..Settings::default() }, &[&serving]);
    // It reads at half its pace.
    let (tool, encoder) = (air.relay.tools.ffmpeg.clone(), rig::encoder());
    let slow = format!("*pipe:4*) exec {encoder} -readrate 0.5 \"$@\";;");
    std::fs::write(tool, format!("#!/bin/sh\ncase \"$*\" in {slow} esac\nexec {encoder} \"$@\"\n")).unwrap();
    let clip = Clip::make(air.folder.path(), "testsrc2=s=320x180:r=30", GOP);
    let clip = Clip(clip.0.iter().cloned().chain(clip.later(12_000).0).collect());
    air.publish(&clip, 24_000).await;
    sink.reaches("video-180", 7).await;
    let events = air.stop().await;
    assert_eq!(names(&events), ["started", "late"], "{events:?}");
}

#[tokio::test]
async fn an_encoder_that_does_not_keep_up_makes_less() {
    let sink = Sink::default();
    let serving = sink.open(None).await;
    let mut air = Air::new(Settings { max_height: 360, rungs: 2, ..Settings::default() }, &[&serving]);
    // It reads at half its pace as long as it makes two rungs.
    let tool = air.relay.tools.ffmpeg.clone();
    let encoder = rig::encoder();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *'[v1]'*pipe:6*) exec {encoder} -readrate 0.5 \"$@\";; esac\nexec {encoder} \"$@\"\n"
    );
    std::fs::write(tool, script).unwrap();
    let picture = "testsrc2=s=640x360:r=30";
    let clip = Clip::make(air.folder.path(), picture, GOP);
    let clip = Clip(clip.0.iter().cloned().chain(clip.later(12_000).0).collect());
    air.publish(&clip, 24_000).await;
    sink.reaches("video-240", 9).await;
    let mut events = air.stop().await;
    // Before that, it may be late by so much that it is told.
    events.retain(|event| !matches!(event, Event::Late { .. }));
    assert_eq!(names(&events), ["started", "rung_dropped", "started"], "{events:?}");
    assert!(read(&sink.bodies("video-360")[0]).2, "the dropped track says that it is over");
    for track in ["video-240", "audio"] {
        let (_, samples, last) = read(&sink.bodies(track)[0]);
        assert!(!last);
        assert_unbroken(track, &samples);
    }
}
