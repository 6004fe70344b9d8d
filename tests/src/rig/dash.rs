//! ffmpeg's DASH muxer as a sender that knows nothing of forebay: it encodes a test picture with its clock and sound, and
//! puts each segment, growing chunk by chunk, beside a manifest that it rewrites.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::command::signal;
use super::deadline::within;
use super::tool::tool;

/// A running ffmpeg; killed when dropped.
#[derive(Debug)]
pub struct Dash {
    child: Child,
}

impl Dash {
    /// Sends a picture (`stream0`, 320x180, 30 frames per second) and sound (`stream1`) in segments of two seconds and
    /// chunks of 200 ms into the folder `folder` (`/t/TOKEN/ingest/show`) of an origin. Its numbers begin at 1 and its
    /// times at zero, whenever it starts.
    ///
    /// # Panics
    /// When ffmpeg does not start.
    #[must_use]
    pub fn start(origin: SocketAddr, folder: &str) -> Self {
        let child = command(&format!("http://{origin}{folder}/show.mpd")).spawn();
        Self { child: child.expect("ffmpeg is missing: run `make setup`") }
    }

    /// Whether it still sends.
    ///
    /// # Panics
    /// When its state cannot be asked.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Ends it the way a user does, so that it ends its last segment and manifest; gives what it complained about.
    ///
    /// # Panics
    /// When it does not end.
    #[must_use]
    pub fn stop(mut self) -> String {
        use std::io::Read;
        signal(self.child.id(), "INT");
        within(Duration::from_secs(20), || self.child.try_wait().unwrap()).expect("ffmpeg does not end");
        let mut complaints = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut complaints).unwrap();
        complaints
    }
}

impl Drop for Dash {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(manifest: &str) -> Command {
    let mut ffmpeg = tool("ffmpeg");
    ffmpeg.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=30"]);
    ffmpeg.args([
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=440:sample_rate=48000",
        "-map",
        "0:v",
        "-map",
        "1:a",
    ]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-profile:v", "high"]);
    ffmpeg.args([
        "-pix_fmt",
        "yuv420p",
        "-g",
        "60",
        "-keyint_min",
        "60",
        "-sc_threshold",
        "0",
        "-threads",
        "1",
    ]);
    ffmpeg.args(["-c:a", "aac", "-b:a", "96k", "-ac", "2", "-f", "dash", "-streaming", "1", "-ldash", "1"]);
    ffmpeg.args(["-use_template", "1", "-use_timeline", "0", "-seg_duration", "2", "-target_latency", "1"]);
    ffmpeg.args(["-frag_type", "duration", "-frag_duration", "0.2", "-write_prft", "1"]);
    ffmpeg.args([
        "-adaptation_sets",
        "id=0,streams=v id=1,streams=a",
        "-method",
        "PUT",
        "-http_persistent",
        "0",
    ]);
    ffmpeg.arg(manifest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    ffmpeg
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::rig::boxes;
    use crate::rig::deadline::until;
    use crate::rig::host::{Asked, Host, Reply};

    #[test]
    fn it_puts_headers_and_chunks_by_name() {
        let requests = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let kept = Arc::clone(&requests);
        let host = Host::start(move |asked| {
            kept.lock().unwrap().push(asked.clone());
            Reply::of("text/plain", "")
        });
        let mut dash = Dash::start(host.address(), "/t/token/ingest/show");
        let body = |name: &str| {
            let target = format!("/t/token/ingest/show/{name}");
            requests.lock().unwrap().iter().find(|asked| asked.target == target).cloned()
        };
        let segments = ["chunk-stream0-00001.m4s", "chunk-stream1-00001.m4s"];
        let found =
            until("the first segments", || segments.map(body).into_iter().collect::<Option<Vec<_>>>());
        assert!(dash.runs());
        let complaints = dash.stop();
        for (segment, init) in found.iter().zip(["init-stream0.m4s", "init-stream1.m4s"]) {
            assert_eq!((segment.method.as_str(), segment.is_whole), ("PUT", true), "{complaints}");
            let header = body(init).unwrap().body;
            assert!(boxes::find(&header, &[b"moov", b"mvex"]).is_some(), "{init}");
            let moofs = boxes::walk(&segment.body, 0, segment.body.len());
            assert!(moofs.iter().filter(|place| place.kind == *b"moof").count() >= 8, "{moofs:?}");
        }
        assert!(body("show.mpd").is_some());
    }
}
