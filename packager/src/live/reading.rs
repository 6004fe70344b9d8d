//! How a track's samples are read: the header that they are decoded with and how they are gathered into parts, now and after
//! the next header.
//!
//! ```text
//! header comes ─▶ pending ─▶ its samples are held until they tell their rate ─▶ its first sync sample: in force
//! ```

use std::sync::Arc;

use super::cadence::{Beat, Cadence, Frame};
use super::feed::Sender;
use super::held::Held;
use super::past::Gait;
use super::{Chunk, Header, Refusal, Sample};
use crate::time::{MediaTime, Rounding, Timescale};

/// What is in force, and what is coming.
#[derive(Debug)]
pub(super) struct Reading {
    header: Arc<Header>,
    beat: Option<Beat>,
    /// `PART-TARGET` in microseconds: that of the first header, whatever comes after it.
    part_target: Option<u64>,
    /// What is between the decoding and the position of samples, in ticks.
    lead: i64,
    /// What is decoded after the next boundary, if that is another header.
    pending: Option<Pending>,
    held: Held,
}

/// A header that has come, of which nothing has been taken yet.
#[derive(Debug)]
struct Pending {
    header: Arc<Header>,
    beat: Option<Beat>,
}

impl Reading {
    /// With a header of which nothing has come.
    pub(super) fn new(header: Arc<Header>) -> Self {
        Self { header, beat: None, part_target: None, lead: 0, pending: None, held: Held::default() }
    }

    /// With a header of which nothing has come here, of a track that was read elsewhere.
    pub(super) fn after(header: Arc<Header>, gait: Gait) -> Self {
        Self { part_target: Some(gait.part_target), ..Self::new(header) }
    }

    /// Nothing will come of it; it was read so.
    pub(super) fn resume(&mut self, gait: Gait) {
        (self.beat, self.part_target) = (gait.beat(self.scale()), Some(gait.part_target));
    }

    /// How its samples are gathered, once that is known.
    pub(super) fn gait(&self) -> Option<Gait> {
        Some(self.beat?.gait(self.part_target?))
    }

    /// What is decoded now.
    pub(super) fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// What is decoded next, if that is another header.
    pub(super) fn pending(&self) -> Option<&Arc<Header>> {
        self.pending.as_ref().map(|pending| &pending.header)
    }

    /// What the samples that come are decoded with.
    pub(super) fn arriving(&self) -> &Arc<Header> {
        self.pending().unwrap_or(&self.header)
    }

    /// How samples are gathered, once that is known.
    pub(super) fn beat(&self) -> Option<Beat> {
        self.beat
    }

    /// `PART-TARGET` in microseconds, once that is known.
    pub(super) fn part_target(&self) -> Option<u64> {
        self.part_target
    }

    /// Whether it is pictures, not sound.
    pub(super) fn is_video(&self) -> bool {
        self.header.kind().is_video()
    }

    /// Ticks of the header in force.
    pub(super) fn scale(&self) -> Timescale {
        self.header.timescale()
    }

    /// What two positions may differ in and still be the same: half a sample.
    pub(super) fn slack(&self) -> i64 {
        self.beat.map_or(0, Beat::slack)
    }

    /// Takes another header: the samples that follow are decoded with it. A track that `has_begun` changes to it with the
    /// next segment.
    pub(super) fn announce(&mut self, header: &Arc<Header>, has_begun: bool) {
        let header = Arc::clone(header);
        if has_begun {
            let is_other = self.header.id() != header.id();
            self.pending = is_other.then_some(Pending { header, beat: None });
        } else {
            (self.header, self.beat, self.part_target) = (header, None, None);
        }
    }

    /// Takes a chunk, and gives what can be read now: that chunk, and those before it that did not tell their rate.
    ///
    /// # Errors
    /// [`Refusal::FewFrames`].
    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        sender: Sender,
        cadence: Cadence,
    ) -> Result<Vec<(Chunk, Sender)>, Refusal> {
        self.held.push(chunk, sender);
        if !self.is_known()
            && let Some(frame) = self.held.frame(self.arriving())
        {
            self.gather(frame, cadence)?;
        }
        Ok(if self.is_known() { self.held.take() } else { Vec::new() })
    }

    /// Nothing of the header follows that came last: gives what was held. What cannot be gathered is lost.
    pub(super) fn finish(&mut self, cadence: Cadence) -> Vec<(Chunk, Sender)> {
        let frame = self.held.last_frame(self.arriving());
        match frame.map(|frame| self.gather(frame, cadence)) {
            Some(Ok(())) => self.held.take(),
            Some(Err(_)) | None => Vec::new(),
        }
    }

    /// The track begins with this sample; gives its position.
    pub(super) fn begin(&mut self, sample: &Sample) -> i64 {
        self.lead = self.lead_of(sample);
        self.position(sample)
    }

    /// What was pending is in force from this sample on, if something was. Gives the ticks that were in force before.
    pub(super) fn change(&mut self, sample: &Sample) -> Option<Timescale> {
        let Pending { header, beat } = self.pending.take()?;
        let former = self.scale();
        (self.header, self.beat, self.lead) = (header, beat, self.lead_of(sample));
        Some(former)
    }

    /// Where a sample stands. The first of another header may have another offset, and other ticks.
    pub(super) fn position(&self, sample: &Sample) -> i64 {
        match self.pending() {
            Some(header) => self.place(sample, header),
            None => sample.decode.saturating_add(self.lead),
        }
    }

    /// Where a sample of another header stands, in ticks of that in force. The place of a picture is known from its first
    /// keyframe on, and no other can begin with it: before it a picture stands where it is decoded, or later.
    pub(super) fn place(&self, sample: &Sample, header: &Header) -> i64 {
        let lead = if sample.sync { self.lead_of(sample) } else { 0 };
        let time = MediaTime::new(sample.decode.saturating_add(lead), header.timescale());
        time.rescale(self.scale(), Rounding::Nearest).ticks()
    }

    /// Whether the rate of the samples that come is known.
    fn is_known(&self) -> bool {
        self.pending.as_ref().map_or(self.beat, |pending| pending.beat).is_some()
    }

    /// Knows from now on how long the samples that come are, and so how they are gathered.
    fn gather(&mut self, frame: Frame, cadence: Cadence) -> Result<(), Refusal> {
        let scale = self.arriving().timescale();
        let beat = match self.part_target {
            Some(target) => Beat::under(target, frame, scale),
            None => cadence.gather(frame, scale),
        };
        let Some(beat) = beat else {
            self.held.take();
            return Err(Refusal::FewFrames { longest_ms: cadence.longest_part_millis() });
        };
        self.part_target.get_or_insert(beat.target_micros());
        match &mut self.pending {
            Some(pending) => pending.beat = Some(beat),
            None => self.beat = Some(beat),
        }
        Ok(())
    }

    /// What is between the decoding and the position of samples that follow a sync sample.
    fn lead_of(&self, sample: &Sample) -> i64 {
        if self.is_video() { i64::from(sample.offset) } else { 0 }
    }
}
