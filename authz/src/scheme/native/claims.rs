//! Claims as the native token carries them.
//!
//! ```text
//! map, keys ascending, each at most once
//!   1  expires      uint   seconds since 1970                        required
//!   2  not before   uint   less than `expires`
//!   3  verbs        uint   1 play + 2 publish + 4 manage, not 0      required
//!   4  resources    array of 1 to 32 texts, each a resource pattern  required
//!   5  subject      text   1 to 128 bytes, printable
//!   6  session      text   1 to 64 characters of A-Z a-z 0-9 _ -
//! ```
//!
//! A claim with another number makes the whole token worthless: it may be a restriction that this version
//! does not know.

use super::super::cbor::{self, Fault, Reader};
use crate::claims::check_times;
use crate::path::CanonicalPath;
use crate::scope::{self, ResourceGlob};
use crate::{Claims, Error, Scope, SessionId, Subject, UnixSeconds, VerbSet};

const EXPIRES: u64 = 1;
const NOT_BEFORE: u64 = 2;
const VERBS: u64 = 3;
const RESOURCES: u64 = 4;
const SUBJECT: u64 = 5;
const SESSION: u64 = 6;

/// Claims read in place. What [`Claims`] promises of its values holds for these as well.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    pub(crate) expires: UnixSeconds,
    pub(crate) not_before: Option<UnixSeconds>,
    pub(crate) verbs: VerbSet,
    resources: Resources<'a>,
    pub(crate) subject: Option<&'a str>,
    pub(crate) session: Option<&'a str>,
}

impl<'a> View<'a> {
    /// Reads claims.
    pub(crate) fn decode(bytes: &'a [u8]) -> Result<View<'a>, Error> {
        let mut reader = Reader::new(bytes);
        let (mut expires, mut not_before, mut verbs) = (None, None, None);
        let (mut resources, mut subject, mut session) = (None, None, None);
        let mut former = 0;
        for _ in 0..reader.map(6)? {
            let before = reader;
            let number = reader.uint()?;
            if number <= former {
                return Err(before.fault("claim numbers from 1 on, in ascending order").into());
            }
            former = number;
            match number {
                EXPIRES => expires = Some(UnixSeconds(reader.uint()?)),
                NOT_BEFORE => not_before = Some(UnixSeconds(reader.uint()?)),
                VERBS => verbs = Some(decode_verbs(&mut reader)?),
                RESOURCES => resources = Some(Resources::decode(&mut reader)?),
                SUBJECT => {
                    let text = reader.text(Subject::MAX_LEN)?;
                    Subject::check(text)?;
                    subject = Some(text);
                }
                SESSION => {
                    let text = reader.text(SessionId::MAX_LEN)?;
                    SessionId::check(text)?;
                    session = Some(text);
                }
                _ => return Err(Error::UnknownClaim { number }),
            }
        }
        reader.finish()?;
        let missing = |claim| move || Error::Claim { claim, expected: "a value", found: "none" };
        let expires = expires.ok_or_else(missing("expires"))?;
        check_times(expires, not_before)?;
        Ok(View {
            expires,
            not_before,
            verbs: verbs.ok_or_else(missing("verbs"))?,
            resources: resources.ok_or_else(missing("resources"))?,
            subject,
            session,
        })
    }

    /// Whether one of the resources covers `path`.
    pub(crate) fn covers(&self, path: &CanonicalPath<'_>) -> bool {
        self.resources.iter().any(|glob| scope::covers(glob, path))
    }

    /// The same claims, free of the bytes they were read from.
    pub(crate) fn to_claims(&self) -> Result<Claims, Error> {
        let resources = self.resources.iter().map(ResourceGlob::parse).collect::<Result<_, _>>()?;
        let mut claims = Claims::new(self.expires, Scope::new(self.verbs, resources)?)?;
        if let Some(not_before) = self.not_before {
            claims = claims.with_not_before(not_before)?;
        }
        if let Some(subject) = self.subject {
            claims = claims.with_subject(Subject::parse(subject)?);
        }
        if let Some(session) = self.session {
            claims = claims.with_session(SessionId::parse(session)?);
        }
        Ok(claims)
    }
}

/// An array of resource patterns that has been read through once, and can be again.
#[derive(Clone, Copy, Debug)]
struct Resources<'a> {
    count: usize,
    items: Reader<'a>,
}

impl<'a> Resources<'a> {
    fn decode(reader: &mut Reader<'a>) -> Result<Resources<'a>, Error> {
        let before = *reader;
        let count = reader.array(Scope::MAX_RESOURCES)?;
        if count == 0 {
            return Err(before.fault("at least one resource").into());
        }
        let items = *reader;
        for _ in 0..count {
            let glob = reader.text(ResourceGlob::MAX_LEN)?;
            scope::check(glob).map_err(|fault| Error::Glob { fault })?;
        }
        Ok(Resources { count, items })
    }

    fn iter(self) -> impl Iterator<Item = &'a str> {
        let mut items = self.items;
        // `decode` has read these very texts, so the reader fails on none of them.
        (0..self.count).map_while(move |_| items.text(ResourceGlob::MAX_LEN).ok())
    }
}

fn decode_verbs(reader: &mut Reader<'_>) -> Result<VerbSet, Fault> {
    let before = *reader;
    let verbs = VerbSet::from_bits(reader.uint()?).filter(|verbs| !verbs.is_empty());
    verbs.ok_or(before.fault("a sum of 1, 2 and 4"))
}

/// Writes claims.
pub(crate) fn encode(claims: &Claims) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    let optional = [claims.not_before().is_some(), claims.subject().is_some(), claims.session().is_some()];
    cbor::put_map(&mut out, optional.into_iter().filter(|present| *present).count().saturating_add(3));
    cbor::put_uint(&mut out, EXPIRES);
    cbor::put_uint(&mut out, claims.expires().0);
    if let Some(not_before) = claims.not_before() {
        cbor::put_uint(&mut out, NOT_BEFORE);
        cbor::put_uint(&mut out, not_before.0);
    }
    cbor::put_uint(&mut out, VERBS);
    cbor::put_uint(&mut out, claims.scope().verbs().bits().into());
    cbor::put_uint(&mut out, RESOURCES);
    cbor::put_array(&mut out, claims.scope().resources().len());
    for glob in claims.scope().resources() {
        cbor::put_text(&mut out, glob.as_str());
    }
    if let Some(subject) = claims.subject() {
        cbor::put_uint(&mut out, SUBJECT);
        cbor::put_text(&mut out, subject.as_str());
    }
    if let Some(session) = claims.session() {
        cbor::put_uint(&mut out, SESSION);
        cbor::put_text(&mut out, session.as_str());
    }
    out
}

#[cfg(test)]
mod tests;
