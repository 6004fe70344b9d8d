//! One run of the encoder: fed from the ring, emptied into the reels.
//!
//! ```text
//! Ring ─▶ feeder ══pipe══▶ ffmpeg ══pipe══▶ reader ─▶ Joiner ─▶ Reel
//!                                 ══pipe══▶   …    one of each for every track
//! ```
//!
//! Each pipe has a task that empties it whatever becomes of the rest: a muxer whose pipe is full stops all tracks.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::feed::Feed;
use super::reel::Reel;
use super::ring::{Found, Ring};
use super::track::{Joiner, Kind};
use crate::ingest::Tag;
use crate::live::cutter::Cutter;
use crate::process::Running;
use crate::{Cancel, Error, Tools};

/// What a run needs.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) tools: Tools,
    pub(super) arguments: Vec<std::ffi::OsString>,
    /// What precedes the media: sequence headers.
    pub(super) heads: Vec<Tag>,
    /// What the feed's times count from, in milliseconds of Unix time.
    pub(super) base_ms: i64,
    pub(super) ring: Ring,
    /// The number of the first tag.
    pub(super) from: u64,
    /// Pictures first, in the order of the arguments.
    pub(super) tracks: Vec<(Kind, Reel)>,
}

/// A run that goes on.
#[derive(Debug)]
pub(super) struct Handle {
    until: watch::Sender<Option<u64>>,
    cancel: Cancel,
}

impl Handle {
    /// Feeds it no further than to the tag of this number, and lets it end by itself.
    pub(super) fn end_at(&self, number: u64) {
        self.until.send_replace(Some(number));
    }

    /// Kills it.
    pub(super) fn kill(&self) {
        self.cancel.cancel();
    }
}

impl Job {
    /// Starts it as a task of `runs`, which gives why it ended, in one line.
    pub(super) fn start(self, runs: &mut JoinSet<String>) -> Handle {
        let (until, ends) = watch::channel(None);
        let cancel = Cancel::new();
        let handle = Handle { until, cancel: cancel.clone() };
        runs.spawn(async move { self.run(ends, &cancel).await.unwrap_or_else(|error| error.to_string()) });
        handle
    }

    async fn run(self, ends: watch::Receiver<Option<u64>>, cancel: &Cancel) -> Result<String, Error> {
        let tool = self.tools.ffmpeg.clone();
        let fault = |error: io::Error| Error::tool(&tool, format!("expected pipes for it, found {error}"));
        let (theirs, ours) = io::pipe().map_err(fault)?;
        let feed = pipe::Sender::from_owned_fd(ours.into()).map_err(fault)?;
        let (mut files, mut readers) = (vec![OwnedFd::from(theirs)], JoinSet::new());
        for (kind, reel) in &self.tracks {
            let (ours, theirs) = io::pipe().map_err(fault)?;
            files.push(theirs.into());
            let pipe = pipe::Receiver::from_owned_fd(ours.into()).map_err(fault)?;
            readers.spawn(read(pipe, Joiner::new(*kind, reel.clone()), tool.clone()));
        }
        let on_line = Box::new(|_: &str| ());
        let running = Running::start_with(&self.tools, &tool, self.arguments.clone(), files, on_line)?;
        let mut ended = std::pin::pin!(running.end(cancel));
        let feeding = self.feed(feed, ends);
        let outcome = tokio::select! {
            ended = &mut ended => Ok(ended),
            error = faults(&mut readers) => Err(error),
            error = feeding => Err(error),
            () = self.hangs() => Err(Error::tool(&tool, HUNG)),
        };
        let ended = match outcome {
            Ok(ended) => ended,
            Err(error) => {
                cancel.cancel();
                let _killed = ended.await;
                Err(error)
            }
        };
        // The pipes are at their ends: what was written is taken.
        let rest = async { while readers.join_next().await.is_some() {} };
        let _late = tokio::time::timeout(FAREWELL, rest).await;
        ended.map(|ended| ended.complaint())
    }

    /// Feeds until told to end, and then waits for ever; gives what went wrong.
    async fn feed(&self, mut pipe: pipe::Sender, mut ends: watch::Receiver<Option<u64>>) -> Error {
        match self.pour(&mut pipe, &mut ends).await {
            Ok(true) => drop(pipe),
            Ok(false) => {
                return Error::tool(
                    &self.tools.ffmpeg,
                    "expected it to take what it is fed, found it half a minute behind",
                );
            }
            // It has ended, and how is told elsewhere.
            Err(_) => drop(pipe),
        }
        std::future::pending().await
    }

    /// Writes the feed. False where what comes next is gone.
    async fn pour(
        &self,
        pipe: &mut pipe::Sender,
        ends: &mut watch::Receiver<Option<u64>>,
    ) -> io::Result<bool> {
        let mut number = self.from;
        let mut news = self.ring.watch();
        let mut feed = None;
        loop {
            if ends.borrow_and_update().is_some_and(|end| number >= end) {
                return Ok(true);
            }
            news.mark_unchanged();
            let placed = match self.ring.at(number) {
                Found::Tag(placed) => placed,
                Found::Gone => return Ok(false),
                Found::Wait => {
                    tokio::select! {
                        changed = news.changed() => changed.map_err(io::Error::other)?,
                        changed = ends.changed() => changed.map_err(io::Error::other)?,
                    }
                    continue;
                }
            };
            let at_ms = placed.at_ms.saturating_sub(self.base_ms);
            let feed = match &mut feed {
                Some(feed) => feed,
                None => {
                    let strange = || io::Error::other("expected codecs that can be fed, found others");
                    let (begun, head) = Feed::begin(&self.heads, at_ms).ok_or_else(strange)?;
                    write(pipe, head).await?;
                    feed.insert(begun)
                }
            };
            write(pipe, feed.pieces(&placed.tag, at_ms)).await?;
            number = number.saturating_add(1);
        }
    }

    /// Waits until nothing has come out for too long although something is due.
    async fn hangs(&self) {
        let made = || {
            let pictures = self.tracks.iter().filter(|(kind, _)| *kind == Kind::Pictures);
            pictures.map(|(_, reel)| reel.end().map_or(0, |end| end.as_micros() / 1_000)).min().unwrap_or(0)
        };
        let (first, mut last, mut since) = (made(), made(), Instant::now());
        loop {
            tokio::time::sleep(LOOK).await;
            // Not what it has taken: one that hangs takes no more than a pipe holds.
            let (now, due) = (made(), self.ring.newest_ms());
            if now != last || due.saturating_sub(now) < NEAR_MS {
                (last, since) = (now, Instant::now());
            }
            let patience = if now == first { START } else { SILENCE };
            if since.elapsed() > patience {
                return;
            }
        }
    }
}

async fn write(pipe: &mut pipe::Sender, pieces: Vec<Bytes>) -> io::Result<()> {
    for mut piece in pieces {
        pipe.write_all_buf(&mut piece).await?;
    }
    Ok(())
}

/// Empties a track's pipe to its end.
async fn read(mut pipe: pipe::Receiver, mut joiner: Joiner, tool: std::path::PathBuf) -> Result<(), Error> {
    let mut cutter = Cutter::default();
    while fill(&mut pipe, &mut cutter, &tool).await? {
        while let Some(piece) = cutter.next(&tool)? {
            joiner.take(piece, &tool)?;
        }
    }
    Ok(())
}

async fn fill(pipe: &mut pipe::Receiver, cutter: &mut Cutter, tool: &Path) -> Result<bool, Error> {
    let read = pipe.read_buf(cutter.room()).await;
    read.map(|read| read > 0).map_err(|error| Error::tool(tool, format!("expected a track, found {error}")))
}

/// The first fault of a reader; waits for ever where there is none.
async fn faults(readers: &mut JoinSet<Result<(), Error>>) -> Error {
    loop {
        match readers.join_next().await {
            Some(Ok(Err(error))) => return error,
            Some(_) => {}
            None => std::future::pending().await,
        }
    }
}

const HUNG: &str = "expected media within 3 s, found none";
/// How long nothing may come out.
const SILENCE: Duration = Duration::from_secs(3);
/// How long that may take at the start, on a machine that is busy.
const START: Duration = Duration::from_secs(8);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// What an encoder may hold, in milliseconds.
const NEAR_MS: i64 = 500;
/// What is left in pipes whose writer is gone is read within this.
const FAREWELL: Duration = Duration::from_secs(1);
