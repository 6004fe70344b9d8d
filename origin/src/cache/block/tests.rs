use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt as _, PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use packager::range::ByteRange;
use prometheus::Registry;
use tokio::sync::Semaphore;

use super::super::ledger::Force;
use super::*;
use crate::store::Patience;

/// A store whose bodies come as fast as pieces of 4 KiB are let through.
#[derive(Debug)]
struct Gated {
    inner: InMemory,
    gate: Arc<Semaphore>,
    /// The ranges of all reads.
    reads: Mutex<Vec<std::ops::Range<u64>>>,
    /// Bodies break after the pieces that are let through.
    breaks: bool,
}

impl fmt::Display for Gated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gated")
    }
}

#[async_trait]
impl ObjectStore for Gated {
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
        let found = self.inner.get_opts(at, how).await?;
        let (meta, range, attributes) = (found.meta.clone(), found.range.clone(), found.attributes.clone());
        let extensions = found.extensions.clone();
        self.reads.lock().unwrap().push(range.clone());
        let bytes = found.bytes().await?;
        let pieces: Vec<Bytes> = bytes.chunks(4_096).map(Bytes::copy_from_slice).collect();
        let (gate, breaks) = (Arc::clone(&self.gate), self.breaks);
        let body = futures_util::stream::iter(pieces).then(move |piece| {
            let gate = Arc::clone(&gate);
            async move {
                match gate.try_acquire() {
                    Ok(place) => place.forget(),
                    Err(_) if breaks => {
                        return Err(object_store::Error::NotSupported { source: "it broke".into() });
                    }
                    Err(_) => gate.acquire().await.unwrap().forget(),
                }
                Ok(piece)
            }
        });
        Ok(GetResult { payload: GetResultPayload::Stream(body.boxed()), meta, range, attributes, extensions })
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
        self.inner.list_with_delimiter(below).await
    }
    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

/// Ten blocks of 4 KiB, each of its number, and half of one.
const SIZE: u64 = 10 * 4_096 + 2_048;

async fn stage(breaks: bool) -> (Arc<Gated>, Arc<Blocks>, Arc<ObjectRef>) {
    let inner = InMemory::new();
    let bytes: Vec<u8> = (0..SIZE).map(|at| u8::try_from(at / 4_096).unwrap()).collect();
    inner.put(&Path::from("a"), PutPayload::from(bytes)).await.unwrap();
    let gated = Arc::new(Gated { inner, gate: Arc::new(Semaphore::new(0)), reads: Mutex::default(), breaks });
    let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
    let store = Store::new(Arc::clone(&gated) as _, Patience::default(), Arc::clone(&metrics));
    let (ledger, disk, peers) = (Arc::default(), None, None);
    let blocks = Blocks::new(4_096, 1 << 20, 4 * 4_096, Supply { store, disk, peers, ledger, metrics });
    (gated, Arc::new(blocks), Arc::new(ObjectRef::new("a".into(), SIZE, None, "/a/".into())))
}

/// The bytes of a block, read by a reader of its own.
async fn read(blocks: &Arc<Blocks>, object: &Arc<ObjectRef>, number: u64) -> Result<Bytes, BlockError> {
    let start = number * 4_096;
    let mut reader = blocks.reader(Arc::clone(object), SIZE);
    reader.read(ByteRange::new(start, (start + 4_096).min(SIZE))).await
}

#[tokio::test]
async fn a_block_is_handed_on_before_the_run_is_whole() {
    let (gated, blocks, object) = stage(false).await;
    let (first, second) = (read(&blocks, &object, 0), read(&blocks, &object, 1));
    tokio::pin!(second);
    gated.gate.add_permits(1);
    assert_eq!(first.await.unwrap(), vec![0; 4_096]);
    let soon = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
    assert!(soon.is_err(), "it has not come");
    gated.gate.add_permits(1);
    assert_eq!(second.await.unwrap(), vec![1; 4_096]);
}

#[tokio::test]
async fn whoever_asks_for_a_block_that_is_on_its_way_waits_for_that_one() {
    let (gated, blocks, object) = stage(false).await;
    let asked: Vec<_> = (0..200)
        .map(|n| {
            let (blocks, object) = (Arc::clone(&blocks), Arc::clone(&object));
            tokio::spawn(async move { read(&blocks, &object, n % 11).await.unwrap() })
        })
        .collect();
    tokio::task::yield_now().await;
    gated.gate.add_permits(11);
    for (number, task) in (0..).zip(asked) {
        let block = task.await.unwrap();
        let length = if number % 11 == 10 { 2_048 } else { 4_096 };
        assert_eq!(block, vec![u8::try_from(number % 11).unwrap(); length]);
    }
    let reads = gated.reads.lock().unwrap().clone();
    assert_eq!((reads.len(), &reads[0]), (1, &(0..SIZE)), "one read for all");
    assert!(blocks.board().is_empty());
}

#[tokio::test]
async fn a_run_that_breaks_off_fails_who_waits_for_the_rest_and_is_forgotten() {
    let (gated, blocks, object) = stage(true).await;
    gated.gate.add_permits(3);
    let found: Vec<_> =
        futures_util::future::join_all((0..5).map(|number| read(&blocks, &object, number))).await;
    let is_there: Vec<bool> = found.iter().map(Result::is_ok).collect();
    assert_eq!(is_there, [true, true, true, false, false]);
    assert!(matches!(&found[4], Err(BlockError::Store(_))), "{:?}", found[4]);
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    gated.gate.add_permits(9);
    assert_eq!(read(&blocks, &object, 4).await.unwrap(), vec![4; 4_096]);
    assert_eq!(read(&blocks, &object, 1).await.unwrap(), vec![1; 4_096]);
    assert_eq!(*gated.reads.lock().unwrap(), [0..SIZE, 4 * 4_096..SIZE], "what came is kept");
}

#[tokio::test]
async fn a_run_goes_on_when_who_started_it_is_gone() {
    let (gated, blocks, object) = stage(false).await;
    let asked = tokio::spawn({
        let (blocks, object) = (Arc::clone(&blocks), Arc::clone(&object));
        async move { read(&blocks, &object, 0).await }
    });
    tokio::task::yield_now().await;
    asked.abort();
    assert!(asked.await.is_err());
    gated.gate.add_permits(11);
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&blocks, &object, 10).await.unwrap(), vec![10; 2_048]);
    assert_eq!(gated.reads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_run_ends_where_the_next_block_is_known_or_on_its_way() {
    let (gated, blocks, object) = stage(false).await;
    let (blocks_too, object_too) = (Arc::clone(&blocks), Arc::clone(&object));
    let behind = tokio::spawn(async move { read(&blocks_too, &object_too, 6).await.unwrap() });
    tokio::task::yield_now().await;
    let first = read(&blocks, &object, 2);
    gated.gate.add_permits(11);
    assert_eq!(first.await.unwrap(), vec![2; 4_096]);
    behind.await.unwrap();
    let mut reads = gated.reads.lock().unwrap().clone();
    reads.sort_by_key(|read| read.start);
    assert_eq!(reads, [2 * 4_096..6 * 4_096, 6 * 4_096..SIZE]);
}

#[tokio::test]
async fn what_was_on_its_way_when_it_was_purged_goes_to_who_had_asked_and_is_not_kept() {
    let (gated, blocks, object) = stage(false).await;
    let (blocks_too, object_too) = (Arc::clone(&blocks), Arc::clone(&object));
    let early = tokio::spawn(async move { read(&blocks_too, &object_too, 0).await.unwrap() });
    tokio::task::yield_now().await;
    gated
        .inner
        .put(&Path::from("a"), PutPayload::from(vec![7; usize::try_from(SIZE).unwrap()]))
        .await
        .unwrap();
    blocks.ledger.purge(&[Scope::Below("/a/".into())], Force::Hard);
    let late = read(&blocks, &object, 0);
    tokio::pin!(late);
    assert!(futures_util::poll!(late.as_mut()).is_pending());
    gated.gate.add_permits(22);
    assert_eq!(early.await.unwrap(), vec![0; 4_096]);
    assert_eq!(late.await.unwrap(), vec![7; 4_096]);
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(read(&blocks, &object, 10).await.unwrap(), vec![7; 2_048]);
    assert_eq!(gated.reads.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_reader_that_takes_its_time_holds_nothing() {
    let (gated, blocks, object) = stage(false).await;
    let mut reader = blocks.reader(Arc::clone(&object), SIZE);
    gated.gate.add_permits(11);
    let first = reader.read(ByteRange::new(0, SIZE)).await.unwrap();
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(!reader.holds_a_run());
    // As if others had pushed it out.
    blocks.ledger.purge(&[Scope::All], Force::Hard);
    blocks.sweep();
    gated.gate.add_permits(11);
    assert_eq!(reader.read(ByteRange::new(4_096, SIZE)).await.unwrap(), vec![1; 4_096]);
    assert_eq!(first, vec![0; 4_096]);
    let reads = gated.reads.lock().unwrap().clone();
    assert_eq!(reads, [0..SIZE, 4_096..3 * 4_096], "what comes again comes in small pieces");
}

#[tokio::test(start_paused = true)]
async fn no_more_is_on_its_way_than_there_is_room_for_and_the_rest_waits_its_turn() {
    let (gated, blocks, object) = stage(false).await;
    let all = u32::try_from(blocks.room.available_permits()).unwrap();
    assert_eq!(u64::from(all), 2 * RUN / 4_096);
    let mut others = Arc::clone(&blocks.room).try_acquire_many_owned(all - 1).unwrap();
    gated.gate.add_permits(1);
    assert_eq!(read(&blocks, &object, 3).await.unwrap(), vec![3; 4_096]);
    assert_eq!(gated.reads.lock().unwrap()[0], 3 * 4_096..4 * 4_096, "one block, where no more fits");
    let last = Arc::clone(&blocks.room).acquire_owned().await.unwrap();
    assert!(read(&blocks, &object, 3).await.is_ok(), "what is here needs no room");
    let late = read(&blocks, &object, 4);
    tokio::pin!(late);
    assert!(futures_util::poll!(late.as_mut()).is_pending());
    drop(last);
    gated.gate.add_permits(1);
    assert_eq!(late.await.unwrap(), vec![4; 4_096]);
    drop(others.split(usize::try_from(all).unwrap() - 3));
    gated.gate.add_permits(1);
    assert_eq!(read(&blocks, &object, 5).await.unwrap(), vec![5; 4_096]);
    let _all = Arc::clone(&blocks.room).acquire_many_owned(all - 2).await.unwrap();
    assert!(matches!(read(&blocks, &object, 6).await, Err(BlockError::Busy)), "it does not wait for ever");
}

#[tokio::test]
async fn who_walks_finds_what_comes_next_on_its_way_within_the_budget() {
    let (gated, blocks, object) = stage(false).await;
    gated.gate.add_permits(100);
    let of = Arc::clone(&object);
    let next = |start: u64, end: u64| {
        let object = Arc::clone(&of);
        move || Some((object, ByteRange::new(start * 4_096, end * 4_096)))
    };
    blocks.step(&"v", 1, || panic!("one step is no walk"));
    blocks.step(&"v", 2, next(2, 8));
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gated.reads.lock().unwrap()[0], 2 * 4_096..6 * 4_096, "four blocks are the budget");
    blocks.step(&"v", 2, || panic!("somebody was here"));
    // What is here already is not fetched again.
    blocks.step(&"v", 3, next(4, 8));
    while !blocks.board().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(gated.reads.lock().unwrap()[1], 6 * 4_096..8 * 4_096);
    assert_eq!(read(&blocks, &object, 7).await.unwrap(), vec![7; 4_096]);
    assert_eq!(gated.reads.lock().unwrap().len(), 2);
    // Where half of the room is taken, nothing more is fetched that nobody asked for.
    let half = u32::try_from(blocks.rooms / 2 + 1).unwrap();
    let _others = Arc::clone(&blocks.room).try_acquire_many_owned(half).unwrap();
    blocks.step(&"v", 4, next(8, 10));
    assert!(blocks.board().is_empty());
}
