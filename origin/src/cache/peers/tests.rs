use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Request, Response, header};
use http_body_util::StreamBody;
use http_body_util::combinators::BoxBody;
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use packager::range::ByteRange;
use prometheus::Registry;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::super::block::{BlockError, Blocks, Supply};
use super::super::disk::Disk;
use super::super::ledger::{Force, Ledger, Scope};
use super::question::SUM;
use super::*;
use crate::config::{OriginUrl, Span};
use crate::store::{Patience, Store, Version};

/// Ten blocks of 4 KiB, and half of one.
const SIZE: u64 = 10 * BLOCK + 2_048;
const BLOCK: u64 = 4_096;
/// Of a test in which nobody is late.
const AMPLE: Span = Span::seconds(60);
/// Of a test that waits for it to be over.
const SHORT: Span = Span::millis(300);

fn content() -> Vec<u8> {
    (0..SIZE).map(|at| u8::try_from(at * 31 % 251).unwrap()).collect()
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap()
}

/// A place where a node may listen.
async fn place() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = listener.local_addr().unwrap().to_string();
    (listener, name)
}

/// One node. All have a store with the same objects.
struct Node {
    peers: Arc<Peers>,
    blocks: Arc<Blocks>,
    ledger: Arc<Ledger>,
    metrics: Arc<Metrics>,
    _folder: tempfile::TempDir,
}

impl Node {
    /// A node that calls itself `here`, with these nodes in its list.
    async fn new(here: &str, nodes: &[&str]) -> Self {
        Self::with(here, nodes, AMPLE, false).await
    }

    async fn with(here: &str, nodes: &[&str], timeout: Span, has_disk: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, "thirty-two characters and no less\n").unwrap();
        let url = |name: &str| OriginUrl::parse(&format!("http://{name}")).unwrap();
        let config = config::Peers {
            here: Some(url(here)),
            nodes: nodes.iter().copied().map(url).collect(),
            secret_file: Some(secret),
            timeout,
            ..config::Peers::default()
        };
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        let peers = Peers::open(&config, &Clock::system(), &metrics).unwrap().unwrap();
        let objects = InMemory::new();
        for number in 0..OBJECTS {
            objects.put(&Path::from(path(number)), PutPayload::from(content())).await.unwrap();
        }
        let store = Store::new(Arc::new(objects), Patience::default(), Arc::clone(&metrics));
        let ledger = Arc::<Ledger>::default();
        let disk = has_disk.then(|| {
            Disk::open(&folder.path().join("blocks"), 64 << 20, Arc::clone(&ledger), Arc::clone(&metrics))
                .unwrap()
        });
        let given = Some(Arc::clone(&peers));
        let (ours, counted) = (Arc::clone(&ledger), Arc::clone(&metrics));
        let supply = Supply { store, disk, peers: given, ledger: ours, metrics: counted };
        let blocks = Arc::new(Blocks::new(BLOCK, 16 << 20, 0, supply));
        Self { peers, blocks, ledger, metrics, _folder: folder }
    }

    /// Answers other nodes on a listener.
    fn serve(&self, listener: TcpListener) {
        let answering = Arc::new(Answering::new(Arc::clone(&self.blocks), Arc::clone(&self.peers)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let answering = Arc::clone(&answering);
                let service = service_fn(move |request| answered(Arc::clone(&answering), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
    }

    /// An object whose bytes are, for this node, those of another one, or of its own.
    fn object(&self, is_of_another: bool) -> Arc<ObjectRef> {
        (0..OBJECTS)
            .map(object)
            .find(|object| self.peers.owner(object, 0).is_some() == is_of_another)
            .map(Arc::new)
            .unwrap()
    }

    /// All of an object.
    async fn read(&self, object: &Arc<ObjectRef>) -> Result<Vec<u8>, BlockError> {
        let mut reader = self.blocks.reader(Arc::clone(object), SIZE);
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < SIZE {
            bytes.extend(reader.read(ByteRange::new(bytes.len() as u64, SIZE)).await?);
        }
        Ok(bytes)
    }

    fn metric(&self, series: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{series}")).parse().unwrap()
    }

    /// How many bytes it read from the store.
    fn store_bytes(&self) -> u64 {
        self.metric("forebay_store_read_bytes_total")
    }

    fn asked(&self, outcome: &str) -> u64 {
        self.metric(&format!("forebay_cache_peer_requests_total{{outcome=\"{outcome}\"}}"))
    }
}

const OBJECTS: u32 = 64;

/// An object that is served at a place of its own.
fn object(number: u32) -> ObjectRef {
    ObjectRef::new(path(number), SIZE, None, format!("/vod/{number}/"))
}

fn path(number: u32) -> String {
    format!("vod/film/{number}/video.mp4")
}

async fn answered(
    answering: Arc<Answering>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, BlockError>>, std::convert::Infallible> {
    let target = request.uri().path_and_query().unwrap().as_str();
    let pieces = answering.answer(target, request.headers()).await.unwrap();
    let length = pieces.length();
    let body = StreamBody::new(stream::unfold(pieces, |mut pieces| async move {
        pieces.next().await.map(|piece| (piece.map(Frame::data), pieces))
    }));
    Ok(Response::builder().header(header::CONTENT_LENGTH, length).body(BoxBody::new(body)).unwrap())
}

#[tokio::test]
async fn three_nodes_read_the_store_once() {
    let places = [place().await, place().await, place().await];
    let names: Vec<&str> = places.iter().map(|(_, name)| name.as_str()).collect();
    let mut nodes = Vec::new();
    for name in &names {
        nodes.push(Node::new(name, &names).await);
    }
    for (node, (listener, _)) in nodes.iter().zip(places) {
        node.serve(listener);
    }
    for number in 0..OBJECTS {
        let object = Arc::new(object(number));
        let read = nodes.iter().map(|node| node.read(&object));
        for bytes in futures_util::future::join_all(read).await {
            assert!(bytes.unwrap() == content());
        }
    }
    let read: Vec<u64> = nodes.iter().map(Node::store_bytes).collect();
    assert_eq!(read.iter().sum::<u64>(), u64::from(OBJECTS) * SIZE, "{read:?}");
    assert!(read.iter().all(|bytes| *bytes > 5 * SIZE), "each has its share: {read:?}");
    let had: u64 = nodes.iter().map(|node| node.metric("forebay_cache_peer_read_bytes_total")).sum();
    assert_eq!(had, 2 * u64::from(OBJECTS) * SIZE);
    let sent: u64 = nodes.iter().map(|node| node.metric("forebay_cache_peer_sent_bytes_total")).sum();
    assert_eq!(sent, 2 * u64::from(OBJECTS) * (SIZE + 11 * SUM));
}

#[tokio::test]
async fn nodes_that_take_each_other_for_the_owner_do_not_wait_for_each_other() {
    let ((here, a), (there, b)) = (place().await, place().await);
    // The second one is called something else by itself.
    let (first, second) = (Node::new(&a, &[&a, &b]).await, Node::new("nobody:1", &[&a]).await);
    first.serve(here);
    second.serve(there);
    let is_of_other = |object: &ObjectRef| {
        first.peers.owner(object, 0).is_some() && second.peers.owner(object, 0).is_some()
    };
    let mut objects = (0..OBJECTS).map(object);
    let object = Arc::new(objects.find(is_of_other).unwrap());
    let (one, two) = tokio::join!(first.read(&object), second.read(&object));
    assert!(one.unwrap() == content() && two.unwrap() == content());
    assert_eq!((first.asked("whole"), second.asked("whole")), (1, 1));
    assert_eq!((first.store_bytes(), second.store_bytes()), (SIZE, SIZE));
}

#[tokio::test]
async fn what_comes_from_a_peer_is_on_its_disk_and_not_on_this_one() {
    let ((here, a), (there, b)) = (place().await, place().await);
    let (first, second) = (Node::with(&a, &[&a, &b], AMPLE, true).await, Node::new(&b, &[&a, &b]).await);
    first.serve(here);
    second.serve(there);
    let (own, other) = (first.object(false), first.object(true));
    for object in [&other, &own] {
        assert!(first.read(object).await.unwrap() == content());
    }
    // Written in the order in which they came.
    let held = "forebay_cache_held_entries{tier=\"disk\"}";
    let began = std::time::Instant::now();
    while first.metric(held) < 11 && began.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(first.metric(held), 11);
    let disk = first.blocks.disk().unwrap();
    assert_eq!((disk.has(&own, 0), disk.has(&other, 0)), (true, false));
}

/// What a peer does that is asked for blocks.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// It answers with this status.
    Says(u16),
    /// It takes the connection and is silent.
    Silent,
    /// It gives so many blocks, and closes the connection.
    Breaks(usize),
    /// It gives so many blocks, and is silent then.
    Stalls(usize),
    /// It says that its answer is longer than it should be.
    Long,
    /// One byte of this block is another one.
    Wrong(usize),
}

impl Manner {
    /// Does this for every request.
    async fn on(self, listener: TcpListener) {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                while let Some(asked) = heard(&mut stream).await {
                    if let Manner::Silent = self {
                        return std::future::pending().await;
                    }
                    stream.write_all(&self.answer(&asked)).await.unwrap();
                    match self {
                        Manner::Breaks(_) => return,
                        Manner::Stalls(_) => return std::future::pending().await,
                        _ => {}
                    }
                }
            });
        }
    }

    fn answer(self, asked: &Question) -> Vec<u8> {
        if let Manner::Says(status) = self {
            return format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n").into_bytes();
        }
        let (mut body, content) = (Vec::new(), content());
        let (from, to) = (size(asked.range.start()), size(asked.range.end()));
        for (number, block) in content[from..to].chunks(size(BLOCK)).enumerate() {
            match self {
                Manner::Breaks(count) | Manner::Stalls(count) if number == count => break,
                _ => body.extend(crc32fast::hash(block).to_le_bytes()),
            }
            body.extend(block);
            if let Manner::Wrong(wrong) = self
                && number == wrong
            {
                *body.last_mut().unwrap() ^= 1;
            }
        }
        let length = asked.length() + u64::from(matches!(self, Manner::Long));
        body.splice(..0, format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").into_bytes());
        body
    }
}

/// The next question on a connection.
async fn heard(stream: &mut TcpStream) -> Option<Question> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    Some(Question::parse(head.split(' ').nth(1).unwrap()).unwrap())
}

/// A node with one peer that behaves like that, and an object of which the peer is the owner.
async fn beside(manner: Option<Manner>, patience: Span) -> (Node, Arc<ObjectRef>) {
    let (listener, other) = place().await;
    match manner {
        Some(manner) => drop(tokio::spawn(manner.on(listener))),
        None => drop(listener),
    }
    let node = Node::with("here:1", &[&other], patience, false).await;
    let object = node.object(true);
    (node, object)
}

#[tokio::test]
async fn whatever_a_peer_does_the_bytes_are_right_and_the_store_gives_what_is_missing() {
    for (manner, outcome, blocks) in [
        (None, "unreachable", 0),
        (Some(Manner::Says(401)), "refused", 0),
        (Some(Manner::Says(404)), "refused", 0),
        (Some(Manner::Says(503)), "refused", 0),
        (Some(Manner::Silent), "late", 0),
        (Some(Manner::Breaks(0)), "broken", 0),
        (Some(Manner::Breaks(3)), "broken", 3),
        (Some(Manner::Breaks(10)), "broken", 10),
        (Some(Manner::Stalls(4)), "late", 4),
        (Some(Manner::Long), "corrupt", 0),
        (Some(Manner::Wrong(5)), "corrupt", 5),
        (Some(Manner::Wrong(10)), "corrupt", 10),
    ] {
        let patience = if outcome == "late" { SHORT } else { AMPLE };
        let (node, object) = beside(manner, patience).await;
        assert!(node.read(&object).await.unwrap() == content(), "{manner:?}");
        assert_eq!((node.asked(outcome), node.asked("whole")), (1, 0), "{manner:?}");
        assert_eq!(node.store_bytes(), SIZE - blocks * BLOCK, "{manner:?}");
        assert_eq!(node.metric("forebay_cache_peer_read_bytes_total"), blocks * BLOCK, "{manner:?}");
        assert!(node.read(&object).await.unwrap() == content());
        assert_eq!(node.store_bytes(), SIZE - blocks * BLOCK, "{manner:?}: what came is kept");
    }
}

#[tokio::test]
async fn a_peer_that_fails_twice_is_passed_over_and_one_that_knows_no_object_is_not() {
    for (manner, passed_over) in [(None, 3), (Some(Manner::Says(503)), 3), (Some(Manner::Says(409)), 0)] {
        let (node, _) = beside(manner, AMPLE).await;
        let of_peer = |object: &ObjectRef| node.peers.owner(object, 0).is_some();
        let objects = (0..OBJECTS).map(object);
        for object in objects.filter(of_peer).take(5) {
            assert!(node.read(&Arc::new(object)).await.unwrap() == content());
        }
        assert_eq!(node.asked("passed_over"), passed_over, "{manner:?}");
        assert_eq!(node.metric("forebay_cache_peer_open_circuits"), u64::from(passed_over > 0), "{manner:?}");
    }
}

#[tokio::test]
async fn a_peer_is_given_what_the_store_takes_and_a_second_and_never_more_than_its_time() {
    let (node, object) = beside(None, Span::seconds(2)).await;
    let peer = node.peers.owner(&object, 0).unwrap();
    for (usual, patience) in [(None, 2_000), (Some(20), 1_040), (Some(300), 1_600), (Some(9_000), 2_000)] {
        let usual = usual.map(Duration::from_millis);
        assert_eq!(peer.patience(usual), Duration::from_millis(patience), "{usual:?}");
    }
}

#[tokio::test]
async fn blocks_are_handed_on_before_the_peer_is_done() {
    let (node, object) = beside(Some(Manner::Stalls(2)), AMPLE).await;
    let mut reader = node.blocks.reader(object, SIZE);
    let first = reader.read(ByteRange::new(0, BLOCK)).await.unwrap();
    assert!(first == content()[..size(BLOCK)]);
    assert_eq!((node.asked("late"), node.store_bytes()), (0, 0));
}

/// What a node answers to a question of `asker`, put in a target.
async fn told(node: &Node, asker: &str, target: &str) -> Result<Vec<u8>, Refusal> {
    let mut headers = HeaderMap::new();
    node.peers.seal.close(&mut headers, Clock::system().now(), &asker.parse().unwrap(), target);
    let answering = Answering::new(Arc::clone(&node.blocks), Arc::clone(&node.peers));
    let mut pieces = answering.answer(target, &headers).await?;
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        bytes.extend(piece.unwrap());
    }
    assert_eq!(bytes.len() as u64, pieces.length());
    Ok(bytes)
}

#[tokio::test]
async fn a_question_is_answered_from_here_whoever_is_taken_for_the_owner() {
    // The other one is not there: it would be noticed if it were asked.
    let (node, object) = beside(None, AMPLE).await;
    let range = ByteRange::new(BLOCK, SIZE);
    for block in [BLOCK, 4 * BLOCK] {
        let range = ByteRange::new(range.start() / block * block, SIZE);
        let asked = Question { object: ObjectRef::clone(&object), range, block };
        let bytes = told(&node, "other:1", &asked.target()).await.unwrap();
        let mut blocks = content();
        blocks.drain(..size(range.start()));
        let sum = |block: &[u8]| [&crc32fast::hash(block).to_le_bytes(), block].concat();
        let expected = blocks.chunks(size(block)).map(sum).collect::<Vec<_>>().concat();
        assert!(bytes == expected, "{block}");
    }
    assert_eq!(node.asked("unreachable"), 0);
    assert_eq!(node.store_bytes(), SIZE, "each block once");
}

#[tokio::test]
async fn what_is_not_asked_by_another_node_is_refused() {
    let (node, object) = beside(None, AMPLE).await;
    let asked = Question { object: ObjectRef::clone(&object), range: ByteRange::new(0, SIZE), block: BLOCK };
    let refused = async |asker: &str, target: &str| told(&node, asker, target).await.unwrap_err().counted();
    use crate::metrics::PeerAnswer::*;
    assert_eq!(refused("here:1", &asked.target()).await, Looped);
    assert_eq!(refused("other:1", &asked.target().replace("vod", "keys")).await, Malformed);
    let answering = Answering::new(Arc::clone(&node.blocks), Arc::clone(&node.peers));
    let bare = answering.answer(&asked.target(), &HeaderMap::new()).await;
    assert!(matches!(bare, Err(Refusal::Sealed)));
    let mut changed = asked.clone();
    changed.object.version = Some(Version::of("another".to_owned()));
    assert_eq!(refused("other:1", &changed.target()).await, Changed);
    let mut absent = asked.clone();
    absent.object.path = "vod/absent.mp4".to_owned();
    assert_eq!(refused("other:1", &absent.target()).await, NotFound);
    let mut larger = asked;
    larger.object.size += 1;
    larger.range = ByteRange::new(0, SIZE + 1);
    assert_eq!(refused("other:1", &larger.target()).await, Unavailable);
    for (outcome, count) in [("looped", 1), ("malformed", 1), ("denied", 1), ("changed", 1), ("not_found", 1)]
    {
        let series = format!("forebay_cache_peer_answers_total{{outcome=\"{outcome}\"}}");
        assert_eq!(node.metric(&series), count, "{outcome}");
    }
}

#[tokio::test]
async fn a_node_that_is_the_only_one_asks_nobody() {
    let node = Node::new("here:1", &["here:1"]).await;
    let object = node.object(false);
    assert!(node.read(&object).await.unwrap() == content());
    assert_eq!(node.store_bytes(), SIZE);
}

#[test]
fn a_secret_must_be_long_enough() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    for (text, is_good) in [("x".repeat(32), true), ("x".repeat(31) + "\n", false), (String::new(), false)] {
        std::fs::write(&file, &text).unwrap();
        assert_eq!(config::peer_secret(&file).is_ok(), is_good, "{text:?}");
    }
}

#[tokio::test]
async fn what_was_purged_here_is_not_had_from_a_peer_that_may_not_have_heard_of_it() {
    let (node, object) = beside(Some(Manner::Says(409)), AMPLE).await;
    node.ledger.purge(&[Scope::Below(object.place.clone())], Force::Hard);
    assert!(node.read(&object).await.unwrap() == content());
    assert_eq!((node.asked("refused"), node.store_bytes()), (0, SIZE), "it was asked all the same");
}

#[tokio::test]
async fn a_peer_gives_nothing_to_others_that_it_was_told_to_purge() {
    let (there, peer) = place().await;
    let owner = Node::new(&peer, &[&peer]).await;
    owner.serve(there);
    let (first, second) = (Node::new("a:1", &[&peer]).await, Node::new("b:1", &[&peer]).await);
    let of_owner = |object: &ObjectRef| {
        first.peers.owner(object, 0).is_some() && second.peers.owner(object, 0).is_some()
    };
    let object = Arc::new((0..OBJECTS).map(object).find(of_owner).unwrap());
    assert!(first.read(&object).await.unwrap() == content());
    owner.ledger.purge(&[Scope::Below(object.place.clone())], Force::Hard);
    assert!(second.read(&object).await.unwrap() == content());
    assert_eq!(owner.store_bytes(), 2 * SIZE);
    assert_eq!((first.store_bytes(), second.store_bytes()), (0, 0));
}
