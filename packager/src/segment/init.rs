//! Init segments: the CMAF header of a rendition (ISO/IEC 23000-19 §7.3.1).

use mp4_atom::{
    Codec, Decode, Dinf, Dref, DrefEntry, Edts, Elst, ElstEntry, Encode, FixedPoint, Ftyp, Hdlr, Matrix,
    Mdhd, Mdia, Minf, Moov, Mvex, Mvhd, Smhd, Stbl, Stco, Stsd, Tkhd, Trak, Trex, Url, Vmhd,
};

use crate::Error;
use crate::presentation::Rendition;
use crate::track::{Track, TrackKind};

/// The init segment of a rendition: `ftyp` and a `moov` of one track without samples.
///
/// # Errors
/// [`Error::Stored`] where the sample entry of a stored index cannot be read.
pub fn init_segment(rendition: &Rendition) -> Result<Vec<u8>, Error> {
    let track = rendition.track();
    let fault = |e: mp4_atom::Error| Error::Stored {
        what: "index",
        expected: "a sample entry",
        found: e.to_string(),
    };
    let codec = Codec::decode(&mut track.decoding().entry.as_ref()).map_err(fault)?;
    let mut out = Vec::with_capacity(1024);
    let brands = ["iso6", "cmfc", "mp41"]
        .map(|b| mp4_atom::FourCC::from(<[u8; 4]>::try_from(b.as_bytes()).unwrap_or_default()));
    Ftyp { major_brand: b"iso6".into(), minor_version: 0, compatible_brands: brands.to_vec() }
        .encode(&mut out)
        .map_err(fault)?;
    movie(track, codec).encode(&mut out).map_err(fault)?;
    Ok(out)
}

fn movie(track: &Track, codec: Codec) -> Moov {
    let matrix =
        Matrix { a: 0x0001_0000, b: 0, u: 0, c: 0, d: 0x0001_0000, v: 0, x: 0, y: 0, w: 0x4000_0000 };
    Moov {
        mvhd: Mvhd {
            creation_time: 0,
            modification_time: 0,
            timescale: track.timescale().ticks_per_second(),
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
        trak: vec![trak(track, codec)],
        ..Moov::default()
    }
}

fn trak(track: &Track, codec: Codec) -> Trak {
    let [a, b, u, c, d, v, x, y, w] = track.decoding().matrix;
    let video = track.kind().is_video();
    // The display size, in square pixels (ISO/IEC 14496-12 §8.3.2).
    let (width, height) = track.kind().display_size().unwrap_or((0, 0));
    let size = |n: u32| FixedPoint::new(u16::try_from(n).unwrap_or(u16::MAX), 0);
    // What is decoded before the presentation starts. A duration of 0 means "to the end" in a fragmented file.
    let skip = (track.skip() > 0).then(|| Edts {
        elst: Some(Elst {
            entries: vec![ElstEntry {
                segment_duration: 0,
                media_time: Some(u64::from(track.skip())),
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
                timescale: track.timescale().ticks_per_second(),
                language: track.language().unwrap_or("und").to_owned(),
                ..Mdhd::default()
            },
            hdlr: match track.kind() {
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
