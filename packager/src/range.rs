//! Byte ranges of objects and of what is made from them.

use std::fmt;

/// The bytes from `start` up to, not including, `end`. Never negative: `end >= start`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ByteRange {
    start: u64,
    end: u64,
}

impl ByteRange {
    /// From `start` to before `end`; empty at `start` where `end` lies before it.
    pub const fn new(start: u64, end: u64) -> Self {
        Self { start, end: if end < start { start } else { end } }
    }

    /// `len` bytes from `start` on. Saturates at the end of `u64`.
    pub const fn at(start: u64, len: u64) -> Self {
        Self { start, end: start.saturating_add(len) }
    }

    /// The first byte's offset.
    pub const fn start(self) -> u64 {
        self.start
    }

    /// The offset after the last byte.
    pub const fn end(self) -> u64 {
        self.end
    }

    /// How many bytes.
    pub const fn len(self) -> u64 {
        self.end - self.start
    }

    /// Whether there is no byte in it.
    pub const fn is_empty(self) -> bool {
        self.end == self.start
    }

    /// Whether every byte of `other` lies inside.
    pub const fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl fmt::Debug for ByteRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", self.start, self.end)
    }
}
