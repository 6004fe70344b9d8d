//! The door over real sockets, with a face behind it that does what a path says.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod ending;
mod heads;
mod uploads;
mod waiting;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ::pingora::http::RequestHeader;
use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::crowd::Crowd;
use super::face::{Face, HeadFault};
use super::{App, Listener};
use crate::config::{Limits, Tls};
use crate::metrics::TurnedAway;
use crate::shutdown::Shutdown;
use crate::{Body, Reply, Upload, UploadError};

/// What happened behind the door.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Event {
    /// A request came in.
    Asked(String),
    /// A piece of its body.
    Piece(Bytes),
    /// The end of its body.
    Ended(&'static str),
    /// It was given up before it was answered.
    Dropped(String),
    /// A client was let go.
    TurnedAway(TurnedAway),
}

/// A face that does what the path says.
struct Script {
    events: mpsc::UnboundedSender<Event>,
    release: Arc<Semaphore>,
}

/// Tells of an answer that was given up.
struct Unanswered<'a> {
    path: Option<String>,
    events: &'a mpsc::UnboundedSender<Event>,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = self.events.send(Event::Dropped(path));
        }
    }
}

impl Script {
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }

    async fn released(&self) {
        self.release.acquire().await.unwrap().forget();
    }

    async fn take(&self, upload: &mut dyn Upload) -> Reply {
        let mut len = 0;
        while let Some(piece) = upload.next().await {
            match piece {
                Ok(piece) => {
                    assert!(!piece.is_empty());
                    len += piece.len();
                    self.tell(Event::Piece(piece));
                }
                Err(error) => {
                    assert!(upload.next().await.is_none(), "nothing comes after an error");
                    let name = if matches!(error, UploadError::Malformed(_)) { "malformed" } else { "cut" };
                    self.tell(Event::Ended(name));
                    return text(StatusCode::BAD_REQUEST, name);
                }
            }
        }
        self.tell(Event::Ended("whole"));
        text(StatusCode::OK, &format!("took {len}"))
    }
}

#[async_trait]
impl Face for Script {
    async fn answer(&self, _from: IpAddr, head: &RequestHeader, upload: &mut dyn Upload) -> Reply {
        let path = head.uri.path().to_owned();
        self.tell(Event::Asked(path.clone()));
        let mut unanswered = Unanswered { path: Some(path.clone()), events: &self.events };
        let reply = match path.as_str() {
            "/take" => self.take(upload).await,
            "/gated" => {
                self.released().await;
                self.take(upload).await
            }
            "/refused" => text(StatusCode::UNAUTHORIZED, "no"),
            "/enough" => {
                upload.next().await.unwrap().unwrap();
                text(StatusCode::CONFLICT, "enough")
            }
            "/large" => text(StatusCode::OK, &"x".repeat(32 << 20)),
            path if path.starts_with("/held") => {
                self.released().await;
                text(StatusCode::OK, path)
            }
            path => text(StatusCode::OK, path),
        };
        unanswered.path = None;
        reply
    }

    fn refuse(&self, fault: HeadFault) -> Reply {
        match fault {
            HeadFault::Unreadable => text(StatusCode::BAD_REQUEST, "unreadable"),
            HeadFault::Large => text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "large"),
            HeadFault::Late => text(StatusCode::REQUEST_TIMEOUT, "late"),
        }
    }

    fn turned_away(&self, why: TurnedAway) {
        self.tell(Event::TurnedAway(why));
    }
}

fn text(status: StatusCode, body: &str) -> Reply {
    let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, body.len().into())]);
    Reply { status, headers, body: Body::from(body.to_owned()) }
}

/// A listener with the script behind it.
struct Server {
    address: SocketAddr,
    events: mpsc::UnboundedReceiver<Event>,
    release: Arc<Semaphore>,
    shutdown: Shutdown,
    served: JoinHandle<()>,
    trust: Option<Arc<ClientConfig>>,
}

impl Server {
    /// One in clear.
    async fn clear(limits: Limits) -> Self {
        Self::start(Listener::clear(local()).await.unwrap(), limits, None)
    }

    /// One over TLS.
    async fn tls(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let files = Tls { cert: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        std::fs::write(&files.cert, made.cert.pem()).unwrap();
        std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client =
            ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let client = client.with_root_certificates(roots).with_no_client_auth();
        Self::start(Listener::tls(local(), &files).await.unwrap(), limits, Some(Arc::new(client)))
    }

    fn start(listener: Listener, limits: Limits, trust: Option<Arc<ClientConfig>>) -> Self {
        let address = listener.address().unwrap();
        let (tell, events) = mpsc::unbounded_channel();
        let (release, shutdown) = (Arc::new(Semaphore::new(0)), Shutdown::new());
        let script = Script { events: tell, release: Arc::clone(&release) };
        let app = App::of(script, &limits, Crowd::of(&limits));
        let signal = shutdown.signal();
        let served = tokio::spawn(async move { listener.serve(app, &limits, signal).await });
        Self { address, events, release, shutdown, served, trust }
    }

    /// What happens next.
    async fn event(&mut self) -> Event {
        soon(self.events.recv()).await.unwrap()
    }

    /// A connection for HTTP/1.
    async fn connect(&self) -> Wire<TcpStream> {
        Wire(TcpStream::connect(self.address).await.unwrap())
    }

    /// A connection over TLS for this protocol.
    async fn secure(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut config = ClientConfig::clone(self.trust.as_ref().unwrap());
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let name = ServerName::try_from("localhost").unwrap();
        let socket = TcpStream::connect(self.address).await.unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
    }

    /// A connection for HTTP/2, and the task that drives it.
    async fn h2(&self) -> (h2::client::SendRequest<Bytes>, JoinHandle<Result<(), h2::Error>>) {
        let (send, connection) = h2::client::handshake(self.secure("h2").await).await.unwrap();
        (send, tokio::spawn(connection))
    }

    /// Ends it. It must come to an end by itself.
    async fn stop(self) {
        self.shutdown.stop();
        soon(self.served).await.unwrap();
    }
}

/// An HTTP/1 connection of a client, byte by byte.
struct Wire<S>(S);

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        soon(self.0.write_all(bytes.as_ref())).await.unwrap();
    }

    async fn get(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n")).await;
    }

    async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(soon(self.0.read_u8()).await.unwrap());
        }
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    }

    /// The next answer: its head in lower case, and its body.
    async fn answer(&mut self) -> (String, String) {
        let head = self.head().await;
        let len = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let mut body = vec![0; len.parse().unwrap()];
        soon(self.0.read_exact(&mut body)).await.unwrap();
        (head, String::from_utf8(body).unwrap())
    }

    /// Waits until the server has closed the connection, in order.
    async fn closed(&mut self) {
        let mut rest = Vec::new();
        soon(self.0.read_to_end(&mut rest)).await.unwrap();
        assert_eq!(String::from_utf8_lossy(&rest), "");
    }
}

/// Every wait of a test has a deadline, so that a hang is a failure with a line.
#[track_caller]
fn soon<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let caller = std::panic::Location::caller();
    async move {
        tokio::time::timeout(Duration::from_secs(20), future)
            .await
            .unwrap_or_else(|_| panic!("late: {caller}"))
    }
}

fn local() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn asked(path: &str) -> Event {
    Event::Asked(path.to_owned())
}

fn dropped(path: &str) -> Event {
    Event::Dropped(path.to_owned())
}

fn piece(bytes: &'static str) -> Event {
    Event::Piece(Bytes::from_static(bytes.as_bytes()))
}
