//! What is sent here: the tracks of live streams, and orders of clips.

use std::net::IpAddr;

use authz::Verb;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use transcoder::live::relay::TRACK_END;

use super::lifetime::Lifetime;
use super::{Body, Failure, Reply, Service, Upload};
use crate::live::{LiveError, Received, Target};
use crate::metrics::RouteKind;

impl Service {
    /// What a sender sends. The gate is asked before a byte of the body is.
    ///
    /// A sender is let send as often as it likes; who may not send is counted as everybody is.
    pub(super) async fn receive(
        &self,
        from: Option<IpAddr>,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> (RouteKind, Reply) {
        let refused = |failure: &Failure, path: &str| (RouteKind::Ingest, self.failed(failure, path, None));
        let unknown = |failure: Failure, path: &str| {
            refused(&self.rates.ask(from, headers).err().unwrap_or(failure), path)
        };
        if let Err(failure) = self.check_head(target, headers) {
            return unknown(failure, "");
        }
        let lifted = match self.carrier.lift(target, headers) {
            Ok(lifted) => lifted,
            Err(fault) => return unknown(Failure::Target(fault), ""),
        };
        let path = lifted.path.as_str();
        if let Some(stream) = path.strip_prefix("/clips/").filter(|_| *method == Method::POST) {
            if let Err(failure) = self.rates.ask(from, headers) {
                return (RouteKind::Clips, self.failed(&failure, path, None));
            }
            return (RouteKind::Clips, Box::pin(self.clip(&lifted, stream, headers, upload)).await);
        }
        let Some(below) = path.strip_prefix("/ingest/") else {
            return unknown(Failure::Method, path);
        };
        if let Err((failure, path)) = self.grant(&lifted, Verb::Publish) {
            return unknown(failure, &path);
        }
        let target = Target::parse(below);
        let received = match (&target, method) {
            (None, _) => Err(LiveError::Target),
            // Senders of objects take away what has left their manifest; ours has a window of its own.
            (Some(_), &Method::DELETE) => Ok(Received::default()),
            (Some(target), _) => {
                let may_go_on = || self.grant(&lifted, Verb::Publish).is_ok();
                self.live.ingest(target, upload, &may_go_on).await
            }
        };
        match received {
            Ok(_) => {
                let mut headers = HeaderMap::with_capacity(4);
                headers.insert(header::CACHE_CONTROL, Lifetime::Never.header(None, self.clock.now()));
                let status = if *method == Method::DELETE { StatusCode::NO_CONTENT } else { StatusCode::OK };
                if status == StatusCode::OK {
                    headers.insert(header::CONTENT_LENGTH, 0.into());
                    // Who goes on with the track, here or after a restart, sends what follows.
                    let end = target.and_then(|target| self.live.end_of(&target));
                    headers.extend(end.map(|end| (TRACK_END, HeaderValue::from(end))));
                }
                (RouteKind::Ingest, Reply { status, headers, body: Body::empty() })
            }
            Err(error) => refused(&Failure::Live(error), path),
        }
    }
}

/// Whether a method brings something.
pub(super) fn is_sending(method: &Method) -> bool {
    matches!(*method, Method::PUT | Method::POST | Method::DELETE)
}
