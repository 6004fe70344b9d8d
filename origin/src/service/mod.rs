//! What happens to a request, whoever carries it.
//!
//! ```text
//! rates ─▶ head ─▶ carrier ─▶ gate ─▶ rates ─▶ route ─▶ answers ─▶ room ─▶ conditional ─▶ Reply
//! 429      414     400        401     429      404      503        404     304 206 416    200
//!          431                403                                  422 503
//! ```

mod answers;
mod client;
mod clipping;
mod conditional;
mod failure;
mod found;
mod lifetime;
mod live;
mod pages;
mod purge;
mod rates;
mod reply;
mod route;
mod sending;
mod surrogate;

use std::net::IpAddr;
use std::sync::Arc;

use authz::{Carrier, Gate, Lifted, Policy, Verb};
use bytes::Bytes;
use http::header::{self, HeaderName};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use packager::presentation::Rendition;
use packager::range::ByteRange;

pub(crate) use crate::upload::Foreign;
pub use crate::upload::{NoUpload, Upload, UploadError};
pub(crate) use answers::Answers;
pub use client::AskedFrom;
pub(crate) use failure::{Failure, clip_status};
pub use pages::{Page, Pages};
pub use purge::{PurgeError, PurgeRequest, Purged};
pub(crate) use rates::Rates;
pub use reply::{Body, BodyError, Reply};

use conditional::{Wanted, decide};
use failure::Loudness;
use found::{Found, Source};
use lifetime::{Admission, Lifetime};
use route::{Place, Route};
use surrogate::Surrogate;

use crate::clips::Clips;
use crate::clock::Clock;
use crate::config::AllowOrigin;
use crate::keyring::Keyring;
use crate::live::Live;
use crate::metrics::{CacheResult, Class, InFlight, Metrics, RouteKind};
use crate::text::Coding;
use crate::vod::{LoadedAsset, Vod, VodError};

/// The service: what `Origin` hands every request to.
pub(crate) struct Service {
    pub(crate) vod: Arc<Vod>,
    pub(crate) live: Arc<Live>,
    /// What is made of recorded shows; `None` where it could not be published.
    pub(crate) clips: Option<Arc<Clips>>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) policy: Arc<Policy>,
    pub(crate) carrier: Carrier,
    pub(crate) clock: Clock,
    pub(crate) rates: Rates,
    pub(crate) answers: Arc<Answers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) pages: Arc<dyn Fn() -> Arc<Pages> + Send + Sync>,
    pub(crate) cors: AllowOrigin,
    pub(crate) limits: HeadLimits,
}

/// What a request's head may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadLimits {
    pub(crate) target: usize,
    pub(crate) headers: usize,
}

impl Service {
    /// Answers a request. Never fails: what goes wrong is an answer too. Only what is sent to a live stream has a body
    /// that is read.
    pub(crate) async fn answer(
        &self,
        from: Option<IpAddr>,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        upload: &mut dyn Upload,
    ) -> Reply {
        let request = self.metrics.begin();
        let (kind, reply) = match self.preflight(method, target, headers) {
            Some(reply) => (RouteKind::Preflight, reply),
            None if sending::is_sending(method) => {
                Box::pin(self.receive(from, method, target, headers, upload)).await
            }
            None => match self.rates.ask(from, headers) {
                Ok(()) => self.serve(method, target, headers).await,
                Err(failure) => (RouteKind::Unknown, self.failed(&failure, "", None)),
            },
        };
        self.finish(reply, request, kind, *method == Method::HEAD)
    }

    /// Answers a request whose head could not even be read.
    pub(crate) fn refuse(&self, failure: &Failure) -> Reply {
        let request = self.metrics.begin();
        let reply = self.failed(failure, "", None);
        self.finish(reply, request, RouteKind::Unknown, false)
    }

    /// Whether this target and these headers are within the limits.
    fn check_head(&self, target: &str, headers: &HeaderMap) -> Result<(), Failure> {
        let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        match () {
            () if target.len() > self.limits.target => Err(Failure::LongTarget),
            () if size > self.limits.headers || headers.len() > HEADERS => Err(Failure::LargeHeaders),
            () if !target.starts_with('/') => Err(Failure::BadRequest("target_form")),
            () => Ok(()),
        }
    }

    /// `OPTIONS` is answered without a token: a browser sends none with a preflight (Fetch standard, §4.8).
    fn preflight(&self, method: &Method, target: &str, headers: &HeaderMap) -> Option<Reply> {
        if *method != Method::OPTIONS {
            return None;
        }
        if target != "*" && self.check_head(target, headers).is_err() {
            return None;
        }
        let mut reply =
            Reply { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::empty() };
        let out = &mut reply.headers;
        out.insert(header::ALLOW, METHODS);
        out.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        out.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static("Authorization, Range, If-None-Match"),
        );
        out.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        out.insert(header::CACHE_CONTROL, Lifetime::Day.header(None, self.clock.now()));
        Some(reply)
    }

    async fn serve(&self, method: &Method, target: &str, headers: &HeaderMap) -> (RouteKind, Reply) {
        let (mut route, mut admission) = match self.admit(method, target, headers) {
            Ok(admitted) => admitted,
            Err((failure, path)) => return (RouteKind::Unknown, self.failed(&failure, &path, None)),
        };
        if let Err(failure) = self.rates.enter(admission.grant.log_id()) {
            return (route.kind(), self.failed(&failure, target_of(&route), Some(&admission)));
        }
        let found = match &route {
            Route::Live(live) => {
                let query = target.split_once('?').map_or("", |(_, query)| query);
                match Box::pin(self.find_live(live, query, headers, &admission)).await {
                    Ok(held) if held.waited => {
                        // A token may have expired, or a key may have been revoked, in the meantime.
                        (route, admission) = match self.admit(method, target, headers) {
                            Ok(admitted) => admitted,
                            Err((failure, path)) => {
                                return (route.kind(), self.failed(&failure, &path, None));
                            }
                        };
                        Ok(held.value)
                    }
                    held => held.map(|held| held.value),
                }
                .and_then(|found| Ok((self.answers.begin(found.class)?, found)))
            }
            // To find it is work already.
            route => match self.answers.begin(Class::Vod) {
                Ok(underway) => self.find(route, headers).await.map(|found| (underway, found)),
                Err(failure) => Err(failure),
            },
        };
        let mut also_of = None;
        let answer = match found {
            Ok((underway, mut found)) => {
                also_of = found.also_of.take();
                self.deliver(method, headers, found, &admission).await.map(|mut reply| {
                    reply.body = reply.body.underway(Some(underway));
                    reply
                })
            }
            Err(failure) => Err(failure),
        };
        let mut reply =
            answer.unwrap_or_else(|failure| self.failed(&failure, target_of(&route), Some(&admission)));
        let keys = surrogate::keys(&route, also_of.as_ref());
        reply.headers.extend(keys.map(|keys| (surrogate::KEYS, keys)));
        (route.kind(), reply)
    }

    /// From a head to a route and the grant to take it; or why not, with the path as far as it is known.
    fn admit(
        &self,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
    ) -> Result<(Route, Admission), (Failure, String)> {
        let nowhere = |failure| (failure, String::new());
        self.check_head(target, headers).map_err(nowhere)?;
        if !matches!(*method, Method::GET | Method::HEAD) {
            return Err(nowhere(Failure::Method));
        }
        let lifted = self.carrier.lift(target, headers).map_err(|fault| nowhere(Failure::Target(fault)))?;
        let admission = self.grant(&lifted, Verb::Play)?;
        Ok((Route::parse(&lifted.path), admission))
    }

    fn grant(&self, lifted: &Lifted<'_>, verb: Verb) -> Result<Admission, (Failure, String)> {
        let gate = Gate::new(Arc::clone(&self.policy), self.keyring.current());
        let grant = gate.admit(lifted.token, verb, &lifted.path, self.clock.now()).map_err(|denial| {
            self.metrics.denied(denial);
            (Failure::Denied(denial), lifted.path.as_str().to_owned())
        })?;
        Ok(Admission { grant, transport: lifted.transport })
    }

    async fn find(&self, route: &Route, headers: &HeaderMap) -> Result<Found, Failure> {
        match route {
            Route::Main(asset) => {
                let loaded = self.vod.current(asset).await?;
                let (text, result) = self.vod.multivariant(asset, &loaded).await?;
                let door = Lifetime::Door(loaded.presentation.target_duration());
                let revision = Surrogate::Revision(asset.clone(), loaded.revision.clone());
                Ok(Found::playlist(&text, door, headers).looked_up(result).also_of(revision))
            }
            Route::Playlist(place) => {
                let (loaded, rendition) = self.rendition(place).await?;
                let (text, result) = self.vod.media_playlist(&place.asset, &loaded, &rendition).await?;
                Ok(Found::playlist(&text, Lifetime::Immutable, headers).looked_up(result))
            }
            Route::Init(place) => {
                let (loaded, result) = self.vod.revision(&place.asset, &place.revision).await?;
                let (rendition, bytes, tag) = loaded.init(&place.rendition)?;
                Ok(Found::init(rendition, bytes.clone(), tag).looked_up(result))
            }
            Route::Segment(place, msn) => {
                let (asset, rendition) = self.rendition(place).await?;
                Ok(Found::segment(asset, rendition, *msn)?)
            }
            Route::Page(path) => {
                let pages = (self.pages)();
                let page = pages.find(path).ok_or(Failure::Unknown)?;
                Ok(Found::page(page, &pages))
            }
            Route::Live(_) | Route::Unknown => Err(Failure::Unknown),
        }
    }

    async fn rendition(&self, place: &Place) -> Result<(Arc<LoadedAsset>, Arc<Rendition>), Failure> {
        let (loaded, _) = self.vod.revision(&place.asset, &place.revision).await?;
        let rendition = loaded.presentation.rendition(place.rendition.as_str()).cloned();
        Ok((loaded, rendition.ok_or(VodError::Absent)?))
    }

    async fn deliver(
        &self,
        method: &Method,
        headers: &HeaderMap,
        found: Found,
        admission: &Admission,
    ) -> Result<Reply, Failure> {
        let tag = found.tag();
        let wanted = match found.coding {
            // A range of a compressed body would be of bytes that no other coding has.
            Some(Coding::Gzip) => decide(&Method::HEAD, headers, tag, found.len),
            _ => decide(method, headers, tag, found.len),
        };
        let (status, window) = match wanted {
            Wanted::Failed => return Err(Failure::Precondition),
            Wanted::NotModified => (StatusCode::NOT_MODIFIED, ByteRange::default()),
            Wanted::Whole => (StatusCode::OK, ByteRange::new(0, found.len)),
            Wanted::Part(window) => (StatusCode::PARTIAL_CONTENT, window),
            Wanted::Unsatisfiable => (StatusCode::RANGE_NOT_SATISFIABLE, ByteRange::default()),
        };
        let mut reply = Reply { status, headers: found.headers(status, window), body: Body::empty() };
        let mut looked_up = found.looked_up;
        let lifetime =
            if status == StatusCode::RANGE_NOT_SATISFIABLE { Lifetime::Moment } else { found.lifetime };
        if *method == Method::GET && !window.is_empty() {
            let (body, result) = self.body(found.source, window).await?;
            reply.body = body;
            looked_up = looked_up.or(result);
        }
        reply.headers.extend(looked_up.map(|result| (CACHE_STATUS, cache_status(result))));
        // After the store has answered: while it is slow, the token grows older.
        reply.headers.insert(header::CACHE_CONTROL, lifetime.header(Some(admission), self.clock.now()));
        Ok(reply)
    }

    async fn body(&self, source: Source, window: ByteRange) -> Result<(Body, Option<CacheResult>), Failure> {
        match source {
            Source::Bytes(bytes) => {
                let start = usize::try_from(window.start()).unwrap_or(usize::MAX).min(bytes.len());
                let end = usize::try_from(window.end()).unwrap_or(usize::MAX).min(bytes.len());
                Ok((Body::one(bytes.slice(start..end)), None))
            }
            Source::Media(media) => Ok((Body::rope(media.pieces(), window), None)),
            Source::Kept(kept) => {
                let pieces = self.live.read(&kept, window).await.map_err(failure::kept)?;
                let result = pieces.result();
                Ok((Body::kept(pieces, window.len()), result))
            }
            Source::Segment { asset, rendition, msn } => {
                let pieces = self.vod.stream(&asset, &rendition, msn, window).await?;
                let result = pieces.result();
                Ok((Body::media(pieces, window.len()), result))
            }
        }
    }

    /// The answer to a failure, logged as loudly as it deserves. `path` never holds a token.
    fn failed(&self, failure: &Failure, path: &str, admission: Option<&Admission>) -> Reply {
        let public = failure.public();
        let (status, reason) = (public.status.as_u16(), failure.reason());
        let cause = match failure {
            Failure::Vod(error) => error.chain(),
            _ => String::new(),
        };
        let grant = admission.and_then(|a| a.grant.log_id()).map(tracing::field::display);
        match public.loudness {
            Loudness::Quiet => tracing::debug!(status, reason, path, grant, "not served"),
            Loudness::Noted => tracing::info!(status, reason, path, "denied"),
            Loudness::Warned => tracing::warn!(status, reason, path, grant, cause, "cannot serve"),
        }
        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(header::CONTENT_TYPE, TEXT);
        headers.insert(header::CONTENT_LENGTH, public.text.len().into());
        headers.insert(header::CACHE_CONTROL, public.lifetime.header(admission, self.clock.now()));
        if let Some(after) = failure.retry_after() {
            headers.insert(header::RETRY_AFTER, after.into());
        }
        match public.status {
            // RFC 9110 §11.6.1: a 401 names a scheme.
            StatusCode::UNAUTHORIZED => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::REQUEST_TIMEOUT => {
                headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, METHODS);
            }
            _ => {}
        }
        Reply { status: public.status, headers, body: Body::one(Bytes::from(public.text.into_owned())) }
    }

    /// What every answer has.
    fn finish(&self, mut reply: Reply, request: InFlight, kind: RouteKind, head: bool) -> Reply {
        let headers = &mut reply.headers;
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let origin = match &self.cors {
            AllowOrigin::Any => Some(HeaderValue::from_static("*")),
            AllowOrigin::One(origin) => HeaderValue::from_str(origin).ok(),
            AllowOrigin::None => None,
        };
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
            headers.insert(TIMING, origin);
        }
        if head {
            reply.body = Body::empty();
        }
        reply.body = reply.body.counted(Arc::clone(&self.metrics), request, kind, reply.status);
        reply
    }
}

/// Where the media came from (RFC 9211).
fn cache_status(result: CacheResult) -> HeaderValue {
    HeaderValue::from_static(match result {
        CacheResult::Hit => "forebay; hit",
        // Nobody knows for how long it was good.
        CacheResult::Stale => "forebay; hit; ttl=0; detail=purged",
        CacheResult::Miss => "forebay; fwd=miss",
        CacheResult::Joined => "forebay; fwd=miss; collapsed",
    })
}

/// What the log says of a route.
fn target_of(route: &Route) -> &str {
    match route {
        Route::Main(asset) => asset.as_str(),
        Route::Playlist(place) | Route::Init(place) | Route::Segment(place, _) => place.asset.as_str(),
        Route::Live(live) => live.stream().as_str(),
        Route::Page(path) => path,
        Route::Unknown => "",
    }
}

/// As many headers as Pingora reads over HTTP/1; over HTTP/2 it would take thousands of small ones.
const HEADERS: usize = 256;
const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, OPTIONS");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
/// hls.js reads `Age` to find the live edge; without `Date` and lengths it cannot measure.
const EXPOSED: HeaderValue =
    HeaderValue::from_static("Age, Cache-Status, Date, ETag, Content-Length, Content-Range");
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
const TIMING: HeaderName = HeaderName::from_static("timing-allow-origin");
