//! Leases in PostgreSQL's SQL.
//!
//! Each change is of one row. Whoever waits for the row looks at its conditions, and at the clock, once it has it.

use std::time::Duration;

use async_trait::async_trait;
use packager::asset::StreamName;
use transcoder::publishing::{Fence, Lease, Leases, Renewal, WorkerName, check_ttl};
use transcoder::{Cause, Error};

use super::Postgres;
use super::fault::Fault;

#[async_trait]
impl Leases for Postgres {
    async fn take(&self, stream: &StreamName, worker: &WorkerName, ttl: Duration) -> Result<Lease, Error> {
        let action = "take a lease";
        let ttl = millis(action, ttl)?;
        let query = sqlx::query_as(
            "INSERT INTO lease (stream, fence, worker, until_ms, ttl_ms) VALUES ($1, 1, $2, now_ms() + $3, $3)
             ON CONFLICT (stream) DO UPDATE SET
                 fence = lease.fence + 1, worker = excluded.worker,
                 until_ms = now_ms() + excluded.ttl_ms, ttl_ms = excluded.ttl_ms
             RETURNING stream, worker, fence, until_ms",
        );
        let rows = self.sessions.rows(query.bind(stream.as_str()).bind(worker.as_str()).bind(ttl)).await;
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
        let query = sqlx::query_as(
            "INSERT INTO lease (stream, fence, worker, until_ms, ttl_ms) VALUES ($1, 1, $2, now_ms() + $3, $3)
             ON CONFLICT (stream) DO UPDATE SET
                 fence = lease.fence + 1, worker = excluded.worker,
                 until_ms = now_ms() + excluded.ttl_ms, ttl_ms = excluded.ttl_ms
             WHERE lease.worker IS NULL OR lease.until_ms - now_ms() NOT BETWEEN 1 AND 2 * lease.ttl_ms
             RETURNING stream, worker, fence, until_ms",
        );
        let rows = self.sessions.rows(query.bind(stream.as_str()).bind(worker.as_str()).bind(ttl)).await;
        first(action, rows)
    }

    async fn renew(&self, lease: &Lease, ttl: Duration) -> Result<Renewal, Error> {
        let action = "renew a lease";
        let ttl = millis(action, ttl)?;
        let Ok(fence) = i64::try_from(lease.fence.0) else { return Ok(Renewal::Lost) };
        let query = sqlx::query_as(
            "UPDATE lease SET until_ms = now_ms() + $3, ttl_ms = $3
             WHERE stream = $1 AND fence = $2 AND worker IS NOT NULL
             RETURNING stream, worker, fence, until_ms",
        );
        let rows = self.sessions.rows(query.bind(lease.stream.as_str()).bind(fence).bind(ttl)).await;
        Ok(first(action, rows)?.map_or(Renewal::Lost, Renewal::Renewed))
    }

    async fn release(&self, lease: &Lease) -> Result<bool, Error> {
        let Ok(fence) = i64::try_from(lease.fence.0) else { return Ok(false) };
        let query = sqlx::query(
            "UPDATE lease SET worker = NULL, until_ms = NULL, ttl_ms = NULL
             WHERE stream = $1 AND fence = $2 AND worker IS NOT NULL",
        );
        let released = self.sessions.changes(query.bind(lease.stream.as_str()).bind(fence)).await;
        Ok(released.map_err(Fault::during("release a lease"))? > 0)
    }

    async fn holder(&self, stream: &StreamName) -> Result<Option<Lease>, Error> {
        // More than twice its time can only be left where the clock was set back: then nobody waits for it.
        let query = sqlx::query_as(
            "SELECT stream, worker, fence, until_ms FROM lease
             WHERE stream = $1 AND until_ms - now_ms() BETWEEN 1 AND 2 * ttl_ms",
        );
        first("say who has a lease", self.sessions.rows(query.bind(stream.as_str())).await)
    }
}

/// stream, worker, fence, until_ms.
type Row = (String, String, i64, i64);

fn first(action: &'static str, rows: Result<Vec<Row>, Fault>) -> Result<Option<Lease>, Error> {
    let row = rows.map_err(Fault::during(action))?.into_iter().next();
    row.map(|row| lease(row).map_err(|fault| Error::catalogue(action, fault))).transpose()
}

fn lease((stream, worker, fence, until_ms): Row) -> Result<Lease, Cause> {
    let (stream, worker) = (stream.parse()?, worker.parse()?);
    Ok(Lease { stream, worker, fence: Fence(u64::try_from(fence)?), until_ms })
}

fn millis(action: &'static str, ttl: Duration) -> Result<i64, Error> {
    check_ttl(action, ttl)?;
    i64::try_from(ttl.as_millis()).map_err(|fault| Error::catalogue(action, fault))
}
