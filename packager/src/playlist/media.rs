//! The media playlist of a finished rendition.

use super::attributes::{Attributes, push_number, push_seconds};
use super::{INIT, SEGMENT_SUFFIX};
use crate::presentation::{Presentation, Rendition};
use crate::time::Msn;

/// The VOD media playlist of `rendition` (RFC 8216bis §4.4.3, §4.4.4).
///
/// `EXTINF` is the difference of two positions that were each rounded to a microsecond, so that the sum over any
/// run of segments is exact to a microsecond.
pub fn media_playlist(presentation: &Presentation, rendition: &Rendition) -> String {
    let count = usize::try_from(rendition.segment_count()).unwrap_or(0);
    let mut out = String::with_capacity(256 + count * 32);
    // EXT-X-MAP outside of an I-frame playlist is of version 6 (§8).
    out.push_str("#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:");
    push_number(&mut out, u64::from(presentation.target_duration()));
    out.push_str("\n#EXT-X-MEDIA-SEQUENCE:0\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    Attributes::of(&mut out, "EXT-X-MAP").quoted("URI", INIT).end();
    let mut starts = rendition.starts().iter().map(|t| t.as_micros());
    let mut start = starts.next().unwrap_or(0);
    for (number, end) in (0u64..).zip(starts) {
        if rendition.is_gap(Msn(number)) {
            out.push_str("#EXT-X-GAP\n");
        }
        out.push_str("#EXTINF:");
        push_seconds(&mut out, u64::try_from(end.saturating_sub(start)).unwrap_or(0));
        out.push_str(",\n");
        push_number(&mut out, number);
        out.push_str(SEGMENT_SUFFIX);
        out.push('\n');
        start = end;
    }
    out.push_str("#EXT-X-ENDLIST\n");
    out
}
