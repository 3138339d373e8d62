//! Time as a value that is handed in: whole seconds ([`Timestamp`]) from a [`Clock`].
//!
//! No other code reads the system's clock; `clippy.toml` holds that. Tests turn a [`FakeClock`].

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// A point in time: whole seconds since 1970-01-01T00:00:00Z, as in certificates, in the database and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From seconds since the Unix epoch.
    pub const fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    pub const fn unix(self) -> i64 {
        self.0
    }

    /// This time and `seconds` more (or less, when negative). Saturates.
    #[must_use]
    pub const fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// Seconds from `earlier` to this time; negative when `earlier` is later.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// RFC 3339 in UTC, as RFC 8555 §7.1.2 and following want dates: `2026-01-02T03:04:05Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            OffsetDateTime::from_unix_timestamp(self.0).ok().and_then(|date| date.format(&Rfc3339).ok());
        // Dates outside the years 0 to 9999 have no RFC 3339 form; they can only come from a broken configuration.
        f.write_str(text.as_deref().unwrap_or("(out of range)"))
    }
}

/// Where the current time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The current time, rounded down to the second.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
        let now = OffsetDateTime::now_utc();
        Timestamp(now.unix_timestamp())
    }
}

/// A clock that only moves when it is told to. For tests.
#[derive(Debug)]
pub struct FakeClock(AtomicI64);

impl FakeClock {
    /// A clock that shows `start` until it is advanced.
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Moves the clock by `seconds`.
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_print_as_rfc_3339_in_utc() {
        assert_eq!(Timestamp::from_unix(1_767_323_045).to_string(), "2026-01-02T03:04:05Z");
    }

    #[test]
    fn a_fake_clock_moves_only_when_told() {
        let clock = FakeClock::new(Timestamp::from_unix(10));
        assert_eq!(clock.now(), Timestamp::from_unix(10));
        clock.advance(5);
        assert_eq!(clock.now().since(Timestamp::from_unix(10)), 5);
    }
}
