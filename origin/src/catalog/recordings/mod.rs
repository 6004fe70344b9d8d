//! Which pages of a live show's archive are written, who writes them, and which of them are still wanted.
//!
//! ```text
//!  claim(gala/7, a, 0)        ─▶ fence 1, from page 0     nobody wrote this show yet
//!  commit(1, 3)                                            pages 0, 1 and 2 are in the store
//!  … a falls silent …
//!  claim(gala/7, b, 0)        ─▶ None                      until the time of fence 1 is over
//!  claim(gala/7, b, 0)        ─▶ fence 2, from page 3      b goes on where the last commit was
//!  commit(1, 4)               ─▶ false                     a wakes up, and lets go
//!  seal(2, 9)                                              pages 0 to 8, and none will follow
//!  hold_for(clip/1, gala/7, 5, 6)                          a clip is made of two of them
//!  expire(gala/7, 9)          ─▶ 5                         pages 0 to 4 may be deleted
//!  let_go(clip)
//!  expire(gala/7, 9)          ─▶ 9
//!  forget(gala/7)
//! ```
//!
//! A fence is never given twice for a show. So whoever writes puts its fence into the names of its objects, and what a lost holder
//! still writes lies where nobody looks: a [`Span`] says under which fence the pages that count were written.

use std::error::Error as StdError;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use packager::asset::{AssetName, Revision, ShowId, StreamName};
use transcoder::publishing::{WorkerName, check_ttl};

#[cfg(test)]
pub(crate) mod conformance;
mod memory;

pub use memory::MemoryRecordings;

/// Where it stands how far shows are recorded. [`MemoryRecordings`] is one implementation, the databases in [`crate::db`] are the
/// others; all of them pass one suite of tests.
///
/// The clock is the database's. It may be set: then a tenure holds longer than it should by its own time to live at most, or ends
/// early and can be claimed; what is said of fences and pages holds in any case.
///
/// An error says that the call had no effect, or that it took full effect, be it a moment later; asking again is always right. So it
/// is where a call was dropped before it ended. Every call ends in bounded time. A show that no recording can have, with a number
/// beyond `i64`, is one that nobody recorded.
#[async_trait]
pub trait Recordings: Debug + Send + Sync {
    /// Lets `holder` write a show where nobody else does: it is new here, its holder let go, or the holder's time is over. Who
    /// claims under the name of the holder gets it at once, with a new fence: a process that starts again need not wait for its
    /// former self, whose tenure is lost. A new recording begins at page `from`; one that is known goes on where it is.
    ///
    /// `None` where somebody else has it, and for ever once it is sealed.
    ///
    /// # Errors
    /// [`RecordingError`]; [`RecordingError::Refused`] for a time to live that [`check_ttl`] refuses and for numbers beyond `i64`.
    async fn claim(
        &self,
        stream: &StreamName,
        show: ShowId,
        holder: &WorkerName,
        ttl: Duration,
        from: u64,
    ) -> Result<Option<Tenure>, RecordingError>;

    /// Gives a tenure `ttl` from now on, also where its time is over already, as long as nobody claimed the show since. `false`
    /// where it is lost, released or sealed: it will never hold again.
    ///
    /// # Errors
    /// [`RecordingError`]; [`RecordingError::Refused`] for a time to live that [`check_ttl`] refuses.
    async fn renew(&self, tenure: &Tenure, ttl: Duration) -> Result<bool, RecordingError>;

    /// Lets go of a show. `true` for the one call that did it; `false` where the tenure was lost, released or sealed before.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn release(&self, tenure: &Tenure) -> Result<bool, RecordingError>;

    /// Says that the pages before `until` are written. It never goes back: a smaller number changes nothing and is `true`. `false`
    /// where the tenure is lost, released or sealed, and nothing changes.
    ///
    /// # Errors
    /// [`RecordingError`]; [`RecordingError::Refused`] for a number beyond `i64`.
    async fn commit(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError>;

    /// As [`Self::commit`], and nothing follows: the tenure is over, and nobody can claim the show any more. `true` again for
    /// whoever sealed it with these pages.
    ///
    /// # Errors
    /// [`RecordingError`]; [`RecordingError::Refused`] for a number beyond `i64`.
    async fn seal(&self, tenure: &Tenure, until: u64) -> Result<bool, RecordingError>;

    /// How far a show is recorded; `None` where nobody claimed it, and where it was forgotten.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn recording(&self, stream: &StreamName, show: ShowId)
    -> Result<Option<Recording>, RecordingError>;

    /// All recordings in the order of their streams' names and their shows' numbers, at most `limit` of them, beginning after the
    /// show `after`. Fewer than `limit` means that there are no more.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn list(
        &self,
        after: Option<(&StreamName, ShowId)>,
        limit: u32,
    ) -> Result<Vec<Recording>, RecordingError>;

    /// Those that are not sealed and that nobody holds, at most `limit` of them, the one that was left alone for longest first:
    /// somebody should go on with them, or seal them.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn unattended(&self, limit: u32) -> Result<Vec<Recording>, RecordingError>;

    /// Gives the pages before `first` up, but for those that are not written yet, and those from the first one on that is in use.
    /// Returns the first page that is kept now: what is before it may be deleted from the store. It never goes back. `None` where
    /// there is no such recording.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn expire(
        &self,
        stream: &StreamName,
        show: ShowId,
        first: u64,
    ) -> Result<Option<u64>, RecordingError>;

    /// Forgets a recording that is sealed and of which no page is kept, so that none is in use. `true` for the one call that did
    /// it. It stays sealed: its fences are not given again.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn forget(&self, stream: &StreamName, show: ShowId) -> Result<bool, RecordingError>;

    /// Says that a revision of an asset uses the pages `first` to `last`: from then on they do not expire. Pages that are still
    /// to come may be among them. `false` where one of them is not kept any more or will never be written, or there is none, and
    /// nothing changes. A revision may use several stretches, of
    /// several shows; to say so again changes nothing.
    ///
    /// # Errors
    /// [`RecordingError`]. Then the pages may be in use or not: ask again, or let go.
    async fn hold_for(
        &self,
        asset: &AssetName,
        revision: &Revision,
        stream: &StreamName,
        show: ShowId,
        first: u64,
        last: u64,
    ) -> Result<bool, RecordingError>;

    /// Ends all uses by a revision of an asset, or by all of its revisions. Says how many there were.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn let_go(&self, asset: &AssetName, revision: Option<&Revision>) -> Result<u64, RecordingError>;

    /// Which pages of a show are in use, in their order, and by whom, in the order of names.
    ///
    /// # Errors
    /// [`RecordingError`].
    async fn uses(&self, stream: &StreamName, show: ShowId) -> Result<Vec<Use>, RecordingError>;
}

/// The right to write the archive of a show, until its time is over and somebody claims it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenure {
    /// Whose show it is.
    pub stream: StreamName,
    /// Which of its shows.
    pub show: ShowId,
    /// Which of all the tenures of the show, from 1: higher is newer.
    pub fence: u64,
    /// The first page that was not written when it was claimed.
    pub from: u64,
}

/// What is known of a show's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recording {
    /// Whose show it is.
    pub stream: StreamName,
    /// Which of its shows.
    pub show: ShowId,
    /// Who wrote what, in the order of pages; fences ascend too. None is empty. What is not kept any more is still told.
    pub spans: Vec<Span>,
    /// The first page that is kept.
    pub first: u64,
    /// The pages before this one are written.
    pub until: u64,
    /// Whether no page will follow.
    pub sealed: bool,
    /// When it was last claimed, released, sealed or got a page, by the database's clock, in milliseconds since 1970-01-01 UTC.
    pub changed_ms: i64,
    /// Whether somebody has the right to write it now.
    pub is_held: bool,
}

/// Pages that were written under one fence: those from `from` on, to where the next span begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Under which fence.
    pub fence: u64,
    /// Its first page.
    pub from: u64,
}

/// Pages of a show that a revision of an asset needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// Which asset.
    pub asset: AssetName,
    /// Which of its revisions.
    pub revision: Revision,
    /// The first of the pages.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// The database cannot be reached, is locked or refuses; trying again later may help.
    #[error("the recordings are unavailable")]
    Unavailable(#[source] Box<dyn StdError + Send + Sync>),
    /// A row holds what no version of this program writes; a human must look.
    #[error("a bad row for the recording {stream:?}/{show}")]
    Corrupt {
        /// The stream's name as it stands in the row.
        stream: String,
        /// The show's number as it stands in the row.
        show: i64,
        /// What is wrong with the row.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Who called asked for what cannot be; nothing changed.
    #[error("expected {expected}, found {found}")]
    Refused {
        /// What can be.
        expected: &'static str,
        /// What was asked for.
        found: String,
    },
}

impl Recording {
    /// Under which fence a page was written; `None` for one that is not written yet or not kept any more.
    pub fn fence_of(&self, page: u64) -> Option<u64> {
        let is_kept = (self.first..self.until).contains(&page);
        let span = self.spans.iter().rev().find(|span| span.from <= page);
        span.filter(|_| is_kept).map(|span| span.fence)
    }
}

/// A time to live in milliseconds.
pub(crate) fn millis(ttl: Duration) -> Result<i64, RecordingError> {
    let refused =
        || RecordingError::Refused { expected: "a time to live of 1 ms to 1 h", found: format!("{ttl:?}") };
    check_ttl("claim a recording", ttl).map_err(|_| refused())?;
    i64::try_from(ttl.as_millis()).map_err(|_| refused())
}

/// The number of a show or a page as a database has it.
pub(crate) fn storable(number: u64) -> Result<i64, RecordingError> {
    i64::try_from(number)
        .map_err(|_| RecordingError::Refused { expected: "a number below 2^63", found: number.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_of_the_last_span_that_begins_at_or_before_it() {
        let recording = Recording {
            stream: "show".parse().unwrap(),
            show: ShowId(1),
            spans: vec![Span { fence: 1, from: 0 }, Span { fence: 4, from: 5 }],
            first: 2,
            until: 7,
            sealed: false,
            changed_ms: 0,
            is_held: false,
        };
        let fences: Vec<_> = (0..9).map(|page| recording.fence_of(page)).collect();
        let [none, one, four] = [None, Some(1), Some(4)];
        assert_eq!(fences, [none, none, one, one, one, four, four, none, none]);
    }
}
