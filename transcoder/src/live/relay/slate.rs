//! What keeps a show going while its publisher is silent: the last keyframe again and again, and silent sound.
//!
//! Both are what the publisher itself would send, so that neither decoder nor muxer learns of anything. The positions go on
//! at the pace of the clock from where the publisher stopped.

use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};

use super::ring::Placed;
use super::timeline::{Role, Timeline};
use crate::ingest::flv::{Audio, Packet};
use crate::ingest::{Tag, TagKind};
use crate::process::Running;
use crate::{Cancel, Error, Tools};

/// A frame of silence in a publisher's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Silent {
    data: Bytes,
    /// Samples a second; a frame has 1,024.
    rate: u32,
}

/// What a publisher sends last.
#[derive(Debug, Clone, Default)]
pub(super) struct Slate {
    /// The last keyframe, with its composition time.
    pub(super) key: Option<(Tag, i64)>,
    pub(super) silent: Option<Silent>,
    /// The first position of silence, and how many frames of it there are.
    begun: Option<(i64, i64)>,
}

impl Slate {
    /// The publisher, or its sound, is back.
    pub(super) fn rest(&mut self) {
        self.begun = None;
    }

    /// What comes next up to the position `until_ms`, in the order of decoding. It is placed on the timeline.
    pub(super) fn up_to(&mut self, until_ms: i64, timeline: &mut Timeline) -> Vec<Placed> {
        let mut made = Vec::new();
        while let Some(placed) = self.picture(until_ms, timeline) {
            timeline.fill(Role::Key, placed.at_ms, placed.shown_ms.saturating_sub(placed.at_ms));
            made.push(placed);
        }
        made.extend(self.silence_up_to(until_ms, timeline));
        made.sort_by_key(|placed| placed.at_ms);
        made
    }

    /// The same without pictures, for a publisher that sends pictures only.
    pub(super) fn silence_up_to(&mut self, until_ms: i64, timeline: &mut Timeline) -> Vec<Placed> {
        let mut made = Vec::new();
        while let Some(placed) = self.sound(until_ms, timeline) {
            timeline.fill(Role::Sound, placed.at_ms, 0);
            made.push(placed);
        }
        made
    }

    /// Pictures are shown at whole tenths of a second of Unix time and exactly at boundaries.
    fn picture(&self, until_ms: i64, timeline: &Timeline) -> Option<Placed> {
        let (tag, offset_ms) = self.key.clone()?;
        // What was sent last is shown as long as its own frame, at least.
        let after = timeline.last_shown()?.saturating_add(LEAST_MS);
        let shown_ms = tenth_from(after).min(timeline.boundary_from(after));
        let at_ms = shown_ms.saturating_sub(offset_ms);
        let follows = timeline.last(Role::Key).is_none_or(|last| at_ms > last);
        // A picture that is reordered may have to wait for its turn.
        let at_ms = if follows { at_ms } else { timeline.last(Role::Key)?.saturating_add(1) };
        (shown_ms <= until_ms).then_some(Placed {
            tag,
            role: Role::Key,
            at_ms,
            shown_ms: at_ms.saturating_add(offset_ms),
        })
    }

    fn sound(&mut self, until_ms: i64, timeline: &Timeline) -> Option<Placed> {
        let silent = self.silent.as_ref()?;
        let (first, count) = match self.begun {
            Some(begun) => begun,
            None => (timeline.last(Role::Sound)?, 0),
        };
        let number = count.saturating_add(1);
        let placed = silent.frame(first, number);
        if placed.at_ms > until_ms {
            return None;
        }
        self.begun = Some((first, number));
        Some(placed)
    }
}

impl Silent {
    /// The frame of this number of those that begin at `first_ms`.
    pub(super) fn frame(&self, first_ms: i64, number: i64) -> Placed {
        // Each from the first, so that rounding does not add up.
        let after = number.saturating_mul(AAC_FRAME * 1_000) / i64::from(self.rate.max(1));
        let at_ms = first_ms.saturating_add(after);
        let tag = Tag { kind: TagKind::Audio, at_ms, data: self.data.clone() };
        Placed { tag, role: Role::Sound, at_ms, shown_ms: at_ms }
    }

    /// Makes a frame of silence for a publisher whose sequence header is `head`; `None` where that is no AAC-LC of a kind that
    /// can be made: then the sound pauses, and what is missing is filled when it goes on.
    ///
    /// # Errors
    /// [`Error::Tool`], [`Error::Cancelled`].
    pub(super) async fn make(
        head: &Tag,
        tools: &Tools,
        folder: &Path,
        cancel: &Cancel,
    ) -> Result<Option<Self>, Error> {
        let Some((rate, layout)) = configuration(head) else { return Ok(None) };
        let file = folder.join("silence.flv");
        let mut arguments: Vec<std::ffi::OsString> = format!(
            "-hide_banner -nostdin -y -loglevel level+error -f lavfi -i anullsrc=r={rate}:cl={layout} -t 0.5 \
             -c:a aac -profile:a aac_low -f flv"
        )
        .split(' ')
        .map(Into::into)
        .collect();
        arguments.push(crate::source::location(&file));
        let ended = Running::start(tools, &tools.ffmpeg, arguments, Box::new(|_| ()))?.end(cancel).await?;
        if !ended.success() {
            return Err(Error::tool(&tools.ffmpeg, format!("expected silence, found {}", ended.complaint())));
        }
        let bytes = tokio::fs::read(&file).await.map_err(|error| Error::scratch(folder, &error))?;
        Ok(frame(&bytes).map(|data| Self { data, rate }))
    }
}

/// The first whole tenth of a second that is not before a moment.
pub(super) fn tenth_from(at_ms: i64) -> i64 {
    at_ms.saturating_add(STEP_MS.saturating_sub(at_ms.rem_euclid(STEP_MS)) % STEP_MS)
}

/// Samples a second and channels, from an AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).
fn configuration(head: &Tag) -> Option<(u32, &'static str)> {
    let head = Audio::read(&head.data).ok().filter(|head| head.packet == Packet::SequenceHeader)?;
    let [first, second] = *head.body.first_chunk::<2>()?;
    if first >> 3 != AAC_LC {
        return None;
    }
    let rate = RATES.get(usize::from((first & 7) << 1 | second >> 7))?;
    let layout = match second >> 3 & 0x0f {
        1 => "mono",
        2 => "stereo",
        6 => "5.1",
        _ => return None,
    };
    Some((*rate, layout))
}

/// A frame of sound of an FLV file that ffmpeg made: not one of the first, which the encoder primes.
fn frame(file: &[u8]) -> Option<Bytes> {
    let mut rest = file.get(crate::ingest::flv::HEADER_LEN..)?;
    let mut frames = 0;
    loop {
        let [kind, a, b, c] = *rest.first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes([0, a, b, c])).ok()?;
        let body = rest.get(TAG_HEAD..TAG_HEAD + length)?;
        if kind == AUDIO && body.get(1) == Some(&1) {
            frames += 1;
        }
        if frames > PRIMED {
            let mut data = BytesMut::with_capacity(length);
            data.put_slice(body);
            return Some(data.freeze());
        }
        rest = rest.get(TAG_HEAD + length + 4..)?;
    }
}

/// Between two pictures, in milliseconds: what shows that it goes on, and is little work.
pub(super) const STEP_MS: i64 = 100;
/// How long the publisher's last picture is shown at least.
pub(super) const LEAST_MS: i64 = 10;
const AAC_FRAME: i64 = 1_024;
const AAC_LC: u8 = 2;
const PRIMED: u32 = 4;
const AUDIO: u8 = 8;
const TAG_HEAD: usize = 11;
/// ISO/IEC 14496-3 table 1.18.
const RATES: [u32; 13] =
    [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8_000, 7_350];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::relay::timeline::Stamp;

    const NOW: i64 = 1_800_000_000_000;

    fn tag(data: &[u8]) -> Tag {
        Tag { kind: TagKind::Audio, at_ms: 0, data: Bytes::copy_from_slice(data) }
    }

    #[test]
    fn pictures_are_at_tenths_and_boundaries_and_silence_has_the_pace_of_its_frames() {
        let mut timeline = Timeline::new(1_920);
        timeline.place(Stamp { role: Role::Key, at_ms: 0, offset_ms: 0 }, NOW + 5);
        let start = timeline.last(Role::Key).unwrap();
        timeline.place(Stamp { role: Role::Sound, at_ms: 7, offset_ms: 0 }, NOW + 5);
        let silent = Some(Silent { data: Bytes::from_static(b"s"), rate: 44_100 });
        let mut slate = Slate { key: Some((tag(b"k"), 0)), silent, begun: None };
        let mut made = slate.up_to(start + 700, &mut timeline);
        made.extend(slate.up_to(start + 2_100, &mut timeline));
        let pictures: Vec<i64> =
            made.iter().filter(|placed| placed.role == Role::Key).map(|placed| placed.shown_ms).collect();
        assert!(pictures.iter().all(|at| at % 100 == 0 || at % 1_920 == 0), "{pictures:?}");
        assert!(pictures.contains(&(start + 1_920)));
        assert!((21..=23).contains(&pictures.len()) && pictures.is_sorted_by(|a, b| a < b), "{pictures:?}");
        let sound: Vec<i64> = made
            .iter()
            .filter(|placed| placed.role == Role::Sound)
            .map(|placed| placed.at_ms - start - 7)
            .collect();
        assert_eq!(sound[..3], [23, 46, 69]);
        assert_eq!(sound.len(), 2_093 * 441 / 10_240);
    }

    #[tokio::test]
    async fn silence_is_made_for_what_a_publisher_says_its_sound_is() {
        let folder = tempfile::tempdir().unwrap();
        let make = async |head: &[u8]| {
            Silent::make(&tag(head), &Tools::default(), folder.path(), &Cancel::new()).await.unwrap()
        };
        let stereo = make(&[0xaf, 0, 0x12, 0x10]).await.unwrap();
        assert_eq!((stereo.rate, &stereo.data[..2]), (44_100, &[0xaf, 1][..]));
        let mono = make(&[0xaf, 0, 0x11, 0x88]).await.unwrap();
        assert_eq!(mono.rate, 48_000);
        assert_ne!(mono.data, stereo.data);
        for foreign in [&[0xaf_u8, 0, 0x2b, 0x92][..], &[0xaf, 1, 0x12, 0x10], &[0xaf, 0]] {
            assert_eq!(make(foreign).await, None);
        }
    }
}
