//! The views of a show, as others see them: players that go back for hours and return, decoders, and readers of playlists.

use std::fs;
use std::ops::Range;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::oracle::media::{self, Frame};
use forebay_tests::oracle::{doctor, playlists};
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::player::{Pages, Player, Report, Viewing};
use forebay_tests::rig::sender::{Ending, Sending};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::Viewer;
use sha2::{Digest, Sha256};

use crate::archive::view;
use crate::on_air::{OnAir, Tracks, all_taken, today};

#[test]
fn all_views_are_decoded_alike_and_read_without_complaint() {
    let on_air = OnAir::on(Site::new().with("live", "window", "\"2h\""));
    let (tracks, start) = (live::ladder(), today());
    let sender = || on_air.show.sender(&tracks).since(start).speed(4.0);
    let sending = sender().until(Duration::from_secs(40)).ending(Ending::Plain).start();
    let (first, live) = capture(&on_air, &tracks, 15);
    all_taken(&sending.finish());
    are_read_alike(&on_air, &tracks, &["main.m3u8", "start.m3u8"]);
    let dvr = listed(&on_air, &tracks, "start.m3u8", first..first + 15);
    all_taken(&sender().from(Duration::from_secs(40)).until(Duration::from_secs(48)).start().finish());
    let _ = on_demand(&on_air);
    are_read_alike(&on_air, &tracks, &["main.m3u8", "start.m3u8", "vod.m3u8"]);
    let vod = listed(&on_air, &tracks, "vod.m3u8", first..first + 15);
    are_decoded_alike(&tracks, &[("as it was live", live), ("DVR", dvr), ("VOD", vod)]);
    // ffmpeg reads the whole of it by itself.
    for (path, (name, _)) in on_air.show.playlists(&tracks).iter().zip(&tracks) {
        let frames = |file: &str| media::frames(on_air.daemon.url(&view(path, file)), stream(name));
        let (whole, count) = (frames("vod.m3u8"), if *name == "audio" { 2250 } else { 1440 });
        assert!(whole.len() == count && whole == frames("start.m3u8"), "{name}: {}", whole.len());
    }
}

#[test]
#[ignore = "six minutes, and needs a machine that plays two films at a time; part of `make proof`"]
fn players_go_back_two_hours_return_to_the_edge_and_go_on_on_demand() {
    let on_air = OnAir::on(Site::new().with("live", "window", "\"3h\""));
    let (tracks, start) = (live::ladder_with_clock(), today() - PAST.as_secs());
    let (sending, first, beginning) = goes_on_air(&on_air, &tracks, start);
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    for player in [Player::HlsJs, Player::Shaka] {
        for file in ["main.m3u8", "start.m3u8"] {
            println!("{file}");
            let url = on_air.daemon.url(&view(&on_air.show.door, file));
            let viewing = pages.read_clocks(&browser, &[(player, &url)]).remove(0);
            goes_back_and_returns(&viewing, file, start);
        }
    }
    are_read_alike(&on_air, &tracks, &["main.m3u8", "start.m3u8"]);
    let (next, end) = capture(&on_air, &tracks, CAPTURED);
    let ranges = [(first, beginning), (next, end)].map(|(number, live)| {
        let range = number..number + CAPTURED;
        let dvr = listed(&on_air, &tracks, "start.m3u8", range.clone());
        (range, live, dvr)
    });

    all_taken(&sending.stop());
    let url = on_air.daemon.url(&on_demand(&on_air));
    goes_on_on_demand(&pages.read_clocks(&browser, &[(Player::HlsJs, &url), (Player::Shaka, &url)]), start);
    are_read_alike(&on_air, &tracks, &["main.m3u8", "start.m3u8", "vod.m3u8"]);
    for (range, live, dvr) in ranges {
        println!("from {} s on", 2 * range.start - start);
        let vod = listed(&on_air, &tracks, "vod.m3u8", range);
        are_decoded_alike(&tracks, &[("as it was live", live), ("DVR", dvr), ("VOD", vod)]);
    }
}

/// Sends the past of a show, and goes on by the clock; gives what was captured of its beginning meanwhile, and the number of
/// the first segment there.
fn goes_on_air(on_air: &OnAir, tracks: &Tracks, start: u64) -> (Sending, u64, Vec<Vec<u8>>) {
    let sender = || on_air.show.sender(tracks).since(start);
    let (began, past) = (Instant::now(), sender().speed(SPEED).until(PAST).ending(Ending::Plain).start());
    let (first, captured) = capture(on_air, tracks, CAPTURED);
    all_taken(&past.finish());
    let sending = sender().by_the_wall_clock().since(start).from(PAST).start();
    on_air.show.reaches(tracks, PAST + began.elapsed());
    println!("{:.0} s of a show in {:.0} s", PAST.as_secs_f64(), began.elapsed().as_secs_f64());
    (sending, first, captured)
}

/// A viewer begins where the playlist says, goes far back, and returns to the edge.
fn goes_back_and_returns(viewing: &Viewing<'_>, file: &str, start: u64) {
    let first = Leg::of(viewing, 0.0, start);
    let back = if file == "start.m3u8" {
        first.begins_at("from the start", Duration::ZERO);
        Leg::of(viewing, viewing.go_live(), start).is_live("to the edge");
        PAST / 2
    } else {
        first.is_live("at the edge");
        BACK
    };
    Leg::of(viewing, viewing.go_back(back), start).begins_at("back", back);
    Leg::of(viewing, viewing.go_live(), start).is_live("to the edge again");
    let report = viewing.report();
    // Who goes elsewhere aborts what is on its way; stalls are told by legs.
    assert_eq!(report.accusations(), Vec::<String>::new(), "{:?} on {file}: {report}", viewing.player());
    assert_eq!(report.detail("lowLatency"), true, "{:?} on {file}: {report}", viewing.player());
}

/// Viewers of a show that has ended begin at its start, go to where it was live, and to its middle.
fn goes_on_on_demand(viewings: &[Viewing<'_>], start: u64) {
    for viewing in viewings {
        Leg::of(viewing, 0.0, start).begins_at("on demand", Duration::ZERO);
        println!(
            "{:?}: the first picture {} s after it was asked for",
            viewing.player(),
            viewing.report().0["startup"]
        );
    }
    for viewing in viewings {
        for place in [PAST, PAST / 2] {
            Leg::of(viewing, viewing.go_back(place), start).begins_at("on demand, sought", place);
        }
        assert_eq!(viewing.report().accusations(), Vec::<String>::new(), "{:?}", viewing.player());
    }
}

/// Some seconds of a viewer's.
struct Leg {
    player: Player,
    report: Report,
    /// What the dates and the clock of its pictures say: seconds since the show began, and how far the clock is off.
    pictures: Vec<(f64, f64)>,
}

impl Leg {
    /// What a viewer sees from `since` on, of a show that began at `start`.
    fn of(viewing: &Viewing<'_>, since: f64, start: u64) -> Self {
        let good = |report: &Report| report.since(since).dated().len() >= LEG;
        let report = viewing.until("the picture to move", PATIENCE, good).since(since);
        let round = live::CLOCK.as_secs_f64();
        let of = |(date, shown): (f64, f64)| {
            let place = date - start as f64;
            let off = (place - shown).rem_euclid(round);
            (place, off.min(round - off))
        };
        let pictures = report.dated().into_iter().map(of).collect();
        Self { player: viewing.player(), report, pictures }
    }

    /// The picture is that of `place`, and goes on from there.
    #[track_caller]
    fn begins_at(&self, what: &str, place: Duration) {
        self.is_good(what);
        let after = self.pictures[0].0 - place.as_secs_f64();
        assert!((0.0..4.0).contains(&after), "{:?}: {what}: {after} s behind {place:?}", self.player);
    }

    /// The picture is that of a moment ago.
    #[track_caller]
    fn is_live(&self, what: &str) {
        self.is_good(what);
        let behind = self.report.samples("behind").into_iter().fold(0.0, f64::max);
        println!("{:?}: {what}: {behind:.2} s behind the clock at most", self.player);
        assert!(behind < EDGE, "{:?}: {what}: {behind} s", self.player);
    }

    /// It did not stop, and each picture is the right one.
    #[track_caller]
    fn is_good(&self, what: &str) {
        let Self { player, report, pictures } = self;
        let off = pictures.iter().map(|picture| picture.1).fold(0.0, f64::max);
        let (from, to) = (pictures[0].0, pictures[pictures.len() - 1].0);
        println!(
            "{player:?}: {what}: {from:.1} s to {to:.1} s, seeks {:.2?} s, {:.2} s of stalls, {} clocks read, off by {off:.3} s",
            report.seeks(),
            report.stalled(),
            pictures.len(),
        );
        assert!(report.stalled() == 0.0, "{player:?}: {what}: {report}");
        assert!(off < LATE, "{player:?}: {what}: {pictures:?}");
        let jumps = *player == Player::Shaka && from < SHAKA_JUMP && !report.samples("latency").is_empty();
        let jump = if jumps { SHAKA_JUMP } else { 0.0 };
        assert!((5.0..8.0 + jump).contains(&(to - from)), "{player:?}: {what}: {pictures:?}");
    }
}

/// Waits for the show to be on demand once it has ended, and gives its door.
fn on_demand(on_air: &OnAir) -> String {
    let (ended, door) = (Instant::now(), view(&on_air.show.door, "vod.m3u8"));
    until("the show to be on demand", || (on_air.daemon.get(&door).status == 200).then_some(()));
    let took = ended.elapsed();
    println!("on demand {:.2} s after the end", took.as_secs_f64());
    assert!(took < Duration::from_secs(1), "{took:?}");
    door
}

/// Fetches the next segments of each track as soon as they are listed, each behind its init segment; gives the number of
/// the first, and the tracks.
fn capture(on_air: &OnAir, tracks: &Tracks, count: u64) -> (u64, Vec<Vec<u8>>) {
    let paths = on_air.show.playlists(tracks);
    let viewer = |path: &String| Viewer::of(on_air.show.http(), path, Instant::now());
    let viewers: Vec<Viewer> = paths.iter().map(viewer).collect();
    let first = viewers[0].playlist().next();
    let start = |(path, viewer): (String, Viewer)| {
        thread::spawn(move || segments(viewer, &path, first..first + count))
    };
    let captures: Vec<JoinHandle<Vec<u8>>> = paths.into_iter().zip(viewers).map(start).collect();
    (first, captures.into_iter().map(|capture| capture.join().unwrap()).collect())
}

/// These segments behind their init segment.
fn segments(mut viewer: Viewer, path: &str, numbers: Range<u64>) -> Vec<u8> {
    let mut file = Vec::new();
    for number in numbers {
        while viewer.playlist().segment(number).is_none() {
            assert!(!viewer.playlist().is_ended, "{path} ended before segment {number}");
            // Whole: what comes faster than the clock leaves updates behind.
            viewer.ask(&format!("_HLS_msn={number}"));
        }
        let segment = viewer.playlist().segment(number).unwrap().clone();
        let map = segment.map.filter(|_| file.is_empty());
        for uri in map.iter().chain([&segment.uri]) {
            file.extend(viewer.get(&resolve(path, uri)).is(200).body);
        }
    }
    file
}

/// The same as a view lists them now.
fn listed(on_air: &OnAir, tracks: &Tracks, file: &str, numbers: Range<u64>) -> Vec<Vec<u8>> {
    let track = |path: &String| {
        let path = view(path, file);
        segments(Viewer::of(on_air.show.http(), &path, Instant::now()), &path, numbers.clone())
    };
    on_air.show.playlists(tracks).iter().map(track).collect()
}

/// Decodes the same segments of all tracks as views have them, and prints the table of it.
fn are_decoded_alike(tracks: &Tracks, views: &[(&str, Vec<Vec<u8>>)]) {
    for (number, (name, _)) in tracks.iter().enumerate() {
        let decoded: Vec<_> =
            views.iter().map(|(what, tracks)| (what, decoded(&tracks[number], name))).collect();
        for (what, (frames, hash)) in &decoded {
            println!("{name:10} {what:15} {frames:6} frames {hash}");
        }
        assert!(decoded[0].1.0 > 800, "{name}: {decoded:?}");
        assert!(decoded.iter().all(|(_, this)| *this == decoded[0].1), "{name}: {decoded:?}");
    }
}

/// How many frames ffmpeg decodes, and a hash of their times and of what they show.
fn decoded(bytes: &[u8], track: &str) -> (usize, String) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("track.mp4");
    fs::write(&file, bytes).unwrap();
    let frames = media::frames(&file, stream(track));
    let mut hash = Sha256::new();
    for Frame { micros, digest } in &frames {
        hash.update(format!("{micros},{digest}\n"));
    }
    (frames.len(), hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect())
}

fn stream(track: &str) -> &'static str {
    if track == "audio" { "a:0" } else { "v:0" }
}

/// Lets media-doctor and three parsers read all playlists of these views.
fn are_read_alike(on_air: &OnAir, tracks: &Tracks, doors: &[&str]) {
    let get = |path: &str| on_air.daemon.get(path).is(200).text();
    let (mut multivariant, mut media) = (Vec::new(), Vec::new());
    for door in doors.iter().map(|file| view(&on_air.show.door, file)) {
        let text = get(&door);
        let listed = children(&text).into_iter().map(|(_, _, uri)| resolve(&door, &uri));
        let before = media.len();
        for path in listed {
            let text = get(&path);
            if !text.contains("#EXT-X-ENDLIST") {
                media.push(get(&format!("{path}?_HLS_skip=YES")));
            }
            media.push(text);
        }
        assert!(media.len() >= before + tracks.len(), "{text}");
        multivariant.push(text);
    }
    let (multivariant, media) = (texts(&multivariant), texts(&media));
    playlists::agree_multivariant(&multivariant);
    playlists::agree_live(&media);
    doctor::finds_nothing(&multivariant);
    doctor::finds_nothing(&media);
    println!(
        "{} multivariant and {} media playlists are read without complaint",
        multivariant.len(),
        media.len()
    );
}

fn texts(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

const PATIENCE: Duration = Duration::from_secs(60);
/// How long the show has run before anybody comes.
const PAST: Duration = Duration::from_secs(7200);
/// How much faster than the clock that is sent.
const SPEED: f64 = 60.0;
/// How many segments are decoded.
const CAPTURED: u64 = 30;
/// How far from the beginning a viewer goes back to, who may not know the beginning to the second.
const BACK: Duration = Duration::from_secs(12);
/// How many clocks are read, four a second.
const LEG: usize = 24;
/// How many seconds the live edge may be behind the clock.
const EDGE: f64 = 5.0;
/// How many seconds later than its time a busy machine shows a picture.
const LATE: f64 = 0.2;
/// shaka-player takes the beginning of any playlist that may slide for moving, and jumps from there to 5 s behind it
/// (`safeSeekOffset`).
const SHAKA_JUMP: f64 = 5.0;
