//! What of a show waits for the store for too long goes to the disk.

use std::sync::{Arc, Weak};
use std::time::Duration;

use packager::asset::{RenditionName, StreamName};
use packager::live::{Segment, Stored};
use tokio::task::JoinHandle;

use super::Spool;
use crate::live::{Place, Showing};

/// A task that ends with this.
pub(super) struct Spooling(JoinHandle<()>);

impl Spooling {
    pub(super) fn start(spool: Arc<Spool>, showing: Weak<Showing>, stream: StreamName) -> Self {
        Self(tokio::spawn(spool_what_waits(spool, showing, stream)))
    }
}

impl Drop for Spooling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Puts on the disk what waits for the store for longer than memory is meant for.
async fn spool_what_waits(spool: Arc<Spool>, showing: Weak<Showing>, stream: StreamName) {
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(showing) = showing.upgrade() else { return };
        for (at, waits) in waiting(&stream, &showing) {
            for segment in waits {
                let (Some(media), init) = (&segment.media, segment.init) else { continue };
                let Some(tag) = media.tag().bits() else { continue };
                let header = showing.init(&at.track, init);
                match spool.put(&at, &segment, media.pieces(), header).await {
                    Ok(lost) => {
                        showing.keep(&at.track, segment.msn, Stored { len: media.len(), tag, fence: None });
                        for (place, msn) in lost {
                            let is_of_another = (&place.stream, place.show) != (&stream, showing.id);
                            // What is in the store by now is lost to nobody.
                            if is_of_another || showing.lose(&place.track, msn) {
                                spool.count_lost();
                            }
                        }
                    }
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        tracing::warn!(%stream, show = %showing.id, error, "the spool takes nothing");
                        break;
                    }
                }
            }
        }
    }
}

/// What waits for too long, of each track.
fn waiting(stream: &StreamName, showing: &Showing) -> Vec<(Place, Vec<Arc<Segment>>)> {
    // Who follows learns of what is stored when its page is committed.
    let patience = if showing.archiving().is_here { WAITING } else { FOLLOWING };
    showing.look(|show| {
        let of = |name: &RenditionName| {
            let all = show.segments(name)?;
            let end = all.back()?.end;
            let is_old = |s: &&Arc<Segment>| end.since(s.end).as_micros() > patience;
            let waits = all.iter().take_while(is_old).filter(|s| s.stored.is_none() && s.media.is_some());
            let at = Place { stream: stream.clone(), show: showing.id, track: name.clone() };
            Some((at, waits.cloned().collect()))
        };
        show.tracks().filter_map(of).collect()
    })
}

const ROUND: Duration = Duration::from_secs(1);
/// What waits for longer, in microseconds of media, goes to the disk: it is put within seconds.
const WAITING: i64 = 30_000_000;
/// The same where another origin puts it: a page has a minute, and comes a little later.
const FOLLOWING: i64 = 100_000_000;
