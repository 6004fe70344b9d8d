//! The playlist of all renditions: which of them to import, and what is left out.
//!
//! ```text
//! EXT-X-STREAM-INF with pictures ─▶ videos, each URI once, backups left out
//! EXT-X-MEDIA AUDIO with a URI ───▶ sounds: one for each language, its candidates from the best group on
//! EXT-X-MEDIA AUDIO without ──────▶ the language of the sound that is in the videos' own segments
//! all others ─────────────────────▶ notes
//! ```

use std::collections::HashMap;

use m3u8_rs::{AlternativeMedia, AlternativeMediaType, MasterPlaylist, VariantStream};

use super::{MAX_REMARKS, MAX_RENDITIONS, Place, Remark, shown};

/// What is imported of a multivariant playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multivariant {
    /// Playlists with pictures, as listed; they may have sound too.
    pub videos: Vec<Choice>,
    /// Sound in playlists of its own, what is heard by default first.
    pub sounds: Vec<Sound>,
    /// Whether a group says that the sound in the videos' own segments is one to choose, and its language where that is
    /// told: a tag of BCP 47.
    pub muxed: Option<Option<String>>,
    /// What is left out.
    pub notes: Vec<Remark>,
}

/// One rendition's playlist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Where, as the playlist says it.
    pub uri: String,
    /// Bits a second, at the peak, of the best variant that has it.
    pub bandwidth: u64,
}

/// Sound of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// A tag of BCP 47, where it is told.
    pub language: Option<String>,
    /// What viewers are shown.
    pub name: String,
    /// The same sound in different codings, the best one first.
    pub candidates: Vec<Choice>,
}

impl Multivariant {
    /// Takes over what m3u8-rs read, whose lines of URIs were `uris`.
    pub(super) fn of(name: &str, read: MasterPlaylist, uris: &[(String, u32)]) -> Result<Self, Vec<Remark>> {
        let whole = |what: String| vec![Remark::new(name, Place::Whole, what)];
        let mut notes = Notes { playlist: name, notes: Vec::new() };
        if let Some(unknown) = read.unknown_tags.iter().find(|tag| !is_side_track(tag)) {
            return Err(whole(format!("expected tags that can be read, found EXT-{}", unknown.tag)));
        }
        let (frames, variants): (Vec<_>, Vec<_>) = read.variants.into_iter().partition(|v| v.is_i_frame);
        if !variants.iter().map(|v| &v.uri).eq(uris.iter().map(|(uri, _)| uri)) {
            return Err(whole("expected a URI for each variant, found another number".to_owned()));
        }
        let many = variants.len().saturating_add(read.alternatives.len());
        if variants.is_empty() || many > MAX_RENDITIONS {
            return Err(whole(format!("expected 1 to {MAX_RENDITIONS} renditions, found {many}")));
        }
        for frames in &frames {
            notes.note(format!("{}: an I-frame playlist is left out", shown(&frames.uri)));
        }
        for _ in &read.unknown_tags {
            notes.note("a rendition of text is left out".to_owned());
        }
        let mut muxed = None;
        let mut alternatives = Vec::new();
        for media in read.alternatives {
            match (&media.media_type, &media.uri) {
                (AlternativeMediaType::Audio, Some(_)) => alternatives.push(media),
                (AlternativeMediaType::Audio, None) => muxed = muxed.or(Some(media.language)),
                (AlternativeMediaType::Video, None) => {}
                (kind, _) => notes.note(format!("{} {:?} are left out", named(kind), media.name)),
            }
        }
        let ranks = ranks(&variants);
        let mut sounds = sounds(alternatives, &ranks, &mut notes);
        let videos = videos(variants, &mut sounds, &mut notes);
        Ok(Self { videos, sounds, muxed, notes: notes.notes })
    }
}

struct Notes<'a> {
    playlist: &'a str,
    notes: Vec<Remark>,
}

impl Notes<'_> {
    fn note(&mut self, what: String) {
        if self.notes.len() < MAX_REMARKS {
            self.notes.push(Remark::new(self.playlist, Place::Whole, what));
        }
    }
}

/// `EXT-X-MEDIA` that m3u8-rs does not take, of what is left out in any case.
fn is_side_track(tag: &m3u8_rs::ExtTag) -> bool {
    let list = tag.rest.as_deref().unwrap_or_default();
    tag.tag == "X-MEDIA" && (list.contains("TYPE=SUBTITLES") || list.contains("TYPE=CLOSED-CAPTIONS"))
}

fn named(kind: &AlternativeMediaType) -> &'static str {
    match kind {
        AlternativeMediaType::Subtitles => "subtitles",
        AlternativeMediaType::ClosedCaptions => "closed captions",
        AlternativeMediaType::Video => "other pictures",
        _ => "renditions of another type",
    }
}

/// The highest bandwidth of the variants that have each audio group.
fn ranks(variants: &[VariantStream]) -> HashMap<String, u64> {
    let mut ranks = HashMap::new();
    for variant in variants {
        if let Some(group) = &variant.audio {
            let best: &mut u64 = ranks.entry(group.clone()).or_default();
            *best = (*best).max(variant.bandwidth);
        }
    }
    ranks
}

/// One sound for each language. Members of different groups that have the same name are codings of the same.
fn sounds(members: Vec<AlternativeMedia>, ranks: &HashMap<String, u64>, notes: &mut Notes<'_>) -> Vec<Sound> {
    let mut members: Vec<(u64, AlternativeMedia)> =
        members.into_iter().map(|m| (ranks.get(&m.group_id).copied().unwrap_or(0), m)).collect();
    // Stable: of what is alike the first that is listed stays first.
    members.sort_by_key(|(rank, m)| (!m.default, !m.autoselect, std::cmp::Reverse(*rank)));
    let mut sounds: Vec<Sound> = Vec::new();
    for (bandwidth, member) in members {
        let Some(uri) = member.uri else { continue };
        let choice = Choice { uri, bandwidth };
        let alike = |s: &&mut Sound| same_language(s.language.as_deref(), member.language.as_deref());
        match sounds.iter_mut().find(alike) {
            Some(sound) if sound.name != member.name => {
                notes.note(format!(
                    "sound {:?} is left out: there is sound of its language already",
                    member.name
                ));
            }
            Some(sound) if sound.candidates.iter().any(|c| c.uri == choice.uri) => {}
            Some(sound) => sound.candidates.push(choice),
            None => {
                let (language, name) = (member.language, member.name);
                sounds.push(Sound { language, name, candidates: vec![choice] });
            }
        }
    }
    for sound in &mut sounds {
        sound.candidates.sort_by_key(|choice| std::cmp::Reverse(choice.bandwidth));
    }
    sounds
}

fn same_language(a: Option<&str>, b: Option<&str>) -> bool {
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    a.map(primary) == b.map(primary)
}

/// The variants with pictures; where none has any, the best of them becomes the sound.
fn videos(variants: Vec<VariantStream>, sounds: &mut Vec<Sound>, notes: &mut Notes<'_>) -> Vec<Choice> {
    let (mut sound, pictures): (Vec<_>, Vec<_>) = variants.into_iter().partition(is_sound_alone);
    sound.sort_by_key(|variant| std::cmp::Reverse(variant.bandwidth));
    for variant in sound {
        let is_known = sounds.iter().flat_map(|s| &s.candidates).any(|c| c.uri == variant.uri);
        match (is_known, pictures.is_empty() && sounds.is_empty()) {
            (true, _) => {}
            (false, true) => sounds.push(Sound {
                language: None,
                name: shown(&variant.uri),
                candidates: vec![Choice { uri: variant.uri, bandwidth: variant.bandwidth }],
            }),
            (false, false) => {
                notes.note(format!("{}: a variant without pictures is left out", shown(&variant.uri)));
            }
        }
    }
    let mut kept: Vec<(VariantStream, Choice)> = Vec::new();
    for variant in pictures {
        if let Some((_, choice)) = kept.iter_mut().find(|(_, choice)| choice.uri == variant.uri) {
            choice.bandwidth = choice.bandwidth.max(variant.bandwidth);
            continue;
        }
        if kept.iter().any(|(other, _)| is_backup(&variant, other)) {
            notes.note(format!("{}: left out as a backup of a variant that is alike", shown(&variant.uri)));
            continue;
        }
        let choice = Choice { uri: variant.uri.clone(), bandwidth: variant.bandwidth };
        kept.push((variant, choice));
    }
    kept.into_iter().map(|(_, choice)| choice).collect()
}

fn is_sound_alone(variant: &VariantStream) -> bool {
    let has_pictures = |codecs: &str| {
        let pictures = ["avc", "hvc", "hev", "dvh", "av01", "vp0", "mp4v", "jpeg", "mjpg"];
        codecs.split(',').any(|codec| pictures.iter().any(|start| codec.trim().starts_with(start)))
    };
    variant.resolution.is_none() && variant.codecs.as_deref().is_some_and(|codecs| !has_pictures(codecs))
}

/// RFC 8216bis §6.2.4 has redundant streams as variants that are alike, but for their URIs.
fn is_backup(variant: &VariantStream, other: &VariantStream) -> bool {
    variant.bandwidth == other.bandwidth
        && variant.resolution == other.resolution
        && variant.codecs == other.codecs
        && variant.frame_rate == other.frame_rate
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Playlist;

    fn read(lines: &[&str]) -> Result<Multivariant, String> {
        match Playlist::read("main.m3u8", format!("#EXTM3U\n{}\n", lines.join("\n")).as_bytes()) {
            Ok(Playlist::Multivariant(read)) => Ok(read),
            Ok(Playlist::Media(_)) => panic!("another playlist"),
            Err(faults) => Err(faults[0].to_string()),
        }
    }

    const HIGH: &str =
        "#EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"hi\"";
    const LOW: &str =
        "#EXT-X-STREAM-INF:BANDWIDTH=900,RESOLUTION=640x360,CODECS=\"avc1.64001e,mp4a.40.2\",AUDIO=\"lo\"";

    fn sound(group: &str, name: &str, language: &str, rest: &str) -> String {
        format!("#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"{name}\",LANGUAGE=\"{language}\"{rest}")
    }

    #[test]
    fn each_language_comes_from_the_best_group_and_the_default_first() {
        let media = [
            sound("lo", "Deutsch", "de", ",URI=\"lo-de.m3u8\""),
            sound("lo", "English", "en", ",DEFAULT=YES,URI=\"lo-en.m3u8\""),
            sound("hi", "Deutsch", "de", ",URI=\"hi-de.m3u8\""),
            sound("hi", "English", "en", ",DEFAULT=YES,URI=\"hi-en.m3u8\""),
            sound("hi", "Kommentar", "de-AT", ",URI=\"hi-comment.m3u8\""),
        ];
        let mut lines: Vec<&str> = media.iter().map(String::as_str).collect();
        lines.extend([LOW, "low.m3u8", HIGH, "high.m3u8", HIGH, "backup.m3u8"]);
        let read = read(&lines).unwrap();
        let uris = |choices: &[Choice]| choices.iter().map(|c| c.uri.clone()).collect::<Vec<_>>();
        assert_eq!(uris(&read.videos), ["low.m3u8", "high.m3u8"]);
        assert_eq!(read.sounds.len(), 2);
        assert_eq!(uris(&read.sounds[0].candidates), ["hi-en.m3u8", "lo-en.m3u8"]);
        assert_eq!(uris(&read.sounds[1].candidates), ["hi-de.m3u8", "lo-de.m3u8"]);
        let notes: Vec<_> = read.notes.iter().map(ToString::to_string).collect();
        assert_eq!(
            notes,
            [
                "main.m3u8: sound \"Kommentar\" is left out: there is sound of its language already",
                "main.m3u8: backup.m3u8: left out as a backup of a variant that is alike",
            ]
        );
    }

    #[test]
    fn side_tracks_are_left_out_with_a_note_each() {
        let read = read(&[
            "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"Deutsch\",LANGUAGE=\"de\",URI=\"s.m3u8\"",
            "#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID=\"c\",NAME=\"CC\",INSTREAM-ID=\"CC1\"",
            &sound("hi", "English", "en", ""),
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"frames.m3u8\"",
            "#EXT-X-STREAM-INF:BANDWIDTH=64,CODECS=\"mp4a.40.5\"",
            "radio.m3u8",
            HIGH,
            "high.m3u8",
        ])
        .unwrap();
        assert_eq!(read.notes.len(), 4, "{:?}", read.notes);
        assert_eq!((read.videos.len(), read.sounds.len()), (1, 0));
        assert_eq!(read.muxed, Some(Some("en".to_owned())));
    }

    #[test]
    fn sound_alone_is_imported_as_sound() {
        let read = read(&[
            "#EXT-X-STREAM-INF:BANDWIDTH=64,CODECS=\"mp4a.40.5\"",
            "low.m3u8",
            "#EXT-X-STREAM-INF:BANDWIDTH=128,CODECS=\"mp4a.40.2\"",
            "high.m3u8",
        ])
        .unwrap();
        assert!(read.videos.is_empty());
        assert_eq!(read.sounds[0].candidates[0].uri, "high.m3u8");
        assert_eq!(read.notes.len(), 1);
    }

    #[test]
    fn variants_that_cannot_be_read_are_no_others() {
        assert!(
            read(&["#EXT-X-STREAM-INF:CODECS=\"x\"", "a.m3u8"]).unwrap_err().contains("EXT-X-STREAM-INF")
        );
        assert!(read(&[HIGH, "a.m3u8", "b.m3u8"]).unwrap_err().contains("a URI for each variant"));
        assert!(read(&[HIGH]).unwrap_err().contains("a URI for each variant"));
    }
}
