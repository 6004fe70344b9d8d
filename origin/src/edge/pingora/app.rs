//! One session: a head in, an answer out, and the connection back for the next.
//!
//! ```text
//! head ─▶ GET, HEAD: answer ─┬─▶ head and pieces ─▶ body read to its end? ─▶ the connection, for the next head
//!    │               client gone: the answer is dropped           │
//!    └──▶ others: answer, which reads the body ─▶ …               └─▶ HTTP/1: linger, close
//!                                                                     HTTP/2: the stream is reset with NO_ERROR
//! ```

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use ::pingora::http::{RequestHeader, ResponseHeader};
use ::pingora::protocols::http::ServerSession;
use ::pingora::server::ShutdownWatch;
use async_trait::async_trait;
use http::{Method, Request, StatusCode, Version, header};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::admin::Admin;
use super::face::Face;
use super::upload::{End, Incoming};
#[cfg(feature = "peers")]
use crate::cache::Answering;
use crate::config::Limits;
use crate::{NoUpload, Origin, Reply};

/// The head of a request must be complete this long after the connection was last heard of.
const HEAD: Duration = Duration::from_secs(30);

/// What a listener serves.
pub struct App {
    face: Box<dyn Face>,
    keepalive: Duration,
    write_timeout: Duration,
    min_send_rate: Option<usize>,
    options: HttpServerOptions,
    busy: AtomicU64,
    done: Notify,
}

/// What becomes of a connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// It may be asked again.
    Request,
    /// The client may still be sending.
    Linger,
    /// Nobody is there, or what was sent is not whole.
    Cut,
}

/// An answer that is to be sent.
struct Asked {
    reply: Reply,
    /// Whether the next request would begin where the reader stands.
    in_step: bool,
}

impl App {
    /// For viewers, senders and CDNs.
    pub fn public(origin: Origin, limits: &Limits) -> Arc<Self> {
        Self::of(origin, limits)
    }

    /// For operators. Never public.
    pub fn admin(admin: Admin, limits: &Limits) -> Arc<Self> {
        Self::of(admin, limits)
    }

    /// For other nodes that have the same store. Never public.
    #[cfg(feature = "peers")]
    pub(crate) fn peers(answering: Answering, limits: &Limits) -> Arc<Self> {
        Self::of(answering, limits)
    }

    pub(super) fn of(face: impl Face + 'static, limits: &Limits) -> Arc<Self> {
        let rate = usize::try_from(limits.min_send_rate.as_u64()).unwrap_or(usize::MAX);
        let mut options = HttpServerOptions::default();
        options.h2_idle_timeout = Some(limits.keepalive.as_duration());
        Arc::new(Self {
            face: Box::new(face),
            keepalive: limits.keepalive.as_duration(),
            write_timeout: limits.write_timeout.as_duration(),
            min_send_rate: (rate > 0).then_some(rate),
            options,
            busy: AtomicU64::new(0),
            done: Notify::new(),
        })
    }

    /// Waits until no request is being answered on any connection of this listener.
    pub(super) async fn idle(&self) {
        loop {
            let done = self.done.notified();
            if self.busy.load(Ordering::Acquire) == 0 {
                return;
            }
            done.await;
        }
    }

    /// Counts a request as being answered until the value is dropped.
    fn begin(&self) -> Busy<'_> {
        self.busy.fetch_add(1, Ordering::AcqRel);
        Busy(self)
    }

    /// Sets a session up for its first request.
    pub(super) fn welcome(&self, session: &mut ServerSession) {
        self.settle(session, true);
    }

    /// Reads a head and answers it. The request counts as being answered for as long as the second value is kept.
    ///
    /// `leaving` says whether the process drains: then no connection stays.
    pub(super) async fn exchange(
        &self,
        session: &mut ServerSession,
        leaving: &ShutdownWatch,
    ) -> (Next, Busy<'_>) {
        let patience = self.keepalive.saturating_add(HEAD);
        let read = timeout(patience, session.read_request()).await;
        let busy = self.begin();
        let asked = match read {
            Ok(Ok(true)) => self.ask(session).await,
            Ok(Ok(false)) | Err(_) => return (Next::Cut, busy),
            Ok(Err(error)) => {
                tracing::debug!(%error, "unreadable request");
                Some(Asked { reply: self.face.refuse(), in_step: false })
            }
        };
        let Some(Asked { reply, in_step }) = asked else {
            tracing::debug!("client gone before its answer");
            return (Next::Cut, busy);
        };
        self.settle(session, in_step && !*leaving.borrow() && stays(session.req_header()));
        let next = match self.send(session, reply).await {
            false => Next::Cut,
            true if !in_step || !session.is_body_done() => Next::Linger,
            true => Next::Request,
        };
        (next, busy)
    }

    /// The answer to the request of a session; `None` if the client is gone before it is there.
    async fn ask(&self, session: &mut ServerSession) -> Option<Asked> {
        // The reader of the body looks at the head once, now. From here the head is lent to the answer, while the
        // session is read from, or watched.
        let bodiless = session.is_body_done();
        let (nothing, ()) = Request::new(()).into_parts();
        let head = std::mem::replace(session.req_header_mut(), RequestHeader::from(nothing));
        let asked = match head.method {
            // Content of a GET has no meaning (RFC 9110 §9.3.1).
            Method::GET | Method::HEAD => {
                let mut none = NoUpload;
                tokio::select! {
                    biased;
                    reply = self.face.answer(&head, &mut none) => Some(Asked { reply, in_step: true }),
                    // Looked at only where the answer is not there at once.
                    () = gone(session) => None,
                }
            }
            // What changes something is not given up half-way.
            _ if bodiless => {
                Some(Asked { reply: self.face.answer(&head, &mut NoUpload).await, in_step: true })
            }
            _ => {
                let mut upload = Incoming::new(session, &head);
                let reply = self.face.answer(&head, &mut upload).await;
                Some(Asked { reply, in_step: upload.end() != End::Broken })
            }
        };
        *session.req_header_mut() = head;
        asked
    }

    /// Sends the answer. False where the connection is of no use any more.
    async fn send(&self, session: &mut ServerSession, reply: Reply) -> bool {
        let Reply { status, headers, mut body } = reply;
        let (mut head, ()) = http::Response::new(()).into_parts();
        (head.status, head.headers) = (status, headers);
        if body.left() == 0 && !head.headers.contains_key(header::CONTENT_LENGTH) && allows_body(status) {
            // Without a length an HTTP/1 client would wait for the connection to close.
            head.headers.insert(header::CONTENT_LENGTH, 0.into());
        }
        let head = ResponseHeader::from(head);
        if session.write_response_header(Box::new(head)).await.is_err() {
            return false;
        }
        while let Some(piece) = body.next().await {
            let Ok(piece) = piece else { return false };
            // HTTP/1 ends with the flush below, HTTP/2 with its last frame.
            let end = session.is_http2() && body.left() == 0;
            if session.write_response_body(piece, end).await.is_err() {
                return false;
            }
        }
        // Pingora's deadlines are for writes. What was kept back for this flush is small.
        matches!(timeout(self.write_timeout, session.finish_body()).await, Ok(Ok(())))
    }

    /// Whether the connection may serve another request. Set anew for each: Pingora itself would wait for ever for
    /// the second one, and forgets what was set when it sends a 100.
    fn settle(&self, session: &mut ServerSession, stays: bool) {
        session.set_keepalive(stays.then_some(self.keepalive.as_secs()));
        session.set_write_timeout(Some(self.write_timeout));
        session.set_min_send_rate(self.min_send_rate);
        // Whoever sends the next request already gets it answered (RFC 9112 §9.3.2).
        session.set_pipelining_enabled(true);
    }
}

/// A request that is being answered.
pub(super) struct Busy<'a>(&'a App);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_waiters();
        }
    }
}

/// The streams of HTTP/2 connections, whose frames Pingora reads and writes.
#[async_trait]
impl HttpServerApp for App {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        leaving: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let (next, _busy) = self.exchange(&mut session, leaving).await;
        match next {
            Next::Cut => session.shutdown().await,
            // A stream that is dropped after its last frame, and before the client has sent its own, is reset with
            // NO_ERROR (RFC 9113 §8.1).
            Next::Request | Next::Linger => {}
        }
        None
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        Some(&self.options)
    }
}

/// Waits until nobody waits for the answer any more: the connection is closed, or the stream is reset.
///
/// A client that only closes the side on which it sends counts as gone (HTTP/1), as one cannot be told from the
/// other. A next request that comes in the meantime is kept; behind it a client cannot be seen leaving.
async fn gone(session: &mut ServerSession) {
    if let Some(closed) = session.watch_h2_stream_close() {
        // An error is an end as well.
        let _ = closed.await;
        return;
    }
    session.set_pipelining_enabled(true);
    session.set_read_timeout(None);
    // Content that nobody asked for is read past.
    while session.read_body_or_idle(false).await.is_ok() {}
}

/// Whether the client wants the connection to stay (RFC 9112 §9.3).
fn stays(head: &RequestHeader) -> bool {
    let has = |wanted: &str| {
        let values = head.headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case(wanted))
    };
    !has("close") && (head.version >= Version::HTTP_11 || has("keep-alive"))
}

/// RFC 9110 §6.4.1.
fn allows_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_stays_where_the_client_wants_it_to() {
        for (version, option, wanted) in [
            (Version::HTTP_11, None, true),
            (Version::HTTP_11, Some("close"), false),
            (Version::HTTP_11, Some("TE, Close"), false),
            (Version::HTTP_10, None, false),
            (Version::HTTP_10, Some("Keep-Alive"), true),
            (Version::HTTP_2, None, true),
        ] {
            let mut head = RequestHeader::build("GET", b"/", None).unwrap();
            head.set_version(version);
            if let Some(option) = option {
                head.insert_header("connection", option).unwrap();
            }
            assert_eq!(stays(&head), wanted, "{version:?} {option:?}");
        }
    }
}
