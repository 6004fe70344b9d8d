//! The live media playlist: a value of one moment, and its text (RFC 8216bis §4.4, §6.2).
//!
//! ```text
//! header ─ date ranges ─ [SKIP] ─ whole segments (the newest with their parts) ─ parts of the open one ─ hint ─ reports
//! ```
//!
//! What is written depends on the track's own samples and the show's cadence, not on when anything arrived; so two
//! origins write the same bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::ask::{Answer, DirectiveFault, Directives, Edge, Form};
use super::cadence::{Beat, Cadence};
use super::daterange::{Ranges, Span};
use super::report::Report;
use super::segment::{Part, Segment};
use super::utc::{date, push_date};
use super::{InitId, View};
use crate::asset::RenditionName;
use crate::playlist::SEGMENT_SUFFIX;
use crate::playlist::attributes::{Attributes, push_number, push_seconds};
use crate::time::{MediaTime, Msn, Timescale};

/// How much of a show its playlists list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// The newest segments, as long as this together.
    Sliding(MediaTime),
    /// All from the first on (`EXT-X-PLAYLIST-TYPE:EVENT`).
    Event,
    /// All that is known, and players begin with the first of it (`EXT-X-START`).
    Start,
}

/// A media playlist at one moment.
#[derive(Debug, Clone)]
pub struct Playlist {
    pub(super) cadence: Cadence,
    pub(super) beat: Beat,
    pub(super) part_target: u64,
    pub(super) listing: Listing,
    pub(super) anchor_ms: i64,
    /// What is listed of `closed` begins here.
    pub(super) first: usize,
    pub(super) closed: Arc<VecDeque<Arc<Segment>>>,
    pub(super) discontinuities: u64,
    pub(super) open: OpenSegment,
    pub(super) ranges: Arc<Ranges>,
    pub(super) track: RenditionName,
    /// Since when a date range must be over to have left the oldest playlist that an update may be merged into.
    pub(super) former_first_ms: i64,
    pub(super) reports: Vec<Report>,
    pub(super) ended: bool,
}

/// The segment that is being made, as a playlist shows it.
#[derive(Debug, Clone)]
pub(super) struct OpenSegment {
    pub(super) msn: Msn,
    pub(super) start: MediaTime,
    pub(super) parts: Vec<Arc<Part>>,
    pub(super) discontinuity: bool,
    pub(super) init: InitId,
    /// What the next part is decoded with, where that is another header.
    pub(super) pending: Option<InitId>,
}

impl Playlist {
    /// The end of the playlist, for blocking requests.
    pub fn edge(&self) -> Edge {
        let former = self.closed.back().map_or(0, |segment| segment.parts.len());
        let small = |len: usize| u32::try_from(len).unwrap_or(u32::MAX);
        Edge {
            open: self.open.msn,
            parts: small(self.open.parts.len()),
            former_parts: small(former),
            usual_parts: self.cadence.segment().as_micros().unsigned_abs().div_ceil(self.part_target.max(1)),
            advance_limit: self.beat.advance_limit(),
            ended: self.ended,
        }
    }

    /// What to say to a request.
    pub fn answer(&self, asked: Result<Directives, DirectiveFault>) -> Answer {
        self.edge().answer(asked, self.skippable() > 0)
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.listed().next().is_none() && self.open.parts.is_empty()
    }

    /// The target duration, in seconds.
    pub fn target_duration(&self) -> u32 {
        self.cadence.target_duration()
    }

    /// What the newest segment is decoded with, and the first of those before it that are listed and are too.
    pub fn init_in_force(&self) -> Option<(Msn, InitId)> {
        let init = if self.open.parts.is_empty() { self.closed.back()?.init } else { self.open.init };
        let same = self.closed.iter().rev().take_while(|segment| segment.init == init);
        Some((same.last().map_or(self.open.msn, |segment| segment.msn), init))
    }

    /// When the listed media begins.
    pub fn start(&self) -> MediaTime {
        self.listed().next().map_or(self.open.start, |segment| segment.start)
    }

    /// When the listed media ends.
    pub fn end(&self) -> MediaTime {
        let segment = || self.closed.back().map_or(self.open.start, |segment| segment.end);
        self.open.parts.last().map_or_else(segment, |part| part.end)
    }

    /// Whether a segment is of no use to whoever watches live: its show is over, or it lies further behind the end than a
    /// player stays (`HOLD-BACK`, three target durations) that has fallen another one behind.
    pub fn is_behind(&self, msn: Msn) -> bool {
        let at = self.closed.partition_point(|segment| segment.msn < msn);
        let behind = i64::from(self.target_duration()).saturating_mul(4_000_000);
        let latest = self.end().as_micros().saturating_sub(behind);
        self.ended || self.closed.get(at).is_some_and(|segment| segment.end.as_micros() <= latest)
    }

    /// The segments that are listed, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.listed()
    }

    /// Media sequence number of the first segment.
    pub fn first(&self) -> Msn {
        self.listed().next().map_or(self.open.msn, |segment| segment.msn)
    }

    fn listed(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.closed.iter().skip(self.first)
    }

    /// How many segments a delta update leaves out: those that are further from the end of the last whole segment than
    /// the skip boundary (§6.2.5.1).
    fn skippable(&self) -> usize {
        let Some(last) = self.closed.back().filter(|_| !self.ended) else { return 0 };
        let boundary = last.end.as_micros().saturating_sub(self.skip_micros());
        let listed = self.closed.len().saturating_sub(self.first);
        // Ends ascend.
        let (mut low, mut high) = (0, listed);
        while low < high {
            let middle = usize::midpoint(low, high);
            let before = self.closed.get(self.first + middle).is_some_and(|s| s.end.as_micros() < boundary);
            if before { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn skip_micros(&self) -> i64 {
        i64::from(self.cadence.target_duration()) * 6 * 1_000_000
    }

    /// The text of the playlist in one of its forms.
    pub fn render(&self, form: Form) -> String {
        let skipped = if form == Form::Full { 0 } else { self.skippable() };
        let listed = self.closed.len().saturating_sub(self.first) - skipped;
        let mut out = String::with_capacity(1024 + listed * 110 + self.open.parts.len() * 64);
        self.header(&mut out, form, skipped);
        let parts_from =
            self.end().as_micros().saturating_sub(i64::from(self.cadence.target_duration()) * 3_000_000);
        let mut init =
            skipped.checked_sub(1).and_then(|last| self.closed.get(self.first + last)).map(|s| s.init);
        for segment in self.listed().skip(skipped) {
            self.opening(&mut out, segment.discontinuity, segment.start, segment.init, &mut init);
            if segment.end.as_micros() > parts_from {
                parts(&mut out, segment.msn, &segment.parts);
            }
            if segment.is_missing() {
                out.push_str("#EXT-X-GAP\n");
            }
            out.push_str("#EXTINF:");
            push_seconds(&mut out, micros_between(segment.start, segment.end));
            out.push_str(",\n");
            push_number(&mut out, segment.msn.0);
            out.push_str(SEGMENT_SUFFIX);
            out.push('\n');
        }
        if self.ended {
            out.push_str("#EXT-X-ENDLIST\n");
            return out;
        }
        if !self.open.parts.is_empty() {
            self.opening(&mut out, self.open.discontinuity, self.open.start, self.open.init, &mut init);
            parts(&mut out, self.open.msn, &self.open.parts);
        }
        let coming = self.open.pending.unwrap_or(self.open.init);
        if init.is_some_and(|in_force| in_force != coming) {
            Attributes::of(&mut out, "EXT-X-PRELOAD-HINT")
                .bare("TYPE", "MAP")
                .quoted("URI", &init_name(coming))
                .end();
        }
        let hint = part_name(self.open.msn, self.open.parts.len());
        Attributes::of(&mut out, "EXT-X-PRELOAD-HINT").bare("TYPE", "PART").quoted("URI", &hint).end();
        for report in &self.reports {
            Attributes::of(&mut out, "EXT-X-RENDITION-REPORT")
                .quoted("URI", &format!("../{}/{}", report.name, self.view().media()))
                .bare("LAST-MSN", report.msn)
                .bare("LAST-PART", report.part)
                .end();
        }
        out
    }

    fn header(&self, out: &mut String, form: Form, skipped: usize) {
        let target = u64::from(self.cadence.target_duration());
        out.push_str(match (form, skipped) {
            // SKIP is of version 9, and of 10 with date ranges (§8). Nothing else here asks for more than 6.
            (Form::Delta, 1..) => "#EXTM3U\n#EXT-X-VERSION:9\n",
            (Form::DeltaRanges, 1..) => "#EXTM3U\n#EXT-X-VERSION:10\n",
            _ => "#EXTM3U\n#EXT-X-VERSION:6\n",
        });
        out.push_str("#EXT-X-TARGETDURATION:");
        push_number(out, target);
        out.push_str("\n#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=");
        push_number(out, 6 * target);
        out.push_str(".0,CAN-SKIP-DATERANGES=YES,HOLD-BACK=");
        push_number(out, 3 * target);
        // The same in all playlists of the show (§6.2.4), so of the longest part that any of them may have.
        out.push_str(".0,PART-HOLD-BACK=");
        push_seconds(out, self.cadence.longest_part_millis() * 3000);
        out.push_str("\n#EXT-X-PART-INF:PART-TARGET=");
        push_seconds(out, self.part_target);
        out.push_str("\n#EXT-X-MEDIA-SEQUENCE:");
        push_number(out, self.first().0);
        // Always there, since a discontinuity may come (HLS authoring specification 8.17).
        out.push_str("\n#EXT-X-DISCONTINUITY-SEQUENCE:");
        push_number(out, self.discontinuities);
        out.push('\n');
        match self.listing {
            Listing::Sliding(_) => {}
            Listing::Event => out.push_str("#EXT-X-PLAYLIST-TYPE:EVENT\n"),
            // In the first segment, as 0 is; shaka-player takes 0 for no offset and begins at the edge.
            Listing::Start => out.push_str("#EXT-X-START:TIME-OFFSET=0.001\n"),
        }
        let (first_ms, end_ms) = (self.horizon(), self.date(self.end()));
        let (track, former_first_ms) = (&self.track, self.former_first_ms);
        let former_end_ms =
            end_ms.saturating_sub(i64::from(MERGED) * 1000 * i64::from(self.target_duration()));
        let span = Span { track, first_ms, former_first_ms, end_ms, former_end_ms };
        let skip_ms = self.skip_micros() / 1000;
        let ranges_skip = (form == Form::DeltaRanges && skipped > 0).then_some(skip_ms);
        self.ranges.write(out, span, ranges_skip);
        if skipped > 0 {
            let mut tag = Attributes::of(out, "EXT-X-SKIP").bare("SKIPPED-SEGMENTS", skipped);
            if form == Form::DeltaRanges {
                // Ids are text that a quoted string can hold, and tabs are between them.
                let ids = self.ranges.removed(span);
                tag = tag.bare("RECENTLY-REMOVED-DATERANGES", format_args!("\"{ids}\""));
            }
            tag.end();
        }
    }

    /// What stands before a segment's first part or its EXTINF.
    fn opening(
        &self,
        out: &mut String,
        discontinuity: bool,
        start: MediaTime,
        init: InitId,
        former: &mut Option<InitId>,
    ) {
        if discontinuity {
            out.push_str("#EXT-X-DISCONTINUITY\n");
        }
        if former.replace(init) != Some(init) {
            Attributes::of(out, "EXT-X-MAP").quoted("URI", &init_name(init)).end();
        }
        self.push_date(out, start);
    }

    /// `EXT-X-PROGRAM-DATE-TIME` of what begins then.
    pub(super) fn push_date(&self, out: &mut String, start: MediaTime) {
        out.push_str("#EXT-X-PROGRAM-DATE-TIME:");
        push_date(out, self.date(start));
        out.push('\n');
    }

    /// What a date range must not have ended before to be listed.
    pub(super) fn horizon(&self) -> i64 {
        horizon(self.cadence, self.anchor_ms, self.first())
    }

    /// Which way to watch the show it is.
    fn view(&self) -> View {
        if self.listing == Listing::Start { View::Start } else { View::Window }
    }

    /// The date of a media time, in milliseconds since 1970: the anchor and what has passed since.
    pub fn date(&self, time: MediaTime) -> i64 {
        date(self.anchor_ms, time)
    }
}

/// For so many target durations a playlist may be brought up to date: the skip boundary (§4.4.3.8), and the two segments
/// that may be shorter.
pub(super) const MERGED: u32 = 8;

/// What a date range must not have ended before to be listed with a segment: the same for all tracks, so it lies before any
/// frame that the segment may begin with.
pub(super) fn horizon(cadence: Cadence, anchor_ms: i64, first: Msn) -> i64 {
    let grid = cadence.start(first, Timescale::MILLIS).ticks();
    let early = i64::try_from(cadence.longest_part_millis()).unwrap_or(i64::MAX);
    anchor_ms.saturating_add(grid).saturating_sub(early)
}

fn parts(out: &mut String, msn: Msn, parts: &[Arc<Part>]) {
    for (index, part) in parts.iter().enumerate() {
        out.push_str("#EXT-X-PART:DURATION=");
        push_seconds(out, micros_between(part.start, part.end));
        if part.independent {
            out.push_str(",INDEPENDENT=YES");
        }
        if part.media.is_none() {
            out.push_str(",GAP=YES");
        }
        out.push_str(",URI=\"");
        out.push_str(&part_name(msn, index));
        out.push_str("\"\n");
    }
}

pub(super) fn micros_between(start: MediaTime, end: MediaTime) -> u64 {
    u64::try_from(end.as_micros().saturating_sub(start.as_micros())).unwrap_or(0)
}

/// File name of a part: `42.3.m4s`.
pub(super) fn part_name(msn: Msn, part: usize) -> String {
    let mut name = String::with_capacity(24);
    push_number(&mut name, msn.0);
    name.push('.');
    push_number(&mut name, part as u64);
    name.push_str(SEGMENT_SUFFIX);
    name
}

/// File name of an init segment: `init-0123abcd.mp4`. Another header has another name, so each may be kept for ever.
pub(super) fn init_name(id: InitId) -> String {
    format!("init-{id}.mp4")
}
