//! What a peer can do wrong.

/// A fault of the peer: it does not speak the protocol, or asks for more than it may have. The connection ends with it.
/// The text says what was expected, then what was found, and nothing that the peer could have hidden in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The first byte was not the version.
    #[error("expected rtmp version 3, found {found}{}", guess(*.found))]
    Version {
        /// The byte.
        found: u8,
    },
    /// A chunk that does not fit to what came before it.
    #[error("chunk stream {stream}: expected {expected}, found a header of type {found}")]
    Header {
        /// Which chunk stream.
        stream: u32,
        /// What could have come.
        expected: &'static str,
        /// The header's type, 0 to 3.
        found: u8,
    },
    /// More chunk streams than a connection may have.
    #[error("expected at most {limit} chunk streams, found one more")]
    ChunkStreams {
        /// How many it may have.
        limit: usize,
    },
    /// A chunk size that cannot be.
    #[error("expected a chunk size of 1 to 2147483647, found {found}")]
    ChunkSize {
        /// What was announced.
        found: u32,
    },
    /// A message longer than its kind may be at this point.
    #[error("message of type {kind}: expected at most {limit} bytes, found {length} announced")]
    Length {
        /// The message type.
        kind: u8,
        /// What was announced.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// Begun messages that add up to more than a connection may hold.
    #[error("expected at most {limit} bytes in unfinished messages, found more")]
    Unfinished {
        /// What is allowed.
        limit: usize,
    },
    /// A control message or a command that cannot be read.
    #[error("{what}: expected {expected}")]
    Message {
        /// Which.
        what: &'static str,
        /// What it lacks.
        expected: &'static str,
    },
    /// Something asked for that a publisher has no use for, or at the wrong time.
    #[error("expected {expected}, found {found}")]
    Unfit {
        /// What could have come.
        expected: &'static str,
        /// What came.
        found: &'static str,
    },
}

/// What else begins with this byte.
fn guess(byte: u8) -> &'static str {
    match byte {
        6 | 8 => ", which is encrypted rtmp",
        0x16 => ", which is TLS",
        b'A'..=b'Z' => ", which is perhaps http",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_speaks_something_else_is_told_what_it_looks_like() {
        assert_eq!(
            Fault::Version { found: 0x16 }.to_string(),
            "expected rtmp version 3, found 22, which is TLS"
        );
        assert_eq!(Fault::Version { found: 0 }.to_string(), "expected rtmp version 3, found 0");
    }
}
