//! Where an HTTP/2 client is in its frames (RFC 9113 §4.1), and nothing of what they say.
//!
//! ```text
//! preface (24) ─▶ ┌─▶ head (9): length, type, flags, stream ─▶ payload ─┐
//!                 └──────────────────────────────────────────────────────┘   HEADERS without END_HEADERS: the head goes on
//! ```
//!
//! The reader of frames waits for ever for the rest of one. A client that has begun anything but DATA, whose pace is that
//! of what it sends, owes the rest soon.

/// A reader's place in what a client sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frames {
    /// What is lacking of the preface.
    preface: u8,
    /// What has come of a frame's head.
    head: [u8; HEAD],
    len: u8,
    /// What is lacking of a frame's payload.
    payload: u32,
    is_data: bool,
    /// Whether a head is to be continued.
    is_open: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { preface: PREFACE, head: [0; HEAD], len: 0, payload: 0, is_data: false, is_open: false }
    }

    /// Takes what came next. Any split of the same bytes leads to the same place.
    pub(super) fn take(&mut self, mut bytes: &[u8]) {
        bytes = bytes.get(usize::from(shorten(&mut self.preface, bytes.len()))..).unwrap_or_default();
        while let Some((first, rest)) = bytes.split_first() {
            if self.payload > 0 {
                let here = u32::try_from(bytes.len()).unwrap_or(u32::MAX).min(self.payload);
                self.payload -= here;
                bytes = bytes.get(usize::try_from(here).unwrap_or(usize::MAX)..).unwrap_or_default();
                continue;
            }
            if let Some(place) = self.head.get_mut(usize::from(self.len)) {
                *place = *first;
            }
            self.len += 1;
            bytes = rest;
            if usize::from(self.len) == HEAD {
                self.begin();
            }
        }
    }

    /// Whether the client owes the rest of something.
    pub(super) fn is_half(&self) -> bool {
        self.preface > 0 || self.len > 0 || self.is_open || (self.payload > 0 && !self.is_data)
    }

    fn begin(&mut self) {
        let [a, b, c, kind, flags, ..] = self.head;
        self.len = 0;
        self.payload = u32::from_be_bytes([0, a, b, c]);
        self.is_data = kind == DATA;
        if matches!(kind, HEADERS | CONTINUATION) {
            self.is_open = flags & END_HEADERS == 0;
        }
    }
}

/// Takes from `lacking` what is there of it; gives how much that was.
fn shorten(lacking: &mut u8, here: usize) -> u8 {
    let taken = u8::try_from(here).unwrap_or(u8::MAX).min(*lacking);
    *lacking -= taken;
    taken
}

const PREFACE: u8 = 24;
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: usize) -> Vec<u8> {
        let [.., a, b, c] = u32::try_from(payload).unwrap().to_be_bytes();
        [&[a, b, c, kind, flags, 0, 0, 0, 1][..], &vec![0x5a; payload]].concat()
    }

    #[test]
    fn only_what_is_whole_is_owed_nothing_of_in_any_split() {
        let begun = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(4, 0, 6),
            frame(HEADERS, 0, 100),
            frame(CONTINUATION, 0, 0),
            frame(CONTINUATION, END_HEADERS, 300),
            frame(DATA, 0, 70_000),
            frame(HEADERS, END_HEADERS | 1, 1),
        ];
        // What is owed after each byte: within everything but the payload of DATA, and between the three frames of a head.
        let mut wanted = Vec::new();
        for (n, part) in begun.iter().enumerate() {
            let is_data = n == 5;
            let is_open = n == 2 || n == 3;
            wanted.extend((1..=part.len()).map(|at| match at == part.len() {
                true => is_open,
                false => !is_data || at < HEAD,
            }));
        }
        let bytes = begun.concat();
        let mut one = Frames::new();
        assert!(one.is_half(), "the preface is owed from the start");
        for (at, byte) in bytes.iter().enumerate() {
            one.take(&[*byte]);
            assert_eq!(one.is_half(), wanted[at], "after byte {at}");
        }
        for step in [2, 3, 7, 9, 10, 24, 25, 1000, bytes.len()] {
            let (mut frames, mut at) = (Frames::new(), 0);
            for piece in bytes.chunks(step) {
                frames.take(piece);
                at += piece.len();
                assert_eq!(frames.is_half(), wanted[at - 1], "pieces of {step}, after {at}");
            }
        }
    }
}
