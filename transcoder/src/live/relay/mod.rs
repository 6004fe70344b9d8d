//! A publisher's stream as a live show: one encoder makes the ladder, each track goes to every origin, and what restarts
//! on the way is not seen.
//!
//! ```text
//! publisher ─▶ Timeline ─▶ Ring ─▶ ffmpeg ─▶ Joiner ─▶ Reel ─▶ Outlet ─▶ origin
//!              Unix time   30 s                 …      60 s      …          one for each origin and track
//! ```
//!
//! * **The timeline is Unix time** (see `timeline`), and so are frames, keyframes and segments: a run of the encoder, a
//!   worker or an origin that is started again agrees with what was before without being told.
//! * **An encoder that dies or hangs** is started again at once, from the keyframe before the point where its tracks end; each
//!   track goes on with a keyframe at exactly that end, with the same header.
//! * **A worker that dies** is followed by the one that its publisher connects to next: each track goes on where the origins
//!   have it end, with the publisher's first picture up to where the publisher is back (see `past`).
//! * **A publisher that is silent** is waited for, with its last picture shown ([`Silence::Slate`]) or with a gap.
//! * **An origin** has a place of its own on the reel of each track: one that is slow or gone holds up nobody.
//!
//! What it refuses to do: it waits for nobody but its publisher, keeps no more than the reels and the ring hold, and
//! never sends what runs back in time.

mod begins;
mod clock;
mod closing;
mod command;
mod event;
mod feed;
mod grid;
mod line;
mod making;
mod outlet;
mod pace;
mod past;
mod plan;
mod reel;
mod ring;
mod run;
mod show;
mod slate;
mod timeline;
mod track;

use std::path::PathBuf;
use std::time::Duration;

use packager::time::Bitrate;
use tokio::sync::mpsc;

use super::Targets;
use crate::ingest::Tag;
use crate::ladder::Preset;
use crate::{Cancel, Error, Tools};

pub use clock::SteadyClock;
pub use event::Event;
pub use line::TRACK_END;
pub use past::Past;

/// What one connection of a publisher sends, in its order. Closed when the publisher is gone.
pub type Publication = mpsc::Receiver<Tag>;

/// One live show, from its publisher's first keyframe until the publisher has been gone for too long.
#[derive(Debug, Clone)]
pub struct Relay {
    /// Where ffmpeg is.
    pub tools: Tools,
    /// A folder for temporary files; less than 10 MB for a moment.
    pub scratch: PathBuf,
    /// What time it is.
    pub clock: SteadyClock,
    /// How the show is made.
    pub settings: Settings,
    /// Where its tracks are sent. All get the same.
    pub origins: Vec<Origin>,
    /// What another worker has made of the show, which goes on here.
    pub past: Option<Past>,
}

/// An origin that takes tracks.
#[derive(Debug, Clone)]
pub struct Origin {
    /// What events call it.
    pub name: String,
    /// Where each track is sent: an `http` URL for each, asked for at each request.
    pub targets: Targets,
}

/// How a show is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The length of a segment in milliseconds, as the origins cut it. 2,000 by default.
    pub segment_ms: u32,
    /// The short side of the tallest rung, in pixels. 720 by default.
    pub max_height: u32,
    /// How many rungs at most. 3 by default.
    pub rungs: usize,
    /// How much work the encoder puts into each frame. [`Preset::Superfast`] by default.
    pub preset: Preset,
    /// Up to which bit rate the publisher's own picture is the tallest rung, where it can be: H.264 of 8 bits, 4:2:0,
    /// progressive, of no more than `max_height`, with a keyframe at each segment boundary. `None`, the default, for never:
    /// then a show begins up to three seconds sooner.
    pub pass_through: Option<Bitrate>,
    /// The bit rate of the sound. 128 kbit/s by default.
    pub sound: Bitrate,
    /// What is shown while the publisher is silent.
    pub silence: Silence,
    /// How long a show waits for its publisher. 60 s by default.
    pub reconnect: Duration,
}

/// What is shown while the publisher is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Silence {
    /// Its last keyframe, without sound.
    #[default]
    Slate,
    /// Nothing: origins list a gap.
    Gap,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            segment_ms: 2_000,
            max_height: 720,
            rungs: 3,
            preset: Preset::Superfast,
            pass_through: None,
            sound: Bitrate(128_000),
            silence: Silence::default(),
            reconnect: Duration::from_secs(60),
        }
    }
}

impl Relay {
    /// Makes the show of what `publications` brings, one after another: a newer one takes over from the one before, whose
    /// receiver is dropped. Returns when the show is over, that is, when nothing came for [`Settings::reconnect`], or
    /// `publications` is closed and the last one has been gone for as long; the tracks are ended as such then. Where
    /// `cancel` is thrown, it returns as soon as all that was made is sent, for two seconds at the most, and says
    /// nothing of an end: somebody else may go on with the show.
    ///
    /// `events` that nobody takes are dropped. Dropping the future kills the encoder and breaks the requests.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings out of their range. All else is told as events.
    pub async fn run(
        &self,
        publications: &mut mpsc::Receiver<Publication>,
        events: &mpsc::Sender<Event>,
        cancel: &Cancel,
    ) -> Result<(), Error> {
        self.settings.check()?;
        show::Show::new(self, events.clone()).run(publications, cancel).await;
        Ok(())
    }
}

impl Settings {
    fn check(&self) -> Result<(), Error> {
        let fault = if !(500..=10_000).contains(&self.segment_ms) {
            Some(("segment", "500 to 10,000 ms", self.segment_ms.to_string()))
        } else if self.max_height < 2 {
            Some(("max height", "2 pixels or more", self.max_height.to_string()))
        } else if self.rungs == 0 {
            Some(("rungs", "1 or more", self.rungs.to_string()))
        } else if !(16_000..=512_000).contains(&self.sound.0) {
            Some(("sound", "16,000 to 512,000 bit/s", self.sound.to_string()))
        } else {
            None
        };
        match fault {
            Some((name, expected, found)) => Err(Error::Setting { name, expected, found }),
            None => Ok(()),
        }
    }
}

fn tell(events: &mpsc::Sender<Event>, event: Event) {
    tracing::debug!(reason = event.reason(), "{event}");
    // Who does not listen has no need to know.
    let _unheard = events.try_send(event);
}
