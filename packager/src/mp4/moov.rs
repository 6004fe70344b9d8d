//! The movie box: which tracks there are, what they hold, and how their edit lists place them.

use mp4_atom::{Elst, FixedPoint, Hdlr, Mdhd, Mvhd, Tkhd, Trex};

use super::boxes::BoxView;
use super::entry::{self, Entry};
use super::{Anomalies, stbl};
use crate::Error;
use crate::index::TableBuilder;
use crate::time::{MediaTime, Rounding, Timescale};
use crate::track::{Decoding, Language, Track};

/// Tracks a file may have before it is refused: one reads a table for each.
const MAX_TRACKS: usize = 64;

/// What `moov` says, with the samples it lists; fragments add theirs.
pub(super) struct Moov {
    pub(super) tracks: Vec<OpenTrack>,
    /// Defaults of fragments; empty where the file has none.
    pub(super) trex: Vec<Trex>,
    /// How many samples the file may still list.
    pub(super) budget: Budget,
    /// Whether fragments may follow.
    pub(super) fragmented: bool,
    /// Why tracks were left out, for the error when none is left.
    pub(super) refused: Vec<String>,
}

/// How many samples a file may list, in all its tracks. A few bytes can claim millions of samples that all lie in
/// the same place; no coded picture and no frame of sound is, with its entry in the tables, that small.
#[derive(Debug, Clone, Copy)]
pub(super) struct Budget {
    limit: u64,
    taken: u64,
}

impl Budget {
    fn of(object_size: u64) -> Self {
        Self { limit: object_size / 8 + 4096, taken: 0 }
    }

    /// Takes `count` samples from it.
    pub(super) fn take(&mut self, path: &'static str, count: u64) -> Result<(), Error> {
        self.taken = self.taken.saturating_add(count);
        match self.taken <= self.limit {
            true => Ok(()),
            false => Err(Error::TooLarge {
                path,
                limit: self.limit,
                unit: "samples in a file of this size",
                found: self.taken,
            }),
        }
    }
}

/// A track whose samples are still being gathered.
pub(super) struct OpenTrack {
    pub(super) id: u32,
    entry: Entry,
    timescale: Timescale,
    language: Language,
    matrix: [i32; 9],
    edit: Edit,
    pub(super) samples: TableBuilder,
}

/// What the edit list does to the track's start (ISO/IEC 14496-12 §8.6.6).
#[derive(Debug, Clone, Copy, Default)]
struct Edit {
    /// Ticks of nothing before the media.
    delay: i64,
    /// The composition time at which presentation starts.
    media_time: i64,
}

impl Moov {
    pub(super) fn read(
        moov: &BoxView<'_>,
        object_size: u64,
        anomalies: &mut Anomalies,
    ) -> Result<Self, Error> {
        let mvhd: Mvhd = moov.required("moov", b"mvhd")?.read()?;
        let movie_scale = Timescale::new(mvhd.timescale);
        let budget = Budget::of(object_size);
        let mut found =
            Self { tracks: Vec::new(), trex: Vec::new(), budget, fragmented: false, refused: Vec::new() };
        let mut seen = 0usize;
        for child in moov.children("moov") {
            let child = child?;
            match &child.kind {
                b"trak" => {
                    seen += 1;
                    few_enough(seen)?;
                    match OpenTrack::read(&child, movie_scale, object_size, &mut found.budget, anomalies)? {
                        Ok(track) => found.tracks.push(track),
                        Err(refusal) => {
                            anomalies.note(format!("track {seen} left out: {refusal}"));
                            found.refused.push(refusal);
                        }
                    }
                }
                b"mvex" => {
                    found.fragmented = true;
                    for default in child.children("moov/mvex") {
                        let default = default?;
                        if &default.kind == b"trex" {
                            found.trex.push(default.read()?);
                            // Each fragment looks for its own among them.
                            few_enough(found.trex.len())?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

fn few_enough(tracks: usize) -> Result<(), Error> {
    match tracks <= MAX_TRACKS {
        true => Ok(()),
        false => Err(Error::TooLarge {
            path: "moov",
            limit: MAX_TRACKS as u64,
            unit: "tracks",
            found: tracks as u64,
        }),
    }
}

impl OpenTrack {
    fn read(
        trak: &BoxView<'_>,
        movie_scale: Option<Timescale>,
        object_size: u64,
        budget: &mut Budget,
        anomalies: &mut Anomalies,
    ) -> Result<Result<Self, entry::Refusal>, Error> {
        let tkhd: Tkhd = trak.required("moov/trak", b"tkhd")?.read()?;
        let mdia = trak.required("moov/trak", b"mdia")?;
        let hdlr: Hdlr = mdia.required("moov/trak/mdia", b"hdlr")?.read()?;
        let handler: [u8; 4] = hdlr.handler.into();
        if !matches!(&handler, b"vide" | b"soun") {
            return Ok(Err(format!("it is neither video nor audio ({})", super::boxes::name(&handler))));
        }
        let mdhd_box = mdia.required("moov/trak/mdia", b"mdhd")?;
        let mdhd: Mdhd = mdhd_box.read()?;
        let timescale =
            Timescale::new(mdhd.timescale).ok_or_else(|| mdhd_box.fault("expected a timescale, found 0"))?;
        let minf = mdia.required("moov/trak/mdia", b"minf")?;
        let stbl_box = minf.required("moov/trak/mdia/minf", b"stbl")?;
        let entry = match entry::read(&stbl_box.required("moov/trak/mdia/minf/stbl", b"stsd")?)? {
            Ok(entry) => entry,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if entry.kind.is_video() != (&handler == b"vide") {
            return Ok(Err("its handler and its codec disagree on what it is".to_owned()));
        }
        let mut samples = TableBuilder::default();
        stbl::read(&stbl_box, object_size, budget, &mut samples)?;
        let m = &tkhd.matrix;
        Ok(Ok(Self {
            id: tkhd.track_id,
            entry,
            timescale,
            language: Language::of(&mdhd.language),
            matrix: [m.a, m.b, m.u, m.c, m.d, m.v, m.x, m.y, m.w],
            edit: Edit::read(trak, movie_scale, timescale, anomalies)?,
            samples,
        }))
    }

    /// The finished track; `None` without a sample.
    pub(super) fn finish(self, anomalies: &mut Anomalies) -> Option<Track> {
        let first = i64::from(self.samples.first_offset());
        let decode = i64::try_from(self.samples.start()).ok()?;
        // The first sample's place on the presentation timeline; what lies before zero is decoded but not shown.
        let placed =
            decode.saturating_add(first).saturating_sub(self.edit.media_time).saturating_add(self.edit.delay);
        let start = placed.max(0);
        let Ok(skip) = u32::try_from((-placed).max(0)) else {
            anomalies.note("edit list left out: it starts more than 2^32 ticks into the media".to_owned());
            return None;
        };
        let lead = self.samples.first_offset();
        let samples = self.samples.finish(start.unsigned_abs(), lead)?;
        if !samples.all_sync() && !self.entry.kind.is_video() {
            anomalies.note("audio has samples that cannot be decoded alone".to_owned());
        }
        let decoding = Decoding { codec: self.entry.codec, entry: self.entry.bytes, matrix: self.matrix };
        Some(Track {
            kind: self.entry.kind,
            timescale: self.timescale,
            language: self.language,
            decoding,
            skip,
            samples,
        })
    }
}

impl Edit {
    fn read(
        trak: &BoxView<'_>,
        movie_scale: Option<Timescale>,
        scale: Timescale,
        anomalies: &mut Anomalies,
    ) -> Result<Self, Error> {
        let Some(edts) = trak.child("moov/trak", b"edts")? else { return Ok(Self::default()) };
        let Some(elst) = edts.child("moov/trak/edts", b"elst")? else { return Ok(Self::default()) };
        let entries = elst.read::<Elst>()?.entries;
        let mut edit = Self::default();
        let mut media = false;
        for entry in &entries {
            match (entry.media_time, media, movie_scale) {
                (None, false, Some(movie)) => {
                    let empty = i64::try_from(entry.segment_duration).unwrap_or(i64::MAX);
                    let ticks = MediaTime::new(empty, movie).rescale(scale, Rounding::Nearest).ticks();
                    edit.delay = edit.delay.saturating_add(ticks);
                }
                (Some(time), false, _) => {
                    media = true;
                    edit.media_time = i64::try_from(time).unwrap_or(i64::MAX);
                    if entry.media_rate != FixedPoint::new(1, 0) {
                        anomalies
                            .note("edit list plays at another rate than 1, which is not honoured".to_owned());
                    }
                }
                _ => anomalies.note(
                    "edit list cuts the media into pieces; only its first piece is honoured".to_owned(),
                ),
            }
        }
        Ok(edit)
    }
}
