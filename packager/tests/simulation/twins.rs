//! Windows of one show that were fed the same: in another order between tracks, in other chunks, or from the middle on. What
//! they list is the same to the byte wherever they have come equally far, and an update of one goes on from a playlist of
//! the other.
//!
//! Two things travel with the media and are known only once they are here, so they may differ on the way: the date ranges
//! that another track tells of, and how another track goes on whose first segments are still coming. In the end they do not,
//! but for date ranges that were over in some playlists before they were told of in full.

use std::collections::{BTreeMap, HashMap, VecDeque};

use forebay_packager::live::{Feed, Form, Plan, Playlist, Refusal, Sender, Show};
use forebay_packager::time::Msn;

use super::delta;
use super::dice::Dice;
use super::plot::{Act, Plot, Sent, What};
use super::reader::{Check, hold};

/// One of them.
struct Window<'p> {
    plot: &'p Plot,
    show: Show,
    feeds: HashMap<(usize, u64), Feed>,
    now_ms: i64,
    tracks: Vec<Seen>,
}

/// The playlists of a track, by where they ended: open segment, parts of it, and whether the show has ended. Of those that
/// ended in one place, the last.
#[derive(Default)]
struct Seen {
    pages: BTreeMap<(Msn, u32, bool), Page>,
    /// With which segment the first began.
    first: Option<Msn>,
}

struct Page {
    playlist: Playlist,
    /// All tracks had gone on for so long that nothing of their beginnings was left to be told.
    is_settled: bool,
}

/// When tracks are settled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// Once each has three segments.
    AfterThree,
    /// Once nothing is listed of the segments that each began with.
    HasSlid,
}

/// Feeds two windows with the same in different orders and pieces. Gives how many playlists were compared.
pub(crate) fn shuffled(plot: &Plot, dice: &mut Dice, is_steady: bool) -> Check<usize> {
    let mut one = Window::new(plot, plot.plan());
    let mut other = Window::new(plot, plot.plan());
    one.feed(&in_order(plot), Settled::AfterThree)?;
    other.feed(&shuffle(plot, dice), Settled::AfterThree)?;
    for window in [&mut one, &mut other] {
        window.end();
    }
    let mut count = 0;
    for track in 0..plot.tracks.len() {
        let last = |window: &Window<'_>| window.tracks[track].pages.keys().last().copied();
        hold!(
            last(&one) == last(&other),
            "one has come to {:?}, the other to {:?}",
            last(&one),
            last(&other)
        );
        let Some(edge) = last(&one) else { continue };
        let text = |window: &Window<'_>| window.tracks[track].pages[&edge].playlist.render(Form::Full);
        let whole = |text: String| if plot.window_ms.is_none() { text } else { without(&text, true) };
        same(&whole(text(&one)), &whole(text(&other))).map_err(|fault| format!("in the end: {fault}"))?;
        if plot.acts.iter().all(|act| !matches!(&act.what, What::Send(sent) if !sent.cues.is_empty())) {
            one.same_media(&other, track)?;
        }
        count += 1 + one.compare(&other, track, is_steady, |_| true, dice)?;
    }
    Ok(count)
}

/// Feeds one window from the beginning on, and another from the middle on. Gives how many playlists were compared.
pub(crate) fn joined(plot: &Plot, dice: &mut Dice) -> Check<usize> {
    let acts = in_order(plot);
    let (before, after) = acts.split_at(dice.below(acts.len() / 2 + 1));
    let mut greets = BTreeMap::new();
    for act in before {
        if let What::Greet { track, .. } = &act.what {
            greets.insert(*track, act.clone());
        }
    }
    let mut one = Window::new(plot, plot.plan());
    one.feed(&acts, Settled::AfterThree)?;
    let mut other = Window::new(plot, Plan { begins: false, ..plot.plan() });
    other.feed(&greets.into_values().collect::<Vec<Act>>(), Settled::HasSlid)?;
    other.feed(after, Settled::HasSlid)?;
    // Frames that are no whole number of ticks are rounded, so where they begin is known to a tick from any of them; a report
    // may tell of a part sooner or later that ends just there.
    let is_whole = plot.tracks.iter().flat_map(|line| &line.encodes).all(|e| e.frame.0 % e.frame.1 == 0);
    let mut count = 0;
    for track in 0..plot.tracks.len() {
        let first = other.tracks[track].first;
        count += one.compare(&other, track, is_whole, |playlist| Some(playlist.first()) > first, dice)?;
    }
    Ok(count)
}

impl<'p> Window<'p> {
    fn new(plot: &'p Plot, plan: Plan) -> Self {
        let tracks = plot.tracks.iter().map(|_| Seen::default()).collect();
        Self { plot, show: Show::new(plan), feeds: HashMap::new(), now_ms: i64::MIN, tracks }
    }

    fn feed(&mut self, acts: &[Act], settled: Settled) -> Check {
        for act in acts {
            self.now_ms = self.now_ms.max(act.at_ms);
            let told = |error: Refusal| format!("{error}\nat: {}", self.plot.tell_act(act));
            match &act.what {
                What::Greet { track, encode } => {
                    let line = &self.plot.tracks[*track];
                    self.show.greet(&line.name, &line.encodes[*encode].header).map_err(told)?;
                }
                What::Send(sent) => {
                    let feed = self.feeds.entry((sent.track, sent.sender));
                    let feed = feed.or_insert_with(|| Feed::new(Sender(sent.sender)));
                    let name = &self.plot.tracks[sent.track].name;
                    self.show.push(name, feed, self.plot.chunk(sent), self.now_ms).map_err(told)?;
                }
                What::Complete { .. } | What::Mark(_) | What::Shed(_) | What::End => {}
            }
            self.look(settled);
        }
        Ok(())
    }

    fn end(&mut self) {
        self.show.end_now();
        self.look(Settled::AfterThree);
    }

    fn look(&mut self, settled: Settled) {
        let playlists: Vec<Option<Playlist>> =
            self.plot.tracks.iter().map(|line| self.show.playlist(&line.name)).collect();
        let is_settled = playlists.iter().zip(&self.tracks).all(|(playlist, seen)| {
            playlist.as_ref().is_some_and(|playlist| match settled {
                Settled::AfterThree => playlist.edge().open.0 >= seen.first.map_or(u64::MAX, |msn| msn.0 + 3),
                Settled::HasSlid => Some(playlist.first()) > seen.first,
            })
        });
        for (playlist, seen) in playlists.into_iter().zip(&mut self.tracks) {
            let Some(playlist) = playlist else { continue };
            seen.first.get_or_insert(playlist.first());
            let edge = playlist.edge();
            seen.pages.insert((edge.open, edge.parts, edge.ended), Page { playlist, is_settled });
        }
    }

    /// Compares what both have had of a track, wherever they had come equally far.
    fn compare(
        &self,
        other: &Self,
        track: usize,
        is_steady: bool,
        is_alike: impl Fn(&Playlist) -> bool,
        dice: &mut Dice,
    ) -> Check<usize> {
        let (ours, theirs) = (&self.tracks[track].pages, &other.tracks[track].pages);
        let mut formers: VecDeque<String> = VecDeque::new();
        let mut count = 0;
        for (edge, page) in theirs {
            let Some(mine) = ours.get(edge) else { continue };
            if !is_alike(&page.playlist) || !dice.one_in(3) {
                continue;
            }
            count += 1;
            let with_reports = is_steady && mine.is_settled && page.is_settled;
            let text = mine.playlist.render(Form::Full);
            let whole = page.playlist.render(Form::Full);
            same(&without(&text, with_reports), &without(&whole, with_reports))
                .map_err(|fault| format!("{} at {edge:?}: {fault}", self.plot.tracks[track].name))?;
            let update = page.playlist.render(dice.pick(&[Form::Delta, Form::DeltaRanges]));
            for former in &formers {
                if let Some(merged) = delta::merge(former, &update)? {
                    same(&without(&delta::whole(&whole), true), &without(&merged, true))
                        .map_err(|fault| format!("§6.2.5.1: of two windows: {fault}"))?;
                }
            }
            formers.push_back(text);
            if formers.len() > 3 {
                formers.remove(dice.below(4));
            }
        }
        Ok(count)
    }

    /// What both list in the end is the same media.
    fn same_media(&self, other: &Self, track: usize) -> Check {
        let name = &self.plot.tracks[track].name;
        let Some(playlist) = self.show.playlist(name) else { return Ok(()) };
        for segment in playlist.segments() {
            let of = |window: &Self| window.show.segment(name, segment.msn).ready();
            hold!(of(self) == of(other), "segment {} of {name} has other bytes", segment.msn);
        }
        Ok(())
    }
}

/// Two texts, line by line.
fn same(one: &str, other: &str) -> Check {
    let differ = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    hold!(one == other, "{differ:?} in\n{one}\nand\n{other}");
    Ok(())
}

/// A playlist without its date ranges, and maybe without its reports.
fn without(text: &str, with_reports: bool) -> String {
    let stays = |line: &&str| {
        !line.starts_with("#EXT-X-DATERANGE:")
            && (with_reports || !line.starts_with("#EXT-X-RENDITION-REPORT:"))
    };
    text.lines().filter(stays).flat_map(|line| [line, "\n"]).collect()
}

/// What the senders do, as they do it.
fn in_order(plot: &Plot) -> Vec<Act> {
    let sent = |act: &&Act| matches!(act.what, What::Greet { .. } | What::Send(_));
    plot.acts.iter().filter(sent).cloned().collect()
}

/// What each sender does in its own order, but who comes when is chance, and so is how it gathers its frames.
fn shuffle(plot: &Plot, dice: &mut Dice) -> Vec<Act> {
    let mut lines: Vec<VecDeque<Act>> = plot.tracks.iter().map(|_| VecDeque::new()).collect();
    for act in in_order(plot) {
        if let What::Greet { track, .. } | What::Send(Sent { track, .. }) = act.what {
            lines[track].push_back(act);
        }
    }
    let mut lines: Vec<VecDeque<Act>> = lines.into_iter().map(|line| gather(line, dice)).collect();
    let most = dice.pick(&[1, 5, 100]);
    let mut acts = Vec::new();
    while lines.iter().any(|line| !line.is_empty()) {
        let track = dice.below(lines.len());
        let count = (dice.below(most) + 1).min(lines[track].len());
        acts.extend(lines[track].drain(..count));
    }
    acts
}

/// The same frames in other chunks. What is announced with a chunk stays with its first frame.
fn gather(mut line: VecDeque<Act>, dice: &mut Dice) -> VecDeque<Act> {
    let mut out = VecDeque::new();
    while let Some(mut act) = line.pop_front() {
        while let (What::Send(sent), Some(Act { what: What::Send(next), .. })) = (&mut act.what, line.front())
            && (sent.sender, sent.encode, sent.is_last) == (next.sender, next.encode, next.is_last)
            && sent.frames.end == next.frames.start
            && next.cues.is_empty()
            && dice.one_in(2)
        {
            sent.frames.end = next.frames.end;
            act.at_ms = line.pop_front().map_or(act.at_ms, |next| next.at_ms);
        }
        while let What::Send(sent) = &mut act.what
            && sent.frames.end - sent.frames.start > 1
            && dice.one_in(2)
        {
            let middle = dice.between(sent.frames.start + 1, sent.frames.end - 1);
            let first = Sent { frames: sent.frames.start..middle, ..sent.clone() };
            (sent.frames.start, sent.cues) = (middle, Vec::new());
            out.push_back(Act { at_ms: act.at_ms, what: What::Send(first) });
        }
        out.push_back(act);
    }
    out
}
