//! One connection from its first byte to its last.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use packager::asset::StreamName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::crowd::Place;
use super::desk::Holder;
use super::host::Host;
use super::listener::House;
use super::publication::{Feed, Head, publication};
use super::session::{Asked, Event, Session};
use super::{Ending, Fault, Limits, Permit, Publishers, Query, Refusal, Request, Secret, Tag};
use crate::Cancel;
use crate::publishing::StreamKeyId;

/// A connection and what it is doing.
pub(super) struct Connection<'a, S> {
    house: &'a House,
    io: S,
    peer: SocketAddr,
    place: Place,
    stop: &'a Cancel,
    /// When it has to be gone, once it was told to stop.
    last_call: Option<Instant>,
    session: Session,
    show: Option<Show>,
    /// What the session was last seen to hold.
    held: usize,
}

/// What it publishes.
struct Show {
    stream: StreamName,
    key: Option<StreamKeyId>,
    feed: Feed,
    holder: Holder,
    /// Ends when the publisher may no more.
    revoked: Pin<Box<dyn Future<Output = ()> + Send>>,
    began: Instant,
}

/// Why a connection ends.
#[derive(Debug)]
enum Leave {
    /// The publication says the same.
    With(Ending),
    /// It broke, or the peer did not take what we sent.
    Broken(io::Error),
    Malformed(Fault),
    Refused,
    /// It had its time to publish.
    Late,
    /// It had to go for others.
    Crowded,
}

/// What comes between a connection and its bytes.
enum Interrupt {
    Leave(Leave),
    Drain,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'a, S> {
    pub(super) fn new(house: &'a House, io: S, peer: SocketAddr, place: Place, stop: &'a Cancel) -> Self {
        let session = Session::new(&house.limits);
        Self { house, io, peer, place, stop, last_call: None, session, show: None, held: 0 }
    }

    /// Serves it to its end.
    pub(super) async fn run(mut self) {
        let Err(leave) = self.serve().await;
        self.end_show(leave.ending());
        match &leave {
            Leave::Malformed(fault) => {
                self.house.tally.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::info!(peer = %self.peer, %fault, "a connection broke the protocol");
                self.session.dismiss("NetConnection.Connect.Closed", &fault.to_string());
            }
            Leave::With(Ending::TakenOver) => {
                self.session.dismiss("NetStream.Publish.BadName", "another publisher took the stream over");
            }
            Leave::With(ending @ (Ending::Stopped | Ending::Dropped | Ending::Silent | Ending::Revoked)) => {
                self.session.dismiss("NetConnection.Connect.Closed", &ending.to_string());
            }
            Leave::Broken(error) => {
                tracing::debug!(peer = %self.peer, %error, "a connection broke");
                return;
            }
            Leave::With(_) => return,
            Leave::Refused => {}
            Leave::Late => {
                self.house.tally.idle.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(peer = %self.peer, "a connection did not publish in time");
                return;
            }
            Leave::Crowded => {
                self.house.tally.crowded.fetch_add(1, Ordering::Relaxed);
                tracing::debug!(peer = %self.peer, "a connection had to go for others");
                return;
            }
        }
        let _late = timeout(FAREWELL, self.say_goodbye()).await;
    }

    /// Sends the last words, and reads on until the peer has read them: closing a socket with unread bytes in it would
    /// take them away.
    async fn say_goodbye(&mut self) -> io::Result<()> {
        self.io.write_all_buf(self.session.output()).await?;
        self.io.shutdown().await?;
        let mut unread = [0; 1 << 10];
        while self.io.read(&mut unread).await? > 0 {}
        Ok(())
    }

    async fn serve(&mut self) -> Result<std::convert::Infallible, Leave> {
        let mut setup = Instant::now() + self.house.limits.setup;
        loop {
            match self.session.next().map_err(Leave::Malformed)? {
                Some(Event::Tag(tag)) => self.forward(tag).await?,
                Some(Event::Publish(asked)) => self.asked(asked).await?,
                Some(Event::Unpublished) => {
                    self.end_show(Ending::Deleted);
                    setup = Instant::now() + self.house.limits.setup;
                }
                None => {
                    self.flush().await?;
                    self.read(setup).await?;
                }
            }
            self.account();
        }
    }

    async fn flush(&mut self) -> Result<(), Leave> {
        while !self.session.output().is_empty() {
            let sent = async {
                self.io.write_all_buf(self.session.output()).await?;
                self.io.flush().await
            };
            tokio::select! {
                biased;
                interrupt = interrupt(self.show.as_mut(), &self.place, self.stop, self.last_call) => {
                    self.interrupted(interrupt)?;
                }
                sent = timeout(self.house.limits.answer, sent) => match sent {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Err(Leave::Broken(error)),
                    Err(_) => return Err(Leave::Broken(io::ErrorKind::TimedOut.into())),
                }
            }
        }
        Ok(())
    }

    async fn read(&mut self, setup: Instant) -> Result<(), Leave> {
        let deadline = match &self.show {
            Some(_) => Instant::now() + self.house.limits.idle,
            None => setup,
        };
        tokio::select! {
            biased;
            interrupt = interrupt(self.show.as_mut(), &self.place, self.stop, self.last_call) => {
                self.interrupted(interrupt)
            }
            read = timeout_at(deadline, self.io.read_buf(self.session.room())) => match read {
                Ok(Ok(0)) => Err(Leave::With(Ending::Closed)),
                Ok(Ok(bytes)) => {
                    self.session.arrived(bytes);
                    if let Some(show) = &self.show {
                        show.holder.heard(Instant::now());
                    }
                    Ok(())
                }
                Ok(Err(error)) => Err(Leave::Broken(error)),
                Err(_) if self.show.is_some() => Err(Leave::With(Ending::Silent)),
                Err(_) => Err(Leave::Late),
            }
        }
    }

    /// Hands a tag on. While the reader has no room for it, nothing is read.
    async fn forward(&mut self, tag: Tag) -> Result<(), Leave> {
        loop {
            let Some(show) = &mut self.show else { return Ok(()) };
            if show.feed.try_put(&tag) {
                return Ok(());
            }
            let feed = show.feed.clone();
            tokio::select! {
                biased;
                interrupt = interrupt(Some(show), &self.place, self.stop, self.last_call) => {
                    self.interrupted(interrupt)?;
                }
                () = feed.put(tag.clone()) => return Ok(()),
            }
        }
    }

    fn interrupted(&mut self, interrupt: Interrupt) -> Result<(), Leave> {
        match interrupt {
            Interrupt::Leave(leave) => Err(leave),
            Interrupt::Drain if self.show.is_none() => Err(Leave::With(Ending::Stopped)),
            Interrupt::Drain => {
                let asked = self.session.request_reconnect();
                tracing::info!(peer = %self.peer, asked, "a publisher may finish: the listener stops");
                self.last_call = Some(Instant::now() + self.house.limits.grace);
                Ok(())
            }
        }
    }

    /// The peer wants to publish.
    async fn asked(&mut self, asked: Asked) -> Result<(), Leave> {
        let (key, query) = asked.name.split_once('?').unwrap_or((&asked.name, ""));
        let request = Request {
            app: asked.app,
            secret: Secret::new(key),
            query: Query::new(query),
            peer: self.peer,
            client: asked.client,
        };
        let admitted = tokio::select! {
            biased;
            interrupt = interrupt(None, &self.place, self.stop, self.last_call) => match interrupt {
                Interrupt::Leave(leave) => return Err(leave),
                Interrupt::Drain => return Err(Leave::With(Ending::Stopped)),
            },
            admitted = admit(self.house, &request) => admitted,
        };
        let show = match admitted {
            Ok(show) => show,
            Err(refusal) => {
                self.house.tally.refused(refusal);
                // Not the application: whoever leaves the field for the key empty may have put it there.
                tracing::warn!(
                    peer = %request.peer, client = request.client, secret = ?request.secret,
                    reason = refusal.as_str(), "a publisher is refused"
                );
                self.session.refuse(&refusal.to_string());
                return Err(Leave::Refused);
            }
        };
        tracing::info!(
            stream = %show.stream, peer = %request.peer, client = request.client, key = show.key.map(|key| key.0),
            "a publisher is on"
        );
        self.place.settle(true);
        self.session.accept();
        self.show = Some(show);
        Ok(())
    }

    fn end_show(&mut self, ending: Ending) {
        let Some(show) = self.show.take() else { return };
        tracing::info!(
            stream = %show.stream, peer = %self.peer, reason = ending.as_str(), cause = %ending,
            seconds = show.began.elapsed().as_secs(), "a publisher is off"
        );
        show.feed.end(ending);
        self.place.settle(false);
    }

    fn account(&mut self) {
        let held = self.session.held();
        let tally = &self.house.tally.held;
        if held > self.held {
            tally.fetch_add(held - self.held, Ordering::Relaxed);
        } else {
            tally.fetch_sub(self.held - held, Ordering::Relaxed);
        }
        self.held = held;
    }
}

impl<S> Drop for Connection<'_, S> {
    fn drop(&mut self) {
        self.house.tally.held.fetch_sub(self.held, Ordering::Relaxed);
    }
}

impl Leave {
    /// What a publication is told, if there is one.
    fn ending(&self) -> Ending {
        match self {
            Self::With(ending) => ending.clone(),
            Self::Malformed(fault) => Ending::Malformed(fault.to_string()),
            Self::Broken(_) | Self::Refused | Self::Late | Self::Crowded => Ending::Closed,
        }
    }
}

/// Waits for what ends a connection, or a wait of it, from outside. Cancel-safe.
async fn interrupt(
    show: Option<&mut Show>,
    place: &Place,
    stop: &Cancel,
    last_call: Option<Instant>,
) -> Interrupt {
    let is_pending = show.is_none();
    let of_show = async {
        match show {
            Some(show) => tokio::select! {
                biased;
                () = show.holder.ousted() => Ending::TakenOver,
                () = show.feed.dropped() => Ending::Dropped,
                () = &mut show.revoked => Ending::Revoked,
            },
            None => std::future::pending().await,
        }
    };
    let stopped = async {
        match last_call {
            Some(last_call) => {
                sleep_until(last_call).await;
                Interrupt::Leave(Leave::With(Ending::Stopped))
            }
            None => {
                stop.cancelled().await;
                Interrupt::Drain
            }
        }
    };
    tokio::select! {
        biased;
        ending = of_show => Interrupt::Leave(Leave::With(ending)),
        () = place.dismissed(), if is_pending => Interrupt::Leave(Leave::Crowded),
        stopped = stopped => stopped,
    }
}

/// Asks whether the publisher may, and makes it the one of its stream.
async fn admit(house: &House, request: &Request) -> Result<Show, Refusal> {
    let host = Host::from(request.peer.ip());
    let turn = house.penalties.turn(host, Instant::now()).ok_or(Refusal::Penalty)?;
    sleep_until(turn).await;
    let admitted = timeout(house.limits.answer, house.publishers.admit(request)).await;
    let permit = match admitted {
        Ok(Ok(permit)) => permit,
        Ok(Err(refusal)) => {
            if refusal == Refusal::WrongKey {
                house.penalties.failed(host, Instant::now());
            }
            return Err(refusal);
        }
        Err(_) => return Err(Refusal::Unavailable),
    };
    // Before anybody has to go for this one, it must be sure that somebody takes it.
    let taker = match timeout(house.limits.answer, house.publications.reserve()).await {
        Ok(Ok(taker)) => taker,
        Ok(Err(_)) | Err(_) => return Err(Refusal::Unavailable),
    };
    let holder = house.desk.claim(&permit.stream, Instant::now())?;
    if holder.is_second() {
        house.tally.taken_over.fetch_add(1, Ordering::Relaxed);
    }
    tokio::select! {
        biased;
        () = holder.ousted() => return Err(Refusal::Busy),
        alone = timeout(house.limits.answer, holder.alone()) => alone.map_err(|_| Refusal::Unavailable)?,
    }
    house.tally.admitted.fetch_add(1, Ordering::Relaxed);
    let (stream, key) = (permit.stream.clone(), permit.key);
    let revoked = Box::pin(revoked(
        Arc::clone(&house.publishers),
        request.clone(),
        permit.clone(),
        house.limits.clone(),
    ));
    let head = Head { permit, peer: request.peer, client: request.client.clone() };
    let (feed, publication) = publication(head, house.limits.queue, Arc::clone(&house.tally.waiting));
    taker.send(publication);
    Ok(Show { stream, key, feed, holder, revoked, began: Instant::now() })
}

/// Ends when the publisher may publish this no more. While nobody can say so, it may.
async fn revoked(publishers: Arc<dyn Publishers>, request: Request, permit: Permit, limits: Limits) {
    loop {
        sleep(limits.recheck).await;
        match timeout(limits.answer, publishers.admit(&request)).await {
            Ok(Ok(now)) if now.stream == permit.stream => {}
            Ok(Ok(_) | Err(Refusal::WrongKey)) => return,
            Ok(Err(error)) => {
                tracing::debug!(stream = %permit.stream, %error, "a key cannot be asked for again")
            }
            Err(_) => tracing::debug!(stream = %permit.stream, "a key is not asked for again in time"),
        }
    }
}

/// For the last words to arrive.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(1);
