//! What the segments of a show hold: their heads are read, not their media.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use packager::asset::{ShowId, StreamName};
use packager::import::{Shot, Standing, Strip, Wanted};
use packager::live::Segment;
use packager::mp4::{Finder, Step};
use packager::range::ByteRange;
use packager::recorded::{Identity, PickedTrack, Recorded, segment_path, show_folder};

use super::ClipError;
use crate::store::Store;

/// A track that was read.
pub(super) struct Read {
    /// Its samples, segment by segment.
    pub(super) strip: Strip,
    /// Where they lie.
    pub(super) recorded: Recorded,
    /// What they are.
    pub(super) identity: [u8; 32],
}

/// Reads the heads of all segments of a track, which is the caller's object of this number.
pub(super) async fn read(
    store: &Store,
    (stream, show): (&StreamName, ShowId),
    track: PickedTrack,
    object: usize,
) -> Result<Read, ClipError> {
    let PickedTrack { name, is_video, init, segments } = track;
    let folder = show_folder(stream, show);
    let mut recorded = Recorded::new(stream.clone(), show, name.clone());
    let mut identity = Identity::default();
    let mut reads = Vec::with_capacity(segments.len());
    for (segment, standing) in segments {
        let Some(stored) = segment.stored else { continue };
        if recorded.push(segment.msn, segment.init, stored) {
            identity.add(segment.init, &stored);
            let path = segment_path(&folder, &name, segment.msn, stored.fence.unwrap_or(0), &segment.init);
            reads.push(shot(store, path, init.clone(), segment, standing));
        }
    }
    let shots: Vec<Shot> = stream::iter(reads).buffered(AT_ONCE).try_collect().await?;
    let wanted = if is_video { Wanted::Video } else { Wanted::Audio };
    let strip = Strip { playlist: name.to_string(), object, wanted, language: None, shots };
    Ok(Read { strip, recorded, identity: identity.finish() })
}

/// Reads what one segment holds, behind its init segment.
async fn shot(
    store: &Store,
    path: String,
    init: Bytes,
    segment: Arc<Segment>,
    standing: Standing,
) -> Result<Shot, ClipError> {
    let unfit = |what: &dyn std::fmt::Display| ClipError::Unfit { what: format!("{path}: {what}") };
    let behind = init.len() as u64;
    let len = segment.stored.map_or(0, |stored| stored.len);
    let mut finder = Finder::of_segment(behind.saturating_add(len));
    loop {
        let range = match finder.step().map_err(|error| unfit(&error))? {
            Step::Found(movie) => return Shot::of(standing, behind, movie).map_err(|what| unfit(&what)),
            Step::Need(range) => range,
        };
        let at = range.start();
        let bytes = match usize::try_from(at).ok().filter(|_| at < behind) {
            Some(start) => init.slice(start.min(init.len())..),
            None => {
                // Less than is asked for is enough, mostly: between two heads lies media that nobody wants now.
                let wanted = ByteRange::at(at.saturating_sub(behind), range.len().min(HEAD));
                store.read(&path, wanted).await?
            }
        };
        finder.feed(at, bytes);
    }
}

/// Segments of a track that are read at the same time.
const AT_ONCE: usize = 16;
/// As much as the head of a part takes, in bytes.
const HEAD: u64 = 4096;
