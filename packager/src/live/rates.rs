//! What a track's segments take, for the multivariant playlist.

use super::segment::Segment;
use crate::presentation::Rates;
use crate::time::{Bitrate, MediaTime, Msn, Timescale};

/// Bits of all segments so far, those included that are gone.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counted {
    peak: u64,
    bytes: u64,
    micros: u64,
    /// Up to which segment.
    msn: Option<Msn>,
}

impl Counted {
    /// Counts those that are new among the segments of a track, newest first.
    pub(super) fn count<'a>(&mut self, segments: impl Iterator<Item = &'a Segment>) {
        let former = self.msn;
        for segment in segments.take_while(|segment| former.is_none_or(|former| segment.msn > former)) {
            self.msn = self.msn.max(Some(segment.msn));
            let micros = u64::try_from(segment.length().as_micros()).unwrap_or(0);
            if let Some(bytes) = segment.size()
                && micros > 0
            {
                self.bytes += bytes;
                self.micros += micros;
                self.peak = self.peak.max(Bitrate::of(bytes, segment.length()).0);
            }
        }
    }

    /// Rounded up to ten kilobits, so that the text stays the same while a show goes on as before.
    pub(super) fn rates(self) -> Rates {
        let round = |bits: u64| Bitrate(bits.div_ceil(10_000).max(1) * 10_000);
        let micros = MediaTime::new(i64::try_from(self.micros).unwrap_or(i64::MAX), Timescale::MICROS);
        Rates { average: round(Bitrate::of(self.bytes, micros).0), peak: round(self.peak) }
    }
}
