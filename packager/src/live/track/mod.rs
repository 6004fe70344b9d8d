//! One track of a show: samples in, parts and segments out.
//!
//! ```text
//! chunk ─▶ rate known? ─▶ sample ─▶ late? ─▶ after a hole? ─▶ next segment? ─▶ part in the making ─▶ whole? ─▶ listed
//!           hold                     drop     bridge with GAP   close the open one                     mux
//! ```
//!
//! How the sender gathered its samples into chunks leaves no trace: whoever gets the same samples makes the same parts.

mod hole;
mod past;

use std::sync::Arc;

use bytes::Bytes;

use super::cadence::{Beat, Cadence};
use super::course::Course;
use super::feed::{Sender, Taken};
use super::making::Making;
use super::past::Past;
use super::reading::Reading;
use super::report::Pace;
use super::segment::{Segment, Settled};
use super::segments::Segments;
use super::source::Source;
use super::{Chunk, Header, InitId, Refusal, Sample};
use crate::time::{MediaTime, Msn, Rounding};

/// Where a track that is new here begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// The show begins with it: at its first sample that can be decoded alone.
    Here,
    /// Others may have segments of the show that are whole: only at the beginning of one. Holds the number of the
    /// segment that the last sample was in.
    AtSegment(Option<Msn>),
    /// It has begun.
    Begun,
}

/// The state of a track. All times are positions: decode time plus the offset of the first sync sample, in ticks of the
/// header in force.
#[derive(Debug)]
pub(super) struct Track {
    cadence: Cadence,
    start: Start,
    reading: Reading,
    source: Source,
    /// The end of the last sample that was taken.
    next: i64,
    making: Making,
    segments: Segments,
    course: Option<Course>,
    /// Whether the last segment ended when it should, so that the next one will too.
    on_time: bool,
    /// A segment was ended when a keyframe was due, and none came: from then on they are waited for.
    missed: bool,
    /// The number of the segment that the timeline has leapt to: what is before it is no longer listed.
    leap: Option<Msn>,
    /// What is known of it from before it was here.
    past: Option<Arc<Past>>,
    /// Whether the sender has begun its last segment.
    closing: bool,
    finished: bool,
}

impl Track {
    /// A track that is cut by `cadence`, before anything of it has come but its header.
    pub(super) fn new(cadence: Cadence, header: Arc<Header>, start: Start) -> Self {
        Self {
            cadence,
            start,
            segments: Segments::new(header.id()),
            reading: Reading::new(header),
            source: Source::default(),
            next: 0,
            making: Making::default(),
            course: None,
            on_time: false,
            missed: false,
            leap: None,
            past: None,
            closing: false,
            finished: false,
        }
    }

    /// Whether it has a first sample.
    pub(super) fn has_begun(&self) -> bool {
        self.start == Start::Begun
    }

    /// Where the last sample ends that was taken, listed or not; `None` before the first.
    pub(super) fn taken(&self) -> Option<MediaTime> {
        self.has_begun().then(|| self.at(self.next))
    }

    /// Where its first segment began.
    pub(super) fn began(&self) -> Option<MediaTime> {
        self.course.map(|course| course.start())
    }

    /// Whether the sender has begun its last segment.
    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether nothing follows.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// Whether it is pictures, not sound.
    pub(super) fn is_video(&self) -> bool {
        self.reading.is_video()
    }

    /// What its open segment is decoded with.
    pub(super) fn header(&self) -> &Arc<Header> {
        self.reading.header()
    }

    /// The header that is not in force yet.
    pub(super) fn pending(&self) -> Option<&Arc<Header>> {
        self.reading.pending()
    }

    /// What the samples that come are decoded with.
    pub(super) fn arriving(&self) -> &Arc<Header> {
        self.reading.arriving()
    }

    /// Whether something that is here, or comes next, is decoded with this header.
    pub(super) fn uses(&self, init: InitId) -> bool {
        let is_closed = || self.segments.closed().iter().rev().any(|segment| segment.init == init);
        self.has_begun() && (self.header().id() == init || self.arriving().id() == init || is_closed())
    }

    /// How its samples are gathered, once that is known.
    pub(super) fn beat(&self) -> Option<Beat> {
        self.reading.beat()
    }

    /// `PART-TARGET` in microseconds, once that is known.
    pub(super) fn part_target(&self) -> Option<u64> {
        self.reading.part_target()
    }

    /// What is listed, or was.
    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    /// Bytes of media in its segments, and in the part that is being made.
    pub(super) fn bytes(&self) -> u64 {
        self.segments.bytes().saturating_add(self.making.bytes())
    }

    /// What others need to tell where this track ends.
    pub(super) fn pace(&self) -> Option<Pace> {
        Some(self.course?.pace(self.beat()?, self.is_video()))
    }

    /// Learns of all discontinuities in the show.
    pub(super) fn learn(&mut self, changes: &Arc<Vec<Msn>>) {
        let has_begun = self.has_begun();
        self.segments.learn(changes, has_begun);
    }

    /// The number of the segment that the timeline has leapt to, told once: what is before it is no longer listed.
    pub(super) fn take_leap(&mut self) -> Option<Msn> {
        self.leap.take()
    }

    /// Lets go of the oldest segment.
    pub(super) fn drop_front(&mut self) -> Option<Arc<Segment>> {
        self.segments.drop_front()
    }

    /// Takes a chunk that is decoded with `header`.
    ///
    /// # Errors
    /// What no sender may do; samples before the fault have been taken.
    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        header: &Arc<Header>,
        sender: Sender,
    ) -> Result<Taken, Refusal> {
        let mut taken = Taken::default();
        if self.finished {
            taken.dropped = chunk.count();
            return Ok(taken);
        }
        // A styp is of a whole segment, so more of it may follow; and the sender's segments may be longer than ours.
        self.closing |= chunk.last;
        if chunk.samples.is_empty() {
            return Ok(taken);
        }
        if self.reading.arriving().id() != header.id() {
            let has_passed = |sample| self.has_passed(self.reading.place(sample, header));
            if self.has_begun() && chunk.samples.iter().all(has_passed) {
                // Another encoder, which is behind: nothing of it is needed.
                taken.duplicates = chunk.count();
                return Ok(taken);
            }
            for (chunk, sender) in self.reading.finish(self.cadence) {
                self.chunk(chunk, sender, &mut taken)?;
            }
            // What is listed stays as it is until its media comes, which begins a segment of its own.
            self.reading.announce(header, self.has_begun());
            // What comes is hinted.
            taken.others = true;
        }
        for (chunk, sender) in self.reading.take(chunk, sender, self.cadence)? {
            self.chunk(chunk, sender, &mut taken)?;
        }
        Ok(taken)
    }

    /// Ends the segment that is being made: nothing follows.
    pub(super) fn finish(&mut self) {
        if self.finished {
            return;
        }
        let taken = &mut Taken::default();
        for (chunk, sender) in self.reading.finish(self.cadence) {
            // Nobody is left to be told.
            let _ = self.chunk(chunk, sender, taken);
        }
        self.finished = true;
        self.flush(if self.closing { Settled::Yes } else { Settled::No }, taken);
        let open = self.segments.open();
        if !open.parts.is_empty() {
            let next = Msn(open.msn.0.saturating_add(1));
            self.close(next, self.next, taken);
        }
    }

    fn at(&self, position: i64) -> MediaTime {
        MediaTime::new(position, self.reading.scale())
    }

    fn slack(&self) -> i64 {
        self.reading.slack()
    }

    fn chunk(&mut self, chunk: Chunk, sender: Sender, taken: &mut Taken) -> Result<(), Refusal> {
        let mut events: Vec<Bytes> = chunk.events.iter().map(|event| event.raw.clone()).collect();
        for sample in chunk.samples {
            if self.sample(sample, sender, taken)? {
                self.making.announce(&mut events);
                self.advance(taken);
            }
        }
        Ok(())
    }

    /// The segment that a sample at `position` belongs to. A keyframe may come half a frame early.
    fn number(&self, position: i64) -> Msn {
        let early = if self.is_video() { self.slack() } else { 0 };
        self.cadence.number(self.at(position.saturating_add(early)))
    }

    /// Whether something of that time is here.
    fn has_passed(&self, position: i64) -> bool {
        position.saturating_add(self.slack()) < self.next
    }

    /// Takes one sample into the part that is being made, if it is of use.
    fn sample(&mut self, sample: Sample, sender: Sender, taken: &mut Taken) -> Result<bool, Refusal> {
        if !self.has_begun() {
            if !self.begin(&sample) {
                taken.dropped += 1;
                return Ok(false);
            }
            self.source.follow(sender);
        }
        let position = self.reading.position(&sample);
        if sample.duration == 0 || self.making.bytes() > LARGEST_PART {
            // A part that never ends would hold memory for ever.
            return Err(Refusal::Endless);
        }
        if self.has_passed(position) {
            let ends = position.saturating_add(i64::from(sample.duration));
            if self.reading.pending().is_none() && ends.abs_diff(self.next) <= self.slack().unsigned_abs() {
                self.source.compare(sender, &sample);
            }
            taken.duplicates += 1;
            return Ok(false);
        }
        if !self.follows(&sample, position, sender) {
            taken.dropped += 1;
            return Ok(false);
        }
        self.source.follow(sender);
        let is_hole = position > self.next.saturating_add(self.slack());
        if is_hole {
            self.bridge(position, taken);
        }
        self.enter(&sample, position, !is_hole, taken)?;
        // Another header may be in force now.
        let (position, former) = (self.reading.position(&sample), self.next);
        if (position != former || is_hole)
            && let (Some(beat), at) = (self.beat(), self.at(position))
            && let Some(course) = &mut self.course
        {
            course.steer(at, beat);
        }
        self.next = position.saturating_add(i64::from(sample.duration));
        self.source.took(&sample);
        self.making.add(sample, former);
        Ok(true)
    }

    /// Whether the track can begin with this sample; makes the first segment if so.
    fn begin(&mut self, sample: &Sample) -> bool {
        let position = self.reading.begin(sample);
        let number = self.number(position);
        let late = position.saturating_sub(self.cadence.start(number, self.reading.scale()).ticks());
        // Video begins on the grid, sound less than a frame behind it.
        let on_grid = late <= if self.is_video() { self.slack() } else { i64::from(sample.duration) - 1 };
        let begins = match self.start {
            // The frame before the first boundary that decoders need is no segment of its own.
            Start::Here => sample.sync && (self.is_video() || on_grid || self.has_room(number, position)),
            Start::AtSegment(former) => {
                sample.sync && (on_grid || former.is_some_and(|former| former < number))
            }
            Start::Begun => true,
        };
        if !begins {
            if matches!(self.start, Start::AtSegment(_)) {
                self.start = Start::AtSegment(Some(number));
            }
            return false;
        }
        self.start = Start::Begun;
        let (late, is_near) = self.late(number, position);
        self.course = Some(Course::new(number, self.at(position), late, is_near));
        self.next = position;
        self.segments.begin(number, self.at(position), self.header().id());
        if let Some(past) = self.past.take() {
            self.segments.recall(self.cadence, &past.segments);
            if self.segments.closed().back().is_some_and(|last| last.init != self.header().id()) {
                self.segments.change(self.header().id());
            }
        }
        true
    }

    /// Whether a part fits between a position and the end of its segment.
    fn has_room(&self, number: Msn, position: i64) -> bool {
        let end = self.cadence.start(Msn(number.0.saturating_add(1)), self.reading.scale()).ticks();
        self.beat().is_some_and(|beat| end.saturating_sub(position) >= beat.target().ticks())
    }

    /// Whether what came before a sample is here, so that it can be decoded.
    fn follows(&mut self, sample: &Sample, position: i64, sender: Sender) -> bool {
        // What is decoded with another header begins a segment of its own.
        if self.reading.pending().is_some() {
            let is_later = self.number(position) > self.segments.open().msn;
            return sample.sync && (is_later || self.is_fresh());
        }
        if sample.sync || !self.is_video() {
            return true;
        }
        let is_fresh = self.is_fresh();
        self.missed |= is_fresh;
        let is_hole = position > self.next.saturating_add(self.slack());
        !is_hole && !is_fresh && self.source.is(sender)
    }

    /// Whether the open segment has no sample yet.
    fn is_fresh(&self) -> bool {
        self.making.is_empty() && self.segments.is_fresh()
    }

    /// How far behind the grid a segment begins, and whether that is as near as can be, so that others will too. Sound is
    /// always near. Pictures are now before their place and now behind it where a segment is no whole number of them.
    fn late(&self, number: Msn, position: i64) -> (MediaTime, bool) {
        let late = position.saturating_sub(self.cadence.start(number, self.reading.scale()).ticks());
        let Some(beat) = self.beat().filter(|_| self.is_video()) else { return (self.at(0), true) };
        if beat.divides(self.cadence.segment()) {
            return (self.at(late), late.abs() <= beat.slack());
        }
        let is_near = late.abs() < beat.sample();
        (self.at(if is_near { 0 } else { late }), is_near)
    }

    /// Opens the segment that a sample belongs to, if it is another one than that which is open.
    fn enter(
        &mut self,
        sample: &Sample,
        position: i64,
        is_smooth: bool,
        taken: &mut Taken,
    ) -> Result<(), Refusal> {
        let number = self.number(position);
        if number > self.segments.open().msn && (sample.sync || !self.is_video()) {
            self.flush(Settled::Yes, taken);
            self.on_time = self.expected_end().abs_diff(self.next) <= self.slack().unsigned_abs();
            self.close(number, self.next, taken);
        }
        let is_fresh = self.is_fresh();
        if is_fresh && is_smooth && sample.sync && number == self.segments.open().msn {
            let (late, _) = self.late(number, position);
            self.course.iter_mut().for_each(|course| course.enter(number, late));
        }
        if is_fresh {
            self.change(sample);
        }
        let end = self.reading.position(sample).saturating_add(i64::from(sample.duration));
        let length = self.at(end).since(self.segments.open().start);
        if (length.as_micros() + 500_000) / 1_000_000 > i64::from(self.cadence.target_duration()) {
            return Err(Refusal::NoKeyframe { segment_ms: self.cadence.segment().ticks() });
        }
        if self.beat().is_some_and(|beat| self.making.until(end) > beat.target().ticks()) {
            self.flush(Settled::Yes, taken);
        }
        Ok(())
    }

    /// The open segment is decoded otherwise than the one before it, from this sample on, if another header has come.
    fn change(&mut self, sample: &Sample) {
        let Some(former) = self.reading.change(sample) else { return };
        self.segments.change(self.header().id());
        // No later than what is listed ends, so that no part is taken for shorter than it is.
        let next = MediaTime::new(self.next, former);
        self.next = next.rescale(self.reading.scale(), Rounding::Down).ticks();
        let is_video = self.is_video();
        self.course.iter_mut().for_each(|course| course.renew(is_video));
    }

    /// When the open segment should end.
    fn expected_end(&self) -> i64 {
        let open = self.segments.open();
        let grid = self.cadence.start(open.msn, self.reading.scale()).ticks();
        let after = self.cadence.start(Msn(open.msn.0.saturating_add(1)), self.reading.scale()).ticks();
        let start = open.start.rescale(self.reading.scale(), Rounding::Nearest).ticks();
        let late = start.saturating_sub(grid);
        // Keyframes that are off the grid stay off it by as much.
        if late.abs() <= self.slack() { after } else { after.saturating_add(late) }
    }

    /// Lists what is whole after a sample has been taken.
    fn advance(&mut self, taken: &mut Taken) {
        let Some(beat) = self.beat() else { return };
        // Half a frame before the grid some encoders have a keyframe, and some the frame before it: that is waited for.
        let ends = match self.is_video() {
            true => self.on_time && !self.missed && self.next >= self.expected_end() - beat.sample() * 2 / 5,
            false => self.number(self.next) > self.segments.open().msn,
        };
        if ends || self.making.until(self.next).saturating_add(beat.slack()) >= beat.target().ticks() {
            self.flush(Settled::Yes, taken);
        }
        if ends {
            let next = Msn(self.segments.open().msn.0.saturating_add(1));
            self.close(self.number(self.next).max(next), self.next, taken);
        }
    }

    /// Lists the part that is being made.
    fn flush(&mut self, settled: Settled, taken: &mut Taken) {
        if self.making.is_empty() {
            return;
        }
        let made = std::mem::take(&mut self.making);
        let media = made.media(self.header(), self.segments.sequence(), settled);
        self.segments.add(self.at(self.next), made.is_independent(), media);
        taken.parts += 1;
    }

    /// Ends the open segment at `end` and opens the one of that number.
    fn close(&mut self, number: Msn, end: i64, taken: &mut Taken) {
        self.segments.close(number, self.at(end));
        taken.segments += 1;
    }
}

/// The most bytes of a part: a second at 500 Mbit/s.
const LARGEST_PART: u64 = 64 * 1024 * 1024;
