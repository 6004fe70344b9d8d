//! Segments that are not in memory any more: where their bytes lie, and how they are read.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use packager::live::Stored;
use packager::range::ByteRange;
use packager::time::Msn;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::{Archive, Folder};
use crate::cache::{BlockError, BlockReader, ObjectRef};
use crate::live::{Place, Showing};
use crate::metrics::CacheResult;

/// A segment that is kept outside of the window.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    /// How long it is, and its tag.
    pub(crate) stored: Stored,
    place: At,
}

#[derive(Debug, Clone)]
enum At {
    /// In the store.
    Object(Arc<ObjectRef>),
    /// In a file of the spool.
    File(PathBuf),
}

/// Why a kept segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeptError {
    /// It has left the spool.
    #[error("the segment is no longer here")]
    Gone,
    /// The store has no such bytes, or gives no answer.
    #[error(transparent)]
    Block(#[from] BlockError),
}

/// The bytes of a kept segment, in pieces.
pub(crate) struct KeptStream {
    source: Source,
    /// What is still to be read.
    rest: ByteRange,
    first: Option<Bytes>,
}

enum Source {
    Blocks(BlockReader),
    File(File),
}

impl Archive {
    /// Where the bytes of a segment lie that a show has let go of.
    pub(in crate::live) fn locate(
        &self,
        at: &Place,
        showing: &Showing,
        msn: Msn,
        stored: Stored,
    ) -> Option<Kept> {
        let init = showing.look(|show| show.init_of(&at.track, msn))?;
        let place = match stored.fence {
            Some(fence) => {
                let path = Folder::of(&at.stream, at.show).segment(&at.track, msn, fence, init);
                let served = format!("/live/{}/{}/{}/", at.stream, at.show, at.track);
                At::Object(Arc::new(ObjectRef::new(path, stored.len, None, served)))
            }
            None => At::File(self.spool.as_ref()?.path(at, msn, init)),
        };
        Some(Kept { stored, place })
    }

    /// Reads a window of a kept segment. The first bytes are there when this returns, so that a store that fails can still be
    /// answered with a status.
    ///
    /// # Errors
    /// [`KeptError`].
    pub(in crate::live) async fn read(
        &self,
        kept: &Kept,
        window: ByteRange,
    ) -> Result<KeptStream, KeptError> {
        let source = match &kept.place {
            At::Object(object) => Source::Blocks(self.blocks.reader(Arc::clone(object), window.end())),
            At::File(path) => {
                // It has left the spool for the store, or is lost: whoever asks again is told.
                let mut file = File::open(path).await.map_err(|_| KeptError::Gone)?;
                file.seek(std::io::SeekFrom::Start(window.start())).await.map_err(|_| KeptError::Gone)?;
                Source::File(file)
            }
        };
        let mut stream = KeptStream { source, rest: window, first: None };
        stream.first = stream.next().await.transpose()?;
        Ok(stream)
    }
}

impl KeptStream {
    /// Whether the first bytes were in the cache; `None` for a file.
    pub(crate) fn result(&self) -> Option<CacheResult> {
        match &self.source {
            Source::Blocks(reader) => reader.result(),
            Source::File(_) => None,
        }
    }

    /// The next piece; `None` at the end. Not cancel-safe: a cancelled call may lose a piece, as the answer is lost anyway.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, KeptError>> {
        if let Some(first) = self.first.take() {
            return Some(Ok(first));
        }
        if self.rest.is_empty() {
            return None;
        }
        let read = match &mut self.source {
            Source::Blocks(reader) => reader.read(self.rest).await.map_err(KeptError::from),
            Source::File(file) => piece(file, self.rest.len()).await,
        };
        match read {
            Ok(bytes) if bytes.is_empty() => Some(Err(KeptError::Gone)),
            Ok(bytes) => {
                self.rest =
                    ByteRange::new(self.rest.start().saturating_add(bytes.len() as u64), self.rest.end());
                Some(Ok(bytes))
            }
            Err(error) => Some(Err(error)),
        }
    }
}

async fn piece(file: &mut File, most: u64) -> Result<Bytes, KeptError> {
    let most = usize::try_from(most.min(PIECE)).unwrap_or(0);
    let mut bytes = BytesMut::with_capacity(most);
    while bytes.len() < most {
        let left = u64::try_from(most - bytes.len()).unwrap_or(0);
        match file.take(left).read_buf(&mut bytes).await {
            Ok(0) => break,
            Ok(_) => {}
            Err(_) => return Err(KeptError::Gone),
        }
    }
    Ok(bytes.freeze())
}

const PIECE: u64 = 256 * 1024;
