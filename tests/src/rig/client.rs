//! A well-behaved HTTP client, blocking, over hyper: HTTP/1.1 and HTTP/2, in clear text or TLS.

use std::io::Read;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, HeaderMap};
use http::{Request, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::deadline::PATIENCE;

/// A whole answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The protocol it came over.
    pub version: Version,
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it was sent (not inflated).
    pub body: Bytes,
}

impl Answer {
    /// A header that is there at most once; empty when it is not there.
    ///
    /// # Panics
    /// When it is there twice, or no text.
    #[must_use]
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let value = values.next().map_or("", |value| value.to_str().unwrap());
        assert!(values.next().is_none(), "header {name} is there twice");
        value
    }

    /// The body as text, inflated when it says it is gzip.
    ///
    /// # Panics
    /// When it is neither.
    #[must_use]
    #[track_caller]
    pub fn text(&self) -> String {
        let mut text = String::new();
        if self.header("content-encoding") == "gzip" {
            flate2::read::GzDecoder::new(&self.body[..]).read_to_string(&mut text).unwrap();
        } else {
            (&self.body[..]).read_to_string(&mut text).unwrap();
        }
        text
    }

    /// Itself, when the status is `status`.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(
            self.status,
            status,
            "headers {:?}, body {:?}",
            self.headers,
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

/// A connection that is kept open between requests.
#[derive(Debug)]
pub struct Connection {
    authority: String,
    scheme: &'static str,
    sender: Sender,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    /// Opens a clear-text HTTP/1.1 connection.
    ///
    /// # Panics
    /// When nobody answers.
    #[must_use]
    pub fn open(to: SocketAddr) -> Self {
        runtime().block_on(patiently(async {
            let stream = TcpStream::connect(to).await.unwrap();
            Self { authority: to.to_string(), scheme: "http", sender: http1_over(stream).await }
        }))
    }

    /// Opens a TLS connection to `localhost`; ALPN decides between HTTP/2 and HTTP/1.1.
    ///
    /// # Panics
    /// When nobody answers, or the certificate is not trusted.
    #[must_use]
    pub fn open_tls(to: SocketAddr, trust: Arc<ClientConfig>) -> Self {
        runtime().block_on(patiently(async {
            let stream = TcpStream::connect(to).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let stream = tokio_rustls::TlsConnector::from(trust).connect(name, stream).await.unwrap();
            let negotiated = stream.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            let sender = if negotiated.as_deref() == Some(b"h2") {
                let (sender, driver) =
                    http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
                tokio::spawn(driver);
                Sender::Http2(sender)
            } else {
                http1_over(stream).await
            };
            Self { authority: format!("localhost:{}", to.port()), scheme: "https", sender }
        }))
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Panics
    /// When the connection breaks or the patience ends.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        runtime().block_on(patiently(async {
            let (mut parts, mut body) = self.send(method, path, headers).await.into_parts();
            let mut bytes = Vec::new();
            while let Some(frame) = body.frame().await {
                if let Ok(data) = frame.unwrap().into_data() {
                    bytes.extend_from_slice(&data);
                }
            }
            let headers = std::mem::take(&mut parts.headers);
            Answer { version: parts.version, status: parts.status.as_u16(), headers, body: bytes.into() }
        }))
    }

    async fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) -> http::Response<Incoming> {
        let mut request = Request::builder().method(method);
        request = match &self.sender {
            Sender::Http1(_) => request.uri(path).header(HOST, &self.authority),
            Sender::Http2(_) => request.uri(format!("{}://{}{path}", self.scheme, self.authority)),
        };
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Empty::new()).unwrap();
        match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
            Sender::Http2(sender) => {
                sender.ready().await.unwrap();
                sender.send_request(request).await.unwrap()
            }
        }
    }

    /// Whether the other side has closed it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }
}

/// GET over a connection of its own.
#[must_use]
pub fn get(to: SocketAddr, path: &str) -> Answer {
    request(to, "GET", path, &[])
}

/// As [`get`], from a server that may die meanwhile: `None` where no whole answer comes.
#[must_use]
pub fn try_get(to: SocketAddr, path: &str) -> Option<Answer> {
    let asking = async {
        let stream = TcpStream::connect(to).await.ok()?;
        let (mut sender, driver) = http1::handshake(TokioIo::new(stream)).await.ok()?;
        tokio::spawn(driver);
        let request = Request::get(path).header(HOST, to.to_string()).body(Empty::<Bytes>::new()).ok()?;
        let (parts, body) = sender.send_request(request).await.ok()?.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let (version, status) = (parts.version, parts.status.as_u16());
        Some(Answer { version, status, headers: parts.headers, body })
    };
    runtime().block_on(async { timeout(PATIENCE, asking).await.ok().flatten() })
}

/// One request over a connection of its own.
#[must_use]
pub fn request(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    Connection::open(to).request(method, path, headers)
}

async fn http1_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Sender {
    let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(driver);
    Sender::Http1(sender)
}

async fn patiently<T>(work: impl Future<Output = T>) -> T {
    timeout(PATIENCE, work).await.expect("no whole answer in time")
}

/// One runtime for all clients of the process: the stories themselves are blocking code.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_keep_alive(Duration::from_secs(1))
            .enable_all()
            .build()
            .unwrap()
    })
}
