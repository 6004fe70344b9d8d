//! Stream keys without a database, for tests and for a process that forgets them when it ends.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use packager::asset::StreamName;

use super::{
    Admission, Fingerprint, KeyRefusal, KeyState, NOTED_EVERY, NewKey, StreamKey, StreamKeyId, StreamKeys,
};
use crate::Error;

/// Numbers and remembers for as long as it lives.
pub struct MemoryStreamKeys {
    now: Box<dyn Fn() -> i64 + Send + Sync>,
    rows: Mutex<Rows>,
}

/// A key stands at the place of its number less one.
#[derive(Debug, Default)]
struct Rows {
    keys: Vec<StreamKey>,
    places: HashMap<Fingerprint, usize>,
}

impl MemoryStreamKeys {
    /// Knows no key yet. `now` is its clock: milliseconds since 1970-01-01 UTC.
    pub fn new(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        Self { now: Box::new(now), rows: Mutex::default() }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StreamKeys for MemoryStreamKeys {
    async fn create(&self, secret: &Fingerprint, new: &NewKey) -> Result<StreamKey, Error> {
        new.check()?;
        let now = (self.now)();
        let mut rows = self.rows();
        let place = rows.keys.len();
        if rows.places.contains_key(secret) {
            let found = "expected a secret of its own, found that of another key";
            return Err(Error::catalogue("make a stream key", found));
        }
        let lifetime = new.lifetime.map(|lifetime| i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX));
        let key = StreamKey {
            id: StreamKeyId(u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1)),
            stream: new.stream.clone(),
            label: new.label.clone(),
            state: KeyState::Active,
            created_ms: now,
            expires_ms: lifetime.map(|lifetime| now.saturating_add(lifetime)),
            revoked_ms: None,
            used_ms: None,
        };
        rows.keys.push(key.clone());
        rows.places.insert(*secret, place);
        Ok(key)
    }

    async fn admit(&self, secret: &Fingerprint) -> Result<Admission, Error> {
        let now = (self.now)();
        let mut rows = self.rows();
        let place = rows.places.get(secret).copied();
        let Some(key) = place.and_then(|place| rows.keys.get_mut(place)) else {
            return Ok(Admission::Refused(KeyRefusal::Unknown));
        };
        match state(key, now) {
            KeyState::Revoked => Ok(Admission::Refused(KeyRefusal::Revoked(key.id))),
            KeyState::Expired => Ok(Admission::Refused(KeyRefusal::Expired(key.id))),
            KeyState::Active => {
                // Also where the clock was set back by more than that.
                let is_due = |used: i64| u128::from(now.abs_diff(used)) >= NOTED_EVERY.as_millis();
                if key.used_ms.is_none_or(is_due) {
                    key.used_ms = Some(now);
                }
                Ok(Admission::Admitted { stream: key.stream.clone(), key: key.id })
            }
        }
    }

    async fn list(
        &self,
        stream: Option<&StreamName>,
        after: Option<StreamKeyId>,
        limit: u32,
    ) -> Result<Vec<StreamKey>, Error> {
        let now = (self.now)();
        let rows = self.rows();
        let wanted =
            |key: &&StreamKey| stream.is_none_or(|stream| key.stream == *stream) && after < Some(key.id);
        let found = rows.keys.iter().filter(wanted).take(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found.map(|key| StreamKey { state: state(key, now), ..key.clone() }).collect())
    }

    async fn revoke(&self, id: StreamKeyId) -> Result<bool, Error> {
        let now = (self.now)();
        let mut rows = self.rows();
        let place = id.0.checked_sub(1).and_then(|place| usize::try_from(place).ok());
        let Some(key) = place.and_then(|place| rows.keys.get_mut(place)) else {
            let found = format!("expected a key that was made, found {id}");
            return Err(Error::catalogue("revoke a stream key", found));
        };
        let is_first = key.revoked_ms.is_none();
        key.revoked_ms.get_or_insert(now);
        Ok(is_first)
    }
}

impl fmt::Debug for MemoryStreamKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStreamKeys").field("keys", &self.rows().keys).finish_non_exhaustive()
    }
}

fn state(key: &StreamKey, now: i64) -> KeyState {
    match (key.revoked_ms, key.expires_ms) {
        (Some(_), _) => KeyState::Revoked,
        (None, Some(expires)) if expires <= now => KeyState::Expired,
        (None, _) => KeyState::Active,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::super::conformance::{self, Stage};
    use super::*;

    /// Keys that `made` made on a clock that is set by hand.
    fn stage<K: StreamKeys + 'static>(made: impl Fn(MemoryStreamKeys) -> K) -> Stage {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        let hand = Arc::clone(&clock);
        let keys: Arc<dyn StreamKeys> =
            Arc::new(made(MemoryStreamKeys::new(move || clock.load(Ordering::Relaxed))));
        let step = move |by| {
            hand.fetch_add(by, Ordering::Relaxed);
            Box::pin(std::future::ready(())) as _
        };
        Stage { both: [Arc::clone(&keys), keys], step: Box::new(step) }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_conforms() {
        conformance::run(async || stage(|keys| keys)).await.unwrap();
    }

    #[tokio::test]
    async fn points_in_time_are_those_of_its_clock() {
        let clock = Arc::new(AtomicI64::new(5_000));
        let hand = Arc::clone(&clock);
        let keys = MemoryStreamKeys::new(move || hand.load(Ordering::Relaxed));
        let secret = super::super::StreamSecret::of([7; 20]).fingerprint();
        let lifetime = Some(std::time::Duration::from_secs(90));
        let new = NewKey { stream: "show".parse().unwrap(), label: None, lifetime };
        let made = keys.create(&secret, &new).await.unwrap();
        assert_eq!((made.created_ms, made.expires_ms), (5_000, Some(95_000)));
        clock.store(6_000, Ordering::Relaxed);
        keys.admit(&secret).await.unwrap();
        clock.store(7_000, Ordering::Relaxed);
        keys.revoke(made.id).await.unwrap();
        let expected =
            StreamKey { state: KeyState::Revoked, revoked_ms: Some(7_000), used_ms: Some(6_000), ..made };
        assert_eq!(keys.list(None, None, 10).await.unwrap(), [expected]);
    }

    /// A mistake that an implementation could make.
    #[derive(Debug, Clone, Copy)]
    enum Mistake {
        /// Admits with a revoked key.
        Forgiving,
        /// Admits with a key whose time is over.
        Timeless,
        /// Notes each use.
        Busy,
        /// Never notes a use again.
        Lazy,
        /// Notes the use of a key that does not admit.
        Indiscriminate,
        /// Lists without regard to the stream.
        Confused,
        /// Lists from the first on, whatever was listed before.
        Circular,
        /// Says to everyone that it was him who revoked the key.
        Generous,
        /// Takes a number that there is not for one that was revoked.
        Nodding,
    }

    #[derive(Debug)]
    struct Broken(MemoryStreamKeys, Mistake);

    impl Broken {
        fn change(&self, secret: &Fingerprint, change: impl FnOnce(&mut StreamKey)) {
            let mut rows = self.0.rows();
            let place = rows.places.get(secret).copied();
            place.and_then(|place| rows.keys.get_mut(place)).map(change);
        }
    }

    #[async_trait]
    impl StreamKeys for Broken {
        async fn create(&self, secret: &Fingerprint, new: &NewKey) -> Result<StreamKey, Error> {
            self.0.create(secret, new).await
        }

        async fn admit(&self, secret: &Fingerprint) -> Result<Admission, Error> {
            let now = (self.0.now)();
            match self.1 {
                Mistake::Forgiving => self.change(secret, |key| key.revoked_ms = None),
                Mistake::Timeless => self.change(secret, |key| key.expires_ms = None),
                Mistake::Busy => self.change(secret, |key| key.used_ms = None),
                _ => {}
            }
            let mut before = None;
            self.change(secret, |key| before = key.used_ms);
            let admission = self.0.admit(secret).await;
            match self.1 {
                Mistake::Lazy => self.change(secret, |key| key.used_ms = before.or(key.used_ms)),
                Mistake::Indiscriminate => self.change(secret, |key| key.used_ms = key.used_ms.or(Some(now))),
                _ => {}
            }
            admission
        }

        async fn list(
            &self,
            stream: Option<&StreamName>,
            after: Option<StreamKeyId>,
            limit: u32,
        ) -> Result<Vec<StreamKey>, Error> {
            match self.1 {
                Mistake::Confused => self.0.list(None, after, limit).await,
                Mistake::Circular => self.0.list(stream, None, limit).await,
                _ => self.0.list(stream, after, limit).await,
            }
        }

        async fn revoke(&self, id: StreamKeyId) -> Result<bool, Error> {
            match self.1 {
                Mistake::Generous => self.0.revoke(id).await.map(|_| true),
                Mistake::Nodding => Ok(self.0.revoke(id).await.unwrap_or(false)),
                _ => self.0.revoke(id).await,
            }
        }
    }

    #[tokio::test]
    async fn the_suite_finds_the_mistakes() {
        for (mistake, rule) in [
            (Mistake::Forgiving, "a_revoked_key_admits_nobody_any_more: "),
            (Mistake::Timeless, "a_key_admits_until_its_time_is_over: "),
            (Mistake::Busy, "a_use_is_noted_once_a_minute: "),
            (Mistake::Lazy, "a_use_is_noted_once_a_minute: "),
            (Mistake::Indiscriminate, "who_is_refused_changes_nothing: "),
            (Mistake::Confused, "keys_are_listed_by_their_numbers: "),
            (Mistake::Circular, "keys_are_listed_by_their_numbers: "),
            (Mistake::Generous, "a_revoked_key_admits_nobody_any_more: "),
            (Mistake::Nodding, "a_key_that_was_never_made_is_refused: "),
        ] {
            let found = conformance::run(async || stage(|keys| Broken(keys, mistake))).await.unwrap_err();
            assert!(found.starts_with(rule), "{mistake:?}: {found}");
        }
    }
}
