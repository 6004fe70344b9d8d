//! Where the things of an asset are kept, as places for purges, and which of them a purge reaches.
//!
//! ```text
//! /vod/show/#                          which revision is current
//! /vod/show/main.m3u8                  its multivariant playlist
//! /vod/show/7/#                        what is known of a revision, with its init segments
//! /vod/show/7/video-720/index.m3u8     a media playlist
//! /vod/show/7/video-720/               blocks of the object of a rendition
//! /vod/show/7/                         blocks of an object that several renditions share
//! ```
//!
//! No path that is served has a `#` in it.

use packager::asset::{AssetName, RenditionName, Revision, StreamName};
use packager::playlist::{MEDIA, MULTIVARIANT};

use crate::cache::{Key, Scope};

/// Something that can be purged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Purge {
    /// All there is.
    All,
    /// An asset with all its revisions.
    Asset(AssetName),
    /// One of its revisions.
    Revision(AssetName, Revision),
    /// One rendition: its playlist, its init segment and its media.
    Rendition(AssetName, Revision, RenditionName),
    /// The multivariant playlist, and which revision it is of.
    Main(AssetName),
    /// A media playlist.
    Playlist(AssetName, Revision, RenditionName),
    /// An init segment; it is made with the index of its revision.
    Init(AssetName, Revision),
    /// A stream: of a live show nothing is kept but its window, which is what there is.
    Stream(StreamName),
    /// Every path that begins with these characters.
    Beginning(String),
}

impl Purge {
    /// The places that it reaches: never less than what was asked for, and more where things are kept together.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        match self {
            Self::All => vec![Scope::All],
            Self::Asset(asset) => vec![Scope::Below(format!("/vod/{asset}/"))],
            Self::Revision(asset, revision) => {
                vec![Scope::Below(format!("/vod/{asset}/{revision}/")), Scope::At(multivariant(asset))]
            }
            Self::Rendition(asset, revision, rendition) => vec![
                Scope::Below(format!("/vod/{asset}/{revision}/{rendition}/")),
                Scope::At(objects(asset, revision, None)),
                Scope::At(index(asset, revision)),
            ],
            Self::Main(asset) => vec![Scope::At(current(asset)), Scope::At(multivariant(asset))],
            Self::Playlist(asset, revision, rendition) => {
                vec![Scope::At(playlist(asset, revision, rendition)), Scope::At(index(asset, revision))]
            }
            Self::Init(asset, revision) => vec![Scope::At(index(asset, revision))],
            Self::Stream(stream) => vec![Scope::Below(format!("/live/{stream}/"))],
            Self::Beginning(text) => beginning(text),
        }
    }
}

/// What begins with `text`, and what makes it: of a segment, its revision's index and its rendition's media.
fn beginning(text: &str) -> Vec<Scope> {
    let itself = match text.ends_with('/') {
        true => Scope::Below(text.to_owned()),
        false => Scope::Beginning(text.to_owned()),
    };
    let mut scopes = vec![itself];
    let parts: Vec<&str> = text.split('/').collect();
    if let ["", "vod", asset, rest @ ..] = parts.as_slice()
        && !rest.is_empty()
    {
        scopes.push(Scope::At(format!("/vod/{asset}/{MULTIVARIANT}")));
        if let [revision, rest @ ..] = rest
            && !rest.is_empty()
        {
            let folder = format!("/vod/{asset}/{revision}/");
            scopes.extend([Scope::At(format!("{folder}#")), Scope::At(folder.clone())]);
            if let [rendition, _, ..] = rest {
                scopes.push(Scope::At(format!("{folder}{rendition}/")));
            }
        }
    }
    scopes
}

/// Where it is kept which revision is current.
pub(super) fn current(asset: &AssetName) -> String {
    format!("/vod/{asset}/#")
}

/// Where a revision is kept.
pub(super) fn index(asset: &AssetName, revision: &Revision) -> String {
    format!("/vod/{asset}/{revision}/#")
}

/// Where a multivariant playlist is kept.
pub(super) fn multivariant(asset: &AssetName) -> String {
    format!("/vod/{asset}/{MULTIVARIANT}")
}

/// Where a media playlist is kept.
pub(super) fn playlist(asset: &AssetName, revision: &Revision, rendition: &RenditionName) -> String {
    format!("/vod/{asset}/{revision}/{rendition}/{MEDIA}")
}

/// Where the blocks of an object are kept, by the one rendition that is made of it.
pub(super) fn objects(asset: &AssetName, revision: &Revision, rendition: Option<&RenditionName>) -> String {
    match rendition {
        Some(rendition) => format!("/vod/{asset}/{revision}/{rendition}/"),
        None => format!("/vod/{asset}/{revision}/"),
    }
}

impl Key for AssetName {
    fn place(&self) -> String {
        current(self)
    }
}

impl Key for (AssetName, Revision) {
    fn place(&self) -> String {
        index(&self.0, &self.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 9] = [
        "/vod/show/#",
        "/vod/show/main.m3u8",
        "/vod/show/7/#",
        "/vod/show/7/",
        "/vod/show/7/video-720/index.m3u8",
        "/vod/show/7/video-720/",
        "/vod/show/7/audio/",
        "/vod/show/8/#",
        "/vod/shows/7/#",
    ];

    /// Which of all places are reached.
    fn reached(purge: &Purge) -> Vec<usize> {
        let scopes = purge.scopes();
        let is_in = |place: &str, scope: &Scope| match scope {
            Scope::All => true,
            Scope::Below(folder) => place.starts_with(folder),
            Scope::At(at) => place == at,
            Scope::Beginning(text) => place.starts_with(text),
        };
        (0..ALL.len()).filter(|at| scopes.iter().any(|scope| is_in(ALL[*at], scope))).collect()
    }

    #[test]
    fn a_purge_reaches_what_it_names_and_what_that_is_made_of() {
        let (show, seven): (AssetName, Revision) = ("show".parse().unwrap(), "7".parse().unwrap());
        let video: RenditionName = "video-720".parse().unwrap();
        for (purge, places) in [
            (Purge::All, vec![0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (Purge::Asset(show.clone()), vec![0, 1, 2, 3, 4, 5, 6, 7]),
            (Purge::Revision(show.clone(), seven.clone()), vec![1, 2, 3, 4, 5, 6]),
            (Purge::Rendition(show.clone(), seven.clone(), video.clone()), vec![2, 3, 4, 5]),
            (Purge::Main(show.clone()), vec![0, 1]),
            (Purge::Playlist(show.clone(), seven.clone(), video), vec![2, 4]),
            (Purge::Init(show, seven), vec![2]),
            (Purge::Stream("show".parse().unwrap()), vec![]),
            (Purge::Beginning("/".into()), vec![0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (Purge::Beginning("/vod/show".into()), vec![0, 1, 2, 3, 4, 5, 6, 7, 8]),
            (Purge::Beginning("/vod/show/".into()), vec![0, 1, 2, 3, 4, 5, 6, 7]),
            (Purge::Beginning("/vod/show/m".into()), vec![1]),
            (Purge::Beginning("/vod/show/7".into()), vec![1, 2, 3, 4, 5, 6]),
            (Purge::Beginning("/vod/show/7/".into()), vec![1, 2, 3, 4, 5, 6]),
            (Purge::Beginning("/vod/show/7/v".into()), vec![1, 2, 3, 4, 5]),
            (Purge::Beginning("/vod/show/7/video-720/".into()), vec![1, 2, 3, 4, 5]),
            (Purge::Beginning("/vod/show/7/video-720/42".into()), vec![1, 2, 3, 5]),
            (Purge::Beginning("/live/".into()), vec![]),
        ] {
            assert_eq!(reached(&purge), places, "{purge:?}");
        }
    }
}
