//! The small part of CBOR (RFC 8949) that claims are written in, and nothing beside it.
//!
//! Unsigned integers, texts, arrays and maps; definite lengths and shortest heads only (the "core
//! deterministic encoding" of §4.2.1). Since each value has one form, what was read can be printed again to
//! the same bytes, and two readers cannot disagree. General CBOR readers accept longer heads and indefinite
//! lengths by design, so this one is our own.

use crate::Error;

/// The place where something else than expected stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    at: usize,
    expected: &'static str,
}

impl From<Fault> for Error {
    fn from(Fault { at, expected }: Fault) -> Error {
        Error::ClaimsForm { at, expected }
    }
}

const UINT: u8 = 0;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

/// Reads values off the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, at: 0 }
    }

    /// An unsigned integer.
    pub(crate) fn uint(&mut self) -> Result<u64, Fault> {
        self.head(UINT, "an unsigned integer in its shortest form")
    }

    /// A text of at most `longest` bytes.
    pub(crate) fn text(&mut self, longest: usize) -> Result<&'a str, Fault> {
        const EXPECTED: &str = "a short utf-8 text of definite length";
        let fault = self.fault(EXPECTED);
        let length = self.count(TEXT, longest, EXPECTED)?;
        let bytes = self.take(length).ok_or(fault)?;
        std::str::from_utf8(bytes).map_err(|_| fault)
    }

    /// The head of an array of at most `most` items.
    pub(crate) fn array(&mut self, most: usize) -> Result<usize, Fault> {
        self.count(ARRAY, most, "a short array of definite length")
    }

    /// The head of a map of at most `most` pairs.
    pub(crate) fn map(&mut self, most: usize) -> Result<usize, Fault> {
        self.count(MAP, most, "a short map of definite length")
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        match self.rest {
            [] => Ok(()),
            _ => Err(self.fault("the end of the claims")),
        }
    }

    /// The fault that something else than `expected` stands here.
    pub(crate) fn fault(&self, expected: &'static str) -> Fault {
        Fault { at: self.at, expected }
    }

    fn count(&mut self, major: u8, most: usize, expected: &'static str) -> Result<usize, Fault> {
        let fault = self.fault(expected);
        let count = self.head(major, expected)?;
        usize::try_from(count).ok().filter(|count| *count <= most).ok_or(fault)
    }

    /// The argument of a head of this major type (RFC 8949 §3).
    fn head(&mut self, major: u8, expected: &'static str) -> Result<u64, Fault> {
        let fault = self.fault(expected);
        let first = self.take(1).and_then(<[u8]>::first).copied().ok_or(fault)?;
        if first >> 5 != major {
            return Err(fault);
        }
        // Additional information 24 to 27 is followed by 1, 2, 4 or 8 bytes; 28 to 30 are unassigned, 31 is
        // indefinite.
        let (width, smallest) = match first & 31 {
            info @ 0..=23 => return Ok(info.into()),
            24 => (1, 24),
            25 => (2, 1 << 8),
            26 => (4, 1 << 16),
            27 => (8, 1 << 32),
            _ => return Err(fault),
        };
        let bytes = self.take(width).ok_or(fault)?;
        let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        if value < smallest { Err(fault) } else { Ok(value) }
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        self.at = self.at.saturating_add(length);
        Some(taken)
    }
}

/// Appends an unsigned integer.
pub(crate) fn put_uint(out: &mut Vec<u8>, value: u64) {
    put_head(out, UINT, value);
}

/// Appends a text.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, len(text.len()));
    out.extend_from_slice(text.as_bytes());
}

/// Appends the head of an array.
pub(crate) fn put_array(out: &mut Vec<u8>, items: usize) {
    put_head(out, ARRAY, len(items));
}

/// Appends the head of a map.
pub(crate) fn put_map(out: &mut Vec<u8>, pairs: usize) {
    put_head(out, MAP, len(pairs));
}

fn put_head(out: &mut Vec<u8>, major: u8, value: u64) {
    let [.., b3, b2, b1, b0] = value.to_be_bytes();
    let major = major << 5;
    match value {
        0..=23 => out.push(major | b0),
        24..=0xff => out.extend([major | 24, b0]),
        0x100..=0xffff => out.extend([major | 25, b1, b0]),
        0x1_0000..=0xffff_ffff => out.extend([major | 26, b3, b2, b1, b0]),
        _ => {
            out.push(major | 27);
            out.extend(value.to_be_bytes());
        }
    }
}

fn len(length: usize) -> u64 {
    // No target has a usize wider than 64 bits.
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uint(bytes: &[u8]) -> Result<u64, Fault> {
        let mut reader = Reader::new(bytes);
        let value = reader.uint()?;
        reader.finish().map(|()| value)
    }

    /// RFC 8949, Appendix A.
    #[test]
    fn integers_have_the_bytes_of_the_standard() {
        let examples: [(u64, &[u8]); 9] = [
            (0, &[0x00]),
            (23, &[0x17]),
            (24, &[0x18, 0x18]),
            (100, &[0x18, 0x64]),
            (1000, &[0x19, 0x03, 0xe8]),
            (1_000_000, &[0x1a, 0x00, 0x0f, 0x42, 0x40]),
            (1_000_000_000_000, &[0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00]),
            (u64::MAX, &[0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]),
            (0xffff_ffff, &[0x1a, 0xff, 0xff, 0xff, 0xff]),
        ];
        for (value, bytes) in examples {
            let mut out = Vec::new();
            put_uint(&mut out, value);
            assert_eq!(out, bytes);
            assert_eq!(uint(bytes), Ok(value));
        }
    }

    #[test]
    fn what_is_no_integer_in_its_shortest_form_is_refused() {
        let bad: [&[u8]; 15] = [
            &[],
            &[0x18, 0x17],
            &[0x18],
            &[0x19, 0x00, 0xff],
            &[0x1a, 0x00, 0x00, 0xff, 0xff],
            &[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
            &[0x1c],
            &[0x1f],
            &[0x20],
            &[0x61, b'1'],
            &[0xc1, 0x00],
            &[0xf9, 0x7e, 0x00],
            &[0xfb, 0x41, 0xd9, 0x54, 0xfc, 0x40, 0, 0, 0],
            &[0xf6],
            &[0x00, 0x00],
        ];
        for bytes in bad {
            assert!(uint(bytes).is_err(), "{bytes:02x?}");
        }
    }

    #[test]
    fn texts_and_containers_are_bounded_and_definite() {
        assert_eq!(Reader::new(b"\x63abc").text(3), Ok("abc"));
        for bytes in [&b"\x64abcd"[..], b"\x63ab", b"\x7f\x61a\xff", b"\x61\xff", b"\x43abc", b"\x78\x03abc"]
        {
            assert!(Reader::new(bytes).text(3).is_err(), "{bytes:02x?}");
        }
        assert_eq!(Reader::new(&[0x82]).array(2), Ok(2));
        for bytes in [&[0x83][..], &[0x9f], &[0xa1], &[0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]
        {
            assert!(Reader::new(bytes).array(2).is_err(), "{bytes:02x?}");
        }
        assert_eq!(Reader::new(&[0xa2]).map(2), Ok(2));
        assert!(Reader::new(&[0xbf]).map(2).is_err());
    }

    proptest! {
        #[test]
        fn another_reader_sees_the_same_values(number: u64, text in "\\PC{0,40}", count in 0usize..70_000) {
            let mut out = Vec::new();
            put_uint(&mut out, number);
            put_text(&mut out, &text);
            put_array(&mut out, count);
            let mut other = minicbor::Decoder::new(&out);
            prop_assert_eq!(other.u64().unwrap(), number);
            prop_assert_eq!(other.str().unwrap(), &text);
            prop_assert_eq!(other.array().unwrap(), Some(count as u64));
            let mut ours = Reader::new(&out);
            prop_assert_eq!(ours.uint(), Ok(number));
            prop_assert_eq!(ours.text(usize::MAX), Ok(text.as_str()));
            prop_assert_eq!(ours.array(usize::MAX), Ok(count));
            prop_assert_eq!(ours.finish(), Ok(()));
        }
    }
}
