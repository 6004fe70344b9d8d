//! What operators and their probes ask: a value in, a value out. Who listens is not its business.
//!
//! | path       | answers |
//! |------------|---------|
//! | `/healthz` | 200 as long as the process can answer at all; a restart would help if not |
//! | `/readyz`  | 200 if new work may come here, else 503 with what is in the way |
//! | `/metrics` | the counters, in the text format of Prometheus |
//!
//! Never to be reached by the public: it tells what this node is made of.

use http::StatusCode;

use crate::catalog::Catalog;
use crate::metrics::{Metrics, TEXT_FORMAT};
use crate::shutdown::{Phase, Signal};
use crate::store::Store;

/// What a probe found, for [`answer`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is in the way of new work; nothing if empty.
    pub obstacles: Vec<Obstacle>,
}

/// One thing that is in the way of new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Obstacle {
    /// The process is ending.
    #[error("draining")]
    Draining,
    /// The store does not answer.
    #[error("the store is not reachable")]
    Store,
    /// The catalogue does not answer.
    #[error("the database is not reachable")]
    Database,
}

/// An answer to an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its media type.
    pub content_type: &'static str,
    /// What it says. Belongs to the moment: it must not be stored.
    pub body: String,
}

impl Readiness {
    /// Asks everything that serving needs, at the same time. Takes as long as the slowest of them is
    /// patient. Cancel-safe.
    pub async fn probe(store: &Store, catalog: &dyn Catalog, signal: &Signal) -> Self {
        let mut obstacles = Vec::new();
        if signal.phase() > Phase::Running {
            obstacles.push(Obstacle::Draining);
        }
        let (store, catalog) = tokio::join!(store.ready(), catalog.ready());
        if let Err(error) = store {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            obstacles.push(Obstacle::Store);
        }
        if let Err(error) = catalog {
            tracing::warn!(error = &error as &dyn std::error::Error, "not ready");
            obstacles.push(Obstacle::Database);
        }
        Self { obstacles }
    }
}

/// Whether the answer to `path` depends on a [`Readiness`]; it costs a probe, so it is asked for only then.
pub fn needs_probe(path: &str) -> bool {
    path == READY
}

/// The answer to a GET of `path`, a path without its query.
pub fn answer(path: &str, readiness: &Readiness, metrics: &Metrics) -> Answer {
    match path {
        "/healthz" => plain(StatusCode::OK, "ok\n".to_owned()),
        READY if readiness.obstacles.is_empty() => plain(StatusCode::OK, "ready\n".to_owned()),
        READY => {
            let lines = readiness.obstacles.iter().map(|obstacle| format!("{obstacle}\n"));
            plain(StatusCode::SERVICE_UNAVAILABLE, lines.collect())
        }
        "/metrics" => match metrics.render() {
            Ok(body) => Answer { status: StatusCode::OK, content_type: TEXT_FORMAT, body },
            Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => plain(StatusCode::NOT_FOUND, "expected /healthz, /readyz or /metrics\n".to_owned()),
    }
}

fn plain(status: StatusCode, body: String) -> Answer {
    Answer { status, content_type: "text/plain; charset=utf-8", body }
}

const READY: &str = "/readyz";

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use packager::asset::{AssetName, Revision};
    use prometheus::Registry;

    use super::*;
    use crate::catalog::{CatalogError, MemoryCatalog, Published};
    use crate::config::StoreUrl;
    use crate::shutdown::Shutdown;
    use crate::store::Patience;

    /// A catalogue whose database is gone.
    #[derive(Debug)]
    struct Gone;

    #[async_trait]
    impl Catalog for Gone {
        async fn current(&self, _: &AssetName) -> Result<Option<Revision>, CatalogError> {
            Err(CatalogError::Unavailable("gone".into()))
        }
        async fn list(&self, _: Option<&AssetName>, _: u32) -> Result<Vec<Published>, CatalogError> {
            Err(CatalogError::Unavailable("gone".into()))
        }
        async fn ready(&self) -> Result<(), CatalogError> {
            Err(CatalogError::Unavailable("gone".into()))
        }
    }

    fn metrics() -> Arc<Metrics> {
        Arc::new(Metrics::new(Registry::new()).unwrap())
    }

    #[tokio::test]
    async fn readiness_says_what_is_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let url = StoreUrl::File(folder.path().join("media"));
        let patience = Patience { tries: 1, ..Patience::default() };
        let store = Store::create(&url, patience, metrics()).unwrap();
        let (shutdown, healthy) = (Shutdown::new(), MemoryCatalog::new());
        let signal = shutdown.signal();

        let ready = Readiness::probe(&store, &healthy, &signal).await;
        assert_eq!(answer("/readyz", &ready, &metrics()).status, StatusCode::OK);

        std::fs::remove_dir(folder.path().join("media")).unwrap();
        shutdown.drain();
        let ready = Readiness::probe(&store, &Gone, &signal).await;
        let answered = answer("/readyz", &ready, &metrics());
        assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answered.body, "draining\nthe store is not reachable\nthe database is not reachable\n");
        // Alive all the same: a restart would not help.
        assert_eq!(answer("/healthz", &ready, &metrics()).status, StatusCode::OK);
    }

    #[test]
    fn each_path_has_its_answer_and_no_other_exists() {
        let (ready, metrics) = (Readiness::default(), metrics());
        let counters = answer("/metrics", &ready, &metrics);
        assert_eq!((counters.status, counters.content_type), (StatusCode::OK, TEXT_FORMAT));
        assert!(counters.body.contains("forebay_process_build_info"));
        for path in ["/", "", "/metrics/", "/Healthz", "/readyz/x", "healthz"] {
            assert_eq!(answer(path, &ready, &metrics).status, StatusCode::NOT_FOUND, "{path}");
        }
        assert!(needs_probe("/readyz") && !needs_probe("/metrics"));
    }
}
