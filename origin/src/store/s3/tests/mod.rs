//! A bucket on a server that others wrote, through a network that fails.

pub(crate) mod proxy;
pub(crate) mod server;

use std::sync::Arc;
use std::time::Duration;

use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use packager::range::ByteRange;
use prometheus::Registry;
use tokio::time::Instant;

use super::super::{OpenError, Patience, Store, StoreFault};
use crate::metrics::Metrics;
use proxy::{Fault, Proxy};
use server::Server;

/// A bucket with one object of a million bytes, behind a proxy.
struct Stage {
    server: Server,
    proxy: Proxy,
    store: Store,
    metrics: Arc<Metrics>,
    object: Vec<u8>,
}

const PATH: &str = "vod/show/1/video.mp4";
const PATIENCE: Patience =
    Patience { deadline: Duration::from_secs(6), tries: 3, pause: Duration::from_millis(10) };

impl Stage {
    async fn set() -> Self {
        let server = Server::start().await;
        let proxy = Proxy::before(server.address).await;
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        let store = server.store_at(proxy.address, PATIENCE, &metrics);
        let object: Vec<u8> = (0..1_000_000_usize).map(|at| (at * 7 / 3).to_le_bytes()[0]).collect();
        store.objects().put(&Path::from(PATH), PutPayload::from(object.clone())).await.unwrap();
        Self { server, proxy, store, metrics, object }
    }

    async fn reads(&self, start: u32, end: u32) {
        let found = self.store.read(PATH, ByteRange::new(start.into(), end.into())).await.unwrap();
        let wanted = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
        assert!(found[..] == self.object[wanted], "{start}..{end}");
    }

    fn count(&self, name: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} in {text}")).parse().unwrap()
    }
}

#[tokio::test]
async fn what_breaks_off_is_gone_on_with_where_it_broke() {
    let stage = Stage::set().await;
    for fault in [Fault::Break(300_000), Fault::Short(300_000)] {
        stage.proxy.then([fault]);
        stage.reads(100_000, 900_000).await;
        assert_eq!(stage.proxy.reads(), ["bytes=100000-899999", "bytes=400000-899999"], "{fault:?}");
    }
    assert_eq!(stage.count("forebay_store_retries_total"), 2);
}

#[tokio::test]
async fn an_object_that_is_replaced_in_the_middle_of_a_read_is_not_mixed() {
    let stage = Stage::set().await;
    stage.proxy.then([Fault::Break(300_000), Fault::Late(1_500)]);
    let read = stage.store.read(PATH, ByteRange::new(0, 1_000_000));
    let replaced = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let other = PutPayload::from(vec![1; 1_000_000]);
        stage.store.objects().put(&Path::from(PATH), other).await.unwrap();
    };
    let (read, ()) = tokio::join!(read, replaced);
    assert_eq!(read.unwrap_err().fault(), StoreFault::Changed);
}

#[tokio::test]
async fn a_server_that_fails_or_wants_less_is_asked_again() {
    let stage = Stage::set().await;
    for status in [500, 502, 503, 429] {
        stage.proxy.then([Fault::Status(status, None)]);
        stage.reads(0, 1_000).await;
    }
    let began = Instant::now();
    stage.proxy.then([Fault::Status(503, Some(1))]);
    stage.reads(0, 1_000).await;
    assert!(began.elapsed() >= Duration::from_secs(1), "it said how long it wants to be left in peace");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_tried_again_before_the_deadline() {
    let stage = Stage::set().await;
    stage.proxy.then([Fault::Silence]);
    let began = Instant::now();
    stage.reads(5, 10).await;
    assert!((2..5).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn more_than_was_asked_for_is_a_fault() {
    let stage = Stage::set().await;
    stage.proxy.then([Fault::Long]);
    let error = stage.store.read(PATH, ByteRange::new(0, 100)).await.unwrap_err();
    assert_eq!(error.fault(), StoreFault::Other, "{error:?}");
}

#[tokio::test]
async fn a_read_that_is_unusually_late_is_put_twice() {
    let stage = Stage::set().await;
    for _ in 0..32 {
        stage.reads(0, 100).await;
    }
    stage.proxy.reads();
    stage.proxy.then([Fault::Silence]);
    let began = Instant::now();
    stage.reads(0, 100).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert_eq!((stage.proxy.reads().len(), stage.count("forebay_store_hedged_reads_total")), (2, 1));
}

#[tokio::test]
async fn a_store_that_keeps_failing_is_left_alone_and_taken_back() {
    let stage = Stage::set().await;
    stage.proxy.then([Fault::Status(500, None); 15]);
    for _ in 0..5 {
        stage.store.read(PATH, ByteRange::new(0, 10)).await.unwrap_err();
    }
    stage.proxy.reads();
    assert_eq!(stage.count("forebay_store_open_circuits"), 1);
    let error = stage.store.read(PATH, ByteRange::new(0, 10)).await.unwrap_err();
    assert_eq!((error.fault(), stage.proxy.reads().len()), (StoreFault::Unavailable, 0), "nobody is asked");
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    stage.reads(0, 10).await;
    assert_eq!(stage.count("forebay_store_open_circuits"), 0);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_never_told() {
    let stage = Stage::set().await;
    let url = stage.server.url(stage.server.address, "wrong.toml", "");
    let store = Store::open(&url, PATIENCE, Arc::clone(&stage.metrics)).unwrap();
    let error = store.read(PATH, ByteRange::new(0, 10)).await.unwrap_err();
    assert_eq!(error.fault(), StoreFault::Unavailable);
    let mut said = format!("{error:?} {error} {:?} {url} {url:?}", store.objects());
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(error) = cause {
        said.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(!said.contains("another") && !said.contains("a secret"), "{said}");
}

#[tokio::test]
async fn a_prefix_is_in_front_of_all_names() {
    let stage = Stage::set().await;
    let url = stage.server.url(stage.server.address, "key.toml", "/vod/show");
    let store = Store::open(&url, PATIENCE, Arc::clone(&stage.metrics)).unwrap();
    assert_eq!(store.read("1/video.mp4", ByteRange::new(0, 3)).await.unwrap()[..], stage.object[..3]);
    assert_eq!(store.list_folder("1").await.unwrap()[0].name, "video.mp4");
}

#[tokio::test]
async fn an_upload_in_parts_is_read_back() {
    let stage = Stage::set().await;
    let path = Path::from("vod/show/2/large.mp4");
    let upload = stage.store.objects().put_multipart(&path).await.unwrap();
    let mut upload = object_store::WriteMultipart::new_with_chunk_size(upload, 5 << 20);
    let bytes: Vec<u8> = (0..12_000_000_usize).map(|at| (at / 1000).to_le_bytes()[0]).collect();
    upload.write(&bytes);
    upload.finish().await.unwrap();
    let size = bytes.len() as u64;
    assert_eq!(stage.store.head(path.as_ref()).await.unwrap().size, size);
    assert!(stage.store.read(path.as_ref(), ByteRange::new(0, size)).await.unwrap()[..] == bytes[..]);
    stage.store.objects().delete(&path).await.unwrap();
    assert_eq!(stage.store.head(path.as_ref()).await.unwrap_err().fault(), StoreFault::NotFound);
}

#[test]
fn a_key_that_is_not_there_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[auth]\nrequired = false\n[store]\nurl = \"s3://media\"\ncredentials = \"none.toml\"\n";
    let config = crate::config::Config::parse(text, &folder.path().join("forebay.toml")).unwrap();
    let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
    let error = Store::open(&config.store.url, PATIENCE, metrics).unwrap_err();
    assert!(matches!(&error, OpenError::Key { what, .. } if what.contains("none.toml")), "{error}");
}
