//! Waiting for something to become true.

use std::thread;
use std::time::{Duration, Instant};

/// How long a story waits for anything that should happen at once. Far above what a loaded two-core machine needs, so
/// that only a real fault reaches it.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `look` until it has an answer.
///
/// # Panics
/// When [`PATIENCE`] is over; `what` says what never came.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    within(PATIENCE, look).unwrap_or_else(|| panic!("waited {} s in vain for {what}", PATIENCE.as_secs()))
}

/// Asks `look` until it has an answer or `limit` is over.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
