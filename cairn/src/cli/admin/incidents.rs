//! The command line of what is about many certificates: revoking them, incidents, and issuers that must go.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use cairn_core::{Identifier, IssuerId, Period, Timestamp};
use clap::{ArgGroup, Args, Subcommand};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Reason, SerialText, ServerArgs};

/// Which certificates are meant: those of which everything that is said here is true.
#[derive(Args, Clone, Debug)]
#[command(group = ArgGroup::new("selection").multiple(true).required(true))]
pub struct SelectionArgs {
    /// The one with this serial, hexadecimal; may be given several times
    #[arg(long, value_name = "SERIAL", group = "selection")]
    pub serial: Vec<SerialText>,

    /// Those whose serials are in this file, one in each line
    #[arg(long, value_name = "LIST", group = "selection", conflicts_with = "serial")]
    pub file: Option<PathBuf>,

    /// Those of this account: its id or its URL
    #[arg(long, value_name = "ID", group = "selection", allow_hyphen_values = true)]
    pub account: Option<String>,

    /// Those with this name, or IP address; a wildcard is a name of its own
    #[arg(long, value_name = "NAME", group = "selection")]
    pub name: Option<NameText>,

    /// With --name: also those with a name below it
    #[arg(long, requires = "name")]
    pub subdomains: bool,

    /// Those with this key: the SHA-256 of its SubjectPublicKeyInfo, or a file that has it, PEM
    #[arg(long, value_name = "HASH|FILE", group = "selection")]
    pub key: Option<String>,

    /// Those that this issuer signed: its subject key identifier, as `cairn admin certificate show` tells it
    #[arg(long, value_name = "ID", group = "selection")]
    pub issuer: Option<IssuerText>,

    /// Those that were issued before this moment, 2026-01-31T12:00:00Z
    #[arg(long, value_name = "TIME", group = "selection")]
    pub issued_before: Option<TimeText>,

    /// Those that were issued at this moment or after it
    #[arg(long, value_name = "TIME", group = "selection")]
    pub issued_after: Option<TimeText>,

    /// Those whose order was for this profile
    #[arg(long, value_name = "NAME", group = "selection")]
    pub profile: Option<String>,
}

/// Options of `cairn admin revoke`.
#[derive(Args, Clone, Debug)]
pub struct RevokeArgs {
    /// Which certificates.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Why: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn
    #[arg(long, value_name = "REASON", default_value = "unspecified")]
    pub reason: Reason,

    /// Do it. Without this, the certificates are counted and nothing is done
    #[arg(long, alias = "for-real")]
    pub yes: bool,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Commands about incidents.
#[derive(Clone, Debug, Subcommand)]
pub enum IncidentCommand {
    /// Begin an incident: clients are told to renew its certificates at once
    ///
    /// If it is interrupted, say the same again: what is entered stays, and the rest is.
    Create(Box<CreateIncidentArgs>),
    /// Show the latest incidents
    List(ListIncidentsArgs),
    /// Show how many certificates of an incident are replaced, and which are not
    Status(IncidentStatusArgs),
    /// Have what is not revoked of an incident's certificates revoked at some time
    Finish(FinishIncidentArgs),
    /// End an incident that was none: nothing more is revoked, and nobody is told to renew
    Cancel(IncidentArgs),
}

/// Options of `cairn admin incident create`.
#[derive(Args, Clone, Debug)]
pub struct CreateIncidentArgs {
    /// What people call it
    #[arg(long = "called", value_name = "TEXT")]
    pub called: String,

    /// Which certificates.
    #[command(flatten)]
    pub selection: SelectionArgs,

    /// Why they will be revoked
    #[arg(long, value_name = "REASON", default_value = "superseded")]
    pub reason: Reason,

    /// Do everything but revoke
    #[arg(long)]
    pub drill: bool,

    /// The URL of a page that tells subscribers what has happened
    #[arg(long, value_name = "URL")]
    pub explanation: Option<String>,

    /// Do it. Without this, the certificates are counted and nothing is done
    #[arg(long, alias = "for-real")]
    pub yes: bool,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of `cairn admin incident list`.
#[derive(Args, Clone, Debug)]
pub struct ListIncidentsArgs {
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of a command about one incident.
#[derive(Args, Clone, Debug)]
pub struct IncidentArgs {
    /// Its id
    #[arg(value_name = "ID")]
    pub id: String,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of `cairn admin incident status`.
#[derive(Args, Clone, Debug)]
pub struct IncidentStatusArgs {
    /// Its id
    #[arg(value_name = "ID")]
    pub id: String,

    /// How many of the certificates to show that are not replaced
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    pub show: usize,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Options of `cairn admin incident finish`.
#[derive(Args, Clone, Debug)]
pub struct FinishIncidentArgs {
    /// Its id
    #[arg(value_name = "ID")]
    pub id: String,

    /// When: 2026-01-31T12:00:00Z, or a time from now as +5d, or now
    #[arg(long, value_name = "TIME")]
    pub at: TimeText,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Commands about issuers.
#[derive(Clone, Debug, Subcommand)]
pub enum IssuerCommand {
    /// Have everything that an issuer has issued replaced by some time, or let it stay
    ///
    /// Clients that ask when to renew (RFC 9773) are told a time before that. Which issuer signs is another matter: the issuers in the
    /// configuration.
    Retire(RetireIssuerArgs),
}

/// Options of `cairn admin issuer retire`.
#[derive(Args, Clone, Debug)]
pub struct RetireIssuerArgs {
    /// Its subject key identifier, as `cairn admin certificate show` tells it
    #[arg(value_name = "ID")]
    pub id: IssuerText,

    /// By when: 2026-01-31T12:00:00Z, or a time from now as +90d
    #[arg(long, value_name = "TIME", required_unless_present = "cancel")]
    pub by: Option<TimeText>,

    /// It stays after all
    #[arg(long, conflicts_with = "by")]
    pub cancel: bool,

    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A name or an address.
#[derive(Clone, Debug)]
pub struct NameText(pub Identifier);

impl FromStr for NameText {
    type Err = cairn_core::identifier::IdentifierError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Identifier::parse("ip", text).or_else(|_| Identifier::parse("dns", text)).map(Self)
    }
}

/// A subject key identifier as people copy it.
#[derive(Clone, Debug)]
pub struct IssuerText(pub IssuerId);

impl FromStr for IssuerText {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = "an issuer's id has 40 hexadecimal digits";
        let digits = text.replace(':', "").to_ascii_lowercase();
        let mut octets = [0; 20];
        if digits.len() != 40 {
            return Err(wrong);
        }
        for (octet, pair) in octets.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong)?;
            *octet = u8::from_str_radix(pair, 16).map_err(|_| wrong)?;
        }
        Ok(Self(IssuerId::from_bytes(octets)))
    }
}

/// A moment as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeText {
    /// A date.
    At(Timestamp),
    /// So many seconds from now.
    In(i64),
}

impl TimeText {
    /// The moment, seen from `now`.
    #[must_use]
    pub const fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(seconds) => now.plus(seconds),
        }
    }
}

/// What was written is no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeTextError;

impl fmt::Display for TimeTextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time is written 2026-01-31T12:00:00Z, or as a time from now, +36h, or now")
    }
}

impl std::error::Error for TimeTextError {}

impl FromStr for TimeText {
    type Err = TimeTextError;

    fn from_str(text: &str) -> Result<Self, TimeTextError> {
        if text == "now" {
            return Ok(Self::In(0));
        }
        if let Some(period) = text.strip_prefix('+') {
            return period
                .parse()
                .map(|period: Period| Self::In(period.seconds()))
                .map_err(|_| TimeTextError);
        }
        let date = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| TimeTextError)?;
        Ok(Self::At(Timestamp::from_unix(date.unix_timestamp())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_dates_or_counted_from_now() {
        let now = Timestamp::from_unix(1_000_000);
        for (text, expected) in [
            ("1970-01-02T00:00:00Z", 86_400),
            ("1970-01-02T02:00:00+02:00", 86_400),
            ("now", 1_000_000),
            ("+36h", 1_129_600),
        ] {
            let time: TimeText = text.parse().unwrap();
            assert_eq!(time.moment(now).unix(), expected, "{text}");
        }
        for text in ["", "tomorrow", "1970-01-02", "36h", "+", "-1h"] {
            assert_eq!(text.parse::<TimeText>(), Err(TimeTextError), "{text}");
        }
    }

    #[test]
    fn issuers_are_taken_as_other_tools_print_them() {
        let id: IssuerText = "01:AB".repeat(10).parse().unwrap_or_else(|_| panic!("it is one"));
        assert_eq!(id.0.to_string(), "01ab".repeat(10));
        for bad in ["", "01", &"zz".repeat(20), &"€".repeat(20)] {
            assert!(bad.parse::<IssuerText>().is_err(), "{bad}");
        }
    }
}
