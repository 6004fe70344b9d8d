//! Shows that once broke a rule, written by hand as small as they can be. The seed is that of the random show that found it.

use forebay_packager::asset::RenditionName;
use forebay_packager::live::DateRange;

use super::dice::Dice;
use super::encode::Encode;
use super::headers::Headers;
use super::plot::{Act, Line, Plot, Sent, What};
use super::splice::Cue;
use super::time::{MILLI, grains};
use super::watch::Watch;

/// A show that is written by hand: segments of a second in four parts, from media time 1,000 s on.
pub(crate) struct Script {
    headers: Headers,
    pub(crate) plot: Plot,
}

/// The media time at which scripts begin.
const START_MS: i64 = 1_000_000;

impl Script {
    pub(crate) fn new() -> Self {
        let anchor_ms = 1_795_400_000_000 - START_MS;
        let plot = Plot {
            segment_ms: 1000,
            parts: 4,
            window_ms: Some(60_000),
            anchor_ms,
            tracks: Vec::new(),
            acts: Vec::new(),
        };
        Self { headers: Headers::new(), plot }
    }

    /// Adds pictures: so many a second in ticks of `scale`, a keyframe at the beginning of each segment.
    pub(crate) fn video(&mut self, fps: i64, scale: u32) -> usize {
        self.pictures((fps, 1), scale)
    }

    /// The same of so many frames in so many seconds.
    pub(crate) fn pictures(&mut self, (frames, seconds): (i64, i64), scale: u32) -> usize {
        let frame = (i64::from(scale) * seconds, frames);
        let slack = grains(frame.0 / frame.1 / 2, scale);
        let encode = Encode {
            id: 100 * self.plot.tracks.len() as u32,
            video: true,
            scale,
            frame,
            origin: 0,
            gop: (self.plot.segment(), 0),
            early: slack - grains(1, scale),
            lead: 0,
            header: self.headers.get(true, scale, 0),
            variant: 0,
        };
        self.track("video", encode)
    }

    /// Adds sound of 48,000 Hz.
    pub(crate) fn sound(&mut self) -> usize {
        let encode = Encode {
            id: 100 * self.plot.tracks.len() as u32,
            video: false,
            scale: 48_000,
            frame: (1024, 1),
            origin: 0,
            gop: (self.plot.segment(), 0),
            early: 0,
            lead: 0,
            header: self.headers.get(false, 48_000, 0),
            variant: 0,
        };
        self.track("sound", encode)
    }

    fn track(&mut self, kind: &str, encode: Encode) -> usize {
        let track = self.plot.tracks.len();
        let name: RenditionName = format!("{kind}-{track}").parse().unwrap();
        self.plot.tracks.push(Line { name, encodes: vec![encode] });
        self.greet(track);
        track
    }

    /// Another encoder with another header, and maybe other ticks, takes over.
    pub(crate) fn change(&mut self, track: usize, scale: u32) {
        let mut next = self.plot.tracks[track].encodes.last().unwrap().clone();
        next.id += 1;
        next.variant += 1;
        next.frame.0 = next.frame.0 * i64::from(scale) / i64::from(next.scale);
        next.scale = scale;
        next.header = self.headers.get(next.video, next.scale, next.variant);
        self.plot.tracks[track].encodes.push(next);
        self.greet(track);
    }

    /// The encoder before the last one goes on.
    pub(crate) fn change_back(&mut self, track: usize) {
        let encodes = &mut self.plot.tracks[track].encodes;
        encodes.push(encodes[encodes.len() - 2].clone());
        self.greet(track);
    }

    fn greet(&mut self, track: usize) {
        let encode = self.plot.tracks[track].encodes.len() - 1;
        self.act(What::Greet { track, encode });
    }

    pub(crate) fn act(&mut self, what: What) {
        let at_ms = self.plot.acts.last().map_or(self.plot.anchor_ms + START_MS, |act| act.at_ms);
        self.plot.acts.push(Act { at_ms, what });
    }

    /// Sends the frames that begin between two times, in milliseconds from the start, in chunks of `chunk_ms`.
    pub(crate) fn send(&mut self, track: usize, from_ms: i64, to_ms: i64, chunk_ms: i64) {
        let mut from = from_ms;
        while from < to_ms {
            let to = (from + chunk_ms).min(to_ms);
            self.chunk(track, 1, from, to, |_| {});
            from = to;
        }
    }

    /// Sends one chunk.
    pub(crate) fn chunk(
        &mut self,
        track: usize,
        sender: u64,
        from_ms: i64,
        to_ms: i64,
        with: impl Fn(&mut Sent),
    ) {
        let encode = self.plot.tracks[track].encodes.len() - 1;
        let frame = |ms| self.plot.tracks[track].encodes[encode].first_from((START_MS + ms) * MILLI);
        let frames = frame(from_ms)..frame(to_ms);
        if frames.is_empty() {
            return;
        }
        let mut sent = Sent { track, sender, encode, frames, is_last: false, cues: Vec::new() };
        with(&mut sent);
        let at_ms = self.plot.anchor_ms + START_MS + to_ms;
        self.plot.acts.push(Act { at_ms, what: What::Send(sent) });
    }

    /// Sends all tracks together.
    pub(crate) fn send_all(&mut self, from_ms: i64, to_ms: i64, chunk_ms: i64) {
        let mut from = from_ms;
        while from < to_ms {
            let to = (from + chunk_ms).min(to_ms);
            (0..self.plot.tracks.len()).for_each(|track| self.send(track, from, to, chunk_ms));
            from = to;
        }
    }

    /// The show keeps every rule.
    pub(crate) fn keeps_every_rule(&self) {
        if let Err(fault) = Watch::new(&self.plot, Dice::new(1)).thoroughly().run() {
            self.plot.acts.iter().for_each(|act| eprintln!("{}", self.plot.tell_act(act)));
            panic!("{fault}\n{}", self.plot.tell());
        }
    }
}

#[test]
fn a_plain_show_keeps_every_rule() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.send_all(0, 6_000, 100);
    script.act(What::End);
    script.keeps_every_rule();
}

/// Seed 1.
#[test]
fn who_asks_far_behind_the_last_part_of_a_finished_segment_is_held() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.send(0, 0, 5_000, 1000);
    script.keeps_every_rule();
}

/// Seed 6.
#[test]
fn an_update_skips_what_is_further_than_the_boundary_from_the_last_whole_segment() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.send(0, 0, 12_000, 250);
    script.keeps_every_rule();
}

/// Seed 30. A sender's segments may be longer than ours, and each of its chunks says whether its segment is the last.
#[test]
fn all_of_a_last_segment_is_listed() {
    for chunk_ms in [250, 3000] {
        let mut script = Script::new();
        script.video(25, 12_800);
        script.sound();
        script.send_all(0, 3000, 250);
        for from in (3000..6000).step_by(chunk_ms) {
            for track in 0..2 {
                script.chunk(track, 1, from as i64, (from + chunk_ms) as i64, |sent| sent.is_last = true);
            }
        }
        script.act(What::Complete { track: 0 });
        script.act(What::Complete { track: 1 });
        script.keeps_every_rule();
    }
}

/// Seed 17. A header that comes changes nothing until its media does.
#[test]
fn a_header_that_comes_takes_nothing_away() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.send_all(0, 3500, 100);
    script.change(0, 12_800);
    script.send(1, 3500, 4000, 100);
    script.send_all(4000, 6000, 100);
    script.keeps_every_rule();
}

/// A sender that says hello and is not heard of again.
#[test]
fn a_header_that_is_taken_back_leaves_no_trace() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.send(0, 0, 3360, 40);
    script.change(0, 90_000);
    script.change_back(0);
    script.send(0, 3360, 6000, 40);
    script.keeps_every_rule();
}

#[test]
fn other_ticks_move_nothing() {
    let mut script = Script::new();
    script.video(30, 12_800);
    script.sound();
    script.send_all(0, 3000, 100);
    script.change(0, 90_000);
    script.send_all(3000, 5000, 100);
    script.change(0, 15_360);
    // A part of the segment is lost as well.
    script.send_all(5700, 8000, 100);
    script.keeps_every_rule();
}

/// Seed 58. Frames of a rate that ticks do not express are rounded, now up and now down.
#[test]
fn parts_of_rounded_frames_are_neither_too_long_nor_too_short() {
    for (rate, scale) in
        [((50, 1), 15_360), ((30_000, 1001), 12_800), ((30_000, 1001), 15_360), ((30, 1), 12_800)]
    {
        for chunk_ms in [20, 330] {
            let mut script = Script::new();
            script.plot.parts = 10;
            script.pictures(rate, scale);
            script.send(0, 0, 2500, chunk_ms);
            script.keeps_every_rule();
        }
    }
}

/// Seed 5. Where a boundary falls between two frames, the keyframe may be the one before it or the one behind.
#[test]
fn no_frame_is_lost_where_a_boundary_falls_between_two() {
    for early in [0, 255, 256] {
        let mut script = Script::new();
        script.plot.segment_ms = 500;
        script.video(25, 12_800);
        script.plot.tracks[0].encodes[0].gop.0 = script.plot.segment();
        script.plot.tracks[0].encodes[0].early = grains(early, 12_800);
        script.send(0, 0, 4000, 120);
        script.keeps_every_rule();
    }
}

/// Seeds 21, 26 and 40. What a playlist tells of another track depends on where that began, not on how far it has come.
#[test]
fn reports_of_a_track_that_begins_in_the_middle_name_no_part_that_never_comes() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.plot.tracks[0].encodes[0].gop.0 = script.plot.segment() / 2;
    script.sound();
    script.send(1, 0, 500, 100);
    for from in (500..5000).step_by(100) {
        script.send(0, from, from + 100, 100);
        // Sound is ahead.
        script.send(1, from, from + 100, 100);
    }
    script.keeps_every_rule();
}

#[test]
fn a_track_is_reported_however_old_its_beginning_is() {
    let mut script = Script::new();
    script.plot.window_ms = Some(6000);
    script.video(25, 12_800);
    script.sound();
    script.send_all(0, 2000, 500);
    // Sound is gone for longer than anything of it is kept; pictures lag behind.
    script.send(1, 40_000, 41_000, 500);
    script.send(0, 2000, 4000, 500);
    script.keeps_every_rule();
}

/// Seeds 22, 45, 49 and 76. A discontinuity is one in all tracks: also in those that are ahead, come later, or have a hole.
#[test]
fn a_discontinuity_is_shown_once_by_each_track() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.sound();
    script.video(25, 12_800);
    // One sound is ahead, the other has a hole, and the second picture comes later.
    script.send(0, 0, 3000, 250);
    script.send(1, 0, 4500, 250);
    script.send(2, 0, 2200, 250);
    script.change(0, 12_800);
    script.send(0, 3000, 5000, 250);
    script.send(1, 4500, 5000, 250);
    script.send(2, 4800, 5000, 250);
    script.change(1, 48_000);
    script.change(0, 12_800);
    script.send_all(5000, 8000, 250);
    script.keeps_every_rule();
}

#[test]
fn each_of_several_discontinuities_is_shown() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.send(1, 0, 5500, 250);
    script.send(0, 0, 2000, 250);
    script.change(0, 12_800);
    script.send(0, 2000, 3000, 250);
    script.change(0, 12_800);
    script.send(0, 3000, 5500, 250);
    script.send_all(5500, 9000, 250);
    script.keeps_every_rule();
}

/// Seed 14078. A track that has begun, and has no part yet, begins after all of them.
#[test]
fn a_track_that_has_listed_nothing_counts_all_discontinuities() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.video(25, 12_800);
    script.sound();
    (0..2).for_each(|track| script.send(track, 0, 2000, 250));
    script.send(2, 3000, 3050, 25);
    script.change(0, 12_800);
    script.send(0, 2000, 3000, 250);
    script.change(1, 12_800);
    script.send(1, 3000, 4000, 250);
    script.send(0, 3000, 6000, 250);
    script.send(2, 3050, 6000, 250);
    script.send(1, 4000, 6000, 250);
    script.keeps_every_rule();
}

/// Seed 105. As many parts as fit a segment, and what is left over.
#[test]
fn what_is_left_over_is_a_part_where_parts_are_counted() {
    let mut script = Script::new();
    (script.plot.segment_ms, script.plot.parts) = (770, 1);
    script.video(25, 90_000);
    script.sound();
    script.send_all(0, 5000, 770);
    script.keeps_every_rule();
}

/// Seeds 198 and 249. Memory that runs short takes no playlist below three target durations, and of an EVENT nothing.
#[test]
fn who_lags_behind_keeps_three_target_durations() {
    for window_ms in [Some(60_000), None] {
        let mut script = Script::new();
        script.plot.window_ms = window_ms;
        script.video(25, 12_800);
        script.sound();
        script.send_all(0, 9000, 250);
        script.send(1, 9000, 14_000, 250);
        script.act(What::Shed(0));
        script.send_all(14_000, 15_000, 250);
        script.keeps_every_rule();
    }
}

/// Seed 26. After an outage, and where a sender catches up, media comes faster than it plays.
#[test]
fn what_slid_out_at_once_can_be_had_for_as_long_as_if_it_had_not() {
    for catches_up in [false, true] {
        let mut script = Script::new();
        script.plot.window_ms = Some(0);
        script.sound();
        script.send(0, 0, 5000, 250);
        if catches_up {
            script.send(0, 5000, 40_000, 250);
            let caught_up = script.plot.acts.last().unwrap().at_ms;
            script.plot.acts.iter_mut().for_each(|act| act.at_ms = act.at_ms.min(caught_up - 34_000));
            script.plot.anchor_ms -= 34_000;
        }
        script.send(0, 40_000, 41_000, 250);
        script.keeps_every_rule();
    }
}

/// Seed 71. A track that lags behind tells late of what others have passed: an update has it all the same.
#[test]
fn what_a_late_track_tells_is_in_the_updates_of_those_ahead() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.send_all(0, 2000, 250);
    script.send(1, 2000, 16_000, 250);
    script.chunk(0, 1, 2000, 2250, |sent| sent.cues.push(cue(true, 2500, None)));
    script.send(1, 16_000, 17_000, 250);
    script.keeps_every_rule();
}

/// Playlists begin at the frames that their tracks have; what they list of date ranges begins with the segment.
#[test]
fn a_date_range_leaves_all_playlists_with_the_same_segment() {
    let mut script = Script::new();
    script.plot.window_ms = Some(4000);
    script.video(25, 12_800);
    script.plot.tracks[0].encodes[0].gop.1 = 400 * MILLI;
    script.sound();
    let at = |tracks: usize, sent: &mut Sent| {
        if sent.track == tracks {
            sent.cues.extend([cue(true, 1100, None), cue(false, 2200, None)]);
        }
    };
    script.send(0, 0, 500, 500);
    script.send(1, 0, 500, 500);
    for from in (500..9000).step_by(500) {
        for track in 0..2 {
            script.chunk(track, 1, from, from + 500, |sent| {
                if from == 500 {
                    at(0, sent);
                }
            });
        }
    }
    script.keeps_every_rule();
}

/// An id is of one date range, however long ago that was; and what was said of it stays.
#[test]
fn an_id_is_never_used_again() {
    let mut script = Script::new();
    script.plot.window_ms = Some(3000);
    script.sound();
    let mark = |script: &mut Script, start_ms: i64, planned_ms: Option<u64>, value: &str| {
        let range = DateRange {
            id: "goal".to_owned(),
            class: None,
            start_ms: script.plot.anchor_ms + START_MS + start_ms,
            duration_ms: None,
            planned_ms,
            splice: None,
            attributes: vec![("X-BY".to_owned(), value.to_owned())],
        };
        script.act(What::Mark(range));
    };
    script.send(0, 0, 2000, 500);
    mark(&mut script, 1000, Some(500), "us");
    mark(&mut script, 1000, Some(700), "us");
    mark(&mut script, 1000, Some(500), "them");
    script.send(0, 2000, 6000, 500);
    mark(&mut script, 1000, Some(500), "them");
    script.send(0, 6000, 30_000, 1000);
    mark(&mut script, 29_000, None, "us");
    script.send(0, 30_000, 31_000, 1000);
    script.keeps_every_rule();
}

/// Memory that runs short takes date ranges out of the playlist too: who has an older one is told.
#[test]
fn date_ranges_that_were_shed_are_among_those_removed() {
    let mut script = Script::new();
    script.sound();
    script.chunk(0, 1, 0, 1000, |sent| sent.cues.extend([cue(true, 200, None), cue(false, 700, None)]));
    script.send(0, 1000, 20_000, 1000);
    script.act(What::Shed(500));
    script.send(0, 20_000, 24_000, 1000);
    script.keeps_every_rule();
}

/// Seed 1157. Ids of date ranges that an update takes away stand one after another, with a tab between.
#[test]
fn date_ranges_that_were_removed_together_are_told_apart() {
    let mut script = Script::new();
    script.plot.window_ms = Some(8000);
    script.sound();
    let again = |cue: Cue| Cue { event: 8, ..cue };
    script.chunk(0, 1, 0, 1000, |sent| {
        let (out, back) = (cue(true, 200, None), cue(false, 700, None));
        sent.cues.extend([out, again(out), back, again(back)]);
    });
    script.send(0, 1000, 14_000, 1000);
    script.keeps_every_rule();
}

/// Seeds 10 and 240. Another encoder with another header, which is behind, sends what is here already; what it announces is
/// heard all the same.
#[test]
fn who_is_behind_with_another_header_sends_duplicates() {
    let mut script = Script::new();
    script.video(25, 12_800);
    // Decoded as long before it is presented as a chunk is.
    script.plot.tracks[0].encodes[0].lead = 2 * 512;
    script.send(0, 0, 3360, 40);
    script.change(0, 12_800);
    script.chunk(0, 2, 2800, 3120, |sent| sent.cues.push(cue(true, 2900, None)));
    script.chunk(0, 2, 3120, 3440, |_| {});
    script.chunk(0, 2, 3440, 4000, |_| {});
    (4000..6000).step_by(80).for_each(|from| script.chunk(0, 2, from, from + 80, |_| {}));
    script.keeps_every_rule();
}

/// The keyframe that another encoder begins with is decoded before what is here ends, and presented behind it.
#[test]
fn a_keyframe_that_is_presented_later_than_decoded_is_no_duplicate() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.send(0, 0, 3000, 40);
    script.change(0, 12_800);
    script.plot.tracks[0].encodes[1].lead = 3 * 512;
    (3000..5000).step_by(40).for_each(|from| script.chunk(0, 2, from, from + 40, |_| {}));
    script.keeps_every_rule();
}

/// Seeds 13 and 167. A show ends with its last track; one that has only been announced is one of them, but not for ever.
#[test]
fn a_track_that_was_announced_is_waited_for_and_given_up() {
    for lasts_ms in [1000, 2000, 4000, 8000] {
        let mut script = Script::new();
        script.video(25, 12_800);
        script.sound();
        script.send(0, 0, lasts_ms - 500, 250);
        script.chunk(0, 1, lasts_ms - 500, lasts_ms, |sent| sent.is_last = true);
        script.act(What::Complete { track: 0 });
        script.send(1, 0, lasts_ms - 500, 250);
        script.chunk(1, 1, lasts_ms - 500, lasts_ms, |sent| sent.is_last = true);
        script.act(What::Complete { track: 1 });
        script.keeps_every_rule();
    }
}

/// Nothing of the end is left out where its rate is not known yet.
#[test]
fn a_frame_that_tells_no_rate_is_listed_at_the_end() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.send_all(0, 3000, 250);
    script.change(1, 48_000);
    script.chunk(1, 2, 3000, 3015, |_| {});
    script.act(What::End);
    script.keeps_every_rule();
}

/// Seed 172. A segment may be no longer than one part and a frame.
#[test]
fn sound_of_one_part_a_segment_begins() {
    let mut script = Script::new();
    (script.plot.segment_ms, script.plot.parts) = (2000, 1);
    script.sound();
    script.plot.tracks[0].encodes[0].origin = 512;
    script.send(0, 0, 9000, 500);
    script.keeps_every_rule();
}

/// Seeds 2084 and 3477. Where all keyframes come nearly half a frame before their place, so do those that are reported.
#[test]
fn reports_know_a_keyframe_that_is_always_early() {
    for origin in [270, 290, 310] {
        let mut script = Script::new();
        script.plot.segment_ms = 960;
        script.video(25, 12_800);
        script.plot.tracks[0].encodes[0].origin = origin;
        script.sound();
        script.send_all(0, 6000, 20);
        script.keeps_every_rule();
    }
}

/// Seed 13693. Frames that tell a rate follow each other: some come twice, and some are lost.
#[test]
fn frames_that_come_twice_tell_no_rate() {
    for from in [0, 34, 67, 100] {
        let mut script = Script::new();
        script.plot.parts = 15;
        script.pictures((30_000, 1001), 15_360);
        (1..4).for_each(|sender| script.chunk(0, sender, from, from + 34, |_| {}));
        script.chunk(0, 4, from + 67, from + 101, |_| {});
        script.send(0, 1000, 4000, 33);
        script.keeps_every_rule();
    }
}

/// Seed 4045. What came of a header is taken, though another came before it told its rate.
#[test]
fn a_header_of_which_one_frame_came_is_one_of_the_show() {
    let mut script = Script::new();
    script.video(30, 12_800);
    script.sound();
    script.send_all(0, 3000, 100);
    script.change(1, 48_000);
    script.chunk(1, 2, 4000, 4015, |_| {});
    script.change(0, 15_360);
    script.chunk(0, 2, 4000, 4030, |_| {});
    script.change(1, 48_000);
    script.change(0, 15_360);
    script.send_all(5000, 7000, 100);
    script.keeps_every_rule();
}

/// Seeds 1257 and 657. What is told of a date range may change when it was over: it leaves at once, or comes back as new.
#[test]
fn updates_know_of_date_ranges_whose_ends_were_told_late() {
    for (planned_ms, duration_ms) in [(Some(20_000), 500), (None, 20_000)] {
        let mut script = Script::new();
        script.plot.window_ms = Some(25_000);
        script.sound();
        script.send(0, 0, 20_000, 1000);
        let start_ms = script.plot.anchor_ms + START_MS - 8000;
        let range = DateRange {
            id: "goal".to_owned(),
            class: None,
            start_ms,
            duration_ms: None,
            planned_ms,
            splice: None,
            attributes: Vec::new(),
        };
        script.act(What::Mark(range.clone()));
        script.send(0, 20_000, 30_000, 1000);
        script.act(What::Mark(DateRange { duration_ms: Some(duration_ms), ..range }));
        script.send(0, 30_000, 50_000, 1000);
        script.keeps_every_rule();
    }
}

/// Seed 10593. A track that came later has listed nothing of a break that was over by then, so the end of it is told to
/// those that have.
#[test]
fn the_end_of_a_break_is_told_although_a_track_came_after_it() {
    let mut script = Script::new();
    script.video(25, 12_800);
    script.sound();
    script.chunk(0, 1, 0, 1000, |sent| sent.cues.push(cue(true, 500, Some(300))));
    script.send(0, 1000, 6000, 500);
    script.send(1, 5000, 6000, 500);
    script.chunk(0, 1, 6000, 6500, |sent| sent.cues.push(cue(false, 6200, None)));
    script.send(0, 6500, 8000, 500);
    script.send(1, 6000, 8000, 500);
    script.keeps_every_rule();
}

/// A splice of the one event of a script, so long after its start.
fn cue(is_out: bool, at_ms: i64, planned_ms: Option<u32>) -> Cue {
    Cue { event: 7, is_out, at_ms: START_MS + at_ms, planned_ms }
}
