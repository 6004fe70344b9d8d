//! Random shows: what they consist of, and everything that goes wrong on the way.

use forebay_packager::live::DateRange;

use super::dice::Dice;
use super::encode::Encode;
use super::headers::Headers;
use super::plot::{Act, Line, Plot, Sent, What};
use super::splice::Cue;
use super::time::{MILLI, SECOND, grains};

/// What all tracks of a show have in common.
pub(crate) struct Stage {
    /// Grains.
    segment: i64,
    start: i64,
    end: i64,
    /// Keyframes off the grid by so much, unless a track has its own way.
    off: i64,
    anchor_ms: i64,
    /// How fast the media clock runs, in millionths.
    pace: i64,
    /// Nothing of any track arrives.
    outages: Vec<(i64, i64)>,
    /// What should arrive in between comes at the end of it.
    stalls: Vec<(i64, i64)>,
    /// When the tracks change to another header: all of them, or one.
    changes: Vec<(i64, Option<usize>)>,
    cues: Vec<(i64, Cue)>,
    cue_track: Option<usize>,
    /// Losses, reconnections and other encoders for each thousand chunks.
    loss: usize,
    reconnect: usize,
    other: usize,
    ends: Ends,
    /// The highest latency of a track.
    jitter_ms: i64,
}

/// How a show ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The senders just stop.
    Silently,
    /// An operator ends it.
    ByOrder,
    /// The senders mark their last chunk.
    LastChunk,
    /// The senders mark all chunks of their last segment.
    LastSegment,
}

/// A random show.
pub(crate) fn show(dice: &mut Dice, headers: &Headers) -> Plot {
    compose(dice, headers, |_| ())
}

/// A random show in which no header changes.
pub(crate) fn unchanging(dice: &mut Dice, headers: &Headers) -> Plot {
    compose(dice, headers, |stage| stage.changes.clear())
}

/// A random show of senders that lose nothing and go on as they began, for much longer than what is listed of it.
pub(crate) fn steady(dice: &mut Dice, headers: &Headers) -> Plot {
    let mut plot = compose(dice, headers, |stage| {
        stage.changes.clear();
        stage.outages.clear();
        stage.stalls.clear();
        (stage.loss, stage.other, stage.reconnect) = (0, 0, 0);
        stage.end = stage.start + 24 * stage.segment;
    });
    plot.window_ms = Some(dice.between(0, 8) * plot.segment_ms);
    plot
}

fn compose(dice: &mut Dice, headers: &Headers, with: impl Fn(&mut Stage)) -> Plot {
    let segment_ms = match dice.below(4) {
        0 => dice.pick(&[1000, 2000]),
        1 => dice.pick(&[960, 1920, 4000, 6000]),
        2 => 500,
        _ => dice.between(50, 600) * 10,
    };
    let parts = dice.between(1, 8);
    let target_ms = (segment_ms + 564) / 1000 * 1000;
    let window_ms = match dice.below(6) {
        0 => None,
        1 => Some(0),
        2..=4 => Some(dice.between(6, 10) * target_ms),
        _ => Some(dice.between(0, 60) * 1000),
    };
    let mut stage = stage(dice, segment_ms);
    with(&mut stage);
    let videos = dice.pick(&[0, 1, 1, 1, 1, 1, 2, 2, 3, 4]);
    let sounds = if videos == 0 { dice.pick(&[1, 2]) } else { dice.pick(&[0, 1, 1, 1, 2]) };
    let mut tracks = Vec::new();
    let mut acts = Vec::new();
    for index in 0..videos + sounds {
        let is_video = index < videos;
        let name = if is_video { format!("video-{index}") } else { format!("sound-{}", index - videos) };
        let mut line = Line { name: name.parse().unwrap(), encodes: Vec::new() };
        let mut sender = Sending::new(dice.apart(), &stage, index, is_video);
        acts.push(sender.run(headers, &mut line, (segment_ms * MILLI / parts).max(1)));
        tracks.push(line);
    }
    let mut acts = merge(acts);
    operate(dice, &mut stage, &mut acts);
    Plot { segment_ms, parts, window_ms, anchor_ms: stage.anchor_ms, tracks, acts }
}

fn stage(dice: &mut Dice, segment_ms: i64) -> Stage {
    let segment = segment_ms * MILLI;
    let is_epoch = dice.one_in(3);
    let start = match (is_epoch, dice.below(3)) {
        (true, _) => 1_795_363_200 * SECOND + dice.between(0, 20_000) * MILLI,
        (false, 0) => 0,
        (false, _) => dice.between(0, 100_000_000) * MILLI,
    };
    let length = dice.pick(&[3, 4, 5, 6, 8, 10, 14]) * segment + dice.between(0, segment);
    let now_ms = 1_795_400_000_123 + dice.between(0, 1000);
    let anchor_ms = if is_epoch { 0 } else { now_ms - start / MILLI };
    let calm = dice.one_in(3);
    let within = |dice: &mut Dice| start + dice.between(0, length);
    let mut outages = Vec::new();
    let mut end = start + length;
    if !calm && dice.one_in(4) {
        let from = within(dice);
        let lasts = dice.pick(&[1, 3, 9, 40, 150]) * segment + dice.between(0, segment);
        outages.push((from, from + lasts));
        end += lasts;
    }
    let mut stalls = Vec::new();
    if !calm && dice.one_in(4) {
        let from = within(dice);
        stalls.push((from, from + dice.between(0, 6 * segment)));
    }
    let mut changes = Vec::new();
    while !calm && dice.one_in(3) && changes.len() < 3 {
        changes.push((within(dice), if dice.one_in(2) { Some(dice.below(3)) } else { None }));
    }
    changes.sort();
    // Apart by more than the frames that tell a rate.
    changes.dedup_by(|later, former| later.0 - former.0 < segment);
    Stage {
        segment,
        start,
        end,
        off: if dice.one_in(2) { 0 } else { dice.between(0, segment / 2) },
        anchor_ms,
        pace: if dice.one_in(2) { 1_000_000 } else { dice.between(980_000, 1_020_000) },
        outages,
        stalls,
        changes,
        cues: cues(dice, start, length),
        cue_track: if dice.one_in(2) { None } else { Some(dice.below(2)) },
        loss: if calm { 0 } else { dice.pick(&[0, 10, 50, 200]) },
        reconnect: if calm { 0 } else { dice.pick(&[0, 10, 50, 200]) },
        other: if calm { 0 } else { dice.pick(&[0, 0, 20, 100]) },
        ends: dice.pick(&[Ends::Silently, Ends::ByOrder, Ends::LastChunk, Ends::LastSegment]),
        jitter_ms: dice.pick(&[0, 50, 500, 2 * segment_ms]),
    }
}

/// Breaks, and when they are announced.
fn cues(dice: &mut Dice, start: i64, length: i64) -> Vec<(i64, Cue)> {
    let mut cues = Vec::new();
    if !dice.one_in(3) {
        return cues;
    }
    let mut at = start / MILLI;
    for event in 0..dice.between(1, 4) as u32 {
        at += dice.between(0, length / MILLI / 2);
        let ahead = |dice: &mut Dice| dice.between(-500, 4000);
        let planned_ms = dice.one_in(2).then(|| dice.between(0, 60_000) as u32);
        // Numbers of events come again.
        let out = Cue { event: 70 + event % 2, is_out: true, at_ms: at, planned_ms };
        cues.push(((at - ahead(dice)) * MILLI, out));
        at += dice.between(100, length / MILLI / 2 + 200);
        if !dice.one_in(4) {
            let back = Cue { is_out: false, at_ms: at, planned_ms: None, ..out };
            cues.push(((at - ahead(dice)) * MILLI, back));
        }
    }
    // They are announced in their order.
    cues.sort_by_key(|(_, cue)| cue.at_ms);
    for i in 1..cues.len() {
        cues[i].0 = cues[i].0.max(cues[i - 1].0);
    }
    // A break is announced before its end is.
    cues.iter()
        .enumerate()
        .filter(|(i, (_, cue))| {
            cue.is_out
                || cues[..*i].iter().any(|(_, o)| o.is_out && o.event == cue.event && o.at_ms < cue.at_ms)
        })
        .map(|(_, cue)| *cue)
        .collect()
}

/// One track's way from its encoders to here.
struct Sending<'a> {
    dice: Dice,
    stage: &'a Stage,
    track: usize,
    is_video: bool,
    sender: u64,
    acts: Vec<Act>,
    last_ms: i64,
    latency_ms: i64,
    cues: usize,
}

/// How a sender gathers frames into chunks.
#[derive(Debug, Clone, Copy)]
enum Chunking {
    Frames,
    Parts,
    Any,
    Segments,
}

impl<'a> Sending<'a> {
    fn new(mut dice: Dice, stage: &'a Stage, track: usize, is_video: bool) -> Self {
        let latency_ms = dice.between(0, 400);
        let sender = 1000 * (track as u64 + 1);
        Self {
            dice,
            stage,
            track,
            is_video,
            sender,
            acts: Vec::new(),
            last_ms: i64::MIN,
            latency_ms,
            cues: 0,
        }
    }

    fn run(&mut self, headers: &Headers, line: &mut Line, part: i64) -> Vec<Act> {
        let encode = self.first_encode(headers);
        line.encodes.push(encode);
        let late = if self.dice.one_in(6) { self.dice.between(0, 3 * self.stage.segment) } else { 0 };
        let start = self.stage.start + late + self.dice.between(0, 200) * MILLI;
        let style = self.dice.pick(&[
            Chunking::Frames,
            Chunking::Parts,
            Chunking::Any,
            Chunking::Any,
            Chunking::Segments,
            Chunking::Segments,
        ]);
        let mut frame = line.encodes[0].first_from(start).max(0);
        if self.is_video && !self.dice.one_in(4) {
            frame = line.encodes[0].next_sync(frame);
        }
        self.greet(line, frame);
        let tells = line.encodes[0].at(frame + 12);
        let mine = |(at, one): &&(i64, Option<usize>)| *at > tells && one.is_none_or(|one| one == self.track);
        let mut changes: Vec<i64> = self.stage.changes.iter().filter(mine).map(|(at, _)| *at).collect();
        let mut furthest = 0;
        loop {
            let encode = line.encodes.last().unwrap().clone();
            if encode.at(frame) >= self.stage.end {
                break;
            }
            let mut until = frame + self.chunk_frames(&encode, frame, style, part);
            if changes.first().is_some_and(|change| encode.at(until) > *change) {
                let change = changes.remove(0);
                until = encode.first_from(change).clamp(frame, until);
                self.send(line, frame, until);
                frame = self.change(headers, line, until, true);
                continue;
            }
            // A chunk may carry what is announced where it begins.
            if let Some((announced, _)) = self.stage.cues.get(self.cues)
                && encode.at(frame) < *announced
            {
                until = until.min(encode.first_from(*announced)).max(frame + 1);
            }
            if !self.dice.mille(self.stage.loss) {
                self.send(line, frame, until);
            } else if self.dice.one_in(3) {
                until += self.dice.between(0, 2 * self.stage.segment / encode.frame_length());
            }
            frame = until;
            furthest = furthest.max(encode.at(frame));
            // Who sends something again is heard out.
            if self.dice.mille(self.stage.reconnect) && encode.at(frame) >= furthest {
                frame = self.reconnect(line, frame, part);
            }
            if self.dice.mille(self.stage.other) {
                frame = self.change(headers, line, frame, false);
            }
        }
        self.mark_last(line);
        let whole = What::Complete { track: self.track };
        self.acts.push(Act { at_ms: self.last_ms, what: whole });
        std::mem::take(&mut self.acts)
    }

    fn first_encode(&mut self, headers: &Headers) -> Encode {
        let id = self.track as u32 * 100;
        let dice = &mut self.dice;
        if !self.is_video {
            let scale = dice.pick(&[48_000, 44_100]);
            let origin = dice.between(0, 1023);
            let header = headers.get(false, scale, 0);
            let gop = (self.stage.segment, 0);
            let frame = (1024, 1);
            return Encode {
                id,
                video: false,
                scale,
                frame,
                origin,
                gop,
                early: 0,
                lead: 0,
                header,
                variant: 0,
            };
        }
        let (fps, over) = dice.pick(&[(25, 1), (25, 1), (30, 1), (30_000, 1001), (50, 1)]);
        // Timescales in which a frame is whole, but for one in four.
        let whole: Vec<u32> = [12_800, 15_360, 30_000, 90_000]
            .into_iter()
            .filter(|scale| i64::from(*scale) * over % fps == 0)
            .collect();
        let scale =
            if dice.one_in(4) { dice.pick(&[12_800, 15_360, 30_000, 90_000]) } else { dice.pick(&whole) };
        let frame = (i64::from(scale) * over, fps);
        let ticks = frame.0 / frame.1;
        let lead = if dice.one_in(2) { 0 } else { dice.between(1, 3) * ticks };
        // Frames at multiples of their length from zero on, or with another phase.
        let origin = if dice.one_in(3) { dice.between(0, ticks - 1) } else { 0 };
        let off = if dice.one_in(8) { dice.between(0, self.stage.segment / 2) } else { self.stage.off };
        // Off the grid by a constant is only possible where a segment is a whole number of frames.
        let is_whole = self.stage.segment / MILLI * fps % (1000 * over) == 0;
        let off = if is_whole { off } else { 0 };
        // Nearly half a frame before the grid, or a little less, as encoders do that look some 16 ms ahead.
        let half = grains(ticks, scale) / 2;
        let early = if dice.one_in(2) { half - grains(1, scale) } else { half * dice.between(86, 99) / 100 };
        let every = self.stage.segment / dice.pick(&[1, 1, 1, 2, 3]);
        let header = headers.get(true, scale, 0);
        // Nothing is decoded before zero.
        let (origin, off) = if self.stage.start == 0 { (origin + lead, off.max(1)) } else { (origin, off) };
        Encode { id, video: true, scale, frame, origin, gop: (every, off), early, lead, header, variant: 0 }
    }

    fn chunk_frames(&mut self, encode: &Encode, frame: i64, style: Chunking, part: i64) -> i64 {
        let part = (part / encode.frame_length()).max(1);
        match style {
            Chunking::Frames => 1,
            Chunking::Parts => part,
            Chunking::Any => self.dice.between(1, 2 * part),
            Chunking::Segments => {
                let end =
                    (encode.at(frame) + encode.slack() - encode.gop.1).div_euclid(self.stage.segment) + 1;
                encode.first_from(end * self.stage.segment + encode.gop.1 - encode.slack()).max(frame + 1)
                    - frame
            }
        }
    }

    /// When a frame's end arrives here.
    fn arrives(&mut self, grains: i64) -> i64 {
        let mut at = grains;
        for (from, to) in &self.stage.stalls {
            if (*from..*to).contains(&at) {
                at = *to;
            }
        }
        let media_ms = (at - self.stage.start) / MILLI;
        let late = self.latency_ms + self.dice.between(0, self.stage.jitter_ms);
        let at_ms =
            self.stage.anchor_ms + self.stage.start / MILLI + media_ms * 1_000_000 / self.stage.pace + late;
        self.last_ms = self.last_ms.max(at_ms);
        self.last_ms
    }

    fn greet(&mut self, line: &Line, frame: i64) {
        let encode = line.encodes.len() - 1;
        let at_ms = self.arrives(line.encodes[encode].at(frame));
        self.acts.push(Act { at_ms, what: What::Greet { track: self.track, encode } });
    }

    fn send(&mut self, line: &Line, from: i64, to: i64) {
        let encode = line.encodes.len() - 1;
        let at = |frame| line.encodes[encode].at(frame);
        let lost = self.stage.outages.iter().any(|(start, end)| at(from) < *end && at(to) > *start);
        if from >= to || lost {
            return;
        }
        let mut cues = Vec::new();
        while let Some((announced, cue)) = self.stage.cues.get(self.cues)
            && *announced <= at(from)
        {
            self.cues += 1;
            if self.stage.cue_track.is_none_or(|track| track == self.track) {
                cues.push(*cue);
            }
        }
        let at_ms = self.arrives(at(to));
        let (track, sender) = (self.track, self.sender);
        let sent = Sent { track, sender, encode, frames: from..to, is_last: false, cues };
        self.acts.push(Act { at_ms, what: What::Send(sent) });
    }

    /// The connection is lost; another takes over, and may send again what it thinks was lost.
    fn reconnect(&mut self, line: &Line, frame: i64, part: i64) -> i64 {
        self.sender += 1;
        if self.dice.one_in(2) {
            // An object was sent, not a connection lost.
            let whole = What::Complete { track: self.track };
            self.acts.push(Act { at_ms: self.last_ms, what: whole });
        }
        if !self.dice.one_in(3) {
            self.greet(line, frame);
        }
        let encode = line.encodes.last().unwrap();
        let part = (part / encode.frame_length()).max(1);
        match self.dice.below(4) {
            // Goes on where the other stopped, or at a keyframe.
            0 => frame,
            1 => encode.next_sync(frame),
            // As much as senders send again: less than what tells that a timeline begins anew.
            _ => {
                let most = (3 * part).min(2 * self.stage.segment / encode.frame_length() - 1).max(1);
                let mine = self.acts.iter().filter_map(|act| match &act.what {
                    What::Send(sent) if sent.encode == line.encodes.len() - 1 => Some(&sent.frames),
                    _ => None,
                });
                let (first, furthest) = mine.fold((frame, frame), |(first, furthest), frames| {
                    (first.min(frames.start), furthest.max(frames.end))
                });
                (furthest - self.dice.between(1, most)).clamp(first, frame.max(first))
            }
        }
    }

    /// Another encoder takes over: with another header, or with the same.
    fn change(&mut self, headers: &Headers, line: &mut Line, frame: i64, is_other: bool) -> i64 {
        let former = line.encodes.last().unwrap();
        let time = former.at(frame);
        let mut next = former.clone();
        next.id += 1;
        if is_other {
            next.variant = (former.variant + 1 + self.dice.below(2) as u8) % 4;
            if self.is_video && self.dice.one_in(4) {
                let scale = self.dice.pick(&[30_000, 90_000]);
                // The same frames in other ticks.
                let rescaled = |ticks: i64| ticks * i64::from(scale) / i64::from(former.scale);
                next.frame = (former.frame.0 * i64::from(scale) / i64::from(former.scale), former.frame.1);
                (next.origin, next.lead) = (rescaled(former.origin), rescaled(former.lead));
                next.scale = scale;
            }
            if !self.is_video && self.dice.one_in(3) {
                next.origin = self.dice.between(0, 1023);
            }
            next.header = headers.get(self.is_video, next.scale, next.variant);
        }
        self.sender += 1;
        let mut frame = next.first_from(time);
        if self.dice.one_in(2) {
            frame = next.next_sync(frame);
        }
        line.encodes.push(next);
        if is_other || self.dice.one_in(2) {
            self.greet(line, frame);
        }
        frame
    }

    fn mark_last(&mut self, line: &Line) {
        let end = self.acts.iter().rev().find_map(|act| match &act.what {
            What::Send(sent) => Some(line.encodes[sent.encode].at(sent.frames.end) - 1),
            _ => None,
        });
        let Some(end) = end else { return };
        let last = (end - line.encodes[0].gop.1).div_euclid(self.stage.segment) * self.stage.segment
            + line.encodes[0].gop.1;
        for act in self.acts.iter_mut().rev() {
            let What::Send(sent) = &mut act.what else { continue };
            let encode = &line.encodes[sent.encode];
            match self.stage.ends {
                Ends::LastChunk if encode.at(sent.frames.end) > end => sent.is_last = true,
                Ends::LastSegment if encode.at(sent.frames.start) + encode.slack() >= last => {
                    sent.is_last = true
                }
                _ => break,
            }
        }
    }
}

/// All tracks' acts in the order in which they happen.
fn merge(tracks: Vec<Vec<Act>>) -> Vec<Act> {
    let mut acts: Vec<Act> = tracks.into_iter().flatten().collect();
    // Stable: what one track does stays in order.
    acts.sort_by_key(|act| act.at_ms);
    acts
}

/// What operators do, and the memory that runs short.
fn operate(dice: &mut Dice, stage: &mut Stage, acts: &mut Vec<Act>) {
    let (Some(first), Some(last)) = (acts.first().map(|act| act.at_ms), acts.last().map(|act| act.at_ms))
    else {
        return;
    };
    let mut more = Vec::new();
    if dice.one_in(4) {
        for _ in 0..dice.between(1, 4) {
            let at_ms = dice.between(first, last);
            let range = range(dice, at_ms);
            more.push(Act { at_ms, what: What::Mark(range.clone()) });
            if dice.one_in(2) {
                // More is known of it later.
                let duration_ms = range.duration_ms.or(Some(dice.between(0, 9000) as u64));
                let mut again = DateRange { duration_ms, ..range };
                if dice.one_in(4) {
                    // Or something else, which must not be.
                    again.planned_ms = Some(dice.between(0, 20_000) as u64);
                    again.attributes.iter_mut().for_each(|(_, value)| *value = "not at all".to_owned());
                }
                more.push(Act { at_ms: dice.between(at_ms, last), what: What::Mark(again) });
            }
        }
    }
    if dice.one_in(6) {
        for _ in 0..dice.between(1, 3) {
            more.push(Act {
                at_ms: dice.between(first, last),
                what: What::Shed(dice.between(0, 900) as u64),
            });
        }
    }
    if stage.ends == Ends::ByOrder {
        let at_ms = if dice.one_in(4) { dice.between(first, last) } else { last };
        more.push(Act { at_ms, what: What::End });
    }
    acts.extend(more);
    acts.sort_by_key(|act| act.at_ms);
}

fn range(dice: &mut Dice, now_ms: i64) -> DateRange {
    let attributes = if dice.one_in(2) { vec![("X-LOUD".to_owned(), "very".to_owned())] } else { Vec::new() };
    DateRange {
        id: format!("mark-{}", dice.below(6)),
        class: dice.one_in(2).then(|| "com.example.goal".to_owned()),
        start_ms: now_ms + dice.between(-20_000, 20_000),
        duration_ms: dice.one_in(3).then(|| dice.between(0, 20_000) as u64),
        planned_ms: dice.one_in(3).then(|| dice.between(0, 20_000) as u64),
        splice: None,
        attributes,
    }
}
