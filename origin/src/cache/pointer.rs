//! What names mean.
//!
//! ```text
//! look-up ──a second old at most──▶ value
//!    │ older
//!    ▼
//! ask ──answered──▶ value, known from now on
//!    │ nobody answers               │
//!    ▼                              ▼
//! is it known? ──▶ what was known: the value for another second
//! ```
//!
//! So who is asked is asked once a second for a name, whether or not it answers, and what was learnt once is served for as
//! long as it does not.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use moka::policy::EvictionPolicy;
use moka::sync::Cache;

use super::flight::Lost;
use super::ledger::{Epoch, Ledger, Verdict};
use super::tier::{Key, Tiered};
use crate::metrics::{Metrics, Outcome, Tier};

/// Values that are trusted for a second, and known for longer.
pub(crate) struct Pointers<K, V, E> {
    fresh: Tiered<K, V, E>,
    known: Cache<K, (V, Epoch)>,
    ledger: Arc<Ledger>,
    rules: Rules<V, E>,
}

/// What is to be known, and when it is to be served.
pub(crate) struct Rules<V, E> {
    /// Whether a value is worth knowing when nobody answers.
    pub(crate) keeps: fn(&V) -> bool,
    /// Whether an error says that nobody answers.
    pub(crate) is_silence: fn(&E) -> bool,
}

impl<K, V, E> Pointers<K, V, E>
where
    K: Key,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + From<Lost> + 'static,
{
    pub(super) fn new(
        entries: u64,
        age: Duration,
        ledger: &Arc<Ledger>,
        metrics: &Arc<Metrics>,
        rules: Rules<V, E>,
    ) -> Self {
        let known = Cache::builder().max_capacity(entries).eviction_policy(EvictionPolicy::lru()).build();
        let fresh = Tiered::aging(Tier::Pointer, entries, age, Arc::clone(ledger), Arc::clone(metrics));
        Self { fresh, known, ledger: Arc::clone(ledger), rules }
    }

    /// The value; asked for by one task for all who want it meanwhile. Who could have what is known waits a moment at most.
    ///
    /// Errors are those of `fill`, where nothing is known. Cancel-safe.
    pub(crate) async fn get_or_fill<F>(
        &self,
        key: &K,
        outcome: fn(&E) -> Outcome,
        fill: impl FnOnce() -> F,
    ) -> Result<V, E>
    where
        F: Future<Output = Result<V, E>> + Send + 'static,
    {
        let Rules { keeps, is_silence } = self.rules;
        let ask = || {
            let (known, ledger) = (self.known.clone(), Arc::clone(&self.ledger));
            let (now, key, fill) = (ledger.now(), key.clone(), fill());
            async move {
                match fill.await {
                    Ok(value) if keeps(&value) => {
                        known.insert(key, (value.clone(), now));
                        Ok(value)
                    }
                    Ok(value) => {
                        known.invalidate(&key);
                        Ok(value)
                    }
                    Err(error) if is_silence(&error) => still(&known, &ledger, &key).ok_or(error),
                    Err(error) => Err(error),
                }
            }
        };
        let asked = self.fresh.get_or_fill(key, outcome, ask);
        match still(&self.known, &self.ledger, key) {
            // The flight goes on without us, and the next look-up has what it brings.
            Some(known) => tokio::time::timeout(MOMENT, asked).await.map_or(Ok(known), |(found, _)| found),
            None => asked.await.0,
        }
    }

    /// Lets go of what was purged; gives how much there was.
    pub(crate) fn sweep(&self) -> u64 {
        let keys: Vec<_> = self.known.iter().map(|(key, _)| key).collect();
        keys.iter().for_each(|key| drop(still(&self.known, &self.ledger, key)));
        self.fresh.sweep()
    }
}

/// What is known of a name, and was not purged.
fn still<K: Key, V: Clone + Send + Sync + 'static>(
    known: &Cache<K, (V, Epoch)>,
    ledger: &Ledger,
    key: &K,
) -> Option<V> {
    let (value, epoch) = known.get(key)?;
    if ledger.verdict(&key.place(), epoch) == Verdict::Gone {
        known.invalidate(key);
        return None;
    }
    Some(value)
}

/// How long who could have what is known waits for what is new. Databases that answer do so within a tenth of it.
const MOMENT: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use prometheus::Registry;

    use super::super::ledger::{Force, Scope};
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq)]
    enum Fault {
        Silent,
        Other,
    }

    impl Key for u8 {
        fn place(&self) -> String {
            format!("/{self}/")
        }
    }

    impl From<Lost> for Fault {
        fn from(_: Lost) -> Self {
            Self::Other
        }
    }

    /// Nothing is fresh for longer than it takes to ask again; odd numbers are worth knowing.
    fn pointers() -> Pointers<u8, u32, Fault> {
        let ledger = Arc::default();
        let rules = Rules { keeps: |value| value % 2 == 1, is_silence: |error| *error == Fault::Silent };
        let metrics = Arc::new(Metrics::new(Registry::new()).unwrap());
        Pointers::new(100, Duration::from_nanos(1), &ledger, &metrics, rules)
    }

    async fn ask(pointers: &Pointers<u8, u32, Fault>, answer: Result<u32, Fault>) -> Result<u32, Fault> {
        pointers.get_or_fill(&1, |_| Outcome::Unavailable, || async { answer }).await
    }

    #[tokio::test]
    async fn what_was_known_is_served_while_nobody_answers_and_not_when_somebody_does() {
        let pointers = pointers();
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Err(Fault::Silent));
        assert_eq!(ask(&pointers, Ok(7)).await, Ok(7));
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Ok(7));
        assert_eq!(ask(&pointers, Err(Fault::Other)).await, Err(Fault::Other));
        assert_eq!(ask(&pointers, Ok(9)).await, Ok(9));
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Ok(9));
        // That it is gone is known too, and that is what is not served.
        assert_eq!(ask(&pointers, Ok(0)).await, Ok(0));
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Err(Fault::Silent));
    }

    #[tokio::test]
    async fn what_was_purged_is_not_served_while_nobody_answers() {
        let pointers = pointers();
        assert_eq!(ask(&pointers, Ok(7)).await, Ok(7));
        pointers.ledger.purge(&[Scope::All], Force::Soft);
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Ok(7));
        pointers.ledger.purge(&[Scope::Below("/1/".into())], Force::Hard);
        assert_eq!(ask(&pointers, Err(Fault::Silent)).await, Err(Fault::Silent));
    }

    #[tokio::test(start_paused = true)]
    async fn who_could_have_what_is_known_does_not_wait_for_an_answer_that_does_not_come() {
        let pointers = pointers();
        assert_eq!(ask(&pointers, Ok(7)).await, Ok(7));
        let began = tokio::time::Instant::now();
        let never = || async { std::future::pending().await };
        assert_eq!(pointers.get_or_fill(&1, |_| Outcome::Unavailable, never).await, Ok(7));
        assert_eq!(began.elapsed(), MOMENT);
    }
}
