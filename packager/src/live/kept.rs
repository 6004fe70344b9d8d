//! A track of a show, and what the show keeps of it: what is listed, and what has slid out and may still be asked for.
//!
//! ```text
//! closed segments   | kept for who has an older playlist | listed                    | open
//!                   oldest                               first                       being made
//! ```

mod keeping;

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::daterange::Ranges;
use super::feed::{Sender, Taken};
use super::past::Gait;
use super::plan::Plan;
use super::playlist::{Listing, MERGED, OpenSegment, Playlist};
use super::rates::Counted;
use super::segment::{Media, Part, Segment, Stored};
use super::track::Track;
use super::{Chunk, Header, InitId, Refusal, View};
use crate::asset::RenditionName;
use crate::playlist::multivariant::Member;
use crate::presentation::Rates;
use crate::time::{MediaTime, Msn};

/// What there is of a part or segment.
#[derive(Debug, Clone)]
pub enum Found {
    /// All of it.
    Ready(Arc<Media>),
    /// All of it, where it is kept outside of the window.
    Stored(Stored),
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
            Self::Stored(_) | Self::Wait | Self::Absent => None,
        }
    }
}

/// A track and what the show knows of it.
#[derive(Debug)]
pub(super) struct Kept {
    /// How many tracks the show had before it.
    number: u32,
    track: Track,
    /// The header that came last.
    latest: Arc<Header>,
    /// A header has come, and no media since.
    is_greeted: bool,
    /// Where the show's media ended when the first header came.
    announced: Option<MediaTime>,
    /// Whether media has come.
    is_heard: bool,
    /// It has been noted where it began.
    has_begun: bool,
    /// It has had its last segment, and the show goes on without it.
    is_given_up: bool,
    /// The headers of segments that are here, newest last.
    inits: Vec<(InitId, Bytes)>,
    /// What is listed of the closed segments begins here.
    listed: usize,
    /// The bytes of those before this one are kept elsewhere alone, or are missing.
    released: usize,
    /// The discontinuity sequence number of what is listed.
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

impl Kept {
    /// A track whose header has come, when the show's media had come so far.
    pub(super) fn new(number: u32, track: Track, header: &Arc<Header>, announced: Option<MediaTime>) -> Self {
        Self {
            number,
            track,
            latest: Arc::clone(header),
            is_greeted: true,
            announced,
            is_heard: false,
            has_begun: false,
            is_given_up: false,
            inits: Vec::new(),
            listed: 0,
            released: 0,
            discontinuities: 0,
            shown: VecDeque::new(),
            longest: 0,
            firsts: VecDeque::new(),
            rates: Counted::default(),
        }
    }

    /// How many tracks the show had before it.
    pub(super) fn number(&self) -> u32 {
        self.number
    }

    /// The track itself.
    pub(super) fn track(&self) -> &Track {
        &self.track
    }

    /// The header that came last.
    pub(super) fn latest(&self) -> &Arc<Header> {
        &self.latest
    }

    /// Whether a header has come, and no media since.
    pub(super) fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    /// Where the show's media ended when the track was announced, if nothing has come of it since.
    pub(super) fn announced(&self) -> Option<Option<MediaTime>> {
        (!self.is_heard).then_some(self.announced)
    }

    /// Whether it has had its last segment and the show goes on without it.
    pub(super) fn is_given_up(&self) -> bool {
        self.is_given_up
    }

    /// Notes that others have come to `end`, where this track has finished. Tells whether it is given up with that: one that
    /// ended more than a target duration before others of its kind did not end with the show.
    pub(super) fn falls_behind(&mut self, plan: &Plan, end: MediaTime) -> bool {
        self.is_given_up = end.as_micros().saturating_sub(self.end()) > plan.targets(1);
        self.is_given_up
    }

    /// Takes another header, or the same again.
    ///
    /// # Errors
    /// [`Refusal::WrongKind`].
    pub(super) fn greet(&mut self, header: &Arc<Header>) -> Result<(), Refusal> {
        if self.track.is_video() != header.kind().is_video() {
            let name = |video| if video { "video" } else { "audio" };
            let (expected, found) = (name(self.track.is_video()), name(header.kind().is_video()));
            return Err(Refusal::WrongKind { expected, found });
        }
        self.latest = Arc::clone(header);
        self.is_greeted = true;
        Ok(())
    }

    /// Takes a chunk that is decoded with `header`.
    ///
    /// # Errors
    /// As [`Track::take`].
    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        header: &Arc<Header>,
        sender: Sender,
    ) -> Result<Taken, Refusal> {
        if !chunk.samples.is_empty() {
            (self.is_greeted, self.is_heard) = (false, true);
        }
        // Of the one before it something may be held.
        let former = Arc::clone(self.track.arriving());
        let taken = self.track.take(chunk, header, sender);
        self.remember(&former);
        self.remember(header);
        taken
    }

    /// Closes what is half made: nothing follows.
    pub(super) fn finish(&mut self) {
        let arriving = Arc::clone(self.track.arriving());
        self.track.finish();
        self.remember(&arriving);
    }

    /// Learns of discontinuities in the show.
    pub(super) fn learn(&mut self, changes: &Arc<Vec<Msn>>) {
        self.track.learn(changes);
        if self.has_begun && !self.track.segments().has_any() {
            self.discontinuities = self.track.segments().first_number();
        }
    }

    /// After the track has changed: what is listed, what is kept. Tells where it began, if it has just begun.
    pub(super) fn settle(&mut self, plan: &Plan, now_ms: i64) -> Option<MediaTime> {
        let began = self.track.began().filter(|_| !self.has_begun);
        if began.is_some() {
            self.has_begun = true;
            self.discontinuities = self.track.segments().first_number();
        }
        self.rates.count(self.track.segments().closed().iter().rev().map(AsRef::as_ref));
        self.slide(plan, now_ms);
        self.remember_first(plan);
        began
    }

    /// The number of the first segment that is listed.
    pub(super) fn first(&self) -> Msn {
        self.closed().get(self.listed).map_or(self.track.segments().open().msn, |segment| segment.msn)
    }

    /// The number of the oldest segment that is known.
    pub(super) fn front(&self) -> Option<Msn> {
        self.closed().front().map(|segment| segment.msn)
    }

    /// The number of the oldest segment whose bytes are here.
    pub(super) fn oldest(&self) -> Option<Msn> {
        self.closed().get(self.released).map(|segment| segment.msn)
    }

    /// What had left the oldest playlist that an update may be merged into, as [`Plan::horizon`] has it.
    pub(super) fn former_first_ms(&self, plan: &Plan) -> i64 {
        plan.horizon(self.firsts.front().map_or(self.first(), |(first, _)| *first))
    }

    /// The init segment with this id.
    pub(super) fn init(&self, id: InitId) -> Option<Bytes> {
        let coming = self.track.pending().filter(|header| header.id() == id).map(|header| header.init());
        let known = self.inits.iter().find(|(known, _)| *known == id).map(|(_, bytes)| bytes.clone());
        known.or(coming)
    }

    /// A whole segment; those that are near are waited for, if anything is.
    pub(super) fn segment(&self, msn: Msn, waits: bool) -> Found {
        let open = self.track.segments().open().msn;
        let is_near = self.track.has_begun() && (open..=Msn(open.0.saturating_add(1))).contains(&msn);
        let whole = self.whole(msn);
        match (whole.and_then(|segment| segment.media.clone()), whole.and_then(|segment| segment.stored)) {
            (Some(media), _) => Found::Ready(media),
            (None, Some(stored)) => Found::Stored(stored),
            (None, None) if is_near && waits => Found::Wait,
            (None, None) => Found::Absent,
        }
    }

    /// A part; those that may be asked for ahead are waited for, if anything is.
    pub(super) fn part(&self, msn: Msn, part: u32, waits: bool) -> Found {
        let open = self.track.segments().open();
        let index = usize::try_from(part).unwrap_or(usize::MAX);
        let found = |parts: &[Arc<Part>]| parts.get(index).and_then(|part| part.media.clone());
        let waits = self.track.has_begun() && waits;
        if msn == open.msn {
            return match found(&open.parts) {
                Some(media) => Found::Ready(media),
                None if waits && self.is_near(index) => Found::Wait,
                None => Found::Absent,
            };
        }
        if msn.0 == open.msn.0.saturating_add(1) {
            return if waits && index == 0 { Found::Wait } else { Found::Absent };
        }
        self.whole(msn).and_then(|segment| found(&segment.parts)).map_or(Found::Absent, Found::Ready)
    }

    /// The playlist as it is now, without reports; `None` where there is nothing to list.
    pub(super) fn playlist(
        &self,
        name: &RenditionName,
        plan: &Plan,
        ranges: &Arc<Ranges>,
        ended: bool,
    ) -> Option<Playlist> {
        let (track, segments) = (&self.track, self.track.segments());
        let (beat, part_target) = (track.beat()?, track.part_target()?);
        if !track.has_begun() || !segments.has_any() {
            return None;
        }
        let open = segments.open();
        // Hinted until the first part is listed that is decoded with it.
        let is_other = segments.closed().back().is_some_and(|segment| segment.init != track.header().id());
        let in_force = Some(track.header()).filter(|_| is_other && open.parts.is_empty());
        Some(Playlist {
            cadence: plan.cadence,
            beat,
            part_target,
            listing: plan.listing,
            anchor_ms: plan.anchor_ms,
            first: self.listed,
            closed: Arc::clone(segments.closed()),
            discontinuities: self.discontinuities,
            open: OpenSegment {
                msn: open.msn,
                start: open.start,
                parts: open.parts.clone(),
                discontinuity: open.discontinuity,
                init: track.header().id(),
                pending: track.pending().or(in_force).map(|header| header.id()),
            },
            ranges: Arc::clone(ranges),
            track: name.clone(),
            former_first_ms: self.former_first_ms(plan),
            reports: Vec::new(),
            ended,
        })
    }

    /// What a whole segment is decoded with.
    pub(super) fn init_of(&self, msn: Msn) -> Option<InitId> {
        self.whole(msn).map(|segment| segment.init)
    }

    /// How its samples are gathered, once that is known.
    pub(super) fn gait(&self) -> Option<Gait> {
        self.track.gait()
    }

    /// The init segments of what is here, newest last.
    pub(super) fn inits(&self) -> &[(InitId, Bytes)] {
        &self.inits
    }

    /// How the multivariant playlist has it, as `view` shows it.
    pub(super) fn member(&self, name: &RenditionName, view: View, target: u32) -> Member {
        let header = self.track.header();
        let rates = match view {
            View::Whole => {
                let lengths = |s: &Arc<Segment>| Some((s.size()?, s.length().as_micros()));
                Rates::of(&self.closed().iter().filter_map(lengths).collect::<Vec<_>>(), target)
            }
            View::Window | View::Start => self.rates.rates(),
        };
        Member {
            name: name.clone(),
            kind: header.kind(),
            codec: header.decoding().codec.clone(),
            range: header.decoding().video_range(),
            language: header.language().map(str::to_owned),
            frame_rate: self.track.beat().filter(|_| self.track.is_video()).map(|beat| beat.frame_rate()),
            rates,
        }
    }

    /// Whether the oldest segment may go where memory is short: three target durations and six segments stay listed, and
    /// of an EVENT all (RFC 8216bis §6.2.2). Where all else is kept elsewhere, one that is not stays as long as it may, too.
    pub(super) fn may_go(&self, plan: &Plan, may_lose: bool) -> bool {
        if plan.keeping.is_none() && self.listed > 0 {
            return true;
        }
        let Some(second) = self.closed().get(self.released.saturating_add(1)) else { return false };
        let left = self.end().saturating_sub(second.start.as_micros());
        let is_far = left >= plan.targets(3) && self.closed().len().saturating_sub(self.released) > 6;
        match plan.keeping {
            Some(_) => {
                is_far && (may_lose || self.closed().get(self.released).is_some_and(|s| s.stored.is_some()))
            }
            None => is_far && plan.listing != Listing::Event,
        }
    }

    /// Lets go of the oldest segment, or, where segments are kept elsewhere too, of its bytes; gives how many those are, and
    /// whether they were kept nowhere else.
    pub(super) fn shed(&mut self, plan: &Plan) -> (u64, bool) {
        if plan.keeping.is_some() {
            let is_lost =
                self.closed().get(self.released).is_some_and(|s| s.media.is_some() && s.stored.is_none());
            let bytes = self.track.release(self.released);
            self.released += 1;
            return (bytes, is_lost);
        }
        let bytes = self.drop_front();
        self.remember_first(plan);
        (bytes, false)
    }

    /// Keeps the header of what is here.
    fn remember(&mut self, header: &Header) {
        let is_new = self.inits.iter().all(|(known, _)| *known != header.id());
        if is_new && self.track.uses(header.id()) {
            self.inits.push((header.id(), header.init()));
        }
    }

    fn closed(&self) -> &VecDeque<Arc<Segment>> {
        self.track.segments().closed()
    }

    /// Where the listed media ends, in microseconds.
    fn end(&self) -> i64 {
        self.track.segments().end().as_micros()
    }

    /// How long what is listed is, in microseconds.
    fn length(&self) -> i64 {
        let first = self.closed().get(self.listed).map(|segment| segment.start);
        let start = first.unwrap_or(self.track.segments().open().start);
        self.end().saturating_sub(start.as_micros())
    }

    fn whole(&self, msn: Msn) -> Option<&Arc<Segment>> {
        self.closed().get(self.place(msn)?)
    }

    /// Where a segment stands among those that are closed.
    fn place(&self, msn: Msn) -> Option<usize> {
        let place = usize::try_from(msn.0.checked_sub(self.front()?.0)?).ok()?;
        Some(place).filter(|place| *place < self.closed().len())
    }

    /// Whether a part of the open segment that is not listed may be asked for already.
    fn is_near(&self, index: usize) -> bool {
        let limit = self.track.beat().map_or(1, |beat| beat.advance_limit());
        let ahead = index.checked_sub(self.track.segments().open().parts.len());
        ahead.and_then(|ahead| u64::try_from(ahead).ok()).is_some_and(|ahead| ahead < limit)
    }

    /// Remembers with which segment the playlist begins, for as long as an update may be merged into it.
    fn remember_first(&mut self, plan: &Plan) {
        let (first, end) = (self.first(), self.end());
        if self.firsts.back().is_none_or(|(known, _)| *known != first) {
            self.firsts.push_back((first, end));
        }
        let oldest = end.saturating_sub(plan.targets(MERGED));
        // The last one that is older was the first of playlists that are not.
        while self.firsts.get(1).is_some_and(|(_, end)| *end <= oldest) {
            self.firsts.pop_front();
        }
    }

    /// Moves the window on: what is no longer listed, and what is no longer needed by those who read a former playlist.
    fn slide(&mut self, plan: &Plan, now_ms: i64) {
        // Behind a leap of the timeline nothing goes on from what was before.
        if let Some(to) = self.track.take_leap() {
            while self.front().is_some_and(|front| front < to) {
                self.drop_front();
            }
        }
        self.shown.resize(self.closed().len(), Shown { since_ms: now_ms, until_ms: None });
        let Listing::Sliding(window) = plan.listing else { return self.let_go(plan) };
        let window = window.as_micros().max(plan.targets(3));
        let from = self.end().saturating_sub(window);
        let leaves = |segment: &&Arc<Segment>| segment.end.as_micros() <= from;
        while let Some(discontinuity) = self.closed().get(self.listed).filter(leaves).map(|s| s.discontinuity)
        {
            self.discontinuities += u64::from(discontinuity);
            self.shown.iter_mut().skip(self.listed).take(1).for_each(|shown| shown.until_ms = Some(now_ms));
            self.listed += 1;
        }
        self.longest = self.longest.max(self.length());
        self.let_go(plan);
        while plan.keeping.is_none() && self.listed > 0 && self.is_forgotten(plan, now_ms) {
            self.drop_front();
        }
    }

    /// Whether nobody needs the oldest segment any more: it was listed first as long ago as it lasts, and the longest
    /// playlist that listed it; and its parts last three target durations ago (RFC 8216bis §6.2.2). Media may come faster
    /// than it plays, so this goes by the clock.
    fn is_forgotten(&self, plan: &Plan, now_ms: i64) -> bool {
        let (Some(segment), Some(shown)) = (self.closed().front(), self.shown.front()) else {
            return false;
        };
        let since =
            shown.since_ms.saturating_add(segment.length().as_micros().saturating_add(self.longest) / 1000);
        let until = shown.until_ms.unwrap_or(now_ms).saturating_add(plan.targets(3) / 1000);
        now_ms > since.max(until)
    }

    /// Lets go of the oldest segment, and of the headers that nothing is decoded with any more; gives its bytes.
    fn drop_front(&mut self) -> u64 {
        let Some(segment) = self.track.drop_front() else { return 0 };
        self.released = self.released.saturating_sub(1);
        match self.listed.checked_sub(1) {
            Some(listed) => self.listed = listed,
            None => self.discontinuities += u64::from(segment.discontinuity),
        }
        self.shown.pop_front();
        let track = &self.track;
        self.inits.retain(|(id, _)| track.uses(*id));
        segment.bytes()
    }
}
