//! One show as this origin has it: the pure window behind a lock, and a channel for each track that tells when its
//! playlist has changed.
//!
//! ```text
//! sender ─▶ push (lock) ─▶ Playlist ─▶ watch channel ──wakes──▶ who waits: ask again, write once, clone the bytes
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use packager::asset::{RenditionName, ShowId};
use packager::live::{
    Chunk, DateRange, Feed, Form, Found, Header, InitId, Playlist, Refusal, Shed, Show, Stored, Taken, View,
};
use packager::time::Msn;
use tokio::sync::{OnceCell, watch};

use super::archive::Restored;
use crate::metrics::{Metrics, Present};
use crate::text::Text;

/// A show that is running here, or has been.
#[derive(Debug)]
pub(crate) struct Showing {
    pub(crate) id: ShowId,
    show: Mutex<Show>,
    tracks: RwLock<BTreeMap<RenditionName, watch::Sender<Option<Arc<Shown>>>>>,
    door: watch::Sender<Option<Arc<Door>>>,
    archiving: Mutex<Archiving>,
    _running: Option<Present>,
}

/// How far the archive of a show is, as far as this origin knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Archiving {
    /// How much media is not in it yet.
    pub(crate) behind: Duration,
    /// Whether this origin writes it.
    pub(crate) is_here: bool,
    /// Whether all of the show is in it.
    pub(crate) is_whole: bool,
}

/// The multivariant playlist, in both places where it stands.
#[derive(Debug)]
pub(crate) struct Door {
    /// Of each view at `/live/<stream>/`, whichever show is running, and at `/live/<stream>/<show>/`.
    texts: BTreeMap<View, (Arc<Text>, Arc<Text>)>,
    text: String,
    has_ended: bool,
}

impl Door {
    /// At `/live/<stream>/main.m3u8`, and of other views beside it; `None` where a show has not ended that is only then whole.
    pub(crate) fn outer(&self, view: View) -> Option<&Arc<Text>> {
        self.texts.get(&view).map(|(outer, _)| outer)
    }

    /// At `/live/<stream>/<show>/main.m3u8`, and of other views beside it.
    pub(crate) fn inner(&self, view: View) -> Option<&Arc<Text>> {
        self.texts.get(&view).map(|(_, inner)| inner)
    }
}

/// A playlist at one moment, written when somebody first asks for it.
pub(crate) struct Shown {
    pub(crate) playlist: Playlist,
    /// When it became what it is.
    pub(crate) since: Instant,
    /// Whether its show goes on without it.
    pub(super) is_given_up: bool,
    /// The same from the first segment on, made when somebody first asks for it.
    start: OnceLock<Playlist>,
    texts: [OnceCell<Arc<Text>>; 7],
}

impl Shown {
    fn new(playlist: Playlist, is_given_up: bool) -> Self {
        Self {
            playlist,
            since: Instant::now(),
            is_given_up,
            start: OnceLock::new(),
            texts: Default::default(),
        }
    }

    /// The playlist of a view; that of the whole show is listed as from its start.
    pub(crate) fn of(&self, view: View) -> &Playlist {
        match view {
            View::Window => &self.playlist,
            View::Start | View::Whole => self.start.get_or_init(|| self.playlist.from_start()),
        }
    }

    /// The text of a view in this form, made once. Cancel-safe.
    pub(crate) async fn text(
        self: &Arc<Self>,
        view: View,
        form: Form,
        metrics: &Arc<Metrics>,
    ) -> Option<Arc<Text>> {
        let cell = self.texts.get(match (view, form) {
            (View::Window, Form::Full) => 0,
            (View::Window, Form::Delta) => 1,
            (View::Window, Form::DeltaRanges) => 2,
            (View::Start, Form::Full) => 3,
            (View::Start, Form::Delta) => 4,
            (View::Start, Form::DeltaRanges) => 5,
            (View::Whole, _) => 6,
        });
        let write = move |this: &Self, metrics: &Metrics| {
            let started = Instant::now();
            let text = Arc::new(Text::new(match view {
                View::Whole => this.playlist.on_demand(),
                _ => this.of(view).render(form),
            }));
            metrics.live().rendered(started.elapsed());
            text
        };
        let fill = async || {
            if form != Form::Full || self.of(view).segments().nth(SHORT).is_none() {
                return Some(write(self, metrics));
            }
            // Hours of segments take tens of milliseconds to compress.
            let (this, metrics) = (Arc::clone(self), Arc::clone(metrics));
            tokio::task::spawn_blocking(move || write(&this, &metrics)).await.ok()
        };
        cell?.get_or_try_init(|| async { fill().await.ok_or(()) }).await.ok().cloned()
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("edge", &self.playlist.edge()).finish_non_exhaustive()
    }
}

impl Showing {
    pub(super) fn new(id: ShowId, show: Show, running: Option<Present>) -> Self {
        Self {
            archiving: Mutex::default(),
            id,
            show: Mutex::new(show),
            tracks: RwLock::default(),
            door: watch::Sender::new(None),
            _running: running,
        }
    }

    /// Takes a track's header.
    pub(super) fn greet(&self, name: &RenditionName, header: &Arc<Header>) -> Result<(), Refusal> {
        let mut show = self.lock();
        show.greet(name, header)?;
        self.publish(&show, name);
        Ok(())
    }

    /// Takes a chunk, and tells those who wait.
    pub(super) fn push(
        &self,
        name: &RenditionName,
        feed: &mut Feed,
        chunk: Chunk,
        now_ms: i64,
    ) -> Result<Taken, Refusal> {
        let mut show = self.lock();
        let taken = match show.push(name, feed, chunk, now_ms) {
            Ok(taken) => taken,
            Err(refusal) => {
                // What came before the fault is there.
                self.publish(&show, name);
                return Err(refusal);
            }
        };
        if taken.others {
            self.publish_all(&show);
        } else if taken.parts > 0 || taken.segments > 0 || taken.holes > 0 {
            self.publish(&show, name);
        }
        if taken.segments > 0 || taken.others {
            self.open_door(&show);
        }
        Ok(taken)
    }

    /// A sender's request for a track is whole.
    pub(super) fn complete(&self, name: &RenditionName) {
        let mut show = self.lock();
        if show.complete(name) {
            self.publish_all(&show);
            self.open_door(&show);
        }
    }

    /// Lists a date range.
    pub(super) fn mark(&self, range: DateRange) -> Result<bool, Refusal> {
        let mut show = self.lock();
        let changed = show.mark(range)?;
        if changed {
            self.publish_all(&show);
        }
        Ok(changed)
    }

    /// Ends it; nothing happens to one that has ended.
    pub(super) fn end(&self) {
        let mut show = self.lock();
        show.end_now();
        self.publish_all(&show);
        self.open_door(&show);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.lock().has_ended()
    }

    /// A show that has ended, as its archive tells it.
    pub(super) fn recorded(id: ShowId, show: Show) -> Self {
        let this = Self::new(id, show, None);
        {
            let show = this.lock();
            this.publish_all(&show);
            this.open_door(&show);
        }
        this.archived_whole();
        this
    }

    /// Notes where else a segment is kept.
    pub(super) fn keep(&self, name: &RenditionName, msn: Msn, stored: Stored) {
        self.lock().keep(name, msn, stored);
    }

    /// Pages tell of the segments before one.
    pub(super) fn told(&self, until: Msn) {
        self.lock().told(until);
    }

    /// A segment that was kept elsewhere is lost.
    pub(super) fn lose(&self, name: &RenditionName, msn: Msn) -> bool {
        let mut show = self.lock();
        let is_news = show.lose(name, msn);
        if is_news {
            self.publish(&show, name);
        }
        is_news
    }

    /// Says how far its archive is behind, and whether this origin writes it.
    pub(super) fn archived(&self, behind: Duration, is_here: bool) {
        let mut archiving = self.archiving.lock().unwrap_or_else(PoisonError::into_inner);
        *archiving = Archiving { behind, is_here, ..*archiving };
    }

    /// All of it is in the archive.
    pub(super) fn archived_whole(&self) {
        let mut archiving = self.archiving.lock().unwrap_or_else(PoisonError::into_inner);
        *archiving = Archiving { is_whole: true, ..Archiving::default() };
    }

    /// How far its archive is.
    pub(super) fn archiving(&self) -> Archiving {
        *self.archiving.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Bytes it takes in memory beside media.
    pub(super) fn weight(&self) -> usize {
        let segments = self.look(|show| {
            show.tracks().filter_map(|name| show.segments(name)).map(|all| all.len()).sum::<usize>()
        });
        size_of::<Self>() + segments * 256
    }

    /// Looks at the window.
    pub(super) fn look<T>(&self, at: impl FnOnce(&Show) -> T) -> T {
        at(&self.lock())
    }

    /// Lets all who wait ask again.
    pub(super) fn wake(&self) {
        let tracks = self.tracks.read().unwrap_or_else(PoisonError::into_inner);
        tracks.values().for_each(|track| track.send_modify(|_| ()));
        self.door.send_modify(|_| ());
    }

    /// Lets go of old media: what is kept elsewhere, or, `at_last`, what is not.
    pub(super) fn shed(&self, goal: u64, at_last: bool) -> Shed {
        let mut show = self.lock();
        let before = show.bytes();
        let shed = match at_last {
            true => show.lose_for(goal),
            false => Shed { held: show.shed(goal), lost: 0 },
        };
        if shed.held < before {
            self.publish_all(&show);
        }
        shed
    }

    /// Learns of what the show was before it was here.
    pub(super) fn recall(&self, restored: Restored) {
        let mut show = self.lock();
        show.recall(restored.past, restored.ranges);
        self.publish_all(&show);
    }

    /// A track's playlist, and how to learn of its next one.
    pub(super) fn watch(&self, name: &RenditionName) -> Option<watch::Receiver<Option<Arc<Shown>>>> {
        let tracks = self.tracks.read().unwrap_or_else(PoisonError::into_inner);
        tracks.get(name).map(watch::Sender::subscribe)
    }

    /// The multivariant playlist, as soon as it can be told.
    pub(super) fn watch_door(&self) -> watch::Receiver<Option<Arc<Door>>> {
        self.door.subscribe()
    }

    pub(crate) fn init(&self, name: &RenditionName, id: InitId) -> Option<Bytes> {
        self.lock().init(name, id)
    }

    pub(super) fn segment(&self, name: &RenditionName, msn: Msn) -> Found {
        self.lock().segment(name, msn)
    }

    pub(super) fn part(&self, name: &RenditionName, msn: Msn, part: u32) -> Found {
        self.lock().part(name, msn, part)
    }

    /// The longest that a request is held: three target durations (RFC 8216bis §6.2.5.2).
    pub(super) fn patience(&self) -> Duration {
        Duration::from_secs(3 * u64::from(self.target_duration()))
    }

    pub(crate) fn target_duration(&self) -> u32 {
        self.lock().plan().cadence.target_duration()
    }

    fn publish(&self, show: &Show, name: &RenditionName) {
        let is_given_up = show.has_given_up(name);
        let shown = show.playlist(name).map(|playlist| Arc::new(Shown::new(playlist, is_given_up)));
        let tracks = self.tracks.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(track) = tracks.get(name) {
            if shown.is_some() {
                track.send_replace(shown);
            } else if show.has_ended() {
                // Who waits for a first part should know that none will come.
                track.send_modify(|_| ());
            }
            return;
        }
        drop(tracks);
        let mut tracks = self.tracks.write().unwrap_or_else(PoisonError::into_inner);
        tracks.insert(name.clone(), watch::Sender::new(shown));
    }

    fn publish_all(&self, show: &Show) {
        show.tracks().for_each(|name| self.publish(show, name));
    }

    fn open_door(&self, show: &Show) {
        let Some(text) = show.multivariant("", View::Window) else { return };
        let has_ended = show.has_ended();
        let is_known = |door: &Arc<Door>| door.text == text && door.has_ended == has_ended;
        if self.door.borrow().as_ref().is_some_and(is_known) {
            return;
        }
        let write = |view| {
            let written = |folder: &str| Some(Arc::new(Text::new(show.multivariant(folder, view)?)));
            Some((view, (written(&format!("{}/", self.id))?, written("")?)))
        };
        let is_there = |view: &View| *view != View::Whole || has_ended;
        let texts = View::ALL.into_iter().filter(is_there).filter_map(write).collect();
        self.door.send_replace(Some(Arc::new(Door { texts, text, has_ended })));
    }

    fn lock(&self) -> MutexGuard<'_, Show> {
        // A window is a value: what a panic left of it is as good as what was before.
        self.show.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many segments are compressed on the spot.
const SHORT: usize = 200;
