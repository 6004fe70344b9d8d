//! A catalogue on a server that goes away and comes back: what is known is served all the time, and nothing new until then.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::rig::audience::{Audience, Known, Manner};
use forebay_tests::rig::client;
use forebay_tests::rig::command::{self, Outcome};
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fleet::Fleet;
use forebay_tests::rig::postgres::{PASSWORD, Postgres};
use forebay_tests::rig::publisher::Camera;
use forebay_tests::rig::site::Site;

use crate::rtmp_fleet::{small, tracks};
use crate::rtmp_show;
use crate::watching::follow;

/// Two seconds, since every one is encoded.
fn clip() -> PathBuf {
    Clip { name: "brief", seconds: 2, size: "320x180", rate: "25", sound: 48_000, options: &["-g", "25"] }
        .make()
}

fn age(daemon: &Daemon) -> f64 {
    daemon.metric("forebay_catalog_age_seconds", "")
}

/// How often the daemon has asked in vain.
fn missed(daemon: &Daemon) -> f64 {
    daemon.metric("forebay_catalog_lookups_total", "outcome=\"unavailable\"")
}

fn new_key(site: &Site) -> Outcome {
    let config = site.config();
    command::run(
        ["keys", "stream", "gen", "gala", "--config"]
            .map(std::ffi::OsString::from)
            .into_iter()
            .chain([config.into()]),
    )
}

/// Checks that a command said soon, in one line and without the password, that it can do nothing.
fn is_refused(command: impl FnOnce() -> Outcome) {
    let asked = Instant::now();
    let outcome = command();
    let line = outcome.is_one_line_of_refusal();
    assert!(line.contains("database") && !line.contains(PASSWORD), "{line}");
    assert!(asked.elapsed() < Duration::from_secs(30), "{:?}", asked.elapsed());
}

#[test]
fn what_is_known_is_served_while_the_database_is_away_and_new_things_when_it_is_back() {
    let mut server = Postgres::start();
    let site = Site::new().with("database", "url", &server.url());
    site.transcode(&clip(), "film").ok();
    new_key(&site).ok();
    let daemon = site.serve();
    let [film, other] = ["film", "other"].map(|asset| site.entry(asset));
    let before = follow(&daemon, &film);
    assert_eq!(daemon.get(&other).status, 404);
    assert!(age(&daemon) < 30.0);

    server.stop();
    until("the daemon to ask in vain, twice", || {
        assert!(follow(&daemon, &film).objects() == before.objects(), "what is known has changed");
        (missed(&daemon) >= 2.0).then_some(())
    });
    let asked = Instant::now();
    let unknown = daemon.get(&site.entry("nobody-asked-for-it"));
    assert_eq!((unknown.status, unknown.header("retry-after")), (503, "5"));
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    let young = age(&daemon);
    until("the catalogue to grow old", || (age(&daemon) > young + 1.0).then_some(()));
    let ready = client::get(daemon.admin(), "/readyz").is(200).text();
    assert_eq!(ready, "ready\nthe database is not reachable: what is known is served\n");
    is_refused(|| site.transcode(&clip(), "other"));
    is_refused(|| new_key(&site));
    assert!(!site.asset("other").exists(), "something was left in the store");

    server.start_again();
    site.transcode(&clip(), "other").ok();
    until("the new asset", || (daemon.get(&other).status == 200).then_some(()));
    site.transcode(&clip(), "film").ok();
    until("the new revision", || daemon.get(&film).is(200).text().contains("2/").then_some(()));
    assert!(follow(&daemon, &other).objects().len() > 3);
    assert_eq!(client::get(daemon.admin(), "/readyz").is(200).text(), "ready\n");
    assert!(age(&daemon) < young + 1.0, "it is asked whenever the metrics are");
    let log = daemon.log();
    assert!(
        log.contains("the catalogue does not answer") && log.contains("the catalogue answers again"),
        "{log}"
    );
    assert!(!log.contains(PASSWORD));
}

#[test]
fn a_daemon_whose_database_is_away_when_it_starts_says_so() {
    let mut server = Postgres::start();
    let site = Site::new().with("database", "url", &server.url());
    server.stop();
    is_refused(|| command::run(["serve".as_ref(), "--config".as_ref(), site.config().as_os_str()]));
    let checked = command::run(["check".as_ref(), "--config".as_ref(), site.config().as_os_str()]).ok();
    assert!(checked.stdout.contains("postgres://postgres@:5432/forebay?host=/tmp/"), "{}", checked.stdout);
    assert!(!format!("{}{}", checked.stdout, checked.stderr).contains(PASSWORD));
}

#[test]
fn a_show_goes_on_without_the_database_and_nobody_new_comes_in_until_it_is_back() {
    let mut server = Postgres::start();
    let fleet = Fleet::over(&server.url(), 1, 1, small);
    let [ours, theirs] = ["show", "other"].map(|stream| fleet.stream_key(stream));
    let (origin, worker) = (fleet.origin(0), fleet.worker(0));
    let mut camera = Camera::default().publish(worker.rtmp(), &ours);
    let (_, picture) = tracks(&[&origin], &fleet.door("show"));
    // For longer than a lease holds.
    let seen = rtmp_show::follow(&origin, &picture, 8, || server.stop());
    rtmp_show::is_unbroken(&seen, "v");
    let mut stranger = Camera::default().publish(worker.rtmp(), &theirs);
    until("the stranger to be refused", || (!stranger.runs()).then_some(()));
    server.start_again();
    let mut stranger = Camera::default().publish(worker.rtmp(), &theirs);
    tracks(&[&origin], &fleet.door("other"));
    let seen = rtmp_show::follow(&origin, &picture, 2, || {});
    rtmp_show::is_unbroken(&seen, "v");
    for publisher in [&mut camera, &mut stranger] {
        assert!(publisher.runs());
    }
    for daemon in [&origin, &worker] {
        assert!(!daemon.log().contains(PASSWORD));
    }
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn what_is_known_goes_on_while_the_database_is_away_for_a_minute() {
    let mut server = Postgres::start();
    let site = Site::new().with("database", "url", &server.url());
    for asset in ["film", "other"] {
        site.transcode(&clip(), asset).ok();
    }
    let [film, other] = ["film", "other"].map(|asset| site.entry(asset));
    // One that ends at once says what everything is.
    let teacher = site.serve();
    let strange = Known::all(teacher.http(), &other);
    drop(teacher);
    let daemon = site.serve();
    let known = Known::all(daemon.http(), &film);
    let watch = |known: &[Known], viewers, pause| {
        let pause = Duration::from_millis(pause);
        Audience::of(daemon.http(), known, Manner { viewers, rate: None, pause })
    };

    server.stop();
    let audiences = [watch(&known, 6, 10), watch(&strange, 4, 100)];
    thread::sleep(crate::store_faults::lasting());
    let meanwhile = [&audiences[0], &audiences[1]].map(Audience::take);
    server.start_again();
    let back = Instant::now();
    until("what was not known", || (audiences[1].take().right > 0).then_some(()));
    let took = back.elapsed();
    eprintln!("no database | known | {}\nno database | not known | {}", meanwhile[0], meanwhile[1]);
    eprintln!("the first good answer came {took:.1?} after the database was back");
    let [known, strange] = meanwhile;
    known.is_clean();
    strange.is_honest();
    assert!(known.right > 1000 && strange.right == 0, "{known}; {strange}");
    assert!(strange.longest_refusal < Duration::from_secs(11), "{strange}");
    for tally in audiences.map(Audience::end) {
        assert_eq!(tally.wrong, Vec::<String>::new());
    }
}
