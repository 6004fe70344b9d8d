use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use prometheus::Registry;
use tempfile::TempDir;

use super::*;

const BLOCK: usize = 4 << 10;
const ROOM: u64 = 32 << 20;

fn metrics() -> Arc<Metrics> {
    Arc::new(Metrics::new(Registry::new()).unwrap())
}

fn object(name: &str) -> ObjectRef {
    ObjectRef { path: name.to_owned(), size: 1 << 40, version: None }
}

/// Bytes that tell which block they are of.
fn bytes(name: &str, number: u64) -> Vec<u8> {
    let seed = crc32fast::hash(format!("{name} {number}").as_bytes()).to_le_bytes();
    seed.iter().cycle().zip(0..BLOCK).map(|(byte, at)| byte.wrapping_add(at.to_le_bytes()[1])).collect()
}

fn shelves(folder: &Path, limit: u64) -> (Arc<Index>, Shelves) {
    let index = Arc::<Index>::default();
    let shelves = Shelves::open(folder, limit, Arc::clone(&index)).unwrap();
    (index, shelves)
}

fn put(shelves: &mut Shelves, name: &str, numbers: std::ops::Range<u64>) {
    for number in numbers {
        shelves.put(ObjectId::of(&object(name)), number, &bytes(name, number)).unwrap();
    }
}

/// Whether a block is there; if it is, it is right.
fn has(index: &Index, name: &str, number: u64) -> bool {
    let found =
        index.find(ObjectId::of(&object(name)), number).and_then(|place| place.volume.read(&place).ok());
    found.is_some_and(|found| {
        assert!(found == bytes(name, number), "{name} {number} has other bytes");
        true
    })
}

fn on_disk(folder: &TempDir) -> u64 {
    fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn what_was_put_in_is_found_again_by_the_next_process() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut first) = shelves(folder.path(), 256 << 20);
    put(&mut first, "a", 0..100);
    drop(first);
    let (index, mut second) = shelves(folder.path(), 256 << 20);
    assert_eq!((0..100).filter(|number| has(&index, "a", *number)).count(), 100);
    put(&mut second, "b", 0..10);
    assert!(has(&index, "b", 9) && has(&index, "a", 99));
}

#[test]
fn it_is_bounded_and_the_newest_stay() {
    let folder = tempfile::tempdir().unwrap();
    let (index, mut shelves) = shelves(folder.path(), ROOM);
    put(&mut shelves, "a", 0..20_000);
    assert!(on_disk(&folder) <= ROOM, "{}", on_disk(&folder));
    assert!(has(&index, "a", 19_999) && !has(&index, "a", 0));
    assert!(index.len() as u64 * BLOCK as u64 <= ROOM);
}

#[test]
fn a_crawl_does_not_push_out_what_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let (index, mut shelves) = shelves(folder.path(), ROOM);
    // An eighth of the room, each asked for before the small queue has passed.
    for start in (0..1_024).step_by(64) {
        put(&mut shelves, "hot", start..start + 64);
        (start..start + 64).for_each(|number| assert!(has(&index, "hot", number)));
    }
    put(&mut shelves, "crawl", 0..40_000);
    let left = (0..1_024).filter(|number| has(&index, "hot", *number)).count();
    assert!(left > 1_000, "{left} of 1024 are left");
}

#[test]
fn what_comes_again_soon_after_it_went_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (index, mut shelves) = shelves(folder.path(), ROOM);
    put(&mut shelves, "a", 0..100);
    put(&mut shelves, "crawl", 0..2_000);
    assert!(!has(&index, "a", 50));
    put(&mut shelves, "a", 0..100);
    put(&mut shelves, "crawl", 2_000..4_000);
    assert!(has(&index, "a", 50));
}

#[test]
fn bytes_that_are_not_what_was_written_are_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_, mut first) = shelves(folder.path(), ROOM);
    put(&mut first, "a", 0..3);
    drop(first);
    let file = fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let mut torn = fs::read(&file).unwrap();
    // A bit of the second block, and the end of the third.
    torn[record::HEAD * 2 + BLOCK + 77] ^= 4;
    torn.truncate(torn.len() - 1);
    fs::write(&file, &torn).unwrap();
    let (index, mut second) = shelves(folder.path(), ROOM);
    assert_eq!([0, 1, 2].map(|number| has(&index, "a", number)), [true, false, false]);
    assert_eq!(index.len(), 2, "the third is not even looked for");
    put(&mut second, "a", 2..4);
    assert!(has(&index, "a", 2) && has(&index, "a", 3));
}

#[tokio::test]
async fn a_block_goes_through_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Disk::open(&folder.path().join("new"), 64 << 20, metrics()).unwrap();
    let a = object("a");
    assert_eq!(disk.get(&a, 1).await, None);
    disk.put(&a, 1, &Bytes::from(bytes("a", 1)));
    while !disk.has(&a, 1) {
        tokio::task::yield_now().await;
    }
    assert!(disk.get(&a, 1).await.unwrap() == bytes("a", 1));
    assert!(!disk.has(&a, 2) && !disk.has(&object("b"), 1));
}

#[test]
fn a_folder_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Disk::open(folder.path(), 64 << 20, metrics()).unwrap();
    let second = Disk::open(folder.path(), 64 << 20, metrics()).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    // Its thread ends when it has nothing more to write.
    while Disk::open(folder.path(), 64 << 20, metrics()).is_err() {
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_disk_that_is_gone_is_left_alone_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (place, metrics) = (folder.path().join("disk"), metrics());
    let retry = Duration::from_millis(50);
    let disk = Disk::open_and_retry(&place, 64 << 20, retry, Arc::clone(&metrics)).unwrap();
    let a = object("a");
    let put = |number| disk.put(&a, number, &Bytes::from(bytes("a", number)));
    fs::remove_dir_all(&place).unwrap();
    fs::write(&place, "a file").unwrap();
    let mut number = 0;
    while !disk.is_off.load(Ordering::Relaxed) {
        put(number);
        number += 1;
        tokio::task::yield_now().await;
    }
    assert!(metrics.render().unwrap().contains("forebay_cache_failed_disks 1\n"));
    put(99_999);
    fs::remove_file(&place).unwrap();
    while disk.is_off.load(Ordering::Relaxed) {
        tokio::time::sleep(retry / 5).await;
    }
    put(100_000);
    while !disk.has(&a, 100_000) {
        tokio::task::yield_now().await;
    }
    assert!(disk.get(&a, 100_000).await.unwrap() == bytes("a", 100_000));
    assert!(metrics.render().unwrap().contains("forebay_cache_failed_disks 0\n"));
}

/// Not a test: what the next one kills. Says what it has written, for as long as it lives.
#[test]
#[ignore = "a process that another test starts and kills"]
#[expect(
    clippy::disallowed_methods,
    reason = "the test that starts it says where, in words that the harness leaves alone"
)]
fn writes_until_it_is_killed() {
    let Some(folder) = std::env::var_os("FOREBAY_TEST_DISK") else { return };
    let first: u64 = std::env::var("FOREBAY_TEST_FIRST").unwrap().parse().unwrap();
    let (_, mut shelves) = shelves(Path::new(&folder), 1 << 30);
    for number in first.. {
        put(&mut shelves, "a", number..number + 1);
        println!("written {number}");
    }
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_it_had_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut next = 0;
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture", "cache::disk::tests::writes_until_it_is_killed"])
            .env("FOREBAY_TEST_DISK", folder.path())
            .env("FOREBAY_TEST_FIRST", next.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut written = Vec::new();
        let heard = |line: io::Result<String>| {
            line.unwrap().strip_prefix("written ").map(|n| n.parse::<u64>().unwrap())
        };
        while written.len() < 200 + round * 37 {
            written.extend(heard(said.next().unwrap()));
        }
        child.kill().unwrap();
        written.extend(said.filter_map(heard));
        child.wait().unwrap();
        let last: u64 = *written.last().unwrap();
        let (index, _shelves) = shelves(folder.path(), 1 << 30);
        for number in 0..=last {
            assert!(has(&index, "a", number), "round {round}: {number} of {last} is lost");
        }
        // The one that it was at may be there, and is right if it is.
        let _maybe = has(&index, "a", last + 1);
        next = last + 2;
        // What it may have torn is written anew.
        let (_, mut shelves) = self::shelves(folder.path(), 1 << 30);
        put(&mut shelves, "a", last + 1..last + 2);
    }
}
