//! A worker apart from the origins that it feeds: whoever of them dies, the show goes on.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use forebay_tests::oracle::live as rules;
use forebay_tests::oracle::live::playlist::Playlist;
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fleet::Fleet;
use forebay_tests::rig::publisher::Camera;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::{Recording, Viewer};

use crate::rtmp_show::{follow, is_unbroken, renditions};

/// Small pictures, and one rung of them.
pub(crate) fn small(site: Site) -> Site {
    let site = site.with("work", "preset", "\"ultrafast\"").with("work", "max_height", "180");
    site.with("work", "pass", "false").with("log", "level", "\"info\"")
}

/// `kill -9`, and its end.
pub(crate) fn kill(mut daemon: Daemon) {
    daemon.signal("KILL");
    daemon.ended(Duration::from_secs(10));
}

/// The playlists of sound and pictures, as soon as all origins list them.
pub(crate) fn tracks(origins: &[&Daemon], door: &str) -> (String, String) {
    let paths = renditions(origins[0], door, 2);
    for origin in origins {
        assert_eq!(renditions(origin, door, 2), paths, "it is the same show");
    }
    let (sound, pictures): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.contains("/audio/"));
    (sound[0].clone(), pictures[0].clone())
}

/// A playlist as it is now, with all that it lists.
fn look(origin: &Daemon, path: &str) -> Recording {
    let mut viewer = Viewer::of(origin.http(), path, Instant::now());
    viewer.fetch();
    viewer.recording()
}

/// Checks that an origin has nothing else under names that were seen.
fn still_the_same(origin: &Daemon, seen: &BTreeMap<String, Bytes>) {
    for (path, bytes) in seen {
        let answer = client::get(origin.http(), path);
        assert!(answer.status == 404 || answer.is(200).body == *bytes, "{path} has other bytes");
    }
}

#[test]
fn an_origin_that_is_killed_comes_back_as_it_was_and_the_other_does_not_feel_it() {
    let fleet = Fleet::of(2, 1, small);
    let (key, door) = (fleet.stream_key("show"), fleet.door("show"));
    let (one, two) = (fleet.origin(0), fleet.origin(1));
    let worker = fleet.worker(0);
    let mut camera = Camera::default().publish(worker.rtmp(), &key);
    let (sound, picture) = tracks(&[&one, &two], &door);
    let seen = follow(&two, &picture, 5, || {
        let before = [&sound, &picture].map(|path| {
            until("two segments", || {
                let recording = look(&one, path);
                (recording.last.segments.len() >= 2).then_some(recording)
            })
        });
        kill(one);
        let one = fleet.origin(0);
        assert_eq!(tracks(&[&one], &door), (sound.clone(), picture.clone()), "it is the same show");
        for before in before {
            let after = until("the show to be as long as it was", || {
                let mut viewer = Viewer::of(one.http(), &before.path, Instant::now());
                (viewer.playlist().next() > before.last.next()).then(|| {
                    viewer.fetch();
                    viewer.recording()
                })
            });
            came_back(&before, &after);
            still_the_same(&one, &before.media);
        }
    });
    is_unbroken(&seen, "v");
    assert!(camera.runs());
    assert!(camera.stop().is_empty());
}

/// Checks that all that was listed is, with the same bytes: the window is longer than the show is old.
fn came_back(before: &Recording, after: &Recording) {
    let text = &after.captures[0].text;
    // Sound may begin a few frames after its show. Who comes later cannot know that none is missing there, and begins with
    // the next segment.
    let lacks = after.last.sequence - before.last.sequence;
    assert!(lacks <= u64::from(before.path.contains("/audio/")), "{lacks} segments are missing in {text}");
    for (msn, segment) in before.last.all().filter(|(msn, _)| *msn >= after.last.sequence) {
        let now = after.last.segment(msn).unwrap_or_else(|| panic!("{msn} is missing in {text}"));
        assert!(now.parts.is_empty() || now.parts.starts_with(&segment.parts), "{segment:?} was in {text}");
        if !segment.uri.is_empty() {
            assert_eq!(
                (&now.uri, now.duration, now.date, &now.map),
                (&segment.uri, segment.duration, segment.date, &segment.map)
            );
            assert!(
                before.bytes(&segment.uri) == after.bytes(&segment.uri),
                "{} has other bytes",
                segment.uri
            );
        }
    }
}

#[test]
fn a_worker_that_is_killed_is_followed_by_one_that_goes_on_where_it_ended() {
    let fleet = Fleet::of(2, 2, small);
    let (key, door) = (fleet.stream_key("show"), fleet.door("show"));
    let (one, two) = (fleet.origin(0), fleet.origin(1));
    let worker = fleet.worker(0);
    let camera = Camera::default().publish(worker.rtmp(), &key);
    let (sound, picture) = tracks(&[&one, &two], &door);
    let clock = Instant::now();
    let mut viewers =
        [Viewer::of(one.http(), &picture, clock).with_updates(), Viewer::of(two.http(), &picture, clock)];
    for viewer in &mut viewers {
        viewer.follow(|playlist| playlist.segments.len() >= 2);
    }
    kill(worker);
    drop(camera);
    let worker = fleet.worker(1);
    let mut camera = Camera::default().publish(worker.rtmp(), &key);
    for viewer in &mut viewers {
        let end = viewer.playlist().next();
        viewer.follow(|playlist| playlist.next() > end + 2);
    }
    assert_eq!(tracks(&[&one, &two], &door), (sound.clone(), picture), "it is the same show");
    let seen = viewers.map(Viewer::recording);
    for recording in &seen {
        rules::holds(&recording.captures, AWAY);
        for capture in &recording.captures {
            let text = &capture.text;
            assert!(!text.contains("GAP"), "nothing is missing: {text}");
            assert!(!text.contains("#EXT-X-DISCONTINUITY\n"), "the next one makes the same tracks: {text}");
        }
        for origin in [&one, &two] {
            still_the_same(origin, &recording.media);
        }
    }
    for path in [&sound, &seen[0].path] {
        agree(&one, &two, path);
    }
    assert!(camera.runs());
    assert!(camera.stop().is_empty());
}

/// Checks that origins give the same playlist to the byte.
fn agree(one: &Daemon, two: &Daemon, path: &str) {
    until("both origins to be equally far", || {
        let texts = [one, two].map(|origin| client::get(origin.http(), path).is(200).text());
        let [mine, theirs] = texts.each_ref().map(|text| Playlist::of(text));
        (mine.end() == theirs.end()).then(|| {
            let [mine, theirs] = texts.each_ref().map(|text| without_reports(text));
            assert!(mine == theirs && mine.len() > 5, "{}\n{}", texts[0], texts[1]);
        })
    });
}

/// All but how far other renditions are: that is another moment's.
fn without_reports(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with("#EXT-X-RENDITION-REPORT")).collect()
}

/// How long a viewer may see nothing new while nobody works.
const AWAY: Duration = Duration::from_secs(30);

#[test]
fn a_worker_of_several_shows_ends_when_it_is_told_to() {
    let fleet = Fleet::of(1, 1, small);
    let keys = ["one", "two", "three"].map(|stream| fleet.stream_key(stream));
    let origin = fleet.origin(0);
    let mut worker = fleet.worker(0);
    let cameras = keys.each_ref().map(|key| Camera::default().publish(worker.rtmp(), key));
    for stream in ["one", "two", "three"] {
        tracks(&[&origin], &fleet.door(stream));
    }
    worker.signal("TERM");
    worker.ended(Duration::from_secs(10));
    drop(cameras);
}
