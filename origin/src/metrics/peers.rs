//! What is counted between the nodes of a service.

use std::time::Duration;

use prometheus::{Histogram, IntCounter, IntGauge, Registry};

use super::family::{Family, counters, registered, seconds};
use super::label::{PeerAnswer, PeerEnd};
use super::{Named, count};

/// The counters of blocks that nodes have from each other.
#[derive(Debug)]
pub struct PeerMetrics {
    asked: Family<IntCounter>,
    waits: Histogram,
    read: IntCounter,
    passed_over: IntGauge,
    answered: Family<IntCounter>,
    sent: IntCounter,
}

impl PeerMetrics {
    pub(super) fn new(r: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            asked: counters::<PeerEnd>(r, ASKED, "outcome")?,
            waits: registered(r, Histogram::with_opts(seconds(WAITS.0, WAITS.1))?)?,
            read: registered(r, IntCounter::new(READ.0, READ.1)?)?,
            passed_over: registered(r, IntGauge::new(PASSED_OVER.0, PASSED_OVER.1)?)?,
            answered: counters::<PeerAnswer>(r, ANSWERED, "outcome")?,
            sent: registered(r, IntCounter::new(SENT.0, SENT.1)?)?,
        })
    }

    /// A question to another node ended; so many bytes of media came.
    pub fn asked(&self, end: PeerEnd, bytes: u64) {
        count(self.asked.at(end), 1);
        self.read.inc_by(bytes);
    }

    /// Another node began to answer after that time.
    pub fn waited(&self, took: Duration) {
        self.waits.observe(took.as_secs_f64());
    }

    /// One more node is passed over from now on, or one less.
    pub fn passed_over(&self, is_one_more: bool) {
        self.passed_over.add(if is_one_more { 1 } else { -1 });
    }

    /// Another node was answered.
    pub fn answered(&self, how: PeerAnswer) {
        count(self.answered.at(how), 1);
    }

    /// So many bytes go to another node.
    pub fn sent(&self, bytes: u64) {
        self.sent.inc_by(bytes);
    }
}

const ASKED: Named = (
    "forebay_cache_peer_requests_total",
    "Questions to other nodes; what did not come whole was read from the store.",
);
const WAITS: Named =
    ("forebay_cache_peer_wait_seconds", "From a question to another node to the beginning of its answer.");
const READ: Named = ("forebay_cache_peer_read_bytes_total", "Bytes of blocks that came from other nodes.");
const PASSED_OVER: Named =
    ("forebay_cache_peer_open_circuits", "Nodes that are passed over for a moment after failures in a row.");
const ANSWERED: Named = ("forebay_cache_peer_answers_total", "Questions of other nodes that were answered.");
const SENT: Named = ("forebay_cache_peer_sent_bytes_total", "Bytes that were sent to other nodes.");
