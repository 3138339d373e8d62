//! The ids that stand in URLs and name rows: unpredictable, and sorted by the time they were made.
//!
//! An id is 16 bytes: four bytes of the second in which it was made, then 96 random bits. The random part makes URLs unguessable
//! (RFC 8555 §10.5). The time in front lets a B-tree append instead of writing to a random page for each new row, and tells later
//! which time-partition of a table a row lives in. In text it is 32 lower-case hexadecimal digits: letters and digits alone, since
//! some clients' patterns for URLs allow nothing else, and the same text finds the row in a database shell.

use std::fmt;
use std::str::FromStr;

use crate::random::{Random, bytes};
use crate::time::Timestamp;

/// Octets in an id.
const LENGTH: usize = 16;

/// The text was not an id: not 32 lower-case hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 lower-case hexadecimal digits")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; LENGTH]);

        impl $name {
            /// A new id, unlike any other.
            pub fn new(now: Timestamp, random: &dyn Random) -> Self {
                Self(make(now, random))
            }

            /// The id that was stored as these bytes.
            pub const fn from_bytes(bytes: [u8; LENGTH]) -> Self {
                Self(bytes)
            }

            /// The bytes to store.
            pub const fn as_bytes(&self) -> &[u8; LENGTH] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(f, &self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text).map(Self)
            }
        }
    };
}

id! {
    /// Names an [`Account`](crate::Account).
    AccountId
}
id! {
    /// Names an [`Order`](crate::Order).
    OrderId
}
id! {
    /// Names an [`Authorization`](crate::Authorization).
    AuthorizationId
}
id! {
    /// Names a process that works on orders and authorizations, from its start to its end: a registration authority. What it
    /// works on bears its id, so that others leave that alone while it lives.
    WorkerId
}

id! {
    /// Names an [`Incident`](crate::Incident).
    IncidentId
}

fn make(now: Timestamp, random: &dyn Random) -> [u8; LENGTH] {
    let mut id: [u8; LENGTH] = bytes(random);
    // The low 32 bits of the Unix time: it wraps in 2106, and nothing reads it back but the order of rows.
    let [_, _, _, _, time @ ..] = now.unix().to_be_bytes();
    id.iter_mut().zip(time).for_each(|(to, from)| *to = from);
    id
}

pub(crate) fn write_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// Exactly `N` octets in lower-case hexadecimal.
pub(crate) fn parse_hex<const N: usize>(text: &str) -> Result<[u8; N], IdError> {
    let mut out = [0; N];
    if text.len() != 2 * N {
        return Err(IdError);
    }
    for (byte, pair) in out.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit - b'0',
                b'a'..=b'f' => digit - b'a' + 10,
                _ => return Err(IdError),
            };
            *byte = *byte << 4 | value;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn ids_survive_their_text_form() {
        let id = OrderId::new(Timestamp::from_unix(0x6543_2100), &SeededRandom::new(7));
        assert!(id.to_string().starts_with("65432100"));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn ids_of_one_second_differ() {
        let random = SeededRandom::new(7);
        let now = Timestamp::from_unix(5);
        assert_ne!(AccountId::new(now, &random), AccountId::new(now, &random));
    }

    #[test]
    fn only_the_exact_text_form_is_an_id() {
        for text in ["", "00", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(text.parse::<OrderId>(), Err(IdError), "{text}");
        }
    }
}
