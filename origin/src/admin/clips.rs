//! Clips of recorded shows, as a small JSON interface.
//!
//! | request | answer |
//! |---------|--------|
//! | `GET /clips` | `{"clips":[…]}`: each revision of an asset that is made of a show |
//! | `POST /clips` with `{"stream":"gala","show":7,"from_ms":…,"to_ms":…,"asset":"best-of"}` | 201 `{"asset":"best-of","revision":"1","path":"/vod/best-of/main.m3u8",…}` |
//! | `POST /clips/<asset>/remove` | `{"removed":true}`: it is served no more, here at once and elsewhere within a second |
//!
//! `from_ms` and `to_ms` are dates, in milliseconds since 1970-01-01 UTC; `from_s` and `to_s` are seconds since the show's first
//! picture. Without any of them all of the show is meant. `show` and `asset` may be left out.

use bytes::Bytes;
use http::{Method, StatusCode};
use packager::asset::AssetName;
use serde::Serialize;

use super::{Answer, told};
use crate::clips::{ClipError, ClipReport, Clips, OrderRequest};
use crate::service::{PurgeRequest, Service, clip_status};

pub(super) const CLIPS: &str = "/clips";

#[derive(Serialize)]
struct Listed {
    clips: Vec<ClipReport>,
}

#[derive(Serialize)]
struct Removed {
    removed: bool,
}

/// The answer to a request for `/clips`, or a path below it.
pub(super) async fn call(service: &Service, method: &Method, path: &str, body: &Bytes) -> Option<Answer> {
    let below = path.strip_prefix(CLIPS)?;
    let asset = match below.strip_prefix('/') {
        None => None,
        Some(rest) => Some(rest.strip_suffix("/remove")?.parse::<AssetName>().ok()?),
    };
    let Some(clips) = &service.clips else {
        let why = "expected shows that are recorded, found archive.record = false\n";
        return Some(Answer::text(StatusCode::CONFLICT, why));
    };
    let done = match (asset, method) {
        (None, &Method::GET) => clips.list().await.map(|clips| told(&Listed { clips })),
        (None, &Method::POST) => cut(clips, body).await,
        (Some(asset), &Method::POST) => remove(service, clips, &asset).await,
        (None, _) => return Some(Answer::not_allowed("GET, HEAD, POST")),
        (Some(_), _) => return Some(Answer::not_allowed("POST")),
    };
    Some(done.unwrap_or_else(|error| refused(&error)))
}

async fn cut(clips: &Clips, body: &Bytes) -> Result<Answer, ClipError> {
    let bad = |what: String| Answer::text(StatusCode::BAD_REQUEST, what + "\n");
    let request: OrderRequest = match serde_json::from_slice(body) {
        Ok(request) => request,
        Err(error) => return Ok(bad(format!("expected a clip, found {error}"))),
    };
    let order = match request.order(None) {
        Ok(order) => order,
        Err(what) => return Ok(bad(what.to_owned())),
    };
    let made = clips.cut(&order).await?;
    Ok(Answer { status: StatusCode::CREATED, ..told(&made) })
}

async fn remove(service: &Service, clips: &Clips, asset: &AssetName) -> Result<Answer, ClipError> {
    clips.remove(asset).await?;
    let keys = vec![format!("asset/{asset}")];
    // What this origin keeps of it goes at once; others ask the catalogue within a second.
    let purged = service.purge(&PurgeRequest { keys, ..PurgeRequest::default() }).await;
    if let Err(error) = purged {
        tracing::warn!(%asset, %error, "what is kept of a clip was not purged");
    }
    Ok(told(&Removed { removed: true }))
}

fn refused(error: &ClipError) -> Answer {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        // What is transparent says the same as its source.
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    Answer::text(clip_status(error), text + "\n")
}
