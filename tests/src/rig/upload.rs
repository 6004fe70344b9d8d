//! One request whose body is written as it comes to be: HTTP/1.1 with chunked transfer coding (RFC 9112 §7.1), over a bare
//! socket, so that a story can break it off, stall it or cut it where it likes.

use std::io::{ErrorKind, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::deadline::PATIENCE;
use super::raw::{self, RawAnswer};

/// A request that was begun. Dropped, it is broken off: the connection ends in the middle of the body.
#[derive(Debug)]
pub struct Upload {
    stream: TcpStream,
    refused: bool,
}

impl Upload {
    /// Connects and sends the head of a request.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn open(to: SocketAddr, method: &str, path: &str) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut upload = Self { stream, refused: false };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: video/mp4\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        upload.write(head.as_bytes());
        upload
    }

    /// Sends bytes of the body as one chunk of the transfer coding. A peer that closed is no fault: it has answered.
    ///
    /// # Panics
    /// When the peer takes nothing for a minute.
    pub fn send(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
        chunk.extend_from_slice(bytes);
        chunk.extend_from_slice(b"\r\n");
        self.write(&chunk);
    }

    /// Sends bytes of the body in chunks of these sizes, taken round and round.
    ///
    /// # Panics
    /// When the sizes are all zero; as [`Upload::send`].
    pub fn dribble(&mut self, mut bytes: &[u8], sizes: &[usize]) {
        assert!(sizes.iter().any(|size| *size > 0), "no size to cut by");
        for size in sizes.iter().cycle() {
            let (now, later) = bytes.split_at((*size).min(bytes.len()));
            self.send(now);
            bytes = later;
            if bytes.is_empty() {
                return;
            }
        }
    }

    /// Whether the peer has answered or closed although the body has not ended.
    ///
    /// # Panics
    /// When the socket cannot be asked.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        self.refused || !matches!(peeked, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }

    /// Ends the body and reads the answer.
    ///
    /// # Panics
    /// When none comes within `limit`.
    #[must_use]
    pub fn finish(mut self, limit: Duration) -> RawAnswer {
        self.write(b"0\r\n\r\n");
        self.answer(limit)
    }

    /// Reads the answer of a peer that does not wait for the end of the body.
    ///
    /// # Panics
    /// When none comes within `limit`.
    #[must_use]
    pub fn answer(mut self, limit: Duration) -> RawAnswer {
        raw::receive(&mut self.stream, limit)
    }

    fn write(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes) {
            Ok(()) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                panic!("the server took nothing for {} s", PATIENCE.as_secs())
            }
            Err(_) => self.refused = true,
        }
    }
}
