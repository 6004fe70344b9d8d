//! PostgreSQL: the catalogue of several machines, on a server that may go away and come back.
//!
//! Each change is one statement, committed by itself, so no transaction is ever open while something else is waited for. They
//! run at READ COMMITTED, whatever the server's default, and this is what fences them:
//!
//! - A statement that changes the row of one name (`UPDATE`, `ON CONFLICT DO UPDATE`) waits for whoever changes that row,
//!   then looks at its conditions and reads the clock again, in the row as it is now. So conditions stand beside the change,
//!   never in a question before it.
//! - What depends on several rows, the shows of a stream, is a function that takes a lock of the stream first.
//! - The clock is `now_ms()`, the server's, read once the row is had. `now()` would be the time at which the waiting began.
//!
//! A statement is answered within the configuration's time or cancelled by the server. If the server says nothing at all,
//! its connection is dropped a moment later. A statement whose answer was lost had no effect or its whole effect; one that
//! the network still held back may have it after the error. Asking again is right in each case; where a late effect would
//! harm, [`publishing`] keeps it from happening.

mod catalog;
mod fault;
mod keys;
mod leases;
mod publishing;
mod recordings;
mod schema;
mod sessions;
mod shows;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::DatabaseError;
use crate::config::{self, PostgresUrl, Server, TlsMode};
use sessions::{Patience, Sessions};

/// A catalogue on a server.
#[derive(Debug)]
pub(super) struct Postgres {
    sessions: Sessions,
}

impl Postgres {
    /// Connects, and brings the schema up to date.
    pub(super) async fn open(url: &PostgresUrl, database: &config::Database) -> Result<Self, DatabaseError> {
        let options = options(url, database).await?;
        let patience = Patience {
            connect: database.connect_timeout.as_duration(),
            statement: database.statement_timeout.as_duration(),
        };
        schema::bring_up_to_date(&url.to_string(), &options, patience.connect).await?;
        let connections = usize::try_from(database.connections).unwrap_or(usize::MAX);
        Ok(Self { sessions: Sessions::new(options, connections, patience) })
    }
}

async fn options(url: &PostgresUrl, database: &config::Database) -> Result<PgConnectOptions, DatabaseError> {
    let from_file = match database.password_file.clone() {
        Some(path) => {
            let read = tokio::task::spawn_blocking(move || config::password(&path)).await;
            let read = read.unwrap_or_else(|lost| Err(lost.to_string()));
            Some(read.map_err(|fault| DatabaseError::Password { place: url.to_string(), fault })?)
        }
        None => None,
    };
    let password = from_file.as_ref().or(url.password.as_ref());
    // The driver fills what is not said from the environment; so all is said. An empty password is none.
    let options = PgConnectOptions::new_without_pgpass()
        .port(url.port)
        .username(&url.user)
        .password(password.map_or("", config::Password::expose))
        .database(&url.database)
        .application_name("forebay")
        .ssl_mode(match url.tls {
            TlsMode::Disable => PgSslMode::Disable,
            TlsMode::Prefer => PgSslMode::Prefer,
            TlsMode::Require => PgSslMode::Require,
            TlsMode::VerifyCa => PgSslMode::VerifyCa,
            TlsMode::VerifyFull => PgSslMode::VerifyFull,
        });
    let options = match &url.authorities {
        Some(path) => options.ssl_root_cert(path),
        None => options.ssl_root_cert_from_pem(Vec::new()),
    };
    let options = match &url.server {
        Server::Tcp(host) => options.host(host),
        Server::Socket(folder) => options.host("localhost").socket(folder),
    };
    Ok(options.options(settings(database)))
}

/// What the server is asked to hold a session to (PostgreSQL manual, §20.3 and §20.11).
fn settings(database: &config::Database) -> [(&'static str, String); 8] {
    let statement = format!("{}ms", database.statement_timeout.as_millis());
    [
        ("default_transaction_isolation", "read committed".to_owned()),
        ("lock_timeout", format!("{}ms", database.lock_timeout.as_millis())),
        ("idle_in_transaction_session_timeout", statement.clone()),
        ("statement_timeout", statement),
        // A process whose machine is gone holds no lock for ever.
        ("tcp_keepalives_idle", "30s".to_owned()),
        ("tcp_keepalives_interval", "10s".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        // Nor does one that has been given up by its caller.
        ("client_connection_check_interval", "1s".to_owned()),
    ]
}

#[cfg(test)]
mod tests;
