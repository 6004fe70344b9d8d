//! The disk of the cache is full, or its process is killed in the middle of a write, again and again: media goes on, and what was
//! kept is kept.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::rig::audience::{Audience, Known, Manner, Tally};
use forebay_tests::rig::binary::forebay;
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;

use crate::object_storage::clip;
use crate::rtmp_fleet::kill;
use crate::several_nodes::large;

/// A server whose folder `disk` is a file system of its own, of 48 MiB, of which something else has taken 30: both are gone with
/// the process. Nobody else sees it.
fn with_a_small_disk(site: &Site) -> Daemon {
    let mount = "mkdir -p \"$0\" && mount -t tmpfs -o size=48m forebay \"$0\" \
                 && head -c 31457280 /dev/zero >\"$0/other\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    // Whoever is not root is root in there.
    if fs::metadata("/proc/self").map(|own| std::os::unix::fs::MetadataExt::uid(&own)).unwrap() != 0 {
        command.arg("--map-root-user");
    }
    command.args(["--mount", "sh", "-c", mount]).arg(site.path().join("disk")).arg(forebay());
    command.args([OsStr::new("serve"), OsStr::new("--config"), site.config().as_os_str()]);
    Daemon::start_command(&mut command)
}

#[test]
fn a_disk_that_is_full_is_left_alone_and_media_goes_on() {
    let (bucket, ground) = (Bucket::start(), Site::new());
    ground.transcode(&clip(), "film").ok();
    ground.place("large", &[&large()]);
    bucket.fill(&ground.store());
    let site = bucket.dress(Site::copy_of(ground.path()));
    let site = site.with("cache", "disk", "\"disk/blocks\"").with("cache", "memory", "\"16MiB\"");
    let [film, heavy] = ["film", "large"].map(|asset| ground.entry(asset));
    let daemon = with_a_small_disk(&site);
    let known = Known::all(daemon.http(), &film);
    let is_off = || daemon.metric("forebay_cache_failed_disks", "") > 0.0;

    let audience = watched(&daemon, &known, 4);
    let whole = Known::all(daemon.http(), &heavy);
    until("the disk to be full", || is_off().then_some(()));
    assert!(daemon.log().contains("the disk of the cache is not used for now"));
    assert!(Known::all(daemon.http(), &heavy) == whole, "it is read from the store");
    assert!(Known::all(daemon.http(), &film) == known);

    let in_there = format!("/proc/{}/root{}", daemon.pid(), site.path().join("disk/other").display());
    fs::remove_file(in_there).unwrap();
    until("the disk to be tried again", || (!is_off()).then_some(()));
    assert!(daemon.log().contains("the disk of the cache is used again"));
    assert!(Known::all(daemon.http(), &heavy) == whole);
    until("the disk to have what it had no room for", || {
        (daemon.metric("forebay_cache_held_bytes", "tier=\"disk\"") > whole_size(&whole)).then_some(())
    });
    assert!(!is_off());
    let tally = audience.end();
    tally.is_clean();
    assert!(tally.cut == 0 && tally.right > 0, "{tally}");
}

fn whole_size(known: &[Known]) -> f64 {
    known.iter().map(|known| known.body.len() as f64).sum::<f64>() * 0.9
}

fn watched(daemon: &Daemon, known: &[Known], viewers: usize) -> Audience {
    Audience::of(daemon.http(), known, Manner { viewers, rate: None, pause: Duration::from_millis(5) })
}

/// A film of four megabytes, in small blocks of the cache.
fn crawled() -> PathBuf {
    let options = &["-g", "50", "-crf", "6", "-preset", "ultrafast", "-vf", "noise=alls=60:allf=t+u"];
    Clip { name: "crawled", seconds: 2, size: "320x180", rate: "25", sound: 0, options }.make()
}

/// Kills a server while it writes to its disk, so often. After each time, what had been kept is there, and is what it was.
fn kill_and_look(times: u64) {
    let (bucket, ground) = (Bucket::start(), Site::new());
    ground.transcode(&clip(), "film").ok();
    bucket.fill(&ground.store());
    let file = crawled();
    let token = ground.token("/vod/**");
    let door = |asset: &str| format!("/t/{token}/vod/{asset}/main.m3u8");
    let site = |folder: &Path| bucket.dress(Site::copy_of(folder)).with("cache", "block", "\"16KiB\"");
    let (site, other) = (site(ground.path()).with("cache", "disk", "\"blocks\""), site(ground.path()));
    // It says what everything is.
    let teacher = other.serve();
    let held = |daemon: &Daemon, what: &str| daemon.metric(what, "tier=\"disk\"");

    let daemon = site.serve();
    let film = Known::all(daemon.http(), &door("film"));
    until("the film to be written", || {
        let kept = daemon.metric("forebay_cache_held_bytes", "tier=\"block\"");
        (held(&daemon, "forebay_cache_held_bytes") >= kept * 0.9).then_some(())
    });
    let mut entries = held(&daemon, "forebay_cache_held_entries");
    kill(daemon);
    let (mut tally, mut hits, mut former) = (Tally::default(), 0.0, None::<Vec<Known>>);
    for number in 0..times {
        let daemon = site.serve();
        let found = held(&daemon, "forebay_cache_held_entries");
        assert!(found >= entries, "round {number}: {found} blocks of {entries}");
        let _before = bucket.traffic();
        assert!(Known::all(daemon.http(), &film[0].path) == film, "round {number}: other bytes");
        let read = bucket.traffic().reads;
        assert_eq!(read, MANIFEST_AND_INDEXES, "round {number}: media that was kept was read again");
        if let Some(former) = former {
            assert!(Known::all(daemon.http(), &former[0].path) == former, "round {number}: other bytes");
        }
        hits += daemon.metric("forebay_cache_lookups_total", "result=\"hit\",tier=\"disk\"");

        let asset = format!("crawled-{number}");
        bucket.replace(&format!("vod/{asset}/film.mp4"), &file);
        let crawl = Known::all(teacher.http(), &door(&asset));
        let audience = watched(&daemon, &crawl, 2);
        // Another moment each time.
        thread::sleep(Duration::from_millis(number * 37 % 211));
        entries = held(&daemon, "forebay_cache_held_entries");
        kill(daemon);
        tally = tally.and(audience.end());
        former = Some(crawl);
    }
    eprintln!(
        "{times} kills: {hits} blocks came from the disk, {entries} were there at the last kill | {tally}"
    );
    assert_eq!(tally.wrong, Vec::<String>::new());
    assert!(tally.cut + tally.unanswered > 0, "no kill met anybody");
}

#[test]
fn what_is_on_the_disk_is_found_after_each_kill_in_the_middle_of_writes() {
    kill_and_look(6);
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn what_is_on_the_disk_is_found_after_two_hundred_kills_in_the_middle_of_writes() {
    kill_and_look(env::var("FOREBAY_KILLS").map_or(200, |times| times.parse().unwrap()));
}

/// What is read of the film before its first byte of media: `asset.json`, and the indexes of picture and sound.
const MANIFEST_AND_INDEXES: u64 = 3;
