//! The sample tables of an export (ISO/IEC 14496-12 §8.6, §8.7), but for where its chunks lie.

use ::mp4::MoovBox;

use super::excerpt::Excerpt;
use super::weave::Chunk;

/// Fills in the tables of the newest track.
pub(super) fn fill<'c>(moov: &mut MoovBox, excerpt: &Excerpt<'_>, chunks: impl Iterator<Item = &'c Chunk>) {
    let Some(trak) = moov.traks.last_mut() else { return };
    let stbl = &mut trak.mdia.minf.stbl;
    let table = excerpt.track.samples();
    let (mut offsets, mut syncs) = (Vec::new(), Vec::new());
    for (number, sample) in (1..).zip(table.samples(excerpt.samples.clone())) {
        match stbl.stts.entries.last_mut() {
            Some(run) if run.sample_delta == sample.duration => run.sample_count += 1,
            _ => {
                row(&mut stbl.stts.entries, |run| (run.sample_count, run.sample_delta) = (1, sample.duration))
            }
        }
        let offset = i64::from(sample.offset).saturating_add(excerpt.lift);
        let offset = i32::try_from(offset).unwrap_or(i32::MAX);
        match offsets.last_mut() {
            Some((count, last)) if *last == offset => *count += 1,
            _ => offsets.push((1, offset)),
        }
        if sample.sync {
            syncs.push(number);
        }
        stbl.stsz.sample_sizes.push(sample.size);
    }
    let count = excerpt.samples.end.saturating_sub(excerpt.samples.start);
    stbl.stsz.sample_count = count;
    if offsets.iter().any(|(_, offset)| *offset != 0) {
        let ctts = stbl.ctts.get_or_insert_default();
        // Offsets are signed from version 1 on.
        ctts.version = u8::from(offsets.iter().any(|(_, offset)| *offset < 0));
        for (samples, offset) in offsets {
            row(&mut ctts.entries, |run| (run.sample_count, run.sample_offset) = (samples, offset));
        }
    }
    // Without the table every sample is one.
    if syncs.len() < count as usize {
        stbl.stss.get_or_insert_default().entries = syncs;
    }
    for (number, chunk) in (1..).zip(chunks) {
        let samples = chunk.samples.end.saturating_sub(chunk.samples.start);
        if stbl.stsc.entries.last().is_none_or(|run| run.samples_per_chunk != samples) {
            row(&mut stbl.stsc.entries, |run| {
                (run.first_chunk, run.samples_per_chunk, run.sample_description_index) = (number, samples, 1);
            });
        }
    }
}

/// How long all samples of an export last, in ticks of their track.
pub(super) fn duration(excerpt: &Excerpt<'_>) -> u64 {
    let table = excerpt.track.samples();
    table.decode_time(excerpt.samples.end).saturating_sub(table.decode_time(excerpt.samples.start))
}

/// Appends a row to a table.
pub(super) fn row<T: Default>(table: &mut Vec<T>, set: impl FnOnce(&mut T)) {
    let mut row = T::default();
    set(&mut row);
    table.push(row);
}
