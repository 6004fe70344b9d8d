//! Handing on a planned segment, or a range of it, piece by piece.

use bytes::Bytes;

use super::Plan;
use crate::range::ByteRange;

/// The largest piece: small enough that a write deadline means something for a slow client, large enough that
/// a piece costs nothing.
pub(crate) const PIECE: u64 = 256 * 1024;

/// What an [`Assembler`] wants or gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// These bytes of the rendition's object; feed them from the range's start on. Fewer are taken too.
    Media(ByteRange),
    /// The next bytes of the answer.
    Piece(Bytes),
    /// All was given.
    Done,
}

/// Turns a [`Plan`] into the bytes of an answer.
///
/// Ask [`next`](Self::next), fetch what it needs, [`feed`](Self::feed) it, and ask again. Any split of the input
/// gives the same output.
#[derive(Debug)]
pub struct Assembler {
    plan: Plan,
    /// The next byte of the segment that is to be given.
    at: u64,
    end: u64,
    /// The range of the plan's media that `at` lies in, and the segment's offset where it starts.
    range: usize,
    range_at: u64,
    ready: Option<Bytes>,
}

impl Assembler {
    /// Gives the bytes `window` of the segment; what lies beyond its end is cut off.
    pub fn new(plan: Plan, window: ByteRange) -> Self {
        let range_at = plan.head.len() as u64;
        let end = window.end().min(plan.len);
        Self { at: window.start().min(end), end, plan, range: 0, range_at, ready: None }
    }

    /// The whole segment.
    pub fn whole(plan: Plan) -> Self {
        let window = ByteRange::new(0, plan.len);
        Self::new(plan, window)
    }

    /// The next thing to do.
    #[expect(
        clippy::should_implement_trait,
        reason = "asking is not iterating: a need must be fed before the next"
    )]
    pub fn next(&mut self) -> Need {
        if let Some(piece) = self.ready.take() {
            self.at += piece.len() as u64;
            return Need::Piece(piece);
        }
        if self.at >= self.end {
            return Need::Done;
        }
        if let Some(piece) = self.head() {
            self.at += piece.len() as u64;
            return Need::Piece(piece);
        }
        while let Some(range) = self.plan.media.get(self.range) {
            let past = self.range_at + range.len();
            if self.at < past {
                let start = range.start() + (self.at - self.range_at);
                let len = (past.min(self.end) - self.at).min(PIECE);
                return Need::Media(ByteRange::at(start, len));
            }
            self.range += 1;
            self.range_at = past;
        }
        Need::Done
    }

    /// Takes bytes from the start of the range that [`Need::Media`] named. Bytes beyond its end are ignored.
    pub fn feed(&mut self, bytes: Bytes) {
        if let (Need::Media(range), false) = (self.next(), bytes.is_empty()) {
            let len = usize::try_from(range.len()).unwrap_or(usize::MAX).min(bytes.len());
            self.ready = Some(bytes.slice(..len));
        }
    }

    /// How much of the answer is still to be given.
    pub fn left(&self) -> u64 {
        self.end - self.at
    }

    /// Which of the plan's ranges the media is of that is needed, by its place among them.
    pub(crate) fn number(&self) -> usize {
        self.range
    }

    fn head(&self) -> Option<Bytes> {
        let head = self.plan.head.len() as u64;
        let end = usize::try_from(self.end.min(head)).ok()?;
        let start = usize::try_from(self.at).ok()?;
        (start < end).then(|| self.plan.head.slice(start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn plan(head: usize, media: &[(u64, u64)]) -> (Plan, Vec<u8>, Vec<u8>) {
        let object: Vec<u8> = (0..4096u32).map(|i| (i * 7 % 251) as u8).collect();
        let head: Vec<u8> = (0..head).map(|i| 255 - i as u8).collect();
        let media: Vec<ByteRange> = media.iter().map(|(at, len)| ByteRange::at(*at, *len)).collect();
        let mut whole = head.clone();
        media.iter().for_each(|r| whole.extend(&object[r.start() as usize..r.end() as usize]));
        (Plan { head: head.into(), media, len: whole.len() as u64 }, object, whole)
    }

    proptest! {
        #[test]
        fn any_split_of_the_input_gives_the_window_asked_for(
            head in 1usize..100,
            media in prop::collection::vec((0u64..2048, 0u64..2048), 0..6),
            splits in prop::collection::vec(1usize..700, 1..20),
            from in 0u64..4000, len in 0u64..9000,
        ) {
            let (plan, object, whole) = plan(head, &media);
            let window = ByteRange::at(from, len);
            let mut assembler = Assembler::new(plan, window);
            let mut given = Vec::new();
            let mut splits = splits.iter().cycle();
            loop {
                match assembler.next() {
                    Need::Done => break,
                    Need::Piece(piece) => given.extend_from_slice(&piece),
                    Need::Media(range) => {
                        let end = (range.end() as usize).min(range.start() as usize + splits.next().unwrap());
                        assembler.feed(Bytes::copy_from_slice(&object[range.start() as usize..end]));
                    }
                }
            }
            let end = window.end().min(whole.len() as u64) as usize;
            let start = (from as usize).min(end);
            prop_assert_eq!(given, &whole[start..end]);
            prop_assert_eq!(assembler.left(), 0);
        }
    }
}
