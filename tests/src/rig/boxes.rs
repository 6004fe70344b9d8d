//! Boxes of an ISO base media file (ISO/IEC 14496-12 §4.2), walked by hand: the rig reads media without any of forebay's
//! own parsers.

/// A box inside a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its four letters.
    pub kind: [u8; 4],
    /// Where its header starts.
    pub start: usize,
    /// Where its content starts.
    pub body: usize,
    /// Behind its last byte.
    pub end: usize,
}

/// The boxes that fill `bytes[from..to]`, one after another.
///
/// # Panics
/// When they do not fill it exactly.
#[must_use]
pub fn walk(bytes: &[u8], from: usize, to: usize) -> Vec<Place> {
    let mut places = Vec::new();
    let mut start = from;
    while start < to {
        let kind = bytes[start + 4..start + 8].try_into().unwrap();
        let (size, header) = match u32_at(bytes, start) {
            1 => (usize::try_from(u64_at(bytes, start + 8)).unwrap(), 16),
            0 => (to - start, 8),
            size => (size as usize, 8),
        };
        let end = start + size;
        assert!(size >= header && end <= to, "box {} of {size} bytes at {start}", printed(kind));
        places.push(Place { kind, start, body: start + header, end });
        start = end;
    }
    places
}

/// The box at the end of `path`, the first of each kind taken on the way.
#[must_use]
pub fn find(bytes: &[u8], path: &[&[u8; 4]]) -> Option<Place> {
    let (mut from, mut to) = (0, bytes.len());
    let mut found = None;
    for kind in path {
        let place = walk(bytes, from, to).into_iter().find(|place| place.kind == **kind)?;
        (from, to) = (place.body, place.end);
        found = Some(place);
    }
    found
}

/// A box with this content.
///
/// # Panics
/// When the content is longer than 4 GB.
#[must_use]
pub fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}

/// Four bytes as a number.
///
/// # Panics
/// When they are not there.
#[must_use]
pub fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Eight bytes as a number.
///
/// # Panics
/// When they are not there.
#[must_use]
pub fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn printed(kind: [u8; 4]) -> String {
    kind.escape_ascii().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_found_by_their_path_whatever_form_their_size_has() {
        let large = [&1_u32.to_be_bytes()[..], b"mdat", &19_u64.to_be_bytes(), b"abc"].concat();
        let file = [boxed(b"moov", &boxed(b"mvex", b"xy")), large, b"\0\0\0\0free123".to_vec()].concat();
        let kinds: Vec<String> = walk(&file, 0, file.len()).iter().map(|place| printed(place.kind)).collect();
        assert_eq!(kinds, ["moov", "mdat", "free"]);
        let place = find(&file, &[b"moov", b"mvex"]).unwrap();
        assert_eq!(&file[place.body..place.end], b"xy");
        let place = find(&file, &[b"mdat"]).unwrap();
        assert_eq!(&file[place.body..place.end], b"abc");
        assert_eq!(find(&file, &[b"moov", b"trak"]), None);
    }

    #[test]
    #[should_panic(expected = "box moov of 2147483647 bytes at 0")]
    fn a_box_that_leads_out_of_the_file_is_noticed() {
        let _ = walk(b"\x7f\xff\xff\xffmoovabc", 0, 11);
    }
}
