//! What an operator may say about policy.

use cairn_core::api::KeyUse;
use cairn_core::{ChallengeType, DnsName};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::identifiers::NamePolicy;

/// The policy: names, addresses, challenges and keys.
///
/// ```toml
/// allowed_names = ["corp.example", "lab.example"]
/// denied_names = ["payroll.corp.example"]
/// allowed_networks = ["10.0.0.0/8"]
/// challenges = ["http-01", "dns-01"]
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The DNS names that certificates are issued for: each entry stands for itself and every name below it. Default: empty,
    /// which allows every name that passes validation. An entry too few refuses its orders with `rejectedIdentifier`; an entry
    /// too many lets whoever controls such a name in the CA's view of DNS have a certificate for it.
    pub allowed_names: Vec<String>,

    /// DNS names that certificates are never issued for, each with every name below it. Wins over `allowed_names`, and also
    /// refuses the wildcard that would cover an entry. Default: empty.
    pub denied_names: Vec<String>,

    /// Whether names of a single label (`localhost`, `nas`), and wildcards directly below one (`*.lan`), are allowed. Default:
    /// false, since such a name means another machine on every network. `allowed_names` applies to them too.
    pub single_labels: bool,

    /// Whether wildcard names are allowed. They can be proven by dns-01 only. Default: true.
    pub wildcards: bool,

    /// The networks in CIDR form whose IP addresses certificates are issued for. Default: empty, which refuses every IP
    /// address; `["0.0.0.0/0", "::/0"]` allows all. Addresses that no single host has (unspecified, broadcast, multicast,
    /// IPv4 written as IPv6) are refused whatever is listed.
    pub allowed_networks: Vec<IpNet>,

    /// The challenges by which control is proven: `http-01`, `dns-01`, `tls-alpn-01`. Default: all. Taking one out also stops
    /// those already offered. Without `dns-01` no wildcard, and with `dns-01` alone no IP address, can be ordered.
    pub challenges: Vec<ChallengeType>,

    /// The keys that may sign an account's requests: `p256`, `p384`, `p521`, `rsa`, `ed25519`. Default: all. Accounts that
    /// exist keep their keys.
    pub account_keys: Vec<KeyAlgorithm>,

    /// The keys that certificates are issued for, from the same list. Default: all but `ed25519`, which the CA/Browser Forum
    /// forbids and browsers do not accept. RSA keys have 2048 to 4096 bits in either list.
    pub certificate_keys: Vec<KeyAlgorithm>,
}

impl Default for Config {
    fn default() -> Self {
        use KeyAlgorithm::{Ed25519, P256, P384, P521, Rsa};
        Self {
            allowed_names: Vec::new(),
            denied_names: Vec::new(),
            single_labels: false,
            wildcards: true,
            allowed_networks: Vec::new(),
            challenges: ChallengeType::ALL.to_vec(),
            account_keys: vec![P256, P384, P521, Rsa, Ed25519],
            certificate_keys: vec![P256, P384, P521, Rsa],
        }
    }
}

impl Config {
    /// Checks everything.
    ///
    /// # Errors
    /// The first value that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.name_policy().map(|_| ())
    }

    /// Checks everything once, and gives the rules for names in parsed form.
    pub(crate) fn name_policy(&self) -> Result<NamePolicy, ConfigError> {
        for (key, empty) in [
            ("challenges", self.challenges.is_empty()),
            ("account_keys", self.account_keys.is_empty()),
            ("certificate_keys", self.certificate_keys.is_empty()),
        ] {
            if empty {
                return Err(ConfigError::Empty { key });
            }
        }
        Ok(NamePolicy {
            allowed: names("allowed_names", &self.allowed_names)?,
            denied: names("denied_names", &self.denied_names)?,
            single_labels: self.single_labels,
            wildcards: self.wildcards,
            networks: self.allowed_networks.clone(),
        })
    }

    /// The kinds of key that are allowed for `key_use`.
    pub(crate) fn keys_for(&self, key_use: KeyUse) -> &[KeyAlgorithm] {
        match key_use {
            KeyUse::Account => &self.account_keys,
            KeyUse::Certificate => &self.certificate_keys,
        }
    }
}

fn names(key: &'static str, entries: &[String]) -> Result<Vec<DnsName>, ConfigError> {
    let parse = |entry: &String| -> Result<DnsName, ConfigError> {
        let bad = |reason: String| ConfigError::Name { key, entry: entry.clone(), reason };
        let name: DnsName = entry.parse().map_err(|error| bad(format!("{error}")))?;
        if name.is_wildcard() {
            return Err(bad("every entry covers the names below it: leave out the \"*.\"".to_owned()));
        }
        Ok(name)
    };
    entries.iter().map(parse).collect()
}

/// A kind of key in a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyAlgorithm {
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// RSA from 2048 to 4096 bits.
    Rsa,
    /// Ed25519.
    Ed25519,
}

/// What is wrong with a [`Config`], and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A list that needs an entry has none.
    #[error(
        "`{key}` is empty, so that nothing could ever be issued; list at least one, or leave `{key}` out for its default"
    )]
    Empty {
        /// The list.
        key: &'static str,
    },
    /// An entry is no DNS name.
    #[error("`{key}` holds \"{entry}\": {reason}")]
    Name {
        /// The list.
        key: &'static str,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_configuration() {
        let config: Config = toml::from_str(
            r#"
            allowed_names = ["corp.example", "lab.example"]
            denied_names = ["payroll.corp.example"]
            allowed_networks = ["10.0.0.0/8"]
            challenges = ["http-01", "dns-01"]
            certificate_keys = ["p256", "ed25519"]
            "#,
        )
        .unwrap();
        assert!(config.validate().is_ok());
        assert_eq!(config.certificate_keys, [KeyAlgorithm::P256, KeyAlgorithm::Ed25519]);
        assert!(config.wildcards);
    }

    #[test]
    fn the_default_is_valid_and_what_an_empty_file_means() {
        assert_eq!(toml::from_str::<Config>("").unwrap(), Config::default());
        assert!(Config::default().validate().is_ok());
    }

    #[test]
    fn unknown_keys_and_values_are_refused() {
        for text in
            ["alowed_names = []", "challenges = [\"tls-sni-01\"]", "allowed_networks = [\"10.0.0.0/33\"]"]
        {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_wrong_entry_is_named_with_its_list() {
        for (entry, advice) in
            [("*.corp.example", "leave out"), ("corp..example", "empty label"), ("10.0.0.1", "address")]
        {
            let config = Config { denied_names: vec![entry.to_owned()], ..Config::default() };
            let error = config.validate().unwrap_err().to_string();
            assert!(
                error.contains("denied_names") && error.contains(entry) && error.contains(advice),
                "{error}"
            );
        }
    }

    #[test]
    fn lists_without_which_nothing_can_be_issued_must_not_be_empty() {
        let config = Config { challenges: Vec::new(), ..Config::default() };
        assert_eq!(config.validate().unwrap_err(), ConfigError::Empty { key: "challenges" });
    }
}
