//! Thousands of clients that take a connection and give nothing for it, while somebody watches.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebay_tests::inputs::ours::{self, Clip};
use forebay_tests::oracle::hls::Presentation;
use forebay_tests::rig::client::Connection;
use forebay_tests::rig::daemon::Daemon;
use forebay_tests::rig::deadline::until;
use forebay_tests::rig::site::Site;

use crate::watching::follow;

/// What a client does to be in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// It connects, and says nothing.
    HalfOpen,
    /// It sends the head of a request, a byte at a time.
    SlowHead,
    /// It asks for a segment of several megabytes, and reads a little now and then.
    SlowReader,
}

const HABITS: [Habit; 3] = [Habit::HalfOpen, Habit::SlowHead, Habit::SlowReader];

/// One of them.
struct Hostile {
    habit: Habit,
    stream: TcpStream,
    /// What it came back with, as far as it was read.
    seen: Vec<u8>,
    open: bool,
}

impl Hostile {
    fn connect(to: SocketAddr, habit: Habit, ask: &str) -> Self {
        let mut stream = TcpStream::connect(to).unwrap();
        let first = match habit {
            Habit::HalfOpen => String::new(),
            Habit::SlowHead => "GET /slow HTTP/1.1\r\nX-Slow: ".to_owned(),
            Habit::SlowReader => format!("GET {ask} HTTP/1.1\r\nHost: x\r\n\r\n"),
        };
        stream.write_all(first.as_bytes()).unwrap();
        stream.set_nonblocking(true).unwrap();
        Self { habit, stream, seen: Vec::new(), open: true }
    }

    /// One more byte of the head, and as much of an answer as a slow reader reads.
    fn go_on(&mut self) {
        if !self.open {
            return;
        }
        if self.habit == Habit::SlowHead {
            // That nobody listens any more is seen when it is read.
            let _ = self.stream.write(b"x");
        }
        let mut some = [0; 512];
        match self.stream.read(&mut some) {
            Ok(0) => self.open = false,
            // Nobody looks at what a slow reader reads.
            Ok(length) if self.habit != Habit::SlowReader => self.seen.extend_from_slice(&some[..length]),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => self.open = false,
        }
    }
}

/// What the daemon held at most.
#[derive(Debug, Default, Clone, Copy)]
struct Held {
    memory: u64,
    sockets: usize,
    files: usize,
}

impl Held {
    fn now(daemon: &Daemon) -> Self {
        let all = fs::read_dir(format!("/proc/{}/fd", daemon.pid())).unwrap();
        // One that is closed meanwhile leads nowhere.
        let files: Vec<_> = all.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
        let sockets = files.iter().filter(|file| file.to_string_lossy().starts_with("socket:")).count();
        Self { memory: daemon.current_memory(), sockets, files: files.len() }
    }

    fn max(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            sockets: self.sockets.max(other.sockets),
            files: self.files.max(other.files),
        }
    }
}

/// How it went.
struct Siege {
    before: Held,
    peak: Held,
    after: Held,
    /// From the last connection to when the daemon had let go of all of them.
    gone: Duration,
    requests: usize,
    slowest: Duration,
}

/// Whether somebody still watches.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many clients at once, against a daemon with these deadlines, in seconds.
fn besiege(clients: usize, deadline: u64) -> Siege {
    let span = format!("\"{deadline}s\"");
    let site = Site::new()
        .with("limits", "head_timeout", &span)
        .with("limits", "write_timeout", &span)
        .with("limits", "min_send_rate", "\"64KiB\"")
        .with("limits", "keepalive", "\"2m\"")
        .with("log", "level", "\"info\"");
    site.place("film", &[&ours::moov_first()]);
    site.place("heavy", &[&heavy("noise", 8)]);
    let daemon = site.serve();
    let film = follow(&daemon, &site.entry("film"));
    let heavy = follow(&daemon, &site.entry("heavy"));
    let segment = heaviest(&heavy);
    let (done, watched) = (AtomicBool::new(false), Mutex::new((0, Duration::ZERO)));
    let mut siege = Siege {
        before: Held::now(&daemon),
        peak: Held::default(),
        after: Held::default(),
        gone: Duration::ZERO,
        requests: 0,
        slowest: Duration::ZERO,
    };
    thread::scope(|scope| {
        let _stop = AtEnd(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // A player that comes, and one that stays for a while.
                let mut connection = Connection::open(daemon.http());
                for (path, bytes) in film.objects() {
                    let start = Instant::now();
                    assert_eq!(connection.request("GET", path, &[]).is(200).body, bytes, "{path}");
                    let mut watched = watched.lock().unwrap();
                    *watched = (watched.0 + 1, watched.1.max(start.elapsed()));
                    drop(watched);
                    thread::sleep(Duration::from_millis(10));
                }
            }
        });
        let mut hostile: Vec<Hostile> = Vec::new();
        let (mut all, mut next) = (Instant::now(), Instant::now());
        loop {
            let now = Held::now(&daemon);
            siege.peak = siege.peak.max(now);
            let more = hostile.len()..clients.min(hostile.len() + 100);
            if !more.is_empty() {
                hostile.extend(more.map(|n| Hostile::connect(daemon.http(), HABITS[n % 3], segment)));
                all = Instant::now();
                continue;
            }
            // The viewer has one.
            if now.sockets <= siege.before.sockets + 1 {
                break;
            }
            assert!(
                all.elapsed() < Duration::from_secs(6 * deadline + 30),
                "{} are still there",
                now.sockets
            );
            if Instant::now() >= next {
                hostile.iter_mut().for_each(Hostile::go_on);
                next += Duration::from_millis(400);
            }
            thread::sleep(Duration::from_millis(50));
        }
        siege.gone = all.elapsed();
        for client in &mut hostile {
            client.go_on();
            let told = String::from_utf8_lossy(&client.seen);
            match client.habit {
                Habit::HalfOpen => assert_eq!((&*told, client.open), ("", false)),
                Habit::SlowHead => {
                    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");
                    assert!(told.contains("\r\nConnection: close\r\n"), "{told}");
                }
                Habit::SlowReader => {}
            }
        }
    });
    (siege.requests, siege.slowest) = *watched.lock().unwrap();
    let dropped =
        |reason: &str| daemon.metric("forebay_edge_dropped_clients_total", &format!("reason=\"{reason}\""));
    let of = |habit: Habit| (0..clients).filter(|n| HABITS[n % 3] == habit).count() as f64;
    assert_eq!(dropped("slow_head"), of(Habit::HalfOpen) + of(Habit::SlowHead));
    assert_eq!(dropped("slow_reader"), of(Habit::SlowReader));
    until("the viewer's connection to be gone", || {
        siege.after = Held::now(&daemon);
        (siege.after.sockets <= siege.before.sockets).then_some(())
    });
    assert_eq!(daemon.metric("forebay_edge_answering_requests", ""), 0.0);
    siege.print(clients, deadline);
    siege
}

impl Siege {
    fn print(&self, clients: usize, deadline: u64) {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        eprintln!("| {clients} clients, deadlines of {deadline} s | before | at most | after |");
        eprintln!("|-|-|-|-|");
        eprintln!(
            "| memory | {:.0} MiB | {:.0} MiB | {:.0} MiB |",
            mib(self.before.memory),
            mib(self.peak.memory),
            mib(self.after.memory)
        );
        eprintln!("| sockets | {} | {} | {} |", self.before.sockets, self.peak.sockets, self.after.sockets);
        eprintln!("| descriptors | {} | {} | {} |", self.before.files, self.peak.files, self.after.files);
        eprintln!("| all gone | | {:.1} s after the last came | |", self.gone.as_secs_f64());
        eprintln!(
            "| the viewer's requests | | {}, all of them 200 and whole; the slowest took {:.2} s | |",
            self.requests,
            self.slowest.as_secs_f64()
        );
    }

    /// Everything a connection may cost here, and what the cache is filled with meanwhile.
    fn is_bounded(&self, clients: usize) {
        assert!(self.peak.sockets >= clients * 9 / 10, "{} of them at once", self.peak.sockets);
        // The catalogue's connections come and go.
        assert!(self.after.files <= self.before.files + 8, "{} files are open", self.after.files);
        let grown = self.peak.memory.saturating_sub(self.before.memory);
        assert!(grown <= clients as u64 * 48 * 1024 + (64 << 20), "{grown} bytes more");
        assert!(self.requests > 20, "{} requests of the viewer", self.requests);
    }
}

/// A film of noise: a few megabytes a second.
fn heavy(name: &'static str, seconds: u32) -> std::path::PathBuf {
    let options = &["-vf", "noise=alls=100:allf=t", "-qp", "8", "-preset", "ultrafast", "-g", "50"];
    Clip { name, seconds, size: "640x360", rate: "25", sound: 0, options }.make()
}

fn heaviest(film: &Presentation) -> &str {
    let segments = film.video()[0].segments.iter();
    let heaviest = segments.max_by_key(|segment| segment.bytes.len()).unwrap();
    assert!(heaviest.bytes.len() > 4 << 20, "{} bytes fit into the system's buffers", heaviest.bytes.len());
    &heaviest.path
}

#[test]
fn some_hundred_hostile_clients_are_let_go_and_nobody_else_notices() {
    besiege(300, 5).is_bounded(300);
}

#[test]
#[ignore = "minutes, five thousand connections"]
fn five_thousand_hostile_clients_are_let_go_and_nobody_else_notices() {
    besiege(5000, 60).is_bounded(5000);
}

/// What each of them keeps in memory that reads a segment of its own, beside what the system keeps for it.
#[test]
#[ignore = "a measurement"]
fn slow_readers_of_different_segments() {
    let site = Site::new()
        .with("cache", "memory", "\"16MiB\"")
        .with("limits", "write_timeout", "\"1m\"")
        .with("log", "level", "\"info\"");
    site.place("heavy", &[&heavy("long-noise", 60)]);
    site.place("film", &[&ours::moov_first()]);
    let film = follow(&site.serve(), &site.entry("heavy"));
    let segments = &film.video()[0].segments;
    for readers in [1, segments.len() / 2, segments.len()] {
        // One that has no memory left from what it gave before.
        let daemon = site.serve();
        assert_eq!(daemon.get(&film.entry).status, 200);
        assert_eq!(daemon.get(&film.video()[0].path).status, 200);
        let before = daemon.current_memory();
        let _slow: Vec<_> = segments[..readers]
            .iter()
            .map(|segment| Hostile::connect(daemon.http(), Habit::SlowReader, &segment.path))
            .collect();
        until("their answers to begin", || {
            (daemon.metric("forebay_edge_answering_requests", "") == readers as f64).then_some(())
        });
        thread::sleep(Duration::from_secs(3));
        let grown = daemon.current_memory().saturating_sub(before);
        // Whoever else needs the store.
        let (entry, start) = (site.entry("film"), Instant::now());
        assert_eq!(follow(&daemon, &entry).video().len(), 1);
        eprintln!(
            "{readers} readers of segments of {} KiB: {} KiB more, {} KiB each; another film came in {:.2} s",
            segments[0].bytes.len() / 1024,
            grown / 1024,
            grown / 1024 / readers as u64,
            start.elapsed().as_secs_f64()
        );
    }
}
