//! Points in time, as they stand in ceremony files.

use std::fmt;

use serde::Deserialize;
use time::{Date, Month, PrimitiveDateTime, Time, UtcDateTime};
use toml::value::{Datetime, Offset};

/// A TOML date with time in UTC (`2027-01-01T12:00:00Z`), or a date alone. What a date alone means depends on whether something begins or
/// ends with it: [`Self::beginning`] and [`Self::end`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Datetime")]
pub struct Moment {
    date: Date,
    time: Option<Time>,
}

/// The value is no [`Moment`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    /// Not a day of the calendar, or with fractions of a second, which certificates cannot say.
    #[error(
        "not a date, or with a fraction of a second; write for example 2027-01-01 or 2027-01-01T12:00:00Z"
    )]
    Date,
    /// No offset, or another one.
    #[error("not in UTC; write a Z behind the time, for example 2027-01-01T12:00:00Z")]
    Offset,
}

impl Moment {
    /// In seconds since 1970; of a date alone, its first second.
    #[must_use]
    pub fn beginning(self) -> i64 {
        self.unix(Time::MIDNIGHT)
    }

    /// In seconds since 1970; of a date alone, its last second.
    #[must_use]
    pub fn end(self) -> i64 {
        self.unix(Time::MAX)
    }

    fn unix(self, without_time: Time) -> i64 {
        PrimitiveDateTime::new(self.date, self.time.unwrap_or(without_time)).assume_utc().unix_timestamp()
    }
}

impl TryFrom<Datetime> for Moment {
    type Error = NoMoment;

    fn try_from(value: Datetime) -> Result<Self, NoMoment> {
        let date = value.date.ok_or(NoMoment::Date)?;
        let month = Month::try_from(date.month).map_err(|_out_of_range| NoMoment::Date)?;
        let date = Date::from_calendar_date(date.year.into(), month, date.day)
            .map_err(|_out_of_range| NoMoment::Date)?;
        let Some(time) = value.time else { return Ok(Self { date, time: None }) };
        if value.offset != Some(Offset::Z) && value.offset != Some(Offset::Custom { minutes: 0 }) {
            return Err(NoMoment::Offset);
        }
        if time.nanosecond.unwrap_or_default() != 0 {
            return Err(NoMoment::Date);
        }
        let time = Time::from_hms(time.hour, time.minute, time.second.unwrap_or_default())
            .map_err(|_out_of_range| NoMoment::Date)?;
        Ok(Self { date, time: Some(time) })
    }
}

/// Seconds since 1970 as RFC 3339 text; what certificates cannot say, as a number.
pub(crate) struct Utc(pub(crate) i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(time) = UtcDateTime::from_unix_timestamp(self.0) else { return write!(f, "{}", self.0) };
        let (year, month, day) = time.to_calendar_date();
        let (hour, minute, second) = time.as_hms();
        write!(f, "{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z", u8::from(month))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Document {
        at: Moment,
    }

    fn read(text: &str) -> Result<Moment, String> {
        toml::from_str::<Document>(&format!("at = {text}"))
            .map(|document| document.at)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn a_date_begins_with_its_first_second_and_ends_with_its_last() {
        let day = read("2027-01-01").unwrap();
        assert_eq!(Utc(day.beginning()).to_string(), "2027-01-01T00:00:00Z");
        assert_eq!(Utc(day.end()).to_string(), "2027-01-01T23:59:59Z");
    }

    #[test]
    fn a_time_is_that_second_in_utc() {
        for text in ["2027-01-01T12:30:59Z", "2027-01-01 12:30:59+00:00"] {
            let time = read(text).unwrap();
            assert_eq!(time.beginning(), time.end());
            assert_eq!(Utc(time.end()).to_string(), "2027-01-01T12:30:59Z");
        }
    }

    #[test]
    fn what_certificates_cannot_say_is_refused_with_what_to_write() {
        assert!(read("2027-01-01T12:30:59+01:00").unwrap_err().contains("write a Z"));
        assert!(read("2027-01-01T12:30:59").unwrap_err().contains("write a Z"));
        assert!(read("2027-01-01T12:30:59.5Z").unwrap_err().contains("fraction"));
        assert!(read("12:30:59").unwrap_err().contains("not a date"));
        assert!(read("2027-02-30").is_err());
        assert!(read("\"2027-01-01\"").is_err());
    }
}
