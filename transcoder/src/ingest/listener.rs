//! Where publishers come in.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use super::connection::Connection;
use super::crowd::{Crowd, Place};
use super::desk::Desk;
use super::host::Host;
use super::penalty::Penalties;
use super::tally::Tally;
use super::{Counts, Limits, Publication, Publishers};
use crate::Cancel;

/// The RTMP side: connections in, publications out. Clones are the same one.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use forebay_transcoder::Cancel;
/// use forebay_transcoder::ingest::{Permit, Ingest, Limits, MemoryPublishers, ShowPolicy, Secret};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let permit = Permit { stream: "studio".parse()?, policy: ShowPolicy::default(), key: None };
/// let publishers = MemoryPublishers::new().with(&Secret::new("sk-1234"), permit);
/// let (ingest, mut publications) = Ingest::new(Limits::default(), Arc::new(publishers));
/// let listener = tokio::net::TcpListener::bind("0.0.0.0:1935").await?;
/// tokio::spawn(async move { ingest.serve(listener, &Cancel::new()).await });
/// while let Some(mut publication) = publications.next().await {
///     tokio::spawn(async move {
///         while let Some(tag) = publication.next().await {
///             println!("{} {} {} bytes", publication.stream, tag.at_ms, tag.data.len());
///         }
///     });
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Ingest(Arc<House>);

/// Those who publish, as they come. When it is dropped, nobody is let in any more.
#[derive(Debug)]
pub struct Publications(mpsc::Receiver<Publication>);

/// What all connections have in common.
pub(super) struct House {
    pub(super) limits: Limits,
    pub(super) publishers: Arc<dyn Publishers>,
    pub(super) desk: Arc<Desk>,
    pub(super) penalties: Penalties,
    pub(super) crowd: Arc<Crowd>,
    pub(super) tally: Tally,
    pub(super) publications: mpsc::Sender<Publication>,
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Ingest {
    /// Lets in whom `publishers` lets in. The publications must be taken: whoever finds nobody to take its show within
    /// [`Limits::answer`] is refused.
    pub fn new(limits: Limits, publishers: Arc<dyn Publishers>) -> (Self, Publications) {
        let (sender, publications) = mpsc::channel(BACKLOG);
        let house = House {
            desk: Desk::new(limits.takeovers, limits.silence),
            penalties: Penalties::new(limits.offenders),
            crowd: Crowd::new(&limits),
            tally: Tally::default(),
            publications: sender,
            publishers,
            limits,
        };
        (Self(Arc::new(house)), Publications(publications))
    }

    /// Takes connections until `stop` is thrown. Then it takes no more, asks publishers to connect anew where they can
    /// be asked, closes them after [`Limits::grace`], and returns when all are gone. Dropping the future closes them at
    /// once.
    pub async fn serve(&self, listener: TcpListener, stop: &Cancel) {
        self.serve_through(listener, stop, |stream| std::future::ready(Ok(stream))).await;
    }

    /// As [`Self::serve`], through whatever `door` makes of a socket, for instance TLS: `tokio_rustls`'s
    /// `TlsAcceptor::accept`. What it does counts towards the limits, and its time is [`Limits::setup`].
    pub async fn serve_through<S, F>(
        &self,
        listener: TcpListener,
        stop: &Cancel,
        door: impl Fn(TcpStream) -> F,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(ended) = connections.join_next() => {
                    report(ended);
                    continue;
                }
                accepted = listener.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly too many open files, which does not pass by trying at once.
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Some(place) = self.enter(peer) else { continue };
            // Answers are small and waited for.
            let _as_it_is = stream.set_nodelay(true);
            let (ingest, stop, opened) = (self.clone(), stop.clone(), door(stream));
            connections.spawn(async move {
                let opened = tokio::select! {
                    biased;
                    () = place.dismissed() => return,
                    () = stop.cancelled() => return,
                    opened = timeout(ingest.0.limits.setup, opened) => opened,
                };
                match opened {
                    Ok(Ok(stream)) => Connection::new(&ingest.0, stream, peer, place, &stop).run().await,
                    Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection was not opened"),
                    Err(_) => tracing::debug!(%peer, "a connection was not opened in time"),
                }
            });
        }
        drop(listener);
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    }

    /// Serves one connection that somebody else accepted, to its end. It is closed when the future is dropped.
    pub async fn attend<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: S,
        peer: SocketAddr,
        stop: &Cancel,
    ) {
        if let Some(place) = self.enter(peer) {
            Connection::new(&self.0, stream, peer, place, stop).run().await;
        }
    }

    /// A look at the counters.
    pub fn counts(&self) -> Counts {
        self.0.tally.counts(self.0.crowd.count())
    }

    fn enter(&self, peer: SocketAddr) -> Option<Place> {
        let place = self.0.crowd.enter(Host::from(peer.ip()));
        if place.is_none() {
            tracing::warn!(%peer, "a connection is refused: there are too many publishers");
        }
        place
    }
}

impl Publications {
    /// The next publisher; `None` where there can be none any more. Cancel-safe.
    pub async fn next(&mut self) -> Option<Publication> {
        self.0.recv().await
    }
}

/// A connection that panics takes nothing along, but should not be.
fn report(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection failed");
    }
}

/// Publications that wait to be taken.
const BACKLOG: usize = 16;
