//! A stream: its shows one after another, and who sends to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Header, InitId, Plan, Show};
use packager::time::{MediaTime, Msn};
use tokio::sync::{Semaphore, watch};
use transcoder::publishing::{Anchor, Opening};

use super::{Live, LiveError, Showing};

/// What is known of a stream here.
#[derive(Debug)]
pub(super) struct Stream {
    name: StreamName,
    state: Mutex<State>,
    /// Only one sender at a time opens a show.
    opening: tokio::sync::Mutex<()>,
    /// How many requests may still be held.
    pub(super) waiters: Arc<Semaphore>,
    /// Moves when an operator cuts all who send.
    cut: watch::Sender<u64>,
    noting: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// Oldest first; only the last may be running.
    shows: Vec<Kept>,
    headers: BTreeMap<RenditionName, Arc<Header>>,
    senders: usize,
    /// When somebody last sent.
    heard: Instant,
}

#[derive(Debug)]
struct Kept {
    showing: Arc<Showing>,
    row: transcoder::publishing::Show,
    ended: Option<Instant>,
    noted: Option<Msn>,
    inits: BTreeMap<RenditionName, InitId>,
}

impl Stream {
    pub(super) fn new(name: StreamName, waiters: usize) -> Self {
        let state = State { shows: Vec::new(), headers: BTreeMap::new(), senders: 0, heard: Instant::now() };
        Self {
            name,
            state: Mutex::new(state),
            opening: tokio::sync::Mutex::default(),
            waiters: Arc::new(Semaphore::new(waiters.min(Semaphore::MAX_PERMITS))),
            cut: watch::Sender::new(0),
            noting: AtomicBool::new(false),
        }
    }

    pub(super) fn name(&self) -> &StreamName {
        &self.name
    }

    /// Whether no show is left and nobody sends.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        state.shows.is_empty() && state.senders == 0
    }

    /// The show of this number, or the newest.
    pub(super) fn showing(&self, id: Option<ShowId>) -> Option<Arc<Showing>> {
        let state = self.lock();
        let mut newest_first = state.shows.iter().rev().map(|kept| &kept.showing);
        newest_first.find(|showing| id.is_none_or(|id| showing.id == id)).cloned()
    }

    pub(super) fn showings(&self) -> Vec<Arc<Showing>> {
        self.lock().shows.iter().map(|kept| Arc::clone(&kept.showing)).collect()
    }

    /// How many requests send to it now.
    pub(super) fn senders(&self) -> usize {
        self.lock().senders
    }

    /// Counts somebody who sends, as long as the value lives.
    pub(super) fn enter(self: &Arc<Self>) -> Sending {
        let mut state = self.lock();
        state.senders += 1;
        state.heard = Instant::now();
        Sending(Arc::clone(self))
    }

    /// Tells when an operator cuts.
    pub(super) fn watch_cut(&self) -> watch::Receiver<u64> {
        self.cut.subscribe()
    }

    /// Ends the requests of all who send now. Gives how many.
    pub(super) fn cut(&self) -> usize {
        self.cut.send_modify(|count| *count += 1);
        self.senders()
    }

    /// Remembers a track's header, and gives it to the show that is running.
    pub(super) fn greet(&self, track: &RenditionName, header: &Arc<Header>) -> Result<(), LiveError> {
        let running = {
            let mut state = self.lock();
            state.headers.insert(track.clone(), Arc::clone(header));
            state.running().map(|kept| Arc::clone(&kept.showing))
        };
        match running {
            Some(showing) => Ok(showing.greet(track, header)?),
            None => Ok(()),
        }
    }

    /// The header that a track last had.
    pub(super) fn header(&self, track: &RenditionName) -> Option<Arc<Header>> {
        self.lock().headers.get(track).cloned()
    }

    /// The show that is running here.
    pub(super) fn running(&self) -> Option<Arc<Showing>> {
        self.lock().running().map(|kept| Arc::clone(&kept.showing))
    }

    /// The show that a chunk at `time` belongs to, where `former` is not, or not any more.
    pub(super) async fn next_show(
        &self,
        live: &Live,
        former: Option<&Arc<Showing>>,
        time: MediaTime,
    ) -> Result<Arc<Showing>, LiveError> {
        let _one_at_a_time = self.opening.lock().await;
        let newest = self.running();
        if let Some(newest) = newest.filter(|newest| former.is_none_or(|former| former.id < newest.id)) {
            // Somebody else was first.
            return Ok(newest);
        }
        let media_ms = time.as_micros() / 1000;
        let now_ms = i64::try_from(live.clock.now_millis()).unwrap_or(i64::MAX);
        let is_date = media_ms.abs_diff(now_ms) < DAY_MS;
        let opening = Opening {
            media_ms,
            anchor: if is_date { Anchor::Epoch } else { Anchor::Now },
            segment_ms: live.rules.segment_ms.get(),
            parts: live.rules.parts.get(),
        };
        let row = match &self.last_row() {
            Some(row) => live.shows.succeed(row, &opening).await?,
            None => live.shows.open(&self.name, &opening).await?,
        };
        let inits = live.shows.inits(&self.name, row.id).await?;
        let plan = Plan {
            cadence: live.rules.cadence(&row),
            listing: live.rules.listing,
            anchor_ms: row.anchor_ms,
            tracks: live.rules.tracks,
            begins: row.last.is_none(),
            last: row.last,
            inits,
        };
        tracing::info!(stream = %self.name, show = %row.id, anchor_ms = row.anchor_ms, begins = plan.begins, "show");
        let showing = Arc::new(Showing::new(row.id, Show::new(plan), live.metrics.live().show()));
        let mut state = self.lock();
        for kept in state.shows.iter_mut().filter(|kept| kept.ended.is_none()) {
            kept.showing.end();
            kept.ended = Some(Instant::now());
        }
        for (track, header) in &state.headers {
            showing.greet(track, header)?;
        }
        let noted = row.last;
        state.shows.push(Kept {
            showing: Arc::clone(&showing),
            row,
            ended: None,
            noted,
            inits: BTreeMap::new(),
        });
        Ok(showing)
    }

    /// Ends a show, here and in the database. Whether it was running.
    pub(super) async fn end(&self, live: &Live, id: ShowId) -> Result<bool, LiveError> {
        let ended = live.shows.end(&self.name, id).await?;
        self.end_here(id);
        Ok(ended)
    }

    /// Ends a show here.
    pub(super) fn end_here(&self, id: ShowId) {
        let mut state = self.lock();
        for kept in state.shows.iter_mut().filter(|kept| kept.showing.id == id && kept.ended.is_none()) {
            kept.showing.end();
            kept.ended = Some(Instant::now());
            tracing::info!(stream = %self.name, show = %id, "show ended");
        }
    }

    /// Tells the database how far a show has come, unless it is being told something already: the next segment will
    /// tell more.
    pub(super) fn note(self: &Arc<Self>, live: &Live, showing: &Arc<Showing>) {
        let last = showing.look(|show| {
            let edges = show.tracks().filter_map(|track| show.playlist(track)).map(|p| p.edge().open);
            edges.min().and_then(|open| open.0.checked_sub(1)).map(Msn)
        });
        let Some(last) = last else { return };
        {
            let mut state = self.lock();
            let Some(kept) = state.shows.iter_mut().find(|kept| kept.showing.id == showing.id) else {
                return;
            };
            if kept.noted.is_some_and(|noted| noted >= last) {
                return;
            }
            kept.noted = Some(last);
        }
        if self.noting.swap(true, Ordering::AcqRel) {
            return;
        }
        let (this, shows, id) = (Arc::clone(self), Arc::clone(&live.shows), showing.id);
        live.spawn(async move {
            if let Err(error) = shows.note(&this.name, id, last).await {
                tracing::warn!(stream = %this.name, show = %id, %error, "progress not noted");
            }
            this.noting.store(false, Ordering::Release);
        });
    }

    /// Tells the database what a track is decoded with. Saying it again changes nothing there.
    pub(super) fn identify(
        self: &Arc<Self>,
        live: &Arc<Live>,
        showing: &Arc<Showing>,
        track: &RenditionName,
    ) {
        let found = showing.look(|show| show.playlist(track).and_then(|playlist| playlist.init_in_force()));
        let Some((msn, init)) = found else { return };
        {
            let mut state = self.lock();
            let Some(kept) = state.shows.iter_mut().find(|kept| kept.showing.id == showing.id) else {
                return;
            };
            if kept.inits.insert(track.clone(), init) == Some(init) {
                return;
            }
        }
        let (this, shows, id, track) = (Arc::clone(self), Arc::clone(&live.shows), showing.id, track.clone());
        live.spawn(async move {
            let told = shows.identify(&this.name, id, &track, msn, &init.to_string()).await;
            if let Err(error) = told {
                tracing::warn!(stream = %this.name, show = %id, %error, "init segment not noted");
            }
        });
    }

    /// The newest show that was here, whatever became of it: what comes next is not part of it.
    fn last_row(&self) -> Option<transcoder::publishing::Show> {
        self.lock().shows.last().map(|kept| kept.row.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn running(&self) -> Option<&Kept> {
        self.shows.last().filter(|kept| kept.ended.is_none() && !kept.showing.has_ended())
    }
}

/// Somebody who sends.
pub(super) struct Sending(Arc<Stream>);

impl Drop for Sending {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.senders = state.senders.saturating_sub(1);
        state.heard = Instant::now();
    }
}

/// Looks after a stream: ends a show whose sender does not come back, lets go of shows that ended long enough ago.
pub(super) async fn tend(live: Weak<Live>, stream: Arc<Stream>) {
    loop {
        tokio::time::sleep(TEND).await;
        let Some(live) = live.upgrade() else { return };
        let (abandoned, finished) = {
            let mut state = stream.lock();
            let (senders, heard) = (state.senders, state.heard);
            state.shows.retain(|kept| kept.ended.is_none_or(|ended| ended.elapsed() < live.rules.retain));
            let open = state.shows.iter().find(|kept| kept.ended.is_none());
            let finished = open.filter(|kept| kept.showing.has_ended()).map(|kept| kept.showing.id);
            let alone = senders == 0 && heard.elapsed() >= live.rules.reconnect;
            (open.filter(|_| alone && finished.is_none()).map(|kept| kept.showing.id), finished)
        };
        if let Some(id) = abandoned.or(finished) {
            if abandoned.is_some() {
                tracing::warn!(stream = %stream.name, show = %id, "the sender did not come back");
            }
            if let Err(error) = stream.end(&live, id).await {
                // It ends here all the same; who asks the database next finds it running, and ends it then.
                tracing::warn!(stream = %stream.name, show = %id, %error, "end not noted");
                stream.end_here(id);
            }
        }
        if stream.is_empty() && live.forget(&stream) {
            return;
        }
    }
}

const DAY_MS: u64 = 86_400_000;
const TEND: Duration = Duration::from_millis(500);
