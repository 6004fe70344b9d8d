//! A track without an end: a short clip, played round and round and cut into exactly the parts that the origin makes
//! of it. So each piece that is sent is one part, and it is known which.

use std::error::Error;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use packager::live::{Beat, Cadence, Event, Header, Sample, Splitter, mux};
use packager::time::{MediaTime, Msn};

/// The clip of one track.
#[derive(Debug)]
pub struct Reel {
    header: Arc<Header>,
    samples: Vec<Sample>,
    beat: Beat,
}

/// One part.
#[derive(Debug)]
pub struct Piece {
    /// A `moof` and an `mdat`.
    pub bytes: Vec<Bytes>,
    /// When its last sample is over, on the timeline.
    pub end: Duration,
}

/// Segments of two seconds, in parts of 333 ms.
pub fn cadence() -> Cadence {
    const MILLIS: NonZeroU32 = NonZeroU32::new(2000).unwrap();
    const PARTS: NonZeroU32 = NonZeroU32::new(6).unwrap();
    Cadence::new(MILLIS, PARTS)
}

impl Reel {
    /// Reads a fragmented file of one track whose samples all have the same length and whose key frames come every
    /// two seconds.
    ///
    /// # Errors
    /// A file that cannot be read, or is another.
    pub fn read(file: &[u8]) -> Result<Self, Box<dyn Error>> {
        let mut splitter = Splitter::new();
        splitter.feed(Bytes::copy_from_slice(file));
        let (mut header, mut samples) = (None, Vec::new());
        while let Some(event) = splitter.next()? {
            match event {
                Event::Header(found) => header = Some(found),
                Event::Chunk(chunk) => samples.extend(chunk.samples),
            }
        }
        let header = header.ok_or("no header")?;
        let first = samples.first().ok_or("no samples")?;
        let (offset, length) = (first.offset, first.duration);
        let beat = cadence().beat(length, header.timescale()).ok_or("samples that are longer than a part")?;
        // The first picture is presented when it is decoded, so that key frames are on the grid.
        for sample in &mut samples {
            (sample.duration, sample.offset) = (length, sample.offset - offset);
        }
        let reel = Self { header, samples, beat };
        reel.check()?;
        Ok(reel)
    }

    fn check(&self) -> Result<(), Box<dyn Error>> {
        if self.header.kind().is_video() {
            let segment = cadence().start(Msn(1), self.header.timescale()).ticks() / self.beat.sample();
            let fits = i64::try_from(self.samples.len())? % segment == 0;
            let segment = usize::try_from(segment)?;
            if !fits || self.samples.iter().step_by(segment).any(|sample| !sample.sync) {
                return Err("expected whole groups of pictures of two seconds".into());
            }
        }
        Ok(())
    }

    /// What is sent first.
    pub fn header(&self) -> &Arc<Header> {
        &self.header
    }

    /// How many parts a segment has.
    pub fn parts(&self, msn: u64) -> u64 {
        (self.first(msn + 1) - self.first(msn)).div_ceil(self.count())
    }

    /// A part of the timeline that began in 1970.
    pub fn piece(&self, msn: u64, part: u64) -> Piece {
        let samples = self.samples(msn, part);
        let end = samples.last().map_or(0, Sample::decode_end);
        let sequence = (msn * 64 + part) % u64::from(u32::MAX);
        let bytes = mux(&self.header, u32::try_from(sequence).unwrap_or(0), &[], &samples);
        let end = MediaTime::new(end, self.header.timescale()).as_micros();
        Piece { bytes, end: Duration::from_micros(end.unsigned_abs()) }
    }

    /// The samples of a part.
    pub fn samples(&self, msn: u64, part: u64) -> Vec<Sample> {
        let (first, next) = (self.first(msn), self.first(msn + 1));
        let from = (first + part * self.count()).min(next);
        let to = (from + self.count()).min(next);
        (from..to).map(|index| self.sample(index)).collect()
    }

    fn sample(&self, index: u64) -> Sample {
        let clip = self.samples.len() as u64;
        let sample = &self.samples[usize::try_from(index % clip).unwrap_or(0)];
        let decode = i64::try_from(index).unwrap_or(i64::MAX).saturating_mul(self.beat.sample());
        Sample { decode, ..sample.clone() }
    }

    /// The first sample of a segment: the first at or after its beginning.
    fn first(&self, msn: u64) -> u64 {
        let start = cadence().start(Msn(msn), self.header.timescale()).ticks();
        start.unsigned_abs().div_ceil(self.beat.sample().unsigned_abs())
    }

    /// Samples of a part.
    fn count(&self) -> u64 {
        (self.beat.target().ticks() / self.beat.sample()).unsigned_abs()
    }
}
