//! Players that others wrote, on what `forebay serve` gives.

use std::time::Duration;

use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::fixture;
use forebay_tests::rig::player::{Pages, Player};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn four_players_play_a_film() {
    let site = fixture::show();
    let daemon = site.serve();
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    for viewing in pages.play_all(&browser, &Player::ALL, &daemon.url(&site.entry("show"))) {
        let report = viewing.plays(Duration::from_secs(4), PATIENCE);
        let player = viewing.player();
        assert_eq!(report.accusations(), Vec::<String>::new(), "{player:?}: {report}");
        assert!(report.frames() > 30, "{player:?}: {report}");
        if player != Player::Native {
            assert!(report.loads("segments") > 2 && report.loads("playlists") > 2, "{player:?}: {report}");
        }
    }
    let complaints = browser.complaints();
    // shaka-player warns of a call that asks it about its manifest.
    assert!(complaints.iter().all(|complaint| complaint.contains("internal Manifest")), "{complaints:?}");
}
