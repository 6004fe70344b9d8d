//! The listener of other nodes: translates between a session and `cache::peers`.

use std::net::IpAddr;

use ::pingora::http::RequestHeader;
use async_trait::async_trait;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::face::{Face, HeadFault};
use crate::cache::{Answering, Refusal};
use crate::metrics::PeerAnswer;
use crate::{Body, Reply, Upload};

#[async_trait]
impl Face for Answering {
    async fn answer(&self, _: IpAddr, head: &RequestHeader, _: &mut dyn Upload) -> Reply {
        let Some(target) = std::str::from_utf8(head.raw_path()).ok().filter(|_| head.method == Method::GET)
        else {
            return refused(StatusCode::BAD_REQUEST);
        };
        match Self::answer(self, target, &head.headers).await {
            Ok(pieces) => {
                let mut headers = unstored();
                headers.insert(header::CONTENT_LENGTH, pieces.length().into());
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
                Reply { status: StatusCode::OK, headers, body: Body::blocks(pieces) }
            }
            Err(refusal) => {
                tracing::debug!(%refusal, "another node is not answered");
                refused(status(&refusal))
            }
        }
    }

    fn refuse(&self, fault: HeadFault) -> Reply {
        refused(fault.status())
    }
}

/// Who asks goes to the store in each case, and passes this node over for a moment where it is not the object.
fn status(refusal: &Refusal) -> StatusCode {
    match refusal.counted() {
        PeerAnswer::Ok => StatusCode::OK,
        PeerAnswer::Denied => StatusCode::UNAUTHORIZED,
        PeerAnswer::Looped => StatusCode::LOOP_DETECTED,
        PeerAnswer::Malformed => StatusCode::BAD_REQUEST,
        PeerAnswer::NotFound => StatusCode::NOT_FOUND,
        PeerAnswer::Changed => StatusCode::CONFLICT,
        PeerAnswer::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn refused(status: StatusCode) -> Reply {
    Reply { status, headers: unstored(), body: Body::from(String::new()) }
}

fn unstored() -> HeaderMap {
    HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))])
}
