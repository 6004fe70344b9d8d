//! Three parsers of others must read in a playlist what we read in it.

use serde_json::{Value, json};

use super::hls::{Presentation, Rendition, resolve};
use super::live::playlist::{Part, Playlist, Segment};
use super::tags::{self, Attributes};
use crate::rig::tool;

/// Reads every playlist of a presentation with m3u8-rs, PyPI's m3u8 and npm's m3u8-parser.
///
/// # Panics
/// When one of them refuses it, or sees other URIs, durations or attributes.
pub fn agree(presentation: &Presentation) {
    let texts: Vec<&str> = std::iter::once(presentation.text.as_str())
        .chain(presentation.renditions.iter().map(|rendition| rendition.text.as_str()))
        .collect();
    for (parser, read) in readings(&texts) {
        names_the_same(parser, &read[0], &presentation.text);
        for (rendition, read) in presentation.renditions.iter().zip(&read[1..]) {
            media_agrees(parser, read, rendition);
        }
    }
}

/// Reads multivariant playlists with the same three.
///
/// # Panics
/// When one of them refuses a playlist, or sees other renditions.
pub fn agree_multivariant(texts: &[&str]) {
    for (parser, read) in readings(texts) {
        for (text, read) in texts.iter().zip(&read) {
            names_the_same(parser, read, text);
        }
    }
}

/// Reads live media playlists with the same three. What they know of low latency must be what our own reading of the
/// page says; m3u8-rs knows nothing of it.
///
/// # Panics
/// When one of them refuses a playlist, warns of it, or reads something else.
pub fn agree_live(texts: &[&str]) {
    for (parser, read) in readings(texts) {
        for (text, read) in texts.iter().zip(&read) {
            live_agrees(parser, read, &Playlist::of(text), text);
        }
    }
}

fn live_agrees(parser: &str, read: &Value, playlist: &Playlist, text: &str) {
    let part = |part: &Part| json!({"uri": part.uri, "duration": part.duration.as_secs_f64(), "independent": part.is_independent, "gap": part.is_gap});
    let parts = |segment: &Segment| segment.parts.iter().map(part).collect::<Value>();
    let segment = |segment: &Segment| {
        json!({
            "uri": segment.uri, "duration": segment.duration.as_secs_f64(), "map": segment.map, "gap": segment.is_gap,
            "discontinuity": segment.is_discontinuous, "parts": parts(segment),
        })
    };
    let report = |report: &Attributes| json!({"uri": report.value("URI"), "msn": report.integer("LAST-MSN"), "part": report.integer("LAST-PART")});
    let hint = playlist.hints.iter().find(|(kind, _)| kind == "PART").map(|(_, uri)| uri);
    let wanted = json!({
        "target": playlist.target,
        "ended": playlist.is_ended,
        "sequence": playlist.sequence,
        "partTarget": playlist.part_target.map(|target| target.as_secs_f64()),
        "skipped": playlist.skip.as_ref().map(|skip| skip.segments),
        "hint": hint,
        "complaints": [],
        "segments": playlist.segments.iter().map(segment).collect::<Value>(),
        "open": playlist.open.as_ref().map_or(json!([]), parts),
        "reports": playlist.reports.iter().map(report).collect::<Value>(),
        "ranges": playlist.ranges.keys().cloned().collect::<Value>(),
    });
    let mut place = String::new();
    assert!(
        is_alike(read, &wanted, &mut place),
        "{parser} reads {place} otherwise than {wanted} in:\n{text}"
    );
}

/// Whether a reading says what is wanted. What a parser does not know is missing or null there; numbers may be those of
/// an f32. `place` is where they differ.
fn is_alike(read: &Value, wanted: &Value, place: &mut String) -> bool {
    let length = place.len();
    let is_alike = match (read, wanted) {
        (Value::Null, _) => true,
        (Value::Array(read), Value::Array(wanted)) => {
            read.len() == wanted.len()
                && read.iter().zip(wanted).enumerate().all(|(n, (read, wanted))| {
                    place.truncate(length);
                    place.push_str(&format!("[{n}]"));
                    is_alike(read, wanted, place)
                })
        }
        (Value::Object(read), Value::Object(wanted)) => wanted.iter().all(|(name, wanted)| {
            place.truncate(length);
            place.push_str(&format!(".{name}"));
            is_alike(read.get(name).unwrap_or(&Value::Null), wanted, place)
        }),
        (Value::Number(read), Value::Number(wanted)) => {
            (read.as_f64().unwrap() - wanted.as_f64().unwrap()).abs() < 1e-6
        }
        (read, wanted) => read == wanted,
    };
    if is_alike {
        place.truncate(length);
    } else if place.len() == length {
        place.push_str(&format!(" as {read}"));
    }
    is_alike
}

fn names_the_same(parser: &str, read: &Value, text: &str) {
    let wanted = multivariant(text);
    assert_eq!(read["media"], wanted["media"], "{parser} on:\n{text}");
    assert_eq!(read["variants"], wanted["variants"], "{parser} on:\n{text}");
}

fn multivariant(text: &str) -> Value {
    let uri = |line: &str| line.lines().nth(1).unwrap().to_owned();
    let variants: Vec<Value> = text
        .split("#EXT-X-STREAM-INF:")
        .skip(1)
        .map(|block| {
            let attributes = Attributes::parse(block.lines().next().unwrap());
            let height =
                attributes.find("RESOLUTION").map(|r| r.split_once('x').unwrap().1.parse::<u64>().unwrap());
            json!({
                "uri": uri(block),
                "bandwidth": attributes.integer("BANDWIDTH"),
                "codecs": attributes.find("CODECS"),
                "height": height,
            })
        })
        .collect();
    let media: Vec<Attributes> = tags::all(text, "EXT-X-MEDIA").into_iter().map(Attributes::parse).collect();
    let media: Vec<&str> = media.iter().filter_map(|media| media.find("URI")).collect();
    json!({"variants": variants, "media": media})
}

fn media_agrees(parser: &str, read: &Value, rendition: &Rendition) {
    let text = &rendition.text;
    let target: u64 = tags::one(text, "EXT-X-TARGETDURATION").parse().unwrap();
    assert_eq!(read["target"], target, "{parser} on:\n{text}");
    assert_eq!(read["ended"], text.contains("#EXT-X-ENDLIST"), "{parser} on:\n{text}");
    let segments = read["segments"].as_array().unwrap();
    assert_eq!(segments.len(), rendition.segments.len(), "{parser} on:\n{text}");
    for (seen, ours) in segments.iter().zip(&rendition.segments) {
        assert_eq!(resolve(&rendition.path, seen["uri"].as_str().unwrap()), ours.path, "{parser}");
        // m3u8-rs keeps durations as f32.
        assert!((seen["duration"].as_f64().unwrap() - ours.seconds).abs() < 1e-5, "{parser}: {seen}");
        // m3u8-rs names the map only where it stands.
        if let Some(map) = seen["map"].as_str() {
            assert_eq!(resolve(&rendition.path, map), rendition.init_path, "{parser}");
        }
    }
    assert!(segments[0]["map"].is_string(), "{parser} sees no map before the first segment of:\n{text}");
}

fn readings(texts: &[&str]) -> [(&'static str, Vec<Value>); 3] {
    let all = serde_json::to_vec(texts).unwrap();
    let by_script = |script| serde_json::from_slice(&tool::fed(&mut tool::oracle(script), &all)).unwrap();
    [
        ("m3u8-rs", texts.iter().map(|text| by_m3u8_rs(text)).collect()),
        ("PyPI m3u8", by_script("playlist.py")),
        ("m3u8-parser", by_script("playlist.mjs")),
    ]
}

fn by_m3u8_rs(text: &str) -> Value {
    let (rest, playlist) = m3u8_rs::parse_playlist(text.as_bytes()).expect("m3u8-rs reads it");
    assert!(rest.iter().all(u8::is_ascii_whitespace), "m3u8-rs stops before the end");
    match playlist {
        m3u8_rs::Playlist::MasterPlaylist(master) => {
            let variant = |v: &m3u8_rs::VariantStream| {
                json!({
                    "uri": v.uri, "bandwidth": v.bandwidth, "codecs": v.codecs,
                    "height": v.resolution.map(|r| r.height),
                })
            };
            let variants: Vec<Value> = master.variants.iter().map(variant).collect();
            let media: Vec<&String> =
                master.alternatives.iter().filter_map(|media| media.uri.as_ref()).collect();
            json!({"variants": variants, "media": media})
        }
        m3u8_rs::Playlist::MediaPlaylist(media) => {
            let segment = |s: &m3u8_rs::MediaSegment| {
                json!({
                    "uri": s.uri, "duration": s.duration, "map": s.map.as_ref().map(|map| &map.uri),
                    "discontinuity": s.discontinuity,
                })
            };
            let segments: Vec<Value> = media.segments.iter().map(segment).collect();
            let (target, ended) = (media.target_duration, media.end_list);
            json!({"target": target, "ended": ended, "sequence": media.media_sequence, "segments": segments})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_says_something_else_is_not_alike_and_one_that_says_less_is() {
        let wanted =
            json!({"segments": [{"uri": "1.m4s", "duration": 2.0}, {"uri": "2.m4s", "duration": 0.333333}]});
        let read = |second: Value| json!({"segments": [{"uri": "1.m4s", "duration": 2}, second], "more": 1});
        for (second, differs) in [
            (json!({"uri": "2.m4s", "duration": 0.333_333_1}), None),
            (json!({"uri": "2.m4s"}), None),
            (json!({"uri": "2.m4s", "duration": null}), None),
            (json!({"uri": "2.m4s", "duration": 0.334}), Some(".segments[1].duration as 0.334")),
            (json!({"uri": 2}), Some(".segments[1].uri as 2")),
        ] {
            let mut place = String::new();
            let is_alike = is_alike(&read(second), &wanted, &mut place);
            assert_eq!((is_alike, place.as_str()), (differs.is_none(), differs.unwrap_or("")));
        }
        assert!(!is_alike(&json!({"segments": []}), &wanted, &mut String::new()));
    }
}
