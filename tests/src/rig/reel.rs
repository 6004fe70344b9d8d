//! A fragmented CMAF track (ISO/IEC 23000-19 §7.3) that goes round and round: what a sender of a live show plays.
//!
//! A reel is a short file, cut into its header and its chunks. Played again and again it is one endless timeline: round
//! after round the chunks get later decode times, and nothing else in them changes. Two senders that play the same reel on
//! the same timeline send the same bytes for the same time, whenever either of them began.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use super::boxes::{self, Place, boxed, u32_at, u64_at};

/// The reel of one track.
#[derive(Debug, Clone)]
pub struct Reel {
    header: Vec<u8>,
    timescale: u32,
    length: u64,
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone)]
struct Chunk {
    bytes: Vec<u8>,
    time: u64,
    sync: bool,
    /// Where the decode time (8 bytes) and the sequence number stand.
    time_at: usize,
    sequence_at: usize,
}

/// One chunk of the endless timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// `moof` and `mdat`.
    pub bytes: Vec<u8>,
    /// Its decode times in ticks.
    pub ticks: Range<u64>,
    /// The same as time since the timeline's zero.
    pub times: Range<Duration>,
    /// Whether its first sample is a sync sample.
    pub sync: bool,
}

impl Reel {
    /// Reads a fragmented file of one track whose decode times begin at zero and have no hole.
    ///
    /// # Panics
    /// When it is anything else, or its durations are not given per fragment.
    #[must_use]
    pub fn read(file: &Path) -> Self {
        let bytes = fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let places = boxes::walk(&bytes, 0, bytes.len());
        let first = places.iter().position(|place| place.kind == *b"moof").expect("a moof");
        let header = bytes[..places[first].start].to_vec();
        let mdhd = boxes::find(&header, &[b"moov", b"trak", b"mdia", b"mdhd"]).expect("an mdhd");
        // §8.4.2: version 1 has times of eight bytes.
        let timescale = u32_at(&header, mdhd.body + if header[mdhd.body] == 1 { 20 } else { 12 });
        let mut chunks = Vec::new();
        let mut end = 0;
        for pair in places[first..].windows(2).filter(|pair| pair[0].kind == *b"moof") {
            assert_eq!(pair[1].kind, *b"mdat", "an mdat behind each moof in {}", file.display());
            let chunk = Chunk::of(&bytes[pair[0].start..pair[1].end]);
            assert_eq!(chunk.0.time, end, "a hole in the times of {}", file.display());
            end += chunk.1;
            chunks.push(chunk.0);
        }
        Self { header, timescale, length: end, chunks }
    }

    /// `ftyp` and `moov`.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Ticks in a second.
    #[must_use]
    pub fn timescale(&self) -> u32 {
        self.timescale
    }

    /// How long one round lasts.
    #[must_use]
    pub fn round(&self) -> Duration {
        self.time(self.length)
    }

    /// Chunk `number`, counted from the second `start` of the timeline, where the first round begins.
    ///
    /// # Panics
    /// When the times need more than 64 bits.
    #[must_use]
    pub fn piece(&self, start: u64, number: u64) -> Piece {
        let count = self.chunks.len() as u64;
        let index = usize::try_from(number % count).unwrap();
        let round = start * u64::from(self.timescale) + number / count * self.length;
        let chunk = &self.chunks[index];
        let next = self.chunks.get(index + 1).map_or(self.length, |next| next.time);
        let ticks = round + chunk.time..round + next;
        let mut bytes = chunk.bytes.clone();
        let sequence = u32::try_from(number % u64::from(u32::MAX)).unwrap() + 1;
        bytes[chunk.sequence_at..chunk.sequence_at + 4].copy_from_slice(&sequence.to_be_bytes());
        bytes[chunk.time_at..chunk.time_at + 8].copy_from_slice(&ticks.start.to_be_bytes());
        let times = self.time(ticks.start)..self.time(ticks.end);
        Piece { bytes, ticks, times, sync: chunk.sync }
    }

    /// The number of the first chunk that starts at or after `offset`, counted from where the first round begins.
    ///
    /// # Panics
    /// Never for any time of this era.
    #[must_use]
    pub fn number_at(&self, offset: Duration) -> u64 {
        // Rounded up: what [`Reel::time`] rounded down is found again.
        let ticks = (offset.as_nanos() * u128::from(self.timescale)).div_ceil(NANOS);
        let ticks = u64::try_from(ticks).unwrap();
        let within = self.chunks.partition_point(|chunk| chunk.time < ticks % self.length);
        ticks / self.length * self.chunks.len() as u64 + within as u64
    }

    fn time(&self, ticks: u64) -> Duration {
        let nanos = u128::from(ticks) * NANOS / u128::from(self.timescale);
        Duration::from_nanos(u64::try_from(nanos).unwrap())
    }
}

impl Chunk {
    /// The chunk and its duration in ticks.
    fn of(bytes: &[u8]) -> (Self, u64) {
        let find = |path: &[&[u8; 4]]| {
            boxes::find(bytes, path).unwrap_or_else(|| panic!("no {:?} in a fragment", path.last()))
        };
        let (mfhd, tfhd) = (find(&[b"moof", b"mfhd"]), find(&[b"moof", b"traf", b"tfhd"]));
        let (tfdt, trun) = (find(&[b"moof", b"traf", b"tfdt"]), find(&[b"moof", b"traf", b"trun"]));
        assert_eq!(bytes[tfdt.body], 1, "a tfdt of 64 bits");
        let (flags, samples) = (full_flags(bytes, &trun), u64::from(u32_at(bytes, trun.body + 4)));
        assert_eq!(flags & 0x100, 0, "a trun without durations of its own");
        let [duration, sample_flags] = defaults(bytes, &tfhd);
        // §8.8.8: the data offset, where there is one, stands before the first sample's flags.
        let first = 8 + if flags & 1 == 0 { 0 } else { 4 };
        let first_flags = if flags & 4 == 0 { sample_flags } else { u32_at(bytes, trun.body + first) };
        let chunk = Self {
            bytes: bytes.to_vec(),
            time: u64_at(bytes, tfdt.body + 4),
            sync: first_flags & 0x1_0000 == 0,
            time_at: tfdt.body + 4,
            sequence_at: mfhd.body + 4,
        };
        (chunk, u64::from(duration) * samples)
    }
}

/// Version and flags of a full box, without the version.
fn full_flags(bytes: &[u8], place: &Place) -> u32 {
    u32_at(bytes, place.body) & 0x00ff_ffff
}

/// Duration and flags that a `tfhd` gives to its samples (§8.8.7).
fn defaults(bytes: &[u8], tfhd: &Place) -> [u32; 2] {
    let flags = full_flags(bytes, tfhd);
    let mut at = tfhd.body + 8;
    let mut field = |flag: u32, width: usize| {
        let value = (flags & flag != 0).then(|| u32_at(bytes, at));
        at += if value.is_some() { width } else { 0 };
        value
    };
    let (_base, _description) = (field(1, 8), field(2, 4));
    let (duration, _size, sample) = (field(8, 4), field(0x10, 4), field(0x20, 4));
    [duration, sample].map(|value| value.expect("a tfhd that gives duration and flags"))
}

/// A `styp` with this major brand (ISO/IEC 23000-19 §7.3.3.1): `cmfs` starts a segment, `cmfl` a chunk, `slat` marks
/// filler, `lmsg` the last chunk of all.
#[must_use]
pub fn styp(brand: &[u8; 4]) -> Vec<u8> {
    boxed(b"styp", &[&brand[..], &[0; 4], brand, b"iso6", b"cmfc"].concat())
}

/// A `prft` of version 1 (ISO/IEC 14496-12 §8.16.5): media time `ticks` was captured `micros` microseconds after 1970.
///
/// # Panics
/// Never before the year 2106.
#[must_use]
pub fn prft(ticks: u64, micros: u64) -> Vec<u8> {
    let seconds = u32::try_from((micros / 1_000_000 + SECONDS_FROM_1900) & 0xffff_ffff).unwrap();
    let fraction = u32::try_from(((micros % 1_000_000) << 32) / 1_000_000).unwrap();
    let (flags, track) = ([1, 0, 0, 24], 1_u32.to_be_bytes());
    let ntp = [seconds.to_be_bytes(), fraction.to_be_bytes()].concat();
    boxed(b"prft", &[&flags[..], &track, &ntp, &ticks.to_be_bytes()].concat())
}

const NANOS: u128 = 1_000_000_000;

/// NTP counts from 1900 (RFC 5905 §6).
const SECONDS_FROM_1900: u64 = 2_208_988_800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inputs::live;

    #[test]
    fn rounds_follow_each_other_without_a_hole() {
        for (name, reel) in live::ladder() {
            assert_eq!(reel.round(), Duration::from_secs(8), "{name}");
            let mut end = Duration::from_secs(1_800_000_000);
            for number in 0..100 {
                let piece = reel.piece(1_800_000_000, number);
                assert_eq!(piece.times.start, end, "{name}: chunk {number}");
                end = piece.times.end;
                let tfdt = boxes::find(&piece.bytes, &[b"moof", b"traf", b"tfdt"]).unwrap();
                assert_eq!(u64_at(&piece.bytes, tfdt.body + 4), piece.ticks.start);
            }
        }
    }

    #[test]
    fn a_chunk_is_found_by_its_time() {
        for (name, reel) in live::ladder() {
            for number in [0, 1, 36, 37, 38, 39, 40, 41, 200, 1_000_000] {
                let start = reel.piece(0, number).times.start;
                assert_eq!(reel.number_at(start), number, "{name}");
                assert_eq!(reel.number_at(start + Duration::from_nanos(1)), number + 1, "{name}");
            }
        }
        let (_, video) = &live::ladder()[0];
        // Two seconds are a group of ten chunks.
        let sync: Vec<u64> = (0..50).filter(|number| video.piece(0, *number).sync).collect();
        assert_eq!(sync, [0, 10, 20, 30, 40]);
    }

    #[test]
    fn ffmpeg_plays_two_rounds_as_one() {
        use crate::oracle::media;
        for (name, reel) in live::ladder() {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("rounds.mp4");
            let mut bytes = reel.header().to_vec();
            let chunks = reel.number_at(Duration::from_secs(16));
            for number in 0..chunks {
                bytes.extend([styp(b"cmfl"), prft(number, 1), reel.piece(0, number).bytes].concat());
            }
            fs::write(&file, bytes).unwrap();
            let stream = if name == "audio" { "a:0" } else { "v:0" };
            let frames = media::frames(&file, stream).len();
            assert_eq!(frames, if name == "audio" { 750 } else { 480 }, "{name}");
        }
    }
}
