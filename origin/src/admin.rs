//! What operators and their probes ask: a value in, a value out. Who listens is not its business.
//!
//! | path       | answers |
//! |------------|---------|
//! | `/healthz` | 200 as long as the process can answer at all; a restart would help if not |
//! | `/readyz`  | 200 if new work may come here, else 503 with what is in the way; what is missing besides is said in both |
//! | `/metrics` | the counters, in the text format of Prometheus |
//! | `/purge`, `/live`, `/live/…`, `/clips`, `/clips/…` | what [`Operations`] say: where something can be done |
//!
//! Never to be reached by the public: it tells what this node is made of, and obeys.

mod clips;
mod live;
mod purge;

use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, header};
use serde::Serialize;
use tokio::time::timeout;

use crate::catalog::{Catalog, CatalogError};
use crate::metrics::{Metrics, TEXT_FORMAT};
use crate::service::Upload;
use crate::shutdown::{Phase, Signal};
use crate::store::Store;

/// What a probe found, for [`answer`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Readiness {
    /// What is in the way of new work; nothing if empty.
    pub obstacles: Vec<Obstacle>,
    /// The store does not answer. That is no obstacle where all nodes have the same one: each serves what it has.
    pub is_without_store: bool,
    /// The catalogue does not answer. That is no obstacle: all nodes have the same one, and each serves what it knows.
    pub is_without_catalog: bool,
}

/// One thing that is in the way of new work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Obstacle {
    /// The process is ending.
    #[error("draining")]
    Draining,
    /// The store, a folder of this machine, does not answer.
    #[error("the store is not reachable")]
    Store,
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
    /// The methods that the path takes, where it did not take this one (RFC 9110 §10.2.1).
    pub allow: Option<&'static str>,
}

/// What can be done to a running origin, on `/purge`, `/live`, `/clips` and the paths below those.
#[async_trait]
pub trait Operations: Send + Sync {
    /// The answer to a request; `None` where no such path exists. `path` is one of those, as it was sent, and
    /// `query` what followed the `?`. HEAD comes as GET. `body` is at most 64 KiB; what came with a POST says of
    /// itself that it is JSON, and nothing has looked at it.
    ///
    /// A path that exists but takes other methods answers with [`Answer::not_allowed`]. Must be cancel-safe for GET;
    /// what changes something is dropped only when the process ends.
    async fn call(&self, method: &Method, path: &str, query: Option<&str>, body: Bytes) -> Option<Answer>;
}

impl Answer {
    /// An answer for people.
    pub fn text(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", body: body.into(), allow: None }
    }

    /// An answer for programs: a JSON text (RFC 8259).
    pub fn json(status: StatusCode, body: impl Into<String>) -> Self {
        Self { status, content_type: "application/json", body: body.into(), allow: None }
    }

    /// 405, with the methods that the path takes, as they stand in `Allow`.
    pub fn not_allowed(allow: &'static str) -> Self {
        let text = format!("expected {allow}\n");
        Self { allow: Some(allow), ..Self::text(StatusCode::METHOD_NOT_ALLOWED, text) }
    }
}

impl Readiness {
    /// Asks everything that serving needs, at the same time. What has not answered after two seconds is not reachable: who
    /// balances load waits no longer for a probe (OCI's for three), and would take a node away that serves what it knows.
    /// Cancel-safe.
    pub async fn probe(store: &Store, catalog: &dyn Catalog, metrics: &Metrics, signal: &Signal) -> Self {
        let mut obstacles = Vec::new();
        if signal.phase() > Phase::Running {
            obstacles.push(Obstacle::Draining);
        }
        let (has_store, has_catalog) = tokio::join!(
            answers(store.ready(), "without the store"),
            answers(ask(catalog, metrics), "without the database"),
        );
        // One that all origins share is away for all of them: they would leave the load balancer together, with what
        // they still could serve.
        if !has_store && !store.is_shared() {
            obstacles.push(Obstacle::Store);
        }
        Self {
            obstacles,
            is_without_store: !has_store && store.is_shared(),
            is_without_catalog: !has_catalog,
        }
    }
}

/// Whether there is an answer, and soon; the log has why not. Cancel-safe.
async fn answers<E: std::error::Error + 'static>(
    question: impl Future<Output = Result<(), E>>,
    lacks: &'static str,
) -> bool {
    match timeout(PROBE, question).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => tracing::warn!(error = &error as &dyn std::error::Error, "{lacks}"),
        Err(late) => tracing::warn!(error = &late as &dyn std::error::Error, "{lacks}"),
    }
    false
}

/// Asks the catalogue whether it answers, and notes when it did: its age is then no older than that, however few viewers
/// ask. Cancel-safe.
pub async fn ask(catalog: &dyn Catalog, metrics: &Metrics) -> Result<(), CatalogError> {
    catalog.ready().await.inspect(|()| metrics.catalog_answered())
}

/// Whether the answer to `path` tells how old the catalogue is; it is asked before.
pub fn needs_catalog(path: &str) -> bool {
    path == METRICS
}

/// Whether the answer to `path` depends on a [`Readiness`]; it costs a probe, so it is asked for only then.
pub fn needs_probe(path: &str) -> bool {
    path == READY
}

/// The answer to a request for `path`, a path without its query. HEAD is answered as GET.
pub fn answer(method: &Method, path: &str, readiness: &Readiness, metrics: &Metrics) -> Answer {
    match path {
        "/healthz" | READY | METRICS if !is_safe(method) => Answer::not_allowed("GET, HEAD"),
        "/healthz" => Answer::text(StatusCode::OK, "ok\n"),
        READY => {
            let obstacles: String =
                readiness.obstacles.iter().map(|obstacle| format!("{obstacle}\n")).collect();
            let (status, text) = match obstacles.is_empty() {
                true => (StatusCode::OK, "ready\n".to_owned()),
                false => (StatusCode::SERVICE_UNAVAILABLE, obstacles),
            };
            let lacks = [(readiness.is_without_store, NO_STORE), (readiness.is_without_catalog, NO_DATABASE)];
            let lines = lacks.iter().filter(|(lacks, _)| *lacks).map(|(_, line)| *line);
            Answer::text(status, std::iter::once(text.as_str()).chain(lines).collect::<String>())
        }
        METRICS => match metrics.render() {
            Ok(body) => Answer { content_type: TEXT_FORMAT, ..Answer::text(StatusCode::OK, body) },
            Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
        },
        _ => Answer::text(StatusCode::NOT_FOUND, "expected /healthz, /readyz, /metrics, /purge or /live\n"),
    }
}

/// Whether [`operate`] answers for `path`.
pub fn is_operation(path: &str) -> bool {
    let is_below =
        |folder: &str| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    path == PURGE || is_below("/live") || is_below("/clips")
}

/// The answer of `operations` to a request. Reads its body, where the method has one.
///
/// A POST must say that it is JSON. It is the one method with which a page of any site could make the browser of an
/// operator act without asking first (Fetch standard, §2.2.1), and that type is one for which it asks.
pub async fn operate(
    operations: &dyn Operations,
    method: &Method,
    path: &str,
    query: Option<&str>,
    headers: &HeaderMap,
    upload: &mut dyn Upload,
) -> Answer {
    if *method == Method::POST && !is_json(headers) {
        return Answer::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, "expected content-type: application/json\n");
    }
    let body = match is_safe(method) {
        true => Bytes::new(),
        false => match tokio::time::timeout(BODY_DEADLINE, collect(upload)).await {
            Ok(Ok(body)) => body,
            Ok(Err(refusal)) => return refusal,
            Err(_) => return Answer::text(StatusCode::REQUEST_TIMEOUT, "expected the body sooner\n"),
        },
    };
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    let answer = operations.call(method, path, query, body).await;
    answer.unwrap_or_else(|| Answer::text(StatusCode::NOT_FOUND, "no such path\n"))
}

async fn collect(upload: &mut dyn Upload) -> Result<Bytes, Answer> {
    let mut body = BytesMut::new();
    while let Some(piece) = upload.next().await {
        let piece = piece.map_err(|error| Answer::text(StatusCode::BAD_REQUEST, format!("{error}\n")))?;
        if body.len() + piece.len() > BODY_LIMIT {
            let text = format!("expected at most {BODY_LIMIT} bytes\n");
            return Err(Answer::text(StatusCode::PAYLOAD_TOO_LARGE, text));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// An answer for programs, written as JSON.
fn told(answer: &impl Serialize) -> Answer {
    match serde_json::to_string(answer) {
        Ok(text) => Answer::json(StatusCode::OK, text + "\n"),
        Err(error) => Answer::text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// RFC 9110 §9.2.1.
fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

const PURGE: &str = "/purge";
const READY: &str = "/readyz";
const METRICS: &str = "/metrics";
const NO_STORE: &str = "the store is not reachable: what is known is served\n";
const NO_DATABASE: &str = "the database is not reachable: what is known is served\n";
/// How long a probe may take.
const PROBE: Duration = Duration::from_secs(2);
const BODY_LIMIT: usize = 64 * 1024;
const BODY_DEADLINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::HeaderValue;
    use packager::asset::{AssetName, Revision};
    use prometheus::Registry;

    use super::*;
    use crate::catalog::{MemoryCatalog, Published};
    use crate::config::StoreUrl;
    use crate::service::UploadError;
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

        let ready = Readiness::probe(&store, &healthy, &metrics(), &signal).await;
        assert_eq!(answer(&Method::GET, "/readyz", &ready, &metrics()).status, StatusCode::OK);

        // Nobody is helped if no node is ready because all of them miss the same database.
        let ready = Readiness::probe(&store, &Gone, &metrics(), &signal).await;
        let answered = answer(&Method::GET, "/readyz", &ready, &metrics());
        assert_eq!(answered.status, StatusCode::OK);
        assert_eq!(answered.body, format!("ready\n{NO_DATABASE}"));

        std::fs::remove_dir(folder.path().join("media")).unwrap();
        shutdown.drain();
        let ready = Readiness::probe(&store, &Gone, &metrics(), &signal).await;
        let answered = answer(&Method::GET, "/readyz", &ready, &metrics());
        assert_eq!(answered.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answered.body, format!("draining\nthe store is not reachable\n{NO_DATABASE}"));
        // Alive all the same: a restart would not help.
        assert_eq!(answer(&Method::GET, "/healthz", &ready, &metrics()).status, StatusCode::OK);
    }

    #[test]
    fn each_path_has_its_answer_and_no_other_exists() {
        let (ready, metrics) = (Readiness::default(), metrics());
        let counters = answer(&Method::GET, "/metrics", &ready, &metrics);
        assert_eq!((counters.status, counters.content_type), (StatusCode::OK, TEXT_FORMAT));
        assert!(counters.body.contains("forebay_process_build_info"));
        for path in ["/", "", "/metrics/", "/Healthz", "/readyz/x", "healthz"] {
            assert_eq!(answer(&Method::GET, path, &ready, &metrics).status, StatusCode::NOT_FOUND, "{path}");
        }
        assert!(needs_probe("/readyz") && !needs_probe("/metrics"));
        for (path, status) in [("/healthz", 405), ("/readyz", 405), ("/metrics", 405), ("/x", 404)] {
            let answered = answer(&Method::POST, path, &ready, &metrics);
            assert_eq!(answered.status, status, "{path}");
            assert_eq!(answered.allow, (status == 405).then_some("GET, HEAD"), "{path}");
        }
    }

    /// Says what it was asked, below `/live/known`.
    struct Echo;

    #[async_trait]
    impl Operations for Echo {
        async fn call(
            &self,
            method: &Method,
            path: &str,
            query: Option<&str>,
            body: Bytes,
        ) -> Option<Answer> {
            match (method.as_str(), path) {
                ("GET" | "POST", "/live/known") => {
                    let query = query.unwrap_or("-");
                    Some(Answer::json(StatusCode::OK, format!("{method} {query} {}", body.len())))
                }
                (_, "/live/known") => Some(Answer::not_allowed("GET, POST")),
                _ => None,
            }
        }
    }

    /// A body in pieces of 1 KiB, that may break off.
    struct Pieces {
        left: usize,
        breaks: bool,
    }

    #[async_trait]
    impl Upload for Pieces {
        async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
            let len = self.left.min(1024);
            self.left -= len;
            match len {
                0 if std::mem::take(&mut self.breaks) => Some(Err(UploadError::Cut("gone".to_owned()))),
                0 => None,
                len => Some(Ok(Bytes::from(vec![b' '; len]))),
            }
        }
    }

    async fn ask(method: Method, path: &str, media: &'static str, left: usize, breaks: bool) -> Answer {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media))]);
        operate(&Echo, &method, path, Some("q"), &headers, &mut Pieces { left, breaks }).await
    }

    #[tokio::test]
    async fn operations_get_the_whole_of_a_small_body_and_nothing_of_a_large_one() {
        let json = "Application/JSON; charset=utf-8";
        for (method, path, media, left, breaks, status, body) in [
            (Method::POST, "/live/known", json, 0, false, 200, "POST q 0"),
            (Method::POST, "/live/known", json, BODY_LIMIT, false, 200, "POST q 65536"),
            (Method::POST, "/live/known", json, BODY_LIMIT + 1, false, 413, "expected at most 65536 bytes\n"),
            (
                Method::POST,
                "/live/known",
                "text/plain",
                0,
                false,
                415,
                "expected content-type: application/json\n",
            ),
            (Method::POST, "/live/other", json, 1, false, 404, "no such path\n"),
            (Method::GET, "/live/known", "", 9, true, 200, "GET q 0"),
            (Method::HEAD, "/live/known", "", 0, false, 200, "GET q 0"),
            (Method::DELETE, "/live/known", "", 9, false, 405, "expected GET, POST\n"),
        ] {
            let answered = ask(method.clone(), path, media, left, breaks).await;
            assert_eq!((answered.status.as_u16(), answered.body.as_str()), (status, body), "{method} {path}");
        }
        assert_eq!(ask(Method::POST, "/live/known", json, 9, true).await.status, StatusCode::BAD_REQUEST);
        assert_eq!(ask(Method::PUT, "/live/known", "", 0, false).await.allow, Some("GET, POST"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_operator_who_sends_no_body_is_not_waited_for() {
        struct Silent;
        #[async_trait]
        impl Upload for Silent {
            async fn next(&mut self) -> Option<Result<Bytes, UploadError>> {
                std::future::pending().await
            }
        }
        let (headers, method) = (HeaderMap::new(), Method::DELETE);
        let answered = operate(&Echo, &method, "/live/known", None, &headers, &mut Silent).await;
        assert_eq!(answered.status, StatusCode::REQUEST_TIMEOUT);
    }

    #[test]
    fn operations_are_asked_for_their_own_paths_alone() {
        for (path, wanted) in [
            ("/live", true),
            ("/live/", true),
            ("/live/x", true),
            ("/purge", true),
            ("/purge/", false),
            ("/lives", false),
            ("/", false),
            ("/x/live", false),
        ] {
            assert_eq!(is_operation(path), wanted, "{path}");
        }
    }
}
