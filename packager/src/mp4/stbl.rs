//! The sample tables of a progressive file (ISO/IEC 14496-12 §8.5 to §8.7), read into the compact one.

use mp4_atom::{Co64, Ctts, Stco, Stsc, StscEntry, Stss, Stsz, StszSamples, Stts};

use super::boxes::BoxView;
use super::moov::Budget;
use crate::Error;
use crate::index::{LIMIT, Sample, TableBuilder};
use crate::range::ByteRange;

const PATH: &str = "moov/trak/mdia/minf/stbl";

/// Feeds every sample that `stbl` describes to `table`. A fragmented file's empty tables feed none.
pub(super) fn read(
    stbl: &BoxView<'_>,
    object_size: u64,
    budget: &mut Budget,
    table: &mut TableBuilder,
) -> Result<(), Error> {
    let sizes = Sizes::read(stbl)?;
    if sizes.count() == 0 {
        return Ok(());
    }
    if sizes.count() > LIMIT {
        return Err(Error::TooLarge {
            path: PATH,
            limit: u64::from(LIMIT),
            unit: "samples",
            found: u64::from(sizes.count()),
        });
    }
    budget.take(PATH, u64::from(sizes.count()))?;
    let stts: Stts = stbl.required(PATH, b"stts")?.read()?;
    let ctts: Option<Ctts> = stbl.child(PATH, b"ctts")?.map(|b| b.read()).transpose()?;
    let stss: Option<Stss> = stbl.child(PATH, b"stss")?.map(|b| b.read()).transpose()?;
    let mut durations = Runs::new(stts.entries.iter().map(|e| (e.sample_count, e.sample_delta)));
    let mut offsets =
        Runs::new(ctts.iter().flat_map(|c| c.entries.iter().map(|e| (e.sample_count, e.sample_offset))));
    let mut syncs = stss.as_ref().map(|s| s.entries.iter().copied().peekable());
    let mut number = 0u32;
    for chunk in Chunks::read(stbl)? {
        let (mut at, count) = chunk?;
        for _ in 0..count.min(sizes.count() - number) {
            let size = sizes.get(number);
            check_inside(at, size, object_size)?;
            // A file may leave the last durations out; they repeat the one before.
            let duration = durations.next().unwrap_or_default();
            let offset = offsets.next().unwrap_or_default();
            let sync = match &mut syncs {
                None => true,
                // Numbers below the present one are out of order: they name no sample any more.
                Some(list) => {
                    while list.next_if(|s| *s <= number).is_some() {}
                    list.next_if_eq(&(number + 1)).is_some()
                }
            };
            let offset = i32::try_from(offset)
                .map_err(|_| stbl.fault("expected a composition offset of 32 bits, found a larger one"))?;
            let sample = Sample { decode: 0, duration, offset, size, sync };
            table
                .push(sample, at)
                .map_err(|_| stbl.fault("expected at most 16,777,216 samples in a track, found more"))?;
            at = at.saturating_add(u64::from(size));
            number += 1;
        }
        if number == sizes.count() {
            return Ok(());
        }
    }
    Err(stbl.fault(&format!("expected chunks for {} samples, found them for {number}", sizes.count())))
}

fn check_inside(at: u64, size: u32, object_size: u64) -> Result<(), Error> {
    let range = ByteRange::at(at, u64::from(size));
    match range.end() <= object_size {
        true => Ok(()),
        false => Err(Error::Truncated { needed: range, size: object_size }),
    }
}

/// Sample sizes, kept as the box has them.
struct Sizes(StszSamples);

impl Sizes {
    fn read(stbl: &BoxView<'_>) -> Result<Self, Error> {
        if let Some(compact) = stbl.child(PATH, b"stz2")? {
            return Err(compact.fault("expected sample sizes in stsz, found the compact form"));
        }
        Ok(Self(stbl.required(PATH, b"stsz")?.read::<Stsz>()?.samples))
    }

    fn count(&self) -> u32 {
        match &self.0 {
            StszSamples::Identical { count, .. } => *count,
            StszSamples::Different { sizes } => u32::try_from(sizes.len()).unwrap_or(u32::MAX),
        }
    }

    fn get(&self, i: u32) -> u32 {
        match &self.0 {
            StszSamples::Identical { size, .. } => *size,
            StszSamples::Different { sizes } => sizes.get(i as usize).copied().unwrap_or(0),
        }
    }
}

/// Run-length pairs, one value at a time; after the last run its value goes on.
struct Runs<I, T> {
    runs: I,
    left: u32,
    value: Option<T>,
}

impl<I: Iterator<Item = (u32, T)>, T: Copy> Runs<I, T> {
    fn new(runs: I) -> Self {
        Self { runs, left: 0, value: None }
    }

    fn next(&mut self) -> Option<T> {
        while self.left == 0 {
            match self.runs.next() {
                Some((count, value)) => (self.left, self.value) = (count, Some(value)),
                None => return self.value,
            }
        }
        self.left -= 1;
        self.value
    }
}

/// Chunks in file order of the table: their offset and how many samples each holds.
struct Chunks {
    offsets: Vec<u64>,
    runs: Vec<StscEntry>,
    chunk: u32,
    run: usize,
}

impl Chunks {
    fn read(stbl: &BoxView<'_>) -> Result<Self, Error> {
        let offsets = match stbl.child(PATH, b"co64")? {
            Some(co64) => co64.read::<Co64>()?.entries,
            None => {
                stbl.required(PATH, b"stco")?.read::<Stco>()?.entries.into_iter().map(u64::from).collect()
            }
        };
        let stsc = stbl.required(PATH, b"stsc")?;
        let runs = stsc.read::<Stsc>()?.entries;
        let ascending = runs.windows(2).all(|w| matches!(w, [a, b] if a.first_chunk < b.first_chunk));
        if !ascending || runs.first().is_none_or(|r| r.first_chunk != 1) {
            return Err(stsc.fault("expected chunk runs that ascend from 1, found another order"));
        }
        if runs.iter().any(|r| r.sample_description_index != 1) {
            return Err(stsc.fault("expected one sample description, found chunks that use another"));
        }
        Ok(Self { offsets, runs, chunk: 0, run: 0 })
    }
}

impl Iterator for Chunks {
    type Item = Result<(u64, u32), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let offset = *self.offsets.get(self.chunk as usize)?;
        self.chunk += 1;
        if self.runs.get(self.run + 1).is_some_and(|next| next.first_chunk <= self.chunk) {
            self.run += 1;
        }
        let run = self.runs.get(self.run)?;
        Some(Ok((offset, run.samples_per_chunk)))
    }
}
