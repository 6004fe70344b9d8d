//! Where in a request the token is, and what is left of the request without it.

use std::borrow::Cow;
use std::fmt;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap};

use crate::key::check_label;
use crate::{CanonicalPath, Error, PathFault, Token};

mod fault;

pub use fault::CarrierFault;

/// The places where tokens are looked for.
///
/// | transport | looks like | |
/// |-----------|------------|-|
/// | path      | `/t/<token>/vod/…`            | on by default: relative URIs inherit it (RFC 3986 §5.2) |
/// | header    | `Authorization: Bearer <token>` | RFC 6750 §2.1 |
/// | cookie    | `Cookie: <name>=<token>`      | RFC 6265 §4.2 |
/// | query     | `?<name>=<token>`             | also how EXT-X-DEFINE:QUERYPARAM hands it on (RFC 8216bis §4.4.2.3) |
///
/// A transport that is not enabled is not looked at: what stands there is an ordinary header, parameter or
/// path. In the enabled ones a token may stand once, and where it stands in several it must be the same: a
/// request that two readers could read differently is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Carrier {
    path: Option<Box<str>>,
    bearer: bool,
    cookie: Option<Box<str>>,
    query: Option<Box<str>>,
}

impl Default for Carrier {
    /// The path prefix `/t/<token>/` alone.
    fn default() -> Carrier {
        Carrier { path: Some("t".into()), bearer: false, cookie: None, query: None }
    }
}

impl Carrier {
    /// The longest query that is looked at, in bytes.
    pub const MAX_QUERY: usize = 8192;
    /// The longest `Cookie` field that is looked at, in bytes.
    pub const MAX_COOKIE: usize = 16_384;

    /// No transport at all.
    #[must_use]
    pub fn none() -> Carrier {
        Carrier { path: None, bearer: false, cookie: None, query: None }
    }

    /// Looks for `/<name>/<token>/` at the start of the path.
    ///
    /// # Errors
    /// [`Error::CarrierName`].
    pub fn with_path(self, name: &str) -> Result<Carrier, Error> {
        Ok(Carrier { path: Some(checked("path prefix", name)?), ..self })
    }

    /// Looks for `Authorization: Bearer <token>`.
    #[must_use]
    pub fn with_bearer(self) -> Carrier {
        Carrier { bearer: true, ..self }
    }

    /// Looks for a cookie of this name.
    ///
    /// # Errors
    /// [`Error::CarrierName`].
    pub fn with_cookie(self, name: &str) -> Result<Carrier, Error> {
        Ok(Carrier { cookie: Some(checked("cookie", name)?), ..self })
    }

    /// Looks for a query parameter of this name.
    ///
    /// # Errors
    /// [`Error::CarrierName`].
    pub fn with_query(self, name: &str) -> Result<Carrier, Error> {
        Ok(Carrier { query: Some(checked("query parameter", name)?), ..self })
    }

    /// Takes the token off a request. `path_and_query` is the request target in origin-form, as received.
    ///
    /// The path prefix is lifted off the raw path; what remains is canonicalised, and only that is ever used.
    ///
    /// # Errors
    /// A [`CarrierFault`], to which a server answers 400. That a token is missing or bad is not one: that is
    /// for the gate to say.
    pub fn lift<'a>(
        &self,
        path_and_query: &'a str,
        headers: &'a HeaderMap,
    ) -> Result<Lifted<'a>, CarrierFault> {
        let (raw_path, raw_query) = match path_and_query.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path_and_query, None),
        };
        let (in_path, raw_path) = self.lift_path(raw_path)?;
        let path = CanonicalPath::parse(raw_path.as_bytes())?;
        if self.path.is_some() && self.path.as_deref() == path.segments().next() {
            return Err(CarrierFault::HiddenPrefix);
        }
        let (in_query, query) = self.lift_query(raw_query)?;
        let found = [
            (Transport::Path, in_path),
            (Transport::Header, self.find_bearer(headers)?),
            (Transport::Cookie, self.find_cookie(headers)?),
            (Transport::Query, in_query),
        ];
        let mut found =
            found.into_iter().filter_map(|(transport, token)| token.map(|token| (transport, token)));
        let first = found.next();
        if let Some((_, token)) = first {
            if token.is_empty() {
                return Err(CarrierFault::EmptyToken);
            }
            if found.any(|(_, other)| other != token) {
                return Err(CarrierFault::Conflict);
            }
        }
        let (transport, token) = first.unzip();
        Ok(Lifted { token, transport, path, query })
    }

    /// The request target for `path` with `token` in its path prefix; `None` when that transport is off.
    #[must_use]
    pub fn url_path(&self, token: &Token, path: &CanonicalPath<'_>) -> Option<String> {
        self.path.as_ref().map(|name| format!("/{name}/{}{}", token.as_str(), path.encoded()))
    }

    fn lift_path<'a>(&self, raw: &'a str) -> Result<(Option<&'a str>, &'a str), CarrierFault> {
        let Some(name) = &self.path else { return Ok((None, raw)) };
        let Some(behind) = raw.strip_prefix('/').and_then(|raw| raw.strip_prefix(&**name)) else {
            return Ok((None, raw));
        };
        let Some(behind) = behind.strip_prefix('/') else { return Ok((None, raw)) };
        match behind.find('/').map(|end| behind.split_at(end)) {
            // A reader that does not know the prefix would resolve this away, and us with it.
            Some((token, _)) if is_dot_segment(token) => Err(CarrierFault::Path(PathFault::DotSegment)),
            Some((token, path)) => Ok((Some(token), path)),
            None => Err(CarrierFault::NoPath),
        }
    }

    /// The token, and the query without it.
    fn lift_query<'a>(
        &self,
        raw: Option<&'a str>,
    ) -> Result<(Option<&'a str>, Option<Cow<'a, str>>), CarrierFault> {
        let Some(raw) = raw else { return Ok((None, None)) };
        if raw.len() > Self::MAX_QUERY {
            return Err(CarrierFault::TooLong);
        }
        if raw.contains('#') {
            return Err(CarrierFault::Fragment);
        }
        let Some(name) = self.query.as_deref() else { return Ok((None, Some(Cow::Borrowed(raw)))) };
        let mut token = None;
        for parameter in raw.split('&') {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            if key == name {
                if token.replace(value).is_some() {
                    return Err(CarrierFault::Duplicate);
                }
            } else if decodes_to(key, name) {
                return Err(CarrierFault::EncodedName);
            }
        }
        if token.is_none() {
            return Ok((None, Some(Cow::Borrowed(raw))));
        }
        let is_token = |parameter: &str| parameter.split('=').next() == Some(name);
        let rest: Vec<&str> = raw.split('&').filter(|parameter| !is_token(parameter)).collect();
        Ok((token, (!rest.is_empty()).then(|| Cow::Owned(rest.join("&")))))
    }

    fn find_bearer<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, CarrierFault> {
        if !self.bearer {
            return Ok(None);
        }
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(CarrierFault::Duplicate);
        }
        let text = field.to_str().map_err(|_| CarrierFault::BadHeader)?;
        let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
        if !scheme.eq_ignore_ascii_case("bearer") {
            // Credentials of another scheme are for someone else.
            return Ok(None);
        }
        let token = token.trim_matches(' ');
        // `b64token` of RFC 6750 §2.1; a comma would be a second field joined to the first.
        match token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)) {
            true => Ok(Some(token)),
            false => Err(CarrierFault::BadHeader),
        }
    }

    fn find_cookie<'a>(&self, headers: &'a HeaderMap) -> Result<Option<&'a str>, CarrierFault> {
        let Some(name) = self.cookie.as_deref() else { return Ok(None) };
        let mut token = None;
        // HTTP/2 may cut the cookies into several fields (RFC 9113 §8.2.3).
        for field in headers.get_all(COOKIE) {
            if field.len() > Self::MAX_COOKIE {
                return Err(CarrierFault::TooLong);
            }
            // Cookies of other applications on the domain may hold any bytes.
            for pair in field.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
                let Some(value) = pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
                else {
                    continue;
                };
                let value = std::str::from_utf8(value).map_err(|_| CarrierFault::BadHeader)?;
                if token.replace(value).is_some() {
                    return Err(CarrierFault::Duplicate);
                }
            }
        }
        Ok(token)
    }
}

/// A request without its token.
#[derive(Clone, PartialEq, Eq)]
pub struct Lifted<'a> {
    /// The token, not verified and of any content. Never empty.
    pub token: Option<&'a str>,
    /// Where the token was; the first of several places in the order of [`Transport`].
    pub transport: Option<Transport>,
    /// The one path, for gate, cache and upstream alike.
    pub path: CanonicalPath<'a>,
    /// The query as received, without the token's parameter. `None` when there was none, or nothing else in
    /// it.
    pub query: Option<Cow<'a, str>>,
}

impl fmt::Debug for Lifted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lifted")
            .field("transport", &self.transport)
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// Where a token was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// In the path prefix.
    Path,
    /// In the `Authorization` header.
    Header,
    /// In a cookie.
    Cookie,
    /// In a query parameter.
    Query,
}

fn checked(transport: &'static str, name: &str) -> Result<Box<str>, Error> {
    check_label(name, 32).map_err(|found| Error::CarrierName { transport, found })?;
    Ok(name.into())
}

/// Whether a reader that decodes `key` takes it for `name`. `name` is ASCII and holds nothing that is
/// decoded.
fn decodes_to(key: &str, name: &str) -> bool {
    key.contains(['%', '+', ' ']) && decode_leniently(key.as_bytes()).trim_ascii() == name.as_bytes()
}

/// Whether some reader takes `segment` for `.` or `..`; `%2e%2e` is the longest that is.
fn is_dot_segment(segment: &str) -> bool {
    segment.len() <= 6 && matches!(&*decode_leniently(segment.as_bytes()), b"." | b"..")
}

/// Percent-decoding as a forgiving reader does it: `+` is a space, a bad escape stays as it is.
fn decode_leniently(coded: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(coded.len());
    let mut rest = coded;
    while let [first, behind @ ..] = rest {
        rest = behind;
        match (first, behind) {
            (b'%', [high, low, behind @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = behind;
                }
                _ => out.push(b'%'),
            },
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(*byte),
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests;
