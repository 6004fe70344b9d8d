//! A show that is sent to: fixtures, round and round.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::asset::RenditionName;
use forebay_packager::live::{
    Cadence, Chunk, DateRange, Event, EventMessage, Feed, Form, Header, Listing, Plan, Sample, Sender, Show,
    Splitter, View,
};
use forebay_packager::time::MediaTime;

/// 2026-11-22T16:00:00Z, when media time is zero.
pub(crate) const ZERO_MS: i64 = 1_795_363_200_000;
pub(crate) const CHUNK_MS: i64 = 200;

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A show that is being sent.
pub(crate) struct Stage {
    pub(crate) show: Show,
    pub(crate) lines: Vec<Line>,
    pub(crate) at_ms: i64,
    said: String,
}

/// A track that is being sent: a fixture, round and round.
pub(crate) struct Line {
    pub(crate) name: RenditionName,
    pub(crate) header: Arc<Header>,
    pub(crate) feed: Feed,
    samples: Vec<Sample>,
    pub(crate) sent: usize,
}

impl Line {
    pub(crate) fn of(kind: &str) -> Self {
        let (header, samples) =
            read(&std::fs::read(folder(&format!("fixtures/live/cmaf-{kind}.mp4"))).unwrap());
        let name = kind.parse().unwrap();
        Self { name, header, feed: Feed::new(Sender(1)), samples, sent: 0 }
    }

    /// The sample with this number, of whichever round.
    pub(crate) fn sample(&self, number: usize) -> Sample {
        let sample = self.samples[number % self.samples.len()].clone();
        Sample { decode: i64::from(sample.duration) * i64::try_from(number).unwrap(), ..sample }
    }

    /// The samples up to a time that have not been taken from here.
    pub(crate) fn until(&mut self, to_ms: i64) -> Vec<Sample> {
        let end = to_ms * i64::from(self.header.timescale().ticks_per_second()) / 1000;
        let mut samples = Vec::new();
        while self.sample(self.sent).decode < end {
            samples.push(self.sample(self.sent));
            self.sent += 1;
        }
        samples
    }
}

pub(crate) fn read(file: &[u8]) -> (Arc<Header>, Vec<Sample>) {
    let mut splitter = Splitter::new();
    splitter.feed(Bytes::copy_from_slice(file));
    let (mut header, mut samples) = (None, Vec::new());
    while let Some(event) = splitter.next().unwrap() {
        match event {
            Event::Header(found) => header = Some(found),
            Event::Chunk(chunk) => samples.extend(chunk.samples),
        }
    }
    // The first frame of sound is cut where the presentation begins.
    let usual = samples.iter().map(|sample| sample.duration).max();
    samples.retain(|sample| Some(sample.duration) == usual);
    (header.unwrap(), samples)
}

impl Stage {
    pub(crate) fn of(kinds: &[&str], listing: Listing) -> Self {
        Self::planned(kinds, Self::plan(listing))
    }

    /// How a show is cut, listed and dated.
    pub(crate) fn plan(listing: Listing) -> Plan {
        let some = |number| NonZeroU32::new(number).unwrap();
        Plan {
            cadence: Cadence::new(some(1000), some(2)),
            listing,
            anchor_ms: ZERO_MS,
            tracks: 4,
            begins: true,
            last: None,
            inits: Vec::new(),
            keeping: None,
            past: BTreeMap::new(),
            ranges: Vec::new(),
        }
    }

    /// A show of these tracks.
    pub(crate) fn planned(kinds: &[&str], plan: Plan) -> Self {
        let mut show = Show::new(plan);
        let lines: Vec<Line> = kinds.iter().map(|kind| Line::of(kind)).collect();
        for line in &lines {
            show.greet(&line.name, &line.header).unwrap();
        }
        Self { show, lines, at_ms: 0, said: String::new() }
    }

    pub(crate) fn sliding(kinds: &[&str], window_ms: i64) -> Self {
        Self::of(kinds, Listing::Sliding(MediaTime::from_millis(window_ms)))
    }

    /// Sends all tracks up to a time.
    pub(crate) fn send(&mut self, to_ms: i64) {
        self.send_with(to_ms, &[]);
    }

    /// The same; the first chunk of the first track announces these events.
    pub(crate) fn send_with(&mut self, to_ms: i64, events: &[EventMessage]) {
        let mut events = events.to_vec();
        while self.at_ms < to_ms {
            self.at_ms = (self.at_ms + CHUNK_MS).min(to_ms);
            for line in &mut self.lines {
                let samples = line.until(self.at_ms);
                let chunk = Chunk { samples, events: std::mem::take(&mut events), ..Chunk::default() };
                self.show.push(&line.name, &mut line.feed, chunk, ZERO_MS + self.at_ms).unwrap();
            }
        }
    }

    /// What all tracks send up to a time is sent to others only.
    pub(crate) fn skip(&mut self, to_ms: i64) {
        self.lines.iter_mut().for_each(|line| drop(line.until(to_ms)));
        self.at_ms = to_ms;
    }

    /// What the first track sends up to a time is lost on the way, and all others go on.
    pub(crate) fn lose(&mut self, to_ms: i64) {
        self.lines[0].until(to_ms);
    }

    /// The picture comes from another encoder from here on.
    pub(crate) fn change_encoder(&mut self) {
        let mut bytes = self.lines[0].header.init().to_vec();
        let name = bytes.windows(4).position(|window| window == b"avc1").unwrap();
        // The width, in the sample entry.
        bytes[name + 29] += 16;
        let header = Header::read(&bytes).unwrap();
        self.show.greet(&self.lines[0].name, &header).unwrap();
        self.lines[0].header = header;
    }

    pub(crate) fn mark(&mut self, id: &str, start_ms: i64, duration_ms: u64) {
        let range = DateRange {
            id: id.to_owned(),
            class: Some("com.example.goal".to_owned()),
            start_ms: ZERO_MS + start_ms,
            duration_ms: Some(duration_ms),
            planned_ms: None,
            splice: None,
            attributes: vec![("X-TEAM".to_owned(), "home".to_owned())],
        };
        assert!(self.show.mark(range).unwrap());
    }

    /// Adds a playlist to what the golden says.
    pub(crate) fn say(&mut self, what: &str, track: usize, form: Form) {
        let text = self.show.playlist(&self.lines[track].name).unwrap().render(form);
        self.said += &format!("== {what}\n{text}\n");
    }

    pub(crate) fn say_main(&mut self) {
        let text = self.show.multivariant("1/", View::Window).unwrap();
        self.said += &format!("== /live/<stream>/main.m3u8\n{text}\n");
    }

    /// Holds it against the golden.
    pub(crate) fn is_as_before(&self, name: &str) {
        let golden = folder(&format!("golden/live-{name}.txt"));
        if std::env::var_os("FOREBAY_BLESS").is_some() {
            std::fs::write(&golden, &self.said).unwrap();
        }
        let wanted = std::fs::read_to_string(&golden).unwrap_or_default();
        let said = &self.said;
        assert!(
            *said == wanted,
            "live-{name} differs from its golden; FOREBAY_BLESS=1 writes it anew:\n{said}"
        );
    }
}
