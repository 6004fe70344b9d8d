//! HLS that others made, brought into the store as it is: nothing is encoded anew.
//!
//! ```text
//!  playlists ─▶ init segments ─▶ segments ─▶ one timeline ─▶ objects, read back ─▶ begin ─▶ store ─▶ publish
//!                                temporary folder            temporary folder
//!      │              │             │             │                │                  │        │
//!      └──────────────┴─────────────┴─────────────┴────────────────┴── error, cancel ─┴────────┴─▶ nothing is left
//! ```
//!
//! Everything that keeps a source from being imported is found before anything is stored.

mod fetch;
mod location;
mod objects;
mod reading;
mod spool;
mod strips;
mod wire;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use location::Location;
use object_store::ObjectStore;
use packager::asset::{AssetName, Revision};
use packager::import::{Laid, Place, Remark, Strip, Wanted, lay};
use packager::manifest::Manifest;
use packager::presentation::Presentation;
use packager::time::{MediaTime, Rounding};
use tokio::sync::mpsc;

use self::fetch::Fetcher;
use self::reading::{Found, leave_out};
use self::spool::Spool;
use crate::publishing::{Published, Publishing};
use crate::release::{self, Step, Timeline};
use crate::verify::Object;
use crate::{Cancel, Error};

/// A presentation that is to become a revision of an asset.
#[derive(Debug, Clone)]
pub struct Import {
    /// Its multivariant playlist, or the playlist of its only rendition.
    pub source: Location,
    /// The asset.
    pub asset: AssetName,
    /// A folder for temporary files. It must exist, and have room for the presentation; for what comes over the network
    /// twice.
    pub scratch: PathBuf,
    /// What becomes of broken renditions.
    pub broken: Broken,
}

/// What becomes of an import where a rendition is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// It fails.
    Fails,
    /// The rendition is left out, with a remark, as long as there are others with pictures.
    LeftOut,
}

/// What an import is doing. Sent as it happens; where the receiver does not keep up, events are lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// Playlists are read.
    Reading,
    /// What is to be imported is known.
    Found {
        /// Renditions with pictures.
        videos: usize,
        /// Renditions of sound alone.
        sounds: usize,
        /// How long the presentation is.
        duration: MediaTime,
    },
    /// Segments are fetched.
    Fetching {
        /// Segments that are there.
        done: u64,
        /// Segments of all renditions.
        total: u64,
        /// Bytes that are there.
        bytes: u64,
    },
    /// Objects are made of them, and read back.
    Writing {
        /// Objects that are made.
        done: u64,
        /// All objects.
        total: u64,
    },
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

/// Where an import's events go.
pub type Events = mpsc::Sender<Event>;

/// How an import ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The revision that was made.
    pub revision: Revision,
    /// Whether it is the current one now. Where a newer one was published first, its objects are deleted again.
    pub published: Published,
    /// What `asset.json` says.
    pub manifest: Manifest,
    /// What was left out, and what was strange.
    pub notes: Vec<Remark>,
}

/// A presentation on its timeline, with the bytes of its segments.
struct Plan {
    presentation: Presentation,
    target: MediaTime,
    spools: HashMap<usize, Spool>,
    notes: Vec<Remark>,
    /// The order of sounds: what is heard by default first.
    order: Vec<String>,
}

impl Import {
    /// Does it. Ends soon after `cancel` is thrown, with [`Error::Cancelled`].
    ///
    /// On any error, and when cancelled: temporary files are gone, the objects of the unpublished revision are deleted,
    /// and the former revision is untouched. An update of the catalogue that has begun is not cancelled any more; where
    /// the catalogue then cannot say whether it took effect, objects stay.
    ///
    /// Dropping the future removes temporary files, but leaves objects that were put already in the store; nothing
    /// refers to them. Throw `cancel` instead and wait.
    ///
    /// # Errors
    /// [`Error::Unimportable`] with everything that keeps the source from being imported; else see [`Error`].
    pub async fn run(
        &self,
        store: Arc<dyn ObjectStore>,
        publishing: &dyn Publishing,
        events: &Events,
        cancel: &Cancel,
    ) -> Result<Outcome, Error> {
        // Removed when it goes out of scope, whichever way this ends.
        let folder = tempfile::Builder::new()
            .prefix("forebay-import-")
            .tempdir_in(&self.scratch)
            .map_err(|error| Error::scratch(&self.scratch, &error))?;
        let plan = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(Error::Cancelled),
            plan = self.plan(folder.path(), events) => plan?,
        };
        let Plan { presentation, target, spools, notes, order } = plan;
        let objects = write(&presentation, spools, &order, folder.path(), events, cancel).await?;
        objects::verify(&presentation, &objects)?;
        let revision = publishing.begin(&self.asset).await?;
        let timescale = presentation.timescale();
        let boundaries: Vec<MediaTime> =
            presentation.boundaries().iter().map(|time| time.rescale(timescale, Rounding::Nearest)).collect();
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
        Ok(Outcome { revision, published, manifest, notes })
    }

    /// Reads and fetches all of the source, and lays it on one timeline.
    async fn plan(&self, folder: &Path, events: &Events) -> Result<Plan, Error> {
        let name = self.source.name();
        let refused = |remarks| Error::Unimportable { source_name: name.clone(), remarks };
        send(events, Event::Reading);
        let fetcher = Fetcher::new()?;
        let mut found = reading::read(&fetcher, &self.source, self.broken).await.map_err(refused)?;
        send(events, announced(&found));
        let (mut strips, spools, faults) = fetch(&fetcher, &found, folder, events).await;
        leave_out(self.broken, &mut found, faults).map_err(refused)?;
        let target = found.renditions.iter().map(|r| r.playlist.target).max();
        let target = target.unwrap_or(MediaTime::from_millis(6000));
        // Each round leaves out at least one rendition.
        let (laid, strips) = loop {
            match lay(&strips) {
                Ok(laid) => break (laid, strips),
                Err(faults) => {
                    leave_out(self.broken, &mut found, faults).map_err(refused)?;
                    strips.retain(|strip| found.renditions.iter().any(|r| r.name == strip.playlist));
                }
            }
        };
        let Laid { sources, grid, notes } = laid;
        let order = sources.iter().map(|source| source.name.to_string()).collect();
        // An anomaly begins with the name that a rendition got here; its playlist is what people know.
        let playlist = |object| strips.iter().find(|s| s.object == object).map_or(&name, |s| &s.playlist);
        let names: Vec<(String, String)> =
            sources.iter().map(|s| (format!("{} ", s.name), playlist(s.object).clone())).collect();
        drop(strips);
        let planned = Presentation::plan_on(sources, target, &grid);
        let whole = |what: String| Remark::new(&name, Place::Whole, what);
        let (presentation, anomalies) =
            planned.map_err(|error| refused(vec![whole(format!("expected one timeline, found {error}"))]))?;
        let mut all = found.notes;
        all.extend(notes);
        all.extend(anomalies.iter().map(|anomaly| {
            let what = anomaly.to_string();
            let of = names.iter().find(|(name, _)| what.starts_with(name));
            Remark::new(of.map_or(&name, |(_, playlist)| playlist), Place::Whole, what)
        }));
        Ok(Plan { presentation, target, spools, notes: all, order })
    }
}

/// Fetches all segments; gives what keeps renditions from being whole beside those that are.
async fn fetch(
    fetcher: &Fetcher,
    found: &Found,
    folder: &Path,
    events: &Events,
) -> (Vec<Strip>, HashMap<usize, Spool>, Vec<Remark>) {
    let (mut strips, mut spools, mut faults) = (Vec::new(), HashMap::new(), Vec::new());
    let (mut done, mut bytes) = (0, 0);
    let total = found.renditions.iter().map(|r| r.playlist.segments.len() as u64).sum();
    for (object, rendition) in found.renditions.iter().enumerate() {
        let mut told = |more: u64| {
            (done, bytes) = (done + 1, bytes + more);
            send(events, Event::Fetching { done, total, bytes });
        };
        match strips::fetch(fetcher, rendition, object, folder, &mut told).await {
            Ok((strip, spool)) => {
                strips.push(strip);
                spools.insert(object, spool);
            }
            Err(remarks) => faults.extend(remarks),
        }
    }
    (strips, spools, faults)
}

/// Makes all objects, pictures first.
async fn write(
    presentation: &Presentation,
    mut spools: HashMap<usize, Spool>,
    order: &[String],
    folder: &Path,
    events: &Events,
    cancel: &Cancel,
) -> Result<Vec<Object>, Error> {
    let mut renditions: Vec<_> = presentation.renditions().iter().collect();
    let place = |name: &str| order.iter().position(|known| known == name);
    // Stable: pictures stay as they are, from tall to small.
    renditions.sort_by_key(|r| (!r.is_video(), if r.is_video() { None } else { place(r.name().as_str()) }));
    let total = renditions.len() as u64;
    let mut objects = Vec::new();
    for (done, rendition) in (0..).zip(renditions) {
        send(events, Event::Writing { done, total });
        let spool = spools.remove(&rendition.object()).unwrap_or_default();
        let (object, spool) = objects::make(rendition, spool, folder, cancel).await?;
        // Sound may lie in the same segments.
        spools.insert(rendition.object(), spool);
        objects.push(object);
    }
    Ok(objects)
}

fn announced(found: &Found) -> Event {
    let sounds = found.renditions.iter().filter(|r| r.wanted == Wanted::Audio).count();
    let duration = found.renditions.iter().map(|r| r.playlist.duration()).max();
    Event::Found {
        videos: found.renditions.len() - sounds,
        sounds,
        duration: duration.unwrap_or(MediaTime::from_millis(0)),
    }
}

fn send(events: &Events, event: Event) {
    // Nobody who listens, or who listens too slowly, may hold up an import.
    let _lost = events.try_send(event);
}
