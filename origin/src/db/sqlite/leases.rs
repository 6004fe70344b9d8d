//! Leases in SQLite's SQL.
//!
//! Each change is one statement, so it is fenced whoever else is at it: SQLite lets one writer in at a time. The clock
//! is read once that writer is in.

use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;
use transcoder::publishing::{Fence, Lease, Leases, Renewal, WorkerName, check_ttl};
use transcoder::{Cause, Error};

use super::Sqlite;

#[async_trait]
impl Leases for Sqlite {
    async fn take(&self, stream: &StreamName, worker: &WorkerName, ttl: Duration) -> Result<Lease, Error> {
        let action = "take a lease";
        let ttl = millis(action, ttl)?;
        // All rows of the one there is: a statement that is left at its first row is committed unheard.
        let rows: Vec<Row> = sqlx::query_as(
            "INSERT INTO lease (stream, fence, worker, until_ms, ttl_ms)
             SELECT ?1, 1, ?2, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + ?3, ?3 WHERE TRUE
             ON CONFLICT (stream) DO UPDATE SET
                 fence = fence + 1, worker = excluded.worker, until_ms = excluded.until_ms, ttl_ms = excluded.ttl_ms
             RETURNING stream, worker, fence, until_ms",
        )
        .bind(stream.as_str())
        .bind(worker.as_str())
        .bind(ttl)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        first(action, rows)?.ok_or_else(|| Error::catalogue(action, "expected a row, found none"))
    }

    async fn claim(
        &self,
        stream: &StreamName,
        worker: &WorkerName,
        ttl: Duration,
    ) -> Result<Option<Lease>, Error> {
        let action = "claim a lease";
        let ttl = millis(action, ttl)?;
        // What the new row would end at, less its time to live, is now.
        let rows: Vec<Row> = sqlx::query_as(
            "INSERT INTO lease (stream, fence, worker, until_ms, ttl_ms)
             SELECT ?1, 1, ?2, CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + ?3, ?3 WHERE TRUE
             ON CONFLICT (stream) DO UPDATE SET
                 fence = fence + 1, worker = excluded.worker, until_ms = excluded.until_ms, ttl_ms = excluded.ttl_ms
             WHERE lease.worker IS NULL
                 OR lease.until_ms - (excluded.until_ms - excluded.ttl_ms) NOT BETWEEN 1 AND 2 * lease.ttl_ms
             RETURNING stream, worker, fence, until_ms",
        )
        .bind(stream.as_str())
        .bind(worker.as_str())
        .bind(ttl)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        first(action, rows)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error> {
        let action = "renew a lease";
        let ttl = millis(action, ttl)?;
        let Ok(fence) = i64::try_from(lease.fence.0) else { return Ok(Renewal::Lost) };
        let rows: Vec<Row> = sqlx::query_as(
            "UPDATE lease SET until_ms = CAST(round(unixepoch('subsec') * 1000) AS INTEGER) + ?3, ttl_ms = ?3
             WHERE stream = ?1 AND fence = ?2 AND worker IS NOT NULL
             RETURNING stream, worker, fence, until_ms",
        )
        .bind(lease.stream.as_str())
        .bind(fence)
        .bind(ttl)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        Ok(first(action, rows)?.map_or(Renewal::Lost, Renewal::Renewed))
    }

    async fn release(&self, lease: &Lease) -> Result<bool, Error> {
        let Ok(fence) = i64::try_from(lease.fence.0) else { return Ok(false) };
        let released = sqlx::query(
            "UPDATE lease SET worker = NULL, until_ms = NULL, ttl_ms = NULL
             WHERE stream = ?1 AND fence = ?2 AND worker IS NOT NULL",
        )
        .bind(lease.stream.as_str())
        .bind(fence)
        .execute(&self.pool)
        .await
        .map_err(because("release a lease"))?;
        Ok(released.rows_affected() > 0)
    }

    async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error> {
        let action = "say who has a lease";
        // More than twice its time can only be left where the clock was set back: then nobody waits for it.
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT stream, worker, fence, until_ms
             FROM lease, (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now)
             WHERE stream = ?1 AND until_ms - now BETWEEN 1 AND 2 * ttl_ms",
        )
        .bind(stream.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        first(action, rows)
    }
}

/// stream, worker, fence, until_ms.
type Row = (String, String, i64, i64);

fn first(action: &'static str, rows: Vec<Row>) -> Result<Option<Lease>, Error> {
    rows.into_iter().next().map(|row| lease(row).map_err(because(action))).transpose()
}

fn lease((stream, worker, fence, until_ms): Row) -> Result<Lease, Cause> {
    let (stream, worker) = (stream.parse()?, worker.parse()?);
    Ok(Lease { stream, worker, fence: Fence(u64::try_from(fence)?), until_ms })
}

fn millis(action: &'static str, ttl: Duration) -> Result<i64, Error> {
    check_ttl(action, ttl)?;
    i64::try_from(ttl.as_millis()).map_err(because(action))
}

fn because<E: Into<Cause>>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::catalogue(action, source)
}

#[cfg(test)]
mod tests;
