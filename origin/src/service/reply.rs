//! The answer to a request: status, headers, and a body that is read at the client's pace.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use http::{HeaderMap, StatusCode};
use http_body::{Frame, SizeHint};
use packager::range::ByteRange;

use super::answers::Underway;
#[cfg(feature = "peers")]
use crate::cache::Pieces;
use crate::live::KeptStream;
use crate::metrics::{InFlight, Metrics, RouteKind};
use crate::vod::{MediaStream, VodError};

/// An answer.
///
/// `Content-Length` always stands in the headers of an answer with a body, and the body has that many bytes, or ends
/// with an error.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// All headers but `Date` and `Connection`, which belong to the server that sends it.
    pub headers: HeaderMap,
    /// The body; empty for HEAD and where the status has none.
    pub body: Body,
}

/// Why a body ended early. What the client got is not whole; the connection must be closed.
#[derive(Debug, thiserror::Error)]
#[error("the body ended early: {0}")]
pub struct BodyError(String);

/// The bytes of an answer, in pieces of at most 256 KiB that share the memory of the cache.
///
/// Dropping it counts what was sent of it.
pub struct Body {
    source: Source,
    left: u64,
    account: Option<Account>,
    _underway: Option<Underway>,
}

enum Source {
    Empty,
    One(Bytes),
    Rope(std::vec::IntoIter<Bytes>),
    Pieces(BoxStream<'static, Result<Bytes, VodError>>),
}

/// What is counted of an answer once it is over.
struct Account {
    metrics: Arc<Metrics>,
    request: InFlight,
    route: RouteKind,
    status: StatusCode,
    sent: u64,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self { source: Source::Empty, left: 0, account: None, _underway: None }
    }

    pub(super) fn one(bytes: Bytes) -> Self {
        let left = bytes.len() as u64;
        Self { source: if left == 0 { Source::Empty } else { Source::One(bytes) }, left, ..Self::empty() }
    }

    /// The bytes of `window` of what lies in these pieces.
    pub(super) fn rope(pieces: &[Bytes], window: ByteRange) -> Self {
        let mut at = 0;
        let mut cut = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let whole = ByteRange::at(at, piece.len() as u64);
            at = whole.end();
            let from =
                |place: u64| usize::try_from(place.saturating_sub(whole.start())).unwrap_or(usize::MAX);
            let (start, end) = (from(window.start()).min(piece.len()), from(window.end()).min(piece.len()));
            if start < end {
                cut.push(piece.slice(start..end));
            }
        }
        let left = cut.iter().map(|piece| piece.len() as u64).sum();
        Self { source: Source::Rope(cut.into_iter()), left, ..Self::empty() }
    }

    /// What another node is answered with.
    #[cfg(feature = "peers")]
    pub(crate) fn blocks(pieces: Pieces) -> Self {
        let left = pieces.length();
        let pieces = stream::unfold(pieces, |mut pieces| async move {
            pieces.next().await.map(|piece| (piece.map_err(VodError::from), pieces))
        });
        Self { source: Source::Pieces(Box::pin(pieces)), left, ..Self::empty() }
    }

    pub(super) fn media(pieces: MediaStream, len: u64) -> Self {
        let pieces =
            stream::unfold(
                pieces,
                |mut pieces| async move { pieces.next().await.map(|piece| (piece, pieces)) },
            );
        Self { source: Source::Pieces(Box::pin(pieces)), left: len, ..Self::empty() }
    }

    pub(super) fn kept(pieces: KeptStream, len: u64) -> Self {
        let next = |mut pieces: KeptStream| async move {
            pieces.next().await.map(|piece| (piece.map_err(super::failure::kept), pieces))
        };
        Self { source: Source::Pieces(Box::pin(stream::unfold(pieces, next))), left: len, ..Self::empty() }
    }

    /// The answer is under way as long as this is there.
    pub(super) fn underway(self, underway: Option<Underway>) -> Self {
        Self { _underway: underway, ..self }
    }

    /// Counts the answer when it is over.
    pub(super) fn counted(
        mut self,
        metrics: Arc<Metrics>,
        request: InFlight,
        route: RouteKind,
        status: StatusCode,
    ) -> Self {
        self.account = Some(Account { metrics, request, route, status, sent: 0 });
        self
    }

    /// Bytes that are still to come.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The next piece; `None` at the end. Waits for the store where the cache does not have it.
    ///
    /// # Errors
    /// [`BodyError`] where the store failed on the way; nothing comes after it.
    pub async fn next(&mut self) -> Option<Result<Bytes, BodyError>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = match &mut self.source {
            Source::Empty => None,
            Source::One(bytes) => Some(Ok(std::mem::take(bytes))),
            Source::Rope(pieces) => pieces.next().map(Ok),
            Source::Pieces(pieces) => match pieces.as_mut().poll_next(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(piece) => piece,
            },
        };
        if !matches!((&self.source, &piece), (Source::Pieces(_) | Source::Rope(_), Some(Ok(_)))) {
            self.source = Source::Empty;
        }
        Poll::Ready(match piece {
            None if self.left > 0 => {
                let error = BodyError(format!("expected {} more bytes, found the end", self.left));
                self.left = 0;
                Some(Err(error))
            }
            None => None,
            Some(Ok(bytes)) => {
                let len = bytes.len() as u64;
                self.left = self.left.saturating_sub(len);
                if let Some(account) = &mut self.account {
                    account.sent += len;
                }
                Some(Ok(bytes))
            }
            Some(Err(error)) => {
                tracing::warn!(error = %error.chain(), "answer cut short");
                self.left = 0;
                Some(Err(BodyError(error.to_string())))
            }
        })
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.metrics.answered(&self.request, self.route, self.status, self.sent);
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").field("left", &self.left).finish_non_exhaustive()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.get_mut().poll_piece(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, Source::Empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Self::one(text.into())
    }
}

impl From<Reply> for http::Response<Body> {
    fn from(reply: Reply) -> Self {
        let mut response = Self::new(reply.body);
        *response.status_mut() = reply.status;
        *response.headers_mut() = reply.headers;
        response
    }
}
