//! Walking boxes: headers, bodies, and where in the object they stand.
//!
//! Only headers are read here; what a leaf holds is mp4-atom's business. Containers are walked child by child, so
//! that a box nobody needs, however strange, cannot spoil those that are needed.

use mp4_atom::Atom;

use crate::Error;

/// A box found in a buffer.
#[derive(Debug, Clone)]
pub(crate) struct BoxView<'a> {
    pub(crate) kind: [u8; 4],
    pub(crate) body: &'a [u8],
    /// Where the box starts in the object.
    pub(crate) offset: u64,
    /// The boxes it stands in: `moov/trak`.
    pub(crate) path: &'a str,
}

/// The size and type of a box (ISO/IEC 14496-12 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: [u8; 4],
    /// Bytes of the header: 8 or 16.
    pub(crate) head: u64,
    /// Bytes of the whole box, or `None` where it reaches to the end of the file.
    pub(crate) size: Option<u64>,
}

/// What the first bytes of a box say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// A header.
    Header(Header),
    /// More bytes are needed, this many in all.
    Short(usize),
    /// A size smaller than the header itself.
    Undersized(u64),
}

impl Header {
    pub(crate) fn parse(bytes: &[u8]) -> Parsed {
        let Some(([a, b, c, d], rest)) = bytes.split_first_chunk::<4>() else { return Parsed::Short(8) };
        let Some((kind, rest)) = rest.split_first_chunk::<4>() else { return Parsed::Short(8) };
        let kind = *kind;
        match u32::from_be_bytes([*a, *b, *c, *d]) {
            0 => Parsed::Header(Self { kind, head: 8, size: None }),
            1 => match rest.first_chunk::<8>().map(|large| u64::from_be_bytes(*large)) {
                None => Parsed::Short(16),
                Some(size) if size < 16 => Parsed::Undersized(size),
                Some(size) => Parsed::Header(Self { kind, head: 16, size: Some(size) }),
            },
            size if size < 8 => Parsed::Undersized(u64::from(size)),
            size => Parsed::Header(Self { kind, head: 8, size: Some(u64::from(size)) }),
        }
    }
}

/// The children of a container, in order.
pub(crate) struct Children<'a> {
    rest: &'a [u8],
    offset: u64,
    path: &'a str,
}

/// The boxes of `bytes`, which start at `offset` and stand in `path`.
pub(crate) fn walk<'a>(bytes: &'a [u8], offset: u64, path: &'a str) -> Children<'a> {
    Children { rest: bytes, offset, path }
}

impl<'a> BoxView<'a> {
    /// The children of this box, whose path is `path`.
    pub(crate) fn children(&self, path: &'a str) -> Children<'a> {
        // The header's length is lost here; offsets in errors are those of a box with a short header.
        Children { rest: self.body, offset: self.offset + 8, path }
    }

    /// The children of kind `kind`; a broken sibling ends the search with its error.
    pub(crate) fn child(&self, path: &'a str, kind: &[u8; 4]) -> Result<Option<BoxView<'a>>, Error> {
        for child in self.children(path) {
            let child = child?;
            if child.kind == *kind {
                return Ok(Some(child));
            }
        }
        Ok(None)
    }

    /// The child of kind `kind`, which must be there.
    pub(crate) fn required(&self, path: &'a str, kind: &[u8; 4]) -> Result<BoxView<'a>, Error> {
        let missing = || malformed(path, self.offset, &format!("expected a {} box, found none", name(kind)));
        self.child(path, kind)?.ok_or_else(missing)
    }

    /// Reads the body as the box that `T` is.
    pub(crate) fn read<T: Atom>(&self) -> Result<T, Error> {
        let mut body = self.body;
        let fault = |e: mp4_atom::Error| self.fault(&format!("expected a sound box, found {e}"));
        T::decode_body(&mut body).map_err(fault)
    }

    /// An error that names this box.
    pub(crate) fn fault(&self, what: &str) -> Error {
        malformed(&format!("{}/{}", self.path, name(&self.kind)), self.offset, what)
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Result<BoxView<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        // QuickTime writers end containers with up to four zero bytes.
        if self.rest.len() < 8 {
            return None;
        }
        let header = match Header::parse(self.rest) {
            Parsed::Header(header) => header,
            Parsed::Short(_) => return None,
            Parsed::Undersized(0..=7) if self.rest.iter().all(|b| *b == 0) => return None,
            Parsed::Undersized(size) => {
                return Some(Err(self.stop(&format!("expected a box size of at least 8, found {size}"))));
            }
        };
        let left = self.rest.len() as u64;
        let size = header.size.unwrap_or(left);
        let (Ok(head), Ok(end)) = (usize::try_from(header.head), usize::try_from(size)) else {
            return Some(Err(self.stop("expected a box that fits its parent, found a larger one")));
        };
        let Some(body) = self.rest.get(head..end) else {
            let what = format!("expected a {} box of at most {left} bytes, found {size}", name(&header.kind));
            return Some(Err(self.stop(&what)));
        };
        let view = BoxView { kind: header.kind, body, offset: self.offset, path: self.path };
        self.rest = self.rest.get(end..).unwrap_or_default();
        self.offset = self.offset.saturating_add(size);
        Some(Ok(view))
    }
}

impl Children<'_> {
    fn stop(&mut self, what: &str) -> Error {
        self.rest = &[];
        malformed(self.path, self.offset, what)
    }
}

/// Types that an MP4 or QuickTime file may start with.
pub(crate) fn may_start_a_file(kind: &[u8; 4]) -> bool {
    matches!(
        kind,
        b"ftyp"
            | b"styp"
            | b"moov"
            | b"moof"
            | b"mdat"
            | b"free"
            | b"skip"
            | b"wide"
            | b"pdin"
            | b"sidx"
            | b"uuid"
            | b"prft"
            | b"emsg"
    )
}

/// A format fault at a place.
pub(crate) fn malformed(path: &str, offset: u64, what: &str) -> Error {
    Error::Malformed { path: path.to_owned(), offset, what: what.to_owned() }
}

/// A box type as people read it.
pub(crate) fn name(kind: &[u8; 4]) -> String {
    kind.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(body: &[u8]) -> BoxView<'_> {
        BoxView { kind: *b"moov", body, offset: 0, path: "" }
    }

    #[test]
    fn a_child_larger_than_its_parent_is_an_error_that_names_it() {
        let body = [0, 0, 0, 99, b't', b'r', b'a', b'k', 0];
        let error = view(&body).children("moov").next().unwrap().unwrap_err();
        assert_eq!(error.to_string(), "moov at byte 8: expected a trak box of at most 9 bytes, found 99");
    }

    #[test]
    fn an_undersized_box_ends_the_walk() {
        let body = [0, 0, 0, 7, b'f', b'r', b'e', b'e', 0, 0, 0, 8, b'f', b'r', b'e', b'e'];
        let view = view(&body);
        let mut children = view.children("moov");
        assert!(children.next().unwrap().is_err());
        assert!(children.next().is_none());
    }

    #[test]
    fn zero_padding_at_the_end_is_no_box() {
        assert!(view(&[0; 4]).children("moov").next().is_none());
    }

    #[test]
    fn a_large_size_is_read_from_sixteen_bytes() {
        let mut bytes = vec![0, 0, 0, 1];
        bytes.extend(b"mdat");
        assert_eq!(Header::parse(&bytes), Parsed::Short(16));
        bytes.extend(5_000_000_000u64.to_be_bytes());
        assert_eq!(
            Header::parse(&bytes),
            Parsed::Header(Header { kind: *b"mdat", head: 16, size: Some(5_000_000_000) })
        );
    }
}
