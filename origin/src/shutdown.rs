//! The end of the process, in order.
//!
//! ```text
//! Running ──drain()──▶ Draining ──stop()──▶ Stopping
//!    │     readiness is false,   │   tasks end at their
//!    │     work goes on          │   next await
//!    └────────────stop()─────────┘
//! ```
//!
//! A load balancer needs the time in between to notice that this node is leaving; whoever still holds a
//! connection is served until the grace is over.

use std::time::Duration;

use tokio::sync::watch;

/// How far the shutdown has come. Never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serving.
    Running,
    /// Serving, but no longer ready: new work should go elsewhere.
    Draining,
    /// Tasks end.
    Stopping,
}

/// The hand on the switch. Clones switch the same thing.
#[derive(Debug, Clone)]
pub struct Shutdown {
    phase: watch::Sender<Phase>,
}

/// The switch as tasks see it. Clones see the same one.
#[derive(Debug, Clone)]
pub struct Signal {
    phase: watch::Receiver<Phase>,
}

impl Shutdown {
    /// A process that runs.
    pub fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Running) }
    }

    /// A view for a task to await.
    pub fn signal(&self) -> Signal {
        Signal { phase: self.phase.subscribe() }
    }

    /// Readiness becomes false. Nothing else changes.
    pub fn drain(&self) {
        self.advance(Phase::Draining);
    }

    /// Everything ends.
    pub fn stop(&self) {
        self.advance(Phase::Stopping);
    }

    /// Drains, waits for `grace`, stops. A second caller's [`Self::stop`] ends the wait. Cancelled, it
    /// leaves the process draining.
    pub async fn wind_down(&self, grace: Duration) {
        self.drain();
        let signal = self.signal();
        // Either way it is time.
        let _ = tokio::time::timeout(grace, signal.stopping()).await;
        self.stop();
    }

    fn advance(&self, to: Phase) {
        self.phase.send_if_modified(|phase| {
            let further = *phase < to;
            *phase = to.max(*phase);
            further
        });
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Signal {
    /// Where the shutdown stands now.
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Waits until the process drains or stops; at once if it does. Cancel-safe.
    pub async fn draining(&self) {
        self.reached(Phase::Draining).await;
    }

    /// Waits until the process stops; at once if it does. Cancel-safe.
    pub async fn stopping(&self) {
        self.reached(Phase::Stopping).await;
    }

    async fn reached(&self, phase: Phase) {
        let mut view = self.phase.clone();
        if view.wait_for(|now| *now >= phase).await.is_err() {
            // No hand is left on the switch: it stays as it is.
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn readiness_ends_before_the_grace_and_tasks_after_it() {
        let shutdown = Shutdown::new();
        let signal = shutdown.signal();
        assert_eq!(signal.phase(), Phase::Running);
        let began = tokio::time::Instant::now();
        let winding = tokio::spawn(async move { shutdown.wind_down(Duration::from_secs(30)).await });
        signal.draining().await;
        assert_eq!((signal.phase(), began.elapsed()), (Phase::Draining, Duration::ZERO));
        signal.stopping().await;
        assert_eq!((signal.phase(), began.elapsed()), (Phase::Stopping, Duration::from_secs(30)));
        winding.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_stop_ends_the_grace() {
        let shutdown = Shutdown::new();
        let (other, signal) = (shutdown.clone(), shutdown.signal());
        let began = tokio::time::Instant::now();
        let winding = tokio::spawn(async move { shutdown.wind_down(Duration::from_secs(30)).await });
        signal.draining().await;
        other.stop();
        winding.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        other.drain();
        assert_eq!(signal.phase(), Phase::Stopping);
    }

    #[tokio::test(start_paused = true)]
    async fn a_switch_that_nobody_holds_stays_as_it_is() {
        let (running, stopped) = (Shutdown::new().signal(), Shutdown::new());
        let waited = tokio::time::timeout(Duration::from_secs(3600), running.draining()).await;
        assert!(waited.is_err() && running.phase() == Phase::Running);
        let signal = stopped.signal();
        stopped.stop();
        drop(stopped);
        signal.stopping().await;
    }
}
