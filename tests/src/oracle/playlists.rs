//! Three parsers of others must read in a playlist what we read in it.

use m3u8_rs::Playlist;
use serde_json::{Value, json};

use super::hls::{Presentation, Rendition, resolve};
use super::tags::{self, Attributes};
use crate::rig::tool;

/// Reads every playlist of a presentation with m3u8-rs, PyPI's m3u8 and npm's m3u8-parser.
///
/// # Panics
/// When one of them refuses it, or sees other URIs, durations or attributes.
pub fn agree(presentation: &Presentation) {
    let wanted = multivariant(presentation);
    for (parser, read) in readings(&presentation.text) {
        assert_eq!(read["media"], wanted["media"], "{parser} on:\n{}", presentation.text);
        assert_eq!(read["variants"], wanted["variants"], "{parser} on:\n{}", presentation.text);
    }
    for rendition in &presentation.renditions {
        for (parser, read) in readings(&rendition.text) {
            media_agrees(parser, &read, rendition);
        }
    }
}

fn multivariant(presentation: &Presentation) -> Value {
    let text = &presentation.text;
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

fn readings(text: &str) -> [(&'static str, Value); 3] {
    let by_script =
        |script| serde_json::from_slice(&tool::fed(&mut tool::oracle(script), text.as_bytes())).unwrap();
    [
        ("m3u8-rs", by_m3u8_rs(text)),
        ("PyPI m3u8", by_script("playlist.py")),
        ("m3u8-parser", by_script("playlist.mjs")),
    ]
}

fn by_m3u8_rs(text: &str) -> Value {
    let (rest, playlist) = m3u8_rs::parse_playlist(text.as_bytes()).expect("m3u8-rs reads it");
    assert!(rest.iter().all(u8::is_ascii_whitespace), "m3u8-rs stops before the end");
    match playlist {
        Playlist::MasterPlaylist(master) => {
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
        Playlist::MediaPlaylist(media) => {
            let segment = |s: &m3u8_rs::MediaSegment| json!({"uri": s.uri, "duration": s.duration, "map": s.map.as_ref().map(|map| &map.uri)});
            let segments: Vec<Value> = media.segments.iter().map(segment).collect();
            json!({"target": media.target_duration, "ended": media.end_list, "segments": segments})
        }
    }
}
