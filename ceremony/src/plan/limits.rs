//! How long things may be valid, and how they must overlap. A mistake here is found when it cannot be mended any more.

use cairn_x509::{Certificate, Validity};

use super::CertificatePlan;
use crate::file::{FileError, Utc};

const DAY: i64 = 24 * 60 * 60;
const YEAR: i64 = 365 * DAY + DAY / 4;

/// Roots in trust stores are valid for up to 25 years; longer, and nobody knows whether its algorithm will hold.
pub(super) const ROOT: Limit = Limit { seconds: 30 * YEAR, what: "a root for at most 30 years" };
/// A CA below a root is replaced several times in the root's life, or rotation is never practised.
pub(super) const CA: Limit = Limit { seconds: 15 * YEAR, what: "a CA below a root for at most 15 years" };
/// Nobody can revoke a responder whose certificate says that it need not be asked about (RFC 6960 §4.2.2.2.1).
pub(super) const RESPONDER: Limit =
    Limit { seconds: 366 * DAY, what: "an OCSP responder for at most a year, since it cannot be revoked" };

/// The shortest validity: less is a slip.
const SHORTEST: i64 = DAY;
/// For so long at least the old and the new are both valid: time to install the new one everywhere.
const OVERLAP: i64 = 30 * DAY;

/// Longest validity of something.
pub(super) struct Limit {
    seconds: i64,
    what: &'static str,
}

impl Limit {
    /// That `validity` is possible, within this and within the issuer's.
    pub(super) fn check(
        &self,
        table: &str,
        validity: Validity,
        issuer: Option<Validity>,
    ) -> Result<(), FileError> {
        if validity.lifetime() < SHORTEST {
            return Err(FileError::value(
                format!("{table}.not_after"),
                "the certificate would be valid for less than a day, or end before it begins",
            ));
        }
        if validity.lifetime() > self.seconds {
            return Err(FileError::value(
                format!("{table}.not_after"),
                format!("is too late: {}", self.what),
            ));
        }
        match issuer {
            Some(issuer) if !validity.is_within(&issuer) => Err(FileError::value(
                format!("{table}.not_after"),
                format!(
                    "the certificate would be valid when its issuer is not: the issuer from {} to {}",
                    Utc(issuer.not_before),
                    Utc(issuer.not_after)
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// That what is new takes over in time from what it replaces, and can be told from it.
pub(super) fn follows(old: &Certificate, new: &CertificatePlan) -> Result<(), FileError> {
    let end = old.validity().not_after;
    if new.validity.not_before > end - OVERLAP {
        return Err(FileError::value(
            "certificate.not_before",
            format!(
                "is too late: what it replaces ends at {}, and both must be valid for at least 30 days",
                Utc(end)
            ),
        ));
    }
    if new.validity.not_after <= end {
        return Err(FileError::value(
            "certificate.not_after",
            format!("is too early: what it replaces is valid until {}", Utc(end)),
        ));
    }
    match &new.form {
        super::Form::Root(name) | super::Form::Intermediate(name) if name.der() == old.subject().der() => {
            Err(FileError::value(
                "certificate.subject",
                "is the name of what it replaces; clients look issuers up by name, so give it another one (a number at the end)",
            ))
        }
        _ => Ok(()),
    }
}
