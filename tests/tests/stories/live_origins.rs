//! Origins that are fed by the same sender agree to the byte: at every moment, at the end, and over a restart.

use std::time::{Duration, Instant};

use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::resolve;
use forebay_tests::oracle::live::playlist::Segment;
use forebay_tests::rig::client;
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::{Recording, Viewer};

use crate::on_air::{OnAir, all_taken, today};

/// Two origins with the same keys and one database.
fn pair(window: &str) -> (OnAir, OnAir) {
    let site = Site::new().with("live", "window", window);
    let database = format!("\"sqlite://{}\"", site.path().join("forebay.db").display());
    let twin = Site::copy_of(site.path()).with("live", "window", window);
    let one = OnAir::on(site);
    let two = one.twin(twin.with("database", "url", &database));
    (one, two)
}

#[test]
fn two_origins_give_the_same_bytes_at_the_same_time() {
    let (one, two) = pair("\"12s\"");
    let (tracks, start) = (live::ladder(), today());
    let (here, there) = (one.daemon.http(), two.daemon.http());
    let sender = one.show.sender(&tracks).to(there).since(start).speed(2.0);
    let sending = sender.until(Duration::from_secs(26)).start();
    let (paths, clock) = (one.show.playlists(&tracks), Instant::now());
    let _ = two.show.playlists(&tracks);
    let mut viewers: Vec<(Viewer, Viewer)> = paths
        .iter()
        .map(|path| (Viewer::of(here, path, clock), Viewer::of(there, path, clock).with_updates()))
        .collect();
    let mut equal = 0;
    while viewers.iter().any(|(mine, _)| !mine.playlist().is_ended) {
        for (mine, other) in &mut viewers {
            mine.wait();
            let end = mine.playlist().end();
            let query = format!("_HLS_msn={}&_HLS_part={}", end.0, end.1.saturating_sub(1));
            // The origin that hears of a show a moment later begins it with the next segment.
            let is_settled = mine.playlist().sequence > start / 2 + 1;
            if end.1 > 0 && other.ask(&query).end() == end && is_settled {
                assert_eq!(mine.text(), other.text());
                equal += 1;
            }
            mine.fetch();
            other.fetch();
        }
    }
    assert!(equal >= 3, "only {equal} playlists of both had the same end");
    all_taken(&sending.finish());
    for (mut mine, mut other) in viewers {
        other.follow(|_| false);
        mine.fetch();
        assert_eq!(mine.ask("").end(), other.ask("").end());
        assert_eq!(mine.text(), other.text());
        let (mine, other) = (mine.recording(), other.recording());
        let both = mine.media.iter().filter_map(|(path, bytes)| Some((path, bytes, other.media.get(path)?)));
        let mut shared = 0;
        for (path, bytes, theirs) in both {
            assert!(bytes == theirs, "{path} has other bytes there");
            shared += 1;
        }
        assert!(shared > 50, "{shared} of {} files are on both", mine.media.len());
        for segment in &mine.last.segments {
            let path = resolve(&mine.path, &segment.uri);
            let tag = |origin| client::get(origin, &path).is(200).header("etag").to_owned();
            assert_eq!(tag(here), tag(there), "{path}");
        }
    }
}

#[test]
fn an_origin_that_joins_late_agrees_from_then_on() {
    let (one, two) = pair("\"60s\"");
    let (tracks, start) = (live::ladder(), today());
    // Slowly enough that the database hears of each segment: by it the other one knows that the show has begun.
    let sender = |on_air: &OnAir| {
        let sender = on_air.show.sender(&tracks).since(start).until(Duration::from_secs(16));
        sender.ending(Ending::Plain).speed(10.0)
    };
    all_taken(&sender(&one).start().finish());
    one.show.reaches(&tracks, Duration::from_secs(16));
    // It hears the second half only, from the middle of a group of pictures on.
    all_taken(&sender(&two).from(Duration::from_secs(7)).start().finish());
    two.show.reaches(&tracks, Duration::from_secs(8));
    assert_eq!(one.show.listed(), two.show.listed(), "it is the same show");
    for (whole, late) in one.show.look(&tracks).iter().zip(two.show.look(&tracks)) {
        agrees(whole, &late);
    }
}

#[test]
fn an_origin_that_died_goes_on_with_the_same_show() {
    let (one, two) = pair("\"60s\"");
    let (tracks, start, length) = (live::ladder(), today(), Duration::from_secs(16));
    let sender = |on_air: &OnAir| on_air.show.sender(&tracks).since(start).speed(f64::INFINITY);
    all_taken(&sender(&one).until(length).ending(Ending::Plain).start().finish());
    one.show.reaches(&tracks, length);
    let _ = sender(&two).until(Duration::from_secs(9)).ending(Ending::Cut).start().finish();
    two.show.reaches(&tracks, Duration::from_secs(9));
    let before = two.show.listed();
    let two = two.restarted();
    // The sender has kept the last seconds, and sends them again.
    let again = sender(&two).from(Duration::from_secs(4)).until(length).ending(Ending::Plain);
    all_taken(&again.start().finish());
    two.show.reaches(&tracks, Duration::from_secs(9));
    assert_eq!(two.show.listed(), before, "it is the same show");
    for (whole, new) in one.show.look(&tracks).iter().zip(two.show.look(&tracks)) {
        agrees(whole, &new);
    }
}

/// Checks that what `late` lists, `whole` lists too, with the same bytes.
fn agrees(whole: &Recording, late: &Recording) {
    let listed = |recording: &Recording| -> Vec<(u64, Segment)> {
        recording.last.all().filter(|(_, s)| !s.is_gap).map(|(msn, s)| (msn, s.clone())).collect()
    };
    let (theirs, ours) = (listed(whole), listed(late));
    assert!(ours.len() >= 4, "{}", late.captures[0].text);
    assert!(theirs.ends_with(&ours), "{}\n{}", whole.captures[0].text, late.captures[0].text);
    for (_, segment) in ours.iter().filter(|(_, segment)| !segment.uri.is_empty()) {
        assert!(late.bytes(&segment.uri) == whole.bytes(&segment.uri), "{} has other bytes", segment.uri);
    }
}
