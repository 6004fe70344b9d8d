//! What must be listed of a track, worked out from what was sent.
//!
//! A sample is of use where it can be decoded and goes on where the last one ended, or later: then there is a hole. What
//! comes again is a duplicate. Video goes on in the middle of a group only from the encoder that made what is before it,
//! and only a sender that has shown to have that goes on with it: it sent the last sample, or sends it again.

use super::encode::Encode;
use super::plot::{Plot, Sent};
use super::time::grains;

/// The samples of a track that are of use, in order.
#[derive(Debug)]
pub(crate) struct Truth {
    segment: i64,
    frames_a_part: i64,
    begins: Begins,
    pub(crate) taken: Vec<Took>,
    /// Senders that have the last of them.
    holders: Vec<u64>,
    /// What tells the header in force.
    kind: Option<(u8, u32)>,
    /// Another header has come.
    pending: Option<(u8, u32)>,
    /// A chunk of the last segment has come; nothing follows.
    is_last: bool,
    is_over: bool,
}

/// Where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begins {
    Here,
    /// With the first whole segment; the number of the segment that the last sample was in.
    WithSegment(Option<u64>),
}

/// A sample of use. Times are grains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Took {
    /// The track's encode, and its number.
    pub(crate) encode: usize,
    pub(crate) id: u32,
    pub(crate) frame: i64,
    pub(crate) at: i64,
    pub(crate) end: i64,
    pub(crate) msn: u64,
    /// What tells its header.
    pub(crate) kind: (u8, u32),
    /// It does not begin where the one before it ends, by more than half a frame.
    pub(crate) is_after_hole: bool,
}

/// What becomes of the samples of a chunk: those of a time that is here are duplicates, others that cannot be used are
/// dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) taken: u32,
    pub(crate) duplicates: u32,
    pub(crate) dropped: u32,
    pub(crate) holes: u32,
}

impl Truth {
    pub(crate) fn new(plot: &Plot, track: usize, begins_here: bool) -> Self {
        let encode = &plot.tracks[track].encodes[0];
        Self {
            segment: plot.segment(),
            frames_a_part: plot.frames_a_part(encode.frame_length()),
            begins: if begins_here { Begins::Here } else { Begins::WithSegment(None) },
            taken: Vec::new(),
            holders: Vec::new(),
            kind: None,
            pending: None,
            is_last: false,
            is_over: false,
        }
    }

    pub(crate) fn greet(&mut self, encode: &Encode) {
        if self.taken.is_empty() {
            self.kind = Some(encode.kind());
        } else {
            self.pending = (self.kind != Some(encode.kind())).then_some(encode.kind());
        }
    }

    pub(crate) fn end(&self) -> Option<i64> {
        self.taken.last().map(|took| took.end)
    }

    /// A request is whole. Tells whether the track ends with it.
    pub(crate) fn complete(&mut self) -> bool {
        self.is_last && !std::mem::replace(&mut self.is_over, self.is_last)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    pub(crate) fn send(&mut self, encode: &Encode, sent: &Sent) -> Fate {
        let mut fate = Fate::default();
        if self.is_over {
            fate.dropped = (sent.frames.end - sent.frames.start) as u32;
            return fate;
        }
        self.is_last |= sent.is_last;
        for frame in sent.frames.clone() {
            self.sample(encode, sent, frame, &mut fate);
        }
        fate
    }

    /// The number of the segment that a sample belongs to if one begins with it (§3: numbers are places on the grid).
    fn number(&self, encode: &Encode, at: i64) -> u64 {
        let early = if encode.video { encode.slack() } else { 0 };
        (at + early).div_euclid(self.segment).max(0) as u64
    }

    fn sample(&mut self, encode: &Encode, sent: &Sent, frame: i64, fate: &mut Fate) {
        let (at, end) = (encode.at(frame), encode.at(frame + 1));
        let (sync, number) = (encode.sync(frame), self.number(encode, at));
        let Some(last) = self.taken.last().copied() else {
            if self.may_begin(encode, at, number, sync) {
                self.take(encode, sent, frame, number, false);
                fate.taken += 1;
            } else {
                fate.dropped += 1;
            }
            return;
        };
        // Where a picture of another header stands is known only from its first keyframe on: until then, where it is decoded.
        let is_placed = self.pending.is_none() || sync;
        let place = if is_placed { at } else { at - grains(encode.lead, encode.scale) };
        if place + encode.slack() < last.end {
            if (last.id, last.frame) == (encode.id, frame) && !self.holders.contains(&sent.sender) {
                self.holders.push(sent.sender);
            }
            fate.duplicates += 1;
            return;
        }
        let is_hole = at > last.end + encode.slack();
        let goes_on = !is_hole && self.pending.is_none() && self.holders.contains(&sent.sender);
        let is_of_use = match (self.pending, encode.video) {
            // What is decoded otherwise begins a segment of its own.
            (Some(_), _) => number > last.msn && sync,
            (None, true) => sync || goes_on,
            (None, false) => true,
        };
        if !is_of_use {
            fate.dropped += 1;
            return;
        }
        let msn = if sync { number.max(last.msn) } else { last.msn };
        self.take(encode, sent, frame, msn, is_hole);
        fate.taken += 1;
        fate.holes += u32::from(is_hole);
        debug_assert!(end > at);
    }

    fn may_begin(&mut self, encode: &Encode, at: i64, number: u64, sync: bool) -> bool {
        let start = number as i64 * self.segment;
        // Sound begins less than a frame behind the grid.
        let reach = if encode.video { encode.slack() } else { encode.frame_length() - 1 };
        let on_grid = at - start <= reach;
        match &mut self.begins {
            Begins::Here if encode.video => sync,
            // A whole segment, or a part of one that fits before the next.
            Begins::Here => {
                on_grid || start + self.segment - at >= self.frames_a_part * encode.frame_length()
            }
            Begins::WithSegment(former) => {
                let is_whole = on_grid || former.is_some_and(|former| former < number);
                if !(sync && is_whole) {
                    *former = Some(number);
                }
                sync && is_whole
            }
        }
    }

    fn take(&mut self, encode: &Encode, sent: &Sent, frame: i64, msn: u64, is_after_hole: bool) {
        self.pending = None;
        self.kind = Some(encode.kind());
        self.holders.clear();
        self.holders.push(sent.sender);
        let (at, end, kind, id) = (encode.at(frame), encode.at(frame + 1), encode.kind(), encode.id);
        self.taken.push(Took { encode: sent.encode, id, frame, at, end, msn, kind, is_after_hole });
    }
}
