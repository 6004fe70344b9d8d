//! Media in a bucket: origins that share it and nothing else but the database, and a store that is far, or gone.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::binary::forebay;
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::moto::Moto;
use forebay_tests::rig::nginx::Nginx;
use forebay_tests::rig::site::Site;
use forebay_tests::rig::tls::Certificate;
use forebay_tests::rig::wire::Trouble;

use crate::watching::follow;

pub(crate) fn clip() -> PathBuf {
    Clip { name: "bucket", seconds: 12, size: "320x180", rate: "25", sound: 48_000, options: &["-g", "25"] }
        .make()
}

/// Another server of the same service: it has nothing but database, keys and bucket.
pub(crate) fn another(bucket: &Bucket, site: &Site) -> Site {
    let database = format!("sqlite://{}", site.path().join("forebay.db").display());
    bucket.dress(Site::copy_of(site.path())).with("database", "url", &format!("{database:?}"))
}

/// A line of a playlist that leads to something, below the playlist.
fn leads(daemon: &Daemon, playlist: &str, line: usize) -> String {
    let text = daemon.get(playlist).is(200).text();
    let name = text.lines().filter(|line| !line.starts_with('#')).nth(line).unwrap().to_owned();
    format!("{}/{name}", playlist.rsplit_once('/').unwrap().0)
}

#[test]
fn what_lies_in_a_bucket_is_the_same_from_every_node_and_from_a_folder() {
    let bucket = Bucket::start();
    let folder = Site::new();
    folder.transcode(&clip(), "film").ok();
    let one = bucket.dress(Site::copy_of(folder.path()));
    bucket.fill(&folder.store());
    let two = another(&bucket, &one);
    let entry = one.entry("film");
    let (first, second, local) = (one.serve(), two.serve(), folder.serve());
    let (seen, again) = (follow(&first, &entry), follow(&second, &entry));
    assert!(seen.objects() == again.objects(), "two nodes differ");
    assert!(seen.objects().len() > 10);
    let local = follow(&local, &folder.entry("film"));
    let names = |path: &str| path.split_once("/vod/").unwrap().1.to_owned();
    let all = |seen: &Presentation| -> Vec<(String, Vec<u8>)> {
        seen.objects().into_iter().map(|(path, bytes)| (names(path), bytes.to_vec())).collect()
    };
    assert!(all(&seen) == all(&local), "a bucket and a folder differ");
}

#[test]
fn another_server_of_the_protocol_does_as_well() {
    let moto = Moto::start();
    let site = moto.dress(Site::new());
    site.transcode(&clip(), "film").ok();
    let entry = site.entry("film");
    let daemon = site.serve();
    let seen = follow(&daemon, &entry);
    assert!(seen.objects().len() > 10);
    // The next revision is served from the moment at which it is published, and what names the former stays what it was.
    site.transcode(&clip(), "film").ok();
    until("the next revision", || daemon.get(&entry).is(200).text().contains("2/").then_some(()));
    for (path, bytes) in seen.objects().into_iter().skip(1) {
        assert!(daemon.get(path).is(200).body == bytes, "{path} has other bytes");
    }
    assert_eq!(client::get(daemon.admin(), "/readyz").is(200).text(), "ready\n");
}

#[test]
fn many_who_ask_at_once_cost_a_far_store_what_one_costs() {
    let bucket = Bucket::start();
    let site = bucket.dress(Site::new());
    site.transcode(&clip(), "film").ok();
    bucket.is_far(25);
    let entry = site.entry("film");
    let cost = |clients: usize| {
        // Nothing is known yet.
        let daemon = another(&bucket, &site).serve();
        let _before = bucket.traffic();
        let ask = |path: &str| {
            thread::scope(|scope| {
                let asked: Vec<_> =
                    (0..clients).map(|_| scope.spawn(|| daemon.get(path).is(200).body.clone())).collect();
                let bodies: Vec<_> = asked.into_iter().map(|asked| asked.join().unwrap()).collect();
                assert!(bodies.iter().all(|body| *body == bodies[0]));
            });
            bucket.traffic()
        };
        let main = ask(&entry);
        let playlist = leads(&daemon, &entry, 0);
        let segment = leads(&daemon, &playlist, 0);
        (main, ask(&segment))
    };
    let (alone, together) = (cost(1), cost(50));
    assert_eq!(alone, together);
    assert_eq!(alone.1.reads, 1, "a segment is one read");
}

#[test]
fn what_is_in_memory_is_served_while_the_store_is_gone_and_the_rest_is_refused_at_once() {
    let bucket = Bucket::start();
    let site = bucket.dress(Site::new());
    for asset in ["film", "other"] {
        site.transcode(&clip(), asset).ok();
    }
    let daemon = site.serve();
    let [film, other] = ["film", "other"].map(|asset| site.entry(asset));
    let before = follow(&daemon, &film);
    bucket.is_cut(true);
    assert!(follow(&daemon, &film).objects() == before.objects());
    until("the store to be left alone", || {
        let refused = daemon.get(&other);
        assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
        (daemon.metric("forebay_store_open_circuits", "") > 0.0).then_some(())
    });
    let asked = Instant::now();
    assert_eq!(daemon.get(&other).status, 503);
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let ready = client::get(daemon.admin(), "/readyz").is(200).text();
    assert_eq!(ready, "ready\nthe store is not reachable: what is known is served\n");
    bucket.is_cut(false);
    until("the store to be asked again", || (daemon.get(&other).status == 200).then_some(()));
    assert!(follow(&daemon, &other).objects().len() > 10);
    assert_eq!(daemon.metric("forebay_store_open_circuits", ""), 0.0);
}

#[test]
fn a_store_that_says_nothing_keeps_no_balancer_waiting_for_its_probe() {
    let bucket = Bucket::start();
    let site = bucket.dress(Site::new());
    let daemon = site.serve();
    bucket.does(Trouble::Silence);
    let asked = Instant::now();
    let ready = client::get(daemon.admin(), "/readyz").is(200).text();
    assert_eq!(ready, "ready\nthe store is not reachable: what is known is served\n");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
}

#[test]
fn what_was_read_once_is_on_the_disk_after_the_process_was_killed() {
    let bucket = Bucket::start();
    let site =
        bucket.dress(Site::new()).with("cache", "disk", "\"blocks\"").with("cache", "block", "\"16KiB\"");
    site.transcode(&clip(), "film").ok();
    let entry = site.entry("film");
    let daemon = site.serve();
    let before = follow(&daemon, &entry);
    let first = bucket.traffic();
    // What comes from the store is written behind those who wait for it.
    until("all of it to be written", || {
        let written = daemon.metric("forebay_cache_held_bytes", "tier=\"disk\"");
        let kept = daemon.metric("forebay_cache_held_bytes", "tier=\"block\"");
        (written > 0.0 && written >= kept * 0.9).then_some(())
    });
    crate::rtmp_fleet::kill(daemon);

    let daemon = site.serve();
    assert!(follow(&daemon, &entry).objects() == before.objects());
    let second = bucket.traffic();
    assert!(second.bytes * 4 < first.bytes, "{first:?}, then {second:?}");
    assert!(daemon.metric("forebay_cache_lookups_total", "result=\"hit\",tier=\"disk\"") > 3.0);
}

#[test]
fn a_store_over_tls_is_trusted_by_its_certificate_and_not_otherwise() {
    let bucket = Bucket::start();
    let keys = tempfile::tempdir().unwrap();
    let certificate = Certificate::make_in(keys.path());
    let front = Nginx::tls_before(bucket.address(), &certificate);
    let site = bucket.dress(Site::new());
    site.transcode(&clip(), "film").ok();
    let site = bucket.dress_by(site, &format!("https://{}", front.http()));
    let serve = |roots: &Path| {
        let mut command = Command::new(forebay());
        Daemon::start_command(
            command.args(["serve", "--config"]).arg(site.config()).env("SSL_CERT_FILE", roots),
        )
    };
    let daemon = serve(&certificate.cert);
    assert!(follow(&daemon, &site.entry("film")).objects().len() > 10);
    assert_eq!(client::get(daemon.admin(), "/readyz").is(200).text(), "ready\n");
    // Somebody else's.
    let other = tempfile::tempdir().unwrap();
    let daemon = serve(&Certificate::make_in(other.path()).cert);
    let refused = daemon.get(&site.entry("film"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, "5"));
    let ready = client::get(daemon.admin(), "/readyz").is(200).text();
    assert_eq!(ready, "ready\nthe store is not reachable: what is known is served\n");
}
