//! Origins die in the middle of what they write: what was listed is kept, as it was, and once.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use std::{env, thread};

use bytes::Bytes;
use forebay_tests::oracle::doctor;
use forebay_tests::oracle::hls::{children, resolve};
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::{until, within};
use forebay_tests::rig::fleet::Fleet;
use forebay_tests::rig::publisher::Camera;
use forebay_tests::rig::site::Site;

use crate::archive::view;
use crate::rtmp_fleet::{kill, small, tracks};

/// How often each of it happens, unless `FOREBAY_KILLS` says otherwise.
fn times(usual: usize) -> usize {
    env::var("FOREBAY_KILLS").map_or(usual, |times| times.parse().unwrap())
}

/// What viewers were given so far: the bytes behind each path.
#[derive(Default)]
struct Seen(BTreeMap<String, Bytes>);

impl Seen {
    /// Fetches what a playlist lists and was not fetched before.
    fn look(&mut self, origin: &Daemon, playlist: &str) {
        let answer = client::get(origin.http(), playlist);
        if answer.status != 200 {
            return;
        }
        let text = answer.text();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let path = resolve(playlist, line);
            let fetch = |path: &String| client::get(origin.http(), path).is(200).body;
            self.0.entry(path).or_insert_with_key(fetch);
        }
    }

    /// Checks that an origin has all of it, as it was.
    fn is_still_there(&self, origin: &Daemon) {
        for (path, bytes) in &self.0 {
            let answer = client::get(origin.http(), path);
            assert_eq!(answer.status, 200, "{path}");
            assert!(answer.body == *bytes, "{path} has other bytes");
        }
    }
}

/// The media playlists of all that was shown on demand, by their paths, once there are some.
fn on_demand(origin: &Daemon, door: &str) -> BTreeMap<String, String> {
    let door = door.replace("main.m3u8", "vod.m3u8");
    let main = until("the show to be on demand", || {
        let answer = client::get(origin.http(), &door);
        (answer.status == 200).then(|| answer.text())
    });
    let of = |(_, _, uri): (_, _, String)| {
        let path = resolve(&door, &uri);
        let text = client::get(origin.http(), &path).is(200).text();
        doctor::finds_nothing(&[&text]);
        (path, text)
    };
    children(&main).into_iter().map(of).collect()
}

/// Checks that each object that was there is there, as it was.
#[track_caller]
fn nothing_was_overwritten(before: &BTreeMap<PathBuf, Vec<u8>>, after: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in before {
        assert!(after.get(path) == Some(bytes), "{} was overwritten, or is gone", path.display());
    }
}

fn is_media(path: &std::path::Path) -> bool {
    path.extension().is_some_and(|extension| extension == "m4s")
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn origins_that_die_while_they_write_lose_nothing_and_overwrite_nothing() {
    let bucket = Bucket::start();
    // Each write takes so long that one is nearly always on its way.
    bucket.is_far(250);
    let dress = |site: Site| {
        let site = small(site).with("live", "window", "\"16s\"").with("live", "reconnect", "\"2s\"");
        bucket.dress(site.with("archive", "spool", "\"spool\""))
    };
    let fleet = Fleet::of(2, 1, dress);
    let (key, door) = (fleet.stream_key("show"), fleet.door("show"));
    let mut origins = [0, 1].map(|number| Some(fleet.origin(number)));
    let worker = fleet.worker(0);
    let mut camera = Camera::default().publish(worker.rtmp(), &key);
    let (sound, picture) = {
        let both = [origins[0].as_ref().unwrap(), origins[1].as_ref().unwrap()];
        tracks(&both, &door)
    };
    let playlists = [&sound, &picture].map(|path| view(path, "start.m3u8"));
    let (mut seen, mut stored) = (Seen::default(), BTreeMap::new());
    let (mut holders, mut both) = (0, 0);
    for round in 0..times(20) {
        thread::sleep(Duration::from_millis(4000 + u64::try_from(round * 677 % 3000).unwrap()));
        for origin in origins.iter().flatten() {
            for path in &playlists {
                seen.look(origin, path);
            }
        }
        let now = bucket.contents("live/show");
        nothing_was_overwritten(&stored, &now);
        stored = now;
        // Who writes has said so later than it was started, and so has who wrote once and lost the right to.
        let writes = |origin: &Option<Daemon>| {
            origin.as_ref().is_some_and(|origin| origin.log().contains("archiving"))
        };
        let victims: Vec<usize> = match round % 4 {
            3 => vec![0, 1],
            _ => (0..2).filter(|number| writes(&origins[*number])).take(1).collect(),
        };
        holders += victims.iter().filter(|number| writes(&origins[**number])).count();
        both += usize::from(victims.len() == 2);
        for number in &victims {
            kill(origins[*number].take().unwrap());
        }
        for number in victims {
            origins[number] = Some(fleet.origin(number));
        }
        assert!(camera.runs(), "the publisher ended");
    }
    thread::sleep(Duration::from_secs(4));
    assert!(camera.stop().is_empty());
    let logs =
        |origins: &[Option<Daemon>; 2]| -> String { origins.iter().flatten().map(Daemon::log).collect() };
    let archived =
        within(Duration::from_secs(120), || logs(&origins).contains("show archived").then_some(()));
    assert!(archived.is_some(), "{}", logs(&origins));
    // What dies now is not asked any more: all is in the store.
    origins.iter_mut().for_each(|origin| kill(origin.take().unwrap()));
    let third = fleet.origin(0);
    let texts = on_demand(&third, &door);
    seen.is_still_there(&third);
    let listed: usize = texts.values().map(|text| text.matches("#EXTINF").count()).sum();
    let gaps: usize = texts.values().map(|text| text.matches("#EXT-X-GAP").count()).sum();
    let whole = bucket.contents("live/show");
    nothing_was_overwritten(&stored, &whole);
    let media = |all: &BTreeMap<PathBuf, Vec<u8>>| all.keys().filter(|path| is_media(path)).count();
    let orphans = media(&whole) - listed;
    let swept =
        within(Duration::from_secs(180), || (media(&bucket.contents("live/show")) == listed).then_some(()));
    println!(
        "{holders} kills of who wrote, {both} of both at once; {listed} segments listed, {} fetched before, {gaps} gaps, \
         {orphans} orphans",
        seen.0.len(),
    );
    assert!(swept.is_some(), "{} objects of {listed} segments", media(&bucket.contents("live/show")));
    assert_eq!(gaps, 0, "{texts:?}");
    seen.is_still_there(&third);
}
