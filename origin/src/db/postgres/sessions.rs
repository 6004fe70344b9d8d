//! Connections to a server that may go away.
//!
//! ```text
//!             slot ──▶ idle connection ──▶ still there? ──▶ statement ──▶ sound? ──▶ idle again
//!  a bounded number        │ none             │ no              │            │ no
//!                          ▼                  ▼                 │            ▼
//!                       connect ◀── drop all idle ones          └ dropped ─▶ closed
//! ```
//!
//! The driver's own pool tries a refused connection again until the caller's time is over, and then says that it timed out. Here
//! whoever asks is told at once and in the server's words; and while nobody answers at all, one caller in a second tries, and all
//! others are told that.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgQueryResult, PgRow};
use sqlx::query::{Query, QueryAs};
use sqlx::{ConnectOptions, Connection, FromRow, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::fault::{self, Fault};

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a connection to be free, and as long again for it to be made or found sound.
    pub(super) connect: Duration,
    /// For a statement; the server knows it too.
    pub(super) statement: Duration,
}

/// Connections, at most so many at once. They are made when they are needed.
pub(super) struct Sessions {
    options: PgConnectOptions,
    patience: Patience,
    slots: Semaphore,
    /// The last one that was used is the first to be used again.
    idle: Mutex<Vec<Idle>>,
    /// Until when nobody tries to connect, since nobody answered.
    away: Mutex<Option<Instant>>,
}

/// A connection for one call. What is dropped before it is settled is closed: nobody knows what it would answer next.
pub(super) struct Session<'s> {
    sessions: &'s Sessions,
    connection: PgConnection,
    born: Instant,
    _slot: SemaphorePermit<'s>,
}

struct Idle {
    connection: PgConnection,
    born: Instant,
}

impl Sessions {
    pub(super) fn new(options: PgConnectOptions, connections: usize, patience: Patience) -> Self {
        let slots = Semaphore::new(connections.clamp(1, Semaphore::MAX_PERMITS));
        Self { options, patience, slots, idle: Mutex::default(), away: Mutex::default() }
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    /// All rows of one statement.
    pub(super) async fn rows<T>(&self, query: QueryAs<'_, Postgres, T, PgArguments>) -> Result<Vec<T>, Fault>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let (rows, session) = self.session().await?.rows(query).await?;
        session.settle();
        Ok(rows)
    }

    /// How many rows one statement changed.
    pub(super) async fn changes(&self, query: Query<'_, Postgres, PgArguments>) -> Result<u64, Fault> {
        let session = self.session().await?;
        let (changed, session) = session.changes(query).await?;
        session.settle();
        Ok(changed.rows_affected())
    }

    /// A connection that is open. Cancel-safe.
    pub(super) async fn session(&self) -> Result<Session<'_>, Fault> {
        let slot = timeout(self.patience.connect, self.slots.acquire()).await;
        let Ok(Ok(slot)) = slot else { return Err(Fault::Crowded(self.patience.connect)) };
        if let Some(Idle { connection, born }) = self.idle_and_sound().await {
            return Ok(Session { sessions: self, connection, born, _slot: slot });
        }
        let connection = self.connect().await?;
        Ok(Session { sessions: self, connection, born: Instant::now(), _slot: slot })
    }

    /// It is asked each time: a round trip is little beside a call that fails because the server has started again.
    async fn idle_and_sound(&self) -> Option<Idle> {
        loop {
            let mut idle = self.idle().pop()?;
            if idle.born.elapsed() > LIFETIME {
                continue;
            }
            match timeout(self.patience.connect, idle.connection.ping()).await {
                Ok(Ok(())) => return Some(idle),
                // The others are as old. A server that has started again knows none of them.
                _ => self.idle().clear(),
            }
        }
    }

    async fn connect(&self) -> Result<PgConnection, Fault> {
        self.try_again_now()?;
        match timeout(self.patience.connect, self.options.connect()).await {
            Ok(connected) => {
                *self.away() = None;
                connected.map_err(Fault::of_connecting)
            }
            Err(_) => {
                *self.away() = Some(Instant::now() + PAUSE);
                Err(Fault::Silent(self.patience.connect))
            }
        }
    }

    /// Whether it is this caller's turn to try: the first one after the pause.
    fn try_again_now(&self) -> Result<(), Fault> {
        let mut away = self.away();
        match *away {
            Some(until) if Instant::now() < until => Err(Fault::Away),
            Some(_) => {
                *away = Some(Instant::now() + self.patience.connect);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> MutexGuard<'_, Option<Instant>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session<'_> {
    /// All rows of a statement. After an error the connection is used again only where it is known to be sound.
    pub(super) async fn rows<T>(
        mut self,
        query: QueryAs<'_, Postgres, T, PgArguments>,
    ) -> Result<(Vec<T>, Self), Fault>
    where
        T: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let limit = self.limit();
        let asked = timeout(limit, query.fetch_all(&mut self.connection)).await;
        self.judge(asked.unwrap_or(Err(Silence(limit).into())))
    }

    /// What a statement changed; otherwise as [`Self::rows`].
    pub(super) async fn changes(
        mut self,
        query: Query<'_, Postgres, PgArguments>,
    ) -> Result<(PgQueryResult, Self), Fault> {
        let limit = self.limit();
        let asked = timeout(limit, query.execute(&mut self.connection)).await;
        self.judge(asked.unwrap_or(Err(Silence(limit).into())))
    }

    /// Gives the connection back.
    pub(super) fn settle(self) {
        let Self { sessions, connection, born, _slot } = self;
        sessions.idle().push(Idle { connection, born });
    }

    fn judge<T>(self, asked: Result<T, sqlx::Error>) -> Result<(T, Self), Fault> {
        match asked {
            Ok(answer) => Ok((answer, self)),
            Err(error) => {
                if fault::leaves_sound(&error) {
                    self.settle();
                }
                Err(Fault::of_statement(error))
            }
        }
    }

    /// The server cancels a statement that takes too long, and says so; only where it says nothing is it not waited for.
    fn limit(&self) -> Duration {
        self.sessions.patience.statement + LAST_WORDS
    }
}

/// No answer at all.
#[derive(Debug, thiserror::Error)]
#[error("expected an answer within {0:?}, found none")]
struct Silence(Duration);

impl From<Silence> for sqlx::Error {
    fn from(silence: Silence) -> Self {
        Self::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, silence))
    }
}

/// The options hold the password.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("patience", &self.patience).finish_non_exhaustive()
    }
}

/// How long a connection is used: long enough to cost nothing, and a server that took over from another one is found.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// How long nobody tries to connect after nobody answered.
const PAUSE: Duration = Duration::from_secs(1);
/// From the end of a statement's time to the server's word that it is over.
const LAST_WORDS: Duration = Duration::from_secs(1);
