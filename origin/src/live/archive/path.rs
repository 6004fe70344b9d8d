//! The names of an archive's objects. Numbers have leading zeros, so that a list of names is in their order.

use packager::asset::{RenditionName, ShowId, StreamName};
use packager::live::InitId;
use packager::recorded;
use packager::time::Msn;

/// The folder of a show in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::live) struct Folder(String);

/// What the name of a segment says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) msn: Msn,
    pub(super) fence: u64,
    pub(super) init: InitId,
}

impl Folder {
    pub(in crate::live) fn of(stream: &StreamName, show: ShowId) -> Self {
        Self(recorded::show_folder(stream, show))
    }

    /// Its path.
    pub(super) fn path(&self) -> &str {
        &self.0
    }

    /// A segment of a track, that somebody wrote under a fence.
    pub(super) fn segment(&self, track: &RenditionName, msn: Msn, fence: u64, init: InitId) -> String {
        recorded::segment_path(&self.0, track, msn, fence, &init)
    }

    /// The name that stands before all segments of a track from one on.
    pub(super) fn before(&self, track: &RenditionName, msn: u64) -> String {
        format!("{}/{track}/{msn:010}", self.0)
    }

    /// The folder of a track.
    pub(super) fn track(&self, track: &RenditionName) -> String {
        format!("{}/{track}", self.0)
    }

    /// An init segment: its name says what is in it.
    pub(super) fn init(&self, track: &RenditionName, init: InitId) -> String {
        format!("{}/{track}/init-{init}.mp4", self.0)
    }

    /// A page. No track is named like its folder.
    pub(super) fn page(&self, page: u64, fence: u64) -> String {
        format!("{}/_index/{page:010}-{fence}.json", self.0)
    }
}

impl Named {
    /// Reads the last part of a segment's path; `None` for anything else.
    pub(super) fn parse(file: &str) -> Option<Self> {
        let mut parts = file.strip_suffix(".m4s")?.split('-');
        let (msn, fence, init) = (parts.next()?, parts.next()?, parts.next()?);
        let digits =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        let named = Self { msn: Msn(digits(msn)?), fence: digits(fence)?, init: init.parse().ok()? };
        parts.next().is_none().then_some(named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_are_in_the_order_of_numbers() {
        let folder = Folder::of(&"gala".parse().unwrap(), ShowId(7));
        let (track, init) = ("video-720".parse().unwrap(), "0a1b2c3d".parse().unwrap());
        let path = folder.segment(&track, Msn(898_000_123), 3, init);
        assert_eq!(path, "live/gala/7/video-720/0898000123-3-0a1b2c3d.m4s");
        let named = Named::parse(path.rsplit('/').next().unwrap()).unwrap();
        assert_eq!(named, Named { msn: Msn(898_000_123), fence: 3, init });
        assert!(folder.before(&track, 898_000_123) < path);
        assert!(folder.before(&track, 898_000_124) > path);
        for other in
            ["init-0a1b2c3d.mp4", "1-2.m4s", "1-2-0a1b2c3d-4.m4s", "+1-2-0a1b2c3d.m4s", "1-2-3.m4s", ""]
        {
            assert_eq!(Named::parse(other), None, "{other}");
        }
    }
}
