//! A profile as it is used: what a certificate contains, and from when until when it is valid (RFC 5280 §4.1.2.5).

use cairn_core::Timestamp;
use cairn_x509::{LeafProfile, Validity};

use crate::config::ProfileConfig;

/// With less than this left of the issuer's life, a certificate that had to be shortened to it is of no use: an ACME client may
/// take as long to install it. One hour, in seconds.
const LEAST_REMAINDER: i64 = 60 * 60;

/// What certificates of one profile look like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Profile {
    /// What they contain.
    pub(crate) leaf: LeafProfile,
    /// How long they are valid, in seconds.
    lifetime: i64,
    /// How long before their issuance they begin, in seconds.
    backdate: i64,
}

impl From<ProfileConfig> for Profile {
    fn from(config: ProfileConfig) -> Self {
        Self {
            leaf: LeafProfile {
                must_staple: config.must_staple,
                common_name: config.common_name,
                server_auth: true,
                client_auth: config.client_auth,
            },
            lifetime: config.lifetime.seconds(),
            backdate: config.backdate.seconds(),
        }
    }
}

/// The validity of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LeafValidity {
    /// From when until when.
    pub(crate) validity: Validity,
    /// Whether it is shorter than the profile wants, because the issuer ends before.
    pub(crate) shortened: bool,
}

/// The issuer is not valid long enough to issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValidityError {
    /// Its end is near, or past.
    #[error(
        "the issuer's certificate ends at {ends}, too soon to issue from it; make a new intermediate and configure it as issuer"
    )]
    IssuerEnds {
        /// When.
        ends: Timestamp,
    },
    /// It has not begun, so this machine's clock is wrong now or was when the issuer was made.
    #[error("the issuer's certificate begins only at {begins}; check this machine's clock")]
    IssuerNotBegun {
        /// When.
        begins: Timestamp,
    },
}

impl Profile {
    /// How long a whole leaf is still valid after its issuance, in seconds, less the one that counts twice.
    pub(crate) const fn after_issuance(&self) -> i64 {
        self.lifetime.saturating_sub(self.backdate).saturating_sub(1)
    }

    /// The last moment at which an issuer that is valid during `issuer` covers a whole leaf.
    pub(crate) const fn last_whole_leaf(&self, issuer: Validity) -> Timestamp {
        Timestamp::from_unix(issuer.not_after.saturating_sub(self.after_issuance()))
    }

    /// The validity of a certificate that is issued at `now` by an issuer that is valid during `issuer`.
    ///
    /// The certificate lies within its issuer's validity: clients judge a chain at one moment and would refuse what sticks out. So
    /// it begins no earlier and is cut at the issuer's end.
    pub(crate) fn validity(&self, now: Timestamp, issuer: Validity) -> Result<LeafValidity, ValidityError> {
        let now = now.unix();
        if now < issuer.not_before {
            return Err(ValidityError::IssuerNotBegun { begins: Timestamp::from_unix(issuer.not_before) });
        }
        let not_before = now.saturating_sub(self.backdate).max(issuer.not_before);
        // RFC 5280 §4.1.2.5: the second of notAfter belongs to the validity.
        let wanted = not_before.saturating_add(self.lifetime).saturating_sub(1);
        let not_after = wanted.min(issuer.not_after);
        let shortened = not_after < wanted;
        // RFC 5280 §4.1.2.5 again: this second and the last one both count.
        if shortened && not_after.saturating_sub(now).saturating_add(1) < LEAST_REMAINDER {
            return Err(ValidityError::IssuerEnds { ends: Timestamp::from_unix(issuer.not_after) });
        }
        Ok(LeafValidity { validity: Validity { not_before, not_after }, shortened })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;

    fn profile() -> Profile {
        Profile::from(ProfileConfig::default())
    }

    fn issuer(from: i64, to: i64) -> Validity {
        Validity { not_before: NOW.unix() + from, not_after: NOW.unix() + to }
    }

    #[test]
    fn a_certificate_begins_an_hour_ago_and_lasts_90_days_to_the_second() {
        let leaf = profile().validity(NOW, issuer(-DAY, 365 * DAY)).unwrap();
        assert_eq!(leaf.validity.not_before, NOW.unix() - HOUR);
        assert_eq!(leaf.validity.not_after, NOW.unix() - HOUR + 90 * DAY - 1);
        assert_eq!(leaf.validity.lifetime(), 90 * DAY);
        assert!(!leaf.shortened);
    }

    #[test]
    fn a_certificate_ends_with_its_issuer_at_the_latest() {
        let whole = profile().validity(NOW, issuer(-DAY, 90 * DAY - HOUR - 1)).unwrap();
        assert!(!whole.shortened);
        let cut = profile().validity(NOW, issuer(-DAY, 90 * DAY - HOUR - 2)).unwrap();
        assert!(cut.shortened);
        assert_eq!(cut.validity.not_after, NOW.unix() + 90 * DAY - HOUR - 2);
    }

    #[test]
    fn a_certificate_begins_with_its_issuer_at_the_earliest_and_keeps_its_length() {
        let leaf = profile().validity(NOW, issuer(-10, 365 * DAY)).unwrap();
        assert_eq!(leaf.validity.not_before, NOW.unix() - 10);
        assert_eq!(leaf.validity.lifetime(), 90 * DAY);
    }

    #[test]
    fn an_issuer_with_less_than_an_hour_left_issues_nothing() {
        assert!(profile().validity(NOW, issuer(-DAY, HOUR - 1)).is_ok());
        for left in [HOUR - 2, 0, -1, -DAY / 2] {
            let error = profile().validity(NOW, issuer(-DAY, left)).unwrap_err();
            assert_eq!(error, ValidityError::IssuerEnds { ends: NOW.plus(left) });
        }
    }

    #[test]
    fn an_issuer_that_has_not_begun_issues_nothing() {
        assert!(profile().validity(NOW, issuer(0, DAY)).is_ok());
        let error = profile().validity(NOW, issuer(1, DAY)).unwrap_err();
        assert_eq!(error, ValidityError::IssuerNotBegun { begins: NOW.plus(1) });
    }
}
