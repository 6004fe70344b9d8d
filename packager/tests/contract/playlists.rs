//! Playlists against RFC 8216bis, a reader of others, and an oracle that counts naively.

use forebay_packager::playlist::{media_playlist, multivariant_playlist};
use forebay_packager::presentation::{Presentation, Rendition};
use forebay_packager::time::Msn;

use super::rig::{FIXTURES, fixture, present, segment};

#[test]
fn every_playlist_holds_its_promises() {
    for name in FIXTURES {
        let object = fixture(name);
        for target in [500, 2000, 6000] {
            keep_their_promises(&object, &present(&object, target));
        }
    }
}

/// All that must hold for the playlists of any presentation.
pub(crate) fn keep_their_promises(object: &[u8], presentation: &Presentation) {
    let mut rates = Vec::new();
    for rendition in presentation.renditions() {
        let text = media_playlist(presentation, rendition);
        let lengths = durations(&text);
        is_read_alike(&text, presentation, rendition, &lengths);
        let first = rendition.starts_at(Msn(0)).as_micros();
        let end = rendition.starts().last().unwrap().as_micros();
        assert_eq!(lengths.iter().sum::<i64>(), end - first, "{}: EXTINF adds up", rendition.name());
        let target = i64::from(presentation.target_duration());
        for length in &lengths {
            // RFC 8216bis §4.4.3.1: rounded to the nearest integer, at most the target duration.
            assert!((length + 500_000) / 1_000_000 <= target, "{length} us exceed {target} s");
        }
        let sizes: Vec<u64> = (0..rendition.segment_count())
            .map(|n| segment(object, rendition, n).map_or(0, |bytes| bytes.len() as u64))
            .collect();
        rates.push((rendition.name().to_string(), rendition.is_video(), peak(&sizes, &lengths, target)));
    }
    names_the_rates(presentation, &rates);
}

/// EXTINF in microseconds, read digit by digit.
fn durations(text: &str) -> Vec<i64> {
    let lines = text.lines().filter_map(|l| l.strip_prefix("#EXTINF:"));
    lines
        .map(|l| {
            let (whole, part) = l.strip_suffix(',').unwrap().split_once('.').unwrap();
            assert_eq!(part.len(), 6);
            whole.parse::<i64>().unwrap() * 1_000_000 + part.parse::<i64>().unwrap()
        })
        .collect()
}

fn is_read_alike(text: &str, presentation: &Presentation, rendition: &Rendition, lengths: &[i64]) {
    let read = m3u8_rs::parse_media_playlist_res(text.as_bytes()).unwrap();
    assert_eq!(read.target_duration, u64::from(presentation.target_duration()));
    assert_eq!((read.media_sequence, read.end_list, read.i_frames_only), (0, true, false));
    assert_eq!(read.playlist_type, Some(m3u8_rs::MediaPlaylistType::Vod));
    assert_eq!(read.segments.len() as u64, rendition.segment_count());
    for (number, (segment, micros)) in read.segments.iter().zip(lengths).enumerate() {
        assert_eq!(segment.uri, format!("{number}.m4s"));
        assert!((f64::from(segment.duration) - *micros as f64 / 1e6).abs() < 1e-3);
        let gap = segment.unknown_tags.iter().any(|t| t.tag == "X-GAP");
        assert_eq!(gap, rendition.is_gap(Msn(number as u64)), "segment {number}");
    }
    assert_eq!(read.segments[0].map.as_ref().map(|m| m.uri.as_str()), Some("init.mp4"));
}

/// RFC 8216bis §4.1: the largest rate of any run of segments of half to one and a half target durations; and never
/// less than the average.
fn peak(sizes: &[u64], lengths: &[i64], target: i64) -> (u64, u64) {
    let rate = |bytes: u64, micros: i64| match micros {
        0 => 0,
        _ => (u128::from(bytes) * 8_000_000).div_ceil(micros as u128) as u64,
    };
    let average = rate(sizes.iter().sum(), lengths.iter().sum());
    let mut peak = average;
    for first in 0..sizes.len() {
        for past in first + 1..=sizes.len() {
            let micros: i64 = lengths[first..past].iter().sum();
            if 2 * micros >= target * 1_000_000 && 2 * micros <= 3 * target * 1_000_000 {
                peak = peak.max(rate(sizes[first..past].iter().sum(), micros));
            }
        }
    }
    (peak, average)
}

fn names_the_rates(presentation: &Presentation, rates: &[(String, bool, (u64, u64))]) {
    let text = multivariant_playlist(presentation, "7/");
    let read = m3u8_rs::parse_master_playlist_res(text.as_bytes()).unwrap();
    assert!(read.independent_segments);
    let videos = rates.iter().filter(|r| r.1).count();
    assert_eq!(read.variants.len(), videos.max(1));
    let sound = |pick: fn(&(u64, u64)) -> u64| {
        rates.iter().filter(|r| !r.1).map(|r| pick(&r.2)).max().filter(|_| videos > 0).unwrap_or(0)
    };
    for variant in &read.variants {
        let name = variant.uri.strip_prefix("7/").and_then(|u| u.strip_suffix("/index.m3u8")).unwrap();
        let rendition = presentation.rendition(name).unwrap();
        let (peak, average) = rates.iter().find(|r| r.0 == name).unwrap().2;
        assert_eq!(variant.bandwidth, peak + sound(|r| r.0), "BANDWIDTH of {name}");
        assert_eq!(variant.average_bandwidth, Some(average + sound(|r| r.1)), "AVERAGE-BANDWIDTH of {name}");
        let codecs = variant.codecs.as_deref().unwrap();
        assert!(codecs.split(',').any(|c| c == rendition.track().decoding().codec));
        assert_eq!(variant.resolution.is_some(), rendition.is_video());
        assert_eq!(variant.audio.is_some(), rates.len() > 1 && videos < rates.len());
    }
    for media in &read.alternatives {
        let name = media.uri.as_deref().unwrap().strip_prefix("7/").unwrap();
        assert!(rates.iter().any(|r| !r.1 && name == format!("{}/index.m3u8", r.0)));
        assert_eq!(media.group_id, "audio");
    }
    assert!(read.alternatives.iter().filter(|m| m.default).count() <= 1);
}
