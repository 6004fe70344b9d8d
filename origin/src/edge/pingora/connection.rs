//! One accepted connection, to its end.
//!
//! Pingora's own loop over the requests of an HTTP/1 connection is not used: its future is as large as that of an
//! HTTP/2 connection, and thousands of players wait at the same time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use ::pingora::apps::HttpPersistentSettings;
use ::pingora::listeners::tls::Acceptor;
use ::pingora::protocols::http::ServerSession;
use ::pingora::protocols::l4::stream::Stream as TcpConnection;
use ::pingora::protocols::{ALPN, Stream};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::app::{App, Next};
use super::gather::Gather;
use super::http2;
use super::linger::linger;
use super::pulse::{Pulse, within};
use crate::metrics::TurnedAway;

/// How long the last bytes of a connection may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection until either side closes it. `leaving` turns true when the process drains.
pub(super) async fn serve(
    socket: TcpStream,
    from: IpAddr,
    app: &Arc<App>,
    tls: Option<&Acceptor>,
    leaving: &watch::Receiver<bool>,
) {
    if app.settle_socket(&socket).is_err() {
        return;
    }
    let pulse = app.pulse();
    let connection = TcpConnection::from(socket);
    let stream: Stream = match tls {
        None => Box::new(Gather::new(connection, Arc::clone(&pulse))),
        // On the heap, where it does not take its 7 KB for as long as the connection lasts. It has as long as the first
        // head, together with that.
        Some(acceptor) => {
            match within(Box::pin(acceptor.tls_handshake(connection)), || pulse.head_due()).await {
                Some(Ok(stream)) => Box::new(Gather::new(stream, Arc::clone(&pulse))),
                Some(Err(error)) => return tracing::debug!(%error, "no TLS session"),
                None => return app.turned_away(TurnedAway::SlowHead),
            }
        }
    };
    match stream.selected_alpn_proto() {
        Some(ALPN::H2) => Box::pin(http2::serve(stream, from, app, &pulse, leaving)).await,
        _ => serve_http1(stream, from, app, &pulse, leaving).await,
    }
}

/// One request after the other.
async fn serve_http1(
    stream: Stream,
    from: IpAddr,
    app: &App,
    pulse: &Pulse,
    leaving: &watch::Receiver<bool>,
) {
    let mut session = ServerSession::new_http1(stream);
    app.welcome(&mut session);
    loop {
        // Held until the connection is closed, or ready for the next request.
        let (next, _busy) = app.exchange(&mut session, from, pulse, leaving).await;
        match next {
            Next::Request => {}
            Next::Linger => return Box::pin(leave(session)).await,
            Next::Cut => {
                // A client that reads nothing would not let the last bytes out either.
                let _ = timeout(FAREWELL, Box::pin(session.shutdown())).await;
                return;
            }
        }
        let mut settings = HttpPersistentSettings::for_session(&session);
        // Where the connection is closed now, what TLS says last is still to be sent.
        let Ok(Ok(Some(stream))) = timeout(FAREWELL, Box::pin(session.finish())).await else { return };
        let (stream, begun) = stream.into_parts();
        session = ServerSession::new_http1(stream);
        pulse.awaits_head(begun.as_ref().map_or(0, |begun| begun.len()));
        if let Some(begun) = begun {
            settings.set_pipelined_prefix(begun);
        }
        settings.apply_to_session(&mut session);
    }
}

async fn leave(session: ServerSession) {
    if let ServerSession::H1(session) = session {
        linger(session.into_inner()).await;
    }
}
