//! Bytes that were fed and not read yet: handed on as they came wherever that is possible.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

/// The bytes in hand, with the place in the stream where they start.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pieces: VecDeque<Bytes>,
    /// What came in small pieces since the last large one. A handle takes more memory than such a piece, and a sender
    /// may send byte by byte; so these are copied together.
    small: BytesMut,
    len: usize,
    at: u64,
}

impl Queue {
    /// Where the first byte in hand lies in the stream.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Bytes in hand.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Appends what came.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        match bytes.len() {
            0 => {}
            1..SMALL => {
                self.small.extend_from_slice(&bytes);
                if self.small.len() >= GATHERED {
                    self.settle();
                }
            }
            _ => {
                self.settle();
                self.pieces.push_back(bytes);
            }
        }
    }

    /// The first bytes in hand, at most 16: as much as any box's header takes.
    pub(super) fn peek(&self) -> ([u8; 16], usize) {
        let mut head = [0; 16];
        let mut len = 0;
        let all = self.pieces.iter().map(AsRef::as_ref).chain([self.small.as_ref()]);
        for (to, from) in head.iter_mut().zip(all.flatten()) {
            *to = *from;
            len += 1;
        }
        (head, len)
    }

    /// Drops up to `count` bytes; returns how many.
    pub(super) fn skip(&mut self, count: u64) -> u64 {
        self.settle();
        let (mut left, before) = (usize::try_from(count).unwrap_or(usize::MAX), self.at);
        while let Some(piece) = self.pop(left) {
            left -= piece.len();
        }
        self.at - before
    }

    /// The next `count` bytes in one piece; what is in hand where that is less.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let rope = self.rope(count);
        rope.slice(0, rope.len)
    }

    /// The next `count` bytes as they came; what is in hand where that is less.
    pub(super) fn rope(&mut self, count: usize) -> Rope {
        self.settle();
        let mut rope = Rope { pieces: Vec::new(), len: 0 };
        while let Some(piece) = self.pop(count - rope.len) {
            let start = rope.len;
            rope.len += piece.len();
            rope.pieces.push((start, piece));
        }
        rope
    }

    /// The front piece, or its first `most` bytes; `None` where that is nothing.
    fn pop(&mut self, most: usize) -> Option<Bytes> {
        let front = self.pieces.front_mut().filter(|_| most > 0)?;
        let piece = match front.len() > most {
            true => front.split_to(most),
            false => self.pieces.pop_front()?,
        };
        self.len -= piece.len();
        self.at = self.at.saturating_add(piece.len() as u64);
        Some(piece)
    }

    fn settle(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push_back(self.small.split().freeze());
        }
    }
}

/// Some bytes in the pieces in which they came.
#[derive(Debug)]
pub(super) struct Rope {
    /// Where in the rope each starts.
    pieces: Vec<(usize, Bytes)>,
    len: usize,
}

impl Rope {
    /// `len` bytes from `start` on: shared where one piece holds them all, else joined into memory of their own, for
    /// whoever reads them wants them in one piece. What the rope does not hold is left out.
    pub(super) fn slice(&self, start: usize, len: usize) -> Bytes {
        let end = start.saturating_add(len).min(self.len);
        let first = self.pieces.partition_point(|(at, _)| *at <= start).saturating_sub(1);
        let mut parts = self.pieces.iter().skip(first).take_while(|(at, _)| *at < end).map(|(at, piece)| {
            let from = start.saturating_sub(*at).min(piece.len());
            let to = (end - at).min(piece.len());
            (piece, from.min(to)..to)
        });
        match (parts.next(), parts.next()) {
            (None, _) => Bytes::new(),
            (Some((piece, range)), None) => piece.slice(range),
            (Some(one), Some(other)) => {
                let mut joined = BytesMut::with_capacity(end.saturating_sub(start));
                for (piece, range) in [one, other].into_iter().chain(parts) {
                    joined.extend_from_slice(piece.get(range).unwrap_or_default());
                }
                joined.freeze()
            }
        }
    }
}

/// Pieces of fewer bytes are copied together, …
const SMALL: usize = 512;
/// … into pieces of about this many.
const GATHERED: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fed(sizes: &[usize]) -> (Queue, Vec<u8>) {
        let mut queue = Queue::default();
        let mut all = Vec::new();
        for (n, size) in sizes.iter().enumerate() {
            let piece: Vec<u8> = (0..*size).map(|i| (i + n * 31) as u8).collect();
            all.extend(&piece);
            queue.push(piece.into());
        }
        (queue, all)
    }

    proptest! {
        #[test]
        fn what_is_taken_is_what_was_fed(
            sizes in prop::collection::vec(0usize..1500, 0..20),
            takes in prop::collection::vec(0usize..2000, 0..20),
        ) {
            let (mut queue, all) = fed(&sizes);
            let mut at = 0;
            for (n, take) in takes.iter().enumerate() {
                let end = (at + take).min(all.len());
                let head = all[at..(at + 16).min(all.len())].to_vec();
                let (bytes, len) = queue.peek();
                prop_assert_eq!(&bytes[..len], &head[..]);
                match n % 3 {
                    0 => prop_assert_eq!(&queue.take(*take)[..], &all[at..end]),
                    1 => prop_assert_eq!(queue.skip(*take as u64), (end - at) as u64),
                    _ => {
                        let rope = queue.rope(*take);
                        for start in (0..end - at).step_by(97) {
                            let len = (end - at - start).min(start + 1);
                            prop_assert_eq!(&rope.slice(start, len)[..], &all[at + start..at + start + len]);
                        }
                    }
                }
                at = end;
                prop_assert_eq!((queue.at(), queue.len()), (at as u64, all.len() - at));
            }
        }
    }

    #[test]
    fn a_slice_of_one_piece_shares_its_memory_and_one_of_two_is_joined() {
        let (mut queue, all) = fed(&[1000, 1000]);
        let first = queue.pieces[0].as_ptr();
        let rope = queue.rope(2000);
        assert_eq!(rope.slice(10, 990).as_ptr(), first.wrapping_add(10));
        assert_eq!(rope.slice(990, 20), all[990..1010]);
        assert!(rope.slice(2000, 1).is_empty() && rope.slice(500, 0).is_empty());
    }

    #[test]
    fn small_pieces_are_gathered() {
        let (queue, _) = fed(&[1; 200_000]);
        assert!(queue.pieces.len() < 5 && queue.small.len() < GATHERED, "{} pieces", queue.pieces.len());
    }
}
