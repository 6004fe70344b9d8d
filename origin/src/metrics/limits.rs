//! What is counted of those who want more than they may have.

use prometheus::{IntCounter, IntGauge, Registry};

use super::family::{Family, counters, registered};
use super::label::{Class, TurnedAway, Whose};
use super::live::Present;
use super::{Named, count};

/// The counters of the limits.
#[derive(Debug)]
pub struct LimitMetrics {
    turned_away: Family<IntCounter>,
    limited: Family<IntCounter>,
    shed: Family<IntCounter>,
    answering: IntGauge,
}

impl LimitMetrics {
    pub(super) fn new(r: &Registry) -> prometheus::Result<Self> {
        Ok(Self {
            turned_away: counters::<TurnedAway>(r, TURNED_AWAY, "reason")?,
            limited: counters::<Whose>(r, LIMITED, "whose")?,
            shed: counters::<Class>(r, SHED, "class")?,
            answering: registered(r, IntGauge::new(ANSWERING.0, ANSWERING.1)?)?,
        })
    }

    /// A client was let go.
    pub fn turned_away(&self, why: TurnedAway) {
        count(self.turned_away.at(why), 1);
    }

    /// A request came too soon after those before it.
    pub fn limited(&self, whose: Whose) {
        count(self.limited.at(whose), 1);
    }

    /// A request was refused because there are too many of them.
    pub fn shed(&self, class: Class) {
        count(self.shed.at(class), 1);
    }

    /// An answer is under way until the value is dropped.
    pub fn answering(&self) -> Present {
        Present::new(&self.answering)
    }
}

const TURNED_AWAY: Named = ("forebay_edge_dropped_clients_total", "Clients that were let go.");
const LIMITED: Named =
    ("forebay_edge_limited_requests_total", "Requests that came too soon after others of the same client.");
const SHED: Named =
    ("forebay_edge_shed_requests_total", "Requests refused because there were too many at once.");
const ANSWERING: Named = (
    "forebay_edge_answering_requests",
    "Requests that count against limits.answers, without those that are held.",
);
