//! `forebay check`: every fault of a configuration, before it is served with.

use std::path::PathBuf;

use super::output::Output;
use super::{End, Ended};
use crate::config::{Config, ConfigError};
use crate::keyring;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    match Config::load(&args.config) {
        Ok(config) => {
            summary(&config, output)?;
            Ok(End::Done)
        }
        Err(ConfigError::Faults { path, faults }) => {
            for fault in &faults {
                output.note(format_args!("{}: {fault}", path.display()));
            }
            Ok(End::Refused)
        }
        Err(error) => Err(error.into()),
    }
}

fn summary(config: &Config, output: &Output) -> Result<(), super::Failure> {
    output.line("ok");
    let line = |what: &str, value: &dyn std::fmt::Display| output.line(format_args!("{what:<11}{value}"));
    line("http", &config.listen.http);
    if let Some(https) = config.listen.https {
        line("https", &https);
    }
    line("admin", &config.listen.admin);
    line("store", &config.store.url);
    line("database", &config.database.url);
    match &config.auth.keys {
        Some(path) => {
            let keys = keyring::read(path)?.keys;
            let signer = keys.signer().map_or("none", |key| key.id().as_str());
            line("keys", &format_args!("{} of {}, signing: {signer}", keys.iter().count(), path.display()));
        }
        None => line("keys", &"none"),
    }
    line("cache", &config.cache.memory);
    if let Some(here) = &config.peers.here {
        line("peers", &format_args!("{} nodes, this one {here}", config.peers.nodes.len()));
    }
    line("segments", &config.segments.target);
    let live = &config.live;
    let live = format_args!(
        "{} in {} parts, window {}, memory {}",
        live.segment, live.parts, live.window, live.memory
    );
    line("live", &live);
    for (what, address) in [("rtmp", config.rtmp.listen), ("rtmps", config.rtmp.listen_tls)] {
        if let Some(address) = address {
            line(what, &address);
        }
    }
    for warning in config.warnings() {
        output.complain(format_args!("warning: {warning}"));
    }
    Ok(())
}
