//! What is counted, and its exposition.
//!
//! Names are `forebay_<room>_<what>_<unit>`; durations are seconds, sizes are bytes, labels are the closed
//! sets of this module. Every series exists from the start, so that a rate over "nothing yet" is zero and
//! not absent.
//!
//! The registry comes from the embedder, who may have series of its own in it; forebay's are registered
//! once, so one registry serves one origin.

use std::time::{Duration, Instant};

use authz::Denial;
use http::StatusCode;
use prometheus::{Encoder, Histogram, IntCounter, IntGauge, Opts, Registry, TextEncoder};

mod age;
mod archive;
mod family;
mod label;
mod limits;
#[cfg(test)]
mod lint;
mod live;
mod peers;
mod work;

use age::Age;
pub use archive::ArchiveMetrics;
use family::{Family, Matrix, counters, gauges, matrix, registered, timers};
pub use label::{
    CacheResult, Class, Dropped, Held, IndexSource, IngestEnd, Outcome, PeerAnswer, PeerEnd, PurgeKind,
    RouteKind, RtmpEnd, StatusClass, StoreOperation, Tier, TurnedAway, Whose, WorkEvent,
};
pub use limits::LimitMetrics;
pub use live::{LiveMetrics, Present};
pub use peers::PeerMetrics;
pub use work::WorkMetrics;

/// The media type of [`Metrics::render`]'s text (Prometheus text exposition format 0.0.4).
pub const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All counters of one origin. Cheap to count on from any thread; never blocks.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Matrix<IntCounter>,
    durations: Family<Histogram>,
    sent: Family<IntCounter>,
    in_flight: IntGauge,
    denials: Family<IntCounter>,
    lookups: Matrix<IntCounter>,
    loads: Matrix<IntCounter>,
    evictions: Family<IntCounter>,
    cached_bytes: Family<IntGauge>,
    cached_entries: Family<IntGauge>,
    index_loads: Matrix<IntCounter>,
    index_durations: Family<Histogram>,
    store_requests: Matrix<IntCounter>,
    store_durations: Family<Histogram>,
    store_bytes: IntCounter,
    store_retries: IntCounter,
    purges: Family<IntCounter>,
    swept: IntCounter,
    ahead: IntCounter,
    disk_off: IntGauge,
    disk_behind: IntCounter,
    store_hedged: IntCounter,
    store_spared: IntCounter,
    store_left_alone: IntGauge,
    catalog_lookups: Family<IntCounter>,
    catalog_age: Age,
    archive: ArchiveMetrics,
    peers: PeerMetrics,
    limits: LimitMetrics,
    live: LiveMetrics,
    work: WorkMetrics,
}

/// A request that is being answered; counted as such until this is dropped.
#[derive(Debug)]
pub struct InFlight {
    gauge: IntGauge,
    started: Instant,
}

impl Metrics {
    /// Registers every series. Fails where `registry` has them already.
    pub fn new(registry: Registry) -> prometheus::Result<Self> {
        let r = &registry;
        process(r)?;
        Ok(Self {
            requests: matrix::<RouteKind, StatusClass>(r, REQUESTS, ["route", "status"])?,
            durations: timers::<RouteKind>(r, DURATIONS, "route")?,
            sent: counters::<RouteKind>(r, SENT, "route")?,
            in_flight: registered(r, IntGauge::new(IN_FLIGHT.0, IN_FLIGHT.1)?)?,
            denials: counters::<Denial>(r, DENIALS, "reason")?,
            lookups: matrix::<Tier, CacheResult>(r, LOOKUPS, ["tier", "result"])?,
            loads: matrix::<Tier, Outcome>(r, LOADS, ["tier", "outcome"])?,
            evictions: counters::<Tier>(r, EVICTIONS, "tier")?,
            cached_bytes: gauges::<Tier>(r, CACHED_BYTES, "tier")?,
            cached_entries: gauges::<Tier>(r, CACHED_ENTRIES, "tier")?,
            index_loads: matrix::<IndexSource, Outcome>(r, INDEX_LOADS, ["source", "outcome"])?,
            index_durations: timers::<IndexSource>(r, INDEX_DURATIONS, "source")?,
            store_requests: matrix::<StoreOperation, Outcome>(r, STORE_REQUESTS, ["operation", "outcome"])?,
            store_durations: timers::<StoreOperation>(r, STORE_DURATIONS, "operation")?,
            store_bytes: registered(r, IntCounter::new(STORE_BYTES.0, STORE_BYTES.1)?)?,
            store_retries: registered(r, IntCounter::new(STORE_RETRIES.0, STORE_RETRIES.1)?)?,
            purges: counters::<PurgeKind>(r, PURGES, "kind")?,
            swept: registered(r, IntCounter::new(SWEPT.0, SWEPT.1)?)?,
            ahead: registered(r, IntCounter::new(AHEAD.0, AHEAD.1)?)?,
            disk_off: registered(r, IntGauge::new(DISK_OFF.0, DISK_OFF.1)?)?,
            disk_behind: registered(r, IntCounter::new(DISK_BEHIND.0, DISK_BEHIND.1)?)?,
            store_hedged: registered(r, IntCounter::new(STORE_HEDGED.0, STORE_HEDGED.1)?)?,
            store_spared: registered(r, IntCounter::new(STORE_SPARED.0, STORE_SPARED.1)?)?,
            store_left_alone: registered(r, IntGauge::new(STORE_LEFT_ALONE.0, STORE_LEFT_ALONE.1)?)?,
            catalog_lookups: counters::<Outcome>(r, CATALOG_LOOKUPS, "outcome")?,
            catalog_age: registered(r, Age::new(CATALOG_AGE.0, CATALOG_AGE.1)?)?,
            archive: ArchiveMetrics::new(r)?,
            peers: PeerMetrics::new(r)?,
            limits: LimitMetrics::new(r)?,
            live: LiveMetrics::new(r)?,
            work: WorkMetrics::new(r)?,
            registry,
        })
    }

    /// A request's head has been read. Keep the value until its answer has been sent.
    pub fn begin(&self) -> InFlight {
        self.in_flight.inc();
        InFlight { gauge: self.in_flight.clone(), started: Instant::now() }
    }

    /// A request was answered with `status` and `bytes` of body.
    pub fn answered(&self, request: &InFlight, route: RouteKind, status: StatusCode, bytes: u64) {
        count(self.requests.at(route, StatusClass::of(status)), 1);
        count(self.sent.at(route), bytes);
        observe(self.durations.at(route), request.started.elapsed());
    }

    /// The gate denied a request.
    pub fn denied(&self, denial: Denial) {
        count(self.denials.at(denial), 1);
    }

    /// A look-up in a tier of the cache ended.
    pub fn looked_up(&self, tier: Tier, result: CacheResult) {
        count(self.lookups.at(tier, result), 1);
    }

    /// A tier was filled, or could not be.
    pub fn filled(&self, tier: Tier, outcome: Outcome) {
        count(self.loads.at(tier, outcome), 1);
    }

    /// An entry left a tier because of its size or age.
    pub fn evicted(&self, tier: Tier) {
        count(self.evictions.at(tier), 1);
    }

    /// What a tier holds now, by its own weighing.
    pub fn cached(&self, tier: Tier, bytes: u64, entries: u64) {
        set(self.cached_bytes.at(tier), bytes);
        set(self.cached_entries.at(tier), entries);
    }

    /// The index of one track was loaded, or could not be.
    pub fn index_loaded(&self, source: IndexSource, outcome: Outcome, took: Duration) {
        count(self.index_loads.at(source, outcome), 1);
        observe(self.index_durations.at(source), took);
    }

    /// The store answered, after all retries; `bytes` of media came with it.
    pub fn store_answered(&self, operation: StoreOperation, outcome: Outcome, took: Duration, bytes: u64) {
        count(self.store_requests.at(operation, outcome), 1);
        observe(self.store_durations.at(operation), took);
        self.store_bytes.inc_by(bytes);
    }

    /// A request to the store is tried once more.
    pub fn store_retried(&self) {
        self.store_retries.inc();
    }

    /// Something was purged.
    pub fn purged(&self, kind: PurgeKind) {
        count(self.purges.at(kind), 1);
    }

    /// Entries were let go that had been purged.
    pub(crate) fn swept(&self, entries: u64) {
        self.swept.inc_by(entries);
    }

    /// So many bytes were fetched that nobody had asked for yet.
    pub(crate) fn fetched_ahead(&self, bytes: u64) {
        self.ahead.inc_by(bytes);
    }

    /// The disk of the cache is not used from now on, or is again.
    pub(crate) fn disk_off(&self, is_off: bool) {
        self.disk_off.set(i64::from(is_off));
    }

    /// A block was not written, since the disk was behind.
    pub(crate) fn disk_behind(&self) {
        self.disk_behind.inc();
    }

    /// A read was put a second time, since the first took unusually long.
    pub fn store_hedged(&self) {
        self.store_hedged.inc();
    }

    /// A question was not put, since the store is left alone.
    pub fn store_spared(&self) {
        self.store_spared.inc();
    }

    /// The store is left alone from now on, or not any more.
    pub fn store_left_alone(&self, is_alone: bool) {
        self.store_left_alone.set(i64::from(is_alone));
    }

    /// The catalogue was asked for the current revision of an asset.
    pub fn catalog_looked_up(&self, outcome: Outcome) {
        count(self.catalog_lookups.at(outcome), 1);
        if matches!(outcome, Outcome::Ok | Outcome::NotFound) {
            self.catalog_answered();
        }
    }

    /// The catalogue answered, whatever it was asked.
    pub fn catalog_answered(&self) {
        self.catalog_age.begin_anew();
    }

    /// The counters of archives.
    pub fn archive(&self) -> &ArchiveMetrics {
        &self.archive
    }

    /// What is counted between the nodes of a service.
    pub fn peers(&self) -> &PeerMetrics {
        &self.peers
    }

    /// What is counted of those who want more than they may have.
    pub fn limits(&self) -> &LimitMetrics {
        &self.limits
    }

    /// What is counted of live shows.
    pub fn live(&self) -> &LiveMetrics {
        &self.live
    }

    /// What is counted of live streams that are worked on.
    pub fn work(&self) -> &WorkMetrics {
        &self.work
    }

    /// Everything in the registry in [`TEXT_FORMAT`]. Costs time in proportion to the number of series.
    pub fn render(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|fault| prometheus::Error::Msg(fault.to_string()))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.dec();
    }
}

fn process(registry: &Registry) -> prometheus::Result<()> {
    let opts = Opts::new(BUILD.0, BUILD.1).const_label("version", env!("CARGO_PKG_VERSION"));
    registered(registry, IntGauge::with_opts(opts)?)?.set(1);
    Ok(())
}

fn count(series: Option<&IntCounter>, by: u64) {
    if let Some(series) = series {
        series.inc_by(by);
    }
}

fn set(series: Option<&IntGauge>, value: u64) {
    if let Some(series) = series {
        series.set(i64::try_from(value).unwrap_or(i64::MAX));
    }
}

fn observe(series: Option<&Histogram>, took: Duration) {
    if let Some(series) = series {
        series.observe(took.as_secs_f64());
    }
}

type Named = (&'static str, &'static str);

const BUILD: Named = ("forebay_process_build_info", "Always 1; the version is in the label.");
const REQUESTS: Named = ("forebay_edge_requests_total", "Requests answered.");
const DURATIONS: Named =
    ("forebay_edge_request_duration_seconds", "From a request's head to the end of its answer.");
const SENT: Named = ("forebay_edge_sent_bytes_total", "Bytes of bodies sent.");
const IN_FLIGHT: Named = ("forebay_edge_in_flight_requests", "Requests being answered now.");
const DENIALS: Named = ("forebay_gate_denials_total", "Requests that the gate denied.");
const LOOKUPS: Named = ("forebay_cache_lookups_total", "Look-ups in the cache.");
const LOADS: Named = ("forebay_cache_loads_total", "Fills of the cache; one fill may serve many look-ups.");
const EVICTIONS: Named = ("forebay_cache_evictions_total", "Entries that the cache let go.");
const CACHED_BYTES: Named = ("forebay_cache_held_bytes", "Weight of what the cache holds.");
const CACHED_ENTRIES: Named = ("forebay_cache_held_entries", "Number of things the cache holds.");
const INDEX_LOADS: Named = ("forebay_vod_index_loads_total", "Indexes of tracks loaded.");
const INDEX_DURATIONS: Named =
    ("forebay_vod_index_load_duration_seconds", "Time to load the index of one track.");
const STORE_REQUESTS: Named = ("forebay_store_requests_total", "Requests to the store, retries not counted.");
const STORE_DURATIONS: Named =
    ("forebay_store_request_duration_seconds", "Time to an answer of the store, with retries.");
const STORE_BYTES: Named = ("forebay_store_read_bytes_total", "Bytes read from the store.");
const PURGES: Named = ("forebay_cache_purges_total", "Purges, by how thorough they were.");
const SWEPT: Named = ("forebay_cache_purged_entries_total", "Entries in memory that a hard purge reached.");
const AHEAD: Named =
    ("forebay_cache_prefetched_bytes_total", "Bytes read from the store before they were asked for.");
const DISK_OFF: Named = ("forebay_cache_failed_disks", "1 while the disk of the cache cannot be used.");
const DISK_BEHIND: Named =
    ("forebay_cache_disk_skipped_total", "Blocks that were not written, since the disk was behind.");
const STORE_HEDGED: Named = (
    "forebay_store_hedged_reads_total",
    "Reads that were put a second time, since the first took longer than 95 % of those before it.",
);
const STORE_SPARED: Named =
    ("forebay_store_spared_requests_total", "Requests that failed at once, since the store is left alone.");
const STORE_LEFT_ALONE: Named =
    ("forebay_store_open_circuits", "1 while the store is left alone after several failures in a row.");
const STORE_RETRIES: Named = ("forebay_store_retries_total", "Requests to the store that were tried again.");
const CATALOG_LOOKUPS: Named =
    ("forebay_catalog_lookups_total", "Questions to the catalogue for a current revision.");
const CATALOG_AGE: Named = (
    "forebay_catalog_age_seconds",
    "Since the catalogue last answered, or the process began: what is served is no older.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn metrics() -> Metrics {
        Metrics::new(Registry::new()).unwrap()
    }

    #[test]
    fn every_name_follows_the_rule_and_the_exposition_parses() {
        let metrics = metrics();
        let request = metrics.begin();
        metrics.answered(&request, RouteKind::Segment, StatusCode::OK, 1000);
        let families = lint::parse(&metrics.render().unwrap()).unwrap();
        assert_eq!(families.len(), 70);
        for name in families.keys() {
            lint::name(name).unwrap();
        }
    }

    #[test]
    fn an_answer_counts_once_where_it_belongs() {
        let metrics = metrics();
        let request = metrics.begin();
        assert!(metrics.render().unwrap().contains("forebay_edge_in_flight_requests 1\n"));
        metrics.answered(&request, RouteKind::Segment, StatusCode::PARTIAL_CONTENT, 1000);
        metrics.answered(&request, RouteKind::Main, StatusCode::NOT_FOUND, 10);
        drop(request);
        let text = metrics.render().unwrap();
        for line in [
            "forebay_edge_requests_total{route=\"segment\",status=\"2xx\"} 1\n",
            "forebay_edge_requests_total{route=\"main\",status=\"4xx\"} 1\n",
            "forebay_edge_requests_total{route=\"unknown\",status=\"5xx\"} 0\n",
            "forebay_edge_sent_bytes_total{route=\"segment\"} 1000\n",
            "forebay_edge_request_duration_seconds_count{route=\"segment\"} 1\n",
            "forebay_edge_in_flight_requests 0\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn rooms_count_on_their_own_series() {
        let metrics = metrics();
        metrics.denied(Denial::WrongPath);
        metrics.looked_up(Tier::Index, CacheResult::Joined);
        metrics.filled(Tier::Output, Outcome::Timeout);
        metrics.evicted(Tier::Block);
        metrics.cached(Tier::Block, 1 << 33, 3);
        metrics.index_loaded(IndexSource::Parsed, Outcome::Failed, Duration::from_millis(3));
        metrics.store_answered(StoreOperation::Read, Outcome::Ok, Duration::from_millis(3), 77);
        metrics.store_retried();
        metrics.catalog_looked_up(Outcome::NotFound);
        let text = metrics.render().unwrap();
        for line in [
            "forebay_gate_denials_total{reason=\"wrong_path\"} 1\n",
            "forebay_gate_denials_total{reason=\"expired\"} 0\n",
            "forebay_cache_lookups_total{result=\"joined\",tier=\"index\"} 1\n",
            "forebay_cache_loads_total{outcome=\"timeout\",tier=\"output\"} 1\n",
            "forebay_cache_evictions_total{tier=\"block\"} 1\n",
            "forebay_cache_held_bytes{tier=\"block\"} 8589934592\n",
            "forebay_cache_held_entries{tier=\"block\"} 3\n",
            "forebay_vod_index_loads_total{outcome=\"failed\",source=\"parsed\"} 1\n",
            "forebay_store_requests_total{operation=\"read\",outcome=\"ok\"} 1\n",
            "forebay_store_read_bytes_total 77\n",
            "forebay_store_retries_total 1\n",
            "forebay_catalog_lookups_total{outcome=\"not_found\"} 1\n",
        ] {
            assert!(text.contains(line), "{line}");
        }
    }

    #[test]
    fn one_registry_serves_one_origin() {
        let registry = Registry::new();
        Metrics::new(registry.clone()).unwrap();
        assert!(Metrics::new(registry).is_err());
    }
}
