//! Sample entries: which codec, and what its decoder needs.

use std::fmt::Write as _;

use bytes::Bytes;
use mp4_atom::{Avc1, Avcc, Codec, Encode, Hvcc, Mp4a, Pasp, Stsd, Visual};

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
        b"avc1" | b"avc3" | b"hvc1" | b"hev1" | b"mp4a" => {}
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
        Codec::Hvc1(hvc1) => hvc1.visual.data_reference_index = 1,
        Codec::Hev1(hev1) => hev1.visual.data_reference_index = 1,
        Codec::Mp4a(mp4a) => mp4a.audio.data_reference_index = 1,
        _ => {}
    }
    let parts = match &codec {
        Codec::Avc1(avc1) => video(avc1),
        Codec::Avc3(avc3) => match avc3.avcc.sequence_parameter_sets.is_empty() {
            true => Err("its parameter sets are only inside the stream (avc3)".to_owned()),
            false => Ok((picture(&avc3.visual, None), format!("avc3.{}", profile(&avc3.avcc)))),
        },
        Codec::Hvc1(hvc1) => hevc("hvc1", &hvc1.visual, &hvc1.hvcc, hvc1.pasp.as_ref()),
        Codec::Hev1(hev1) => hevc("hev1", &hev1.visual, &hev1.hvcc, hev1.pasp.as_ref()),
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
    shown(&avc1.visual)?;
    Ok((picture(&avc1.visual, avc1.pasp.as_ref()), format!("avc1.{}", profile(&avc1.avcc))))
}

fn hevc(
    entry: &str,
    visual: &Visual,
    hvcc: &Hvcc,
    pasp: Option<&Pasp>,
) -> Result<(TrackKind, String), Refusal> {
    // 33 is a sequence parameter set (H.265 table 7-1).
    if !hvcc.arrays.iter().any(|array| array.nal_unit_type == 33 && !array.nalus.is_empty()) {
        return Err(format!("its parameter sets are only inside the stream ({entry})"));
    }
    shown(visual)?;
    Ok((picture(visual, pasp), format!("{entry}.{}", hevc_profile(hvcc))))
}

fn shown(visual: &Visual) -> Result<(), Refusal> {
    match visual.width == 0 || visual.height == 0 {
        true => Err(format!("its pictures are {} x {}", visual.width, visual.height)),
        false => Ok(()),
    }
}

fn picture(visual: &Visual, pasp: Option<&Pasp>) -> TrackKind {
    let aspect = pasp.map(|p| (p.h_spacing, p.v_spacing));
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

/// Profile with its space, compatibility flags from the last to the first, tier and level, and the constraint flags as
/// far as any is set (ISO/IEC 14496-15 annex E.3): `1.6.L93.90`.
fn hevc_profile(hvcc: &Hvcc) -> String {
    let space = match hvcc.general_profile_space {
        1 => "A",
        2 => "B",
        3 => "C",
        _ => "",
    };
    let compatible = u32::from_be_bytes(hvcc.general_profile_compatibility_flags).reverse_bits();
    let tier = if hvcc.general_tier_flag { 'H' } else { 'L' };
    let mut profile =
        format!("{space}{}.{compatible:X}.{tier}{}", hvcc.general_profile_idc, hvcc.general_level_idc);
    let constraints = &hvcc.general_constraint_indicator_flags;
    let set = constraints.iter().rposition(|flags| *flags != 0).map_or(0, |last| last + 1);
    for flags in constraints.iter().take(set) {
        let _ = write!(profile, ".{flags:X}");
    }
    profile
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hvcc(space: u8, idc: u8, compatible: [u8; 4], tier: bool, level: u8, constraints: [u8; 6]) -> Hvcc {
        Hvcc {
            general_profile_space: space,
            general_profile_idc: idc,
            general_profile_compatibility_flags: compatible,
            general_tier_flag: tier,
            general_level_idc: level,
            general_constraint_indicator_flags: constraints,
            ..Hvcc::new()
        }
    }

    #[test]
    fn a_profile_of_hevc_is_written_as_annex_e_has_it() {
        // The two examples of ISO/IEC 14496-15 E.3, and Main 10 as HDR films have it.
        let main = hvcc(0, 1, [0x60, 0, 0, 0], false, 93, [0xb0, 0, 0, 0, 0, 0]);
        assert_eq!(hevc_profile(&main), "1.6.L93.B0");
        let other = hvcc(1, 4, [0x82, 0, 0, 0], true, 120, [0xb0, 0x23, 0, 0, 0, 0]);
        assert_eq!(hevc_profile(&other), "A4.41.H120.B0.23");
        let ten = hvcc(0, 2, [0x20, 0, 0, 0], false, 150, [0; 6]);
        assert_eq!(hevc_profile(&ten), "2.4.L150");
        let inner = hvcc(0, 2, [0x20, 0, 0, 0], false, 150, [0x90, 0, 0, 8, 0, 0]);
        assert_eq!(hevc_profile(&inner), "2.4.L150.90.0.0.8");
    }
}
