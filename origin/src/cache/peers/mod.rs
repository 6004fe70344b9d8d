//! Blocks from another node of the same service, so that the store is read once by all of them.
//!
//! ```text
//! a block that is not here ──▶ whose is its stretch?
//!    │ this node's, or its owner is passed over         │ another's
//!    ▼                                                  ▼
//! the store                          ask ──▶ its memory, its disk, the store      nobody else: a question goes one hop
//!    ▲                                │
//!    └── refused, late, broken off ───┘      from the block on that is missing
//! ```
//!
//! Nodes agree on nothing: each has a list. Lists that differ, clocks that are wrong and nodes that are gone cost reads of the
//! store, and never a wrong byte: every block has a sum, and every answer the length that was expected.

mod answer;
mod ask;
mod question;
mod ring;

use std::sync::Arc;

use http::HeaderValue;

pub(crate) use answer::{Answering, Pieces, Refusal};
pub(super) use ask::Peer;
pub(super) use question::Question;

use self::ask::Wire;
use self::question::Seal;
use self::ring::Ring;
use super::object::ObjectRef;
use crate::clock::Clock;
use crate::config;
use crate::metrics::Metrics;

/// The nodes of a service, as one of them sees them.
pub(crate) struct Peers {
    /// `None` is this node.
    ring: Ring<Option<Arc<Peer>>>,
    seal: Seal,
    /// What this node calls itself.
    here: HeaderValue,
    clock: Clock,
    metrics: Arc<Metrics>,
}

impl Peers {
    /// The peers that the configuration names; `None` where it names none. Reads the secret: blocks on the disk. Asks nobody.
    ///
    /// # Errors
    /// What is wrong with the file of the secret.
    pub(crate) fn open(
        config: &config::Peers,
        clock: &Clock,
        metrics: &Arc<Metrics>,
    ) -> Result<Option<Arc<Self>>, String> {
        let (Some(here), Some(file)) = (&config.here, &config.secret_file) else { return Ok(None) };
        let secret = config::peer_secret(file)?;
        let strange = || "expected a secret and a name that HTTP takes, found others".to_owned();
        let seal = Seal::new(&secret).ok_or_else(strange)?;
        let name = HeaderValue::try_from(here.name()).map_err(|_| strange())?;
        let wire = Arc::new(Wire::new(
            seal.clone(),
            name.clone(),
            config.timeout.as_duration(),
            clock.clone(),
            Arc::clone(metrics),
        ));
        let (own, names) =
            (here.name(), config.nodes.iter().map(config::OriginUrl::name).collect::<Vec<_>>());
        let mut nodes = vec![(own.as_str(), None)];
        for name in names.iter().filter(|name| **name != own) {
            let node = name.parse().map_err(|_| strange())?;
            nodes.push((name, Some(Arc::new(Peer::new(node, Arc::clone(&wire))))));
        }
        Ok(Some(Arc::new(Self {
            ring: Ring::new(nodes),
            seal,
            here: name,
            clock: clock.clone(),
            metrics: Arc::clone(metrics),
        })))
    }

    /// The other node whose the bytes of an object around byte `at` are; `None` where they are this node's.
    pub(super) fn owner(&self, object: &ObjectRef, at: u64) -> Option<Arc<Peer>> {
        self.ring.owner(&object.path, at)?.clone()
    }
}

#[cfg(test)]
mod tests;
