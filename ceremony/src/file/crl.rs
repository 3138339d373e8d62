//! What a CRL says.

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
