//! Just-in-time packaging.

pub mod asset;
mod error;
pub mod range;
pub mod time;

pub use error::Error;
