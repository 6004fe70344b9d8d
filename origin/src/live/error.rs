//! Why a live request is not answered with what it asked for, and why a sender is told no.

use std::sync::Arc;

use packager::live::{DirectiveFault, Refusal};

use super::archive::ArchiveError;
use crate::cache::Lost;
use crate::metrics::IngestEnd;
use crate::upload::UploadError;

/// Why a live request fails.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum LiveError {
    /// There is no such stream, show, track, segment or part; or none any more.
    #[error("there is no such thing")]
    Absent,
    /// It runs, and is not here yet.
    #[error("expected the show that is running, found it not here yet")]
    Away,
    /// Delivery directives that make no sense.
    #[error("{0}")]
    Directive(DirectiveFault),
    /// Directives for a time that is too far off.
    #[error("expected a segment or part that is about to come, found one that is far ahead")]
    TooFar,
    /// It was waited for, and did not come.
    #[error("expected the next part within three target durations, found none")]
    Expired,
    /// Too many are waiting.
    #[error("expected fewer requests that wait, found too many of this {0}")]
    Crowded(&'static str),
    /// The sender's bytes are no media.
    #[error("{0}")]
    Broken(packager::Error),
    /// The sender's body ended in the middle.
    #[error("{0}")]
    Cut(Arc<str>),
    /// The sender's media does not fit its show.
    #[error("{0}")]
    Refused(Refusal),
    /// The sender said nothing for too long.
    #[error("expected media within {0} s, found none")]
    Silent(u64),
    /// An operator ended the sender's request.
    #[error("expected to go on, found the stream cut by its operator")]
    Operator,
    /// The grant of a sender has ended.
    #[error("expected a token that is valid, found one that is not any more")]
    Revoked,
    /// A manifest beyond all measure.
    #[error("expected a manifest of at most 4 MiB, found a larger one")]
    Manifest,
    /// This origin is ending.
    #[error("expected to go on, found this origin ending")]
    Leaving,
    /// There is no room for more media.
    #[error("expected room for more media, found the memory budget spent")]
    Full,
    /// The database gave no answer.
    #[error("the database failed")]
    Shows(#[source] Arc<transcoder::Error>),
    /// The archive gave no answer.
    #[error("the archive failed")]
    Archive(#[source] Arc<ArchiveError>),
    /// The look-up was lost on its way.
    #[error("the look-up failed")]
    Lost(#[from] Lost),
    /// No path of a sender.
    #[error("expected /ingest/<stream>/<track>, found another path")]
    Target,
}

impl LiveError {
    /// How a sender's request that ends with it is counted.
    pub(super) fn end(&self) -> IngestEnd {
        match self {
            Self::Broken(_) | Self::Target | Self::Manifest => IngestEnd::Broken,
            Self::Cut(_) => IngestEnd::Cut,
            Self::Silent(_) => IngestEnd::Silent,
            Self::Operator => IngestEnd::Operator,
            Self::Leaving
            | Self::Full
            | Self::Shows(_)
            | Self::Archive(_)
            | Self::Lost(_)
            | Self::Crowded(_) => IngestEnd::Unavailable,
            Self::Refused(_)
            | Self::Revoked
            | Self::Absent
            | Self::Away
            | Self::Directive(_)
            | Self::TooFar
            | Self::Expired => IngestEnd::Refused,
        }
    }

    /// Its stable name, for logs.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Absent => "not_found",
            Self::Away => "away",
            Self::Directive(_) => "directive",
            Self::TooFar => "too_far",
            Self::Expired => "expired",
            Self::Crowded(_) => "crowded",
            Self::Refused(refusal) => refusal.reason(),
            Self::Target => "no_track",
            Self::Revoked => "revoked",
            Self::Manifest => "large_manifest",
            Self::Leaving => "leaving",
            Self::Full => "full",
            Self::Shows(_) => "database",
            Self::Archive(_) => "archive",
            Self::Lost(_) => "lost",
            Self::Broken(_) | Self::Cut(_) | Self::Silent(_) | Self::Operator => self.end().as_str(),
        }
    }
}

impl From<Refusal> for LiveError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<packager::Error> for LiveError {
    fn from(error: packager::Error) -> Self {
        Self::Broken(error)
    }
}

impl From<UploadError> for LiveError {
    fn from(error: UploadError) -> Self {
        Self::Cut(error.to_string().into())
    }
}

impl From<transcoder::Error> for LiveError {
    fn from(error: transcoder::Error) -> Self {
        Self::Shows(Arc::new(error))
    }
}
