//! A viewer's keep-alive connection. There may be thousands, so none has a buffer of its own: all read into one, and
//! keep only what came of an answer that is not whole.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Read as _, Result};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Poll, ready};
use std::time::Instant;

use flate2::read::GzDecoder;
use tokio::io::{AsyncRead as _, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;

/// A connection that is open.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What stands before each path.
    prefix: String,
    coding: Coding,
}

/// Which coding of a body is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// None.
    Identity,
    /// What browsers ask for.
    Gzip,
}

/// An answer.
#[derive(Debug)]
pub struct Received {
    /// When its first byte was here.
    pub first: Instant,
    /// The status.
    pub status: u16,
    /// The length of the body.
    pub length: usize,
    /// The length of the head.
    pub head: usize,
    /// The head, and the body where it was to be kept or came along.
    pub bytes: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; 256 * 1024]);
}

impl Received {
    /// The body, which was kept and may be compressed.
    ///
    /// # Errors
    /// A body that is neither.
    pub fn text(&self) -> Result<String> {
        let (body, mut text) = (&self.bytes[self.head..], String::new());
        match body.starts_with(&[0x1f, 0x8b]) {
            true => GzDecoder::new(body).read_to_string(&mut text)?,
            false => { body }.read_to_string(&mut text)?,
        };
        Ok(text)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn open(address: SocketAddr, prefix: String, coding: Coding) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, prefix, coding })
    }

    /// Asks for a path.
    ///
    /// # Errors
    /// Those of the system.
    pub async fn ask(&mut self, path: &str) -> Result<()> {
        let coding = match self.coding {
            Coding::Identity => "",
            Coding::Gzip => "Accept-Encoding: gzip\r\n",
        };
        let prefix = &self.prefix;
        let head = format!("GET {prefix}{path} HTTP/1.1\r\nHost: bench\r\nAccept: */*\r\n{coding}\r\n");
        self.stream.write_all(head.as_bytes()).await
    }

    /// Waits for the answer and reads all of it; keeps its body where `keep` says so.
    ///
    /// # Errors
    /// An answer that is cut short, that does not tell its length, or that more follows.
    pub async fn answer(&mut self, keep: bool) -> Result<Received> {
        let (mut first, mut bytes) = (None, Vec::new());
        let (head, status, length) = loop {
            let at = self.read(|read| bytes.extend_from_slice(read)).await?;
            first.get_or_insert(at);
            if let Some(head) = head(&bytes) {
                break head;
            }
        };
        let length = length.ok_or_else(|| Error::other("an answer that does not tell its length"))?;
        let mut left = (head + length).checked_sub(bytes.len());
        while let Some(1..) = left {
            let take = |read: &[u8]| {
                left = left.and_then(|left| left.checked_sub(read.len()));
                if keep {
                    bytes.extend_from_slice(read);
                }
            };
            self.read(take).await?;
        }
        left.ok_or_else(|| Error::other("more than one answer"))?;
        Ok(Received { first: first.unwrap_or_else(Instant::now), status, length, head, bytes })
    }

    /// Reads what is there, or comes first; gives when.
    async fn read(&mut self, take: impl FnOnce(&[u8])) -> Result<Instant> {
        let mut take = Some(take);
        let at = poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer))?;
                let at = Instant::now();
                if let Some(take) = take.take().filter(|_| !buffer.filled().is_empty()) {
                    take(buffer.filled());
                    return Poll::Ready(Ok(at));
                }
                Poll::Ready(Err(Error::new(ErrorKind::UnexpectedEof, "no answer")))
            })
        });
        at.await
    }
}

/// The length of a whole head, its status, and the length that it announces.
pub(super) fn head(bytes: &[u8]) -> Option<(usize, u16, Option<usize>)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let status = text.split(' ').nth(1)?.parse().ok()?;
    let lengths = text.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lengths.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    Some((end, status, lengths.next().and_then(|(_, length)| length.trim().parse().ok())))
}
