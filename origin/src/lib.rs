//! The media origin.

pub mod admin;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod config;
pub mod db;
pub mod keyring;
pub mod metrics;
pub mod shutdown;
pub mod store;
