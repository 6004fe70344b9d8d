//! ffmpeg's DASH muxer, which knows nothing of forebay, as a sender.

use std::time::{Duration, Instant};

use forebay_tests::oracle::listeners;
use forebay_tests::oracle::live as rules;
use forebay_tests::rig::client;
use forebay_tests::rig::dash::Dash;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::Viewer;

use crate::on_air::{OnAir, SLACK};

#[test]
fn ffmpeg_s_dash_muxer_is_a_sender_and_its_restart_is_the_next_show() {
    let on_air = OnAir::on(Site::new());
    let http = on_air.daemon.http();
    let mut names = Vec::new();
    for show in ["/1/", "/2/"] {
        let mut dash = Dash::start(http, &on_air.show.ingest);
        let paths = until("the show to be listed", || {
            let paths = on_air.show.listed();
            (paths.len() == 2 && paths.iter().all(|path| path.contains(show))).then_some(paths)
        });
        let clock = Instant::now();
        for path in &paths {
            let mut viewer = Viewer::of(http, path, clock).with_updates();
            viewer.follow(|playlist| playlist.segments.len() >= 2);
            let recording = viewer.recording();
            rules::holds(&recording.captures, SLACK);
            assert!(recording.parts_are_segments() >= 1, "{path}");
            assert!(recording.last.part_target.is_some());
        }
        if show == "/1/" {
            let heard = listeners::ffmpeg(&on_air.daemon.url(&on_air.show.door), Duration::from_secs(4));
            assert!(heard.pictures >= 115 && heard.complaints.is_empty(), "{heard:?}");
            assert!(heard.sound > Duration::from_millis(3800), "{heard:?}");
        }
        assert!(dash.runs());
        let complaints = dash.stop();
        assert!(!complaints.contains("HTTP error") && !complaints.contains("returned"), "{complaints}");
        names.push(paths);
    }
    // The first show has ended; it can still be watched.
    for path in &names[0] {
        let answer = client::get(http, path).is(200);
        assert!(answer.text().ends_with("#EXT-X-ENDLIST\n"), "{}", answer.text());
    }
}
