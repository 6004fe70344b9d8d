//! One session: a head in, an answer out, and the connection back for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use ::pingora::http::{RequestHeader, ResponseHeader};
use ::pingora::protocols::http::ServerSession;
use ::pingora::server::ShutdownWatch;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, Version, header};
use tokio::sync::Notify;

use super::admin::Admin;
use crate::config::Limits;
use crate::service::Failure;
use crate::{Body, NoUpload, Origin, Reply};

/// The head of a request must be complete this long after the connection was last heard of.
const HEAD: Duration = Duration::from_secs(30);

/// What a listener serves.
pub struct App {
    face: Face,
    keepalive: Duration,
    write_timeout: Duration,
    min_send_rate: Option<usize>,
    busy: AtomicU64,
    done: Notify,
}

enum Face {
    /// Viewers and CDNs.
    Public(Origin),
    /// Operators.
    Admin(Admin),
}

impl App {
    /// For viewers and CDNs.
    pub fn public(origin: Origin, limits: &Limits) -> Arc<Self> {
        Self::of(Face::Public(origin), limits)
    }

    /// For operators. Never public.
    pub fn admin(admin: Admin, limits: &Limits) -> Arc<Self> {
        Self::of(Face::Admin(admin), limits)
    }

    fn of(face: Face, limits: &Limits) -> Arc<Self> {
        let rate = usize::try_from(limits.min_send_rate.as_u64()).unwrap_or(usize::MAX);
        Arc::new(Self {
            face,
            keepalive: limits.keepalive.as_duration(),
            write_timeout: limits.write_timeout.as_duration(),
            min_send_rate: (rate > 0).then_some(rate),
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

    async fn answer(&self, session: &ServerSession) -> Reply {
        let head = session.req_header();
        match &self.face {
            Face::Admin(admin) => admin.reply(&head.method, head.uri.path()).await,
            Face::Public(origin) => {
                let hosts = head.headers.get_all(header::HOST).iter().count();
                let Some(target) = target(head.raw_path()) else {
                    return origin.refuse(&Failure::BadRequest("target_form"));
                };
                // RFC 9112 §3.2: one Host, and no HTTP/1.1 without.
                if hosts > 1 || (head.version == Version::HTTP_11 && hosts == 0) {
                    return origin.refuse(&Failure::BadRequest("host"));
                }
                origin.answer(&head.method, target, &head.headers, &mut NoUpload).await
            }
        }
    }

    /// The answer to a head that Pingora could not read.
    fn unreadable(&self) -> Reply {
        match &self.face {
            Face::Public(origin) => origin.refuse(&Failure::BadRequest("head")),
            Face::Admin(_) => Reply {
                status: StatusCode::BAD_REQUEST,
                headers: HeaderMap::new(),
                body: Body::from(String::new()),
            },
        }
    }

    /// Sends the answer. False where the connection is of no use any more.
    async fn send(&self, session: &mut ServerSession, reply: Reply) -> bool {
        let Reply { status, headers, mut body } = reply;
        let (mut head, ()) = http::Response::new(()).into_parts();
        (head.status, head.headers) = (status, headers);
        let bodiless = body.left() == 0;
        if bodiless && !head.headers.contains_key(header::CONTENT_LENGTH) && allows_body(status) {
            // Without a length an HTTP/1 client would wait for the connection to close.
            head.headers.insert(header::CONTENT_LENGTH, 0.into());
        }
        let head = ResponseHeader::from(head);
        if session.write_response_header(Box::new(head)).await.is_err() {
            return false;
        }
        while let Some(piece) = body.next().await {
            let Ok(piece) = piece else { return false };
            let end = body.left() == 0;
            if session.write_response_body(piece, end).await.is_err() {
                return false;
            }
        }
        !bodiless || session.is_http2() || session.write_response_body(Bytes::new(), true).await.is_ok()
    }
}

struct Busy<'a>(&'a App);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        if self.0.busy.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.done.notify_waiters();
        }
    }
}

#[async_trait]
impl HttpServerApp for App {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let patience = self.keepalive.saturating_add(HEAD);
        let read = tokio::time::timeout(patience, session.read_request()).await;
        let _busy = self.begin();
        match read {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => return None,
            Ok(Err(error)) => {
                tracing::debug!(%error, "unreadable request");
                session.set_keepalive(None);
                session.set_write_timeout(Some(self.write_timeout));
                self.send(&mut session, self.unreadable()).await;
                session.shutdown().await;
                return None;
            }
        }
        // Set for each request: after the first one Pingora would wait for ever for the next.
        let stays = !*shutdown.borrow() && stays(session.req_header());
        session.set_keepalive(stays.then_some(self.keepalive.as_secs()));
        session.set_write_timeout(Some(self.write_timeout));
        session.set_min_send_rate(self.min_send_rate);
        let reply = self.answer(&session).await;
        if !self.send(&mut session, reply).await {
            session.shutdown().await;
            return None;
        }
        let settings = HttpPersistentSettings::for_session(&session);
        match session.finish().await {
            Ok(stream) => stream.map(|stream| ReusedHttpStream::from_reusable_stream(stream, settings)),
            Err(error) => {
                tracing::debug!(%error, "connection not reusable");
                None
            }
        }
    }
}

/// The path and query of a request target in origin-form or absolute-form (RFC 9112 §3.2).
fn target(raw: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(raw).ok()?;
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        None => Some(text),
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)),
    }
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

    #[test]
    fn a_target_is_its_path_in_either_form() {
        for (raw, wanted) in [
            ("/a?b", Some("/a?b")),
            ("http://host/a?b", Some("/a?b")),
            ("https://host:1/a", Some("/a")),
            ("http://host", None),
            ("*", Some("*")),
        ] {
            assert_eq!(target(raw.as_bytes()), wanted, "{raw}");
        }
        assert_eq!(target(b"/\xff"), None);
    }
}
