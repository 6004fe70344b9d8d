//! One job: from a file to a published revision, or to nothing.
//!
//! ```text
//!  probe ─▶ fit ─▶ begin ─▶ encode ─▶ verify ─▶ store ─────────────▶ publish
//!                           temporary folder    vod/<asset>/<rev>/   one guarded update
//!    │        │       │        │         │        │                    │
//!    └────────┴───────┴────────┴─────────┴────────┴── error, cancel ───┴─▶ tools killed and reaped, folder gone,
//!                                                                          objects deleted, former revision serves
//! ```

mod encode;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use packager::asset::{AssetName, Revision};
use packager::manifest::Manifest;
use tokio::sync::mpsc;
use tracing::debug;

use crate::ladder::{Ladder, Settings};
use crate::publishing::{Published, Publishing};
use crate::release::{self, Step, Timeline};
use crate::source::Source;
use crate::verify::{Verified, verify};
use crate::{Cancel, Error, Progress, Tools};

/// A file that is to become a revision of an asset.
#[derive(Debug, Clone)]
pub struct Job {
    /// The file.
    pub input: PathBuf,
    /// The asset.
    pub asset: AssetName,
    /// How.
    pub options: Options,
}

/// How jobs are done.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder for temporary files, with room for all renditions of one source. It must exist.
    pub scratch: PathBuf,
    /// Where the tools are.
    pub tools: Tools,
    /// What the ladder is to look like.
    pub settings: Settings,
}

impl Options {
    /// The defaults, with temporary files in `scratch`.
    pub fn new(scratch: impl Into<PathBuf>) -> Self {
        Self { scratch: scratch.into(), tools: Tools::default(), settings: Settings::default() }
    }
}

/// What a job is doing. Sent as it happens; where the receiver does not keep up, events are lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The input is read.
    Probing,
    /// The input is known, and what will be made of it.
    Fitted {
        /// What the input holds.
        source: Box<Source>,
        /// What is made of it.
        ladder: Box<Ladder>,
    },
    /// The encoder has come so far.
    Encoding(Progress),
    /// All is made and is now checked.
    Verifying,
    /// Objects are put into the store.
    Storing {
        /// Bytes put so far.
        done: u64,
        /// Bytes of all objects.
        total: u64,
    },
    /// All is stored; the catalogue is updated.
    Publishing,
}

/// Where a job's events go.
pub type Events = mpsc::Sender<Event>;

/// How a job ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The revision that was made.
    pub revision: Revision,
    /// Whether it is the current one now. Where a newer one was published first, its objects are deleted again.
    pub published: Published,
    /// What `asset.json` says.
    pub manifest: Manifest,
}

impl Job {
    /// Does the job. Ends soon after `cancel` is thrown, with [`Error::Cancelled`].
    ///
    /// On any error, and when cancelled: the tools are killed and reaped, the temporary folder is gone, the objects
    /// of the unpublished revision are deleted, and the former revision is untouched. An update of the catalogue that
    /// has begun is not cancelled any more; where the catalogue then cannot say whether it took effect, objects stay.
    ///
    /// Dropping the future kills the tools and removes the temporary folder, but leaves objects that were put already
    /// in the store; nothing refers to them. Throw `cancel` instead and wait.
    ///
    /// # Errors
    /// See [`Error`]: its kind says whose fault it is.
    pub async fn run(
        &self,
        store: Arc<dyn ObjectStore>,
        publishing: &dyn Publishing,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<Outcome, Error> {
        let Options { scratch, tools, settings } = &self.options;
        send(events, Event::Probing);
        let source = Source::probe(&self.input, tools, cancel).await?;
        let ladder = Ladder::fit(&source, settings)?;
        send(events, Event::Fitted { source: Box::new(source.clone()), ladder: Box::new(ladder.clone()) });
        // Removed when it goes out of scope, whichever way this ends.
        let folder = tempfile::Builder::new()
            .prefix("forebay-job-")
            .tempdir_in(scratch)
            .map_err(|error| Error::scratch(scratch, &error))?;
        let revision = publishing.begin(&self.asset).await?;
        debug!(asset = %self.asset, %revision, frames = ladder.frames, "encoding");
        encode::encode(&source, &ladder, folder.path(), tools, events, cancel).await?;
        send(events, Event::Verifying);
        let verified = verify(&ladder, folder.path(), tools, cancel).await?;
        let Verified { objects, boundaries, timescale } = verified;
        let target = ladder.segment_target;
        let timeline = Timeline { target, timescale, boundaries: &boundaries };
        let manifest = release::manifest(&self.asset, &revision, &timeline, &objects)?;
        let mut told = |step| {
            let event = match step {
                Step::Storing { done, total } => Event::Storing { done, total },
                Step::Publishing => Event::Publishing,
            };
            send(events, event);
        };
        let published = release::release(store, publishing, &manifest, &objects, &mut told, cancel).await?;
        Ok(Outcome { revision, published, manifest })
    }
}

fn send(events: &Events, event: Event) {
    // Nobody who listens, or who listens too slowly, may hold up a job.
    let _lost = events.try_send(event);
}
