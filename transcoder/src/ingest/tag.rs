//! One piece of what a publisher sends.

use bytes::Bytes;

/// A message of media or script data: the body of an FLV tag, which is the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it is.
    pub kind: TagKind,
    /// When it is decoded, in milliseconds from whatever moment the publisher counts. The 32 bits of the wire are
    /// unwrapped, by the shorter way from the tag before; otherwise it is what the publisher said: it may jump, stand
    /// still or run back.
    pub at_ms: i64,
    /// The body, never empty: for media as [`super::flv`] reads it, one track at most; for script data the AMF0 values
    /// from `onMetaData` on.
    pub data: Bytes,
}

/// What a [`Tag`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TagKind {
    /// Video.
    Video,
    /// Audio.
    Audio,
    /// Data about the show, as `onMetaData`.
    Script,
}

/// Unwraps times of 32 bits.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Unwrap(Option<i64>);

impl Unwrap {
    /// The time that lies nearest to the one before.
    pub(super) fn at(&mut self, wrapped: u32) -> i64 {
        let at = match self.0 {
            None => i64::from(wrapped),
            Some(last) => {
                // `rem_euclid` leaves 0 to 2^32 - 1.
                let low = u32::try_from(last.rem_euclid(1 << 32)).unwrap_or(0);
                last.saturating_add(i64::from(wrapped.wrapping_sub(low).cast_signed()))
            }
        };
        self.0 = Some(at);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_over_the_wrap_and_back() {
        let mut unwrap = Unwrap::default();
        let wrapped =
            [u32::MAX - 10, u32::MAX, 5, u32::MAX - 1, 30, 10, 0x7000_0000, 0xe000_0000, 0x5000_0000];
        let times: Vec<i64> = wrapped.into_iter().map(|at| unwrap.at(at)).collect();
        let wrap = 1 << 32;
        let far = [wrap + 0x7000_0000, wrap + 0xe000_0000, 2 * wrap + 0x5000_0000];
        let near = [wrap - 11, wrap - 1, wrap + 5, wrap - 2, wrap + 30, wrap + 10];
        assert_eq!(times, [&near[..], &far].concat());
    }

    #[test]
    fn a_publisher_that_begins_anywhere_may_run_back_below_zero() {
        let mut unwrap = Unwrap::default();
        assert_eq!((unwrap.at(3), unwrap.at(0), unwrap.at(u32::MAX)), (3, 0, -1));
        assert_eq!((unwrap.at(u32::MAX - 4), unwrap.at(2)), (-5, 2));
    }
}
