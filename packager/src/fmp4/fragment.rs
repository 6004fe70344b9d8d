//! One fragment's boxes before its media, written byte by byte: the layout is fixed (drawn in [`super`]), so writing
//! it cannot fail and its length is known before.

use crate::index::Sample;

/// Which fields each sample has in `trun`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) durations: bool,
    pub(crate) flags: bool,
    pub(crate) offsets: bool,
}

/// A `moof` and the head of its `mdat`, for the one track of an init segment of ours.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fragment {
    /// `mfhd.sequence_number`
    pub(crate) sequence: u32,
    /// Decode time of the first sample.
    pub(crate) decode: u64,
    /// What samples last that have no duration of their own.
    pub(crate) duration: u32,
    pub(crate) fields: Fields,
    /// How many samples.
    pub(crate) count: u32,
    /// Bytes of media.
    pub(crate) media: u64,
}

impl Fields {
    fn bytes(self) -> u64 {
        4 * (1 + u64::from(self.durations) + u64::from(self.flags) + u64::from(self.offsets))
    }
}

impl Fragment {
    /// Bytes of the `moof`.
    pub(crate) fn moof_bytes(&self) -> u64 {
        MOOF + u64::from(self.count) * self.fields.bytes()
    }

    /// Bytes of the head of the `mdat`: more where the media does not fit a size of 32 bits.
    pub(crate) fn mdat_head_bytes(&self) -> u64 {
        if self.media + 8 > u64::from(u32::MAX) { 16 } else { 8 }
    }

    /// From the start of the `moof` to the first byte of media. `trun` has 31 bits for it.
    pub(crate) fn data_offset(&self) -> u64 {
        self.moof_bytes() + self.mdat_head_bytes()
    }

    /// Writes them. There must be as many `samples` as were counted, and [`Self::data_offset`] must fit its field.
    pub(crate) fn write(&self, samples: impl Iterator<Item = Sample>, out: &mut Vec<u8>) {
        let trun = TRUN + u64::from(self.count) * self.fields.bytes();
        start(out, self.moof_bytes(), b"moof");
        start(out, 16, b"mfhd");
        words(out, &[0, self.sequence]);
        start(out, 8 + TFHD + TFDT + trun, b"traf");
        start(out, TFHD, b"tfhd");
        // An init segment of ours has one track, and its number is 1.
        words(out, &[DEFAULT_BASE_IS_MOOF | DEFAULT_DURATION | DEFAULT_FLAGS, 1, self.duration, SYNC]);
        start(out, TFDT, b"tfdt");
        words(out, &[VERSION_1]);
        out.extend(self.decode.to_be_bytes());
        start(out, trun, b"trun");
        let present = |field: bool, bit: u32| if field { bit } else { 0 };
        let flags = DATA_OFFSET
            | SAMPLE_SIZE
            | present(self.fields.durations, SAMPLE_DURATION)
            | present(self.fields.flags, SAMPLE_FLAGS)
            | present(self.fields.offsets, SAMPLE_OFFSET);
        words(out, &[VERSION_1 | flags, self.count, fit(self.data_offset())]);
        for sample in samples {
            if self.fields.durations {
                words(out, &[sample.duration]);
            }
            words(out, &[sample.size]);
            if self.fields.flags {
                words(out, &[if sample.sync { SYNC } else { NON_SYNC }]);
            }
            if self.fields.offsets {
                out.extend(sample.offset.to_be_bytes());
            }
        }
        match self.mdat_head_bytes() {
            8 => start(out, self.media + 8, b"mdat"),
            _ => {
                start(out, 1, b"mdat");
                out.extend((self.media + 16).to_be_bytes());
            }
        }
    }
}

fn start(out: &mut Vec<u8>, size: u64, kind: &[u8; 4]) {
    words(out, &[fit(size)]);
    out.extend(kind);
}

fn words(out: &mut Vec<u8>, words: &[u32]) {
    words.iter().for_each(|word| out.extend(word.to_be_bytes()));
}

/// Sizes of tables: a track has at most 2^24 samples of 16 bytes.
fn fit(size: u64) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// `sample_depends_on = 2`: an I picture, or a sound frame (ISO/IEC 14496-12 §8.8.3.1).
const SYNC: u32 = 0x0200_0000;
/// `sample_depends_on = 1`, `sample_is_non_sync_sample`.
const NON_SYNC: u32 = 0x0101_0000;

/// `tfhd` and `trun` flags (§8.8.7.1, §8.8.8.1).
const DEFAULT_DURATION: u32 = 0x08;
const DEFAULT_FLAGS: u32 = 0x20;
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;
const DATA_OFFSET: u32 = 0x001;
const SAMPLE_DURATION: u32 = 0x100;
const SAMPLE_SIZE: u32 = 0x200;
const SAMPLE_FLAGS: u32 = 0x400;
const SAMPLE_OFFSET: u32 = 0x800;
const VERSION_1: u32 = 0x0100_0000;

/// Bytes of the boxes, without the samples of `trun`.
const TFHD: u64 = 24;
const TFDT: u64 = 20;
const TRUN: u64 = 20;
const MOOF: u64 = 8 + 16 + 8 + TFHD + TFDT + TRUN;
