//! Makes serial numbers; no other file does.
//!
//! RFC 5280 §4.1.2.2 wants them positive, unique for the issuer and of at most 20 octets; the Baseline Requirements §7.1 want 64
//! bits from a cryptographic generator in them. Ours have 16 octets:
//!
//! ```text
//!   ┌────────┬─────────────┬───────────────────────────────────────────┐
//!   │ prefix │ Unix second │ random                                    │
//!   │ 1      │ 4           │ 11 octets = 88 bits                       │
//!   └────────┴─────────────┴───────────────────────────────────────────┘
//! ```
//!
//! The prefix keeps instances of one CA apart without any coordination. The time lets a B-tree append instead of writing to a
//! random page for each new row, and tells later in which time-partition of a table a serial is found.

use cairn_core::random::{Random, bytes};
use cairn_core::{Serial, Timestamp};
use serde::Deserialize;

/// Octets in a serial.
const LENGTH: usize = 16;

/// The first octet of every serial that one instance makes: 0x01 to 0x7f, so that the serial is positive and has no leading zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u8")]
pub struct SerialPrefix(u8);

impl SerialPrefix {
    /// The prefix `octet`. `None` outside 1 to 127.
    pub const fn new(octet: u8) -> Option<Self> {
        if octet >= 0x01 && octet <= 0x7f { Some(Self(octet)) } else { None }
    }
}

/// 1: right wherever there is one instance.
impl Default for SerialPrefix {
    fn default() -> Self {
        Self(1)
    }
}

/// The octet can begin no serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a serial prefix is a number from 1 to 127, a different one for each instance that signs with the same issuer"
)]
pub struct SerialPrefixError;

impl TryFrom<u8> for SerialPrefix {
    type Error = SerialPrefixError;

    fn try_from(octet: u8) -> Result<Self, SerialPrefixError> {
        Self::new(octet).ok_or(SerialPrefixError)
    }
}

/// A new serial, unlike any other.
#[expect(clippy::expect_used, reason = "16 octets that begin with 0x01 to 0x7f are a serial")]
pub fn new(prefix: SerialPrefix, now: Timestamp, random: &dyn Random) -> Serial {
    let mut octets: [u8; LENGTH] = bytes(random);
    // The low 32 bits of the time: they wrap in 2106, and only the order of rows depends on them.
    let [_, _, _, _, time @ ..] = now.unix().to_be_bytes();
    let front = std::iter::once(prefix.0).chain(time);
    octets.iter_mut().zip(front).for_each(|(to, from)| *to = from);
    Serial::from_bytes(&octets).expect("the prefix is from 0x01 to 0x7f")
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::random::SeededRandom;

    const NOW: Timestamp = Timestamp::from_unix(0x6a5b_4c3d);

    #[test]
    fn a_serial_is_prefix_time_and_88_random_bits() {
        let random = SeededRandom::new(1);
        let serial = new(SerialPrefix::new(0x7f).unwrap(), NOW, &random);
        assert_eq!(serial.as_bytes().len(), 16);
        assert_eq!(serial.as_bytes()[..5], [0x7f, 0x6a, 0x5b, 0x4c, 0x3d]);
        let random_octets: [u8; 16] = bytes(&SeededRandom::new(1));
        assert_eq!(serial.as_bytes()[5..], random_octets[5..]);
    }

    #[test]
    fn two_serials_of_one_second_differ_and_a_later_second_sorts_behind() {
        let random = SeededRandom::new(1);
        let prefix = SerialPrefix::default();
        let first = new(prefix, NOW, &random);
        let second = new(prefix, NOW, &random);
        assert_ne!(first, second);
        let later = new(prefix, NOW.plus(1), &random);
        assert!(first < later && second < later);
    }

    #[test]
    fn a_serial_stays_positive_and_as_long_whatever_the_clock_shows() {
        for seconds in [i64::MIN, -1, 0, i64::from(u32::MAX), i64::MAX] {
            let serial = new(SerialPrefix::default(), Timestamp::from_unix(seconds), &SeededRandom::new(1));
            assert_eq!((serial.as_bytes()[0], serial.as_bytes().len()), (1, 16), "{seconds}");
        }
    }

    #[test]
    fn prefixes_that_make_a_serial_negative_or_longer_are_refused() {
        for octet in [0, 0x80, 0xff] {
            assert_eq!(SerialPrefix::new(octet), None, "{octet}");
        }
        for octet in [1, 0x7f] {
            assert_eq!(SerialPrefix::try_from(octet), Ok(SerialPrefix(octet)));
        }
    }
}
