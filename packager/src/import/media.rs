//! The playlist of one rendition: its segments, and whether all of them can be had.

use std::time::Duration;

use m3u8_rs::{KeyMethod, MediaSegment};

use super::{MAX_REMARKS, MAX_SEGMENTS, Place, Remark, shown};
use crate::range::ByteRange;
use crate::time::{MediaTime, Timescale};

/// A rendition's playlist that can be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaPlaylist {
    /// `EXT-X-TARGETDURATION`.
    pub target: MediaTime,
    /// Its init segments, each once.
    pub maps: Vec<Resource>,
    /// Its segments, at least one.
    pub segments: Vec<Segment>,
}

/// Bytes that a playlist names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Where, as the playlist says it.
    pub uri: String,
    /// Which bytes there; `None` for all.
    pub range: Option<ByteRange>,
}

/// A media segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its bytes.
    pub media: Resource,
    /// Which of the playlist's maps it needs.
    pub map: usize,
    /// Whether its timeline is another than that of the segment before it (`EXT-X-DISCONTINUITY`).
    pub is_discontinuous: bool,
    /// `EXTINF`.
    pub duration: MediaTime,
    /// Where it stands in the playlist.
    pub place: Place,
}

impl MediaPlaylist {
    /// Takes over what m3u8-rs read, whose lines of URIs were `uris`.
    pub(super) fn of(
        name: &str,
        read: m3u8_rs::MediaPlaylist,
        uris: &[(String, u32)],
    ) -> Result<Self, Vec<Remark>> {
        let whole = |what: &str| Remark::new(name, Place::Whole, what);
        let listed = read.segments.iter().map(|segment| &segment.uri);
        if !listed.eq(uris.iter().map(|(uri, _)| uri)) {
            return Err(vec![whole("expected a segment for each URI, found tags that cannot be read")]);
        }
        let mut faults = Vec::new();
        if read.i_frames_only {
            faults.push(whole("expected whole segments, found I-frames only"));
        }
        if !read.end_list {
            faults.push(whole("expected EXT-X-ENDLIST, found none: it is live, or not whole"));
        }
        if read.segments.is_empty() || read.segments.len() > MAX_SEGMENTS {
            let found = read.segments.len();
            faults.push(whole(&format!("expected 1 to {MAX_SEGMENTS} segments, found {found}")));
            return Err(faults);
        }
        let mut reader = Reader { name, faults, maps: Vec::new(), map: None, is_encrypted: false, end: None };
        let count = read.segments.len();
        let numbered = (0u32..).zip(read.segments.into_iter().zip(uris));
        let segments: Vec<Segment> = numbered
            .filter_map(|(number, (segment, (_, line)))| {
                reader.segment(segment, Place::Segment(number, *line))
            })
            .collect();
        let Reader { maps, faults, .. } = reader;
        match faults.is_empty() && segments.len() == count {
            true => {
                let target = i64::try_from(read.target_duration).unwrap_or(i64::MAX).clamp(1, MAX_TARGET);
                Ok(Self { target: MediaTime::from_millis(target * 1000), maps, segments })
            }
            false => Err(faults),
        }
    }

    /// How long all of it is, as it says.
    pub fn duration(&self) -> MediaTime {
        self.segments.iter().fold(MediaTime::zero(Timescale::MICROS), |sum, s| sum.plus(s.duration))
    }

    /// Where each timeline of it starts on that of the playlist, and where the last one ends.
    pub(super) fn periods(&self) -> Vec<MediaTime> {
        let mut at = MediaTime::zero(Timescale::MICROS);
        let mut periods = vec![at];
        for segment in &self.segments {
            if segment.is_discontinuous {
                periods.push(at);
            }
            at = at.plus(segment.duration);
        }
        periods.push(at);
        periods
    }
}

/// What goes on from one segment to the next.
struct Reader<'a> {
    name: &'a str,
    faults: Vec<Remark>,
    maps: Vec<Resource>,
    /// The map that holds.
    map: Option<usize>,
    /// Whether a key holds.
    is_encrypted: bool,
    /// Where the last range ended, and of what.
    end: Option<(String, u64)>,
}

impl Reader<'_> {
    /// Reads one segment; `None` where it cannot be imported, which is noted.
    fn segment(&mut self, read: MediaSegment, place: Place) -> Option<Segment> {
        let is_first = matches!(place, Place::Segment(0, _));
        let result = self.tags(&read).and_then(|()| self.parts(&read));
        let (media, map, duration) = match result {
            Ok(parts) => parts,
            Err(what) => {
                // What holds for all segments is said once.
                let known = |fault: &Remark| fault.what == what;
                if self.faults.len() < MAX_REMARKS && !self.faults.iter().any(known) {
                    self.faults.push(Remark::new(self.name, place, what));
                }
                return None;
            }
        };
        Some(Segment { media, map, is_discontinuous: read.discontinuity && !is_first, duration, place })
    }

    /// What the tags before a segment say of it.
    fn tags(&mut self, read: &MediaSegment) -> Result<(), String> {
        let mut is_gap = false;
        if let Some(key) = &read.key {
            self.is_encrypted = !matches!(key.method, KeyMethod::None);
        }
        for unknown in &read.unknown_tags {
            match (unknown.tag.as_str(), unknown.rest.as_deref()) {
                ("X-GAP", _) => is_gap = true,
                // m3u8-rs wants an IV of it.
                ("X-KEY", Some(list)) if list.split(',').any(|pair| pair.trim() == "METHOD=NONE") => {
                    self.is_encrypted = false;
                }
                (tag, _) => return Err(format!("expected tags that can be read, found EXT-{tag}")),
            }
        }
        if self.is_encrypted {
            return Err("expected segments in clear, found EXT-X-KEY: they are encrypted".to_owned());
        }
        match is_gap {
            true => Err("expected a segment, found EXT-X-GAP: it is missing".to_owned()),
            false => Ok(()),
        }
    }

    fn parts(&mut self, read: &MediaSegment) -> Result<(Resource, usize, MediaTime), String> {
        if let Some(map) = &read.map {
            let range = map.byte_range.as_ref().map(|range| checked(range.offset.unwrap_or(0), range.length));
            let map = Resource { uri: map.uri.clone(), range: range.transpose()? };
            let known = self.maps.iter().position(|known| *known == map);
            self.map = Some(known.unwrap_or(self.maps.len()));
            if known.is_none() {
                if self.maps.len() >= MAX_MAPS {
                    return Err(format!("expected at most {MAX_MAPS} init segments, found more"));
                }
                self.maps.push(map);
            }
        }
        let Some(map) = self.map else {
            return Err(format!("expected fragmented MP4 with EXT-X-MAP, found {}", without_map(&read.uri)));
        };
        let range = match &read.byte_range {
            None => None,
            Some(range) => {
                let before = self.end.as_ref().filter(|(uri, _)| *uri == read.uri).map(|(_, end)| *end);
                let start = range.offset.or(before);
                let start = start.ok_or("expected a byte range that says where it starts, found none")?;
                Some(checked(start, range.length)?)
            }
        };
        self.end = range.map(|range| (read.uri.clone(), range.end()));
        let micros = Duration::try_from_secs_f32(read.duration).ok().map(|d| d.as_micros());
        let micros =
            micros.and_then(|micros| i64::try_from(micros).ok()).filter(|micros| *micros <= MAX_EXTINF);
        let duration = micros.ok_or("expected EXTINF of at most a day, found more")?;
        let media = Resource { uri: read.uri.clone(), range };
        Ok((media, map, MediaTime::new(duration, Timescale::MICROS)))
    }
}

fn checked(start: u64, length: u64) -> Result<ByteRange, String> {
    let ends = start.checked_add(length).is_some_and(|end| end < 1 << 62);
    match ends && length > 0 {
        true => Ok(ByteRange::at(start, length)),
        false => Err(format!("expected a byte range, found {length}@{start}")),
    }
}

/// What segments without `EXT-X-MAP` are likely to be.
fn without_map(uri: &str) -> &'static str {
    let name = shown(uri).to_ascii_lowercase();
    match name.rsplit('.').next() {
        Some("ts" | "m2ts" | "mts" | "mp2t") => "MPEG-TS",
        Some("aac" | "mp3" | "ac3" | "ec3") => "packed audio",
        Some("vtt" | "webvtt") => "WebVTT",
        _ => "no EXT-X-MAP: MPEG-TS, packed audio or text",
    }
}

/// An hour for a segment would be strange; that it is not to overflow is what matters.
const MAX_TARGET: i64 = 3600;
/// Init segments of one rendition.
const MAX_MAPS: usize = 256;
/// A day, in microseconds.
const MAX_EXTINF: i64 = 86_400_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::Playlist;
    use proptest::prelude::*;

    const MAP: &str = "#EXT-X-MAP:URI=\"init.mp4\"";

    fn read(lines: &[&str]) -> Result<MediaPlaylist, Vec<String>> {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{}\n#EXT-X-ENDLIST\n", lines.join("\n"));
        let said = |remarks: Vec<Remark>| remarks.iter().map(ToString::to_string).collect::<Vec<_>>();
        Playlist::read_media("v.m3u8", text.as_bytes()).map_err(said)
    }

    fn only_fault(lines: &[&str]) -> String {
        let faults = read(lines).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults[0].clone()
    }

    #[test]
    fn segments_have_their_maps_ranges_and_timelines() {
        let playlist = read(&[
            "#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"800@0\"",
            "#EXTINF:4.004,",
            "#EXT-X-BYTERANGE:1000@800",
            "all.mp4",
            "#EXTINF:4.004,",
            "#EXT-X-BYTERANGE:500",
            "all.mp4",
            "#EXT-X-DISCONTINUITY",
            "#EXT-X-MAP:URI=\"b.mp4\"",
            "#EXTINF:2,",
            "b0.m4s?x=1",
            "#EXTINF:2,",
            "b1.m4s?x=1",
        ])
        .unwrap();
        let whole = |uri: &str| Resource { uri: uri.to_owned(), range: None };
        let part = |start, end| Resource { range: Some(ByteRange::new(start, end)), ..whole("all.mp4") };
        assert_eq!(playlist.maps, [part(0, 800), whole("b.mp4")]);
        let segments: Vec<_> =
            playlist.segments.iter().map(|s| (s.media.clone(), s.map, s.is_discontinuous)).collect();
        let expected = [(part(800, 1800), 0, false), (part(1800, 2300), 0, false)];
        let rest = [(whole("b0.m4s?x=1"), 1, true), (whole("b1.m4s?x=1"), 1, false)];
        assert_eq!(segments, [expected, rest].concat());
        assert_eq!(playlist.duration().to_string(), "12.008000");
        assert_eq!(playlist.segments[2].place, Place::Segment(2, 13));
        let periods: Vec<String> = playlist.periods().iter().map(ToString::to_string).collect();
        assert_eq!(periods, ["0.000000", "8.008000", "12.008000"]);
    }

    #[test]
    fn what_cannot_be_imported_is_named_with_its_place() {
        assert_eq!(
            only_fault(&["#EXTINF:4,", "a.ts", "#EXTINF:4,", "b.ts"]),
            "v.m3u8, segment 0 (line 4): expected fragmented MP4 with EXT-X-MAP, found MPEG-TS"
        );
        assert!(only_fault(&["#EXTINF:4,", "a.aac"]).ends_with("found packed audio"));
        let key = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://x\"";
        assert_eq!(
            only_fault(&[MAP, "#EXTINF:4,", "a.m4s", key, "#EXTINF:4,", "b.m4s", "#EXTINF:4,", "c.m4s"]),
            "v.m3u8, segment 1 (line 8): expected segments in clear, found EXT-X-KEY: they are encrypted"
        );
        assert!(only_fault(&[MAP, "#EXT-X-GAP", "#EXTINF:4,", "a.m4s"]).contains("EXT-X-GAP"));
        assert!(only_fault(&[MAP, "#EXTINF:4,", "#EXT-X-BYTERANGE:9", "a"]).contains("says where it starts"));
        assert!(
            only_fault(&[MAP, "#EXTINF:4,", "#EXT-X-BYTERANGE:9@18446744073709551610", "a"]).contains("9@")
        );
        assert!(only_fault(&[MAP]).contains("found 0"));
        assert!(only_fault(&["#EXT-X-I-FRAMES-ONLY", MAP, "#EXTINF:4,", "a"]).contains("I-frames only"));
        assert!(only_fault(&["#EXTINF:4,", "#EXT-X-MAP:URI=a", "a.mp4"]).contains("EXT-X-MAP"));
    }

    #[test]
    fn a_key_that_is_none_is_none() {
        for none in ["#EXT-X-KEY:METHOD=NONE", "#EXT-X-KEY:METHOD=NONE,IV=0x0"] {
            assert!(read(&[none, MAP, "#EXTINF:4,", "a.m4s"]).is_ok(), "{none}");
        }
    }

    #[test]
    fn a_live_playlist_is_refused_as_such() {
        let text = format!("#EXTM3U\n#EXT-X-TARGETDURATION:4\n{MAP}\n#EXTINF:4,\na.m4s\n");
        let faults = Playlist::read_media("v.m3u8", text.as_bytes()).unwrap_err();
        assert_eq!(
            faults[0].to_string(),
            "v.m3u8: expected EXT-X-ENDLIST, found none: it is live, or not whole"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(lines in prop::collection::vec("(#EXT-X-(KEY|MAP|BYTERANGE|GAP|DEFINE|STREAM-INF|MEDIA)|#EXTINF)?:?[A-Z\"=,@a0-9.]{0,12}", 0..40)) {
            let text = format!("#EXTM3U\n{}", lines.join("\n"));
            if let Ok(Playlist::Media(media)) = Playlist::read("x", text.as_bytes()) {
                prop_assert!(media.segments.iter().all(|s| s.map < media.maps.len()));
            }
        }

        #[test]
        fn each_segment_is_there_and_in_order(count in 1usize..200) {
            let mut lines = vec![MAP.to_owned()];
            lines.extend((0..count).flat_map(|n| ["#EXTINF:2.5,".to_owned(), format!("{n}.m4s")]));
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            let playlist = read(&lines).unwrap();
            let uris: Vec<_> = playlist.segments.iter().map(|s| s.media.uri.clone()).collect();
            prop_assert_eq!(uris, (0..count).map(|n| format!("{n}.m4s")).collect::<Vec<_>>());
        }
    }
}
