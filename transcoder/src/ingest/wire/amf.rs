//! AMF0, as far as commands need it: values read within bounds, and written.
//!
//! A value is read in one pass over a message that is already bounded. Depth and number of values are bounded as well,
//! a count is never believed, and references are refused: with them a kilobyte can stand for a gigabyte.

use bytes::{Buf, BufMut, BytesMut};

use crate::ingest::Fault;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ingest) enum Value {
    Number(f64),
    Boolean(bool),
    Text(String),
    /// An object or an associative array, as it came: a name may come twice.
    Object(Vec<(String, Value)>),
    Array(Vec<Value>),
    /// Null, undefined, and what the peer itself calls unsupported.
    Null,
}

impl Value {
    pub(in crate::ingest) fn object<const N: usize>(fields: [(&str, Value); N]) -> Self {
        Self::Object(fields.map(|(name, value)| (name.to_owned(), value)).into())
    }

    pub(in crate::ingest) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(in crate::ingest) fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// A field of an object.
    pub(in crate::ingest) fn field(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| known == name).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

/// Reads all values of a message.
///
/// # Errors
/// [`Fault::Message`].
pub(in crate::ingest) fn read(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
    let mut reader = Reader { rest: bytes, left: MAX_VALUES };
    let mut values = Vec::new();
    while !reader.rest.is_empty() {
        values.push(reader.value(0)?);
    }
    Ok(values)
}

/// The text at the beginning of a message, and what follows it.
pub(in crate::ingest) fn leading_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&TEXT, rest) = bytes.split_first()? else { return None };
    let (length, rest) = rest.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Writes values one after the other.
pub(in crate::ingest) fn write(values: &[Value]) -> BytesMut {
    let mut out = BytesMut::new();
    for value in values {
        put(&mut out, value);
    }
    out
}

struct Reader<'a> {
    rest: &'a [u8],
    /// How many values may still come.
    left: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, Fault> {
        self.left = self.left.checked_sub(1).ok_or(fault("fewer values"))?;
        if depth > MAX_DEPTH {
            return Err(fault("values nested less deeply"));
        }
        match self.rest.try_get_u8().map_err(|_| fault("a value"))? {
            NUMBER => Ok(Value::Number(self.rest.try_get_f64().map_err(|_| fault("a number"))?)),
            BOOLEAN => Ok(Value::Boolean(self.rest.try_get_u8().map_err(|_| fault("a boolean"))? != 0)),
            TEXT => Ok(Value::Text(self.short_text()?)),
            LONG_TEXT | XML => {
                let length = self.count()?;
                Ok(Value::Text(self.text(length)?))
            }
            OBJECT => self.fields(depth),
            ECMA_ARRAY => {
                // Encoders count as they like: the end marker decides.
                let _count = self.count()?;
                self.fields(depth)
            }
            TYPED_OBJECT => {
                let _class = self.short_text()?;
                self.fields(depth)
            }
            STRICT_ARRAY => {
                let count = self.count()?;
                // Each takes a byte at least.
                if count > self.rest.len() {
                    return Err(fault("as many values as are counted"));
                }
                (0..count).map(|_| self.value(depth + 1)).collect::<Result<_, _>>().map(Value::Array)
            }
            DATE => {
                let date = self.rest.try_get_f64().map_err(|_| fault("a date"))?;
                let _zone = self.rest.try_get_u16().map_err(|_| fault("a date"))?;
                Ok(Value::Number(date))
            }
            NULL | UNDEFINED | UNSUPPORTED => Ok(Value::Null),
            _ => Err(fault("a type of AMF0, without references")),
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Value, Fault> {
        let mut fields = Vec::new();
        loop {
            let name = self.short_text()?;
            if name.is_empty() && self.rest.first() == Some(&OBJECT_END) {
                self.rest.advance(1);
                return Ok(Value::Object(fields));
            }
            fields.push((name, self.value(depth + 1)?));
        }
    }

    fn count(&mut self) -> Result<usize, Fault> {
        let count = self.rest.try_get_u32().map_err(|_| fault("a count"))?;
        usize::try_from(count).map_err(|_| fault("a count"))
    }

    fn short_text(&mut self) -> Result<String, Fault> {
        let length = self.rest.try_get_u16().map_err(|_| fault("a text"))?;
        self.text(usize::from(length))
    }

    fn text(&mut self, length: usize) -> Result<String, Fault> {
        let (text, rest) = self.rest.split_at_checked(length).ok_or(fault("a text"))?;
        self.rest = rest;
        Ok(String::from_utf8_lossy(text).into_owned())
    }
}

fn put(out: &mut BytesMut, value: &Value) {
    match value {
        Value::Number(number) => {
            out.put_u8(NUMBER);
            out.put_f64(*number);
        }
        Value::Boolean(truth) => out.put_slice(&[BOOLEAN, u8::from(*truth)]),
        Value::Text(text) => {
            out.put_u8(TEXT);
            put_text(out, text);
        }
        Value::Object(fields) => {
            out.put_u8(OBJECT);
            for (name, value) in fields {
                put_text(out, name);
                put(out, value);
            }
            out.put_slice(&[0, 0, OBJECT_END]);
        }
        Value::Array(values) => {
            out.put_u8(STRICT_ARRAY);
            out.put_u32(u32::try_from(values.len()).unwrap_or(u32::MAX));
            values.iter().for_each(|value| put(out, value));
        }
        Value::Null => out.put_u8(NULL),
    }
}

/// What we write is short; a longer text is cut where a character ends.
fn put_text(out: &mut BytesMut, text: &str) {
    let text = &text.get(..text.floor_char_boundary(usize::from(u16::MAX))).unwrap_or_default();
    out.put_u16(u16::try_from(text.len()).unwrap_or(0));
    out.put_slice(text.as_bytes());
}

fn fault(expected: &'static str) -> Fault {
    Fault::Message { what: "amf0", expected }
}

/// Encoders nest two or three levels.
const MAX_DEPTH: usize = 16;
/// In one message. `onMetaData` of an encoder has about twenty.
const MAX_VALUES: usize = 2_048;

const NUMBER: u8 = 0x00;
const BOOLEAN: u8 = 0x01;
const TEXT: u8 = 0x02;
const OBJECT: u8 = 0x03;
const NULL: u8 = 0x05;
const UNDEFINED: u8 = 0x06;
const ECMA_ARRAY: u8 = 0x08;
const OBJECT_END: u8 = 0x09;
const STRICT_ARRAY: u8 = 0x0a;
const DATE: u8 = 0x0b;
const LONG_TEXT: u8 = 0x0c;
const UNSUPPORTED: u8 = 0x0d;
const XML: u8 = 0x0f;
const TYPED_OBJECT: u8 = 0x10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<f64>().prop_filter("equal to itself", |number| !number.is_nan()).prop_map(Value::Number),
            any::<bool>().prop_map(Value::Boolean),
            ".{0,8}".prop_map(Value::Text),
            Just(Value::Null),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((".{1,4}", inner), 0..4).prop_map(Value::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(values in prop::collection::vec(value(), 0..4)) {
            prop_assert_eq!(read(&write(&values)), Ok(values));
        }

        #[test]
        fn no_bytes_make_it_fail_otherwise_than_by_a_fault(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _either = read(&bytes);
        }
    }

    #[test]
    fn deep_nesting_ends_before_the_stack_does() {
        let bomb: Vec<u8> = [STRICT_ARRAY, 0, 0, 0, 1].repeat(12_000);
        assert_eq!(read(&bomb), Err(fault("values nested less deeply")));
        let bomb: Vec<u8> = [OBJECT, 0, 1, b'a'].repeat(16_000);
        assert_eq!(read(&bomb), Err(fault("values nested less deeply")));
    }

    #[test]
    fn a_count_is_not_believed() {
        assert_eq!(
            read(&[STRICT_ARRAY, 0xff, 0xff, 0xff, 0xff, NULL]),
            Err(fault("as many values as are counted"))
        );
        assert_eq!(read(&[LONG_TEXT, 0xff, 0xff, 0xff, 0xff, b'a']), Err(fault("a text")));
        let mut many = vec![STRICT_ARRAY, 0, 0, 0x10, 0];
        many.resize(5 + 0x1000, NULL);
        assert_eq!(read(&many), Err(fault("fewer values")));
        // An associative array whose count is wrong is as good as any.
        let array = [ECMA_ARRAY, 0, 0, 0, 9, 0, 1, b'a', NULL, 0, 0, OBJECT_END];
        assert_eq!(read(&array), Ok(vec![Value::object([("a", Value::Null)])]));
    }

    #[test]
    fn references_are_refused() {
        assert_eq!(
            read(&[OBJECT, 0, 0, OBJECT_END, 7, 0, 0]),
            Err(fault("a type of AMF0, without references"))
        );
    }
}
