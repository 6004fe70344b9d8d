//! The one path of a request: what the gate judges, what the cache is keyed by and what goes upstream.

use std::borrow::Cow;
use std::fmt;

/// A request path in the only spelling this house knows.
///
/// It starts with `/`, is valid UTF-8, and has been percent-decoded exactly once. None of its segments is
/// empty (but the last one, after a trailing `/`), `.` or `..`, or ends with a dot or a space; nothing in it
/// would be read differently by a second decoder: no `%`, `\`, `;`, `?`, `#`, no control or invisible
/// character, none that normalises to one of these. So two parties that hold one cannot disagree about what
/// it names.
///
/// Comparison is by byte: case matters and no Unicode normalisation is applied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalPath<'a>(Cow<'a, str>);

/// Why a path is refused. A server answers 400: no such path can be meant honestly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathFault {
    /// Longer than [`CanonicalPath::MAX_RAW`] before decoding.
    #[error("path is longer than {} bytes", CanonicalPath::MAX_RAW)]
    TooLong,
    /// Does not start with `/`: empty, `*`, or an absolute-form target.
    #[error("path does not start with a slash")]
    NotAbsolute,
    /// A `%` that two hexadecimal digits do not follow (RFC 3986 §2.1).
    #[error("path has a percent sign without two hexadecimal digits")]
    BadEscape,
    /// `%2f`: a separator that some decoders see and others do not.
    #[error("path has a percent-encoded slash")]
    EncodedSlash,
    /// Not UTF-8 after decoding; this includes overlong forms and surrogates.
    #[error("path is not utf-8 after decoding")]
    NotUtf8,
    /// A `%` is left after the one decoding.
    #[error("path is percent-encoded twice")]
    DoubleEncoding,
    /// `\`, which some stores and clients take for `/`.
    #[error("path has a backslash")]
    Backslash,
    /// `;`, behind which some servers cut a segment off.
    #[error("path has a semicolon")]
    Semicolon,
    /// `?` or `#`, raw or encoded.
    #[error("path has a query or fragment delimiter")]
    Delimiter,
    /// A control character, NUL included, or an invisible one (zero width, direction marks, line separators).
    #[error("path has a control or invisible character")]
    Control,
    /// A character that compatibility normalisation turns into one of those refused above, such as fullwidth
    /// solidus.
    #[error("path has a look-alike of a dot or a delimiter")]
    LookAlike,
    /// `//`.
    #[error("path has an empty segment")]
    EmptySegment,
    /// A segment `.` or `..`, in whatever spelling.
    #[error("path has a dot segment")]
    DotSegment,
    /// A segment that ends with a dot or a space, which some file systems drop.
    #[error("path has a segment that ends with a dot or a space")]
    TrailingDotOrSpace,
}

impl PathFault {
    /// The stable name of this fault in logs and metrics.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            PathFault::TooLong => "path_too_long",
            PathFault::NotAbsolute => "path_not_absolute",
            PathFault::BadEscape => "path_bad_escape",
            PathFault::EncodedSlash => "path_encoded_slash",
            PathFault::NotUtf8 => "path_not_utf8",
            PathFault::DoubleEncoding => "path_double_encoding",
            PathFault::Backslash => "path_backslash",
            PathFault::Semicolon => "path_semicolon",
            PathFault::Delimiter => "path_delimiter",
            PathFault::Control => "path_control",
            PathFault::LookAlike => "path_look_alike",
            PathFault::EmptySegment => "path_empty_segment",
            PathFault::DotSegment => "path_dot_segment",
            PathFault::TrailingDotOrSpace => "path_trailing_dot_or_space",
        }
    }
}

impl<'a> CanonicalPath<'a> {
    /// The longest path that is looked at, in bytes before decoding.
    pub const MAX_RAW: usize = 8192;

    /// Parses the path of a request target as it was received: no query, not decoded before.
    ///
    /// Allocates only when there is something to decode. Takes time linear in the length.
    ///
    /// # Errors
    /// The first [`PathFault`] found.
    pub fn parse(raw: &'a [u8]) -> Result<CanonicalPath<'a>, PathFault> {
        if raw.len() > Self::MAX_RAW {
            return Err(PathFault::TooLong);
        }
        let text = match percent_decode(raw)? {
            Cow::Borrowed(bytes) => {
                std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| PathFault::NotUtf8)?
            }
            Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| PathFault::NotUtf8)?,
        };
        check(&text)?;
        // Raw letters beyond ASCII take three times their bytes when they are encoded: what is printed must parse.
        let escaped = text.bytes().filter(|byte| !is_plain(*byte)).count();
        if text.len() + 2 * escaped > Self::MAX_RAW {
            return Err(PathFault::TooLong);
        }
        Ok(CanonicalPath(text))
    }

    /// The decoded path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands between the slashes, in order: `/a/b` has `a` and `b`, `/a/` has `a` and an empty one, `/`
    /// one empty one.
    pub fn segments(&self) -> std::str::Split<'_, char> {
        segments(&self.0)
    }

    /// The path as it is written in a request target (RFC 3986 §3.3). [`CanonicalPath::parse`] gives the same
    /// path back.
    #[must_use]
    pub fn encoded(&self) -> Cow<'_, str> {
        if self.0.bytes().all(is_plain) {
            return Cow::Borrowed(&self.0);
        }
        let mut out = String::with_capacity(self.0.len().saturating_add(16));
        for byte in self.0.bytes() {
            if is_plain(byte) {
                out.push(char::from(byte));
            } else {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
                }
            }
        }
        Cow::Owned(out)
    }

    /// The same path, free of the request it was parsed from.
    #[must_use]
    pub fn into_owned(self) -> CanonicalPath<'static> {
        CanonicalPath(Cow::Owned(self.0.into_owned()))
    }
}

impl fmt::Display for CanonicalPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The segments of a text that starts with `/`.
pub(crate) fn segments(text: &str) -> std::str::Split<'_, char> {
    text.strip_prefix('/').unwrap_or(text).split('/')
}

/// Whether `text` is a canonical path, and if not, why.
pub(crate) fn check(text: &str) -> Result<(), PathFault> {
    if is_plainly_canonical(text) {
        return Ok(());
    }
    let Some(relative) = text.strip_prefix('/') else { return Err(PathFault::NotAbsolute) };
    text.chars().try_for_each(check_character)?;
    let mut segments = relative.split('/').peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "" if segments.peek().is_some() => return Err(PathFault::EmptySegment),
            "." | ".." => return Err(PathFault::DotSegment),
            _ if segment.ends_with(|last: char| last == '.' || last.is_whitespace()) => {
                return Err(PathFault::TrailingDotOrSpace);
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether a look at single bytes and pairs of them is enough to see that `text` is canonical, as it is for
/// nearly every request. All faults of a segment show at its end: a slash, dot or space before the next
/// slash. The loops have no early exit, so that they become vector code.
fn is_plainly_canonical(text: &str) -> bool {
    let is_plain =
        |byte: u8| (b' '..=b'~').contains(&byte) & !matches!(byte, b'\\' | b'%' | b';' | b'?' | b'#');
    let is_end = |byte: u8| matches!(byte, b'.' | b' ');
    text.starts_with('/')
        && !text.bytes().next_back().is_some_and(is_end)
        && text.bytes().fold(true, |plain, byte| plain & is_plain(byte))
        && !has_pair(text, |byte, next| (next == b'/') & (is_end(byte) | (byte == b'/')))
}

/// Whether two neighbouring bytes of `text` are such a pair.
pub(crate) fn has_pair(text: &str, is_such: impl Fn(u8, u8) -> bool) -> bool {
    text.bytes().zip(text.bytes().skip(1)).fold(false, |found, (byte, next)| found | is_such(byte, next))
}

fn check_character(c: char) -> Result<(), PathFault> {
    match c {
        '\\' => Err(PathFault::Backslash),
        '%' => Err(PathFault::DoubleEncoding),
        ';' => Err(PathFault::Semicolon),
        '?' | '#' => Err(PathFault::Delimiter),
        '\0'..='\u{1f}' | '\u{7f}' => Err(PathFault::Control),
        _ if c.is_ascii() => Ok(()),
        _ if !is_printable(c) => Err(PathFault::Control),
        _ if is_look_alike(c) => Err(PathFault::LookAlike),
        _ => Ok(()),
    }
}

/// Whether a reader of a log or an editor can see that `c` is there.
pub(crate) fn is_printable(c: char) -> bool {
    !c.is_control() && !is_invisible(c)
}

/// Characters that take no ink: with them two different names look the same in a log and to an editor's eye.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'   // soft hyphen, marks
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Characters whose NFKC form is, or holds, a dot or one of the delimiters refused here (Unicode 16,
/// UnicodeData.txt), and the slashes among the mathematical operators, which have no such form but were
/// folded to `/` by some code pages' best fit.
fn is_look_alike(c: char) -> bool {
    matches!(
        c,
        '\u{2024}'..='\u{2026}' | '\u{fe19}' | '\u{fe30}' | '\u{fe52}' | '\u{ff0e}'       // one to three dots
            | '\u{ff0f}' | '\u{2044}' | '\u{2215}' | '\u{29f8}'                           // slash
            | '\u{2100}' | '\u{2101}' | '\u{2105}' | '\u{2106}'                           // a/c, a/s, c/o, c/u
            | '\u{ff3c}' | '\u{fe68}' | '\u{2216}' | '\u{29f5}' | '\u{29f9}'              // backslash
            | '\u{ff05}' | '\u{fe6a}'                                                     // percent
            | '\u{37e}' | '\u{ff1b}' | '\u{fe14}' | '\u{fe54}'                            // semicolon
            | '\u{ff1f}' | '\u{fe16}' | '\u{fe56}' | '\u{2047}'..='\u{2049}'              // question mark
            | '\u{ff03}' | '\u{fe5f}' // number sign
    ) || matches!(c, '\u{2488}'..='\u{249b}' | '\u{1f100}') // "1." and its like, which end with a dot
}

/// Decodes once. `%2f` is refused here, where it can still be told from a `/`.
fn percent_decode(raw: &[u8]) -> Result<Cow<'_, [u8]>, PathFault> {
    let Some(first) = raw.iter().position(|byte| *byte == b'%') else { return Ok(Cow::Borrowed(raw)) };
    let (plain, coded) = raw.split_at(first);
    let mut out = Vec::with_capacity(raw.len());
    out.extend_from_slice(plain);
    let mut bytes = coded.iter();
    while let Some(&byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || {
            bytes.next().and_then(|byte| char::from(*byte).to_digit(16)).and_then(|d| u8::try_from(d).ok())
        };
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(PathFault::BadEscape) };
        match high << 4 | low {
            b'/' => return Err(PathFault::EncodedSlash),
            decoded => out.push(decoded),
        }
    }
    Ok(Cow::Owned(out))
}

/// `pchar` of RFC 3986 §3.3 without what is never in a canonical path, and `/`.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&byte)
}

#[cfg(test)]
mod tests;
