//! Whose pictures can be decoded after those that are here.
//!
//! In the middle of a group only the encoder goes on that made what is before it. A sender has shown to send what that
//! encoder makes if it sent the last sample, or sends it again.

use bytes::Bytes;

use super::Sample;
use super::feed::Sender;

/// Where the last sample came from.
#[derive(Debug, Default)]
pub(super) struct Source {
    sender: Option<Sender>,
    /// A sender that has sent the last sample again.
    proven: Option<Sender>,
    last: Option<Bytes>,
}

impl Source {
    /// Whether a sender sends what goes on from the last sample.
    pub(super) fn is(&self, sender: Sender) -> bool {
        self.sender == Some(sender) || self.proven == Some(sender)
    }

    /// A sender sends something of the place of the last sample.
    pub(super) fn compare(&mut self, sender: Sender, sample: &Sample) {
        if self.sender != Some(sender) && self.last.as_ref() == Some(&sample.data) {
            self.proven = Some(sender);
        }
    }

    /// The track goes on with what a sender sends.
    pub(super) fn follow(&mut self, sender: Sender) {
        (self.sender, self.proven) = (Some(sender), None);
    }

    /// A sample has been taken.
    pub(super) fn took(&mut self, sample: &Sample) {
        self.last = Some(sample.data.clone());
    }
}
