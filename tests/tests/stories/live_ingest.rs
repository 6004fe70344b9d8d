//! Senders that do the same in different ways, and senders that lose their connection.

use std::time::Duration;

use forebay_tests::inputs::live;
use forebay_tests::oracle::live as rules;
use forebay_tests::rig::deadline::PATIENCE;
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::upload::Upload;
use forebay_tests::rig::viewer::Recording;

use crate::on_air::{OnAir, SLACK, Stream, Tracks, all_taken, today};

/// Two rounds: the sound ends with the picture.
const LENGTH: Duration = Duration::from_secs(16);

/// A show that was sent in one go, as the others are compared with.
fn plain(on_air: &OnAir, tracks: &Tracks, start: u64) -> Vec<Recording> {
    let stream = on_air.stream("plain");
    stream.send(stream.sender(tracks).since(start).until(LENGTH), tracks);
    let recordings = stream.look(tracks);
    for recording in &recordings {
        rules::holds(&recording.captures, SLACK);
        assert_eq!(recording.last.segments.len(), 8, "{}", recording.captures[0].text);
        assert!(recording.last.is_ended);
    }
    recordings
}

/// Checks that a stream shows what `wanted` shows, byte for byte.
#[track_caller]
fn is_same(what: &str, stream: &Stream, tracks: &Tracks, wanted: &[Recording]) {
    for (own, wanted) in stream.look(tracks).iter().zip(wanted) {
        assert_eq!(own.captures[0].text, wanted.captures[0].text, "{what}");
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (own.media.values().collect(), wanted.media.values().collect());
        assert!(ours == theirs, "{what}: {} has other bytes", own.path);
    }
}

#[test]
fn a_show_does_not_tell_how_it_was_sent() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let wanted = plain(&on_air, &tracks, start);
    let ways: [(&str, &Tracks, bool, &[usize]); 5] = [
        ("split-oddly", &tracks, false, &[1, 7, 1000, 3, 50_000]),
        ("in-long-chunks", &live::ladder_in_long_chunks(), false, &[]),
        ("in-objects", &tracks, true, &[]),
        ("in-objects-split-oddly", &tracks, true, &[2, 30_000, 5]),
        ("in-objects-of-one-chunk", &live::ladder_in_long_chunks(), true, &[]),
    ];
    for (name, reels, in_objects, sizes) in ways {
        let stream = on_air.stream(name);
        let mut sender = stream.sender(reels).since(start).until(LENGTH).cut_by(sizes);
        if in_objects {
            sender = sender.in_objects();
        }
        stream.send(sender, &tracks);
        is_same(name, &stream, &tracks, &wanted);
    }
}

#[test]
fn a_sender_that_lost_its_connection_goes_on() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let wanted = plain(&on_air, &tracks, start);
    let seconds = Duration::from_secs_f64;
    // Where the connection broke, where the next one begins, and whether it sends the header again.
    for (name, cut, back, has_header) in [
        ("goes-on-with-a-key-frame", 6.0, 6.0, true),
        ("sends-the-last-chunks-again", 5.0, 4.5, true),
        ("sends-all-again", 7.3, 0.0, true),
        ("sends-no-header", 6.1, 5.2, false),
    ] {
        let stream = on_air.stream(name);
        let sender = stream.sender(&tracks).since(start).speed(f64::INFINITY);
        let _ = sender.clone().until(seconds(cut)).ending(Ending::Cut).start().finish();
        stream.reaches(&tracks, seconds(cut));
        let again = sender.from(seconds(back)).until(LENGTH);
        let again = if has_header { again } else { again.without_header() };
        all_taken(&again.start().finish());
        is_same(name, &stream, &tracks, &wanted);
    }
}

#[test]
fn a_connection_may_break_inside_a_box() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let wanted = plain(&on_air, &tracks, start);
    let stream = on_air.stream("cut");
    for (name, reel) in &tracks {
        let mut upload = Upload::open(on_air.daemon.http(), "POST", &format!("{}/{name}", stream.ingest));
        upload.send(reel.header());
        for number in 0..20 {
            upload.send(&reel.piece(start, number).bytes);
        }
        let piece = reel.piece(start, 20).bytes;
        upload.send(&piece[..piece.len() / 2]);
    }
    stream.reaches(&tracks, Duration::from_secs(4));
    // The tracks come back a chunk earlier.
    let sender = stream.sender(&tracks).since(start).from(Duration::from_millis(3700)).until(LENGTH);
    all_taken(&sender.speed(f64::INFINITY).start().finish());
    is_same("cut", &stream, &tracks, &wanted);
}

#[test]
fn two_encoders_that_send_the_same_are_one() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let [plain, twice] = ["plain", "twice"].map(|name| on_air.stream(name));
    let sender =
        |stream: &Stream| stream.sender(&tracks).since(start).until(LENGTH).ending(Ending::Plain).speed(20.0);
    let both = [sender(&plain).start(), sender(&twice).start(), sender(&twice).cut_by(&[999]).start()];
    for sending in both {
        all_taken(&sending.finish());
    }
    plain.reaches(&tracks, LENGTH);
    twice.reaches(&tracks, LENGTH);
    is_same("twice", &twice, &tracks, &plain.look(&tracks));
}

#[test]
fn what_a_sender_lost_is_a_gap() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let seconds = Duration::from_secs;
    // The second one leaves and comes back inside a group of pictures, the rest of which nobody can decode. Sound needs no
    // key frame, and a chunk of it reaches into the segment behind the cut.
    for (name, cut, back, lost) in [("segments", 4, 8, vec![2, 3]), ("parts", 5, 7, vec![3])] {
        let stream = on_air.stream(name);
        let sender = stream.sender(&tracks).since(start).speed(f64::INFINITY);
        let _ = sender.clone().until(seconds(cut)).ending(Ending::Cut).start().finish();
        stream.reaches(&tracks, seconds(cut));
        let watching = stream.watch(&tracks);
        all_taken(&sender.from(seconds(back)).until(LENGTH).start().finish());
        for (recording, (track, _)) in watching.end().iter().zip(&tracks) {
            rules::holds(&recording.captures, SLACK);
            let (text, last) = (&recording.captures.last().unwrap().text, &recording.last);
            assert_eq!((last.sequence, last.segments.len()), (start / 2, 8), "{name}:\n{text}");
            let gaps: Vec<u64> =
                last.all().filter(|(_, s)| s.is_gap).map(|(msn, _)| msn - last.sequence).collect();
            let wanted = if *track == "audio" { lost.get(1..).unwrap_or_default() } else { &lost };
            assert_eq!(gaps, wanted, "{name}:\n{text}");
        }
    }
}

#[test]
fn another_encoding_begins_with_a_discontinuity() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let [(_, large), (_, small), _] = &tracks[..] else { panic!("three tracks") };
    let track = |reel| [("video", std::sync::Arc::clone(reel))];
    let stream = &on_air.show;
    let sender = |reel| stream.sender(&track(reel)).since(start).speed(f64::INFINITY);
    let ended = sender(large).until(Duration::from_secs(6)).ending(Ending::Plain).start().finish();
    all_taken(&ended);
    all_taken(&sender(small).from(Duration::from_secs(6)).until(LENGTH).start().finish());
    let recording = &stream.look(&track(large))[0];
    rules::holds(&recording.captures, SLACK);
    let marked: Vec<bool> = recording.last.segments.iter().map(|s| s.is_discontinuous).collect();
    assert_eq!(
        marked,
        [false, false, false, true, false, false, false, false],
        "{}",
        recording.captures[0].text
    );
    let maps: Vec<_> = recording.last.segments.iter().map(|segment| segment.map.as_ref()).collect();
    assert!(maps[2] != maps[3], "{maps:?}");
}

#[test]
fn manifests_and_deletions_are_taken_and_forgotten() {
    let on_air = OnAir::on(Site::new());
    let ingest = &on_air.show.ingest;
    for manifest in ["show.mpd", "main.m3u8", "video/index.m3u8"] {
        let mut upload = Upload::open(on_air.daemon.http(), "PUT", &format!("{ingest}/{manifest}"));
        upload.send(b"<MPD/>");
        assert_eq!(upload.finish(PATIENCE).status(), 200, "{manifest}");
    }
    let deleted = on_air.daemon.request("DELETE", &format!("{ingest}/video/1.m4s"), &[]);
    assert!(deleted.status == 200 || deleted.status == 204, "{}", deleted.status);
    let _ = on_air.daemon.get(&on_air.show.door).is(404);
}
