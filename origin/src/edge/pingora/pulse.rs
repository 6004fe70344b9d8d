//! What the transport of a connection tells those who answer on it: that a head has begun, and since when nothing moves.
//!
//! ```text
//!                     heard, half                     due
//! Gather ── reads ───▶ Pulse ◀── looked at after each poll ── who waits on the connection: one timer
//!        ── writes ──▶
//!                     stuck
//! ```
//!
//! While a head is read, an answer is written or HTTP/2 is spoken, Pingora owns the stream. Its deadlines are for single
//! reads, begin anew with each byte, and know nothing of progress within a write. So the stream says what happens, and
//! nobody needs a task or a timer beside the one that waits anyhow.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::pace::Paces;

/// The state of one connection's transport. Its stream writes it, and who waits on that reads it, in the same task.
#[derive(Debug)]
pub(super) struct Pulse {
    paces: Paces,
    /// When the connection was accepted. Moments are milliseconds since then.
    born: Instant,
    /// Bytes that came since a head is awaited.
    heard: AtomicUsize,
    /// Since when a head, or a frame of HTTP/2, has begun and is not whole.
    half: AtomicU64,
    /// Until when the write that waits may wait.
    stuck: AtomicU64,
}

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// A write of which nothing was taken.
    Write,
    /// A flush, which may be sending all the while.
    Flush,
}

impl Pulse {
    /// That of a connection that was just accepted: its first head is awaited.
    pub(super) fn new(paces: &Paces) -> Arc<Self> {
        Arc::new(Self {
            paces: *paces,
            born: Instant::now(),
            heard: AtomicUsize::new(0),
            half: AtomicU64::new(0),
            stuck: AtomicU64::new(NEVER),
        })
    }

    /// Bytes came in.
    pub(super) fn hears(&self, bytes: usize) {
        if self.heard.fetch_add(bytes, Ordering::Relaxed) == 0 {
            self.begins();
        }
    }

    /// Whether what came in ends within a frame, or between the frames of a head.
    pub(super) fn frames(&self, is_half: bool) {
        match is_half {
            true => self.begins(),
            false => self.half.store(NEVER, Ordering::Relaxed),
        }
    }

    /// Something that goes out waits.
    pub(super) fn waits(&self, what: Waiting) {
        if self.stuck.load(Ordering::Relaxed) == NEVER {
            let patience = match what {
                Waiting::Write => self.paces.write,
                Waiting::Flush => self.paces.flush(),
            };
            self.stuck.store(self.now().saturating_add(millis(patience)), Ordering::Relaxed);
        }
    }

    /// Something went out.
    pub(super) fn moves(&self) {
        self.stuck.store(NEVER, Ordering::Relaxed);
    }

    /// The next head of an HTTP/1 connection is awaited, of which so many bytes are here.
    pub(super) fn awaits_head(&self, already: usize) {
        self.half.store(NEVER, Ordering::Relaxed);
        self.heard.store(0, Ordering::Relaxed);
        if already > 0 {
            self.hears(already);
        }
    }

    /// How many bytes came since then.
    pub(super) fn heard(&self) -> usize {
        self.heard.load(Ordering::Relaxed)
    }

    /// Until when the head that has begun must be whole, if one has.
    pub(super) fn head_due(&self) -> Option<Instant> {
        let since = self.half.load(Ordering::Relaxed);
        (since != NEVER).then(|| self.born + Duration::from_millis(since) + self.paces.head)
    }

    /// Until when what waits to go out must move, if anything does.
    pub(super) fn write_due(&self) -> Option<Instant> {
        let due = self.stuck.load(Ordering::Relaxed);
        (due != NEVER).then(|| self.born + Duration::from_millis(due))
    }

    /// Of HTTP/2: nothing is read while nothing can be written, which is not the client's fault twice.
    pub(super) fn due(&self) -> Option<Instant> {
        self.write_due().or_else(|| self.head_due())
    }

    fn begins(&self) {
        if self.half.load(Ordering::Relaxed) == NEVER {
            self.half.store(self.now(), Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        millis(self.born.elapsed())
    }
}

/// Does `work` until it is done, or until the moment has come that `due` tells after each of its steps. A moment that moves
/// on each time never comes.
pub(super) async fn within<T>(
    work: impl Future<Output = T>,
    mut due: impl FnMut() -> Option<Instant>,
) -> Option<T> {
    let (mut work, mut timer) = (pin!(work), pin!(sleep_until(Instant::now())));
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        let Some(due) = due() else { return Poll::Pending };
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(NEVER)
}

const NEVER: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;
    use crate::config::Limits;

    fn pulse() -> Arc<Pulse> {
        Pulse::new(&Paces::of(&Limits::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_head_is_awaited_from_the_start_and_the_next_from_its_first_byte() {
        let (pulse, born) = (pulse(), Instant::now());
        assert_eq!(pulse.head_due(), Some(born + Duration::from_secs(10)));
        pulse.awaits_head(0);
        assert_eq!(pulse.head_due(), None);
        sleep(Duration::from_secs(300)).await;
        pulse.hears(1);
        sleep(Duration::from_secs(3)).await;
        pulse.hears(1);
        assert_eq!(pulse.head_due(), Some(born + Duration::from_secs(310)), "more of it is no new beginning");
        pulse.awaits_head(7);
        assert_eq!((pulse.heard(), pulse.head_due()), (7, Some(born + Duration::from_secs(313))));
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_when_nothing_has_moved_for_long_enough() {
        let (pulse, born) = (pulse(), Instant::now());
        let work = async {
            for _ in 0..5 {
                pulse.waits(Waiting::Write);
                sleep(Duration::from_secs(20)).await;
                pulse.moves();
            }
            pulse.waits(Waiting::Write);
            pending::<()>().await;
        };
        assert_eq!(within(work, || pulse.write_due()).await, None);
        assert_eq!(born.elapsed(), Duration::from_secs(130));
        assert_eq!(within(async { 7 }, || pulse.write_due()).await, Some(7), "what is done is never late");
    }
}
