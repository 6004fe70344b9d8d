//! Parts: fragments of our own, made of samples (RFC 8216bis §3, partial segments of fMP4).

use bytes::Bytes;

use super::{Header, Sample};
use crate::fmp4::{Fields, Fragment};
use crate::index;

/// One part: the event boxes, a `moof` and an `mdat` with the samples, in decode order.
///
/// ```text
/// emsg…  moof  mdat head  |  sample  |  sample  |  …        one Bytes each; the samples' are not copied
/// ```
///
/// The parts of a segment, one after another, are the segment. Samples are presented exactly when they say. Each is
/// decoded when it says too, with two exceptions that `tfdt` and `trun` cannot express: before zero is at zero, and a
/// sample that is decoded before the one in front of it is decoded right after it. No sample, no fragment.
pub fn mux(header: &Header, sequence: u32, events: &[Bytes], samples: &[Sample]) -> Vec<Bytes> {
    let entries = entries(samples);
    let Some(first) = entries.first() else { return events.to_vec() };
    let video = header.kind().is_video();
    let fragment = Fragment {
        sequence,
        decode: first.decode,
        duration: first.duration,
        fields: Fields {
            durations: entries.iter().any(|e| e.duration != first.duration),
            flags: video && !entries.iter().all(|e| e.sync),
            offsets: entries.iter().any(|e| e.offset != 0),
        },
        count: u32::try_from(entries.len()).unwrap_or(u32::MAX),
        media: entries.iter().map(|e| u64::from(e.size)).sum(),
    };
    let before = events.iter().map(Bytes::len).sum::<usize>();
    let mut head = Vec::with_capacity(before + usize::try_from(fragment.data_offset()).unwrap_or(0));
    events.iter().for_each(|event| head.extend_from_slice(event));
    fragment.write(entries.iter().copied(), &mut head);
    let mut pieces = Vec::with_capacity(1 + samples.len());
    pieces.push(head.into());
    pieces.extend(samples.iter().filter(|s| !s.data.is_empty()).map(|s| s.data.clone()));
    pieces
}

/// What `trun` says of each sample. Durations are differences of decode times, so that a hole between two samples is
/// where it was.
fn entries(samples: &[Sample]) -> Vec<index::Sample> {
    let mut at = samples.first().map_or(0, |first| first.decode.max(0));
    let nexts = samples.iter().skip(1).map(|next| next.decode);
    let end = samples.last().map(Sample::decode_end);
    samples
        .iter()
        .zip(nexts.chain(end))
        .map(|(sample, next)| {
            let decode = at;
            let duration = u32::try_from(next.saturating_sub(decode).max(0)).unwrap_or(u32::MAX);
            at = decode.saturating_add(i64::from(duration));
            let offset = sample.presented().saturating_sub(decode);
            index::Sample {
                decode: decode.unsigned_abs(),
                duration,
                offset: i32::try_from(offset).unwrap_or(if offset < 0 { i32::MIN } else { i32::MAX }),
                // A sample comes out of an mdat of at most 32 MiB.
                size: u32::try_from(sample.data.len()).unwrap_or(u32::MAX),
                sync: sample.sync,
            }
        })
        .collect()
}
