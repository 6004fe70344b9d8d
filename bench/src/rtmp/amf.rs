//! As much of AMF0 (Action Message Format, 2007) as a publisher says.

/// A value.
pub(super) enum Value<'a> {
    Number(f64),
    Text(&'a str),
    Null,
    Object(&'a [(&'a str, &'a str)]),
}

/// Values one after another, as they stand in a command.
pub(super) fn write(values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in values {
        match value {
            Value::Number(number) => {
                out.push(NUMBER);
                out.extend_from_slice(&number.to_be_bytes());
            }
            Value::Text(text) => text_value(&mut out, text),
            Value::Null => out.push(NULL),
            Value::Object(fields) => {
                out.push(OBJECT);
                for (name, text) in *fields {
                    bare(&mut out, name);
                    text_value(&mut out, text);
                }
                out.extend_from_slice(&END);
            }
        }
    }
    out
}

/// The number at the front.
pub(super) fn number(bytes: &[u8]) -> Option<f64> {
    let digits = bytes.strip_prefix(&[NUMBER])?.first_chunk()?;
    Some(f64::from_be_bytes(*digits))
}

/// What follows a null.
pub(super) fn after_null(bytes: &[u8]) -> Option<&[u8]> {
    bytes.strip_prefix(&[NULL])
}

fn text_value(out: &mut Vec<u8>, text: &str) {
    out.push(TEXT);
    bare(out, text);
}

fn bare(out: &mut Vec<u8>, text: &str) {
    // What is said here is short.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&text.as_bytes()[..usize::from(length)]);
}

const NUMBER: u8 = 0;
const TEXT: u8 = 2;
const OBJECT: u8 = 3;
const NULL: u8 = 5;
const END: [u8; 3] = [0, 0, 9];
