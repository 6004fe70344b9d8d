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

mod fragment;
mod init;

use std::ops::Range;

use bytes::Bytes;

pub(crate) use fragment::{Fields, Fragment};
pub(crate) use init::Init;

use crate::Error;
use crate::time::Msn;
use crate::track::Track;

/// Major brand, minor version, compatible brands: a media segment of CMAF.
const STYP: &[u8; 24] = b"\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs";

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
        let fragment = self.fragment(track, range);
        STYP.len() as u64 + fragment.data_offset() + fragment.media
    }

    /// All bytes of the segment before its media.
    ///
    /// # Errors
    /// [`Error::TooLarge`] where the tables do not fit their 32-bit fields.
    pub(crate) fn head(&self, track: &Track, msn: Msn, range: Range<u32>) -> Result<Bytes, Error> {
        let fragment = Fragment {
            // Wraps after 2^32 segments; the number only has to move on.
            sequence: u32::try_from(msn.0.wrapping_add(1) & u64::from(u32::MAX)).unwrap_or(0),
            decode: track.samples().decode_time(range.start),
            ..self.fragment(track, range.clone())
        };
        let len = fragment.data_offset();
        if i32::try_from(len).is_err() {
            return Err(Error::TooLarge { path: "moof", limit: i32::MAX as u64, unit: "bytes", found: len });
        }
        let mut head = Vec::with_capacity(STYP.len() + usize::try_from(len).unwrap_or(0));
        head.extend(STYP);
        fragment.write(track.samples().samples(range), &mut head);
        Ok(head.into())
    }

    /// The fragment of `range`, as far as its length depends on it.
    fn fragment(&self, track: &Track, range: Range<u32>) -> Fragment {
        let samples = track.samples();
        let durations = !samples.all_last(range.clone(), self.duration);
        Fragment {
            sequence: 0,
            decode: 0,
            duration: self.duration,
            fields: Fields { durations, flags: self.flags, offsets: self.offsets },
            count: range.end.saturating_sub(range.start),
            media: samples.bytes(range),
        }
    }
}
