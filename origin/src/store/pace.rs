//! How long a store wants to be left in peace (RFC 9110 §15.6.4, RFC 6585 §4): what it says with 429 and 503.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Until when no question is put again.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Option<Instant>>);

impl Pace {
    /// The store asks for peace, for so long if it says how long.
    #[cfg_attr(not(feature = "s3"), expect(dead_code, reason = "only what is reached over HTTP says so"))]
    pub(super) fn slow_down(&self, wanted: Option<Duration>) {
        let until = Instant::now() + wanted.unwrap_or(USUAL).min(LONGEST);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *known = (*known).max(Some(until));
    }

    /// How long that still is.
    pub(super) fn wait(&self) -> Duration {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// Where it does not say how long.
const USUAL: Duration = Duration::from_millis(200);
/// Whatever it says.
const LONGEST: Duration = Duration::from_secs(5);
