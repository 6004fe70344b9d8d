//! Broken senders: each gets a clear answer, and nobody else feels it.

use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::live as rules;
use forebay_tests::rig::boxes;
use forebay_tests::rig::deadline::PATIENCE;
use forebay_tests::rig::raw::RawAnswer;
use forebay_tests::rig::reel::Reel;
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::upload::Upload;

use crate::on_air::{OnAir, SLACK, Stream, all_taken, today};

/// Sends `body` to a track and reads the answer: at the end of the body, or before it where the server does not wait.
fn send(stream: &Stream, track: &str, body: &[u8]) -> RawAnswer {
    let mut upload = Upload::open(stream.http(), "POST", &format!("{}/{track}", stream.ingest));
    for piece in body.chunks(10_000) {
        upload.send(piece);
        if upload.is_answered() {
            return upload.answer(PATIENCE);
        }
    }
    upload.finish(PATIENCE)
}

fn words(answer: &RawAnswer) -> String {
    String::from_utf8_lossy(answer.body()).trim().to_owned()
}

/// Header and the first chunks.
fn start_of(reel: &Reel, start: u64, chunks: u64) -> Vec<u8> {
    let mut body = reel.header().to_vec();
    body.extend((0..chunks).flat_map(|number| reel.piece(start, number).bytes));
    body
}

#[test]
fn each_fault_has_its_answer_and_costs_nobody_else_anything() {
    let on_air = OnAir::on(Site::new().with("log", "level", "\"info\""));
    let (tracks, start) = (live::ladder(), today());
    let good = on_air.show.sender(&tracks).since(start).speed(4.0).until(Duration::from_secs(16)).start();
    let watching = on_air.show.watch(&tracks);

    let (video, sound) = (&tracks[0].1, &tracks[2].1);
    let whole = start_of(video, start, 5);
    let piece = video.piece(start, 5).bytes;
    let moof = boxes::find(&piece, &[b"moof"]).unwrap();
    let with = |more: &[u8]| [&whole[..], more].concat();
    let resized = |at: usize, size: u32| {
        let mut bytes = piece.clone();
        bytes[at..at + 4].copy_from_slice(&size.to_be_bytes());
        with(&bytes)
    };
    let huge = [&piece[..moof.end], &1_u32.to_be_bytes(), b"mdat", &u64::MAX.to_be_bytes()].concat();
    let two_tracks = {
        let moov = boxes::find(video.header(), &[b"moov"]).unwrap();
        let trak = boxes::find(sound.header(), &[b"moov", b"trak"]).unwrap();
        let body = [&video.header()[moov.body..moov.end], &sound.header()[trak.start..trak.end]].concat();
        [&video.header()[..moov.start], &boxes::boxed(b"moov", &body)].concat()
    };
    // What is sent to a stream of its own, the status, and a word of the answer.
    let cases: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("text", b"this is no media\n".repeat(100), 400, "a box of CMAF"),
        ("media-before-a-header", piece.clone(), 400, "moov"),
        ("half-a-box", with(&piece[..piece.len() / 2]), 400, "truncated"),
        ("half-a-moof", with(&piece[..moof.end / 2]), 400, "truncated"),
        ("a-box-of-4-gigabytes", resized(moof.end, u32::MAX), 413, "mdat"),
        ("a-box-of-16-exabytes", with(&huge), 413, "mdat"),
        ("a-moof-of-2-gigabytes", resized(0, i32::MAX.unsigned_abs()), 413, "moof"),
        ("a-box-of-seven-bytes", resized(0, 7), 400, "found 7"),
        ("a-box-to-the-end-of-time", resized(moof.end, 0), 400, "found 0"),
        (
            "times-that-run-backwards",
            with(&video.piece(start.saturating_sub(800), 7).bytes),
            409,
            "before the end",
        ),
        ("two-tracks-in-one", two_tracks, 413, "1 track"),
        ("a-codec-of-long-ago", start_of(&live::old_codec(), start, 2), 422, "mp4v"),
    ];
    for (name, body, status, word) in &cases {
        let stream = on_air.stream(name);
        let answer = send(&stream, "video", body);
        let words = words(&answer);
        assert_eq!(answer.status(), *status, "{name}: {words}");
        assert!(words.contains(word) && words.len() < 300, "{name}: wanted {word:?} in {words:?}");
        assert!(!words.contains("panicked") && !words.contains('\n'), "{name}: {words:?}");
    }

    // The stream of the others has not noticed.
    all_taken(&good.finish());
    for recording in watching.end() {
        rules::holds(&recording.captures, SLACK);
        assert_eq!(recording.last.segments.len(), 8);
        assert!(recording.last.all().all(|(_, segment)| !segment.is_gap));
    }
    let logged = on_air.daemon.log();
    for (name, ..) in &cases {
        assert!(
            logged.lines().any(|line| line.contains(name) && line.contains("WARN")),
            "{name} in:\n{logged}"
        );
    }
    assert!(!logged.contains("panicked"), "{logged}");
}

#[test]
fn a_track_stays_what_it_is() {
    let on_air = OnAir::on(Site::new());
    let (tracks, start) = (live::ladder(), today());
    let stream = &on_air.show;
    let sender = stream.sender(&tracks).since(start).speed(f64::INFINITY).until(Duration::from_secs(4));
    all_taken(&sender.ending(Ending::Plain).start().finish());
    let answer = send(stream, "video-360", &start_of(&tracks[2].1, start, 5));
    assert_eq!(answer.status(), 409, "{}", words(&answer));
    // The right one goes on.
    let rest = stream.sender(&tracks).since(start).from(Duration::from_secs(4)).until(Duration::from_secs(8));
    all_taken(&rest.speed(f64::INFINITY).start().finish());
    for recording in stream.look(&tracks) {
        rules::holds(&recording.captures, SLACK);
        assert_eq!(recording.last.segments.len(), 4);
    }
}

#[test]
fn a_silent_sender_is_told_so_and_may_come_back() {
    let site = Site::new().with("live", "silence", "\"1s\"");
    let on_air = OnAir::on(site);
    let (reel, start) = (live::ladder()[0].1.clone(), today());
    let mut upload = Upload::open(on_air.daemon.http(), "POST", &format!("{}/video", on_air.show.ingest));
    upload.send(&start_of(&reel, start, 10));
    let fell_silent = Instant::now();
    let answer = upload.answer(Duration::from_secs(20));
    assert_eq!(answer.status(), 408, "{}", words(&answer));
    assert!(fell_silent.elapsed() >= Duration::from_millis(900), "{:?}", fell_silent.elapsed());
    let track = [("video", reel)];
    let rest =
        on_air.show.sender(&track).since(start).from(Duration::from_secs(2)).until(Duration::from_secs(8));
    all_taken(&rest.speed(f64::INFINITY).start().finish());
    let recording = &on_air.show.look(&track)[0];
    rules::holds(&recording.captures, SLACK);
    assert_eq!(recording.last.segments.len(), 4);
    assert!(recording.last.all().all(|(_, segment)| !segment.is_gap));
}

#[test]
fn who_may_not_send_is_told_before_sending() {
    let on_air = OnAir::on(Site::new());
    let (http, folder) = (on_air.daemon.http(), "/ingest/show");
    let viewer = on_air.show.door.replace("/live/show/main.m3u8", folder);
    let other = on_air.stream("other").ingest.replace("/ingest/other", folder);
    for (path, statuses) in [
        (format!("{folder}/video"), &[401, 403][..]),
        (format!("{viewer}/video"), &[401, 403]),
        (format!("{other}/video"), &[401, 403]),
        (format!("{}/a/b/c", on_air.show.ingest), &[404]),
        (format!("{}/Video!", on_air.show.ingest), &[404]),
    ] {
        // The body never ends: the answer does not wait for it.
        let mut upload = Upload::open(http, "POST", &path);
        upload.send(b"\0\0\0\x10ftypiso6");
        let answer = upload.answer(Duration::from_secs(20));
        assert!(statuses.contains(&answer.status()), "{path}: {}", answer.status());
    }
    // Who may send may not watch.
    let sender = on_air.show.ingest.replace("/ingest/show", "/live/show/main.m3u8");
    assert!([401, 403].contains(&on_air.daemon.get(&sender).status));
}
