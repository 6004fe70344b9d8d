//! A client that sends exactly the bytes it is told, for requests that no library would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// What came back for raw bytes.
#[derive(Debug)]
pub struct RawAnswer {
    /// Everything received, head and body.
    pub bytes: Vec<u8>,
    /// How long it took from the last byte sent to the end of the answer.
    pub took: Duration,
}

impl RawAnswer {
    /// The status code; 0 when the connection was closed without an answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        let head = String::from_utf8_lossy(&self.bytes);
        head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The header lines, lower case.
    #[must_use]
    pub fn head(&self) -> String {
        let end = find(&self.bytes, b"\r\n\r\n").unwrap_or(self.bytes.len());
        String::from_utf8_lossy(&self.bytes[..end]).to_ascii_lowercase()
    }

    /// What follows the head.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        find(&self.bytes, b"\r\n\r\n").map_or(&[], |end| &self.bytes[end + 4..])
    }
}

/// Sends `request` as it is, then reads one answer: to the end its head declares, or until the connection closes.
/// A peer that closes while we still send is no fault.
///
/// # Panics
/// When no whole answer came within `limit`.
#[must_use]
pub fn exchange(to: SocketAddr, request: &[u8], limit: Duration) -> RawAnswer {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_nodelay(true).unwrap();
    // A peer that refuses early resets the connection under what we still send; its answer is read all the same.
    let _ = stream.write_all(request);
    receive(&mut stream, limit)
}

/// Reads one answer from a stream that something was sent on.
///
/// # Panics
/// When no whole answer came within `limit`.
#[must_use]
pub fn receive(stream: &mut TcpStream, limit: Duration) -> RawAnswer {
    let start = Instant::now();
    let mut bytes = Vec::new();
    let mut chunk = [0; 64 * 1024];
    while !is_whole(&bytes) {
        let left = limit.checked_sub(start.elapsed()).filter(|left| !left.is_zero());
        let left = left.unwrap_or_else(|| panic!("no whole answer after {limit:?}: {:?}", shown(&bytes)));
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => bytes.extend_from_slice(&chunk[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(error) => panic!("{error}"),
        }
    }
    RawAnswer { bytes, took: start.elapsed() }
}

/// Whether `bytes` hold a head and the body it declares (by Content-Length or chunks; others end with the connection).
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let body = &bytes[end + 4..];
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with(b"0\r\n\r\n");
    }
    match head.split("\r\ncontent-length:").nth(1).and_then(|rest| rest.split("\r\n").next()) {
        Some(length) => body.len() >= length.trim().parse().unwrap(),
        None => head.starts_with("http/1.1 304") || head.starts_with("http/1.1 204"),
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).into_owned()
}
