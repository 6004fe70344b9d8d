use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, PutMultipartOptions, PutOptions,
    PutPayload, PutResult,
};
use prometheus::Registry;

use super::s3::tests::server::Server;
use super::*;
use crate::config::StoreUrl;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(Registry::new()).unwrap())
}

/// A store that answers the first questions with a fault, or never.
#[derive(Debug)]
struct Sick {
    inner: InMemory,
    /// How many questions fail.
    faults: AtomicU32,
    /// How many questions were put.
    asked: AtomicU32,
    fault: fn() -> Option<Error>,
}

impl Sick {
    async fn new(faults: u32, fault: fn() -> Option<Error>) -> Arc<Self> {
        let inner = InMemory::new();
        inner.put(&Path::from("a/b"), PutPayload::from_static(b"0123456789")).await.unwrap();
        Arc::new(Self { inner, faults: AtomicU32::new(faults), asked: AtomicU32::new(0), fault })
    }

    async fn ail(&self) -> object_store::Result<()> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let ill =
            self.faults.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        match ill.then(self.fault) {
            None => Ok(()),
            Some(Some(fault)) => Err(fault),
            Some(None) => std::future::pending().await,
        }
    }
}

impl fmt::Display for Sick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sick")
    }
}

#[async_trait]
impl ObjectStore for Sick {
    async fn put_opts(
        &self,
        at: &Path,
        what: PutPayload,
        how: PutOptions,
    ) -> object_store::Result<PutResult> {
        self.inner.put_opts(at, what, how).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }
    async fn get_opts(&self, at: &Path, how: GetOptions) -> object_store::Result<GetResult> {
        self.ail().await?;
        self.inner.get_opts(at, how).await
    }
    fn delete_stream(
        &self,
        at: BoxStream<'static, object_store::Result<Path>>,
    ) -> BoxStream<'static, object_store::Result<Path>> {
        self.inner.delete_stream(at)
    }
    fn list(&self, below: Option<&Path>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(below)
    }
    async fn list_with_delimiter(&self, below: Option<&Path>) -> object_store::Result<ListResult> {
        self.ail().await?;
        self.inner.list_with_delimiter(below).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

fn busy() -> Option<Error> {
    Some(Error::Generic { store: "sick", source: "slow down".into() })
}

fn denied() -> Option<Error> {
    Some(Error::PermissionDenied { path: "a/b".into(), source: "no".into() })
}

/// What stores need that lasts as long as they do.
type Ground = (tempfile::TempDir, Server);

/// The same objects in a folder, in memory and in a bucket.
async fn stores() -> (Ground, [Store; 3]) {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start().await);
    let local =
        Store::create(&StoreUrl::File(folder.path().join("media")), Patience::default(), metrics()).unwrap();
    let memory = Store::new(Arc::new(InMemory::new()), Patience::default(), metrics());
    let bucket = server.store_at(server.address, Patience::default(), &metrics());
    for store in [&local, &memory, &bucket] {
        for path in ["vod/show/b.mp4", "vod/show/a.mp4", "vod/show/7/asset.json", "vod/other/c.mp4"] {
            store.objects().put(&Path::from(path), PutPayload::from_static(b"0123456789")).await.unwrap();
        }
    }
    ((folder, server), [local, memory, bucket])
}

fn range(start: u64, end: u64) -> ByteRange {
    ByteRange::new(start, end)
}

#[tokio::test]
async fn a_range_is_read_to_the_byte_or_not_at_all() {
    let (_ground, stores) = stores().await;
    for store in &stores {
        assert_eq!(store.read("vod/show/a.mp4", range(3, 7)).await.unwrap(), "3456");
        assert_eq!(store.read("vod/show/a.mp4", range(0, 10)).await.unwrap(), "0123456789");
        assert_eq!(store.read("vod/show/a.mp4", range(9, 9)).await.unwrap(), "");
        for beyond in [range(5, 11), range(10, 11), range(99, 100)] {
            let error = store.read("vod/show/a.mp4", beyond).await.unwrap_err();
            assert_eq!(error.fault(), StoreFault::Other, "{store:?} {beyond:?} {error:?}");
            let cause = format!("{error:?}");
            let long =
                ["object of 10 bytes", "length: 10", "InvalidRange"].iter().any(|said| cause.contains(said));
            assert!(long, "{cause}");
        }
    }
}

#[tokio::test]
async fn what_is_no_object_is_not_found() {
    let (_ground, stores) = stores().await;
    for store in &stores {
        for path in ["vod/show/none.mp4", "none", "vod/show/a.mp4/deeper", "vod/show"] {
            // The server of the bucket lays objects into folders, and fails where it meets one.
            if format!("{store:?}").contains("S3") && (path.ends_with("deeper") || path.ends_with("show")) {
                continue;
            }
            let error = store.head(path).await.unwrap_err();
            assert_eq!(error.fault(), StoreFault::NotFound, "{store:?} {path} {error:?}");
            let error = store.read(path, range(0, 1)).await.unwrap_err();
            assert_eq!(error.fault(), StoreFault::NotFound, "{store:?} {path} {error:?}");
        }
        for path in ["vod/../../etc/passwd", "vod//show", "vod/./show", "a\0b"] {
            let error = store.read(path, range(0, 1)).await.unwrap_err();
            assert!(matches!(error.fault(), StoreFault::Other | StoreFault::NotFound), "{path} {error:?}");
        }
    }
}

#[tokio::test]
async fn a_replaced_object_is_noticed() {
    let (_ground, stores) = stores().await;
    for store in &stores {
        let before = store.head("vod/show/a.mp4").await.unwrap();
        assert_eq!((before.name.as_str(), before.size), ("a.mp4", 10));
        let whole = range(0, 10);
        assert_eq!(store.read_version("vod/show/a.mp4", whole, &before.version).await.unwrap().len(), 10);
        let longer = PutPayload::from_static(b"0123456789ab");
        store.objects().put(&Path::from("vod/show/a.mp4"), longer).await.unwrap();
        let error = store.read_version("vod/show/a.mp4", whole, &before.version).await.unwrap_err();
        assert_eq!(error.fault(), StoreFault::Changed);
    }
}

#[tokio::test]
async fn a_folder_lists_its_own_files_in_order() {
    let (_ground, stores) = stores().await;
    for store in &stores {
        let files = store.list_folder("vod/show").await.unwrap();
        assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.mp4", "b.mp4"]);
        assert_eq!(files[0], store.head("vod/show/a.mp4").await.unwrap());
        assert_eq!(store.list_folder("vod/none").await.unwrap(), []);
        assert_eq!(store.list_folders("vod").await.unwrap(), ["other", "show"]);
        assert_eq!(store.list_folders("none").await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_whole_object_is_bounded() {
    let (_ground, stores) = stores().await;
    for store in &stores {
        assert_eq!(store.read_whole("vod/show/7/asset.json", 10).await.unwrap(), "0123456789");
        let error = store.read_whole("vod/show/7/asset.json", 9).await.unwrap_err();
        assert_eq!(error.fault(), StoreFault::Other);
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_store_is_asked_again() {
    let (sick, metrics) = (Sick::new(2, busy).await, metrics());
    let store = Store::new(Arc::clone(&sick) as _, Patience::default(), Arc::clone(&metrics));
    assert_eq!(store.read("a/b", range(0, 2)).await.unwrap(), "01");
    let text = metrics.render().unwrap();
    assert!(text.contains("forebay_store_retries_total 2\n"), "{text}");
    assert!(text.contains("forebay_store_read_bytes_total 2\n"), "{text}");
    assert!(text.contains("{operation=\"read\",outcome=\"ok\"} 1\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_busy_is_given_up() {
    let (sick, metrics) = (Sick::new(99, busy).await, metrics());
    let patience = Patience { tries: 4, ..Patience::default() };
    let store = Store::new(Arc::clone(&sick) as _, patience, Arc::clone(&metrics));
    let began = tokio::time::Instant::now();
    let error = store.list_folder("a").await.unwrap_err();
    assert_eq!(error.fault(), StoreFault::Unavailable);
    assert_eq!(sick.asked.load(Ordering::SeqCst), 4);
    assert_eq!(began.elapsed(), Duration::from_millis(50 + 100 + 200));
    assert!(metrics.render().unwrap().contains("{operation=\"list\",outcome=\"unavailable\"} 1\n"));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_not_asked_again() {
    let sick = Sick::new(99, denied).await;
    let store = Store::new(Arc::clone(&sick) as _, Patience::default(), metrics());
    let error = store.head("a/b").await.unwrap_err();
    assert_eq!(error.fault(), StoreFault::Unavailable);
    assert_eq!(sick.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_is_left_at_the_deadline() {
    let (sick, metrics) = (Sick::new(99, || None).await, metrics());
    let store = Store::new(sick, Patience::default(), Arc::clone(&metrics));
    let began = tokio::time::Instant::now();
    let error = store.read("a/b", range(0, 1)).await.unwrap_err();
    assert_eq!((error.fault(), error.path()), (StoreFault::Timeout, "a/b"));
    assert_eq!(began.elapsed(), Patience::default().deadline);
    assert!(metrics.render().unwrap().contains("{operation=\"read\",outcome=\"timeout\"} 1\n"));
}

#[tokio::test]
async fn readiness_needs_the_folder() {
    let ((folder, _server), stores) = stores().await;
    for store in &stores {
        store.ready().await.unwrap();
    }
    fs::remove_dir_all(folder.path().join("media")).unwrap();
    assert_eq!(stores[0].ready().await.unwrap_err().fault(), StoreFault::Unavailable);
}

#[test]
fn a_store_that_is_not_there_is_one_clear_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    for name in ["none", "file"] {
        let url = StoreUrl::File(folder.path().join(name));
        let error = Store::open(&url, Patience::default(), metrics()).unwrap_err();
        assert!(matches!(error, OpenError::Folder { .. }), "{error:?}");
    }
}
