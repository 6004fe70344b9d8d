//! Asking servers: `GET`, some redirects, and no wait without an end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use packager::range::ByteRange;
use rustls::{ClientConfig, RootCertStore};
use tokio::time::timeout;

use super::Location;
use super::fetch::Missed;

/// A client of any server.
#[derive(Debug)]
pub(super) struct Wire(Client<HttpsConnector<HttpConnector>, Empty<Bytes>>);

/// An answer under way: exactly what was asked for.
#[derive(Debug)]
pub(super) struct Answer {
    /// Where it came from in the end.
    pub(super) from: Location,
    body: Incoming,
}

impl Wire {
    /// A client that trusts what the system trusts.
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        // Without any the first server of https is not trusted, and that is said then.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let tls = tls.with_root_certificates(roots).with_no_client_auth();
        let mut sockets = HttpConnector::new();
        sockets.enforce_http(false);
        sockets.set_nodelay(true);
        sockets.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector.wrap_connector(sockets));
        Ok(Self(client))
    }

    /// Asks for a resource, or for a part of one. Cancel-safe.
    pub(super) async fn open(&self, at: &Location, range: Option<ByteRange>) -> Result<Answer, Missed> {
        let mut at = at.clone();
        for _ in 0..=REDIRECTS {
            let answer = self.ask(&at, range).await?;
            if !answer.status().is_redirection() {
                check(&answer, range)?;
                return Ok(Answer { from: at, body: answer.into_body() });
            }
            let to = answer.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| Missed::for_good("expected a redirect that says where, found none"))?;
            at = at.join(to).map_err(Missed::for_good)?;
        }
        Err(Missed::for_good(format!("expected at most {REDIRECTS} redirects, found more")))
    }

    async fn ask(&self, at: &Location, range: Option<ByteRange>) -> Result<Response<Incoming>, Missed> {
        let mut request = Request::get(at.url())
            .header(header::USER_AGENT, concat!("forebay/", env!("CARGO_PKG_VERSION")))
            .header(header::ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            let last = range.end().saturating_sub(1);
            request = request.header(header::RANGE, format!("bytes={}-{last}", range.start()));
        }
        let unasked = |_| Missed::for_good("expected a URI that can be asked for, found another");
        let request = request.body(Empty::new()).map_err(unasked)?;
        match timeout(PATIENCE, self.0.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Missed::for_now(format!("expected an answer, found {}", cause(&error)))),
            Err(_) => Err(Missed::for_now(format!("expected an answer within {PATIENCE:?}, found none"))),
        }
    }
}

impl Answer {
    /// The next bytes; `None` at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Missed> {
        loop {
            return match timeout(PATIENCE, self.body.frame()).await {
                Err(_) => Err(Missed::for_now(format!("expected more within {PATIENCE:?}, found none"))),
                Ok(None) => Ok(None),
                Ok(Some(Err(error))) => {
                    Err(Missed::for_now(format!("expected an answer to its end, found {}", cause(&error))))
                }
                Ok(Some(Ok(frame))) => match frame.into_data() {
                    Ok(bytes) => Ok(Some(bytes)),
                    // Trailers.
                    Err(_) => continue,
                },
            };
        }
    }
}

/// Whether an answer promises what was asked for.
fn check(answer: &Response<Incoming>, range: Option<ByteRange>) -> Result<(), Missed> {
    let expected = if range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let status = answer.status();
    if range.is_some() && status == StatusCode::OK {
        return Err(Missed::for_good(
            "expected a part of it (206), found a server that gives no byte ranges",
        ));
    }
    if status != expected {
        let what = format!("expected {}, found {}", expected.as_u16(), status.as_u16());
        let is_passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        return Err(if is_passing { Missed::for_now(what) } else { Missed::for_good(what) });
    }
    let text = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(text(header::CONTENT_ENCODING), "" | "identity") {
        return Err(Missed::for_good("expected it as it is, found it encoded"));
    }
    let Some(range) = range else { return Ok(()) };
    let promised = format!("bytes {}-{}/", range.start(), range.end().saturating_sub(1));
    match text(header::CONTENT_RANGE).starts_with(&promised) {
        true => Ok(()),
        false => Err(Missed::for_good("expected the part that was asked for, found another")),
    }
}

/// What lies at the bottom of an error: the rest only says that there was one.
fn cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the head of an answer may take, and each piece of its body.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection is kept that nobody needs.
const IDLE: Duration = Duration::from_secs(10);
const REDIRECTS: usize = 5;
