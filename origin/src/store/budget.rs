//! How often more may be asked than is needed: a store that is in trouble is not helped by twice the questions.

use std::sync::atomic::{AtomicU32, Ordering};

/// Extra questions, earned by answers. Starts full.
#[derive(Debug)]
pub(super) struct Budget {
    /// In units of which an extra question costs [`COST`].
    left: AtomicU32,
    earned: u32,
}

impl Budget {
    /// So many extra questions for a hundred answers, at most ten in a row.
    pub(super) fn per_cent(earned: u32) -> Self {
        Self { left: AtomicU32::new(FULL), earned }
    }

    /// There was an answer.
    pub(super) fn earn(&self) {
        self.change(|left| Some(left.saturating_add(self.earned).min(FULL)));
    }

    /// Takes an extra question; false where none is left.
    pub(super) fn spend(&self) -> bool {
        self.change(|left| left.checked_sub(COST))
    }

    fn change(&self, to: impl Fn(u32) -> Option<u32>) -> bool {
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, to).is_ok()
    }
}

const COST: u32 = 100;
const FULL: u32 = 10 * COST;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_as_many_as_are_earned() {
        let budget = Budget::per_cent(10);
        let spent = |budget: &Budget| (0..100).filter(|_| budget.spend()).count();
        assert_eq!((spent(&budget), spent(&budget)), (10, 0));
        (0..30).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), 3);
        (0..9).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), 0);
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!(spent(&budget), 10);
    }
}
