//! Viewers who know what everything should be: they ask all the time, compare every body byte for byte, and count.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, ETAG, HOST, RETRY_AFTER};
use http::{HeaderMap, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use super::client::{Connection, runtime};
use crate::oracle::hls::Presentation;

/// What a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The path.
    pub path: String,
    /// Its bytes.
    pub body: Bytes,
    /// Its entity tag.
    pub etag: String,
}

/// How they watch.
#[derive(Debug, Clone, Copy)]
pub struct Manner {
    /// How many they are.
    pub viewers: usize,
    /// Bytes a second that each takes; as fast as it goes where it is `None`.
    pub rate: Option<u64>,
    /// What each waits between two questions.
    pub pause: Duration,
}

/// What came of their questions.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers that were whole and right, and their bytes.
    pub right: u64,
    /// See there.
    pub bytes: u64,
    /// Bodies that ended before their `Content-Length`, and those of them that came whole and right when they were asked for once
    /// more.
    pub cut: u64,
    /// See there.
    pub mended: u64,
    /// Other answers, by their status.
    pub refused: BTreeMap<u16, u64>,
    /// Those of them that do not say when to come back.
    pub bare: u64,
    /// Questions without an answer.
    pub unanswered: u64,
    /// Answers that were whole and had other bytes, or another tag.
    pub wrong: Vec<String>,
    /// The longest wait for the head of a right answer, and for that of a refusal.
    pub longest: Duration,
    /// See there.
    pub longest_refusal: Duration,
}

/// Viewers, until they are told that it is enough.
#[derive(Debug)]
pub struct Audience {
    hall: Arc<Hall>,
    viewers: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Hall {
    server: SocketAddr,
    /// What they ask for, in this order, round and round.
    known: Vec<Known>,
    manner: Manner,
    is_enough: AtomicBool,
    tally: Mutex<Tally>,
    /// Bodies under way, by who sends them (`X-Node`).
    under_way: [AtomicUsize; NODES],
}

/// One answer.
enum Got {
    Whole { status: u16, headers: HeaderMap, body: Vec<u8>, waited: Duration },
    Cut,
    Nothing,
}

/// A connection, while it lasts.
type Line = Option<SendRequest<Empty<Bytes>>>;

impl Known {
    /// Everything of a presentation, as a server gives it now.
    ///
    /// # Panics
    /// When an answer is not 200.
    #[must_use]
    pub fn all(server: SocketAddr, entry: &str) -> Vec<Self> {
        let mut connection = Connection::open(server);
        let mut known: Vec<Self> = Vec::new();
        let _seen = Presentation::follow(entry, |path| {
            let answer = connection.request("GET", path, &[]).is(200);
            let etag = answer.header("etag").to_owned();
            assert!(!etag.is_empty(), "{path} has no entity tag");
            let body = answer.body.clone();
            known.push(Self { path: path.to_owned(), body, etag });
            answer.body.to_vec()
        });
        known
    }
}

impl Audience {
    /// Lets them watch.
    #[must_use]
    pub fn of(server: SocketAddr, known: &[Known], manner: Manner) -> Self {
        let hall = Arc::new(Hall {
            server,
            known: known.to_vec(),
            manner,
            is_enough: AtomicBool::new(false),
            tally: Mutex::default(),
            under_way: Default::default(),
        });
        let viewers = (0..manner.viewers).map(|number| {
            let hall = Arc::clone(&hall);
            runtime().spawn(async move { hall.watch(number).await })
        });
        Self { viewers: viewers.collect(), hall }
    }

    /// What came of what they asked since this was last asked.
    ///
    /// # Panics
    /// When one of them did.
    #[must_use]
    pub fn take(&self) -> Tally {
        std::mem::take(&mut *self.hall.tally.lock().unwrap())
    }

    /// How many bodies a node is sending now.
    #[must_use]
    pub fn under_way(&self, node: usize) -> usize {
        self.hall.under_way[node].load(Ordering::SeqCst)
    }

    /// Lets each finish what it is at; gives what came since it was last asked.
    ///
    /// # Panics
    /// When one of them did.
    #[must_use]
    pub fn end(self) -> Tally {
        self.hall.is_enough.store(true, Ordering::SeqCst);
        for viewer in self.viewers {
            runtime().block_on(viewer).unwrap();
        }
        std::mem::take(&mut *self.hall.tally.lock().unwrap())
    }
}

impl Hall {
    async fn watch(&self, number: usize) {
        let mut line = None;
        // Each begins elsewhere.
        let mut at = number * self.known.len() / self.manner.viewers;
        while !self.is_enough.load(Ordering::SeqCst) {
            let known = &self.known[at % self.known.len()];
            at += 1;
            match self.ask(&mut line, &known.path).await {
                Got::Cut => {
                    self.note(|tally| tally.cut += 1);
                    let again = self.ask(&mut line, &known.path).await;
                    let is_right = matches!(&again, Got::Whole { status: 200, .. });
                    self.judge(known, again);
                    self.note(|tally| tally.mended += u64::from(is_right));
                }
                got => self.judge(known, got),
            }
            tokio::time::sleep(self.manner.pause).await;
        }
    }

    fn judge(&self, known: &Known, got: Got) {
        self.note(|tally| match got {
            Got::Whole { status: 200, headers, body, waited } => {
                let tag = headers.get(ETAG).and_then(|tag| tag.to_str().ok()).unwrap_or_default();
                if body != known.body || tag != known.etag {
                    let (is, should) = (body.len(), known.body.len());
                    tally.wrong.push(format!(
                        "{}: {is} bytes under {tag}, not {should} under {}",
                        known.path, known.etag
                    ));
                    return;
                }
                tally.right += 1;
                tally.bytes += body.len() as u64;
                tally.longest = tally.longest.max(waited);
            }
            Got::Whole { status, headers, waited, .. } => {
                *tally.refused.entry(status).or_default() += 1;
                tally.bare += u64::from(!headers.contains_key(RETRY_AFTER));
                tally.longest_refusal = tally.longest_refusal.max(waited);
            }
            // Of the second question; the first was counted.
            Got::Cut => {}
            Got::Nothing => tally.unanswered += 1,
        });
    }

    fn note(&self, what: impl FnOnce(&mut Tally)) {
        what(&mut self.tally.lock().unwrap());
    }

    async fn ask(&self, line: &mut Line, path: &str) -> Got {
        let asked = Instant::now();
        let mut on = match line.take() {
            Some(on) => on,
            None => match self.connect().await {
                Ok(on) => on,
                Err(_) => return Got::Nothing,
            },
        };
        let request = Request::get(path).header(HOST, self.server.to_string()).body(Empty::new()).unwrap();
        let Ok(answer) = on.send_request(request).await else { return Got::Nothing };
        let waited = asked.elapsed();
        let (head, body) = answer.into_parts();
        let node = head
            .headers
            .get("x-node")
            .and_then(|node| node.to_str().ok()?.strip_prefix("node-")?.parse().ok());
        let _counted = Counted::new(&self.under_way[node.unwrap_or(0) % NODES]);
        let Some(body) = self.read(body).await else { return Got::Cut };
        let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if length.is_some_and(|length: usize| length != body.len()) {
            return Got::Cut;
        }
        // A server that wants to go says so, and hyper knows.
        if on.ready().await.is_ok() {
            *line = Some(on);
        }
        Got::Whole { status: head.status.as_u16(), headers: head.headers, body, waited }
    }

    /// All of a body at the viewer's pace; `None` where it breaks off.
    async fn read(&self, mut body: hyper::body::Incoming) -> Option<Vec<u8>> {
        let (mut bytes, began) = (Vec::new(), Instant::now());
        while let Some(frame) = body.frame().await {
            bytes.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
            if let Some(rate) = self.manner.rate {
                let due = Duration::from_micros(bytes.len() as u64 * 1_000_000 / rate);
                tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            }
        }
        Some(bytes)
    }

    async fn connect(&self) -> std::io::Result<SendRequest<Empty<Bytes>>> {
        let socket = TcpSocket::new_v4()?;
        if self.manner.rate.is_some() {
            // The queue of a real link, not the megabytes that loopback would take at once.
            socket.set_recv_buffer_size(64 << 10)?;
        }
        let stream = socket.connect(self.server).await?;
        let (on, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(driver);
        Ok(on)
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Tally {
    /// Checks that nothing but what was asked for came, whole, but for bodies that were cut and mended.
    ///
    /// # Panics
    /// When anything else did.
    #[track_caller]
    pub fn is_clean(&self) {
        assert_eq!(self.wrong, Vec::<String>::new(), "wrong bytes; {self}");
        assert!(self.refused.is_empty() && self.unanswered == 0, "{self}");
        assert_eq!(self.mended, self.cut, "{self}");
    }

    /// As [`Self::is_clean`], but that what cannot be had is refused with 503, which says when to come back.
    ///
    /// # Panics
    /// When anything else came.
    #[track_caller]
    pub fn is_honest(&self) {
        assert_eq!(self.wrong, Vec::<String>::new(), "wrong bytes; {self}");
        assert!(self.refused.keys().all(|status| *status == 503) && self.bare == 0, "{self}");
        assert_eq!(self.unanswered, 0, "{self}");
    }

    /// What it and another count together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.right += other.right;
        self.bytes += other.bytes;
        self.cut += other.cut;
        self.mended += other.mended;
        self.bare += other.bare;
        self.unanswered += other.unanswered;
        other
            .refused
            .into_iter()
            .for_each(|(status, count)| *self.refused.entry(status).or_default() += count);
        self.wrong.extend(other.wrong);
        self.longest = self.longest.max(other.longest);
        self.longest_refusal = self.longest_refusal.max(other.longest_refusal);
        self
    }
}

/// A row of a table: right, bytes, cut, mended, refused, unanswered, wrong, and the longest waits.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused: Vec<_> =
            self.refused.iter().map(|(status, count)| format!("{count} of {status}")).collect();
        let refused = if refused.is_empty() { "none".to_owned() } else { refused.join(", ") };
        write!(
            f,
            "{} right | {:.1} MB | {} cut | {} mended | refused: {refused} | {} unanswered | {} wrong | {:.2} s | {:.2} s",
            self.right,
            self.bytes as f64 / 1e6,
            self.cut,
            self.mended,
            self.unanswered,
            self.wrong.len(),
            self.longest.as_secs_f64(),
            self.longest_refusal.as_secs_f64(),
        )
    }
}

/// The most nodes that are told apart.
const NODES: usize = 8;
