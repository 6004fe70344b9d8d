//! Who answers on a listener, and what of a head belongs to the protocol and not to them.

use std::net::IpAddr;

use ::pingora::http::RequestHeader;
use async_trait::async_trait;
use http::{HeaderMap, StatusCode, Version, header};

use super::admin::Admin;
use crate::metrics::TurnedAway;
use crate::service::Failure;
use crate::{Body, Origin, Reply, Upload};

/// Who answers on a listener: the origin, or the operators' pages.
///
/// An answer is a future on the heap, so that an idle connection takes no room for it.
#[async_trait]
pub(super) trait Face: Send + Sync {
    /// Answers a request that came from an address. Cancel-safe for GET and HEAD, whose clients may go away before they
    /// have their answer.
    async fn answer(&self, from: IpAddr, head: &RequestHeader, upload: &mut dyn Upload) -> Reply;

    /// Answers a request whose head could not be read.
    fn refuse(&self, fault: HeadFault) -> Reply;

    /// A connection was closed before anything was read of it, or in the middle of a head.
    fn turned_away(&self, _why: TurnedAway) {}
}

/// What is wrong with a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeadFault {
    /// It breaks the protocol.
    Unreadable,
    /// There is more of it than anybody has to read.
    Large,
    /// It did not come in time.
    Late,
}

impl HeadFault {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Large => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Late => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

#[async_trait]
impl Face for Origin {
    async fn answer(&self, from: IpAddr, head: &RequestHeader, upload: &mut dyn Upload) -> Reply {
        let hosts = head.headers.get_all(header::HOST).iter().count();
        let Some(target) = target(head.raw_path()) else {
            return Self::refuse(self, &Failure::BadRequest("target_form"));
        };
        // RFC 9112 §3.2: one Host, and no HTTP/1.1 without.
        if hosts > 1 || (head.version == Version::HTTP_11 && hosts == 0) {
            return Self::refuse(self, &Failure::BadRequest("host"));
        }
        self.answer_to(Some(from), &head.method, target, &head.headers, upload).await
    }

    fn refuse(&self, fault: HeadFault) -> Reply {
        Self::refuse(
            self,
            &match fault {
                HeadFault::Unreadable => Failure::BadRequest("head"),
                HeadFault::Large => Failure::LargeHeaders,
                HeadFault::Late => Failure::SlowHead,
            },
        )
    }

    fn turned_away(&self, why: TurnedAway) {
        self.metrics().limits().turned_away(why);
    }
}

#[async_trait]
impl Face for Admin {
    async fn answer(&self, _from: IpAddr, head: &RequestHeader, upload: &mut dyn Upload) -> Reply {
        self.reply(head, upload).await
    }

    fn refuse(&self, fault: HeadFault) -> Reply {
        Reply { status: fault.status(), headers: HeaderMap::new(), body: Body::from(String::new()) }
    }
}

/// The path and query of a request target in origin-form or absolute-form (RFC 9112 §3.2).
fn target(raw: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(raw).ok()?;
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match rest {
        None => Some(text),
        Some(rest) => rest.find('/').and_then(|at| rest.get(at..)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_its_path_in_either_form() {
        for (raw, wanted) in [
            ("/a?b", Some("/a?b")),
            ("http://host/a?b", Some("/a?b")),
            ("https://host:1/a", Some("/a")),
            ("http://host", None),
            ("*", Some("*")),
        ] {
            assert_eq!(target(raw.as_bytes()), wanted, "{raw}");
        }
        assert_eq!(target(b"/\xff"), None);
    }
}
