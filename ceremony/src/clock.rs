//! The machine's clock. A machine without a network has no other, so it is shown, and what it says stands in the record.

use std::time::{SystemTime, UNIX_EPOCH};

/// Tells the time.
pub trait Clock {
    /// Seconds since 1970.
    fn now(&self) -> i64;
}

/// The machine's.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place of the ceremony that reads the clock")]
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }
}
