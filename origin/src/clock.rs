//! The one place where time is read.
//!
//! `clippy.toml` bans the system's wall clock elsewhere in this crate, so that whatever depends on the hour
//! can be tested at any hour.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use authz::UnixSeconds;

/// A wall clock and a steady one. Clones show the same time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<Manual>),
}

/// Stands still until it is told to go on.
struct Manual {
    began: Instant,
    /// Milliseconds since 1970-01-01 UTC when it began.
    epoch_ms: u64,
    passed_ms: AtomicU64,
}

impl Clock {
    /// The clocks of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands at `now` until [`Self::advance`]. For tests.
    pub fn manual(now: UnixSeconds) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            began: Instant::now(),
            epoch_ms: now.0.saturating_mul(1000),
            passed_ms: AtomicU64::new(0),
        })))
    }

    /// Whole seconds since 1970-01-01 UTC; zero where the machine's clock stands before that.
    pub fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now_millis() / 1000)
    }

    /// Whole milliseconds since 1970-01-01 UTC.
    pub fn now_millis(&self) -> u64 {
        match &self.0 {
            Source::System => system_millis(),
            Source::Manual(manual) => {
                manual.epoch_ms.saturating_add(manual.passed_ms.load(Ordering::Acquire))
            }
        }
    }

    /// A point of a clock that is never set back. Only differences mean something.
    pub fn instant(&self) -> Instant {
        match &self.0 {
            Source::System => Instant::now(),
            Source::Manual(manual) => {
                let passed = Duration::from_millis(manual.passed_ms.load(Ordering::Acquire));
                manual.began.checked_add(passed).unwrap_or(manual.began)
            }
        }
    }

    /// Lets `by` pass on a manual clock, in whole milliseconds. The machine's clock takes no notice.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            manual.passed_ms.fetch_add(by, Ordering::AcqRel);
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Source::System => "system",
            Source::Manual(_) => "manual",
        };
        write!(f, "Clock({kind}, {})", self.now())
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the place that the ban points to")]
fn system_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_goes_only_when_told() {
        let clock = Clock::manual(UnixSeconds(1_800_000_000));
        let (copy, start) = (clock.clone(), clock.instant());
        assert_eq!(clock.now(), UnixSeconds(1_800_000_000));
        clock.advance(Duration::from_millis(1500));
        assert_eq!(copy.now(), UnixSeconds(1_800_000_001));
        assert_eq!(copy.now_millis(), 1_800_000_001_500);
        assert_eq!(copy.instant() - start, Duration::from_millis(1500));
    }

    #[test]
    fn the_systems_clock_is_not_moved() {
        let clock = Clock::system();
        let before = clock.now();
        clock.advance(Duration::from_secs(1_000_000));
        assert!(clock.now().0 - before.0 < 1000);
        // 2025-01-01: this was written later.
        assert!(before.0 > 1_735_689_600);
    }
}
