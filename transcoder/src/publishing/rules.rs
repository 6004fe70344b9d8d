//! What the suites say their rules with.

use std::fmt::{Debug, Display};
use std::future::Future;

use futures_util::future::BoxFuture;
use packager::asset::StreamName;

use crate::Error;

/// Sets the clock of an implementation forward by so many milliseconds, or back. Where the clock cannot be set,
/// moving every point in time that is stored the other way is the same.
pub type Step = Box<dyn Fn(i64) -> BoxFuture<'static, ()> + Send + Sync>;

/// Runs one rule; says its name where it does not hold.
pub(super) async fn rule(name: &str, holds: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    holds.await.map_err(|fault| format!("{name}: {fault}"))
}

pub(super) fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Result<(), String> {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{what}: expected {expected:?}, found {found:?}")),
    }
}

pub(super) fn refusal<T: Debug>(what: &str, found: &Result<T, Error>) -> Result<(), String> {
    match found {
        Err(Error::Catalogue { .. }) => Ok(()),
        other => Err(format!("{what}: expected a refusal by the catalogue, found {other:?}")),
    }
}

pub(super) fn stream(name: &str) -> Result<StreamName, String> {
    name.parse().map_err(text)
}

pub(super) fn text(error: impl Display) -> String {
    error.to_string()
}
