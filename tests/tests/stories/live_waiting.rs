//! Requests that wait for what is still to come: playlists and hinted parts, row by row of the draft's table (RFC 8216bis
//! §6.2.5.2, §6.2.6). One track is sent by hand, chunk by chunk, so that each part comes when the story wants it.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::resolve;
use forebay_tests::oracle::live::playlist::Playlist;
use forebay_tests::rig::client::{self, Answer};
use forebay_tests::rig::deadline::{PATIENCE, until};
use forebay_tests::rig::reel::{Reel, styp};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::upload::Upload;

use crate::on_air::{OnAir, today};

/// A show of one track that is sent by hand: parts of ten frames, chunks of six.
struct ByHand {
    on_air: OnAir,
    reel: Arc<Reel>,
    start: u64,
    upload: Upload,
    chunks: u64,
    path: String,
}

impl ByHand {
    /// `seconds` of the show have been sent.
    fn after(site: Site, seconds: u64) -> Self {
        let (on_air, tracks, start) = (OnAir::on(site), live::ladder(), today());
        let reel = Arc::clone(&tracks[0].1);
        let mut upload =
            Upload::open(on_air.daemon.http(), "POST", &format!("{}/video-360", on_air.show.ingest));
        upload.send(reel.header());
        let mut show = Self { on_air, reel, start, upload, chunks: 0, path: String::new() };
        show.send(seconds * 5);
        show.path = show.on_air.show.playlists(&tracks[..1]).remove(0);
        show.on_air.show.reaches(&tracks[..1], Duration::from_secs(seconds));
        show
    }

    /// Sends so many chunks of 200 ms: three of them are two parts, less a chunk.
    fn send(&mut self, chunks: u64) {
        for _ in 0..chunks {
            self.upload.send(&self.reel.piece(self.start, self.chunks).bytes);
            self.chunks += 1;
        }
    }

    /// Ends the show.
    fn end(mut self) -> (OnAir, String) {
        self.upload.send(&styp(b"lmsg"));
        self.upload.send(&self.reel.piece(self.start, self.chunks).bytes);
        assert_eq!(self.upload.finish(PATIENCE).status(), 200);
        (self.on_air, self.path)
    }

    fn get(&self, target: &str) -> Answer {
        self.on_air.daemon.get(target)
    }

    /// The number of a segment that is `n` behind the first.
    fn msn(&self, n: u64) -> u64 {
        self.start / 2 + n
    }

    fn asking(&self, msn: u64, part: u64) -> String {
        format!("{}?_HLS_msn={}&_HLS_part={part}", self.path, self.msn(msn))
    }

    fn media(&self, msn: u64, part: u64) -> String {
        resolve(&self.path, &format!("{}.{part}.m4s", self.msn(msn)))
    }

    /// Asks on a thread; the answer comes with how long it took.
    fn ask(&self, target: &str) -> Receiver<(Answer, Duration)> {
        let (tell, told) = mpsc::channel();
        let (http, target) = (self.on_air.daemon.http(), target.to_owned());
        thread::spawn(move || {
            let start = Instant::now();
            let answer = client::get(http, &target);
            let _ = tell.send((answer, start.elapsed()));
        });
        told
    }

    fn held(&self) -> f64 {
        self.on_air.daemon.metric("forebay_live_waiting_requests", "")
    }

    /// Waits until the server holds so many requests.
    fn holds(&self, count: f64) {
        until(&format!("{count} held requests"), || (self.held() == count).then_some(()));
    }
}

/// Checks that nothing has come.
#[track_caller]
fn waits(told: &Receiver<(Answer, Duration)>) {
    match told.recv_timeout(Duration::from_millis(300)) {
        Err(RecvTimeoutError::Timeout) => {}
        other => panic!("it did not wait: {other:?}"),
    }
}

/// The answer, which must come now.
#[track_caller]
fn now(told: &Receiver<(Answer, Duration)>) -> Answer {
    told.recv_timeout(Duration::from_secs(5)).expect("an answer").0
}

fn end(answer: &Answer) -> (u64, usize) {
    Playlist::of(&answer.text()).end()
}

#[test]
fn what_is_to_come_is_waited_for_and_comes_whole() {
    let mut show = ByHand::after(Site::new(), 4);
    let (playlist, part) = (show.ask(&show.asking(2, 0)), show.ask(&show.media(2, 0)));
    let segment = show.ask(&format!("{}?_HLS_msn={}", show.path, show.msn(2)));
    let beyond = show.ask(&show.asking(1, 6));
    show.holds(4.0);
    for told in [&playlist, &part, &segment, &beyond] {
        waits(told);
    }
    show.send(1);
    // Six frames of ten: no byte of the part goes out before all of it can.
    waits(&part);
    show.send(1);
    let (playlist, part) = (now(&playlist).is(200), now(&part).is(200));
    assert_eq!(end(&playlist), (show.msn(2), 1));
    assert_eq!(playlist.header("cache-control"), "public, max-age=12");
    // A part behind the last of a whole segment is the first of the next.
    assert_eq!(end(&now(&beyond).is(200)), (show.msn(2), 1));
    let again = show.get(&show.media(2, 0)).is(200);
    assert_eq!(part.body, again.body);
    for answer in [&part, &again] {
        assert_eq!(answer.header("content-length"), part.body.len().to_string());
        assert!(answer.header("cache-control").ends_with(", immutable"), "{:?}", answer.headers);
    }
    waits(&segment);
    show.send(8);
    assert_eq!(end(&now(&segment).is(200)).0, show.msn(3));
    show.holds(0.0);
    let whole = show.get(&resolve(&show.path, &format!("{}.m4s", show.msn(2)))).is(200);
    let parts: Vec<u8> =
        (0..6).flat_map(|part| show.get(&show.media(2, part)).is(200).body.to_vec()).collect();
    assert!(whole.body == parts, "a segment is its parts, joined");
}

#[test]
fn what_is_there_or_makes_no_sense_is_answered_at_once() {
    let show = ByHand::after(Site::new(), 9);
    let (msn, path) = (show.msn(4), &show.path);
    let plain = show.get(path).is(200);
    assert_eq!(plain.header("cache-control"), "public, max-age=1");
    assert_eq!(end(&plain), (msn, 3));
    // Old, listed, or listed with a part that has left the playlist: the whole playlist, now.
    for query in [
        "_HLS_msn=0".to_owned(),
        format!("_HLS_msn={}", show.msn(0)),
        format!("_HLS_msn={}&_HLS_part=3", show.msn(0)),
        format!("_HLS_msn={}&_HLS_part=2", show.msn(3)),
        format!("_HLS_msn={msn}&_HLS_part=2"),
        "_HLS_skip=YES".to_owned(),
    ] {
        let answer = show.get(&format!("{path}?{query}")).is(200);
        assert_eq!(answer.text(), plain.text(), "{query}");
    }
    for query in [
        "_HLS_part=1".to_owned(),
        "_HLS_msn=".to_owned(),
        "_HLS_msn=one".to_owned(),
        "_HLS_msn=-1".to_owned(),
        "_HLS_msn=18446744073709551616".to_owned(),
        format!("_HLS_msn={msn}&_HLS_msn={msn}"),
        format!("_HLS_msn={msn}&_HLS_part=x"),
        format!("_HLS_msn={}", msn + 3),
        format!("_HLS_msn={}&_HLS_part=0", msn + 3),
        format!("_HLS_msn={msn}&_HLS_part=13"),
    ] {
        let answer = show.get(&format!("{path}?{query}")).is(400);
        assert_eq!(answer.header("cache-control"), "public, max-age=1", "{query}");
    }
    // These are neither here nor about to come.
    let next = msn + 1;
    for file in
        [format!("{msn}.99.m4s"), format!("{next}.1.m4s"), format!("{}.m4s", next + 1), "1.m4s".to_owned()]
    {
        let answer = show.get(&resolve(path, &file)).is(404);
        assert_eq!(answer.header("cache-control"), "public, max-age=1", "{file}");
    }
    assert_eq!(show.held(), 0.0);
}

#[test]
fn an_ended_show_makes_nobody_wait() {
    let show = ByHand::after(Site::new(), 4);
    let (asking, hinted) = (show.asking(2, 5), show.media(2, 1));
    let (playlist, part) = (show.ask(&asking), show.ask(&show.media(2, 0)));
    show.holds(2.0);
    let (on_air, path) = show.end();
    // Six frames came: the rest of a part, and the end.
    let playlist = now(&playlist).is(200);
    assert!(playlist.text().ends_with("#EXT-X-ENDLIST\n"), "{}", playlist.text());
    let _ = now(&part).is(200);
    for target in [&asking, &format!("{path}?_HLS_part=1"), &format!("{path}?_HLS_skip=YES&_HLS_msn=9")] {
        let answer = on_air.daemon.get(target).is(200);
        assert_eq!(answer.text(), playlist.text(), "{target}");
    }
    let _ = on_air.daemon.get(&hinted).is(404);
}

#[test]
fn who_waits_too_long_or_in_too_great_a_number_is_turned_away() {
    let mut show = ByHand::after(Site::new().with("live", "waiters_per_grant", "3"), 4);
    let asked = Instant::now();
    let waiting: Vec<_> = (0..3).map(|_| show.ask(&show.asking(2, 0))).collect();
    show.holds(3.0);
    let turned_away = show.get(&show.asking(2, 0)).is(503);
    assert!(turned_away.header("retry-after").parse::<u64>().unwrap() <= 5);
    assert!(asked.elapsed() < Duration::from_secs(4));
    for told in waiting {
        let (answer, took) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(answer.status, 503, "nothing came for three target durations");
        assert!((Duration::from_millis(5500)..Duration::from_secs(12)).contains(&took), "{took:?}");
        assert_eq!(answer.header("cache-control"), "public, max-age=1");
    }
    // A client that goes away gives up its place.
    let gone = std::net::TcpStream::connect(show.on_air.daemon.http()).unwrap();
    std::io::Write::write_all(
        &mut &gone,
        format!("GET {} HTTP/1.1\r\nHost: x\r\n\r\n", show.asking(2, 0)).as_bytes(),
    )
    .unwrap();
    show.holds(1.0);
    drop(gone);
    show.holds(0.0);
    let told = show.ask(&show.asking(2, 0));
    show.holds(1.0);
    show.send(2);
    let _ = now(&told).is(200);
}
