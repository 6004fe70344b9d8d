//! What a publisher proves itself with.

use std::fmt;

use sha2::{Digest, Sha256};

/// The secret of a stream key: 160 random bits that a creator pastes or types into an encoder.
///
/// ```text
///  fb-8w3k-0q9d-hm5t-2c7x-vz4n-r1jg-6bay-psxe      "fb", then 32 symbols of 5 bits each, most significant bit first
/// ```
///
/// - The symbols are digits and letters without i, l, o and u: none is taken for another when it is read from a screen
///   or over a telephone. Upper case is as good as lower case, o is read as 0, i and l as 1, and hyphens may be missing.
/// - No symbol means anything in a URL (RFC 3986 §2.3), in a shell, in librtmp's `key=value` options or in a
///   configuration file.
/// - The prefix tells people, and tools that look for secrets where none should be, what it is.
///
/// Only its [`Fingerprint`] is ever stored or sent on.
#[derive(Clone)]
pub struct StreamSecret([u8; BYTES]);

/// The SHA-256 of a secret's 20 bytes: what a database knows of it.
///
/// A fast hash is enough: what makes passwords need a slow one is that they can be guessed, and 160 random bits cannot.
/// For the same reason nothing is learnt from how long a look-up by it takes: whoever cannot choose a fingerprint cannot
/// approach one byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl StreamSecret {
    /// The secret of 20 random bytes, which must come from the system's source of randomness.
    pub const fn of(random: [u8; BYTES]) -> Self {
        Self(random)
    }

    /// Reads a secret as a person or an encoder gives it; `None` where it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_ascii();
        if text.len() > LONGEST {
            return None;
        }
        let (prefix, rest) = text.split_at_checked(PREFIX.len())?;
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return None;
        }
        let mut values = rest.bytes().filter(|byte| *byte != b'-').map(value);
        let mut bytes = [0; BYTES];
        for five in bytes.chunks_exact_mut(5) {
            let mut word = 0;
            for _ in 0..8 {
                word = word << 5 | u64::from(values.next()??);
            }
            let [_, _, _, low @ ..] = u64::to_be_bytes(word);
            five.copy_from_slice(&low);
        }
        values.next().is_none().then_some(Self(bytes))
    }

    /// The secret as it is typed. For whoever asked for the key, this once.
    pub fn reveal(&self) -> String {
        let mut text = String::from(PREFIX);
        for five in self.0.chunks_exact(5) {
            let word = five.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            for place in (0..8).rev() {
                if place % 4 == 3 {
                    text.push('-');
                }
                text.push(symbol(word >> (5 * place)));
            }
        }
        text
    }

    /// What is stored of it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.0).into())
    }
}

/// Says nothing of it.
impl fmt::Debug for StreamSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StreamSecret")
    }
}

impl Fingerprint {
    /// Its bytes, for a database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The symbol of the lowest five bits.
fn symbol(word: u64) -> char {
    let [.., low] = word.to_be_bytes();
    #[expect(clippy::indexing_slicing, reason = "five bits are below 32, and there are 32 symbols")]
    char::from(ALPHABET[usize::from(low & 31)])
}

/// The five bits of a symbol, or of what it was taken for.
fn value(symbol: u8) -> Option<u8> {
    let symbol = match symbol.to_ascii_lowercase() {
        b'o' => b'0',
        b'i' | b'l' => b'1',
        other => other,
    };
    let place = ALPHABET.iter().position(|known| *known == symbol)?;
    u8::try_from(place).ok()
}

const PREFIX: &str = "fb";
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BYTES: usize = 20;
/// A secret has 42 characters; this many leave room for however people group them.
const LONGEST: usize = 128;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counting() -> StreamSecret {
        StreamSecret::of(std::array::from_fn(|place| u8::try_from(place).unwrap()))
    }

    fn read(text: &str) -> Option<[u8; BYTES]> {
        StreamSecret::parse(text).map(|secret| secret.0)
    }

    #[test]
    fn a_secret_is_base32_with_symbols_that_are_not_mistaken() {
        // From Python's base64.b32encode, its alphabet translated to this one, and hashlib.sha256.
        assert_eq!(counting().reveal(), COUNTING);
        assert_eq!(StreamSecret::of([255; BYTES]).reveal(), "fb-zzzz-zzzz-zzzz-zzzz-zzzz-zzzz-zzzz-zzzz");
        let fingerprint = counting().fingerprint();
        assert_eq!(fingerprint.as_bytes()[..8], [0xe7, 0xae, 0xbf, 0x57, 0x7f, 0x60, 0x41, 0x2f]);
    }

    #[test]
    fn a_secret_survives_how_people_write_it() {
        let no_hyphens = COUNTING.replace('-', "");
        for text in [
            COUNTING,
            &COUNTING.to_uppercase(),
            &no_hyphens,
            &format!(" {COUNTING}\r\n"),
            &COUNTING.replace('0', "o"),
            &COUNTING.replace('0', "O").replace('1', "I"),
            &COUNTING.replace('1', "l"),
            &COUNTING.replace('-', "--"),
        ] {
            assert_eq!(read(text), Some(counting().0), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_secret_is_none() {
        let long = COUNTING.replace('-', "----------------");
        for text in [
            "",
            "f",
            "fb",
            "fb-",
            "gala",
            &COUNTING[3..],
            &COUNTING[..41],
            &format!("{COUNTING}0"),
            &COUNTING.replace('g', "u"),
            &COUNTING.replace('g', "\u{e4}"),
            &COUNTING.replace('-', " "),
            &format!("{COUNTING}?x=1"),
            "f\u{fc}-000g",
            &long,
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn debugging_output_holds_no_secret() {
        assert_eq!(format!("{:?}", counting()), "StreamSecret");
    }

    proptest! {
        #[test]
        fn a_revealed_secret_reads_back(bytes in any::<[u8; BYTES]>()) {
            let text = StreamSecret::of(bytes).reveal();
            prop_assert_eq!(text.len(), 42);
            prop_assert!(text.bytes().all(|byte| byte == b'-' || byte.is_ascii_digit() || byte.is_ascii_lowercase()));
            prop_assert_eq!(read(&text), Some(bytes));
        }

        #[test]
        fn no_text_panics(text in "(fb)?[-\\PC]{0,60}") {
            let _ = StreamSecret::parse(&text);
        }

        #[test]
        fn one_other_symbol_is_another_secret(bytes in any::<[u8; BYTES]>(), at in 0usize..42, to in 0usize..32) {
            let mut text = StreamSecret::of(bytes).reveal().into_bytes();
            let to = ALPHABET[to];
            prop_assume!(at > 2 && text[at] != b'-' && text[at] != to);
            text[at] = to;
            let other = StreamSecret::parse(std::str::from_utf8(&text).unwrap()).unwrap();
            prop_assert_ne!(other.fingerprint(), StreamSecret::of(bytes).fingerprint());
        }
    }

    const COUNTING: &str = "fb-000g-40r4-0m30-e209-185g-r38e-1w81-24gk";
}
