//! One HTTP/2 connection, to its end. Pingora's handshake and streams; its loop over them is not used: it waits for ever
//! for a preface, and as long for the rest of a head.
//!
//! ```text
//! preface ─▶ stream ─▶ a task of its own
//!    │         │          └ as long as one is open, the connection is not idle
//!    │         └ the rest of a head is late, a write stands still, or nothing is open for long: closed
//!    └ late: closed
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ::pingora::protocols::http::ServerSession;
use ::pingora::protocols::http::v2::server::{
    H2Accept, H2Options, HttpSession, default_h2_options, handshake,
};
use ::pingora::protocols::{Digest, Stream};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::app::App;
use super::pulse::{Pulse, within};
use crate::metrics::TurnedAway;

/// Serves a connection whose client has chosen HTTP/2.
pub(super) async fn serve(
    stream: Stream,
    from: IpAddr,
    app: &Arc<App>,
    pulse: &Pulse,
    leaving: &watch::Receiver<bool>,
) {
    let digest = Arc::new(Digest {
        ssl_digest: stream.get_ssl_digest(),
        timing_digest: stream.get_timing_digest(),
        proxy_digest: stream.get_proxy_digest(),
        socket_digest: stream.get_socket_digest(),
    });
    let mut connection = match within(handshake(stream, Some(options(app))), || pulse.due()).await {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return tracing::debug!(%error, "no HTTP/2 connection"),
        None => return app.turned_away(TurnedAway::SlowHead),
    };
    let (streams, mut refused) = (Arc::new(Streams::default()), 0);
    let (mut told, mut draining) = (false, leaving.clone());
    loop {
        let accepted = tokio::select! {
            biased;
            Ok(_) = draining.wait_for(|leaving| *leaving), if !told => {
                // Streams that are under way are served to their end; then there is no other.
                connection.graceful_shutdown();
                told = true;
                continue;
            }
            // Reads and writes all frames of all streams.
            accepted = within(HttpSession::from_h2_conn(&mut connection, Arc::clone(&digest)), || pulse.due()) => accepted,
            () = streams.idle_for(app.keepalive()) => return,
        };
        match accepted {
            Some(Ok(Some(H2Accept::Session(session)))) => {
                let (app, leaving, open) = (Arc::clone(app), leaving.clone(), streams.open());
                tokio::spawn(async move {
                    app.exchange_stream(ServerSession::new_http2(session), from, &leaving).await;
                    drop(open);
                });
            }
            Some(Ok(Some(H2Accept::Rejected))) if refused < REFUSED => refused += 1,
            Some(Ok(_)) => return,
            Some(Err(error)) => return tracing::debug!(%error, "HTTP/2 connection ended"),
            None => {
                let why =
                    if pulse.write_due().is_some() { TurnedAway::SlowReader } else { TurnedAway::SlowHead };
                return app.turned_away(why);
            }
        }
    }
}

fn options(app: &App) -> H2Options {
    let mut options = default_h2_options();
    options.max_header_list_size(app.header_list());
    options.max_send_buffer_size(SENDING);
    options
}

/// The streams of a connection that are open.
#[derive(Default)]
struct Streams {
    open: AtomicUsize,
    closed: Notify,
}

/// One of them, until it is dropped.
struct Open(Arc<Streams>);

impl Streams {
    fn open(self: &Arc<Self>) -> Open {
        self.open.fetch_add(1, Ordering::AcqRel);
        Open(Arc::clone(self))
    }

    /// Waits until none has been open for so long. Begun anew after each stream.
    async fn idle_for(&self, span: Duration) {
        while self.open.load(Ordering::Acquire) > 0 {
            self.closed.notified().await;
        }
        sleep(span).await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Kept until somebody waits for it.
            self.0.closed.notify_one();
        }
    }
}

/// What of an answer is taken before it is sent: a piece.
const SENDING: usize = 256 * 1024;
/// Malformed requests that a connection may send.
const REFUSED: usize = 32;
