//! The multivariant playlist: which renditions there are, and what each needs.

use super::MEDIA;
use super::attributes::Attributes;
use super::language::tag_and_name;
use crate::presentation::{Presentation, Rates, Rendition};
use crate::track::TrackKind;

/// The one group of audio renditions.
const AUDIO: &str = "audio";
/// The variant a player starts with before it has measured anything (HLS authoring specification 1.32).
const START_RATE: u64 = 2_000_000;

/// The multivariant playlist (RFC 8216bis §4.4.6). `folder` is put before each URI: `"7/"`, or nothing.
///
/// The variant nearest to 2 Mbit/s stands first, where players start; the others follow from high to low.
pub fn multivariant_playlist(presentation: &Presentation, folder: &str) -> String {
    let target = presentation.target_duration();
    let (videos, audios): (Vec<_>, Vec<_>) = presentation.renditions().iter().partition(|r| r.is_video());
    let sound: Vec<(&Rendition, Rates)> = audios.iter().map(|r| (r.as_ref(), r.rates(target))).collect();
    let mut out = String::from("#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let grouped = !videos.is_empty() || sound.len() > 1;
    if grouped {
        sound.iter().enumerate().for_each(|(n, (rendition, _))| audio(&mut out, rendition, folder, n == 0));
    }
    let mut variants: Vec<Variant<'_>> = match videos.is_empty() {
        // Without pictures the first sound is the variant, and the others are its alternatives.
        true => sound.iter().take(1).map(|(r, rates)| Variant::of(r, *rates, &[])).collect(),
        false => videos.iter().map(|r| Variant::of(r, r.rates(target), &sound)).collect(),
    };
    variants.sort_by_key(|v| std::cmp::Reverse(v.bandwidth));
    if let Some(start) =
        (0..variants.len()).min_by_key(|i| variants.get(*i).map(|v| v.bandwidth.abs_diff(START_RATE)))
    {
        variants.get_mut(..=start).unwrap_or_default().rotate_right(1);
    }
    variants.iter().for_each(|v| v.write(&mut out, folder, grouped && !sound.is_empty()));
    out
}

struct Variant<'a> {
    rendition: &'a Rendition,
    bandwidth: u64,
    average: u64,
    codecs: Vec<&'a str>,
}

impl<'a> Variant<'a> {
    /// BANDWIDTH is the largest sum of peaks of any playable combination (§4.4.6.2).
    fn of(rendition: &'a Rendition, rates: Rates, sound: &[(&'a Rendition, Rates)]) -> Self {
        let peak = sound.iter().map(|(_, r)| r.peak.0).max().unwrap_or(0);
        let average = sound.iter().map(|(_, r)| r.average.0).max().unwrap_or(0);
        let mut codecs = vec![rendition.track().decoding().codec.as_str()];
        for (other, _) in sound {
            let codec = other.track().decoding().codec.as_str();
            if !codecs.contains(&codec) {
                codecs.push(codec);
            }
        }
        Self {
            rendition,
            bandwidth: rates.peak.0.saturating_add(peak),
            average: rates.average.0.saturating_add(average),
            codecs,
        }
    }

    fn write(&self, out: &mut String, folder: &str, with_audio: bool) {
        let track = self.rendition.track();
        let mut tag = Attributes::of(out, "EXT-X-STREAM-INF")
            .bare("BANDWIDTH", self.bandwidth)
            .bare("AVERAGE-BANDWIDTH", self.average)
            .quoted("CODECS", &self.codecs.join(","));
        if let Some((width, height)) = track.kind().display_size() {
            tag = tag.bare("RESOLUTION", format_args!("{width}x{height}"));
        }
        if let Some(rate) = track.frame_rate() {
            tag = tag.bare("FRAME-RATE", rate);
        }
        if with_audio {
            tag = tag.quoted("AUDIO", AUDIO);
        }
        tag.end();
        push_uri(out, folder, self.rendition);
        out.push('\n');
    }
}

fn audio(out: &mut String, rendition: &Rendition, folder: &str, default: bool) {
    let TrackKind::Audio { channels, .. } = rendition.track().kind() else { return };
    let language = rendition.track().language().map(tag_and_name);
    let mut uri = String::new();
    push_uri(&mut uri, folder, rendition);
    let mut tag = Attributes::of(out, "EXT-X-MEDIA").bare("TYPE", "AUDIO").quoted("GROUP-ID", AUDIO);
    if let Some((code, _)) = language {
        tag = tag.quoted("LANGUAGE", code);
    }
    // Names must be unique in their group; renditions' own names are.
    tag.quoted("NAME", language.map_or(rendition.name().as_str(), |(_, name)| name))
        .bare("DEFAULT", if default { "YES" } else { "NO" })
        .bare("AUTOSELECT", "YES")
        .quoted("CHANNELS", &channels.to_string())
        .quoted("URI", &uri)
        .end();
}

fn push_uri(out: &mut String, folder: &str, rendition: &Rendition) {
    out.push_str(folder);
    out.push_str(rendition.name().as_str());
    out.push('/');
    out.push_str(MEDIA);
}
