//! Several origins over one bucket that ask each other first: the store is read once, and nobody who watches notices a node that
//! is slow, gone, or was told something wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::Clip;
use forebay_tests::rig::bucket::Bucket;
use forebay_tests::rig::client;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::fleet::free_address;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

/// Three times what one node is the owner of at most.
fn large() -> PathBuf {
    let options = &[
        "-g",
        "25",
        "-b:v",
        "16M",
        "-minrate",
        "16M",
        "-maxrate",
        "16M",
        "-bufsize",
        "16M",
        "-x264-params",
        "nal-hrd=cbr:force-cfr=1:filler=1",
    ];
    Clip { name: "large", seconds: 12, size: "640x360", rate: "25", sound: 48_000, options }.make()
}

fn small() -> PathBuf {
    Clip { name: "bucket", seconds: 12, size: "320x180", rate: "25", sound: 48_000, options: &["-g", "25"] }
        .make()
}

/// A service over a bucket with these assets.
struct Service {
    bucket: Bucket,
    ground: Site,
    entries: Vec<String>,
    /// By which each node is asked by the others.
    urls: [String; 3],
}

impl Service {
    /// One large asset that nobody registered, and some that were transcoded.
    fn with_large_and(transcoded: usize) -> Self {
        let bucket = Bucket::start();
        let ground = Site::new();
        ground.place("large", &[&large()]);
        bucket.fill(&ground.store());
        let ground = bucket.dress(ground);
        let names: Vec<String> = (0..transcoded).map(|number| format!("film-{number}")).collect();
        for name in &names {
            ground.transcode(&small(), name).ok();
        }
        let entries = ["large"]
            .into_iter()
            .chain(names.iter().map(String::as_str))
            .map(|name| ground.entry(name))
            .collect();
        let urls = [(); 3].map(|()| format!("http://{}", free_address()));
        Self { bucket, ground, entries, urls }
    }

    /// A node that asks nobody.
    fn alone(&self) -> Site {
        let database = format!("sqlite://{}", self.ground.path().join("forebay.db").display());
        self.bucket.dress(Site::copy_of(self.ground.path())).with("database", "url", &format!("{database:?}"))
    }

    /// The node of this number, which calls itself `here`, and waits for others for so long.
    fn node(&self, number: usize, here: &str, timeout: &str) -> Site {
        let site = self.alone();
        let secret = site.path().join("peers.secret");
        fs::write(&secret, SECRET).unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        let listen = self.urls[number].trim_start_matches("http://");
        site.with("peers", "listen", &format!("{listen:?}"))
            .with("peers", "here", &format!("{here:?}"))
            .with("peers", "nodes", &format!("{:?}", self.urls))
            .with("peers", "secret_file", "\"peers.secret\"")
            .with("peers", "timeout", &format!("{timeout:?}"))
    }

    /// All nodes, as they should be.
    fn start(&self, timeout: &str) -> [Daemon; 3] {
        [0, 1, 2].map(|number| self.node(number, &self.urls[number], timeout).serve())
    }

    /// What everybody must get: each path with its entity tag and bytes, as one node tells who asks nobody. And what that
    /// cost.
    fn truth(&self) -> (Vec<Told>, u64) {
        let daemon = self.alone().serve();
        let _before = self.bucket.traffic();
        let paths = self.entries.iter().flat_map(|entry| {
            let seen = follow(&daemon, entry);
            seen.objects().into_iter().map(|(path, _)| path.to_owned()).collect::<Vec<_>>()
        });
        let told = paths.map(|path| Told::by(&daemon, &path)).collect();
        (told, self.bucket.traffic().bytes)
    }
}

/// An answer.
#[derive(Clone, PartialEq, Eq)]
struct Told {
    path: String,
    tag: String,
    body: Vec<u8>,
}

impl Told {
    fn by(daemon: &Daemon, path: &str) -> Self {
        let answer = daemon.get(path).is(200);
        Self { path: path.to_owned(), tag: answer.header("etag").to_owned(), body: answer.body.to_vec() }
    }
}

/// Asks each of these nodes for everything, all at the same time.
fn ask_all(daemons: &[&Daemon], truth: &[Told]) {
    thread::scope(|scope| {
        for (first, daemon) in daemons.iter().enumerate() {
            scope.spawn(move || {
                // Each begins elsewhere.
                for place in 0..truth.len() {
                    let told = &truth[(place + first * truth.len() / 3) % truth.len()];
                    assert!(Told::by(daemon, &told.path) == *told, "{}", told.path);
                }
            });
        }
    });
}

fn peers(daemon: &Daemon, outcome: &str) -> f64 {
    daemon.metric("forebay_cache_peer_requests_total", &format!("outcome=\"{outcome}\""))
}

#[test]
fn three_nodes_read_the_store_once_between_them() {
    let service = Service::with_large_and(2);
    let (truth, alone) = service.truth();
    let daemons = service.start("30s");
    let _before = service.bucket.traffic();
    ask_all(&daemons.each_ref(), &truth);
    let together = service.bucket.traffic().bytes;
    // Indexes are read by each node; and on a machine that is busy, what a peer has not given within a second or so.
    let late: f64 = daemons.iter().map(|daemon| peers(daemon, "late")).sum();
    let most = alone as f64 * 1.1 + late * STRETCH;
    assert!(
        (together as f64) < most,
        "{together} bytes were read where one node reads {alone}; late: {late}"
    );
    let media: usize = truth.iter().map(|told| told.body.len()).sum();
    for daemon in &daemons {
        let shares = ["forebay_cache_peer_read_bytes_total", "forebay_cache_peer_sent_bytes_total"];
        let shares = shares.map(|name| daemon.metric(name, ""));
        // Five stretches or so among three: no node has all, and none has nothing.
        assert!(shares.iter().all(|share| *share < media as f64 * 2.2), "{shares:?} of {media}");
        for outcome in ["unreachable", "refused", "broken", "corrupt"] {
            assert_eq!(peers(daemon, outcome), 0.0, "{outcome}");
        }
    }
    let whole: f64 = daemons.iter().map(|daemon| peers(daemon, "whole")).sum();
    assert!(whole > 5.0, "{whole}");
}

#[test]
fn nodes_that_read_for_themselves_read_the_store_three_times() {
    let service = Service::with_large_and(1);
    let (truth, alone) = service.truth();
    let daemons = [0, 1, 2].map(|_| service.alone().serve());
    let _before = service.bucket.traffic();
    ask_all(&daemons.each_ref(), &truth);
    assert_eq!(service.bucket.traffic().bytes, 3 * alone);
}

#[test]
fn a_node_that_dies_or_hangs_is_missed_by_nobody() {
    let service = Service::with_large_and(2);
    let (truth, _) = service.truth();
    for signal in ["KILL", "STOP"] {
        let daemons = service.start("1s");
        let [first, second, third] = &daemons;
        let (asked, longest) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for daemon in [first, second] {
                let (asked, longest, truth) = (&asked, &longest, &truth);
                scope.spawn(move || {
                    for told in truth {
                        let began = Instant::now();
                        assert!(Told::by(daemon, &told.path) == *told, "{}", told.path);
                        let took = u32::try_from(began.elapsed().as_millis()).unwrap();
                        longest.fetch_max(took, Ordering::SeqCst);
                        asked.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            until("them to have begun", || (asked.load(Ordering::SeqCst) > 4).then_some(()));
            third.signal(signal);
        });
        assert_eq!(asked.load(Ordering::SeqCst) as usize, 2 * truth.len());
        let longest = longest.load(Ordering::SeqCst);
        assert!(longest < 10_000, "{signal}: an answer took {longest} ms");
    }
}

#[test]
fn nodes_that_were_told_something_wrong_are_only_slower() {
    let service = Service::with_large_and(1);
    let (truth, _) = service.truth();
    // Each takes itself for the next one, so that each is asked for what it takes for another's.
    let names = [0, 1, 2].map(|number| &service.urls[(number + 1) % 3]);
    let crossed = [0, 1, 2].map(|number| service.node(number, names[number], "1s").serve());
    let began = Instant::now();
    ask_all(&crossed.each_ref(), &truth);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());

    // One has another secret: it is refused, and refuses.
    let stranger = service.node(2, &service.urls[2], "1s");
    drop(crossed);
    fs::write(stranger.path().join("peers.secret"), SECRET.replace("nobody", "anybody")).unwrap();
    let [first, second] = [0, 1].map(|number| service.node(number, &service.urls[number], "1s").serve());
    let stranger = stranger.serve();
    ask_all(&[&first, &second, &stranger], &truth);
    let denied = |daemon: &Daemon| daemon.metric("forebay_cache_peer_answers_total", "outcome=\"denied\"");
    assert!(denied(&first) + denied(&second) > 0.0);
    assert!(peers(&stranger, "refused") > 0.0 && peers(&stranger, "whole") == 0.0);
}

#[test]
fn the_listener_of_peers_gives_nothing_to_strangers_and_goes_with_the_others() {
    let service = Service::with_large_and(0);
    let mut daemon = service.node(0, &service.urls[0], "1s").serve();
    let address = service.urls[0].trim_start_matches("http://").parse().unwrap();
    for target in
        ["/blocks?object=vod/large/large.mp4&size=9&version=&from=0&to=9&block=16384", "/", "/metrics"]
    {
        let answer = client::get(address, target);
        assert_eq!((answer.status, answer.body.len()), (401, 0), "{target}");
    }
    assert_eq!(daemon.get("/blocks").status, 401, "there is no such path for viewers, and nobody is told");
    daemon.signal("TERM");
    assert!(daemon.ended(Duration::from_secs(20)).success());
}

/// The most that is asked of a node at once.
const STRETCH: f64 = 8_388_608.0;
const SECRET: &str = "nobody guesses a secret of the nodes\n";
