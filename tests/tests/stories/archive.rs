//! A show stays: it is recorded while it runs, watched from its start, and on demand the second it has ended, from any node
//! and after any restart.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_tests::inputs::live;
use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::oracle::live::playlist::Playlist;
use forebay_tests::oracle::{doctor, playlists};
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::client;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::sender::Ending;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::wire::Trouble;

use crate::on_air::{OnAir, Tracks, all_taken, today};

/// A window that is much shorter than the shows.
fn site() -> Site {
    Site::new().with("live", "window", "\"16s\"")
}

/// The path of a playlist of another view of the same show.
pub(crate) fn view(path: &str, file: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap();
    format!("{folder}/{file}")
}

/// All playlists and media of a view, by what stands behind the token in their paths.
fn all_of(on_air: &OnAir, tracks: &Tracks, file: &str) -> BTreeMap<String, Bytes> {
    let mut all = BTreeMap::new();
    for path in on_air.show.playlists(tracks) {
        let path = view(&path, file);
        let text = on_air.daemon.get(&path).is(200).text();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let media = resolve(&path, line);
            let answer = on_air.daemon.get(&media).is(200);
            all.insert(media, answer.body);
        }
        all.insert(path, text.into());
    }
    all
}

#[test]
fn a_show_is_watched_from_its_start_while_it_runs_and_on_demand_when_it_has_ended() {
    let on_air = OnAir::on(site());
    let (tracks, start) = (live::ladder(), today());
    let sender = || on_air.show.sender(&tracks).since(start).speed(20.0);
    all_taken(&sender().until(Duration::from_secs(200)).ending(Ending::Plain).start().finish());
    on_air.show.reaches(&tracks, Duration::from_secs(12));
    until("two minutes to be archived", || {
        (on_air.daemon.metric("forebay_archive_pages_total", "") >= 2.0).then_some(())
    });
    let window = on_air.show.look(&tracks);
    assert!(window.iter().all(|recording| recording.last.segments.len() <= 9));
    let from_start = all_of(&on_air, &tracks, "start.m3u8");
    for path in on_air.show.playlists(&tracks) {
        let text = on_air.daemon.get(&view(&path, "start.m3u8")).text();
        let playlist = Playlist::of(&text);
        assert!((99..=100).contains(&playlist.segments.len()), "{text}");
        assert!(text.contains("#EXT-X-START:TIME-OFFSET=0.001\n"), "{text}");
        let update = on_air.daemon.get(&format!("{}?_HLS_skip=YES", view(&path, "start.m3u8"))).text();
        assert!(update.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=9"), "{update}");
        let _ = on_air.daemon.get(&view(&path, "vod.m3u8")).is(404);
        playlists::agree_live(&[&text]);
    }
    assert!(on_air.daemon.metric("forebay_live_held_bytes", "") < 60_000_000.0);

    all_taken(&sender().from(Duration::from_secs(196)).until(Duration::from_secs(240)).start().finish());
    let ended = Instant::now();
    let door = on_air.show.door.replace("main.m3u8", "vod.m3u8");
    let main = until("the show to be on demand", || {
        let answer = on_air.daemon.get(&door);
        (answer.status == 200).then(|| answer.text())
    });
    assert!(ended.elapsed() < Duration::from_secs(1), "{:?} after its end", ended.elapsed());
    assert_eq!(children(&main).len(), tracks.len());
    let on_demand = all_of(&on_air, &tracks, "vod.m3u8");
    for (path, text) in on_demand.iter().filter(|(path, _)| path.ends_with(".m3u8")) {
        let text = std::str::from_utf8(text).unwrap();
        assert_eq!(text.matches("#EXTINF").count(), 120, "{path}: {text}");
        assert!(text.contains("#EXT-X-PLAYLIST-TYPE:VOD") && text.ends_with("#EXT-X-ENDLIST\n"), "{text}");
        assert!(!text.contains("PART") && !text.contains("SERVER-CONTROL"), "{text}");
        doctor::finds_nothing(&[text]);
    }
    // Live, from the start and on demand are the same media under the same names.
    let mut same = 0;
    for (path, bytes) in from_start.iter().filter(|(path, _)| !path.ends_with(".m3u8")) {
        assert!(on_demand[path] == *bytes, "{path}");
        same += 1;
    }
    assert!(same > 290, "{same}");
    for recording in &window {
        for (path, bytes) in recording.media.iter().filter(|(path, _)| on_demand.contains_key(*path)) {
            assert!(on_demand[path] == *bytes, "{path}");
        }
    }

    // Once all is archived, nothing else is needed: not after a restart, and not on a node that never saw the show.
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    let twin = on_air.beside(|site| site.with("live", "window", "\"16s\""));
    assert_eq!(all_of(&twin, &tracks, "vod.m3u8"), on_demand);
    let on_air = on_air.restarted();
    assert_eq!(all_of(&on_air, &tracks, "vod.m3u8"), on_demand);
    let again = all_of(&on_air, &tracks, "start.m3u8");
    assert!(again.values().all(|bytes| !bytes.is_empty()));
    let (path, first) = on_demand.iter().find(|(path, _)| path.ends_with(".m4s")).unwrap();
    let tag = |answer: &client::Answer| answer.header("etag").to_owned();
    let (here, there) = (on_air.daemon.get(path), twin.daemon.get(path));
    assert_eq!((&here.body, tag(&here)), (first, tag(&there)));
    let part = on_air.daemon.get_with(path, &[("range", "bytes=10-19")]).is(206);
    assert_eq!(part.body, first.slice(10..20));
}

#[test]
fn an_origin_that_died_lists_what_it_would_have_listed() {
    let dress = |site: Site| site.with("live", "window", "\"2h\"");
    let one = OnAir::on(dress(Site::new()));
    let two = one.beside(dress);
    let (tracks, start) = (live::ladder(), today());
    let length = Duration::from_secs(200);
    let sender = |on_air: &OnAir| on_air.show.sender(&tracks).since(start).speed(20.0).ending(Ending::Plain);
    let both = sender(&one).to(two.daemon.http()).until(length).start();
    all_taken(&both.finish());
    one.show.reaches(&tracks, length);
    let pages = |on_air: &OnAir| on_air.daemon.metric("forebay_archive_pages_total", "");
    until("two minutes to be archived", || (pages(&one) + pages(&two) >= 2.0).then_some(()));
    let two = two.restarted();
    // The sender has kept the last minute.
    let again = sender(&two).from(Duration::from_secs(140)).until(length).start();
    all_taken(&again.finish());
    two.show.reaches(&tracks, length);
    assert_eq!(one.show.listed(), two.show.listed(), "it is the same show");
    for path in one.show.playlists(&tracks) {
        for file in ["index.m3u8", "start.m3u8"] {
            let path = view(&path, file);
            let (here, there) = (one.daemon.get(&path).is(200).text(), two.daemon.get(&path).is(200).text());
            assert_eq!(here, there);
        }
    }
    let (here, there) = (all_of(&one, &tracks, "start.m3u8"), all_of(&two, &tracks, "start.m3u8"));
    assert!(here == there);
}

/// Waits until all tracks list whole segments up to a second.
fn comes_to(on_air: &OnAir, tracks: &Tracks, second: u64) {
    for path in on_air.show.playlists(tracks) {
        until(&format!("{path} to come to {second}"), || {
            let playlist = Playlist::of(&on_air.daemon.get(&path).is(200).text());
            (playlist.sequence + playlist.segments.len() as u64 >= second / 2).then_some(())
        });
    }
}

/// A server that records into a bucket, with a spool of so much.
fn recording(bucket: &Bucket, spool: &str) -> OnAir {
    let site = Site::new().with("live", "window", "\"16s\"");
    OnAir::on(bucket.dress(site).with("archive", "spool", "\"spool\"").with("archive", "spool_size", spool))
}

#[test]
fn a_store_that_is_away_loses_nothing_of_a_show() {
    let bucket = Bucket::start();
    let on_air = recording(&bucket, "\"1GiB\"");
    let (tracks, start) = (live::ladder(), today());
    let send = |from: u64, until: u64, ending| {
        let sender = on_air.show.sender(&tracks).since(start).speed(20.0).ending(ending);
        let span = (Duration::from_secs(from), Duration::from_secs(until));
        all_taken(&sender.from(span.0).until(span.1).start().finish());
    };
    send(0, 80, Ending::Plain);
    let metric = |name: &str| on_air.daemon.metric(name, "");
    until("a minute to be archived", || (metric("forebay_archive_pages_total") >= 1.0).then_some(()));
    bucket.does(Trouble::Cut);
    send(76, 280, Ending::Plain);
    until("what waits to be in the spool", || (metric("forebay_archive_spool_bytes") > 10e6).then_some(()));
    until("the lag to be told", || (metric("forebay_archive_lag_seconds") > 60.0).then_some(()));
    // What is in the spool is watched as anything else; what is in the store was read before.
    let meanwhile: BTreeMap<_, _> = {
        let mut seen = BTreeMap::new();
        for path in on_air.show.playlists(&tracks) {
            let path = view(&path, "start.m3u8");
            let text = on_air.daemon.get(&path).is(200).text();
            for line in text.lines().filter(|line| !line.starts_with('#')).skip(50) {
                let media = resolve(&path, line);
                seen.insert(media.clone(), on_air.daemon.get(&media).is(200).body);
            }
        }
        seen
    };
    assert!(meanwhile.len() > 250, "{}", meanwhile.len());
    bucket.does(Trouble::None);
    send(276, 320, Ending::Last);
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    assert_eq!(metric("forebay_archive_spool_bytes"), 0.0);
    assert_eq!(metric("forebay_archive_lost_segments_total"), 0.0);
    let whole = all_of(&on_air, &tracks, "vod.m3u8");
    let on_air = on_air.restarted();
    let again = all_of(&on_air, &tracks, "vod.m3u8");
    assert!(again == whole);
    for (path, text) in again.iter().filter(|(path, _)| path.ends_with(".m3u8")) {
        let text = std::str::from_utf8(text).unwrap();
        assert_eq!(
            (text.matches("#EXTINF").count(), text.matches("GAP").count()),
            (160, 0),
            "{path}: {text}"
        );
    }
    assert!(meanwhile.iter().all(|(path, bytes)| again[path] == *bytes));
}

#[test]
fn an_origin_that_starts_while_the_store_is_away_has_the_past_of_its_show_when_it_is_back() {
    let bucket = Bucket::start();
    let on_air = recording(&bucket, "\"1GiB\"");
    let (tracks, start) = (live::ladder(), today());
    let send = |on_air: &OnAir, from: u64, until: u64, ending| {
        let sender = on_air.show.sender(&tracks).since(start).speed(20.0).ending(ending);
        let span = (Duration::from_secs(from), Duration::from_secs(until));
        all_taken(&sender.from(span.0).until(span.1).start().finish());
    };
    send(&on_air, 0, 100, Ending::Plain);
    let segments = |on_air: &OnAir| on_air.daemon.metric("forebay_archive_segments_total", "");
    until("a minute to be archived, and more to be put", || {
        let pages = on_air.daemon.metric("forebay_archive_pages_total", "");
        (pages >= 1.0 && segments(&on_air) >= 147.0).then_some(())
    });
    let before = all_of(&on_air, &tracks, "start.m3u8");
    let door = on_air.show.listed();
    bucket.does(Trouble::Cut);
    let on_air = on_air.restarted();
    // Its sender kept some seconds. Of the minute that no page tells of, most is in the store alone.
    send(&on_air, 84, 160, Ending::Plain);
    comes_to(&on_air, &tracks, start + 158);
    assert_eq!(on_air.show.listed(), door, "it is the same show");
    assert!(on_air.daemon.log().contains("the show goes on without its past for now"));
    let first = |view_of: &str| -> Vec<u64> {
        let of =
            |path: &String| Playlist::of(&on_air.daemon.get(&view(path, view_of)).is(200).text()).sequence;
        on_air.show.playlists(&tracks).iter().map(of).collect()
    };
    let window = first("index.m3u8");
    assert!(first("start.m3u8").iter().all(|msn| *msn >= (start + 84) / 2), "{:?}", first("start.m3u8"));
    bucket.does(Trouble::None);
    until("the past to be known", || {
        on_air.daemon.log().contains("the show has its past again").then_some(())
    });
    assert_eq!(first("start.m3u8"), [start / 2; 3]);
    assert_eq!(first("index.m3u8"), window, "the window stays");
    for (path, bytes) in before.iter().filter(|(path, _)| path.ends_with(".m4s")) {
        assert!(on_air.daemon.get(path).is(200).body == *bytes, "{path}");
    }
    send(&on_air, 156, 200, Ending::Last);
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    let whole = all_of(&on_air, &tracks, "vod.m3u8");
    let on_air = on_air.restarted();
    assert!(all_of(&on_air, &tracks, "vod.m3u8") == whole);
    for (path, text) in whole.iter().filter(|(path, _)| path.ends_with(".m3u8")) {
        let text = std::str::from_utf8(text).unwrap();
        let counts = (text.matches("#EXTINF").count(), text.matches("GAP").count());
        assert_eq!(counts, (100, 0), "{path}: {text}");
    }
    assert!(
        before.iter().filter(|(path, _)| path.ends_with(".m4s")).all(|(path, bytes)| whole[path] == *bytes)
    );
}

#[test]
fn live_does_not_wait_for_a_store_that_takes_nothing() {
    let bucket = Bucket::start();
    let site = Site::new().with("live", "window", "\"16s\"").with("live", "memory", "\"32MiB\"");
    let on_air = OnAir::on(bucket.dress(site));
    let (tracks, start) = (live::ladder(), today() - 1200);
    bucket.does(Trouble::Cut);
    let send = |from: u64, until: u64, ending| {
        let sender = on_air.show.sender(&tracks).since(start).speed(60.0).ending(ending);
        let span = (Duration::from_secs(from), Duration::from_secs(until));
        all_taken(&sender.from(span.0).until(span.1).start().finish());
    };
    send(0, 600, Ending::Plain);
    comes_to(&on_air, &tracks, start + 598);
    let lost = || on_air.daemon.metric("forebay_archive_lost_segments_total", "");
    assert!(lost() > 100.0, "{}", lost());
    assert!(on_air.daemon.metric("forebay_live_held_bytes", "") <= f64::from(32 << 20));
    // The oldest is lost, and nothing of what is at the edge.
    for path in on_air.show.playlists(&tracks) {
        assert!(!on_air.daemon.get(&path).is(200).text().contains("GAP"));
        let text = on_air.daemon.get(&view(&path, "start.m3u8")).is(200).text();
        let (gaps, all) = (text.matches("#EXT-X-GAP").count(), text.matches("#EXTINF").count());
        assert!(gaps > 30 && all == 300, "{text}");
        assert!(text.rsplit("#EXTINF").take(20).all(|segment| !segment.contains("GAP")), "{text}");
    }
    bucket.does(Trouble::None);
    send(596, 640, Ending::Last);
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    let (mut gaps, mut there) = (0.0, 0);
    let on_air = on_air.restarted();
    for path in on_air.show.playlists(&tracks) {
        let path = view(&path, "vod.m3u8");
        let text = on_air.daemon.get(&path).is(200).text();
        doctor::finds_nothing(&[&text]);
        let (missing, all) = (text.matches("#EXT-X-GAP").count(), text.matches("#EXTINF").count());
        assert_eq!(all, 320, "{text}");
        (gaps, there) = (gaps + f64::from(u32::try_from(missing).unwrap()), there + all - missing);
    }
    assert!(there > 320, "{there}");
    println!("{gaps} segments are missing");
}

#[test]
fn a_show_that_lost_its_origin_and_its_sender_is_ended_by_another_with_its_archive_whole() {
    let dress = |site: Site| site.with("live", "window", "\"16s\"").with("live", "reconnect", "\"1s\"");
    let one = OnAir::on(dress(Site::new()));
    // Long ago enough that nobody waits for its sender.
    let (tracks, start) = (live::ladder(), today() - 600);
    let sender = one.show.sender(&tracks).since(start).until(Duration::from_secs(100)).speed(20.0);
    all_taken(&sender.ending(Ending::Plain).start().finish());
    one.show.reaches(&tracks, Duration::from_secs(12));
    let segments = |on_air: &OnAir| on_air.daemon.metric("forebay_archive_segments_total", "");
    until("all segments to be stored", || (segments(&one) >= 147.0).then_some(()));
    let before = all_of(&one, &tracks, "start.m3u8");
    one.daemon.signal("KILL");
    let two = one.beside(dress);
    until("another to end it", || two.daemon.log().contains("show archived").then_some(()));
    let mut found = 0;
    for (path, bytes) in before.iter().filter(|(path, _)| path.ends_with(".m4s")) {
        let answer = two.daemon.get(path);
        assert!(answer.status == 200 && answer.body == *bytes, "{path}: {}", answer.status);
        found += 1;
    }
    assert!(found >= 147, "{found}");
    let door = two.show.door.replace("main.m3u8", "vod.m3u8");
    let main = two.daemon.get(&door).is(200).text();
    for (_, _, uri) in children(&main) {
        let text = two.daemon.get(&resolve(&door, &uri)).is(200).text();
        assert!(text.ends_with("#EXT-X-ENDLIST\n") && !text.contains("GAP"), "{text}");
        assert!(text.matches("#EXTINF").count() >= 49, "{text}");
    }
}

#[test]
fn an_origin_that_stops_hands_its_archives_over_at_once() {
    let dress = |site: Site| site.with("live", "window", "\"16s\"");
    let one = OnAir::on(dress(Site::new()));
    let two = one.beside(dress);
    let (tracks, start) = (live::ladder(), today());
    let sender = one.show.sender(&tracks).since(start).speed(10.0).ending(Ending::Plain);
    all_taken(&sender.to(two.daemon.http()).until(Duration::from_secs(30)).start().finish());
    let writes = |on_air: &OnAir| on_air.daemon.log().contains("archiving");
    let (first, second) = until("one of them to write", || match (writes(&one), writes(&two)) {
        (true, false) => Some((true, false)),
        (false, true) => Some((false, true)),
        _ => None,
    });
    assert!(first != second);
    let (mut stops, goes_on) = if first { (one.daemon, two.daemon) } else { (two.daemon, one.daemon) };
    stops.signal("TERM");
    assert!(stops.ended(Duration::from_secs(30)).success());
    let stopped = Instant::now();
    until("the other to write", || goes_on.log().contains("archiving").then_some(()));
    // A holder that says nothing is waited for for twelve seconds.
    assert!(stopped.elapsed() < Duration::from_secs(6), "{:?}", stopped.elapsed());
}

#[test]
#[ignore = "more is sent than the smallest spool holds: two minutes"]
fn a_spool_that_is_full_loses_its_oldest_and_says_so() {
    let bucket = Bucket::start();
    let on_air = recording(&bucket, "\"64MiB\"");
    let (tracks, start) = (live::ladder(), today() - 2400);
    let send = |from: u64, until: u64, ending| {
        let sender = on_air.show.sender(&tracks).since(start).speed(30.0).ending(ending);
        let span = (Duration::from_secs(from), Duration::from_secs(until));
        all_taken(&sender.from(span.0).until(span.1).start().finish());
    };
    send(0, 80, Ending::Plain);
    let metric = |name: &str| on_air.daemon.metric(name, "");
    until("a minute to be archived", || (metric("forebay_archive_pages_total") >= 1.0).then_some(()));
    bucket.does(Trouble::Cut);
    let mut sent = 80;
    while metric("forebay_archive_lost_segments_total") < 20.0 {
        assert!(sent < 2400, "{} bytes wait", metric("forebay_archive_spool_bytes"));
        send(sent - 4, sent + 120, Ending::Plain);
        sent += 120;
        assert!(metric("forebay_archive_spool_bytes") <= f64::from(64 << 20));
    }
    bucket.does(Trouble::None);
    send(sent - 4, sent + 40, Ending::Last);
    until("the show to be archived", || on_air.daemon.log().contains("show archived").then_some(()));
    let lost = metric("forebay_archive_lost_segments_total");
    let on_air = on_air.restarted();
    let (mut gaps, mut there) = (0, 0);
    for path in on_air.show.playlists(&tracks) {
        let path = view(&path, "vod.m3u8");
        let text = on_air.daemon.get(&path).is(200).text();
        doctor::finds_nothing(&[&text]);
        let mut is_gap = false;
        for line in text.lines() {
            match line {
                "#EXT-X-GAP" => is_gap = true,
                line if line.starts_with('#') => {}
                line => {
                    let answer = on_air.daemon.get(&resolve(&path, line));
                    assert_eq!(answer.status, if is_gap { 404 } else { 200 }, "{path}: {line}");
                    *(if is_gap { &mut gaps } else { &mut there }) += 1;
                    is_gap = false;
                }
            }
        }
    }
    println!("{sent} s sent, {lost} segments lost, {gaps} listed as gaps, {there} there");
    // One that is put in the very moment in which it leaves the spool is counted and yet there.
    assert!((f64::from(gaps)..=f64::from(gaps) + 8.0).contains(&lost), "{gaps} of {lost}");
    assert!(there > 3 * 60);
}
