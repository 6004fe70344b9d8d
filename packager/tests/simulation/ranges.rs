//! Date ranges: what must be listed as long as which segments are (RFC 8216bis §4.4.5.1, §6.2.1).

use std::collections::BTreeMap;

use forebay_packager::live::{DateRange, SpliceKind};

use super::plot::Plot;
use super::reader::{Check, Page, attributes, date, hold, seconds};
use super::series::Series;
use super::splice::Cue;

/// The date ranges of a show, and the playlists that have listed them.
#[derive(Debug, Default)]
pub(crate) struct Ranges {
    told: Vec<Told>,
    /// Of each track, the tags that its last playlist had.
    listed: BTreeMap<usize, Vec<String>>,
    /// Tags that a track's playlist no longer has.
    gone: BTreeMap<usize, Vec<String>>,
}

/// Something that was told of a date range.
#[derive(Debug, Clone)]
struct Told {
    /// Its tag has this in it, one of each.
    words: Vec<String>,
    start_ms: i64,
    /// When it is over, as far as this tag knows; `None` for a break that goes on.
    end_ms: Option<i64>,
    /// That is when it was over, not when it is planned to be.
    is_final: bool,
    /// The number of the event that begins or ends with it.
    event: Option<(u32, bool)>,
    id: Option<String>,
    /// Where the show's media ended when it was told, in microseconds: playlists that have come so far have it.
    since: i64,
}

impl Told {
    /// Whether both are told of one date range.
    fn is_same(&self, other: &Self) -> bool {
        match (self.event, &self.id) {
            (Some((event, _)), _) => {
                other.event.is_some_and(|(theirs, _)| theirs == event) && other.start_ms == self.start_ms
            }
            (None, id) => other.id == *id,
        }
    }
}

impl Ranges {
    /// An operator marks a date range, where the show's media has come to `since`.
    pub(crate) fn mark(&mut self, range: &DateRange, since: i64) {
        let length = range.duration_ms.or(range.planned_ms).unwrap_or(0) as i64;
        let mut words = vec![format!("ID=\"{}\"", range.id)];
        words.extend(range.attributes.iter().map(|(name, value)| format!("{name}=\"{value}\"")));
        words.extend(range.class.iter().map(|class| format!("CLASS=\"{class}\"")));
        let decimals = |ms: u64| format!("{}.{:03}000", ms / 1000, ms % 1000);
        words.extend(range.duration_ms.map(|ms| format!(",DURATION={}", decimals(ms))));
        words.extend(range.planned_ms.map(|ms| format!("PLANNED-DURATION={}", decimals(ms))));
        assert!(!matches!(range.splice, Some((SpliceKind::Out, _))), "cues are sent, not marked");
        let (start_ms, id) = (range.start_ms, Some(range.id.clone()));
        let (end_ms, is_final) = (Some(start_ms + length), range.duration_ms.is_some());
        self.tell(Told { words, start_ms, end_ms, is_final, event: None, id, since }, since);
    }

    /// A sender announces a break, or its end. What is over before the horizon of a playlist that has listed it must not come
    /// back; tracks without a playlist have none. The show's media has come to `furthest`.
    pub(crate) fn cue(
        &mut self,
        cue: &Cue,
        anchor_ms: i64,
        (since, furthest): (i64, i64),
        horizons: &[Option<i64>],
    ) {
        let kind = if cue.is_out { "SCTE35-OUT" } else { "SCTE35-IN" };
        let words = vec![format!("{kind}={}", cue.hex())];
        let at_ms = anchor_ms + cue.at_ms;
        let known =
            |told: &Told| told.words == words && (told.start_ms == at_ms || told.end_ms == Some(at_ms));
        if self.told.iter().any(known) {
            return;
        }
        let began =
            self.told.iter().filter(|told| told.event == Some((cue.event, true)) && told.start_ms <= at_ms);
        let began = began.map(|told| told.start_ms).max();
        let (start_ms, end_ms) = match (cue.is_out, began) {
            (true, _) => (at_ms, cue.planned_ms.map(|planned| at_ms + i64::from(planned))),
            (false, began) => (began.unwrap_or(at_ms), Some(at_ms)),
        };
        let event = Some((cue.event, cue.is_out));
        let has = |tags: &Vec<String>, told: &Told| tags.iter().any(|tag| is_of(told, tag));
        let is_over = |told: &Told| {
            let is_past = |horizon: i64| self.over(told).is_some_and(|over| over < horizon);
            let leaves = |(track, tags): (&usize, &Vec<String>)| {
                has(tags, told) && horizons[*track].is_some_and(is_past)
            };
            told.event.is_some_and(|(event, _)| event == cue.event)
                && told.start_ms == start_ms
                && (self.gone.values().any(|tags| has(tags, told)) || self.listed.iter().any(leaves))
        };
        if self.told.iter().any(is_over) {
            return;
        }
        let is_final = !cue.is_out;
        self.tell(Told { words, start_ms, end_ms, is_final, event, id: None, since }, furthest);
    }

    /// Judges the date ranges of a playlist.
    pub(crate) fn judge(&mut self, plot: &Plot, track: usize, page: &Page<'_>, series: &Series) -> Check {
        let end = series.end();
        let first_ms =
            plot.anchor_ms + series.get(page.sequence).map_or(0, |known| known.start.div_euclid(1000));
        for told in &self.told {
            let tag = page.ranges.iter().find(|tag| is_of(told, tag));
            let over = self.over(told);
            // Half a frame of grace for who is not as far as another.
            let must = told.since + 50_000 <= end && over.is_none_or(|over| over >= first_ms);
            hold!(
                !must || tag.is_some(),
                "§6.2.1: {told:?}, over at {over:?}, is not listed from {first_ms} on, to {end} µs: {:?}",
                page.ranges
            );
            if let Some(tag) = tag {
                says(told, tag)?;
            }
        }
        let tags: Vec<String> = page.ranges.iter().map(|tag| (*tag).to_owned()).collect();
        let gone = self.gone.entry(track).or_default();
        for tag in &tags {
            hold!(!gone.contains(tag), "§6.2.1: a date range comes back: {tag}");
        }
        let former = self.listed.insert(track, tags.clone()).unwrap_or_default();
        gone.extend(former.into_iter().filter(|tag| !tags.contains(tag)));
        Ok(())
    }

    /// What was over when it was told, so that no playlist listed it that had come so far, is new with what is told now.
    fn tell(&mut self, told: Told, furthest: i64) {
        let is_listed =
            |old: &Told| self.listed.values().chain(self.gone.values()).flatten().any(|tag| is_of(old, tag));
        let is_late = |old: &Told| old.is_same(&told) && old.since <= furthest && !is_listed(old);
        let late: Vec<bool> = self.told.iter().map(is_late).collect();
        for (old, _) in self.told.iter_mut().zip(late).filter(|(_, is_late)| *is_late) {
            old.since = old.since.max(told.since);
        }
        self.told.push(told);
    }

    /// When all that is known of a range is over.
    fn over(&self, told: &Told) -> Option<i64> {
        let all: Vec<&Told> = self.told.iter().filter(|other| told.is_same(other)).collect();
        // Whoever knows the end knows it for all.
        if let Some(back) = all.iter().find(|told| told.is_final) {
            return back.end_ms;
        }
        all.iter().map(|told| told.end_ms).collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// Playlists that begin with the same segment, and have all come so far as the last date range, list the same.
    pub(crate) fn agree(&self, pages: &[(usize, u64, i64)]) -> Check {
        let since = self.told.iter().map(|told| told.since).max().unwrap_or(i64::MIN);
        let mut caught_up = pages.iter().filter(|(_, _, end)| *end >= since + 50_000);
        while let Some((one, first, _)) = caught_up.next() {
            for (other, theirs, _) in caught_up.clone() {
                let (ours, tags) = (&self.listed[one], &self.listed[other]);
                hold!(first != theirs || ours == tags, "§6.2.4: date ranges differ: {ours:?} and {tags:?}");
            }
        }
        Ok(())
    }
}

/// What ended before this date is not listed by playlists that begin with a segment: as long before the segment's place on
/// the grid as a part may last.
pub(crate) fn horizon(plot: &Plot, first: u64) -> i64 {
    let part_micros = (plot.segment_ms * 1000 + plot.parts - 1) / plot.parts;
    plot.anchor_ms + first as i64 * plot.segment_ms - (part_micros * 11 + 9999) / 10_000
}

fn is_of(told: &Told, tag: &str) -> bool {
    told.words.iter().all(|word| tag.contains(word.as_str()))
        && tag.split_once("START-DATE=\"").is_some_and(|(_, rest)| date(&rest[..24]) == Ok(told.start_ms))
}

/// The tag has the length that was told.
fn says(told: &Told, tag: &str) -> Check {
    let mut length = None;
    attributes(tag.strip_prefix("#EXT-X-DATERANGE:").unwrap_or(tag), |name, value| {
        if name == "DURATION" {
            length = Some(seconds(value)? / 1000);
        }
        Ok(())
    })?;
    if let (Some((_, false)), Some(end)) = (told.event, told.end_ms) {
        let wanted = (end > told.start_ms).then_some(end - told.start_ms);
        hold!(length == wanted, "§4.4.5.1: {tag} lasts {wanted:?} ms");
    }
    Ok(())
}
