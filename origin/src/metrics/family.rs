//! Families of series whose labels are closed sets: every series exists from the start, at zero, and is
//! found by an index instead of by hashing its labels on each request.

use prometheus::core::{Collector, Metric};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

use super::label::Label;

/// One series for each value of `A`.
#[derive(Debug)]
pub(super) struct Family<M> {
    series: Vec<M>,
}

/// One series for each pair of values.
#[derive(Debug)]
pub(super) struct Matrix<M> {
    columns: usize,
    series: Vec<M>,
}

impl<M: Metric> Family<M> {
    /// The series of `label`, which all families made here have.
    pub(super) fn at<A: Label>(&self, label: A) -> Option<&M> {
        self.series.get(label.index())
    }
}

impl<M: Metric> Matrix<M> {
    /// The series of the pair, which all matrices made here have.
    pub(super) fn at<A: Label, B: Label>(&self, row: A, column: B) -> Option<&M> {
        self.series.get(row.index() * self.columns + column.index())
    }
}

/// Registers a counter for each value of `A`.
pub(super) fn counters<A: Label>(
    registry: &Registry,
    (name, help): (&str, &str),
    label: &str,
) -> prometheus::Result<Family<IntCounter>> {
    let family = registered(registry, IntCounterVec::new(Opts::new(name, help), &[label])?)?;
    let series = A::ALL.iter().map(|a| family.get_metric_with_label_values(&[a.text()]));
    Ok(Family { series: series.collect::<Result<_, _>>()? })
}

/// Registers a gauge for each value of `A`.
pub(super) fn gauges<A: Label>(
    registry: &Registry,
    (name, help): (&str, &str),
    label: &str,
) -> prometheus::Result<Family<IntGauge>> {
    let family = registered(registry, IntGaugeVec::new(Opts::new(name, help), &[label])?)?;
    let series = A::ALL.iter().map(|a| family.get_metric_with_label_values(&[a.text()]));
    Ok(Family { series: series.collect::<Result<_, _>>()? })
}

/// Registers a histogram of seconds for each value of `A`.
pub(super) fn timers<A: Label>(
    registry: &Registry,
    (name, help): (&str, &str),
    label: &str,
) -> prometheus::Result<Family<Histogram>> {
    let family = registered(registry, HistogramVec::new(seconds(name, help), &[label])?)?;
    let series = A::ALL.iter().map(|a| family.get_metric_with_label_values(&[a.text()]));
    Ok(Family { series: series.collect::<Result<_, _>>()? })
}

/// Registers a counter for each pair of values of `A` and `B`.
pub(super) fn matrix<A: Label, B: Label>(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: [&str; 2],
) -> prometheus::Result<Matrix<IntCounter>> {
    let family = registered(registry, IntCounterVec::new(Opts::new(name, help), &labels)?)?;
    let pairs = A::ALL.iter().flat_map(|a| B::ALL.iter().map(move |b| [a.text(), b.text()]));
    let series = pairs.map(|pair| family.get_metric_with_label_values(&pair));
    Ok(Matrix { columns: B::ALL.len(), series: series.collect::<Result<_, _>>()? })
}

/// Options of a histogram from a tenth of a millisecond to ten seconds: a cached segment takes less than
/// one millisecond, a held playlist several seconds.
pub(super) fn seconds(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help).buckets(BOUNDS.to_vec())
}

/// Registers a collector and gives it back.
pub(super) fn registered<C: Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

const BOUNDS: [f64; 12] = [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0];
