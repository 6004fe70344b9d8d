//! The operators' listener: translates between a session and `crate::admin`.

use std::sync::Arc;
use std::time::Duration;

use ::pingora::http::RequestHeader;
use http::{HeaderMap, HeaderValue, Method, header};
use tokio::time::timeout;

use crate::admin::{
    Answer, Operations, Readiness, answer, ask, is_operation, needs_catalog, needs_probe, operate,
};
use crate::catalog::Catalog;
use crate::metrics::Metrics;
use crate::shutdown::Signal;
use crate::store::Store;
use crate::{Body, Reply, Upload};

/// What operators are told about, and what they may do.
pub struct Admin {
    /// Asked whether it answers.
    pub store: Store,
    /// Asked whether it answers.
    pub catalog: Arc<dyn Catalog>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the process is ending.
    pub signal: Signal,
    /// Who answers below `/live`; nothing is there without.
    pub operations: Option<Arc<dyn Operations>>,
}

impl Admin {
    pub(super) async fn reply(&self, head: &RequestHeader, upload: &mut dyn Upload) -> Reply {
        let (method, path) = (&head.method, head.uri.path());
        let answer = match &self.operations {
            Some(operations) if is_operation(path) => {
                operate(operations.as_ref(), method, path, head.uri.query(), &head.headers, upload).await
            }
            _ => {
                let readiness = match needs_probe(path) {
                    true => {
                        let catalog = self.catalog.as_ref();
                        Readiness::probe(&self.store, catalog, &self.metrics, &self.signal).await
                    }
                    false => Readiness::default(),
                };
                if needs_catalog(path) {
                    // Whether or not it answers in time, the counters are told; its age says which.
                    let _ = timeout(SCRAPE, ask(self.catalog.as_ref(), &self.metrics)).await;
                }
                answer(method, path, &readiness, &self.metrics)
            }
        };
        translate(answer, *method == Method::HEAD)
    }
}

fn translate(answer: Answer, head: bool) -> Reply {
    let mut headers = HeaderMap::new();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_LENGTH, answer.body.len().into());
    headers.extend(answer.allow.map(|allow| (header::ALLOW, HeaderValue::from_static(allow))));
    let body = if head { String::new() } else { answer.body };
    Reply { status: answer.status, headers, body: Body::from(body) }
}

/// How long the counters wait for the catalogue; who collects them waits for ten seconds as a rule.
const SCRAPE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn an_answer_is_never_stored_and_names_the_methods_it_was_not_asked_with() {
        let reply = translate(Answer::not_allowed("GET, POST"), false);
        assert_eq!(reply.status, StatusCode::METHOD_NOT_ALLOWED);
        for (name, value) in [
            (header::ALLOW, "GET, POST"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CONTENT_LENGTH, "19"),
        ] {
            assert_eq!(reply.headers.get(&name).unwrap(), value, "{name}");
        }
        assert_eq!(reply.body.left(), 19);
        let reply = translate(Answer::json(StatusCode::OK, "{}"), true);
        assert_eq!(reply.headers.get(header::CONTENT_TYPE).unwrap(), "application/json");
        assert_eq!(
            (reply.headers.get(header::CONTENT_LENGTH).unwrap(), reply.body.left()),
            (&"2".parse().unwrap(), 0)
        );
    }
}
