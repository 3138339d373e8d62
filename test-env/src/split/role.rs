//! The roles of the split form. They are written out here, not taken from the crate that defines them: a change that breaks other
//! programs' configurations is to break a test.

use std::fmt;

/// What a process can be told to play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The front end.
    Wfe,
    /// Decides.
    Ra,
    /// Validates.
    Va,
    /// Validates for another one.
    RemoteVa,
    /// Signs.
    Ca,
    /// Remembers.
    Sa,
    /// Holds the policy.
    Pa,
    /// Serves relying parties.
    Pki,
}

impl Role {
    /// All, callers before those whom they call: in this order they can be stopped with nobody missing anybody.
    pub const ALL: [Self; 8] =
        [Self::Wfe, Self::Pki, Self::Ra, Self::Va, Self::RemoteVa, Self::Ca, Self::Pa, Self::Sa];

    /// As it is written in `--role` and in section names.
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
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
