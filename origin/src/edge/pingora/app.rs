//! One session: a head in, an answer out, and the connection back for the next.
//!
//! ```text
//! head ─▶ GET, HEAD: answer ─┬─▶ head and pieces ─▶ body read to its end? ─▶ the connection, for the next head
//!    │               client gone: the answer is dropped           │
//!    └──▶ others: answer, which reads the body ─▶ …               └─▶ HTTP/1: linger, close
//!                                                                     HTTP/2: the stream is reset with NO_ERROR
//! ```

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ::pingora::http::RequestHeader;
use ::pingora::protocols::http::ServerSession;
use ::pingora::server::ShutdownWatch;
use http::{Method, Request, Version, header};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::admin::Admin;
use super::crowd::Crowd;
use super::face::{Face, HeadFault};
use super::pace::Paces;
use super::pulse::{Pulse, within};
use super::send::{Cut, send};
use super::upload::{End, Incoming};
#[cfg(feature = "peers")]
use crate::cache::Answering;
use crate::config::Limits;
#[cfg(feature = "peers")]
use crate::config::Span;
use crate::metrics::TurnedAway;
use crate::{NoUpload, Origin, Reply};

/// What a listener serves.
pub struct App {
    face: Box<dyn Face>,
    paces: Paces,
    crowd: Arc<Crowd>,
    header_list: u32,
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
        Self::of(origin, limits, Crowd::of(limits))
    }

    /// For operators. Never public.
    pub fn admin(admin: Admin, limits: &Limits) -> Arc<Self> {
        Self::of(admin, limits, Crowd::boundless())
    }

    /// For other nodes that have the same store. Never public.
    #[cfg(feature = "peers")]
    pub(crate) fn peers(answering: Answering, limits: &Limits) -> Arc<Self> {
        // One that is closed here as it is being asked counts as a failure of this node there.
        let limits = Limits { keepalive: limits.keepalive.max(KEPT_FOR_PEERS), ..limits.clone() };
        Self::of(answering, &limits, Crowd::boundless())
    }

    pub(super) fn of(face: impl Face + 'static, limits: &Limits, crowd: Arc<Crowd>) -> Arc<Self> {
        Arc::new(Self {
            face: Box::new(face),
            paces: Paces::of(limits),
            crowd,
            header_list: u32::try_from(limits.header_bytes.as_u64()).unwrap_or(u32::MAX),
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

    /// Who is connected, by address.
    pub(super) fn crowd(&self) -> &Arc<Crowd> {
        &self.crowd
    }

    /// The pulse of a connection that was just accepted.
    pub(super) fn pulse(&self) -> Arc<Pulse> {
        Pulse::new(&self.paces)
    }

    /// Sets a socket up that was just accepted.
    pub(super) fn settle_socket(&self, socket: &TcpStream) -> io::Result<()> {
        // Playlists are small answers that players wait for.
        socket.set_nodelay(true)?;
        #[cfg(target_os = "linux")]
        {
            let socket = socket2::SockRef::from(socket);
            // Without it the system takes megabytes for a client that reads none of them.
            socket.set_tcp_notsent_lowat(UNSENT)?;
            // What it has taken it tries to get rid of for as long as we would, and not for a quarter of an hour after
            // we have closed the connection.
            socket.set_tcp_user_timeout(Some(self.paces.write))?;
        }
        Ok(())
    }

    pub(super) fn keepalive(&self) -> Duration {
        self.paces.keepalive
    }

    /// The most that the headers of an HTTP/2 request may be together.
    pub(super) fn header_list(&self) -> u32 {
        self.header_list
    }

    /// Counts a connection that is closed because of what its client does, or how many there are of it.
    pub(super) fn turned_away(&self, why: TurnedAway) {
        self.face.turned_away(why);
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

    /// Reads a head of an HTTP/1 connection and answers it. The request counts as being answered for as long as the
    /// second value is kept.
    ///
    /// `leaving` says whether the process drains: then no connection stays.
    pub(super) async fn exchange(
        &self,
        session: &mut ServerSession,
        from: IpAddr,
        pulse: &Pulse,
        leaving: &ShutdownWatch,
    ) -> (Next, Busy<'_>) {
        let (most, mut overflow) = (self.paces.head_bytes, None);
        let due = || match pulse.heard() > most {
            true => Some(*overflow.get_or_insert_with(Instant::now)),
            false => pulse.head_due(),
        };
        let read = within(session.read_request(), due).await;
        let busy = self.begin();
        let asked = match read {
            Some(Ok(true)) if has_fragment(session) => Some(self.refuse(HeadFault::Unreadable)),
            Some(Ok(true)) => self.ask(session, from).await,
            Some(Ok(false)) => return (Next::Cut, busy),
            Some(Err(error)) => {
                tracing::debug!(%error, "unreadable request");
                // Pingora stops at the 256th header.
                let is_large = error.cause.as_ref().is_some_and(|cause| cause.to_string() == MANY_HEADERS);
                Some(self.refuse(if is_large { HeadFault::Large } else { HeadFault::Unreadable }))
            }
            None if pulse.heard() > most => Some(self.refuse(HeadFault::Large)),
            None => {
                self.turned_away(TurnedAway::SlowHead);
                // Who has asked for nothing is told nothing: it might take that for the answer to what it asks next.
                (pulse.heard() > 0).then(|| self.refuse(HeadFault::Late))
            }
        };
        let Some(asked) = asked else {
            tracing::debug!("client gone before its answer");
            return (Next::Cut, busy);
        };
        // On the heap, so that who waits takes no room for what is not sent yet.
        (Box::pin(self.reply(session, asked, Some(pulse), leaving)).await, busy)
    }

    /// Answers the request of an HTTP/2 stream.
    pub(super) async fn exchange_stream(
        &self,
        mut session: ServerSession,
        from: IpAddr,
        leaving: &ShutdownWatch,
    ) {
        let _busy = self.begin();
        let next = match self.ask(&mut session, from).await {
            Some(asked) => Box::pin(self.reply(&mut session, asked, None, leaving)).await,
            None => Next::Cut,
        };
        match next {
            Next::Cut => session.shutdown().await,
            // A stream that is dropped after its last frame, and before the client has sent its own, is reset with
            // NO_ERROR (RFC 9113 §8.1).
            Next::Request | Next::Linger => {}
        }
    }

    fn refuse(&self, fault: HeadFault) -> Asked {
        Asked { reply: self.face.refuse(fault), in_step: false }
    }

    async fn reply(
        &self,
        session: &mut ServerSession,
        Asked { reply, in_step }: Asked,
        pulse: Option<&Pulse>,
        leaving: &ShutdownWatch,
    ) -> Next {
        self.settle(session, in_step && !*leaving.borrow() && stays(session.req_header()));
        match send(session, reply, &self.paces, pulse).await {
            Ok(()) if in_step && session.is_body_done() => Next::Request,
            Ok(()) => Next::Linger,
            Err(Cut::Slow) => {
                self.turned_away(TurnedAway::SlowReader);
                Next::Cut
            }
            Err(Cut::Gone) => Next::Cut,
        }
    }

    /// The answer to the request of a session; `None` if the client is gone before it is there.
    async fn ask(&self, session: &mut ServerSession, from: IpAddr) -> Option<Asked> {
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
                    reply = self.face.answer(from, &head, &mut none) => Some(Asked { reply, in_step: true }),
                    // Looked at only where the answer is not there at once.
                    () = gone(session) => None,
                }
            }
            // What changes something is not given up half-way.
            _ if bodiless => {
                Some(Asked { reply: self.face.answer(from, &head, &mut NoUpload).await, in_step: true })
            }
            _ => {
                let mut upload = Incoming::new(session, &head);
                let reply = self.face.answer(from, &head, &mut upload).await;
                Some(Asked { reply, in_step: upload.end() != End::Broken })
            }
        };
        *session.req_header_mut() = head;
        asked
    }

    /// Whether the connection may serve another request. Set anew for each: Pingora itself would wait for ever for
    /// the second one, and forgets what was set when it sends a 100.
    fn settle(&self, session: &mut ServerSession, stays: bool) {
        session.set_keepalive(stays.then_some(self.paces.keepalive.as_secs()));
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

/// Whether the target of an HTTP/1 request has a fragment, which none may have (RFC 9112 §3.2). Its reader drops it, and
/// whoever stands before us may not.
fn has_fragment(session: &ServerSession) -> bool {
    let raw = session.to_h1_raw();
    raw.split(|byte| *byte == b'\n').next().is_some_and(|line| line.contains(&b'#'))
}

/// Whether the client wants the connection to stay (RFC 9112 §9.3).
fn stays(head: &RequestHeader) -> bool {
    let has = |wanted: &str| {
        let values = head.headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case(wanted))
    };
    !has("close") && (head.version >= Version::HTTP_11 || has("keep-alive"))
}

/// What the system takes of an answer before it can send it: a piece.
#[cfg(target_os = "linux")]
const UNSENT: u32 = 256 * 1024;
/// How long a connection of another node is kept at least: twice as long as that node keeps it (`cache::peers`).
#[cfg(feature = "peers")]
const KEPT_FOR_PEERS: Span = Span::seconds(60);
/// What the reader of heads says of too many headers.
const MANY_HEADERS: &str = "too many headers";

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
