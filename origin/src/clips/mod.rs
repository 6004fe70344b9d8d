//! Clips: pieces of recorded shows, and whole ones, as assets of the catalogue; and until when what was recorded is kept. Nothing is
//! copied: an asset is an index over the segments that its show's archive has.
//!
//! ```text
//! Order ─▶ Live::told ─▶ pick ─▶ Reader ─▶ lay ─▶ Presentation ─▶ begin ─▶ hold_for ─▶ .idx, asset.json ─▶ publish
//!          the archive   whole    heads    one                            its pages do not expire
//!                        segments of them  timeline
//! ```

mod cut;
mod error;
mod list;
mod reader;
mod request;
mod shelf;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packager::asset::{AssetName, Revision, ShowId, StreamName};
use packager::time::MediaTime;
use serde::Serialize;
use tokio::sync::Semaphore;
use transcoder::publishing::Publishing;

pub(crate) use error::ClipError;
pub(crate) use list::ClipReport;
pub(crate) use request::OrderRequest;

use crate::catalog::Recordings;
use crate::clock::Clock;
use crate::live::Live;
use crate::store::Store;

/// The room's state.
pub(crate) struct Clips {
    live: Arc<Live>,
    publishing: Arc<dyn Publishing>,
    recordings: Arc<dyn Recordings>,
    store: Store,
    policy: Policy,
    clock: Clock,
    /// Clips that are made at the same time: each has the index of hours in memory.
    room: Semaphore,
    /// How far shows are looked after whose archive is whole.
    stages: Mutex<BTreeMap<(StreamName, ShowId), shelf::Stage>>,
}

/// What becomes of recorded shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy {
    /// Whether they go into the catalogue when they have ended.
    pub(crate) publish: bool,
    /// For how long they are kept; `None` for ever.
    pub(crate) keep: Option<Duration>,
    /// How long segments of assets should be.
    pub(crate) target: MediaTime,
}

/// A clip that is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// Of which stream.
    pub(crate) stream: StreamName,
    /// Of which of its shows; the one that is running, or ended last, where none is named.
    pub(crate) show: Option<ShowId>,
    /// Which piece of it.
    pub(crate) piece: Piece,
    /// What it is to be called; by its show and its place in it, where no name is given.
    pub(crate) asset: Option<AssetName>,
}

/// A piece of a show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// All of it.
    Whole,
    /// Between two dates, in milliseconds since 1970-01-01 UTC.
    Dates(i64, i64),
    /// Between two points in time, in milliseconds since the first picture.
    Times(i64, i64),
}

/// A clip that was made.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Made {
    /// The asset.
    pub(crate) asset: AssetName,
    /// Its revision.
    pub(crate) revision: Revision,
    /// The show it is of.
    pub(crate) stream: StreamName,
    /// Its number.
    pub(crate) show: u64,
    /// The dates of its first and its last picture, in milliseconds since 1970-01-01 UTC.
    pub(crate) from_ms: i64,
    /// See [`Self::from_ms`].
    pub(crate) to_ms: i64,
    /// Its multivariant playlist.
    pub(crate) path: String,
    /// What was left out, and why.
    pub(crate) notes: Vec<String>,
}

impl Clips {
    pub(crate) fn new(
        live: Arc<Live>,
        publishing: Arc<dyn Publishing>,
        recordings: Arc<dyn Recordings>,
        store: Store,
        policy: Policy,
        clock: Clock,
    ) -> Self {
        let (room, stages) = (Semaphore::new(AT_ONCE), Mutex::default());
        Self { live, publishing, recordings, store, policy, clock, room, stages }
    }
}

impl Piece {
    /// Where it lies on the timeline of a show whose time zero has the date `anchor_ms`, and whose first picture is presented at
    /// `first`.
    fn on(self, anchor_ms: i64, first: MediaTime) -> Range<MediaTime> {
        let dated = |date_ms: i64| MediaTime::from_millis(date_ms.saturating_sub(anchor_ms).clamp(-FAR, FAR));
        let after = |ms: i64| first.plus(MediaTime::from_millis(ms.clamp(-FAR, FAR)));
        match self {
            Self::Whole => MediaTime::from_millis(-FAR)..MediaTime::from_millis(FAR),
            Self::Dates(from, to) => dated(from)..dated(to),
            Self::Times(from, to) => after(from)..after(to),
        }
    }

    /// Whether there is anything between its ends.
    fn is_empty(self) -> bool {
        match self {
            Self::Whole => false,
            Self::Dates(from, to) | Self::Times(from, to) => from >= to,
        }
    }
}

/// What a whole show is called among the assets.
fn name_of_show(stream: &StreamName, show: ShowId) -> Result<AssetName, ClipError> {
    format!("{stream}.{show}").parse().map_err(ClipError::Name)
}

const AT_ONCE: usize = 2;
/// Farther than any show reaches, in milliseconds, and times can be added up: 140,000 years.
const FAR: i64 = 1 << 52;
/// How long it is waited for what was shown just now to be in the archive.
const PATIENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_dated_or_counted_from_the_first_picture() {
        let first = MediaTime::from_millis(5_000);
        let of = |piece: Piece| {
            let range = piece.on(1_000_000, first);
            (range.start.as_micros() / 1000, range.end.as_micros() / 1000)
        };
        assert_eq!(of(Piece::Dates(1_006_000, 1_016_000)), (6_000, 16_000));
        assert_eq!(of(Piece::Times(1_000, 11_000)), (6_000, 16_000));
        let (from, to) = of(Piece::Whole);
        assert!(from < -1_000_000_000_000 && to > 1_000_000_000_000);
        let (from, to) = of(Piece::Dates(i64::MIN, i64::MAX));
        assert!(from < to, "nothing overflows");
        assert!(Piece::Dates(5, 5).is_empty() && Piece::Times(6, 5).is_empty() && !Piece::Whole.is_empty());
    }
}
