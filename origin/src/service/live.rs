//! Live paths, and what is answered to them.
//!
//! ```text
//! /live/<stream>/{main,start,vod}.m3u8                Door: the show that is running, or ended last
//! /live/<stream>/<show>/{main,start,vod}.m3u8         Main
//! /live/<stream>/<show>/<track>/{index,start,vod}.m3u8  Playlist, held where the query asks for it
//! /live/<stream>/<show>/<track>/init-<id>.mp4         Init
//! /live/<stream>/<show>/<track>/<msn>.m4s             Segment
//! /live/<stream>/<show>/<track>/<msn>.<part>.m4s      Part, held where it is hinted
//! ```

use std::sync::Arc;

use http::HeaderMap;
use packager::asset::{ShowId, StreamName};
use packager::live::{Directives, InitId, View};
use packager::playlist::SEGMENT_SUFFIX;
use packager::time::Msn;

use super::found::{Found, Urgency};
use super::lifetime::{Admission, Lifetime};
use super::surrogate::Surrogate;
use super::{Failure, Service};
use crate::live::{Held, LiveError, Place, Showing, Whole};
use crate::metrics::{CacheResult, RouteKind};

/// What a live path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LiveRoute {
    /// The stable door of a stream, to one view of its show.
    Door(StreamName, View),
    /// A multivariant playlist of a show.
    Main(StreamName, ShowId, View),
    /// A media playlist of a track.
    Playlist(Place, View),
    /// An init segment of a track.
    Init(Place, InitId),
    /// A whole segment.
    Segment(Place, Msn),
    /// A part of a segment.
    Part(Place, Msn, u32),
}

impl LiveRoute {
    /// The route of a path, `/live/` and all; `None` for one that names nothing.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let mut parts = path.strip_prefix("/live/")?.split('/');
        let stream: StreamName = parts.next()?.parse().ok()?;
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(file), None, ..) => Some(Self::Door(stream, view(file, View::multivariant)?)),
            (Some(show), Some(file), None, _) => {
                Some(Self::Main(stream, show.parse().ok()?, view(file, View::multivariant)?))
            }
            (Some(show), Some(track), Some(file), None) => {
                let place = Place { stream, show: show.parse().ok()?, track: track.parse().ok()? };
                Self::file(place, file)
            }
            _ => None,
        }
    }

    fn file(place: Place, file: &str) -> Option<Self> {
        if let Some(view) = view(file, View::media) {
            return Some(Self::Playlist(place, view));
        }
        if let Some(id) = file.strip_prefix("init-").and_then(|rest| rest.strip_suffix(".mp4")) {
            return Some(Self::Init(place, id.parse().ok()?));
        }
        let numbers = file.strip_suffix(SEGMENT_SUFFIX)?;
        Some(match numbers.split_once('.') {
            None => Self::Segment(place, numbers.parse().ok()?),
            Some((msn, part)) => {
                let part: Msn = part.parse().ok()?;
                Self::Part(place, msn.parse().ok()?, u32::try_from(part.0).ok()?)
            }
        })
    }

    /// Its kind, for metrics.
    pub(super) fn kind(&self) -> RouteKind {
        match self {
            Self::Door(..) | Self::Main(..) => RouteKind::LiveMain,
            Self::Playlist(..) => RouteKind::LivePlaylist,
            Self::Init(..) => RouteKind::LiveInit,
            Self::Segment(..) => RouteKind::LiveSegment,
            Self::Part(..) => RouteKind::LivePart,
        }
    }

    /// The stream, for logs.
    pub(super) fn stream(&self) -> &StreamName {
        match self {
            Self::Door(stream, _) | Self::Main(stream, ..) => stream,
            Self::Playlist(place, _)
            | Self::Init(place, _)
            | Self::Segment(place, _)
            | Self::Part(place, ..) => &place.stream,
        }
    }
}

/// The view whose file has this name.
fn view(file: &str, name: fn(View) -> &'static str) -> Option<View> {
    View::ALL.into_iter().find(|view| name(*view) == file)
}

impl Service {
    /// What a live route leads to, now or as soon as it is there.
    pub(super) async fn find_live(
        &self,
        route: &LiveRoute,
        query: &str,
        headers: &HeaderMap,
        admission: &Admission,
    ) -> Result<Held<Found>, Failure> {
        let asker = admission.grant.log_id();
        let now = |value| Held { value, waited: false };
        match route {
            LiveRoute::Door(stream, view) => {
                let showing = self.live.showing(stream, None).await?;
                let held = self.live.door(stream, &showing, asker).await?;
                let lifetime = door_lifetime(&showing);
                let text = held.value.outer(*view).ok_or(LiveError::Absent)?;
                let found = Found::playlist(text, lifetime, headers)
                    .urgent(Urgency::PLAYLIST)
                    .looked_up(CacheResult::Hit);
                let found = found.also_of(Surrogate::Show(stream.clone(), showing.id));
                Ok(Held { value: found, waited: held.waited })
            }
            LiveRoute::Main(stream, show, view) => {
                let showing = self.live.showing(stream, Some(*show)).await?;
                let held = self.live.door(stream, &showing, asker).await?;
                let lifetime = door_lifetime(&showing);
                let text = held.value.inner(*view).ok_or(LiveError::Absent)?;
                let found = Found::playlist(text, lifetime, headers)
                    .urgent(Urgency::PLAYLIST)
                    .looked_up(CacheResult::Hit);
                Ok(Held { value: found, waited: held.waited })
            }
            LiveRoute::Playlist(place, view) => {
                let asked = Directives::parse(query);
                let is_blocking = asked.is_ok_and(Directives::is_blocking);
                let held = self.live.playlist(place, *view, asked, asker).await?;
                let (shown, text) = held.value;
                let target = shown.playlist.target_duration();
                let lifetime = match (shown.playlist.edge().ended, is_blocking) {
                    (true, _) => Lifetime::Over,
                    (false, true) => Lifetime::Held(target),
                    (false, false) => Lifetime::Edge(target),
                };
                let found = Found::playlist(&text, lifetime, headers)
                    .urgent(Urgency::PLAYLIST)
                    .looked_up(CacheResult::Hit)
                    .behind(shown.playlist.edge().ended);
                Ok(Held { value: found, waited: held.waited })
            }
            LiveRoute::Init(place, id) => {
                let bytes = self.live.init(place, *id).await?;
                Ok(now(Found::live_init(bytes, self.is_video(place), self.urgency(place))
                    .looked_up(CacheResult::Hit)))
            }
            LiveRoute::Segment(place, msn) => {
                let held = self.live.segment(place, *msn, asker).await?;
                let (is_video, urgency) = (self.is_video(place), self.urgency(place));
                let found = match held.value {
                    Whole::Here(media) => {
                        Found::media(&media, is_video, urgency).behind(self.live.is_behind(place, *msn))
                    }
                    Whole::Kept(kept) => Found::kept(kept, is_video, urgency),
                };
                Ok(Held { value: found, waited: held.waited })
            }
            LiveRoute::Part(place, msn, part) => {
                let held = self.live.part(place, *msn, *part, asker).await?;
                let found = Found::media(&held.value, self.is_video(place), self.urgency(place))
                    .behind(self.live.is_behind(place, *msn));
                Ok(Held { value: found, waited: held.waited })
            }
        }
    }

    fn is_video(&self, place: &Place) -> bool {
        self.live.rank(place).is_some()
    }

    /// Sound before pictures, and no picture before a smaller one (RFC 9218 §4.1, draft App. B.1).
    fn urgency(&self, place: &Place) -> Urgency {
        self.live.rank(place).map_or(Urgency::SOUND, Urgency::of_video)
    }
}

fn door_lifetime(showing: &Arc<Showing>) -> Lifetime {
    Lifetime::Door(showing.target_duration())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        let (stream, track) = ("gala".parse().unwrap(), "video-720".parse().unwrap());
        Place { stream, show: ShowId(7), track }
    }

    #[test]
    fn each_live_path_has_its_route() {
        for (path, wanted) in [
            ("/live/gala/main.m3u8", Some(LiveRoute::Door("gala".parse().unwrap(), View::Window))),
            (
                "/live/gala/7/main.m3u8",
                Some(LiveRoute::Main("gala".parse().unwrap(), ShowId(7), View::Window)),
            ),
            ("/live/gala/start.m3u8", Some(LiveRoute::Door("gala".parse().unwrap(), View::Start))),
            ("/live/gala/7/vod.m3u8", Some(LiveRoute::Main("gala".parse().unwrap(), ShowId(7), View::Whole))),
            ("/live/gala/7/video-720/start.m3u8", Some(LiveRoute::Playlist(place(), View::Start))),
            ("/live/gala/7/video-720/vod.m3u8", Some(LiveRoute::Playlist(place(), View::Whole))),
            ("/live/gala/7/video-720/index.m3u8", Some(LiveRoute::Playlist(place(), View::Window))),
            (
                "/live/gala/7/video-720/init-0a1b2c3d.mp4",
                Some(LiveRoute::Init(place(), "0a1b2c3d".parse().unwrap())),
            ),
            ("/live/gala/7/video-720/42.m4s", Some(LiveRoute::Segment(place(), Msn(42)))),
            ("/live/gala/7/video-720/42.0.m4s", Some(LiveRoute::Part(place(), Msn(42), 0))),
        ] {
            assert_eq!(LiveRoute::parse(path), wanted, "{path}");
        }
    }

    #[test]
    fn what_has_another_spelling_is_no_route() {
        for path in [
            "/live/gala",
            "/live/gala/",
            "/live/gala/07/main.m3u8",
            "/live/gala/0/main.m3u8",
            "/live/gala/7/index.m3u8",
            "/live/gala/7/video-720/init.mp4",
            "/live/gala/7/video-720/init-0A1B2C3D.mp4",
            "/live/gala/7/video-720/042.m4s",
            "/live/gala/7/video-720/42.00.m4s",
            "/live/gala/7/video-720/42.1.2.m4s",
            "/live/gala/7/video-720/42.4294967296.m4s",
            "/live/gala/7/video-720/x/42.m4s",
            "/live/.gala/7/video-720/42.m4s",
        ] {
            assert_eq!(LiveRoute::parse(path), None, "{path}");
        }
    }
}
