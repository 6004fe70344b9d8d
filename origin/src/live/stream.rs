//! A stream: its shows one after another, and who sends to it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Cadence, Header, InitId, Plan, Refusal, Show};
use packager::time::{MediaTime, Msn};
use tokio::sync::{Semaphore, watch};
use transcoder::publishing::{Anchor, Opening};

use super::archive::{Keeper, Restored, chain};
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
    headers: BTreeMap<RenditionName, Known>,
    senders: usize,
    /// When somebody last sent.
    heard: Instant,
}

/// A track's header, which its sender may have sent long ago.
#[derive(Debug)]
struct Known {
    header: Arc<Header>,
    /// Whether a show may begin with it: not with what goes on after an end.
    may_begin: bool,
}

#[derive(Debug)]
struct Kept {
    showing: Arc<Showing>,
    row: transcoder::publishing::Show,
    ended: Option<Instant>,
    noted: Option<Msn>,
    /// How often progress has been noted.
    notes: u32,
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

    /// Whether no show is left and nobody sends, nor has for so long that headers need not be remembered.
    pub(super) fn is_empty(&self) -> bool {
        let state = self.lock();
        let is_fresh = !state.headers.is_empty() && state.heard.elapsed() < REMEMBERED;
        state.shows.is_empty() && state.senders == 0 && !is_fresh
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

    /// Counts somebody who sends, as long as the value lives; `None` where so many do already.
    pub(super) fn enter(self: &Arc<Self>, limit: usize) -> Option<Sending> {
        let mut state = self.lock();
        if state.senders >= limit {
            return None;
        }
        state.senders += 1;
        Some(Sending(Arc::clone(self)))
    }

    /// Media has been taken.
    pub(super) fn hears(&self) {
        self.lock().heard = Instant::now();
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
    pub(super) fn greet(
        &self,
        track: &RenditionName,
        header: &Arc<Header>,
        limit: usize,
    ) -> Result<(), LiveError> {
        if let Some(running) = self.running() {
            running.greet(track, header)?;
        }
        let mut state = self.lock();
        if state.headers.len() >= limit && !state.headers.contains_key(track) {
            return Err(Refusal::ManyTracks { limit }.into());
        }
        state.headers.insert(track.clone(), Known { header: Arc::clone(header), may_begin: true });
        // Its media is due.
        if state.shows.is_empty() {
            state.heard = Instant::now();
        }
        Ok(())
    }

    /// The header that a track last had.
    pub(super) fn header(&self, track: &RenditionName) -> Option<Arc<Header>> {
        self.lock().headers.get(track).map(|known| Arc::clone(&known.header))
    }

    /// Whether a show may begin with what a track sends now.
    pub(super) fn may_begin(&self, track: &RenditionName) -> bool {
        self.lock().headers.get(track).is_some_and(|known| known.may_begin)
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
        if is_date && media_ms.saturating_sub(now_ms) > AHEAD_MS {
            return Err(Refusal::Ahead { by_ms: media_ms.saturating_sub(now_ms) }.into());
        }
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
        // What stopped long ago is over, though nobody was there to end it.
        let row = match row.last.map(|last| ended_at(&row, last)) {
            Some(at_ms) if now_ms.saturating_sub(at_ms) > live.rules.patience_ms() => {
                live.shows.succeed(&row, &opening).await?
            }
            _ => row,
        };
        let inits = live.shows.inits(&self.name, row.id).await?;
        let cadence = live.rules.cadence(&row);
        let restored = self.restore(live, &row, cadence).await;
        let lacks_past = restored.is_none();
        let restored = restored.unwrap_or_default();
        let plan = Plan {
            cadence,
            listing: live.rules.listing,
            anchor_ms: row.anchor_ms,
            tracks: live.rules.tracks,
            begins: row.last.is_none(),
            last: row.last,
            inits,
            keeping: live.archive.is_some().then(|| live.rules.keeping(cadence)),
            past: restored.past,
            ranges: restored.ranges,
        };
        tracing::info!(stream = %self.name, show = %row.id, anchor_ms = row.anchor_ms, begins = plan.begins, "show");
        let showing = Arc::new(Showing::new(row.id, Show::new(plan), Some(live.metrics.live().show())));
        if let Some(archive) = &live.archive {
            let keeper = Keeper::new(Arc::clone(archive), self.name.clone(), &showing);
            live.spawn(if lacks_past { keeper.without_past() } else { keeper }.run());
        }
        let mut state = self.lock();
        for kept in state.shows.iter_mut().filter(|kept| kept.ended.is_none()) {
            kept.showing.end();
            kept.ended = Some(Instant::now());
        }
        let noted = row.last;
        state.shows.push(Kept {
            showing: Arc::clone(&showing),
            row,
            ended: None,
            noted,
            notes: 0,
            inits: BTreeMap::new(),
        });
        Ok(showing)
    }

    /// What the archive tells of a show that others have begun; `None` where it does not tell. Live does not wait for it for
    /// long.
    async fn restore(
        &self,
        live: &Live,
        row: &transcoder::publishing::Show,
        cadence: Cadence,
    ) -> Option<Restored> {
        let (Some(archive), Some(_)) = (&live.archive, row.last) else { return Some(Restored::default()) };
        let told = tokio::time::timeout(RESTORE, archive.restore(&self.name, row.id, Some(cadence))).await;
        let error = match told {
            Ok(Ok(restored)) => return Some(restored.unwrap_or_default()),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {} s", RESTORE.as_secs()),
        };
        tracing::warn!(stream = %self.name, show = %row.id, error, "the show goes on without its past for now");
        None
    }

    /// Ends a show, here and in the database. Whether it was running there.
    pub(super) async fn end(&self, live: &Live, id: ShowId) -> Result<bool, LiveError> {
        self.end_here(id);
        Ok(live.shows.end(&self.name, id).await?)
    }

    /// Ends a show here.
    pub(super) fn end_here(&self, id: ShowId) {
        let mut state = self.lock();
        // What its senders still send is not the beginning of another show.
        state.headers.values_mut().for_each(|known| known.may_begin = false);
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
            // At first each segment: a sender that begins anew is known by how far it was.
            let every = if kept.notes < 30 { 1 } else { live.rules.noted_every() };
            if kept.noted.is_some_and(|noted| last.0 < noted.0.saturating_add(every)) {
                return;
            }
            kept.notes += 1;
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
    }
}

/// Looks after a stream: ends a show whose sender does not come back, lets go of shows that ended long enough ago.
pub(super) async fn tend(live: Weak<Live>, stream: Arc<Stream>) {
    for round in 1u64.. {
        tokio::time::sleep(TEND).await;
        let Some(live) = live.upgrade() else { return };
        live.measure_archives();
        let (open, is_alone, is_finished) = {
            let mut state = stream.lock();
            // What is not archived yet is nowhere else.
            let stays = |kept: &Kept| {
                let is_archived = live.archive.is_none() || kept.showing.archiving().is_whole;
                kept.ended.is_none_or(|ended| ended.elapsed() < live.rules.retain) || !is_archived
            };
            state.shows.retain(stays);
            let is_alone = state.heard.elapsed() >= live.rules.reconnect;
            let open = state.shows.iter().find(|kept| kept.ended.is_none());
            let is_finished = open.is_some_and(|kept| kept.showing.has_ended());
            (open.map(|kept| (kept.showing.id, kept.noted)), is_alone, is_finished)
        };
        if let Some((id, noted)) = open {
            let told = match (is_finished, is_alone) {
                (true, _) => stream.end(&live, id).await.map(drop),
                (false, true) => stream.abandon(&live, id, noted).await,
                (false, false) if round % ROUNDS == 0 => stream.compare(&live, id).await,
                (false, false) => Ok(()),
            };
            if let Err(error) = told {
                // It has ended here; who asks the database next finds it running, and ends it then.
                tracing::warn!(stream = %stream.name, show = %id, %error, "the database was not told, or did not tell");
            }
        }
        if stream.is_empty() && live.forget(&stream) {
            return;
        }
    }
}

impl Stream {
    /// The sender of a show did not come back. Where others have it, it goes on there; where they have not, it ends.
    async fn abandon(&self, live: &Live, id: ShowId, noted: Option<Msn>) -> Result<(), LiveError> {
        let row = live.shows.current(&self.name).await;
        let goes_on = row
            .as_ref()
            .is_ok_and(|row| row.as_ref().is_some_and(|row| row.id == id && !row.ended && row.last > noted));
        if goes_on {
            tracing::warn!(stream = %self.name, show = %id, "the sender did not come back; others have the show");
            self.lock().shows.retain(|kept| kept.showing.id != id);
            return Ok(());
        }
        tracing::warn!(stream = %self.name, show = %id, "the sender did not come back");
        let ended = self.end(live, id).await;
        // Who comes back after all begins the next one, with the header that is known.
        self.lock().headers.values_mut().for_each(|known| known.may_begin = true);
        ended.map(drop)
    }

    /// Ends a show here that was ended elsewhere.
    async fn compare(&self, live: &Live, id: ShowId) -> Result<(), LiveError> {
        let row = live.shows.current(&self.name).await?;
        if row.is_some_and(|row| row.id > id || (row.id == id && row.ended)) {
            self.end_here(id);
        }
        Ok(())
    }
}

/// The date of the end of what is known of a show, in milliseconds since 1970.
pub(super) fn ended_at(row: &transcoder::publishing::Show, last: Msn) -> i64 {
    let segments = i64::try_from(last.0.saturating_add(1)).unwrap_or(i64::MAX);
    row.anchor_ms.saturating_add(segments.saturating_mul(i64::from(row.segment_ms)))
}

/// How long a show waits for its archive before it goes on.
const RESTORE: Duration = Duration::from_secs(8);
/// How far ahead of the clock a first chunk may be.
const AHEAD_MS: i64 = 600_000;
/// How long headers are remembered without media.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How often the database is asked whether a show still runs: each ten seconds.
const ROUNDS: u64 = 20;
const DAY_MS: u64 = 86_400_000;
const TEND: Duration = Duration::from_millis(500);
