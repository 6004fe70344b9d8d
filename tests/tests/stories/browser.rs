//! The demo page in a real browser: the picture moves, levels switch, nothing complains.

use std::time::Duration;

use forebay_tests::inputs::ours;
use forebay_tests::rig::browser::Browser;
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
