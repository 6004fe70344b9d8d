//! Walking a TOML document so that every fault of it is found, each with its line.
//!
//! Deserialising would stop at the first fault. Here each section is asked for its keys one by one; a
//! value that is wrong leaves a fault behind and the default in its place, so that the walk goes on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, meant};
use super::{ByteSize, Span};

/// A document, what was asked of it, and its faults.
#[derive(Debug)]
pub(super) struct Document<'i> {
    text: &'i str,
    table: DeTable<'i>,
    syntax: Vec<Fault>,
    faults: RefCell<Vec<Fault>>,
    asked: RefCell<BTreeMap<&'static str, Vec<&'static str>>>,
}

/// One section of a document; it may be absent, then every key of it is.
#[derive(Debug)]
pub(super) struct Section<'d, 'i> {
    document: &'d Document<'i>,
    name: &'static str,
    line: usize,
    table: Option<&'d DeTable<'i>>,
}

impl<'i> Document<'i> {
    /// Parses what can be parsed; faults of syntax are kept with the others.
    pub(super) fn new(text: &'i str) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let fault = |error: &toml::de::Error| Fault {
            line: line_of(text, error.span()),
            key: String::new(),
            what: format!("not TOML: {}", error.message().trim()),
        };
        let mut syntax: Vec<Fault> = errors.iter().map(fault).collect();
        // The parser may say more than one thing about one line; the first is the cause.
        syntax.dedup_by_key(|fault| fault.line);
        Self {
            text,
            table: table.into_inner(),
            syntax,
            faults: RefCell::default(),
            asked: RefCell::default(),
        }
    }

    /// A section by its name.
    pub(super) fn section<'d>(&'d self, name: &'static str) -> Section<'d, 'i> {
        self.asked.borrow_mut().entry(name).or_default();
        let entry = self.table.get_key_value(name);
        let line = entry.map_or(1, |(key, _)| line_of(self.text, Some(key.span())));
        let table = entry.and_then(|(_, value)| match value.get_ref().as_table() {
            Some(table) => Some(table),
            None => {
                self.fault(line, name, format!("expected a section, found {}", value.get_ref().type_str()));
                None
            }
        });
        Section { document: self, name, line, table }
    }

    /// Whether a section stands in the document.
    pub(super) fn has(&self, name: &str) -> bool {
        self.table.contains_key(name)
    }

    /// Notes a fault.
    pub(super) fn fault(&self, line: usize, key: &str, what: impl Display) {
        self.faults.borrow_mut().push(Fault { line, key: key.to_owned(), what: what.to_string() });
    }

    /// All faults in the order of their lines, those of keys and sections that nobody asked for among them.
    pub(super) fn finish(self) -> Vec<Fault> {
        self.report_unknown();
        let broken: Vec<usize> = self.syntax.iter().map(|fault| fault.line).collect();
        // What a broken line should have said is not known: its syntax is its only fault.
        let mut faults = self.faults.into_inner();
        faults.retain(|fault| !broken.contains(&fault.line));
        faults.extend(self.syntax);
        faults.sort();
        faults.dedup();
        faults
    }

    /// Every key that was asked for, with its section.
    #[cfg(test)]
    pub(super) fn asked(&self) -> Vec<String> {
        let asked = self.asked.borrow();
        asked
            .iter()
            .flat_map(|(section, keys)| keys.iter().map(move |key| format!("{section}.{key}")))
            .collect()
    }

    fn report_unknown(&self) {
        let asked = self.asked.borrow();
        for (name, value) in &self.table {
            let line = line_of(self.text, Some(name.span()));
            let name = name.get_ref().as_ref();
            let Some(keys) = asked.get(name) else {
                let what = match meant(name, asked.keys().copied()) {
                    Some(section) => format!("unknown section; did you mean [{section}]?"),
                    None if !value.get_ref().is_table() => "a key outside of all sections".to_owned(),
                    None => "unknown section".to_owned(),
                };
                self.fault(line, name, what);
                continue;
            };
            for (key, _) in value.get_ref().as_table().into_iter().flatten() {
                let line = line_of(self.text, Some(key.span()));
                let key = key.get_ref().as_ref();
                if !keys.contains(&key) {
                    self.fault(line, &format!("{name}.{key}"), unknown_key(key, keys, &asked));
                }
            }
        }
    }
}

impl<'d, 'i> Section<'d, 'i> {
    /// The line of a key; where it is absent, that of the section.
    pub(super) fn line(&self, key: &str) -> usize {
        let entry = self.table.and_then(|table| table.get_key_value(key));
        entry.map_or(self.line, |(key, _)| line_of(self.document.text, Some(key.span())))
    }

    /// Whether a key stands in the section, right or wrong.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.contains_key(key))
    }

    /// Notes a fault of the section as a whole.
    pub(super) fn whole(&self, what: impl Display) {
        self.document.fault(self.line, self.name, what);
    }

    /// Notes a fault of a key.
    pub(super) fn fault(&self, key: &str, what: impl Display) {
        self.document.fault(self.line(key), &format!("{}.{key}", self.name), what);
    }

    /// A key that must stand there.
    pub(super) fn missing(&self, key: &str, what: impl Display) {
        // In a broken document a key may only look absent.
        if self.document.syntax.is_empty() {
            self.fault(key, what);
        }
    }

    /// The value of `key` as `read` makes it, or `None` where the key is absent or wrong.
    pub(super) fn take<T, E: Display>(
        &self,
        key: &'static str,
        read: impl FnOnce(&DeValue<'i>) -> Result<T, E>,
    ) -> Option<T> {
        self.document.asked.borrow_mut().entry(self.name).or_default().push(key);
        let value: &Spanned<DeValue<'i>> = self.table?.get(key)?;
        match read(value.get_ref()) {
            Ok(value) => Some(value),
            Err(what) => {
                self.fault(key, what);
                None
            }
        }
    }

    /// A string, put through `read`.
    pub(super) fn text<T, E: Display>(
        &self,
        key: &'static str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.take(key, |value| read(string(value)?).map_err(|fault| fault.to_string()))
    }

    /// `true` or `false`.
    pub(super) fn switch(&self, key: &'static str) -> Option<bool> {
        self.take(key, |value| value.as_bool().ok_or_else(|| expected("true or false", value)))
    }

    /// A size within bounds.
    pub(super) fn size(&self, key: &'static str, bounds: RangeInclusive<ByteSize>) -> Option<ByteSize> {
        self.text(key, |text| within(text.parse::<ByteSize>().map_err(|fault| fault.to_string())?, bounds))
    }

    /// A span of time within bounds.
    pub(super) fn span(&self, key: &'static str, bounds: RangeInclusive<Span>) -> Option<Span> {
        self.text(key, |text| within(text.parse::<Span>().map_err(|fault| fault.to_string())?, bounds))
    }

    /// A whole number of a range.
    pub(super) fn number(&self, key: &'static str, range: Range<u64>) -> Option<u64> {
        self.take(key, |value| {
            let wish = format!("a whole number from {} to {}", range.start, range.end.saturating_sub(1));
            let number = value.as_integer().ok_or_else(|| expected(&wish, value))?;
            let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
            parsed.filter(|found| range.contains(found)).ok_or_else(|| expected(&wish, value))
        })
    }
}

fn within<T: PartialOrd + Display>(found: T, bounds: RangeInclusive<T>) -> Result<T, String> {
    match bounds.contains(&found) {
        true => Ok(found),
        false => Err(format!("expected {} to {}, found {found}", bounds.start(), bounds.end())),
    }
}

/// The string in a value.
pub(super) fn string<'v>(value: &'v DeValue<'_>) -> Result<&'v str, String> {
    value.as_str().ok_or_else(|| expected("a string in quotes", value))
}

/// `expected a thing, found integer 7`.
pub(super) fn expected(wish: &str, found: &DeValue<'_>) -> String {
    match found {
        DeValue::Integer(number) => format!("expected {wish}, found {}", number.as_str()),
        DeValue::Float(number) => format!("expected {wish}, found {}", number.as_str()),
        DeValue::Boolean(value) => format!("expected {wish}, found {value}"),
        other => format!("expected {wish}, found {}", article(other.type_str())),
    }
}

fn article(kind: &str) -> String {
    match kind.starts_with(['a', 'e', 'i', 'o', 'u']) {
        true => format!("an {kind}"),
        false => format!("a {kind}"),
    }
}

fn unknown_key(
    key: &str,
    keys: &[&'static str],
    asked: &BTreeMap<&'static str, Vec<&'static str>>,
) -> String {
    if let Some(meant) = meant(key, keys.iter().copied()) {
        return format!("unknown key; did you mean {meant}?");
    }
    match asked.iter().find(|(_, keys)| keys.contains(&key)) {
        Some((section, _)) => format!("unknown key; it belongs to [{section}]"),
        None => format!("unknown key; known: {}", keys.join(", ")),
    }
}

/// The line, from 1, that a span starts on.
fn line_of(text: &str, span: Option<Range<usize>>) -> usize {
    let start = span.map_or(0, |span| span.start.min(text.len()));
    text.bytes().take(start).filter(|&byte| byte == b'\n').count() + 1
}
