//! Live streams' shows in PostgreSQL's SQL.
//!
//! Opening is a function of the schema, which has the stream to itself. All else changes one row, and looks at it as it is
//! once it has it.

use async_trait::async_trait;
use packager::asset::{RenditionName, ShowId, StreamName};
use packager::time::Msn;
use transcoder::publishing::{Anchor, Opening, Show, Shows};
use transcoder::{Cause, Error};

use super::Postgres;
use super::fault::Fault;

#[async_trait]
impl Shows for Postgres {
    async fn open(&self, stream: &StreamName, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let action = "open a show";
        let show = self.newest_running(action, stream, None, opening).await?;
        show.ok_or_else(|| Error::catalogue(action, "expected a row, found none"))
    }

    async fn succeed(&self, former: &Show, opening: &Opening) -> Result<Show, Error> {
        opening.check()?;
        let action = "open the next show";
        let refused = || unknown(action, &former.stream, former.id);
        let number = i64::try_from(former.id.0).map_err(|_| refused())?;
        let show = self.newest_running(action, &former.stream, Some(number), opening).await?;
        show.ok_or_else(refused)
    }

    async fn note(&self, stream: &StreamName, show: ShowId, last: Msn) -> Result<(), Error> {
        let action = "note a segment";
        let last = numbered(action, last)?;
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        let query = sqlx::query(
            "UPDATE show SET last_msn = $3
             WHERE stream = $1 AND id = $2 AND ended_ms IS NULL AND (last_msn IS NULL OR last_msn < $3)",
        );
        let noted = self.sessions.changes(query.bind(stream.as_str()).bind(number).bind(last)).await;
        let noted = noted.map_err(Fault::during(action))?;
        self.changed_or_known(action, noted, stream, show).await.map(drop)
    }

    async fn end(&self, stream: &StreamName, show: ShowId) -> Result<bool, Error> {
        let action = "end a show";
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        let query = sqlx::query(
            "UPDATE show SET ended_ms = now_ms() WHERE stream = $1 AND id = $2 AND ended_ms IS NULL",
        );
        let ended = self.sessions.changes(query.bind(stream.as_str()).bind(number)).await;
        let ended = ended.map_err(Fault::during(action))?;
        self.changed_or_known(action, ended, stream, show).await
    }

    async fn current(&self, stream: &StreamName) -> Result<Option<Show>, Error> {
        let action = "say what is current";
        let query = sqlx::query_as(
            "SELECT stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn
             FROM show WHERE stream = $1 ORDER BY id DESC LIMIT 1",
        );
        let rows = self.sessions.rows(query.bind(stream.as_str())).await.map_err(Fault::during(action))?;
        rows.into_iter().next().map(show).transpose().map_err(because(action))
    }

    async fn running(&self, limit: u32) -> Result<Vec<Show>, Error> {
        let action = "list the shows that are running";
        let query = sqlx::query_as(
            "SELECT stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn
             FROM show WHERE ended_ms IS NULL ORDER BY stream LIMIT $1",
        );
        let rows = self.sessions.rows(query.bind(i64::from(limit))).await.map_err(Fault::during(action))?;
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
        // Text that the server could not even read is refused in the words that any other bad one is.
        if init.contains('\0') {
            return Err(Error::catalogue(action, "expected 1 to 64 of a-z 0-9, found a NUL"));
        }
        let msn = numbered(action, msn)?;
        let number = i64::try_from(show.0).map_err(|_| unknown(action, stream, show))?;
        // The show is held as it is until the end of the statement: nothing is recorded once it has been ended.
        let query = sqlx::query(
            "INSERT INTO show_init (stream, show, track, msn, init)
             SELECT stream, id, $3, $4, $5 FROM
                 (SELECT stream, id FROM show WHERE stream = $1 AND id = $2 AND ended_ms IS NULL FOR SHARE) AS held
             WHERE $5 IS DISTINCT FROM
                 (SELECT init FROM show_init
                  WHERE stream = $1 AND show = $2 AND track = $3 AND msn <= $4 ORDER BY msn DESC LIMIT 1)
             ON CONFLICT (stream, show, track, msn) DO NOTHING",
        );
        let query = query.bind(stream.as_str()).bind(number).bind(track.as_str()).bind(msn).bind(init);
        let recorded = self.sessions.changes(query).await.map_err(Fault::during(action))?;
        self.changed_or_known(action, recorded, stream, show).await.map(drop)
    }

    async fn inits(
        &self,
        stream: &StreamName,
        show: ShowId,
    ) -> Result<Vec<(RenditionName, Msn, String)>, Error> {
        let action = "list init segments";
        let Ok(number) = i64::try_from(show.0) else { return Ok(Vec::new()) };
        let query = sqlx::query_as(
            "SELECT track, msn, init FROM
                 (SELECT track, msn, init, lag(init) OVER (PARTITION BY track ORDER BY msn) AS before
                  FROM show_init WHERE stream = $1 AND show = $2) AS changes
             WHERE init IS DISTINCT FROM before ORDER BY track, msn",
        );
        let rows = self.sessions.rows(query.bind(stream.as_str()).bind(number)).await;
        let rows: Vec<(String, i64, String)> = rows.map_err(Fault::during(action))?;
        let change = |(track, msn, init): (String, i64, String)| {
            let track = track.parse().map_err(because(action))?;
            Ok((track, Msn(u64::try_from(msn).map_err(because(action))?), init))
        };
        rows.into_iter().map(change).collect()
    }
}

impl Postgres {
    /// The running show of a stream; where none is running, or only `former`, the next one, opened now. `None` where
    /// `former` was never opened.
    async fn newest_running(
        &self,
        action: &'static str,
        stream: &StreamName,
        former: Option<i64>,
        opening: &Opening,
    ) -> Result<Option<Show>, Error> {
        let query = sqlx::query_as(
            "SELECT stream, id, anchor_ms, segment_ms, parts, started_ms, ended_ms IS NOT NULL, last_msn
             FROM show_open($1, $2, $3, $4, $5, $6)",
        );
        let query = query
            .bind(stream.as_str())
            .bind(former)
            .bind(opening.anchor == Anchor::Epoch)
            .bind(opening.media_ms)
            .bind(i64::from(opening.segment_ms))
            .bind(i64::from(opening.parts));
        let rows = self.sessions.rows(query).await.map_err(Fault::during(action))?;
        rows.into_iter().next().map(show).transpose().map_err(because(action))
    }

    /// Whether a statement changed the row of a show. Where it changed none nothing will be: what is asked now only
    /// tells why.
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
        let query = sqlx::query_as("SELECT max(id) FROM show WHERE stream = $1");
        let newest = self.sessions.rows(query.bind(stream.as_str())).await;
        let newest: Vec<(Option<i64>,)> = newest.map_err(Fault::during(action))?;
        let newest = newest.first().and_then(|(newest,)| *newest);
        let opened = newest.and_then(|newest| u64::try_from(newest).ok()).unwrap_or(0);
        match (1..=opened).contains(&show.0) {
            true => Ok(false),
            false => Err(unknown(action, stream, show)),
        }
    }
}

/// stream, id, anchor_ms, segment_ms, parts, started_ms, whether it has ended, last_msn.
type Row = (String, i64, i64, i64, i64, i64, bool, Option<i64>);

fn show(row: Row) -> Result<Show, Cause> {
    let (stream, id, anchor_ms, segment_ms, parts, started_ms, ended, last) = row;
    let last = last.map(u64::try_from).transpose()?.map(Msn);
    let (stream, id) = (stream.parse()?, ShowId(u64::try_from(id)?));
    let (segment_ms, parts) = (u32::try_from(segment_ms)?, u32::try_from(parts)?);
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
