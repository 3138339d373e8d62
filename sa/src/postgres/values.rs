//! What is said to the server and what it says, in PostgreSQL's binary form: a statement's parameters, and the columns of its rows.
//!
//! Parameters are written at once as they are sent, in the caller's own task; rows are read there too. What carries them
//! ([`super::session`]) only moves bytes.

use std::ops::Range;

use bytes::{BufMut, Bytes};

use crate::error::DbError;

/// The number by which the server knows a type, `pg_type.oid`: those of its own types never change.
pub(super) type Oid = u32;

/// How a value that is absent is announced, where its length would stand.
const NULL: i32 = -1;

/// The values of a statement's parameters, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters {
    types: Vec<Oid>,
    /// Each with its length in front.
    values: Vec<u8>,
}

impl Parameters {
    /// Of a statement that has none.
    pub(super) const NONE: Self = Self { types: Vec::new(), values: Vec::new() };

    /// Adds the next one.
    pub(super) fn add<T: Parameter>(&mut self, value: T) -> Result<(), DbError> {
        self.types.push(T::OID);
        write(&value, &mut self.values)
    }

    /// Their types, which the server is told when it prepares the statement.
    pub(super) fn types(&self) -> &[Oid] {
        &self.types
    }

    /// Their values, as they are sent.
    pub(super) fn values(&self) -> &[u8] {
        &self.values
    }
}

/// The values of a statement's parameters, in their order.
macro_rules! arguments {
    ($($value:expr),+ $(,)?) => {{
        let mut arguments = crate::postgres::values::Parameters::default();
        $(arguments.add($value)?;)+
        arguments
    }};
}
pub(super) use arguments;

/// A value that a statement can be given.
pub(super) trait Parameter {
    /// Its type, and the type of an array of such.
    const OID: Oid;
    const ARRAY: Oid;

    /// Whether there is none.
    fn is_null(&self) -> bool {
        false
    }

    /// Its bytes.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError>;
}

/// Writes a value with its length in front.
fn write(value: &impl Parameter, out: &mut Vec<u8>) -> Result<(), DbError> {
    let start = out.len();
    out.put_i32(NULL);
    if value.is_null() {
        return Ok(());
    }
    let content = out.len();
    value.write(out)?;
    let length = length(out.len() - content)?;
    if let Some(place) = out.get_mut(start..content) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

fn length(length: usize) -> Result<i32, DbError> {
    i32::try_from(length).map_err(|_| DbError::Misuse("a value is too long"))
}

/// Types whose bytes are written as they stand.
macro_rules! parameters {
    ($($type:ty = $oid:literal in $array:literal: |$value:ident| $bytes:expr;)*) => {$(
        impl Parameter for $type {
            const OID: Oid = $oid;
            const ARRAY: Oid = $array;

            fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
                let $value = self;
                out.extend_from_slice($bytes);
                Ok(())
            }
        }
    )*};
}

parameters! {
    bool = 16 in 1000: |flag| &[u8::from(*flag)];
    i16 = 21 in 1005: |number| &number.to_be_bytes();
    i32 = 23 in 1007: |number| &number.to_be_bytes();
    i64 = 20 in 1016: |number| &number.to_be_bytes();
    f64 = 701 in 1022: |number| &number.to_be_bytes();
    str = 25 in 1009: |text| text.as_bytes();
    String = 25 in 1009: |text| text.as_bytes();
    [u8] = 17 in 1001: |octets| octets;
    Vec<u8> = 17 in 1001: |octets| octets;
}

impl<const N: usize> Parameter for [u8; N] {
    const OID: Oid = <[u8]>::OID;
    const ARRAY: Oid = <[u8]>::ARRAY;

    fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
        self.as_slice().write(out)
    }
}

impl<T: Parameter + ?Sized> Parameter for &T {
    const OID: Oid = T::OID;
    const ARRAY: Oid = T::ARRAY;

    fn is_null(&self) -> bool {
        T::is_null(self)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
        T::write(self, out)
    }
}

impl<T: Parameter> Parameter for Option<T> {
    const OID: Oid = T::OID;
    const ARRAY: Oid = T::ARRAY;

    fn is_null(&self) -> bool {
        self.as_ref().is_none_or(T::is_null)
    }

    fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
        self.as_ref().map_or(Ok(()), |value| value.write(out))
    }
}

/// An array of one dimension.
impl<T: Parameter> Parameter for Vec<T> {
    const OID: Oid = T::ARRAY;
    /// PostgreSQL has no arrays of arrays.
    const ARRAY: Oid = 0;

    fn write(&self, out: &mut Vec<u8>) -> Result<(), DbError> {
        out.put_i32(i32::from(!self.is_empty()));
        out.put_i32(i32::from(self.iter().any(T::is_null)));
        out.put_u32(T::OID);
        if !self.is_empty() {
            out.put_i32(length(self.len())?);
            // The number of its first element.
            out.put_i32(1);
        }
        self.iter().try_for_each(|value| write(value, out))
    }
}

/// A row that a statement has given.
#[derive(Debug)]
pub(super) struct Row {
    content: Bytes,
    /// Where each column's value stands, if it has one.
    columns: Vec<Option<Range<usize>>>,
}

/// A column that is not what it is read as: the statement and the code that reads its rows do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {0} of a row is not of the type that it is read as, or is missing")]
pub(super) struct Unreadable(usize);

impl Row {
    pub(super) fn new(content: Bytes, columns: Vec<Option<Range<usize>>>) -> Self {
        Self { content, columns }
    }

    /// The value of a column, counted from 0.
    pub(super) fn try_get<'a, T: Column<'a>>(&'a self, column: usize) -> Result<T, Unreadable> {
        let place = self.columns.get(column).ok_or(Unreadable(column))?;
        let value = place.clone().map(|place| self.content.get(place).ok_or(Unreadable(column)));
        T::read(value.transpose()?).ok_or(Unreadable(column))
    }
}

/// A type that a column can be read as.
pub(super) trait Column<'a>: Sized {
    /// The value in these bytes, `None` for NULL; nothing if it is no value of this type.
    fn read(value: Option<&'a [u8]>) -> Option<Self>;
}

macro_rules! columns {
    ($($type:ty: |$value:ident| $read:expr;)*) => {$(
        impl<'a> Column<'a> for $type {
            fn read(value: Option<&'a [u8]>) -> Option<Self> {
                let $value = value?;
                $read
            }
        }
    )*};
}

columns! {
    bool: |value| <[u8; 1]>::try_from(value).ok().map(|[flag]| flag != 0);
    i16: |value| value.try_into().ok().map(Self::from_be_bytes);
    i32: |value| value.try_into().ok().map(Self::from_be_bytes);
    i64: |value| value.try_into().ok().map(Self::from_be_bytes);
    f64: |value| value.try_into().ok().map(Self::from_be_bytes);
    String: |value| std::str::from_utf8(value).ok().map(ToOwned::to_owned);
    &'a [u8]: |value| Some(value);
    Vec<u8>: |value| Some(value.to_vec());
}

impl<'a, const N: usize> Column<'a> for [u8; N] {
    fn read(value: Option<&'a [u8]>) -> Option<Self> {
        value?.try_into().ok()
    }
}

impl<'a, const N: usize> Column<'a> for Vec<[u8; N]> {
    fn read(value: Option<&'a [u8]>) -> Option<Self> {
        elements(value?)
    }
}

impl<'a, T: Column<'a>> Column<'a> for Option<T> {
    fn read(value: Option<&'a [u8]>) -> Option<Self> {
        if value.is_none() { Some(None) } else { T::read(value).map(Some) }
    }
}

/// The elements of an array of one dimension, none of them NULL.
fn elements<'a, T: Column<'a>>(mut array: &'a [u8]) -> Option<Vec<T>> {
    let dimensions = number(&mut array)?;
    let (_nulls, _type) = (number(&mut array)?, number(&mut array)?);
    if dimensions == 0 {
        return Some(Vec::new());
    }
    let (count, _first) = (number(&mut array)?, number(&mut array)?);
    let element = |_| {
        let length = usize::try_from(number(&mut array)?).ok()?;
        let (element, rest) = array.split_at_checked(length)?;
        array = rest;
        T::read(Some(element))
    };
    let elements = (0..count).map(element).collect::<Option<Vec<_>>>()?;
    (dimensions == 1 && array.is_empty()).then_some(elements)
}

fn number(from: &mut &[u8]) -> Option<i32> {
    let (number, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(i32::from_be_bytes(*number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(values: &Parameters) -> Row {
        let (mut columns, mut place) = (Vec::new(), 0);
        let mut left = values.values();
        while let Some(length) = number(&mut left) {
            place += 4;
            let Ok(length) = usize::try_from(length) else {
                columns.push(None);
                continue;
            };
            columns.push(Some(place..place + length));
            (left, place) = (&left[length..], place + length);
        }
        Row::new(Bytes::copy_from_slice(values.values()), columns)
    }

    fn written() -> Result<Parameters, DbError> {
        Ok(arguments!(
            true,
            -2_i16,
            i64::MAX,
            "text",
            [7_u8; 3],
            None::<i64>,
            vec![[1_u8; 2], [2; 2]],
            Vec::<[u8; 2]>::new(),
            Some(String::new()),
        ))
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let written = written().unwrap();
        assert_eq!(written.types(), [16, 21, 20, 25, 17, 20, 1001, 1001, 25]);
        let row = row(&written);
        assert_eq!(row.try_get(0), Ok(true));
        assert_eq!(row.try_get(1), Ok(-2_i16));
        assert_eq!(row.try_get(2), Ok(i64::MAX));
        assert_eq!(row.try_get(3), Ok("text".to_owned()));
        assert_eq!(row.try_get(4), Ok(&[7_u8; 3][..]));
        assert_eq!(row.try_get(5), Ok(None::<i64>));
        assert_eq!(row.try_get(6), Ok(vec![[1_u8; 2], [2; 2]]));
        assert_eq!(row.try_get(7), Ok(Vec::<[u8; 2]>::new()));
        assert_eq!(row.try_get(8), Ok(Some(String::new())));
    }

    #[test]
    fn what_is_of_another_type_or_missing_is_not_read() {
        let row = row(&written().unwrap());
        assert_eq!(row.try_get::<i64>(1), Err(Unreadable(1)));
        assert_eq!(row.try_get::<i64>(5), Err(Unreadable(5)), "NULL is no number");
        assert_eq!(row.try_get::<Vec<[u8; 3]>>(6), Err(Unreadable(6)));
        assert_eq!(row.try_get::<Vec<[u8; 2]>>(3), Err(Unreadable(3)));
        assert_eq!(row.try_get::<bool>(9), Err(Unreadable(9)));
    }

    #[test]
    fn an_array_that_ends_early_is_not_read() {
        let written = written().unwrap();
        let row = row(&written);
        let array: &[u8] = row.try_get(6).unwrap();
        for end in 0..array.len() {
            assert!(elements::<[u8; 2]>(&array[..end]).is_none(), "{end}");
        }
    }
}
