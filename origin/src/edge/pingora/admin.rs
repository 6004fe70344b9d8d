//! The operators' listener: translates between a session and `crate::admin`.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::admin::{Readiness, answer, needs_probe};
use crate::catalog::Catalog;
use crate::metrics::Metrics;
use crate::shutdown::Signal;
use crate::store::Store;
use crate::{Body, Reply};

/// What operators are told about.
pub struct Admin {
    /// Asked whether it answers.
    pub store: Store,
    /// Asked whether it answers.
    pub catalog: Arc<dyn Catalog>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Whether the process is ending.
    pub signal: Signal,
}

impl Admin {
    pub(super) async fn reply(&self, method: &Method, path: &str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if !matches!(*method, Method::GET | Method::HEAD) {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Reply {
                status: StatusCode::METHOD_NOT_ALLOWED,
                headers,
                body: Body::from(String::new()),
            };
        }
        let readiness = match needs_probe(path) {
            true => Readiness::probe(&self.store, self.catalog.as_ref(), &self.signal).await,
            false => Readiness::default(),
        };
        let answer = answer(path, &readiness, &self.metrics);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
        headers.insert(header::CONTENT_LENGTH, answer.body.len().into());
        let body = if *method == Method::HEAD { String::new() } else { answer.body };
        Reply { status: answer.status, headers, body: Body::from(body) }
    }
}
