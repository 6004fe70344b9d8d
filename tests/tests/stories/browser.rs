//! The demo page in a real browser: the picture moves, levels switch, nothing complains.

use std::time::Duration;

use forebay_tests::inputs::ours;
use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use serde_json::Value;
use tempfile::TempDir;

/// `forebay demo` on its own folder, and the address of its page.
struct Demo {
    daemon: Daemon,
    _dir: TempDir,
}

impl Demo {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (input, folder) = (ours::show(), dir.path().join("demo"));
        let daemon = Daemon::start([
            "demo".as_ref(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--input".as_ref(),
            input.as_os_str(),
            "--dir".as_ref(),
            folder.as_os_str(),
        ]);
        Self { daemon, _dir: dir }
    }

    /// `forebay demo --live`, with its test picture.
    fn live() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("demo");
        let daemon = Daemon::start([
            "demo".as_ref(),
            "--live".as_ref(),
            "--listen".as_ref(),
            "127.0.0.1:0".as_ref(),
            "--preset".as_ref(),
            "ultrafast".as_ref(),
            "--dir".as_ref(),
            folder.as_os_str(),
        ]);
        Self { daemon, _dir: dir }
    }

    fn page(&self) -> String {
        self.daemon.url("/")
    }
}

const PATIENCE: Duration = Duration::from_secs(60);

fn stats(browser: &Browser) -> Value {
    browser.run("return window.forebay.stats()")
}

fn plays_beyond(browser: &Browser, seconds: f64) {
    let at = "return window.forebay.stats().currentTime";
    browser
        .until("the picture to move", PATIENCE, at, |time| time.as_f64().is_some_and(|time| time > seconds));
}

#[test]
fn hls_js_plays_the_demo_page_and_switches_levels() {
    let demo = Demo::start();
    let browser = Browser::open(1280, 900, &[]);
    browser.go(&demo.page());
    plays_beyond(&browser, 1.0);
    let levels = stats(&browser)["levels"].as_array().unwrap().len();
    assert_eq!(levels, 4, "720, 480 or its like, 360, 240");
    // To the level farthest from the present one, the way a viewer does it.
    let before = stats(&browser);
    let target = if before["level"].as_i64().unwrap() == 0 { levels - 1 } else { 0 };
    let _ = browser.run(&format!("document.querySelector('#levels [data-level=\"{target}\"]').click()"));
    let level = "return window.forebay.stats().level";
    browser.until("the level to switch", PATIENCE, level, |level| level.as_u64() == Some(target as u64));
    plays_beyond(&browser, 4.0);
    let after = stats(&browser);
    assert!(
        after["switches"].as_u64() > before["switches"].as_u64() || after["switches"].as_u64() >= Some(1),
        "{after}"
    );
    assert_eq!(after["errors"].as_array().unwrap().len(), 0, "{after}");
    assert!(after["bufferSeconds"].as_f64().unwrap() > 0.0, "{after}");
    let frames = browser.run("return window.forebay.video.getVideoPlaybackQuality().totalVideoFrames");
    assert!(frames.as_u64().unwrap() > 60, "{frames} frames were shown");
    let sound = browser.run("return window.forebay.video.webkitAudioDecodedByteCount");
    assert!(sound.as_u64().unwrap() > 0, "no sound was decoded");
    let picture = browser.screenshot("demo");
    assert!(picture.metadata().unwrap().len() > 20_000, "the screenshot is empty");
    // To the very end.
    let _ = browser.run("window.forebay.video.playbackRate = 2");
    browser
        .until("the end", PATIENCE, "return window.forebay.video.ended", |ended| ended == &Value::Bool(true));
    assert_eq!(stats(&browser)["errors"].as_array().unwrap().len(), 0, "{}", stats(&browser));
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn seeking_lands_where_it_should() {
    let demo = Demo::start();
    let browser = Browser::open(1280, 900, &[]);
    browser.go(&demo.page());
    plays_beyond(&browser, 0.5);
    for second in [9.0, 3.0, 6.5] {
        let _ = browser.run(&format!("window.forebay.video.currentTime = {second}"));
        plays_beyond(&browser, second + 0.3);
    }
    assert_eq!(stats(&browser)["errors"].as_array().unwrap().len(), 0, "{}", stats(&browser));
}

#[test]
fn the_page_fits_a_phone_in_the_dark() {
    let demo = Demo::start();
    let browser = Browser::open(500, 900, &["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]);
    browser.go(&demo.page());
    plays_beyond(&browser, 1.0);
    let overflow =
        browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert!(overflow.as_i64().unwrap() <= 0, "the page is {overflow} pixels too wide");
    browser.screenshot("demo-phone");
}

/// The place on the bar of a live page at this share of its length.
fn on_the_bar(browser: &Browser, share: f64) -> (f64, f64) {
    let bar = browser.run(
        "const bar = document.getElementById('rail');
         bar.scrollIntoView({ block: 'center' });
         const { left, top, width, height } = bar.getBoundingClientRect();
         return [left, top + height / 2, width];",
    );
    let [left, middle, width] = [0, 1, 2].map(|i| bar[i].as_f64().unwrap());
    (left + width * share, middle)
}

/// The share of the live show that lies before the picture.
fn place(stats: &Value) -> f64 {
    let [from, at, to] = ["from", "at", "to"].map(|name| stats["dvr"][name].as_f64().unwrap_or(f64::NAN));
    (at - from) / (to - from)
}

#[test]
fn a_viewer_of_the_live_page_goes_back_on_the_bar_and_returns_to_the_edge() {
    let demo = Demo::live();
    let browser = Browser::open(1280, 1000, &[]);
    browser.go(&demo.page());
    let all = "return window.forebay.stats()";
    let is_live = |stats: &Value| {
        let late = stats["latency"].as_f64().unwrap_or(f64::NAN) - stats["targetLatency"].as_f64().unwrap();
        stats["state"] == "playing" && stats["far"] == false && late < 1.0
    };
    browser.until("the edge, in a show of some seconds", PATIENCE, all, |stats| {
        let long = stats["currentTime"].as_f64().is_some_and(|seconds| seconds > 16.0);
        long && is_live(stats)
    });
    assert_eq!(stats(&browser)["dvr"]["requested"], 0, "nobody has asked for another picture");
    // What is pointed at is shown, and the show goes on at the edge meanwhile.
    browser.point(on_the_bar(&browser, 0.25));
    let shown = "return document.getElementById('peek-picture').dataset.picture";
    browser.until("the picture under the pointer", PATIENCE, shown, |shown| shown == "here");
    let pointed = "return document.getElementById('peek-clock').textContent";
    let drawn = "return new Date(window.forebay.stats().dvr.drawn).toISOString().slice(11, 19)";
    assert_eq!(browser.run(drawn), browser.run(pointed));
    assert!(is_live(&stats(&browser)), "{}", stats(&browser));
    // Back, and from there on at the pace of the show, between two marks.
    browser.click(on_the_bar(&browser, 0.25));
    let back = browser
        .until("a place farther back", PATIENCE, all, |stats| stats["far"] == true && place(stats) < 0.5);
    browser.press('i');
    plays_beyond(&browser, back["currentTime"].as_f64().unwrap() + 3.0);
    browser.press('o');
    let marked = browser.run("return document.getElementById('range').hidden");
    assert_eq!(marked, false, "the range between the marks is shown");
    // What lies between them is a clip with a link of its own, which plays.
    let _ = browser.run("document.getElementById('cut').click()");
    let link =
        "return document.querySelector('#clips a')?.href ?? document.getElementById('cut-words').textContent";
    let clip =
        browser.until("the clip", PATIENCE, link, |link| link.as_str().is_some_and(|link| !link.is_empty()));
    let path = clip.as_str().unwrap().replace(demo.page().trim_end_matches('/'), "");
    assert!(path.contains("/vod/demo.1."), "{clip}");
    assert!(demo.daemon.get(&path).is(200).text().contains("#EXT-X-STREAM-INF"));
    let _ = browser.run("document.querySelector('#clips button').click()");
    let played = "const video = document.querySelector('#clips video');
                  return [video?.duration ?? 0, video?.currentTime ?? 0]";
    let shown =
        browser.until("the clip to play", PATIENCE, played, |played| played[1].as_f64().unwrap() > 0.5);
    assert!((2.0..=10.0).contains(&shown[0].as_f64().unwrap()), "{shown}");
    browser.screenshot("demo-live-clip");
    let _ = browser.run("document.querySelector('#clips button').click()");
    assert!(stats(&browser)["far"] == true, "{}", stats(&browser));
    let parts = stats(&browser)["parts"].as_u64().unwrap();
    let _ = browser.run("document.getElementById('golive').click()");
    browser.until("the edge again, part by part", PATIENCE, all, |stats| {
        is_live(stats) && stats["parts"].as_u64().unwrap() > parts + 3
    });
    browser.screenshot("demo-live");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    // The show ends while the viewer is elsewhere: there it goes on from the store, until the viewer wants the next show.
    browser.click(on_the_bar(&browser, 0.25));
    browser.until("a place farther back", PATIENCE, all, |stats| stats["far"] == true);
    let show = stats(&browser)["show"].as_u64().unwrap();
    let kind = [("content-type", "application/json")];
    let ended = client::request(demo.daemon.admin(), "POST", "/live/demo/end", &kind);
    assert_eq!(ended.status, 200, "{}", ended.text());
    browser.until("the recording", PATIENCE, all, |stats| {
        stats["recorded"] == true && stats["state"] == "playing" && place(stats) < 0.9
    });
    let offer = "return document.getElementById('golive').disabled";
    browser.until("the next show to be offered", PATIENCE, offer, |is_disabled| is_disabled == false);
    assert_eq!(stats(&browser)["show"].as_u64(), Some(show));
    let _ = browser.run("document.getElementById('golive').click()");
    browser.until("the next show", PATIENCE, all, |stats| {
        stats["show"].as_u64() > Some(show) && stats["recorded"] == false && is_live(stats)
    });
}

#[test]
fn the_browser_s_own_hls_plays_it_too() {
    let demo = Demo::start();
    let browser = Browser::open(1280, 900, &[]);
    browser.go(&demo.page());
    plays_beyond(&browser, 0.2);
    // The signed address, as the page was told it; played by the browser alone.
    let _ = browser.run(
        "window.forebay.video.pause();
         const own = document.createElement('video');
         own.muted = true;
         own.id = 'own';
         fetch('demo.json').then((a) => a.json()).then((d) => { own.src = d.playlist; document.body.append(own); own.play(); });",
    );
    let time = "return document.getElementById('own')?.currentTime ?? 0";
    browser.until("native HLS to play", PATIENCE, time, |time| time.as_f64().is_some_and(|time| time > 2.0));
    let error = browser.run("return document.getElementById('own').error?.message ?? ''");
    assert_eq!(error, "");
}
