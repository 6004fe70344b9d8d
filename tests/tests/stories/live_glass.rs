//! From glass to glass: how old the picture is that a viewer sees.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::client;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::nginx::Nginx;
use forebay_tests::rig::player::{Pages, Player};
use forebay_tests::rig::publisher::Camera;
use forebay_tests::rig::site::Site;

use crate::rtmp_show::renditions;

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
#[ignore = "needs a machine that encodes and plays two streams; part of `make proof`"]
fn a_viewer_sees_what_the_camera_saw_two_seconds_ago() {
    let site = Site::new().with("rtmp", "listen", "\"127.0.0.1:0\"").with("work", "max_height", "360");
    let site = site.with("work", "pass", "false").with("log", "level", "\"info\"");
    let (key, door) = (site.stream_key("show"), site.door("show"));
    let (daemon, classic) = (site.serve(), Nginx::classic());
    let camera = Camera { size: (640, 360), has_clock: true, ..Camera::default() };
    let ours = format!("rtmp://{}/live/{key}", daemon.rtmp());
    let mut camera = camera.publish_twice(&ours, &format!("rtmp://{}/live/show", classic.rtmp()));
    let listed = renditions(&daemon, &door, 3);
    assert!(listed.iter().any(|path| path.contains("/video-360/")), "{listed:?}");
    // Who comes at the very beginning is nearer to the edge than a player likes to be.
    until("the beginning to be over", || {
        let playlist = client::get(classic.http(), "/hls/show.m3u8");
        (playlist.status == 200 && playlist.text().matches("#EXTINF").count() >= 5).then_some(())
    });

    let (pages, browser) = (Pages::open(), Browser::open(820, 320, &[]));
    let urls = (daemon.url(&door), classic.url("/hls/show.m3u8"));
    let viewings = pages.read_clocks(&browser, &[(Player::Keen, &urls.0), (Player::Classic, &urls.1)]);
    let before = load();
    for viewing in &viewings {
        let _ = viewing.plays(Duration::from_secs(8), PATIENCE);
    }
    // Readings from here on, of both at the same time.
    let since = viewings[0].now();
    let start = Instant::now();
    let mut reports = Vec::new();
    while start.elapsed() < PATIENCE
        && (reports.len() < 2 || reports.iter().any(|ages: &Vec<f64>| ages.len() < READINGS))
    {
        thread::sleep(Duration::from_secs(2));
        reports = viewings.iter().map(|viewing| viewing.report().ages_since(since)).collect();
    }
    browser.screenshot("live-glass");
    println!("load average {before} before, {} after", load());
    for (viewing, ages) in viewings.iter().zip(&reports) {
        let report = viewing.report();
        assert_eq!(report.fatal(), Vec::<String>::new(), "{report}");
        assert!(ages.len() >= READINGS, "{} readings: {report}", ages.len());
        println!(
            "{:?}: {} readings, p50 {:.2} s, p95 {:.2} s, oldest {:.2} s; {:.1} s of stalls, target latency {}",
            viewing.player(),
            ages.len(),
            at(ages, 50),
            at(ages, 95),
            at(ages, 100),
            report.stalled(),
            report.detail("target"),
        );
    }
    assert!(camera.runs());
    assert!(at(&reports[0], 95) <= 2.0, "the picture is {} s old", at(&reports[0], 95));
    assert!(at(&reports[0], 95) < at(&reports[1], 50), "classic HLS is as fast: the clock is not read");
}

/// What `share` per cent of the numbers do not exceed.
fn at(numbers: &[f64], share: usize) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[(sorted.len() - 1) * share / 100]
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap().to_owned()
}

const READINGS: usize = 120;
