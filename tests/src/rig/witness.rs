//! A viewer who remembers what every name stood for, whatever happens to the servers meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::client;
use crate::oracle::hls::resolve;
use crate::oracle::live::playlist::{Playlist, Segment};

/// Someone who watches on a thread of his own.
#[derive(Debug)]
pub struct Witness {
    is_enough: Arc<AtomicBool>,
    thread: JoinHandle<Testimony>,
}

/// What he saw.
#[derive(Debug, Default)]
pub struct Testimony {
    /// Whole segments, of all renditions.
    pub segments: usize,
    /// Names of media that he got, and how often he asked for one of them again and compared.
    pub names: usize,
    /// See there.
    pub compared: usize,
    /// Segments of which nothing is there.
    pub gaps: usize,
    /// Segments with a discontinuity before them.
    pub discontinuities: usize,
    /// What was one thing first and another later.
    pub contradictions: Vec<String>,
}

/// What he knows of one rendition.
#[derive(Debug, Default)]
struct Memory {
    sequence: u64,
    segments: BTreeMap<u64, Segment>,
    gaps: BTreeSet<u64>,
    discontinuities: BTreeSet<u64>,
    bytes: BTreeMap<String, [u8; 32]>,
}

impl Witness {
    /// Watches these media playlists.
    ///
    /// # Panics
    /// When no thread can be had.
    #[must_use]
    pub fn of(server: SocketAddr, paths: &[String]) -> Self {
        let is_enough = Arc::new(AtomicBool::new(false));
        let (ends, paths) = (Arc::clone(&is_enough), paths.to_vec());
        let work = move || {
            let mut testimony = Testimony::default();
            let mut memories: Vec<(String, Memory)> =
                paths.into_iter().map(|path| (path, Memory::default())).collect();
            let mut again = Instant::now();
            loop {
                // Once more at the end, too.
                let is_last = ends.load(Ordering::Relaxed);
                let compares = is_last || again.elapsed() > AGAIN;
                if compares {
                    again = Instant::now();
                }
                for (path, memory) in &mut memories {
                    memory.look(server, path, compares, &mut testimony);
                }
                if is_last {
                    break;
                }
                thread::sleep(PAUSE);
            }
            for (_, memory) in &memories {
                testimony.segments += memory.segments.len();
                testimony.names += memory.bytes.len();
                testimony.gaps += memory.gaps.len();
                testimony.discontinuities += memory.discontinuities.len();
            }
            testimony
        };
        let thread = thread::Builder::new().name("witness".to_owned()).spawn(work).unwrap();
        Self { is_enough, thread }
    }

    /// What he saw up to now.
    ///
    /// # Panics
    /// When he did.
    #[must_use]
    pub fn end(self) -> Testimony {
        self.is_enough.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

impl Memory {
    fn look(&mut self, server: SocketAddr, path: &str, compares: bool, testimony: &mut Testimony) {
        let Some(answer) = client::try_get(server, path).filter(|answer| answer.status == 200) else {
            return;
        };
        let playlist = Playlist::read(&answer.text()).0;
        if playlist.sequence < self.sequence {
            let was = self.sequence;
            testimony
                .contradictions
                .push(format!("{path} began with {was}, then with {}", playlist.sequence));
        }
        self.sequence = playlist.sequence;
        for (msn, segment) in playlist.all() {
            if segment.is_gap {
                self.gaps.insert(msn);
            }
            if segment.is_discontinuous {
                self.discontinuities.insert(msn);
            }
            let parts = segment.parts.iter().filter(|part| !part.is_gap).map(|part| &part.uri);
            let whole = (!segment.is_gap && !segment.uri.is_empty()).then_some(&segment.uri);
            for uri in segment.map.iter().chain(parts) {
                self.fetch(server, &resolve(path, uri), false, testimony);
            }
            if let Some(uri) = whole {
                self.fetch(server, &resolve(path, uri), compares, testimony);
            }
            if !segment.uri.is_empty() {
                self.recall(path, msn, segment, testimony);
            }
        }
    }

    /// Compares a whole segment with what it was when it was first seen.
    fn recall(&mut self, path: &str, msn: u64, segment: &Segment, testimony: &mut Testimony) {
        let now = Segment { parts: Vec::new(), ..segment.clone() };
        match self.segments.get(&msn) {
            Some(was) if *was != now => {
                testimony.contradictions.push(format!("{path}: {msn} was {was:?}, then {now:?}"));
            }
            Some(_) => {}
            None => {
                self.segments.insert(msn, now);
            }
        }
    }

    fn fetch(&mut self, server: SocketAddr, path: &str, compares: bool, testimony: &mut Testimony) {
        let known = self.bytes.get(path).copied();
        if known.is_some() && !compares {
            return;
        }
        // What is no longer there says nothing.
        let Some(answer) = client::try_get(server, path).filter(|answer| answer.status == 200) else {
            return;
        };
        let now: [u8; 32] = Sha256::digest(&answer.body).into();
        match known {
            Some(was) => {
                testimony.compared += 1;
                if was != now {
                    testimony.contradictions.push(format!("{path} has other bytes"));
                }
            }
            None => {
                self.bytes.insert(path.to_owned(), now);
            }
        }
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// How often all whole segments are fetched again.
const AGAIN: Duration = Duration::from_secs(10);
