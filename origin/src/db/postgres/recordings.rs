//! Recordings in PostgreSQL's SQL.
//!
//! Each change is of one row. Whoever waits for the row looks at its conditions, and at the clock, once it has it. The triggers of
//! the table keep the spans. What depends on the uses of a recording too is a function that locks its row first.

use std::time::Duration;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision, ShowId, StreamName};
use transcoder::publishing::WorkerName;

use super::Postgres;
use super::fault::Fault;
use crate::catalog::recordings::{millis, storable};
use crate::catalog::{Recording, RecordingError, Recordings, Tenure, Use};
use crate::db::recorded::{self, Row, UseRow, at_most};

#[async_trait]
impl Recordings for Postgres {
    async fn claim(
        &self,
        stream: &StreamName,
        show: ShowId,
        holder: &WorkerName,
        ttl: Duration,
        from: u64,
    ) -> Result<Option<Tenure>, RecordingError> {
        let (ttl, number, from) = (millis(ttl)?, storable(show.0)?, storable(from)?);
        let query = sqlx::query_as(
            "INSERT INTO recording
                 (stream, show, fence, holder, held_until_ms, ttl_ms, first_page, until_page, changed_ms)
             VALUES ($1, $2, 1, $3, now_ms() + $4, $4, $5, $5, now_ms())
             ON CONFLICT (stream, show) DO UPDATE SET
                 fence = recording.fence + 1, holder = excluded.holder,
                 held_until_ms = now_ms() + excluded.ttl_ms, ttl_ms = excluded.ttl_ms, changed_ms = now_ms()
             WHERE NOT recording.is_sealed
                 AND (recording.holder IS NULL OR recording.holder = excluded.holder
                     OR recording.held_until_ms - now_ms() NOT BETWEEN 1 AND 2 * recording.ttl_ms)
             RETURNING fence, until_page",
        );
        let query = query.bind(stream.as_str()).bind(number).bind(holder.as_str()).bind(ttl).bind(from);
        let rows: Vec<(i64, i64)> = self.sessions.rows(query).await?;
        recorded::tenure(stream, show, &rows)
    }

    async fn renew(&self, tenure: &Tenure, ttl: Duration) -> Result<bool, RecordingError> {
        let ttl = millis(ttl)?;
        let statement = "UPDATE recording SET held_until_ms = now_ms() + $4, ttl_ms = $4
             WHERE stream = $1 AND show = $2 AND fence = $3 AND holder IS NOT NULL";
        self.change(tenure, statement, Some(ttl)).await
    }

    async fn release(&self, tenure: &Tenure) -> Result<bool, RecordingError> {
        let statement = "UPDATE recording
             SET holder = NULL, held_until_ms = NULL, ttl_ms = NULL, changed_ms = now_ms()
             WHERE stream = $1 AND show = $2 AND fence = $3 AND holder IS NOT NULL";
        self.change(tenure, statement, None).await
    }

    async fn commit(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        let until = storable(until)?;
        let statement = "UPDATE recording
             SET until_page = greatest(until_page, $4),
                 changed_ms = CASE WHEN $4 <= until_page THEN changed_ms ELSE now_ms() END
             WHERE stream = $1 AND show = $2 AND fence = $3 AND holder IS NOT NULL";
        self.change(tenure, statement, Some(until)).await
    }

    async fn seal(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        let until = storable(until)?;
        let statement = "UPDATE recording
             SET until_page = greatest(until_page, $4), is_sealed = true,
                 holder = NULL, held_until_ms = NULL, ttl_ms = NULL,
                 changed_ms = CASE WHEN is_sealed THEN changed_ms ELSE now_ms() END
             WHERE stream = $1 AND show = $2 AND fence = $3
                 AND (holder IS NOT NULL OR (is_sealed AND $4 <= until_page))";
        self.change(tenure, statement, Some(until)).await
    }

    async fn recording(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Option<Recording>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(None) };
        let query = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM recording_now LEFT JOIN recording_span USING (stream, show)
             WHERE stream = $1 AND show = $2 ORDER BY from_page",
        );
        let rows: Vec<Row> = self.sessions.rows(query.bind(stream.as_str()).bind(number)).await?;
        Ok(recorded::recordings(rows)?.into_iter().next())
    }

    async fn list(
        &self,
        after: Option<(&StreamName, ShowId)>,
        limit: u32,
    ) -> Result<Vec<Recording>, RecordingError> {
        // No name is empty, so all names stand after the empty one.
        let (stream, show) = after.map_or(("", 0), |(stream, show)| (stream.as_str(), at_most(show.0)));
        let query = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM (SELECT * FROM recording_now WHERE (stream, show) > ($1, $2) ORDER BY stream, show LIMIT $3)
                 AS listed
             LEFT JOIN recording_span USING (stream, show)
             ORDER BY stream, show, from_page",
        );
        let query = query.bind(stream).bind(show).bind(i64::from(limit));
        let rows: Vec<Row> = self.sessions.rows(query).await?;
        recorded::recordings(rows)
    }

    async fn unattended(&self, limit: u32) -> Result<Vec<Recording>, RecordingError> {
        let query = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM (SELECT * FROM recording_now WHERE NOT is_sealed AND NOT is_held
                 ORDER BY changed_ms, stream, show LIMIT $1) AS alone
             LEFT JOIN recording_span USING (stream, show)
             ORDER BY changed_ms, stream, show, from_page",
        );
        let rows: Vec<Row> = self.sessions.rows(query.bind(i64::from(limit))).await?;
        recorded::recordings(rows)
    }

    async fn expire(
        &self,
        stream: &StreamName,
        show: ShowId,
        first: u64,
    ) -> Result<Option<u64>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(None) };
        let query = sqlx::query_as("SELECT * FROM recording_expire($1, $2, $3)");
        let query = query.bind(stream.as_str()).bind(number).bind(at_most(first));
        let rows: Vec<(i64,)> = self.sessions.rows(query).await?;
        recorded::first(stream, show, &rows)
    }

    async fn forget(&self, stream: &StreamName, show: ShowId) -> Result<bool, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(false) };
        // What is in use is kept, so nothing is in use here.
        let query = sqlx::query(
            "UPDATE recording SET is_forgotten = true
             WHERE stream = $1 AND show = $2 AND is_sealed AND first_page = until_page AND NOT is_forgotten",
        );
        Ok(self.sessions.changes(query.bind(stream.as_str()).bind(number)).await? > 0)
    }

    async fn hold_for(
        &self,
        asset: &AssetName,
        revision: &Revision,
        stream: &StreamName,
        show: ShowId,
        first: u64,
        last: u64,
    ) -> Result<bool, RecordingError> {
        // Pages beyond what a row can hold are not written.
        let (Ok(number), Ok(first), Ok(last)) = (storable(show.0), storable(first), storable(last)) else {
            return Ok(false);
        };
        // With the row locked, the pages cannot expire before this is committed.
        let query = sqlx::query(
            "INSERT INTO recording_use (stream, show, first_page, last_page, asset, revision)
             SELECT stream, show, $3, $4, $5, $6 FROM recording
             WHERE stream = $1 AND show = $2 AND first_page <= $3 AND $3 <= $4
                 AND ($4 < until_page OR NOT is_sealed)
             FOR SHARE
             ON CONFLICT (stream, show, first_page, last_page, asset, revision)
                 DO UPDATE SET asset = excluded.asset",
        );
        let query = query.bind(stream.as_str()).bind(number).bind(first).bind(last);
        Ok(self.sessions.changes(query.bind(asset.as_str()).bind(revision.as_str())).await? > 0)
    }

    async fn let_go(&self, asset: &AssetName, revision: Option<&Revision>) -> Result<u64, RecordingError> {
        let query =
            sqlx::query("DELETE FROM recording_use WHERE asset = $1 AND ($2 IS NULL OR revision = $2)");
        let query = query.bind(asset.as_str()).bind(revision.map(Revision::as_str));
        Ok(self.sessions.changes(query).await?)
    }

    async fn uses(&self, stream: &StreamName, show: ShowId) -> Result<Vec<Use>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(Vec::new()) };
        let query = sqlx::query_as(
            "SELECT asset, revision, first_page, last_page FROM recording_use
             WHERE stream = $1 AND show = $2 ORDER BY first_page, last_page, asset, revision",
        );
        let rows: Vec<UseRow> = self.sessions.rows(query.bind(stream.as_str()).bind(number)).await?;
        recorded::uses(stream, show, rows)
    }
}

impl Postgres {
    /// Whether a statement changed the recording of a tenure: its show and fence are $1 to $3, `number` is $4.
    async fn change(
        &self,
        tenure: &Tenure,
        statement: &'static str,
        number: Option<i64>,
    ) -> Result<bool, RecordingError> {
        let (Ok(show), Ok(fence)) = (storable(tenure.show.0), storable(tenure.fence)) else {
            return Ok(false);
        };
        let query = sqlx::query(statement).bind(tenure.stream.as_str()).bind(show).bind(fence);
        let query = match number {
            Some(number) => query.bind(number),
            None => query,
        };
        Ok(self.sessions.changes(query).await? > 0)
    }
}

impl From<Fault> for RecordingError {
    fn from(fault: Fault) -> Self {
        Self::Unavailable(Box::new(fault))
    }
}
