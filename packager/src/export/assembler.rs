//! Handing on a planned file, or a window of it, piece by piece.

use bytes::Bytes;

use super::{Media, Plan};
use crate::range::ByteRange;
use crate::segment;

/// What an [`Assembler`] wants or gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// These bytes; feed them from the range's start on. Fewer are taken too.
    Media(Media),
    /// The next bytes of the file.
    Piece(Bytes),
    /// All was given.
    Done,
}

/// Turns a [`Plan`] into the bytes of a file, as [`segment::Assembler`] does with a segment.
#[derive(Debug)]
pub struct Assembler {
    body: segment::Assembler,
    owners: Vec<usize>,
    /// What is left of the boxes: those of a long film are more than one piece.
    head: Bytes,
}

impl Assembler {
    /// Gives the bytes `window` of the file; what lies beyond its end is cut off.
    pub fn new(plan: Plan, window: ByteRange) -> Self {
        let Plan { body, owners, range: _ } = plan;
        Self { body: segment::Assembler::new(body, window), owners, head: Bytes::new() }
    }

    /// The whole file.
    pub fn whole(plan: Plan) -> Self {
        let window = ByteRange::new(0, plan.len());
        Self::new(plan, window)
    }

    /// The next thing to do.
    #[expect(
        clippy::should_implement_trait,
        reason = "asking is not iterating: a need must be fed before the next"
    )]
    pub fn next(&mut self) -> Need {
        if !self.head.is_empty() {
            return Need::Piece(self.head.split_to(self.head.len().min(PIECE)));
        }
        match self.body.next() {
            segment::Need::Done => Need::Done,
            segment::Need::Piece(mut piece) => {
                self.head = piece.split_off(piece.len().min(PIECE));
                Need::Piece(piece)
            }
            segment::Need::Media(range) => match self.owners.get(self.body.number()) {
                Some(rendition) => Need::Media(Media { rendition: *rendition, range }),
                None => Need::Done,
            },
        }
    }

    /// Takes bytes from the start of the range that [`Need::Media`] named. Bytes beyond its end are ignored.
    pub fn feed(&mut self, bytes: Bytes) {
        self.body.feed(bytes);
    }

    /// How much of the window is still to be given.
    pub fn left(&self) -> u64 {
        self.body.left() + self.head.len() as u64
    }
}

/// The largest piece, in bytes.
#[expect(clippy::cast_possible_truncation, reason = "it is small")]
const PIECE: usize = segment::PIECE as usize;
