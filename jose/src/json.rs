//! Reading a stranger's JSON object without copying it, and without serde's two leniencies.
//!
//! A derived `Deserialize` would take an array for a struct, element by element, and would take `null` for a
//! missing member. Neither is the JSON object that RFC 7515 §7.2.2 and RFC 7517 §4 describe. Duplicate
//! members are refused by the derived code itself (RFC 7515 §4 demands unique header parameter names).

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A `T` that is written as a JSON object and as nothing else.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                T::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// A member of an object that should be a string.
///
/// It takes any value, so that the reader of the object can say in its own words which member is wrong, and
/// so that a member which must not be there is found whatever its value, `null` included.
#[derive(Default)]
pub(crate) enum Member<'a> {
    /// The object has no such member.
    #[default]
    Absent,
    /// A string; borrowed from the input unless it was written with escapes.
    Text(Cow<'a, str>),
    /// A value of any other type, not kept.
    Other,
}

impl<'a> Member<'a> {
    /// Whether the object has this member, of whatever type.
    pub(crate) fn is_present(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// The string, or nothing if the member is absent; a member of another type is the error.
    pub(crate) fn text(self) -> Result<Option<Cow<'a, str>>, NotAString> {
        match self {
            Self::Absent => Ok(None),
            Self::Text(text) => Ok(Some(text)),
            Self::Other => Err(NotAString),
        }
    }
}

/// A member is there, and is not a string.
pub(crate) struct NotAString;

impl<'de: 'a, 'a> Deserialize<'de> for Member<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MemberVisitor;

        impl<'de> Visitor<'de> for MemberVisitor {
            type Value = Member<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Member::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Member::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
                Ok(Member::Other)
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
                Ok(Member::Other)
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
                Ok(Member::Other)
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
                Ok(Member::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
                Ok(Member::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                IgnoredAny.visit_seq(seq).map(|_| Member::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                IgnoredAny.visit_map(map).map(|_| Member::Other)
            }
        }

        deserializer.deserialize_any(MemberVisitor)
    }
}

/// As much of a stranger's text as an error message quotes.
///
/// Error details go back to the client and into logs; neither shall repeat a whole request.
pub(crate) fn shortened(text: &str) -> String {
    /// Longer than every registered name and every sentence of serde_json's own.
    const QUOTED_CHARS: usize = 80;

    match text.char_indices().nth(QUOTED_CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.split_at(end).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, Default)]
    #[serde(default)]
    struct Pair<'a> {
        #[serde(borrow)]
        left: Member<'a>,
        right: Member<'a>,
    }

    fn pair(json: &str) -> Result<Pair<'_>, serde_json::Error> {
        serde_json::from_str::<Object<Pair<'_>>>(json).map(|object| object.0)
    }

    #[test]
    fn an_array_is_not_an_object() {
        assert!(pair(r#"["a","b"]"#).is_err());
        assert!(pair(r#"{"left":"a","right":"b"}"#).is_ok());
    }

    #[test]
    fn a_null_member_is_present_and_no_string() {
        let pair = pair(r#"{"left":null}"#).unwrap();
        assert!(pair.left.is_present());
        assert!(pair.left.text().is_err());
        assert!(!pair.right.is_present());
    }

    #[test]
    fn a_member_of_any_type_can_be_read() {
        for value in ["1", "-1", "1.5", "true", "null", "[[1],{}]", r#"{"a":[{}]}"#] {
            let json = format!(r#"{{"left":{value},"right":"x"}}"#);
            let pair = pair(&json).unwrap();
            assert!(matches!(pair.left, Member::Other), "{value}");
            assert!(matches!(pair.right, Member::Text(Cow::Borrowed("x"))), "{value}");
        }
    }

    #[test]
    fn a_duplicate_member_is_refused() {
        assert!(pair(r#"{"left":"a","left":"a"}"#).is_err());
    }

    #[test]
    fn escapes_are_resolved() {
        let pair = pair(r#"{"left":"\u0041b"}"#).unwrap();
        assert!(matches!(pair.left, Member::Text(Cow::Owned(text)) if text == "Ab"));
    }

    #[test]
    fn long_text_is_shortened_between_characters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"ü".repeat(1000)), "ü".repeat(80) + "…");
    }
}
