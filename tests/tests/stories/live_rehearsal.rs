//! Everything that will judge a live show, tried on a show of the rig's own: what complains here is at fault itself.

use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::live::together::{self, Rendition};
use forebay_tests::oracle::{doctor, listeners, live as rules, playlists};
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::player::{Pages, Player};
use forebay_tests::rig::rehearsal::Rehearsal;
use forebay_tests::rig::viewer::{Recording, Viewer};

const SLACK: Duration = Duration::from_millis(1500);

#[test]
fn a_recorded_show_keeps_all_rules() {
    let show = Rehearsal::start(&live::ladder(), Duration::from_secs(18), Duration::from_secs(24));
    let clock = Instant::now();
    let viewers = ["video-360", "video-180", "audio"].map(|track| {
        let path = format!("/{track}/index.m3u8");
        Viewer::of(show.host().address(), &path, clock).with_updates().record()
    });
    let recordings: Vec<Recording> = viewers.into_iter().map(|viewer| viewer.join().unwrap()).collect();
    for recording in &recordings {
        rules::holds(&recording.captures, SLACK);
        assert!(recording.captures.iter().any(|capture| capture.text.contains("#EXT-X-SKIP")));
        assert!(recording.parts_are_segments() >= 5);
        assert!(recording.last.is_ended);
        let texts: Vec<&str> = recording.captures.iter().map(|capture| capture.text.as_str()).collect();
        playlists::agree_live(&texts);
        doctor::finds_nothing(&texts);
    }
    let renditions: Vec<Rendition<'_>> =
        recordings.iter().map(|r| Rendition { path: &r.path, captures: &r.captures }).collect();
    // Its sound is cut between chunks of 200 ms.
    together::holds(&renditions, Duration::from_millis(220), SLACK);
}

#[test]
#[ignore = "part of `make proof`"]
fn players_and_readers_find_nothing_wrong() {
    let show = Rehearsal::start(&live::ladder(), Duration::from_secs(22), Duration::from_secs(800));
    let (main, video) = (show.host().url("/main.m3u8"), show.host().url("/video-360/index.m3u8"));
    let reader = thread::spawn(move || {
        let time = Duration::from_secs(4);
        [
            listeners::ffmpeg(&main, Duration::from_secs(9)),
            listeners::gstreamer(&main, time),
            listeners::older_gstreamer(&video, time),
        ]
    });
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    for viewing in pages.play_all(&browser, &Player::ALL, &show.host().url("/main.m3u8")) {
        let report = viewing.plays(Duration::from_secs(6), Duration::from_secs(60));
        let player = viewing.player();
        assert_eq!(report.accusations(), Vec::<String>::new(), "{player:?}: {report}");
        if player != Player::Native {
            assert_eq!(report.detail("lowLatency"), true, "{player:?}: {report}");
            assert!(report.loads("parts") > 20 && report.loads("held") > 20, "{player:?}: {report}");
        }
    }
    let [ffmpeg, gstreamer, older] = reader.join().unwrap();
    assert_eq!((ffmpeg.pictures, ffmpeg.sound), (270, Duration::from_secs(9)), "{ffmpeg:?}");
    assert!(gstreamer.pictures > 180 && gstreamer.sound > Duration::from_secs(6), "{gstreamer:?}");
    assert!(older.pictures > 180, "{older:?}");
    for heard in [ffmpeg, gstreamer, older] {
        assert_eq!(heard.complaints, "");
    }
}
