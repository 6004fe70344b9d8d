//! What operators can do to live streams, as a small JSON interface.
//!
//! | request | answer |
//! |---------|--------|
//! | `GET /live` | `{"streams":[…]}`: streams, shows, tracks, where each ends, who sends and who waits |
//! | `POST /live/<stream>/end` | `{"show":3,"ended":true}`: the running show has its last segment |
//! | `POST /live/<stream>/cut` | `{"senders":2}`: the requests of all who send are over; the show waits for them |
//! | `POST /live/<stream>/ranges` | `{"listed":true}`: a date range is listed from now on |

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};
use packager::asset::StreamName;
use packager::live::DateRange;
use serde::{Deserialize, Serialize};

use super::{Answer, Operations, told};
use crate::live::{Live, LiveError, StreamReport};

/// The body of `POST /live/<stream>/ranges`: one `EXT-X-DATERANGE` (RFC 8216bis §4.4.5.1).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeRequest {
    id: String,
    #[serde(default)]
    class: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    start_ms: i64,
    #[serde(default)]
    duration_ms: Option<u64>,
    #[serde(default)]
    planned_ms: Option<u64>,
    /// Names that begin with `X-`.
    #[serde(default)]
    attributes: std::collections::BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Streams {
    streams: Vec<StreamReport>,
}

#[derive(Serialize)]
struct Ended {
    show: u64,
    ended: bool,
}

#[derive(Serialize)]
struct Cut {
    senders: usize,
}

#[derive(Serialize)]
struct Marked {
    listed: bool,
}

#[async_trait]
impl Operations for Live {
    async fn call(&self, method: &Method, path: &str, _: Option<&str>, body: Bytes) -> Option<Answer> {
        let below = path.strip_prefix("/live")?;
        if below.is_empty() {
            return Some(match *method {
                Method::GET => told(&Streams { streams: self.list() }),
                _ => Answer::not_allowed("GET, HEAD"),
            });
        }
        let (stream, what) = below.strip_prefix('/')?.split_once('/')?;
        let stream: StreamName = stream.parse().ok()?;
        if !matches!(what, "end" | "cut" | "ranges") {
            return None;
        }
        if *method != Method::POST {
            return Some(Answer::not_allowed("POST"));
        }
        let done = match what {
            "end" => self.end(&stream).await.map(|(show, ended)| told(&Ended { show: show.0, ended })),
            "cut" => self.cut(&stream).map(|senders| told(&Cut { senders })),
            _ => match serde_json::from_slice::<RangeRequest>(&body) {
                Ok(request) => self.mark(&stream, request.range()).map(|listed| told(&Marked { listed })),
                Err(error) => {
                    return Some(Answer::text(
                        StatusCode::BAD_REQUEST,
                        format!("expected a date range, found {error}\n"),
                    ));
                }
            },
        };
        Some(done.unwrap_or_else(|error| refused(&error)))
    }
}

impl RangeRequest {
    fn range(self) -> DateRange {
        DateRange {
            id: self.id,
            class: self.class,
            start_ms: self.start_ms,
            duration_ms: self.duration_ms,
            planned_ms: self.planned_ms,
            splice: None,
            attributes: self.attributes.into_iter().collect(),
        }
    }
}

fn refused(error: &LiveError) -> Answer {
    let status = match error {
        LiveError::Absent => StatusCode::NOT_FOUND,
        LiveError::Shows(_) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    };
    match error {
        LiveError::Absent => Answer::text(status, "no such stream has a show here\n"),
        other => Answer::text(status, format!("{other}\n")),
    }
}
