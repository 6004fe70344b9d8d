//! `POST /purge`, and what else operators can do to an origin.
//!
//! | request | answer |
//! |---------|--------|
//! | `POST /purge` with `{"urls":[…],"prefixes":[…],"keys":[…],"all":true,"soft":true}`, each may be left out | `{"purged":3,"kept":true}`: what was named is not served from what is kept, from now on |
//! | `/live`, `/live/…` | see [`super::live`] |
//! | `/clips`, `/clips/…` | see [`super::clips`] |

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, StatusCode};

use super::clips::CLIPS;
use super::{Answer, Operations, PURGE, told};
use crate::service::Service;

#[async_trait]
impl Operations for Service {
    async fn call(&self, method: &Method, path: &str, query: Option<&str>, body: Bytes) -> Option<Answer> {
        if path == CLIPS || path.starts_with("/clips/") {
            return super::clips::call(self, method, path, &body).await;
        }
        if path != PURGE {
            return self.live.call(method, path, query, body).await;
        }
        if *method != Method::POST {
            return Some(Answer::not_allowed("POST"));
        }
        let bad = |text: String| Answer::text(StatusCode::BAD_REQUEST, text + "\n");
        let request = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => return Some(bad(format!("expected what to purge, found {error}"))),
        };
        Some(match self.purge(&request).await {
            Ok(purged) if purged.kept => told(&purged),
            // Said loudly: it is to be asked for again.
            Ok(purged) => Answer { status: StatusCode::SERVICE_UNAVAILABLE, ..told(&purged) },
            Err(error) => bad(error.to_string()),
        })
    }
}
