//! Ad markers: what a `splice_info_section` says of a break (SCTE 35 §9, §10).
//!
//! Only what a playlist needs is read: which event, whether a break begins or ends, and how long it is planned to be.
//! The section itself goes into the playlist as it came.

use super::EventMessage;
use super::daterange::{DateRange, SpliceKind};

/// A splice, as far as it is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Splice {
    event: u32,
    /// What begins and ends: the segmentation type of the beginning, or zero for a `splice_insert`.
    pair: u8,
    kind: SpliceKind,
    at_ms: i64,
    planned_ms: Option<u64>,
    section: Vec<u8>,
}

/// The scheme of event messages that carry a section as it is.
const SCHEME: &str = "urn:scte:scte35:2013:bin";

impl Splice {
    /// The splice that an event message carries; `None` for other events, for cancelled ones, and for those that cannot
    /// be read.
    pub(super) fn read(event: &EventMessage, anchor_ms: i64) -> Option<Self> {
        if event.scheme != SCHEME {
            return None;
        }
        let at_ms = anchor_ms.saturating_add(event.start.as_micros().div_euclid(1000));
        let (number, pair, kind, planned) = command(&event.payload)?;
        let told =
            event.duration.map(|length| length.as_micros() / 1000).and_then(|ms| u64::try_from(ms).ok());
        let planned_ms = planned.or(told.filter(|_| kind == SpliceKind::Out));
        Some(Self { event: number, pair, kind, at_ms, planned_ms, section: event.payload.to_vec() })
    }

    /// The date range that tells of it, given those that are known. The end of a break is a second tag of the range
    /// that began it (RFC 8216bis §4.4.5.1).
    pub(super) fn range<'a>(self, known: impl Iterator<Item = &'a DateRange>) -> DateRange {
        let family = format!("scte35-{}-{}-", self.event, self.pair);
        let is_open = |range: &&DateRange| range.id.starts_with(&family) && range.start_ms <= self.at_ms;
        let opened = match self.kind {
            SpliceKind::In => known.filter(is_open).map(|range| (range.start_ms, range.id.clone())).max(),
            SpliceKind::Out | SpliceKind::Command => None,
        };
        // An event's number may be used again, at another date.
        let (start_ms, id) = opened.unwrap_or_else(|| (self.at_ms, format!("{family}{}", self.at_ms)));
        let is_end = self.kind == SpliceKind::In && start_ms < self.at_ms;
        DateRange {
            id,
            class: None,
            start_ms,
            duration_ms: is_end.then(|| start_ms.abs_diff(self.at_ms)),
            planned_ms: self.planned_ms,
            splice: Some((self.kind, self.section)),
            attributes: Vec::new(),
        }
    }
}

/// Event, pair, kind and planned length of a section.
fn command(section: &[u8]) -> Option<(u32, u8, SpliceKind, Option<u64>)> {
    let mut bits = Bits { bytes: section, at: 0 };
    if bits.take(8)? != 0xFC {
        return None;
    }
    bits.skip(4 + 12 + 8)?;
    if bits.take(1)? == 1 {
        // Encrypted: what it says is not for us.
        return None;
    }
    bits.skip(6 + 33 + 8 + 12)?;
    let length = bits.take(12)?;
    let kind = bits.take(8)?;
    let begin = bits.at;
    match kind {
        5 => insert(&mut bits),
        6 => {
            time(&mut bits)?;
            // An old writer may leave the length open.
            if length != 0xFFF {
                bits.at = begin.checked_add(usize::try_from(length).ok()?.checked_mul(8)?)?;
            }
            segmentation(&mut bits)
        }
        _ => None,
    }
}

/// `splice_insert` (SCTE 35 §9.7.3).
fn insert(bits: &mut Bits<'_>) -> Option<(u32, u8, SpliceKind, Option<u64>)> {
    let event = u32::try_from(bits.take(32)?).ok()?;
    if bits.take(1)? == 1 {
        return None;
    }
    bits.skip(7)?;
    let is_out = bits.take(1)? == 1;
    let whole = bits.take(1)? == 1;
    let has_duration = bits.take(1)? == 1;
    let at_once = bits.take(1)? == 1;
    bits.skip(4)?;
    if whole && !at_once {
        time(bits)?;
    }
    if !whole {
        for _ in 0..bits.take(8)? {
            bits.skip(8)?;
            if !at_once {
                time(bits)?;
            }
        }
    }
    let planned = match has_duration {
        true => {
            bits.skip(7)?;
            Some(bits.take(33)? / 90)
        }
        false => None,
    };
    Some((event, 0, if is_out { SpliceKind::Out } else { SpliceKind::In }, planned))
}

/// The first `segmentation_descriptor` of a `time_signal` (SCTE 35 §10.3.3).
fn segmentation(bits: &mut Bits<'_>) -> Option<(u32, u8, SpliceKind, Option<u64>)> {
    let end = bits.at.checked_add(16)?.checked_add(usize::try_from(bits.take(16)?).ok()?.checked_mul(8)?)?;
    while bits.at < end {
        let tag = bits.take(8)?;
        let next =
            bits.at.checked_add(8)?.checked_add(usize::try_from(bits.take(8)?).ok()?.checked_mul(8)?)?;
        if tag == 2 && bits.take(32)? == u64::from(u32::from_be_bytes(*b"CUEI")) {
            return descriptor(bits);
        }
        bits.at = next;
    }
    None
}

fn descriptor(bits: &mut Bits<'_>) -> Option<(u32, u8, SpliceKind, Option<u64>)> {
    let event = u32::try_from(bits.take(32)?).ok()?;
    if bits.take(1)? == 1 {
        return None;
    }
    bits.skip(7)?;
    let whole = bits.take(1)? == 1;
    let has_duration = bits.take(1)? == 1;
    bits.skip(6)?;
    if !whole {
        let components = usize::try_from(bits.take(8)?).ok()?;
        bits.skip(components.checked_mul(48)?)?;
    }
    let planned = if has_duration { Some(bits.take(40)? / 90) } else { None };
    bits.skip(8)?;
    let name = usize::try_from(bits.take(8)?).ok()?;
    bits.skip(name.checked_mul(8)?)?;
    let segment = u8::try_from(bits.take(8)?).ok()?;
    // Breaks, advertisements and placement opportunities: the even number begins, the odd one ends (table 23).
    let is_break = matches!(segment, 0x22 | 0x23 | 0x30..=0x3F | 0x44..=0x47);
    let kind = match (is_break, segment % 2) {
        (false, _) => SpliceKind::Command,
        (true, 0) => SpliceKind::Out,
        (true, _) => SpliceKind::In,
    };
    let pair = if is_break { segment & !1 } else { segment };
    Some((event, pair, kind, planned))
}

/// `splice_time` (SCTE 35 §9.8.1).
fn time(bits: &mut Bits<'_>) -> Option<()> {
    let rest = if bits.take(1)? == 1 { 39 } else { 7 };
    bits.skip(rest)
}

/// Bits of a section, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// At most 64 of them.
    fn take(&mut self, count: usize) -> Option<u64> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len().saturating_mul(8))?;
        let mut value = 0;
        for at in self.at..end {
            let byte = self.bytes.get(at / 8)?;
            value = value << 1 | u64::from(byte >> (7 - at % 8) & 1);
        }
        self.at = end;
        Some(value)
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.at = self.at.checked_add(count).filter(|end| *end <= self.bytes.len().saturating_mul(8))?;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;
    use crate::time::MediaTime;

    fn event(payload: Vec<u8>, at_ms: i64) -> EventMessage {
        EventMessage {
            scheme: SCHEME.to_owned(),
            value: String::new(),
            id: 1,
            start: MediaTime::from_millis(at_ms),
            duration: None,
            payload: payload.into(),
            raw: Bytes::new(),
        }
    }

    /// A section with this command; its checksum is not looked at, as the transport has its own.
    fn section(kind: u8, command: &[u8], descriptors: &[u8]) -> Vec<u8> {
        let length = u16::try_from(command.len()).unwrap();
        let mut out = vec![0xFC, 0x30, 0x00, 0x00, 0, 0, 0, 0, 0, 0, 0];
        // Cue index, tier and command length.
        out[9] = 0xFF;
        out[10] = 0xFF;
        out.extend([0xF0 | (length >> 8) as u8, length as u8, kind]);
        out.splice(10..11, [0xFF]);
        out.extend(command);
        out.extend(u16::try_from(descriptors.len()).unwrap().to_be_bytes());
        out.extend(descriptors);
        out.extend([0; 4]);
        out
    }

    /// Event 77, of the network's feed or back to it, at once, thirty seconds.
    fn inserted(is_out: bool) -> Vec<u8> {
        let flags = if is_out { 0b1111_0000 } else { 0b0101_0000 };
        let mut command = vec![0, 0, 0, 77, 0x7F, flags];
        if is_out {
            command.extend([0xFE, 0x00, 0x29, 0x32, 0xE0]);
        }
        command.extend([0, 1, 0, 0]);
        section(5, &command, &[])
    }

    fn segmented(kind: u8) -> Vec<u8> {
        let descriptor = [2, 15, b'C', b'U', b'E', b'I', 0, 0, 0, 9, 0x7F, 0b1011_1111, 0, 0, kind, 1, 1];
        section(6, &[0xFE, 0, 0, 0, 0], &descriptor)
    }

    #[test]
    fn a_break_is_one_range_of_two_tags() {
        let out = Splice::read(&event(inserted(true), 1000), 500).unwrap().range([].iter());
        assert_eq!((out.id.as_str(), out.start_ms, out.planned_ms), ("scte35-77-0-1500", 1500, Some(30_000)));
        assert_eq!(out.splice.as_ref().unwrap().0, SpliceKind::Out);
        let back = Splice::read(&event(inserted(false), 29_000), 500).unwrap().range([out.clone()].iter());
        assert_eq!((back.id, back.start_ms, back.duration_ms), (out.id, 1500, Some(28_000)));
    }

    #[test]
    fn segmentation_tells_breaks_from_other_things() {
        for (kind, pair, wanted) in
            [(0x34, 0x34, SpliceKind::Out), (0x35, 0x34, SpliceKind::In), (0x10, 0x10, SpliceKind::Command)]
        {
            let splice = Splice::read(&event(segmented(kind), 0), 0).unwrap();
            assert_eq!((splice.event, splice.pair, splice.kind), (9, pair, wanted), "{kind:x}");
        }
    }

    #[test]
    fn what_ends_without_a_beginning_stands_alone() {
        let back = Splice::read(&event(inserted(false), 2000), 0).unwrap().range([].iter());
        assert_eq!((back.id.as_str(), back.duration_ms), ("scte35-77-0-2000", None));
    }

    #[test]
    fn other_schemes_and_cancelled_events_are_passed_over() {
        let other = EventMessage { scheme: "urn:other".to_owned(), ..event(inserted(true), 0) };
        assert_eq!(Splice::read(&other, 0), None);
        let mut cancelled = inserted(true);
        cancelled[18] |= 0x80;
        assert_eq!(Splice::read(&event(cancelled, 0), 0), None);
    }

    proptest! {
        #[test]
        fn no_section_is_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..80), cut in 0usize..40) {
            let _ = Splice::read(&event(bytes.clone(), 0), 0);
            let mut sound = segmented(0x34);
            sound.truncate(cut);
            sound.extend(bytes);
            let _ = Splice::read(&event(sound, 0), 0);
        }
    }
}
