//! Live playlists as clients see them, held against goldens that explain the format to whoever reads them.
//!
//! `FOREBAY_BLESS=1 cargo test -p forebay-packager --test live_golden` writes them anew. The fixtures of a picture at 25
//! frames a second and of sound at 48,000 Hz are sent round and round, in chunks of a fifth of a second, from media time
//! zero on; that is 16:00 UTC. Segments are of a second, in two parts.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test reads its files"
)]

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use forebay_packager::asset::RenditionName;
use forebay_packager::live::{
    Cadence, Chunk, DateRange, Event, EventMessage, Feed, Form, Header, Listing, Plan, Sample, Sender, Show,
    Splitter,
};
use forebay_packager::time::MediaTime;

/// 2026-11-22T16:00:00Z, when media time is zero.
const ZERO_MS: i64 = 1_795_363_200_000;
const CHUNK_MS: i64 = 200;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A show that is being sent.
struct Stage {
    show: Show,
    lines: Vec<Line>,
    at_ms: i64,
    said: String,
}

/// A track that is being sent: a fixture, round and round.
struct Line {
    name: RenditionName,
    header: Arc<Header>,
    feed: Feed,
    samples: Vec<Sample>,
    sent: usize,
}

impl Line {
    fn of(kind: &str) -> Self {
        let (header, samples) =
            read(&std::fs::read(folder(&format!("fixtures/live/cmaf-{kind}.mp4"))).unwrap());
        let name = kind.parse().unwrap();
        Self { name, header, feed: Feed::new(Sender(1)), samples, sent: 0 }
    }

    /// The sample with this number, of whichever round.
    fn sample(&self, number: usize) -> Sample {
        let sample = self.samples[number % self.samples.len()].clone();
        Sample { decode: i64::from(sample.duration) * i64::try_from(number).unwrap(), ..sample }
    }

    /// The samples up to a time that have not been taken from here.
    fn until(&mut self, to_ms: i64) -> Vec<Sample> {
        let end = to_ms * i64::from(self.header.timescale().ticks_per_second()) / 1000;
        let mut samples = Vec::new();
        while self.sample(self.sent).decode < end {
            samples.push(self.sample(self.sent));
            self.sent += 1;
        }
        samples
    }
}

fn read(file: &[u8]) -> (Arc<Header>, Vec<Sample>) {
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
    fn of(kinds: &[&str], listing: Listing) -> Self {
        let some = |number| NonZeroU32::new(number).unwrap();
        let plan = Plan {
            cadence: Cadence::new(some(1000), some(2)),
            listing,
            anchor_ms: ZERO_MS,
            tracks: 4,
            begins: true,
            last: None,
            inits: Vec::new(),
        };
        let mut show = Show::new(plan);
        let lines: Vec<Line> = kinds.iter().map(|kind| Line::of(kind)).collect();
        for line in &lines {
            show.greet(&line.name, &line.header).unwrap();
        }
        Self { show, lines, at_ms: 0, said: String::new() }
    }

    fn sliding(kinds: &[&str], window_ms: i64) -> Self {
        Self::of(kinds, Listing::Sliding(MediaTime::from_millis(window_ms)))
    }

    /// Sends all tracks up to a time.
    fn send(&mut self, to_ms: i64) {
        self.send_with(to_ms, &[]);
    }

    /// The same; the first chunk of the first track announces these events.
    fn send_with(&mut self, to_ms: i64, events: &[EventMessage]) {
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

    /// What the first track sends up to a time is lost on the way, and all others go on.
    fn lose(&mut self, to_ms: i64) {
        self.lines[0].until(to_ms);
    }

    /// The picture comes from another encoder from here on.
    fn change_encoder(&mut self) {
        let mut bytes = self.lines[0].header.init().to_vec();
        let name = bytes.windows(4).position(|window| window == b"avc1").unwrap();
        // The width, in the sample entry.
        bytes[name + 29] += 16;
        let header = Header::read(&bytes).unwrap();
        self.show.greet(&self.lines[0].name, &header).unwrap();
        self.lines[0].header = header;
    }

    fn mark(&mut self, id: &str, start_ms: i64, duration_ms: u64) {
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
    fn say(&mut self, what: &str, track: usize, form: Form) {
        let text = self.show.playlist(&self.lines[track].name).unwrap().render(form);
        self.said += &format!("== {what}\n{text}\n");
    }

    fn say_main(&mut self) {
        let text = self.show.multivariant("1/").unwrap();
        self.said += &format!("== /live/<stream>/main.m3u8\n{text}\n");
    }

    /// Holds it against the golden.
    fn is_as_before(&self, name: &str) {
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

/// Whole segments, the newest of them with their parts, then the parts of the one that is being made, what comes next, and
/// how far the other tracks are.
#[test]
fn a_show_at_its_edge_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 4000);
    stage.send(5600);
    stage.say("video after 5.6 s, in a window of 4 s", 0, Form::Full);
    stage.say("audio after 5.6 s", 1, Form::Full);
    stage.say_main();
    stage.is_as_before("edge");
}

/// What was over before the window slid on is told to have gone, with a tab between two; what is older than the skip
/// boundary is left out.
#[test]
fn updates_look_as_before() {
    let mut stage = Stage::sliding(&["video"], 9000);
    stage.send(600);
    stage.mark("goal-1", 200, 100);
    stage.mark("foul-1", 100, 100);
    stage.send(1600);
    stage.mark("half-1", 1000, 2_700_000);
    stage.send(8600);
    stage.mark("goal-2", 8000, 1000);
    stage.send(10_600);
    stage.say("video after 10.6 s, in a window of 9 s, to ?_HLS_skip=YES", 0, Form::Delta);
    stage.say("the same to ?_HLS_skip=v2", 0, Form::DeltaRanges);
    stage.is_as_before("updates");
}

/// From 1.2 s to 3.4 s all is lost, and until the keyframe at 4 s nothing can be decoded.
#[test]
fn lost_media_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 60_000);
    stage.send(1200);
    stage.lose(3400);
    stage.send(4600);
    stage.say("video after 4.6 s, of which 1.2 s to 4 s are missing", 0, Form::Full);
    stage.is_as_before("gap");
}

/// The encoder of the picture is replaced at 2 s; the sound shows the discontinuity with it.
#[test]
fn a_discontinuity_looks_as_before() {
    let mut stage = Stage::sliding(&["video", "audio"], 3000);
    stage.send(2000);
    stage.change_encoder();
    stage.send(2200);
    stage.say("video after 2.2 s, with another encoder since 2 s", 0, Form::Full);
    stage.send(3600);
    stage.say("video after 3.6 s", 0, Form::Full);
    stage.say("audio after 3.6 s", 1, Form::Full);
    stage.send(6600);
    stage.say("video after 6.6 s: the discontinuity has left the window of 3 s", 0, Form::Full);
    stage.is_as_before("discontinuity");
}

/// A break of the network is announced half a second before it begins, and its end when it comes.
#[test]
fn an_ad_break_looks_as_before() {
    let mut stage = Stage::sliding(&["video"], 60_000);
    stage.send(1000);
    stage.send_with(2600, &[cue(1500, OUT)]);
    stage.say("video after 2.6 s; at 1.5 s a break of 2 s has begun", 0, Form::Full);
    stage.send_with(4600, &[cue(3500, IN)]);
    stage.say("video after 4.6 s; at 3.5 s the break has ended", 0, Form::Full);
    stage.is_as_before("ad-break");
}

/// From the first segment on; and when it has ended, nothing is hinted or reported any more.
#[test]
fn an_event_and_its_end_look_as_before() {
    let mut stage = Stage::of(&["video", "audio"], Listing::Event);
    stage.send(2600);
    stage.say("video after 2.6 s", 0, Form::Full);
    stage.show.end_now();
    stage.say("video when the show has ended", 0, Form::Full);
    stage.is_as_before("event");
    let playlist = stage.show.playlist(&stage.lines[0].name).unwrap();
    assert_eq!(
        playlist.render(Form::Delta),
        playlist.render(Form::Full),
        "nothing is skipped behind the end"
    );
}

/// Event 7 of a network (SCTE 35 §9.7.3): out of it at once, for 2 s, with automatic return.
const OUT: &[u8] = &[
    0xfc, 0x30, 0x20, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x0f, 5, // table, no encryption, splice_insert
    0, 0, 0, 7, 0x7f, 0xff, 0xfe, 0, 2, 0xbf, 0x20, 0, 1, 1,
    1, // event, flags, 180,000 ticks, programme 1
    0, 0, 0x8b, 0x10, 0xbc, 0x43, // no descriptors; checksum
];
/// And back to it.
const IN: &[u8] = &[
    0xfc, 0x30, 0x1b, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xf0, 0x0a, 5, // table, no encryption, splice_insert
    0, 0, 0, 7, 0x7f, 0x5f, 0, 1, 1, 1, // event, flags, programme 1
    0, 0, 0x69, 0x93, 0x7e, 0x94, // no descriptors; checksum
];

fn cue(at_ms: i64, section: &'static [u8]) -> EventMessage {
    EventMessage {
        scheme: "urn:scte:scte35:2013:bin".to_owned(),
        value: String::new(),
        id: 7,
        start: MediaTime::from_millis(at_ms),
        duration: None,
        payload: Bytes::from_static(section),
        raw: Bytes::new(),
    }
}

#[test]
fn only_what_lies_well_behind_the_end_is_behind() {
    let mut stage = Stage::sliding(&["video"], 60_000);
    // Ten whole segments of a second, and half of the next; the target duration is one second.
    stage.send(10_500);
    let behind = |stage: &Stage| {
        let playlist = stage.show.playlist(&stage.lines[0].name).unwrap();
        (0..12).map(|msn| playlist.is_behind(forebay_packager::time::Msn(msn))).collect::<Vec<_>>()
    };
    let wanted: Vec<bool> = (0..12).map(|msn| msn < 6).collect();
    assert_eq!(behind(&stage), wanted);
    stage.show.end_now();
    assert_eq!(behind(&stage), [true; 12], "nobody watches live any more");
}
