//! A server that is held up, goes away, comes back, or says nothing.

use std::fmt::Debug;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use packager::asset::Revision;
use sqlx::Connection;
use transcoder::publishing::{Leases, NewKey, Published, Publishing, StreamKeys, StreamSecret};

use super::super::Postgres;
use super::proxy::{Loss, lossy, silent};
use super::server::{Server, at, folder, open, url};
use super::{name, stream};
use crate::catalog::Catalog;
use crate::config::{Database, Password, PostgresUrl, Server as Place, Span, TlsMode};
use crate::db::DatabaseError;

const TTL: Duration = Duration::from_secs(600);
/// Far beyond any time-out of these tests, and far below what a call without one would take.
const SOON: Duration = Duration::from_secs(20);

/// A database whose time-outs are short, and long enough for a machine that does much else.
async fn hasty() -> Database {
    short(Server::shared().database().await)
}

fn short(database: Database) -> Database {
    let (statement_timeout, lock_timeout) = (Span::millis(1000), Span::millis(300));
    Database { connect_timeout: Span::millis(1500), statement_timeout, lock_timeout, ..database }
}

/// The same database through an address that stands between.
fn through(database: &Database, address: SocketAddr) -> Database {
    let server = Place::Tcp(address.ip().to_string());
    let between =
        PostgresUrl { server, port: address.port(), tls: TlsMode::Disable, ..url(database).clone() };
    Database { url: at(between).url, ..database.clone() }
}

fn failed<T: Debug, E: std::fmt::Display>(asked: Result<T, E>, words: &str) {
    let error = asked.unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[tokio::test]
async fn what_another_one_holds_is_not_waited_for_long() {
    let database = hasty().await;
    let node = open(&database).await;
    let lease = node.take(&stream(), &"a".parse().unwrap(), TTL).await.unwrap();
    let revision = node.begin(&name("show")).await.unwrap();
    let mut holder = Server::shared().connect(&url(&database).database).await;
    let mut held = holder.begin().await.unwrap();
    for statement in ["SELECT 1 FROM lease FOR UPDATE", "SELECT 1 FROM asset FOR UPDATE"] {
        sqlx::query(statement).execute(&mut *held).await.unwrap();
    }
    let asked = Instant::now();
    failed(node.take(&stream(), &"b".parse().unwrap(), TTL).await, "lock timeout");
    failed(node.renew(&lease, TTL).await, "lock timeout");
    failed(node.release(&lease).await, "lock timeout");
    failed(node.publish(&name("show"), &revision).await, "lock timeout");
    failed(node.begin(&name("show")).await, "lock timeout");
    assert!(asked.elapsed() < SOON);
    // Readers never wait.
    assert_eq!(Leases::holder(&node, &stream()).await.unwrap(), Some(lease));
    held.rollback().await.unwrap();
    assert_eq!(Catalog::current(&node, &name("show")).await.unwrap(), None);
    assert_eq!(node.publish(&name("show"), &revision).await.unwrap(), Published::Current);
}

#[tokio::test]
async fn a_statement_that_takes_too_long_is_cancelled_and_its_connection_is_as_good_as_before() {
    let node = open(&Database { connections: 1, ..hasty().await }).await;
    let backend = async || {
        let rows = node.sessions.rows(sqlx::query_as("SELECT pg_backend_pid()")).await;
        let rows: Vec<(i32,)> = rows.unwrap();
        rows
    };
    let before = backend().await;
    let asked = Instant::now();
    failed(node.sessions.changes(sqlx::query("SELECT pg_sleep(60)")).await, "statement timeout");
    assert!(asked.elapsed() < SOON);
    assert_eq!(backend().await, before);
}

#[tokio::test]
async fn who_finds_all_connections_in_use_is_told_so() {
    let node = open(&Database { connections: 2, ..hasty().await }).await;
    let held = [node.sessions.session().await.unwrap(), node.sessions.session().await.unwrap()];
    let asked = Instant::now();
    failed(Catalog::ready(&node).await.map_err(|error| chain(&error)), "all of them in use");
    assert!(asked.elapsed() < SOON);
    drop(held);
    node.ready().await.unwrap();
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_nothing_with_it() {
    let node = open(&Database { connections: 1, ..hasty().await }).await;
    for _ in 0..3 {
        let sleep = node.sessions.changes(sqlx::query("SELECT pg_sleep(60)"));
        assert!(tokio::time::timeout(Duration::from_millis(50), sleep).await.is_err());
        node.ready().await.unwrap();
    }
}

/// The daemon is not started again: its connections are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_goes_away_is_missed_at_once_and_found_again() {
    let folder = folder();
    let mut server = Server::start(folder.path());
    let database = short(server.database().await);
    let node = open(&database).await;
    let lease = node.take(&stream(), &"a".parse().unwrap(), TTL).await.unwrap();
    let revision = node.begin(&name("show")).await.unwrap();
    node.publish(&name("show"), &revision).await.unwrap();
    for round in 0..2 {
        server.stop();
        let asked = Instant::now();
        for _ in 0..50 {
            let error = Catalog::current(&node, &name("show")).await.unwrap_err();
            assert!(chain(&error).starts_with("the catalogue is unavailable: the "), "{}", chain(&error));
            assert!(node.begin(&name("show")).await.is_err());
            assert!(node.renew(&lease, TTL).await.is_err());
            let new = NewKey { stream: stream(), label: None, lifetime: None };
            assert!(node.create(&StreamSecret::of([round; 20]).fingerprint(), &new).await.is_err());
        }
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
        let error = Postgres::open(url(&database), &database).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Unreachable { .. }), "{error:?}");
        server.start_again();
        // The first call after it, on the connections that it had before.
        assert_eq!(Catalog::current(&node, &name("show")).await.unwrap(), Some(revision.clone()));
        assert_eq!(Leases::holder(&node, &stream()).await.unwrap(), Some(lease.clone()));
    }
    assert_eq!(node.begin(&name("show")).await.unwrap(), Revision::counted(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_again_between_two_calls_is_not_noticed() {
    let folder = folder();
    let mut server = Server::start(folder.path());
    let node = open(&server.database().await).await;
    node.begin(&name("show")).await.unwrap();
    let sessions = [node.sessions.session().await.unwrap(), node.sessions.session().await.unwrap()];
    sessions.into_iter().for_each(super::super::sessions::Session::settle);
    server.stop();
    server.start_again();
    assert_eq!(node.begin(&name("show")).await.unwrap(), Revision::counted(2));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_asked_once_in_a_while_and_all_others_are_told() {
    let database = hasty().await;
    let between = through(&database, silent().await);
    let asked = Instant::now();
    let error = Postgres::open(url(&between), &between).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Unreachable { .. }), "{error:?}");
    let options = super::super::options(url(&between), &between).await.unwrap();
    let patience = super::super::Patience { connect: Duration::from_millis(400), statement: SOON };
    let sessions = super::super::Sessions::new(options, 3, patience);
    let ask = async || sessions.rows::<(i32,)>(sqlx::query_as("SELECT 1")).await;
    failed(ask().await, "to answer within 400ms");
    for _ in 0..50 {
        failed(ask().await, "did not a moment ago");
    }
    assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
}

/// Whoever publishes and is told that it failed deletes what it put, unless the catalogue then names it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publication_whose_answer_is_lost_is_decided_before_anybody_is_told() {
    let published = Some(Revision::counted(1));
    for (loss, expected) in [(Loss::Answer("UPDATE 1"), published), (Loss::Question("UPDATE asset"), None)] {
        let database = hasty().await;
        let node = open(&database).await;
        let address = lossy(Server::shared().folder(), loss).await;
        let between = open(&through(&database, address)).await;
        let revision = between.begin(&name("show")).await.unwrap();
        let asked = Instant::now();
        failed(between.publish(&name("show"), &revision).await, "the connection to the database was lost");
        // The last moment at which it could have taken effect is over.
        assert!(asked.elapsed() >= Duration::from_millis(3500) && asked.elapsed() < SOON);
        assert_eq!(Catalog::current(&node, &name("show")).await.unwrap(), expected, "{loss:?}");
        // Asking again is right in both cases, and by the same node.
        assert_eq!(node.publish(&name("show"), &revision).await.unwrap(), Published::Current);
        assert_eq!(Publishing::current(&between, &name("show")).await.unwrap(), Some(revision));
    }
}

/// Nor is a withdrawal under way when somebody is told, or it could take what is published next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawal_whose_answer_is_lost_is_decided_before_anybody_is_told() {
    let published = Some(Revision::counted(1));
    for (loss, expected) in [(Loss::Answer("UPDATE 1"), None), (Loss::Question("UPDATE asset"), published)] {
        let database = hasty().await;
        let node = open(&database).await;
        let revision = node.begin(&name("show")).await.unwrap();
        assert_eq!(node.publish(&name("show"), &revision).await.unwrap(), Published::Current);
        let address = lossy(Server::shared().folder(), loss).await;
        let between = open(&through(&database, address)).await;
        let asked = Instant::now();
        failed(between.withdraw(&name("show")).await, "the connection to the database was lost");
        assert!(asked.elapsed() >= Duration::from_millis(3500) && asked.elapsed() < SOON);
        assert_eq!(Catalog::current(&node, &name("show")).await.unwrap(), expected, "{loss:?}");
        assert_eq!(node.withdraw(&name("show")).await.unwrap(), expected.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_lets_in_and_is_printed_nowhere() {
    let folder = folder();
    let server = Server::start(folder.path());
    let database = server.database().await;
    let mut root = server.connect(&url(&database).database).await;
    sqlx::raw_sql("CREATE ROLE ana LOGIN PASSWORD 'hunter2'; GRANT ALL ON SCHEMA public TO ana")
        .execute(&mut root)
        .await
        .unwrap();
    let rules = folder.path().join("data/pg_hba.conf");
    let former = std::fs::read_to_string(&rules).unwrap();
    std::fs::write(&rules, format!("local all ana scram-sha-256\n{former}")).unwrap();
    sqlx::query("SELECT pg_reload_conf()").execute(&mut root).await.unwrap();
    let with = |password: Option<&str>, file: Option<&str>| {
        let file = file.map(|text| {
            let path = folder.path().join("password");
            std::fs::write(&path, text).unwrap();
            path
        });
        let ana = PostgresUrl {
            user: "ana".to_owned(),
            password: password.map(Password::of_file),
            ..url(&database).clone()
        };
        Database { url: at(ana).url, password_file: file, ..database.clone() }
    };
    // The rules are read again soon, not at once.
    let refused = with(Some("hunter3"), None);
    while Postgres::open(url(&refused), &refused).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for (password, file) in [(Some("hunter2"), None), (None, Some("hunter2\n"))] {
        let node = open(&with(password, file)).await;
        node.ready().await.unwrap();
        assert!(!format!("{node:?}").contains("hunter"), "{node:?}");
    }
    for (password, file) in [(Some("hunter3"), None), (None, Some("hunter3\n")), (None, None)] {
        let database = with(password, file);
        let error = Postgres::open(url(&database), &database).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Refused { .. }), "{error:?}");
        let printed = format!("{database:?} {} {error:?} {}", database.url, chain(&error));
        assert!(!printed.contains("hunter"), "{printed}");
    }
    let missing = Database { password_file: Some(folder.path().join("none")), ..with(None, None) };
    let error = Postgres::open(url(&missing), &missing).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Password { .. }), "{error:?}");
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
