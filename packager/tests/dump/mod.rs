//! Boxes as text.

use std::fmt::Write as _;

/// The box tree of some bytes, one line a box: a reviewer can object to a line, not to a hash.
pub(crate) fn dump(bytes: &[u8], depth: usize, out: &mut String) {
    let mut rest = bytes;
    while rest.len() >= 8 {
        let size = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        let kind = std::str::from_utf8(&rest[4..8]).unwrap().to_owned();
        let body = &rest[8..size];
        let _ = writeln!(out, "{}{kind} {size}{}", "  ".repeat(depth), fields(&kind, body));
        if ["moov", "trak", "edts", "mdia", "minf", "dinf", "stbl", "mvex", "moof", "traf"]
            .contains(&kind.as_str())
        {
            dump(body, depth + 1, out);
        }
        rest = &rest[size..];
    }
}

fn fields(kind: &str, body: &[u8]) -> String {
    let word = |at: usize| u32::from_be_bytes(body[at..at + 4].try_into().unwrap());
    match kind {
        "mfhd" => format!(" sequence={}", word(4)),
        "tfdt" => {
            format!(" version={} time={}", body[0], u64::from_be_bytes(body[4..12].try_into().unwrap()))
        }
        "tfhd" => format!(" flags={:06x} duration={}", word(0) & 0xff_ffff, word(8)),
        "trun" => format!(
            " version={} flags={:06x} samples={} offset={}",
            body[0],
            word(0) & 0xff_ffff,
            word(4),
            word(8)
        ),
        "elst" if word(4) == 1 => {
            format!(" version={} media_time={}", body[0], if body[0] == 1 { word(20) } else { word(12) })
        }
        "mdhd" => format!(" timescale={}", if body[0] == 1 { word(20) } else { word(12) }),
        _ => String::new(),
    }
}
