//! The closed sets that stand in labels. Never a name, an address or anything a client sent.

/// A closed set of label values.
pub(super) trait Label: Copy + 'static {
    /// Every value, in the order of [`Self::index`].
    const ALL: &'static [Self];
    /// The place of this value in [`Self::ALL`].
    fn index(self) -> usize;
    /// The value as it stands in the exposition, in logs and in `Cache-Status`.
    fn text(self) -> &'static str;
}

macro_rules! label {
    ($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$what])* $value,)+ }

        impl $name {
            /// The stable text of this value, the same in metrics and logs.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$value => $text,)+ }
            }
        }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];
            fn index(self) -> usize {
                self as usize
            }
            fn text(self) -> &'static str {
                self.as_str()
            }
        }
    };
}

label! {
    /// What a request asked for.
    RouteKind {
        /// A multivariant playlist.
        Main = "main",
        /// A media playlist.
        Playlist = "playlist",
        /// An initialisation section.
        Init = "init",
        /// A media segment.
        Segment = "segment",
        /// The multivariant playlist of a show.
        LiveMain = "live_main",
        /// A media playlist of a show.
        LivePlaylist = "live_playlist",
        /// An initialisation section of a show.
        LiveInit = "live_init",
        /// A whole segment of a show.
        LiveSegment = "live_segment",
        /// A partial segment.
        LivePart = "live_part",
        /// What a sender sends.
        Ingest = "ingest",
        /// An order of a clip.
        Clips = "clips",
        /// The demo page and what it loads.
        Page = "page",
        /// A CORS preflight.
        Preflight = "preflight",
        /// Nothing that exists here.
        Unknown = "unknown",
    }
}

label! {
    /// The first digit of a status.
    StatusClass {
        /// 100 to 199.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        Client = "4xx",
        /// 500 and above.
        Server = "5xx",
    }
}

impl StatusClass {
    /// The class of a status.
    pub fn of(status: http::StatusCode) -> Self {
        match status.as_u16() {
            0..=199 => Self::Informational,
            200..=299 => Self::Success,
            300..=399 => Self::Redirection,
            400..=499 => Self::Client,
            _ => Self::Server,
        }
    }
}

label! {
    /// Why a client was let go.
    TurnedAway {
        /// Its address has enough connections.
        Crowded = "crowded",
        /// Its TLS session or the head of its request did not come in time.
        SlowHead = "slow_head",
        /// It takes what it asked for too slowly, or not at all.
        SlowReader = "slow_reader",
    }
}

label! {
    /// Whose requests come too often.
    Whose {
        /// Those of an address.
        Address = "address",
        /// Those under a token.
        Token = "token",
    }
}

label! {
    /// How much a request can wait.
    Class {
        /// What can be watched at any time.
        Vod = "vod",
        /// What lies behind the live edge.
        Dvr = "dvr",
        /// What those who watch live need now.
        Edge = "edge",
    }
}

label! {
    /// A tier of the cache.
    Tier {
        /// Aligned blocks of source objects.
        Block = "block",
        /// The same blocks on a disk of this machine.
        Disk = "disk",
        /// Compact indexes and what is planned from them.
        Index = "index",
        /// What costs CPU to make: compressed playlists, made segments.
        Output = "output",
        /// Which revision of an asset is current.
        Pointer = "pointer",
    }
}

label! {
    /// How a look-up in the cache ended.
    CacheResult {
        /// It was there.
        Hit = "hit",
        /// It was not there; this look-up started the fill.
        Miss = "miss",
        /// It was not there; another look-up was filling it already and this one waited with it.
        Joined = "joined",
        /// It was there, and a newer one is fetched since somebody asked for that.
        Stale = "stale",
    }
}

label! {
    /// How thoroughly something was purged.
    PurgeKind {
        /// It is not served any more.
        Hard = "hard",
        /// It is served until there is a newer one.
        Soft = "soft",
    }
}

label! {
    /// What was asked of the store.
    StoreOperation {
        /// The size and version of one object.
        Head = "head",
        /// Bytes of one object.
        Read = "read",
        /// What lies in one folder.
        List = "list",
    }
}

label! {
    /// How one thing that can fail ended.
    Outcome {
        /// It succeeded.
        Ok = "ok",
        /// There is no such thing; nobody is at fault but who asked.
        NotFound = "not_found",
        /// The thing is no longer the one that was asked for.
        Changed = "changed",
        /// The other side refuses or cannot be reached.
        Unavailable = "unavailable",
        /// No answer within the deadline.
        Timeout = "timeout",
        /// Anything else, for instance an input that is damaged.
        Failed = "failed",
    }
}

label! {
    /// Where an index came from.
    IndexSource {
        /// The `.idx` object beside the track.
        Stored = "stored",
        /// Parsed from the boxes of the media file.
        Parsed = "parsed",
    }
}

label! {
    /// How a question to another node ended. Whatever is not whole, the store gave instead.
    PeerEnd {
        /// With all that was asked for.
        Whole = "whole",
        /// It has just failed, and was not asked.
        PassedOver = "passed_over",
        /// There was no connection, or it broke before an answer.
        Unreachable = "unreachable",
        /// No answer, or no more of it, in time.
        Late = "late",
        /// Another answer than blocks.
        Refused = "refused",
        /// The answer ended early.
        Broken = "broken",
        /// A length or a sum was wrong.
        Corrupt = "corrupt",
    }
}

label! {
    /// How another node was answered.
    PeerAnswer {
        /// With blocks.
        Ok = "ok",
        /// It did not prove that it is one.
        Denied = "denied",
        /// It has the name of this one.
        Looped = "looped",
        /// Its question was none.
        Malformed = "malformed",
        /// There is no such object.
        NotFound = "not_found",
        /// The object is no longer the one that was asked for.
        Changed = "changed",
        /// The store did not give the first block.
        Unavailable = "unavailable",
    }
}

label! {
    /// Why samples of a sender were not used.
    Dropped {
        /// They were here already.
        Duplicate = "duplicate",
        /// What they depend on is not here.
        Unusable = "unusable",
    }
}

label! {
    /// How a sender's request ended.
    IngestEnd {
        /// As it should.
        Whole = "whole",
        /// The sender went away in the middle.
        Cut = "cut",
        /// Its bytes could not be read.
        Broken = "broken",
        /// It was silent for too long.
        Silent = "silent",
        /// What it sent does not fit its show.
        Refused = "refused",
        /// An operator ended it.
        Operator = "operator",
        /// There was no room, or no database.
        Unavailable = "unavailable",
    }
}

label! {
    /// How a request that was held ended.
    Held {
        /// With what it waited for.
        Answered = "answered",
        /// It waited too long.
        Expired = "expired",
        /// What it waited for will not come.
        Gone = "gone",
        /// Its client went away.
        Left = "left",
    }
}

label! {
    /// What happened to a show that is made here.
    WorkEvent {
        /// An encoder was started.
        Started = "started",
        /// A show goes on where another worker ended.
        TakenOn = "taken_on",
        /// An encoder ended without being told to.
        Stopped = "stopped",
        /// Media was lost between two encoders.
        Lost = "lost",
        /// What is made comes seconds late.
        Late = "late",
        /// A rendition is made no longer: the encoder was too slow.
        RungDropped = "rung_dropped",
        /// A publisher's picture is encoded from now on.
        PassThroughEnded = "pass_through_ended",
        /// A publisher's codec settings changed.
        Changed = "changed",
        /// A publisher's times were anchored anew.
        Jumped = "jumped",
        /// A publisher's stream could not be used.
        Unusable = "unusable",
        /// Something of a publisher for which nothing is made.
        Ignored = "ignored",
        /// A silent publisher's last picture is shown.
        SlateOn = "slate_on",
        /// A show pauses: its publisher is silent.
        Paused = "paused",
        /// A publisher is back.
        Back = "back",
        /// An origin does not take a track.
        Interrupted = "interrupted",
        /// An origin takes a track again.
        Resumed = "resumed",
        /// An origin was too slow.
        Skipped = "skipped",
        /// A show is over.
        Ended = "ended",
        /// Anything else.
        Other = "other",
    }
}

label! {
    /// Why a publisher was not let in, or its connection was given up.
    RtmpEnd {
        /// The stream key opens nothing.
        WrongKey = "wrong_key",
        /// There were too many wrong keys from its address.
        Penalty = "penalty",
        /// The stream has another publisher.
        Busy = "busy",
        /// The key could not be looked up, or nobody took the show.
        Unavailable = "unavailable",
        /// It broke the protocol.
        Malformed = "malformed",
        /// It never published.
        Idle = "idle",
        /// It had to go for others.
        Crowded = "crowded",
    }
}

impl Label for authz::Denial {
    const ALL: &'static [Self] = &Self::ALL;
    fn index(self) -> usize {
        self as usize
    }
    fn text(self) -> &'static str {
        self.reason()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_denial_stands_at_its_place() {
        for (index, denial) in authz::Denial::ALL.into_iter().enumerate() {
            assert_eq!(denial.index(), index, "{denial:?}");
        }
    }
}
