//! What one publisher sends, to whoever makes a show of it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use packager::asset::StreamName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Permit, ShowPolicy, Tag};
use crate::publishing::StreamKeyId;

/// One publisher from the moment it was admitted. Dropping it closes the publisher's connection.
///
/// Tags wait in a queue that is bounded in bytes ([`super::Limits::queue`]). A reader that is too slow makes the queue
/// full; then the socket is not read, and TCP slows the publisher down until it drops frames itself.
#[derive(Debug)]
pub struct Publication {
    /// What is published.
    pub stream: StreamName,
    /// How its shows are run.
    pub policy: ShowPolicy,
    /// The number of the key it was let in with, where keys have numbers.
    pub key: Option<StreamKeyId>,
    /// Where the publisher is.
    pub peer: SocketAddr,
    /// What it calls itself.
    pub client: String,
    tags: mpsc::UnboundedReceiver<Queued>,
    ending: Arc<OnceLock<Ending>>,
    waiting: Arc<AtomicUsize>,
}

/// Why a publication ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The publisher said that the stream ends.
    Deleted,
    /// The connection was closed without a word, or broke.
    Closed,
    /// Nothing was heard of the publisher for [`super::Limits::idle`].
    Silent,
    /// The publisher broke the protocol: how, in one line.
    Malformed(String),
    /// A newer publisher came for the same stream; its publication follows.
    TakenOver,
    /// Its key opens the stream no more.
    Revoked,
    /// We stop.
    Stopped,
    /// Whoever read it dropped it.
    Dropped,
}

impl Ending {
    /// One stable word for logs and counters.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::Malformed(_) => "malformed",
            Self::TakenOver => "taken_over",
            Self::Revoked => "revoked",
            Self::Stopped => "stopped",
            Self::Dropped => "dropped",
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deleted => f.write_str("the publisher ended the stream"),
            Self::Closed => f.write_str("the connection was closed"),
            Self::Silent => f.write_str("nothing was heard of the publisher"),
            Self::Malformed(how) => write!(f, "protocol fault: {how}"),
            Self::TakenOver => f.write_str("a newer publisher took the stream over"),
            Self::Revoked => f.write_str("the stream key is not valid any more"),
            Self::Stopped => f.write_str("the server stops"),
            Self::Dropped => f.write_str("nobody takes the stream"),
        }
    }
}

impl Publication {
    /// The next tag, in the order in which they came; `None` after the last, see [`Self::ending`]. Cancel-safe.
    pub async fn next(&mut self) -> Option<Tag> {
        self.tags.recv().await.map(|queued| queued.tag)
    }

    /// Why it ended; `None` while there are tags, or may be.
    pub fn ending(&self) -> Option<Ending> {
        // A task that was dropped has closed the connection and says nothing more.
        let is_over = self.tags.is_closed() && self.tags.is_empty();
        is_over.then(|| self.ending.get().cloned().unwrap_or(Ending::Closed))
    }

    /// Bytes of tags that wait here.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// A tag and its place in the queue, which it gives back when it is taken.
#[derive(Debug)]
struct Queued {
    tag: Tag,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// Bytes that are counted for as long as this lives.
#[derive(Debug)]
struct Counted {
    bytes: usize,
    counters: [Arc<AtomicUsize>; 2],
}

impl Counted {
    fn new(bytes: usize, counters: [Arc<AtomicUsize>; 2]) -> Self {
        for counter in &counters {
            counter.fetch_add(bytes, Ordering::Relaxed);
        }
        Self { bytes, counters }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        for counter in &self.counters {
            counter.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

/// The end of a publication at which tags are put in.
#[derive(Debug, Clone)]
pub(super) struct Feed {
    tags: mpsc::UnboundedSender<Queued>,
    places: Arc<Semaphore>,
    capacity: u32,
    ending: Arc<OnceLock<Ending>>,
    waiting: Arc<AtomicUsize>,
    /// What waits in the queues of all publications.
    all: Arc<AtomicUsize>,
}

/// What a publication is about.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) permit: Permit,
    pub(super) peer: SocketAddr,
    pub(super) client: String,
}

/// Both ends of a queue of so many bytes. What waits is counted in `all` as well.
pub(super) fn publication(head: Head, queue: usize, all: Arc<AtomicUsize>) -> (Feed, Publication) {
    // Unbounded in number: each tag needs places for its bytes first.
    let (sender, tags) = mpsc::unbounded_channel();
    let capacity = u32::try_from(queue.clamp(1, Semaphore::MAX_PERMITS)).unwrap_or(u32::MAX);
    let places = Arc::new(Semaphore::new(usize::try_from(capacity).unwrap_or(queue)));
    let (ending, waiting) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
    let Head { permit: Permit { stream, policy, key }, peer, client } = head;
    let publication = Publication {
        stream,
        policy,
        key,
        peer,
        client,
        tags,
        ending: Arc::clone(&ending),
        waiting: Arc::clone(&waiting),
    };
    (Feed { tags: sender, places, capacity, ending, waiting, all }, publication)
}

impl Feed {
    /// Puts a tag in if there is room.
    pub(super) fn try_put(&self, tag: &Tag) -> bool {
        match Arc::clone(&self.places).try_acquire_many_owned(self.wanted(tag)) {
            Ok(place) => self.send(tag.clone(), place),
            Err(_) => return false,
        }
        true
    }

    /// Waits for room and puts a tag in. Without effect where the publication was dropped. Cancel-safe: a tag is in or
    /// it is not.
    pub(super) async fn put(&self, tag: Tag) {
        if let Ok(place) = Arc::clone(&self.places).acquire_many_owned(self.wanted(&tag)).await {
            self.send(tag, place);
        }
    }

    /// A tag that is larger than the queue waits until it is alone.
    fn wanted(&self, tag: &Tag) -> u32 {
        u32::try_from(cost(tag)).unwrap_or(u32::MAX).min(self.capacity)
    }

    fn send(&self, tag: Tag, place: OwnedSemaphorePermit) {
        let counted = Counted::new(cost(&tag), [Arc::clone(&self.waiting), Arc::clone(&self.all)]);
        let _gone = self.tags.send(Queued { tag, _place: place, _counted: counted });
    }

    /// Waits until the publication is dropped. Cancel-safe.
    pub(super) async fn dropped(&self) {
        self.tags.closed().await;
    }

    /// The last word.
    pub(super) fn end(self, ending: Ending) {
        let _once = self.ending.set(ending);
    }
}

fn cost(tag: &Tag) -> usize {
    tag.data.len().saturating_add(TAG_COST)
}

/// What a tag takes beside its data.
const TAG_COST: usize = 128;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::super::TagKind;
    use super::*;

    fn queue(bytes: usize) -> (Feed, Publication) {
        let head = Head {
            permit: Permit { stream: "one".parse().unwrap(), policy: ShowPolicy::default(), key: None },
            peer: ([127, 0, 0, 1], 1).into(),
            client: String::new(),
        };
        publication(head, bytes, Arc::default())
    }

    fn tag(bytes: usize) -> Tag {
        Tag { kind: TagKind::Video, at_ms: 0, data: Bytes::from(vec![0; bytes]) }
    }

    #[tokio::test]
    async fn a_full_queue_waits_for_its_reader_and_a_large_tag_for_an_empty_one() {
        let (feed, mut publication) = queue(1_000);
        let writer = async {
            for bytes in [300, 300, 300, 5_000, 1] {
                feed.put(tag(bytes)).await;
            }
        };
        let mut most = 0;
        let reader = async {
            let mut lengths = Vec::new();
            while lengths.len() < 5 {
                most = publication.waiting().max(most);
                lengths.push(publication.next().await.unwrap().data.len());
            }
            lengths
        };
        let ((), lengths) = tokio::join!(writer, reader);
        assert_eq!(lengths, [300, 300, 300, 5_000, 1]);
        assert!(most <= 5_000 + TAG_COST, "{most}");
        assert_eq!((publication.waiting(), feed.all.load(Ordering::Relaxed)), (0, 0));
    }

    #[tokio::test]
    async fn what_waits_is_read_before_the_ending() {
        let (feed, mut publication) = queue(1_000);
        feed.put(tag(1)).await;
        assert_eq!(publication.ending(), None);
        feed.end(Ending::Silent);
        assert!(publication.next().await.is_some());
        assert_eq!(publication.next().await, None);
        assert_eq!(publication.ending(), Some(Ending::Silent));
        let (feed, mut publication) = queue(1_000);
        drop(feed);
        assert_eq!((publication.next().await, publication.ending()), (None, Some(Ending::Closed)));
    }

    #[tokio::test]
    async fn a_dropped_publication_is_noticed_and_counts_no_more() {
        let (feed, publication) = queue(1_000);
        feed.put(tag(100)).await;
        drop(publication);
        feed.dropped().await;
        assert_eq!(feed.all.load(Ordering::Relaxed), 0);
    }
}
