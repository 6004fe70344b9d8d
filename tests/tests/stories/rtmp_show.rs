//! A camera goes live over RTMP: a ladder of its picture, and restarts that nobody sees.

use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::oracle::live as rules;
use forebay_tests::oracle::{listeners, media};
use forebay_tests::rig::client;
use forebay_tests::rig::command::signal;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::publisher::{Camera, Publisher};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::viewer::{Recording, Viewer};

use crate::on_air::SLACK;

/// Where publishers come in, and two small rungs.
fn studio() -> Site {
    let site = Site::new().with("rtmp", "listen", "\"127.0.0.1:0\"");
    let site = site.with("work", "preset", "\"ultrafast\"").with("work", "max_height", "180");
    site.with("work", "pass", "false").with("log", "level", "\"info\"")
}

/// The playlists of a stream, once it has this many renditions.
pub(crate) fn renditions(daemon: &Daemon, door: &str, count: usize) -> Vec<String> {
    until("the show to be listed", || {
        let answer = client::get(daemon.http(), door);
        if answer.status != 200 {
            return None;
        }
        let listed = children(&answer.text());
        (listed.len() == count)
            .then(|| listed.into_iter().map(|(_, _, uri)| resolve(door, &uri)).collect::<Vec<_>>())
    })
}

/// The encoder that a server runs.
pub(crate) fn encoder(daemon: &Daemon) -> u32 {
    until("an encoder", || {
        let children = daemon.children().into_iter();
        children.filter(|(_, line)| line.contains("frag_discont")).map(|(pid, _)| pid).next()
    })
}

/// Follows a rendition until it has this many segments more than it has now; `meanwhile` happens after the first of them.
pub(crate) fn follow(daemon: &Daemon, path: &str, more: u64, meanwhile: impl FnOnce() + Send) -> Recording {
    let mut viewer = Viewer::of(daemon.http(), path, Instant::now()).with_updates();
    let first = viewer.playlist().end().0;
    viewer.follow(|playlist| playlist.end().0 > first);
    thread::scope(|scope| {
        scope.spawn(meanwhile);
        viewer.follow(|playlist| playlist.end().0 >= first + more);
    });
    viewer.recording()
}

/// Checks that a show went on as if nothing had happened: no break, no hole, and each picture as long as the next.
pub(crate) fn is_unbroken(recording: &Recording, kind: &str) {
    rules::holds(&recording.captures, SLACK);
    let text = &recording.captures.last().unwrap().text;
    for mark in ["#EXT-X-DISCONTINUITY\n", "#EXT-X-GAP"] {
        let found = recording.captures.iter().find(|capture| capture.text.contains(mark));
        assert!(found.is_none(), "{mark} in {}", found.unwrap().text);
    }
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("show.mp4");
    std::fs::write(&seen, recording.joined()).unwrap();
    let packets = media::packets(&seen, kind);
    let step = packets[1].pts - packets[0].pts;
    let odd = packets.windows(2).find(|pair| (pair[1].pts - pair[0].pts - step).abs() > 1e-4);
    assert!(odd.is_none(), "{odd:?} where {step} is between others, in {text}");
    assert_eq!(media::frames(&seen, &format!("{kind}:0")).len(), packets.len(), "all can be decoded");
}

fn goes_live(daemon: &Daemon, key: &str) -> Publisher {
    Camera::default().publish(daemon.rtmp(), key)
}

#[test]
fn an_encoder_that_is_killed_is_not_missed() {
    let site = studio();
    let (key, door) = (site.stream_key("show"), site.door("show"));
    let daemon = site.serve();
    let mut publisher = goes_live(&daemon, &key);
    let paths = renditions(&daemon, &door, 2);
    let (sound, pictures): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.contains("/audio/"));
    let heard = thread::scope(|scope| {
        let sound = scope.spawn(|| follow(&daemon, &sound[0], 5, || {}));
        let recording = follow(&daemon, &pictures[0], 5, || signal(encoder(&daemon), "KILL"));
        is_unbroken(&recording, "v");
        sound.join().unwrap()
    });
    is_unbroken(&heard, "a");
    assert!(daemon.log().contains("the encoder ended and is started again"), "it was not killed");
    assert!(publisher.runs());
    let seen = listeners::ffmpeg(&daemon.url(&door), Duration::from_secs(4));
    assert!(seen.pictures >= 115 && seen.complaints.is_empty(), "{seen:?}");
}

#[test]
fn a_publisher_that_comes_back_goes_on_with_its_show_and_viewers_see_its_last_picture_meanwhile() {
    let site = studio();
    let (key, door) = (site.stream_key("show"), site.door("show"));
    let daemon = site.serve();
    let publisher = goes_live(&daemon, &key);
    let paths = renditions(&daemon, &door, 2);
    let picture = paths.iter().find(|path| !path.contains("/audio/")).unwrap();
    let mut again = None;
    let recording = follow(&daemon, picture, 6, || {
        drop(publisher);
        until("the last picture to be shown", || daemon.log().contains("slate_on").then_some(()));
        thread::sleep(Duration::from_secs(2));
        again = Some(goes_live(&daemon, &key));
        until("the publisher to be back", || daemon.log().contains("\"back\"").then_some(()));
    });
    is_unbroken(&recording, "v");
    assert!(again.unwrap().stop().is_empty());
    assert_eq!(renditions(&daemon, &door, 2), paths, "the same show");
}

#[test]
fn a_wrong_key_is_refused_in_words_that_its_publisher_shows() {
    let site = studio();
    let key = site.stream_key("show");
    let daemon = site.serve();
    let wrong = key.replace(&key[3..7], "0000");
    let (status, complaints) = goes_live(&daemon, &wrong).ends();
    assert!(!status.success() && complaints.contains("the stream key is not valid"), "{complaints}");
    assert!(!daemon.log().contains(&wrong[3..]), "no key stands in the log");
    assert_eq!(client::get(daemon.http(), &site.door("show")).status, 404);
}
