//! Counting and publishing revisions in SQLite's SQL.
//!
//! Each is one statement, so it is fenced whoever else is at it: SQLite lets one writer in at a time.

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};
use transcoder::Error;
use transcoder::publishing::{Published, Publishing};

use super::Sqlite;

#[async_trait]
impl Publishing for Sqlite {
    async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO asset (name, begun) VALUES (?1, 1)
             ON CONFLICT (name) DO UPDATE SET begun = begun + 1
             RETURNING begun",
        )
        .bind(asset.as_str())
        .fetch_one(&self.pool)
        .await
        .map_err(|error| failed("begin a revision", error))?;
        u64::try_from(number).map(Revision::counted).map_err(|fault| failed("begin a revision", fault))
    }

    async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
        let refused =
            || failed("publish a revision", format!("expected a revision that was begun, found {revision}"));
        let number = counted(revision).ok_or_else(refused)?;
        let published = sqlx::query(
            "UPDATE asset SET published = ?2, published_ms = CAST(unixepoch('subsec') * 1000 AS INTEGER)
             WHERE name = ?1 AND ?2 BETWEEN 1 AND begun AND (published IS NULL OR published < ?2)
                 AND (withdrawn IS NULL OR withdrawn < ?2)",
        )
        .bind(asset.as_str())
        .bind(number)
        .execute(&self.pool)
        .await
        .map_err(|error| failed("publish a revision", error))?;
        if published.rows_affected() == 1 {
            return Ok(Published::Current);
        }
        // Nothing was changed, and nothing will be: what is asked now only tells why.
        let row: Option<(i64, Option<i64>, Option<i64>)> =
            sqlx::query_as("SELECT begun, published, withdrawn FROM asset WHERE name = ?1")
                .bind(asset.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(|error| failed("publish a revision", error))?;
        match row {
            Some((_, Some(published), _)) if published == number => Ok(Published::Current),
            Some((begun, published, withdrawn))
                if number <= begun && (Some(number) < published || Some(number) <= withdrawn) =>
            {
                Ok(Published::Superseded)
            }
            _ => Err(refused()),
        }
    }

    async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
        let withdrawn = sqlx::query(
            "UPDATE asset SET withdrawn = begun, published = NULL, published_ms = NULL
             WHERE name = ?1 AND published IS NOT NULL",
        );
        let withdrawn = withdrawn.bind(asset.as_str()).execute(&self.pool).await;
        Ok(withdrawn.map_err(|error| failed("withdraw an asset", error))?.rows_affected() > 0)
    }

    async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
        let known = sqlx::query_scalar(
            "SELECT 1 FROM asset WHERE name = ?1 AND published IS NULL AND withdrawn IS NOT NULL",
        );
        let known: Result<Option<i64>, _> = known.bind(asset.as_str()).fetch_optional(&self.pool).await;
        Ok(known.map_err(|error| failed("say what was withdrawn", error))?.is_some())
    }

    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
        let asked = crate::catalog::Catalog::current(self, asset).await;
        asked.map_err(|error| failed("say what is current", error))
    }
}

/// The number in a revision that was counted; `None` for any other, and for another spelling of one.
fn counted(revision: &Revision) -> Option<i64> {
    let number: i64 = revision.as_str().parse().ok()?;
    (number >= 1 && number.to_string() == revision.as_str()).then_some(number)
}

fn failed(action: &'static str, source: impl Into<transcoder::Cause>) -> Error {
    Error::Catalogue { action, source: source.into() }
}
