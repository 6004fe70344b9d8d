//! Whole connections: publishers as they should be, and as they should not.

mod hostile;
mod log;
mod shared;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::wire::amf::{self, Value};
use super::wire::chunk::{self, Bounds, Chunks};
use super::wire::kind;
use super::{
    Ending, Ingest, Limits, MemoryPublishers, Permit, Publication, Publications, Publishers, Refusal,
    Request, Secret, ShowPolicy, Tag,
};
use crate::Cancel;

/// A listener on its own port.
struct Server {
    ingest: Ingest,
    publications: Publications,
    address: SocketAddr,
    stop: Cancel,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: Limits) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ingest, publications) = Ingest::new(limits, Arc::new(keys()));
        let (serving, stop) = (ingest.clone(), Cancel::new());
        let stopped = stop.clone();
        let task = tokio::spawn(async move { serving.serve(listener, &stopped).await });
        Self { ingest, publications, address, stop, task }
    }

    async fn client(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address).await.unwrap())
    }

    async fn publication(&mut self) -> Publication {
        soon(self.publications.next()).await.unwrap()
    }

    /// Stops it; nothing is left.
    async fn close(self) {
        self.stop.cancel();
        soon(self.task).await.unwrap();
        let counts = self.ingest.counts();
        assert_eq!((counts.connections, counts.pending, counts.held), (0, 0, 0));
    }
}

/// A publisher whose bytes are chosen one by one.
struct Client<S> {
    io: S,
    input: BytesMut,
    chunks: Chunks,
    is_greeted: bool,
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Client<S> {
    fn new(io: S) -> Self {
        let bounds = Bounds { streams: 8, command: 1 << 16, media: 1 << 16, unfinished: 1 << 16 };
        Self { io, input: BytesMut::new(), chunks: Chunks::new(bounds), is_greeted: false }
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await
    }

    /// All that an encoder says before it sends media, in one go.
    async fn publish(&mut self, key: &str, about: Value) {
        let hello = [greeting(), connect(about), publish(key)].concat();
        self.send(&hello).await.unwrap();
    }

    /// Publishes and waits until it is let in.
    async fn on_air(mut self, key: &str) -> Self {
        self.publish(key, encoder()).await;
        self.until("NetStream.Publish.Start").await;
        self
    }

    /// Reads until a status with this code comes, and gives its description.
    async fn until(&mut self, wanted: &str) -> String {
        let mut seen = Vec::new();
        while let Some((code, description)) = self.status().await {
            if code == wanted {
                return description;
            }
            seen.push(code);
        }
        panic!("the connection ended before {wanted}: {seen:?}");
    }

    /// The next status; `None` where the connection ends.
    async fn status(&mut self) -> Option<(String, String)> {
        loop {
            if self.is_greeted {
                while let Some(message) = self.chunks.next(&mut self.input).unwrap() {
                    if message.kind == kind::COMMAND {
                        let values = amf::read(&message.payload).unwrap();
                        let text = |name| {
                            let field = values.last()?.field(name)?;
                            field.as_text().map(str::to_owned)
                        };
                        if let (Some(code), Some(description)) = (text("code"), text("description")) {
                            return Some((code, description));
                        }
                    }
                }
            } else if self.input.len() >= 3073 {
                let _greeting = self.input.split_to(3073);
                self.is_greeted = true;
                continue;
            }
            match soon(self.io.read_buf(&mut self.input)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Reads until the connection is closed.
    async fn closed(&mut self) {
        while self.status().await.is_some() {}
    }
}

fn keys() -> MemoryPublishers {
    let permit =
        |stream: &str| Permit { stream: stream.parse().unwrap(), policy: ShowPolicy::default(), key: None };
    let keys = [("key-one", "one"), ("key-two", "two")];
    keys.iter()
        .fold(MemoryPublishers::new(), |known, (key, stream)| known.with(&Secret::new(key), permit(stream)))
}

fn greeting() -> BytesMut {
    let mut bytes = BytesMut::from(&[3][..]);
    bytes.resize(1 + 2 * 1536, 7);
    bytes
}

fn encoder() -> Value {
    Value::object([("app", "live".into()), ("flashVer", "encoder".into())])
}

fn connect(about: Value) -> BytesMut {
    command(&["connect".into(), 1.0.into(), about])
}

fn publish(key: &str) -> BytesMut {
    command(&["publish".into(), 5.0.into(), Value::Null, key.into(), "live".into()])
}

fn command(values: &[Value]) -> BytesMut {
    let mut bytes = BytesMut::new();
    chunk::write(&mut bytes, 128, 3, kind::COMMAND, 1, &amf::write(values));
    bytes
}

/// A message of sound with its own time.
fn sound(at: u32, length: usize) -> BytesMut {
    let mut payload = vec![0xaf, 1];
    payload.resize(length.max(3), 7);
    let mut bytes = BytesMut::new();
    chunk::write(&mut bytes, 128, 4, kind::AUDIO, 1, &payload);
    if at >= 0xff_ffff {
        assert!(payload.len() <= 128, "one chunk");
        bytes[1..4].copy_from_slice(&[0xff; 3]);
        let rest = bytes.split_off(12);
        bytes.extend_from_slice(&at.to_be_bytes());
        bytes.unsplit(rest);
    } else {
        bytes[1..4].copy_from_slice(&at.to_be_bytes()[1..]);
    }
    bytes
}

async fn rest(publication: &mut Publication) -> (Vec<Tag>, Ending) {
    let mut tags = Vec::new();
    while let Some(tag) = soon(publication.next()).await {
        tags.push(tag);
    }
    (tags, publication.ending().unwrap())
}

async fn soon<F: std::future::IntoFuture>(future: F) -> F::Output {
    timeout(Duration::from_secs(20), future.into_future()).await.expect("it takes too long")
}

fn short() -> Limits {
    Limits {
        setup: Duration::from_secs(1),
        idle: Duration::from_secs(1),
        answer: Duration::from_secs(1),
        ..calm()
    }
}

/// What is fit for the public, but for the time to say goodbye.
fn calm() -> Limits {
    Limits { grace: Duration::from_millis(300), ..Limits::default() }
}

#[tokio::test]
async fn any_stream_of_bytes_will_do() {
    let (ingest, mut publications) = Ingest::new(calm(), Arc::new(keys()));
    let (ours, theirs): (DuplexStream, DuplexStream) = duplex(4_000);
    let attended = tokio::spawn(async move {
        ingest.attend(ours, ([192, 0, 2, 1], 1).into(), &Cancel::new()).await;
        ingest.counts()
    });
    let mut client = Client::new(theirs).on_air("key-one?token=1").await;
    let mut publication = publications.next().await.unwrap();
    assert_eq!((publication.stream.as_str(), publication.client.as_str()), ("one", "encoder"));
    client.send(&[sound(0, 10), sound(23, 10)].concat()).await.unwrap();
    drop(client);
    let (tags, ending) = rest(&mut publication).await;
    assert_eq!(tags.iter().map(|tag| tag.at_ms).collect::<Vec<_>>(), [0, 23]);
    assert_eq!(ending, Ending::Closed);
    assert_eq!(attended.await.unwrap().connections, 0);
}

#[tokio::test]
async fn a_door_may_stand_before_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ingest, mut publications) = Ingest::new(short(), Arc::new(keys()));
    let stop = Cancel::new();
    let stopped = stop.clone();
    let serving = tokio::spawn(async move {
        // It wants a word before it opens.
        let door = |mut stream: TcpStream| async move {
            match stream.read_u8().await? {
                b'?' => Ok(tokio::io::BufStream::new(stream)),
                _ => Err(io::ErrorKind::PermissionDenied.into()),
            }
        };
        ingest.serve_through(listener, &stopped, door).await;
    });
    for word in [&b""[..], b"!"] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(word).await.unwrap();
        let end = soon(stream.read(&mut [0; 8])).await;
        assert!(matches!(end, Ok(0) | Err(_)), "neither in time nor by the word: {end:?}");
    }
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"?").await.unwrap();
    let _client = Client::new(stream).on_air("key-one").await;
    assert_eq!(soon(publications.next()).await.unwrap().stream.as_str(), "one");
    stop.cancel();
    soon(serving).await.unwrap();
}

#[tokio::test]
async fn a_publisher_that_ends_its_stream_is_no_lost_one() {
    let mut server = Server::start(calm()).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    let unpublish = command(&["FCUnpublish".into(), 6.0.into(), Value::Null, "key-one".into()]);
    client.send(&[sound(0, 10), unpublish, publish("key-two")].concat()).await.unwrap();
    let (tags, ending) = rest(&mut publication).await;
    assert_eq!((tags.len(), ending), (1, Ending::Deleted));
    let second = server.publication().await;
    assert_eq!(second.stream.as_str(), "two", "the same connection may publish again");
    server.close().await;
}

#[tokio::test]
async fn who_is_not_heard_of_is_let_go() {
    let mut server = Server::start(short()).await;
    let mut late = server.client().await;
    late.send(&greeting()).await.unwrap();
    late.closed().await;
    assert_eq!(server.ingest.counts().idle, 1);
    let mut silent = server.client().await.on_air("key-one").await;
    let (_, ending) = rest(&mut server.publication().await).await;
    assert_eq!(ending, Ending::Silent);
    assert_eq!(silent.until("NetConnection.Connect.Closed").await, "nothing was heard of the publisher");
    server.close().await;
}

#[tokio::test]
async fn when_nobody_takes_a_show_its_publisher_is_let_go() {
    let mut server = Server::start(short()).await;
    let mut client = server.client().await.on_air("key-one").await;
    drop(server.publication().await);
    assert_eq!(client.until("NetConnection.Connect.Closed").await, "nobody takes the stream");
    client.closed().await;
    drop(std::mem::replace(&mut server.publications, Ingest::new(short(), Arc::new(keys())).1));
    let mut client = server.client().await;
    client.publish("key-one", encoder()).await;
    client.until("NetStream.Publish.BadName").await;
    assert_eq!(server.ingest.counts().unavailable, 1);
    server.close().await;
}

/// Never answers.
#[derive(Debug)]
struct Stuck;

#[async_trait]
impl Publishers for Stuck {
    async fn admit(&self, _: &Request) -> Result<Permit, Refusal> {
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_catalogue_that_does_not_answer_is_not_waited_for() {
    let (ingest, _publications) = Ingest::new(short(), Arc::new(Stuck));
    let (ours, theirs) = duplex(10_000);
    let attended = tokio::spawn(async move {
        ingest.attend(ours, ([192, 0, 2, 1], 1).into(), &Cancel::new()).await;
        ingest.counts()
    });
    let mut client = Client::new(theirs);
    client.publish("key-one", encoder()).await;
    let description = client.until("NetStream.Publish.BadName").await;
    assert_eq!(description, "the server cannot take the stream now, try again");
    drop(client);
    assert_eq!(soon(attended).await.unwrap().unavailable, 1);
}

/// Lets everybody in until it is told otherwise.
#[derive(Debug, Default)]
struct Switch(std::sync::Mutex<Option<Refusal>>);

#[async_trait]
impl Publishers for Switch {
    async fn admit(&self, request: &Request) -> Result<Permit, Refusal> {
        let refusal = *self.0.lock().unwrap();
        match refusal {
            Some(refusal) => Err(refusal),
            None => keys().admit(&Request { secret: Secret::new("key-one"), ..request.clone() }).await,
        }
    }
}

#[tokio::test]
async fn a_show_ends_when_its_key_is_revoked_and_not_when_nobody_can_say() {
    let publishers = Arc::new(Switch::default());
    let limits = Limits { recheck: Duration::from_millis(20), ..calm() };
    let (ingest, mut publications) = Ingest::new(limits, Arc::clone(&publishers) as Arc<dyn Publishers>);
    let (ours, theirs) = duplex(10_000);
    let attended =
        tokio::spawn(async move { ingest.attend(ours, ([192, 0, 2, 1], 1).into(), &Cancel::new()).await });
    let mut client = Client::new(theirs).on_air("any").await;
    let mut publication = publications.next().await.unwrap();
    *publishers.0.lock().unwrap() = Some(Refusal::Unavailable);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.send(&sound(0, 10)).await.unwrap();
        assert!(soon(publication.next()).await.is_some());
    }
    *publishers.0.lock().unwrap() = Some(Refusal::WrongKey);
    assert_eq!(rest(&mut publication).await.1, Ending::Revoked);
    assert_eq!(client.until("NetConnection.Connect.Closed").await, "the stream key is not valid any more");
    drop(client);
    soon(attended).await.unwrap();
}

#[tokio::test]
async fn a_listener_that_stops_lets_publishers_finish() {
    let mut server = Server::start(Limits { grace: Duration::from_secs(10), ..short() }).await;
    let mut waiting = server.client().await;
    waiting.send(&greeting()).await.unwrap();
    let mut able = server.client().await;
    let about = Value::object([("app", "live".into()), ("capsEx", 1.0.into())]);
    able.publish("key-one", about).await;
    able.until("NetStream.Publish.Start").await;
    let mut publication = server.publication().await;
    server.stop.cancel();
    waiting.closed().await;
    able.until("NetConnection.Connect.ReconnectRequest").await;
    assert!(TcpStream::connect(server.address).await.is_err(), "it takes no more");
    able.send(&sound(0, 10)).await.unwrap();
    assert!(soon(publication.next()).await.is_some(), "what it still sends arrives");
    drop(able);
    assert_eq!(rest(&mut publication).await.1, Ending::Closed);
    server.close().await;
}

#[tokio::test]
async fn who_does_not_go_when_the_listener_stops_is_closed() {
    let mut server = Server::start(Limits { idle: Duration::from_secs(10), ..short() }).await;
    let mut client = server.client().await.on_air("key-one").await;
    let mut publication = server.publication().await;
    server.stop.cancel();
    assert_eq!(client.until("NetConnection.Connect.Closed").await, "the server stops");
    assert_eq!(rest(&mut publication).await.1, Ending::Stopped);
    server.close().await;
}
