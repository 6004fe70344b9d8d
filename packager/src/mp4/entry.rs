//! Sample entries: which codec, and what its decoder needs.

use bytes::Bytes;
use mp4_atom::{Avc1, Avcc, Codec, Encode, Mp4a, Stsd, Visual};

use super::boxes::{BoxView, name};
use crate::Error;
use crate::track::TrackKind;

/// What a sample entry says.
pub(super) struct Entry {
    pub(super) kind: TrackKind,
    pub(super) codec: String,
    /// The entry box, normalised.
    pub(super) bytes: Bytes,
}

/// Why an entry cannot be served: a reason for a person, not an error of the file.
pub(crate) type Refusal = String;

/// Reads the one sample entry of an `stsd`. Entries of codecs we do not serve are refused by name.
pub(super) fn read(stsd: &BoxView<'_>) -> Result<Result<Entry, Refusal>, Error> {
    // version, flags and entry count stand before the entries (ISO/IEC 14496-12 §8.5.2).
    let entries = stsd.body.get(8..).ok_or_else(|| stsd.fault("expected at least 8 bytes, found fewer"))?;
    let inner = BoxView { kind: stsd.kind, body: entries, offset: stsd.offset + 8, path: stsd.path };
    let mut boxes = inner.children("moov/trak/mdia/minf/stbl/stsd");
    let first = boxes.next().ok_or_else(|| stsd.fault("expected a sample entry, found none"))??;
    if boxes.next().is_some() {
        return Ok(Err("its codec changes on the way (several sample entries)".to_owned()));
    }
    match &first.kind {
        b"avc1" | b"avc3" | b"mp4a" => {}
        other => return Ok(Err(format!("codec {} is not served", name(other)))),
    }
    let codecs = stsd.read::<Stsd>()?.codecs;
    let fault = |e: mp4_atom::Error| first.fault(&format!("expected a sound sample entry, found {e}"));
    let Some(mut codec) = codecs.into_iter().next() else {
        return Err(first.fault("expected a sample entry, found none"));
    };
    // An init segment has one data reference, whatever the file had.
    match &mut codec {
        Codec::Avc1(avc1) => avc1.visual.data_reference_index = 1,
        Codec::Avc3(avc3) => avc3.visual.data_reference_index = 1,
        Codec::Mp4a(mp4a) => mp4a.audio.data_reference_index = 1,
        _ => {}
    }
    let parts = match &codec {
        Codec::Avc1(avc1) => video(avc1),
        Codec::Avc3(avc3) => match avc3.avcc.sequence_parameter_sets.is_empty() {
            true => Err("its parameter sets are only inside the stream (avc3)".to_owned()),
            false => Ok((picture(&avc3.visual, None), format!("avc3.{}", profile(&avc3.avcc)))),
        },
        Codec::Mp4a(mp4a) => audio(mp4a),
        _ => Err(format!("codec {} is not served", name(&first.kind))),
    };
    Ok(match parts {
        Err(refusal) => Err(refusal),
        Ok((kind, name)) => {
            let mut bytes = Vec::new();
            codec.encode(&mut bytes).map_err(fault)?;
            Ok(Entry { kind, codec: name, bytes: bytes.into() })
        }
    })
}

fn video(avc1: &Avc1) -> Result<(TrackKind, String), Refusal> {
    if avc1.avcc.sequence_parameter_sets.is_empty() {
        return Err("its decoder configuration has no sequence parameter set".to_owned());
    }
    if avc1.visual.width == 0 || avc1.visual.height == 0 {
        return Err(format!("its pictures are {} x {}", avc1.visual.width, avc1.visual.height));
    }
    let aspect = avc1.pasp.as_ref().map(|p| (p.h_spacing, p.v_spacing));
    Ok((picture(&avc1.visual, aspect), format!("avc1.{}", profile(&avc1.avcc))))
}

fn picture(visual: &Visual, aspect: Option<(u32, u32)>) -> TrackKind {
    let pixel_aspect = aspect.filter(|(h, v)| *h > 0 && *v > 0).unwrap_or((1, 1));
    TrackKind::Video { width: visual.width, height: visual.height, pixel_aspect }
}

/// profile_idc, constraint flags and level_idc as six hexadecimal digits (RFC 6381 §3.3).
fn profile(avcc: &Avcc) -> String {
    format!(
        "{:02x}{:02x}{:02x}",
        avcc.avc_profile_indication, avcc.profile_compatibility, avcc.avc_level_indication
    )
}

fn audio(mp4a: &Mp4a) -> Result<(TrackKind, String), Refusal> {
    let config = &mp4a.esds.es_desc.dec_config;
    // 0x40 is MPEG-4 audio (mp4ra.org).
    let specific = match (config.object_type_indication, &config.dec_specific) {
        (0x40, Some(specific)) => specific,
        (0x40, None) => return Err("its AAC configuration is missing".to_owned()),
        (other, _) => return Err(format!("audio object type 0x{other:02x} is not served")),
    };
    // AAC LC, SBR and PS (ISO/IEC 14496-3 table 1.17).
    if !matches!(specific.profile, 2 | 5 | 29) {
        return Err(format!("MPEG-4 audio object type {} is not served", specific.profile));
    }
    let entry = &mp4a.audio;
    let channels = match specific.chan_conf {
        0 => entry.channel_count,
        7 => 8,
        n => u16::from(n),
    };
    let sample_rate = sample_rate(specific.freq_index).unwrap_or(u32::from(entry.sample_rate.integer()));
    Ok((TrackKind::Audio { channels, sample_rate }, format!("mp4a.40.{}", specific.profile)))
}

/// ISO/IEC 14496-3 table 1.18.
fn sample_rate(index: u8) -> Option<u32> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350,
    ];
    RATES.get(usize::from(index)).copied()
}
