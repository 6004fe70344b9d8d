//! Several origins that share a bucket and a database, behind a load balancer: who dies costs one retry, who goes costs nothing.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::rig::audience::{Audience, Known, Manner, Tally};
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fleet::free_address;
use forebay_tests::rig::haproxy::{Behind, Haproxy};
use forebay_tests::rig::postgres::Postgres;
use forebay_tests::rig::raw;
use forebay_tests::rig::site::Site;

use crate::object_storage::clip;
use crate::rtmp_fleet::kill;

/// A film of one segment that is far larger than what the sockets on the way hold.
pub(crate) fn large() -> PathBuf {
    let options = &["-g", "120", "-crf", "6", "-preset", "ultrafast", "-vf", "noise=alls=60:allf=t+u"];
    Clip { name: "large", seconds: 4, size: "640x360", rate: "30", sound: 0, options }.make()
}

/// Three nodes and what is in front of them.
struct Service {
    sites: Vec<Site>,
    nodes: Vec<Option<Daemon>>,
    balancer: Haproxy,
    /// A film in small pieces, and one in large ones.
    film: Vec<Known>,
    large: Vec<Known>,
    /// Where the database and the keys are.
    _ground: Site,
    _bucket: Bucket,
}

impl Service {
    /// All of them run; `dress` says what they have in common, beside the bucket.
    fn start(dress: impl Fn(Site) -> Site) -> Self {
        let bucket = Bucket::start();
        let ground = dress(Site::new());
        ground.transcode(&clip(), "film").ok();
        ground.place("large", &[&large()]);
        bucket.fill(&ground.store());
        let database = format!("sqlite://{}", ground.path().join("forebay.db").display());
        let (mut sites, mut behind) = (Vec::new(), Vec::new());
        for _ in 0..NODES {
            let (http, admin) = (free_address(), free_address());
            let quoted = |text: &dyn std::fmt::Display| format!("\"{text}\"");
            let site = Site::copy_of(ground.path()).with("database", "url", &quoted(&database));
            let site = site.with("listen", "http", &quoted(&http)).with("listen", "admin", &quoted(&admin));
            sites.push(bucket.dress(dress(site)).with("cache", "disk", "\"blocks\""));
            behind.push(Behind { http, admin });
        }
        let nodes: Vec<_> = sites.iter().map(|site| Some(site.serve())).collect();
        let first = nodes[0].as_ref().unwrap().http();
        let film = Known::all(first, &ground.entry("film"));
        let mut large = Known::all(first, &ground.entry("large"));
        large.retain(|known| known.body.len() > 12 << 20);
        assert!(!large.is_empty(), "all of it fits into the sockets on the way");
        let balancer = Haproxy::before(&behind);
        until("all nodes to be sent work", || (balancer.up() == NODES).then_some(()));
        Self { sites, nodes, balancer, film, large, _ground: ground, _bucket: bucket }
    }

    /// Viewers of the film, and some that take their time over large segments.
    fn audiences(&self) -> [Audience; 2] {
        let pause = Duration::from_millis(5);
        let quick = Manner { viewers: 8, rate: None, pause };
        let slow = Manner { viewers: 6, rate: Some(4_000_000), pause };
        [(&self.film, quick), (&self.large, slow)]
            .map(|(known, manner)| Audience::of(self.balancer.http(), known, manner))
    }

    fn node(&self, number: usize) -> &Daemon {
        self.nodes[number].as_ref().unwrap()
    }

    /// Starts a node again that ended, at the address that it had.
    fn start_again(&mut self, number: usize) {
        self.nodes[number] = Some(self.sites[number].serve());
        until("the node to be sent work", || (self.balancer.up() == NODES).then_some(()));
    }
}

#[test]
fn a_node_that_is_killed_under_load_costs_each_of_its_viewers_one_retry() {
    let mut service = Service::start(|site| site);
    let audiences = service.audiences();
    let mut slow = Tally::default();
    // What is killed while it sends to somebody, for as often as it had sent all of it to the sockets.
    until("a body to be cut", || {
        until("the node to send something large", || (audiences[1].under_way(0) > 0).then_some(()));
        kill(service.nodes[0].take().unwrap());
        until("the node to be sent no more work", || (service.balancer.up() == NODES - 1).then_some(()));
        service.start_again(0);
        slow = std::mem::take(&mut slow).and(audiences[1].take());
        (slow.cut > 0).then_some(())
    });
    let [quick, rest] = audiences.map(Audience::end);
    quick.is_clean();
    slow.and(rest).is_clean();
}

#[test]
fn a_node_that_is_told_to_stop_loses_nothing() {
    let mut service = Service::start(|site| site);
    let audiences = service.audiences();
    until("the node to send something large", || (audiences[1].under_way(0) > 0).then_some(()));
    let mut node = service.nodes[0].take().unwrap();
    node.signal("TERM");
    assert!(node.ended(Duration::from_secs(60)).success());
    service.start_again(0);
    until("the node to send again", || (audiences[1].under_way(0) > 0).then_some(()));
    for tally in audiences.map(Audience::end) {
        tally.is_clean();
        assert_eq!(tally.cut, 0, "{tally}");
        assert!(tally.right > 0);
    }
}

#[test]
fn a_node_that_begins_with_nothing_gives_the_same_bytes_and_tags() {
    let mut service = Service::start(|site| site);
    kill(service.nodes[1].take().unwrap());
    fs::remove_dir_all(service.sites[1].path().join("blocks")).unwrap();
    service.start_again(1);
    // The entry comes first.
    let again = Known::all(service.node(1).http(), &service.film[0].path);
    assert!(again == service.film, "two nodes differ");
    assert!(again.len() > 10);
}

#[test]
#[ignore = "ten minutes; part of `make proof`"]
fn a_node_is_killed_every_ten_seconds_for_ten_minutes() {
    let times: u64 = env::var("FOREBAY_KILLS").map_or(60, |times| times.parse().unwrap());
    let database = Postgres::start();
    let mut service = Service::start(|site| site.with("database", "url", &database.url()));
    let audiences = service.audiences();
    let start = Instant::now();
    for number in 0..times {
        let next = EVERY * u32::try_from(number + 1).unwrap();
        thread::sleep(next.saturating_sub(start.elapsed()));
        let node = usize::try_from(number).unwrap() % NODES;
        kill(service.nodes[node].take().unwrap());
        service.start_again(node);
    }
    thread::sleep(EVERY);
    let took = start.elapsed().as_secs();
    let [quick, slow] = audiences.map(Audience::end);
    let (retries, elsewhere) = service.balancer.retries();
    eprintln!(
        "{times} kills in {took} s; the balancer tried {retries} times again, and {elsewhere} times elsewhere"
    );
    eprintln!("film | {quick}\nlarge | {slow}");
    assert!(slow.cut > 0, "no kill met anybody");
    quick.is_clean();
    slow.is_clean();
}

#[test]
#[ignore = "five minutes; part of `make proof`"]
fn a_connection_that_was_idle_for_as_long_as_the_balancer_keeps_it_is_used_again() {
    let site = Site::new();
    let daemon = site.serve();
    let mut stream = std::net::TcpStream::connect(daemon.http()).unwrap();
    for wait in [Duration::ZERO, Duration::from_secs(310)] {
        // That nothing happens for so long is what this is about.
        thread::sleep(wait);
        std::io::Write::write_all(&mut stream, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let answer = raw::receive(&mut stream, Duration::from_secs(10));
        assert!(answer.head().starts_with("http/1.1 401"), "{answer:?}");
    }
}

const NODES: usize = 3;
const EVERY: Duration = Duration::from_secs(10);
