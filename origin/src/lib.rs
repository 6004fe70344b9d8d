//! The media origin: a library, and the daemon `forebay` that is made of it.
//!
//! [`Origin`] takes the head of a request, with its body as an [`Upload`], and gives a [`Reply`]: a status, headers, and a body that is read at the
//! client's pace. It knows no HTTP server. The daemon puts it behind Pingora ([`edge::pingora`]); with the feature
//! `tower` it is a `tower::Service` for axum and hyper.
//!
//! # What it refuses to do
//! - It makes no decision about a request outside of `service`: doors only translate.
//! - It keeps nothing outside of `cache`, so that one budget bounds it and one purge reaches it.
//! - It tells a client nothing but what the client can act on. Reasons stand in logs and metrics.
//! - It asks no database on a segment's way.
//!
//! # Map
//! | module | |
//! |--------|-|
//! | `cli`, `main` | the commands; they wire everything |
//! | [`edge`] | doors: Pingora, tower |
//! | `service` | carrier, gate, route, dispatch, conditions, reply |
//! | `vod` | from a name to a presentation to bytes |
//! | `cache` | tiers and flights |
//! | [`catalog`], [`store`], [`keyring`] | what is served, where it lies, who may see it |
//! | [`db`] | implements the ports |
//! | [`config`], [`clock`], [`metrics`], [`shutdown`], [`admin`] | what all of them need |
//!
//! # Example
//! An origin over a folder of MP4 files, open to everybody, asked in process.
//!
//! ```
//! use std::sync::Arc;
//! use forebay_origin::{Origin, catalog::MemoryCatalog, config::Config};
//! use http::{Request, StatusCode};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::parse("[auth]\nrequired = false\n", "forebay.toml".as_ref()).map_err(|f| format!("{f:?}"))?;
//! let objects = Arc::new(object_store::memory::InMemory::new());
//! let origin = Origin::builder(&config).catalog(Arc::new(MemoryCatalog::new())).store(objects).build()?;
//!
//! let request = Request::get("/vod/show/main.m3u8").body(String::new())?;
//! assert_eq!(origin.handle(request).await.status, StatusCode::NOT_FOUND);
//! # Ok(())
//! # }
//! ```

pub mod admin;
mod builder;
mod cache;
pub mod catalog;
#[cfg(feature = "daemon")]
pub mod cli;
mod clips;
pub mod clock;
pub mod config;
pub mod db;
#[cfg(all(feature = "daemon", feature = "demo"))]
mod demo;
pub mod edge;
pub mod keyring;
mod live;
pub mod metrics;
mod service;
pub mod shutdown;
pub mod store;
mod text;
mod upload;
mod vod;

pub use builder::{BuildError, Builder, Origin};
pub use service::{
    AskedFrom, Body, BodyError, NoUpload, Page, Pages, PurgeError, PurgeRequest, Purged, Reply, Upload,
    UploadError,
};
