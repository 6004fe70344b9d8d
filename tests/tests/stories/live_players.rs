//! Players and readers that others wrote, on a show that runs at the pace of the clock.

use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::listeners;
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::player::{Pages, Player};
use forebay_tests::rig::site::Site;

use crate::on_air::{OnAir, all_taken};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs a machine that plays four films at a time; part of `make proof`"]
fn four_players_and_three_readers_watch_a_show_together() {
    let on_air = OnAir::on(Site::new());
    let tracks = live::ladder();
    let sending = on_air.show.sender(&tracks).by_the_wall_clock().start();
    // Readers start three segments behind the edge, and need those.
    on_air.show.reaches(&tracks, Duration::from_secs(8));
    let (main, video) = (on_air.show.door.clone(), on_air.show.playlists(&tracks).remove(0));
    let (main, video) = (on_air.daemon.url(&main), on_air.daemon.url(&video));
    let url = main.clone();
    let readers = thread::spawn(move || {
        let time = Duration::from_secs(4);
        let ffmpeg = listeners::ffmpeg(&main, Duration::from_secs(9));
        [ffmpeg, listeners::gstreamer(&main, time), listeners::older_gstreamer(&video, time)]
    });
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    for viewing in pages.play_all(&browser, &[Player::HlsJs, Player::Shaka, Player::VideoJs], &url) {
        let report = viewing.plays(Duration::from_secs(8), PATIENCE);
        let player = viewing.player();
        assert_eq!(report.accusations(), Vec::<String>::new(), "{player:?}: {report}");
        // Eight seconds have 240; three players and three readers share this machine's cores.
        assert!(report.frames() > 100, "{player:?}: {report}");
        assert_eq!(report.detail("lowLatency"), true, "{player:?}: {report}");
        assert!(report.loads("parts") > 5 && report.loads("held") > 5, "{player:?}: {report}");
    }
    browser.screenshot("live-players");
    // Chromium's own HLS gives up where it starves, so it has the machine to itself.
    let report = pages.play(&browser, Player::Native, &url).plays(Duration::from_secs(5), PATIENCE);
    assert_eq!(report.complaints(), Vec::<String>::new(), "{report}");
    assert!(report.frames() > 60, "{report}");
    let [ffmpeg, gstreamer, older] = readers.join().unwrap();
    // Sound begins up to a frame later than the picture.
    let sound = Duration::from_millis(8900)..=Duration::from_secs(9);
    assert!(ffmpeg.pictures == 270 && sound.contains(&ffmpeg.sound), "{ffmpeg:?}");
    assert!(gstreamer.pictures > 180 && gstreamer.sound > Duration::from_secs(6), "{gstreamer:?}");
    assert!(older.pictures > 180, "{older:?}");
    for heard in [ffmpeg, gstreamer, older] {
        assert_eq!(heard.complaints, "");
    }
    all_taken(&sending.stop());
}

#[test]
#[ignore = "ten minutes; part of `make proof`"]
fn hls_js_stays_in_low_latency_mode_for_ten_minutes() {
    let on_air = OnAir::on(Site::new());
    let tracks = live::ladder();
    let sending = on_air.show.sender(&tracks).by_the_wall_clock().start();
    on_air.show.reaches(&tracks, Duration::from_secs(4));
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    let viewing = pages.play(&browser, Player::HlsJs, &on_air.daemon.url(&on_air.show.door));
    let _ = viewing.plays(Duration::from_secs(5), PATIENCE);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(600) {
        thread::sleep(Duration::from_secs(5));
        let report = viewing.report();
        assert!(report.fatal().is_empty() && !sending.has_ended(), "{report}");
    }
    let report = viewing.report();
    let (target, behind) = (report.detail("target").as_f64().unwrap(), report.samples("latency"));
    let mut sorted = behind.clone();
    sorted.sort_by(f64::total_cmp);
    let at = |share: usize| sorted[(sorted.len() - 1) * share / 100];
    println!(
        "hls.js for {:.0} s: target latency {target:.3} s, latency p50 {:.3} s, p95 {:.3} s, highest {:.3} s, \
         {:.3} s of stalls, {} parts, {} whole segments, {} frames",
        report.played(),
        at(50),
        at(95),
        at(100),
        report.stalled(),
        report.detail("partsLoaded"),
        report.detail("wholeLoaded"),
        report.frames(),
    );
    assert_eq!(report.complaints(), Vec::<String>::new(), "{report}");
    assert_eq!(report.detail("lowLatency"), true, "{report}");
    assert_eq!(report.detail("partLoadingOff"), 0, "{report}");
    assert!(report.stalled() == 0.0, "{report}");
    assert!(at(95) < target + 1.0, "p95 of the latency is {} s, the target {target} s", at(95));
    all_taken(&sending.stop());
}
