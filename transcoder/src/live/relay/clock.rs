//! What time it is, for a show.

use std::time::Duration;

use tokio::time::Instant;

/// Unix time that runs evenly: the wall clock is asked once, and from then on time passes as the machine's monotonic
/// clock says. Whoever sets the machine's clock in the meantime changes nothing about a show that is running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SteadyClock {
    anchor: Instant,
    unix: Duration,
}

impl SteadyClock {
    /// A clock that says `unix` now, the time since 1970-01-01 UTC.
    pub fn starting_at(unix: Duration) -> Self {
        Self { anchor: Instant::now(), unix }
    }

    /// Milliseconds since 1970-01-01 UTC.
    pub fn now_ms(&self) -> i64 {
        let now = self.unix.saturating_add(self.anchor.elapsed());
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }
}
