//! The argument vector that turns a publisher's stream into the tracks of a show, each into a pipe of its own.
//!
//! A pure function. The publisher's tags come as FLV or Matroska on the first descriptor behind the standard ones, with times
//! relative to a *base*; the tracks go to the descriptors behind it. What each part is for:
//!
//! * *The base* is Unix time at a multiple of 8008 s. That is a whole number of frames at 24000/1001, 30000/1001,
//!   60000/1001 and each whole rate, and of 1,024 samples at 48 kHz: frames and sound have one grid for ever, whichever
//!   base a run has. FLV's 32 bits of milliseconds would not hold Unix time; `-output_ts_offset` adds the base again, and
//!   `+frag_discont` lets `tfdt` be what comes out.
//! * `-copyts`: the times that we gave are kept. `-fpsprobesize 0`: nobody counts frames before the first is handed on.
//!   `-threads 1` before the input: the decoder gives a picture as soon as it has it. No `nobuffer`: it would throw the
//!   first GOP away.
//! * `fps`: a constant rate, its first frame exactly the one that is told: a run that goes on after another has it
//!   where that one ended, whatever came before it in the feed. What the publisher leaves out is the frame before it.
//! * `-force_key_frames` by frame number: keyframes at the first frame of each run, and at the first frame that is not more than half
//!   a frame before a whole multiple of the segment duration of Unix time, on every rung and in every run. `t` would
//!   count from the first frame of the run.
//! * `aresample` twice: the first makes 48 kHz, the second begins at `first_pts`, which it counts in samples of its
//!   *input*, fills holes and drops what is twice, so that each frame of AAC has 1,024 samples on the grid. The encoder
//!   puts one frame of priming before that.
//! * `-tune zerolatency`: no frame waits in the encoder for a later one.
//! * `-frag_duration`: half a frame less than a chunk, since the muxer ends a fragment at the first frame that reaches it.
//! * `+cmaf`, `delay_moov`, `skip_trailer`: a header, then chunks, nothing behind them. `prft` says when each was made.

use std::ffi::OsString;

use packager::time::Bitrate;

use crate::arguments::Arguments;
use crate::command::picture;
use crate::ladder::{FrameRate, Preset, Rung};
use crate::process::FIRST_FILE;
use crate::source::{Scan, VideoSource};

/// The descriptor that the feed comes from.
pub(super) const FEED: i32 = FIRST_FILE;
/// Samples of a frame of AAC, of which each chunk of sound has one: a track can end and go on at any of them.
pub(super) const AAC_FRAME: u64 = 1_024;
/// Samples of sound in a second.
pub(super) const SOUND_RATE: u64 = 48_000;
/// Milliseconds of which each base is a multiple.
pub(super) const BASE_MS: i64 = 8_008_000;

/// One run of the tool.
#[derive(Debug)]
pub(super) struct Encode<'a> {
    /// What the publisher sends.
    pub(super) source: &'a VideoSource,
    /// In which format it is fed, by ffmpeg's name.
    pub(super) format: &'static str,
    /// Frames a second of what is encoded; see [`suits`].
    pub(super) rate: FrameRate,
    /// The length of a segment in milliseconds.
    pub(super) segment_ms: u32,
    pub(super) preset: Preset,
    /// What the times of the feed count from, in milliseconds of Unix time: a multiple of [`BASE_MS`].
    pub(super) base_ms: i64,
    /// In the order of their descriptors.
    pub(super) pictures: Vec<Picture<'a>>,
    /// Behind the pictures.
    pub(super) sound: Option<Sound>,
}

/// A track of pictures.
#[derive(Debug, Clone)]
pub(super) enum Picture<'a> {
    /// The publisher's own, as they are.
    Passed,
    /// A rung.
    Encoded(&'a Rung, Frames),
}

/// Which frames a rung has, counted since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frames {
    /// The first.
    pub(super) first: u64,
    /// Keyframes beside the first and those of the grid: origins go on at them.
    pub(super) keys: Vec<u64>,
}

/// The track of sound.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sound {
    /// Where its first frame begins, in samples since 1970: a multiple of [`AAC_FRAME`].
    pub(super) first: u64,
    pub(super) rate: Bitrate,
}

/// Whether a base is a whole number of frames at this rate.
pub(super) fn suits(rate: FrameRate) -> bool {
    (BASE_S * u64::from(rate.num())).is_multiple_of(u64::from(rate.den()))
}

/// The base for a run whose feed begins at `first_ms`: early enough that nothing in it is near zero.
pub(super) fn base_before(first_ms: i64) -> i64 {
    let earliest = first_ms.saturating_sub(MARGIN_MS);
    earliest.saturating_sub(earliest.rem_euclid(BASE_MS))
}

/// How many frames a chunk has: as many as fit in a sixth of a second, so that parts of thirds of a second end with one.
pub(super) fn chunk_frames(rate: FrameRate) -> u64 {
    (u64::from(rate.num()) / (6 * u64::from(rate.den()))).max(1)
}

/// ffmpeg's arguments, without the program's name.
pub(super) fn encode(run: &Encode<'_>) -> Vec<OsString> {
    let mut arguments = Arguments::default();
    arguments
        .words("-hide_banner -nostdin -loglevel level+warning -nostats -progress pipe:1 -stats_period 1");
    arguments.words(&format!("-threads 1 -fpsprobesize 0 -f {} -copyts -i pipe:{FEED}", run.format));
    if let Some(graph) = run.graph() {
        arguments.word("-filter_complex").word(graph);
    }
    let mut file = FEED + 1;
    for (number, picture) in run.pictures.iter().enumerate() {
        match picture {
            // In a finer scale the milliseconds of FLV would look like frames of 33 ms, not 33 1/3.
            Picture::Passed => arguments.words("-map 0:v -c:v copy -video_track_timescale 1000"),
            Picture::Encoded(rung, frames) => arguments.rung(run, number, rung, frames),
        };
        arguments.chunks(run.base_ms, run.chunk_micros(), file);
        file += 1;
    }
    if let Some(sound) = run.sound {
        arguments.words(&format!("-map [a] -c:a aac -profile:a aac_low -b:a {}", sound.rate));
        arguments.chunks(run.base_ms, SOUND_CHUNK_MICROS, file);
    }
    arguments.0
}

impl Encode<'_> {
    /// Half a frame less than a chunk lasts.
    fn chunk_micros(&self) -> u64 {
        let halves = 2 * chunk_frames(self.rate) - 1;
        halves * 500_000 * u64::from(self.rate.den()) / u64::from(self.rate.num())
    }

    /// One decode, split over the rungs, and the sound; `None` where nothing is filtered.
    fn graph(&self) -> Option<String> {
        let encoded: Vec<(usize, &Rung, u64)> = self
            .pictures
            .iter()
            .enumerate()
            .filter_map(|(number, picture)| match picture {
                Picture::Passed => None,
                Picture::Encoded(rung, frames) => Some((number, *rung, frames.first)),
            })
            .collect();
        let mut chains = Vec::new();
        if !encoded.is_empty() {
            let woven = if self.source.scan == Scan::Interlaced { "bwdif=mode=send_frame," } else { "" };
            let outs: String = encoded.iter().map(|(number, ..)| format!("[s{number}]")).collect();
            chains.push(format!("[0:v]{woven}split={}{outs}", encoded.len()));
        }
        for (number, rung, first) in encoded {
            let first = self.rate.at(self.since_base(first)).as_micros();
            let (seconds, micros) = (first / 1_000_000, first % 1_000_000);
            let rate = self.rate;
            chains.push(format!(
                "[s{number}]fps=fps={rate}:start_time={seconds}.{micros:06}:round=near,{}[v{number}]",
                picture(rung, self.source)
            ));
        }
        if let Some(sound) = self.sound {
            // What the encoder primes itself with is the first frame.
            let first = sound.first.saturating_add(AAC_FRAME);
            let base = self.base_s().saturating_mul(SOUND_RATE);
            chains.push(format!(
                "[0:a]aresample={SOUND_RATE},aresample={SOUND_RATE}:async=1:first_pts={},\
                 aformat=channel_layouts=stereo[a]",
                first.saturating_sub(base)
            ));
        }
        (!chains.is_empty()).then(|| chains.join(";"))
    }

    fn base_s(&self) -> u64 {
        u64::try_from(self.base_ms / 1_000).unwrap_or(0)
    }

    /// A frame since 1970, counted from the base.
    fn since_base(&self, frame: u64) -> u64 {
        let base = self.base_s() * u64::from(self.rate.num()) / u64::from(self.rate.den());
        frame.saturating_sub(base)
    }

    /// Which frames of a rung that begins with frame `first` since 1970 are keyframes, as an expression of their number
    /// `n` in the run. Frame `f` is the first that is not more than half a frame before a boundary where a boundary lies
    /// in the last frame's time before `f` and a half, that is, where `(2 f + 1) / 2 rate` is less than a frame's
    /// time after one.
    fn keyframes(&self, frames: &Frames) -> String {
        let first = frames.first;
        let (num, den) = (u128::from(self.rate.num()), u128::from(self.rate.den()) * 1_000);
        let segment = 2 * num * u128::from(self.segment_ms);
        let frame = 2 * den;
        let phase = ((2 * u128::from(first) + 1) * den) % segment;
        let unit = gcd(gcd(segment, frame), phase);
        let (segment, frame, phase) = (segment / unit, frame / unit, phase / unit);
        let mut expression = format!("expr:not(n)+lt(mod({frame}*n+{phase},{segment}),{frame})");
        for key in frames.keys.iter().filter(|key| **key > first) {
            expression.push_str(&format!("+eq(n,{})", key - first));
        }
        expression
    }
}

impl Arguments {
    fn rung(&mut self, run: &Encode<'_>, number: usize, rung: &Rung, frames: &Frames) -> &mut Self {
        let rate = rung.max_rate;
        self.words(&format!("-map [v{number}] -fps_mode passthrough -c:v libx264 -preset {}", run.preset));
        self.words("-tune zerolatency -profile:v high");
        // Half a second of bits: what a keyframe may take at once.
        self.words(&format!("-b:v {rate} -maxrate {rate} -bufsize {}", Bitrate(rate.0 / 2)));
        // Two segments: none but the forced ones.
        let gop =
            2 * u64::from(run.segment_ms) * u64::from(run.rate.num()) / (1_000 * u64::from(run.rate.den()));
        self.words(&format!("-g {} -keyint_min 1 -sc_threshold 0 -flags +cgop -forced-idr 1", gop.max(2)));
        self.word("-force_key_frames").word(run.keyframes(frames));
        self.words(&format!("-video_track_timescale {}", run.rate.mp4_timescale()))
    }

    /// What all tracks have in common. Nothing of the publisher's metadata goes along: two runs give the same header.
    fn chunks(&mut self, base_ms: i64, chunk: u64, file: i32) {
        self.words("-map_metadata -1 -map_chapters -1 -write_tmcd 0 -movflags");
        self.word("+cmaf+delay_moov+frag_keyframe+skip_trailer+frag_discont");
        self.words(&format!("-frag_duration {chunk} -write_prft wallclock -flush_packets 1"));
        self.words(&format!("-output_ts_offset {} -f mp4 pipe:{file}", base_ms / 1_000));
    }
}

const fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

const BASE_S: u64 = 8_008;
/// A track's first time must not be near zero: the priming of AAC would be before it.
const MARGIN_MS: i64 = 60_000;
/// A frame of AAC lasts 21,333.
const SOUND_CHUNK_MICROS: u64 = 21_000;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::*;
    use crate::ladder::{Ladder, Settings};
    use crate::source::Source;
    use crate::source::tests::picture as source;

    const BASE: i64 = 224_775 * BASE_MS;

    fn run<'a>(source: &'a Source, ladder: &'a Ladder, rate: FrameRate, first: u64) -> Encode<'a> {
        Encode {
            source: &source.video,
            format: "flv",
            rate,
            segment_ms: 2_000,
            preset: Preset::Superfast,
            base_ms: BASE,
            pictures: ladder.rungs.iter().map(|rung| Picture::Encoded(rung, from(first))).collect(),
            sound: Some(Sound { first: BASE.unsigned_abs() * 48 + 200 * AAC_FRAME, rate: Bitrate(128_000) }),
        }
    }

    fn from(first: u64) -> Frames {
        Frames { first, keys: Vec::new() }
    }

    fn ladder(source: &Source) -> Ladder {
        let settings = Settings { max_height: 720, ..Settings::default() };
        let mut ladder = Ladder::fit(source, &settings).unwrap();
        ladder.rungs.truncate(3);
        ladder
    }

    /// Compares with the file, or writes it where `FOREBAY_BLESS` is set.
    fn golden(name: &str, run: &Encode<'_>) {
        let mut found = String::new();
        for argument in encode(run) {
            let argument = argument.to_str().unwrap();
            let is_option = argument.starts_with('-') && argument != "-1";
            found.push(if is_option { '\n' } else { ' ' });
            found.push_str(argument);
        }
        let found = found.trim_start().to_owned() + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens").join(name);
        if std::env::var_os("FOREBAY_BLESS").is_some() {
            std::fs::write(&file, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&file).unwrap();
        assert_eq!(found, expected, "{name} differs; FOREBAY_BLESS=1 writes it anew, to be read like code");
    }

    #[test]
    fn the_arguments_for_a_ladder() {
        let source = source(1280, 720);
        let ladder = ladder(&source);
        let rate = FrameRate::new(30, 1).unwrap();
        golden("relay-ladder.txt", &run(&source, &ladder, rate, BASE.unsigned_abs() / 1_000 * 30 + 150));
    }

    #[test]
    fn the_arguments_for_a_source_that_is_passed_through_beside_rungs_that_go_on_at_their_own_frames() {
        let source = source(1280, 720);
        let ladder = ladder(&source);
        let rate = FrameRate::new(30_000, 1_001).unwrap();
        let first = BASE.unsigned_abs() / 8_008_000 * 240_000;
        let mut run = run(&source, &ladder, rate, first);
        run.pictures = vec![
            Picture::Passed,
            Picture::Encoded(&ladder.rungs[1], from(first + 1_801)),
            Picture::Encoded(&ladder.rungs[2], from(first + 1_806)),
        ];
        golden("relay-passed.txt", &run);
    }

    #[test]
    fn the_arguments_for_a_silent_interlaced_source() {
        let mut source = source(640, 360);
        source.video.scan = Scan::Interlaced;
        let mut ladder = ladder(&source);
        ladder.rungs.truncate(1);
        let rate = FrameRate::new(25, 1).unwrap();
        let mut run = run(&source, &ladder, rate, BASE.unsigned_abs() / 1_000 * 25);
        run.sound = None;
        golden("relay-silent.txt", &run);
    }

    #[test]
    fn a_base_suits_all_rates_that_are_in_use() {
        for (num, den) in [(24_000, 1_001), (30_000, 1_001), (60_000, 1_001), (25, 1), (25, 2), (18, 1)] {
            assert!(suits(FrameRate::new(num, den).unwrap()), "{num}/{den}");
        }
        assert!(!suits(FrameRate::new(50, 3).unwrap()));
        assert_eq!(BASE_MS.unsigned_abs() * 48 % AAC_FRAME, 0);
    }

    #[test]
    fn frames_at_which_origins_go_on_are_keyframes_too() {
        let source = source(640, 360);
        let ladder = ladder(&source);
        let rate = FrameRate::new(30, 1).unwrap();
        let first = BASE.unsigned_abs() / 1_000 * 30;
        let frames = Frames { first, keys: vec![first - 5, first, first + 5, first + 17] };
        let expression = run(&source, &ladder, rate, first).keyframes(&frames);
        assert!(expression.ends_with("+eq(n,5)+eq(n,17)") && expression.matches("eq").count() == 2);
    }

    /// What ffmpeg makes of the expression: `mod` and `lt` of doubles, which all these numbers are exactly.
    fn is_key(expression: &str, n: u64) -> bool {
        let numbers: Vec<u64> = expression
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect();
        let [frame, phase, segment, again] = numbers[..] else { panic!("{expression}") };
        assert_eq!(frame, again);
        assert!(frame * n + phase < 1 << 53);
        n == 0 || (frame * n + phase) % segment < frame
    }

    proptest! {
        #[test]
        fn keyframes_are_the_first_frames_at_boundaries(
            rate in prop::sample::select(vec![(30, 1), (30_000, 1_001), (24_000, 1_001), (25, 1), (60, 1), (60_000, 1_001), (15, 1)]),
            segment_ms in prop::sample::select(vec![500_u32, 1_000, 1_920, 2_000, 3_000, 6_006]),
            second in 1_799_000_000_u64..1_801_000_000,
            frame in 0_u64..120,
        ) {
            let source = source(640, 360);
            let ladder = ladder(&source);
            let rate = FrameRate::new(rate.0, rate.1).unwrap();
            let (num, den) = (i128::from(rate.num()), i128::from(rate.den()));
            let first = second * u64::from(rate.num()) / u64::from(rate.den()) + frame;
            let run = Encode { segment_ms, ..run(&source, &ladder, rate, first) };
            let expression = run.keyframes(&from(first));
            for n in 1..400_u64 {
                // A boundary k with frame time - 1/2 frame < ... : twice the frame's number lies within one of it.
                let at = 2 * i128::from(first + n) * den * 1_000;
                let segment = 2 * num * i128::from(segment_ms);
                let nearest = (at + den * 1_000).div_euclid(segment) * segment;
                let off = at - nearest;
                let expected = off >= -den * 1_000 && off < den * 1_000;
                prop_assert_eq!(is_key(&expression, n), expected, "{} {}", n, expression);
            }
        }
    }
}
