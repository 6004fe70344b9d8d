//! The CMAF header of a sender's track (ISO/IEC 23000-19 §7.3.1).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use mp4_atom::{Mvhd, Stsz, Trex};
use sha2::{Digest, Sha256};

use super::PATH;
use crate::Error;
use crate::fmp4::Init;
use crate::mp4::{Anomalies, BoxView, Edit, Head, malformed, walk};
use crate::time::Timescale;
use crate::track::{Decoding, Language, TrackKind};

/// What a track is and how it is decoded, as its sender's `moov` says.
///
/// # Times
/// An edit list is honoured once, here, so that nobody has to think of it again. It delays the start by `delay` (an
/// empty edit) and starts the presentation at the composition time `media_time` (its first other edit):
///
/// ```text
/// presentation time = tfdt + durations before + composition offset + delay - media_time
///
///                     decode time moves by      composition offsets move by
/// sound               delay - media_time        0                 what was before the start is dropped
/// video               delay                     - media_time      the reordering delay is taken out
/// video that starts   delay - media_time        0
/// over a second in
/// ```
///
/// Reordering delays video by a few frames, and its decode times stay as sent. An edit that cuts more than a second
/// off is none of reordering; it moves the decode times, for pictures should be decoded close to when they are
/// presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    kind: TrackKind,
    timescale: Timescale,
    language: Language,
    decoding: Decoding,
    pub(super) track_id: u32,
    pub(super) defaults: Trex,
    pub(super) shift: Shift,
    init: Bytes,
    id: InitId,
}

/// How times of fragments become times of the presentation, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shift {
    /// Added to decode times.
    pub(super) decode: i64,
    /// Added to composition offsets.
    pub(super) offset: i64,
}

impl Header {
    /// Reads a whole header: the bytes of `ftyp` and `moov`, or of a `moov` alone. What follows it is left alone.
    ///
    /// ```
    /// use forebay_packager::live::Header;
    ///
    /// # fn main() -> Result<(), forebay_packager::Error> {
    /// let sent = include_bytes!("../../tests/fixtures/live/dash-video.mp4");
    /// let header = Header::read(sent)?;
    /// assert_eq!(header.decoding().codec, "avc1.64000a");
    /// assert_eq!(header.timescale().ticks_per_second(), 12_800);
    /// // What is served in its place has no edit list, and reads as the same track.
    /// assert_eq!(Header::read(&header.init())?.id(), header.id());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Malformed`] where there is no sound `moov` of a fragmented movie, [`Error::TooLarge`] where it has more
    /// than one track, [`Error::NoTrack`] where we do not serve what it holds, encrypted media among it.
    pub fn read(init: &[u8]) -> Result<Arc<Self>, Error> {
        for part in walk(init, 0, PATH) {
            let part = part?;
            if &part.kind == b"moov" {
                return Self::of_moov(&part).map(Arc::new);
            }
        }
        Err(malformed(PATH, 0, "expected a moov box, found the end"))
    }

    /// Reads the `moov` of a header.
    pub(super) fn of_moov(moov: &BoxView<'_>) -> Result<Self, Error> {
        let mvhd: Mvhd = moov.required("moov", b"mvhd")?.read()?;
        let trak = only_track(moov)?;
        // What is strange in a header is not worth refusing the show.
        let (head, stbl) = match Head::read(&trak, Timescale::new(mvhd.timescale), &mut Anomalies::default())?
        {
            Ok(read) => read,
            Err(refusal) => return Err(Error::NoTrack { found: refusal.chars().take(300).collect() }),
        };
        if let Some(stsz) = stbl.child("moov/trak/mdia/minf/stbl", b"stsz")? {
            let listed = stsz.read::<Stsz>()?.samples;
            let listed = match &listed {
                mp4_atom::StszSamples::Identical { count, .. } => u64::from(*count),
                mp4_atom::StszSamples::Different { sizes } => sizes.len() as u64,
            };
            if listed > 0 {
                return Err(stsz.fault(&format!("expected a header without samples, found {listed}")));
            }
        }
        let defaults = defaults(&moov.required("moov", b"mvex")?, head.id)?;
        let Head { id: track_id, kind, timescale, language, decoding, edit } = head;
        let unfit =
            |e: mp4_atom::Error| moov.fault(&format!("expected a track that can be written, found {e}"));
        let init: Bytes =
            Init { kind, timescale, language, decoding: &decoding, skip: 0 }.write().map_err(unfit)?.into();
        let id = InitId::of(&init);
        let shift = Shift::of(edit, kind, timescale);
        Ok(Self { kind, timescale, language, decoding, track_id, defaults, shift, init, id })
    }

    /// What the track is.
    pub fn kind(&self) -> TrackKind {
        self.kind
    }

    /// Ticks a second of all its times.
    pub fn timescale(&self) -> Timescale {
        self.timescale
    }

    /// ISO 639-2/T code, or `None` where the sender does not know.
    pub fn language(&self) -> Option<&str> {
        (self.language != Language::UNDETERMINED).then_some(self.language.as_str())
    }

    /// How it is decoded.
    pub fn decoding(&self) -> &Decoding {
        &self.decoding
    }

    /// Our own init segment for it. It has no edit list: what the sender's did is part of the samples' times.
    pub fn init(&self) -> Bytes {
        self.init.clone()
    }

    /// The name of [`Self::init`]. Two senders have the same where their sample entries, timescales, languages and
    /// matrices are the same, whatever else their headers hold.
    pub fn id(&self) -> InitId {
        self.id
    }
}

impl Shift {
    fn of(edit: Edit, kind: TrackKind, timescale: Timescale) -> Self {
        let reordering = kind.is_video() && edit.media_time <= i64::from(timescale.ticks_per_second());
        match reordering {
            true => Self { decode: edit.delay, offset: -edit.media_time },
            false => Self { decode: edit.delay.saturating_sub(edit.media_time), offset: 0 },
        }
    }
}

/// The one track of a header.
fn only_track<'a>(moov: &BoxView<'a>) -> Result<BoxView<'a>, Error> {
    let mut found = None;
    let mut count = 0u64;
    for child in moov.children("moov") {
        let child = child?;
        if &child.kind == b"trak" {
            count += 1;
            found.get_or_insert(child);
        }
    }
    match (found, count) {
        (Some(trak), 1) => Ok(trak),
        (Some(_), _) => Err(Error::TooLarge { path: "moov", limit: 1, unit: "track", found: count }),
        (None, _) => Err(Error::NoTrack { found: "no track".to_owned() }),
    }
}

/// What `mvex` says of the samples of track `id` where their fragments do not; zero where it says nothing.
fn defaults(mvex: &BoxView<'_>, id: u32) -> Result<Trex, Error> {
    for child in mvex.children("moov/mvex") {
        let child = child?;
        if &child.kind == b"trex" {
            let trex: Trex = child.read()?;
            if trex.track_id == id {
                return Ok(trex);
            }
        }
    }
    Ok(Trex { track_id: id, ..Trex::default() })
}

/// Which init segment some parts need: the first four bytes of its SHA-256, as eight hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InitId([u8; 4]);

impl InitId {
    /// The id of these bytes.
    pub fn of(init: &[u8]) -> Self {
        let [a, b, c, d, ..]: [u8; 32] = Sha256::digest(init).into();
        Self([a, b, c, d])
    }
}

/// `5f0c9a31`.
impl fmt::Display for InitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl FromStr for InitId {
    type Err = Error;

    /// # Errors
    /// [`Error::Name`] for anything but eight lower-case hexadecimal digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        let digits = text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let number = digits.then(|| u32::from_str_radix(text, 16).ok()).flatten();
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(|| Error::Name {
            expected: "eight lower-case hexadecimal digits",
            found: text.chars().take(32).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shift(video: bool, delay: i64, media_time: i64) -> (i64, i64) {
        let kind = match video {
            true => TrackKind::Video { width: 2, height: 2, pixel_aspect: (1, 1) },
            false => TrackKind::Audio { channels: 2, sample_rate: 48_000 },
        };
        let shift = Shift::of(Edit { delay, media_time }, kind, Timescale::MILLIS);
        (shift.decode, shift.offset)
    }

    #[test]
    fn reordering_moves_offsets_and_priming_moves_decode_times() {
        assert_eq!(shift(true, 0, 80), (0, -80));
        assert_eq!(shift(false, 0, 80), (-80, 0));
        assert_eq!(shift(true, 500, 80), (500, -80));
        assert_eq!(shift(false, 500, 80), (420, 0));
    }

    #[test]
    fn an_edit_that_cuts_pictures_off_moves_their_decode_times() {
        assert_eq!(shift(true, 0, 1000), (0, -1000));
        assert_eq!(shift(true, 0, 1001), (-1001, 0));
        assert_eq!(shift(true, i64::MAX, i64::MAX), (0, 0));
    }

    #[test]
    fn an_id_is_eight_digits_and_reads_back() {
        let id = InitId::of(b"init");
        assert_eq!(id.to_string().len(), 8);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("00000001".parse::<InitId>().unwrap().to_string(), "00000001");
        for wrong in ["", "0000000", "000000000", "0000000A", "+0000001", "0000000é"] {
            assert!(wrong.parse::<InitId>().is_err(), "{wrong}");
        }
    }
}
