//! Live streams' shows in SQLite's SQL.
//!
//! Each change is one statement, so it is fenced whoever else is at it: SQLite lets one writer in at a time.

use async_trait::async_trait;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::time::Msn;
use transcoder::publishing::{Anchor, Opening, Show, Shows};
use transcoder::{Cause, Error};

use super::Sqlite;

#[async_trait]
impl Shows for Sqlite {
    async fn open(&self, stream: &StreamName, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let action = "open a show";
        let show = self.newest_running(stream, None, opening).await.map_err(because(action))?;
        show.ok_or_else(|| Error::catalogue(action, "expected a row, found none"))
    }

    async fn succeed(&self, former: &Show, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let action = "open the next show";
        let refused = || unknown(action, &former.stream, former.id);
        let number = i64::try_from(former.id.0).map_err(|_| refused())?;
        let show = self.newest_running(&former.stream, Some(number), opening).await;
        show.map_err(because(action))?.ok_or_else(refused)
    }

    async fn note(&self, stream: &StreamName, show: ShowId, last: Msn) -> Result<(), Error> {
        let action = "note a segment";
        let last = numbered(action, last)?;
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        let noted = sqlx::query(
            "UPDATE show SET last_msn = ?3
             WHERE stream = ?1 AND id = ?2 AND ended_ms IS NULL AND (last_msn IS NULL OR last_msn < ?3)",
        )
        .bind(stream.as_str())
        .bind(number)
        .bind(last)
        .execute(&self.pool)
        .await
        .map_err(because(action))?;
        self.changed_or_known(action, noted.rows_affected(), stream, show).await.map(drop)
    }

    async fn end(&self, stream: &StreamName, show: ShowId) -> Result<bool, Error> {
        let action = "end a show";
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        let ended = sqlx::query(
            "UPDATE show SET ended_ms = CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
             WHERE stream = ?1 AND id = ?2 AND ended_ms IS NULL",
        )
        .bind(stream.as_str())
        .bind(number)
        .execute(&self.pool)
        .await
        .map_err(because(action))?;
        self.changed_or_known(action, ended.rows_affected(), stream, show).await
    }

    async fn current(&self, stream: &StreamName) -> Result<Option<Show>, Error> {
        let action = "say what is current";
        let row: Option<Row> = sqlx::query_as(
            "SELECT stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn
             FROM show WHERE stream = ?1 ORDER BY id DESC LIMIT 1",
        )
        .bind(stream.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(because(action))?;
        row.map(show).transpose().map_err(because(action))
    }

    async fn running(&self, limit: u32) -> Result<Vec<Show>, Error> {
        let action = "list the shows that are running";
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn
             FROM show WHERE ended_ms IS NULL ORDER BY stream LIMIT ?1",
        )
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        rows.into_iter().map(|row| show(row).map_err(because(action))).collect()
    }

    async fn identify(
        &self,
        stream: &StreamName,
        show: ShowId,
        track: &RenditionName,
        msn: Msn,
        init: &str,
    ) -> Result<(), Error> {
        let action = "record an init segment";
        let msn = numbered(action, msn)?;
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        let recorded = sqlx::query(
            "INSERT INTO show_init (stream, show, track, msn, init)
             SELECT stream, id, ?3, ?4, ?5 FROM show
             WHERE stream = ?1 AND id = ?2 AND ended_ms IS NULL AND ?5 IS NOT
                 (SELECT init FROM show_init
                  WHERE stream = ?1 AND show = ?2 AND track = ?3 AND msn <= ?4 ORDER BY msn DESC LIMIT 1)
             ON CONFLICT (stream, show, track, msn) DO NOTHING",
        )
        .bind(stream.as_str())
        .bind(number)
        .bind(track.as_str())
        .bind(msn)
        .bind(init)
        .execute(&self.pool)
        .await
        .map_err(because(action))?;
        self.changed_or_known(action, recorded.rows_affected(), stream, show).await.map(drop)
    }

    async fn inits(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Vec<(RenditionName, Msn, String)>, Error> {
        let action = "list init segments";
        let Ok(number) = i64::try_from(show.0) else { return Ok(Vec::new()) };
        let rows: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT track, msn, init FROM
                 (SELECT track, msn, init, lag(init) OVER (PARTITION BY track ORDER BY msn) AS before
                  FROM show_init WHERE stream = ?1 AND show = ?2)
             WHERE init IS NOT before ORDER BY track, msn",
        )
        .bind(stream.as_str())
        .bind(number)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        let change = |(track, msn, init): (String, i64, String)| {
            let track = track.parse().map_err(because(action))?;
            Ok((track, Msn(u64::try_from(msn).map_err(because(action))?), init))
        };
        rows.into_iter().map(change).collect()
    }
}

impl Sqlite {
    /// The running show of a stream; where none is running, or only `former`, the next one, opened now. `None`
    /// where `former` was never opened.
    ///
    /// The trigger of the table ends `former`. Another running show is in the way of the new row; then that
    /// one is returned.
    async fn newest_running(
        &self,
        stream: &StreamName,
        former: Option<i64>,
        opening: &Opening,
    ) -> Result<Option<Show>, Cause> {
        // All rows of the one there is: a statement that is left at its first row is committed unheard.
        let rows: Vec<Row> = sqlx::query_as(
            "INSERT INTO show (stream, id, former, anchor_ms, segment_ms, parts, started_ms)
             SELECT ?1, newest + 1, ?2, CASE WHEN ?3 THEN 0 ELSE now - ?4 END, ?5, ?6, now FROM
                 (SELECT ifnull(max(id), 0) AS newest,
                         CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now
                  FROM show WHERE stream = ?1)
             WHERE newest >= ifnull(?2, 0)
             ON CONFLICT (stream) WHERE ended_ms IS NULL DO UPDATE SET stream = excluded.stream
             RETURNING stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn",
        )
        .bind(stream.as_str())
        .bind(former)
        .bind(opening.anchor == Anchor::Epoch)
        .bind(opening.media_ms)
        .bind(opening.segment_ms)
        .bind(opening.parts)
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().next().map(show).transpose()
    }

    /// Whether a statement changed the row of a show. Where it changed none nothing will be: what is asked now
    /// only tells why.
    async fn changed_or_known(
        &self,
        action: &'static str,
        rows: u64,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<bool, Error> {
        if rows > 0 {
            return Ok(true);
        }
        let newest: Option<i64> = sqlx::query_scalar("SELECT max(id) FROM show WHERE stream = ?1")
            .bind(stream.as_str())
            .fetch_one(&self.pool)
            .await
            .map_err(because(action))?;
        let opened = newest.and_then(|newest| u64::try_from(newest).ok()).unwrap_or(0);
        match (1..=opened).contains(&show.0) {
            true => Ok(false),
            false => Err(unknown(action, stream, show)),
        }
    }
}

/// stream, id, anchor_ms, segment_ms, parts, started_ms, whether it has ended, last_msn.
type Row = (String, i64, i64, u32, u32, i64, bool, Option<i64>);

fn show(row: Row) -> Result<Show, Cause> {
    let (stream, id, anchor_ms, segment_ms, parts, started_ms, ended, last) = row;
    let last = last.map(u64::try_from).transpose()?.map(Msn);
    let (stream, id) = (stream.parse()?, ShowId(u64::try_from(id)?));
    Ok(Show { stream, id, anchor_ms, segment_ms, parts, started_ms, ended, last })
}

fn numbered(action: &'static str, msn: Msn) -> Result<i64, Error> {
    let beyond = || format!("expected a segment's number below 2^63, found {msn}");
    i64::try_from(msn.0).map_err(|_| Error::catalogue(action, beyond()))
}

fn unknown(action: &'static str, stream: &StreamName, id: ShowId) -> Error {
    Error::catalogue(action, format!("expected a show that was opened, found {stream}/{id}"))
}

fn because<E: Into<Cause>>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::catalogue(action, source)
}

#[cfg(test)]
mod tests;
