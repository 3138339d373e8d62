//! Reading strictly what a peer sent: what must be there is there, and every value is one of ours. A message that is otherwise is
//! a fault between our own services, and the error names the field.

use cairn_core::{Error, Timestamp};

/// A message that no service of ours, of this version, sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a peer's message is not understood: {field} {fault}. Do all services run the same version?")]
pub struct BadMessage {
    /// The message and the field, as in the `.proto` files.
    field: &'static str,
    /// What is wrong with it.
    fault: &'static str,
}

pub(crate) type Read<T> = Result<T, BadMessage>;

impl BadMessage {
    pub(crate) const fn new(field: &'static str, fault: &'static str) -> Self {
        Self { field, fault }
    }
}

impl From<BadMessage> for Error {
    fn from(bad: BadMessage) -> Self {
        Self::internal("The services of this CA do not understand each other; try again later.", bad)
    }
}

/// A field that must be there.
pub(crate) fn present<T>(field: &'static str, value: Option<T>) -> Read<T> {
    value.ok_or(BadMessage::new(field, "is missing"))
}

/// A message in a field that must be there.
pub(crate) fn read<W, T: TryFrom<W, Error = BadMessage>>(field: &'static str, value: Option<W>) -> Read<T> {
    present(field, value)?.try_into()
}

/// A message in a field that may be absent.
pub(crate) fn maybe<W, T: TryFrom<W, Error = BadMessage>>(value: Option<W>) -> Read<Option<T>> {
    value.map(T::try_from).transpose()
}

/// The messages of a repeated field.
pub(crate) fn list<W, T: TryFrom<W, Error = BadMessage>>(values: Vec<W>) -> Read<Vec<T>> {
    values.into_iter().map(T::try_from).collect()
}

/// A repeated field with one value for each thing that was asked about.
pub(crate) fn one_for_each<Q, W>(field: &'static str, asked: &[Q], values: Vec<W>) -> Read<Vec<W>> {
    if values.len() == asked.len() {
        Ok(values)
    } else {
        Err(BadMessage::new(field, "are more or fewer than were asked for"))
    }
}

/// Messages for a repeated field.
pub(crate) fn wire<T, W: From<T>>(values: impl IntoIterator<Item = T>) -> Vec<W> {
    values.into_iter().map(W::from).collect()
}

/// Exactly `N` octets: ids, digests, tokens.
pub(crate) fn octets<const N: usize>(field: &'static str, value: &[u8]) -> Read<[u8; N]> {
    value.try_into().map_err(|_| BadMessage::new(field, "does not have the length that it must have"))
}

/// A time.
pub(crate) fn time(field: &'static str, value: Option<i64>) -> Read<Timestamp> {
    present(field, value).map(Timestamp::from_unix)
}

/// A value of an enum.
pub(crate) fn value<W: TryFrom<i32>, T: TryFrom<W, Error = BadMessage>>(
    field: &'static str,
    value: i32,
) -> Read<T> {
    W::try_from(value).map_err(|_| BadMessage::new(field, "has a value that is unknown here"))?.try_into()
}

/// Reads and writes an enum whose variants have the same names in core and in the `.proto` files. Both directions are exhaustive: a
/// variant that one side lacks does not compile.
macro_rules! same_names {
    ($ours:ident { $($variant:ident),* $(,)? }) => {
        impl From<$ours> for $crate::v1::$ours {
            fn from(ours: $ours) -> Self {
                match ours { $($ours::$variant => Self::$variant,)* }
            }
        }

        impl TryFrom<$crate::v1::$ours> for $ours {
            type Error = $crate::reading::BadMessage;

            fn try_from(wire: $crate::v1::$ours) -> Result<Self, Self::Error> {
                match wire {
                    $crate::v1::$ours::Unspecified => {
                        Err($crate::reading::BadMessage::new(stringify!($ours), "is unspecified"))
                    }
                    $($crate::v1::$ours::$variant => Ok(Self::$variant),)*
                }
            }
        }
    };
}
pub(crate) use same_names;
