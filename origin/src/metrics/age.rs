//! A gauge that grows by itself.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus::Gauge;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

/// Seconds since something happened, at the moment in which they are asked for. Clones are one gauge.
#[derive(Debug, Clone)]
pub(super) struct Age {
    gauge: Gauge,
    since: Arc<Mutex<Instant>>,
}

impl Age {
    /// Since now.
    pub(super) fn new(name: &str, help: &str) -> prometheus::Result<Self> {
        Ok(Self { gauge: Gauge::new(name, help)?, since: Arc::new(Mutex::new(Instant::now())) })
    }

    /// It happened again.
    pub(super) fn begin_anew(&self) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Collector for Age {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let since = *self.since.lock().unwrap_or_else(PoisonError::into_inner);
        self.gauge.set(since.elapsed().as_secs_f64());
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(age: &Age) -> f64 {
        age.collect()[0].get_metric()[0].get_gauge().get_value()
    }

    #[test]
    fn it_grows_until_it_happens_again() {
        let age = Age::new("a", "b").unwrap();
        let first = seconds(&age);
        while seconds(&age) <= first {}
        *age.since.lock().unwrap() -= std::time::Duration::from_secs(100);
        assert!(seconds(&age) >= 100.0);
        age.begin_anew();
        assert!(seconds(&age) < 100.0);
    }
}
