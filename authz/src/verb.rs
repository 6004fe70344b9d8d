//! What a grant lets its holder do.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// One thing that can be done with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Read playlists and media.
    Play,
    /// Send media.
    Publish,
    /// Change or end what is there.
    Manage,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 3] = [Verb::Play, Verb::Publish, Verb::Manage];

    /// The verb as it is written in configurations and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Play => "play",
            Verb::Publish => "publish",
            Verb::Manage => "manage",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Verb::Play => 1,
            Verb::Publish => 2,
            Verb::Manage => 4,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verb {
    type Err = Error;

    fn from_str(text: &str) -> Result<Verb, Error> {
        Verb::ALL.into_iter().find(|verb| verb.as_str() == text).ok_or(Error::Verb)
    }
}

/// A set of verbs. On the wire it is a number: 1 play, 2 publish, 4 manage, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct VerbSet(u8);

impl VerbSet {
    /// The set of these verbs.
    #[must_use]
    pub fn of(verbs: &[Verb]) -> VerbSet {
        verbs.iter().copied().collect()
    }

    /// The set with this wire form; `None` when it has a bit that no verb has.
    pub(crate) fn from_bits(bits: u64) -> Option<VerbSet> {
        let bits = u8::try_from(bits).ok()?;
        (bits & !Self::of(&Verb::ALL).0 == 0).then_some(VerbSet(bits))
    }

    /// The wire form.
    #[must_use]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether `verb` is in the set.
    #[must_use]
    pub fn contains(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    /// Whether no verb is in the set.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The verbs of the set, in the order of [`Verb::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Verb> {
        Verb::ALL.into_iter().filter(move |verb| self.contains(*verb))
    }
}

impl FromIterator<Verb> for VerbSet {
    fn from_iter<I: IntoIterator<Item = Verb>>(verbs: I) -> VerbSet {
        VerbSet(verbs.into_iter().fold(0, |bits, verb| bits | verb.bit()))
    }
}

impl From<Verb> for VerbSet {
    fn from(verb: Verb) -> VerbSet {
        VerbSet(verb.bit())
    }
}

impl fmt::Display for VerbSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, verb) in self.iter().enumerate() {
            write!(f, "{}{verb}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verb_is_read_as_it_is_written() {
        for verb in Verb::ALL {
            assert_eq!(verb.as_str().parse(), Ok(verb));
        }
        assert_eq!("Play".parse::<Verb>(), Err(Error::Verb));
    }

    #[test]
    fn a_set_holds_what_was_put_in_and_no_unknown_bit() {
        for bits in 0..=255 {
            match VerbSet::from_bits(bits) {
                Some(set) => assert_eq!(u64::from(set.iter().collect::<VerbSet>().bits()), bits),
                None => assert!(bits > 7),
            }
        }
        assert_eq!(VerbSet::from_bits(257), None);
        assert_eq!(VerbSet::of(&[Verb::Manage, Verb::Play]).to_string(), "play,manage");
    }
}
