//! Live: shows that are running, those who send them and those who wait for what comes next.
//!
//! ```text
//! /ingest ─▶ Ingest ─▶ Stream ─▶ Showing ─▶ watch channel ─▶ held requests
//!                        │          └ packager::live::Show
//!                        └ its shows: the one that runs, and those that ended a while ago
//! ```

mod archive;
mod elsewhere;
mod error;
mod ingest;
mod operate;
mod showing;
mod stream;
mod target;
mod wait;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Cadence, InitId, Keeping, Listing, Plan};
use packager::range::ByteRange;
use packager::time::{MediaTime, Msn};
use tokio::task::JoinSet;
use transcoder::publishing::Shows;

pub(crate) use archive::{Archive, Kept, KeptError, KeptStream, Spool, Tenures, Told};
pub(crate) use error::LiveError;
pub(crate) use ingest::Received;
pub(crate) use operate::StreamReport;
pub(crate) use showing::Showing;
pub(crate) use target::Target;
pub(crate) use wait::{Held, Whole};

use crate::cache::{self, Ledger, Tiered};
use crate::clock::Clock;
use crate::config;
use crate::metrics::{Metrics, Tier};
use archive::Restored;
use elsewhere::Newest;
use stream::Stream;
use wait::Askers;

/// The room's state.
#[derive(Debug)]
pub(crate) struct Live {
    shows: Arc<dyn Shows>,
    streams: RwLock<HashMap<StreamName, Arc<Stream>>>,
    rules: Rules,
    clock: Clock,
    metrics: Arc<Metrics>,
    senders: AtomicU64,
    /// Whether this origin is ending.
    leaving: AtomicBool,
    /// What goes on beside requests; it ends with the room.
    tasks: Mutex<JoinSet<()>>,
    askers: Askers,
    /// What the database says of streams that are not here.
    newest: Tiered<StreamName, Option<Newest>, LiveError>,
    /// Where shows are recorded; `None` where they are not.
    archive: Option<Arc<Archive>>,
    /// Shows that ended, as their archives tell them.
    recorded: Tiered<(StreamName, ShowId), Arc<Showing>, LiveError>,
}

/// What the configuration says, in the units of this room.
#[derive(Debug, Clone, Copy)]
struct Rules {
    segment_ms: NonZeroU32,
    parts: NonZeroU32,
    listing: Listing,
    memory: u64,
    silence: Duration,
    reconnect: Duration,
    retain: Duration,
    waiters: usize,
    waiters_per_grant: usize,
    tracks: usize,
    /// That there were segments is known for so long, where shows are recorded.
    dvr: MediaTime,
}

impl Rules {
    fn of(config: &config::Live, keep: Option<Duration>) -> Self {
        let small = |number: u64| {
            NonZeroU32::new(u32::try_from(number).unwrap_or(u32::MAX)).unwrap_or(NonZeroU32::MIN)
        };
        let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let window = i64::try_from(millis(config.window.as_duration())).unwrap_or(i64::MAX);
        let dvr = i64::try_from(millis(config.dvr.as_duration())).unwrap_or(i64::MAX).max(window);
        // What is no longer in the store is not listed.
        let kept = keep.map_or(i64::MAX, |keep| i64::try_from(millis(keep)).unwrap_or(i64::MAX));
        Self {
            segment_ms: small(millis(config.segment.as_duration())),
            parts: small(config.parts),
            listing: match config.event {
                true => Listing::Event,
                false => Listing::Sliding(MediaTime::from_millis(window.min(kept))),
            },
            memory: config.memory.as_u64(),
            silence: config.silence.as_duration(),
            reconnect: config.reconnect.as_duration(),
            retain: config.retain.as_duration(),
            waiters: count(config.waiters),
            waiters_per_grant: count(config.waiters_per_grant),
            tracks: count(config.tracks),
            dvr: MediaTime::from_millis(dvr.min(kept)),
        }
    }

    /// How much of a show that is recorded stays in memory.
    fn keeping(&self, cadence: Cadence) -> Keeping {
        let least = i64::from(cadence.target_duration()).saturating_mul(6_000);
        Keeping { bytes: MediaTime::from_millis(least.max(MEMORY_MS)), known: self.dvr, told: Msn(0) }
    }

    /// How long after its last segment a show can still go on, in milliseconds: its sender has `reconnect` to come back, and
    /// notes of its progress come every ten seconds.
    fn patience_ms(&self) -> i64 {
        i64::try_from(self.reconnect.as_millis()).unwrap_or(i64::MAX).saturating_add(30_000)
    }

    /// How many segments pass between two notes of progress: ten seconds.
    fn noted_every(&self) -> u64 {
        10_000u64.div_ceil(u64::from(self.segment_ms.get()))
    }

    /// What is fixed of a show that has ended, as its archive tells it: known as a whole, however long it is.
    fn recorded(&self, (cadence, anchor_ms): (Cadence, i64), restored: Restored) -> Plan {
        Plan {
            cadence,
            listing: self.listing,
            anchor_ms,
            tracks: self.tracks,
            begins: false,
            last: None,
            inits: Vec::new(),
            keeping: Some(Keeping { known: FOREVER, ..self.keeping(cadence) }),
            past: restored.past,
            ranges: restored.ranges,
        }
    }

    /// How shows are cut that begin now.
    fn usual(&self) -> Cadence {
        Cadence::new(self.segment_ms, self.parts)
    }

    /// Until when media of a show is known to have come, in milliseconds since 1970.
    fn seen_ms(&self, row: &transcoder::publishing::Show) -> i64 {
        row.last.map_or(row.started_ms, |last| stream::ended_at(row, last))
    }

    fn cadence(&self, show: &transcoder::publishing::Show) -> Cadence {
        let of = |number, default| NonZeroU32::new(number).unwrap_or(default);
        Cadence::new(of(show.segment_ms, self.segment_ms), of(show.parts, self.parts))
    }
}

impl Live {
    /// A room without shows.
    pub(crate) fn new(
        shows: Arc<dyn Shows>,
        config: &config::Live,
        clock: Clock,
        ledger: &Arc<Ledger>,
        metrics: Arc<Metrics>,
        archive: Option<Arc<Archive>>,
        keep: Option<Duration>,
    ) -> Arc<Self> {
        let newest = cache::pointers(ledger, &metrics);
        let recorded = cache::weighed(Tier::Index, RECORDED, ledger, &metrics, |showing: &Arc<Showing>| {
            showing.weight()
        });
        let (streams, rules, senders) = (RwLock::default(), Rules::of(config, keep), AtomicU64::new(0));
        Arc::new(Self {
            shows,
            streams,
            rules,
            clock,
            metrics,
            senders,
            leaving: AtomicBool::new(false),
            tasks: Mutex::default(),
            askers: Askers::default(),
            newest,
            archive,
            recorded,
        })
    }

    /// Reads a window of a segment that is not in memory.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(crate) async fn read(&self, kept: &Kept, window: ByteRange) -> Result<KeptStream, KeptError> {
        let archive = self.archive.as_ref().ok_or(KeptError::Gone)?;
        archive.read(kept, window).await
    }

    /// A show that is here.
    fn here(&self, stream: &StreamName, show: Option<ShowId>) -> Option<Arc<Showing>> {
        self.stream(stream)?.showing(show)
    }

    /// A show that is here, or has been told by its archive.
    fn known(&self, stream: &StreamName, show: ShowId) -> Option<Arc<Showing>> {
        self.here(stream, Some(show)).or_else(|| self.recorded.get(&(stream.clone(), show)))
    }

    /// An init segment.
    pub(crate) async fn init(self: &Arc<Self>, at: &Place, id: InitId) -> Result<bytes::Bytes, LiveError> {
        self.showing_of(at).await?.init(&at.track, id).ok_or(LiveError::Absent)
    }

    /// How many smaller videos stand beside a video track; `None` for sound.
    pub(crate) fn rank(&self, at: &Place) -> Option<usize> {
        let showing = self.known(&at.stream, at.show)?;
        showing.look(|show| {
            let size = |name| {
                let (width, height) = show.header(name)?.kind().display_size()?;
                Some(u64::from(width) * u64::from(height))
            };
            let own = size(&at.track)?;
            Some(show.tracks().filter_map(size).filter(|other| *other < own).count())
        })
    }

    fn stream(&self, name: &StreamName) -> Option<Arc<Stream>> {
        self.streams.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// The stream of this name, made where there is none.
    fn stream_or_new(self: &Arc<Self>, name: &StreamName) -> Arc<Stream> {
        if let Some(stream) = self.stream(name) {
            return stream;
        }
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        let stream = streams.entry(name.clone()).or_insert_with(|| {
            let stream = Arc::new(Stream::new(name.clone(), self.rules.waiters));
            // Ends by itself once nothing is left of the stream, or of the room.
            self.spawn(stream::tend(Arc::downgrade(self), Arc::clone(&stream)));
            stream
        });
        Arc::clone(stream)
    }

    /// Tells how far archives are behind.
    fn measure_archives(&self) {
        let showings = self.all_streams().into_iter().flat_map(|stream| stream.showings());
        let behind = showings.map(|showing| showing.archiving().behind).max();
        self.metrics.archive().lags(behind.unwrap_or_default());
    }

    /// Forgets a stream that nothing is left of. False where somebody has come in the meantime.
    fn forget(&self, stream: &Arc<Stream>) -> bool {
        let mut streams = self.streams.write().unwrap_or_else(PoisonError::into_inner);
        // The map, the caller, and nobody else.
        let is_idle = Arc::strong_count(stream) <= 2 && stream.is_empty();
        if is_idle {
            streams.remove(stream.name());
        }
        is_idle
    }

    fn all_streams(&self) -> Vec<Arc<Stream>> {
        let streams = self.streams.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<Arc<Stream>> = streams.values().cloned().collect();
        all.sort_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// Keeps all shows together within the memory budget: those that ended give way first, then the largest. Where the store does
    /// not take what is recorded, the oldest is lost at last. False where that is not enough and `own` holds more than its
    /// share, so that one fat show does not silence the others.
    fn make_room(&self, own: &Arc<Showing>) -> bool {
        let weigh = |showing: Arc<Showing>| {
            let (ended, bytes) = showing.look(|show| (show.has_ended(), show.bytes()));
            (ended, bytes, showing)
        };
        let mut held: Vec<(bool, u64, Arc<Showing>)> =
            self.all_streams().iter().flat_map(|stream| stream.showings()).map(weigh).collect();
        let mut total: u64 = held.iter().map(|(_, bytes, _)| bytes).sum();
        let share = self.rules.memory / (held.len() as u64).max(1);
        for at_last in [false, true] {
            if total <= self.rules.memory {
                break;
            }
            held.sort_by_key(|(ended, bytes, _)| std::cmp::Reverse((*ended, *bytes)));
            for (_, bytes, showing) in &mut held {
                let over = total.saturating_sub(self.rules.memory);
                // Who holds no more than its share gives nothing.
                let goal = bytes.saturating_sub(over).max(share.min(*bytes));
                let shed = showing.shed(goal, at_last);
                total = total.saturating_sub(*bytes).saturating_add(shed.held);
                *bytes = shed.held;
                if shed.lost > 0 {
                    let lost = shed.lost;
                    tracing::warn!(show = %showing.id, lost, "memory is full of what the store did not take");
                    self.metrics.archive().lost(lost);
                }
            }
        }
        self.metrics.live().holds(total);
        total <= self.rules.memory || own.look(|show| show.bytes()) <= share
    }

    /// Ends the requests of all who send, and of all who wait for what they would have sent: another origin has it too.
    /// Nobody comes in any more.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        for stream in self.all_streams() {
            stream.cut();
            stream.showings().iter().for_each(|showing| showing.wake());
        }
    }

    /// Lets go of the archives that this origin writes.
    pub(crate) async fn let_go_of_archives(&self) {
        if let Some(archive) = &self.archive {
            archive.leave().await;
        }
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(task);
    }

    fn next_sender(&self) -> u64 {
        self.senders.fetch_add(1, Ordering::Relaxed)
    }
}

/// Where a track of a show is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: StreamName,
    pub(crate) show: ShowId,
    pub(crate) track: RenditionName,
}

/// How much of a show that is recorded stays in memory, in milliseconds: what viewers at the edge ask for.
const MEMORY_MS: i64 = 60_000;
/// Bytes of what is known of shows that ended: of a dozen that lasted half a day.
const RECORDED: u64 = 256 * 1024 * 1024;
/// Longer than any show.
const FOREVER: MediaTime = MediaTime::from_millis(i64::MAX / 1_000_000);
