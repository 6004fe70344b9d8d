//! The CMAF header of a track (ISO/IEC 23000-19 §7.3.1): `ftyp` and a `moov` of one track without samples.

use mp4_atom::{
    Codec, Decode, Dinf, Dref, DrefEntry, Edts, Elst, ElstEntry, Encode, FixedPoint, Ftyp, Hdlr, Matrix,
    Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Vmhd,
};

use crate::time::Timescale;
use crate::track::{Decoding, Language, TrackKind};

/// What an init segment says, whoever it is for.
pub(crate) struct Init<'a> {
    pub(crate) kind: TrackKind,
    pub(crate) timescale: Timescale,
    pub(crate) language: Language,
    pub(crate) decoding: &'a Decoding,
    /// Ticks at the start that are decoded but not presented.
    pub(crate) skip: u32,
}

impl Init<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Where the sample entry is none.
    pub(crate) fn write(&self) -> Result<Vec<u8>, mp4_atom::Error> {
        let codec = Codec::decode(&mut self.decoding.entry.as_ref())?;
        let mut out = Vec::with_capacity(1024);
        let brands = ["iso6", "cmfc", "mp41"]
            .map(|b| mp4_atom::FourCC::from(<[u8; 4]>::try_from(b.as_bytes()).unwrap_or_default()));
        Ftyp { major_brand: b"iso6".into(), minor_version: 0, compatible_brands: brands.to_vec() }
            .encode(&mut out)?;
        self.movie(codec).encode(&mut out)?;
        Ok(out)
    }

    fn movie(&self, codec: Codec) -> Moov {
        let matrix =
            Matrix { a: 0x0001_0000, b: 0, u: 0, c: 0, d: 0x0001_0000, v: 0, x: 0, y: 0, w: 0x4000_0000 };
        Moov {
            mvhd: Mvhd {
                creation_time: 0,
                modification_time: 0,
                timescale: self.timescale.ticks_per_second(),
                duration: 0,
                rate: FixedPoint::new(1, 0),
                volume: FixedPoint::new(1, 0),
                matrix,
                next_track_id: 2,
            },
            mvex: Some(Mvex {
                mehd: None,
                trex: vec![Trex { track_id: 1, default_sample_description_index: 1, ..Trex::default() }],
            }),
            trak: vec![self.trak(codec)],
            ..Moov::default()
        }
    }

    fn trak(&self, codec: Codec) -> Trak {
        let [a, b, u, c, d, v, x, y, w] = self.decoding.matrix;
        let video = self.kind.is_video();
        // The display size, in square pixels (ISO/IEC 14496-12 §8.3.2).
        let (width, height) = self.kind.display_size().unwrap_or((0, 0));
        let size = |n: u32| FixedPoint::new(u16::try_from(n).unwrap_or(u16::MAX), 0);
        // What is decoded before the presentation starts. A duration of 0 means "to the end" in a fragmented file.
        let skip = (self.skip > 0).then(|| Edts {
            elst: Some(Elst {
                entries: vec![ElstEntry {
                    segment_duration: 0,
                    media_time: Some(u64::from(self.skip)),
                    media_rate: FixedPoint::new(1, 0),
                }],
            }),
        });
        Trak {
            tkhd: Tkhd {
                track_id: 1,
                enabled: true,
                in_movie: true,
                volume: FixedPoint::new(u8::from(!video), 0),
                matrix: Matrix { a, b, u, c, d, v, x, y, w },
                width: size(width),
                height: size(height),
                ..Tkhd::default()
            },
            edts: skip,
            mdia: Mdia {
                mdhd: Mdhd {
                    timescale: self.timescale.ticks_per_second(),
                    language: self.language.as_str().to_owned(),
                    ..Mdhd::default()
                },
                hdlr: match self.kind {
                    TrackKind::Video { .. } => Hdlr { handler: b"vide".into(), name: "video".to_owned() },
                    TrackKind::Audio { .. } => Hdlr { handler: b"soun".into(), name: "audio".to_owned() },
                },
                minf: Minf {
                    vmhd: video.then(Vmhd::default),
                    smhd: (!video).then(Smhd::default),
                    dinf: Dinf { dref: Dref { entries: vec![DrefEntry::Url(Url::default())] } },
                    stbl: Stbl {
                        stsd: Stsd { codecs: vec![codec] },
                        stco: Some(Stco::default()),
                        ..Stbl::default()
                    },
                    ..Minf::default()
                },
            },
            ..Trak::default()
        }
    }
}
