//! Many measurements in a few figures.

use std::time::Duration;

/// Median, 99th percentile and maximum, in milliseconds. Sorts.
pub fn spread(found: &mut [Duration]) -> serde_json::Value {
    found.sort_unstable();
    let at = |share: usize| {
        let index = (found.len() * share).div_ceil(100).saturating_sub(1);
        found.get(index).map_or(0.0, |duration| duration.as_secs_f64() * 1e3)
    };
    serde_json::json!({ "count": found.len(), "p50_ms": at(50), "p99_ms": at(99), "max_ms": at(100) })
}
