//! A fragment of the sender's: what its `moof` lists, and the media of its `mdat`.

use bytes::Bytes;

use super::header::Header;
use super::queue::Rope;
use super::{PATH, Sample};
use crate::Error;
use crate::mp4::{BoxView, Entry, TrackFragment, malformed};
use crate::range::ByteRange;

/// A `moof` whose `mdat` has not come yet.
#[derive(Debug)]
pub(super) struct Fragment {
    /// Where the `moof` starts in the stream.
    pub(super) at: u64,
    samples: Vec<Listed>,
}

/// A sample without its media, which lies at `media` in the stream.
#[derive(Debug)]
struct Listed {
    decode: i64,
    duration: u32,
    offset: i32,
    sync: bool,
    media: ByteRange,
}

impl Fragment {
    /// Reads a `moof` of the track that `header` is about.
    pub(super) fn read(moof: &BoxView<'_>, header: &Header) -> Result<Self, Error> {
        let mut samples = Vec::new();
        let mut data_end = moof.offset;
        for traf in moof.children("moof") {
            let traf = traf?;
            if &traf.kind != b"traf" {
                continue;
            }
            if let Some(senc) = traf.child("moof/traf", b"senc")? {
                return Err(senc.fault("expected samples in clear, found encrypted ones"));
            }
            let read =
                TrackFragment::read(&traf, moof.offset, data_end, std::slice::from_ref(&header.defaults))?;
            data_end = read.data_end;
            if read.track_id != header.track_id {
                let what = format!("expected track {}, found {}", header.track_id, read.track_id);
                return Err(traf.fault(&what));
            }
            list(&traf, &read, header, &mut samples)?;
        }
        Ok(Self { at: moof.offset, samples })
    }

    /// Checks that the media lies within the `mdat` whose body is at `body`, which has not come yet.
    pub(super) fn check(&self, body: ByteRange) -> Result<(), Error> {
        if let Some(outside) = self.samples.iter().find(|s| !s.media.is_empty() && !body.covers(s.media)) {
            let what = format!(
                "expected samples within the mdat at bytes {} to {}, found one at bytes {} to {}",
                body.start(),
                body.end(),
                outside.media.start(),
                outside.media.end()
            );
            return Err(malformed(&format!("{PATH}/moof"), self.at, &what));
        }
        // Samples that share bytes are copied apart where those came in pieces, so they must not claim more than came.
        let claimed: u64 = self.samples.iter().map(|s| s.media.len()).sum();
        match claimed <= body.len() {
            true => Ok(()),
            false => {
                let what = format!("expected samples of {} bytes in all, found {claimed}", body.len());
                Err(malformed(&format!("{PATH}/moof"), self.at, &what))
            }
        }
    }

    /// What is wrong where `found` comes instead of the media.
    pub(super) fn without_media(&self, found: &str) -> Error {
        malformed(&format!("{PATH}/moof"), self.at, &format!("expected an mdat box after it, found {found}"))
    }

    /// The samples with their media, of which `body` starts at `body_at` in the stream.
    pub(super) fn fill(self, body_at: u64, body: &Rope, header: &Header) -> Vec<Sample> {
        let media = |range: ByteRange| {
            let start = usize::try_from(range.start().saturating_sub(body_at)).unwrap_or(usize::MAX);
            match usize::try_from(range.len()) {
                Ok(len) if len > 0 => body.slice(start, len),
                _ => Bytes::new(),
            }
        };
        let with_media = |s: Listed| Sample {
            decode: s.decode,
            duration: s.duration,
            offset: s.offset,
            sync: s.sync,
            data: media(s.media),
        };
        let samples = self.samples.into_iter().map(with_media);
        match header.kind().is_video() {
            // What is presented before the start may be needed to decode what is presented after it.
            true => samples.collect(),
            false => samples.filter_map(after_the_start).collect(),
        }
    }
}

/// Adds the samples of one `traf`.
fn list(
    traf: &BoxView<'_>,
    read: &TrackFragment,
    header: &Header,
    samples: &mut Vec<Listed>,
) -> Result<(), Error> {
    let count: u64 = read.runs.iter().map(|run| run.count()).sum::<u64>() + samples.len() as u64;
    if count > MAX_SAMPLES {
        return Err(Error::TooLarge { path: "moof", limit: MAX_SAMPLES, unit: "samples", found: count });
    }
    let decode = read.decode.ok_or_else(|| traf.fault("expected a tfdt box, found none"))?;
    let far = || traf.fault("expected times of 63 bits, found later ones");
    let mut decode = place(decode, header)
        .ok_or_else(|| traf.fault(&format!("expected a decode time of 63 bits, found {decode}")))?;
    for run in &read.runs {
        let mut at = run.bytes.start();
        for Entry { duration, offset, size, sync } in run.entries() {
            // A frame of the sound that we serve needs no other; some senders leave its flags at what video has.
            let sync = sync || !header.kind().is_video();
            let offset = i32::try_from(offset.saturating_add(header.shift.offset)).map_err(|_| {
                traf.fault(&format!("expected a composition offset of 32 bits, found {offset}"))
            })?;
            let media = ByteRange::at(at, u64::from(size));
            samples.push(Listed { decode, duration, offset, sync, media });
            decode = decode.checked_add(i64::from(duration)).ok_or_else(far)?;
            at = media.end();
        }
    }
    Ok(())
}

/// A decode time of the sender's on our timeline. What an encoder primes a timeline from zero with starts before it;
/// ffmpeg writes such a time in two's complement, and only up to a few seconds before zero is it taken for one.
fn place(decode: u64, header: &Header) -> Option<i64> {
    let early = -BEFORE_ZERO * i64::from(header.timescale().ticks_per_second());
    let signed = decode.cast_signed();
    if signed < early { None } else { signed.checked_add(header.shift.decode) }
}

/// Sound that ends before the start of the presentation is left out; a frame across the start keeps what is left of
/// its duration.
fn after_the_start(mut sample: Sample) -> Option<Sample> {
    let before = sample.presented().saturating_neg().max(0);
    let left = i64::from(sample.duration).saturating_sub(before);
    if before == 0 {
        return Some(sample);
    }
    sample.duration = u32::try_from(left).ok().filter(|left| *left > 0)?;
    sample.decode = sample.decode.saturating_add(before);
    Some(sample)
}

/// The most samples in a chunk: over a minute of sound.
const MAX_SAMPLES: u64 = 4096;
/// How many seconds before zero a timeline may start.
const BEFORE_ZERO: i64 = 10;
