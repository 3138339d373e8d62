//! What a CRL says.

use cairn_x509::CrlReason;
use serde::Deserialize;

use super::{Digest, Moment};

/// A CRL (RFC 5280 §5). It lists CA certificates alone, and says so.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrlSpec {
    /// Its number: higher than that of every CRL of this issuer before (RFC 5280 §5.2.3).
    pub number: u64,
    /// When it is made, as it says itself.
    pub this_update: Moment,
    /// When the next one is there at the latest. Whoever looks after that trusts nothing from this issuer any more: at most a year
    /// after `this_update`, and plan the next ceremony well before.
    pub next_update: Moment,
    /// What is revoked, in a file of `kind = "crl"`.
    #[serde(default)]
    pub revoked: Vec<Revocation>,
}

/// A certificate that is revoked: by its fingerprint, and the machine file has its path; or by its serial number alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// The certificate's SHA-256 fingerprint.
    pub sha256: Option<Digest>,
    /// Its serial number in hexadecimal digits, with or without colons between.
    pub serial: Option<String>,
    /// Since when.
    pub at: Moment,
    /// Why (RFC 5280 §5.3.1): for a CA `caCompromise`, `affiliationChanged`, `superseded` or `cessationOfOperation`.
    pub reason: Option<String>,
}

/// The names that [`read_reason`] knows.
pub(crate) const REASONS: &str = "caCompromise, affiliationChanged, superseded or cessationOfOperation";

/// RFC 5280 §5.3.1, those that fit a CA. That keys of a CA are somebody else's too is not keyCompromise but caCompromise.
pub(crate) fn read_reason(name: &str) -> Option<CrlReason> {
    match name {
        "caCompromise" => Some(CrlReason::CaCompromise),
        "affiliationChanged" => Some(CrlReason::AffiliationChanged),
        "superseded" => Some(CrlReason::Superseded),
        "cessationOfOperation" => Some(CrlReason::CessationOfOperation),
        _ => None,
    }
}

/// The reverse of [`read_reason`].
pub(crate) const fn reason_name(reason: CrlReason) -> Option<&'static str> {
    match reason {
        CrlReason::CaCompromise => Some("caCompromise"),
        CrlReason::AffiliationChanged => Some("affiliationChanged"),
        CrlReason::Superseded => Some("superseded"),
        CrlReason::CessationOfOperation => Some("cessationOfOperation"),
        _ => None,
    }
}

/// Hexadecimal digits, with or without colons, in the form of [`cairn_x509::Certificate::serial`]: a zero octet before one that would make
/// it negative.
pub(crate) fn read_serial(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    let mut octets: Vec<u8> =
        pairs.iter().map(|[high, low]| high << 4 | low).skip_while(|octet| *octet == 0).collect();
    if octets.first().is_some_and(|first| *first >= 0x80) {
        octets.insert(0, 0);
    }
    (rest.is_empty() && (1..=20).contains(&octets.len())).then_some(octets)
}

/// As [`read_serial`] reads it.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
