//! Finding what must be known of an MP4 object with few and small reads.
//!
//! ```text
//!            header of a box at `at`
//!   Scan ──────────────┬────────────────▶ moov: keep its bytes, read tracks ──▶ Scan behind it
//!    ▲                 ├────────────────▶ moof: read its samples ────────────▶ Scan behind it
//!    └── skip ◀────────┴────────────────  anything else
//!   end of the object, or of what is needed ──▶ Found
//! ```

use bytes::{Bytes, BytesMut};

use super::boxes::{BoxView, Header, Parsed, malformed, may_start_a_file, name};
use super::fragment::{self, Fragment};
use super::moov::Moov;
use super::{Anomalies, Movie};
use crate::Error;
use crate::range::ByteRange;

/// How much is asked for where only a header is needed: small `moov` and most `moof` boxes come along.
const LOOK_AHEAD: u64 = 64 * 1024;
/// The largest `moov` that is read: a day of video and audio has one of about 40 MB.
const MAX_MOOV: u64 = 128 * 1024 * 1024;
/// The largest `moof`: three hours of video and audio in a single fragment. Its entries grow tenfold when they are
/// decoded.
const MAX_MOOF: u64 = 16 * 1024 * 1024;

/// Reads the structure of one object.
///
/// ```
/// # use forebay_packager::{mp4::{Finder, Step}, Error};
/// # fn read(object: &[u8]) -> Result<forebay_packager::mp4::Movie, Error> {
/// let mut finder = Finder::new(object.len() as u64);
/// loop {
///     match finder.step()? {
///         Step::Need(range) => {
///             let bytes = &object[range.start() as usize..range.end() as usize];
///             finder.feed(range.start(), bytes::Bytes::copy_from_slice(bytes));
///         }
///         Step::Found(movie) => return Ok(movie),
///     }
/// }
/// # }
/// # assert!(read(b"no MP4 file").is_err());
/// ```
#[derive(Debug)]
pub struct Finder {
    size: u64,
    /// The object is one segment behind its init segment: see [`Self::of_segment`].
    is_segment: bool,
    at: u64,
    window: Window,
    moov: Option<Moov>,
    fragments: u64,
    anomalies: Anomalies,
    asked: Option<ByteRange>,
}

/// What a [`Finder`] wants next.
#[derive(Debug)]
pub enum Step {
    /// These bytes of the object. Feed them from the range's start on; fewer than asked are taken too.
    Need(ByteRange),
    /// Nothing more: this is what the file holds.
    Found(Movie),
}

impl std::fmt::Debug for Moov {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Moov").field("tracks", &self.tracks.len()).finish_non_exhaustive()
    }
}

impl Finder {
    /// For an object of `size` bytes.
    pub fn new(size: u64) -> Self {
        let window = Window { start: 0, bytes: Bytes::new() };
        Self {
            size,
            is_segment: false,
            at: 0,
            window,
            moov: None,
            fragments: 0,
            anomalies: Anomalies::default(),
            asked: None,
        }
    }

    /// For a media segment that was put behind its init segment, `size` bytes together. Nothing may be missing of it,
    /// and its fragments must say by themselves when their samples are decoded and where they lie (ISO/IEC 23000-19
    /// §7.3.2.3): what counts from the start of a file that is not there is refused, as are encrypted samples.
    pub fn of_segment(size: u64) -> Self {
        Self { is_segment: true, ..Self::new(size) }
    }

    /// Goes on as far as the bytes fed so far reach.
    ///
    /// # Errors
    /// [`Error::Malformed`] or [`Error::TooLarge`] for a file that breaks the format or our limits,
    /// [`Error::Truncated`] where it ends too early or nothing was fed after a [`Step::Need`],
    /// [`Error::NoTrack`] where it holds nothing that can be served.
    pub fn step(&mut self) -> Result<Step, Error> {
        if let Some(asked) = self.asked.take() {
            return Err(Error::Truncated { needed: asked, size: self.size });
        }
        while self.at < self.size {
            match self.scan()? {
                Some(needed) => {
                    self.asked = Some(needed);
                    return Ok(Step::Need(needed));
                }
                None if self.complete() => break,
                None => {}
            }
        }
        self.finish().map(Step::Found)
    }

    /// Takes the bytes of the object that start at `at`. Feeding none is the end: the next step is an error.
    pub fn feed(&mut self, at: u64, bytes: Bytes) {
        if !bytes.is_empty() {
            self.asked = None;
            self.window.add(at, bytes);
        }
    }

    /// A progressive file is known once its `moov` is.
    fn complete(&self) -> bool {
        self.moov.as_ref().is_some_and(|moov| !moov.fragmented)
    }

    /// Looks at the box at `at`; returns what is missing for that.
    fn scan(&mut self) -> Result<Option<ByteRange>, Error> {
        let header = match Header::parse(self.window.from(self.at)) {
            Parsed::Header(header) => header,
            Parsed::Undersized(size) => {
                return Err(malformed(
                    "file",
                    self.at,
                    &format!("expected a box size of at least 8, found {size}"),
                ));
            }
            Parsed::Short(len) => return self.want(len as u64, LOOK_AHEAD),
        };
        if self.at == 0 && !may_start_a_file(&header.kind) {
            let found = name(&header.kind);
            return Err(malformed(
                "file",
                0,
                &format!("expected an MP4 file, found bytes that start with {found:?}"),
            ));
        }
        let size = header.size.unwrap_or(self.size - self.at);
        let range = ByteRange::at(self.at, size);
        match &header.kind {
            b"moov" | b"moof" => self.read(&header, range),
            _ => {
                if range.end() > self.size && !self.cut_short(range)? {
                    return Ok(None);
                }
                self.at = range.end();
                Ok(None)
            }
        }
    }

    /// Reads the `moov` or `moof` at `range`, once all of it is there.
    fn read(&mut self, header: &Header, range: ByteRange) -> Result<Option<ByteRange>, Error> {
        if range.end() > self.size {
            self.cut_short(range)?;
            return Ok(None);
        }
        let (path, limit) = match &header.kind {
            b"moof" => ("moof", MAX_MOOF),
            _ => ("moov", MAX_MOOV),
        };
        if range.len() > limit {
            return Err(Error::TooLarge { path, limit, unit: "bytes", found: range.len() });
        }
        if (self.window.from(self.at).len() as u64) < range.len() {
            return self.want(range.len(), range.len());
        }
        let whole = self.window.take(range);
        let body = usize::try_from(header.head).ok().and_then(|head| whole.get(head..)).unwrap_or_default();
        let view = BoxView { kind: header.kind, body, offset: self.at, path: "file" };
        match (&header.kind, &mut self.moov) {
            (b"moov", Some(_)) => {
                self.anomalies.note(format!("a second moov at byte {} was left out", self.at))
            }
            (b"moov", None) => self.moov = Some(Moov::read(&view, self.size, &mut self.anomalies)?),
            (_, None) => self.anomalies.note(format!("a moof before moov at byte {} was left out", self.at)),
            (_, Some(moov)) => match fragment::read(&view, self.size, self.is_segment, moov)? {
                Fragment::Taken => self.fragments += 1,
                Fragment::Cut(needed) => {
                    self.cut_short(needed)?;
                    return Ok(None);
                }
            },
        }
        self.at = range.end();
        Ok(None)
    }

    /// A box or its media reaches past the end. A fragmented recording that was interrupted is good up to there;
    /// anything else is truncated.
    fn cut_short(&mut self, needed: ByteRange) -> Result<bool, Error> {
        if self.fragments == 0 || self.is_segment {
            return Err(Error::Truncated { needed, size: self.size });
        }
        self.anomalies
            .note(format!("the file ends inside a fragment; {} whole ones are served", self.fragments));
        self.at = self.size;
        Ok(false)
    }

    /// What to ask for so that `len` bytes from `at` on are there; with `ahead`, what comes cheaply along.
    fn want(&mut self, len: u64, ahead: u64) -> Result<Option<ByteRange>, Error> {
        let needed = ByteRange::at(self.at, len);
        if needed.end() > self.size {
            self.cut_short(needed)?;
            return Ok(None);
        }
        let have = self.window.from(self.at).len() as u64;
        let end = ByteRange::at(self.at, len.max(ahead)).end().min(self.size);
        Ok(Some(ByteRange::new(self.at + have, end)))
    }

    fn finish(&mut self) -> Result<Movie, Error> {
        let Some(moov) = self.moov.take() else {
            return Err(malformed("file", self.size, "expected a moov box, found the end of the file"));
        };
        let mut refused = moov.refused;
        let mut tracks = Vec::new();
        for track in moov.tracks {
            let id = track.id();
            match track.finish(&mut self.anomalies) {
                Some(track) => tracks.push(track),
                None => {
                    self.anomalies.note(format!("track {id} left out: it has no sample"));
                    refused.push("a track without samples".to_owned());
                }
            }
        }
        if tracks.is_empty() {
            let found = if refused.is_empty() { "no track".to_owned() } else { refused.join("; ") };
            return Err(Error::NoTrack { found: found.chars().take(300).collect() });
        }
        let anomalies = std::mem::take(&mut self.anomalies).into_vec();
        Ok(Movie { tracks, anomalies })
    }
}

/// The part of the object that is in hand.
#[derive(Debug)]
struct Window {
    start: u64,
    bytes: Bytes,
}

impl Window {
    /// The bytes in hand from `at` on.
    fn from(&self, at: u64) -> &[u8] {
        let skip = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.bytes.get(skip..)).unwrap_or_default()
    }

    /// The bytes of `range`, as far as they are in hand; shares them.
    fn take(&self, range: ByteRange) -> Bytes {
        let skip = range
            .start()
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok())
            .unwrap_or(usize::MAX);
        let end = usize::try_from(range.len()).ok().and_then(|len| skip.checked_add(len));
        match end.filter(|end| *end <= self.bytes.len() && skip <= *end) {
            Some(end) => self.bytes.slice(skip..end),
            None => Bytes::new(),
        }
    }

    /// Appends bytes that go on where the window ends, or starts a new window.
    fn add(&mut self, at: u64, bytes: Bytes) {
        let end = self.start.saturating_add(self.bytes.len() as u64);
        if at == end && !self.bytes.is_empty() {
            // The same box in two reads: they must lie together to be decoded.
            let mut both = BytesMut::from(std::mem::take(&mut self.bytes));
            both.extend_from_slice(&bytes);
            self.bytes = both.freeze();
        } else {
            *self = Self { start: at, bytes };
        }
    }
}
