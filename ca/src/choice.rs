//! Which issuer signs: one pure function of what is asked for, of what the issuers may do, and of the time.
//!
//! An issuer is a candidate if the profile is among those that it is for, if its name constraints admit every name (RFC 5280
//! §6.1.3), and if it is valid long enough to issue from. Of the candidates, those come first that cover a whole leaf of the
//! profile: so an issuer steps back by itself before its leaves would have to be shortened, as soon as there is another. Among
//! these, the first with
//!
//! 1. a key of the subject's kind: who asks with an RSA key may be one that verifies nothing else,
//! 2. `use = "now"`,
//! 3. the nearest end: an issuer is used up before the one that follows it begins.
//!
//! If none covers a whole leaf, the one that ends last issues a shortened one.

use std::collections::BTreeSet;

use cairn_core::Timestamp;
use cairn_x509::{Certificate, KeyKind, NameConstraints, SubjectAltName, Validity};
use serde::Deserialize;

use crate::profile::{LeafValidity, Profile, ValidityError};

/// When an issuer is used, if others could be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// After the one that ends before it, when that one no longer covers a whole leaf.
    #[default]
    WhenNeeded,
    /// Before those that are only used when needed.
    Now,
}

/// What an operator says about the use of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// When.
    pub from: Use,
    /// For these profiles alone; for all if there are none.
    pub profiles: BTreeSet<String>,
}

impl Usage {
    /// Whether the issuer is for the profile with this name.
    #[must_use]
    pub fn is_for(&self, profile: &str) -> bool {
        self.profiles.is_empty() || self.profiles.contains(profile)
    }
}

/// All that decides about an issuer's use.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) validity: Validity,
    pub(crate) key: KeyKind,
    pub(crate) constraints: NameConstraints,
    pub(crate) usage: Usage,
}

impl Terms {
    pub(crate) fn new(certificate: &Certificate, constraints: NameConstraints, usage: Usage) -> Self {
        Self { validity: certificate.validity(), key: certificate.public_key().kind(), constraints, usage }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) profile_name: &'a str,
    pub(crate) profile: &'a Profile,
    pub(crate) key: KeyKind,
    pub(crate) names: &'a [SubjectAltName],
}

/// Why no issuer can be used. Of several issuers' reasons, the one of the issuer that came nearest: the later variant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoIssuer {
    /// There is none.
    #[error("no issuer is in use; the log says why those in the configuration cannot be")]
    NoneInUse,
    /// None is for the profile.
    #[error(
        "no issuer is for the profile {0:?}; add the profile to `profiles` in an issuer's issuer.toml, or install another issuer"
    )]
    Profile(String),
    /// None may issue for one of the names.
    #[error(
        "the name constraints of no issuer admit {0}; refuse such names at newOrder (pa.allowed_names, pa.allowed_networks), \
         or install an issuer that may certify them"
    )]
    Name(SubjectAltName),
    /// None is valid long enough.
    #[error(transparent)]
    Validity(#[from] ValidityError),
}

impl NoIssuer {
    const fn nearness(&self) -> u8 {
        match self {
            Self::NoneInUse => 0,
            Self::Profile(_) => 1,
            Self::Name(_) => 2,
            Self::Validity(_) => 3,
        }
    }
}

/// Smaller is better.
type Rank = (bool, i64, i64, i64);

/// The issuer for what is asked, and the validity of its leaf. Of equals, the first.
pub(crate) fn choose<'a, I: AsRef<Terms>>(
    issuers: &'a [I],
    asked: Asked<'_>,
    now: Timestamp,
) -> Result<(&'a I, LeafValidity), NoIssuer> {
    let mut best: Option<(Rank, &I, LeafValidity)> = None;
    let mut reason = NoIssuer::NoneInUse;
    for issuer in issuers {
        let terms = issuer.as_ref();
        match judge(terms, asked, now) {
            Ok(leaf) => {
                let rank = rank(terms, asked, leaf);
                if best.as_ref().is_none_or(|(least, ..)| rank < *least) {
                    best = Some((rank, issuer, leaf));
                }
            }
            Err(other) if other.nearness() > reason.nearness() => reason = other,
            Err(_) => {}
        }
    }
    best.map(|(_, issuer, leaf)| (issuer, leaf)).ok_or(reason)
}

fn judge(terms: &Terms, asked: Asked<'_>, now: Timestamp) -> Result<LeafValidity, NoIssuer> {
    if !terms.usage.is_for(asked.profile_name) {
        return Err(NoIssuer::Profile(asked.profile_name.to_owned()));
    }
    if !terms.constraints.is_empty()
        && let Some(name) = asked.names.iter().find(|name| !terms.constraints.admits(name))
    {
        return Err(NoIssuer::Name(name.clone()));
    }
    Ok(asked.profile.validity(now, terms.validity)?)
}

fn rank(terms: &Terms, asked: Asked<'_>, leaf: LeafValidity) -> Rank {
    let other_kind = i64::from(!fits(asked.key, terms.key));
    let waits = i64::from(terms.usage.from == Use::WhenNeeded);
    let ends = terms.validity.not_after;
    match leaf.shortened {
        false => (false, other_kind, waits, ends),
        true => (true, -ends, other_kind, waits),
    }
}

/// Whether the issuer's key is of the kind that suits the subject's. Where there is no such issuer, any will do.
fn fits(subject: KeyKind, issuer: KeyKind) -> bool {
    use KeyKind::{Ed25519, MlDsa44, MlDsa65, MlDsa87, P256, P384, P521, Rsa};
    match subject {
        Rsa { .. } => matches!(issuer, Rsa { .. }),
        P256 | P384 | P521 | Ed25519 => matches!(issuer, P256 | P384 | P521),
        MlDsa44 | MlDsa65 | MlDsa87 => matches!(issuer, MlDsa44 | MlDsa65 | MlDsa87),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ProfileConfig;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
    const DAY: i64 = 24 * 60 * 60;
    const RSA: KeyKind = KeyKind::Rsa { modulus_bits: 2048 };

    /// An issuer with a name, by which a test tells what was chosen.
    #[derive(Clone, Debug)]
    struct Named(&'static str, Terms);

    impl AsRef<Terms> for Named {
        fn as_ref(&self) -> &Terms {
            &self.1
        }
    }

    /// Valid since a year, and for `days` more.
    fn issuer(name: &'static str, key: KeyKind, days: i64) -> Named {
        let validity = Validity { not_before: NOW.unix() - 365 * DAY, not_after: NOW.unix() + days * DAY };
        let terms = Terms { validity, key, constraints: NameConstraints::default(), usage: Usage::default() };
        Named(name, terms)
    }

    fn now(mut issuer: Named) -> Named {
        issuer.1.usage.from = Use::Now;
        issuer
    }

    fn only(mut issuer: Named, profile: &str) -> Named {
        issuer.1.usage.profiles.insert(profile.to_owned());
        issuer
    }

    fn within(mut issuer: Named, domain: &str) -> Named {
        issuer.1.constraints.permitted.push(cairn_x509::Subtree::Dns(domain.to_owned()));
        issuer
    }

    /// For www.example.test by the profile "default": 90 days.
    fn chosen_at(issuers: &[Named], key: KeyKind, at: Timestamp) -> Result<(&'static str, bool), NoIssuer> {
        let profile = Profile::from(ProfileConfig::default());
        let names = [SubjectAltName::Dns("www.example.test".to_owned())];
        let asked = Asked { profile_name: "default", profile: &profile, key, names: &names };
        choose(issuers, asked, at).map(|(Named(name, _), leaf)| (*name, leaf.shortened))
    }

    #[test]
    fn the_table_of_choices() {
        use KeyKind::{Ed25519, MlDsa44, P256, P384};
        let ec = |days| issuer("ec", P384, days);
        let ec2 = |days| issuer("ec2", P256, days);
        let rsa = |days| issuer("rsa", RSA, days);
        let rsa2 = |days| issuer("rsa2", RSA, days);
        for (issuers, key, expected, why) in [
            (vec![ec(365), rsa(365)], P256, ("ec", false), "an ECDSA key has an ECDSA issuer"),
            (vec![ec(365), rsa(365)], RSA, ("rsa", false), "an RSA key has an RSA issuer"),
            (vec![rsa(365), ec(365)], Ed25519, ("ec", false), "an Ed25519 key has an ECDSA issuer"),
            (vec![rsa(200), ec(365)], MlDsa44, ("rsa", false), "of no fitting kind, the nearest end"),
            (vec![ec(365)], RSA, ("ec", false), "another kind is better than none"),
            (vec![ec2(730), ec(365)], P256, ("ec", false), "the one that ends first is used up first"),
            (vec![ec(365), ec2(365)], P256, ("ec", false), "of equals, the first"),
            (vec![ec(365), now(ec2(730))], P256, ("ec2", false), "`now` goes before that"),
            (vec![now(ec(365)), now(ec2(200))], P256, ("ec2", false), "of two `now`, the nearest end"),
            (vec![rsa(365), now(ec(730))], RSA, ("rsa", false), "`now` does not make RSA clients take ECDSA"),
            (vec![ec(89), ec2(730)], P256, ("ec2", false), "a leaf would outlive the first: the next one"),
            (vec![now(ec(89)), ec2(730)], P256, ("ec2", false), "also if the first says `now`"),
            (
                vec![rsa(89), ec(730)],
                RSA,
                ("ec", false),
                "a whole leaf of another kind is better than a short one",
            ),
            (vec![ec(89), ec2(88)], P256, ("ec", true), "none covers a whole leaf: the one that ends last"),
            (vec![now(ec(10)), ec2(88)], P256, ("ec2", true), "also if another says `now`"),
            (vec![rsa(20), rsa2(20), ec(20)], P256, ("ec", true), "then the kind decides between equals"),
            (vec![ec(-1), ec2(3)], P256, ("ec2", true), "one that has ended is none"),
            (vec![only(ec(100), "short"), ec2(365)], P256, ("ec2", false), "one is for another profile"),
            (vec![only(ec(365), "default"), ec2(730)], P256, ("ec", false), "one is for this profile alone"),
            (
                vec![within(ec(100), "corp.test"), rsa(365)],
                P256,
                ("rsa", false),
                "one may not issue for the name",
            ),
            (vec![within(ec(100), "example.test"), ec2(365)], P256, ("ec", false), "one may"),
        ] {
            assert_eq!(chosen_at(&issuers, key, NOW), Ok(expected), "{why}");
        }
    }

    #[test]
    fn the_next_issuer_takes_over_in_the_second_in_which_a_leaf_would_outlive_the_first() {
        let issuers = [issuer("current", KeyKind::P256, 365), issuer("next", KeyKind::P256, 1000)];
        // Backdated by an hour, a leaf of 90 days begun at `last` ends with the issuer's last second.
        let last = NOW.plus(365 * DAY - 90 * DAY + 3600 + 1);
        assert_eq!(chosen_at(&issuers, KeyKind::P256, last), Ok(("current", false)));
        assert_eq!(chosen_at(&issuers, KeyKind::P256, last.plus(1)), Ok(("next", false)));
        assert_eq!(chosen_at(&issuers[..1], KeyKind::P256, last.plus(1)), Ok(("current", true)));
    }

    #[test]
    fn where_no_issuer_is_left_the_reason_is_that_of_the_nearest() {
        let day = |days| NOW.plus(days * DAY);
        let reason = |issuers: &[Named]| chosen_at(issuers, KeyKind::P256, NOW).unwrap_err();
        let ec = |days| issuer("ec", KeyKind::P256, days);
        assert_eq!(reason(&[]), NoIssuer::NoneInUse);
        assert_eq!(reason(&[only(ec(365), "short")]), NoIssuer::Profile("default".to_owned()));
        let foreign = NoIssuer::Name(SubjectAltName::Dns("www.example.test".to_owned()));
        assert_eq!(reason(&[within(ec(365), "corp.test"), only(ec(365), "short")]), foreign);
        let ended = NoIssuer::Validity(ValidityError::IssuerEnds { ends: day(-1) });
        assert_eq!(reason(&[within(ec(365), "corp.test"), ec(-1)]), ended);
        let before = chosen_at(&[ec(365)], KeyKind::P256, day(-366)).unwrap_err();
        assert!(before.to_string().contains("check this machine's clock"), "{before}");
    }
}
