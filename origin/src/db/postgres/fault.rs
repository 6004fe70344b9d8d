//! What goes wrong with a server, and what its codes mean to whoever must mend it (PostgreSQL manual, appendix A).

use std::time::Duration;

use transcoder::Error;

use crate::catalog::CatalogError;
use crate::db::DatabaseError;

/// Why there is no answer. Its text is the whole of it: what the driver says stands in it once. It never holds a password:
/// neither the driver nor a server repeats one.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// All connections are in use.
    #[error("expected a free connection within {0:?}, found all of them in use")]
    Crowded(Duration),
    /// Nobody answers who should let us in.
    #[error("expected the database to answer within {0:?}, found that it does not")]
    Silent(Duration),
    /// Nobody did so a moment ago.
    #[error("expected the database to answer, found that it did not a moment ago")]
    Away,
    /// It cannot be reached, or does not let us in.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String, sqlx::Error),
    /// It refused a statement: nothing was changed.
    #[error("the database refuses: {0}")]
    Refused(String, sqlx::Error),
    /// The connection broke: nothing was changed, or all that was to be.
    #[error("the connection to the database was lost: {0}")]
    Lost(String, sqlx::Error),
}

impl Fault {
    pub(super) fn of_connecting(error: sqlx::Error) -> Self {
        Self::Unreachable(said(&error), error)
    }

    pub(super) fn of_statement(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
                Self::Lost(said(&error), error)
            }
            _ => Self::Refused(said(&error), error),
        }
    }

    /// Whether it is not known if the statement took effect.
    pub(super) fn is_open(&self) -> bool {
        matches!(self, Self::Lost(..))
    }

    /// Whether a row with the same key is there already.
    pub(super) fn is_taken(&self) -> bool {
        let (Self::Refused(_, error) | Self::Lost(_, error) | Self::Unreachable(_, error)) = self else {
            return false;
        };
        error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    /// As an error of a port of the transcoder.
    pub(super) fn during(action: &'static str) -> impl Fn(Self) -> Error {
        move |fault| Error::catalogue(action, fault)
    }
}

impl From<Fault> for CatalogError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(Box::new(fault))
    }
}

/// Whether a connection is as good after this error as before it. A server that ends its sessions, and one that became a
/// standby, is better asked anew: whoever answers then may be another one.
pub(super) fn leaves_sound(error: &sqlx::Error) -> bool {
    let ends = |code: &str| code.starts_with("57P") || code.starts_with("08") || code == READ_ONLY;
    match error {
        sqlx::Error::Database(error) => !error.code().is_some_and(|code| ends(&code)),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::RowNotFound => true,
        _ => false,
    }
}

/// A fault of connecting for the first time.
pub(super) fn opening(place: &str, error: sqlx::Error) -> DatabaseError {
    let place = place.to_owned();
    let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
    // Invalid authorization, no such database, no privilege.
    match code.starts_with("28") || code == "3D000" || code == "42501" {
        true => DatabaseError::Refused { place, source: Box::new(error) },
        false => DatabaseError::Unreachable { place, source: Box::new(error) },
    }
}

/// What the server or the system said, without the driver's words around it.
fn said(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        sqlx::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

const READ_ONLY: &str = "25006";
