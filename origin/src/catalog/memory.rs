//! A catalogue without a database, for embedders who bring their own list, and for tests.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

use super::{Catalog, CatalogError, Published};

/// A catalogue in memory: what was told to it, for as long as it lives.
#[derive(Debug, Default)]
pub struct MemoryCatalog {
    current: RwLock<BTreeMap<AssetName, Revision>>,
}

impl MemoryCatalog {
    /// An empty catalogue.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `revision` the current one of `asset`. The caller says what is newer: nothing is compared.
    pub fn set(&self, asset: AssetName, revision: Revision) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).insert(asset, revision);
    }

    /// Has nothing of `asset` served, until a revision is set again.
    pub fn withdraw(&self, asset: &AssetName) {
        self.current.write().unwrap_or_else(PoisonError::into_inner).remove(asset);
    }
}

#[async_trait]
impl Catalog for MemoryCatalog {
    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, CatalogError> {
        Ok(self.current.read().unwrap_or_else(PoisonError::into_inner).get(asset).cloned())
    }

    async fn list(&self, after: Option<&AssetName>, limit: u32) -> Result<Vec<Published>, CatalogError> {
        let rows = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let line = |(asset, revision): (&AssetName, &Revision)| Published {
            asset: asset.clone(),
            revision: revision.clone(),
        };
        Ok(rows.range::<AssetName, _>((from, Bound::Unbounded)).take(limit).map(line).collect())
    }

    async fn ready(&self) -> Result<(), CatalogError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::conformance;

    #[tokio::test]
    async fn the_catalogue_in_memory_conforms() {
        let catalog = MemoryCatalog::new();
        let publish = async |asset: &AssetName, revision: &Revision| {
            catalog.set(asset.clone(), revision.clone());
        };
        let withdraw = async |asset: &AssetName| catalog.withdraw(asset);
        conformance::run(&catalog, publish, withdraw).await;
    }
}
