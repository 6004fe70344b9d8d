//! Players that others wrote, on what `forebay serve` gives.

use std::time::Duration;

use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::fixture;
use forebay_tests::rig::player::{Pages, Player};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn four_players_play_a_film_to_its_end() {
    let site = fixture::show();
    let daemon = site.serve();
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    let url = daemon.url(&site.entry("show"));
    for player in Player::ALL {
        let viewing = pages.play(&browser, player, &url);
        viewing.plays(Duration::from_secs(1), PATIENCE);
        let _ = browser.run("document.querySelector('video').currentTime = 11");
        let script = "return document.querySelector('video').ended";
        browser.until("the end", PATIENCE, script, |ended| ended == true);
        let report = viewing.report();
        assert_eq!(report.complaints(), Vec::<String>::new(), "{player:?}: {report}");
        assert!(report.frames() > 30, "{player:?}: {report}");
        assert!(report.stalled() < 1.0, "{player:?}: {report}");
        if player != Player::Native {
            assert!(report.loads("segments") > 2 && report.loads("playlists") > 2, "{player:?}: {report}");
        }
    }
    let complaints = browser.complaints();
    // shaka-player warns of a call that asks it about its manifest.
    assert!(complaints.iter().all(|complaint| complaint.contains("internal Manifest")), "{complaints:?}");
}
