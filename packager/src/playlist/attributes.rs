//! Attribute lists and numbers as playlists write them (RFC 8216bis §4.2).

use std::fmt::{Display, Write as _};

/// Writes one tag with its attribute list.
pub(crate) struct Attributes<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> Attributes<'a> {
    /// Starts `#<tag>:`.
    pub(crate) fn of(out: &'a mut String, tag: &str) -> Self {
        out.push('#');
        out.push_str(tag);
        out.push(':');
        Self { out, first: true }
    }

    /// A number or an enumerated string.
    pub(crate) fn bare(mut self, name: &str, value: impl Display) -> Self {
        self.name(name);
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{value}");
        self
    }

    /// A quoted string. Quotes and line breaks, which no quoted string can hold, become apostrophes.
    pub(crate) fn quoted(mut self, name: &str, value: &str) -> Self {
        self.name(name);
        self.out.push('"');
        self.out.extend(value.chars().map(|c| if c == '"' || c.is_control() { '\'' } else { c }));
        self.out.push('"');
        self
    }

    /// Ends the line.
    pub(crate) fn end(self) {
        self.out.push('\n');
    }

    fn name(&mut self, name: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(',');
        }
        self.out.push_str(name);
        self.out.push('=');
    }
}

/// Appends a number. A playlist has thousands; the formatter of `std` would be most of its cost.
pub(crate) fn push_number(out: &mut String, number: u64) {
    let mut digits = [0u8; 20];
    let mut rest = number;
    let mut used = 0;
    for digit in digits.iter_mut().rev() {
        let value = (rest % 10) as u8;
        *digit = b'0' + value;
        rest /= 10;
        used += 1;
        if rest == 0 {
            break;
        }
    }
    let text = digits.get(digits.len() - used..).unwrap_or_default();
    out.push_str(std::str::from_utf8(text).unwrap_or("0"));
}

/// Appends microseconds as seconds with six decimals.
pub(crate) fn push_seconds(out: &mut String, micros: u64) {
    push_number(out, micros / 1_000_000);
    out.push('.');
    let mut unit = 100_000;
    for _ in 0..6 {
        push_number(out, micros / unit % 10);
        unit /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_are_printed_as_std_prints_them(number in any::<u64>()) {
            let mut out = String::new();
            push_number(&mut out, number);
            prop_assert_eq!(&out, &number.to_string());
            out.clear();
            push_seconds(&mut out, number);
            prop_assert_eq!(out, format!("{}.{:06}", number / 1_000_000, number % 1_000_000));
        }
    }

    #[test]
    fn a_quoted_string_cannot_be_broken_out_of() {
        let mut out = String::new();
        Attributes::of(&mut out, "EXT-X-MEDIA")
            .quoted("NAME", "a\",URI=\"x\n#EXT")
            .bare("DEFAULT", "YES")
            .end();
        assert_eq!(out, "#EXT-X-MEDIA:NAME=\"a',URI='x'#EXT\",DEFAULT=YES\n");
    }
}
