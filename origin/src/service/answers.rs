//! Who is answered when there is more to answer than this node can: the live edge before what is behind it, and that before
//! what can be watched at any time.
//!
//! ```text
//! answers under way   0 ──────────── 80 % ──── 90 % ──── 100 % of limits.answers
//!                     vod, dvr, edge  │ dvr, edge │ edge  │ nobody
//! ```
//!
//! An answer is under way from when its work begins until its body is dropped. Who waits for what is not there yet, who sends
//! a stream, and operators have no part in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Failure;
use crate::metrics::{Class, Metrics, Present};

/// The answers that are under way.
#[derive(Debug)]
pub(crate) struct Answers {
    limit: u64,
    open: AtomicU64,
    metrics: Arc<Metrics>,
}

/// An answer that is under way, until this is dropped.
#[derive(Debug)]
pub(super) struct Underway {
    answers: Arc<Answers>,
    _counted: Present,
}

impl Answers {
    pub(crate) fn new(limit: u64, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limit, open: AtomicU64::new(0), metrics })
    }

    /// Begins an answer, unless others come first.
    pub(super) fn begin(self: &Arc<Self>, class: Class) -> Result<Underway, Failure> {
        let share = match class {
            Class::Vod => self.limit.saturating_mul(8) / 10,
            Class::Dvr => self.limit.saturating_mul(9) / 10,
            Class::Edge => self.limit,
        };
        let more = |open| (open < share).then_some(open + 1);
        if self.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_err() {
            self.metrics.limits().shed(class);
            return Err(Failure::Overloaded);
        }
        Ok(Underway { answers: Arc::clone(self), _counted: self.metrics.limits().answering() })
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.answers.open.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::*;

    #[test]
    fn the_live_edge_is_answered_last_of_all_and_what_is_over_makes_room() {
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        let answers = Answers::new(20, Arc::clone(&metrics));
        let fill = |class| std::iter::from_fn(|| answers.begin(class).ok()).collect::<Vec<_>>();
        let vod = fill(Class::Vod);
        let (dvr, edge) = (fill(Class::Dvr), fill(Class::Edge));
        assert_eq!((vod.len(), dvr.len(), edge.len()), (16, 2, 2));
        let text = metrics.render().unwrap();
        assert!(text.contains("forebay_edge_answering_requests 20\n"));
        for class in ["vod", "dvr", "edge"] {
            assert!(
                text.contains(&format!("forebay_edge_shed_requests_total{{class=\"{class}\"}} 1\n")),
                "{class}"
            );
        }
        drop(edge);
        assert!(answers.begin(Class::Dvr).is_err());
        assert!(answers.begin(Class::Edge).is_ok());
        drop((vod, dvr));
        assert_eq!(fill(Class::Edge).len(), 20);
        assert!(metrics.render().unwrap().contains("forebay_edge_answering_requests 0\n"));
    }
}
