//! Ad markers, written bit by bit (SCTE 35 §9.6, §9.7.3; ISO/IEC 23009-1 §5.10.3.3).

use forebay_packager::live::EventMessage;
use forebay_packager::time::MediaTime;

/// A splice that a sender announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cue {
    pub(crate) event: u32,
    /// A break begins; else it ends.
    pub(crate) is_out: bool,
    /// Milliseconds of media time.
    pub(crate) at_ms: i64,
    pub(crate) planned_ms: Option<u32>,
}

impl Cue {
    /// Its `splice_info_section`, with a `splice_insert`.
    pub(crate) fn section(&self) -> Vec<u8> {
        let mut command = self.event.to_be_bytes().to_vec();
        let flags = u8::from(self.is_out) << 7 | 0b0101_1111 | u8::from(self.planned_ms.is_some()) << 5;
        // Not cancelled; the whole programme, at once.
        command.extend([0x7f, flags]);
        if let Some(planned) = self.planned_ms {
            let ticks = u64::from(planned) * 90;
            command.push(0x7e | (ticks >> 32) as u8 & 1);
            command.extend((ticks as u32).to_be_bytes());
        }
        // Of programme 1, the first of one.
        command.extend([0, 1, 1, 1]);
        let mut section = vec![0xfc, 0x30, 0, 0, 0, 0, 0, 0, 0, 0xff];
        let length = command.len() as u16;
        section.extend([0xff, 0xf0 | (length >> 8) as u8, length as u8, 5]);
        section.extend(command);
        // No descriptors; the checksum is the transport's.
        section.extend([0, 0, 0, 0, 0, 0]);
        let rest = section.len() as u16 - 3;
        section[1] |= (rest >> 8) as u8;
        section[2] = rest as u8;
        section
    }

    /// The section as it stands in a playlist.
    pub(crate) fn hex(&self) -> String {
        use std::fmt::Write as _;
        let mut out = String::from("0x");
        self.section().iter().for_each(|byte| {
            let _ = write!(out, "{byte:02X}");
        });
        out
    }

    /// The event message that carries it.
    pub(crate) fn message(&self) -> EventMessage {
        let scheme = "urn:scte:scte35:2013:bin";
        let mut body = vec![1, 0, 0, 0];
        body.extend(1000u32.to_be_bytes());
        body.extend(self.at_ms.to_be_bytes());
        body.extend(u32::MAX.to_be_bytes());
        body.extend(self.event.to_be_bytes());
        body.extend(scheme.as_bytes());
        body.extend([0, b'1', 0]);
        body.extend(self.section());
        let mut raw = (body.len() as u32 + 8).to_be_bytes().to_vec();
        raw.extend(b"emsg");
        raw.extend(body);
        EventMessage {
            scheme: scheme.to_owned(),
            value: "1".to_owned(),
            id: self.event,
            start: MediaTime::from_millis(self.at_ms),
            duration: None,
            payload: self.section().into(),
            raw: raw.into(),
        }
    }
}
