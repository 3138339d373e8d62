//! What an operator decides about validation.

use std::collections::HashSet;
use std::net::SocketAddr;

use cairn_core::Period;
use ipnet::IpNet;
use serde::Deserialize;
use tokio::sync::Semaphore;

/// The longest of any wait: whoever writes more has mistaken the unit.
const LONGEST: Period = Period::from_secs(3600);
/// The most perspectives: each is asked for every validation, and the rules for public CAs want five.
const MOST_PERSPECTIVES: usize = 32;
/// The longest name of a perspective: it stands in problems and records.
const LONGEST_NAME: usize = 64;

/// The section `[va]`: where challenges are looked for, what may be dialled, and how long it may take.
///
/// ```
/// let config: cairn_va::Config = toml::from_str(
///     r#"
///     resolvers = ["192.0.2.53:53", "[2001:db8::53]:53"]
///     allowed_networks = ["10.20.0.0/16", "fd00:20::/48"]
///     timeout = "10s"
///
///     [[perspectives]]
///     name = "east"
///     addresses = ["remote-va-1.east.example.com:14105"]
///
///     [[perspectives]]
///     name = "west"
///     addresses = ["srv:_remote-va._tcp.west.example.com"]
///     "#,
/// )?;
/// config.validate()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The port that http-01 asks first, and that `http:` redirects without a port lead to. Default 80, the only one
    /// that RFC 8555 §8.3 allows: with another the certificates mean nothing to the public, because whoever may open
    /// a high port on a host need not be its administrator.
    pub http_port: u16,
    /// The port that `https:` redirects of http-01 without a port lead to. Default 443. A redirect to any port but
    /// this and `http_port` is refused.
    pub https_port: u16,
    /// The port of tls-alpn-01. Default 443, the only one that RFC 8737 §3 allows.
    pub tls_alpn_port: u16,
    /// The recursive name servers to ask, as `address:port`. Default: none, which means those in /etc/resolv.conf;
    /// search domains and the hosts file play no part in either case. They are believed, so they should be near, in
    /// your own hands and validate DNSSEC; and they should not keep negative answers for long, or a subscriber who
    /// publishes a record after a failed attempt fails again.
    pub resolvers: Vec<SocketAddr>,
    /// Networks with a special purpose (loopback, private, link-local, …) that may be dialled nevertheless. Default:
    /// none. Without the networks of your hosts here, an internal CA fails every http-01 and tls-alpn-01 validation;
    /// with more than those, any subscriber can make the CA send requests into them (RFC 8555 §10.4). Public
    /// addresses may always be dialled. `["0.0.0.0/0", "::/0"]` allows everything.
    pub allowed_networks: Vec<IpNet>,
    /// How long one validation may take, redirects included. Default 10s. Too short fails slow but honest hosts; too
    /// long lets silent ones hold their place among `max_concurrent`.
    pub timeout: Period,
    /// How long one name may take to resolve. Default 5s, two attempts included; never more than what is left of
    /// `timeout`.
    pub lookup_timeout: Period,
    /// How long one address may take to accept a connection. Default 4s, so that there is time left for IPv4 when
    /// IPv6 is silent; never more than what is left of `timeout`.
    pub dial_timeout: Period,
    /// How many validations run at a time. Default 300: each holds up to three file descriptors, and a process often
    /// has only 1024. Silent hosts occupy one place for `timeout`, so that too few let them block the others.
    pub max_concurrent: usize,
    /// How many validations may wait for their turn. Default 10000. Those beyond are turned away at once.
    pub max_waiting: usize,
    /// How long a validation may wait for its turn before it is turned away. Default 5s.
    pub queue_timeout: Period,
    /// Validation authorities elsewhere in the network that look at every challenge too. Default: none. Without them, whoever can
    /// bend routes or forge DNS answers near this one gets certificates for others' names; public CAs must have them (Baseline
    /// Requirements §3.2.2.9).
    pub perspectives: Vec<PerspectiveConfig>,
    /// How many of `perspectives` must see the right answer, beside this validation authority itself, which always must. Default:
    /// all but one of two to five, all but two of more, as the Baseline Requirements allow; a single one must. Fewer make the
    /// perspectives worth less, and more let one that is out of reach stop all issuance.
    pub quorum: Option<usize>,
}

/// A remote validation authority: one entry of `[[va.perspectives]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PerspectiveConfig {
    /// What records, problem documents and the log call it: letters, digits, `-`, `_` and `.`, at most 64. Subscribers see it.
    /// Required.
    pub name: String,
    /// Where it is found: `host:port`, or `srv:NAME` for an SRV record. Several are taken for one perspective of which any may answer.
    /// Required.
    pub addresses: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http_port: 80,
            https_port: 443,
            tls_alpn_port: 443,
            resolvers: Vec::new(),
            allowed_networks: Vec::new(),
            timeout: Period::from_secs(10),
            lookup_timeout: Period::from_secs(5),
            dial_timeout: Period::from_secs(4),
            max_concurrent: 300,
            max_waiting: 10_000,
            queue_timeout: Period::from_secs(5),
            perspectives: Vec::new(),
            quorum: None,
        }
    }
}

/// A setting that cannot work. The message is written for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {wrong}; {remedy}")]
pub struct ConfigError {
    /// The key in the section `[va]`.
    pub key: &'static str,
    /// What is wrong.
    pub wrong: String,
    /// How to mend it.
    pub remedy: &'static str,
}

impl ConfigError {
    pub(crate) fn new(key: &'static str, wrong: impl Into<String>, remedy: &'static str) -> Self {
        Self { key, wrong: wrong.into(), remedy }
    }
}

impl Config {
    /// Whether the settings can work, each for itself and together.
    ///
    /// # Errors
    /// The first that cannot.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let ports = [
            ("http_port", self.http_port),
            ("https_port", self.https_port),
            ("tls_alpn_port", self.tls_alpn_port),
        ];
        if let Some((key, _)) = ports.into_iter().find(|(_, port)| *port == 0) {
            return Err(ConfigError::new(key, "port 0 cannot be dialled", "take a port from 1 to 65535"));
        }
        if let Some(resolver) = self.resolvers.iter().find(|resolver| resolver.port() == 0) {
            let wrong = format!("the port of {resolver} is 0");
            return Err(ConfigError::new("resolvers", wrong, "name servers listen on port 53"));
        }
        let periods = [
            ("timeout", self.timeout),
            ("lookup_timeout", self.lookup_timeout),
            ("dial_timeout", self.dial_timeout),
            ("queue_timeout", self.queue_timeout),
        ];
        for (key, period) in periods {
            if period.duration().is_zero() {
                return Err(ConfigError::new(
                    key,
                    "nothing can happen in no time",
                    "give it at least \"1ms\"",
                ));
            }
            if period > LONGEST {
                let wrong = format!("{period} is longer than any client waits");
                return Err(ConfigError::new(key, wrong, "give it at most \"1h\""));
            }
        }
        let counts = [("max_concurrent", self.max_concurrent), ("max_waiting", self.max_waiting)];
        if let Some((key, count)) = counts.into_iter().find(|(_, count)| *count > Semaphore::MAX_PERMITS / 2)
        {
            return Err(ConfigError::new(key, format!("{count} is too many"), "write a smaller number"));
        }
        if self.max_concurrent == 0 {
            let wrong = "no validation could ever run";
            return Err(ConfigError::new("max_concurrent", wrong, "allow at least 1"));
        }
        self.validate_perspectives()
    }

    fn validate_perspectives(&self) -> Result<(), ConfigError> {
        let count = self.perspectives.len();
        let error = |wrong: String, remedy| Err(ConfigError::new("perspectives", wrong, remedy));
        if count > MOST_PERSPECTIVES {
            return error(format!("{count} are too many"), "32 are more than any rule wants");
        }
        let mut names = HashSet::new();
        for PerspectiveConfig { name, addresses } in &self.perspectives {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(is_plain) {
                let remedy = "take letters, digits, \"-\", \"_\" and \".\", at most 64";
                return error(format!("{name:?} is no name"), remedy);
            }
            if !names.insert(name) {
                return error(format!("two have the name {name:?}"), "give each a name of its own");
            }
            if addresses.is_empty() {
                return error(format!("{name:?} has no addresses"), "write where it is found");
            }
        }
        match self.quorum {
            Some(0) => {
                let wrong = "with 0 the perspectives would count for nothing";
                Err(ConfigError::new("quorum", wrong, "write at least 1, or leave the perspectives out"))
            }
            Some(quorum) if quorum > count => {
                let wrong = format!("{quorum} of {count} perspectives can never agree");
                Err(ConfigError::new("quorum", wrong, "write at most as many as there are perspectives"))
            }
            _ => Ok(()),
        }
    }

    /// How many of the perspectives must agree.
    pub(crate) fn required_perspectives(&self) -> usize {
        // The table in Baseline Requirements §3.2.2.9 begins with two; a single one that need not agree would be none.
        let may_fail = match self.perspectives.len() {
            0 | 1 => 0,
            2..=5 => 1,
            _ => 2,
        };
        self.quorum.unwrap_or(self.perspectives.len() - may_fail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_what_the_rfcs_demand() {
        let config = Config::default();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!((config.http_port, config.https_port, config.tls_alpn_port), (80, 443, 443));
        assert!(config.allowed_networks.is_empty());
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let ok = Config::default;
        let zero = Period::from_secs(0);
        for (key, config) in [
            ("http_port", Config { http_port: 0, ..ok() }),
            ("https_port", Config { https_port: 0, ..ok() }),
            ("tls_alpn_port", Config { tls_alpn_port: 0, ..ok() }),
            ("resolvers", Config { resolvers: vec!["192.0.2.1:0".parse().unwrap()], ..ok() }),
            ("timeout", Config { timeout: zero, ..ok() }),
            ("timeout", Config { timeout: Period::from_days(1), ..ok() }),
            ("lookup_timeout", Config { lookup_timeout: zero, ..ok() }),
            ("dial_timeout", Config { dial_timeout: zero, ..ok() }),
            ("queue_timeout", Config { queue_timeout: zero, ..ok() }),
            ("max_concurrent", Config { max_concurrent: 0, ..ok() }),
            ("max_waiting", Config { max_waiting: usize::MAX, ..ok() }),
        ] {
            let error = config.validate().unwrap_err();
            assert_eq!(error.key, key, "{error}");
        }
    }

    fn named(names: &[&str]) -> Vec<PerspectiveConfig> {
        let addresses = || vec!["remote-va:14105".to_owned()];
        names
            .iter()
            .map(|name| PerspectiveConfig { name: (*name).to_owned(), addresses: addresses() })
            .collect()
    }

    #[test]
    fn perspectives_that_cannot_work_are_named() {
        let with =
            |names: &[&str], quorum| Config { perspectives: named(names), quorum, ..Config::default() };
        let nowhere = PerspectiveConfig { name: "east".to_owned(), addresses: Vec::new() };
        for (key, config) in [
            ("perspectives", with(&["east", "east"], None)),
            ("perspectives", with(&[""], None)),
            ("perspectives", with(&["far east"], None)),
            ("perspectives", with(&["e".repeat(65).as_str()], None)),
            ("perspectives", with(&["a"; 33], None)),
            ("perspectives", Config { perspectives: vec![nowhere], ..Config::default() }),
            ("quorum", with(&["east", "west"], Some(0))),
            ("quorum", with(&["east", "west"], Some(3))),
            ("quorum", with(&[], Some(1))),
        ] {
            let error = config.validate().unwrap_err();
            assert_eq!(error.key, key, "{error}");
        }
        assert_eq!(with(&["east", "us-west.2"], Some(2)).validate(), Ok(()));
    }

    #[test]
    fn the_default_quorum_is_the_table_of_the_baseline_requirements() {
        let names: Vec<String> = (0..9).map(|number| number.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let required = |count| {
            let config = Config { perspectives: named(&names[..count]), ..Config::default() };
            config.required_perspectives()
        };
        assert_eq!((0..=9).map(required).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 4, 4, 5, 6, 7]);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<Config>("http-port = 80").is_err());
    }
}
