//! The ways in which a show can be watched: playlists over the same segments.
//!
//! ```text
//! show     first ─────────────────────────────────────────── newest │ part part
//! Window                             listed for `live.window` ──────────────────▶   index.m3u8
//! Start    all that is known ───────────────────────────────────────────────────▶   start.m3u8
//! Whole    all, once the show has ended ────────────────────────────┤               vod.m3u8
//! ```

use super::daterange::Span;
use super::playlist::{Listing, Playlist};
use crate::playlist::attributes::{Attributes, push_number, push_seconds};
use crate::playlist::multivariant::Files;
use crate::playlist::{MEDIA, MULTIVARIANT, SEGMENT_SUFFIX, START, WHOLE};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// The newest segments.
    Window,
    /// From the first segment on.
    Start,
    /// All of a show that has ended, as video on demand.
    Whole,
}

impl View {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Window, Self::Start, Self::Whole];

    /// The file name of its media playlists.
    pub fn media(self) -> &'static str {
        match self {
            Self::Window => MEDIA,
            Self::Start => START,
            Self::Whole => WHOLE,
        }
    }

    /// The file name of its multivariant playlist.
    pub fn multivariant(self) -> &'static str {
        match self {
            Self::Window => MULTIVARIANT,
            Self::Start => START,
            Self::Whole => WHOLE,
        }
    }

    pub(super) fn files(self, folder: &str) -> Files<'_> {
        Files { folder, media: self.media() }
    }
}

impl Playlist {
    /// The same show from the first segment on that is known: what a player shows that begins at the beginning.
    pub fn from_start(&self) -> Self {
        let slid_out = self.closed.iter().take(self.first);
        let discontinuities = slid_out.filter(|segment| segment.discontinuity).count() as u64;
        let mut whole = Self {
            first: 0,
            discontinuities: self.discontinuities.saturating_sub(discontinuities),
            listing: Listing::Start,
            ..self.clone()
        };
        whole.former_first_ms = whole.horizon();
        whole
    }

    /// The whole show as video on demand (RFC 8216bis §4.4.3.5): no tag of Low-Latency HLS, a date where the timeline does
    /// not just go on.
    pub fn on_demand(&self) -> String {
        let mut out = String::with_capacity(512 + self.closed.len() * 40);
        out.push_str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:");
        push_number(&mut out, u64::from(self.target_duration()));
        out.push_str("\n#EXT-X-MEDIA-SEQUENCE:");
        push_number(&mut out, self.closed.front().map_or(0, |segment| segment.msn.0));
        out.push_str("\n#EXT-X-PLAYLIST-TYPE:VOD\n");
        let (first_ms, end_ms) = (self.horizon(), self.date(self.end()));
        let span =
            Span { track: &self.track, first_ms, former_first_ms: first_ms, end_ms, former_end_ms: end_ms };
        self.ranges.write(&mut out, span, None);
        let mut former = None;
        for segment in self.closed.iter() {
            let is_first = former.is_none();
            if segment.discontinuity && !is_first {
                out.push_str("#EXT-X-DISCONTINUITY\n");
            }
            if former.replace(segment.init) != Some(segment.init) {
                Attributes::of(&mut out, "EXT-X-MAP")
                    .quoted("URI", &super::playlist::init_name(segment.init))
                    .end();
            }
            if is_first || segment.discontinuity {
                self.push_date(&mut out, segment.start);
            }
            if segment.is_missing() {
                out.push_str("#EXT-X-GAP\n");
            }
            out.push_str("#EXTINF:");
            push_seconds(&mut out, super::playlist::micros_between(segment.start, segment.end));
            out.push_str(",\n");
            push_number(&mut out, segment.msn.0);
            out.push_str(SEGMENT_SUFFIX);
            out.push('\n');
        }
        out.push_str("#EXT-X-ENDLIST\n");
        out
    }
}
