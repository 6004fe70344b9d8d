//! Recordings in SQLite's SQL.
//!
//! Each change is one statement, so it is fenced whoever else is at it: SQLite lets one writer in at a time. The clock is read once
//! that writer is in. The triggers of the table keep the spans.

use std::time::Duration;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision, ShowId, StreamName};
use transcoder::publishing::WorkerName;

use super::Sqlite;
use crate::catalog::recordings::{millis, storable};
use crate::catalog::{Recording, RecordingError, Recordings, Tenure, Use};
use crate::db::recorded::{self, Row, UseRow, at_most};

#[async_trait]
impl Recordings for Sqlite {
    async fn claim(
        &self,
        stream: &StreamName,
        show: ShowId,
        holder: &WorkerName,
        ttl: Duration,
        from: u64,
    ) -> Result<Option<Tenure>, RecordingError> {
        let (ttl, number, from) = (millis(ttl)?, storable(show.0)?, storable(from)?);
        // All rows of the one there is: a statement that is left at its first row is committed unheard.
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "INSERT INTO recording
                 (stream, show, fence, holder, held_until_ms, ttl_ms, first_page, until_page, changed_ms)
             SELECT ?1, ?2, 1, ?3, now + ?4, ?4, ?5, ?5, now
             FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now) WHERE TRUE
             ON CONFLICT (stream, show) DO UPDATE SET
                 fence = fence + 1, holder = excluded.holder, held_until_ms = excluded.held_until_ms,
                 ttl_ms = excluded.ttl_ms, changed_ms = excluded.changed_ms
             WHERE NOT recording.is_sealed
                 AND (recording.holder IS NULL OR recording.holder = excluded.holder
                     OR recording.held_until_ms - excluded.changed_ms NOT BETWEEN 1 AND 2 * recording.ttl_ms)
             RETURNING fence, until_page",
        )
        .bind(stream.as_str())
        .bind(number)
        .bind(holder.as_str())
        .bind(ttl)
        .bind(from)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        recorded::tenure(stream, show, &rows)
    }

    async fn renew(&self, tenure: &Tenure, ttl: Duration) -> Result<bool, RecordingError> {
        let ttl = millis(ttl)?;
        let statement = "UPDATE recording
             SET held_until_ms = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + ?4, ttl_ms = ?4
             WHERE stream = ?1 AND show = ?2 AND fence = ?3 AND holder IS NOT NULL";
        self.change(tenure, statement, Some(ttl)).await
    }

    async fn release(&self, tenure: &Tenure) -> Result<bool, RecordingError> {
        let statement = "UPDATE recording
             SET holder = NULL, held_until_ms = NULL, ttl_ms = NULL,
                 changed_ms = CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
             WHERE stream = ?1 AND show = ?2 AND fence = ?3 AND holder IS NOT NULL";
        self.change(tenure, statement, None).await
    }

    async fn commit(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        let until = storable(until)?;
        let statement = "UPDATE recording
             SET until_page = max(until_page, ?4),
                 changed_ms = CASE WHEN ?4 <= until_page THEN changed_ms
                     ELSE CAST(round(unixepoch('subsec') * 1000) AS INTEGER) END
             WHERE stream = ?1 AND show = ?2 AND fence = ?3 AND holder IS NOT NULL";
        self.change(tenure, statement, Some(until)).await
    }

    async fn seal(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError> {
        let until = storable(until)?;
        let statement = "UPDATE recording
             SET until_page = max(until_page, ?4), is_sealed = 1,
                 holder = NULL, held_until_ms = NULL, ttl_ms = NULL,
                 changed_ms = CASE WHEN is_sealed THEN changed_ms
                     ELSE CAST(round(unixepoch('subsec') * 1000) AS INTEGER) END
             WHERE stream = ?1 AND show = ?2 AND fence = ?3
                 AND (holder IS NOT NULL OR (is_sealed AND ?4 <= until_page))";
        self.change(tenure, statement, Some(until)).await
    }

    async fn recording(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Option<Recording>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(None) };
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM recording_now LEFT JOIN recording_span USING (stream, show)
             WHERE stream = ?1 AND show = ?2 ORDER BY from_page",
        )
        .bind(stream.as_str())
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        Ok(recorded::recordings(rows)?.into_iter().next())
    }

    async fn list(
        &self,
        after: Option<(&StreamName, ShowId)>,
        limit: u32,
    ) -> Result<Vec<Recording>, RecordingError> {
        // No name is empty, so all names stand after the empty one.
        let (stream, show) = after.map_or(("", 0), |(stream, show)| (stream.as_str(), at_most(show.0)));
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM (SELECT * FROM recording_now WHERE (stream, show) > (?1, ?2) ORDER BY stream, show LIMIT ?3)
             LEFT JOIN recording_span USING (stream, show)
             ORDER BY stream, show, from_page",
        )
        .bind(stream)
        .bind(show)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        recorded::recordings(rows)
    }

    async fn unattended(&self, limit: u32) -> Result<Vec<Recording>, RecordingError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT stream, show, first_page, until_page, is_sealed, changed_ms, is_held, fence, from_page
             FROM (SELECT * FROM recording_now WHERE NOT is_sealed AND NOT is_held
                 ORDER BY changed_ms, stream, show LIMIT ?1)
             LEFT JOIN recording_span USING (stream, show)
             ORDER BY changed_ms, stream, show, from_page",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        recorded::recordings(rows)
    }

    async fn expire(
        &self,
        stream: &StreamName,
        show: ShowId,
        first: u64,
    ) -> Result<Option<u64>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(None) };
        let rows: Vec<(i64,)> = sqlx::query_as(
            "UPDATE recording SET first_page = max(first_page, min(?3, until_page, ifnull(
                 (SELECT min(first_page) FROM recording_use WHERE stream = ?1 AND show = ?2), ?3)))
             WHERE stream = ?1 AND show = ?2 AND NOT is_forgotten
             RETURNING first_page",
        )
        .bind(stream.as_str())
        .bind(number)
        .bind(at_most(first))
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        recorded::first(stream, show, &rows)
    }

    async fn forget(&self, stream: &StreamName, show: ShowId) -> Result<bool, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(false) };
        // What is in use is kept, so nothing is in use here.
        let forgotten = sqlx::query(
            "UPDATE recording SET is_forgotten = 1
             WHERE stream = ?1 AND show = ?2 AND is_sealed AND first_page = until_page AND NOT is_forgotten",
        );
        let forgotten = forgotten.bind(stream.as_str()).bind(number).execute(&self.pool).await;
        Ok(forgotten.map_err(unavailable)?.rows_affected() > 0)
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
        let held = sqlx::query(
            "INSERT INTO recording_use (stream, show, first_page, last_page, asset, revision)
             SELECT stream, show, ?3, ?4, ?5, ?6 FROM recording
             WHERE stream = ?1 AND show = ?2 AND first_page <= ?3 AND ?3 <= ?4
                 AND (?4 < until_page OR NOT is_sealed)
             ON CONFLICT DO UPDATE SET asset = excluded.asset",
        )
        .bind(stream.as_str())
        .bind(number)
        .bind(first)
        .bind(last)
        .bind(asset.as_str())
        .bind(revision.as_str())
        .execute(&self.pool)
        .await;
        Ok(held.map_err(unavailable)?.rows_affected() > 0)
    }

    async fn let_go(&self, asset: &AssetName, revision: Option<&Revision>) -> Result<u64, RecordingError> {
        let ended =
            sqlx::query("DELETE FROM recording_use WHERE asset = ?1 AND (?2 IS NULL OR revision = ?2)");
        let ended = ended.bind(asset.as_str()).bind(revision.map(Revision::as_str));
        Ok(ended.execute(&self.pool).await.map_err(unavailable)?.rows_affected())
    }

    async fn uses(&self, stream: &StreamName, show: ShowId) -> Result<Vec<Use>, RecordingError> {
        let Ok(number) = storable(show.0) else { return Ok(Vec::new()) };
        let rows: Vec<UseRow> = sqlx::query_as(
            "SELECT asset, revision, first_page, last_page FROM recording_use
             WHERE stream = ?1 AND show = ?2 ORDER BY first_page, last_page, asset, revision",
        )
        .bind(stream.as_str())
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable)?;
        recorded::uses(stream, show, rows)
    }
}

impl Sqlite {
    /// Whether a statement changed the recording of a tenure: its show and fence are ?1 to ?3, `number` is ?4.
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
        Ok(query.execute(&self.pool).await.map_err(unavailable)?.rows_affected() > 0)
    }
}

fn unavailable(error: sqlx::Error) -> RecordingError {
    RecordingError::Unavailable(Box::new(error))
}

#[cfg(test)]
mod tests;
