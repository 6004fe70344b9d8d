//! Connections to an origin, and what is asked of it.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response, Uri, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use packager::time::{MediaTime, Timescale};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Cause;

/// In an origin's answer to a sender: where the track ends there, in microseconds since 1970-01-01 UTC, whether all of it is
/// listed yet or not. Missing where it has nothing of the track.
pub const TRACK_END: HeaderName = HeaderName::from_static("forebay-track-end");

/// What is sent.
pub(super) type Body = BoxBody<Bytes, Infallible>;

/// A connection, and the task that drives it: it ends when this is dropped.
pub(super) async fn open(
    target: &Uri,
) -> Result<(http1::SendRequest<Body>, JoinSet<hyper::Result<()>>), Cause> {
    let connection =
        timeout(PATIENCE, connect(target)).await.map_err(|_| "expected a connection, found none")??;
    let (requests, connection) = http1::handshake(TokioIo::new(connection)).await?;
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    Ok((requests, driver))
}

/// Where a track ends there; `None` where nothing of it is.
pub(super) async fn track_end(target: &Uri) -> Result<Option<MediaTime>, Cause> {
    let (mut requests, _driver) = open(target).await?;
    let question = post(target, BoxBody::new(Empty::new()))?;
    let answer = timeout(PATIENCE, requests.send_request(question)).await;
    let answer = answer.map_err(|_| "expected an answer, found none")??;
    let status = answer.status();
    let end = answer.headers().get(&TRACK_END).and_then(|end| end.to_str().ok()?.parse().ok());
    match status.is_success() {
        true => Ok(end.map(|micros| MediaTime::new(micros, Timescale::MICROS))),
        false => Err(format!("{status}: {}", first_line(answer).await).into()),
    }
}

/// A request of a sender.
pub(super) fn post(target: &Uri, body: Body) -> Result<Request<Body>, http::Error> {
    let path = target.path_and_query().map_or("/", |path| path.as_str());
    let host = target.authority().map_or("", |authority| authority.as_str());
    Request::post(path).header(header::HOST, host).header(header::CONTENT_TYPE, "video/mp4").body(body)
}

/// What an answer says first.
pub(super) async fn first_line(answer: Response<Incoming>) -> String {
    let text = timeout(PATIENCE, Limited::new(answer.into_body(), LONGEST_TEXT).collect()).await;
    let text = text.ok().and_then(Result::ok).map(|text| text.to_bytes()).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().next().unwrap_or_default().to_owned()
}

async fn connect(target: &Uri) -> Result<TcpStream, Cause> {
    let host = target.host().filter(|_| target.scheme_str() == Some("http"));
    let host = host.ok_or("expected an http URL with a host, found another")?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let stream = TcpStream::connect((host, target.port_u16().unwrap_or(80))).await?;
    // A chunk waits for no acknowledgement.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// How long a connection, and an answer, may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_TEXT: usize = 4096;
