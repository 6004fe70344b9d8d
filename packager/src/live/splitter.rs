//! A stream of CMAF, split into its header and its chunks as it arrives.
//!
//! ```text
//!          a box's header
//! Between ──┬─ moov, moof, styp, prft, emsg ──▶ Whole: wait for all of it, read it ──┐
//!    ▲      ├─ mdat ──────────────────────────▶ Media: wait for all of it ───────────┤
//!    │      └─ any other ─────────────────────▶ Passing: drop it as it comes ────────┤
//!    └───────────────────────────────────────────────────────────────────────────────┘
//! ```

use std::sync::Arc;

use bytes::Bytes;
use mp4_atom::Styp;

use super::event::Announced;
use super::fragment::Fragment;
use super::header::Header;
use super::queue::Queue;
use super::{Capture, Chunk, Event, PATH, Sample};
use crate::Error;
use crate::mp4::{BoxHeader, BoxView, Parsed, malformed, may_start_a_file, name};
use crate::range::ByteRange;
use crate::time::MediaTime;

/// Reads what one sender says of one track: any split of the same bytes gives the same events.
///
/// ```
/// use bytes::Bytes;
/// use forebay_packager::live::{Event, Splitter};
///
/// # fn main() -> Result<(), forebay_packager::Error> {
/// let body = include_bytes!("../../tests/fixtures/live/dash-video.mp4");
/// let mut splitter = Splitter::new();
/// let mut samples = 0;
/// for piece in body.chunks(1400) {
///     splitter.feed(Bytes::copy_from_slice(piece));
///     while let Some(event) = splitter.next()? {
///         match event {
///             Event::Header(header) => assert!(header.kind().is_video()),
///             Event::Chunk(chunk) => samples += chunk.samples.len(),
///         }
///     }
/// }
/// splitter.finish()?;
/// assert_eq!(samples, 75);
/// # Ok(())
/// # }
/// ```
///
/// # Memory
/// Where [`Self::next`] is asked until it wants more after each [`Self::feed`], what is kept between is one box and one
/// piece that was fed: 33 MiB and that piece. What the box may list is bounded too: 4096 samples, 64 events.
#[derive(Debug)]
pub struct Splitter {
    queue: Queue,
    state: State,
    header: Option<Arc<Header>>,
    /// The `moof` whose `mdat` comes next.
    fragment: Option<Fragment>,
    notes: Notes,
    /// After a fault nothing that follows can be trusted.
    fault: Option<Error>,
}

/// What is being read.
#[derive(Debug, Clone, Copy)]
enum State {
    /// The header of a box.
    Between,
    /// A box that is read as a whole, of this many bytes.
    Whole(BoxHeader, usize),
    /// An `mdat`, of this many bytes.
    Media(BoxHeader, usize),
    /// A box that nobody needs, of which so much is still to come.
    Passing(u64),
}

/// What was said for the next chunk.
#[derive(Debug, Default)]
struct Notes {
    slate: bool,
    last: bool,
    events: Vec<Announced>,
    captured: Option<Capture>,
}

impl Default for Splitter {
    fn default() -> Self {
        Self::new()
    }
}

impl Splitter {
    /// For a stream whose header comes before its media.
    pub fn new() -> Self {
        Self {
            queue: Queue::default(),
            state: State::Between,
            header: None,
            fragment: None,
            notes: Notes::default(),
            fault: None,
        }
    }

    /// For a stream of a track whose header is known: another object of it, or what its sender goes on with.
    pub fn resume(header: Arc<Header>) -> Self {
        Self { header: Some(header), ..Self::new() }
    }

    /// Takes the bytes that come next, in pieces of any size. Media is handed on in the memory of `bytes`.
    pub fn feed(&mut self, bytes: Bytes) {
        if self.fault.is_none() {
            self.queue.push(bytes);
        }
    }

    /// What was fed next; `None` where more must be fed to know.
    ///
    /// # Errors
    /// [`Error::Malformed`] for bytes that break the format, [`Error::TooLarge`] for what is beyond the limits,
    /// [`Error::NoTrack`] for a header of what is not served. The same error again each time after.
    // Not an iterator: `None` is not its end.
    #[expect(clippy::should_implement_trait, reason = "it asks for more instead of ending")]
    pub fn next(&mut self) -> Result<Option<Event>, Error> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => self.advance().inspect_err(|fault| {
                self.fault = Some(fault.clone());
                self.queue = Queue::default();
            }),
        }
    }

    /// Whether the stream may end here.
    ///
    /// # Errors
    /// [`Error::Truncated`] inside a box, [`Error::Malformed`] between a `moof` and its `mdat`, or the error that
    /// [`Self::next`] gave.
    pub fn finish(&self) -> Result<(), Error> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let at = self.queue.at();
        let size = at.saturating_add(self.queue.len() as u64);
        let truncated = |len| Err(Error::Truncated { needed: ByteRange::at(at, len), size });
        match (self.state, &self.fragment) {
            (State::Whole(_, len) | State::Media(_, len), _) => truncated(len as u64),
            (State::Passing(left), _) => truncated(left),
            (State::Between, _) if self.queue.len() > 0 => truncated(8),
            (State::Between, Some(fragment)) => Err(fragment.without_media("the end")),
            (State::Between, None) => Ok(()),
        }
    }

    /// The last header that was read, or the one this was made with.
    pub fn header(&self) -> Option<&Arc<Header>> {
        self.header.as_ref()
    }

    fn advance(&mut self) -> Result<Option<Event>, Error> {
        loop {
            match self.state {
                State::Between => match self.open()? {
                    None => return Ok(None),
                    Some(state) => self.state = state,
                },
                State::Passing(left) => match left - self.queue.skip(left) {
                    0 => self.state = State::Between,
                    left => {
                        self.state = State::Passing(left);
                        return Ok(None);
                    }
                },
                State::Whole(_, len) | State::Media(_, len) if self.queue.len() < len => return Ok(None),
                State::Whole(header, len) => {
                    self.state = State::Between;
                    if let Some(header) = self.whole(header, len)? {
                        return Ok(Some(Event::Header(header)));
                    }
                }
                State::Media(header, len) => {
                    self.state = State::Between;
                    if let Some(chunk) = self.media(header, len) {
                        return Ok(Some(Event::Chunk(chunk)));
                    }
                }
            }
        }
    }

    /// Looks at the header of the next box: what is to be done with it?
    fn open(&self) -> Result<Option<State>, Error> {
        let at = self.queue.at();
        let (head, len) = self.queue.peek();
        let header = match BoxHeader::parse(head.get(..len).unwrap_or_default()) {
            Parsed::Header(header) => header,
            Parsed::Short(_) => return Ok(None),
            Parsed::Undersized(size) => {
                return Err(malformed(PATH, at, &format!("expected a box size of at least 8, found {size}")));
            }
        };
        let kind = name(&header.kind);
        if at == 0 && !may_start_a_file(&header.kind) || kind.contains('?') {
            return Err(malformed(PATH, at, &format!("expected a box of CMAF, found {kind:?}")));
        }
        let path = format!("{PATH}/{kind}");
        // It would reach to the end of the file, and a stream has none that could be waited for.
        let size = header.size.ok_or_else(|| malformed(&path, at, "expected a box size, found 0"))?;
        let (limit, what) = limit(&header.kind);
        let within = |size: u64| usize::try_from(size).ok().filter(|_| size <= limit);
        let Some(len) = within(size) else {
            return Err(Error::TooLarge { path: what, limit, unit: "bytes", found: size });
        };
        match &header.kind {
            b"moof" if self.header.is_none() => {
                Err(malformed(&path, at, "expected a moov box before it, found none"))
            }
            b"moov" | b"moof" => match &self.fragment {
                Some(fragment) => Err(fragment.without_media(&kind)),
                None => Ok(Some(State::Whole(header, len))),
            },
            b"styp" | b"prft" | b"emsg" => Ok(Some(State::Whole(header, len))),
            b"mdat" => {
                let fragment = self.fragment.as_ref();
                let none = || malformed(&path, at, "expected a moof box before it, found none");
                let body = ByteRange::new(at.saturating_add(header.head), at.saturating_add(size));
                fragment.ok_or_else(none)?.check(body)?;
                Ok(Some(State::Media(header, len)))
            }
            _ => Ok(Some(State::Passing(size))),
        }
    }

    /// Reads a box that is there as a whole.
    fn whole(&mut self, header: BoxHeader, len: usize) -> Result<Option<Arc<Header>>, Error> {
        let offset = self.queue.at();
        let raw = self.queue.take(len);
        let head = usize::try_from(header.head).unwrap_or(usize::MAX);
        let body = raw.get(head..).unwrap_or_default();
        let view = BoxView { kind: header.kind, body, offset, path: PATH };
        match (&header.kind, &self.header) {
            (b"moov", _) => {
                let header = Arc::new(Header::of_moov(&view)?);
                self.header = Some(Arc::clone(&header));
                return Ok(Some(header));
            }
            (b"moof", Some(header)) => self.fragment = Some(Fragment::read(&view, header)?),
            (b"prft", Some(header)) => self.notes.captured = Capture::read(&view, header)?,
            (b"styp", _) => self.notes.brands(&view.read()?),
            (b"emsg", _) => self.notes.announce(Announced::read(&view, raw.clone())?)?,
            _ => {}
        }
        Ok(None)
    }

    /// Joins the media that is there with what its `moof` listed.
    fn media(&mut self, mdat: BoxHeader, len: usize) -> Option<Chunk> {
        self.queue.skip(mdat.head);
        let body_at = self.queue.at();
        let body = self.queue.rope(len.saturating_sub(usize::try_from(mdat.head).unwrap_or(len)));
        let (fragment, header) = (self.fragment.take()?, self.header.as_ref()?);
        let samples = fragment.fill(body_at, &body, header);
        let earliest = samples.iter().map(Sample::presented).min();
        let notes = &mut self.notes;
        // Events wait for a chunk with a time, which those of version 0 count from.
        let events = earliest.map(|_| std::mem::take(&mut notes.events)).unwrap_or_default();
        let earliest = MediaTime::new(earliest.unwrap_or(0), header.timescale());
        let chunk = Chunk {
            slate: notes.slate,
            last: notes.last,
            events: events.into_iter().map(|event| event.beside(earliest)).collect(),
            captured: notes.captured.take(),
            samples,
        };
        (chunk.last || !chunk.samples.is_empty()).then_some(chunk)
    }
}

impl Notes {
    /// A `styp` holds for the segment that it starts: up to the next one.
    fn brands(&mut self, styp: &Styp) {
        let has = |brand: &[u8; 4]| {
            std::iter::once(&styp.major_brand).chain(&styp.compatible_brands).any(|b| b == &(*brand).into())
        };
        self.slate = has(b"slat");
        self.last = has(b"lmsg");
    }

    fn announce(&mut self, event: Announced) -> Result<(), Error> {
        self.events.push(event);
        match self.events.len() <= MAX_EVENTS {
            true => Ok(()),
            false => Err(Error::TooLarge {
                path: "emsg",
                limit: MAX_EVENTS as u64,
                unit: "events before a chunk",
                found: self.events.len() as u64,
            }),
        }
    }
}

/// The most bytes that a box of this kind may have.
fn limit(kind: &[u8; 4]) -> (u64, &'static str) {
    match kind {
        b"moov" => (1 << 20, "moov"),
        b"moof" => (1 << 20, "moof"),
        b"mdat" => (32 << 20, "mdat"),
        b"emsg" => (64 << 10, "emsg"),
        b"styp" => (4 << 10, "styp"),
        b"prft" => (4 << 10, "prft"),
        // It costs nothing, but a stream that disappears in it for hours is broken.
        _ => (32 << 20, "box that is not read"),
    }
}

/// Events before one chunk.
const MAX_EVENTS: usize = 64;
