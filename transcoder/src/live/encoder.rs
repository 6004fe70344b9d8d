//! One run of ffmpeg that makes the tracks of a show, each readable from a pipe of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::Broadcast;
use super::command;
use super::cutter::{Cutter, Piece};
use super::start::Start;
use crate::process::{Ended, Running};
use crate::{Cancel, Error};

/// A run that has been started. Dropping it kills the tool.
#[derive(Debug)]
pub(super) struct Encoder {
    running: Running,
    /// Closed when the show is to begin.
    gate: OwnedFd,
    start: Start,
}

/// What one track's pipe gives.
#[derive(Debug)]
pub(super) struct Track {
    pipe: pipe::Receiver,
    cutter: Cutter,
    /// How long it may be silent.
    patience: Duration,
}

impl Encoder {
    /// Starts the tool for a show that goes on soon after `now`, which is the time since 1970-01-01 UTC. `ends` is where
    /// the tracks of a former run ended (see [`Start::after`]).
    pub(super) fn start(
        broadcast: &Broadcast,
        now: Duration,
        ends: &[u64],
    ) -> Result<(Self, Vec<Track>), Error> {
        let tool = broadcast.tools.ffmpeg.as_path();
        let fault = |error: io::Error| Error::tool(tool, format!("expected pipes for it, found {error}"));
        let start = Start::after(now + WARM_UP, ends);
        let (held_back, gate) = io::pipe().map_err(fault)?;
        let (mut files, mut tracks) = (vec![OwnedFd::from(held_back)], Vec::new());
        for _ in broadcast.scene.names() {
            let (ours, theirs) = io::pipe().map_err(fault)?;
            files.push(theirs.into());
            let pipe = pipe::Receiver::from_owned_fd(ours.into()).map_err(fault)?;
            tracks.push(Track { pipe, cutter: Cutter::default(), patience: START });
        }
        let arguments = command::encode(&broadcast.scene, broadcast.preset, &start);
        let on_line = Box::new(|_: &str| ());
        let running = Running::start_with(&broadcast.tools, tool, arguments, files, on_line)?;
        Ok((Self { running, gate: gate.into(), start }, tracks))
    }

    /// Lets the show begin at its time, and waits for the tool's end.
    ///
    /// # Errors
    /// As [`Running::end`].
    pub(super) async fn end(self, clock: &super::Clock, cancel: &Cancel) -> Result<Ended, Error> {
        let Self { running, gate, start } = self;
        let begin = async move {
            let wait = Duration::from_micros(start.due()).saturating_sub(clock.now() + OPENING);
            tokio::time::sleep(wait).await;
            drop(gate);
            std::future::pending().await
        };
        tokio::select! {
            ended = running.end(cancel) => ended,
            never = begin => never,
        }
    }
}

impl Track {
    /// The next piece; `None` at the end. A muxer that is silent is an error: it has something to say several times a
    /// second.
    ///
    /// # Errors
    /// [`Error::Tool`]. Cancel-safe: what was read is kept.
    pub(super) async fn next(&mut self, tool: &Path) -> Result<Option<Piece>, Error> {
        loop {
            if let Some(piece) = self.cutter.next(tool)? {
                self.patience = SILENCE;
                return Ok(Some(piece));
            }
            match tokio::time::timeout(self.patience, self.pipe.read_buf(self.cutter.room())).await {
                Ok(Ok(0)) => return Ok(None),
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(Error::tool(tool, format!("expected a track, found {error}"))),
                Err(_) => {
                    let what = format!("expected media within {} s, found none", self.patience.as_secs());
                    return Err(Error::tool(tool, what));
                }
            }
        }
    }
}

/// From the start of the tool to the first frame. Loading fonts and filters takes 0.3 s on two busy cores; where it takes
/// longer, the labels of the frames are that much too early, and nothing else happens.
const WARM_UP: Duration = Duration::from_millis(600);
/// From the moment when the gate is closed to the first frame.
const OPENING: Duration = Duration::from_millis(20);
/// How long a track may be silent before its header. Where fonts are looked for the first time, that takes seconds.
const START: Duration = Duration::from_secs(15);
/// How long it may be silent after that: several times as long as a chunk.
const SILENCE: Duration = Duration::from_secs(4);
