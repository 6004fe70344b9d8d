use std::fs;
use std::sync::Arc;

use packager::asset::{AssetName, Revision};
use tokio::task::JoinSet;
use transcoder::publishing::{self, Published, Publishing};

use super::*;
use crate::catalog::{Catalog, conformance};

fn name(text: &str) -> AssetName {
    text.parse().unwrap()
}

async fn fresh(folder: &tempfile::TempDir) -> Sqlite {
    Sqlite::open(&folder.path().join("state/forebay.db")).await.unwrap()
}

async fn rejected(path: &Path) -> DatabaseError {
    Sqlite::open(path).await.unwrap_err()
}

#[tokio::test]
async fn the_catalogue_in_sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let database = fresh(&folder).await;
    let publish = async |asset: &AssetName, revision: &Revision| {
        while database.begin(asset).await.unwrap() != *revision {}
        assert_eq!(database.publish(asset, revision).await.unwrap(), Published::Current);
    };
    let withdraw = async |asset: &AssetName| assert!(database.withdraw(asset).await.unwrap());
    conformance::run(&database, publish, withdraw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_in_sqlite_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let count = std::cell::Cell::new(0);
    let open = || {
        count.set(count.get() + 1);
        let path = folder.path().join(format!("{}.db", count.get()));
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(Sqlite::open(&path)))
            .unwrap()
    };
    publishing::conformance::run(open).await.unwrap();
}

/// Two pools are what two processes are to SQLite: connections that share nothing but the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_never_get_one_number_and_the_newest_wins() {
    let folder = tempfile::tempdir().unwrap();
    let pools = [Arc::new(fresh(&folder).await), Arc::new(fresh(&folder).await)];
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let database = Arc::clone(&pools[task % 2]);
        tasks.spawn(async move {
            let mut begun = Vec::new();
            for _ in 0..10 {
                let revision = database.begin(&name("show")).await.unwrap();
                database.publish(&name("show"), &revision).await.unwrap();
                begun.push(revision.as_str().parse::<u64>().unwrap());
            }
            assert!(begun.is_sorted());
            begun
        });
    }
    let mut all: Vec<u64> = tasks.join_all().await.into_iter().flatten().collect();
    all.sort_unstable();
    assert_eq!(all, (1..=80).collect::<Vec<_>>());
    for database in &pools {
        assert_eq!(Catalog::current(&**database, &name("show")).await.unwrap(), Some(Revision::counted(80)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_that_start_together_on_a_new_file_all_come_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.db");
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        tasks.spawn(async move { Sqlite::open(&path).await.unwrap().begin(&name("show")).await.unwrap() });
    }
    assert_eq!(tasks.join_all().await.len(), 8);
}

#[tokio::test]
async fn what_was_published_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let revision = {
        let database = fresh(&folder).await;
        let revision = database.begin(&name("show")).await.unwrap();
        database.publish(&name("show"), &revision).await.unwrap();
        revision
    };
    let database = fresh(&folder).await;
    assert_eq!(Catalog::current(&database, &name("show")).await.unwrap(), Some(revision));
    assert_eq!(database.begin(&name("show")).await.unwrap(), Revision::counted(2));
}

#[tokio::test]
async fn another_spelling_of_a_number_is_another_revision() {
    let folder = tempfile::tempdir().unwrap();
    let database = fresh(&folder).await;
    database.begin(&name("show")).await.unwrap();
    for spelling in ["01", "0", "9223372036854775808"] {
        assert!(database.publish(&name("show"), &spelling.parse().unwrap()).await.is_err(), "{spelling}");
    }
}

#[tokio::test]
async fn a_newer_schema_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/forebay.db");
    let database = fresh(&folder).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (99, 'later', TRUE, x'00', 0)",
    )
    .execute(&database.pool)
    .await
    .unwrap();
    database.pool.close().await;
    let error = rejected(&path).await;
    assert!(matches!(error, DatabaseError::Newer { known: 5, found: 99, .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forebay.db");
    fs::write(
        &path,
        "this is a text, and longer than the header of a database has to be; really, it is. ".repeat(9),
    )
    .unwrap();
    let error = rejected(&path).await;
    assert!(matches!(error, DatabaseError::Corrupt { .. }), "{error:?}");
    assert!(fs::read(&path).unwrap().starts_with(b"this is a text"));
}

#[tokio::test]
async fn a_place_that_is_no_file_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let error = rejected(folder.path()).await;
    assert!(matches!(error, DatabaseError::Open { .. }), "{error:?}");
    fs::write(folder.path().join("file"), "").unwrap();
    let error = rejected(&folder.path().join("file/forebay.db")).await;
    assert!(matches!(error, DatabaseError::Folder { .. }), "{error:?}");
}

#[tokio::test]
async fn a_lock_that_stays_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let database = fresh(&folder).await;
    let mut holder = database.pool.acquire().await.unwrap();
    let _held = holder.begin_with("BEGIN EXCLUSIVE").await.unwrap();
    let path = folder.path().join("state/forebay.db");
    let error = Sqlite::open_within(&path, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Locked { .. }), "{error:?}");
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_named_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/forebay.db");
    fresh(&folder).await.pool.close().await;
    // A mode would not stop the superuser, who may be running this.
    let options = SqliteConnectOptions::new().filename(&path).read_only(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let error = sqlx::query("DELETE FROM asset").execute(&mut connection).await.unwrap_err();
    let error = fault::opening(&path, error);
    assert!(matches!(error, DatabaseError::ReadOnly { .. }), "{error:?}");
}
