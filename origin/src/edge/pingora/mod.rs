//! The daemon's HTTP front: Pingora's HTTP/1 and HTTP/2 server over connections that are accepted here.
//!
//! ```text
//! permit ─▶ accept ─▶ place of the address ─▶ [TLS] ─▶ Pingora session ─▶ Origin ─▶ pieces at the client's pace
//!    │                                                              │
//!    └── stops when the process has drained for a while             └── goes on until the grace is over
//! ```
//!
//! Pingora's own `Server` owns the process: its runtimes, signals, and a grace period that it always sleeps
//! through. An origin that is embedded, holds hour-long connections and ends as soon as the last answer is sent
//! needs the sessions below it, and loops of its own.

mod admin;
mod app;
mod connection;
mod crowd;
mod face;
mod frames;
mod gather;
mod http2;
mod linger;
mod pace;
#[cfg(feature = "peers")]
mod peers;
mod pulse;
mod send;
#[cfg(test)]
mod tests;
mod tls;
mod upload;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::pingora::listeners::tls::Acceptor;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

pub use admin::Admin;
pub use app::App;
pub use tls::TlsError;
#[cfg(feature = "daemon")]
pub(crate) use tls::server_config;

use crate::config::{Limits, Tls};
use crate::metrics::TurnedAway;
use crate::shutdown::Signal;

/// How long a load balancer is given to notice that this node leaves.
pub(crate) const NOTICE: Duration = Duration::from_secs(5);
/// How long frames that are answered already may take to leave.
const LINGER: Duration = Duration::from_millis(300);

/// A bound address, ready to serve.
pub struct Listener {
    socket: TcpListener,
    tls: Option<Acceptor>,
}

impl Listener {
    /// Binds an address for clear HTTP/1.
    ///
    /// # Errors
    /// That of the system: the address is in use, or not ours.
    pub async fn clear(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, tls: None })
    }

    /// Binds an address for HTTP/1 and HTTP/2 over TLS.
    ///
    /// # Errors
    /// A certificate or key that cannot be used, or an address that cannot be bound.
    pub async fn tls(address: SocketAddr, files: &Tls) -> Result<Self, TlsError> {
        let tls = Some(tls::acceptor(files)?);
        let socket = TcpListener::bind(address).await.map_err(|source| TlsError::Bind { address, source })?;
        Ok(Self { socket, tls })
    }

    /// Where it listens; the port that the system chose where 0 was asked for.
    ///
    /// # Errors
    /// That of the system.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the signal says stop, or until it drains and the last answer is sent.
    ///
    /// Draining, it goes on accepting for half of the grace, at most five seconds: readiness is false already, but a
    /// load balancer notices that only at its next probe. Each answer then closes its connection.
    pub async fn serve(self, app: Arc<App>, limits: &Limits, signal: Signal) {
        let permits = usize::try_from(limits.connections).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        let permits = Arc::new(Semaphore::new(permits));
        let (leave, leaving) = watch::channel(false);
        let tls = self.tls.map(Arc::new);
        let mut connections = JoinSet::new();
        let notice = NOTICE.min(limits.grace.as_duration() / 2);
        let noticed = async {
            signal.draining().await;
            // Nobody listens where every connection is gone already.
            let _ = leave.send(true);
            // A second wish to end does not wait for load balancers.
            let _ = tokio::time::timeout(notice, signal.stopping()).await;
        };
        tokio::pin!(noticed);
        loop {
            let accepted = tokio::select! {
                accepted = accept(&self.socket, &permits) => accepted,
                Some(_) = connections.join_next() => continue,
                () = &mut noticed => break,
            };
            match accepted {
                Ok((socket, from, permit)) => {
                    // Closed at once and without a word: an answer to nothing may be taken for that to what is asked next,
                    // and who reads questions first to be understood gives what the limit is there to save.
                    let Some(place) = app.crowd().enter(from) else {
                        app.turned_away(TurnedAway::Crowded);
                        continue;
                    };
                    let (app, tls, leaving) = (Arc::clone(&app), tls.clone(), leaving.clone());
                    connections.spawn(async move {
                        connection::serve(socket, from, &app, tls.as_deref(), &leaving).await;
                        drop((place, permit));
                    });
                }
                Err(error) => {
                    // Out of descriptors, most likely: those who are here must leave before anybody can come.
                    tracing::warn!(%error, "cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(self.socket);
        tokio::select! {
            () = app.idle() => {}
            () = signal.stopping() => {}
        }
        // HTTP/2 connections end by themselves once their last frames are written; idle HTTP/1 ones never would.
        let ended = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LINGER, ended).await;
        connections.shutdown().await;
    }
}

async fn accept(
    socket: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, IpAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = socket.accept().await?;
    Ok((stream, from.ip(), permit))
}
