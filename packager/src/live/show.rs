//! A show: all tracks of one timeline, and what their playlists have in common.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::cadence::Cadence;
use super::daterange::{DateRange, Ranges};
use super::playlist::{Listing, OpenSegment, Playlist, horizon};
use super::report::Report;
use super::scte35::Splice;
use super::segment::{Media, Part, Segment};
use super::track::{Sender, Start, Taken, Track};
use super::{Chunk, Header, InitId, Refusal};
use crate::asset::RenditionName;
use crate::playlist::multivariant::{Member, write_members};
use crate::presentation::Rates;
use crate::time::{Bitrate, MediaTime, Msn};

/// What is fixed about a show before anything of it arrives.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How it is cut.
    pub cadence: Cadence,
    /// How much of it is listed.
    pub listing: Listing,
    /// The date of media time zero, in milliseconds since 1970-01-01 UTC. Zero where media time is that date.
    pub anchor_ms: i64,
    /// How many tracks it may have.
    pub tracks: usize,
    /// Whether it begins here. Where it does not, others have whole segments of it, and each track begins with the
    /// next whole one.
    pub begins: bool,
    /// The last segment that is known to be whole elsewhere, where it does not begin here.
    pub last: Option<Msn>,
    /// What its tracks were decoded with so far: track, first segment, header. They tell how many discontinuities
    /// there were.
    pub inits: Vec<(RenditionName, Msn, String)>,
}

/// One sender's way through a track: a connection, or one object of those that send an object at a time.
#[derive(Debug, Clone)]
pub struct Feed {
    sender: Sender,
    end: Option<MediaTime>,
    header: Option<Arc<Header>>,
}

impl Feed {
    /// A sender that has sent nothing yet.
    pub fn new(sender: Sender) -> Self {
        Self { sender, end: None, header: None }
    }

    /// What its chunks are decoded with from here on; the track's own header where nothing is said.
    pub fn read_with(&mut self, header: Arc<Header>) {
        self.header = Some(header);
    }
}

/// What there is of a part or segment.
#[derive(Debug, Clone)]
pub enum Found {
    /// All of it.
    Ready(Arc<Media>),
    /// Not yet, but it is hinted: ask again when the playlist has changed.
    Wait,
    /// There is none, or none any more.
    Absent,
}

impl Found {
    /// The bytes, where they are there.
    pub fn ready(self) -> Option<Arc<Media>> {
        match self {
            Self::Ready(media) => Some(media),
            Self::Wait | Self::Absent => None,
        }
    }
}

/// The live window of one show.
#[derive(Debug)]
pub struct Show {
    plan: Plan,
    tracks: BTreeMap<RenditionName, Kept>,
    ranges: Arc<Ranges>,
    /// Segments at which a track is decoded otherwise than before, in order.
    changes: Arc<Vec<Msn>>,
    first: Option<MediaTime>,
    /// The clock of the last push.
    now_ms: i64,
    ended: bool,
}

/// A track and what the show knows of it.
#[derive(Debug)]
struct Kept {
    track: Track,
    /// The header that came last.
    latest: Arc<Header>,
    /// A header has come, and no media since.
    greeted: bool,
    /// Where the show's media ended when the first header came.
    announced: Option<MediaTime>,
    /// Whether media has come.
    is_heard: bool,
    /// The headers of segments that are here, newest last.
    inits: Vec<(InitId, Bytes)>,
    /// What is listed of the closed segments begins here.
    listed: usize,
    discontinuities: u64,
    /// When each closed segment was listed, and when it slid out: milliseconds of the clock that pushes came with.
    shown: VecDeque<Shown>,
    /// The longest that the playlist was, in microseconds.
    longest: i64,
    /// With which segments the playlist began, and where it ended then, in microseconds.
    firsts: VecDeque<(Msn, i64)>,
    rates: Counted,
}

/// When a segment was listed.
#[derive(Debug, Clone, Copy)]
struct Shown {
    since_ms: i64,
    until_ms: Option<i64>,
}

/// What a track's segments took so far.
#[derive(Debug, Default, Clone, Copy)]
struct Counted {
    peak: u64,
    bytes: u64,
    micros: u64,
    /// Up to which segment.
    msn: Option<Msn>,
}

impl Show {
    /// A show without media.
    pub fn new(plan: Plan) -> Self {
        let changes = Arc::new(changes(&plan.inits));
        Self {
            plan,
            tracks: BTreeMap::new(),
            ranges: Arc::default(),
            changes,
            first: None,
            now_ms: i64::MIN,
            ended: false,
        }
    }

    /// What was fixed about it.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Takes the header of a track: a new one, or one that is known. A header that differs from the one before begins
    /// a segment of its own, after a discontinuity.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn greet(&mut self, name: &RenditionName, header: &Arc<Header>) -> Result<(), Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        if let Some(kept) = self.tracks.get_mut(name) {
            if kept.track.is_video() != header.kind().is_video() {
                let name = |video| if video { "video" } else { "audio" };
                let (expected, found) = (name(kept.track.is_video()), name(header.kind().is_video()));
                return Err(Refusal::WrongKind { expected, found });
            }
            kept.latest = Arc::clone(header);
            kept.greeted = true;
            return Ok(());
        }
        if self.tracks.len() >= self.plan.tracks {
            return Err(Refusal::ManyTracks { limit: self.plan.tracks });
        }
        let start = if self.plan.begins { Start::Here } else { Start::AtSegment(None) };
        let mut track = Track::new(self.plan.cadence, Arc::clone(header), start);
        track.learn(&self.changes);
        let kept = Kept {
            track,
            latest: Arc::clone(header),
            greeted: true,
            announced: self.end(),
            is_heard: false,
            inits: Vec::new(),
            listed: 0,
            discontinuities: 0,
            shown: VecDeque::new(),
            longest: 0,
            firsts: VecDeque::new(),
            rates: Counted::default(),
        };
        self.tracks.insert(name.clone(), kept);
        Ok(())
    }

    /// Takes a chunk of a track at the time `now_ms`, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`Refusal`]; what was taken before the fault stays. [`Refusal::Restarted`] is for whoever keeps shows: the
    /// chunk belongs to the next one, and nothing of it was taken.
    pub fn push(
        &mut self,
        name: &RenditionName,
        feed: &mut Feed,
        chunk: Chunk,
        now_ms: i64,
    ) -> Result<Taken, Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        let kept = self.tracks.get_mut(name).ok_or(Refusal::NoHeader)?;
        let header = feed.header.clone().unwrap_or_else(|| Arc::clone(&kept.latest));
        let Some((time, end)) = span(&chunk, &header) else {
            kept.track.closing |= chunk.last;
            return Ok(Taken::default());
        };
        check_order(feed, time)?;
        if kept.greeted && begins_anew(&self.plan, kept, self.first, time, now_ms) {
            return Err(Refusal::Restarted);
        }
        check_clock(&self.plan, time, now_ms)?;
        kept.greeted = false;
        self.now_ms = self.now_ms.max(now_ms);
        feed.end = Some(end);
        kept.is_heard = true;
        let splices: Vec<Splice> =
            chunk.events.iter().filter_map(|event| Splice::read(event, self.plan.anchor_ms)).collect();
        let pace = kept.track.pace();
        let mut taken = kept.track.take(chunk, &header, feed.sender);
        // What others tell of this track.
        let mut others = kept.track.pace() != pace;
        others |= self.settle(name);
        for splice in splices {
            let range = splice.range(self.ranges.iter());
            if self.ranges.knows(&range) {
                continue;
            }
            let (since_ms, first_ms) = (date(self.plan.anchor_ms, time), self.latest_first_ms());
            let ahead = self.ends();
            // What cannot be listed is no reason to refuse the media that it came with.
            others |= Arc::make_mut(&mut self.ranges).add(range, since_ms, first_ms, ahead).unwrap_or(false);
        }
        if let Ok(taken) = &mut taken {
            taken.others |= others;
        }
        taken
    }

    /// A sender's request, or its object, is whole. Where it held the last segment of its track, the track ends, and the
    /// show with its last track. A track that has been announced, and of which nothing has come yet, is one of them until
    /// the others have gone on for three target durations without it. Tells whether something changed.
    pub fn complete(&mut self, name: &RenditionName) -> bool {
        let Some(kept) = self.tracks.get_mut(name).filter(|kept| kept.track.closing && !kept.track.finished)
        else {
            return false;
        };
        kept.track.finish(&mut Taken::default());
        let _ = self.settle(name);
        if self.all_finished() {
            self.end_now();
        }
        true
    }

    /// Lists a date range from now on.
    ///
    /// # Errors
    /// [`Refusal::Range`], and [`Refusal::Ended`].
    pub fn mark(&mut self, range: DateRange) -> Result<bool, Refusal> {
        if self.ended {
            return Err(Refusal::Ended);
        }
        let end = self.end().map_or(i64::MIN, |end| date(self.plan.anchor_ms, end));
        let (first_ms, ahead) = (self.latest_first_ms(), self.ends());
        Ok(Arc::make_mut(&mut self.ranges).add(range, end, first_ms, ahead)?)
    }

    /// Ends the show: what is half made is closed, and nothing follows.
    pub fn end_now(&mut self) {
        if self.ended {
            return;
        }
        let names: Vec<RenditionName> = self.tracks.keys().cloned().collect();
        for name in &names {
            if let Some(kept) = self.tracks.get_mut(name) {
                kept.track.finish(&mut Taken::default());
            }
            let _ = self.settle(name);
        }
        self.ended = true;
    }

    /// Whether nothing will follow.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The names of its tracks.
    pub fn tracks(&self) -> impl Iterator<Item = &RenditionName> {
        self.tracks.keys()
    }

    /// The header of a track.
    pub fn header(&self, name: &RenditionName) -> Option<&Arc<Header>> {
        self.tracks.get(name).map(|kept| &kept.latest)
    }

    /// Where the media of the show ends: that of the track that is furthest.
    pub fn end(&self) -> Option<MediaTime> {
        self.tracks.values().filter(|kept| kept.track.has_begun()).map(|kept| kept.track.end()).max()
    }

    /// A track's playlist as it is now; `None` for a track that has nothing to list.
    pub fn playlist(&self, name: &RenditionName) -> Option<Playlist> {
        let kept = self.tracks.get(name)?;
        let track = &kept.track;
        let (beat, part_target) = (track.beat?, track.part_target?);
        if !track.has_begun() || track.closed.is_empty() && track.open.parts.is_empty() {
            return None;
        }
        let open = OpenSegment {
            msn: track.open.msn,
            start: track.open.start,
            parts: track.open.parts.clone(),
            discontinuity: track.open.discontinuity,
            init: track.header.id(),
            pending: track.pending().map(|header| header.id()),
        };
        let mut playlist = Playlist {
            cadence: self.plan.cadence,
            beat,
            part_target,
            listing: self.plan.listing,
            anchor_ms: self.plan.anchor_ms,
            first: kept.listed,
            closed: Arc::clone(&track.closed),
            discontinuities: kept.discontinuities,
            open,
            ranges: Arc::clone(&self.ranges),
            track: name.clone(),
            former_first_ms: kept.former_first_ms(&self.plan),
            reports: Vec::new(),
            ended: self.ended,
        };
        playlist.reports = self.reports(name, playlist.end());
        Some(playlist)
    }

    fn reports(&self, own: &RenditionName, end: MediaTime) -> Vec<Report> {
        let others = self.tracks.iter().filter(|(name, kept)| *name != own && kept.track.has_begun());
        let report = |(name, kept): (&RenditionName, &Kept)| {
            let (msn, part) = kept.track.pace()?.last(self.plan.cadence, end)?;
            Some(Report { name: name.clone(), msn, part })
        };
        others.filter_map(report).collect()
    }

    /// The multivariant playlist, with `folder` before each URI; `None` until its tracks can be told: one has a whole
    /// segment, and all that have been announced have something to list, or have had two segments' time for it.
    pub fn multivariant(&self, folder: &str) -> Option<String> {
        let begun = |kept: &&Kept| !kept.track.closed.is_empty() || !kept.track.open.parts.is_empty();
        let whole = self.tracks.values().map(|kept| kept.track.closed.len()).max().unwrap_or(0);
        if whole == 0 || (whole < 3 && !self.tracks.values().all(|kept| begun(&kept))) {
            return None;
        }
        let members = self.tracks.iter().filter(|(_, kept)| begun(kept)).map(|(name, kept)| {
            let header = &kept.track.header;
            Member {
                name: name.clone(),
                kind: header.kind(),
                codec: header.decoding().codec.clone(),
                language: header.language().map(str::to_owned),
                frame_rate: kept.track.beat.filter(|_| kept.track.is_video()).map(|beat| beat.frame_rate()),
                rates: kept.rates.rates(),
            }
        });
        Some(write_members(members.collect(), folder))
    }

    /// The init segment with this id.
    pub fn init(&self, name: &RenditionName, id: InitId) -> Option<Bytes> {
        let kept = self.tracks.get(name)?;
        let coming = kept.track.pending().filter(|header| header.id() == id).map(|header| header.init());
        let known = kept.inits.iter().find(|(known, _)| *known == id).map(|(_, bytes)| bytes.clone());
        known.or(coming)
    }

    /// A whole segment. That which is being made, and the next, are waited for: another origin may be a little ahead of
    /// this one, and have listed them.
    pub fn segment(&self, name: &RenditionName, msn: Msn) -> Found {
        let Some(kept) = self.tracks.get(name) else { return Found::Absent };
        let open = kept.track.open.msn;
        let is_near = kept.track.has_begun() && (open..=Msn(open.0.saturating_add(1))).contains(&msn);
        match kept.whole(msn).and_then(|segment| segment.media.clone()) {
            Some(media) => Found::Ready(media),
            None if is_near && !self.ended => Found::Wait,
            None => Found::Absent,
        }
    }

    /// A part. Those that a client may ask for ahead (RFC 8216bis §6.2.5.2), the hinted one among them, are waited for;
    /// any other that is not here is not.
    pub fn part(&self, name: &RenditionName, msn: Msn, part: u32) -> Found {
        let Some(kept) = self.tracks.get(name) else { return Found::Absent };
        let open = &kept.track.open;
        let index = usize::try_from(part).unwrap_or(usize::MAX);
        let found = |parts: &[Arc<Part>]| parts.get(index).and_then(|part| part.media.clone());
        let waits = kept.track.has_begun() && !self.ended;
        if msn == open.msn {
            return match found(&open.parts) {
                Some(media) => Found::Ready(media),
                None if waits && kept.is_near(index) => Found::Wait,
                None => Found::Absent,
            };
        }
        if msn.0 == open.msn.0.saturating_add(1) {
            return if waits && index == 0 { Found::Wait } else { Found::Absent };
        }
        kept.whole(msn).and_then(|segment| found(&segment.parts)).map_or(Found::Absent, Found::Ready)
    }

    /// Bytes of media that are held.
    pub fn bytes(&self) -> u64 {
        self.tracks.values().map(|kept| kept.track.bytes).sum()
    }

    /// Lets go of the oldest media until no more than `goal` bytes are held, or nothing is left that may go: each playlist
    /// keeps three target durations and six segments, and one of type EVENT all (RFC 8216bis §6.2.2). Gives the bytes that
    /// are held then.
    pub fn shed(&mut self, goal: u64) -> u64 {
        let mut held = self.bytes();
        while held > goal {
            let oldest = |kept: &Kept| kept.track.closed.front().map(|segment| segment.msn);
            let Some(msn) = self.tracks.values().filter_map(oldest).min() else { break };
            // Tracks begin with the same segment.
            let mut old =
                self.tracks.values_mut().filter(|kept| oldest(kept) == Some(msn)).collect::<Vec<_>>();
            if !old.iter().all(|kept| kept.may_go(&self.plan)) {
                break;
            }
            for kept in &mut old {
                held = held.saturating_sub(kept.drop_front());
                kept.remember_first(self.plan.cadence);
            }
        }
        held
    }

    /// After a track has changed: discontinuities that all must show, what is listed, what is kept.
    /// Tells whether other tracks have changed with it.
    fn settle(&mut self, name: &RenditionName) -> bool {
        let mut has_changed = false;
        if let Some(kept) = self.tracks.get_mut(name) {
            if kept.track.has_begun() {
                if let Some(start) = kept.track.began().filter(|_| kept.inits.is_empty()) {
                    self.first = Some(self.first.map_or(start, |first| first.min(start)));
                    kept.discontinuities = kept.track.first_number();
                }
                kept.remember();
            }
            has_changed = kept.track.changes != self.changes;
            self.changes = Arc::clone(&kept.track.changes);
            kept.count();
            kept.slide(self.plan.listing, self.plan.cadence, self.now_ms);
            kept.remember_first(self.plan.cadence);
        }
        if has_changed {
            for (_, other) in self.tracks.iter_mut().filter(|(other, _)| *other != name) {
                other.track.learn(&self.changes);
            }
        }
        if !self.ranges.is_empty() {
            for kept in self.tracks.values().filter(|kept| kept.track.has_begun()) {
                let first_ms = horizon(self.plan.cadence, self.plan.anchor_ms, kept.first());
                let end_ms = date(self.plan.anchor_ms, kept.track.end());
                if self.ranges.has_new(first_ms, end_ms) {
                    Arc::make_mut(&mut self.ranges).note(first_ms, end_ms);
                }
            }
            let begun = self.tracks.values().filter(|kept| kept.track.has_begun());
            let before_ms = begun.map(|kept| kept.former_first_ms(&self.plan)).min();
            if let Some(before_ms) = before_ms.filter(|before_ms| self.ranges.has_over(*before_ms)) {
                Arc::make_mut(&mut self.ranges).forget(before_ms);
            }
        }
        has_changed
    }

    /// Whether every track has had its last segment. Who announces a track and sends nothing holds no show open for ever.
    fn all_finished(&self) -> bool {
        let end = self.end().map_or(i64::MIN, MediaTime::as_micros);
        let first = self.first.map_or(end, MediaTime::as_micros);
        let patience = i64::from(self.plan.cadence.target_duration()) * 3_000_000;
        self.tracks.values().all(|kept| {
            let waited = end.saturating_sub(kept.announced.map_or(first, MediaTime::as_micros));
            kept.track.finished || (!kept.is_heard && waited >= patience)
        })
    }

    /// What must not be over to be in all playlists.
    fn latest_first_ms(&self) -> i64 {
        let begun = self.tracks.values().filter(|kept| kept.track.has_begun());
        let firsts = begun.map(|kept| horizon(self.plan.cadence, self.plan.anchor_ms, kept.first()));
        firsts.max().unwrap_or(i64::MIN)
    }

    /// How far the playlists of all tracks have come.
    fn ends(&self) -> Vec<(RenditionName, i64)> {
        let begun = self.tracks.iter().filter(|(_, kept)| kept.track.has_begun());
        begun.map(|(name, kept)| (name.clone(), date(self.plan.anchor_ms, kept.track.end()))).collect()
    }
}

/// When a chunk begins and ends; `None` for one without samples.
fn span(chunk: &Chunk, header: &Header) -> Option<(MediaTime, MediaTime)> {
    let (first, last) = (chunk.samples.first()?, chunk.samples.last()?);
    let at = |ticks| MediaTime::new(ticks, header.timescale());
    Some((at(first.decode), at(last.decode_end())))
}

/// Whether a sender's chunk follows the one before it.
fn check_order(feed: &Feed, time: MediaTime) -> Result<(), Refusal> {
    let by_ms = feed.end.map_or(0, |end| end.as_micros().saturating_sub(time.as_micros()) / 1000);
    // Timestamps that were rounded on the way may be a little off.
    match by_ms > SLACK_MS {
        true => Err(Refusal::Backwards { by_ms }),
        false => Ok(()),
    }
}

/// Whether a chunk is of a time that has come.
fn check_clock(plan: &Plan, time: MediaTime, now_ms: i64) -> Result<(), Refusal> {
    let by_ms = date(plan.anchor_ms, time).saturating_sub(now_ms);
    match by_ms > AHEAD_MS {
        true => Err(Refusal::Ahead { by_ms }),
        false => Ok(()),
    }
}

/// Whether the chunk after a header is of another timeline than the show's.
fn begins_anew(plan: &Plan, kept: &Kept, first: Option<MediaTime>, time: MediaTime, now_ms: i64) -> bool {
    let passed_ms = now_ms.saturating_sub(date(plan.anchor_ms, time));
    if plan.anchor_ms == 0 {
        // Dates that are no dates.
        return passed_ms.abs() > DAY_MS;
    }
    // A track that is new here may be late; how far the others are says nothing of it. Of a timeline that began
    // elsewhere nobody here knows the beginning: whatever is older than what is whole begins it anew.
    let known = plan.last.map(|last| plan.cadence.start(last, kept.latest.timescale()));
    let (first, end) = match kept.track.has_begun() {
        true => (first, Some(kept.track.end())),
        false => (known, known),
    };
    let is_stale = !kept.track.has_begun() && !plan.begins && passed_ms > STALE_MS;
    passed_ms < -AHEAD_MS || is_stale || restarts(plan.cadence, first, end, time)
}

/// Whether a sender that has just sent a header begins its timeline anew: further back than anyone sends again what
/// was lost, or where the show began.
fn restarts(cadence: Cadence, first: Option<MediaTime>, end: Option<MediaTime>, time: MediaTime) -> bool {
    let Some(end) = end else { return false };
    let millis = |time: MediaTime| time.as_micros() / 1000;
    let segment = cadence.segment().ticks();
    let back = millis(end).saturating_sub(millis(time));
    let at_start = first.is_some_and(|first| millis(time) <= millis(first).saturating_add(segment));
    back > REPLAY_MS || (at_start && back > 2 * segment)
}

/// The segments at which tracks changed their headers, by what is known of a show that others have begun.
fn changes(inits: &[(RenditionName, Msn, String)]) -> Vec<Msn> {
    let is_first = |track: &RenditionName, at: &Msn| {
        !inits.iter().any(|(other, before, _)| other == track && before < at)
    };
    let mut changes: Vec<Msn> =
        inits.iter().filter(|(track, at, _)| !is_first(track, at)).map(|(_, at, _)| *at).collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}

fn date(anchor_ms: i64, time: MediaTime) -> i64 {
    anchor_ms.saturating_add(time.as_micros().div_euclid(1000))
}

impl Kept {
    fn remember(&mut self) {
        let header = &self.track.header;
        if self.inits.iter().all(|(known, _)| *known != header.id()) {
            self.inits.push((header.id(), header.init()));
        }
    }

    fn start(&self) -> MediaTime {
        let listed = self.track.closed.get(self.listed);
        listed.map_or(self.track.open.start, |segment| segment.start)
    }

    fn first(&self) -> Msn {
        self.track.closed.get(self.listed).map_or(self.track.open.msn, |segment| segment.msn)
    }

    /// What had left the oldest playlist that an update may be merged into.
    fn former_first_ms(&self, plan: &Plan) -> i64 {
        let first = self.firsts.front().map_or(self.first(), |(first, _)| *first);
        horizon(plan.cadence, plan.anchor_ms, first)
    }

    /// Remembers with which segment the playlist begins, for as long as an update may be merged into it.
    fn remember_first(&mut self, cadence: Cadence) {
        let (first, end) = (self.first(), self.track.end().as_micros());
        if self.firsts.back().is_none_or(|(known, _)| *known != first) {
            self.firsts.push_back((first, end));
        }
        let oldest = end.saturating_sub(i64::from(cadence.target_duration()) * 8_000_000);
        // The last one that is older was the first of playlists that are not.
        while self.firsts.get(1).is_some_and(|(_, end)| *end <= oldest) {
            self.firsts.pop_front();
        }
    }

    fn whole(&self, msn: Msn) -> Option<&Arc<Segment>> {
        let first = self.track.closed.front()?.msn;
        let index = usize::try_from(msn.0.checked_sub(first.0)?).ok()?;
        self.track.closed.get(index)
    }

    /// Whether a part of the open segment that is not listed may be asked for already.
    fn is_near(&self, index: usize) -> bool {
        let limit = self.track.beat.map_or(1, |beat| beat.advance_limit());
        let ahead = index.checked_sub(self.track.open.parts.len());
        ahead.and_then(|ahead| u64::try_from(ahead).ok()).is_some_and(|ahead| ahead < limit)
    }

    /// Counts what new segments take, for the multivariant playlist.
    fn count(&mut self) {
        for segment in self.track.closed.iter().rev() {
            if self.rates.msn.is_some_and(|counted| segment.msn <= counted) {
                break;
            }
            let micros = u64::try_from(segment.length().as_micros()).unwrap_or(0);
            if segment.media.is_some() && micros > 0 {
                self.rates.bytes += segment.bytes();
                self.rates.micros += micros;
                self.rates.peak = self.rates.peak.max(Bitrate::of(segment.bytes(), segment.length()).0);
            }
        }
        self.rates.msn = self.track.closed.back().map(|segment| segment.msn).or(self.rates.msn);
    }

    /// Moves the window on: what is no longer listed, and what is no longer needed by those who read a former playlist.
    fn slide(&mut self, listing: Listing, cadence: Cadence, now_ms: i64) {
        // Behind a jump of the timeline nothing goes on from what was before.
        while self.track.jumped_to.is_some_and(|to| self.track.closed.front().is_some_and(|s| s.msn < to)) {
            self.drop_front();
        }
        self.track.jumped_to = None;
        self.shown.resize(self.track.closed.len(), Shown { since_ms: now_ms, until_ms: None });
        let Listing::Sliding(window) = listing else { return };
        let end = self.track.end().as_micros();
        let targets = i64::from(cadence.target_duration()) * 3_000_000;
        let window = window.as_micros().max(targets);
        while let Some(segment) = self.track.closed.get(self.listed)
            && segment.end.as_micros() <= end.saturating_sub(window)
        {
            self.discontinuities += u64::from(segment.discontinuity);
            self.shown.iter_mut().skip(self.listed).take(1).for_each(|shown| shown.until_ms = Some(now_ms));
            self.listed += 1;
        }
        self.longest = self.longest.max(end.saturating_sub(self.start().as_micros()));
        while self.listed > 0 && self.is_forgotten(now_ms, targets) {
            self.drop_front();
        }
    }

    /// Whether nobody needs the oldest segment any more: it was listed first as long ago as it lasts, and the longest
    /// playlist that listed it; and its parts last three target durations ago (RFC 8216bis §6.2.2). Media may come faster
    /// than it plays, so this goes by the clock.
    fn is_forgotten(&self, now_ms: i64, targets: i64) -> bool {
        let (Some(segment), Some(shown)) = (self.track.closed.front(), self.shown.front()) else {
            return false;
        };
        let since =
            shown.since_ms.saturating_add(segment.length().as_micros().saturating_add(self.longest) / 1000);
        let until = shown.until_ms.unwrap_or(now_ms).saturating_add(targets / 1000);
        now_ms > since.max(until)
    }

    /// Whether the oldest segment may go.
    fn may_go(&self, plan: &Plan) -> bool {
        if self.listed > 0 {
            return true;
        }
        let Some(second) = self.track.closed.get(1) else { return false };
        let left = self.track.end().as_micros().saturating_sub(second.start.as_micros());
        plan.listing != Listing::Event
            && left >= i64::from(plan.cadence.target_duration()) * 3_000_000
            && self.track.closed.len() > 6
    }

    /// Lets go of the oldest segment; gives its bytes.
    fn drop_front(&mut self) -> u64 {
        let Some(segment) = Arc::make_mut(&mut self.track.closed).pop_front() else { return 0 };
        self.track.bytes = self.track.bytes.saturating_sub(segment.bytes());
        match self.listed.checked_sub(1) {
            Some(listed) => self.listed = listed,
            None => self.discontinuities += u64::from(segment.discontinuity),
        }
        self.shown.pop_front();
        let used = |id| {
            let waiting = self.track.pending().is_some_and(|header| header.id() == id);
            id == self.track.header.id() || waiting || self.track.closed.iter().any(|s| s.init == id)
        };
        if self.inits.len() > 1 {
            let still: Vec<bool> = self.inits.iter().map(|(id, _)| used(*id)).collect();
            let mut still = still.into_iter();
            self.inits.retain(|_| still.next().unwrap_or(true));
        }
        segment.bytes()
    }
}

impl Counted {
    /// Rounded up to ten kilobits, so that the text stays the same while a show goes on as before.
    fn rates(self) -> Rates {
        let round = |bits: u64| Bitrate(bits.div_ceil(10_000).max(1) * 10_000);
        let micros =
            MediaTime::new(i64::try_from(self.micros).unwrap_or(i64::MAX), crate::time::Timescale::MICROS);
        Rates { average: round(Bitrate::of(self.bytes, micros).0), peak: round(self.peak) }
    }
}

/// How far apart two times may be and still be the same, where a sender rounds.
const SLACK_MS: i64 = 50;
/// How far ahead of the clock media may be: encoders' clocks differ.
const AHEAD_MS: i64 = 600_000;
/// How far behind the clock a sender may be that goes on with a show which began elsewhere.
const STALE_MS: i64 = 30_000;
/// Media time that is a date is not off by more.
const DAY_MS: i64 = 86_400_000;
/// How much senders send again when they come back.
const REPLAY_MS: i64 = 60_000;
