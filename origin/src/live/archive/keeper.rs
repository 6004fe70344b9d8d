//! Who looks after the archive of one show on this origin, for as long as the show is here.
//!
//! ```text
//! each quarter of a second
//!   nobody writes it?          claim it
//!   somebody else does         read the pages that were committed; let go of what they name
//!   this origin does           put segments, four at a time; a minute is whole: put its page, commit, let go
//!   too much is waiting        to the spool
//! the show has ended, and all is put: seal
//! ```

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::{Gait, InitId, Page, Segment, Show, Stored};
use packager::time::Msn;
use tokio::task::JoinHandle;

use super::spooling::Spooling;
use super::{Archive, ArchiveError, Folder};
use crate::catalog::Tenure;
use crate::live::{Place, Showing};
use crate::metrics::Present;

/// The task of one show.
pub(crate) struct Keeper {
    archive: Arc<Archive>,
    stream: StreamName,
    id: ShowId,
    showing: Weak<Showing>,
    folder: Folder,
    holding: Option<Holding>,
    /// Pages before this one are committed, and known here.
    until: Option<u64>,
    /// What is in the store and in no page yet.
    kept: BTreeMap<(RenditionName, Msn), Stored>,
    inits: HashSet<(RenditionName, InitId)>,
    looked: Option<Instant>,
    /// Whether the archive could not be read when the show began here: nothing is written until it was.
    lacks_past: bool,
    /// Whether it has been said that something is wrong.
    is_troubled: bool,
}

/// The right to write, which a task of its own renews.
struct Holding {
    tenure: Tenure,
    archive: Arc<Archive>,
    renewing: JoinHandle<()>,
    _counted: Present,
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.renewing.abort();
        self.archive.tenures.remove(&self.tenure);
    }
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// There may be more to do.
    Busy,
    /// There is nothing to do now.
    Idle,
    /// All is in the archive, and nothing follows.
    Done,
}

/// What of a track is to be looked after.
struct Line {
    name: RenditionName,
    gait: Option<Gait>,
    segments: Vec<Arc<Segment>>,
}

impl Keeper {
    pub(crate) fn new(archive: Arc<Archive>, stream: StreamName, showing: &Arc<Showing>) -> Self {
        let (id, folder) = (showing.id, Folder::of(&stream, showing.id));
        Self {
            archive,
            stream,
            id,
            showing: Arc::downgrade(showing),
            folder,
            holding: None,
            until: None,
            kept: BTreeMap::new(),
            inits: HashSet::new(),
            looked: None,
            lacks_past: false,
            is_troubled: false,
        }
    }

    /// The show began here without what the archive knows of it.
    pub(crate) fn without_past(self) -> Self {
        Self { lacks_past: true, ..self }
    }

    /// Looks after the show until all of it is in the archive, or it is no longer here.
    pub(crate) async fn run(mut self) {
        // Whatever becomes of the store, and however long it takes.
        let _spooling = self.archive.spool.clone().map(|spool| {
            let (showing, stream) = (self.showing.clone(), self.stream.clone());
            Spooling::start(spool, showing, stream)
        });
        while let Some(showing) = self.showing.upgrade() {
            let round = self.round(&showing).await;
            let (is_idle, wait) = match &round {
                Ok(Round::Done) => return showing.archived_whole(),
                Ok(Round::Busy) => (false, Duration::ZERO),
                Ok(Round::Idle) => (true, ROUND),
                Err(_) => (false, AGAIN),
            };
            if round.is_err() {
                self.archive.metrics.archive().failed();
            }
            match round {
                Err(error) if !self.is_troubled => {
                    self.is_troubled = true;
                    let error = super::chain(&error);
                    tracing::warn!(stream = %self.stream, show = %self.id, error, "the archive waits");
                }
                Ok(_) if self.is_troubled && is_idle => {
                    self.is_troubled = false;
                    tracing::info!(stream = %self.stream, show = %self.id, "the archive goes on");
                }
                _ => {}
            }
            self.measure(&showing);
            drop(showing);
            tokio::time::sleep(wait).await;
        }
    }

    async fn round(&mut self, showing: &Arc<Showing>) -> Result<Round, ArchiveError> {
        if self.lacks_past {
            self.recall(showing).await?;
        }
        // Asked before it is looked at: nothing follows then.
        let has_ended = showing.has_ended();
        let Some(first) = showing.look(first) else {
            return Ok(if has_ended { Round::Done } else { Round::Idle });
        };
        if !self.hold(showing, first).await? {
            return self.follow(showing).await;
        }
        let (Some(holding), Some(until)) = (&self.holding, self.until) else { return Ok(Round::Idle) };
        let tenure = holding.tenure.clone();
        let lines = self.lines(showing, until);
        if self.put(showing, &lines, tenure.fence).await? {
            return Ok(Round::Busy);
        }
        let cadence = showing.look(|show| show.plan().cadence);
        let end = cadence.page_range(until).end;
        let newest = lines.iter().filter_map(|line| line.segments.last()).map(|s| s.msn.0).max();
        let is_whole = showing.look(Show::whole_until).is_some_and(|whole| whole.0 >= end);
        // Who announces itself late may begin a little back.
        let is_over = is_whole && newest.is_some_and(|newest| newest >= end.saturating_add(LATE));
        if is_over || (has_ended && newest.is_some()) {
            self.page(showing, &lines, until, &tenure).await?;
            return Ok(Round::Busy);
        }
        if !has_ended {
            return Ok(Round::Idle);
        }
        if !self.archive.recordings.seal(&tenure, until).await? {
            self.holding = None;
            return Ok(Round::Busy);
        }
        self.holding = None;
        self.archive.sealed.send_modify(|count| *count += 1);
        tracing::info!(stream = %self.stream, show = %self.id, pages = until, "show archived");
        Ok(Round::Done)
    }

    /// Reads what the show was before it was here. Else a page would tell of a part of its minute alone.
    async fn recall(&mut self, showing: &Arc<Showing>) -> Result<(), ArchiveError> {
        let cadence = showing.look(|show| show.plan().cadence);
        match self.archive.restore(&self.stream, self.id, Some(cadence)).await {
            Ok(restored) => {
                showing.recall(restored.unwrap_or_default());
                tracing::info!(stream = %self.stream, show = %self.id, "the show has its past again");
            }
            // It will not be better.
            Err(error @ ArchiveError::Damaged { .. }) => {
                let error = super::chain(&error);
                tracing::warn!(stream = %self.stream, show = %self.id, error, "the show stays without its past");
            }
            Err(error) => return Err(error),
        }
        self.lacks_past = false;
        Ok(())
    }

    /// Whether this origin writes the archive, as far as it knows.
    async fn hold(&mut self, showing: &Arc<Showing>, first: Msn) -> Result<bool, ArchiveError> {
        if self.archive.tenures.are_over() {
            self.holding = None;
            return Ok(false);
        }
        if self.holding.as_ref().is_some_and(|holding| !holding.renewing.is_finished()) {
            return Ok(true);
        }
        if self.holding.take().is_some() {
            tracing::warn!(stream = %self.stream, show = %self.id, "another origin writes the archive now");
            self.kept.clear();
            self.looked = None;
        }
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(false);
        }
        let from = showing.look(|show| show.plan().cadence).page(first);
        let (recordings, holder) = (&self.archive.recordings, &self.archive.holder);
        let Some(tenure) = recordings.claim(&self.stream, self.id, holder, TTL, from).await? else {
            return Ok(false);
        };
        tracing::info!(stream = %self.stream, show = %self.id, fence = tenure.fence, from = tenure.from, "archiving");
        // What others committed is known before anything is written.
        self.catch_up(showing).await?;
        self.until = Some(tenure.from.max(self.until.unwrap_or(0)));
        self.adopt(showing);
        let renewing = tokio::spawn(renew(Arc::clone(&self.archive), tenure.clone()));
        let counted = self.archive.metrics.archive().holds();
        self.archive.tenures.add(&tenure);
        self.holding =
            Some(Holding { tenure, archive: Arc::clone(&self.archive), renewing, _counted: counted });
        Ok(true)
    }

    /// What is in the store already, and in no page.
    fn adopt(&mut self, showing: &Arc<Showing>) {
        let Some(until) = self.until else { return };
        for line in self.lines(showing, until) {
            for segment in line.segments {
                if let Some(stored) = segment.stored.filter(|stored| stored.fence.is_some()) {
                    self.kept.insert((line.name.clone(), segment.msn), stored);
                }
            }
        }
    }

    /// Somebody else writes it, or nobody may any more.
    async fn follow(&mut self, showing: &Arc<Showing>) -> Result<Round, ArchiveError> {
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return Ok(Round::Idle);
        }
        let is_sealed = self.catch_up(showing).await?;
        self.looked = Some(Instant::now());
        Ok(if is_sealed { Round::Done } else { Round::Idle })
    }

    /// Reads the pages that were committed, and lets go of what they name. Whether nothing will follow.
    async fn catch_up(&mut self, showing: &Arc<Showing>) -> Result<bool, ArchiveError> {
        let Some(recording) = self.archive.recordings.recording(&self.stream, self.id).await? else {
            return Ok(false);
        };
        // Those before were read when the show began here.
        let first = showing.look(first).map_or(0, |first| showing.look(|s| s.plan().cadence).page(first));
        for number in self.until.unwrap_or(recording.first.max(first))..recording.until {
            if let Some((path, page)) = self.archive.page(&self.folder, &recording, number).await? {
                for (name, track) in &page.tracks {
                    let segments = track
                        .segments()
                        .map_err(|source| ArchiveError::Damaged { path: path.clone(), source })?;
                    for segment in segments {
                        if let Some(stored) = segment.stored {
                            self.let_go(showing, name, segment.msn, stored).await;
                        }
                    }
                }
            }
            self.until = Some(number.saturating_add(1));
        }
        self.tell(showing);
        Ok(recording.sealed)
    }

    /// The segments of all tracks from a page on.
    fn lines(&self, showing: &Arc<Showing>, until: u64) -> Vec<Line> {
        let line = |show: &Show, name: &RenditionName| {
            let all = show.segments(name)?;
            let from = show.plan().cadence.page_range(until).start;
            let old = all.partition_point(|segment| segment.msn.0 < from);
            let segments = all.iter().skip(old).cloned().collect();
            Some(Line { name: name.clone(), gait: show.gait(name), segments })
        };
        showing.look(|show| show.tracks().filter_map(|name| line(show, name)).collect())
    }

    /// Puts what is not in the store yet; whether there was something.
    async fn put(
        &mut self,
        showing: &Arc<Showing>,
        lines: &[Line],
        fence: u64,
    ) -> Result<bool, ArchiveError> {
        let mut due = Vec::new();
        for line in lines {
            for segment in &line.segments {
                let key = (line.name.clone(), segment.msn);
                if !segment.is_missing() && !self.kept.contains_key(&key) {
                    due.push((key, Arc::clone(segment)));
                }
            }
        }
        // Oldest first, of whichever track.
        due.sort_by_key(|((_, msn), _)| *msn);
        due.truncate(AT_ONCE);
        let had_some = !due.is_empty();
        for ((name, _), segment) in &due {
            let key = (name.clone(), segment.init);
            if !self.inits.contains(&key)
                && let Some(bytes) = showing.init(name, segment.init)
            {
                self.archive.put(self.folder.init(name, segment.init), vec![bytes]).await?;
                self.inits.insert(key);
            }
        }
        let puts = due.into_iter().map(|(key, segment)| {
            let this = &*self;
            async move {
                let stored = this.put_one(&key.0, &segment, fence).await;
                (key, stored)
            }
        });
        let results: Vec<_> = stream::iter(puts).buffer_unordered(PARALLEL).collect().await;
        let mut fault = None;
        for (key, result) in results {
            match result {
                Ok(Some(stored)) => {
                    self.archive.metrics.archive().stored(stored.len);
                    // It need not wait on the disk any more, nor be lost there.
                    self.let_go(showing, &key.0, key.1, stored).await;
                    self.kept.insert(key, stored);
                }
                // It was in the spool, and is no longer.
                Ok(None) => {
                    showing.lose(&key.0, key.1);
                }
                Err(error) => fault = fault.or(Some(error)),
            }
        }
        fault.map_or(Ok(had_some), Err)
    }

    /// Puts one segment; `None` where its bytes are gone.
    async fn put_one(
        &self,
        name: &RenditionName,
        segment: &Segment,
        fence: u64,
    ) -> Result<Option<Stored>, ArchiveError> {
        // It was put under another tenure, and is as good as it was.
        if let Some(stored) = segment.stored.filter(|stored| stored.fence.is_some()) {
            return Ok(Some(stored));
        }
        let (pieces, tag) = match (&segment.media, segment.stored, &self.archive.spool) {
            (Some(media), ..) => (media.pieces().to_vec(), media.tag().bits()),
            (None, Some(stored), Some(spool)) => {
                match spool.read(&self.at(name), segment.msn, segment.init).await? {
                    Some(bytes) => (vec![bytes], Some(stored.tag)),
                    None => return Ok(None),
                }
            }
            _ => return Ok(None),
        };
        let Some(tag) = tag else { return Ok(None) };
        let len = pieces.iter().map(|piece| piece.len() as u64).sum();
        let path = self.folder.segment(name, segment.msn, fence, segment.init);
        self.archive.put(path, pieces).await?;
        Ok(Some(Stored { len, tag, fence: Some(fence) }))
    }

    /// Puts a page, commits it, and lets go of what it names.
    async fn page(
        &mut self,
        showing: &Arc<Showing>,
        lines: &[Line],
        number: u64,
        tenure: &Tenure,
    ) -> Result<(), ArchiveError> {
        let (cadence, anchor_ms, ranges) =
            showing.look(|show| (show.plan().cadence, show.plan().anchor_ms, show.ranges()));
        let range = cadence.page_range(number);
        let mut page = Page::new(number, cadence, anchor_ms);
        page.ranges = ranges;
        let mut named = Vec::new();
        for line in lines {
            let Some(gait) = line.gait else { continue };
            let mut segments = Vec::new();
            for segment in line.segments.iter().filter(|segment| range.contains(&segment.msn.0)) {
                let stored = self.kept.get(&(line.name.clone(), segment.msn)).copied();
                segments.push(Arc::new(Segment { stored, ..(**segment).clone() }));
                named.extend(stored.map(|stored| (line.name.clone(), segment.msn, stored)));
            }
            page.add(&line.name, gait, segments.iter());
        }
        self.archive.put(self.folder.page(number, tenure.fence), vec![page.to_json().into()]).await?;
        if !self.archive.recordings.commit(tenure, number.saturating_add(1)).await? {
            self.holding = None;
            self.kept.clear();
            self.looked = None;
            return Ok(());
        }
        self.archive.metrics.archive().paged();
        for (name, msn, stored) in named {
            self.kept.remove(&(name.clone(), msn));
            self.let_go(showing, &name, msn, stored).await;
        }
        self.until = Some(number.saturating_add(1));
        self.tell(showing);
        Ok(())
    }

    /// Pages tell of what is before the next one: here it need not be known for ever.
    fn tell(&self, showing: &Arc<Showing>) {
        let Some(until) = self.until else { return };
        let cadence = showing.look(|show| show.plan().cadence);
        showing.told(Msn(cadence.page_range(until).start));
    }

    /// A segment is in the store: it need not stay here.
    async fn let_go(&self, showing: &Arc<Showing>, name: &RenditionName, msn: Msn, stored: Stored) {
        showing.keep(name, msn, stored);
        if let Some(spool) = &self.archive.spool
            && let Some(init) = showing.look(|show| show.init_of(name, msn))
        {
            spool.remove(&self.at(name), msn, init).await;
        }
    }

    /// How far the archive is behind.
    fn measure(&self, showing: &Arc<Showing>) {
        let lines = self.lines(showing, self.until.unwrap_or(0));
        let behind = lines.iter().filter_map(|line| {
            let waits = |s: &&Arc<Segment>| !s.is_missing() && s.stored.is_none_or(|at| at.fence.is_none());
            let first = line.segments.iter().find(waits)?;
            Some(line.segments.last()?.end.since(first.start).as_micros())
        });
        let behind = u64::try_from(behind.max().unwrap_or(0)).unwrap_or(0);
        showing.archived(Duration::from_micros(behind), self.holding.is_some());
    }

    fn at(&self, track: &RenditionName) -> Place {
        Place { stream: self.stream.clone(), show: self.id, track: track.clone() }
    }
}

/// The oldest segment of a show that is known.
fn first(show: &Show) -> Option<Msn> {
    show.tracks().filter_map(|name| Some(show.segments(name)?.front()?.msn)).min()
}

/// Renews a tenure until it is lost.
async fn renew(archive: Arc<Archive>, tenure: Tenure) {
    let mut until = Instant::now() + TTL;
    while Instant::now() < until {
        tokio::time::sleep(TTL / 4).await;
        let asked = Instant::now();
        match archive.recordings.renew(&tenure, TTL).await {
            Ok(true) => until = asked + TTL,
            Ok(false) => return,
            Err(error) => tracing::debug!(%error, "a tenure was not renewed"),
        }
    }
}

/// How long who writes an archive may say nothing before another does.
const TTL: Duration = Duration::from_secs(12);
/// How often it is looked who writes it.
const LOOK: Duration = Duration::from_secs(2);
const ROUND: Duration = Duration::from_millis(250);
const AGAIN: Duration = Duration::from_secs(1);
/// Objects that are put at the same time, and in one round.
const PARALLEL: usize = 4;
const AT_ONCE: usize = 16;
/// Segments that must have come behind a page before it is written.
const LATE: u64 = 3;
