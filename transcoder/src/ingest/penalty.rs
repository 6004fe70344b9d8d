//! Whoever tries keys waits longer each time.
//!
//! The first wrong key costs an address half a second before its next attempt is looked at, each further one twice as
//! much. Attempts of one address wait in line, so many connections do not help; a line that is too long is refused at
//! once. All is forgotten after some minutes without a wrong key, and the number of addresses remembered is bounded.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::host::Host;

/// Addresses that gave wrong keys.
#[derive(Debug)]
pub(super) struct Penalties {
    limit: usize,
    known: Mutex<HashMap<Host, Record>>,
}

#[derive(Debug, Clone, Copy)]
struct Record {
    failures: u32,
    last: Instant,
    /// When the next attempt is looked at.
    free: Instant,
}

impl Penalties {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), known: Mutex::default() }
    }

    /// When an attempt may be looked at: its place in line. `None` where the line is too long.
    pub(super) fn turn(&self, host: Host, now: Instant) -> Option<Instant> {
        let mut known = self.known();
        let Some(record) = known.get_mut(&host) else { return Some(now) };
        if now.saturating_duration_since(record.last) >= MEMORY {
            known.remove(&host);
            return Some(now);
        }
        let turn = record.free.max(now);
        if turn.saturating_duration_since(now) > LONGEST_WAIT {
            return None;
        }
        record.free = turn + pause(record.failures);
        Some(turn)
    }

    /// A key was wrong.
    pub(super) fn failed(&self, host: Host, now: Instant) {
        let mut known = self.known();
        if known.len() >= self.limit && !known.contains_key(&host) {
            known.retain(|_, record| now.saturating_duration_since(record.last) < MEMORY);
            if known.len() >= self.limit {
                let oldest = known.iter().min_by_key(|(_, record)| record.last).map(|(host, _)| *host);
                oldest.and_then(|host| known.remove(&host));
            }
        }
        let record = known.entry(host).or_insert(Record { failures: 0, last: now, free: now });
        record.failures = record.failures.saturating_add(1);
        record.last = now;
        record.free = record.free.max(now + pause(record.failures));
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Host, Record>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn pause(failures: u32) -> Duration {
    FIRST_PAUSE.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST_PAUSE)
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Nobody waits longer for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
const MEMORY: Duration = Duration::from_secs(300);

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn host(last: u8) -> Host {
        IpAddr::from([192, 0, 2, last]).into()
    }

    #[test]
    fn the_pause_grows_until_attempts_are_refused_and_is_forgotten_later() {
        let penalties = Penalties::new(8);
        let now = Instant::now();
        assert_eq!(penalties.turn(host(1), now), Some(now));
        penalties.failed(host(1), now);
        let waits: Vec<_> = (0..6)
            .map(|_| {
                let turn = penalties.turn(host(1), now)?;
                penalties.failed(host(1), turn);
                Some(turn.duration_since(now).as_millis())
            })
            .collect();
        assert_eq!(waits, [Some(500), Some(1_500), Some(3_500), None, None, None]);
        assert_eq!(penalties.turn(host(2), now), Some(now), "others do not wait");
        let later = now + Duration::from_secs(60);
        assert_eq!(penalties.turn(host(1), later), Some(later), "it may try again");
        let later = later + MEMORY;
        assert_eq!(penalties.turn(host(1), later), Some(later));
        assert!(penalties.known().is_empty());
    }

    #[test]
    fn many_connections_of_one_address_wait_in_one_line() {
        let penalties = Penalties::new(8);
        let now = Instant::now();
        penalties.failed(host(1), now);
        let turns: Vec<_> = (0..3).map(|_| penalties.turn(host(1), now).unwrap()).collect();
        assert_eq!(turns.windows(2).filter(|pair| pair[1] > pair[0]).count(), 2, "{turns:?}");
    }

    #[test]
    fn the_table_is_bounded_and_the_oldest_is_forgotten() {
        let (penalties, began) = (Penalties::new(8), Instant::now());
        for last in 0..100 {
            penalties.failed(host(last), began + Duration::from_millis(last.into()));
        }
        assert_eq!(penalties.known().len(), 8);
        assert!(penalties.known().contains_key(&host(99)));
    }

    #[test]
    fn an_address_of_ipv6_is_a_network() {
        let host = |text: &str| Host::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(host("2001:db8:1:2:3::4"), host("2001:db8:1:2::9"));
        assert_ne!(host("2001:db8:1:2::"), host("2001:db8:1:3::"));
        assert_eq!(host("::ffff:192.0.2.1"), host("192.0.2.1"));
    }
}
