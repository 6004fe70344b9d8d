//! What is counted of live streams that are worked on.

use std::sync::Arc;

use packager::asset::StreamName;
use prometheus::{IntCounter, IntGauge, Registry};
use transcoder::ingest::Counts;
use transcoder::live::relay::Event;
use transcoder::worker::Watcher;

use super::family::{Family, counters, registered};
use super::label::{Label as _, RtmpEnd, WorkEvent};
use super::{Named, count, set};

/// The counters of a worker.
#[derive(Debug, Clone)]
pub struct WorkMetrics {
    events: Arc<Family<IntCounter>>,
    shows: IntGauge,
    connections: IntGauge,
    pending: IntGauge,
    waiting: IntGauge,
    admitted: IntCounter,
    taken_over: IntCounter,
    ends: Arc<Family<IntCounter>>,
}

impl WorkMetrics {
    pub(super) fn new(r: &Registry) -> prometheus::Result<Self> {
        let counter = |(name, help): Named| registered(r, IntCounter::new(name, help)?);
        let gauge = |(name, help): Named| registered(r, IntGauge::new(name, help)?);
        Ok(Self {
            events: Arc::new(counters::<WorkEvent>(r, EVENTS, "event")?),
            shows: gauge(SHOWS)?,
            connections: gauge(CONNECTIONS)?,
            pending: gauge(PENDING)?,
            waiting: gauge(WAITING)?,
            admitted: counter(ADMITTED)?,
            taken_over: counter(TAKEN_OVER)?,
            ends: Arc::new(counters::<RtmpEnd>(r, ENDS, "reason")?),
        })
    }

    /// The counters of publishers' connections, as they are now.
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon takes publishers"))]
    pub(crate) fn counts(&self, counts: &Counts) {
        let size = |bytes: usize| u64::try_from(bytes).unwrap_or(u64::MAX);
        set(Some(&self.connections), size(counts.connections));
        set(Some(&self.pending), size(counts.pending));
        set(Some(&self.waiting), size(counts.waiting.saturating_add(counts.held)));
        reach(Some(&self.admitted), counts.admitted);
        reach(Some(&self.taken_over), counts.taken_over);
        for (end, now) in [
            (RtmpEnd::WrongKey, counts.wrong_key),
            (RtmpEnd::Penalty, counts.penalty),
            (RtmpEnd::Busy, counts.busy),
            (RtmpEnd::Unavailable, counts.unavailable),
            (RtmpEnd::Malformed, counts.malformed),
            (RtmpEnd::Idle, counts.idle),
            (RtmpEnd::Crowded, counts.crowded),
        ] {
            reach(self.ends.at(end), now);
        }
    }

    /// Counts and logs what happens to shows.
    #[cfg_attr(not(feature = "daemon"), expect(dead_code, reason = "only the daemon makes shows"))]
    pub(crate) fn watcher(&self) -> Arc<dyn Watcher> {
        Arc::new(self.clone())
    }
}

/// Brings a counter to where another stands that counts the same.
fn reach(counter: Option<&IntCounter>, now: u64) {
    let behind = counter.map_or(0, |counter| now.saturating_sub(counter.get()));
    count(counter, behind);
}

impl Watcher for WorkMetrics {
    fn begins(&self, _: &StreamName) {
        self.shows.inc();
    }

    fn happens(&self, stream: &StreamName, event: &Event) {
        let reason = event.reason();
        tracing::info!(%stream, reason, "{event}");
        let known = WorkEvent::ALL.iter().find(|known| known.text() == reason);
        count(self.events.at(*known.unwrap_or(&WorkEvent::Other)), 1);
    }

    fn ends(&self, _: &StreamName) {
        self.shows.dec();
    }
}

const EVENTS: Named = ("forebay_work_events_total", "What happened to shows that are made here.");
const SHOWS: Named = ("forebay_work_running_shows", "Shows that are made here.");
const CONNECTIONS: Named = ("forebay_rtmp_open_connections", "Connections of publishers.");
const PENDING: Named = ("forebay_rtmp_pending_connections", "Connections that do not publish yet.");
const WAITING: Named = ("forebay_rtmp_waiting_bytes", "Bytes of publishers that are not worked on yet.");
const ADMITTED: Named = ("forebay_rtmp_admitted_total", "Publishers that were let in.");
const TAKEN_OVER: Named =
    ("forebay_rtmp_takeovers_total", "Publishers that took a stream over from another.");
const ENDS: Named =
    ("forebay_rtmp_refusals_total", "Publishers that were refused, and connections that were given up.");
