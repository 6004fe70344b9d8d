//! A worker: publishers come in, shows go out.
//!
//! ```text
//! Publications ─▶ room of the stream ─▶ Relay ─▶ origins
//!                 └ lease: one worker works on a stream, the one its publisher came to last
//! ```
//!
//! A stream has a room from its first publisher until its show is over. Who comes to a room goes on with its show; who
//! comes to a stream that another worker has takes it from there: media time is Unix time, so the new worker's show is
//! the old one's, and the old worker lets go as soon as it learns of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use packager::asset::StreamName;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::ingest::{Publication, Publications, Tag};
use crate::live::relay::{Event, Past, Relay};
use crate::publishing::{Hold, Keeper, Leases, Show, Shows, WorkerName};
use crate::{Cancel, Error};

/// What makes live shows of what publishers send.
#[derive(Clone)]
pub struct Worker {
    /// What it is called, in leases and logs.
    pub name: WorkerName,
    /// Who works on which stream.
    pub leases: Arc<dyn Leases>,
    /// How long a stream stays with a worker that is gone, where its publisher is gone too.
    pub ttl: Duration,
    /// How far shows have come.
    pub shows: Arc<dyn Shows>,
    /// How shows are made.
    pub crew: Crew,
    /// Told of what happens.
    pub watcher: Arc<dyn Watcher>,
}

/// How a show of each stream is made: everything but what was published of it.
#[derive(Clone)]
pub struct Crew(Arc<Making>);

type Making = dyn Fn(&StreamName, Duration) -> Relay + Send + Sync;

/// Who is told what happens to shows. Called in the midst of work: it must not wait.
pub trait Watcher: Send + Sync {
    /// A show is being made from now on.
    fn begins(&self, stream: &StreamName);
    /// Something happened to it.
    fn happens(&self, stream: &StreamName, event: &Event);
    /// It is not made here any more.
    fn ends(&self, stream: &StreamName);
}

/// Why a room is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// Its show is over.
    Over,
    /// Another worker has the stream.
    Lost,
    /// The worker stops; another may go on.
    Stopped,
    /// Nothing could be made.
    Failed,
}

impl Worker {
    /// Works until `stop` is thrown: then shows are left as they are, so that another worker can go on with them, and this
    /// returns within a few seconds. Dropping the future kills the encoders.
    pub async fn run(&self, mut publications: Publications, stop: &Cancel) {
        let mut rooms: HashMap<StreamName, mpsc::Sender<Publication>> = HashMap::new();
        let mut shows = JoinSet::new();
        loop {
            let publication = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(closed) = shows.join_next() => {
                    if let Ok(stream) = closed {
                        // A new room may have this name already.
                        if rooms.get(&stream).is_some_and(mpsc::Sender::is_closed) {
                            rooms.remove(&stream);
                        }
                    }
                    continue;
                }
                publication = publications.next() => publication,
            };
            let Some(publication) = publication else { break };
            let stream = publication.stream.clone();
            let Some(publication) = enter(rooms.get(&stream), publication) else { continue };
            let (room, arrivals) = mpsc::channel(ARRIVALS);
            let window = publication.policy.window;
            let _first = room.try_send(publication);
            rooms.insert(stream.clone(), room);
            let (worker, stop) = (self.clone(), stop.clone());
            shows.spawn(async move {
                let closed = worker.show(&stream, window, arrivals, &stop).await;
                tracing::info!(%stream, ?closed, "nothing more is made of the stream here");
                stream
            });
        }
        drop(rooms);
        while shows.join_next().await.is_some() {}
    }

    /// One room, from its first publisher to the end of its show.
    async fn show(
        &self,
        stream: &StreamName,
        window: Duration,
        arrivals: mpsc::Receiver<Publication>,
        stop: &Cancel,
    ) -> Closed {
        let keeper = match Keeper::take(Arc::clone(&self.leases), stream, &self.name, self.ttl).await {
            Ok(keeper) => keeper,
            Err(error) => {
                // Whoever is dropped here comes back in a moment.
                tracing::warn!(%stream, %error, "the stream cannot be taken");
                return Closed::Failed;
            }
        };
        let mut relay = self.crew.of(stream, window);
        if let Err(error) = self.go_on(stream, &mut relay).await {
            tracing::warn!(%stream, %error, "it is not known how far the show has come");
            return Closed::Failed;
        }
        tracing::info!(%stream, fence = %keeper.lease().fence, goes_on = relay.past.is_some(), "a show is made");

        self.watcher.begins(stream);
        let (mut usher, mut publications) = usher(arrivals);
        let (events, mut told) = mpsc::channel(EVENTS);
        let cancel = Cancel::new();
        let closed = {
            let making = relay.run(&mut publications, &events, &cancel);
            tokio::pin!(making);
            loop {
                tokio::select! {
                    made = &mut making => break match made {
                        Ok(()) => Closed::Over,
                        Err(error) => {
                            tracing::error!(%stream, %error, "no show can be made");
                            Closed::Failed
                        }
                    },
                    Some(event) = told.recv() => self.watcher.happens(stream, &event),
                    () = keeper.until(Hold::Lost), if !cancel.is_cancelled() => {
                        cancel.cancel();
                        let _made = making.await;
                        break Closed::Lost;
                    }
                    () = stop.cancelled(), if !cancel.is_cancelled() => {
                        cancel.cancel();
                        let _made = making.await;
                        break Closed::Stopped;
                    }
                }
            }
        };
        while let Ok(event) = told.try_recv() {
            self.watcher.happens(stream, &event);
        }
        // Whoever is still here is let go.
        usher.shutdown().await;
        self.watcher.ends(stream);
        if closed != Closed::Lost
            && let Err(error) = keeper.release().await
        {
            tracing::warn!(%stream, %error, "the stream is not given up before its time");
        }
        closed
    }

    /// Makes a relay go on with the show of a stream, if one is running. It keeps the segments that it was opened with,
    /// whatever the configuration says by now.
    async fn go_on(&self, stream: &StreamName, relay: &mut Relay) -> Result<(), Error> {
        let Some(row) = self.shows.current(stream).await?.filter(can_go_on) else { return Ok(()) };
        relay.settings.segment_ms = row.segment_ms;
        let mut tracks: Vec<_> =
            self.shows.inits(stream, row.id).await?.into_iter().map(|init| init.0).collect();
        tracks.dedup();
        relay.past = Some(Past::ask(&relay.origins, &tracks, noted_ms(&row)).await);
        Ok(())
    }
}

/// Lets a publisher into the room of its stream; gives it back where there is none.
fn enter(room: Option<&mpsc::Sender<Publication>>, publication: Publication) -> Option<Publication> {
    let Some(room) = room else { return Some(publication) };
    match room.try_send(publication) {
        Ok(()) => None,
        // Several came at once: the newest will be let in when it comes back.
        Err(mpsc::error::TrySendError::Full(_)) => None,
        Err(mpsc::error::TrySendError::Closed(publication)) => Some(publication),
    }
}

/// Leads the tags of each publisher to the relay, until either of them has enough.
fn usher(mut arrivals: mpsc::Receiver<Publication>) -> (JoinSet<()>, mpsc::Receiver<mpsc::Receiver<Tag>>) {
    let (door, publications) = mpsc::channel(ARRIVALS);
    let mut usher = JoinSet::new();
    usher.spawn(async move {
        let mut leading = JoinSet::new();
        while let Some(mut publication) = arrivals.recv().await {
            while leading.try_join_next().is_some() {}
            let (tags, seat) = mpsc::channel(1);
            leading.spawn(async move {
                while let Some(tag) = publication.next().await {
                    if tags.send(tag).await.is_err() {
                        break;
                    }
                }
            });
            if door.send(seat).await.is_err() {
                break;
            }
        }
        while leading.join_next().await.is_some() {}
    });
    (usher, publications)
}

/// Whether a worker can go on with a show: only where media time is Unix time do those of two workers fit together.
fn can_go_on(row: &Show) -> bool {
    !row.ended && row.anchor_ms == 0
}

/// Up to when whole segments of a show are known to be published, in milliseconds of Unix time.
fn noted_ms(row: &Show) -> Option<i64> {
    i64::try_from(row.last?.0).ok()?.checked_add(1)?.checked_mul(i64::from(row.segment_ms))
}

impl Crew {
    /// Asks `relay` for each show, with the stream and how long it waits for its publisher.
    pub fn new(relay: impl Fn(&StreamName, Duration) -> Relay + Send + Sync + 'static) -> Self {
        Self(Arc::new(relay))
    }

    fn of(&self, stream: &StreamName, window: Duration) -> Relay {
        (self.0)(stream, window)
    }
}

impl fmt::Debug for Crew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its origins' URLs may carry tokens.
        f.debug_struct("Crew").finish_non_exhaustive()
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

/// Publishers of a stream that wait for its room at the same time.
const ARRIVALS: usize = 4;
/// Events that wait to be told.
const EVENTS: usize = 64;

#[cfg(test)]
mod tests {
    use packager::asset::ShowId;
    use packager::time::Msn;

    use super::*;
    use crate::live::relay::{Settings, SteadyClock};
    use crate::publishing::{Anchor, MemoryLeases, MemoryShows, Opening};

    fn row() -> Show {
        Show {
            stream: "gala".parse().unwrap(),
            id: ShowId(3),
            anchor_ms: 0,
            segment_ms: 4_000,
            parts: 6,
            started_ms: 1_800_000_000_000,
            ended: false,
            last: Some(Msn(450_000_000)),
        }
    }

    struct Nobody;

    impl Watcher for Nobody {
        fn begins(&self, _: &StreamName) {}
        fn happens(&self, _: &StreamName, _: &Event) {}
        fn ends(&self, _: &StreamName) {}
    }

    fn relay() -> Relay {
        Relay {
            tools: crate::Tools::default(),
            scratch: std::env::temp_dir(),
            clock: SteadyClock::starting_at(Duration::ZERO),
            settings: Settings::default(),
            origins: Vec::new(),
            past: None,
        }
    }

    #[tokio::test]
    async fn a_show_that_goes_on_keeps_its_segments_and_another_begins_with_ours() {
        let shows = Arc::new(MemoryShows::new(|| 0));
        let worker = Worker {
            name: "one".parse().unwrap(),
            leases: Arc::new(MemoryLeases::new(|| 0)),
            ttl: Duration::from_secs(10),
            shows: Arc::clone(&shows) as Arc<dyn Shows>,
            crew: Crew::new(|_, _| relay()),
            watcher: Arc::new(Nobody),
        };
        let stream: StreamName = "gala".parse().unwrap();
        let after = async || {
            let mut relay = relay();
            worker.go_on(&stream, &mut relay).await.unwrap();
            (relay.past.is_some(), relay.settings.segment_ms)
        };
        assert_eq!(after().await, (false, 2_000), "none was opened");
        let opening =
            Opening { media_ms: 1_800_000_000_000, anchor: Anchor::Epoch, segment_ms: 4_000, parts: 6 };
        let show = shows.open(&stream, &opening).await.unwrap();
        assert_eq!(after().await, (true, 4_000));
        shows.end(&stream, show.id).await.unwrap();
        assert_eq!(after().await, (false, 2_000), "it is over");
        let show = shows.open(&stream, &Opening { anchor: Anchor::Now, ..opening }).await.unwrap();
        assert_eq!((after().await, can_go_on(&show)), ((false, 2_000), false));
    }

    #[test]
    fn what_is_noted_ends_with_the_last_whole_segment() {
        assert_eq!(noted_ms(&row()), Some(1_800_000_004_000));
        assert_eq!(noted_ms(&Show { last: None, ..row() }), None);
        assert_eq!(noted_ms(&Show { last: Some(Msn(u64::MAX)), ..row() }), None);
    }
}
