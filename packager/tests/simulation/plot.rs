//! What happens in a show: its tracks, and what is sent of them when.

use std::ops::Range;

use forebay_packager::asset::RenditionName;
use forebay_packager::live::{Cadence, Chunk, DateRange, Listing, Plan};
use forebay_packager::time::MediaTime;
use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::encode::Encode;
use super::splice::Cue;
use super::time::MILLI;

/// A show before it happens.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) segment_ms: i64,
    pub(crate) parts: i64,
    /// How much is listed; `None`: all (EVENT).
    pub(crate) window_ms: Option<i64>,
    pub(crate) anchor_ms: i64,
    pub(crate) tracks: Vec<Line>,
    pub(crate) acts: Vec<Act>,
}

/// A track: the encoders that it may come from, which differ in what they make or how it is decoded.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: RenditionName,
    pub(crate) encodes: Vec<Encode>,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub(crate) struct Act {
    /// Milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) what: What,
}

#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A header.
    Greet { track: usize, encode: usize },
    /// A chunk.
    Send(Sent),
    /// A sender's request is whole.
    Complete { track: usize },
    /// An operator marks a date range.
    Mark(DateRange),
    /// Memory is short: so much of what is held may stay, in thousandths.
    Shed(u64),
    /// An operator ends the show.
    End,
}

/// One chunk of a sender.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) track: usize,
    pub(crate) sender: u64,
    pub(crate) encode: usize,
    pub(crate) frames: Range<i64>,
    /// It belongs to the sender's last segment.
    pub(crate) is_last: bool,
    pub(crate) cues: Vec<Cue>,
}

impl Plot {
    /// The length of a segment, in grains.
    pub(crate) fn segment(&self) -> i64 {
        self.segment_ms * MILLI
    }

    pub(crate) fn cadence(&self) -> Cadence {
        let some = |n: i64| NonZeroU32::new(n as u32).unwrap();
        Cadence::new(some(self.segment_ms), some(self.parts))
    }

    pub(crate) fn plan(&self) -> Plan {
        let listing = match self.window_ms {
            Some(window) => Listing::Sliding(MediaTime::from_millis(window)),
            None => Listing::Event,
        };
        let (anchor_ms, tracks) = (self.anchor_ms, self.tracks.len());
        Plan {
            cadence: self.cadence(),
            listing,
            anchor_ms,
            tracks,
            begins: true,
            last: None,
            inits: Vec::new(),
            keeping: None,
            past: BTreeMap::new(),
            ranges: Vec::new(),
        }
    }

    pub(crate) fn encode(&self, sent: &Sent) -> &Encode {
        &self.tracks[sent.track].encodes[sent.encode]
    }

    pub(crate) fn chunk(&self, sent: &Sent) -> Chunk {
        let encode = self.encode(sent);
        Chunk {
            samples: sent.frames.clone().map(|frame| encode.sample(frame)).collect(),
            slate: false,
            last: sent.is_last,
            events: sent.cues.iter().map(Cue::message).collect(),
            captured: None,
        }
    }

    /// A part of so many frames of this length is nearest to the wished part, and no more than a tenth longer.
    pub(crate) fn frames_a_part(&self, frame: i64) -> i64 {
        let wished = self.segment() / self.parts;
        let nearest = ((2 * wished + frame) / (2 * frame)).max(1);
        if nearest * frame * 10 > wished * 11 { (nearest - 1).max(1) } else { nearest }
    }

    /// A short account of it.
    pub(crate) fn tell(&self) -> String {
        let mut out = format!(
            "segments of {} ms in {} parts, window {:?} ms, anchor {} ms\n",
            self.segment_ms, self.parts, self.window_ms, self.anchor_ms
        );
        for line in &self.tracks {
            for e in &line.encodes {
                let (name, every, off) = (&line.name, e.gop.0 / MILLI, e.gop.1 / MILLI);
                out += &format!(
                    "  {name} encode {}: {} Hz, frames of {}/{} ticks from {}, keyframes every {every} ms off by \
                     {off} ms, lead {}, header {}\n",
                    e.id, e.scale, e.frame.0, e.frame.1, e.origin, e.lead, e.variant
                );
            }
        }
        out
    }

    /// One act in a line.
    pub(crate) fn tell_act(&self, act: &Act) -> String {
        let name = |track: &usize| &self.tracks[*track].name;
        match &act.what {
            What::Greet { track, encode } => format!("{} greets {} as {encode}", act.at_ms, name(track)),
            What::Send(sent) => {
                let encode = self.encode(sent);
                let (from, to) = (encode.at(sent.frames.start) / MILLI, encode.at(sent.frames.end) / MILLI);
                let last = if sent.is_last { ", last" } else { "" };
                format!(
                    "{} sender {} sends {} of {}: {from} to {to} ms, frames {:?}{last} {:?}",
                    act.at_ms,
                    sent.sender,
                    encode.id,
                    name(&sent.track),
                    sent.frames,
                    sent.cues
                )
            }
            What::Complete { track } => format!("{} {}: a request is whole", act.at_ms, name(track)),
            what => format!("{} {what:?}", act.at_ms),
        }
    }
}
