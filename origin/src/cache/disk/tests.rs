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

fn object(name: &str) -> Arc<ObjectRef> {
    Arc::new(ObjectRef::new(name.to_owned(), 1 << 40, None, format!("/{name}/")))
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
        shelves.put(object(name).id(), number, Epoch(0), &bytes(name, number)).unwrap();
    }
}

/// Whether a block is there; if it is, it is right.
fn has(index: &Index, name: &str, number: u64) -> bool {
    let found = index
        .find(object(name).id(), number)
        .and_then(|place| place.volume.read(&place, &Arc::default()).ok());
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
    let disk = Disk::open(&folder.path().join("new"), 64 << 20, Arc::default(), metrics()).unwrap();
    let a = object("a");
    assert_eq!(disk.get(&a, 1).await, None);
    disk.put(&a, 1, Epoch(0), &Bytes::from(bytes("a", 1)));
    while !disk.has(&a, 1) {
        tokio::task::yield_now().await;
    }
    assert!(disk.get(&a, 1).await.unwrap() == bytes("a", 1));
    assert!(!disk.has(&a, 2) && !disk.has(&object("b"), 1));
}

#[test]
fn a_folder_has_one_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Disk::open(folder.path(), 64 << 20, Arc::default(), metrics()).unwrap();
    let second = Disk::open(folder.path(), 64 << 20, Arc::default(), metrics()).unwrap_err();
    assert_eq!(second.kind(), io::ErrorKind::ResourceBusy);
    drop(first);
    // Its thread ends when it has nothing more to write.
    while Disk::open(folder.path(), 64 << 20, Arc::default(), metrics()).is_err() {
        thread::yield_now();
    }
}

#[tokio::test]
async fn a_disk_that_is_gone_is_left_alone_and_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let (place, metrics) = (folder.path().join("disk"), metrics());
    let retry = Duration::from_millis(50);
    let disk = Disk::open_and_retry(&place, 64 << 20, retry, Arc::default(), Arc::clone(&metrics)).unwrap();
    let a = object("a");
    let put = |number| disk.put(&a, number, Epoch(0), &Bytes::from(bytes("a", number)));
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

fn below(name: &str) -> Scope {
    Scope::Below(format!("/{name}/"))
}

/// Purges a name, and writes it down.
async fn purge(disk: &Disk, name: &str) -> bool {
    let epoch = disk.ledger.purge(&[below(name)], Force::Hard);
    disk.remember(epoch, &[below(name)]).await
}

/// Puts a block in that a fill brings which begins now.
async fn bring(disk: &Disk, name: &str, number: u64) {
    let object = object(name);
    disk.put(&object, number, disk.ledger.now(), &Bytes::from(bytes(name, number)));
    while !disk.has(&object, number) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_was_purged_stays_purged_and_what_came_after_it_stays() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Disk::open(folder.path(), 64 << 20, Arc::default(), metrics());
    let again = || loop {
        match open() {
            Ok(disk) => return disk,
            // The thread of the former one still has something to write.
            Err(_) => thread::yield_now(),
        }
    };
    let disk = open().unwrap();
    for number in 0..5 {
        bring(&disk, "a", number).await;
        bring(&disk, "b", number).await;
    }
    let before = disk.ledger.now();
    assert!(purge(&disk, "a").await);
    assert!(!disk.has(&object("a"), 0) && disk.has(&object("b"), 0));
    assert_eq!(disk.get(&object("a"), 1).await, None);
    // It was on its way when it was purged.
    disk.put(&object("a"), 2, before, &Bytes::from(bytes("a", 2)));
    bring(&disk, "a", 3).await;
    assert!(!disk.has(&object("a"), 2));
    drop(disk);

    let disk = again();
    let there = |name: &str| (0..5).filter(|number| disk.has(&object(name), *number)).collect::<Vec<_>>();
    assert_eq!((there("a"), there("b")), (vec![3], vec![0, 1, 2, 3, 4]));
    assert!(disk.get(&object("a"), 3).await.unwrap() == bytes("a", 3));
    assert!(purge(&disk, "b").await);
    drop(disk);

    // A book that nobody can read may have said anything.
    let disk = again();
    assert!(disk.has(&object("a"), 3) && !disk.has(&object("b"), 0));
    drop(disk);
    let book = folder.path().join("purges");
    let text = fs::read_to_string(&book).unwrap().replace("/b/", "/c/");
    while open().is_err() {
        thread::yield_now();
    }
    fs::write(&book, text).unwrap();
    let disk = again();
    assert!(!disk.has(&object("a"), 3) && disk.index.len() > 0);
    bring(&disk, "a", 3).await;
}

#[tokio::test]
async fn a_purge_that_cannot_be_written_down_says_so_and_holds_for_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let (place, retry) = (folder.path().join("disk"), Duration::from_millis(50));
    let disk = Disk::open_and_retry(&place, 64 << 20, retry, Arc::default(), metrics()).unwrap();
    bring(&disk, "a", 0).await;
    fs::rename(&place, folder.path().join("away")).unwrap();
    fs::write(&place, "a file").unwrap();
    let a = object("a");
    let mut number = 1;
    while !disk.is_off.load(Ordering::Relaxed) {
        disk.put(&a, number, Epoch(0), &Bytes::from(bytes("a", number)));
        number += 1;
        tokio::task::yield_now().await;
    }
    assert!(!purge(&disk, "a").await);
    assert!(!disk.has(&a, 0));
    fs::remove_file(&place).unwrap();
    fs::rename(folder.path().join("away"), &place).unwrap();
    while disk.is_off.load(Ordering::Relaxed) {
        tokio::time::sleep(retry / 5).await;
    }
    assert!(!disk.has(&a, 0), "it lies on the disk that came back");
    assert!(purge(&disk, "b").await);
    drop(disk);
    loop {
        match Disk::open(&place, 64 << 20, Arc::default(), metrics()) {
            Ok(disk) => break assert!(!disk.has(&a, 0), "the disk that came back was told"),
            Err(_) => thread::yield_now(),
        }
    }
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
