//! Incidents: certificates that must be replaced soon, and then be revoked.

use aws_lc_rs::digest::{Context, SHA256};

use crate::certificate::RevocationReason;
use crate::id::{AccountId, IncidentId};
use crate::time::Timestamp;

/// An incident. Which certificates it is about, the storage knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What people call it.
    pub name: String,
    /// What was looked for, in words: who goes on entering certificates must look for the same.
    pub selection: String,
    /// Why its certificates are revoked; `None` gives no reason.
    pub reason: Option<RevocationReason>,
    /// Whether all is done but the revoking.
    pub drill: bool,
    /// A page that tells subscribers what has happened (RFC 9773 §4.2).
    pub explanation: Option<String>,
    /// When it began.
    pub created: Timestamp,
    /// Its end, once that is decided.
    pub end: Option<IncidentEnd>,
    /// What has become of it.
    pub status: IncidentStatus,
}

/// When what is left of an incident's certificates is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncidentEnd {
    /// When.
    pub at: Timestamp,
    /// Who said so.
    pub by: String,
}

/// What has become of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncidentStatus {
    /// Its certificates are to be renewed at once.
    Open,
    /// What was left is revoked, or would be if it were no drill; final.
    Finished,
    /// It was none; final.
    Cancelled,
}

impl IncidentStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Open, Self::Finished, Self::Cancelled];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Finished => "finished",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A hash of an account and names, as text and in any order: what a certificate has in common with one that replaces it.
pub fn subject(account: Option<AccountId>, names: impl IntoIterator<Item = String>) -> [u8; 16] {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_unstable();
    let mut hash = Context::new(&SHA256);
    hash.update(account.as_ref().map_or(&[][..], |id| id.as_bytes()));
    for name in names {
        // A separator that can stand in no name, so that two lists never run together to the same octets.
        hash.update(b"\n");
        hash.update(name.as_bytes());
    }
    let mut octets = [0; 16];
    octets.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_account_and_names_are_the_same_subject_and_nothing_else_is() {
        let account = Some(AccountId::from_bytes([1; 16]));
        let of = |account, names: &[&str]| subject(account, names.iter().map(|&name| name.to_owned()));
        assert_eq!(of(account, &["b.test", "a.test"]), of(account, &["a.test", "b.test"]));
        assert_ne!(of(account, &["a.test"]), of(None, &["a.test"]));
        assert_ne!(of(account, &["a.test"]), of(account, &["a.test", "b.test"]));
        assert_ne!(of(account, &["ab"]), of(account, &["a", "b"]));
    }
}
