//! A show: all tracks of one timeline, and what their playlists have in common.

mod keeping;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use super::daterange::{DateRange, Ranges};
use super::discontinuity::changes_of;
use super::feed::{Feed, Taken};
use super::kept::{Found, Kept};
use super::past::Gait;
use super::plan::Plan;
use super::playlist::{MERGED, Playlist};
use super::report::Report;
use super::restart::{Known, begins_anew, check_clock};
use super::scte35::Splice;
use super::segment::Segment;
use super::track::{Start, Track};
use super::{Chunk, Header, InitId, Refusal, View};
use crate::asset::RenditionName;
use crate::playlist::multivariant::write_members;
use crate::time::{MediaTime, Msn};

pub use keeping::Shed;

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

impl Show {
    /// A show without media.
    pub fn new(plan: Plan) -> Self {
        let changes = Arc::new(changes_of(&plan.inits));
        let mut ranges = Ranges::default();
        for (since_ms, range) in &plan.ranges {
            // What could be listed once can be again.
            let _ = ranges.add(range.clone(), *since_ms, Vec::new());
        }
        let first = plan.past.values().filter_map(|past| Some(past.segments.front()?.start)).min();
        Self {
            plan,
            tracks: BTreeMap::new(),
            ranges: Arc::new(ranges),
            changes,
            first,
            now_ms: i64::MIN,
            ended: false,
        }
    }

    /// A show that has ended, of which all is kept elsewhere: that which the plan knows as its past.
    pub fn recorded(plan: Plan) -> Self {
        let mut this = Self::new(plan);
        for (number, (name, past)) in (0..).zip(&this.plan.past) {
            let kept = Kept::recorded(number, &this.plan, past, &this.changes);
            this.tracks.insert(name.clone(), kept);
        }
        this.give_up();
        this.ended = true;
        this
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
            return kept.greet(header);
        }
        if self.tracks.len() >= self.plan.tracks {
            return Err(Refusal::ManyTracks { limit: self.plan.tracks });
        }
        let number = u32::try_from(self.tracks.len()).unwrap_or(u32::MAX);
        let mut kept = match self.plan.past.get(name) {
            Some(past) if past.header.kind().is_video() == header.kind().is_video() => {
                Kept::after(number, &self.plan, past, header, self.end())
            }
            _ => {
                let start = if self.plan.begins { Start::Here } else { Start::AtSegment(None) };
                let track = Track::new(self.plan.cadence, Arc::clone(header), start);
                Kept::new(number, track, header, self.end())
            }
        };
        kept.learn(&self.changes);
        self.tracks.insert(name.clone(), kept);
        Ok(())
    }

    /// All date ranges that are known, and since which date each is told, in milliseconds since 1970.
    pub fn ranges(&self) -> Vec<(i64, DateRange)> {
        self.ranges.told().map(|(since_ms, range)| (since_ms, range.clone())).collect()
    }

    /// How the samples of a track are gathered, once that is known.
    pub fn gait(&self, name: &RenditionName) -> Option<Gait> {
        self.tracks.get(name)?.gait()
    }

    /// What a segment is decoded with.
    pub fn init_of(&self, name: &RenditionName, msn: Msn) -> Option<InitId> {
        self.tracks.get(name)?.init_of(msn)
    }

    /// The segments of a track that are whole, oldest first.
    pub fn segments(&self, name: &RenditionName) -> Option<Arc<VecDeque<Arc<Segment>>>> {
        Some(Arc::clone(self.tracks.get(name)?.track().segments().closed()))
    }

    /// The number before which all segments of all tracks are whole; `None` before the first is.
    pub fn whole_until(&self) -> Option<Msn> {
        let open = |kept: &Kept| kept.track().segments().open().msn;
        let ends = self.begun().filter(|(_, kept)| !kept.track().has_finished());
        let all = || self.begun().map(|(_, kept)| open(kept)).max();
        ends.map(|(_, kept)| open(kept)).min().or_else(all)
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
        let header = Arc::clone(feed.header().unwrap_or(kept.latest()));
        let Some((time, end)) = span(&chunk, &header) else {
            return kept.take(chunk, &header, feed.sender());
        };
        feed.check(time)?;
        let track = kept.track();
        let known = Known {
            first: self.first,
            end: track.has_begun().then(|| track.segments().end()),
            scale: kept.latest().timescale(),
        };
        if kept.is_greeted() && begins_anew(&self.plan, known, time, now_ms) {
            return Err(Refusal::Restarted);
        }
        check_clock(&self.plan, time, now_ms)?;
        self.now_ms = self.now_ms.max(now_ms);
        feed.came_to(end);
        let splices: Vec<Splice> =
            chunk.events.iter().filter_map(|event| Splice::read(event, self.plan.anchor_ms)).collect();
        let pace = kept.track().pace();
        let mut taken = kept.take(chunk, &header, feed.sender());
        // What others tell of this track.
        let mut others = kept.track().pace() != pace;
        others |= self.settle(name);
        for splice in splices {
            others |= self.announce(splice, time);
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
        let ends = |kept: &&mut Kept| kept.track().is_closing() && !kept.track().has_finished();
        let Some(kept) = self.tracks.get_mut(name).filter(ends) else { return false };
        kept.finish();
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
        let end = self.end().map_or(i64::MIN, |end| self.plan.date(end));
        let ahead = self.ends();
        Ok(Arc::make_mut(&mut self.ranges).add(range, end, ahead)?)
    }

    /// Ends the show: what is half made is closed, and nothing follows.
    pub fn end_now(&mut self) {
        if self.ended {
            return;
        }
        let names: Vec<RenditionName> = self.tracks.keys().cloned().collect();
        for name in &names {
            if let Some(kept) = self.tracks.get_mut(name) {
                kept.finish();
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
        self.tracks.get(name).map(Kept::latest)
    }

    /// Where the media of the show ends: that of the track that is furthest.
    pub fn end(&self) -> Option<MediaTime> {
        self.begun().map(|(_, kept)| kept.track().segments().end()).max()
    }

    /// Where a track ends, with the part of it that is being made: what a sender that goes on with it begins with. `None` for
    /// a track of which there is nothing.
    pub fn taken(&self, name: &RenditionName) -> Option<MediaTime> {
        self.tracks.get(name)?.track().taken()
    }

    /// A track's playlist as it is now; `None` for a track that has nothing to list.
    pub fn playlist(&self, name: &RenditionName) -> Option<Playlist> {
        let mut playlist = self.tracks.get(name)?.playlist(name, &self.plan, &self.ranges, self.ended)?;
        playlist.reports = self.reports(name, playlist.end());
        Some(playlist)
    }

    fn reports(&self, own: &RenditionName, end: MediaTime) -> Vec<Report> {
        let report = |(name, kept): (&RenditionName, &Kept)| {
            let (msn, part) = kept.track().pace()?.last(self.plan.cadence, end)?;
            Some(Report { name: name.clone(), msn, part })
        };
        self.begun().filter(|(name, _)| *name != own).filter_map(report).collect()
    }

    /// Whether a track has had its last segment and others have gone on without it: an encoder that makes less now. It is a
    /// rendition of the show no longer.
    pub fn has_given_up(&self, name: &RenditionName) -> bool {
        self.tracks.get(name).is_some_and(Kept::is_given_up)
    }

    /// The multivariant playlist of one of its views, with `folder` before each URI; `None` until its tracks can be told: one has a whole
    /// segment, and all that have been announced have something to list, or have had two segments' time for it. What the
    /// show goes on without is not in it.
    pub fn multivariant(&self, folder: &str, view: View) -> Option<String> {
        let begun = |kept: &Kept| kept.track().segments().has_any();
        let whole =
            self.tracks.values().map(|kept| kept.track().segments().closed().len()).max().unwrap_or(0);
        if whole == 0 || (whole < 3 && !self.tracks.values().all(begun)) {
            return None;
        }
        let listed = self.tracks.iter().filter(|(_, kept)| begun(kept) && !kept.is_given_up());
        let target = self.plan.cadence.target_duration();
        let members = listed.map(|(name, kept)| kept.member(name, view, target));
        Some(write_members(members.collect(), view.files(folder)))
    }

    /// The init segment with this id.
    pub fn init(&self, name: &RenditionName, id: InitId) -> Option<Bytes> {
        self.tracks.get(name)?.init(id)
    }

    /// A whole segment. That which is being made, and the next, are waited for: another origin may be a little ahead of
    /// this one, and have listed them.
    pub fn segment(&self, name: &RenditionName, msn: Msn) -> Found {
        self.tracks.get(name).map_or(Found::Absent, |kept| kept.segment(msn, !self.ended))
    }

    /// A part. Those that a client may ask for ahead (RFC 8216bis §6.2.5.2), the hinted one among them, are waited for;
    /// any other that is not here is not.
    pub fn part(&self, name: &RenditionName, msn: Msn, part: u32) -> Found {
        self.tracks.get(name).map_or(Found::Absent, |kept| kept.part(msn, part, !self.ended))
    }

    /// Bytes of media that are held.
    pub fn bytes(&self) -> u64 {
        self.tracks.values().map(|kept| kept.track().bytes()).sum()
    }

    /// Tracks that have begun.
    fn begun(&self) -> impl Iterator<Item = (&RenditionName, &Kept)> {
        self.tracks.iter().filter(|(_, kept)| kept.track().has_begun())
    }

    /// Whether every track has had its last segment. Who announces a track and sends nothing holds no show open for ever.
    fn all_finished(&self) -> bool {
        let end = self.end().map_or(i64::MIN, MediaTime::as_micros);
        let first = self.first.map_or(end, MediaTime::as_micros);
        let is_given_up = |announced: Option<MediaTime>| {
            end.saturating_sub(announced.map_or(first, MediaTime::as_micros)) >= self.plan.targets(3)
        };
        self.tracks
            .values()
            .all(|kept| kept.track().has_finished() || kept.announced().is_some_and(is_given_up))
    }

    /// After a track has changed: discontinuities that all must show, what is listed, what is kept.
    /// Tells whether other tracks have changed with it.
    fn settle(&mut self, name: &RenditionName) -> bool {
        let Some(kept) = self.tracks.get_mut(name) else { return false };
        if let Some(start) = kept.settle(&self.plan, self.now_ms) {
            self.first = Some(self.first.map_or(start, |first| first.min(start)));
        }
        let changes = kept.track().segments().changes();
        let has_changed = *changes != self.changes;
        if has_changed {
            self.changes = Arc::clone(changes);
            for (_, other) in self.tracks.iter_mut().filter(|(other, _)| *other != name) {
                other.learn(&self.changes);
            }
        }
        if !self.ranges.is_empty() {
            self.tend_ranges();
        }
        has_changed | self.give_up()
    }

    /// Notes which tracks have ended while others of their kind go on. Tells whether there is a new one.
    fn give_up(&mut self) -> bool {
        let is_over = |kept: &Kept| kept.track().has_finished() && !kept.is_given_up();
        if !self.tracks.values().any(is_over) {
            return false;
        }
        let end = |video: bool| {
            let ends = self.begun().filter(|(_, kept)| kept.track().is_video() == video);
            ends.map(|(_, kept)| kept.track().segments().end()).max()
        };
        let ends = [end(false), end(true)];
        let mut is_new = false;
        for kept in self.tracks.values_mut().filter(|kept| is_over(kept)) {
            if let Some(Some(end)) = ends.get(usize::from(kept.track().is_video())) {
                is_new |= kept.falls_behind(&self.plan, *end);
            }
        }
        is_new
    }

    /// Lists what a sender announces beside a chunk of that time. Tells whether something changed.
    fn announce(&mut self, splice: Splice, time: MediaTime) -> bool {
        let range = splice.range(self.ranges.iter());
        let since_ms = self.plan.date(time);
        if self.ranges.knows(&range, since_ms) {
            return false;
        }
        let ahead = self.ends();
        // What cannot be listed is no reason to refuse the media that it came with.
        Arc::make_mut(&mut self.ranges).add(range, since_ms, ahead).unwrap_or(false)
    }

    /// Remembers which date ranges have been listed, and forgets those that no playlist tells of any more.
    fn tend_ranges(&mut self) {
        for kept in self.tracks.values().filter(|kept| kept.track().has_begun()) {
            let first_ms = self.plan.horizon(kept.first());
            let end_ms = self.plan.date(kept.track().segments().end());
            if self.ranges.has_new(kept.number(), first_ms, end_ms) {
                Arc::make_mut(&mut self.ranges).note(kept.number(), first_ms, end_ms);
            }
        }
        // What is kept elsewhere is listed from the start on, too.
        let first_ms = |kept: &Kept| match (self.plan.keeping, kept.front()) {
            (Some(_), Some(front)) => self.plan.horizon(front),
            _ => kept.former_first_ms(&self.plan),
        };
        let Some(before_ms) = self.begun().map(|(_, kept)| first_ms(kept)).min() else { return };
        let ends = self.begun().map(|(_, kept)| self.plan.date(kept.track().segments().end()));
        let until_ms = ends.min().unwrap_or(i64::MIN).saturating_sub(self.plan.targets(MERGED) / 1000);
        if self.ranges.has_over(before_ms, until_ms) {
            Arc::make_mut(&mut self.ranges).forget(before_ms, until_ms);
        }
    }

    /// How far the playlists of all tracks have come.
    fn ends(&self) -> Vec<(RenditionName, i64)> {
        let end = |kept: &Kept| self.plan.date(kept.track().segments().end());
        self.begun().map(|(name, kept)| (name.clone(), end(kept))).collect()
    }
}

/// When a chunk begins and ends; `None` for one without samples.
fn span(chunk: &Chunk, header: &Header) -> Option<(MediaTime, MediaTime)> {
    let (first, last) = (chunk.samples.first()?, chunk.samples.last()?);
    let at = |ticks| MediaTime::new(ticks, header.timescale());
    Some((at(first.decode), at(last.decode_end())))
}
