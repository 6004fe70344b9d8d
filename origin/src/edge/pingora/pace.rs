//! How long a client may take for what.

use std::time::Duration;

use crate::config::Limits;

/// The paces that are asked of a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paces {
    /// For the head of a request, from its first byte on.
    pub(super) head: Duration,
    /// The most that a head may be, before anybody has read it.
    pub(super) head_bytes: usize,
    /// For an idle connection.
    pub(super) keepalive: Duration,
    /// For a write of which nothing leaves.
    pub(super) write: Duration,
    /// Bytes a second, in the average over a piece; none where everyone may be as slow as they like.
    rate: Option<u32>,
}

impl Paces {
    pub(super) fn of(limits: &Limits) -> Self {
        let rate = u32::try_from(limits.min_send_rate.as_u64()).unwrap_or(u32::MAX);
        let head_bytes = limits.header_bytes.as_u64() + limits.url_bytes.as_u64() + SLACK;
        Self {
            head: limits.head_timeout.as_duration(),
            head_bytes: usize::try_from(head_bytes).unwrap_or(usize::MAX),
            keepalive: limits.keepalive.as_duration(),
            write: limits.write_timeout.as_duration(),
            rate: (rate > 0).then_some(rate),
        }
    }

    /// For so many bytes in all. A few of them are never too slow where one write could not have been either.
    pub(super) fn whole(&self, bytes: usize) -> Option<Duration> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.rate.map(|rate| Duration::from_secs(u64::from(bytes.div_ceil(rate))).max(self.write))
    }

    /// For what TLS has taken and not sent: how much of that leaves cannot be seen.
    pub(super) fn flush(&self) -> Duration {
        self.whole(KEPT_BY_TLS).unwrap_or(self.write)
    }
}

/// Method, version and white space.
const SLACK: u64 = 4 * 1024;
/// What rustls takes before a write has to wait.
const KEPT_BY_TLS: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ByteSize, Span};

    #[test]
    fn a_piece_has_as_long_as_the_slowest_may_take_and_never_less_than_one_write() {
        let limits =
            Limits { min_send_rate: ByteSize::kib(1), write_timeout: Span::seconds(30), ..Limits::default() };
        let paces = Paces::of(&limits);
        assert_eq!(paces.whole(256 * 1024), Some(Duration::from_secs(256)));
        assert_eq!(paces.whole(600), Some(Duration::from_secs(30)));
        assert_eq!(paces.flush(), Duration::from_secs(64));
        let paces = Paces::of(&Limits { min_send_rate: ByteSize::bytes(0), ..limits });
        assert_eq!((paces.whole(1 << 30), paces.flush()), (None, Duration::from_secs(30)));
    }
}
