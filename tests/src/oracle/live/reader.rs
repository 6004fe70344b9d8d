//! Reading a media playlist line by line.

use std::time::Duration;

use super::Fault;
use super::playlist::{Part, Playlist, Segment, Skip};
use super::time::{date, seconds};
use crate::oracle::tags::Attributes;

pub(super) fn read(text: &str) -> (Playlist, Vec<Fault>) {
    let mut reader = Reader::default();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        reader.line(line);
    }
    reader.close();
    (reader.playlist, reader.faults)
}

#[derive(Default)]
struct Reader {
    playlist: Playlist,
    faults: Vec<Fault>,
    /// The segment whose tags are being read, and whether any was.
    next: Segment,
    is_begun: bool,
    has_extinf: bool,
    map: Option<String>,
    discontinuities: usize,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let Some(tag) = line.strip_prefix('#') else { return self.uri(line) };
        let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
        match name {
            "EXTM3U" | "EXT-X-INDEPENDENT-SEGMENTS" => {}
            "EXT-X-VERSION" => self.playlist.version = self.integer(name, value),
            "EXT-X-TARGETDURATION" => self.playlist.target = self.integer(name, value).unwrap_or(0),
            "EXT-X-MEDIA-SEQUENCE" => {
                self.stands_in_the_head(name);
                self.playlist.sequence = self.integer(name, value).unwrap_or(0);
            }
            "EXT-X-DISCONTINUITY-SEQUENCE" => {
                self.stands_in_the_head(name);
                self.playlist.discontinuity_sequence = self.integer(name, value);
            }
            "EXT-X-PLAYLIST-TYPE" => self.playlist.kind = Some(value.to_owned()),
            "EXT-X-ENDLIST" => self.playlist.is_ended = true,
            "EXTINF" => self.extinf(value),
            "EXT-X-DISCONTINUITY" | "EXT-X-PROGRAM-DATE-TIME" | "EXT-X-GAP" => self.segment_tag(name, value),
            _ if name.starts_with("EXT-X-") => self.attributes(name, value, line),
            _ if name.starts_with("EXT") => self.fault("§4.1: tags have the names of §4.4", line),
            _ => {}
        }
    }

    fn attributes(&mut self, name: &str, value: &str, line: &str) {
        let attributes = match Attributes::try_parse(value) {
            Ok(attributes) => attributes,
            Err(fault) => {
                return self.fault("§4.2: attribute lists have their form", &format!("{fault} in {line}"));
            }
        };
        match name {
            "EXT-X-MAP" => {
                self.precedes_the_parts(name);
                self.map = self.text(name, &attributes, "URI");
                self.next.map.clone_from(&self.map);
                self.is_begun = true;
            }
            "EXT-X-PART-INF" => self.playlist.part_target = self.decimal(name, &attributes, "PART-TARGET"),
            "EXT-X-SERVER-CONTROL" => self.playlist.control = Some(attributes),
            "EXT-X-PART" => self.part(&attributes),
            "EXT-X-SKIP" => self.skip(&attributes),
            "EXT-X-PRELOAD-HINT" => {
                let kind = self.text(name, &attributes, "TYPE").unwrap_or_default();
                let uri = self.text(name, &attributes, "URI").unwrap_or_default();
                self.playlist.hints.push((kind, uri));
            }
            "EXT-X-RENDITION-REPORT" => self.playlist.reports.push(attributes),
            "EXT-X-DATERANGE" => self.range(&attributes),
            _ => self.playlist.others.push(line.to_owned()),
        }
    }

    fn uri(&mut self, line: &str) {
        if !std::mem::take(&mut self.has_extinf) {
            self.fault("§4.4.4.1: every segment has an EXTINF", line);
        }
        let mut segment = std::mem::take(&mut self.next);
        segment.uri = line.to_owned();
        segment.map.clone_from(&self.map);
        self.playlist.segments.push(segment);
        self.is_begun = false;
    }

    fn extinf(&mut self, value: &str) {
        let (duration, _title) = value.split_once(',').unwrap_or((value, ""));
        match seconds(duration) {
            Some(duration) => self.next.duration = duration,
            None => self.fault("§4.4.4.1: EXTINF has a decimal number of seconds", value),
        }
        (self.has_extinf, self.is_begun) = (true, true);
    }

    fn segment_tag(&mut self, name: &str, value: &str) {
        self.is_begun = true;
        match name {
            "EXT-X-GAP" => self.next.is_gap = true,
            "EXT-X-DISCONTINUITY" => {
                self.precedes_the_parts(name);
                self.discontinuities += 1;
                self.next.is_discontinuous = true;
            }
            _ => {
                self.precedes_the_parts(name);
                self.next.date = date(value);
                if self.next.date.is_none() {
                    self.fault("§4.4.4.6: EXT-X-PROGRAM-DATE-TIME has milliseconds and a time zone", value);
                }
            }
        }
    }

    fn part(&mut self, attributes: &Attributes) {
        self.is_begun = true;
        let uri = self.text("EXT-X-PART", attributes, "URI").unwrap_or_default();
        let range = attributes.find("BYTERANGE").map(|range| format!(" {range}")).unwrap_or_default();
        let duration = self.decimal("EXT-X-PART", attributes, "DURATION").unwrap_or_default();
        let is = |name| attributes.find(name) == Some("YES");
        let (is_independent, is_gap) = (is("INDEPENDENT"), is("GAP"));
        self.next.map.clone_from(&self.map);
        self.next.parts.push(Part { uri: uri + &range, duration, is_independent, is_gap });
    }

    fn skip(&mut self, attributes: &Attributes) {
        if !self.playlist.segments.is_empty() || self.is_begun {
            self.fault(
                "§4.4.5.2: EXT-X-SKIP stands where the oldest segments stood",
                "it stands behind a segment",
            );
        }
        let segments = self.text("EXT-X-SKIP", attributes, "SKIPPED-SEGMENTS").unwrap_or_default();
        let segments = self.integer("SKIPPED-SEGMENTS", &segments).unwrap_or(0);
        let ids = |list: &str| list.split('\t').filter(|id| !id.is_empty()).map(str::to_owned).collect();
        self.playlist.skip =
            Some(Skip { segments, removed: attributes.find("RECENTLY-REMOVED-DATERANGES").map(ids) });
    }

    fn range(&mut self, attributes: &Attributes) {
        let Some(id) = self.text("EXT-X-DATERANGE", attributes, "ID") else { return };
        let known = self.playlist.ranges.entry(id.clone()).or_default();
        let mut changed = Vec::new();
        for (name, value) in attributes.iter() {
            let former = known.insert(name.to_owned(), value.to_owned());
            changed.extend(
                former
                    .filter(|former| former != value)
                    .map(|former| format!("{id}: {name} {former}, then {value}")),
            );
        }
        for change in changed {
            self.fault("§4.4.5.1: tags of one date range agree in their attributes", &change);
        }
    }

    fn close(&mut self) {
        if self.is_begun {
            let mut open = std::mem::take(&mut self.next);
            open.map.clone_from(&self.map);
            if self.has_extinf {
                self.fault("§4.4.4.1: EXTINF applies to the URI that follows", "no URI follows");
            }
            self.playlist.open = Some(open);
        }
    }

    fn stands_in_the_head(&mut self, name: &str) {
        if !self.playlist.segments.is_empty() || self.is_begun || self.discontinuities > 0 {
            self.fault("§4.4.3.2, §4.4.3.3: sequence tags stand before the first segment", name);
        }
    }

    fn precedes_the_parts(&mut self, name: &str) {
        if !self.next.parts.is_empty() {
            let uri = self.next.parts[0].uri.clone();
            self.fault(
                "§4.4.4.9: tags of a segment stand before its first part",
                &format!("{name} behind part {uri}"),
            );
        }
    }

    fn text(&mut self, tag: &str, attributes: &Attributes, name: &str) -> Option<String> {
        let value = attributes.find(name).filter(|value| !value.is_empty()).map(str::to_owned);
        if value.is_none() {
            self.fault("§4.4: required attributes are there", &format!("{tag} without {name}"));
        }
        value
    }

    fn decimal(&mut self, tag: &str, attributes: &Attributes, name: &str) -> Option<Duration> {
        let text = self.text(tag, attributes, name)?;
        let value = seconds(&text);
        if value.is_none() {
            self.fault("§4.2: decimal numbers have their form", &format!("{tag} with {name}={text}"));
        }
        value
    }

    fn integer(&mut self, name: &str, text: &str) -> Option<u64> {
        let value = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        if value.is_none() {
            self.fault("§4.2: integers have their form", &format!("{name}: {text:?}"));
        }
        value
    }

    fn fault(&mut self, rule: &'static str, found: &str) {
        self.faults.push(Fault { rule, found: found.to_owned() });
    }
}
