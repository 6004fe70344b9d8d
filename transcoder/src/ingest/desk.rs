//! One publisher for each stream.
//!
//! The newest with a right key gets the stream: an encoder that reconnects after its network failed comes before we
//! could notice that its old connection is dead. But two encoders with one key would take the stream from each other for
//! ever, since each reconnects. So a publisher that is heard of can be replaced only so many times a minute; after that,
//! whoever comes is refused, until the one that publishes was silent for a few seconds, or nobody has come for a minute.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use packager::asset::StreamName;
use tokio::time::Instant;

use super::Refusal;
use crate::Cancel;

/// Who publishes what.
#[derive(Debug)]
pub(super) struct Desk {
    began: Instant,
    takeovers: usize,
    silence: Duration,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    last: u64,
    taken: HashMap<StreamName, Seat>,
}

#[derive(Debug)]
struct Seat {
    holder: u64,
    ousted: Cancel,
    heard: Arc<AtomicU64>,
    /// This holder, and those before it that are not gone yet.
    gone: Vec<Cancel>,
    contest: Contest,
}

/// How much a stream is fought over.
#[derive(Debug, Default)]
struct Contest {
    /// When an active publisher was replaced.
    turns: VecDeque<Instant>,
    /// When somebody was last refused.
    refused: Option<Instant>,
}

/// The right to publish a stream, until it is dropped or taken over.
#[derive(Debug)]
pub(super) struct Holder {
    desk: Arc<Desk>,
    stream: StreamName,
    number: u64,
    ousted: Cancel,
    heard: Arc<AtomicU64>,
    gone: Cancel,
    before: Vec<Cancel>,
}

impl Desk {
    pub(super) fn new(takeovers: usize, silence: Duration) -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), takeovers, silence, seats: Mutex::default() })
    }

    /// Gives the stream to a new publisher, and tells the one that has it to go: wait for that with
    /// [`Holder::alone`].
    ///
    /// # Errors
    /// [`Refusal::Busy`].
    pub(super) fn claim(self: &Arc<Self>, stream: &StreamName, now: Instant) -> Result<Holder, Refusal> {
        let mut seats = self.seats();
        let (mut contest, mut before) = (Contest::default(), Vec::new());
        if let Some(seat) = seats.taken.get_mut(stream) {
            if !self.is_silent(seat, now) && !seat.contest.turn(now, self.takeovers) {
                return Err(Refusal::Busy);
            }
            seat.ousted.cancel();
            contest = std::mem::take(&mut seat.contest);
            before = std::mem::take(&mut seat.gone);
            before.retain(|gone| !gone.is_cancelled());
        }
        seats.last += 1;
        let (ousted, gone) = (Cancel::new(), Cancel::new());
        let heard = Arc::new(AtomicU64::new(self.millis(now)));
        let seat = Seat {
            holder: seats.last,
            ousted: ousted.clone(),
            heard: Arc::clone(&heard),
            gone: before.iter().chain([&gone]).cloned().collect(),
            contest,
        };
        let number = seats.last;
        seats.taken.insert(stream.clone(), seat);
        Ok(Holder { desk: Arc::clone(self), stream: stream.clone(), number, ousted, heard, gone, before })
    }

    fn is_silent(&self, seat: &Seat, now: Instant) -> bool {
        let quiet = self.millis(now).saturating_sub(seat.heard.load(Ordering::Relaxed));
        Duration::from_millis(quiet) >= self.silence
    }

    fn millis(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Contest {
    /// Whether an active publisher may be replaced once more.
    fn turn(&mut self, now: Instant, most: usize) -> bool {
        let is_recent = |then: &Instant| now.saturating_duration_since(*then) < PER;
        self.turns.retain(is_recent);
        let may = self.turns.len() < most && !self.refused.as_ref().is_some_and(is_recent);
        if may {
            self.turns.push_back(now);
        } else {
            self.refused = Some(now);
        }
        may
    }
}

impl Holder {
    /// Whether somebody had to go for it.
    pub(super) fn is_second(&self) -> bool {
        !self.before.is_empty()
    }

    /// Waits until those that had the stream before have let go of it. Cancel-safe.
    pub(super) async fn alone(&self) {
        for before in &self.before {
            before.cancelled().await;
        }
    }

    /// The publisher was heard of.
    pub(super) fn heard(&self, now: Instant) {
        self.heard.store(self.desk.millis(now), Ordering::Relaxed);
    }

    /// Waits until somebody newer has the stream. Cancel-safe.
    pub(super) async fn ousted(&self) {
        self.ousted.cancelled().await;
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let mut seats = self.desk.seats();
        if seats.taken.get(&self.stream).is_some_and(|seat| seat.holder == self.number) {
            seats.taken.remove(&self.stream);
        }
        self.gone.cancel();
    }
}

/// Takeovers are counted over this time.
const PER: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn stream() -> StreamName {
        "one".parse().unwrap()
    }

    #[tokio::test]
    async fn the_newest_gets_the_stream_when_the_others_have_let_go() {
        let desk = Desk::new(3, Duration::from_secs(3));
        let now = Instant::now();
        let [first, second, third] = [now; 3].map(|now| desk.claim(&stream(), now).unwrap());
        first.ousted().await;
        second.ousted().await;
        drop(second);
        let waits = tokio::time::timeout(Duration::from_millis(1), third.alone()).await;
        assert!(waits.is_err(), "the first has not let go");
        drop(first);
        third.alone().await;
        drop(third);
        assert!(desk.seats().taken.is_empty());
    }

    #[test]
    fn active_publishers_do_not_take_a_stream_from_each_other_for_ever() {
        let desk = Desk::new(3, Duration::from_secs(3));
        let began = Instant::now();
        let at = |millis| began + Duration::from_millis(millis);
        let mut holder = desk.claim(&stream(), at(0)).unwrap();
        for turn in 1..=3 {
            holder = desk.claim(&stream(), at(turn * 1_000)).unwrap();
        }
        assert_eq!(desk.claim(&stream(), at(4_000)).unwrap_err(), Refusal::Busy);
        holder.heard(at(5_000));
        assert_eq!(desk.claim(&stream(), at(7_900)).unwrap_err(), Refusal::Busy);
        let mut holder = desk.claim(&stream(), at(8_000)).expect("the one that publishes was silent");
        for attempt in 1..=4 {
            holder.heard(at(attempt * 50_000));
            let busy = desk.claim(&stream(), at(attempt * 50_000)).unwrap_err();
            assert_eq!(busy, Refusal::Busy, "who keeps coming keeps being refused");
        }
        for turn in 260..263 {
            holder.heard(at(turn * 1_000));
            holder = desk.claim(&stream(), at(turn * 1_000)).expect("a minute of peace gives turns again");
        }
        assert_eq!(desk.claim(&stream(), at(264_000)).unwrap_err(), Refusal::Busy);
        drop(holder);
        assert!(desk.claim(&stream(), at(264_000)).is_ok(), "a free stream is free");
    }

    #[tokio::test]
    async fn streams_do_not_know_each_other() {
        let desk = Desk::new(0, Duration::from_secs(3));
        let _one = desk.claim(&stream(), Instant::now()).unwrap();
        let _two = desk.claim(&"two".parse().unwrap(), Instant::now()).unwrap();
        assert_eq!(desk.claim(&stream(), Instant::now()).unwrap_err(), Refusal::Busy);
    }
}
