//! The roles that a process plays, and what follows from that alone.

use std::collections::BTreeSet;
use std::fmt;

use cairn_proto::Role;

use crate::config::Internal;

/// The roles that a process plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roles(BTreeSet<Role>);

impl Roles {
    /// As asked for on the command line: none means all that a whole CA needs. The policy authority goes with the registration
    /// authority, unless it is somewhere else.
    #[must_use]
    pub fn new(asked: &[Role], internal: &Internal) -> Self {
        let mut roles: BTreeSet<_> = match asked {
            [] => Role::SERVERS.into_iter().filter(|role| *role != Role::RemoteVa).collect(),
            asked => asked.iter().copied().collect(),
        };
        if roles.contains(&Role::Ra) && internal.pa.addresses.is_empty() {
            roles.insert(Role::Pa);
        }
        Self(roles)
    }

    /// Whether the process plays `role`.
    #[must_use]
    pub fn play(&self, role: Role) -> bool {
        self.0.contains(&role)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Role> {
        self.0.iter().copied()
    }

    /// Whether they are a whole CA. The remote validation authority is for other places.
    #[must_use]
    pub fn are_all(&self) -> bool {
        Role::SERVERS.into_iter().all(|role| role == Role::RemoteVa || self.play(role))
    }

    /// What they need of roles that the process does not play: who needs whom. The remote validation authorities are found elsewhere,
    /// and other front ends are no need.
    pub fn needs(&self) -> impl Iterator<Item = (Role, Role)> {
        NEEDS.iter().copied().filter(|(caller, callee)| self.play(*caller) && !self.play(*callee))
    }

    /// Whether all that call `role` are in other processes, so that it must be reachable from there.
    #[must_use]
    pub fn called_from_elsewhere(&self, role: Role) -> bool {
        let mut callers =
            NEEDS.iter().filter(|(_, callee)| *callee == role).map(|(caller, _)| *caller).peekable();
        role == Role::RemoteVa || (callers.peek().is_some() && !callers.any(|caller| self.play(caller)))
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(Role::name).collect();
        f.write_str(&names.join(", "))
    }
}

/// Who calls whom.
const NEEDS: [(Role, Role); 9] = [
    (Role::Wfe, Role::Ra),
    (Role::Wfe, Role::Sa),
    (Role::Ra, Role::Sa),
    (Role::Ra, Role::Va),
    (Role::Ra, Role::Ca),
    (Role::Ra, Role::Pa),
    (Role::Ca, Role::Sa),
    (Role::Pki, Role::Ca),
    (Role::Pki, Role::Sa),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(asked: &[Role], internal: &Internal) -> Vec<(Role, Role)> {
        Roles::new(asked, internal).needs().collect()
    }

    #[test]
    fn a_whole_ca_needs_nobody() {
        assert_eq!(needs(&[], &Internal::default()), []);
        assert!(Roles::new(&[], &Internal::default()).are_all());
        assert!(!Roles::new(&[Role::Wfe, Role::Ra], &Internal::default()).are_all());
        assert!(!Roles::new(&[], &Internal::default()).play(Role::RemoteVa));
    }

    #[test]
    fn the_policy_authority_goes_with_the_registration_authority_unless_it_is_elsewhere() {
        let mut internal = Internal::default();
        assert_eq!(
            needs(&[Role::Ra], &internal),
            [(Role::Ra, Role::Sa), (Role::Ra, Role::Va), (Role::Ra, Role::Ca)]
        );
        internal.pa.addresses = vec!["pa:1".parse().unwrap()];
        assert!(needs(&[Role::Ra], &internal).contains(&(Role::Ra, Role::Pa)));
    }

    #[test]
    fn a_role_whose_callers_are_elsewhere_must_be_reachable() {
        let roles = Roles::new(&[Role::Ra, Role::Va, Role::RemoteVa], &Internal::default());
        let reachable: Vec<_> = roles.iter().filter(|role| roles.called_from_elsewhere(*role)).collect();
        assert_eq!(reachable, [Role::Ra, Role::RemoteVa]);
        let whole = Roles::new(&[], &Internal::default());
        assert!(!whole.iter().any(|role| whole.called_from_elsewhere(role)));
    }

    #[test]
    fn the_front_end_reads_and_asks_the_registration_authority_alone() {
        assert_eq!(needs(&[Role::Wfe], &Internal::default()), [(Role::Wfe, Role::Ra), (Role::Wfe, Role::Sa)]);
    }
}
