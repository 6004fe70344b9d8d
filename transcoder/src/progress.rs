//! How far a job has come, as values.
//!
//! ffmpeg writes a block of `key=value` lines every half second and ends each with a `progress` line. Nothing is
//! drawn here: whoever started the job draws.

use std::fmt;
use std::time::Duration;

use packager::time::MediaTime;

use crate::ladder::FrameRate;

/// How far the encoder has come. All renditions advance together, in one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Media time encoded.
    pub done: MediaTime,
    /// Media time there is.
    pub total: MediaTime,
    /// Frames encoded, per video rendition.
    pub frame: u64,
    /// How fast it goes; `None` until the encoder knows.
    pub speed: Option<Speed>,
    /// Time until the encoder is done, at this speed.
    pub eta: Option<Duration>,
}

/// Media seconds per second, in thousandths: 1,000 is real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Speed(pub u32);

impl fmt::Display for Speed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}x", self.0 / 1000, self.0 % 1000 / 10)
    }
}

/// Reads the encoder's progress lines.
#[derive(Debug)]
pub(crate) struct Reader {
    rate: FrameRate,
    frames: u64,
    frame: u64,
    speed: Option<Speed>,
}

impl Reader {
    /// A reader for an encode of `frames` frames at `rate`.
    pub(crate) const fn new(rate: FrameRate, frames: u64) -> Self {
        Self { rate, frames, frame: 0, speed: None }
    }

    /// Takes one line; gives a value when a block is complete. Lines it does not know are skipped: their set
    /// differs between versions.
    pub(crate) fn line(&mut self, line: &str) -> Option<Progress> {
        let (key, value) = line.trim().split_once('=')?;
        match key {
            // Frames that the encoder flushes past the last would show as more than all.
            "frame" => self.frame = value.trim().parse().unwrap_or(self.frame).min(self.frames),
            "speed" => self.speed = speed(value),
            "progress" => return Some(self.progress()),
            _ => {}
        }
        None
    }

    fn progress(&self) -> Progress {
        let (done, total) = (self.rate.at(self.frame), self.rate.at(self.frames));
        let left = u64::try_from(total.since(done).as_micros()).unwrap_or(0);
        let eta = self
            .speed
            .filter(|speed| speed.0 > 0)
            .map(|speed| Duration::from_micros(left.saturating_mul(1000) / u64::from(speed.0)));
        Progress { done, total, frame: self.frame, speed: self.speed, eta }
    }
}

/// `1.25x` or ` 283x`; `N/A` is `None`.
fn speed(text: &str) -> Option<Speed> {
    let text = text.trim().strip_suffix('x')?;
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let thousandths: String = part.chars().chain("000".chars()).take(3).collect();
    let whole: u32 = whole.parse().ok()?;
    Some(Speed(whole.checked_mul(1000)?.checked_add(thousandths.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "frame=60\nfps=0.00\nstream_0_0_q=-1.0\nbitrate= 665.6kbits/s\nout_time_us=2000000\n\
                         out_time=00:00:02.000000\ndup_frames=0\nspeed=2.5x\nprogress=continue\n";

    #[test]
    fn a_block_gives_one_value_with_the_time_that_remains() {
        let mut reader = Reader::new(FrameRate::new(30, 1).unwrap(), 180);
        let values: Vec<_> = BLOCK.lines().filter_map(|line| reader.line(line)).collect();
        let [value] = values.as_slice() else { panic!("{values:?}") };
        assert_eq!(value.done, MediaTime::from_millis(2_000));
        assert_eq!(value.total, MediaTime::from_millis(6_000));
        assert_eq!(value.speed, Some(Speed(2_500)));
        assert_eq!(value.eta, Some(Duration::from_millis(1_600)));
    }

    #[test]
    fn speeds_are_read_in_all_their_spellings() {
        for (text, expected) in [
            ("1.25x", Some(1_250)),
            ("   283x", Some(283_000)),
            ("0.0617x", Some(61)),
            ("N/A", None),
            ("1e+03x", None),
            ("99999999x", None),
        ] {
            assert_eq!(speed(text), expected.map(Speed), "{text}");
        }
        assert_eq!(Speed(1_250).to_string(), "1.25x");
    }

    #[test]
    fn more_frames_than_expected_are_all_of_them() {
        let mut reader = Reader::new(FrameRate::new(25, 1).unwrap(), 10);
        reader.line("frame=12");
        let value = reader.line("progress=end").unwrap();
        assert_eq!((value.frame, value.done), (10, value.total));
        assert_eq!(value.eta, None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_done_is_never_more_than_all(lines in proptest::collection::vec("(frame|speed|progress)=[0-9. x]{0,24}", 0..20)) {
            let mut reader = Reader::new(FrameRate::new(25, 1).unwrap(), 1_000);
            for value in lines.iter().filter_map(|line| reader.line(line)) {
                proptest::prop_assert!(value.done <= value.total);
            }
        }
    }
}
