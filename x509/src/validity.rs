//! When a certificate is valid (RFC 5280 §4.1.2.5).

use std::time::Duration;

use der::{
    DateTime,
    asn1::{GeneralizedTime, UtcTime},
};
use x509_cert::time::{Time, Validity as WireValidity};

/// From `not_before` to `not_after`, both seconds included, in seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Validity {
    /// The first second.
    pub not_before: i64,
    /// The last second.
    pub not_after: i64,
}

impl Validity {
    /// How many seconds the certificate is valid. The last second counts (RFC 5280 §4.1.2.5), so a
    /// certificate for exactly one day ends 86,399 seconds after it began.
    #[must_use]
    pub fn lifetime(&self) -> i64 {
        self.not_after.saturating_sub(self.not_before).saturating_add(1)
    }

    /// Whether every second of this lies within `outer`.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        outer.not_before <= self.not_before && self.not_after <= outer.not_after
    }

    /// `None` outside 1970 to 9999, which X.509 times here cannot say.
    pub(crate) fn to_wire(self) -> Option<WireValidity> {
        Some(WireValidity::new(time(self.not_before)?, time(self.not_after)?))
    }

    pub(crate) fn from_wire(wire: &WireValidity) -> Self {
        Self { not_before: seconds(wire.not_before), not_after: seconds(wire.not_after) }
    }
}

/// RFC 5280 §4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050 on.
pub(crate) fn time(seconds: i64) -> Option<Time> {
    let date = DateTime::from_unix_duration(Duration::from_secs(u64::try_from(seconds).ok()?)).ok()?;
    Some(match UtcTime::from_date_time(date) {
        Ok(utc) => Time::UtcTime(utc),
        Err(_beyond_2049) => Time::GeneralTime(GeneralizedTime::from_date_time(date)),
    })
}

/// What OCSP writes (RFC 6960 §4.2.1), to the second.
pub(crate) fn generalized(seconds: i64) -> Option<GeneralizedTime> {
    let date = DateTime::from_unix_duration(Duration::from_secs(u64::try_from(seconds).ok()?)).ok()?;
    Some(GeneralizedTime::from_date_time(date))
}

pub(crate) fn seconds(time: Time) -> i64 {
    i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2049-12-31T23:59:59Z
    const END_OF_UTC_TIME: i64 = 2_524_607_999;

    #[test]
    fn the_last_second_counts() {
        assert_eq!(Validity { not_before: 100, not_after: 100 }.lifetime(), 1);
        assert_eq!(Validity { not_before: 0, not_after: 86_399 }.lifetime(), 86_400);
    }

    #[test]
    fn utc_time_ends_with_2049() {
        let wire =
            Validity { not_before: END_OF_UTC_TIME, not_after: END_OF_UTC_TIME + 1 }.to_wire().unwrap();
        assert!(matches!(wire.not_before, Time::UtcTime(_)));
        assert!(matches!(wire.not_after, Time::GeneralTime(_)));
        assert_eq!(
            Validity::from_wire(&wire),
            Validity { not_before: END_OF_UTC_TIME, not_after: END_OF_UTC_TIME + 1 }
        );
    }

    #[test]
    fn times_before_1970_and_after_9999_cannot_be_written() {
        assert!(Validity { not_before: -1, not_after: 0 }.to_wire().is_none());
        assert!(Validity { not_before: 0, not_after: i64::MAX }.to_wire().is_none());
        // 9999-12-31T23:59:59Z, "no well-defined expiration date" (RFC 5280 §4.1.2.5).
        assert!(Validity { not_before: 0, not_after: 253_402_300_799 }.to_wire().is_some());
    }

    #[test]
    fn within_includes_the_edges() {
        let outer = Validity { not_before: 10, not_after: 20 };
        assert!(outer.is_within(&outer));
        assert!(!Validity { not_before: 9, not_after: 20 }.is_within(&outer));
        assert!(!Validity { not_before: 10, not_after: 21 }.is_within(&outer));
    }
}
