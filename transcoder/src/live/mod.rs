//! A live show to try things with: ffmpeg makes a moving picture with the time burnt in, or plays a file round and
//! round, and each track is sent to an origin as CMAF (DASH-IF Live Media Ingest, interface 1).
//!
//! ```text
//! ffmpeg ══pipe══▶ Cutter ─▶ queue ─▶ Sender ──one long POST──▶ /ingest/<stream>/<track>
//!        ══pipe══▶   …    one of each for every track
//! ```
//!
//! The pipes are read whatever becomes of the requests: a muxer whose pipe is full stops all its tracks. A request that
//! ends early is made again with the header and the last two seconds; a tool that ends is started again, and makes what
//! is missing before it goes on with what is due. ffmpeg's own HTTP client could do neither, and would show the token of
//! its URL to everybody who lists processes.

mod command;
mod cutter;
mod encoder;
pub mod relay;
mod sender;
mod start;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Uri;
use packager::asset::RenditionName;
use packager::live::{Chunk, Event as Media, Splitter};
use packager::time::{Bitrate, MediaTime, Timescale};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ladder::{Ladder, Preset, Rung, Settings};
use crate::source::Source;
use crate::{Cancel, Cause, Error, Tools};
use cutter::Piece;
use encoder::{Encoder, Track};
use sender::Sender;

/// A show that is made and sent until it is told to stop.
#[derive(Debug, Clone)]
pub struct Broadcast {
    /// What is shown.
    pub scene: Scene,
    /// How much work the encoder puts into each frame. It must keep up with the clock.
    pub preset: Preset,
    /// Where ffmpeg is.
    pub tools: Tools,
    /// The wall clock that the show runs by.
    pub clock: Clock,
    /// Where the tracks are sent.
    pub targets: Targets,
}

/// What is shown, and in which renditions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    picture: Picture,
    rungs: Vec<Rung>,
    sound: RenditionName,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Picture {
    Test,
    File(Box<Source>),
}

/// A wall clock: the time since 1970-01-01 UTC.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Duration + Send + Sync>);

/// Where each track is sent: an `http` URL, asked for at each request, so that its token may be a fresh one.
#[derive(Clone)]
pub struct Targets(Arc<Target>);

type Target = dyn Fn(&RenditionName) -> Result<Uri, Cause> + Send + Sync;

/// What happens during a broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// ffmpeg was started.
    Started,
    /// ffmpeg ended, and is started again. Why, in one line.
    Stopped(String),
    /// The request of a track ended before the track, and is made again. What was answered, in one line.
    Interrupted(RenditionName, String),
}

impl Scene {
    /// Moving water, 640 by 360 and 320 by 180, with the time of day (UTC) and a tone that beeps each second.
    ///
    /// # Errors
    /// None that could be met; names are checked where they are made.
    pub fn test() -> Result<Self, Error> {
        let rung = |side: u32, rate| {
            Ok(Rung {
                name: name(&format!("video-{side}"))?,
                width: side * 16 / 9,
                height: side,
                crf: 0,
                max_rate: rate,
            })
        };
        let rungs = vec![rung(360, Bitrate(900_000))?, rung(180, Bitrate(300_000))?];
        Ok(Self { picture: Picture::Test, rungs, sound: name(SOUND)? })
    }

    /// A file, over and over, in at most two rungs of no more than 360 lines, with the time of day near a corner and
    /// the first of its audio tracks, or silence.
    ///
    /// # Errors
    /// [`Error::Input`] for a picture without an area.
    pub fn file(source: Source) -> Result<Self, Error> {
        let settings = Settings { max_height: 360, ..Settings::default() };
        let mut rungs = Ladder::fit(&source, &settings)?.rungs;
        rungs.truncate(2);
        Ok(Self { picture: Picture::File(Box::new(source)), rungs, sound: name(SOUND)? })
    }

    /// Its tracks: the largest picture first, the sound last.
    pub fn names(&self) -> impl Iterator<Item = &RenditionName> {
        self.rungs.iter().map(|rung| &rung.name).chain([&self.sound])
    }
}

impl Broadcast {
    /// Makes the show and sends it, until `cancel` is thrown; then the tool is gone and the requests are ended. `events`
    /// that nobody takes are dropped. Dropping the future ends everything at once.
    ///
    /// # Errors
    /// [`Error::Tool`] where not even the first picture could be made.
    pub async fn run(&self, events: &mpsc::Sender<Event>, cancel: &Cancel) -> Result<(), Error> {
        let reached: Vec<Reached> = self.scene.names().map(|_| Reached::default()).collect();
        let mut pause = FIRST_PAUSE;
        loop {
            let began = Instant::now();
            let outcome = self.once(events, cancel, &reached).await;
            let has_worked = reached.iter().any(|track| track.micros() > 0);
            let complaint = match outcome {
                Err(Error::Cancelled) => return Ok(()),
                Err(error) if !has_worked => return Err(error),
                Err(error) => error.to_string(),
                Ok(complaint) if !has_worked => {
                    return Err(Error::tool(
                        &self.tools.ffmpeg,
                        format!("expected a live show, found {complaint}"),
                    ));
                }
                Ok(complaint) => complaint,
            };
            tell(events, Event::Stopped(complaint));
            pause = if began.elapsed() > STEADY { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cancel.cancelled() => return Ok(()),
            }
        }
    }

    /// One run of the tool. Gives its last complaint.
    async fn once(
        &self,
        events: &mpsc::Sender<Event>,
        cancel: &Cancel,
        reached: &[Reached],
    ) -> Result<String, Error> {
        let ends: Vec<u64> = reached.iter().map(Reached::micros).collect();
        let (encoder, tracks) = Encoder::start(self, self.clock.now(), &ends)?;
        tell(events, Event::Started);
        let (mut readers, mut senders) = (JoinSet::new(), JoinSet::new());
        for ((track, name), reached) in tracks.into_iter().zip(self.scene.names()).zip(reached) {
            let (queue, pieces) = mpsc::channel(QUEUE);
            readers.spawn(read(track, self.tools.ffmpeg.clone(), queue, reached.clone()));
            senders.spawn(Sender::new(name.clone(), self.targets.clone(), pieces, events.clone()).run());
        }
        let fault = async {
            loop {
                match readers.join_next().await {
                    Some(Ok(Err(error))) => return error,
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            }
        };
        let ended = tokio::select! {
            ended = encoder.end(&self.clock, cancel) => ended.map(|ended| ended.complaint()),
            error = fault => Err(error),
        };
        // The pipes are at their ends; what is in the queues is sent, and the bodies are ended. Nobody waits for long.
        let farewell = async {
            while readers.join_next().await.is_some() {}
            while senders.join_next().await.is_some() {}
        };
        let _late = tokio::time::timeout(FAREWELL, farewell).await;
        ended
    }
}

/// Reads a track to its end. What the queue does not hold is lost: the other tracks must go on.
async fn read(
    mut track: Track,
    tool: PathBuf,
    queue: mpsc::Sender<Piece>,
    reached: Reached,
) -> Result<(), Error> {
    let mut splitter = Splitter::new();
    let strange = |error| Error::tool(&tool, format!("expected a track, found {error}"));
    while let Some(piece) = track.next(&tool).await? {
        let (Piece::Header(bytes) | Piece::Chunk(bytes)) = &piece;
        splitter.feed(bytes.clone());
        while let Some(media) = splitter.next().map_err(strange)? {
            if let (Media::Chunk(chunk), Some(header)) = (media, splitter.header()) {
                reached.advance(&chunk, header.timescale());
            }
        }
        if queue.try_send(piece).is_err() {
            tracing::debug!("a chunk is lost: nobody takes it");
        }
    }
    Ok(())
}

/// How far a track has come, in microseconds since 1970; zero before its first chunk.
#[derive(Debug, Clone, Default)]
struct Reached(Arc<AtomicU64>);

impl Reached {
    fn micros(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn advance(&self, chunk: &Chunk, timescale: Timescale) {
        let end =
            chunk.samples.last().map(|sample| MediaTime::new(sample.decode_end(), timescale).as_micros());
        if let Some(end) = end.and_then(|end| u64::try_from(end).ok()) {
            self.0.fetch_max(end, Ordering::Relaxed);
        }
    }
}

fn tell(events: &mpsc::Sender<Event>, event: Event) {
    // Who does not listen has no need to know.
    let _unheard = events.try_send(event);
}

fn name(text: &str) -> Result<RenditionName, Error> {
    text.parse().map_err(|_| Error::Setting {
        name: "rendition name",
        expected: "1 to 64 of a-z 0-9 -, starting with a letter",
        found: text.to_owned(),
    })
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

impl Targets {
    /// Asks `target` at each request.
    pub fn new(target: impl Fn(&RenditionName) -> Result<Uri, Cause> + Send + Sync + 'static) -> Self {
        Self(Arc::new(target))
    }

    fn of(&self, track: &RenditionName) -> Result<Uri, Cause> {
        (self.0)(track)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}

impl fmt::Debug for Targets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A target may carry a token.
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

const SOUND: &str = "audio";
/// Pieces that wait while a request is made again: five seconds of sound, more of pictures.
const QUEUE: usize = 128;
/// Before the tool is started again; twice as long each time it ends soon.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A run that lasted this long was a good one.
const STEADY: Duration = Duration::from_secs(5);
/// How long the requests may take to end once the tool has ended.
const FAREWELL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
