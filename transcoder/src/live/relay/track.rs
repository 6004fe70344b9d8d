//! What one run of the encoder makes of a track, joined to what the runs before it made.

use std::path::Path;

use bytes::Bytes;
use packager::live::{Event, Header, Splitter};
use packager::time::MediaTime;

use super::command::{AAC_FRAME, SOUND_RATE};
use super::reel::{Chunk, Reel};
use crate::Error;
use crate::live::cutter::Piece;

/// What kind of track it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Pictures, encoded or as they came.
    Pictures,
    /// Sound, a frame a chunk.
    Sound,
}

/// Takes what a run's muxer writes, and puts onto the reel what is new.
#[derive(Debug)]
pub(super) struct Joiner {
    kind: Kind,
    reel: Reel,
    splitter: Splitter,
    header: Bytes,
}

impl Joiner {
    pub(super) fn new(kind: Kind, reel: Reel) -> Self {
        Self { kind, reel, splitter: Splitter::new(), header: Bytes::new() }
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`Error::Tool`] for `tool` where a piece is not what a muxer of ours writes.
    pub(super) fn take(&mut self, piece: Piece, tool: &Path) -> Result<(), Error> {
        let strange = |error| Error::tool(tool, format!("expected a track, found {error}"));
        let bytes = match piece {
            Piece::Header(bytes) => {
                self.splitter = Splitter::new();
                self.header = bytes.clone();
                bytes
            }
            Piece::Chunk(bytes) => bytes,
        };
        self.splitter.feed(bytes.clone());
        while let Some(event) = self.splitter.next().map_err(strange)? {
            match event {
                Event::Header(header) => self.greet(&header),
                Event::Chunk(chunk) => self.join(&chunk, &bytes),
            }
        }
        Ok(())
    }

    /// Where the header means what the former one meant, the former one stands, to the byte: a muxer notes rates in it
    /// that it has measured.
    fn greet(&mut self, header: &Header) {
        let former = self
            .reel
            .header()
            .filter(|former| Header::read(former).is_ok_and(|former| former.id() == header.id()));
        if let Some(former) = former {
            self.header = former;
        }
    }

    fn join(&self, chunk: &packager::live::Chunk, bytes: &Bytes) {
        let Some(scale) = self.splitter.header().map(|header| header.timescale()) else { return };
        let (Some(first), Some(last)) = (chunk.samples.first(), chunk.samples.last()) else { return };
        let start = MediaTime::new(first.decode, scale);
        let end = MediaTime::new(last.decode_end(), scale);
        // Origins tell of ends in microseconds.
        if self.reel.end().is_some_and(|known| end.as_micros() <= known.as_micros()) {
            return;
        }
        if self.kind == Kind::Sound && !is_whole(start, end) {
            // What the encoder flushes at its end is not on the grid; who goes on makes it anew.
            return;
        }
        if self.reel.is_beyond(start) {
            return;
        }
        let is_key = self.kind == Kind::Sound || first.sync;
        self.reel.push(Chunk { header: self.header.clone(), bytes: bytes.clone(), start, end, is_key });
    }
}

/// Whether sound is one frame of the grid.
fn is_whole(start: MediaTime, end: MediaTime) -> bool {
    let is_ours = u64::from(start.timescale().ticks_per_second()) == SOUND_RATE;
    let samples = u64::try_from(end.ticks().saturating_sub(start.ticks())).unwrap_or(0);
    is_ours && samples == AAC_FRAME && start.ticks().unsigned_abs().is_multiple_of(AAC_FRAME)
}
