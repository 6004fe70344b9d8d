//! The multivariant playlist: which renditions there are, and what each needs.

use super::MEDIA;
use super::attributes::Attributes;
use super::language::tag_and_name;
use crate::asset::RenditionName;
use crate::presentation::{Presentation, Rates, Rendition};
use crate::track::{FrameRate, TrackKind, VideoRange};

/// The one group of audio renditions.
const AUDIO: &str = "audio";
/// The variant a player starts with before it has measured anything (HLS authoring specification 1.32).
const START_RATE: u64 = 2_000_000;

/// The multivariant playlist (RFC 8216bis §4.4.6). `folder` is put before each URI: `"7/"`, or nothing.
///
/// The variant nearest to 2 Mbit/s stands first, where players start; the others follow from high to low.
pub fn multivariant_playlist(presentation: &Presentation, folder: &str) -> String {
    let target = presentation.target_duration();
    let member = |rendition: &Rendition| {
        let (track, rates) = (rendition.track(), rendition.rates(target));
        Member {
            name: rendition.name().clone(),
            kind: track.kind(),
            codec: track.decoding().codec.clone(),
            range: track.decoding().video_range(),
            language: track.language().map(str::to_owned),
            frame_rate: track.frame_rate(),
            rates,
        }
    };
    let members = presentation.renditions().iter().map(|rendition| member(rendition));
    write_members(members.collect(), Files { folder, media: MEDIA })
}

/// What the multivariant playlist says of one rendition.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: RenditionName,
    pub(crate) kind: TrackKind,
    pub(crate) codec: String,
    pub(crate) range: VideoRange,
    /// ISO 639-2/T.
    pub(crate) language: Option<String>,
    pub(crate) frame_rate: Option<FrameRate>,
    pub(crate) rates: Rates,
}

/// Where the media playlists are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files<'a> {
    /// Before each URI: `"7/"`, or nothing.
    pub(crate) folder: &'a str,
    /// Their name in the folder of a rendition.
    pub(crate) media: &'a str,
}

impl Files<'_> {
    fn push(self, out: &mut String, name: &RenditionName) {
        out.push_str(self.folder);
        out.push_str(name.as_str());
        out.push('/');
        out.push_str(self.media);
    }
}

/// The multivariant playlist of these renditions.
pub(crate) fn write_members(members: Vec<Member>, files: Files<'_>) -> String {
    let (videos, sound): (Vec<Member>, Vec<Member>) = members.into_iter().partition(|m| m.kind.is_video());
    let mut out = String::from("#EXTM3U\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    let grouped = !videos.is_empty() || sound.len() > 1;
    if grouped {
        for (number, member) in sound.iter().enumerate() {
            let is_alone = sound.iter().filter(|other| other.language == member.language).count() == 1;
            audio(&mut out, member, files, number == 0, is_alone);
        }
    }
    let mut variants: Vec<Variant<'_>> = match videos.is_empty() {
        // Without pictures the first sound is the variant, and the others are its alternatives.
        true => sound.iter().take(1).map(|member| Variant::of(member, &[])).collect(),
        false => videos.iter().map(|member| Variant::of(member, &sound)).collect(),
    };
    variants.sort_by_key(|v| std::cmp::Reverse(v.bandwidth));
    if let Some(start) =
        (0..variants.len()).min_by_key(|i| variants.get(*i).map(|v| v.bandwidth.abs_diff(START_RATE)))
    {
        variants.get_mut(..=start).unwrap_or_default().rotate_right(1);
    }
    variants.iter().for_each(|v| v.write(&mut out, files, grouped && !sound.is_empty()));
    out
}

struct Variant<'a> {
    member: &'a Member,
    bandwidth: u64,
    average: u64,
    codecs: Vec<&'a str>,
}

impl<'a> Variant<'a> {
    /// BANDWIDTH is the largest sum of peaks of any playable combination (§4.4.6.2).
    fn of(member: &'a Member, sound: &'a [Member]) -> Self {
        let peak = sound.iter().map(|m| m.rates.peak.0).max().unwrap_or(0);
        let average = sound.iter().map(|m| m.rates.average.0).max().unwrap_or(0);
        let mut codecs = vec![member.codec.as_str()];
        for other in sound {
            if !codecs.contains(&other.codec.as_str()) {
                codecs.push(&other.codec);
            }
        }
        Self {
            member,
            bandwidth: member.rates.peak.0.saturating_add(peak),
            average: member.rates.average.0.saturating_add(average),
            codecs,
        }
    }

    fn write(&self, out: &mut String, files: Files<'_>, with_audio: bool) {
        let mut tag = Attributes::of(out, "EXT-X-STREAM-INF")
            .bare("BANDWIDTH", self.bandwidth)
            .bare("AVERAGE-BANDWIDTH", self.average)
            .quoted("CODECS", &self.codecs.join(","));
        if let Some((width, height)) = self.member.kind.display_size() {
            tag = tag.bare("RESOLUTION", format_args!("{width}x{height}"));
        }
        if let Some(rate) = self.member.frame_rate {
            tag = tag.bare("FRAME-RATE", rate);
        }
        if self.member.range != VideoRange::Sdr {
            tag = tag.bare("VIDEO-RANGE", self.member.range);
        }
        if with_audio {
            tag = tag.quoted("AUDIO", AUDIO);
        }
        tag.end();
        files.push(out, &self.member.name);
        out.push('\n');
    }
}

fn audio(out: &mut String, member: &Member, files: Files<'_>, default: bool, alone: bool) {
    let TrackKind::Audio { channels, .. } = member.kind else { return };
    let language = member.language.as_deref().map(tag_and_name);
    let mut uri = String::new();
    files.push(&mut uri, &member.name);
    let mut tag = Attributes::of(out, "EXT-X-MEDIA").bare("TYPE", "AUDIO").quoted("GROUP-ID", AUDIO);
    if let Some((code, _)) = language {
        tag = tag.quoted("LANGUAGE", code);
    }
    // Names must be unique in their group; renditions' own names are.
    let spoken = language.filter(|_| alone).map(|(_, name)| name);
    tag.quoted("NAME", spoken.unwrap_or(member.name.as_str()))
        .bare("DEFAULT", if default { "YES" } else { "NO" })
        .bare("AUTOSELECT", "YES")
        .quoted("CHANNELS", &channels.to_string())
        .quoted("URI", &uri)
        .end();
}
