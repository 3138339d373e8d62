//! The parts that a process can play. A role is also the name by which its process proves itself to others: its certificate is for
//! `<role>.cairn.internal`.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// What a process, or the person at it, is to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// The Web Front End: ACME over HTTP.
    Wfe,
    /// The Registration Authority: decides.
    Ra,
    /// The Validation Authority: dials subscribers.
    Va,
    /// A Validation Authority elsewhere in the network, which another one asks.
    RemoteVa,
    /// The Certificate Authority: signs.
    Ca,
    /// The Storage Authority: remembers.
    Sa,
    /// The Policy Authority.
    Pa,
    /// The front end for relying parties: OCSP, CRLs and issuers' certificates over plain HTTP.
    Pki,
    /// An operator with `cairn admin`. Nothing runs in this role; it only calls.
    Admin,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] =
        [Self::Wfe, Self::Ra, Self::Va, Self::RemoteVa, Self::Ca, Self::Sa, Self::Pa, Self::Pki, Self::Admin];

    /// Every role that a process can run in.
    pub const SERVERS: [Self; 8] =
        [Self::Wfe, Self::Ra, Self::Va, Self::RemoteVa, Self::Ca, Self::Sa, Self::Pa, Self::Pki];

    /// As it is written on the command line and in configurations.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wfe => "wfe",
            Self::Ra => "ra",
            Self::Va => "va",
            Self::RemoteVa => "remote-va",
            Self::Ca => "ca",
            Self::Sa => "sa",
            Self::Pa => "pa",
            Self::Pki => "pki",
            Self::Admin => "admin",
        }
    }

    /// The DNS name in its certificates. It is never looked up.
    #[must_use]
    pub fn dns_name(self) -> String {
        format!("{}.{DOMAIN}", self.name())
    }

    /// The role whose certificate has this DNS name.
    #[must_use]
    pub fn from_dns_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| name.strip_prefix(role.name()) == Some(".cairn.internal"))
    }
}

/// The domain of all roles' names. `.internal` is reserved for private use: no public CA certifies names in it.
const DOMAIN: &str = "cairn.internal";

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A text that names no role that a process can run in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no role \"{0}\"; the roles are wfe, ra, va, remote-va, ca, sa, pa and pki")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    /// A role that a process can run in.
    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        let role = Self::SERVERS.into_iter().find(|role| role.name() == text);
        role.ok_or_else(|| UnknownRole(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_found_by_its_names() {
        for role in Role::ALL {
            assert_eq!(Role::from_dns_name(&role.dns_name()), Some(role));
            assert_eq!(Role::from_dns_name(&format!("x{}", role.dns_name())), None);
        }
        assert_eq!("remote-va".parse(), Ok(Role::RemoteVa));
        assert!("admin".parse::<Role>().unwrap_err().to_string().contains("wfe, ra, va"));
    }
}
