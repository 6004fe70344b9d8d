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
use packager::asset::{AssetName, ShowId, StreamName};
use serde::{Deserialize, Serialize};

use super::{Answer, told};
use crate::clips::{ClipError, ClipReport, Clips, Order, Piece};
use crate::service::{PurgeRequest, Service};

pub(super) const CLIPS: &str = "/clips";

/// The body of `POST /clips`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct OrderRequest {
    stream: StreamName,
    #[serde(default)]
    show: Option<u64>,
    #[serde(default)]
    from_ms: Option<i64>,
    #[serde(default)]
    to_ms: Option<i64>,
    #[serde(default)]
    from_s: Option<f64>,
    #[serde(default)]
    to_s: Option<f64>,
    #[serde(default)]
    asset: Option<AssetName>,
}

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
    let order = match request.order() {
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

impl OrderRequest {
    fn order(self) -> Result<Order, &'static str> {
        let millis = |seconds: f64| {
            let millis = (seconds * 1000.0).round();
            // The bounds are whole numbers, and far from where a float has none.
            #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds")]
            (0.0..=1e12).contains(&millis).then_some(millis as i64)
        };
        let piece = match (self.from_ms, self.to_ms, self.from_s, self.to_s) {
            (None, None, None, None) => Piece::Whole,
            (Some(from), Some(to), None, None) => Piece::Dates(from, to),
            (None, None, Some(from), Some(to)) => match (millis(from), millis(to)) {
                (Some(from), Some(to)) => Piece::Times(from, to),
                _ => return Err("expected from_s and to_s from 0 to 1000000000"),
            },
            _ => return Err("expected from_ms and to_ms, from_s and to_s, or none of them, found others"),
        };
        let show = match self.show {
            Some(0) => return Err("expected the number of a show from 1, found 0"),
            show => show.map(ShowId),
        };
        Ok(Order { stream: self.stream, show, piece, asset: self.asset })
    }
}

fn refused(error: &ClipError) -> Answer {
    let status = match error {
        ClipError::NoShow | ClipError::NoClip(_) => StatusCode::NOT_FOUND,
        ClipError::Empty | ClipError::Name(_) => StatusCode::BAD_REQUEST,
        ClipError::Nothing { .. } | ClipError::Taken(_) | ClipError::Expired | ClipError::Superseded(_) => {
            StatusCode::CONFLICT
        }
        ClipError::Unfit { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        ClipError::Live(_)
        | ClipError::Store(_)
        | ClipError::Recordings(_)
        | ClipError::Publishing(_)
        | ClipError::Ending => StatusCode::SERVICE_UNAVAILABLE,
    };
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
    Answer::text(status, text + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Result<Order, String> {
        let request: OrderRequest = serde_json::from_str(text).map_err(|error| error.to_string())?;
        request.order().map_err(str::to_owned)
    }

    #[test]
    fn a_piece_is_dates_or_seconds_or_all_of_it() {
        let piece = |text: &str| order(text).map(|order| order.piece);
        assert_eq!(piece(r#"{"stream":"gala"}"#), Ok(Piece::Whole));
        assert_eq!(piece(r#"{"stream":"gala","from_ms":1,"to_ms":2}"#), Ok(Piece::Dates(1, 2)));
        assert_eq!(piece(r#"{"stream":"gala","from_s":1.5,"to_s":2.0004}"#), Ok(Piece::Times(1500, 2000)));
        for wrong in [
            r#"{"stream":"gala","from_ms":1}"#,
            r#"{"stream":"gala","from_ms":1,"to_s":2}"#,
            r#"{"stream":"gala","from_s":-1,"to_s":2}"#,
            r#"{"stream":"gala","from_s":0,"to_s":1e300}"#,
            r#"{"stream":"gala","show":0}"#,
            r#"{"stream":"../gala"}"#,
            r#"{"stream":"gala","from":1}"#,
            r#"{"stream":"gala","asset":"a/b"}"#,
            "{}",
        ] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
        assert_eq!(order(r#"{"stream":"gala","show":7}"#).unwrap().show, Some(ShowId(7)));
    }
}
