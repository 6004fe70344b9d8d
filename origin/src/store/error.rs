//! What a store can answer instead of bytes.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use super::Version;
use crate::metrics::{Outcome, StoreOperation};

/// Why the store gave no answer, with the object and the cause.
#[derive(Debug, thiserror::Error)]
#[error("{operation} of {path:?} in the store: {fault}")]
pub struct StoreError {
    operation: &'static str,
    path: String,
    fault: StoreFault,
    transient: bool,
    #[source]
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The kinds of [`StoreError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum StoreFault {
    /// There is no such object.
    #[error("not found")]
    NotFound,
    /// The object is no longer the version that was asked for.
    #[error("changed meanwhile")]
    Changed,
    /// The store refuses or cannot be reached, after all tries.
    #[error("unavailable")]
    Unavailable,
    /// No answer within the deadline.
    #[error("no answer in time")]
    Timeout,
    /// Anything else: a path that no object can have, a range beyond the end, an object that is too large.
    #[error("failed")]
    Other,
}

impl StoreError {
    /// Its kind.
    pub fn fault(&self) -> StoreFault {
        self.fault
    }

    /// The object's path, or the folder's.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the same question may have another answer in a moment.
    pub(super) fn is_transient(&self) -> bool {
        self.transient
    }

    /// Whether it says that the store is in trouble, rather than something of the object.
    pub(super) fn is_of_the_store(&self) -> bool {
        self.transient || self.fault == StoreFault::Timeout
    }

    /// The store is not asked: it has just failed several times in a row.
    pub(super) fn spared(operation: StoreOperation, path: &str) -> Self {
        Self {
            operation: operation.as_str(),
            path: shortened(path),
            fault: StoreFault::Unavailable,
            transient: false,
            source: Some(
                "expected a store that answers, found one that failed several times in a row".into(),
            ),
        }
    }

    pub(super) fn of(operation: StoreOperation, path: &str, source: object_store::Error) -> Self {
        let (fault, transient) = kind(&source);
        Self {
            operation: operation.as_str(),
            path: shortened(path),
            fault,
            transient,
            source: Some(Box::new(source)),
        }
    }

    pub(super) fn timeout(operation: StoreOperation, path: &str, deadline: Duration) -> Self {
        let source = format!("expected an answer within {deadline:?}, found none");
        Self {
            operation: operation.as_str(),
            path: shortened(path),
            fault: StoreFault::Timeout,
            transient: false,
            source: Some(source.into()),
        }
    }
}

impl From<StoreFault> for Outcome {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::NotFound => Self::NotFound,
            StoreFault::Changed => Self::Changed,
            StoreFault::Unavailable => Self::Unavailable,
            StoreFault::Timeout => Self::Timeout,
            StoreFault::Other => Self::Failed,
        }
    }
}

/// A fault that no second try mends.
pub(super) fn generic(what: String) -> object_store::Error {
    object_store::Error::NotSupported { source: what.into() }
}

/// A body ended before all was there.
pub(super) fn short(left: u64) -> object_store::Error {
    object_store::Error::Generic {
        store: "body",
        source: format!("expected {left} bytes more, found the end").into(),
    }
}

/// The folder that is the store is not there.
pub(super) fn unreachable(source: io::Error) -> object_store::Error {
    object_store::Error::Generic { store: "folder", source: Box::new(source) }
}

/// The object at `path` has another version than expected.
pub(super) fn changed(path: &str, expected: &Version, found: &Version) -> object_store::Error {
    let source = format!("expected version {expected}, found {found}").into();
    object_store::Error::Precondition { path: path.to_owned(), source }
}

/// The kind of a store's error, and whether a second try may help.
fn kind(error: &object_store::Error) -> (StoreFault, bool) {
    use object_store::Error;
    match error {
        Error::NotFound { .. } => (StoreFault::NotFound, false),
        Error::Precondition { .. } | Error::NotModified { .. } => (StoreFault::Changed, false),
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => (StoreFault::Unavailable, false),
        Error::Generic { .. } if begins_beyond(error) => (StoreFault::Other, false),
        Error::Generic { source, .. } => match io_kind(source.as_ref()) {
            // `a/b` where `a` is an object.
            Some(io::ErrorKind::NotADirectory) => (StoreFault::NotFound, false),
            Some(io::ErrorKind::PermissionDenied) => (StoreFault::Unavailable, false),
            _ => (StoreFault::Unavailable, true),
        },
        Error::JoinError { .. } => (StoreFault::Unavailable, true),
        _ => (StoreFault::Other, false),
    }
}

/// Whether a range was asked for that begins behind the object. The stores have types for it that they do
/// not show; their names are all there is. A test on each store watches that they stay.
fn begins_beyond(error: &object_store::Error) -> bool {
    let text = format!("{error:?}");
    text.contains("StartTooLarge") || text.contains("status: 416,")
}

/// The kind of the operating system's error at the root of `error`, if there is one.
fn io_kind(error: &(dyn StdError + 'static)) -> Option<io::ErrorKind> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        cause = error.source();
    }
    None
}

/// A path may come from a request: it is cut to what a log line bears.
fn shortened(path: &str) -> String {
    path.chars().take(200).collect()
}
