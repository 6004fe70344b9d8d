//! The head of a track: what it holds and how its edit list places it, but not its samples.

use mp4_atom::{Elst, FixedPoint, Hdlr, Mdhd, Tkhd};

use super::boxes::{BoxView, name};
use super::{Anomalies, entry};
use crate::Error;
use crate::time::{MediaTime, Rounding, Timescale};
use crate::track::{Decoding, Language, TrackKind};

/// What `trak` says of a track, but for its samples.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) id: u32,
    pub(crate) kind: TrackKind,
    pub(crate) timescale: Timescale,
    pub(crate) language: Language,
    pub(crate) decoding: Decoding,
    pub(crate) edit: Edit,
}

/// What the edit list does to the track's start (ISO/IEC 14496-12 §8.6.6).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Edit {
    /// Ticks of nothing before the media.
    pub(crate) delay: i64,
    /// The composition time at which presentation starts.
    pub(crate) media_time: i64,
}

impl Head {
    /// Reads a `trak`; returns its `stbl` too, or why the track cannot be served.
    pub(crate) fn read<'a>(
        trak: &BoxView<'a>,
        movie_scale: Option<Timescale>,
        anomalies: &mut Anomalies,
    ) -> Result<Result<(Self, BoxView<'a>), entry::Refusal>, Error> {
        let tkhd: Tkhd = trak.required("moov/trak", b"tkhd")?.read()?;
        let mdia = trak.required("moov/trak", b"mdia")?;
        let hdlr: Hdlr = mdia.required("moov/trak/mdia", b"hdlr")?.read()?;
        let handler: [u8; 4] = hdlr.handler.into();
        if !matches!(&handler, b"vide" | b"soun") {
            return Ok(Err(format!("it is neither video nor audio ({})", name(&handler))));
        }
        let mdhd_box = mdia.required("moov/trak/mdia", b"mdhd")?;
        let mdhd: Mdhd = mdhd_box.read()?;
        let timescale =
            Timescale::new(mdhd.timescale).ok_or_else(|| mdhd_box.fault("expected a timescale, found 0"))?;
        let minf = mdia.required("moov/trak/mdia", b"minf")?;
        let stbl = minf.required("moov/trak/mdia/minf", b"stbl")?;
        let entry = match entry::read(&stbl.required("moov/trak/mdia/minf/stbl", b"stsd")?)? {
            Ok(entry) => entry,
            Err(refusal) => return Ok(Err(refusal)),
        };
        if entry.kind.is_video() != (&handler == b"vide") {
            return Ok(Err("its handler and its codec disagree on what it is".to_owned()));
        }
        let m = &tkhd.matrix;
        let matrix = [m.a, m.b, m.u, m.c, m.d, m.v, m.x, m.y, m.w];
        let head = Self {
            id: tkhd.track_id,
            kind: entry.kind,
            timescale,
            language: Language::of(&mdhd.language),
            decoding: Decoding { codec: entry.codec, entry: entry.bytes, matrix },
            edit: Edit::read(trak, movie_scale, timescale, anomalies)?,
        };
        Ok(Ok((head, stbl)))
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
