//! The specification's rules for a VOD presentation in fragmented MP4: RFC 8216bis and Apple's authoring specification
//! (AS), each with its place.

use super::fragments::Fragments;
use super::hls::{Kind, Presentation, Rendition};
use super::tags::{self, Attributes};

/// Checks all that follows, on playlists and on the fragments they name.
///
/// # Panics
/// When a rule is broken; the message says which.
pub fn check(presentation: &Presentation) {
    multivariant(presentation);
    let target = tags::one(&presentation.renditions[0].text, "EXT-X-TARGETDURATION");
    let mut read = Vec::new();
    for rendition in &presentation.renditions {
        media_playlist(rendition);
        // §6.2.4: one target duration for all.
        assert_eq!(tags::one(&rendition.text, "EXT-X-TARGETDURATION"), target, "{}", rendition.path);
        read.push((rendition, Fragments::of(rendition)));
    }
    let picture = read.iter().find(|(_, boxes)| boxes.handler == "vide").map(|(_, boxes)| boxes.start());
    for (rendition, boxes) in &read {
        fragments(rendition, boxes, picture.unwrap_or(0.0));
    }
    aligned(&read);
    bandwidths(presentation);
}

fn multivariant(presentation: &Presentation) {
    let text = &presentation.text;
    text_rules(text);
    // §4.1: one kind of playlist.
    assert!(!text.contains("#EXTINF") && !text.contains("#EXT-X-TARGETDURATION"), "mixed playlist:\n{text}");
    // AS 9.11.
    assert_eq!(tags::all(text, "EXT-X-INDEPENDENT-SEGMENTS").len(), 1, "{text}");
    let groups: Vec<Attributes> = tags::all(text, "EXT-X-MEDIA").into_iter().map(Attributes::parse).collect();
    for media in &groups {
        for name in ["TYPE", "GROUP-ID", "NAME", "LANGUAGE", "CHANNELS"] {
            let optional = name == "LANGUAGE" && media.find("LANGUAGE").is_none();
            assert!(optional || !media.value(name).is_empty(), "{media:?}");
        }
        // §4.4.6.1: DEFAULT=YES wants AUTOSELECT=YES where AUTOSELECT is written.
        if media.find("DEFAULT") == Some("YES") {
            assert_ne!(media.find("AUTOSELECT"), Some("NO"), "{media:?}");
        }
    }
    for list in tags::all(text, "EXT-X-STREAM-INF") {
        variant(&Attributes::parse(list), &groups);
    }
}

fn variant(attributes: &Attributes, groups: &[Attributes]) {
    assert!(attributes.integer("AVERAGE-BANDWIDTH") <= attributes.integer("BANDWIDTH"), "{attributes:?}");
    let codecs: Vec<&str> = attributes.value("CODECS").split(',').collect();
    let has = |prefix: &str| codecs.iter().any(|codec| codec.starts_with(prefix));
    if has("avc1.") {
        // AS 9.2, AS 9.15: three decimals.
        let (width, height) = attributes.value("RESOLUTION").split_once('x').expect("WIDTHxHEIGHT");
        assert!(width.parse::<u32>().is_ok() && height.parse::<u32>().is_ok(), "{attributes:?}");
        let (_, decimals) = attributes.value("FRAME-RATE").split_once('.').expect("decimals in FRAME-RATE");
        assert_eq!(decimals.len(), 3, "{attributes:?}");
    }
    if let Some(group) = attributes.find("AUDIO") {
        // §4.4.6.2: the group exists, and its codec is named in the variant.
        assert!(groups.iter().any(|media| media.value("GROUP-ID") == group), "no group {group}");
        assert!(has("mp4a."), "{attributes:?}");
    }
}

fn media_playlist(rendition: &Rendition) {
    let text = &rendition.text;
    text_rules(text);
    assert!(!text.contains("#EXT-X-STREAM-INF"), "mixed playlist:\n{text}");
    let target: u32 = tags::one(text, "EXT-X-TARGETDURATION").parse().expect("an integer");
    assert_eq!(tags::one(text, "EXT-X-PLAYLIST-TYPE"), "VOD"); // AS 8.6
    assert_eq!(tags::all(text, "EXT-X-ENDLIST").len(), 1);
    assert!(tags::one(text, "EXT-X-MEDIA-SEQUENCE").parse::<u64>().is_ok());
    // EXT-X-MAP in a playlist that is no I-frame playlist: version 6 (§8).
    assert!(tags::one(text, "EXT-X-VERSION").parse::<u32>().expect("an integer") >= 6, "{text}");
    let first_map = text.find("#EXT-X-MAP").expect("a map");
    assert!(first_map < text.find("#EXTINF").expect("a segment"), "the map follows its segments:\n{text}");
    for segment in &rendition.segments {
        // §4.4.3.1: rounded to the nearest integer, no longer than the target. AS 7.7: at most half a second more.
        assert!(
            segment.seconds.round() <= f64::from(target),
            "{} s over {target}: {}",
            segment.seconds,
            segment.path
        );
        assert!(segment.seconds > 0.0, "{}", segment.path);
    }
}

/// §4.1: UTF-8 without a mark, no control characters but line ends, tags start with `#EXTM3U`, no white space at the
/// ends of lines; and no URI that leads away or carries what belongs to one viewer.
fn text_rules(text: &str) {
    assert!(text.starts_with("#EXTM3U\n") || text.starts_with("#EXTM3U\r\n"), "{text}");
    assert!(tags::all(text, "EXT-X-VERSION").len() <= 1, "{text}");
    assert!(text.ends_with('\n'), "the last line is not ended:\n{text}");
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "a control character in {line:?}");
        assert_eq!(line.trim(), line, "white space in {line:?}");
        let uri = line
            .split("URI=\"")
            .nth(1)
            .map_or_else(|| (!line.starts_with('#')).then_some(line), |rest| rest.split('"').next());
        if let Some(uri) = uri {
            assert!(
                !uri.starts_with('/') && !uri.contains("://") && !uri.contains('?'),
                "not relative: {uri:?}"
            );
        }
    }
}

/// ISO/IEC 14496-12 §8.8.12 and RFC 8216bis §4.4.4.1: fragments follow each other without hole or overlap, and EXTINF
/// is their duration: from one keyframe's presentation to the next one's, also where pictures between them are decoded after the second.
fn fragments(rendition: &Rendition, fragments: &Fragments, picture: f64) {
    assert_eq!(fragments.segments.len(), rendition.segments.len());
    let mut expected = None;
    let timescale = fragments.timescale as f64;
    let hidden = fragments.hidden() as f64 / timescale;
    assert!(hidden < 0.1, "{hidden} s of {} are hidden", rendition.path);
    // EXTINF tells what is shown: what the edit list hides at the start does not count. Playlists start together
    // (§6.2.4), so the silence before a late sound is part of its first segment.
    let silence = (fragments.start() - picture).max(0.0);
    let mut error = hidden - silence;
    let starts = fragments.segments.iter().map(|boxes| boxes.time + boxes.first_offset);
    let end = fragments.segments.last().map(|last| last.time + last.duration);
    let end = end.zip(fragments.segments.first()).map(|(end, first)| end + first.first_offset);
    let (starts, ends) = (starts.clone(), starts.skip(1).chain(end));
    let lengths = starts.zip(ends).map(|(start, end)| (end - start) as f64 / timescale);
    for ((boxes, segment), length) in fragments.segments.iter().zip(&rendition.segments).zip(lengths) {
        if let Some(expected) = expected {
            assert_eq!(boxes.time, expected, "a hole before {}", segment.path);
        }
        expected = Some(boxes.time + boxes.duration);
        // AS 7.4 and EXT-X-INDEPENDENT-SEGMENTS.
        assert!(boxes.starts_with_sync, "{} does not start with a sync sample", segment.path);
        error += segment.seconds - length;
        // AS 8.1: sums stay within one frame; ours are exact to the digits that are printed. The last segment's
        // last sample may be declared longer than shown.
        assert!(error.abs() < 0.001, "EXTINF is off by {error} s at {}", segment.path);
    }
}

/// §6.2.4: renditions have matching timestamps. Ours share their boundaries: video to a millisecond, audio is cut at the
/// first frame at or after the video boundary (a frame of AAC lasts 23.2 ms at 44,100 Hz and 32 ms at 32,000).
fn aligned(read: &[(&Rendition, Fragments)]) {
    let is_video = |fragments: &Fragments| fragments.handler == "vide";
    let Some(reference) = read.iter().find(|(_, fragments)| is_video(fragments)) else { return };
    let reference = reference.1.boundaries();
    for (rendition, fragments) in read {
        let late = if is_video(fragments) { 0.001 } else { 0.050 };
        let own = fragments.boundaries();
        for (own, reference) in own.iter().zip(&reference) {
            let off = own - reference;
            assert!((-0.001..=late).contains(&off), "{}: boundary at {own}, not {reference}", rendition.path);
        }
        // Sound may end a little before or after the picture.
        let same = own.len().abs_diff(reference.len()) <= usize::from(rendition.kind == Kind::Audio);
        assert!(same, "{} has {} boundaries, the picture {}", rendition.path, own.len(), reference.len());
    }
}

/// §4.4.6.2 and AS 1.26 to 1.30: BANDWIDTH is the peak segment bit rate of any playable combination, AVERAGE-BANDWIDTH
/// the average; both are within ten per cent of what is measured, and the peak is never above what is declared.
fn bandwidths(presentation: &Presentation) {
    let (sound_peak, sound_average) = presentation
        .audio()
        .iter()
        .filter(|rendition| rendition.kind == Kind::Audio)
        .map(|rendition| rates(rendition))
        .fold((0.0_f64, 0.0_f64), |most, rates| (most.0.max(rates.0), most.1.max(rates.1)));
    for rendition in presentation.renditions.iter().filter(|rendition| rendition.kind == Kind::Variant) {
        let with_sound = rendition.attributes.find("AUDIO").is_some();
        let (more_peak, more_average) = if with_sound { (sound_peak, sound_average) } else { (0.0, 0.0) };
        let (peak, average) = rates(rendition);
        let (peak, average) = (peak + more_peak, average + more_average);
        let declared = rendition.attributes.integer("BANDWIDTH") as f64;
        let declared_average = rendition.attributes.integer("AVERAGE-BANDWIDTH") as f64;
        let name = &rendition.path;
        assert!(peak <= declared * 1.001 + 1.0, "{name}: peak {peak:.0} above BANDWIDTH {declared}");
        assert!(peak >= declared * 0.9, "{name}: peak {peak:.0} far below BANDWIDTH {declared}");
        let ratio = average / declared_average;
        assert!(
            (0.9..=1.1).contains(&ratio),
            "{name}: average {average:.0}, AVERAGE-BANDWIDTH {declared_average}"
        );
    }
}

/// Peak and average of a rendition in bits per second. The peak is the largest rate of any contiguous set of segments
/// that lasts from half a target duration to one and a half (RFC 8216bis §4.4.6.2).
fn rates(rendition: &Rendition) -> (f64, f64) {
    let target: f64 = tags::one(&rendition.text, "EXT-X-TARGETDURATION").parse().unwrap();
    let mut peak = 0.0_f64;
    for first in 0..rendition.segments.len() {
        let (mut bits, mut seconds) = (0.0, 0.0);
        for segment in &rendition.segments[first..] {
            bits += segment.bytes.len() as f64 * 8.0;
            seconds += segment.seconds;
            if (0.5 * target..=1.5 * target).contains(&seconds) {
                peak = peak.max(bits / seconds);
            }
        }
    }
    let bits: f64 = rendition.segments.iter().map(|segment| segment.bytes.len() as f64 * 8.0).sum();
    let seconds: f64 = rendition.segments.iter().map(|segment| segment.seconds).sum();
    // A film that is shorter than half a target duration has no other peak than its average.
    (if peak == 0.0 { bits / seconds } else { peak }, bits / seconds)
}
