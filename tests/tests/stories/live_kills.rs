//! Encoder, worker and origin die again and again while somebody watches.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use forebay_tests::rig::browser::Browser;
use forebay_tests::rig::command::signal;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::fleet::Fleet;
use forebay_tests::rig::nginx::Nginx;
use forebay_tests::rig::player::{Pages, Player, Viewing};
use forebay_tests::rig::publisher::{Camera, Publisher};
use forebay_tests::rig::site::Site;
use forebay_tests::rig::witness::Witness;

use crate::rtmp_fleet::{kill, small, tracks};
use crate::rtmp_show::encoder;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Encoder,
    Worker,
    Origin,
    Publisher,
}

/// A service with one origin, two workers and a publisher.
struct Stage {
    fleet: Fleet,
    key: String,
    origin: Option<Daemon>,
    workers: [Option<Daemon>; 2],
    /// The one that the publisher is at.
    at_work: usize,
    camera: Option<Publisher>,
}

/// How it went after one kill.
#[derive(Debug)]
struct Round {
    /// Seconds without motion.
    stalls: Vec<f64>,
    /// Seconds of media that the player had when it happened.
    ahead: f64,
    fatal: Vec<String>,
}

impl Stage {
    fn set(dress: impl Fn(Site) -> Site) -> Self {
        let fleet = Fleet::of(1, 2, dress);
        let key = fleet.stream_key("show");
        let origin = Some(fleet.origin(0));
        let workers = [0, 1].map(|number| Some(fleet.worker(number)));
        let mut stage = Self { fleet, key, origin, workers, at_work: 0, camera: None };
        stage.publish();
        stage
    }

    fn publish(&mut self) {
        self.camera = Some(Camera::default().publish(self.worker().rtmp(), &self.key));
    }

    fn worker(&self) -> &Daemon {
        self.workers[self.at_work].as_ref().unwrap()
    }

    fn origin(&self) -> SocketAddr {
        self.origin.as_ref().unwrap().http()
    }

    /// Kills, and starts again as whoever looks after processes does.
    fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Encoder => signal(encoder(self.worker()), "KILL"),
            Victim::Origin => {
                kill(self.origin.take().unwrap());
                self.origin = Some(self.fleet.origin(0));
            }
            Victim::Worker => {
                let dead = self.at_work;
                kill(self.workers[dead].take().unwrap());
                let _ = self.camera.take().unwrap().ends();
                thread::sleep(BACK);
                self.at_work = 1 - dead;
                self.publish();
                self.workers[dead] = Some(self.fleet.worker(dead));
            }
            Victim::Publisher => {
                drop(self.camera.take());
                thread::sleep(SILENT);
                self.publish();
            }
        }
    }
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn nobody_sees_that_encoders_and_origins_die() {
    watch_them_die(small, &[Victim::Encoder, Victim::Origin]);
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn a_viewer_goes_on_soon_after_a_worker_has_died() {
    watch_them_die(small, &[Victim::Worker]);
}

#[test]
#[ignore = "minutes; part of `make proof`"]
fn a_viewer_goes_on_behind_the_gap_that_a_publisher_leaves() {
    watch_them_die(|site| small(site).with("work", "filler", "\"gap\""), &[Victim::Publisher]);
}

/// Kills each of them twenty times, or as often as `FOREBAY_KILLS` says, in turn; checks the bounds and prints a table.
fn watch_them_die(dress: impl Fn(Site) -> Site, victims: &[Victim]) {
    let times = env::var("FOREBAY_KILLS").map_or(20, |times| times.parse().unwrap());
    let mut stage = Stage::set(dress);
    let door = stage.fleet.door("show");
    let (sound, picture) = tracks(&[stage.origin.as_ref().unwrap()], &door);
    let (pages, browser) = (Pages::open(), Browser::open(800, 600, &[]));
    let proxy = Nginx::before(stage.origin(), pages.address());
    let witness = Witness::of(proxy.http(), &[sound, picture]);
    let open = || pages.play_behind(proxy.http(), &browser, Player::HlsJs, &proxy.url(&door));
    let (mut viewing, start, load) = (open(), Instant::now(), load());
    assert!(goes_well(&viewing), "it does not begin: {}", viewing.report());
    let mut rounds: BTreeMap<Victim, Vec<Round>> = BTreeMap::new();
    for _ in 0..times {
        for victim in victims.iter().copied() {
            let (at, ahead) = (viewing.now(), viewing.lately(1).samples("ahead")[0]);
            stage.kill(victim);
            let is_well = goes_well(&viewing);
            let report = viewing.lately(STEADY);
            let mut fatal = report.fatal();
            if !is_well && fatal.is_empty() {
                fatal.push(format!("it plays no more: {report}"));
            }
            let round = Round { stalls: report.stalls_since(at - 0.5), ahead, fatal };
            eprintln!("{:.1} s: {victim:?}: {round:?}", start.elapsed().as_secs_f64());
            if !round.fatal.is_empty() {
                viewing = open();
                assert!(goes_well(&viewing), "it does not begin again: {}", viewing.report());
            }
            rounds.entry(victim).or_default().push(round);
            assert!(stage.camera.as_mut().unwrap().runs(), "the publisher ended");
        }
    }
    let (frames, seen) = (viewing.report().frames(), witness.end());
    eprintln!(
        "load average {load} before, {} after; {:.0} s, {frames} pictures; {seen:?}",
        self::load(),
        start.elapsed().as_secs_f64()
    );
    for (victim, rounds) in &rounds {
        eprintln!("{}", Row(*victim, rounds));
    }
    assert_eq!(seen.contradictions, Vec::<String>::new());
    assert_eq!(seen.discontinuities, 0);
    assert!(seen.compared > seen.segments, "{seen:?}");
    for (victim, rounds) in &rounds {
        let limit = match victim {
            Victim::Encoder => 2.0,
            Victim::Worker | Victim::Origin => 5.0,
            Victim::Publisher => 5.0 + SILENT.as_secs_f64(),
        };
        for round in rounds {
            assert!(round.fatal.is_empty(), "{victim:?}: {round:?}");
            assert!(round.stalls.iter().all(|stall| *stall <= limit), "{victim:?}: {round:?}");
        }
    }
}

/// Waits until the picture moves without a pause, and is near the live edge; false where it does not come to that.
fn goes_well(viewing: &Viewing<'_>) -> bool {
    let (start, mut since) = (Instant::now(), viewing.now() + 0.5);
    while start.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(500));
        let report = viewing.lately(STEADY);
        if !report.fatal().is_empty() {
            return false;
        }
        let (times, noted) = (report.samples("time"), report.samples("at"));
        let is_later = noted.first().is_some_and(|first| *first > since);
        if times.len() < STEADY || !is_later || !times.windows(2).all(|pair| pair[0] < pair[1]) {
            continue;
        }
        // Else each kill would find more of a buffer than the one before. What it aims at is up to two seconds more after
        // stalls, by itself.
        let (latency, target) = (report.samples("latency").pop(), report.detail("target").as_f64());
        if latency.zip(target).is_none_or(|(latency, target)| latency < target + LATE) {
            return true;
        }
        viewing.go_live();
        since = viewing.now() + 0.5;
    }
    false
}

/// One line of the table.
struct Row<'a>(Victim, &'a [Round]);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(victim, rounds) = self;
        let middle = |mut numbers: Vec<f64>| {
            numbers.sort_by(f64::total_cmp);
            numbers[numbers.len() / 2]
        };
        let longest = |round: &Round| round.stalls.iter().copied().fold(0.0, f64::max);
        let all = rounds.iter().flat_map(|round| &round.stalls).fold(0.0, |sum, stall| sum + stall);
        write!(
            f,
            "| {victim:?} | {} | {} | {:.1} s | {:.1} s | {:.1} s | {all:.1} s | {} |",
            rounds.len(),
            rounds.iter().filter(|round| round.stalls.is_empty()).count(),
            middle(rounds.iter().map(|round| round.ahead).collect()),
            middle(rounds.iter().map(longest).collect()),
            rounds.iter().map(longest).fold(0.0, f64::max),
            rounds.iter().filter(|round| !round.fatal.is_empty()).count(),
        )
    }
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap().to_owned()
}

/// How long the publisher waits before it connects again. OBS waits 2 s.
const BACK: Duration = Duration::from_secs(2);
/// How long a publisher is away.
const SILENT: Duration = Duration::from_secs(7);
/// Samples of three seconds.
const STEADY: usize = 12;
/// How far behind what it aims at a player may be, in seconds.
const LATE: f64 = 1.0;
const PATIENCE: Duration = Duration::from_secs(40);
