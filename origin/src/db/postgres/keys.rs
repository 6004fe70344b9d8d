//! Stream keys in PostgreSQL's SQL.
//!
//! Looking a secret up only reads, so that nobody who guesses makes the database write.

use async_trait::async_trait;
use packager::asset::StreamName;
use transcoder::publishing::{
    Admission, Fingerprint, KeyRefusal, KeyState, Label, NOTED_EVERY, NewKey, StreamKey, StreamKeyId,
    StreamKeys,
};
use transcoder::{Cause, Error};

use super::Postgres;
use super::fault::Fault;

#[async_trait]
impl StreamKeys for Postgres {
    async fn create(&self, secret: &Fingerprint, new: &NewKey) -> Result<StreamKey, Error> {
        new.check()?;
        let action = "make a stream key";
        let lifetime = new.lifetime.map(|lifetime| i64::try_from(lifetime.as_millis())).transpose();
        let query = sqlx::query_as(
            "INSERT INTO stream_key (fingerprint, stream, label, created_ms, expires_ms)
             SELECT $1, $2, $3, now, now + $4 FROM (SELECT now_ms() AS now OFFSET 0) AS clock
             RETURNING id, stream, label, created_ms, expires_ms, revoked_ms, used_ms, FALSE",
        );
        let query = query
            .bind(secret.as_bytes().as_slice())
            .bind(new.stream.as_str())
            .bind(new.label.as_ref().map(Label::as_str))
            .bind(lifetime.map_err(because(action))?);
        match self.sessions.rows(query).await {
            Ok(rows) => {
                let row = rows.into_iter().next().ok_or("expected a row, found none");
                row.map_err(because(action)).and_then(|row| key(row).map_err(because(action)))
            }
            Err(fault) if fault.is_taken() => {
                Err(Error::catalogue(action, "expected a secret of its own, found that of another key"))
            }
            Err(fault) => Err(Fault::during(action)(fault)),
        }
    }

    async fn admit(&self, secret: &Fingerprint) -> Result<Admission, Error> {
        let action = "admit a publisher";
        let query = sqlx::query_as(
            "SELECT id, stream, revoked_ms IS NOT NULL, coalesce(expires_ms <= now, FALSE),
                    coalesce(abs(now - used_ms) >= $2, TRUE)
             FROM stream_key, (SELECT now_ms() AS now OFFSET 0) AS clock
             WHERE fingerprint = $1",
        );
        let query = query.bind(secret.as_bytes().as_slice()).bind(NOTED_EVERY_MS);
        let rows: Vec<Found> = self.sessions.rows(query).await.map_err(Fault::during(action))?;
        let Some((number, stream, is_revoked, is_expired, is_due)) = rows.into_iter().next() else {
            return Ok(Admission::Refused(KeyRefusal::Unknown));
        };
        let key = id(number).map_err(because(action))?;
        if is_revoked {
            return Ok(Admission::Refused(KeyRefusal::Revoked(key)));
        }
        if is_expired {
            return Ok(Admission::Refused(KeyRefusal::Expired(key)));
        }
        let stream = stream.parse().map_err(because(action))?;
        if is_due && let Err(error) = self.note_use(number).await {
            tracing::warn!(%key, %error, "the use of a stream key was not noted");
        }
        Ok(Admission::Admitted { stream, key })
    }

    async fn list(
        &self,
        stream: Option<&StreamName>,
        after: Option<StreamKeyId>,
        limit: u32,
    ) -> Result<Vec<StreamKey>, Error> {
        let action = "list the stream keys";
        let Ok(after) = i64::try_from(after.map_or(0, |after| after.0)) else { return Ok(Vec::new()) };
        let query = sqlx::query_as(
            "SELECT id, stream, label, created_ms, expires_ms, revoked_ms, used_ms,
                    coalesce(expires_ms <= now_ms(), FALSE)
             FROM stream_key WHERE ($1::text IS NULL OR stream = $1) AND id > $2 ORDER BY id LIMIT $3",
        );
        let query = query.bind(stream.map(StreamName::as_str)).bind(after).bind(i64::from(limit));
        let rows: Vec<Row> = self.sessions.rows(query).await.map_err(Fault::during(action))?;
        rows.into_iter().map(|row| key(row).map_err(because(action))).collect()
    }

    async fn revoke(&self, id: StreamKeyId) -> Result<bool, Error> {
        let action = "revoke a stream key";
        let unknown = || Error::catalogue(action, format!("expected a key that was made, found {id}"));
        let number = i64::try_from(id.0).map_err(|_| unknown())?;
        let query =
            sqlx::query("UPDATE stream_key SET revoked_ms = now_ms() WHERE id = $1 AND revoked_ms IS NULL");
        if self.sessions.changes(query.bind(number)).await.map_err(Fault::during(action))? > 0 {
            return Ok(true);
        }
        // Nothing was changed, and nothing will be: what is asked now only tells why.
        let query = sqlx::query_as("SELECT id FROM stream_key WHERE id = $1");
        let known = self.sessions.rows(query.bind(number)).await;
        let known: Vec<(i64,)> = known.map_err(Fault::during(action))?;
        if known.is_empty() { Err(unknown()) } else { Ok(false) }
    }
}

impl Postgres {
    /// Notes that a key is used, unless somebody did so just now.
    async fn note_use(&self, key: i64) -> Result<(), Fault> {
        let query = sqlx::query(
            "UPDATE stream_key SET used_ms = now_ms()
             WHERE id = $1 AND coalesce(abs(now_ms() - used_ms) >= $2, TRUE)",
        );
        self.sessions.changes(query.bind(key).bind(NOTED_EVERY_MS)).await.map(drop)
    }
}

/// id, stream, whether it was revoked, whether its time is over, whether its use is to be noted.
type Found = (i64, String, bool, bool, bool);

/// id, stream, label, created_ms, expires_ms, revoked_ms, used_ms, whether its time is over.
type Row = (i64, String, Option<String>, i64, Option<i64>, Option<i64>, Option<i64>, bool);

fn key(row: Row) -> Result<StreamKey, Cause> {
    let (number, stream, label, created_ms, expires_ms, revoked_ms, used_ms, is_expired) = row;
    Ok(StreamKey {
        id: id(number)?,
        stream: stream.parse()?,
        label: label.map(|label| label.parse()).transpose()?,
        state: match (revoked_ms, is_expired) {
            (Some(_), _) => KeyState::Revoked,
            (None, true) => KeyState::Expired,
            (None, false) => KeyState::Active,
        },
        created_ms,
        expires_ms,
        revoked_ms,
        used_ms,
    })
}

fn id(number: i64) -> Result<StreamKeyId, Cause> {
    Ok(StreamKeyId(u64::try_from(number)?))
}

fn because<E: Into<Cause>>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |source| Error::catalogue(action, source)
}

const NOTED_EVERY_MS: i64 = 60_000;
const _: () = assert!(NOTED_EVERY_MS as u128 == NOTED_EVERY.as_millis());
