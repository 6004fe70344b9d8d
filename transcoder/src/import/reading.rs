//! What a source holds: its playlists and init segments.

use std::collections::HashMap;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use packager::import::{
    Choice, Contents, MAX_BYTES, MediaPlaylist, Multivariant, Place, Playlist, Remark, Sound, Wanted, agrees,
    shown,
};
use packager::track::Language;

use super::fetch::Fetcher;
use super::{Broken, Location};
use crate::source::language;

/// A rendition that is to be imported.
#[derive(Debug)]
pub(super) struct Rendition {
    /// Its playlist, for remarks.
    pub(super) name: String,
    /// Where its playlist is.
    pub(super) at: Location,
    pub(super) playlist: MediaPlaylist,
    /// The init segments that the playlist names.
    pub(super) maps: Vec<Bytes>,
    pub(super) wanted: Wanted,
    pub(super) language: Option<Language>,
    contents: Contents,
}

/// What is to be imported, and what is left out.
#[derive(Debug)]
pub(super) struct Found {
    /// Pictures first.
    pub(super) renditions: Vec<Rendition>,
    pub(super) notes: Vec<Remark>,
}

/// Why a rendition cannot be imported.
enum Unusable {
    /// It holds what we do not serve, as others of its kind may not.
    Unfit(Remark),
    /// It is not whole, or not what it should be.
    Broken(Vec<Remark>),
}

/// Reads what `entry` leads to, but no media.
pub(super) async fn read(fetcher: &Fetcher, entry: &Location, broken: Broken) -> Result<Found, Vec<Remark>> {
    let name = entry.name();
    let limit = MAX_BYTES as u64;
    let fetched = fetcher.whole(entry, None, limit).await;
    let (bytes, at) = fetched.map_err(|missed| vec![Remark::new(&name, Place::Whole, missed.what)])?;
    let read = on_pool({
        let name = name.clone();
        move || Playlist::read(&name, &bytes)
    });
    let mut found = match read.await? {
        Playlist::Media(playlist) => {
            let rendition = with_maps(fetcher, name, at, playlist).await.map_err(Unusable::into_remarks)?;
            let wanted = match rendition.contents {
                Contents { video: true, audio: true, .. } => Wanted::Both,
                Contents { video: true, .. } => Wanted::Video,
                Contents { .. } => Wanted::Audio,
            };
            Found { renditions: vec![Rendition { wanted, ..rendition }], notes: Vec::new() }
        }
        Playlist::Multivariant(listed) => Chooser { fetcher, entry: &at, broken }.choose(listed).await?,
    };
    let mut faults = Vec::new();
    if let Some((reference, others)) = found.renditions.split_first() {
        let pair = |rendition: &Rendition| (rendition.name.clone(), rendition.playlist.clone());
        let (name, playlist) = pair(reference);
        faults.extend(others.iter().filter_map(|o| agrees((&name, &playlist), (&o.name, &o.playlist)).err()));
    }
    leave_out(broken, &mut found, faults)?;
    Ok(found)
}

/// Leaves the renditions out that have faults, where that is wanted and pictures, or some sound, are left.
pub(super) fn leave_out(broken: Broken, found: &mut Found, faults: Vec<Remark>) -> Result<(), Vec<Remark>> {
    if faults.is_empty() {
        return Ok(());
    }
    let has_fault = |rendition: &Rendition| faults.iter().any(|fault| fault.playlist == rendition.name);
    let left = || found.renditions.iter().filter(|rendition| !has_fault(rendition));
    let is_video = |rendition: &Rendition| rendition.wanted != Wanted::Audio;
    let suffices = left().any(is_video) || left().next().is_some() && !found.renditions.iter().any(is_video);
    let is_of_one = found.renditions.iter().any(has_fault);
    if broken == Broken::Fails || !suffices || !is_of_one {
        return Err(faults);
    }
    found.renditions.retain(|rendition| !faults.iter().any(|fault| fault.playlist == rendition.name));
    found.notes.extend(faults);
    Ok(())
}

struct Chooser<'a> {
    fetcher: &'a Fetcher,
    entry: &'a Location,
    broken: Broken,
}

impl Chooser<'_> {
    /// Opens what is listed, and takes what can be had of it.
    async fn choose(&self, listed: Multivariant) -> Result<Found, Vec<Remark>> {
        let Multivariant { mut videos, sounds, muxed, mut notes } = listed;
        // The best first: its sound is taken where sound is beside the pictures.
        videos.sort_by_key(|choice| std::cmp::Reverse(choice.bandwidth));
        let opened = stream::iter(videos.iter().map(|choice| self.open(choice))).buffered(AT_ONCE);
        let opened: Vec<_> = opened.collect().await;
        let (mut renditions, mut unfit, mut faults) = (Vec::new(), Vec::new(), Vec::new());
        for result in opened {
            match result {
                Ok(rendition) if rendition.contents.video => {
                    renditions.push(Rendition { wanted: Wanted::Video, ..rendition });
                }
                Ok(rendition) => {
                    let what = "expected pictures, found sound alone";
                    unfit.push(Remark::new(&rendition.name, Place::Whole, what));
                }
                Err(Unusable::Unfit(remark)) => unfit.push(remark),
                Err(Unusable::Broken(remarks)) => faults.extend(remarks),
            }
        }
        // What others of the ladder show too is not missed.
        let is_missed = renditions.is_empty() && !videos.is_empty();
        if is_missed { &mut faults } else { &mut notes }.append(&mut unfit);
        let mut lost = Vec::new();
        let is_muxed = muxed_wanted(muxed.as_ref(), &sounds);
        for sound in &sounds {
            match self.open_sound(sound, &mut notes).await {
                Ok(rendition) => renditions.push(rendition),
                Err(remarks) => lost.extend(remarks),
            }
        }
        if let Some(first) = renditions.iter_mut().find(|r| r.wanted == Wanted::Video && r.contents.audio)
            && is_muxed
        {
            first.wanted = Wanted::Both;
            first.language = muxed.flatten().and_then(|tag| spoken(&tag));
        }
        tell_apart(&mut renditions);
        let has_left = renditions.iter().any(|r| r.wanted != Wanted::Audio)
            || videos.is_empty() && !renditions.is_empty();
        faults.append(&mut lost);
        match faults.is_empty() || self.broken == Broken::LeftOut && has_left {
            true => {
                notes.append(&mut faults);
                Ok(Found { renditions, notes })
            }
            false => Err(faults),
        }
    }

    /// The first of a sound's codings that we serve.
    async fn open_sound(&self, sound: &Sound, notes: &mut Vec<Remark>) -> Result<Rendition, Vec<Remark>> {
        let mut unusable = Vec::new();
        for choice in &sound.candidates {
            match self.open(choice).await {
                Ok(rendition) if rendition.contents.audio => {
                    notes.append(&mut unusable);
                    let language = sound.language.as_deref().and_then(spoken);
                    return Ok(Rendition { wanted: Wanted::Audio, language, ..rendition });
                }
                Ok(rendition) => {
                    unusable.push(Remark::new(&rendition.name, Place::Whole, "expected sound, found none"));
                }
                Err(why) => unusable.extend(why.into_remarks()),
            }
        }
        Err(unusable)
    }

    async fn open(&self, choice: &Choice) -> Result<Rendition, Unusable> {
        let name = shown(&choice.uri);
        let broken = |what: String| Unusable::Broken(vec![Remark::new(&name, Place::Whole, what)]);
        let at = self.entry.join(&choice.uri).map_err(&broken)?;
        let fetched = self.fetcher.whole(&at, None, MAX_BYTES as u64).await;
        let (bytes, at) = fetched.map_err(|missed| broken(missed.what))?;
        let read = on_pool({
            let name = name.clone();
            move || Playlist::read_media(&name, &bytes)
        });
        let playlist = read.await.map_err(Unusable::Broken)?;
        with_maps(self.fetcher, name, at, playlist).await
    }
}

impl Unusable {
    fn into_remarks(self) -> Vec<Remark> {
        match self {
            Self::Unfit(remark) => vec![remark],
            Self::Broken(remarks) => remarks,
        }
    }
}

/// Fetches a rendition's init segments; what all of them hold it holds.
async fn with_maps(
    fetcher: &Fetcher,
    name: String,
    at: Location,
    playlist: MediaPlaylist,
) -> Result<Rendition, Unusable> {
    let remark = |what: String| Remark::new(&name, Place::Whole, what);
    let broken = |what: String| Unusable::Broken(vec![remark(what)]);
    let fetch = async |map: &packager::import::Resource| {
        let from = at.join(&map.uri).map_err(|what| broken(format!("init segment: {what}")))?;
        let fetched = fetcher.whole(&from, map.range, MAX_INIT).await;
        fetched
            .map(|(bytes, _)| bytes)
            .map_err(|missed| broken(format!("init segment {}: {}", shown(&map.uri), missed.what)))
    };
    let maps: Vec<Bytes> =
        stream::iter(playlist.maps.iter().map(fetch)).buffered(AT_ONCE).try_collect().await?;
    let mut contents = Contents { video: true, audio: true, refused: Vec::new() };
    for (init, map) in maps.iter().zip(&playlist.maps) {
        let read = Contents::read(init);
        let read = read.map_err(|fault| broken(format!("init segment {}: {fault}", shown(&map.uri))))?;
        if !read.refused.is_empty() {
            let what =
                format!("expected H.264 or HEVC video and AAC audio, found: {}", read.refused.join("; "));
            return Err(Unusable::Unfit(remark(what)));
        }
        contents.video &= read.video;
        contents.audio &= read.audio;
    }
    if !contents.video && !contents.audio {
        return Err(broken("expected the same tracks in all init segments, found others".to_owned()));
    }
    Ok(Rendition { name, at, playlist, maps, wanted: Wanted::Both, language: None, contents })
}

/// Playlists of other folders may have the same name.
fn tell_apart(renditions: &mut [Rendition]) {
    let mut seen = HashMap::new();
    for rendition in renditions {
        let count = seen.entry(rendition.name.clone()).and_modify(|count| *count += 1).or_insert(1);
        if *count > 1 {
            rendition.name = format!("{} ({count})", rendition.name);
        }
    }
}

/// Whether sound beside the pictures is to be taken: where there is no other, or where it is one to choose.
fn muxed_wanted(muxed: Option<&Option<String>>, sounds: &[Sound]) -> bool {
    let known =
        |tag: &str| sounds.iter().any(|sound| sound.language.as_deref().and_then(spoken) == spoken(tag));
    sounds.is_empty() || muxed.is_some_and(|tag| tag.as_deref().is_none_or(|tag| !known(tag)))
}

fn spoken(tag: &str) -> Option<Language> {
    language::parse(tag).map(|code| Language::of(&code))
}

/// Reading a long playlist takes milliseconds.
async fn on_pool<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Vec<Remark>> + Send + 'static,
) -> Result<T, Vec<Remark>> {
    let lost =
        |error| vec![Remark::new("playlist", Place::Whole, format!("expected to read it, found {error}"))];
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}

const AT_ONCE: usize = 4;
/// The largest init segment that is read.
const MAX_INIT: u64 = 4 << 20;
