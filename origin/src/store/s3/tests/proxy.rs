//! What stands between a store and its server, and does to answers what networks and servers do.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http1 as client;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What is done to the answer to a read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// There is none.
    Silence,
    /// It comes so many milliseconds later.
    Late(u64),
    /// It is another one; with `Retry-After`, if that many seconds are given.
    Status(u16, Option<u64>),
    /// The connection breaks after so many bytes of it.
    Break(usize),
    /// It has only so many bytes, and says that these are all.
    Short(usize),
    /// It has more bytes than were asked for.
    Long,
}

/// The proxy, and what is to be done to the next reads.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    faults: Arc<Mutex<Faults>>,
    _task: JoinSet<()>,
}

#[derive(Default)]
struct Faults {
    next: VecDeque<Fault>,
    /// The ranges of all reads so far.
    reads: Vec<String>,
}

type Body = BoxBody<Bytes, io::Error>;

impl Proxy {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let faults = Arc::<Mutex<Faults>>::default();
        let (shared, mut task) = (Arc::clone(&faults), JoinSet::new());
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let faults = Arc::clone(&shared);
                let service = service_fn(move |request| pass(request, upstream, Arc::clone(&faults)));
                connections.spawn(async move {
                    let _ended = server::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, faults, _task: task }
    }

    /// Does these to the next reads, in turn.
    pub(crate) fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.lock().unwrap().next.extend(faults);
    }

    /// The ranges of the reads since this was last asked.
    pub(crate) fn reads(&self) -> Vec<String> {
        std::mem::take(&mut self.faults.lock().unwrap().reads)
    }
}

async fn pass(
    request: Request<Incoming>,
    upstream: SocketAddr,
    faults: Arc<Mutex<Faults>>,
) -> Result<Response<Body>, Infallible> {
    let range = request.headers().get(header::RANGE).map(|range| range.to_str().unwrap().to_owned());
    let fault = match (request.method(), range) {
        (&Method::GET, Some(range)) => {
            let mut faults = faults.lock().unwrap();
            faults.reads.push(range);
            faults.next.pop_front().unwrap_or(Fault::None)
        }
        _ => Fault::None,
    };
    match fault {
        Fault::Silence => std::future::pending().await,
        Fault::Late(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Fault::Status(status, after) => {
            let mut answer = Response::new(whole("<Error><Code>SlowDown</Code></Error>".into()));
            *answer.status_mut() = StatusCode::from_u16(status).unwrap();
            answer.headers_mut().extend(after.map(|after| (header::RETRY_AFTER, HeaderValue::from(after))));
            return Ok(answer);
        }
        Fault::None | Fault::Break(_) | Fault::Short(_) | Fault::Long => {}
    }
    let stream = TcpStream::connect(upstream).await.unwrap();
    let (mut requests, connection) = client::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let (mut head, body) = requests.send_request(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let length = |bytes: usize| HeaderValue::from(bytes);
    let body = match fault {
        Fault::Break(bytes) => broken(body.slice(..bytes)),
        Fault::Short(bytes) => {
            head.headers.insert(header::CONTENT_LENGTH, length(bytes));
            whole(body.slice(..bytes))
        }
        Fault::Long => {
            head.headers.insert(header::CONTENT_LENGTH, length(body.len() + 3));
            whole([&body[..], b"and"].concat().into())
        }
        _ => whole(body),
    };
    Ok(Response::from_parts(head, body))
}

fn whole(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed()
}

fn broken(bytes: Bytes) -> Body {
    let pieces = futures_util::stream::unfold(Some(bytes), |bytes| async {
        match bytes {
            Some(bytes) if !bytes.is_empty() => Some((Ok(Frame::data(bytes)), Some(Bytes::new()))),
            Some(_) => {
                // What has been said is on its way by then.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Some((Err(io::ErrorKind::ConnectionReset.into()), None))
            }
            None => None,
        }
    });
    StreamBody::new(pieces).boxed()
}
