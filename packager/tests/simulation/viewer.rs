//! A viewer: follows a track as a client would, from when it joins.

use forebay_packager::live::{Directives, Form, Found, Playlist, Show};
use forebay_packager::time::Msn;

use super::answers::{self, Table, Verdict};
use super::delta;
use super::dice::Dice;
use super::media::{bytes, place};
use super::plot::Line;
use super::reader::{Check, Page, hold};

/// One of them. It keeps one playlist up to date, whole or by updates, and fetches the part that is hinted.
#[derive(Debug)]
pub(crate) struct Viewer {
    pub(crate) track: usize,
    dice: Dice,
    /// What it asked and is not answered yet.
    query: String,
    /// It has waited for an answer; since when it asks.
    waits: bool,
    since_ms: i64,
    has: Option<String>,
    /// The hinted part that it has asked for.
    wants: Option<(u64, u32)>,
    /// Parts that it has, in order.
    parts: Vec<(u64, u32)>,
}

impl Viewer {
    pub(crate) fn new(track: usize, dice: Dice) -> Self {
        let (query, parts) = (String::new(), Vec::new());
        Self { track, dice, query, waits: false, since_ms: i64::MAX, has: None, wants: None, parts }
    }

    /// The playlist has changed: it asks again, and if it is answered, for what comes next.
    pub(crate) fn look(
        &mut self,
        show: &Show,
        line: &Line,
        table: &Table<'_>,
        playlist: &Playlist,
        now_ms: i64,
    ) -> Check {
        let page = table.page;
        self.fetch(show, line, page)?;
        if now_ms.saturating_sub(self.since_ms) > 3000 * page.target {
            // Nobody is held so long (§6.2.5.2): it was told to come again, and what it has is too old to be updated.
            (self.query, self.waits) = (String::new(), false);
        }
        let found = Verdict::of(playlist.answer(Directives::parse(&self.query)));
        let wanted = answers::table(&self.query, table);
        hold!(found == wanted, "§6.2.5: {} is answered with {found:?}, not {wanted:?}", self.query);
        let form = match found {
            Verdict::Wait => {
                self.waits = true;
                return Ok(());
            }
            Verdict::Whole => Form::Full,
            Verdict::Update => Form::Delta,
            Verdict::UpdateRanges => Form::DeltaRanges,
            Verdict::Malformed | Verdict::TooFar => {
                hold!(!self.waits, "§6.2.5.2: {} was waited for, and then refused", self.query);
                (self.query, self.since_ms) = (String::new(), now_ms);
                return Ok(());
            }
        };
        self.waits = false;
        self.since_ms = now_ms;
        let text = playlist.render(form);
        let whole = playlist.render(Form::Full);
        let mine = match (&self.has, form) {
            (_, Form::Full) | (None, _) => Some(text),
            (Some(has), _) => delta::merge(has, &text)?,
        };
        // Who was away for long, or has nothing yet, asks for all.
        if let Some(mine) = &mine
            && (form == Form::Full || self.has.is_some())
        {
            hold!(
                delta::whole(mine) == delta::whole(&whole),
                "§6.3.7: a viewer has\n{mine}\ninstead of\n{whole}"
            );
        }
        self.has = Some(whole);
        self.wants = page.part_hint.and_then(place);
        self.query = self.next(page);
        Ok(())
    }

    /// What comes of the hinted part it asked for.
    fn fetch(&mut self, show: &Show, line: &Line, page: &Page<'_>) -> Check {
        let Some((msn, part)) = self.wants else { return Ok(()) };
        let listed = page.listed().find(|segment| segment.msn == msn);
        let listed = listed.and_then(|segment| segment.parts.get(part as usize));
        match show.part(&line.name, Msn(msn), part) {
            Found::Ready(media) => {
                hold!(!bytes(&media).is_empty(), "an empty part");
                hold!(self.parts.last().is_none_or(|last| *last < (msn, part)), "§3.2: parts out of order");
                self.parts.push((msn, part));
                self.wants = None;
            }
            Found::Stored(_) => hold!(false, "a part that is not here"),
            Found::Wait => hold!(
                listed.is_none() && page.part_hint.and_then(place).is_some_and(|hint| hint <= (msn, part)),
                "§6.2.6: {msn}.{part} is waited for, the hint is {:?}",
                page.part_hint
            ),
            // Withdrawn: the plan has changed.
            Found::Absent => {
                hold!(listed.is_none_or(|part| part.is_gap), "§6.2.1: {msn}.{part} is listed and absent");
                self.wants = None;
            }
        }
        Ok(())
    }

    /// What it asks next: what comes, with or without an update; a plain request; now and then something else.
    fn next(&mut self, page: &Page<'_>) -> String {
        let (msn, part) = page.part_hint.and_then(place).unwrap_or((page.next(), 0));
        let skip = self.dice.pick(&["", "", "&_HLS_skip=YES", "&_HLS_skip=v2"]);
        match self.dice.below(8) {
            0 => skip.trim_start_matches('&').to_owned(),
            1 => format!("_HLS_msn={msn}{skip}"),
            2 => answers::query(&mut self.dice, page),
            _ => format!("_HLS_msn={msn}&_HLS_part={part}{skip}"),
        }
    }
}
