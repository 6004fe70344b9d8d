//! A real server for tests: one for all of them, with a database for each, or one of a test's own that it may stop.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use super::super::Postgres;
use crate::config::{Database, DatabaseUrl, PostgresUrl, Server as Place, Span, TlsMode};

/// A running server. It ends with this process, however that ends.
pub(super) struct Server {
    folder: PathBuf,
    running: Option<(u32, JoinHandle<()>)>,
}

impl Server {
    /// The one of all tests. It is stopped, and its folder removed, when the process has ended.
    pub(super) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&folder().keep()))
    }

    /// One in this folder, with what it has of a former run.
    pub(super) fn start(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), running: Some(run(folder)) }
    }

    /// Stops it as if it had died: clients are cut off, what they were told stays.
    pub(super) fn stop(&mut self) {
        if let Some((pid, thread)) = self.running.take() {
            assert!(Command::new("sh").args(["-c", &format!("kill {pid}")]).status().unwrap().success());
            thread.join().unwrap();
        }
    }

    /// Starts it again after [`Self::stop`].
    pub(super) fn start_again(&mut self) {
        self.running = Some(run(&self.folder));
    }

    /// The folder of its socket.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// An empty database, with time-outs that a test can wait for.
    pub(super) async fn database(&self) -> Database {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::raw_sql(create).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let url = PostgresUrl {
            user: "postgres".to_owned(),
            password: None,
            server: Place::Socket(self.folder.clone()),
            port: 5432,
            database: name,
            tls: TlsMode::default(),
            authorities: None,
        };
        let bounds =
            Database { statement_timeout: Span::seconds(20), lock_timeout: Span::seconds(10), ..at(url) };
        Database { connect_timeout: Span::seconds(20), ..bounds }
    }

    /// A connection of nobody's pool.
    pub(super) async fn connect(&self, database: &str) -> PgConnection {
        let options = PgConnectOptions::new_without_pgpass().host("localhost").socket(&self.folder);
        options.username("postgres").database(database).connect().await.unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The default in all but the place.
pub(super) fn at(url: PostgresUrl) -> Database {
    Database::at(DatabaseUrl::Postgres(url))
}

/// The URL of a database of a server.
pub(super) fn url(database: &Database) -> &PostgresUrl {
    match &database.url {
        DatabaseUrl::Postgres(url) => url,
        other => panic!("{other}"),
    }
}

/// What a node opens.
pub(super) async fn open(database: &Database) -> Postgres {
    Postgres::open(url(database), database).await.unwrap()
}

/// A folder for a server; the name of its socket must not be long.
pub(super) fn folder() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("forebay-pg-").tempdir_in("/tmp").unwrap()
}

/// Starts the server from a thread that lasts as long as it: the system takes the end of a thread for the death of the parent.
fn run(folder: &Path) -> (u32, JoinHandle<()>) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/servers/postgres.sh");
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "HUP"]).arg(script).arg(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let (told, heard) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut child: Child = command.spawn().unwrap();
        let mut word = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut word).unwrap();
        assert_eq!(word, "ready\n", "the server did not start: run `make setup`");
        told.send(child.id()).unwrap();
        child.wait().unwrap();
    });
    (heard.recv().expect("the server starts"), thread)
}
