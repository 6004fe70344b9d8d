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
}

/// A running ffmpeg that publishes; killed when dropped.
#[derive(Debug)]
pub struct Publisher {
    child: Child,
}

impl Default for Camera {
    fn default() -> Self {
        Self { size: (320, 180), rate: 30, gop: 60 }
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

    fn command(self, url: &str) -> Command {
        let Self { size: (width, height), rate, gop } = self;
        let mut ffmpeg = tool("ffmpeg");
        let mut words = |line: &str| {
            ffmpeg.args(line.split_whitespace());
        };
        words(&format!("-nostdin -v error -re -f lavfi -i testsrc2=size={width}x{height}:rate={rate}"));
        words("-re -f lavfi -i sine=frequency=440:sample_rate=48000 -map 0:v -map 1:a");
        words("-c:v libx264 -preset ultrafast -tune zerolatency -pix_fmt yuv420p -b:v 400k -threads 1");
        words(&format!("-g {gop} -keyint_min {gop} -sc_threshold 0 -c:a aac -b:a 96k -ac 2 -f flv"));
        ffmpeg.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        ffmpeg
    }
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
