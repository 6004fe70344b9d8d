//! Runs a show, and looks at all of it after each thing that happens.

use std::collections::{HashMap, VecDeque};

use forebay_packager::live::{Directives, Feed, Form, Refusal, Sender, Show, Taken};

use super::answers::{self, Table, Verdict};
use super::delta;
use super::dice::Dice;
use super::media::{self, Player};
use super::page::{self, Given};
use super::plot::{Act, Line, Plot, Sent, What};
use super::ranges::{self, Ranges};
use super::reader::{Check, Page, hold};
use super::series::{Facts, Series};
use super::time::micros;
use super::together::{Change, Together, slack};
use super::truth::{Fate, Truth};
use super::viewer::Viewer;

/// A show that is watched.
pub(crate) struct Watch<'p> {
    plot: &'p Plot,
    pub(crate) show: Show,
    dice: Dice,
    /// Everything is looked at each time, not now and then.
    is_thorough: bool,
    tracks: Vec<Watched>,
    feeds: HashMap<(usize, u64), Feed>,
    together: Together,
    ranges: Ranges,
    player: Player,
    viewers: Vec<Viewer>,
    now_ms: i64,
}

/// A track that is watched.
struct Watched {
    truth: Truth,
    series: Series,
    text: String,
    /// Playlists that were, with where they ended.
    formers: VecDeque<(i64, i64, String)>,
    is_greeted: bool,
    /// Where the show's media ended when it was greeted first; whether something has been sent of it.
    announced: Option<i64>,
    is_heard: bool,
    /// The header that it was greeted with last.
    kind: Option<(u8, u32)>,
    /// What was not told yet of duplicates, what was dropped, and holes; frames since the header was another.
    owed: [i64; 3],
    since_header: i64,
}

impl<'p> Watch<'p> {
    pub(crate) fn new(plot: &'p Plot, dice: Dice) -> Self {
        let watched = |track| Watched {
            truth: Truth::new(plot, track, true),
            series: Series::default(),
            text: String::new(),
            formers: VecDeque::new(),
            is_greeted: false,
            announced: None,
            is_heard: false,
            kind: None,
            owed: [0; 3],
            since_header: 0,
        };
        Self {
            plot,
            show: Show::new(plot.plan()),
            dice,
            is_thorough: false,
            tracks: (0..plot.tracks.len()).map(watched).collect(),
            feeds: HashMap::new(),
            together: Together::default(),
            ranges: Ranges::default(),
            player: Player::default(),
            viewers: Vec::new(),
            now_ms: 0,
        }
    }

    /// Looks at everything each time.
    pub(crate) fn thoroughly(self) -> Self {
        Self { is_thorough: true, ..self }
    }

    fn now_and_then(&mut self, count: usize) -> bool {
        self.is_thorough || self.dice.one_in(count)
    }

    /// All of the show.
    pub(crate) fn run(mut self) -> Check {
        for act in &self.plot.acts {
            self.act(act).map_err(|fault| format!("{fault}\nat: {}", self.plot.tell_act(act)))?;
        }
        self.end()
    }

    fn act(&mut self, act: &Act) -> Check {
        self.now_ms = act.at_ms;
        match &act.what {
            What::Greet { track, encode } => {
                let line = &self.plot.tracks[*track];
                match self.show.greet(&line.name, &line.encodes[*encode].header) {
                    Err(Refusal::Ended) if self.show.has_ended() => {}
                    Err(refusal) => return Err(format!("a header was refused: {refusal}")),
                    Ok(()) => {
                        let end = self.ends().max();
                        let watched = &mut self.tracks[*track];
                        watched.truth.greet(&line.encodes[*encode]);
                        let kind = Some(line.encodes[*encode].kind());
                        if std::mem::replace(&mut watched.kind, kind) != kind {
                            watched.since_header = 0;
                        }
                        if !std::mem::replace(&mut watched.is_greeted, true) {
                            watched.announced = end;
                        }
                    }
                }
                self.look(&[*track])?;
            }
            What::Send(sent) => self.send(sent)?,
            What::Complete { track } => self.complete(*track)?,
            What::Mark(range) => match self.show.mark(range.clone()) {
                Ok(_) => {
                    self.ranges.mark(range, self.ends().max().unwrap_or(i64::MIN / 2));
                    self.look_at_all()?;
                }
                Err(Refusal::Range(_)) => self.nothing_changed()?,
                Err(Refusal::Ended) if self.show.has_ended() => {}
                Err(refusal) => return Err(format!("a date range was refused: {refusal}")),
            },
            What::Shed(mille) => {
                let held = self.show.bytes();
                let goal = held * mille / 1000;
                let left = self.show.shed(goal);
                hold!(left <= held && left == self.show.bytes(), "{left} bytes are said to be left");
                self.look_at_all()?;
                self.forget_shed();
            }
            What::End => {
                self.show.end_now();
                self.look_at_all()?;
            }
        }
        if self.now_and_then(4) {
            self.agree()?;
        }
        let known = 0..self.tracks.len();
        for track in known {
            let watched = &self.tracks[track];
            if !watched.text.is_empty() {
                let target = i64::from(self.show.plan().cadence.target_duration());
                let (line, dice) = (&self.plot.tracks[track], &mut self.dice);
                media::lingering(&self.show, line, &watched.series, self.now_ms, target, dice)?;
            }
        }
        Ok(())
    }

    fn send(&mut self, sent: &Sent) -> Check {
        let (track, line) = (sent.track, &self.plot.tracks[sent.track]);
        let feed = self.feeds.entry((track, sent.sender)).or_insert_with(|| Feed::new(Sender(sent.sender)));
        let had_ended = self.show.has_ended();
        let taken = match self.show.push(&line.name, feed, self.plot.chunk(sent), self.now_ms) {
            Err(Refusal::Ended) if had_ended => return Ok(()),
            Err(refusal) => return Err(format!("a chunk was refused: {refusal}")),
            Ok(taken) => taken,
        };
        self.tracks[track].is_heard = true;
        let from = self.tracks[track].truth.taken.len();
        let fate = self.tracks[track].truth.send(self.plot.encode(sent), sent);
        self.tracks[track].told(taken, fate, sent.frames.end - sent.frames.start)?;
        self.changes(track, from);
        // Playlists that have come to where it was told have it.
        let since = micros(self.plot.encode(sent).at(sent.frames.start));
        if !sent.cues.is_empty() {
            let first = |line: &Line| self.show.playlist(&line.name).map(|playlist| playlist.first().0);
            let horizon = |line| first(line).map(|first| ranges::horizon(self.plot, first));
            let horizons: Vec<Option<i64>> = self.plot.tracks.iter().map(horizon).collect();
            let told = (since, self.show.end().map_or(i64::MIN, |end| end.as_micros()));
            sent.cues.iter().for_each(|cue| self.ranges.cue(cue, self.plot.anchor_ms, told, &horizons));
        }
        let ended = self.show.has_ended();
        hold!(!ended || had_ended, "a show that nobody ended");
        if taken.others {
            return self.look_at_all();
        }
        if taken.parts > 0 || taken.segments > 0 || taken.holes > 0 {
            self.look(&[track])?;
        }
        // What is not said to have changed has not.
        if self.now_and_then(4) { self.nothing_changed() } else { Ok(()) }
    }

    fn complete(&mut self, track: usize) -> Check {
        let had_ended = self.show.has_ended();
        let is_over = self.tracks[track].truth.complete() && !had_ended;
        let told = self.show.complete(&self.plot.tracks[track].name);
        hold!(told == is_over, "a request is whole, the track ends: {is_over}, told was {told}");
        self.look_at_all()?;
        let all_over = self.tracks.iter().all(|watched| watched.truth.is_over() || !self.counts(watched));
        hold!(
            self.show.has_ended() == (had_ended || (is_over && all_over)),
            "a show ends with its last track"
        );
        Ok(())
    }

    /// Whether the show waits for a track to end: one that was announced and is not heard of is given up when the others
    /// have gone on for three target durations.
    fn counts(&self, watched: &Watched) -> bool {
        let firsts = self.tracks.iter().filter_map(|watched| watched.truth.taken.first());
        let since = watched.announced.or(firsts.map(|first| micros(first.at)).min()).unwrap_or(0);
        let patience = 3_000_000 * i64::from(self.show.plan().cadence.target_duration());
        let is_given_up = self.ends().max().is_some_and(|end| end - since >= patience);
        watched.is_greeted && (watched.is_heard || !is_given_up)
    }

    fn look_at_all(&mut self) -> Check {
        let all: Vec<usize> = (0..self.tracks.len()).collect();
        self.look(&all)
    }

    /// Playlists that have come equally far list the same date ranges.
    fn agree(&self) -> Check {
        let pages: Vec<(usize, u64, i64)> = (0..self.tracks.len())
            .filter(|track| !self.tracks[*track].text.is_empty())
            .map(|track| (track, self.tracks[track].series.first_listed(), self.tracks[track].series.end()))
            .collect();
        self.ranges.agree(&pages)
    }

    fn nothing_changed(&self) -> Check {
        for (watched, line) in self.tracks.iter().zip(&self.plot.tracks) {
            let text = self.show.playlist(&line.name).map(|playlist| playlist.render(Form::Full));
            let text = text.unwrap_or_default();
            hold!(
                watched.text == text,
                "{} has changed, and nobody was told:\n{}\n{text}",
                line.name,
                watched.text
            );
        }
        Ok(())
    }

    fn look(&mut self, tracks: &[usize]) -> Check {
        for &track in tracks {
            self.look_at(track).map_err(|fault| {
                format!("{}: {fault}\n{}", self.plot.tracks[track].name, self.tracks[track].text)
            })?;
        }
        Ok(())
    }

    fn look_at(&mut self, track: usize) -> Check {
        let line = &self.plot.tracks[track];
        let Some(playlist) = self.show.playlist(&line.name) else {
            return match self.tracks[track].text.is_empty() {
                true => Ok(()),
                false => Err("a playlist that was there is not".to_owned()),
            };
        };
        let text = playlist.render(Form::Full);
        if text == self.tracks[track].text {
            return Ok(());
        }
        let former = std::mem::replace(&mut self.tracks[track].text, text.clone());
        let page = Page::read(&text)?;
        let encodes = &line.encodes;
        page::judge(&page, Given { is_event: self.plot.window_ms.is_none(), is_video: encodes[0].video })?;
        hold!(page.has_ended == self.show.has_ended(), "§4.4.3.4: EXT-X-ENDLIST where the show has ended");
        let watched = &mut self.tracks[track];
        let facts = Facts {
            truth: &watched.truth,
            anchor_ms: self.plot.anchor_ms,
            now_ms: self.now_ms,
            window: self.plot.window_ms.map(|window| window * 1000),
            slack: slack(self.plot, track),
            frame: encodes.iter().map(|encode| micros(encode.frame_length())).max().unwrap_or(0) + 1,
            part_target: page.part_target,
            rounding: if encodes.iter().any(|encode| encode.scale != encodes[0].scale) { 100 } else { 2 },
        };
        let former_end = (watched.series.end(), watched.series.whole_end());
        let news = watched.series.next(&page, &facts)?;
        let (far, cursor) = (self.far(), self.tracks[track].series.cursor);
        self.together.listed(track, cursor, &far);
        let watched = &mut self.tracks[track];
        if !former.is_empty() {
            watched.formers.push_back((former_end.0, former_end.1, former));
        }
        self.player.fetch(&self.show, line, &mut watched.series, &watched.truth, &news)?;
        self.prompt(track, &page)?;
        media::hinted(&self.show, line, &page)?;
        if self.now_and_then(8) {
            media::at_hand(&self.show, line, &self.tracks[track].series, &page)?;
        }
        let series: Vec<&Series> = self.tracks.iter().map(|watched| &watched.series).collect();
        self.together.page(self.plot, track, &page, &series)?;
        self.ranges.judge(self.plot, track, &page, &self.tracks[track].series)?;
        self.update(track, &page, &playlist, &text)?;
        self.ask(track, &page, &playlist)
    }

    /// What makes a part is listed at once, and all of it when the show has ended.
    fn prompt(&self, track: usize, page: &Page<'_>) -> Check {
        let watched = &self.tracks[track];
        let waits = watched.truth.taken.get(watched.series.cursor);
        let Some(first) = waits else { return Ok(()) };
        hold!(!page.has_ended, "§4.4.3.4: {first:?} and what follows is left out at the end");
        // The rate of what is behind a header is not told by its first frame.
        if watched.since_header < TELLING {
            return Ok(());
        }
        let waiting = micros(watched.truth.end().unwrap_or(0)) - micros(first.at);
        hold!(waiting < page.part_target, "§6.2.1: {waiting} µs are here and not listed, from {first:?} on");
        Ok(())
    }

    /// Remembers where a track is decoded otherwise than before, and how far the others are.
    fn changes(&mut self, track: usize, from: usize) {
        let known = self.far();
        let taken = &self.tracks[track].truth.taken;
        for index in from.max(1)..taken.len() {
            if taken[index - 1].kind != taken[index].kind {
                let (msn, known) = (taken[index].msn, known.clone());
                self.together.changes.push(Change { track, msn, index, known, listed: None });
            }
        }
    }

    /// The last segment of which something is listed, of each track.
    fn far(&self) -> Vec<Option<u64>> {
        self.tracks.iter().map(|watched| watched.series.known.last().map(|known| known.msn)).collect()
    }

    /// An update, merged into any former playlist, is the whole one.
    fn update(
        &mut self,
        track: usize,
        page: &Page<'_>,
        playlist: &forebay_packager::live::Playlist,
        text: &str,
    ) -> Check {
        if delta::skippable(page) == 0 && !self.now_and_then(8) {
            return Ok(());
        }
        let watched = &mut self.tracks[track];
        let boundary = watched.series.whole_end() - 6 * page.target * 1_000_000;
        while watched.formers.front().is_some_and(|(end, _, _)| *end < boundary) {
            watched.formers.pop_front();
        }
        let count = watched.formers.len();
        let some = match self.is_thorough {
            true => 0..count,
            false => self.dice.below(count)..count,
        };
        let is_first = self.dice.one_in(2);
        for form in [Form::Delta, Form::DeltaRanges] {
            if !self.is_thorough && (form == Form::Delta) != is_first {
                continue;
            }
            let update = playlist.render(form);
            delta::judge(&update, page, form == Form::DeltaRanges)
                .map_err(|fault| format!("{fault}\n{update}"))?;
            let wanted = delta::whole(text);
            let step = if self.is_thorough { 1 } else { some.len().max(1) };
            for (_, whole_end, former) in watched.formers.range(some.clone()).rev().step_by(step) {
                let Some(merged) = delta::merge(former, &update)? else {
                    hold!(
                        *whole_end < boundary,
                        "§6.2.5.1: more is skipped than the former playlist had:\n{former}\n{update}"
                    );
                    continue;
                };
                hold!(
                    merged == wanted,
                    "§6.2.5.1: former\n{former}\nupdate\n{update}\nmerged\n{merged}\nwhole\n{wanted}"
                );
            }
        }
        Ok(())
    }

    /// Asks as clients do, and lets those who wait look again.
    fn ask(&mut self, track: usize, page: &Page<'_>, playlist: &forebay_packager::live::Playlist) -> Check {
        let series = &self.tracks[track].series;
        let former = page.next().checked_sub(1).and_then(|msn| series.get(msn));
        let former_parts = former.map_or(0, |known| known.parts.len() as u64);
        let table = Table { page, former_parts, segment: micros(self.plot.segment()) };
        for _ in 0..if self.is_thorough { 40 } else { 2 } {
            let query = answers::query(&mut self.dice, page);
            let found = Verdict::of(playlist.answer(Directives::parse(&query)));
            let wanted = answers::table(&query, &table);
            hold!(found == wanted, "§6.2.5: {query} is answered with {found:?}, not {wanted:?}");
        }
        if self.viewers.len() < 3 && self.now_and_then(6) {
            self.viewers.push(Viewer::new(track, self.dice.apart()));
        }
        for viewer in self.viewers.iter_mut().filter(|viewer| viewer.track == track) {
            viewer.look(&self.show, &self.plot.tracks[track], &table, playlist, self.now_ms)?;
        }
        Ok(())
    }

    /// Where the media of tracks ends: what is listed, or, before anything is, where it begins.
    fn ends(&self) -> impl Iterator<Item = i64> {
        self.tracks.iter().filter_map(|watched| match watched.text.is_empty() {
            true => watched.truth.taken.first().map(|first| micros(first.at)),
            false => Some(watched.series.end()),
        })
    }

    /// What is no longer there, and not listed, went to make room.
    fn forget_shed(&mut self) {
        for (watched, line) in self.tracks.iter_mut().zip(&self.plot.tracks) {
            let first = watched.series.first_listed();
            let old = watched.series.known.iter_mut().filter(|known| known.msn < first);
            for known in old {
                let msn = forebay_packager::time::Msn(known.msn);
                known.was_shed |=
                    known.media.is_some() && self.show.segment(&line.name, msn).ready().is_none();
            }
        }
    }

    fn end(mut self) -> Check {
        self.look_at_all()?;
        self.nothing_changed()?;
        for (track, line) in self.plot.tracks.iter().enumerate() {
            let watched = &self.tracks[track];
            if !watched.text.is_empty() {
                let page = Page::read(&watched.text)?;
                media::at_hand(&self.show, line, &watched.series, &page)?;
            }
        }
        let series: Vec<&Series> = self.tracks.iter().map(|watched| &watched.series).collect();
        self.together.reports(self.plot, &series)?;
        self.together.discontinuities(self.plot, &series)
    }
}

impl Watched {
    /// The counts say what became of the chunks. The first frames behind a header may be held until they tell their rate.
    fn told(&mut self, taken: Taken, fate: Fate, frames: i64) -> Check {
        let counts = |list: [u32; 3]| list.map(i64::from);
        let found = counts([taken.duplicates, taken.dropped, taken.holes]);
        let wanted = counts([fate.duplicates, fate.dropped, fate.holes]);
        for (owed, (found, wanted)) in self.owed.iter_mut().zip(found.into_iter().zip(wanted)) {
            *owed += wanted - found;
        }
        self.since_header += frames;
        let may_wait = self.since_header < TELLING && self.owed.iter().all(|owed| *owed >= 0);
        hold!(self.owed == [0; 3] || may_wait, "a chunk is {fate:?}, told was {taken:?}");
        Ok(())
    }
}

/// So many frames tell their rate.
const TELLING: i64 = 12;
