//! What a muxer writes into a pipe, cut where a sender may begin anew.
//!
//! ```text
//! ftyp moov │ prft moof mdat │ prft moof mdat │ …
//!  Header   │     Chunk      │     Chunk      │
//! ```
//!
//! Only the heads of the outermost boxes are read (ISO/IEC 14496-12 §4.2): what a box means is the receiver's business.

use std::path::Path;

use bytes::{Bytes, BytesMut};

use crate::Error;

/// A stretch of a track that is sent as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Everything up to and with `moov`.
    Header(Bytes),
    /// Everything up to and with the next `mdat`.
    Chunk(Bytes),
}

/// Cuts a track. Bytes may come in any split.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    buffer: BytesMut,
    /// Bytes at the buffer's start whose boxes are known to be whole.
    whole: usize,
}

impl Cutter {
    /// Where the bytes that are read next belong.
    pub(super) fn room(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ);
        &mut self.buffer
    }

    /// The next piece; `None` where more bytes are needed.
    ///
    /// # Errors
    /// [`Error::Tool`] for `tool` where a box says a size that no muxer writes here.
    pub(super) fn next(&mut self, tool: &Path) -> Result<Option<Piece>, Error> {
        loop {
            let rest = self.buffer.get(self.whole..).unwrap_or_default();
            let Some(([a, b, c, d, kind @ ..], _)) = rest.split_first_chunk::<8>() else { return Ok(None) };
            let size = u32::from_be_bytes([*a, *b, *c, *d]);
            let size =
                usize::try_from(size).ok().filter(|size| (8..=LARGEST).contains(size)).ok_or_else(|| {
                    Error::tool(tool, format!("expected a box of 8 to {LARGEST} bytes, found one of {size}"))
                })?;
            if rest.len() < size {
                return Ok(None);
            }
            self.whole += size;
            let piece: fn(Bytes) -> Piece = match kind {
                b"moov" => Piece::Header,
                b"mdat" => Piece::Chunk,
                _ => continue,
            };
            let bytes = self.buffer.split_to(std::mem::take(&mut self.whole)).freeze();
            return Ok(Some(piece(bytes)));
        }
    }
}

/// What a pipe holds.
const READ: usize = 64 << 10;
/// The largest box: ten times what five pictures at the highest rate of a demonstration take.
const LARGEST: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(kind: &[u8; 4], payload: usize) -> Vec<u8> {
        let mut bytes = u32::try_from(payload + 8).unwrap().to_be_bytes().to_vec();
        bytes.extend_from_slice(kind);
        bytes.resize(payload + 8, 7);
        bytes
    }

    fn track(chunks: &[usize]) -> Vec<u8> {
        let mut bytes = [write(b"ftyp", 20), write(b"moov", 700)].concat();
        for payload in chunks {
            bytes.extend([write(b"prft", 24), write(b"moof", 100), write(b"mdat", *payload)].concat());
        }
        bytes
    }

    fn pieces(splits: &[&[u8]]) -> Vec<Piece> {
        let mut cutter = Cutter::default();
        let mut pieces = Vec::new();
        for split in splits {
            cutter.room().extend_from_slice(split);
            while let Some(piece) = cutter.next(Path::new("ffmpeg")).unwrap() {
                pieces.push(piece);
            }
        }
        assert!(cutter.buffer.is_empty());
        pieces
    }

    #[test]
    fn a_track_is_a_header_and_chunks() {
        let bytes = track(&[1000, 0, 30_000]);
        let pieces = pieces(&[&bytes]);
        let sizes: Vec<_> = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Header(bytes) => ("header", bytes.len()),
                Piece::Chunk(bytes) => ("chunk", bytes.len()),
            })
            .collect();
        assert_eq!(sizes, [("header", 736), ("chunk", 1148), ("chunk", 148), ("chunk", 30_148)]);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_pieces(
            chunks in prop::collection::vec(0_usize..2_000, 0..6),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let bytes = track(&chunks);
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let splits: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let found = pieces(&splits);
            prop_assert_eq!(&found, &pieces(&[&bytes]));
            prop_assert_eq!(found.len(), 1 + chunks.len());
            let joined: Vec<u8> = found
                .iter()
                .flat_map(|piece| match piece { Piece::Header(bytes) | Piece::Chunk(bytes) => bytes.to_vec() })
                .collect();
            prop_assert_eq!(joined, bytes);
        }
    }

    #[test]
    fn a_size_that_cannot_be_is_refused() {
        for size in [0_u32, 1, 7, u32::MAX] {
            let mut cutter = Cutter::default();
            cutter.room().extend_from_slice(&size.to_be_bytes());
            cutter.room().extend_from_slice(b"moof");
            let text = cutter.next(Path::new("ffmpeg")).unwrap_err().to_string();
            assert_eq!(text, format!("ffmpeg: expected a box of 8 to 4194304 bytes, found one of {size}"));
        }
    }
}
