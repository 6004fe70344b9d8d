//! Movie fragments (ISO/IEC 14496-12 §8.8): the samples that each `moof` adds.

use mp4_atom::{Tfdt, Tfhd, Trun};

use super::boxes::BoxView;
use super::moov::{Budget, Moov};
use crate::Error;
use crate::index::Sample;
use crate::range::ByteRange;

/// `sample_is_non_sync_sample` of the sample flags (§8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;

/// What was found out about a fragment.
pub(super) enum Fragment {
    /// Its samples were taken.
    Taken,
    /// Its media reaches past the end of the object; nothing was taken.
    Cut(ByteRange),
}

/// Adds the samples of a `moof` that starts at `moof.offset` to their tracks.
pub(super) fn read(moof: &BoxView<'_>, object_size: u64, moov: &mut Moov) -> Result<Fragment, Error> {
    // A first pass over all of it, so that a fragment cut in its middle leaves no track longer than another.
    let mut runs = Vec::new();
    let mut data_end = moof.offset;
    let mut budget = moov.budget;
    for traf in moof.children("moof") {
        let traf = traf?;
        if &traf.kind == b"traf" {
            data_end = gather(&traf, moof.offset, data_end, moov, &mut budget, &mut runs)?;
        }
    }
    moov.budget = budget;
    if let Some(cut) = runs.iter().find(|r| r.bytes.end() > object_size) {
        return Ok(Fragment::Cut(cut.bytes));
    }
    for run in runs {
        run.push(moof, moov)?;
    }
    Ok(Fragment::Taken)
}

/// One `trun` with the defaults that apply to it.
struct Run {
    track: usize,
    decode: Option<u64>,
    trun: Trun,
    duration: u32,
    size: u32,
    flags: u32,
    bytes: ByteRange,
}

/// Collects the runs of a `traf`; returns where its data ends.
fn gather(
    traf: &BoxView<'_>,
    moof_at: u64,
    data_end: u64,
    moov: &Moov,
    budget: &mut Budget,
    runs: &mut Vec<Run>,
) -> Result<u64, Error> {
    let tfhd: Tfhd = traf.required("moof/traf", b"tfhd")?.read()?;
    // The data of a track that is not served is walked all the same: the next one's may start at its end.
    let track = moov.tracks.iter().position(|t| t.id() == tfhd.track_id);
    let trex = moov.trex.iter().find(|t| t.track_id == tfhd.track_id);
    let decode = traf.child("moof/traf", b"tfdt")?.map(|b| b.read::<Tfdt>()).transpose()?;
    let mut decode = decode.map(|t| t.base_media_decode_time);
    let base = match tfhd.base_data_offset {
        Some(base) => base,
        None if tfhd.default_base_is_moof => moof_at,
        // The first traf starts at the moof, the others where the one before ended (§8.8.7.1).
        None => data_end,
    };
    let duration = tfhd.default_sample_duration.or(trex.map(|t| t.default_sample_duration)).unwrap_or(0);
    let size = tfhd.default_sample_size.or(trex.map(|t| t.default_sample_size)).unwrap_or(0);
    let flags = tfhd.default_sample_flags.or(trex.map(|t| t.default_sample_flags)).unwrap_or(0);
    let mut at = base;
    for child in traf.children("moof/traf") {
        let child = child?;
        if &child.kind != b"trun" {
            continue;
        }
        let trun: Trun = child.read()?;
        if let Some(offset) = trun.data_offset {
            at = base
                .checked_add_signed(i64::from(offset))
                .ok_or_else(|| child.fault("expected data after the file's start"))?;
        }
        let len = match &trun.samples {
            mp4_atom::TrunSamples::Inherited { count, .. } => {
                u64::from(*count).saturating_mul(u64::from(size))
            }
            mp4_atom::TrunSamples::Explicit(entries) => {
                entries.iter().map(|e| u64::from(e.size.unwrap_or(size))).sum()
            }
        };
        if size == 0 && len == 0 && trun.samples.len() > 1024 {
            return Err(
                child.fault(&format!("expected samples with bytes, found {} of none", trun.samples.len()))
            );
        }
        let bytes = ByteRange::at(at, len);
        at = bytes.end();
        let Some(track) = track.filter(|_| !trun.samples.is_empty()) else { continue };
        budget.take("moof/traf", trun.samples.len() as u64)?;
        runs.push(Run { track, decode: decode.take(), trun, duration, size, flags, bytes });
    }
    Ok(at)
}

impl Run {
    fn push(self, moof: &BoxView<'_>, moov: &mut Moov) -> Result<(), Error> {
        let Some(track) = moov.tracks.get_mut(self.track) else { return Ok(()) };
        if let Some(decode) = self.decode {
            track.samples.seek(decode);
        }
        let mut at = self.bytes.start();
        for entry in self.trun.samples.iter() {
            let size = entry.size.unwrap_or(self.size);
            let offset = i32::try_from(entry.cts.unwrap_or(0))
                .map_err(|_| moof.fault("expected a composition offset of 32 bits, found a larger one"))?;
            let sync = entry.flags.unwrap_or(self.flags) & NON_SYNC == 0;
            let sample =
                Sample { decode: 0, duration: entry.duration.unwrap_or(self.duration), offset, size, sync };
            track
                .samples
                .push(sample, at)
                .map_err(|_| moof.fault("expected at most 16,777,216 samples in a track, found more"))?;
            at = at.saturating_add(u64::from(size));
        }
        Ok(())
    }
}
