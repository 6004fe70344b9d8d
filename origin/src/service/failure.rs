//! The only map from errors to HTTP: status, public text, lifetime, log.
//!
//! The public text says what a client can do about it, and nothing of what lies behind: reasons are for the log
//! and the metric.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use authz::{CarrierFault, Denial, DenialKind};
use http::StatusCode;
use packager::live::Refusal;

use super::lifetime::Lifetime;
use crate::clips::ClipError;
use crate::live::{KeptError, LiveError};
use crate::store::StoreFault;
use crate::vod::VodError;

/// Why a request is not answered with what it asked for.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The target cannot be read in one way.
    Target(CarrierFault),
    /// The head of the request breaks the protocol.
    BadRequest(&'static str),
    /// The target is longer than the limit.
    LongTarget,
    /// The headers are larger than the limit.
    LargeHeaders,
    /// The request, or its small body, did not come in time.
    SlowHead,
    /// The client asks more often than it may; it may again after this.
    TooOften(Duration),
    /// There are too many requests, and others come first.
    Overloaded,
    /// A method that is not served.
    Method,
    /// The gate said no.
    Denied(Denial),
    /// The room said no.
    Vod(VodError),
    /// The live room said no.
    Live(LiveError),
    /// The room of clips said no.
    Clip(Arc<ClipError>),
    /// What was sent is no order of a clip.
    Order(String),
    /// The client wants another content than there is.
    Precondition,
    /// No such route.
    Unknown,
}

/// How loud a failure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loudness {
    /// The client's doing.
    Quiet,
    /// A denial: an operator who is asked why wants to find it.
    Noted,
    /// Degraded, and counted.
    Warned,
}

/// What a failure is to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Public {
    pub(super) status: StatusCode,
    pub(super) text: Cow<'static, str>,
    pub(super) lifetime: Lifetime,
    pub(super) loudness: Loudness,
}

impl Failure {
    /// What the client is told. One place, no wildcard: a new failure must be thought about here.
    pub(super) fn public(&self) -> Public {
        let of = |status, text, lifetime, loudness| Public {
            status,
            text: Cow::Borrowed(text),
            lifetime,
            loudness,
        };
        match self {
            Self::Target(_) | Self::BadRequest(_) => {
                of(StatusCode::BAD_REQUEST, "bad request\n", Lifetime::Moment, Loudness::Quiet)
            }
            Self::LongTarget => {
                of(StatusCode::URI_TOO_LONG, "the URL is too long\n", Lifetime::Moment, Loudness::Quiet)
            }
            Self::LargeHeaders => of(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "the headers are too large\n",
                Lifetime::Moment,
                Loudness::Quiet,
            ),
            // About one client, and of use to no other.
            Self::SlowHead => of(
                StatusCode::REQUEST_TIMEOUT,
                "the request did not come in time\n",
                Lifetime::Never,
                Loudness::Quiet,
            ),
            Self::TooOften(_) => {
                of(StatusCode::TOO_MANY_REQUESTS, "too many requests\n", Lifetime::Never, Loudness::Quiet)
            }
            Self::Overloaded => of(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Retry, Loudness::Quiet),
            Self::Method => of(
                StatusCode::METHOD_NOT_ALLOWED,
                "expected GET or HEAD\n",
                Lifetime::Moment,
                Loudness::Quiet,
            ),
            Self::Precondition => of(
                StatusCode::PRECONDITION_FAILED,
                "the content is another one\n",
                Lifetime::Moment,
                Loudness::Quiet,
            ),
            // One text for all denials; the status alone says whether another token could help.
            Self::Denied(denial) => match denial.kind() {
                DenialKind::Unauthenticated => {
                    of(StatusCode::UNAUTHORIZED, DENIED, Lifetime::Never, Loudness::Noted)
                }
                DenialKind::Forbidden => of(StatusCode::FORBIDDEN, DENIED, Lifetime::Never, Loudness::Noted),
            },
            Self::Unknown | Self::Vod(VodError::Absent) => {
                of(StatusCode::NOT_FOUND, "not found\n", Lifetime::Moment, Loudness::Quiet)
            }
            Self::Vod(VodError::Media { .. }) => of(
                StatusCode::UNPROCESSABLE_ENTITY,
                "the media of this asset cannot be served\n",
                Lifetime::Moment,
                Loudness::Warned,
            ),
            Self::Vod(VodError::Store(error)) => match error.fault() {
                StoreFault::NotFound | StoreFault::Changed => {
                    of(StatusCode::NOT_FOUND, "not found\n", Lifetime::Moment, Loudness::Warned)
                }
                StoreFault::Unavailable | StoreFault::Timeout | StoreFault::Other => {
                    of(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Retry, Loudness::Warned)
                }
            },
            Self::Live(error) => live(error),
            Self::Clip(error) => clip(error),
            Self::Order(what) => Public {
                status: StatusCode::BAD_REQUEST,
                text: Cow::Owned(format!("{what}\n")),
                lifetime: Lifetime::Never,
                loudness: Loudness::Quiet,
            },
            Self::Vod(VodError::Catalog(_) | VodError::Busy | VodError::Lost(_)) => {
                of(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Retry, Loudness::Warned)
            }
        }
    }

    /// When to ask again, where the client should wait: whole seconds, never too few.
    pub(super) fn retry_after(&self) -> Option<u64> {
        let after = match self {
            Self::TooOften(after) => Some(*after),
            _ => self.public().lifetime.retry_after(),
        };
        after.map(|after| u64::try_from(after.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1))
    }

    /// The stable name of the failure, for the log.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Target(fault) => fault.reason(),
            Self::BadRequest(reason) => reason,
            Self::LongTarget => "long_target",
            Self::LargeHeaders => "large_headers",
            Self::SlowHead => "slow_head",
            Self::TooOften(_) => "too_often",
            Self::Overloaded => "overloaded",
            Self::Method => "method",
            Self::Denied(denial) => denial.reason(),
            Self::Precondition => "precondition",
            Self::Unknown => "no_route",
            Self::Live(error) => error.reason(),
            Self::Clip(_) => "clip",
            Self::Order(_) => "order",
            Self::Vod(error) => error.outcome().as_str(),
        }
    }
}

/// What a live failure is to a viewer or a sender. Senders are told what was wrong with what they sent: they have shown
/// that they may send.
fn live(error: &LiveError) -> Public {
    let viewer = |status, text, lifetime| Public {
        status,
        text: Cow::Borrowed(text),
        lifetime,
        // One show that stalls is thousands of requests: they are counted.
        loudness: Loudness::Quiet,
    };
    let sender = |status| Public {
        status,
        text: Cow::Owned(format!("{error}\n")),
        lifetime: Lifetime::Never,
        loudness: Loudness::Quiet,
    };
    match error {
        LiveError::Absent => viewer(StatusCode::NOT_FOUND, "not found\n", Lifetime::Moment),
        LiveError::Directive(_) => {
            viewer(StatusCode::BAD_REQUEST, "the delivery directives make no sense\n", Lifetime::Moment)
        }
        LiveError::TooFar => viewer(StatusCode::BAD_REQUEST, "that is too far ahead\n", Lifetime::Moment),
        LiveError::Expired | LiveError::Away => {
            viewer(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Again)
        }
        LiveError::Crowded(_) => viewer(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Retry),
        LiveError::Target => sender(StatusCode::NOT_FOUND),
        LiveError::Revoked => sender(StatusCode::UNAUTHORIZED),
        LiveError::Manifest => sender(StatusCode::PAYLOAD_TOO_LARGE),
        LiveError::Broken(packager::Error::TooLarge { .. }) => sender(StatusCode::PAYLOAD_TOO_LARGE),
        LiveError::Broken(packager::Error::NoTrack { .. }) => sender(StatusCode::UNPROCESSABLE_ENTITY),
        LiveError::Broken(_) | LiveError::Cut(_) => sender(StatusCode::BAD_REQUEST),
        LiveError::Silent(_) => sender(StatusCode::REQUEST_TIMEOUT),
        LiveError::Operator => sender(StatusCode::FORBIDDEN),
        LiveError::Refused(Refusal::ManyTracks { .. }) => sender(StatusCode::PAYLOAD_TOO_LARGE),
        LiveError::Refused(Refusal::FewFrames { .. } | Refusal::NoKeyframe { .. }) => {
            sender(StatusCode::UNPROCESSABLE_ENTITY)
        }
        LiveError::Refused(_) => sender(StatusCode::CONFLICT),
        LiveError::Leaving | LiveError::Full => {
            Public { lifetime: Lifetime::Retry, ..sender(StatusCode::SERVICE_UNAVAILABLE) }
        }
        LiveError::Shows(_) | LiveError::Archive(_) | LiveError::Lost(_) => {
            viewer(StatusCode::SERVICE_UNAVAILABLE, LATER, Lifetime::Retry)
        }
    }
}

/// What it is to whoever may make clips that there is none. What lies behind is not told.
fn clip(error: &ClipError) -> Public {
    let status = clip_status(error);
    let (text, lifetime, loudness) = match status {
        StatusCode::SERVICE_UNAVAILABLE => (Cow::Borrowed(LATER), Lifetime::Retry, Loudness::Warned),
        _ => (Cow::Owned(format!("{error}\n")), Lifetime::Never, Loudness::Quiet),
    };
    Public { status, text, lifetime, loudness }
}

/// The status of what went wrong with a clip.
pub(crate) fn clip_status(error: &ClipError) -> StatusCode {
    match error {
        ClipError::NoShow | ClipError::NoClip(_) => StatusCode::NOT_FOUND,
        ClipError::Empty | ClipError::Name(_) => StatusCode::BAD_REQUEST,
        ClipError::Nothing { .. } | ClipError::Taken(_) | ClipError::Expired | ClipError::Superseded(_) => {
            StatusCode::CONFLICT
        }
        ClipError::Unfit { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ClipError::Live(_)
        | ClipError::Store(_)
        | ClipError::Recordings(_)
        | ClipError::Publishing(_)
        | ClipError::Ending => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A segment of a live track that cannot be read is as media on demand that cannot.
pub(super) fn kept(error: KeptError) -> VodError {
    match error {
        KeptError::Gone => VodError::Absent,
        KeptError::Block(error) => error.into(),
    }
}

impl From<LiveError> for Failure {
    fn from(error: LiveError) -> Self {
        Self::Live(error)
    }
}

impl From<ClipError> for Failure {
    fn from(error: ClipError) -> Self {
        Self::Clip(Arc::new(error))
    }
}

impl From<VodError> for Failure {
    fn from(error: VodError) -> Self {
        Self::Vod(error)
    }
}

const DENIED: &str = "this link is not valid, or not valid any more\n";
const LATER: &str = "not available at the moment\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_too_often_is_told_alone_and_for_how_long() {
        for (millis, wanted) in [(1, 1), (1000, 1), (1001, 2), (20_000, 20)] {
            let failure = Failure::TooOften(Duration::from_millis(millis));
            assert_eq!((failure.retry_after(), failure.public().lifetime), (Some(wanted), Lifetime::Never));
        }
        assert_eq!(Failure::Overloaded.retry_after(), Some(5));
        assert_eq!(Failure::Unknown.retry_after(), None);
    }

    #[test]
    fn every_denial_has_one_public_text_and_is_never_stored() {
        for denial in Denial::ALL {
            let public = Failure::Denied(denial).public();
            assert_eq!(public.text, DENIED);
            assert_eq!(public.lifetime, Lifetime::Never);
            assert!(matches!(public.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN));
        }
    }
}
