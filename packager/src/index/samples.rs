//! The sample table: when each sample is decoded and shown, how long it is, and where its bytes lie.
//!
//! It is what `stts`, `ctts`, `stss`, `stsz`, `stsc` and `stco` say (ISO/IEC 14496-12 §8.6, §8.7), or what a
//! file's `moof` boxes say, in columns of a few bits a sample. Nothing is ever expanded to a record a sample.

use std::ops::Range;

use super::pack::{Column, ColumnBuilder};
use crate::range::ByteRange;

/// The most samples a track may have: about four days of 48 kHz AAC, six of 30 fps video.
pub const LIMIT: u32 = 1 << 24;

/// One sample, as the table answers for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Decode time, in ticks of the track.
    pub decode: u64,
    /// How long it is shown, in ticks.
    pub duration: u32,
    /// Presentation time minus decode time, in ticks.
    pub offset: i32,
    /// Bytes.
    pub size: u32,
    /// Whether decoding can start here.
    pub sync: bool,
}

/// Where decoding can start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Syncs {
    /// At every sample, as in audio.
    All,
    /// At these samples, ascending.
    At(Vec<u32>),
}

/// Composition offsets: `bias + step * column`; `None` where presentation follows decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Offsets {
    pub(super) bias: i32,
    pub(super) step: u32,
    pub(super) column: Column,
}

/// Samples that lie one after the other in the object, up to the first of the next extent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) first: u32,
    pub(super) at: u64,
}

/// All samples of a track, in decode order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleTable {
    pub(super) start: u64,
    pub(super) durations: Column,
    pub(super) sizes: Column,
    pub(super) offsets: Option<Offsets>,
    pub(super) syncs: Syncs,
    pub(super) extents: Vec<Extent>,
}

impl SampleTable {
    /// How many samples.
    #[expect(clippy::len_without_is_empty, reason = "a table with no sample is never built")]
    pub fn len(&self) -> u32 {
        self.sizes.len()
    }

    /// Decode time of the first sample, in ticks.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// Sum of all durations, in ticks.
    pub fn duration(&self) -> u64 {
        self.durations.total()
    }

    /// Bytes this takes in memory, for caches that weigh it.
    pub fn weight(&self) -> usize {
        let offsets = self.offsets.as_ref().map_or(0, |o| o.column.weight());
        let syncs = match &self.syncs {
            Syncs::All => 0,
            Syncs::At(list) => list.capacity() * size_of::<u32>(),
        };
        let extents = self.extents.capacity() * size_of::<Extent>();
        size_of::<Self>() + self.durations.weight() + self.sizes.weight() + offsets + syncs + extents
    }

    /// Decode time of sample `i`, or the end of the last where `i` lies beyond it.
    pub fn decode_time(&self, i: u32) -> u64 {
        self.start.saturating_add(self.durations.sum_before(i))
    }

    /// Presentation time of sample `i`, in ticks.
    pub fn presentation_time(&self, i: u32) -> i64 {
        let decode = i64::try_from(self.decode_time(i)).unwrap_or(i64::MAX);
        decode.saturating_add(i64::from(self.offset(i)))
    }

    /// The end of the track on the presentation timeline: the latest end of any of its last samples.
    pub fn presentation_end(&self) -> i64 {
        // Reordering never reaches further back than the 16 frames of a decoded picture buffer (H.264 A.3.1, H.265 A.4.2).
        (self.len().saturating_sub(32)..self.len())
            .map(|i| self.presentation_time(i).saturating_add(i64::from(self.durations.get(i))))
            .max()
            .unwrap_or(0)
    }

    /// The first sample decoded at or after `time`, or the number of samples where all come before.
    pub fn first_decoded_at_or_after(&self, time: u64) -> u32 {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.decode_time(middle) < time {
                true => low = middle + 1,
                false => high = middle,
            }
        }
        low
    }

    /// How long the first sample lasts, which is how long nearly all do where the rate is constant.
    pub fn usual_duration(&self) -> u32 {
        self.durations.get(0)
    }

    /// Whether each sample of `range` lasts `duration`.
    pub fn all_last(&self, range: Range<u32>, duration: u32) -> bool {
        self.durations.all_are(range, duration)
    }

    /// Whether any sample is presented at another time than it is decoded.
    pub fn reorders(&self) -> bool {
        self.offsets.is_some()
    }

    /// Whether decoding can start at every sample.
    pub fn all_sync(&self) -> bool {
        matches!(self.syncs, Syncs::All)
    }

    /// Bytes of the samples in `range`.
    pub fn bytes(&self, range: Range<u32>) -> u64 {
        self.sizes.sum_before(range.end).saturating_sub(self.sizes.sum_before(range.start))
    }

    /// The samples of `range`, in order.
    pub fn samples(&self, range: Range<u32>) -> impl Iterator<Item = Sample> + '_ {
        let end = range.end.min(self.len());
        let mut decode = self.decode_time(range.start);
        let mut sync = self.sync_from(range.start);
        (range.start..end).map(move |i| {
            let duration = self.durations.get(i);
            let sample =
                Sample { decode, duration, offset: self.offset(i), size: self.sizes.get(i), sync: sync(i) };
            decode = decode.saturating_add(u64::from(duration));
            sample
        })
    }

    /// The samples where decoding can start, ascending.
    pub fn sync_samples(&self) -> Box<dyn Iterator<Item = u32> + '_> {
        match &self.syncs {
            Syncs::All => Box::new(0..self.len()),
            Syncs::At(list) => Box::new(list.iter().copied()),
        }
    }

    /// Where the bytes of `range` lie in the object, in order; neighbours are one range.
    pub fn byte_ranges(&self, range: Range<u32>) -> Vec<ByteRange> {
        let end = range.end.min(self.len());
        let mut ranges: Vec<ByteRange> = Vec::new();
        let mut first = range.start;
        let mut number = self.extents.partition_point(|e| e.first <= first).saturating_sub(1);
        while first < end {
            let Some(extent) = self.extents.get(number) else { break };
            number += 1;
            let next = self.extents.get(number).map_or(end, |e| e.first.min(end));
            let skipped = self.bytes(extent.first..first);
            let here = ByteRange::at(extent.at.saturating_add(skipped), self.bytes(first..next));
            match ranges.last_mut() {
                Some(last) if last.end() == here.start() => *last = ByteRange::new(last.start(), here.end()),
                _ if here.is_empty() => {}
                _ => ranges.push(here),
            }
            first = next;
        }
        ranges
    }

    fn offset(&self, i: u32) -> i32 {
        match &self.offsets {
            None => 0,
            Some(offsets) => {
                let above = i64::from(offsets.column.get(i)) * i64::from(offsets.step);
                i32::try_from(above + i64::from(offsets.bias)).unwrap_or(0)
            }
        }
    }

    /// A question that is asked for ascending samples from `first` on: is this one a sync sample?
    fn sync_from(&self, first: u32) -> impl FnMut(u32) -> bool + '_ {
        let mut rest = match &self.syncs {
            Syncs::All => None,
            Syncs::At(list) => {
                let past = list.partition_point(|s| *s < first);
                Some(list.get(past..).unwrap_or_default().iter().copied().peekable())
            }
        };
        move |i| match &mut rest {
            None => true,
            Some(list) => list.next_if_eq(&i).is_some(),
        }
    }
}

/// Takes samples in decode order and makes the table.
#[derive(Debug, Default)]
pub(crate) struct TableBuilder {
    start: Option<u64>,
    end: u64,
    durations: ColumnBuilder,
    last_duration: u32,
    sizes: ColumnBuilder,
    /// Composition offsets in runs: (samples, offset). A file pays eight bytes for each run, as we do.
    offsets: Vec<(u32, i32)>,
    syncs: Vec<u32>,
    extents: Vec<Extent>,
    data_end: u64,
}

/// Why a sample was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany;

impl TableBuilder {
    /// How many samples it holds.
    pub(crate) fn len(&self) -> u32 {
        self.sizes.len()
    }

    /// Says where the next sample is decoded. A hole before it lengthens the last sample, an overlap shortens it.
    pub(crate) fn seek(&mut self, decode: u64) {
        if self.len() == 0 {
            self.start = Some(decode);
            self.end = decode;
            return;
        }
        let before = self.end - u64::from(self.last_duration);
        self.last_duration = u32::try_from(decode.saturating_sub(before)).unwrap_or(u32::MAX);
        self.end = before.saturating_add(u64::from(self.last_duration));
    }

    /// Appends a sample whose bytes lie at `at`.
    pub(crate) fn push(&mut self, sample: Sample, at: u64) -> Result<(), TooMany> {
        let number = self.len();
        if number >= LIMIT {
            return Err(TooMany);
        }
        if number == 0 || at != self.data_end {
            self.extents.push(Extent { first: number, at });
        }
        self.data_end = at.saturating_add(u64::from(sample.size));
        self.start.get_or_insert(0);
        // The last duration stays open: the next fragment's decode time may correct it.
        if number > 0 {
            self.durations.push(self.last_duration);
        }
        self.last_duration = sample.duration;
        self.end = self.end.saturating_add(u64::from(sample.duration));
        self.sizes.push(sample.size);
        match self.offsets.last_mut() {
            Some((run, offset)) if *offset == sample.offset => *run += 1,
            _ => self.offsets.push((1, sample.offset)),
        }
        if sample.sync {
            self.syncs.push(number);
        }
        Ok(())
    }

    /// The table, shifted so that the first sample is decoded at `start` and its offset is `offset` less; `None`
    /// without a sample.
    pub(crate) fn finish(mut self, start: u64, lead: i32) -> Option<SampleTable> {
        let count = self.len();
        if count == 0 {
            return None;
        }
        self.offsets.iter_mut().for_each(|(_, offset)| *offset = offset.saturating_sub(lead));
        self.durations.push(self.last_duration);
        let all = self.syncs.len() == count as usize;
        Some(SampleTable {
            start,
            durations: self.durations.finish(),
            sizes: self.sizes.finish(),
            offsets: pack_offsets(&self.offsets),
            syncs: if all { Syncs::All } else { Syncs::At(self.syncs) },
            extents: self.extents,
        })
    }

    /// Decode time of the first sample.
    pub(crate) fn start(&self) -> u64 {
        self.start.unwrap_or(0)
    }

    /// Composition offset of the first sample.
    pub(crate) fn first_offset(&self) -> i32 {
        self.offsets.first().map_or(0, |(_, offset)| *offset)
    }
}

fn pack_offsets(runs: &[(u32, i32)]) -> Option<Offsets> {
    let bias = runs.iter().map(|(_, offset)| *offset).min()?;
    if runs.iter().all(|(_, offset)| *offset == 0) {
        return None;
    }
    let above = |offset: i32| offset.wrapping_sub(bias).cast_unsigned();
    let step = runs.iter().map(|(_, offset)| above(*offset)).fold(0, gcd).max(1);
    let values =
        runs.iter().flat_map(|(run, offset)| std::iter::repeat_n(above(*offset) / step, *run as usize));
    Some(Offsets { bias, step, column: values.collect() })
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    type Row = (u32, i32, u32, bool, u8);

    pub(crate) fn rows() -> impl Strategy<Value = Vec<Row>> {
        prop::collection::vec((0u32..5000, -2000i32..2000, 0u32..60_000, any::<bool>(), 0u8..4), 1..400)
    }

    /// A table and the samples it was made from, with the place of each sample's bytes.
    pub(crate) fn table(rows: &[Row]) -> (SampleTable, Vec<(Sample, u64)>) {
        let mut builder = TableBuilder::default();
        let (mut decode, mut at) = (7_000, 100);
        let mut wanted = Vec::new();
        builder.seek(decode);
        for &(duration, offset, size, sync, gap) in rows {
            let sample = Sample { decode, duration, offset, size, sync };
            at += u64::from(gap) * 11;
            builder.push(sample, at).unwrap();
            wanted.push((sample, at));
            decode += u64::from(duration);
            at += u64::from(size);
        }
        let start = builder.start();
        (builder.finish(start, 0).unwrap(), wanted)
    }

    proptest! {
        #[test]
        fn a_table_gives_back_its_samples(rows in rows(), from in 0u32..400) {
            let (table, wanted) = table(&rows);
            let from = from.min(table.len());
            let given: Vec<_> = table.samples(from..table.len()).collect();
            let wanted: Vec<_> = wanted.iter().skip(from as usize).map(|(s, _)| *s).collect();
            prop_assert_eq!(given, wanted);
        }

        #[test]
        fn byte_ranges_hold_each_samples_bytes_in_order(rows in rows(), from in 0u32..400, to in 0u32..400) {
            let (table, wanted) = table(&rows);
            let range = from.min(table.len())..to.min(table.len());
            let ranges = table.byte_ranges(range.clone());
            let mut bytes: Vec<u64> = Vec::new();
            for r in &ranges { bytes.extend(r.start()..r.end()); }
            let mut expected: Vec<u64> = Vec::new();
            for (s, at) in wanted.iter().take(range.end as usize).skip(range.start as usize) {
                expected.extend(*at..*at + u64::from(s.size));
            }
            prop_assert_eq!(bytes, expected);
            prop_assert!(ranges.windows(2).all(|w| w[0].end() != w[1].start()));
        }
    }

    #[test]
    fn a_hole_before_a_fragment_lengthens_the_sample_before_it() {
        let mut builder = TableBuilder::default();
        let sample = |duration| Sample { decode: 0, duration, offset: 0, size: 1, sync: true };
        builder.seek(1000);
        builder.push(sample(10), 0).unwrap();
        builder.seek(1025);
        builder.push(sample(10), 1).unwrap();
        builder.seek(1030);
        builder.push(sample(10), 2).unwrap();
        let table = builder.finish(1000, 0).unwrap();
        let decodes: Vec<_> = table.samples(0..3).map(|s| s.decode).collect();
        assert_eq!(decodes, [1000, 1025, 1030]);
        assert_eq!(table.byte_ranges(0..3), [ByteRange::new(0, 3)]);
    }
}
