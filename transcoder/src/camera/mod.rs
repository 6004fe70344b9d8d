//! A camera to try things with: a test picture or a file, published over RTMP as any encoder would.
//!
//! Every frame carries the time of day at which it was made, so that the delay to a screen can be read off it. The show begins
//! on an even second of Unix time and has a keyframe at each.
//!
//! ```text
//! picture, tone or file ─▶ ffmpeg ─▶ rtmp://127.0.0.1:1935/live/<stream key>
//!       held back until it is time, then at the clock's pace
//! ```
//!
//! A run that ends is followed by another, after a pause that grows; where somebody else has taken the stream over, the
//! camera leaves it to them. ffmpeg has no other way to be told the stream key than its arguments, which everybody on this
//! machine can list: the key should open nothing else, and not for long.

mod command;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use packager::time::Bitrate;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::ladder::{Ladder, Preset, Rung, Settings};
use crate::process::Running;
use crate::source::Source;
use crate::{Cancel, Error, Tools};

/// A camera that is on until it is told to stop.
#[derive(Clone)]
pub struct Camera {
    /// What it shows.
    pub scene: Scene,
    /// How much work its encoder puts into each frame.
    pub preset: Preset,
    /// Where ffmpeg is.
    pub tools: Tools,
    /// The wall clock that its pictures carry.
    pub clock: Clock,
    /// Where it publishes: an `rtmp` URL with the stream key.
    pub url: String,
}

/// What a camera shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    picture: Picture,
    rung: Rung,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Picture {
    Test,
    File(Box<Source>),
}

/// A wall clock: the time since 1970-01-01 UTC.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

/// What happens to a camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// ffmpeg was started.
    Started,
    /// ffmpeg ended, and is started again. Why, in one line.
    Stopped(String),
    /// Somebody else publishes the stream; the camera is off.
    TakenOver,
}

impl Scene {
    /// Moving water, 640 by 360, with the time of day (UTC) and a tone that beeps each second.
    ///
    /// # Errors
    /// None that could be met; names are checked where they are made.
    pub fn test() -> Result<Self, Error> {
        let name = "video-360".parse().map_err(|_| Error::Setting {
            name: "rendition name",
            expected: "1 to 64 of a-z 0-9 -, starting with a letter",
            found: "video-360".to_owned(),
        })?;
        let rung = Rung { name, width: 640, height: 360, crf: 0, max_rate: Bitrate(900_000) };
        Ok(Self { picture: Picture::Test, rung })
    }

    /// A file, over and over, in no more than 360 lines, with the time of day near a corner and the first of its audio
    /// tracks, or silence.
    ///
    /// # Errors
    /// [`Error::Input`] for a picture without an area.
    pub fn file(source: Source) -> Result<Self, Error> {
        let settings = Settings { max_height: 360, ..Settings::default() };
        let rung = Ladder::fit(&source, &settings)?.rungs.into_iter().next();
        let rung = rung.ok_or_else(|| Error::input(&source.path, "expected a picture, found none"))?;
        Ok(Self { picture: Picture::File(Box::new(source)), rung })
    }
}

impl Clock {
    /// A clock that asks `now` for the time since 1970-01-01 UTC.
    pub fn new(now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    fn now(&self) -> Duration {
        (self.0)()
    }
}

impl Camera {
    /// Publishes until `cancel` is thrown, then the tool is gone; or until somebody else has taken the stream over. `events`
    /// that nobody takes are dropped. Dropping the future ends everything at once.
    ///
    /// # Errors
    /// [`Error::Tool`] where not even the first second could be published.
    pub async fn run(&self, events: &mpsc::Sender<Event>, cancel: &Cancel) -> Result<(), Error> {
        let (mut pause, mut has_worked) = (FIRST_PAUSE, false);
        loop {
            let began = Instant::now();
            let lines = Arc::new(AtomicU64::new(0));
            tell(events, Event::Started);
            let outcome = self.once(&lines, cancel).await;
            has_worked |= lines.load(Ordering::Relaxed) > OPENING_LINES;
            let complaint = match outcome {
                Err(Error::Cancelled) => return Ok(()),
                Err(error) if !has_worked => return Err(error),
                Err(error) => error.to_string(),
                Ok(complaint) if complaint.contains(TAKEN_OVER) => {
                    tell(events, Event::TakenOver);
                    return Ok(());
                }
                Ok(complaint) if !has_worked => {
                    let what = format!("expected it to publish, found {complaint}");
                    return Err(Error::tool(&self.tools.ffmpeg, what));
                }
                Ok(complaint) => complaint,
            };
            tell(events, Event::Stopped(complaint));
            pause = if began.elapsed() > STEADY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::select! {
                () = sleep(pause) => {}
                () = cancel.cancelled() => return Ok(()),
            }
        }
    }

    /// One run of the tool. Gives its last complaint.
    async fn once(&self, lines: &Arc<AtomicU64>, cancel: &Cancel) -> Result<String, Error> {
        let tool = self.tools.ffmpeg.as_path();
        let fault = |error: io::Error| Error::tool(tool, format!("expected a pipe for it, found {error}"));
        let (held_back, gate) = io::pipe().map_err(fault)?;
        let start = start_after(self.clock.now() + WARM_UP);
        let arguments = command::publish(&self.scene, self.preset, start, &self.url);
        let counted = Arc::clone(lines);
        let on_line = Box::new(move |_: &str| {
            counted.fetch_add(1, Ordering::Relaxed);
        });
        let files = vec![OwnedFd::from(held_back)];
        let running = Running::start_with(&self.tools, tool, arguments, files, on_line)?;
        let begin = async {
            let wait = Duration::from_secs(start).saturating_sub(self.clock.now() + OPENING);
            sleep(wait).await;
            drop(gate);
            // It says each second how far it is.
            let mut before = 0;
            loop {
                sleep(SILENCE).await;
                let now = lines.load(Ordering::Relaxed);
                if now == before {
                    let what = format!("expected a sign of life within {} s, found none", SILENCE.as_secs());
                    return Err(Error::tool(tool, what));
                }
                before = now;
            }
        };
        tokio::select! {
            ended = running.end(cancel) => Ok(ended?.complaint()),
            silent = begin => silent,
        }
    }
}

impl fmt::Debug for Camera {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The URL holds a secret.
        f.debug_struct("Camera")
            .field("scene", &self.scene)
            .field("preset", &self.preset)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

/// The first second of the grid of keyframes that is not before a time since 1970.
fn start_after(time: Duration) -> u64 {
    let second = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    second.next_multiple_of(command::GOP_SECONDS)
}

fn tell(events: &mpsc::Sender<Event>, event: Event) {
    // Who does not listen has no need to know.
    let _unheard = events.try_send(event);
}

/// What ffmpeg passes on of the words with which a publisher is closed that another has followed.
const TAKEN_OVER: &str = "took the stream over";
/// Lines of progress that are written also by a run that publishes nothing.
const OPENING_LINES: u64 = 20;
/// Before the tool is started again; twice as long each time it ends soon.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A run that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// From the start of the tool to the first frame, at least. Loading fonts and filters takes 0.3 s on two busy cores; where it
/// takes longer, the labels of the frames are that much too early, and nothing else happens.
const WARM_UP: Duration = Duration::from_millis(600);
/// From the moment when the gate is closed to the first frame.
const OPENING: Duration = Duration::from_millis(20);
/// How long it may be silent. Where fonts are looked for the first time, that takes seconds.
const SILENCE: Duration = Duration::from_secs(15);

#[cfg(test)]
mod tests;
