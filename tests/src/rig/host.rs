//! A small HTTP/1.1 server of the rig's own: it hands pages to browsers, canned playlists to readers, and listens to
//! senders where no forebay is wanted.

use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A request, read to its end.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The first and the last byte that are asked for, where it is a part.
    pub range: Option<(usize, usize)>,
    /// The body, without its transfer coding; what came of it when the connection broke.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub is_whole: bool,
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// The media type.
    pub kind: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// One more field of the head.
    pub field: Option<(&'static str, String)>,
}

impl Reply {
    /// 200 with this body.
    #[must_use]
    pub fn of(kind: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, kind, body: body.into(), field: None }
    }

    /// `whole`, or the part of it that is asked for.
    #[must_use]
    pub fn file(asked: &Asked, whole: &[u8]) -> Self {
        let Some((first, last)) = asked.range else { return Self::of("application/octet-stream", whole) };
        let last = last.min(whole.len().saturating_sub(1));
        let Some(part) = whole.get(first..=last) else { return Self::status(416) };
        let range = format!("bytes {first}-{last}/{}", whole.len());
        let part = Self::of("application/octet-stream", part);
        Self { status: 206, field: Some(("Content-Range", range)), ..part }
    }

    /// Another place.
    #[must_use]
    pub fn redirect(to: &str) -> Self {
        Self { field: Some(("Location", to.to_owned())), ..Self::status(302) }
    }

    /// This status, and no body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self { status, kind: "text/plain", body: Vec::new(), field: None }
    }

    /// 404.
    #[must_use]
    pub fn nothing() -> Self {
        Self::status(404)
    }
}

/// A server on a free port of the loopback; it ends when dropped.
pub struct Host {
    address: SocketAddr,
    closed: Arc<AtomicBool>,
    door: Option<JoinHandle<()>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Host {
    /// Answers every request by `answer`.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let closed = Arc::new(AtomicBool::new(false));
        let (answer, is_closed) = (Arc::new(answer), Arc::clone(&closed));
        let door = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if is_closed.load(Ordering::Relaxed) {
                    return;
                }
                let answer = Arc::clone(&answer);
                // A connection's thread ends with its client.
                thread::spawn(move || serve(&stream, &*answer));
            }
        });
        Self { address, closed, door: Some(door) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path`.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closed.store(true, Ordering::Relaxed);
        // Wakes the one that waits for connections.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        if let Some(door) = self.door.take() {
            let _ = door.join();
        }
    }
}

fn serve(stream: &TcpStream, answer: &impl Fn(&Asked) -> Reply) {
    let _ = stream.set_nodelay(true);
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let reply = answer(&asked);
        let field = reply.field.map_or(String::new(), |(name, value)| format!("{name}: {value}\r\n"));
        let head = format!(
            "HTTP/1.1 {} -\r\nContent-Type: {}\r\nContent-Length: {}\r\nAccess-Control-Allow-Origin: *\r\n\
             Cache-Control: no-store\r\n{field}\r\n",
            reply.status,
            reply.kind,
            reply.body.len()
        );
        let mut writer = stream;
        let sent = writer.write_all(head.as_bytes()).and_then(|()| writer.write_all(&reply.body));
        if sent.is_err() || !asked.is_whole {
            return;
        }
    }
}

fn read(reader: &mut impl BufRead) -> Option<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let (mut length, mut is_chunked, mut range) = (0, false, None);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(':').map(|(name, value)| (name, value.trim())) {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("range", value)) => {
                let (first, last) = value.strip_prefix("bytes=")?.split_once('-')?;
                range = Some((first.parse().ok()?, last.parse().unwrap_or(usize::MAX)));
            }
            Some(("transfer-encoding", value)) => is_chunked = value == "chunked",
            Some(_) => {}
            None => break,
        }
    }
    let mut body = Vec::new();
    let is_whole = if is_chunked {
        chunks(reader, &mut body).is_some()
    } else {
        reader.take(length).read_to_end(&mut body).is_ok_and(|read| read as u64 == length)
    };
    Some(Asked { method, target, range, body, is_whole })
}

/// Reads a chunked body to its end; `None` when it breaks off.
fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> Option<()> {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        let size = usize::from_str_radix(line.trim_end(), 16).ok()?;
        let start = body.len();
        body.resize(start + size, 0);
        reader.read_exact(&mut body[start..]).ok()?;
        reader.read_exact(&mut [0; 2]).ok()?;
        if size == 0 {
            return Some(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rig::client;

    #[test]
    fn it_answers_what_it_is_told_to() {
        let host = Host::start(|asked| match asked.target.as_str() {
            "/a?b=1" => Reply::of("text/plain", asked.method.as_str()),
            _ => Reply::nothing(),
        });
        let answer = client::get(host.address(), "/a?b=1").is(200);
        assert_eq!((answer.header("content-type"), answer.text().as_str()), ("text/plain", "GET"));
        let _ = client::get(host.address(), "/b").is(404);
    }
}
