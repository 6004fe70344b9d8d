//! The boxes before the media: `ftyp`, `moov` and the head of `mdat`.
//!
//! Every box is written by the crate `mp4`, but for the sample entries. Those stand as the source had them: what `mp4` knows of
//! one is less than what a decoder may need (ADR 19). Its types for what is below `moov` have no public names, so they are
//! filled in where they stand.

use ::mp4::{BoxHeader, BoxType, FixedPointU8, FtypBox, MoovBox, Mp4Box, WriteBox};
use bytes::Bytes;

use super::excerpt::Excerpt;
use super::tables;
use super::weave::Chunk;
use crate::Error;
use crate::time::{MediaTime, Rounding, Timescale};
use crate::track::{Language, TrackKind};

/// The head of the file that has `parts`, woven as `chunks`.
pub(super) fn head(parts: &[(usize, Excerpt<'_>)], chunks: &[Chunk]) -> Result<Bytes, Error> {
    let mut moov = Moov::new(parts, chunks);
    let media: u64 = chunks.iter().map(|chunk| chunk.bytes).sum();
    // A box that does not fit 32 bits has a head of 16 bytes (ISO/IEC 14496-12 §4.2).
    let mdat = match media.saturating_add(8) > u64::from(u32::MAX) {
        true => media.saturating_add(16),
        false => media + 8,
    };
    let ftyp = ftyp(parts);
    let before = |moov: &Moov| ftyp.box_size() + moov.len() + (mdat - media);
    let is_wide = before(&moov).saturating_add(media) > u64::from(u32::MAX);
    moov.place(chunks, 0, is_wide);
    let len = before(&moov);
    if len > MAX_HEAD {
        return Err(Error::TooLarge { path: "moov", limit: MAX_HEAD, unit: "bytes", found: len });
    }
    moov.place(chunks, len, is_wide);
    let mut out = Vec::with_capacity(usize::try_from(len).unwrap_or(0));
    let written = put(&ftyp, &mut out)
        .and_then(|()| moov.write(&mut out))
        .and_then(|()| BoxHeader::new(BoxType::MdatBox, mdat).write(&mut out).map(|_| ()));
    // Into memory everything can be written that is whole.
    written.map_err(|e| Error::Stored {
        what: "index",
        expected: "tables of one length",
        found: e.to_string(),
    })?;
    Ok(out.into())
}

/// `moov`, and the sample entry of each of its tracks.
struct Moov {
    moov: MoovBox,
    entries: Vec<Bytes>,
}

impl Moov {
    /// Everything but where the chunks lie.
    fn new(parts: &[(usize, Excerpt<'_>)], chunks: &[Chunk]) -> Self {
        let scale = timescale(parts);
        let mut moov = MoovBox::default();
        for (number, (_, excerpt)) in parts.iter().enumerate() {
            moov.traks.push(Default::default());
            describe(&mut moov, excerpt);
            trim(&mut moov, excerpt, scale);
            tables::fill(&mut moov, excerpt, chunks.iter().filter(|chunk| chunk.part == number));
        }
        let length = parts.iter().map(|(_, excerpt)| ticks(excerpt.length(), scale)).max().unwrap_or(0);
        moov.mvhd.version = version(length);
        moov.mvhd.timescale = scale.ticks_per_second();
        moov.mvhd.duration = length;
        moov.mvhd.next_track_id = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
        Self { moov, entries: parts.iter().map(|(_, e)| e.track.decoding().entry.clone()).collect() }
    }

    /// Says where the chunks lie in a file whose media starts at `at`.
    fn place(&mut self, chunks: &[Chunk], at: u64, is_wide: bool) {
        for (number, trak) in self.moov.traks.iter_mut().enumerate() {
            let ends = chunks.iter().scan(at, |end, chunk| {
                let start = *end;
                *end = start.saturating_add(chunk.bytes);
                Some((chunk.part, start))
            });
            let offsets = ends.filter(|(part, _)| *part == number).map(|(_, start)| start);
            let stbl = &mut trak.mdia.minf.stbl;
            (stbl.stco, stbl.co64) = (None, None);
            match is_wide {
                true => stbl.co64.get_or_insert_default().entries = offsets.collect(),
                false => {
                    let narrow = offsets.map(|at| u32::try_from(at).unwrap_or(u32::MAX));
                    stbl.stco.get_or_insert_default().entries = narrow.collect();
                }
            }
        }
    }

    /// Bytes of the box.
    fn len(&self) -> u64 {
        self.moov.box_size() + self.entries.iter().map(|entry| entry.len() as u64).sum::<u64>()
    }

    /// Box by box: what an entry adds to a track, it adds to each box around it.
    fn write(&self, out: &mut Vec<u8>) -> ::mp4::Result<()> {
        BoxHeader::new(self.moov.box_type(), self.len()).write(out)?;
        put(&self.moov.mvhd, out)?;
        for (trak, entry) in self.moov.traks.iter().zip(&self.entries) {
            let entry_len = entry.len() as u64;
            around(trak, entry_len, out)?;
            put(&trak.tkhd, out)?;
            if let Some(edts) = &trak.edts {
                put(edts, out)?;
            }
            around(&trak.mdia, entry_len, out)?;
            put(&trak.mdia.mdhd, out)?;
            put(&trak.mdia.hdlr, out)?;
            let minf = &trak.mdia.minf;
            around(minf, entry_len, out)?;
            if let Some(vmhd) = &minf.vmhd {
                put(vmhd, out)?;
            }
            if let Some(smhd) = &minf.smhd {
                put(smhd, out)?;
            }
            put(&minf.dinf, out)?;
            let stbl = &minf.stbl;
            around(stbl, entry_len, out)?;
            around(&stbl.stsd, entry_len, out)?;
            // Version and flags, and one entry (ISO/IEC 14496-12 §8.5.2).
            out.extend([0, 0, 0, 0, 0, 0, 0, 1]);
            out.extend_from_slice(entry);
            put(&stbl.stts, out)?;
            if let Some(ctts) = &stbl.ctts {
                put(ctts, out)?;
            }
            if let Some(stss) = &stbl.stss {
                put(stss, out)?;
            }
            put(&stbl.stsc, out)?;
            put(&stbl.stsz, out)?;
            if let Some(stco) = &stbl.stco {
                put(stco, out)?;
            }
            if let Some(co64) = &stbl.co64 {
                put(co64, out)?;
            }
        }
        Ok(())
    }
}

/// Brands: the ISO base media file format with signed composition offsets, MP4 of its second version, and H.264 where some of
/// it is. HEVC has no brand of its own (ISO/IEC 14496-15 §8.2).
fn ftyp(parts: &[(usize, Excerpt<'_>)]) -> FtypBox {
    let has_avc = parts.iter().any(|(_, excerpt)| excerpt.track.decoding().codec.starts_with("avc"));
    let avc = has_avc.then_some(*b"avc1");
    let brands = [*b"isom", *b"iso4"].into_iter().chain(avc).chain([*b"mp42"]).map(Into::into);
    FtypBox { major_brand: (*b"isom").into(), minor_version: 0x200, compatible_brands: brands.collect() }
}

/// What the newest track is: its kind, size, language and clock.
fn describe(moov: &mut MoovBox, excerpt: &Excerpt<'_>) {
    let number = u32::try_from(moov.traks.len()).unwrap_or(u32::MAX);
    let Some(trak) = moov.traks.last_mut() else { return };
    let track = excerpt.track;
    let kind = track.kind();
    trak.tkhd.track_id = number;
    // Enabled, and part of the movie (ISO/IEC 14496-12 §8.3.2).
    trak.tkhd.flags = 3;
    trak.tkhd.volume = FixedPointU8::new(u8::from(!kind.is_video()));
    let m = &mut trak.tkhd.matrix;
    [m.a, m.b, m.u, m.c, m.d, m.v, m.x, m.y, m.w] = track.decoding().matrix;
    // In square pixels.
    let (width, height) = kind.display_size().unwrap_or((0, 0));
    trak.tkhd.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    trak.tkhd.set_height(u16::try_from(height).unwrap_or(u16::MAX));
    let duration = tables::duration(excerpt);
    trak.mdia.mdhd.version = version(duration);
    trak.mdia.mdhd.timescale = track.timescale().ticks_per_second();
    trak.mdia.mdhd.duration = duration;
    trak.mdia.mdhd.language =
        track.language().map_or(Language::UNDETERMINED.as_str().to_owned(), str::to_owned);
    let (handler, name) = match kind {
        TrackKind::Video { .. } => (*b"vide", "video"),
        TrackKind::Audio { .. } => (*b"soun", "audio"),
    };
    trak.mdia.hdlr.handler_type = handler.into();
    trak.mdia.hdlr.name = name.to_owned();
    match kind {
        // Its flags are 1 (ISO/IEC 14496-12 §12.1.2).
        TrackKind::Video { .. } => trak.mdia.minf.vmhd.get_or_insert_default().flags = 1,
        TrackKind::Audio { .. } => {
            trak.mdia.minf.smhd.get_or_insert_default();
        }
    }
}

/// The edit list of the newest track (ISO/IEC 14496-12 §8.6.6): nothing for as long as it is late, then the samples from where
/// they are to be presented, for as long as they are.
fn trim(moov: &mut MoovBox, excerpt: &Excerpt<'_>, scale: Timescale) {
    let Some(trak) = moov.traks.last_mut() else { return };
    let length = ticks(excerpt.length(), scale);
    let delay = ticks(excerpt.span(excerpt.delay), scale);
    trak.tkhd.version = version(length);
    trak.tkhd.duration = length;
    let elst = trak.edts.get_or_insert_default().elst.get_or_insert_default();
    // Media times are signed.
    elst.version = version(length).max(u8::from(i32::try_from(excerpt.media_time).is_err()));
    if delay > 0 {
        tables::row(&mut elst.entries, |edit| {
            // -1 in either version.
            (edit.segment_duration, edit.media_time, edit.media_rate) = (delay, u64::MAX, 1);
        });
    }
    tables::row(&mut elst.entries, |edit| {
        (edit.segment_duration, edit.media_time, edit.media_rate) =
            (length.saturating_sub(delay), excerpt.media_time, 1);
    });
}

/// A clock of which each tick of each track is a whole number of ticks; the finest of theirs, where that would be too fine.
fn timescale(parts: &[(usize, Excerpt<'_>)]) -> Timescale {
    let scales = parts.iter().map(|(_, excerpt)| excerpt.track.timescale());
    let both = |a: Timescale, b: Timescale| {
        let (a_ticks, b_ticks) = (a.ticks_per_second(), b.ticks_per_second());
        let common = (a_ticks / gcd(a_ticks, b_ticks)).checked_mul(b_ticks);
        common.and_then(Timescale::new).unwrap_or(a.max(b))
    };
    scales.reduce(both).unwrap_or(Timescale::MILLIS)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

fn ticks(span: MediaTime, scale: Timescale) -> u64 {
    span.rescale(scale, Rounding::Nearest).ticks().unsigned_abs()
}

/// 1 where a duration needs 64 bits.
fn version(duration: u64) -> u8 {
    u8::from(duration > u64::from(u32::MAX))
}

/// The head of a box that is larger by `more` than `mp4` knows.
fn around(boxed: &impl Mp4Box, more: u64, out: &mut Vec<u8>) -> ::mp4::Result<()> {
    BoxHeader::new(boxed.box_type(), boxed.box_size() + more).write(out).map(|_| ())
}

fn put<B>(boxed: &B, out: &mut Vec<u8>) -> ::mp4::Result<()>
where
    B: for<'w> WriteBox<&'w mut Vec<u8>>,
{
    boxed.write_box(out).map(|_| ())
}

/// Tables of two tracks of six days.
const MAX_HEAD: u64 = 256 * 1024 * 1024;
