//! Which processes there are, and what stands between them.

use super::Role;

/// Which processes a Cairn consists of, all on one PostgreSQL database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The roles of each process; none means all, in one process.
    pub(super) processes: Vec<Option<Role>>,
    /// Which connections go through a relay: who calls, and who is called.
    pub(super) relayed: Vec<(Role, Role)>,
    /// Whether the database is reached through one.
    pub(super) database_relayed: bool,
    /// Whether the database server is this Cairn's own, to be killed.
    pub(super) own_database: bool,
    /// Whether it has a standby.
    pub(super) standby: bool,
    /// Whether it is reached through its socket, not over the network.
    pub(super) by_socket: bool,
    /// Whether answers wait for what is slow.
    pub(super) patient: bool,
}

impl Layout {
    /// One process that plays everything.
    #[must_use]
    pub fn one_process() -> Self {
        Self { processes: vec![None], ..Self::default() }
    }

    /// So many processes of each role. The policy is in the registration authorities' processes.
    #[must_use]
    pub fn split(of_each: usize) -> Self {
        let roles = Role::ALL.into_iter().filter(|role| *role != Role::Pa);
        let processes = roles.flat_map(|role| std::iter::repeat_n(Some(role), of_each)).collect();
        Self { processes, ..Self::default() }
    }

    /// With so many processes of this role instead.
    #[must_use]
    pub fn with(mut self, role: Role, count: usize) -> Self {
        self.processes.retain(|process| *process != Some(role));
        self.processes.extend(std::iter::repeat_n(Some(role), count));
        self
    }

    /// With a relay before each process of `to`, for the calls of `from`.
    #[must_use]
    pub fn relayed(mut self, from: Role, to: Role) -> Self {
        self.relayed.push((from, to));
        self
    }

    /// With the database reached through its socket, as on one machine, instead of over the network.
    #[must_use]
    pub fn by_socket(mut self) -> Self {
        self.by_socket = true;
        self
    }

    /// With answers that wait for validation and issuance on slow machines too: each client then makes the same requests.
    #[must_use]
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// With a relay before the database.
    #[must_use]
    pub fn with_relayed_database(mut self) -> Self {
        self.database_relayed = true;
        self
    }

    /// With a database server of its own, which can be killed.
    #[must_use]
    pub fn with_own_database(mut self) -> Self {
        self.own_database = true;
        self
    }

    /// With a database server of its own that has a synchronous standby.
    #[must_use]
    pub fn with_standby(mut self) -> Self {
        self.standby = true;
        self.with_own_database()
    }
}
