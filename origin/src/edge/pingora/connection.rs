//! One accepted connection, to its end.
//!
//! Pingora's own loop over the requests of an HTTP/1 connection is not used: its future is as large as that of an
//! HTTP/2 connection, and thousands of players wait at the same time.

use std::sync::Arc;
use std::time::Duration;

use ::pingora::apps::{HttpPersistentSettings, ReusedHttpStream, ServerApp as _};
use ::pingora::listeners::tls::Acceptor;
use ::pingora::protocols::http::ServerSession;
use ::pingora::protocols::l4::stream::Stream as TcpConnection;
use ::pingora::protocols::{ALPN, Stream};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::app::{App, Next};
use super::gather::Gather;
use super::linger::linger;

/// A TLS client that has said nothing sensible for this long is let go.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long the last bytes of a connection may take to leave.
const FAREWELL: Duration = Duration::from_secs(1);

/// Serves a connection until either side closes it. `leaving` turns true when the process drains.
pub(super) async fn serve(
    socket: TcpStream,
    app: &Arc<App>,
    tls: Option<&Acceptor>,
    leaving: &watch::Receiver<bool>,
) {
    // Playlists are small answers that players wait for.
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let connection = TcpConnection::from(socket);
    let stream: Stream = match tls {
        None => Box::new(Gather::new(connection)),
        // On the heap, where it does not take its 7 KB for as long as the connection lasts.
        Some(acceptor) => match timeout(HANDSHAKE, Box::pin(acceptor.tls_handshake(connection))).await {
            Ok(Ok(stream)) => Box::new(Gather::new(stream)),
            Ok(Err(error)) => return tracing::debug!(%error, "no TLS session"),
            Err(_) => return tracing::debug!("no TLS session in time"),
        },
    };
    match stream.selected_alpn_proto() {
        Some(ALPN::H2) => drop(app.process_new(stream, leaving).await),
        _ => serve_http1(stream, app, leaving).await,
    }
}

/// One request after the other.
async fn serve_http1(stream: Stream, app: &App, leaving: &watch::Receiver<bool>) {
    let mut session = ServerSession::new_http1(stream);
    app.welcome(&mut session);
    loop {
        // Held until the connection is closed, or ready for the next request.
        let (next, _busy) = app.exchange(&mut session, leaving).await;
        match next {
            Next::Request => {}
            Next::Linger => return Box::pin(leave(session)).await,
            Next::Cut => {
                // A client that reads nothing would not let the last bytes out either.
                let _ = timeout(FAREWELL, Box::pin(session.shutdown())).await;
                return;
            }
        }
        let settings = HttpPersistentSettings::for_session(&session);
        // Where the connection is closed now, what TLS says last is still to be sent.
        let Ok(Ok(Some(stream))) = timeout(FAREWELL, Box::pin(session.finish())).await else { return };
        let (stream, settings) = ReusedHttpStream::from_reusable_stream(stream, settings).consume();
        session = ServerSession::new_http1(stream);
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
    }
}

async fn leave(session: ServerSession) {
    if let ServerSession::H1(session) = session {
        linger(session.into_inner()).await;
    }
}
