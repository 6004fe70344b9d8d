//! Clips that somebody makes who holds a token for it: `POST /clips/<stream>`, with the verb manage.

use std::time::Duration;

use authz::{Lifted, Verb};
use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use packager::asset::StreamName;
use serde::Serialize;
use tokio::time::timeout;

use super::lifetime::{Admission, Lifetime};
use super::{Body, Failure, Reply, Service, Upload};
use crate::clips::{Made, OrderRequest};

/// What the maker of a clip is told. What was left out of it is for operators.
#[derive(Serialize)]
struct Told<'a> {
    asset: &'a str,
    revision: &'a str,
    show: u64,
    from_ms: i64,
    to_ms: i64,
    path: &'a str,
}

impl Service {
    /// Makes a clip. The gate is asked before a byte of the body is read.
    pub(super) async fn clip(
        &self,
        lifted: &Lifted<'_>,
        stream: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> Reply {
        let admission = match self.grant(lifted, Verb::Manage) {
            Ok(admission) => admission,
            Err((failure, path)) => return self.failed(&failure, &path, None),
        };
        let made = async {
            self.rates.enter(admission.grant.log_id())?;
            self.make(stream, headers, upload).await
        };
        match made.await {
            Ok(made) => self.made(&made, &admission),
            Err(failure) => self.failed(&failure, lifted.path.as_str(), Some(&admission)),
        }
    }

    async fn make(
        &self,
        stream: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> Result<Made, Failure> {
        let stream: StreamName = stream.parse().map_err(|_| Failure::Unknown)?;
        let clips = self.clips.as_ref().ok_or(Failure::Unknown)?;
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("none");
        // A page of another site cannot send that without asking first (Fetch standard, section 2.2.1), whatever cookies there are.
        if kind.split(';').next().map(str::trim) != Some("application/json") {
            let found: String = kind.chars().take(60).collect();
            return Err(Failure::Order(format!("expected content-type application/json, found {found}")));
        }
        let body = timeout(PATIENCE, whole(upload));
        let body = body.await.map_err(|_| Failure::SlowHead)??;
        let request: OrderRequest = serde_json::from_slice(&body)
            .map_err(|error| Failure::Order(format!("expected a clip, found {error}")))?;
        let order = request.order(Some(stream)).map_err(|what| Failure::Order(what.to_owned()))?;
        Ok(clips.cut(&order).await?)
    }

    fn made(&self, made: &Made, admission: &Admission) -> Reply {
        let Made { asset, revision, show, from_ms, to_ms, path, .. } = made;
        let told = Told {
            asset: asset.as_str(),
            revision: revision.as_str(),
            show: *show,
            from_ms: *from_ms,
            to_ms: *to_ms,
            path,
        };
        // Nothing in it fails to be written.
        let text = serde_json::to_string(&told).unwrap_or_default() + "\n";
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CONTENT_LENGTH, text.len().into());
        headers.insert(header::CACHE_CONTROL, Lifetime::Never.header(Some(admission), self.clock.now()));
        Reply { status: StatusCode::CREATED, headers, body: Body::from(text) }
    }
}

/// A small body.
async fn whole(upload: &mut dyn Upload) -> Result<BytesMut, Failure> {
    let mut body = BytesMut::new();
    while let Some(piece) = upload.next().await {
        let piece = piece.map_err(|error| Failure::Order(error.to_string()))?;
        if body.len() + piece.len() > LARGEST {
            return Err(Failure::Order(format!("expected at most {LARGEST} bytes, found more")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// For the body of an order.
const PATIENCE: Duration = Duration::from_secs(10);
const LARGEST: usize = 4096;
