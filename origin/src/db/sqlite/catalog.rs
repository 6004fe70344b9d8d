//! The catalogue's questions in SQLite's SQL.

use std::error::Error as StdError;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

use super::Sqlite;
use crate::catalog::{Catalog, CatalogError, Published};

#[async_trait]
impl Catalog for Sqlite {
    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, CatalogError> {
        let row: Option<(Option<i64>,)> = sqlx::query_as("SELECT published FROM asset WHERE name = ?1")
            .bind(asset.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable)?;
        row.and_then(|(published,)| published).map(|number| revision(asset.as_str(), number)).transpose()
    }

    async fn list(&self, after: Option<&AssetName>, limit: u32) -> Result<Vec<Published>, CatalogError> {
        // No name is empty, so all names stand after the empty one.
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT name, published FROM asset WHERE name > ?1 AND published IS NOT NULL ORDER BY name LIMIT ?2",
        )
        .bind(after.map_or("", AssetName::as_str))
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        rows.into_iter()
            .map(|(name, number)| {
                let revision = revision(&name, number)?;
                let asset = name.parse().map_err(|fault| corrupt(&name, fault))?;
                Ok(Published { asset, revision })
            })
            .collect()
    }

    async fn ready(&self) -> Result<(), CatalogError> {
        let one: Result<i64, _> = sqlx::query_scalar("SELECT count(*) FROM (SELECT 1 FROM asset LIMIT 1)")
            .fetch_one(&self.pool)
            .await;
        one.map(drop).map_err(unavailable)
    }
}

fn revision(asset: &str, number: i64) -> Result<Revision, CatalogError> {
    u64::try_from(number).map(Revision::counted).map_err(|fault| corrupt(asset, fault))
}

fn unavailable(error: sqlx::Error) -> CatalogError {
    CatalogError::Unavailable(Box::new(error))
}

fn corrupt(asset: &str, source: impl StdError + Send + Sync + 'static) -> CatalogError {
    CatalogError::Corrupt { asset: asset.to_owned(), source: Box::new(source) }
}
