//! The section `[live]`.

use super::read::Section;
use super::{ByteSize, Span};

/// `[live]`: how live streams are cut, how much of them is kept, and who may wait how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The length of a segment. What a sender's key frames cannot follow is cut where they are.
    pub segment: Span,
    /// How many parts a segment should have.
    pub parts: u64,
    /// How far back a playlist lists segments; at least six of them.
    pub window: Span,
    /// Whether a show is listed from its first segment on, whatever `window` says.
    pub event: bool,
    /// How far back a show that is recorded can be watched from its start on while it runs.
    pub dvr: Span,
    /// Bytes of media that are held, of all shows together.
    pub memory: ByteSize,
    /// How long a sender may say nothing within one request.
    pub silence: Span,
    /// How long a show waits for its sender to come back before it is ended.
    pub reconnect: Span,
    /// How long an ended show can still be watched.
    pub retain: Span,
    /// Requests of one stream that may be held at the same time.
    pub waiters: u64,
    /// Those of one token among them.
    pub waiters_per_grant: u64,
    /// Tracks of one show.
    pub tracks: u64,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            segment: Span::seconds(2),
            parts: 6,
            window: Span::seconds(60),
            event: false,
            dvr: LONGEST,
            memory: ByteSize::mib(1024),
            silence: Span::seconds(10),
            reconnect: Span::seconds(60),
            retain: Span::seconds(60),
            waiters: 20_000,
            waiters_per_grant: 16,
            tracks: 32,
        }
    }
}

impl Live {
    pub(super) fn read(section: &Section<'_, '_>) -> Self {
        let default = Self::default();
        let live = Self {
            segment: section
                .span("segment", Span::millis(500)..=Span::seconds(10))
                .unwrap_or(default.segment),
            parts: section.number("parts", 1..21).unwrap_or(default.parts),
            window: section.span("window", Span::seconds(3)..=LONGEST).unwrap_or(default.window),
            event: section.switch("event").unwrap_or(default.event),
            dvr: section.span("dvr", Span::seconds(60)..=Span::hours(48)).unwrap_or(default.dvr),
            memory: section
                .size("memory", ByteSize::mib(16)..=ByteSize::mib(1 << 20))
                .unwrap_or(default.memory),
            silence: section
                .span("silence", Span::seconds(1)..=Span::seconds(300))
                .unwrap_or(default.silence),
            reconnect: section.span("reconnect", Span::seconds(0)..=LONGEST).unwrap_or(default.reconnect),
            retain: section.span("retain", Span::seconds(0)..=Span::hours(24)).unwrap_or(default.retain),
            waiters: section.number("waiters", 1..1_000_001).unwrap_or(default.waiters),
            waiters_per_grant: section
                .number("waiters_per_grant", 1..1_000_001)
                .unwrap_or(default.waiters_per_grant),
            tracks: section.number("tracks", 1..129).unwrap_or(default.tracks),
        };
        let least = live.segment.as_millis().saturating_mul(LEAST_SEGMENTS);
        if live.window.as_millis() < least {
            section.fault(
                "window",
                format!(
                    "expected at least {LEAST_SEGMENTS} times live.segment = {}, found {}",
                    live.segment, live.window
                ),
            );
        }
        live
    }

    /// What works but is probably not meant.
    pub(super) fn warnings(&self, is_recorded: bool) -> Vec<String> {
        let mut warnings = Vec::new();
        let held = Span::seconds(self.memory.as_u64() / BUSY_BYTES_PER_SECOND);
        let wished = match self.event {
            true => ("event", LONGEST, "refused"),
            false => ("window", self.window, "not listed"),
        };
        // What is recorded does not stay in memory.
        if wished.1 > held && !is_recorded {
            warnings.push(format!(
                "live.{}: live.memory = {} holds {held} of one show at 10 Mbit/s, less than {}; what is not \
                 held is {}",
                wished.0, self.memory, wished.1, wished.2
            ));
        }
        if self.retain < self.window && !is_recorded {
            warnings.push(format!(
                "live.retain: whoever is further behind than {} cannot watch the end of a show; live.window is {}",
                self.retain, self.window
            ));
        }
        let part = Span::millis(self.segment.as_millis() / self.parts.max(1));
        if part < SHORT_PART {
            warnings.push(format!(
                "live.parts: parts of {part} cost more requests than they save time; use {SHORT_PART} or more"
            ));
        }
        warnings
    }
}

/// The fewest segments of a window: so far back a player may skip what it knows (RFC 8216bis §4.4.3.8, CAN-SKIP-UNTIL).
const LEAST_SEGMENTS: u64 = 6;
/// The longest window: half a day, the longest of shows.
const LONGEST: Span = Span::hours(12);
/// A ladder of 10 Mbit/s.
const BUSY_BYTES_PER_SECOND: u64 = 1_250_000;
/// At 30 pictures a second, three of them.
const SHORT_PART: Span = Span::millis(100);
