//! Purges: what is kept of an asset is not served any more, or not before somebody has looked for a newer one.
//!
//! It holds for whoever asks from then on, in every tier and for what is on its way. An answer that is being sent goes on as it
//! began: its length and its tag are said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Purge, Vod};
use crate::cache::{Force, Scope};

/// What became of a purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Purged {
    /// Whether it holds for the next process too: the disk of the cache, if there is one, has it.
    pub(crate) is_kept: bool,
}

/// Lets go of what was purged, once for all who ask for it in the meantime.
#[derive(Debug, Default)]
pub(super) struct Sweeper(AtomicU8);

impl Vod {
    /// Purges all of these at one moment. Takes as long as the disk takes to write it down.
    pub(crate) async fn purge(self: &Arc<Self>, purges: &[Purge], force: Force) -> Purged {
        let scopes: Vec<Scope> = purges.iter().flat_map(Purge::scopes).collect();
        let epoch = self.ledger.purge(&scopes, force);
        self.metrics.purged(force);
        if force == Force::Soft {
            return Purged { is_kept: true };
        }
        let is_kept = self.blocks.remember(epoch, &scopes).await;
        if self.sweeper.0.swap(AGAIN, Ordering::AcqRel) == IDLE {
            let this = Arc::clone(self);
            // It holds already; this is about the room that it takes.
            tokio::task::spawn_blocking(move || this.sweep());
        }
        Purged { is_kept }
    }

    fn sweep(&self) {
        while self.sweeper.0.swap(BUSY, Ordering::AcqRel) == AGAIN {
            let gone = self.blocks.sweep() + self.assets.sweep() + self.texts.sweep() + self.pointers.sweep();
            self.metrics.swept(gone);
            let done = self.sweeper.0.compare_exchange(BUSY, IDLE, Ordering::AcqRel, Ordering::Acquire);
            if done.is_ok() {
                return;
            }
        }
    }
}

const IDLE: u8 = 0;
const BUSY: u8 = 1;
const AGAIN: u8 = 2;
