//! CMAF media segments (ISO/IEC 23000-19 §7.3.3): one `moof` and one `mdat`.
//!
//! ```text
//! styp  msdh msdh cmfs                                                24
//! moof                                                                 8
//!   mfhd  sequence number = msn + 1                                   16
//!   traf                                                               8
//!     tfhd  default-base-is-moof, duration and flags by default       24
//!     tfdt  version 1: 64 bits                                        20
//!     trun  data offset, for each sample: [duration] size [flags] [offset]
//!                                                                     20 + n * k
//! mdat  head                                                    8 or  16
//! ```
//!
//! Which fields a sample has is decided once for a rendition, but for durations: only a segment in which one differs
//! has them. So the length of every segment is known from the index alone.

mod init;

use std::ops::Range;

use bytes::Bytes;
use mp4_atom::{Encode, Mfhd, Moof, Styp, Tfdt, Tfhd, Traf, Trun, TrunEntry};

pub(crate) use init::Init;

use crate::Error;
use crate::index::Sample;
use crate::time::Msn;
use crate::track::Track;

/// `sample_depends_on = 2`: an I picture, or a sound frame (§8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on = 1`, `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;
/// All boxes up to the samples of `trun`.
const FIXED: u64 = 24 + 8 + 16 + 8 + 24 + 20 + 20;

/// Which fields the samples of a rendition have in `trun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The duration of nearly every sample; a segment with another one writes each.
    duration: u32,
    /// Each has its own flags: not all are sync samples.
    flags: bool,
    /// Each has a composition offset.
    offsets: bool,
}

impl Layout {
    /// The leanest layout that can say all that `track` has.
    pub fn of(track: &Track) -> Self {
        let samples = track.samples();
        Self { duration: samples.usual_duration(), flags: !samples.all_sync(), offsets: samples.reorders() }
    }

    /// Exact bytes of the segment that holds `range`.
    pub fn segment_bytes(&self, track: &Track, range: Range<u32>) -> u64 {
        let media = track.samples().bytes(range.clone());
        self.moof_and_styp(track, &range) + mdat_head(media) + media
    }

    /// All bytes of the segment before its media.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where the tables do not fit their 32-bit fields.
    pub(crate) fn head(&self, track: &Track, msn: Msn, range: Range<u32>) -> Result<Bytes, Error> {
        let samples = track.samples();
        let media = samples.bytes(range.clone());
        let tables = self.moof_and_styp(track, &range);
        let too_large =
            |_| Error::TooLarge { path: "moof", limit: i32::MAX as u64, unit: "bytes", found: tables };
        // From the moof's start, which comes after the 24 bytes of styp.
        let data_offset = i32::try_from(tables - 24 + mdat_head(media)).map_err(too_large)?;
        let sequence = u32::try_from(msn.0.wrapping_add(1) & u64::from(u32::MAX)).map_err(too_large)?;
        let traf = Traf {
            tfhd: Tfhd {
                // An init segment of ours has one track, and its number is 1.
                track_id: 1,
                default_sample_duration: Some(self.duration),
                default_sample_flags: Some(SYNC),
                default_base_is_moof: true,
                ..Tfhd::default()
            },
            tfdt: Some(Tfdt { base_media_decode_time: samples.decode_time(range.start) }),
            trun: vec![Trun { data_offset: Some(data_offset), samples: self.entries(track, range).into() }],
            ..Traf::default()
        };
        let moof = Moof { mfhd: Mfhd { sequence_number: sequence }, traf: vec![traf] };
        let styp = Styp {
            major_brand: b"msdh".into(),
            minor_version: 0,
            compatible_brands: vec![b"msdh".into(), b"cmfs".into()],
        };
        let mut head = Vec::with_capacity(usize::try_from(tables + 16).unwrap_or(0));
        let unfit = |_: mp4_atom::Error| Error::TooLarge {
            path: "moof",
            limit: u64::from(u32::MAX),
            unit: "bytes",
            found: tables,
        };
        styp.encode(&mut head).map_err(unfit)?;
        moof.encode(&mut head).map_err(unfit)?;
        match u32::try_from(media + 8) {
            Ok(size) => {
                head.extend(size.to_be_bytes());
                head.extend(b"mdat");
            }
            Err(_) => {
                head.extend(1u32.to_be_bytes());
                head.extend(b"mdat");
                head.extend((media + 16).to_be_bytes());
            }
        }
        Ok(head.into())
    }

    fn entries(&self, track: &Track, range: Range<u32>) -> Vec<TrunEntry> {
        let durations = self.durations_differ(track, &range);
        let entry = |s: Sample| TrunEntry {
            duration: durations.then_some(s.duration),
            size: Some(s.size),
            flags: self.flags.then_some(if s.sync { SYNC } else { NON_SYNC }),
            cts: self.offsets.then_some(i64::from(s.offset)),
        };
        track.samples().samples(range).map(entry).collect()
    }

    fn moof_and_styp(&self, track: &Track, range: &Range<u32>) -> u64 {
        let count = range.end.saturating_sub(range.start);
        let durations = self.durations_differ(track, range);
        let fields = 1 + u64::from(durations) + u64::from(self.flags) + u64::from(self.offsets);
        FIXED + u64::from(count) * 4 * fields
    }

    fn durations_differ(&self, track: &Track, range: &Range<u32>) -> bool {
        !track.samples().all_last(range.clone(), self.duration)
    }
}

fn mdat_head(media: u64) -> u64 {
    if media + 8 > u64::from(u32::MAX) { 16 } else { 8 }
}
