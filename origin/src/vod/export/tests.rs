use std::path::Path;

use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt as _};
use packager::export::whole;
use prometheus::Registry;

use super::*;
use crate::cache::{Ledger, Supply};
use crate::catalog::MemoryCatalog;
use crate::config::{ByteSize, Cache};
use crate::metrics::Metrics;
use crate::store::{Patience, Store, StoreFault};

const OBJECT: &str = "vod/film/late-audio.mp4";

/// A folder with one file, in which sound starts late.
async fn film() -> (Arc<InMemory>, Arc<Vod>, Arc<LoadedAsset>) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packager/tests/fixtures/late-audio.mp4");
    let objects = Arc::new(InMemory::new());
    objects.put(&OBJECT.into(), std::fs::read(file).unwrap().into()).await.unwrap();
    let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
    let given = Arc::clone(&objects) as Arc<dyn ObjectStore>;
    let store = Store::new(given, Patience::default(), Arc::clone(&metrics));
    let supply = Supply { store, disk: None, peers: None, ledger: Arc::<Ledger>::default(), metrics };
    // Small blocks: each window is of several.
    let cache = Cache { block: ByteSize::kib(4), ..Cache::default() };
    let target = MediaTime::from_millis(2000);
    let vod = Arc::new(Vod::new(Arc::new(MemoryCatalog::new()), &cache, target, supply));
    let asset = vod.current(&"film".parse().unwrap()).await.unwrap();
    (objects, vod, asset)
}

/// An export of all that is in an asset.
async fn export(vod: &Arc<Vod>, asset: &LoadedAsset, range: Option<Range<i64>>) -> Result<Export, VodError> {
    let renditions = asset.presentation.renditions().to_vec();
    let millis = |range: Range<i64>| MediaTime::from_millis(range.start)..MediaTime::from_millis(range.end);
    let all = || whole(&renditions.iter().map(Arc::as_ref).collect::<Vec<_>>());
    let range = range.map_or_else(all, millis);
    vod.export(asset, renditions, range).await
}

async fn read(export: &Export, window: ByteRange) -> Vec<u8> {
    let mut stream = export.stream(window).await.unwrap();
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.unwrap());
    }
    bytes
}

#[tokio::test]
async fn any_window_is_that_part_of_the_file() {
    let (_objects, vod, asset) = film().await;
    let export = export(&vod, &asset, None).await.unwrap();
    let len = export.len();
    let file = read(&export, ByteRange::new(0, len)).await;
    assert_eq!(file.len() as u64, len);
    let movie = packager::fuzzing::read(&file).unwrap();
    assert_eq!(movie.tracks.len(), 2);
    for (start, bytes) in [(0, 1), (0, 9000), (len / 2, 7000), (len - 3, 100), (len, 5), (len + 7, 1)] {
        let given = read(&export, ByteRange::at(start, bytes)).await;
        let place = |at: u64| usize::try_from(at.min(len)).unwrap();
        assert_eq!(given, file[place(start)..place(start + bytes)], "{bytes} from {start}");
    }
}

#[tokio::test]
async fn a_tag_is_of_the_range_and_what_is_read_of_it_begins_with_a_picture() {
    let (_objects, vod, asset) = film().await;
    let of = async |range| export(&vod, &asset, Some(range)).await.unwrap();
    let (one, same, other) = (of(0..1000).await, of(0..1000).await, of(0..1001).await);
    assert_eq!(one.tag(), same.tag());
    assert_ne!(one.tag(), other.tag());
    let piece = of(2710..3110).await;
    assert_eq!(*piece.range(), MediaTime::from_millis(2680)..MediaTime::from_millis(3110));
}

#[tokio::test]
async fn nothing_is_absent_and_a_store_that_has_lost_the_media_says_so_before_a_byte_is_sent() {
    let (objects, vod, asset) = film().await;
    assert!(matches!(export(&vod, &asset, Some(60_000..70_000)).await, Err(VodError::Absent)));
    let export = export(&vod, &asset, None).await.unwrap();
    objects.delete(&OBJECT.into()).await.unwrap();
    let stream = export.stream(ByteRange::new(0, export.len())).await;
    assert!(matches!(stream, Err(VodError::Store(error)) if error.fault() == StoreFault::NotFound));
}
