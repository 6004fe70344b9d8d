//! Counting and publishing revisions in PostgreSQL's SQL.
//!
//! Whoever is told that publishing failed asks what is current, and deletes the objects of a revision that is not. So it must
//! never be published after that. The update carries the last moment at which it may take effect, by the server's clock; where
//! its answer is lost, that moment is waited for before anybody is told. So it is with a withdrawal: it must never reach a revision
//! that was published after that.

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use tokio::time::{Instant, sleep_until};
use transcoder::Error;
use transcoder::publishing::{Published, Publishing};

use super::Postgres;
use super::fault::Fault;
use super::sessions::Patience;

#[async_trait]
impl Publishing for Postgres {
    async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
        let action = "begin a revision";
        let query = sqlx::query_as(
            "INSERT INTO asset (name, begun) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET begun = asset.begun + 1
             RETURNING begun",
        );
        let rows = self.sessions.rows(query.bind(asset.as_str())).await;
        let rows: Vec<(i64,)> = rows.map_err(Fault::during(action))?;
        let number = rows.first().ok_or_else(|| Error::catalogue(action, "expected a row, found none"))?.0;
        u64::try_from(number).map(Revision::counted).map_err(|fault| Error::catalogue(action, fault))
    }

    async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
        let action = "publish a revision";
        let refused =
            || Error::catalogue(action, format!("expected a revision that was begun, found {revision}"));
        let number = counted(revision).ok_or_else(refused)?;
        let query = sqlx::query(
            "UPDATE asset SET published = $2, published_ms = now_ms()
             WHERE name = $3 AND $2 BETWEEN 1 AND begun AND (published IS NULL OR published < $2)
                 AND (withdrawn IS NULL OR withdrawn < $2) AND now_ms() <= $1",
        );
        let update = |last: i64| query.bind(last).bind(number).bind(asset.as_str());
        if self.update(update).await.map_err(Fault::during(action))? {
            return Ok(Published::Current);
        }
        // Nothing was changed, and nothing will be: what is asked now only tells why.
        let query = sqlx::query_as("SELECT begun, published, withdrawn FROM asset WHERE name = $1");
        let rows = self.sessions.rows(query.bind(asset.as_str())).await;
        let rows: Vec<(i64, Option<i64>, Option<i64>)> = rows.map_err(Fault::during(action))?;
        match rows.first() {
            Some((_, Some(published), _)) if *published == number => Ok(Published::Current),
            Some((begun, published, withdrawn))
                if number <= *begun && (Some(number) < *published || Some(number) <= *withdrawn) =>
            {
                Ok(Published::Superseded)
            }
            Some((begun, ..)) if number <= *begun => {
                Err(Error::catalogue(action, "expected the update in its time, found it too late"))
            }
            _ => Err(refused()),
        }
    }

    async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
        let query = sqlx::query(
            "UPDATE asset SET withdrawn = begun, published = NULL, published_ms = NULL
             WHERE name = $2 AND published IS NOT NULL AND now_ms() <= $1",
        );
        let update = |last: i64| query.bind(last).bind(asset.as_str());
        self.update(update).await.map_err(Fault::during("withdraw an asset"))
    }

    async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
        let query = sqlx::query_as(
            "SELECT 1 FROM asset WHERE name = $1 AND published IS NULL AND withdrawn IS NOT NULL",
        );
        let known: Vec<(i32,)> = self
            .sessions
            .rows(query.bind(asset.as_str()))
            .await
            .map_err(Fault::during("say what was withdrawn"))?;
        Ok(!known.is_empty())
    }

    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
        let asked = crate::catalog::Catalog::current(self, asset).await;
        asked.map_err(|error| Error::catalogue("say what is current", error))
    }
}

impl Postgres {
    /// Whether an update changed a row; `update` is told the last moment at which it may. After an error it did, or never will.
    async fn update<'q>(
        &self,
        update: impl FnOnce(i64) -> Query<'q, sqlx::Postgres, PgArguments>,
    ) -> Result<bool, Fault> {
        let Patience { connect, statement } = self.sessions.patience();
        let session = self.sessions.session().await?;
        let (now, session) = session.rows(sqlx::query_as("SELECT now_ms()")).await?;
        let asked = Instant::now();
        let now: i64 = now.first().map(|(now,)| *now).unwrap_or_default();
        let within = connect + statement;
        let last = now.saturating_add(i64::try_from(within.as_millis()).unwrap_or(0));
        // The condition is looked at again once the row is had, so `last` holds after a wait for it too.
        match session.changes(update(last)).await {
            Ok((changed, session)) => {
                session.settle();
                Ok(changed.rows_affected() == 1)
            }
            Err(fault) => {
                if fault.is_open() {
                    sleep_until(asked + within + statement).await;
                }
                Err(fault)
            }
        }
    }
}

/// The number in a revision that was counted; `None` for any other, and for another spelling of one.
fn counted(revision: &Revision) -> Option<i64> {
    let number: i64 = revision.as_str().parse().ok()?;
    (number >= 1 && number.to_string() == revision.as_str()).then_some(number)
}
