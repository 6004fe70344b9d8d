//! An origin over a store in memory that counts, fails and waits as it is told.

use std::fmt;
use std::path::Path as FilePath;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use authz::{Claims, Key, KeyId, KeySet, ResourceGlob, Scope, UnixSeconds, Verb, mint};
use bytes::Bytes;
use forebay_origin::catalog::{Catalog, CatalogError, MemoryCatalog, Published};
use forebay_origin::clock::Clock;
use forebay_origin::config::{Auth, Config};
use forebay_origin::keyring::Keyring;
use forebay_origin::metrics::Metrics;
use forebay_origin::{NoUpload, Origin, Reply};
use futures_util::stream::BoxStream;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use packager::asset::{AssetName, Revision};
use prometheus::Registry;
use tokio::sync::Semaphore;
use transcoder::publishing::{MemoryShows, Shows};

/// When every test takes place.
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_800_000_000);

/// A store in memory with a hand on it.
#[derive(Debug)]
pub(crate) struct Shelf {
    inner: InMemory,
    /// Reads of objects that were answered or refused.
    pub(crate) reads: AtomicU32,
    /// Whether the store fails.
    pub(crate) broken: AtomicBool,
    /// Reads that begin at or behind this byte fail, where it is not zero.
    pub(crate) broken_from: AtomicU32,
    /// Each read takes one of them; there are plenty unless a test takes them away.
    pub(crate) permits: Semaphore,
}

impl Shelf {
    fn new() -> Self {
        Self {
            inner: InMemory::new(),
            reads: AtomicU32::new(0),
            broken: AtomicBool::new(false),
            broken_from: AtomicU32::new(0),
            permits: Semaphore::new(PLENTY),
        }
    }

    /// From now on reads wait until [`Self::open`].
    pub(crate) fn close(&self) {
        self.permits.forget_permits(PLENTY * 2);
    }

    pub(crate) fn open(&self) {
        self.permits.add_permits(PLENTY);
    }

    fn fault(&self) -> Result<()> {
        match self.broken.load(Ordering::SeqCst) {
            // A refusal is not tried again, so that no test waits for a second try.
            true => Err(Error::PermissionDenied { path: "x".into(), source: "broken".into() }),
            false => Ok(()),
        }
    }
}

const PLENTY: usize = 1 << 20;

impl fmt::Display for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("shelf")
    }
}

#[async_trait]
impl ObjectStore for Shelf {
    async fn put_opts(&self, at: &Path, what: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(at, what, how).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, how).await
    }
    async fn get_opts(&self, at: &Path, how: GetOptions) -> Result<GetResult> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        self.permits.acquire().await.unwrap().forget();
        self.permits.add_permits(1);
        self.fault()?;
        let from = u64::from(self.broken_from.load(Ordering::SeqCst));
        let found = self.inner.get_opts(at, how).await?;
        match from > 0 && found.range.start >= from {
            true => Err(Error::PermissionDenied { path: at.to_string(), source: "broken".into() }),
            false => Ok(found),
        }
    }
    fn delete_stream(&self, at: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(at)
    }
    fn list(&self, below: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(below)
    }
    async fn list_with_delimiter(&self, below: Option<&Path>) -> Result<ListResult> {
        self.fault()?;
        self.inner.list_with_delimiter(below).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

/// A catalogue whose database comes and goes.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    pub(crate) inner: MemoryCatalog,
    pub(crate) gone: AtomicBool,
}

#[async_trait]
impl Catalog for Rows {
    async fn current(&self, asset: &AssetName) -> std::result::Result<Option<Revision>, CatalogError> {
        match self.gone.load(Ordering::SeqCst) {
            true => Err(CatalogError::Unavailable("gone".into())),
            false => self.inner.current(asset).await,
        }
    }
    async fn list(
        &self,
        after: Option<&AssetName>,
        limit: u32,
    ) -> std::result::Result<Vec<Published>, CatalogError> {
        self.inner.list(after, limit).await
    }
    async fn ready(&self) -> std::result::Result<(), CatalogError> {
        self.inner.ready().await
    }
}

/// An origin and all that it stands on.
pub(crate) struct Rig {
    pub(crate) origin: Origin,
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) rows: Arc<Rows>,
    pub(crate) clock: Clock,
    pub(crate) metrics: Arc<Metrics>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as it should.
    pub(crate) whole: bool,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Rig {
    /// One that asks nobody for a token.
    pub(crate) fn open() -> Self {
        Self::of(|auth| auth.required = false)
    }

    /// One with this `[auth]`.
    pub(crate) fn of(auth: impl FnOnce(&mut Auth)) -> Self {
        Self::with(|config| auth(&mut config.auth))
    }

    /// One with this configuration.
    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let shows = MemoryShows::new(|| i64::try_from(NOW.0 * 1000).unwrap());
        Self::with_shows(Arc::new(shows), change)
    }

    /// One with this configuration, and shows that others may know.
    pub(crate) fn with_shows(shows: Arc<dyn Shows>, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        config.store.tries = 1;
        let (shelf, rows) = (Arc::new(Shelf::new()), Arc::new(Rows::default()));
        let (clock, metrics) = (Clock::manual(NOW), Arc::new(Metrics::new(Registry::new()).unwrap()));
        let origin = Origin::builder(&config)
            .catalog(rows.clone())
            .shows(shows)
            .store(shelf.clone())
            .keys(Arc::new(Keyring::new(KeySet::new(vec![key()]).unwrap())))
            .clock(clock.clone())
            .metrics(Arc::clone(&metrics))
            .build()
            .unwrap();
        Self { origin, shelf, rows, clock, metrics }
    }

    pub(crate) async fn put(&self, path: &str, bytes: impl Into<Bytes>) {
        self.shelf.inner.put(&Path::from(path), PutPayload::from(bytes.into())).await.unwrap();
    }

    /// A folder `vod/show` with one fixture in it.
    pub(crate) async fn with_show(self) -> Self {
        self.put("vod/show/film.mp4", fixture("moov-last.mp4")).await;
        self
    }

    pub(crate) async fn reply(&self, method: Method, target: &str, headers: &[(&str, &str)]) -> Reply {
        let headers = headers
            .iter()
            .map(|(n, v)| (n.parse::<HeaderName>().unwrap(), HeaderValue::from_str(v).unwrap()))
            .collect();
        self.origin.answer(&method, target, &headers, &mut NoUpload).await
    }

    pub(crate) async fn ask(&self, method: Method, target: &str, headers: &[(&str, &str)]) -> Answer {
        read(self.reply(method, target, headers).await).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(Method::GET, target, &[]).await
    }

    /// The rendition folders that the main playlist leads to: video, then sound.
    pub(crate) async fn renditions(&self) -> [String; 2] {
        let main = self.get("/vod/show/main.m3u8").await;
        assert_eq!(main.status, StatusCode::OK, "{main:?}");
        let text = main.text();
        let sound = text.split("URI=\"").nth(1).unwrap().split('"').next().unwrap();
        let video = text.lines().rfind(|l| !l.starts_with('#')).unwrap();
        [video, sound].map(|uri| format!("/vod/show/{}", uri.strip_suffix("/index.m3u8").unwrap()))
    }

    pub(crate) fn counter(&self, line: &str) -> u64 {
        let text = self.metrics.render().unwrap();
        let value = text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_else(|| panic!("{line}"));
        value.trim().parse().unwrap()
    }
}

/// Reads an answer to its end, and checks what must hold for every one.
pub(crate) async fn read(reply: Reply) -> Answer {
    let Reply { status, headers, body: mut rest } = reply;
    let (mut body, mut whole) = (Vec::new(), true);
    while let Some(piece) = rest.next().await {
        match piece {
            Ok(piece) => body.extend_from_slice(&piece),
            Err(_) => whole = false,
        }
    }
    assert!(headers.contains_key("cache-control"), "{status}: every answer has a lifetime");
    assert_eq!(headers.get("x-content-type-options").unwrap(), "nosniff");
    Answer { status, headers, body, whole }
}

/// The key of the rig.
pub(crate) fn key() -> Key {
    Key::generate(KeyId::parse("k1").unwrap(), [7; 32])
}

/// A token of this key for one pattern of paths, good for so many seconds.
pub(crate) fn token(key: &Key, glob: &str, seconds: u64) -> String {
    let scope = Scope::new(Verb::Play, vec![ResourceGlob::parse(glob).unwrap()]).unwrap();
    let claims = Claims::new(UnixSeconds(NOW.0 + seconds), scope).unwrap();
    mint(&claims, key).unwrap().as_str().to_owned()
}

/// A file of the packager's fixtures.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    let folder = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../packager/tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}
