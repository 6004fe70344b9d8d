//! ffmpeg as a publisher over RTMP: a camera that shows a test picture, at the pace of the clock.

use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::command::signal;
use super::deadline::within;
use super::tool::tool;

/// What a camera shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Camera {
    /// Pixels.
    pub size: (u32, u32),
    /// Pictures a second.
    pub rate: u32,
    /// Pictures from one keyframe to the next.
    pub gop: u32,
    /// Whether the wall clock is burnt into the picture, as blocks that `tests/pages/clock.mjs` reads.
    pub has_clock: bool,
}

/// A running ffmpeg that publishes; killed when dropped.
#[derive(Debug)]
pub struct Publisher {
    child: Child,
}

impl Default for Camera {
    fn default() -> Self {
        Self { size: (320, 180), rate: 30, gop: 60, has_clock: false }
    }
}

impl Camera {
    /// Publishes with a stream key at `rtmp://ADDRESS/live`.
    ///
    /// # Panics
    /// When ffmpeg does not start.
    #[must_use]
    pub fn publish(self, to: SocketAddr, key: &str) -> Publisher {
        let child = self.command(&format!("rtmp://{to}/live/{key}")).spawn();
        Publisher { child: child.expect("ffmpeg is missing: run `make setup`") }
    }

    /// Publishes the same to two places at once.
    ///
    /// # Panics
    /// When ffmpeg does not start.
    #[must_use]
    pub fn publish_twice(self, one: &str, other: &str) -> Publisher {
        let mut ffmpeg = self.command(&format!("[f=flv]{one}|[f=flv]{other}"));
        Publisher { child: ffmpeg.spawn().expect("ffmpeg is missing: run `make setup`") }
    }

    fn command(self, url: &str) -> Command {
        let Self { size: (width, height), rate, gop, has_clock } = self;
        let format = if url.starts_with('[') { "tee -flags +global_header" } else { "flv" };
        let mut ffmpeg = tool("ffmpeg");
        let mut words = |line: &str| {
            ffmpeg.args(line.split_whitespace());
        };
        words(&format!("-nostdin -v error -re -f lavfi -i testsrc2=size={width}x{height}:rate={rate}"));
        words("-re -f lavfi -i sine=frequency=440:sample_rate=48000 -map 0:v -map 1:a");
        words("-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -b:v 400k -threads 1");
        words(&format!("-g {gop} -keyint_min {gop} -sc_threshold 0 -c:a aac -b:a 96k -ac 2 -f {format}"));
        if has_clock {
            ffmpeg.args(["-vf", &clock(width, height, rate)]);
        }
        ffmpeg.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        ffmpeg
    }
}

/// The filters that burn the clock in: each picture gets the moment as its time, which says what the blocks are to show,
/// and then the time that it had.
fn clock(width: u32, height: u32, rate: u32) -> String {
    let moment = "settb=1/1000,setpts=RTCTIME/1000".to_owned();
    let back = format!("settb=1/{rate},setpts=N");
    [vec![moment], blocks(width, height), vec![back]].concat().join(",")
}

/// The filters that draw the time of each picture as blocks.
pub(crate) fn blocks(width: u32, height: u32) -> Vec<String> {
    let (wide, high) = (width / CLOCK_BITS, height / 9);
    let mut filters = Vec::new();
    for bit in 0..CLOCK_BITS {
        // Half a millisecond: times are seconds here, and not exact.
        let is_set = format!("gte(mod((t*1000+0.5)/{},2),1)", 1_u32 << (CLOCK_BITS - 1 - bit));
        let x = bit * wide;
        for (row, white, black) in [(0, "white", "black"), (high, "black", "white")] {
            filters.push(format!("drawbox=x={x}:y={row}:w={wide}:h={high}:c={black}:t=fill"));
            filters
                .push(format!("drawbox=x={x}:y={row}:w={wide}:h={high}:c={white}:t=fill:enable='{is_set}'"));
        }
    }
    filters
}

impl Publisher {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still publishes.
    ///
    /// # Panics
    /// When its state cannot be asked.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it the way a user does; gives what it complained about.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn stop(self) -> String {
        signal(self.child.id(), "INT");
        self.ends().1
    }

    /// Waits for it to end by itself; gives how, and what it complained about.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn ends(mut self) -> (ExitStatus, String) {
        let status = within(Duration::from_secs(20), || self.child.try_wait().unwrap());
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        (status.unwrap_or_else(|| panic!("ffmpeg does not end: {complaints}")), complaints)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds modulo 2^16.
const CLOCK_BITS: u32 = 16;
