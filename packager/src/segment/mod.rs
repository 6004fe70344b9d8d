//! Segments: what bytes one is made of, before any of them is read.
//!
//! A [`Plan`] knows the exact length and the entity tag; an [`Assembler`] then asks for the media bytes and hands
//! on pieces that share them. Nothing is copied.

mod assembler;
mod init;

use std::ops::Range;

use bytes::Bytes;
use sha2::{Digest, Sha256};

pub(crate) use assembler::PIECE;
pub use assembler::{Assembler, Need};
pub use init::init_segment;

use crate::Error;
use crate::presentation::Rendition;
use crate::range::ByteRange;
use crate::time::{MediaTime, Msn};

/// Moves whenever the same input would give other bytes. It is part of every entity tag, so caches never mix the
/// output of two versions.
pub const FORMAT_VERSION: u32 = 1;

/// A segment, planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The boxes before the media: `styp`, `moof` and the head of `mdat`.
    head: Bytes,
    /// Where the media lies in the rendition's object, in order.
    media: Vec<ByteRange>,
    len: u64,
}

impl Plan {
    /// Plans segment `msn` of a rendition; `None` where there is no such segment, or a gap.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a segment whose tables do not fit their 32-bit fields.
    pub fn segment(rendition: &Rendition, msn: Msn) -> Result<Option<Self>, Error> {
        let Some(range) = rendition.samples(msn).filter(|range| !range.is_empty()) else { return Ok(None) };
        let track = rendition.track();
        let head = rendition.layout().head(track, msn, range.clone())?;
        let media = track.samples().byte_ranges(range.clone());
        Ok(Some(Self::new(head, media, track.samples().bytes(range))))
    }

    /// A body of these boxes and then `bytes` of media.
    pub(crate) fn new(head: Bytes, media: Vec<ByteRange>, bytes: u64) -> Self {
        let len = (head.len() as u64).saturating_add(bytes);
        Self { head, media, len }
    }

    /// Bytes before the media.
    pub(crate) fn head_len(&self) -> u64 {
        self.head.len() as u64
    }

    /// Exact bytes of the segment.
    #[expect(clippy::len_without_is_empty, reason = "a segment is never empty")]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Where the media lies in the rendition's object, in order.
    pub fn media(&self) -> &[ByteRange] {
        &self.media
    }
}

/// A strong entity tag made from the recipe of some bytes, not from the bytes: equal recipes give equal bytes on
/// every node (RFC 9110 §8.8.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ETag(String);

impl ETag {
    /// The tag of a segment, known before it is planned.
    pub fn of_segment(rendition: &Rendition, msn: Msn) -> Self {
        let range = rendition.samples(msn).unwrap_or(0..0);
        let mut recipe = Self::recipe(rendition, b"segment");
        recipe.update(msn.0.to_le_bytes());
        recipe.update(range.start.to_le_bytes());
        recipe.update(range.end.to_le_bytes());
        Self::finish(recipe)
    }

    /// The tag of an init segment.
    pub fn of_init(rendition: &Rendition) -> Self {
        Self::finish(Self::recipe(rendition, b"init"))
    }

    /// The tag of what `renditions` present in `range`, as one file ([`crate::export`]); known before it is planned.
    pub fn of_export(renditions: &[&Rendition], range: &Range<MediaTime>) -> Self {
        let mut recipe = Sha256::new();
        for rendition in renditions {
            recipe.update(Self::recipe(rendition, b"export").finalize());
        }
        for time in [range.start, range.end] {
            recipe.update(time.ticks().to_le_bytes());
            recipe.update(time.timescale().ticks_per_second().to_le_bytes());
        }
        Self::finish(recipe)
    }

    /// The tag of bytes that are in hand, as playlists are.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let mut recipe = Sha256::new();
        recipe.update(FORMAT_VERSION.to_le_bytes());
        recipe.update(bytes);
        Self::finish(recipe)
    }

    /// The tag of bytes that lie in several pieces; how they are cut does not matter.
    pub fn of_pieces(pieces: &[Bytes]) -> Self {
        let mut recipe = Sha256::new();
        recipe.update(FORMAT_VERSION.to_le_bytes());
        pieces.iter().for_each(|piece| recipe.update(piece));
        Self::finish(recipe)
    }

    /// The quoted tag, as it stands in the header field.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag of the same content in another coding: `"…-gzip"`.
    pub fn with_suffix(&self, suffix: &str) -> Self {
        Self(format!("{}-{suffix}\"", self.0.trim_end_matches('"')))
    }

    fn recipe(rendition: &Rendition, what: &[u8]) -> Sha256 {
        let mut recipe = Sha256::new();
        recipe.update(FORMAT_VERSION.to_le_bytes());
        recipe.update(what);
        recipe.update(rendition.identity());
        // One object may hold several tracks; the sample entry and the first byte's place tell them apart.
        let track = rendition.track();
        recipe.update(&track.decoding().entry);
        recipe.update(track.timescale().ticks_per_second().to_le_bytes());
        recipe.update(track.samples().start().to_le_bytes());
        recipe.update(track.samples().byte_ranges(0..1).first().map_or(0, |r| r.start()).to_le_bytes());
        recipe
    }

    fn finish(recipe: Sha256) -> Self {
        let mut bits = [0; 16];
        bits.iter_mut().zip(recipe.finalize()).for_each(|(bit, byte)| *bit = byte);
        Self::from(TagBits(bits))
    }

    /// The tag in half the memory; `None` for one with a suffix.
    pub fn bits(&self) -> Option<TagBits> {
        Self::of_digits(self.0.strip_prefix('"')?.strip_suffix('"')?)
    }

    /// The same from the digits alone.
    pub(crate) fn of_digits(digits: &str) -> Option<TagBits> {
        let mut bits = [0; 16];
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        if pairs.len() != bits.len() || !rest.is_empty() {
            return None;
        }
        for (byte, [high, low]) in bits.iter_mut().zip(pairs) {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(TagBits(bits))
    }
}

/// What an entity tag without a suffix is made of, for those who keep many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TagBits(pub [u8; 16]);

impl From<TagBits> for ETag {
    fn from(TagBits(bits): TagBits) -> Self {
        // Digit by digit: every answer has a tag, and a formatter costs more than the hash.
        let digits = bits.into_iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut tag = String::with_capacity(34);
        tag.push('"');
        tag.extend(digits.filter_map(|digit| char::from_digit(u32::from(digit), 16)));
        tag.push('"');
        Self(tag)
    }
}
