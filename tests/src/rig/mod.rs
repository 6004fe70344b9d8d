//! What a story stands on: the binary, folders, a running daemon, clients and a browser.
//!
//! Waiting is always polling or reading with a deadline; whatever is started is stopped by its own process id when its
//! owner is dropped.

pub mod audience;
pub mod binary;
pub mod boxes;
pub mod browser;
pub mod bucket;
pub mod chromedriver;
pub mod client;
pub mod command;
pub mod daemon;
pub mod dash;
pub mod deadline;
pub mod fixture;
pub mod fleet;
pub mod haproxy;
pub mod host;
pub mod moto;
pub mod nginx;
pub mod obs;
pub mod player;
pub mod postgres;
pub mod publisher;
pub mod raw;
pub mod reel;
pub mod rehearsal;
pub mod sender;
pub mod site;
pub mod tls;
pub mod tool;
pub mod upload;
pub mod viewer;
pub mod wire;
pub mod witness;
