//! The catalogue's questions in PostgreSQL's SQL.

use std::error::Error as StdError;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

use super::Postgres;
use crate::catalog::{Catalog, CatalogError, Published};

#[async_trait]
impl Catalog for Postgres {
    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, CatalogError> {
        let query = sqlx::query_as("SELECT published FROM asset WHERE name = $1 AND published IS NOT NULL");
        let rows: Vec<(i64,)> = self.sessions.rows(query.bind(asset.as_str())).await?;
        rows.first().map(|(number,)| revision(asset.as_str(), *number)).transpose()
    }

    async fn list(&self, after: Option<&AssetName>, limit: u32) -> Result<Vec<Published>, CatalogError> {
        // No name is empty, so all names stand after the empty one.
        let query = sqlx::query_as(
            "SELECT name, published FROM asset WHERE name > $1 AND published IS NOT NULL ORDER BY name LIMIT $2",
        );
        let query = query.bind(after.map_or("", AssetName::as_str)).bind(i64::from(limit));
        let rows: Vec<(String, i64)> = self.sessions.rows(query).await?;
        rows.into_iter()
            .map(|(name, number)| {
                let revision = revision(&name, number)?;
                let asset = name.parse().map_err(|fault| corrupt(&name, fault))?;
                Ok(Published { asset, revision })
            })
            .collect()
    }

    async fn ready(&self) -> Result<(), CatalogError> {
        let query = sqlx::query_as("SELECT 1 FROM asset LIMIT 1");
        let _: Vec<(i32,)> = self.sessions.rows(query).await?;
        Ok(())
    }
}

fn revision(asset: &str, number: i64) -> Result<Revision, CatalogError> {
    u64::try_from(number).map(Revision::counted).map_err(|fault| corrupt(asset, fault))
}

fn corrupt(asset: &str, source: impl StdError + Send + Sync + 'static) -> CatalogError {
    CatalogError::Corrupt { asset: asset.to_owned(), source: Box::new(source) }
}
