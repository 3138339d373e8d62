//! Lengths of time as an operator writes them: `90d`, `1h`, `30s`, `50ms`, or several parts as in `1h 30m`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units, longest first, each with its milliseconds. A year is 365 days: certificates' lifetimes are counted, not dated.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * DAY),
    ("w", 7 * DAY),
    ("d", DAY),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A length of time in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(u64);

impl Period {
    /// `milliseconds` long.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    /// `seconds` long.
    pub const fn from_secs(seconds: u32) -> Self {
        Self(seconds as u64 * 1000)
    }

    /// `days` long.
    pub const fn from_days(days: u32) -> Self {
        Self(days as u64 * DAY)
    }

    /// So many times as long.
    pub const fn times(self, n: u32) -> Self {
        Self(self.0.saturating_mul(n as u64))
    }

    /// For timers.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }

    /// Whole seconds, for dates.
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 / 1000).unwrap_or(i64::MAX)
    }
}

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a length of time is written as numbers with units (y, w, d, h, m, s, ms), for example \"90d\" or \"1h 30m\""
)]
pub struct PeriodError;

impl FromStr for Period {
    type Err = PeriodError;

    fn from_str(text: &str) -> Result<Self, PeriodError> {
        let mut rest = text.trim();
        let mut total: u64 = 0;
        if rest.is_empty() {
            return Err(PeriodError);
        }
        while !rest.is_empty() {
            let (number, tail) = split(rest, |c| c.is_ascii_digit());
            let (unit, tail) = split(tail, |c| c.is_ascii_alphabetic());
            let (_, length) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(PeriodError)?;
            let number: u64 = number.parse().map_err(|_| PeriodError)?;
            total = number.checked_mul(length).and_then(|part| total.checked_add(part)).ok_or(PeriodError)?;
            rest = tail.trim_start();
        }
        Ok(Self(total))
    }
}

/// The longest prefix of `text` whose characters all are `wanted`, and the rest.
fn split(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        if rest == 0 {
            return f.write_str("0s");
        }
        let mut separator = "";
        for (unit, length) in UNITS {
            // Weeks read worse than days in lifetimes such as 90d, and are never printed.
            if unit != "w" && rest >= length {
                write!(f, "{separator}{}{unit}", rest / length)?;
                rest %= length;
                separator = " ";
            }
        }
        Ok(())
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_read_and_print_as_operators_write_them() {
        for (text, milliseconds) in
            [("90d", 90 * DAY), ("1h 30m", 5_400_000), ("50ms", 50), ("20y", 20 * 365 * DAY)]
        {
            let period: Period = text.parse().unwrap();
            assert_eq!(period, Period::from_millis(milliseconds));
            assert_eq!(period.to_string(), text);
        }
        assert_eq!("2w".parse::<Period>().unwrap().to_string(), "14d");
        assert_eq!(Period::from_secs(0).to_string(), "0s");
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in
            ["", "90", "d", "1 h", "-1s", "1.5h", "1fortnight", "99999999999999999999s", "600000000000y"]
        {
            assert_eq!(text.parse::<Period>(), Err(PeriodError), "{text}");
        }
    }
}
