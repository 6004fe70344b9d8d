//! Movie fragments (ISO/IEC 14496-12 §8.8): the samples that each `moof` adds.

use mp4_atom::{Tfdt, Tfhd, Trex, Trun};

use super::boxes::BoxView;
use super::moov::Moov;
use crate::Error;
use crate::index::Sample;
use crate::range::ByteRange;

/// `sample_is_non_sync_sample` of the sample flags (§8.8.3.1).
const NON_SYNC: u32 = 0x0001_0000;
/// `first-sample-flags-present` and `sample-flags-present` of `trun` (§8.8.8.1).
const BOTH_FLAGS: u8 = 0x04;

/// What was found out about a fragment.
pub(super) enum Fragment {
    /// Its samples were taken.
    Taken,
    /// Its media reaches past the end of the object; nothing was taken.
    Cut(ByteRange),
}

/// Adds the samples of a `moof` that starts at `moof.offset` to their tracks. One of a segment that is read by itself must
/// stand alone.
pub(super) fn read(
    moof: &BoxView<'_>,
    object_size: u64,
    is_segment: bool,
    moov: &mut Moov,
) -> Result<Fragment, Error> {
    // A first pass over all of it, so that a fragment cut in its middle leaves no track longer than another.
    let mut fragments = Vec::new();
    let mut data_end = moof.offset;
    let mut budget = moov.budget;
    for traf in moof.children("moof") {
        let traf = traf?;
        if &traf.kind != b"traf" {
            continue;
        }
        if is_segment {
            stands_alone(&traf)?;
        }
        let fragment = TrackFragment::read(&traf, moof.offset, data_end, &moov.trex)?;
        // The data of a track that is not served is walked all the same: the next one's may start at its end.
        data_end = fragment.data_end;
        let Some(track) = moov.tracks.iter().position(|t| t.id() == fragment.track_id) else { continue };
        fragment.runs.iter().try_for_each(|run| budget.take("moof/traf", run.count()))?;
        fragments.push((track, fragment));
    }
    moov.budget = budget;
    let mut runs = fragments.iter().flat_map(|(_, fragment)| &fragment.runs);
    if let Some(cut) = runs.find(|run| run.count() > 0 && run.bytes.end() > object_size) {
        return Ok(Fragment::Cut(cut.bytes));
    }
    for (track, fragment) in fragments {
        fragment.push(track, moof, moov)?;
    }
    Ok(Fragment::Taken)
}

/// Checks that a `traf` needs nothing but its own segment to be read.
fn stands_alone(traf: &BoxView<'_>) -> Result<(), Error> {
    if let Some(senc) = traf.child("moof/traf", b"senc")? {
        return Err(senc.fault("expected samples in clear, found encrypted ones"));
    }
    let tfhd = traf.required("moof/traf", b"tfhd")?;
    if tfhd.read::<Tfhd>()?.base_data_offset.is_some() {
        return Err(
            tfhd.fault("expected samples placed from the moof, found them placed from a file's start")
        );
    }
    traf.required("moof/traf", b"tfdt").map(drop)
}

/// What a `traf` says.
pub(crate) struct TrackFragment {
    /// Whose samples these are.
    pub(crate) track_id: u32,
    /// When the first is decoded.
    pub(crate) decode: Option<u64>,
    /// The samples.
    pub(crate) runs: Vec<Run>,
    /// Where its data ends.
    pub(crate) data_end: u64,
}

/// One `trun` with the defaults that apply to it.
pub(crate) struct Run {
    trun: Trun,
    duration: u32,
    size: u32,
    flags: u32,
    /// Where the data of all its samples lies.
    pub(crate) bytes: ByteRange,
}

/// What a `trun` says of one sample.
pub(crate) struct Entry {
    pub(crate) duration: u32,
    pub(crate) offset: i64,
    pub(crate) size: u32,
    pub(crate) sync: bool,
}

impl TrackFragment {
    /// Reads a `traf` of the `moof` that starts at `moof_at`; the data of the one before it ends at `data_end`.
    pub(crate) fn read(
        traf: &BoxView<'_>,
        moof_at: u64,
        data_end: u64,
        defaults: &[Trex],
    ) -> Result<Self, Error> {
        let tfhd: Tfhd = traf.required("moof/traf", b"tfhd")?.read()?;
        let trex = defaults.iter().find(|t| t.track_id == tfhd.track_id);
        let decode = traf.child("moof/traf", b"tfdt")?.map(|b| b.read::<Tfdt>()).transpose()?;
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
        let mut runs = Vec::new();
        for child in traf.children("moof/traf") {
            let child = child?;
            if &child.kind != b"trun" {
                continue;
            }
            let trun = read_run(&child)?;
            if let Some(offset) = trun.data_offset {
                at = base
                    .checked_add_signed(i64::from(offset))
                    .ok_or_else(|| child.fault("expected data after the file's start"))?;
            }
            let mut run = Run { trun, duration, size, flags, bytes: ByteRange::at(at, 0) };
            let len = run.data_len();
            if size == 0 && len == 0 && run.count() > 1024 {
                let what = format!("expected samples with bytes, found {} of none", run.count());
                return Err(child.fault(&what));
            }
            run.bytes = ByteRange::at(at, len);
            at = run.bytes.end();
            runs.push(run);
        }
        let decode = decode.map(|t| t.base_media_decode_time);
        Ok(Self { track_id: tfhd.track_id, decode, runs, data_end: at })
    }

    /// Adds its samples to a track of the file.
    fn push(self, track: usize, moof: &BoxView<'_>, moov: &mut Moov) -> Result<(), Error> {
        let Some(track) = moov.tracks.get_mut(track) else { return Ok(()) };
        if let Some(decode) = self.decode.filter(|_| self.runs.iter().any(|run| run.count() > 0)) {
            track.samples.seek(decode);
        }
        for run in &self.runs {
            let mut at = run.bytes.start();
            for Entry { duration, offset, size, sync } in run.entries() {
                let offset = i32::try_from(offset).map_err(|_| {
                    moof.fault("expected a composition offset of 32 bits, found a larger one")
                })?;
                let sample = Sample { decode: 0, duration, offset, size, sync };
                track
                    .samples
                    .push(sample, at)
                    .map_err(|_| moof.fault("expected at most 16,777,216 samples in a track, found more"))?;
                at = at.saturating_add(u64::from(size));
            }
        }
        Ok(())
    }
}

fn read_run(trun: &BoxView<'_>) -> Result<Trun, Error> {
    // A first sample has flags of its own only where no sample has.
    if let Some([_, _, sample, run, ..]) = trun.body.first_chunk::<4>()
        && sample & BOTH_FLAGS != 0
        && run & BOTH_FLAGS != 0
    {
        return Err(trun.fault("expected flags of the first sample or of each, found both"));
    }
    trun.read()
}

impl Run {
    /// How many samples.
    pub(crate) fn count(&self) -> u64 {
        self.trun.samples.len() as u64
    }

    /// Its samples, in order; their data lies in this order too.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry> + '_ {
        self.trun.samples.iter().map(|entry| Entry {
            duration: entry.duration.unwrap_or(self.duration),
            offset: entry.cts.unwrap_or(0),
            size: entry.size.unwrap_or(self.size),
            sync: entry.flags.unwrap_or(self.flags) & NON_SYNC == 0,
        })
    }

    fn data_len(&self) -> u64 {
        match &self.trun.samples {
            mp4_atom::TrunSamples::Inherited { count, .. } => {
                u64::from(*count).saturating_mul(u64::from(self.size))
            }
            mp4_atom::TrunSamples::Explicit(entries) => {
                entries.iter().map(|e| u64::from(e.size.unwrap_or(self.size))).sum()
            }
        }
    }
}
