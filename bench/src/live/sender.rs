//! A sender of CMAF over HTTP (DASH-IF Live Media Ingest, interface 1): one connection for each track, written by one
//! thread at the pace of the clock. It notes when the last byte of each part left.

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Piece, Reel};

/// What is sent, and where to.
#[derive(Debug, Clone)]
pub struct Sender {
    /// The origin.
    pub address: SocketAddr,
    /// What stands before the name of a track: `/t/TOKEN/ingest/STREAM`.
    pub folder: String,
    /// The tracks by name.
    pub tracks: Vec<(String, Arc<Reel>)>,
    /// When what is sent.
    pub pacing: Pacing,
    /// In which requests.
    pub form: Form,
}

/// How a track is put into requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One that lasts as long as the show.
    Long,
    /// A manifest, and one for the header and for each segment of a track, which grows part by part.
    Objects,
}

/// How far a sender is behind the clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pacing {
    /// How many segments of the past are sent at once when it begins.
    pub past: u64,
    /// How long after its last sample a part is sent.
    pub delay: Duration,
    /// What passes between two parts of the past.
    pub rush: Duration,
}

/// Which part of which track.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Place {
    /// Its place in [`Sender::tracks`].
    pub track: usize,
    /// The segment.
    pub msn: u64,
    /// The part of it.
    pub part: u64,
}

/// A part that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Sent {
    /// Which one.
    pub place: Place,
    /// Just before its last kilobyte was handed to the system.
    pub at: Instant,
}

/// A sender that runs until it is stopped.
#[derive(Debug)]
pub struct Sending {
    thread: Mutex<Option<JoinHandle<std::io::Result<()>>>>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    caught_up: AtomicBool,
    sent: Mutex<Vec<Sent>>,
}

impl Place {
    /// The part after it.
    pub fn next(self, reel: &Reel) -> Self {
        match self.part + 1 < reel.parts(self.msn) {
            true => Self { part: self.part + 1, ..self },
            false => Self { msn: self.msn + 1, part: 0, ..self },
        }
    }
}

impl Sender {
    /// Begins to send.
    ///
    /// # Errors
    /// Those of the system.
    pub fn start(self) -> Result<Sending, Box<dyn Error>> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("sender".to_owned()).spawn(move || self.run(&own))?;
        Ok(Sending { thread: Mutex::new(Some(thread)), shared })
    }

    fn run(self, shared: &Shared) -> std::io::Result<()> {
        let mut uploads = self.uploads()?;
        let first = (unix_time() - self.pacing.delay).as_secs() / SEGMENT - self.pacing.past;
        let make = |at: Place| (at, self.tracks[at.track].1.piece(at.msn, at.part));
        let mut coming: Vec<(Place, Piece)> =
            (0..self.tracks.len()).map(|track| make(Place { track, msn: first, part: 0 })).collect();
        while !shared.stop.load(Ordering::Relaxed) {
            // The tracks of a stream are sent together, in their order.
            let Some(first) = coming.iter_mut().min_by_key(|(_, piece)| piece.end) else { break };
            let (place, piece) = (first.0, &first.1);
            let (name, reel) = &self.tracks[place.track];
            let upload = &mut uploads[place.track];
            if self.form == Form::Objects && place.part == 0 {
                upload.begin(&format!("{}/{name}/{}.m4s", self.folder, place.msn))?;
            }
            match (piece.end + self.pacing.delay).checked_sub(unix_time()) {
                None if shared.caught_up.load(Ordering::Relaxed) => {}
                None if self.pacing.rush.is_zero() => {}
                None => std::thread::sleep(self.pacing.rush),
                Some(early) => {
                    shared.caught_up.store(true, Ordering::Relaxed);
                    std::thread::sleep(early);
                }
            }
            let pieces: Vec<&[u8]> = piece.bytes.iter().map(|bytes| &bytes[..]).collect();
            let at = upload.send(&pieces)?;
            shared.sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent { place, at });
            let next = place.next(reel);
            if self.form == Form::Objects && next.part == 0 {
                upload.end()?;
            }
            *first = make(next);
        }
        match self.form {
            Form::Long => uploads.iter_mut().try_for_each(Upload::end),
            Form::Objects => Ok(()),
        }
    }

    /// A connection for each track, its header sent.
    fn uploads(&self) -> std::io::Result<Vec<Upload>> {
        let mut uploads = Vec::new();
        for (name, _) in &self.tracks {
            let mut upload = Upload::open(self.address)?;
            match self.form {
                Form::Long => upload.begin(&format!("{}/{name}", self.folder))?,
                Form::Objects if uploads.is_empty() => {
                    upload.put(&format!("{}/manifest.mpd", self.folder), self.manifest().as_bytes())?;
                }
                Form::Objects => {}
            }
            uploads.push(upload);
        }
        for (upload, (name, reel)) in uploads.iter_mut().zip(&self.tracks) {
            let header = reel.header().init();
            match self.form {
                Form::Long => drop(upload.send(&[&header])?),
                Form::Objects => upload.put(&format!("{}/{name}/init.mp4", self.folder), &header)?,
            }
        }
        Ok(uploads)
    }

    /// As much of a manifest (ISO/IEC 23009-1 §5.3) as names the objects.
    fn manifest(&self) -> String {
        let set = |(name, reel): &(String, Arc<Reel>)| {
            let codec = &reel.header().decoding().codec;
            let kind = if reel.header().kind().is_video() { "video" } else { "audio" };
            format!(
                r#"<AdaptationSet mimeType="{kind}/mp4" segmentAlignment="true"><SegmentTemplate timescale="1"
duration="{SEGMENT}" startNumber="0" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/$Number$.m4s"/>
<Representation id="{name}" codecs="{codec}" bandwidth="1000000"/></AdaptationSet>"#
            )
        };
        let sets: String = self.tracks.iter().map(set).collect();
        format!(
            r#"<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="dynamic" profiles="urn:mpeg:dash:profile:isoff-live:2011"
availabilityStartTime="1970-01-01T00:00:00Z" minBufferTime="PT2S"><Period id="0" start="PT0S">{sets}</Period></MPD>"#
        )
    }
}

impl Sending {
    /// Whether what was due when it began has been sent.
    pub fn has_caught_up(&self) -> bool {
        self.shared.caught_up.load(Ordering::Relaxed)
    }

    /// Whether it has ended, which before its time is a fault.
    pub fn has_ended(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// The newest part of a track.
    pub fn last(&self, track: usize) -> Option<Sent> {
        let sent = self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner);
        sent.iter().rev().find(|sent| sent.place.track == track).copied()
    }

    /// Stops; gives all that was sent.
    ///
    /// # Errors
    /// What went wrong on the way.
    pub fn stop(&self) -> Result<Vec<Sent>, Box<dyn Error>> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        thread.map_or(Ok(Ok(())), JoinHandle::join).map_err(|_| "the sender panicked")??;
        Ok(std::mem::take(&mut self.shared.sent.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// A connection whose requests have bodies in the chunked coding (RFC 9112 §7.1).
struct Upload(TcpStream);

impl Upload {
    fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    fn begin(&mut self, path: &str) -> std::io::Result<()> {
        let head = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.0.write_all(head.as_bytes())
    }

    /// Sends one chunk; gives when its end was sent. That is a write of its own, since the system may take a while
    /// for all before it.
    fn send(&mut self, pieces: &[&[u8]]) -> std::io::Result<Instant> {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        let mut chunk = format!("{len:x}\r\n").into_bytes();
        pieces.iter().for_each(|piece| chunk.extend_from_slice(piece));
        chunk.extend_from_slice(b"\r\n");
        let (before, last) = chunk.split_at(chunk.len().saturating_sub(LAST));
        self.0.write_all(before)?;
        let at = Instant::now();
        self.0.write_all(last)?;
        Ok(at)
    }

    /// A whole request.
    fn put(&mut self, path: &str, body: &[u8]) -> std::io::Result<()> {
        self.begin(path)?;
        self.send(&[body])?;
        self.end()
    }

    /// Ends the body and reads the answer.
    fn end(&mut self) -> std::io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            let read = self.0.read(&mut buffer)?;
            answer.extend_from_slice(&buffer[..read]);
            match super::connection::head(&answer) {
                Some((head, 200, length)) if answer.len() >= head + length.unwrap_or(0) => return Ok(()),
                Some((_, 200, _)) if read > 0 => {}
                None if read > 0 => {}
                _ => return Err(std::io::Error::other(String::from_utf8_lossy(&answer).into_owned())),
            }
        }
    }
}

fn unix_time() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Seconds of a segment, as [`cadence`](super::cadence) has them.
const SEGMENT: u64 = 2;
const LAST: usize = 1024;
/// Between two parts of the past: no receiver expects hundreds at once.
pub const RUSH: Duration = Duration::from_millis(4);
