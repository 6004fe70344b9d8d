//! One track of a show: samples in, parts and segments out.
//!
//! ```text
//! sample ─▶ late? ─▶ after a hole? ─▶ next segment? ─▶ part in the making ─▶ whole? ─▶ listed
//!            drop     bridge with GAP   close the open one                     mux
//! ```
//!
//! How the sender gathered its samples into chunks leaves no trace: whoever gets the same samples makes the same parts.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use super::cadence::{Beat, Cadence, Frame};
use super::report::Pace;
use super::segment::{Media, Part, Segment, Settled};
use super::{Chunk, Header, Refusal, Sample, mux};
use crate::time::{MediaTime, Msn, Rounding, Timescale};

/// Who sends: one connection, or one object of a sender that opens a connection for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sender(pub u64);

/// What became of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Taken {
    /// Parts that are listed now.
    pub parts: u32,
    /// Segments that are whole now.
    pub segments: u32,
    /// Samples of times that are here already, whoever sends them again and whatever they are decoded with: nothing is
    /// missing without them. They are to be expected where a sender comes back, or several send the same.
    pub duplicates: u32,
    /// Samples that could not be used, because nothing that they depend on is here or because their track has ended: their
    /// time is missing, unless something else of it comes.
    pub dropped: u32,
    /// Holes in the timeline that were bridged.
    pub holes: u32,
    /// Whether the playlists of other tracks have changed too.
    pub others: bool,
}

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

/// The segment that is being made.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) msn: Msn,
    pub(super) start: MediaTime,
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) discontinuity: bool,
}

/// The part that is being made.
#[derive(Debug, Default)]
struct Making {
    start: i64,
    samples: Vec<Sample>,
    events: Vec<Bytes>,
    bytes: u64,
}

/// A header that has come, of which nothing has been taken yet.
#[derive(Debug)]
struct Pending {
    header: Arc<Header>,
    beat: Option<Beat>,
}

/// Where a track's segments begin, for those who tell where it ends.
#[derive(Debug, Clone, Copy)]
struct Course {
    first: Msn,
    start: MediaTime,
    sample: MediaTime,
    late: Option<MediaTime>,
    /// An encoder has begun: where the next segment begins is where all will.
    is_new: bool,
}

/// The state of a track. All times are positions: decode time plus the offset of the first sync sample, in ticks of the
/// header in force.
#[derive(Debug)]
pub(super) struct Track {
    cadence: Cadence,
    pub(super) header: Arc<Header>,
    /// What its segments after the next boundary are decoded with, if that is another header.
    pending: Option<Pending>,
    pub(super) beat: Option<Beat>,
    /// `PART-TARGET` in microseconds: that of the first header, whatever comes after it.
    pub(super) part_target: Option<u64>,
    lead: i64,
    start: Start,
    course: Option<Course>,
    sender: Option<Sender>,
    /// The end of the last sample that was taken.
    next: i64,
    last: Option<Bytes>,
    /// A sender that has shown to send the same encode.
    proven: Option<Sender>,
    /// Whether the last segment ended when it should, so that the next one will too.
    on_time: bool,
    /// A segment was ended when a keyframe was due, and none came: from then on they are waited for.
    missed: bool,
    /// What has come, but does not tell yet how long its samples are.
    held: Vec<(Chunk, Sender)>,
    making: Making,
    pub(super) open: Open,
    pub(super) closed: Arc<VecDeque<Arc<Segment>>>,
    /// Segments with which any track of the show was decoded otherwise than before, in order. Each is a discontinuity in
    /// all tracks: at that segment, or at the next of which nothing is listed yet.
    pub(super) changes: Arc<Vec<Msn>>,
    /// The discontinuity sequence number of the open segment.
    pub(super) number: u64,
    /// Bytes of media in parts and segments, and in the part that is being made.
    pub(super) bytes: u64,
    /// The number of the segment that the timeline has jumped to: what is before it is no longer listed.
    pub(super) jumped_to: Option<Msn>,
    /// Whether the sender has begun its last segment.
    pub(super) closing: bool,
    pub(super) finished: bool,
}

impl Track {
    pub(super) fn new(cadence: Cadence, header: Arc<Header>, start: Start) -> Self {
        Self {
            cadence,
            open: Open {
                msn: Msn(0),
                start: MediaTime::zero(header.timescale()),
                parts: Vec::new(),
                discontinuity: false,
            },
            header,
            pending: None,
            beat: None,
            part_target: None,
            lead: 0,
            start,
            course: None,
            sender: None,
            next: 0,
            last: None,
            proven: None,
            on_time: false,
            missed: false,
            held: Vec::new(),
            making: Making::default(),
            closed: Arc::default(),
            changes: Arc::default(),
            number: 0,
            bytes: 0,
            jumped_to: None,
            closing: false,
            finished: false,
        }
    }

    pub(super) fn has_begun(&self) -> bool {
        self.start == Start::Begun
    }

    /// Where its first segment began.
    pub(super) fn began(&self) -> Option<MediaTime> {
        self.course.map(|course| course.start)
    }

    pub(super) fn is_video(&self) -> bool {
        self.header.kind().is_video()
    }

    /// What the samples that come are decoded with.
    pub(super) fn arriving(&self) -> &Arc<Header> {
        self.pending.as_ref().map_or(&self.header, |pending| &pending.header)
    }

    /// The header that is not in force yet.
    pub(super) fn pending(&self) -> Option<&Arc<Header>> {
        self.pending.as_ref().map(|pending| &pending.header)
    }

    fn scale(&self) -> Timescale {
        self.header.timescale()
    }

    pub(super) fn at(&self, position: i64) -> MediaTime {
        MediaTime::new(position, self.scale())
    }

    /// Where the listed media ends.
    pub(super) fn end(&self) -> MediaTime {
        match (self.open.parts.last(), self.closed.back()) {
            (Some(part), _) => part.end,
            (None, Some(segment)) => segment.end,
            (None, None) => self.open.start,
        }
    }

    /// What others need to tell where this track ends.
    pub(super) fn pace(&self) -> Option<Pace> {
        let Course { first, start, sample, late, .. } = self.course?;
        Some(Pace { beat: self.beat?, is_video: self.is_video(), first, start, sample, late })
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
            taken.dropped = count(&chunk);
            return Ok(taken);
        }
        // A styp is of a whole segment, so more of it may follow; and the sender's segments may be longer than ours.
        self.closing |= chunk.last;
        if self.arriving().id() != header.id() {
            if self.has_begun()
                && chunk.samples.iter().all(|sample| self.has_passed(self.place(sample, header)))
            {
                // Another encoder, which is behind: nothing of it is needed.
                taken.duplicates = count(&chunk);
                return Ok(taken);
            }
            taken.dropped += self.announce(header);
            // What comes is hinted.
            taken.others = true;
        }
        if self.knows_beat() {
            self.chunk(chunk, sender, &mut taken)?;
            return Ok(taken);
        }
        self.held.push((chunk, sender));
        self.find_beat(false)?;
        self.release(&mut taken)?;
        Ok(taken)
    }

    /// Takes what was held, if the beat is known now.
    fn release(&mut self, taken: &mut Taken) -> Result<(), Refusal> {
        if self.knows_beat() {
            for (chunk, sender) in std::mem::take(&mut self.held) {
                self.chunk(chunk, sender, taken)?;
            }
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: Chunk, sender: Sender, taken: &mut Taken) -> Result<(), Refusal> {
        let mut events: Vec<Bytes> = chunk.events.iter().map(|event| event.raw.clone()).collect();
        for sample in chunk.samples {
            if self.sample(sample, sender, taken)? {
                self.making.events.append(&mut events);
                self.advance(taken);
            }
        }
        Ok(())
    }

    /// Takes another header: the samples that follow are decoded with it, and begin a segment of their own. What is listed
    /// stays as it is until then. Tells how many samples were held that now nobody will know the rate of.
    fn announce(&mut self, header: &Arc<Header>) -> u32 {
        let held = std::mem::take(&mut self.held);
        let header = Arc::clone(header);
        if self.has_begun() {
            let is_other = self.header.id() != header.id();
            self.pending = is_other.then_some(Pending { header, beat: None });
        } else {
            (self.header, self.beat, self.part_target) = (header, None, None);
        }
        held.iter().map(|(chunk, _)| count(chunk)).sum()
    }

    /// Ends the segment that is being made: nothing follows.
    pub(super) fn finish(&mut self, taken: &mut Taken) {
        if self.finished {
            return;
        }
        let _ = self.find_beat(true).and_then(|()| self.release(taken));
        self.finished = true;
        self.flush(if self.closing { Settled::Yes } else { Settled::No }, taken);
        if !self.open.parts.is_empty() {
            let next = Msn(self.open.msn.0 + 1);
            self.close(next, self.next, taken);
        }
    }

    fn knows_beat(&self) -> bool {
        self.pending.as_ref().map_or(self.beat, |pending| pending.beat).is_some()
    }

    /// Finds out how samples are gathered, from what is held. The length of sound is that of its first two frames: the
    /// first may be cut off where the presentation starts. Where nothing follows, it is that of the longest, and nothing is
    /// cut by it.
    fn find_beat(&mut self, is_end: bool) -> Result<(), Refusal> {
        let scale = self.arriving().timescale();
        let samples = self.held.iter().flat_map(|(chunk, _)| &chunk.samples);
        let durations: Vec<u32> = samples.map(|sample| sample.duration).take(MOST_HELD).collect();
        let frame = match (self.is_video(), durations.as_slice()) {
            (_, durations) if is_end => durations.iter().max().map(|longest| Frame::exactly(*longest)),
            (true, durations) => Frame::of(durations, scale),
            (false, [first, second, ..]) => Some(Frame::exactly(*first.max(second))),
            (false, _) => None,
        };
        let Some(frame) = frame else { return Ok(()) };
        let beat = match self.part_target {
            Some(target) => Beat::under(target, frame, scale),
            None => self.cadence.gather(frame, scale),
        };
        let Some(beat) = beat else {
            self.held.clear();
            return Err(Refusal::FewFrames { longest_ms: self.cadence.longest_part_millis() });
        };
        self.part_target.get_or_insert(beat.target_micros());
        match &mut self.pending {
            Some(pending) => pending.beat = Some(beat),
            None => self.beat = Some(beat),
        }
        Ok(())
    }

    fn slack(&self) -> i64 {
        self.beat.map_or(0, Beat::slack)
    }

    /// The segment that a sample at `position` belongs to. A keyframe may come half a frame early.
    fn number(&self, position: i64) -> Msn {
        let early = if self.is_video() { self.slack() } else { 0 };
        self.cadence.number(self.at(position.saturating_add(early)))
    }

    /// Where a sample stands. The first of another header may have another offset, and other ticks.
    fn position(&self, sample: &Sample) -> i64 {
        match &self.pending {
            Some(pending) => self.place(sample, &pending.header),
            None => sample.decode.saturating_add(self.lead),
        }
    }

    /// Where a sample of another header stands, in our ticks. That of a picture is known from its first keyframe on, and no
    /// other can begin with it: before it a picture stands where it is decoded, or later.
    fn place(&self, sample: &Sample, header: &Header) -> i64 {
        let lead = if sample.sync { self.lead_of(sample) } else { 0 };
        let time = MediaTime::new(sample.decode.saturating_add(lead), header.timescale());
        time.rescale(self.scale(), Rounding::Nearest).ticks()
    }

    /// Whether something of that time is here.
    fn has_passed(&self, position: i64) -> bool {
        position.saturating_add(self.slack()) < self.next
    }

    /// What is between the decoding and the position of samples that follow a sync sample.
    fn lead_of(&self, sample: &Sample) -> i64 {
        if self.is_video() { i64::from(sample.offset) } else { 0 }
    }

    /// Takes one sample into the part that is being made, if it is of use.
    fn sample(&mut self, sample: Sample, sender: Sender, taken: &mut Taken) -> Result<bool, Refusal> {
        if !self.has_begun() {
            if !self.begin(&sample) {
                taken.dropped += 1;
                return Ok(false);
            }
            self.sender = Some(sender);
        }
        let position = self.position(&sample);
        if sample.duration == 0 || self.making.bytes > LARGEST_PART {
            // A part that never ends would hold memory for ever.
            return Err(Refusal::Endless);
        }
        if self.has_passed(position) {
            self.compare(&sample, position, sender);
            taken.duplicates += 1;
            return Ok(false);
        }
        if !self.follows(&sample, position, sender) {
            taken.dropped += 1;
            return Ok(false);
        }
        let is_hole = position > self.next.saturating_add(self.slack());
        if is_hole {
            self.bridge(position, taken);
        }
        self.enter(&sample, position, !is_hole, taken)?;
        // Another header may be in force now.
        let position = self.position(&sample);
        if position != self.next || is_hole {
            self.steer(position);
        }
        self.next = position.saturating_add(i64::from(sample.duration));
        self.last = Some(sample.data.clone());
        self.making.bytes += sample.data.len() as u64;
        self.bytes += sample.data.len() as u64;
        self.making.samples.push(sample);
        Ok(true)
    }

    /// Whether the track can begin with this sample; makes the first segment if so.
    fn begin(&mut self, sample: &Sample) -> bool {
        let lead = self.lead_of(sample);
        let position = sample.decode.saturating_add(lead);
        let number = self.number(position);
        let late = position.saturating_sub(self.cadence.start(number, self.scale()).ticks());
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
        let late = self.late(number, position);
        let is_new = self.is_video() && late.ticks() != 0;
        let start = self.at(position);
        self.course =
            Some(Course { first: number, start, sample: start, late: (!is_new).then_some(late), is_new });
        self.lead = lead;
        self.next = position;
        self.open = Open { msn: number, start: self.at(position), parts: Vec::new(), discontinuity: false };
        self.number = self.changes_up_to(number);
        true
    }

    /// Whether a part fits between a position and the end of its segment.
    fn has_room(&self, number: Msn, position: i64) -> bool {
        let end = self.cadence.start(Msn(number.0.saturating_add(1)), self.scale()).ticks();
        self.beat.is_some_and(|beat| end.saturating_sub(position) >= beat.target().ticks())
    }

    /// Whether a sample that comes late shows that another sender sends the same encode.
    fn compare(&mut self, sample: &Sample, position: i64, sender: Sender) {
        let ends = position.saturating_add(i64::from(sample.duration));
        let is_last = ends.abs_diff(self.next) <= self.slack().unsigned_abs();
        if self.pending.is_none()
            && self.sender != Some(sender)
            && is_last
            && self.last.as_ref() == Some(&sample.data)
        {
            self.proven = Some(sender);
        }
    }

    /// Whether what came before a sample is here, so that it can be decoded.
    fn follows(&mut self, sample: &Sample, position: i64, sender: Sender) -> bool {
        let number = self.number(position);
        // What is decoded with another header begins a segment of its own.
        if self.pending.is_some() && (!sample.sync || number <= self.open.msn && !self.is_fresh()) {
            return false;
        }
        if self.is_video() && !sample.sync {
            let is_hole = position > self.next.saturating_add(self.slack());
            let is_other = self.sender != Some(sender) && self.proven != Some(sender);
            if self.is_fresh() {
                self.missed = true;
            }
            if is_hole || is_other || self.is_fresh() {
                return false;
            }
        }
        self.proven = None;
        self.sender = Some(sender);
        true
    }

    /// Whether the open segment has no sample yet.
    fn is_fresh(&self) -> bool {
        self.making.samples.is_empty() && self.open.parts.iter().all(|part| part.media.is_none())
    }

    /// How far behind the grid a segment begins. Sound is always on it.
    fn late(&self, number: Msn, position: i64) -> MediaTime {
        let late = position.saturating_sub(self.cadence.start(number, self.scale()).ticks());
        self.at(if self.is_video() && late.abs() > self.slack() { late } else { 0 })
    }

    /// Learns where samples stand, where they do not follow each other as they did.
    fn steer(&mut self, position: i64) {
        let Some(beat) = self.beat else { return };
        let Some(course) = &mut self.course else { return };
        let known = course.sample.rescale(self.header.timescale(), Rounding::Nearest).ticks();
        let off = position.saturating_sub(known);
        // Frames are rounded to ticks.
        if beat.whole_frames(off, 5).abs_diff(off) > 1 {
            course.sample = MediaTime::new(position, self.header.timescale());
        }
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
        let begins = number > self.open.msn && (sample.sync || !self.is_video());
        if begins {
            self.flush(Settled::Yes, taken);
            let planned = self.expected_end();
            self.on_time = planned.abs_diff(self.next) <= self.slack().unsigned_abs();
            self.close(number, self.next, taken);
        }
        let is_boundary = is_smooth && sample.sync && number == self.open.msn && self.is_fresh();
        let late = self.late(number, position);
        if let Some(course) =
            self.course.as_mut().filter(|course| course.is_new && is_boundary && course.first < number)
        {
            (course.late, course.is_new) = (Some(late), false);
        }
        if self.is_fresh()
            && let Some(pending) = self.pending.take()
        {
            self.change();
            let next = self.at(self.next);
            (self.header, self.beat, self.lead) = (pending.header, pending.beat, self.lead_of(sample));
            self.next = next.rescale(self.scale(), Rounding::Nearest).ticks();
            if let Some(course) = &mut self.course {
                course.is_new = self.header.kind().is_video();
            }
        }
        let end = self.position(sample).saturating_add(i64::from(sample.duration));
        let length = self.at(end).since(self.open.start);
        if (length.as_micros() + 500_000) / 1_000_000 > i64::from(self.cadence.target_duration()) {
            return Err(Refusal::NoKeyframe { segment_ms: self.cadence.segment().ticks() });
        }
        if let Some(beat) = self.beat {
            let grown = end.saturating_sub(self.making.start);
            if grown > beat.target().ticks() && !self.making.samples.is_empty() {
                self.flush(Settled::Yes, taken);
            }
        }
        if self.making.samples.is_empty() {
            self.making.start = self.next;
        }
        Ok(())
    }

    fn changes_up_to(&self, msn: Msn) -> u64 {
        self.changes.partition_point(|change| *change <= msn) as u64
    }

    /// Whether a segment begins with a discontinuity. Where several are due, its next ones do too.
    fn is_discontinuous(&mut self, msn: Msn) -> bool {
        let is_due = self.number < self.changes_up_to(msn);
        self.number += u64::from(is_due);
        is_due
    }

    /// The discontinuity sequence number of the first segment, where the track has just begun.
    pub(super) fn first_number(&self) -> u64 {
        let shown = self.closed.iter().filter(|segment| segment.discontinuity).count() as u64;
        self.number.saturating_sub(shown + u64::from(self.open.discontinuity))
    }

    /// The open segment is decoded otherwise than the one before it.
    fn change(&mut self) {
        let msn = self.open.msn;
        if let Err(place) = self.changes.binary_search(&msn) {
            Arc::make_mut(&mut self.changes).insert(place, msn);
        }
        if !self.open.discontinuity {
            self.open.discontinuity = true;
            self.number += 1;
        }
    }

    /// Learns of all changes in the show.
    pub(super) fn learn(&mut self, changes: &Arc<Vec<Msn>>) {
        self.changes = Arc::clone(changes);
        if self.has_begun() && self.open.parts.is_empty() && !self.open.discontinuity {
            self.open.discontinuity = self.is_discontinuous(self.open.msn);
        }
    }

    /// When the open segment began, in ticks of the header in force.
    fn opened(&self) -> i64 {
        self.open.start.rescale(self.scale(), Rounding::Nearest).ticks()
    }

    /// When the open segment should end.
    fn expected_end(&self) -> i64 {
        let grid = self.cadence.start(self.open.msn, self.scale()).ticks();
        let after = self.cadence.start(Msn(self.open.msn.0 + 1), self.scale()).ticks();
        let late = self.opened().saturating_sub(grid);
        // Keyframes that are off the grid stay off it by as much.
        if late.abs() <= self.slack() { after } else { after.saturating_add(late) }
    }

    /// Lists what is whole after a sample has been taken.
    fn advance(&mut self, taken: &mut Taken) {
        let Some(beat) = self.beat else { return };
        // Half a frame before the grid some encoders have a keyframe, and some the frame before it: that is waited for.
        let ends = match self.is_video() {
            true => self.on_time && !self.missed && self.next >= self.expected_end() - beat.sample() * 2 / 5,
            false => self.number(self.next) > self.open.msn,
        };
        let made = self.next.saturating_sub(self.making.start);
        if ends || made.saturating_add(beat.slack()) >= beat.target().ticks() {
            self.flush(Settled::Yes, taken);
        }
        if ends {
            let number = self.number(self.next);
            self.close(number.max(Msn(self.open.msn.0 + 1)), self.next, taken);
        }
    }

    /// Lists the part that is being made.
    fn flush(&mut self, settled: Settled, taken: &mut Taken) {
        if self.making.samples.is_empty() {
            return;
        }
        let made = std::mem::take(&mut self.making);
        // Unique among the fragments of a track for as long as 2^32 of them are.
        let sequence = self.open.msn.0.wrapping_mul(64).wrapping_add(self.open.parts.len() as u64);
        let sequence = u32::try_from(sequence & u64::from(u32::MAX)).unwrap_or(0);
        let media = Media::new(mux(&self.header, sequence, &made.events, &made.samples), settled);
        self.bytes = self.bytes.saturating_sub(made.bytes).saturating_add(media.len());
        let part = Part {
            start: self.listed_end(),
            end: self.at(self.next),
            independent: made.samples.iter().any(|s| s.sync),
            media: Some(Arc::new(media)),
        };
        self.open.parts.push(Arc::new(part));
        taken.parts += 1;
    }

    /// Where the parts of the open segment end.
    fn listed_end(&self) -> MediaTime {
        self.open.parts.last().map_or(self.open.start, |part| part.end)
    }

    /// Ends the open segment at `end` and opens the one of that number; numbers between are gaps of no length, where
    /// keyframes come a little slower than the grid.
    fn close(&mut self, number: Msn, end: i64, taken: &mut Taken) {
        let at = self.at(end);
        let former = self.open.msn;
        self.reopen(number, at);
        taken.segments += 1;
        for missing in former.0.saturating_add(1)..number.0 {
            let gap = Segment {
                msn: Msn(missing),
                start: at,
                end: at,
                parts: Vec::new(),
                media: None,
                init: self.header.id(),
                discontinuity: self.is_discontinuous(Msn(missing)),
            };
            Arc::make_mut(&mut self.closed).push_back(Arc::new(gap));
        }
        self.open.discontinuity = self.is_discontinuous(number);
    }

    /// Ends the open segment, and opens another.
    fn reopen(&mut self, number: Msn, at: MediaTime) {
        let next = Open { msn: number, start: at, parts: Vec::new(), discontinuity: false };
        let open = std::mem::replace(&mut self.open, next);
        let segment = Segment {
            msn: open.msn,
            start: open.start,
            end: at,
            parts: open.parts,
            media: None,
            init: self.header.id(),
            discontinuity: open.discontinuity,
        };
        Arc::make_mut(&mut self.closed).push_back(Arc::new(segment.gathered()));
    }

    /// Bridges a hole up to `position`, where the next sample is.
    fn bridge(&mut self, position: i64, taken: &mut Taken) {
        taken.holes += 1;
        self.flush(Settled::No, taken);
        let number = self.number(position);
        if number.0.saturating_sub(self.open.msn.0) > LONGEST_HOLE {
            // Nobody who saw what was before is still waiting. It leaves the playlist at once.
            self.jumped_to = Some(number);
            self.reopen(number, self.at(self.next));
            self.next = position;
            self.open.start = self.at(position);
            self.open.discontinuity = self.is_discontinuous(number);
            return;
        }
        while self.open.msn < number {
            let boundary = self.expected_end().max(self.next).min(position);
            if !self.open.parts.is_empty() {
                self.fill(boundary);
            }
            self.next = boundary;
            self.close(Msn(self.open.msn.0 + 1), boundary, taken);
        }
        self.fill(position);
        self.next = position;
    }

    /// Lists missing parts up to `position` in the open segment, none longer than the part target.
    fn fill(&mut self, position: i64) {
        let longest = self.beat.map_or(1, |beat| beat.target().ticks()).max(1);
        while self.next < position {
            let end = self.next.saturating_add(longest).min(position);
            let (start, end) = (self.listed_end(), self.at(end));
            let part = Part { start, end, independent: false, media: None };
            self.open.parts.push(Arc::new(part));
            self.next = end.ticks();
        }
    }
}

fn count(chunk: &Chunk) -> u32 {
    u32::try_from(chunk.samples.len()).unwrap_or(u32::MAX)
}

/// The most bytes of a part: a second at 500 Mbit/s.
const LARGEST_PART: u64 = 64 * 1024 * 1024;
/// Samples that tell the rate of all; of a rate that is in use, far fewer do.
const MOST_HELD: usize = 1000;
/// Segments: twelve hours of two seconds. A hole that is longer starts the window anew.
const LONGEST_HOLE: u64 = 21_600;
