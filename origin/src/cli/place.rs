//! Where a command puts a revision: which store, and which catalogue.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use prometheus::Registry;

use super::Failure;
use crate::config::{Config, Database, DatabaseUrl, Log, StoreUrl};
use crate::db::{self, Ports};
use crate::metrics::Metrics;
use crate::store::{Patience, Store};

/// The arguments that say it.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceArgs {
    /// A configuration, whose store, database and settings are used.
    #[arg(long, value_name = "FILE", required_unless_present_all = ["store", "database"])]
    config: Option<PathBuf>,
    /// The store, instead of a configuration's: file://folder
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The database, instead of a configuration's: sqlite://file, postgres://user@host/database
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

/// A store and a catalogue.
pub(super) struct Place {
    pub(super) store: StoreUrl,
    pub(super) database: Database,
    /// What is logged in the foreground: what a command does is drawn, the log tells only what is not.
    pub(super) log: Log,
}

impl PlaceArgs {
    /// What the arguments and the configuration say together, and the configuration.
    pub(super) fn find(&self) -> Result<(Place, Option<Config>), Failure> {
        let config = self.config.as_deref().map(Config::load).transpose()?;
        let here = Path::new("");
        let store = self.store.as_deref().map(|url| StoreUrl::parse(url, here)).transpose()?;
        let database = self.database.as_deref().map(|url| DatabaseUrl::parse(url, here)).transpose()?;
        let format = config.as_ref().map(|config| config.log.format).unwrap_or_default();
        let log = Log { format, level: "warn".to_owned() };
        let given = config.clone().unwrap_or_default();
        let place = Place {
            store: store.unwrap_or(given.store.url),
            database: match database {
                Some(url) => Database { url, ..given.database },
                None => given.database,
            },
            log,
        };
        Ok((place, config))
    }
}

impl Place {
    /// Opens both.
    pub(super) async fn open(&self) -> Result<(Store, Ports), Failure> {
        let metrics = Arc::new(Metrics::new(Registry::new())?);
        let store = Store::create(&self.store, Patience::default(), metrics)?;
        Ok((store, db::open(&self.database).await?))
    }
}
