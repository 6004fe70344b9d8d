//! What is counted of live shows, stage by stage.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, Registry};

use super::family::{Family, counters, registered, seconds};
use super::label::{Dropped, Held, IngestEnd};
use super::{Named, count, observe, set};

/// The counters of the live room.
#[derive(Debug)]
pub struct LiveMetrics {
    chunks: IntCounter,
    received: IntCounter,
    parts: IntCounter,
    segments: IntCounter,
    holes: IntCounter,
    dropped: Family<IntCounter>,
    ends: Family<IntCounter>,
    listing: Histogram,
    rendering: Histogram,
    delay: Histogram,
    held: Family<Histogram>,
    waking: Histogram,
    waiting: IntGauge,
    refused: IntCounter,
    shows: IntGauge,
    senders: IntGauge,
    bytes: IntGauge,
}

/// Something that is counted as long as this lives.
#[derive(Debug)]
pub struct Present(IntGauge);

impl Present {
    pub(super) fn new(gauge: &IntGauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl LiveMetrics {
    pub(super) fn new(r: &Registry) -> prometheus::Result<Self> {
        let counter = |(name, help): Named| registered(r, IntCounter::new(name, help)?);
        let gauge = |(name, help): Named| registered(r, IntGauge::new(name, help)?);
        let timer = |(name, help): Named| registered(r, Histogram::with_opts(seconds(name, help))?);
        Ok(Self {
            chunks: counter(CHUNKS)?,
            received: counter(RECEIVED)?,
            parts: counter(PARTS)?,
            segments: counter(SEGMENTS)?,
            holes: counter(HOLES)?,
            dropped: counters::<Dropped>(r, DROPPED, "reason")?,
            ends: counters::<IngestEnd>(r, ENDS, "reason")?,
            listing: timer(LISTING)?,
            rendering: timer(RENDERING)?,
            delay: timer(DELAY)?,
            held: super::family::timers::<Held>(r, HELD, "outcome")?,
            waking: timer(WAKING)?,
            waiting: gauge(WAITING)?,
            refused: counter(REFUSED)?,
            shows: gauge(SHOWS)?,
            senders: gauge(SENDERS)?,
            bytes: gauge(BYTES)?,
        })
    }

    /// Bytes of a sender arrived.
    pub fn received(&self, bytes: usize) {
        self.received.inc_by(bytes as u64);
    }

    /// A chunk was taken; `took` is the time from its last byte to the moment its parts were listed.
    pub fn chunk(&self, parts: u32, segments: u32, holes: u32, took: Duration) {
        self.chunks.inc();
        self.parts.inc_by(u64::from(parts));
        self.segments.inc_by(u64::from(segments));
        self.holes.inc_by(u64::from(holes));
        self.listing.observe(took.as_secs_f64());
    }

    /// How long after its capture, by the sender's clock, a chunk was listed.
    pub fn captured_ago(&self, delay: Duration) {
        self.delay.observe(delay.as_secs_f64());
    }

    /// Samples that were not used.
    pub fn dropped(&self, why: Dropped, samples: u32) {
        count(self.dropped.at(why), u64::from(samples));
    }

    /// A sender's request ended.
    pub fn ended(&self, how: IngestEnd) {
        count(self.ends.at(how), 1);
    }

    /// A playlist was written and compressed.
    pub fn rendered(&self, took: Duration) {
        self.rendering.observe(took.as_secs_f64());
    }

    /// A request that waited is over.
    pub fn held(&self, outcome: Held, took: Duration) {
        observe(self.held.at(outcome), took);
    }

    /// A request that waited has its answer; `took` is the time since what it waited for was listed.
    pub fn woke(&self, took: Duration) {
        self.waking.observe(took.as_secs_f64());
    }

    /// A request waits, as long as the value lives.
    pub fn wait(&self) -> Present {
        Present::new(&self.waiting)
    }

    /// A request would have waited, but too many did.
    pub fn refused(&self) {
        self.refused.inc();
    }

    /// A show is running here, as long as the value lives.
    pub fn show(&self) -> Present {
        Present::new(&self.shows)
    }

    /// Somebody sends, as long as the value lives.
    pub fn sender(&self) -> Present {
        Present::new(&self.senders)
    }

    /// Bytes of media that all shows hold.
    pub fn holds(&self, bytes: u64) {
        set(Some(&self.bytes), bytes);
    }
}

const CHUNKS: Named = ("forebay_live_chunks_total", "Chunks that were taken from senders.");
const RECEIVED: Named = ("forebay_live_received_bytes_total", "Bytes that senders sent.");
const PARTS: Named = ("forebay_live_parts_total", "Parts that were listed.");
const SEGMENTS: Named = ("forebay_live_segments_total", "Segments that became whole.");
const HOLES: Named = ("forebay_live_holes_total", "Holes in a timeline that were bridged.");
const DROPPED: Named = ("forebay_live_dropped_samples_total", "Samples that were not used.");
const ENDS: Named = ("forebay_live_ingest_ends_total", "Requests of senders that ended, and how.");
const LISTING: Named = (
    "forebay_live_chunk_to_part_seconds",
    "From the last byte of a chunk to the moment its parts are listed.",
);
const RENDERING: Named =
    ("forebay_live_render_seconds", "Time to write and compress one form of a playlist.");
const DELAY: Named = (
    "forebay_live_capture_delay_seconds",
    "From the capture that a chunk tells of to the moment it is listed.",
);
const HELD: Named = ("forebay_live_hold_seconds", "How long requests were held.");
const WAKING: Named = (
    "forebay_live_wake_seconds",
    "From the moment a part is listed to the answer of a request that waited for it.",
);
const WAITING: Named = ("forebay_live_waiting_requests", "Requests that are held now.");
const REFUSED: Named =
    ("forebay_live_refused_waits_total", "Requests that were not held because too many were.");
const SHOWS: Named = ("forebay_live_running_shows", "Shows that are running here.");
const SENDERS: Named = ("forebay_live_connected_senders", "Requests of senders that are open.");
const BYTES: Named = ("forebay_live_held_bytes", "Bytes of live media in memory.");
