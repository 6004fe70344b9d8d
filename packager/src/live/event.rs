//! Event messages (`emsg`, ISO/IEC 23009-1 §5.10.3.3): what a sender announces beside its media.

use bytes::Bytes;
use mp4_atom::{Emsg, EmsgTimestamp, Encode};

use crate::Error;
use crate::mp4::BoxView;
use crate::time::{MediaTime, Rounding, Timescale};

/// An event on the presentation timeline, such as an ad break of SCTE 35.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventMessage {
    /// The scheme that says what it means: `urn:scte:scte35:2013:bin`.
    pub scheme: String,
    /// The scheme's value.
    pub value: String,
    /// The same in each repetition of one event.
    pub id: u32,
    /// When it starts on the presentation timeline, in the box's own timescale.
    pub start: MediaTime,
    /// How long it lasts; `None` where the sender does not know yet.
    pub duration: Option<MediaTime>,
    /// The message, as its scheme writes it.
    pub payload: Bytes,
    /// The box as it is passed on, with its header. One of version 0, whose time counts from a chunk that is cut
    /// anew here, is written again as version 1.
    pub raw: Bytes,
}

/// An event whose chunk has not come yet.
#[derive(Debug)]
pub(super) struct Announced {
    emsg: Emsg,
    scale: Timescale,
    raw: Bytes,
}

impl Announced {
    /// Reads the `emsg` whose bytes, with its header, are `raw`.
    pub(super) fn read(view: &BoxView<'_>, raw: Bytes) -> Result<Self, Error> {
        let emsg: Emsg = view.read()?;
        let scale =
            Timescale::new(emsg.timescale).ok_or_else(|| view.fault("expected a timescale, found 0"))?;
        match emsg.presentation_time {
            EmsgTimestamp::Absolute(time) if i64::try_from(time).is_err() => {
                Err(view.fault(&format!("expected a presentation time of 63 bits, found {time}")))
            }
            _ => Ok(Self { emsg, scale, raw }),
        }
    }

    /// The event, once the first sample in presentation order of its chunk is known to be presented at `earliest`.
    pub(super) fn beside(self, earliest: MediaTime) -> EventMessage {
        let Self { mut emsg, scale, mut raw } = self;
        let start = match emsg.presentation_time {
            EmsgTimestamp::Absolute(time) => i64::try_from(time).unwrap_or(i64::MAX),
            EmsgTimestamp::Relative(delta) => {
                let base = earliest.rescale(scale, Rounding::Nearest).ticks();
                let start = base.saturating_add(i64::from(delta)).max(0);
                emsg.presentation_time = EmsgTimestamp::Absolute(start.unsigned_abs());
                let mut again = Vec::with_capacity(raw.len() + 8);
                // It was read from a box, so it fits one.
                if emsg.encode(&mut again).is_ok() {
                    raw = again.into();
                }
                start
            }
        };
        EventMessage {
            scheme: emsg.scheme_id_uri,
            value: emsg.value,
            id: emsg.id,
            start: MediaTime::new(start, scale),
            // All ones: unknown.
            duration: (emsg.event_duration != u32::MAX)
                .then(|| MediaTime::new(i64::from(emsg.event_duration), scale)),
            payload: emsg.message_data.into(),
            raw,
        }
    }
}
