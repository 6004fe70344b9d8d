//! `forebay work`: publishers in, live shows to the origins.

mod shop;

use std::path::PathBuf;
use std::sync::Arc;

use prometheus::Registry;
use transcoder::Cancel;

use super::daemon::{configured, keyring, runtime};
use super::interrupt::interrupted;
use super::output::Output;
use super::{End, Ended};
use crate::clock::Clock;
use crate::config::Config;
use crate::db;
use crate::edge::pingora::{Admin, App, Listener};
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;
use crate::store::{Patience, Store};

pub(super) use shop::{Means, Shop};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

pub(super) fn run(args: &Args, output: &Output) -> Ended {
    let config = configured(&args.config)?;
    runtime(&config)?.block_on(work(&config, output))
}

async fn work(config: &Config, output: &Output) -> Ended {
    let metrics = Arc::new(Metrics::new(Registry::new())?);
    let ports = db::open(&config.database).await?;
    let means = Means {
        config,
        ports: &ports,
        keys: keyring(config)?,
        clock: Clock::system(),
        metrics: Arc::clone(&metrics),
        own: config.listen.http,
    };
    let Some(shop) = Shop::open(means).await? else {
        return Err("expected rtmp.listen or rtmp.listen_tls in the configuration, found neither".into());
    };
    let store = Store::open(&config.store.url, Patience::default(), Arc::clone(&metrics))?;
    let shutdown = Shutdown::new();
    let admin = Admin { store, catalog: ports.catalog, metrics, signal: shutdown.signal(), operations: None };
    let (listener, address) = (Listener::clear(config.listen.admin).await, config.listen.admin);
    let listener = listener.map_err(|e| format!("cannot listen on {address} (listen.admin): {e}"))?;
    output.line(format_args!("forebay: listening{} admin={}", shop.addresses()?, listener.address()?));

    let stop = Cancel::new();
    let operators = async {
        let never = Shutdown::new();
        tokio::select! {
            () = listener.serve(App::admin(admin, &config.limits), &config.limits, never.signal()) => {}
            () = async { shutdown.signal().stopping().await } => {}
        }
    };
    let working = async {
        shop.run(&stop).await;
        shutdown.stop();
    };
    let ending = async {
        interrupted().await?;
        tracing::info!("stopping");
        stop.cancel();
        tokio::select! {
            () = async { shutdown.signal().stopping().await } => Ok(()),
            again = interrupted() => again,
        }
    };
    let worked = async {
        tokio::join!(operators, working);
        // Why it is over is told by whoever ended it.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = worked => {}
        ended = ending => ended?,
    }
    tracing::info!("stopped");
    Ok(End::Done)
}
