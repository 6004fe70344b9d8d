//! Writing and reading the `.idx` object; its layout is drawn in the module above.

use bytes::{Buf, BufMut, Bytes};
use sha2::{Digest, Sha256};

use super::pack::{BLOCK, Column, words_of};
use super::samples::{Extent, LIMIT, Offsets, SampleTable, Syncs};
use crate::Error;
use crate::time::Timescale;
use crate::track::{Decoding, Language, Track, TrackKind};

const MAGIC: &[u8; 4] = b"fbix";
/// Moves when the layout does; an older index is then made anew from the media.
const VERSION: u16 = 1;
const CHECK: usize = 16;

impl Track {
    /// The `.idx` object of this track. Equal tracks give equal bytes.
    pub fn to_index(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_slice(MAGIC);
        out.put_u16_le(VERSION);
        self.put_head(&mut out);
        let table = &self.samples;
        out.put_u64_le(table.start);
        out.put_u32_le(table.len());
        put_column(&mut out, &table.durations);
        put_column(&mut out, &table.sizes);
        match &table.offsets {
            None => out.put_u8(0),
            Some(offsets) => {
                out.put_u8(1);
                out.put_i32_le(offsets.bias);
                out.put_u32_le(offsets.step);
                put_column(&mut out, &offsets.column);
            }
        }
        match &table.syncs {
            Syncs::All => out.put_u8(0),
            Syncs::At(list) => {
                out.put_u8(1);
                put_len(&mut out, list.len());
                distances(list.iter().copied()).for_each(|d| out.put_u32_le(d));
            }
        }
        put_len(&mut out, table.extents.len());
        for (extent, distance) in table.extents.iter().zip(distances(table.extents.iter().map(|e| e.first))) {
            out.put_u32_le(distance);
            out.put_u64_le(extent.at);
        }
        let check = Sha256::digest(&out);
        out.extend(check.iter().take(CHECK));
        out
    }

    /// Reads an `.idx` object.
    ///
    /// # Errors
    /// [`Error::Stored`] where the bytes are not an index of this version, or not whole.
    pub fn from_index(bytes: &[u8]) -> Result<Self, Error> {
        let (body, check) =
            bytes.split_last_chunk::<CHECK>().ok_or_else(|| fault("an index", "too few bytes"))?;
        if body.get(..4) != Some(MAGIC.as_slice()) {
            return Err(fault("the magic number fbix", "other bytes"));
        }
        let mut input = Input(body.get(4..).unwrap_or_default());
        let version = input.u16()?;
        if version != VERSION {
            return Err(fault("version 1", &format!("version {version}")));
        }
        if Sha256::digest(body).get(..CHECK) != Some(check.as_slice()) {
            return Err(fault("bytes that match their check sum", "damaged bytes"));
        }
        let track = input.track()?;
        match input.0.is_empty() {
            true => Ok(track),
            false => Err(fault("the end of the index", "more bytes")),
        }
    }

    fn put_head(&self, out: &mut Vec<u8>) {
        match self.kind {
            TrackKind::Video { width, height, pixel_aspect: (h, v) } => {
                out.put_u8(0);
                out.put_u16_le(width);
                out.put_u16_le(height);
                out.put_u32_le(h);
                out.put_u32_le(v);
            }
            TrackKind::Audio { channels, sample_rate } => {
                out.put_u8(1);
                out.put_u16_le(channels);
                out.put_u32_le(sample_rate);
            }
        }
        out.put_u32_le(self.timescale.ticks_per_second());
        out.put_slice(&self.language.letters());
        out.put_u32_le(self.skip);
        self.decoding.matrix.iter().for_each(|m| out.put_i32_le(*m));
        out.put_u16_le(u16::try_from(self.decoding.codec.len()).unwrap_or(u16::MAX));
        out.put_slice(self.decoding.codec.as_bytes());
        put_len(out, self.decoding.entry.len());
        out.put_slice(&self.decoding.entry);
    }
}

fn put_len(out: &mut Vec<u8>, len: usize) {
    // Counts are bounded by LIMIT when a table is built.
    out.put_u32_le(u32::try_from(len).unwrap_or(u32::MAX));
}

fn put_column(out: &mut Vec<u8>, column: &Column) {
    for block in column.blocks() {
        out.put_u32_le(block.base);
        out.put_u8(block.width);
    }
    put_len(out, column.words().len());
    column.words().iter().for_each(|word| out.put_u64_le(*word));
}

fn distances(values: impl Iterator<Item = u32>) -> impl Iterator<Item = u32> {
    values.scan(0, |before, value| Some(value.wrapping_sub(std::mem::replace(before, value))))
}

fn fault(expected: &'static str, found: &str) -> Error {
    Error::Stored { what: "index", expected, found: found.to_owned() }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or_else(|| fault("more bytes", "the end"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        Ok(self.take(1)?.get_u8())
    }

    fn u16(&mut self) -> Result<u16, Error> {
        Ok(self.take(2)?.get_u16_le())
    }

    fn u32(&mut self) -> Result<u32, Error> {
        Ok(self.take(4)?.get_u32_le())
    }

    fn i32(&mut self) -> Result<i32, Error> {
        Ok(self.take(4)?.get_i32_le())
    }

    fn u64(&mut self) -> Result<u64, Error> {
        Ok(self.take(8)?.get_u64_le())
    }

    /// A count of things of `size` bytes that the rest of the input can hold.
    fn count(&mut self, size: usize) -> Result<usize, Error> {
        let count = usize::try_from(self.u32()?).map_err(|_| fault("a count", "a larger number"))?;
        match count.checked_mul(size).is_some_and(|bytes| bytes <= self.0.len()) {
            true => Ok(count),
            false => Err(fault("a count that fits the bytes", "a larger one")),
        }
    }

    fn track(&mut self) -> Result<Track, Error> {
        let kind = match self.u8()? {
            0 => {
                let (width, height) = (self.u16()?, self.u16()?);
                TrackKind::Video { width, height, pixel_aspect: (self.u32()?, self.u32()?) }
            }
            1 => TrackKind::Audio { channels: self.u16()?, sample_rate: self.u32()? },
            other => return Err(fault("a track kind of 0 or 1", &other.to_string())),
        };
        let timescale = Timescale::new(self.u32()?).ok_or_else(|| fault("a timescale", "0"))?;
        let letters = self.take(3)?;
        let language = Language::of(std::str::from_utf8(letters).unwrap_or_default());
        if letters != language.letters() {
            return Err(fault("a language of three lower-case letters", "other bytes"));
        }
        let skip = self.u32()?;
        let mut matrix = [0; 9];
        for m in &mut matrix {
            *m = self.i32()?;
        }
        let codec_len = usize::from(self.u16()?);
        let codec =
            std::str::from_utf8(self.take(codec_len)?).map_err(|_| fault("a codec name", "other bytes"))?;
        if !codec.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.') {
            return Err(fault("a codec name of letters, digits and dots", "other characters"));
        }
        let entry_len = self.count(1)?;
        let entry = Bytes::copy_from_slice(self.take(entry_len)?);
        let decoding = Decoding { codec: codec.to_owned(), entry, matrix };
        let samples = self.table()?;
        Ok(Track { kind, timescale, language, decoding, skip, samples })
    }

    fn table(&mut self) -> Result<SampleTable, Error> {
        let start = self.u64()?;
        let count = self.u32()?;
        if count == 0 || count > LIMIT {
            return Err(fault("1 to 16,777,216 samples", &count.to_string()));
        }
        let durations = self.column(count)?;
        let sizes = self.column(count)?;
        let offsets = match self.u8()? {
            0 => None,
            1 => {
                let (bias, step) = (self.i32()?, self.u32()?);
                Some(Offsets { bias, step, column: self.column(count)? })
            }
            other => return Err(fault("0 or 1 before the offsets", &other.to_string())),
        };
        let syncs = match self.u8()? {
            0 => Syncs::All,
            1 => Syncs::At(self.ascending(count)?),
            other => return Err(fault("0 or 1 before the sync samples", &other.to_string())),
        };
        let extents = self.extents(count)?;
        Ok(SampleTable { start, durations, sizes, offsets, syncs, extents })
    }

    fn column(&mut self, count: u32) -> Result<Column, Error> {
        let blocks = usize::try_from(count.div_ceil(BLOCK)).unwrap_or(usize::MAX);
        if blocks.saturating_mul(5) > self.0.len() {
            return Err(fault("a block for each 128 samples", "fewer bytes"));
        }
        let parts = (0..blocks).map(|_| Ok((self.u32()?, self.u8()?))).collect::<Result<Vec<_>, Error>>()?;
        let count_of_words = self.count(8)?;
        let words = (0..count_of_words).map(|_| self.u64()).collect::<Result<Vec<_>, Error>>()?;
        debug_assert!(words_of(BLOCK, 1) == 2);
        Column::from_parts(count, &parts, words)
            .ok_or_else(|| fault("a column whose parts fit", "other lengths"))
    }

    fn ascending(&mut self, count: u32) -> Result<Vec<u32>, Error> {
        let n = self.count(4)?;
        let mut list = Vec::with_capacity(n);
        let mut last = 0u32;
        for i in 0..n {
            let distance = self.u32()?;
            let next = last.checked_add(distance).filter(|next| *next < count && (i == 0 || distance > 0));
            last = next.ok_or_else(|| fault("ascending sync samples", "another order"))?;
            list.push(last);
        }
        Ok(list)
    }

    fn extents(&mut self, count: u32) -> Result<Vec<Extent>, Error> {
        let n = self.count(12)?;
        let mut extents = Vec::with_capacity(n);
        let mut last = 0u32;
        for i in 0..n {
            let distance = self.u32()?;
            let fits = |next: &u32| *next < count && (distance > 0) == (i > 0);
            last = last
                .checked_add(distance)
                .filter(fits)
                .ok_or_else(|| fault("ascending extents", "another order"))?;
            extents.push(Extent { first: last, at: self.u64()? });
        }
        match extents.is_empty() {
            true => Err(fault("at least one extent", "none")),
            false => Ok(extents),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::samples::tests::{rows, table};
    use proptest::prelude::*;

    fn track(samples: SampleTable) -> Track {
        let decoding = Decoding {
            codec: "avc1.64001f".into(),
            entry: Bytes::from_static(b"entry"),
            matrix: [1, 0, 0, 0, 1, 0, 0, 0, 2],
        };
        let kind = TrackKind::Video { width: 640, height: 360, pixel_aspect: (4, 3) };
        Track {
            kind,
            timescale: Timescale::MPEG,
            language: Language::of("fra"),
            decoding,
            skip: 1024,
            samples,
        }
    }

    proptest! {
        #[test]
        fn an_index_reads_back_as_it_was_written(rows in rows()) {
            let track = track(table(&rows).0);
            let stored = track.to_index();
            prop_assert_eq!(Track::from_index(&stored).unwrap(), track);
        }

        #[test]
        fn a_damaged_index_is_refused(rows in rows(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut stored = track(table(&rows).0).to_index();
            let at = at.index(stored.len());
            stored[at] ^= 1 << bit;
            prop_assert!(Track::from_index(&stored).is_err());
        }
    }

    #[test]
    fn ten_minutes_of_video_take_about_seventy_kilobytes() {
        // 30 fps with sizes that spread over 16 bits, as a real encoder's do.
        let rows: Vec<_> =
            (0..18_000u32).map(|i| (512, 0, i.wrapping_mul(2_654_435_761) >> 16, i % 60 == 0, 0)).collect();
        let stored = track(table(&rows).0).to_index();
        assert!(stored.len() < 70_000, "{}", stored.len());
    }
}
