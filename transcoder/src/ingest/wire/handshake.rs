//! The handshake (RTMP §5.2), the plain one: what all publishers of today use.
//!
//! ```text
//! peer  C0 version │ C1 time, zero, 1528 bytes │                 │ C2 = S1
//! we                                           │ S0 │ S1 │ S2 = C1 │
//! ```

use bytes::{Buf, BufMut, BytesMut};

use crate::ingest::Fault;

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ingest) enum Handshake {
    /// Nothing yet, or part of C0 and C1.
    Greeting,
    /// C0 and C1 were answered.
    Echo,
    /// The chunks begin.
    Done,
}

impl Handshake {
    /// Reads what is there and appends the answer. The second argument marks S1: it need not be secret, only ours.
    ///
    /// # Errors
    /// [`Fault::Version`], at the first byte.
    pub(in crate::ingest) fn read(
        &mut self,
        input: &mut BytesMut,
        output: &mut BytesMut,
    ) -> Result<(), Fault> {
        if *self == Self::Greeting {
            match input.first() {
                Some(&VERSION) => {}
                Some(&found) => return Err(Fault::Version { found }),
                None => return Ok(()),
            }
            if input.len() <= PACKET {
                return Ok(());
            }
            input.advance(1);
            let theirs = input.split_to(PACKET);
            output.reserve(1 + 2 * PACKET);
            output.put_u8(VERSION);
            output.put_bytes(0, 8);
            output.extend((8..PACKET).map(|at| MARK.get(at % MARK.len()).copied().unwrap_or(0)));
            output.extend_from_slice(&theirs);
            *self = Self::Echo;
        }
        if *self == Self::Echo && input.len() >= PACKET {
            // What is echoed is not compared: some encoders send zeros, and nothing depends on it.
            input.advance(PACKET);
            *self = Self::Done;
        }
        Ok(())
    }
}

const VERSION: u8 = 3;
/// C1, C2, S1 and S2.
const PACKET: usize = 1536;
const MARK: &[u8] = b"forebay ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_for_any_split_of_the_bytes() {
        let mut sent = vec![VERSION];
        sent.extend((0..2 * PACKET).map(|at| u8::try_from(at % 251).unwrap()));
        sent.extend_from_slice(b"and on");
        for size in [1, 7, 1536, 1537, 4096] {
            let (mut handshake, mut input, mut output) =
                (Handshake::Greeting, BytesMut::new(), BytesMut::new());
            for piece in sent.chunks(size) {
                input.extend_from_slice(piece);
                handshake.read(&mut input, &mut output).unwrap();
            }
            assert_eq!((handshake, &input[..]), (Handshake::Done, &b"and on"[..]));
            assert_eq!((output.len(), output[0]), (1 + 2 * PACKET, VERSION));
            assert_eq!(output[1 + PACKET..], sent[1..=PACKET], "S2 is C1");
        }
    }

    #[test]
    fn garbage_ends_at_its_first_byte() {
        for garbage in [&b"GET / HTTP/1.1"[..], b"\x16\x03\x01", b"\0"] {
            let mut handshake = Handshake::Greeting;
            let found = handshake.read(&mut BytesMut::from(garbage), &mut BytesMut::new());
            assert_eq!(found, Err(Fault::Version { found: garbage[0] }));
        }
    }
}
