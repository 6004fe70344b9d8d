//! What is counted of archives.

use std::time::Duration;

use prometheus::{Gauge, IntCounter, IntGauge, Registry};

use super::family::registered;
use super::live::Present;
use super::{Named, set};

/// The counters of archives.
#[derive(Debug)]
pub struct ArchiveMetrics {
    segments: IntCounter,
    bytes: IntCounter,
    pages: IntCounter,
    failures: IntCounter,
    lost: IntCounter,
    held: IntGauge,
    lag: Gauge,
    spool: IntGauge,
}

impl ArchiveMetrics {
    pub(super) fn new(r: &Registry) -> prometheus::Result<Self> {
        let counter = |(name, help): Named| registered(r, IntCounter::new(name, help)?);
        let gauge = |(name, help): Named| registered(r, IntGauge::new(name, help)?);
        Ok(Self {
            segments: counter(SEGMENTS)?,
            bytes: counter(BYTES)?,
            pages: counter(PAGES)?,
            failures: counter(FAILURES)?,
            lost: counter(LOST)?,
            held: gauge(HELD)?,
            lag: registered(r, Gauge::new(LAG.0, LAG.1)?)?,
            spool: gauge(SPOOL)?,
        })
    }

    /// A segment was put into the store.
    pub fn stored(&self, bytes: u64) {
        self.segments.inc();
        self.bytes.inc_by(bytes);
    }

    /// A page was committed.
    pub fn paged(&self) {
        self.pages.inc();
    }

    /// Something was not put, and will be tried again.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// So many segments are lost: they could be kept nowhere.
    pub fn lost(&self, count: u64) {
        self.lost.inc_by(count);
    }

    /// This origin writes the archive of a show, as long as the value lives.
    pub fn holds(&self) -> Present {
        Present::new(&self.held)
    }

    /// How far the archive of the show that is furthest behind is.
    pub fn lags(&self, behind: Duration) {
        self.lag.set(behind.as_secs_f64());
    }

    /// Bytes in the spool.
    pub fn spools(&self, bytes: u64) {
        set(Some(&self.spool), bytes);
    }
}

const SEGMENTS: Named = ("forebay_archive_segments_total", "Segments that were put into the store.");
const BYTES: Named = ("forebay_archive_bytes_total", "Bytes of segments that were put into the store.");
const PAGES: Named = ("forebay_archive_pages_total", "Pages that were committed: a minute of a show each.");
const FAILURES: Named =
    ("forebay_archive_failures_total", "Rounds in which the store or the database took something not.");
const LOST: Named = ("forebay_archive_lost_segments_total", "Segments that could be kept nowhere.");
const HELD: Named = ("forebay_archive_held_shows", "Shows whose archive this origin writes.");
const LAG: Named = (
    "forebay_archive_lag_seconds",
    "How much media of the show that is furthest behind is not in the store yet.",
);
const SPOOL: Named =
    ("forebay_archive_spool_bytes", "Bytes of segments on the disk that wait for the store.");
