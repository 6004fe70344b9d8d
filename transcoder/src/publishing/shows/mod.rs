//! The port through which a live stream gets its shows.
//!
//! ```text
//!  open(stream) ─▶ show 1        anchor and cadence are fixed here, for all origins and encoders
//!  note(1, msn) …                how far it has come
//!  succeed(1)   ─▶ show 2        1 is ended; whoever asks again, or at the same time elsewhere, gets 2 too
//!  end(2)                        nobody runs
//!  open(stream) ─▶ show 3
//! ```
//!
//! At any moment at most one show of a stream is running, and that is the newest one.

#[doc(hidden)]
pub mod conformance;
mod memory;

use std::fmt::Debug;

use async_trait::async_trait;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::time::Msn;

use crate::Error;

pub use memory::MemoryShows;

/// Where shows are opened, numbered and ended. [`conformance::run`] tests an implementation.
///
/// Several origins may be fed with one stream at the same time, and any of them may restart: what they have to agree
/// about stands here. The clock is the database's, so that theirs do not matter.
///
/// An error says that the call had no effect and will have none, or that it took full effect; asking again is always
/// right. So it is where a call was dropped before it ended, which may take full effect all the same, a moment later.
/// Every call ends in bounded time.
#[async_trait]
pub trait Shows: Debug + Send + Sync {
    /// The running show of the stream as it is; where none is running, the next one, opened as `opening` says. Those
    /// who ask at the same time get the same show.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for an opening that [`Opening::check`] refuses.
    async fn open(&self, stream: &StreamName, opening: &Opening) -> Result<Show, Error>;

    /// Ends `former` if it is still running, and opens the next show, in one step. Where another show is running
    /// already, that one is given: somebody else was first. The show given is always running and newer than `former`.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a former show that was never opened and for an opening that [`Opening::check`]
    /// refuses.
    async fn succeed(&self, former: &Show, opening: &Opening) -> Result<Show, Error>;

    /// Notes the last segment of a running show that is complete. A lower number than the one noted changes nothing,
    /// nor does any for a show that has ended.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a show that was never opened and a number beyond `i64`.
    async fn note(&self, stream: &StreamName, show: ShowId, last: Msn) -> Result<(), Error>;

    /// Ends a show. `true` for the one call that did it, `false` where it had ended before.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a show that was never opened.
    async fn end(&self, stream: &StreamName, show: ShowId) -> Result<bool, Error>;

    /// The newest show of the stream, running or ended; `None` before the first.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn current(&self, stream: &StreamName) -> Result<Option<Show>, Error>;

    /// The shows that are running, at most `limit` of them, in the order of their streams' names.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn running(&self, limit: u32) -> Result<Vec<Show>, Error>;

    /// Records that from segment `msn` on, a track of a running show is decoded with the init segment `init`. What
    /// was recorded for that segment first stays; nothing is recorded where that init segment is in force already,
    /// nor for a show that has ended.
    ///
    /// # Errors
    /// [`Error::Catalogue`], also for a show that was never opened, for a number beyond `i64`, and for an `init`
    /// that is not 1 to 64 of a-z 0-9.
    async fn identify(
        &self,
        stream: &StreamName,
        show: ShowId,
        track: &RenditionName,
        msn: Msn,
        init: &str,
    ) -> Result<(), Error>;

    /// Which init segments the tracks of a show have: for each track, in the order of their names, the segments at
    /// which it changes, ascending. Empty for a show that was never opened.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    async fn inits(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Vec<(RenditionName, Msn, String)>, Error>;
}

/// What a show is opened with. The first to open it decides; all others take what they find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// The media time of the first sample, in milliseconds; at most [`MAX_MEDIA_MS`] before or after zero.
    pub media_ms: i64,
    /// What the wall clock says at media time zero.
    pub anchor: Anchor,
    /// The length of a segment in milliseconds, at least 1.
    pub segment_ms: u32,
    /// How many parts a segment should have, at least 1.
    pub parts: u32,
}

/// How media time and wall-clock time belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Anchor {
    /// Media time is Unix time: the anchor is 0.
    Epoch,
    /// The first sample is of now: the anchor is the database's time less the sample's media time.
    Now,
}

/// One timeline of a stream. All but `ended` and `last` stays as it was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Show {
    /// Whose show it is.
    pub stream: StreamName,
    /// Its number.
    pub id: ShowId,
    /// The wall-clock time of media time zero, in milliseconds since 1970-01-01 UTC.
    pub anchor_ms: i64,
    /// The length of a segment in milliseconds.
    pub segment_ms: u32,
    /// How many parts a segment should have.
    pub parts: u32,
    /// When it was opened, by the database's clock, in milliseconds since 1970-01-01 UTC.
    pub started_ms: i64,
    /// Whether it has ended; it will not run again.
    pub ended: bool,
    /// The last complete segment that was noted.
    pub last: Option<Msn>,
}

impl Opening {
    /// Whether all is within its range. Implementations ask before they look at anything else.
    ///
    /// # Errors
    /// [`Error::Catalogue`].
    pub fn check(&self) -> Result<(), Error> {
        let refused = |what: String| Err(Error::catalogue("open a show", what));
        match self {
            Self { segment_ms: 0, .. } => refused("expected a segment of at least 1 ms, found 0".to_owned()),
            Self { parts: 0, .. } => refused("expected at least 1 part, found 0".to_owned()),
            Self { media_ms, .. } if media_ms.unsigned_abs() > MAX_MEDIA_MS => {
                refused(format!("expected a media time of at most {MAX_MEDIA_MS} ms, found {media_ms}"))
            }
            Self { .. } => Ok(()),
        }
    }
}

/// How far from zero the media time of an opening may be, in milliseconds: 140,000 years, and no sum of it
/// with a time of day overflows.
pub const MAX_MEDIA_MS: u64 = 1 << 52;
