//! Why a sender is told no.

use super::RangeFault;

/// What a sender did that its track cannot go on with. Nothing that was taken before is lost, and no other track feels
/// it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Media came before a header.
    #[error("expected a header before the first chunk of this track, found none")]
    NoHeader,
    /// A header of video for a track of sound, or the other way round.
    #[error("expected a header of {expected} for this track, found one of {found}")]
    WrongKind {
        /// What the track is.
        expected: &'static str,
        /// What the header is of.
        found: &'static str,
    },
    /// More tracks than a show may have.
    #[error("expected at most {limit} tracks in a show, found one more")]
    ManyTracks {
        /// The limit.
        limit: usize,
    },
    /// A chunk that begins before the one before it ended.
    #[error("expected time to go on, found a chunk {by_ms} ms before the end of the one before it")]
    Backwards {
        /// By how much.
        by_ms: i64,
    },
    /// Media from the future: it would end the show for all that comes before it.
    #[error("expected media of now, found media {by_ms} ms ahead of the clock")]
    Ahead {
        /// By how much.
        by_ms: i64,
    },
    /// The sender began its timeline anew, so this is another show.
    #[error("the timeline begins anew")]
    Restarted,
    /// Samples that are longer than a part.
    #[error(
        "expected samples of at most {longest_ms} ms, found longer ones: too few frames a second for parts"
    )]
    FewFrames {
        /// The longest a part of this cadence may be.
        longest_ms: u64,
    },
    /// Samples without a length, or a part that grows beyond all measure.
    #[error("expected samples that last, at most 64 MiB of them in a part, found a part that does not end")]
    Endless,
    /// A segment that cannot end.
    #[error("expected a keyframe every {segment_ms} ms, found none in time")]
    NoKeyframe {
        /// The length of a segment.
        segment_ms: i64,
    },
    /// The show is over.
    #[error("expected a show that goes on, found one that has ended")]
    Ended,
    /// A date range that cannot be listed.
    #[error("date range: {0}")]
    Range(#[from] RangeFault),
}

impl Refusal {
    /// Its stable name, for logs and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NoHeader => "no_header",
            Self::WrongKind { .. } => "wrong_kind",
            Self::ManyTracks { .. } => "many_tracks",
            Self::Backwards { .. } => "backwards",
            Self::Ahead { .. } => "ahead",
            Self::Restarted => "restarted",
            Self::FewFrames { .. } => "few_frames",
            Self::NoKeyframe { .. } => "no_keyframe",
            Self::Endless => "endless",
            Self::Ended => "ended",
            Self::Range(_) => "range",
        }
    }
}
