//! What all playlists of a show have in common (RFC 8216bis §6.2.4), and what each tells of the others (§4.4.5.4).

use super::plot::Plot;
use super::reader::{Check, Page, hold};
use super::series::{KnownPart, Series};
use super::time::micros;

/// What one playlist said of another track.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    by: usize,
    of: usize,
    /// Where the playlist ended that said so, in microseconds.
    end: i64,
    msn: u64,
    part: u64,
}

/// A track changes its header at a segment.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) track: usize,
    pub(crate) msn: u64,
    /// The place of its first sample among those of use.
    pub(crate) index: usize,
    /// How far each track was listed when that had come, and when it was listed. In between, when its rate is told, the
    /// others know of it.
    pub(crate) known: Vec<Option<u64>>,
    pub(crate) listed: Option<Vec<Option<u64>>>,
}

/// Keeps what was told, to be judged when all is known.
#[derive(Debug, Default)]
pub(crate) struct Together {
    told: Vec<Told>,
    pub(crate) changes: Vec<Change>,
    control: Option<(i64, String)>,
}

impl Together {
    /// A new playlist of a track.
    pub(crate) fn page(&mut self, plot: &Plot, track: usize, page: &Page<'_>, series: &[&Series]) -> Check {
        let mine = (page.target, page.control.to_owned());
        let control = self.control.get_or_insert_with(|| mine.clone());
        hold!(*control == mine, "§6.2.4: {control:?} in one playlist, {mine:?} in another");
        let end = series[track].end();
        let mut before: Option<&str> = None;
        for report in &page.reports {
            hold!(before.is_none_or(|before| before < report.uri), "reports out of order: {}", report.uri);
            before = Some(report.uri);
            let name = report.uri.strip_prefix("../").and_then(|rest| rest.strip_suffix("/index.m3u8"));
            let of = plot.tracks.iter().position(|line| Some(line.name.as_str()) == name);
            let of = of
                .filter(|of| *of != track)
                .ok_or_else(|| format!("§4.4.5.4: a report of {}", report.uri))?;
            self.told.push(Told { by: track, of, end, msn: report.msn, part: report.part });
        }
        if page.has_ended {
            return Ok(());
        }
        for (of, other) in series.iter().enumerate().filter(|(of, _)| *of != track) {
            let Some(first) = other.known.first() else { continue };
            // As long as a part may be, and half a frame of grace.
            let part = micros(plot.segment()) * 11 / plot.parts / 10;
            let has_begun = !first.parts.is_empty() && first.start + part + 50_000 < end;
            let uri = format!("../{}/index.m3u8", plot.tracks[of].name);
            hold!(
                !has_begun || page.reports.iter().any(|report| report.uri == uri),
                "App. B.1: no report of {uri} at {end} µs"
            );
        }
        Ok(())
    }

    /// A track's samples before `cursor` are listed now.
    pub(crate) fn listed(&mut self, track: usize, cursor: usize, far: &[Option<u64>]) {
        let new = |change: &&mut Change| change.track == track && change.index < cursor;
        for change in self.changes.iter_mut().filter(new) {
            change.listed.get_or_insert_with(|| far.to_vec());
        }
    }

    /// When all is over: no report named a part that ends behind the playlist that named it, nor one that never came.
    pub(crate) fn reports(&self, plot: &Plot, series: &[&Series]) -> Check {
        for told in &self.told {
            let other = series[told.of];
            let Some(known) = other.get(told.msn) else { continue };
            let at = || {
                let (by, of) = (&plot.tracks[told.by].name, &plot.tracks[told.of].name);
                let parts: Vec<i64> = known.parts.iter().map(|part| part.start + part.length).collect();
                format!(
                    "{by} at {} µs of {of}, whose {} begins at {} and has {parts:?}",
                    told.end, known.msn, known.start
                )
            };
            // The last segment is as long as it happens to be.
            if !known.is_whole || other.known.last().is_some_and(|last| last.msn == told.msn) {
                continue;
            }
            let slack = slack(plot, told.of) + slack(plot, told.by) + 2;
            // Around a hole parts are others than the cadence has.
            let is_near = |msn: u64| {
                let near = msn.saturating_sub(1)..=msn + 1;
                near.filter_map(|msn| other.get(msn)).any(|known| {
                    known.is_gap || known.parts.iter().any(|p| p.is_gap) || known.is_discontinuous
                })
            };
            if is_near(told.msn) {
                continue;
            }
            let Some(part) = known.parts.get(told.part as usize) else {
                return Err(format!(
                    "§4.4.5.4: {}: part {}.{} never comes, there are {}",
                    at(),
                    told.msn,
                    told.part,
                    known.parts.len()
                ));
            };
            hold!(
                part.start + part.length <= told.end + slack,
                "§4.4.5.4: {}: part {}.{} ends at {} µs only",
                at(),
                told.msn,
                told.part,
                part.start + part.length
            );
            // Where the first segment begins off the grid, nobody knows where it will end.
            let first = other.known.first().map_or(0, |first| first.start);
            let is_odd = told.msn == other.base
                && micros(plot.segment()) * told.msn as i64 + self::slack(plot, told.of) - 2 < first;
            let next =
                known.parts.get(told.part as usize + 1).or_else(|| other.get(told.msn + 1)?.parts.first());
            // A keyframe may be a frame off where it is expected, and the last part of a segment a frame more or less; the
            // last segment may be cut short.
            let frame = 2 * self::slack(plot, told.of) + 1000;
            let is_cut = |next: &KnownPart| {
                let is_last = other.known.last().is_some_and(|last| next.start >= last.start);
                is_last || next.length <= 2 * frame
            };
            hold!(
                is_odd
                    || next.is_none_or(
                        |next| next.start + next.length >= told.end - slack - frame || is_cut(next)
                    ),
                "§4.4.5.4: {}: {}.{} is told, the part behind it was over too: {next:?}",
                at(),
                told.msn,
                told.part
            );
        }
        Ok(())
    }

    /// When all is over: the discontinuity sequence number of a segment is how many segments up to it are decoded otherwise
    /// than the one before them in any track, and so the same in all (§6.2.4); but where a track was too far to show
    /// another's discontinuity at once, it has it at the next segment that can.
    pub(crate) fn discontinuities(&self, plot: &Plot, series: &[&Series]) -> Check {
        for (track, series) in series.iter().enumerate() {
            let mut least = None;
            let mut most = None;
            for known in series.known.iter().filter(|known| !known.is_unseen) {
                let is_late = |far: &[Option<u64>]| far[track].is_some_and(|until| known.msn <= until);
                let own_or = |change: &Change, is_known: bool| change.track == track || is_known;
                let surely = |change: &&Change| {
                    own_or(change, change.listed.as_ref().is_some_and(|far| !is_late(far)))
                };
                let maybe = |change: &&Change| own_or(change, !is_late(&change.known));
                let least = step(&mut least, known.msn, self.count(known.msn, surely));
                let most = step(&mut most, known.msn, self.count(known.msn, maybe));
                hold!(
                    (least..=most).contains(&known.number),
                    "§6.2.4: segment {} of {} has discontinuity sequence number {}, wanted {least} to {most}: {:?}",
                    known.msn,
                    plot.tracks[track].name,
                    known.number,
                    self.changes
                );
            }
        }
        Ok(())
    }

    /// At how many segments up to one there are changes, as far as they are known.
    fn count(&self, msn: u64, is_known: impl Fn(&&Change) -> bool) -> u64 {
        let due = self.changes.iter().filter(|change| change.msn <= msn).filter(is_known);
        let mut changes: Vec<u64> = due.map(|change| change.msn).collect();
        changes.sort_unstable();
        changes.dedup();
        changes.len() as u64
    }
}

/// The number of a segment, where so many are due and each segment shows one of them.
fn step(former: &mut Option<(u64, u64)>, msn: u64, due: u64) -> u64 {
    let number = former.map_or(due, |(before, number)| due.min(number + msn - before).max(number));
    *former = Some((msn, number));
    number
}

/// Half a frame of a track, in microseconds, rounded up.
pub(crate) fn slack(plot: &Plot, track: usize) -> i64 {
    let most = plot.tracks[track].encodes.iter().map(|encode| encode.slack()).max().unwrap_or(0);
    micros(most) + 1
}
