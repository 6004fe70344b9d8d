//! Publishing without a database, for tests and for jobs whose revisions nobody else counts.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use packager::asset::{AssetName, Revision};

use super::{Published, Publishing};
use crate::Error;

/// Counts and remembers for as long as it lives.
#[derive(Debug, Default)]
pub struct MemoryPublishing(Mutex<HashMap<AssetName, Row>>);

#[derive(Debug, Default, Clone, Copy)]
struct Row {
    /// The last number given.
    begun: u64,
    /// The number that is served; zero where none is.
    current: u64,
    /// The last number that had been given when the asset was withdrawn; zero where it never was.
    withdrawn: u64,
}

impl MemoryPublishing {
    /// Knows no asset yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn rows(&self) -> MutexGuard<'_, HashMap<AssetName, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Publishing for MemoryPublishing {
    async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
        let mut rows = self.rows();
        let row = rows.entry(asset.clone()).or_default();
        row.begun += 1;
        Ok(Revision::counted(row.begun))
    }

    async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
        let mut rows = self.rows();
        let number: u64 = revision.as_str().parse().unwrap_or(0);
        let row = rows.get_mut(asset).filter(|row| (1..=row.begun).contains(&number));
        let Some(row) = row else {
            let found = format!("expected a revision that was begun, found {revision}");
            return Err(Error::catalogue("publish a revision", found));
        };
        if number < row.current || number <= row.withdrawn {
            return Ok(Published::Superseded);
        }
        row.current = number;
        Ok(Published::Current)
    }

    async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
        let mut rows = self.rows();
        let row = rows.get_mut(asset).filter(|row| row.current > 0);
        Ok(row.map(|row| (row.current, row.withdrawn) = (0, row.begun)).is_some())
    }

    async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
        Ok(self.rows().get(asset).is_some_and(|row| row.current == 0 && row.withdrawn > 0))
    }

    async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
        let row = self.rows().get(asset).copied().unwrap_or_default();
        Ok((row.current > 0).then(|| Revision::counted(row.current)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_conforms() {
        super::super::conformance::run(MemoryPublishing::new).await.unwrap();
    }

    /// Forgets what it gave: the fault that a suite must find.
    struct Forgetful(MemoryPublishing);

    #[async_trait]
    impl Publishing for Forgetful {
        async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
            self.0.begin(asset).await?;
            Ok(Revision::counted(1))
        }

        async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
            self.0.publish(asset, revision).await
        }

        async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
            self.0.withdraw(asset).await
        }

        async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
            self.0.is_withdrawn(asset).await
        }

        async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
            self.0.current(asset).await
        }
    }

    /// Publishes whatever comes last: the other fault that it must find.
    struct Unguarded(MemoryPublishing, Mutex<HashMap<AssetName, Revision>>);

    #[async_trait]
    impl Publishing for Unguarded {
        async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
            self.0.begin(asset).await
        }

        async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
            let published = self.0.publish(asset, revision).await?;
            self.1.lock().unwrap().insert(asset.clone(), revision.clone());
            Ok(published)
        }

        async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
            self.1.lock().unwrap().remove(asset);
            self.0.withdraw(asset).await
        }

        async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
            self.0.is_withdrawn(asset).await
        }

        async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
            Ok(self.1.lock().unwrap().get(asset).cloned())
        }
    }

    /// How an asset could be withdrawn wrongly: its count is lost, or what was begun before comes back.
    struct Withdrawing(MemoryPublishing, fn(&mut Row));

    #[async_trait]
    impl Publishing for Withdrawing {
        async fn begin(&self, asset: &AssetName) -> Result<Revision, Error> {
            self.0.begin(asset).await
        }

        async fn publish(&self, asset: &AssetName, revision: &Revision) -> Result<Published, Error> {
            self.0.publish(asset, revision).await
        }

        async fn withdraw(&self, asset: &AssetName) -> Result<bool, Error> {
            let is_withdrawn = self.0.withdraw(asset).await?;
            self.0.rows().get_mut(asset).map(self.1);
            Ok(is_withdrawn)
        }

        async fn is_withdrawn(&self, asset: &AssetName) -> Result<bool, Error> {
            self.0.is_withdrawn(asset).await
        }

        async fn current(&self, asset: &AssetName) -> Result<Option<Revision>, Error> {
            self.0.current(asset).await
        }
    }

    #[tokio::test]
    async fn the_suite_finds_a_number_given_twice_and_a_missing_guard() {
        let broken = super::super::conformance::run(|| Forgetful(MemoryPublishing::new())).await.unwrap_err();
        assert!(broken.starts_with("revisions_are_counted_up_and_never_given_twice"), "{broken}");
        let unguarded = || Unguarded(MemoryPublishing::new(), Mutex::default());
        let broken = super::super::conformance::run(unguarded).await.unwrap_err();
        assert!(broken.starts_with("an_older_revision_never_replaces_a_newer_one"), "{broken}");
        let mistakes: [fn(&mut Row); 3] =
            [|row| *row = Row::default(), |row| row.withdrawn = 0, |row| row.withdrawn = row.begun];
        for mistake in mistakes {
            let withdrawing = || Withdrawing(MemoryPublishing::new(), mistake);
            let broken = super::super::conformance::run(withdrawing).await.unwrap_err();
            assert!(broken.starts_with("what_is_withdrawn_is_not_served_until_a_later_one"), "{broken}");
        }
    }
}
