//! Which certificates an operator means.
//!
//! Of a selection, everything that is said must be true. All certificates are looked through in the order of their serials, a bounded
//! stretch in each call: so no call is long, nobody holds a list of them, and whoever was interrupted begins anew and passes over what
//! is done. The CA's own certificates, those of its listeners and OCSP responders, are passed over, unless they are named by their serial or
//! their key.

use std::fmt;

use crate::certificate::{IssuerId, Serial};
use crate::id::AccountId;
use crate::identifier::Identifier;
use crate::time::Timestamp;

/// What certificates are looked for by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// They were issued to this account.
    pub account: Option<AccountId>,
    /// They have this name.
    pub name: Option<SelectedName>,
    /// Their key has this SHA-256 of its SubjectPublicKeyInfo. These alone are found without looking through all.
    pub key: Option<[u8; 32]>,
    /// This issuer signed them.
    pub issuer: Option<IssuerId>,
    /// They were issued before this moment.
    pub issued_before: Option<Timestamp>,
    /// They were issued at this moment or after it.
    pub issued_after: Option<Timestamp>,
    /// Their order was for this profile. What had no order, or one that is not kept any more, has none.
    pub profile: Option<String>,
}

/// A name that certificates are looked for by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedName {
    /// The name; a wildcard is a name of its own.
    pub name: Identifier,
    /// Whether every name below counts too, and the wildcard.
    pub subdomains: bool,
}

impl SelectedName {
    /// Whether `name` is meant.
    pub fn includes(&self, name: &Identifier) -> bool {
        if *name == self.name {
            return true;
        }
        let (Identifier::Dns(name), Identifier::Dns(above)) = (name, &self.name) else { return false };
        let below = name.as_str().strip_suffix(above.as_str());
        self.subdomains && below.is_some_and(|front| front.ends_with('.'))
    }
}

impl Selection {
    /// Whether it says anything: one that does not means all certificates.
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }
}

/// In words, for people and for the auditor.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, name, key, issuer, issued_before, issued_after, profile } = self;
        let name = name.as_ref().map(|SelectedName { name, subdomains }| {
            format!("name {name}{}", if *subdomains { " and below" } else { "" })
        });
        let key = key.map(|key| {
            let digits: String = key.iter().map(|octet| format!("{octet:02x}")).collect();
            format!("key {digits}")
        });
        let said = [
            account.map(|account| format!("account {account}")),
            name,
            key,
            issuer.map(|issuer| format!("issuer {issuer}")),
            issued_after.map(|at| format!("issued since {at}")),
            issued_before.map(|at| format!("issued before {at}")),
            profile.as_ref().map(|profile| format!("profile {profile}")),
        ];
        let said: Vec<String> = said.into_iter().flatten().collect();
        f.write_str(if said.is_empty() { "everything" } else { "" })?;
        f.write_str(&said.join(", "))
    }
}

/// Which part of all certificates one call looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// Those whose serials come after these octets, as many as one call takes.
    After(Vec<u8>),
    /// These, at most [`MOST_SERIALS`].
    These(Vec<Serial>),
}

/// How many serials one call can name.
pub const MOST_SERIALS: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(text: &str) -> Identifier {
        Identifier::parse("dns", text).unwrap()
    }

    #[test]
    fn a_name_includes_what_is_below_it_only_if_that_was_said_and_by_whole_labels() {
        let name = |subdomains| SelectedName { name: identifier("a.test"), subdomains };
        assert!(name(false).includes(&identifier("a.test")));
        for below in ["b.a.test", "*.a.test", "*.b.a.test"] {
            assert!(name(true).includes(&identifier(below)) && !name(false).includes(&identifier(below)));
        }
        for other in ["ba.test", "test", "a.test.b"] {
            assert!(!name(true).includes(&identifier(other)), "{other}");
        }
        assert!(!name(true).includes(&Identifier::parse("ip", "192.0.2.1").unwrap()));
    }

    #[test]
    fn a_selection_is_said_in_words() {
        assert_eq!(Selection::default().to_string(), "everything");
        let some = Selection {
            name: Some(SelectedName { name: identifier("a.test"), subdomains: true }),
            issued_before: Some(Timestamp::from_unix(0)),
            profile: Some("short".to_owned()),
            ..Selection::default()
        };
        assert_eq!(
            some.to_string(),
            "name a.test and below, issued before 1970-01-01T00:00:00Z, profile short"
        );
    }
}
