//! What is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::Refusal;

/// A look at the counters of an [`super::Ingest`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections now.
    pub connections: usize,
    /// Those of them that do not publish.
    pub pending: usize,
    /// Bytes that connections make us hold now: not read yet, in unfinished messages, in answers.
    pub held: usize,
    /// Bytes of tags that wait for their readers now.
    pub waiting: usize,
    /// Publishers that were let in.
    pub admitted: u64,
    /// Publishers that took a stream over from another.
    pub taken_over: u64,
    /// Publishers refused for a wrong key.
    pub wrong_key: u64,
    /// Publishers refused for too many wrong keys.
    pub penalty: u64,
    /// Publishers refused since the stream has another.
    pub busy: u64,
    /// Publishers refused since the key could not be looked up, or nobody took the show.
    pub unavailable: u64,
    /// Connections that broke the protocol.
    pub malformed: u64,
    /// Connections that never published: closed or dropped by us after [`super::Limits::setup`].
    pub idle: u64,
    /// Connections that had to go for others.
    pub crowded: u64,
}

/// The counters.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) held: AtomicUsize,
    pub(super) waiting: Arc<AtomicUsize>,
    pub(super) admitted: AtomicU64,
    pub(super) taken_over: AtomicU64,
    pub(super) malformed: AtomicU64,
    pub(super) idle: AtomicU64,
    pub(super) crowded: AtomicU64,
    wrong_key: AtomicU64,
    penalty: AtomicU64,
    busy: AtomicU64,
    unavailable: AtomicU64,
}

impl Tally {
    pub(super) fn refused(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::WrongKey => &self.wrong_key,
            Refusal::Penalty => &self.penalty,
            Refusal::Busy => &self.busy,
            Refusal::Unavailable => &self.unavailable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self, (connections, pending): (usize, usize)) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            connections,
            pending,
            held: self.held.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            admitted: read(&self.admitted),
            taken_over: read(&self.taken_over),
            wrong_key: read(&self.wrong_key),
            penalty: read(&self.penalty),
            busy: read(&self.busy),
            unavailable: read(&self.unavailable),
            malformed: read(&self.malformed),
            idle: read(&self.idle),
            crowded: read(&self.crowded),
        }
    }
}
