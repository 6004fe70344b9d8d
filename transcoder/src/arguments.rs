//! An argument vector that grows.

use std::ffi::OsString;

/// What a tool is called with, without the program's name.
#[derive(Debug, Default)]
pub(crate) struct Arguments(pub(crate) Vec<OsString>);

impl Arguments {
    /// One argument, whatever is in it.
    pub(crate) fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    /// Several, with a blank between two.
    pub(crate) fn words(&mut self, words: &str) -> &mut Self {
        self.0.extend(words.split(' ').map(OsString::from));
        self
    }
}
