//! Telling a job to stop.

use tokio::sync::watch;

/// A switch that is thrown once; every clone sees it.
#[derive(Debug, Clone)]
pub struct Cancel(watch::Sender<bool>);

impl Cancel {
    /// A switch nobody has thrown yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Throws it. Throwing it again changes nothing.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was thrown.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is thrown; at once if it was. Cancel-safe.
    pub async fn cancelled(&self) {
        let mut thrown = self.0.subscribe();
        if thrown.wait_for(|thrown| *thrown).await.is_err() {
            // `self` holds a sender, so the channel cannot be closed here; waiting for ever would be right if it were.
            std::future::pending::<()>().await;
        }
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_it_before_and_after_it_waits() {
        let cancel = Cancel::new();
        let waiter = tokio::spawn({
            let cancel = cancel.clone();
            async move { cancel.cancelled().await }
        });
        assert!(!cancel.is_cancelled());
        cancel.clone().cancel();
        waiter.await.unwrap();
        cancel.cancelled().await;
        assert!(cancel.is_cancelled());
    }
}
