//! The storage's configuration.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use cairn_core::{Period, Timestamp};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::prune::Ends;

/// More connections than this only share the same disk cache in smaller pieces.
const READERS: RangeInclusive<usize> = 1..=16;
/// A longer queue only makes callers wait for an answer that comes too late for their clients.
const QUEUE: RangeInclusive<usize> = 1..=65_536;
/// Each is tried in turn, and may take the whole `connect_timeout`.
const HOSTS: RangeInclusive<usize> = 1..=8;
/// PostgreSQL has a process for each connection; more than a few for each of its cores only disturb each other.
const CONNECTIONS: RangeInclusive<u32> = 1..=500;
/// Shorter than a busy server takes for nothing, or longer than a client waits.
const TIMEOUTS: RangeInclusive<Period> = Period::from_millis(100)..=Period::from_secs(120);
/// A client that comes back after a weekend still finds what became of its order; and what is longer has mistaken the unit.
const KEPT: RangeInclusive<Period> = Period::from_days(7)..=Period::from_days(100 * 365);

/// Where and how the storage keeps what it remembers.
///
/// ```toml
/// engine = "sqlite"
/// path = "cairn.db"
/// readers = 3
/// queue = 1024
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What keeps the rows. `"sqlite"` (default): a file in the data directory, with nothing to install or to run.
    /// `"postgres"`: a database of a PostgreSQL server, 15 or newer, which `[sa.postgres]` names. One server alone
    /// uses a SQLite database, and a second one is refused; several can share a PostgreSQL database.
    pub engine: Engine,

    /// With SQLite: the database's file; a relative path is taken from the data directory. Its folder must exist, lie on
    /// a local disk (SQLite's locks and shared memory do not work over a network), and belong to the server alone: two
    /// more files, `-wal` and `-shm`, lie beside it while the server runs, and a copy of the one without the others
    /// is no backup. Default: `cairn.db`.
    pub path: PathBuf,

    /// With SQLite: connections for reading, 1 to 16. A read takes microseconds, so that a few serve all cores; each may
    /// take 1 MiB of memory for its cache. Too few make requests wait for each other. Default: 3.
    pub readers: usize,

    /// How many may wait, 1 to 65536: with SQLite changes for the writer, with PostgreSQL changes and reads for a
    /// connection. Further ones are refused with status 503 until the storage has caught up. SQLite writes everything
    /// that waits together, so that even a full queue is gone after a few commits. Too short refuses bursts that could be
    /// served; too long lets clients wait for minutes on a slow disk. Default: 1024.
    pub queue: usize,

    /// What is deleted when it is long over, in a section of its own.
    pub keep: Keep,

    /// With PostgreSQL: the database, in a section of its own.
    pub postgres: Postgres,
}

/// The `[sa.keep]` section: how long what is over is kept before it is deleted. Who asks for what is gone gets status 404, as for what never
/// was. Deleting goes on in small steps, at most some ten minutes behind. Accounts, and keys that were blocked, are kept for ever.
///
/// ```toml
/// orders = "2y"
/// certificates = "forever"
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keep {
    /// How long an order is kept after it has expired, whether a certificate came of it or not, `7d` or longer, or `"forever"`; its
    /// authorizations, with what validation saw, are kept for as long as an order could name them. Strangers can place orders, so for ever
    /// only does where few can ask. Default: `2y`, within which somebody will ask how a certificate came to be; a public CA must be able to
    /// say it until two years after the certificate's end, and adds the lifetime of its certificates.
    pub orders: Kept,

    /// How long a certificate is kept after its end, with the record of the intent to sign it, or `"forever"`; not shorter than `orders`. With
    /// the roles of `cairn admin db roles`, make these again after a change: servers may delete no certificate unless this says so.
    /// Default: `forever`, since they are what a CA answers for, and one takes 2 to 3 KB.
    pub certificates: Kept,
}

/// How long something is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// So long after its end.
    For(Period),
    /// Always.
    Forever,
}

impl Kept {
    /// What ended before this may go at `now`.
    fn end(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::For(period) => Some(now.plus(-period.seconds())),
            Self::Forever => None,
        }
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let period = |text: &str| text.parse().map(Self::For).map_err(serde::de::Error::custom);
        if text == "forever" { Ok(Self::Forever) } else { period(&text) }
    }
}

impl Keep {
    /// What may go at `now`.
    pub(crate) fn ends(&self, now: Timestamp) -> Ends {
        Ends { orders: self.orders.end(now), certificates: self.certificates.end(now) }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        if let Kept::For(period) = self.orders {
            within("keep.orders", period, KEPT)?;
        }
        match (self.orders, self.certificates) {
            (_, Kept::Forever) => Ok(()),
            (Kept::For(orders), Kept::For(certificates)) if certificates >= orders => {
                within("keep.certificates", certificates, KEPT)
            }
            _ => wrong(
                "keep.certificates",
                "is shorter than keep.orders, which need them; write a longer time",
            ),
        }
    }
}

/// What keeps the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// A file, in this process.
    Sqlite,
    /// A database server.
    Postgres,
}

/// The `[sa.postgres]` section: a database, and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Postgres {
    /// The server's host name or IP address; or, with a slash in front, the folder of its Unix socket. The name is also
    /// what the server's certificate must be for. Several can be named with commas in between, each with a port of its own
    /// if need be (`"db-1.example, db-2.example:5433"`; an IPv6 address with a port in brackets): a primary and its
    /// standbys. Cairn uses the one that is the primary, and looks for it again when it loses its connection; meanwhile
    /// requests are refused with status 503. What was acknowledged is safe from that only if the standby that takes over
    /// is synchronous, and if the old primary is kept from coming back as one; Cairn does neither for you. It must be reached directly, or through a proxy that
    /// keeps sessions apart: pgbouncer's transaction mode would lose the lock by which a restore is kept from running servers, and the settings of the sessions. Default: `/var/run/postgresql`,
    /// where Debian's listens and lets in a user of the machine as the role of the same name.
    pub host: String,

    /// A standby that answers reads of the front ends, written like one `host`. Nobody sees an older state there than on the primary:
    /// with this setting a change is acknowledged only when the standby shows it (`synchronous_commit = remote_apply`). The standby must
    /// be one that every commit waits for (first in `synchronous_standby_names`, with an `application_name` of its own), and all processes
    /// on the database must have this setting, each with a standby of its choice. Cairn looks every second whether that is so, and reads from
    /// the primary while it is not or the standby does not answer. It sees that with the right `pg_read_all_stats`, which
    /// `cairn admin db roles` gives. What holds up the standby (long reports, a slow disk) holds up every change. Default: none.
    pub replica: Option<String>,

    /// The port of hosts that are named without one; it is also in the socket's name. Default: 5432.
    pub port: u16,

    /// The database. It must exist, be empty at the first start, and have the encoding UTF8; `createdb --owner cairn
    /// --encoding UTF8 --template template0 cairn` makes one. Default: `cairn`.
    pub database: String,

    /// The role. It must own the database if Cairn is to make and change its tables by itself (`migrate_at_start`).
    /// Default: `cairn`.
    pub user: String,

    /// Whether a server that starts brings the schema up to date. Default: true, as is convenient for a single server.
    /// Switched off, a server refuses a database whose schema is older than it needs; then run `cairn admin db migrate`
    /// with the new version, as the owner, before any server of that version is started. Servers of the version before go
    /// on working on the new schema. Only so can servers do with a role that cannot change tables.
    pub migrate_at_start: bool,

    /// The file with the role's password, a single line. Nobody but its owner may be able to read it. Without it the
    /// server is told none, as is right where it knows its users otherwise (`peer`). Default: none.
    pub password_file: Option<PathBuf>,

    /// TLS to the server; never used on a Unix socket. `"verify-full"` (default): the certificate must be issued for
    /// `host` by a known root. `"require"`: encrypted, but whoever sits in between can pretend to be the server; only
    /// for networks that nobody else is in. `"disable"`: neither.
    pub tls: Tls,

    /// The roots, PEM, that may have issued the server's certificate, in addition to those that browsers trust; with
    /// `tls = "verify-full"` alone. Default: none.
    pub root_certificate: Option<PathBuf>,

    /// Connections of this process for statements at most, 1 to 500; one more holds the lock. Each is a process of the database server:
    /// twice its cores serve it fully. Few of them are busy as a rule, since what waits at the same time goes over one; the others help when
    /// much waits, or when something takes its time. Too few make requests wait for each other; more than the server allows
    /// (`max_connections`) make them fail. Default: 16.
    pub connections: u32,

    /// How long a request waits for a connection, 100 ms to 2 minutes, before it is refused with status 503. It is also
    /// how long the start waits for the database. Default: `5s`.
    pub connect_timeout: Period,

    /// How long a statement may run, 100 ms to 2 minutes, before the database server undoes it and the request is
    /// refused with status 503. Ours take well below a millisecond; what takes longer waits for a lock that somebody
    /// forgot, or for the disk. Where several changes are committed together, each waits 200 ms for a lock at most; then each is run alone and
    /// may take this long. Default: `10s`.
    pub statement_timeout: Period,
}

/// One of the places that [`Postgres::host`] names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// A name, an address, or the folder of a socket.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
}

impl Place {
    fn parse(text: &str, port: u16) -> Option<Self> {
        let place = |host: &str, port| Self { host: host.to_owned(), port };
        let found = if text.starts_with('/') || text.parse::<std::net::Ipv6Addr>().is_ok() {
            place(text, port)
        } else if let Some(rest) = text.strip_prefix('[') {
            let (address, rest) = rest.split_once(']')?;
            let own = rest.strip_prefix(':').map(str::parse).transpose().ok()?;
            if own.is_none() && !rest.is_empty() {
                return None;
            }
            place(&address.parse::<std::net::Ipv6Addr>().ok()?.to_string(), own.unwrap_or(port))
        } else if let Some((host, own)) = text.rsplit_once(':') {
            place(host, own.parse().ok()?)
        } else {
            place(text, port)
        };
        (!found.host.is_empty() && !found.host.contains(|c: char| c.is_whitespace())).then_some(found)
    }

    /// Whether it is the folder of a Unix socket.
    pub(crate) fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} port {}", self.host, self.port)
    }
}

/// How a connection to PostgreSQL is protected; the words are PostgreSQL's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// Not at all.
    Disable,
    /// Encrypted, without a look at who is at the other end.
    Require,
    /// Encrypted, with the server that was meant.
    VerifyFull,
}

/// What the files that [`Postgres`] names hold.
#[derive(Clone, Default)]
pub struct Credentials {
    /// The role's password.
    pub password: Option<Zeroizing<String>>,
    /// Roots, PEM.
    pub root_certificate: Option<String>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            engine: Engine::Sqlite,
            path: PathBuf::from("cairn.db"),
            readers: 3,
            queue: 1024,
            keep: Keep::default(),
            postgres: Postgres::default(),
        }
    }
}

impl Default for Keep {
    fn default() -> Self {
        Self { orders: Kept::For(Period::from_days(2 * 365)), certificates: Kept::Forever }
    }
}

impl Default for Postgres {
    fn default() -> Self {
        Self {
            host: "/var/run/postgresql".to_owned(),
            replica: None,
            port: 5432,
            database: "cairn".to_owned(),
            user: "cairn".to_owned(),
            migrate_at_start: true,
            password_file: None,
            tls: Tls::VerifyFull,
            root_certificate: None,
            connections: 16,
            connect_timeout: Period::from_secs(5),
            statement_timeout: Period::from_secs(10),
        }
    }
}

impl Config {
    /// Whether the storage can be opened with this, as far as can be told without opening it.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        within("queue", self.queue, QUEUE)?;
        self.keep.validate()?;
        match self.engine {
            Engine::Sqlite => self.validate_sqlite(),
            Engine::Postgres => self.validate_postgres(),
        }
    }

    fn validate_sqlite(&self) -> Result<(), ConfigError> {
        if self.postgres != Postgres::default() {
            return wrong(
                "postgres",
                "is only used with engine = \"postgres\"; write that, or leave the section out",
            );
        }
        if self.path.file_name().is_none() {
            return wrong("path", "names no file; write for example \"cairn.db\"");
        }
        within("readers", self.readers, READERS)
    }

    fn validate_postgres(&self) -> Result<(), ConfigError> {
        let sqlite = Self::default();
        if self.path != sqlite.path {
            return wrong("path", "is only used with engine = \"sqlite\"; write that, or leave it out");
        }
        if self.readers != sqlite.readers {
            return wrong("readers", "is only used with engine = \"sqlite\"; write that, or leave it out");
        }
        self.postgres.validate()
    }
}

impl Postgres {
    /// The places that `host` names, in its order; of each that makes sense.
    pub(crate) fn places(&self) -> Vec<Place> {
        self.host.split(',').filter_map(|text| Place::parse(text.trim(), self.port)).collect()
    }

    /// The place that `replica` names.
    pub(crate) fn replica_place(&self) -> Option<Place> {
        Place::parse(self.replica.as_deref()?.trim(), self.port)
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let names = [
            ("postgres.host", &self.host),
            ("postgres.database", &self.database),
            ("postgres.user", &self.user),
        ];
        for (key, value) in names {
            if value.is_empty() || value.contains('\0') {
                return wrong(key, "names nothing; write a name");
            }
        }
        let places = self.places();
        if places.len() != self.host.split(',').count() || !HOSTS.contains(&places.len()) {
            return wrong(
                "postgres.host",
                "has a part that is no host; write for example \"db.example\", or \"db-1.example, db-2.example:5433\" with 8 hosts at most",
            );
        }
        if self.replica.is_some() && self.replica_place().is_none_or(|place| place.host.contains(',')) {
            return wrong(
                "postgres.replica",
                "is no host; write for example \"db-2.example:5433\", a single one",
            );
        }
        if self.root_certificate.is_some()
            && (places.iter().all(Place::is_socket) || self.tls != Tls::VerifyFull)
        {
            return wrong(
                "postgres.root_certificate",
                "is only used with a host on the network and tls = \"verify-full\"; write that, or leave it out",
            );
        }
        within("postgres.connections", self.connections, CONNECTIONS)?;
        within("postgres.connect_timeout", self.connect_timeout, TIMEOUTS)?;
        within("postgres.statement_timeout", self.statement_timeout, TIMEOUTS)
    }
}

fn wrong(key: &'static str, problem: &str) -> Result<(), ConfigError> {
    Err(ConfigError { key, problem: problem.to_owned() })
}

fn within<T: PartialOrd + fmt::Display>(
    key: &'static str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    let problem = format!("is {value}; choose one from {} to {}", range.start(), range.end());
    Err(ConfigError { key, problem })
}

/// A value in the storage's configuration that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} {problem}")]
pub struct ConfigError {
    /// Which value.
    pub key: &'static str,
    /// What is wrong with it and how to mend it.
    pub problem: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
    }

    #[test]
    fn the_example_is_the_default() {
        let example = "engine = \"sqlite\"\npath = \"cairn.db\"\nreaders = 3\nqueue = 1024\n";
        assert_eq!(toml::from_str::<Config>(example).unwrap(), Config::default());
    }

    #[test]
    fn every_bad_value_is_named_with_a_way_out() {
        let bad = [
            ("path", Config { path: PathBuf::from("/"), ..Config::default() }),
            ("readers", Config { readers: 0, ..Config::default() }),
            ("readers", Config { readers: 17, ..Config::default() }),
            ("queue", Config { queue: 0, ..Config::default() }),
        ];
        let bad = bad.into_iter().chain(bad_postgres());
        for (key, config) in bad {
            let error = config.validate().unwrap_err();
            assert_eq!(error.key, key);
            assert!(error.to_string().contains("choose") || error.to_string().contains("write"), "{error}");
        }
    }

    #[test]
    fn what_is_kept_is_said_in_words_and_not_too_short() {
        let keep = |text: &str| {
            let config =
                toml::from_str::<Config>(&format!("[keep]\n{text}")).map_err(|error| error.to_string());
            let Keep { orders, certificates } = config?.keep;
            Keep { orders, certificates }.validate().map_err(|error| error.to_string())?;
            Ok::<_, String>(Keep { orders, certificates }.ends(Timestamp::from_unix(100 * 86400)))
        };
        assert_eq!(keep("orders = \"2y\"\ncertificates = \"forever\""), keep(""));
        let day = |day: i64| Some(Timestamp::from_unix(day * 86400));
        let ends = Ends { orders: day(90), certificates: day(70) };
        assert_eq!(keep("orders = \"10d\"\ncertificates = \"30d\""), Ok(ends));
        assert_eq!(keep("orders = \"forever\""), Ok(Ends { orders: None, certificates: None }));
        for (bad, why) in [
            ("orders = \"1d\"", "choose one from"),
            ("orders = \"30d\"\ncertificates = \"10d\"", "write a longer time"),
            ("orders = \"forever\"\ncertificates = \"10y\"", "write a longer time"),
            ("orders = \"never\"", "length of time"),
        ] {
            let error = keep(bad).unwrap_err();
            assert!(error.contains(why), "{bad}: {error}");
        }
    }

    fn bad_postgres() -> Vec<(&'static str, Config)> {
        let good = Postgres { host: "db.example.com".to_owned(), ..Postgres::default() };
        let with = |postgres| Config { engine: Engine::Postgres, postgres, ..Config::default() };
        let short = Period::from_millis(1);
        vec![
            ("postgres", Config { engine: Engine::Sqlite, ..with(good.clone()) }),
            ("path", Config { path: PathBuf::from("other.db"), ..with(good.clone()) }),
            ("readers", Config { readers: 4, ..with(good.clone()) }),
            ("queue", Config { queue: 0, ..with(good.clone()) }),
            ("postgres.host", with(Postgres { host: String::new(), ..good.clone() })),
            ("postgres.host", with(Postgres { host: "a.example,,b.example".to_owned(), ..good.clone() })),
            ("postgres.host", with(Postgres { host: "a.example:http".to_owned(), ..good.clone() })),
            ("postgres.host", with(Postgres { host: "[::1".to_owned(), ..good.clone() })),
            ("postgres.host", with(Postgres { host: ["a"; 9].join(","), ..good.clone() })),
            (
                "postgres.replica",
                with(Postgres { replica: Some("a.example, b.example".to_owned()), ..good.clone() }),
            ),
            ("postgres.replica", with(Postgres { replica: Some(String::new()), ..good.clone() })),
            ("postgres.database", with(Postgres { database: String::new(), ..good.clone() })),
            ("postgres.user", with(Postgres { user: "a\0b".to_owned(), ..good.clone() })),
            (
                "postgres.root_certificate",
                with(Postgres { root_certificate: Some("root.pem".into()), ..Postgres::default() }),
            ),
            (
                "postgres.root_certificate",
                with(Postgres {
                    root_certificate: Some("root.pem".into()),
                    tls: Tls::Require,
                    ..good.clone()
                }),
            ),
            ("postgres.connections", with(Postgres { connections: 0, ..good.clone() })),
            ("postgres.connect_timeout", with(Postgres { connect_timeout: short, ..good.clone() })),
            ("postgres.statement_timeout", with(Postgres { statement_timeout: short, ..good })),
        ]
    }

    #[test]
    fn a_database_server_can_be_named_in_full() {
        let text = "engine = \"postgres\"\n[postgres]\nhost = \"db.example.com\"\nport = 5433\ndatabase = \"ca\"\n\
                    user = \"ca\"\npassword_file = \"password\"\ntls = \"verify-full\"\nroot_certificate = \"root.pem\"\n\
                    connections = 8\nconnect_timeout = \"1s\"\nstatement_timeout = \"2s\"\n";
        let config: Config = toml::from_str(text).unwrap();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.postgres.statement_timeout, Period::from_secs(2));
    }

    #[test]
    fn several_hosts_can_be_named_with_ports_of_their_own() {
        let host = "/run/postgresql, db-1.example:5433,192.0.2.1, ::1,[2001:db8::1]:5434,[2001:db8::2]";
        let postgres = Postgres { host: host.to_owned(), ..Postgres::default() };
        assert_eq!(postgres.validate(), Ok(()));
        let places: Vec<_> = postgres.places().iter().map(ToString::to_string).collect();
        let expected = [
            "/run/postgresql port 5432",
            "db-1.example port 5433",
            "192.0.2.1 port 5432",
            "::1 port 5432",
            "2001:db8::1 port 5434",
            "2001:db8::2 port 5432",
        ];
        assert_eq!(places, expected);
    }

    #[test]
    fn a_password_is_in_no_log() {
        let password = Some(Zeroizing::new("open sesame".to_owned()));
        let credentials = Credentials { password, root_certificate: None };
        assert!(!format!("{credentials:?}").contains("sesame"));
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("reader = 4").is_err());
        let config: Config = toml::from_str("readers = 4").unwrap();
        assert_eq!(config, Config { readers: 4, ..Config::default() });
    }
}
