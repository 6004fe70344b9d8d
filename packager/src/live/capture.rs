//! Producer reference times (`prft`, ISO/IEC 14496-12 §8.16.5): when a sender captured or made its media.

use mp4_atom::Prft;

use super::Header;
use crate::Error;
use crate::mp4::BoxView;

/// Which wall-clock time belongs to which media time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capture {
    /// Microseconds since 1970-01-01T00:00:00Z.
    pub unix_micros: i64,
    /// The presentation time that belongs to it, in ticks of the track. It may lie before the start, as the priming
    /// of an encoder does.
    pub media_time: i64,
}

impl Capture {
    /// Reads a `prft`; `None` where it is about another track or its clock was not set.
    pub(super) fn read(view: &BoxView<'_>, header: &Header) -> Result<Option<Self>, Error> {
        let prft: Prft = view.read()?;
        let clock = unix_micros(prft.ntp_timestamp).filter(|_| prft.reference_track_id == header.track_id);
        // Senders write times before the start in two's complement.
        Ok(clock.map(|unix_micros| Self { unix_micros, media_time: prft.media_time.cast_signed() }))
    }
}

/// NTP: 32 bits of seconds since 1900, 32 bits of their fraction (RFC 5905 §6). Seconds below 2^31 belong to the era
/// that begins in 2036. Zero is "not known".
fn unix_micros(ntp: u64) -> Option<i64> {
    let seconds = i64::try_from(ntp >> 32).ok().filter(|_| ntp != 0)?;
    let era = if seconds < 1 << 31 { 1 << 32 } else { 0 };
    let fraction = u128::from(ntp & 0xffff_ffff);
    let micros = i64::try_from((fraction * 1_000_000 + (1 << 31)) >> 32).ok()?;
    Some((seconds + era - FROM_1900_TO_1970) * 1_000_000 + micros)
}

const FROM_1900_TO_1970: i64 = 2_208_988_800;

#[cfg(test)]
mod tests {
    use super::unix_micros;

    #[test]
    fn ntp_counts_from_1900_and_again_from_2036() {
        assert_eq!(unix_micros(0), None);
        assert_eq!(unix_micros(2_208_988_800 << 32), Some(0));
        assert_eq!(unix_micros((2_208_988_800 << 32) + (1 << 31)), Some(500_000));
        // 2036-02-07T06:28:15Z and the second after it.
        assert_eq!(unix_micros(0xffff_ffff << 32), Some(2_085_978_495_000_000));
        assert_eq!(unix_micros(1), Some(2_085_978_496_000_000));
    }
}
