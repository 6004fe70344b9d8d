//! Stream keys in SQLite's SQL.
//!
//! Looking a secret up only reads, so that nobody who guesses makes the database write.

use async_trait::async_trait;
use packager::asset::StreamName;
use transcoder::publishing::{
    Admission, Fingerprint, KeyRefusal, KeyState, NOTED_EVERY, NewKey, StreamKey, StreamKeyId, StreamKeys,
};
use transcoder::{Cause, Error};

use super::Sqlite;

#[async_trait]
impl StreamKeys for Sqlite {
    async fn create(&self, secret: &Fingerprint, new: &NewKey) -> Result<StreamKey, Error> {
        new.check()?;
        let action = "make a stream key";
        let lifetime = new.lifetime.map(|lifetime| i64::try_from(lifetime.as_millis())).transpose();
        // All rows of the one there is: a statement that is left at its first row is committed unheard.
        let rows: Result<Vec<Row>, _> = sqlx::query_as(
            "INSERT INTO stream_key (fingerprint, stream, label, created_ms, expires_ms)
             SELECT ?1, ?2, ?3, now, now + ?4
             FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now)
             RETURNING id, stream, label, created_ms, expires_ms, revoked_ms, used_ms, FALSE",
        )
        .bind(secret.as_bytes().as_slice())
        .bind(new.stream.as_str())
        .bind(new.label.as_ref().map(transcoder::publishing::Label::as_str))
        .bind(lifetime.map_err(because(action))?)
        .fetch_all(&self.pool)
        .await;
        let is_taken = |error: &sqlx::Error| {
            error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
        };
        match rows {
            Ok(rows) => {
                let row = rows.into_iter().next().ok_or("expected a row, found none");
                row.map_err(because(action)).and_then(|row| key(row).map_err(because(action)))
            }
            Err(error) if is_taken(&error) => {
                Err(Error::catalogue(action, "expected a secret of its own, found that of another key"))
            }
            Err(error) => Err(because(action)(error)),
        }
    }

    async fn admit(&self, secret: &Fingerprint) -> Result<Admission, Error> {
        let action = "admit a publisher";
        let row: Option<Found> = sqlx::query_as(
            "SELECT id, stream, revoked_ms IS NOT NULL, ifnull(expires_ms <= now, FALSE),
                    ifnull(abs(now - used_ms) >= ?2, TRUE)
             FROM stream_key, (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now)
             WHERE fingerprint = ?1",
        )
        .bind(secret.as_bytes().as_slice())
        .bind(NOTED_EVERY_MS)
        .fetch_optional(&self.pool)
        .await
        .map_err(because(action))?;
        let Some((number, stream, is_revoked, is_expired, is_due)) = row else {
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
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, stream, label, created_ms, expires_ms, revoked_ms, used_ms,
                    ifnull(expires_ms <= CAST(round(unixepoch('subsec') * 1000) AS INTEGER), FALSE)
             FROM stream_key WHERE (?1 IS NULL OR stream = ?1) AND id > ?2 ORDER BY id LIMIT ?3",
        )
        .bind(stream.map(StreamName::as_str))
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(because(action))?;
        rows.into_iter().map(|row| key(row).map_err(because(action))).collect()
    }

    async fn revoke(&self, id: StreamKeyId) -> Result<bool, Error> {
        let action = "revoke a stream key";
        let unknown = || Error::catalogue(action, format!("expected a key that was made, found {id}"));
        let number = i64::try_from(id.0).map_err(|_| unknown())?;
        let revoked = sqlx::query(
            "UPDATE stream_key SET revoked_ms = CAST(round(unixepoch('subsec') * 1000) AS INTEGER)
             WHERE id = ?1 AND revoked_ms IS NULL",
        )
        .bind(number)
        .execute(&self.pool)
        .await
        .map_err(because(action))?;
        if revoked.rows_affected() > 0 {
            return Ok(true);
        }
        // Nothing was changed, and nothing will be: what is asked now only tells why.
        let known: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM stream_key WHERE id = ?1)")
            .bind(number)
            .fetch_one(&self.pool)
            .await
            .map_err(because(action))?;
        if known { Ok(false) } else { Err(unknown()) }
    }
}

impl Sqlite {
    /// Notes that a key is used, unless somebody did so just now.
    async fn note_use(&self, key: i64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE stream_key SET used_ms = now
             FROM (SELECT CAST(round(unixepoch('subsec') * 1000) AS INTEGER) AS now)
             WHERE id = ?1 AND ifnull(abs(now - used_ms) >= ?2, TRUE)",
        )
        .bind(key)
        .bind(NOTED_EVERY_MS)
        .execute(&self.pool)
        .await
        .map(drop)
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

#[cfg(test)]
mod tests;
