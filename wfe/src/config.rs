//! The `[wfe]` part of the configuration.

use cairn_core::Period;
use ipnet::IpNet;
use serde::Deserialize;

use crate::chains::PreferredRoot;
use crate::site::BaseUrl;

/// More requests than connections and their streams can bring.
const MOST_REQUESTS: usize = 1_000_000;

/// Settings of the ACME API.
///
/// ```toml
/// base_url = "https://acme.example.com"
/// trusted_proxies = ["10.0.0.0/8"]
/// retry_after = "3s"
/// max_requests = 512
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The URL that clients reach the API under: every link in an answer begins with it, and clients sign it. It is compared character
    /// for character, so write it as clients see it, before any proxy. A proxy in front must take a path in it off again. Account URLs
    /// begin with it and never change, so choose a name that lasts. Required. If it is wrong, clients that were given the directory's
    /// URL fail at their first signed request.
    pub base_url: Option<BaseUrl>,
    /// For development alone, and not in a configuration file: without `base_url`, links follow the request's host, which must be one
    /// of these names and addresses (without ports). A request for any other host is refused.
    #[serde(skip)]
    pub allowed_hosts: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` header is believed in the log. Default: none. If it holds addresses that clients
    /// can have, they can forge the addresses in the log.
    pub trusted_proxies: Vec<IpNet>,
    /// How long clients are told to wait before they ask again for an object that is being processed; whole seconds from 1s to 1h.
    /// Default: 3s. Shorter makes issuance quicker and costs more requests.
    pub retry_after: Period,
    /// How long clients wait before they ask again when to renew a certificate (RFC 9773 §4.3); whole seconds from 1m to 1d, which are the
    /// bounds that clients keep to. Default: 6h. Shorter lets more clients hear in time that a certificate must be replaced, and costs
    /// that many more requests: one for each certificate and interval.
    pub renewal_info_retry_after: Period,
    /// The root at which the chain ends that clients are given by default: its common name, or its SHA-256 fingerprint. Default: none,
    /// which makes the shortest chain the default. The other chains, which cross-certificates make, are offered as alternates (RFC
    /// 8555 §7.4.2). If there is no chain that ends there, it is as if it were not set, and the log says so.
    pub preferred_root: Option<PreferredRoot>,
    /// How many signed requests are worked on at a time. Default: 512, which is four times what one commit of the storage takes
    /// together, and half of what can queue for it, so that the CA's own work gets through too. Those beyond are answered 503 with
    /// `Retry-After` at once and nothing is done for them; the directory and fresh nonces are given all the same. More makes clients
    /// wait longer under load and issues no more; far fewer turns clients away that could have been served.
    pub max_requests: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            base_url: None,
            allowed_hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            retry_after: Period::from_secs(3),
            renewal_info_retry_after: Period::from_secs(6 * 60 * 60),
            preferred_root: None,
            max_requests: 512,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Nobody could reach the API.
    #[error(
        "base_url is missing: write the URL that clients reach the API under, for example \"https://acme.example.com\""
    )]
    NoName,
    /// `Retry-After` has whole seconds, and an hour is longer than any client waits.
    #[error("retry_after is {0}: write whole seconds from \"1s\" to \"1h\"")]
    RetryAfter(Period),
    /// Clients would take it for another.
    #[error("renewal_info_retry_after is {0}: write whole seconds from \"1m\" to \"1d\"")]
    RenewalInfoRetryAfter(Period),
    /// None could ever be answered, or there would be no bound.
    #[error("max_requests is {0}: write a number from 1 to {MOST_REQUESTS}")]
    MaxRequests(usize),
}

impl Config {
    /// Whether the settings make sense together.
    ///
    /// # Errors
    /// Says which key is wrong and how to mend it.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.base_url.is_none() && self.allowed_hosts.is_empty() {
            return Err(ConfigError::NoName);
        }
        let whole = self.retry_after.duration().subsec_nanos() == 0;
        if !whole || !(1..=3600).contains(&self.retry_after.seconds()) {
            return Err(ConfigError::RetryAfter(self.retry_after));
        }
        let period = self.renewal_info_retry_after;
        if period.duration().subsec_nanos() != 0 || !(60..=86_400).contains(&period.seconds()) {
            return Err(ConfigError::RenewalInfoRetryAfter(period));
        }
        if !(1..=MOST_REQUESTS).contains(&self.max_requests) {
            return Err(ConfigError::MaxRequests(self.max_requests));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn the_documented_example_is_valid() {
        let config = parse(
            "base_url = \"https://acme.example.com\"\ntrusted_proxies = [\"10.0.0.0/8\"]\nretry_after = \"3s\"\nmax_requests = 512",
        );
        let config = config.unwrap();
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(config.base_url.unwrap().to_string(), "https://acme.example.com");
    }

    #[test]
    fn a_ca_without_a_name_is_refused() {
        assert_eq!(Config::default().validate(), Err(ConfigError::NoName));
        let dev = Config { allowed_hosts: vec!["localhost".to_owned()], ..Config::default() };
        assert_eq!(dev.validate(), Ok(()));
        assert!(parse("allowed_hosts = [\"localhost\"]").is_err(), "for development alone");
    }

    #[test]
    fn a_retry_after_that_no_header_can_say_is_refused() {
        for period in ["0s", "1500ms", "2h"] {
            let config =
                parse(&format!("base_url = \"https://ca.test\"\nretry_after = \"{period}\"")).unwrap();
            assert!(matches!(config.validate(), Err(ConfigError::RetryAfter(_))), "{period}");
        }
    }

    #[test]
    fn a_number_of_requests_that_bounds_nothing_or_everything_is_refused() {
        for max_requests in [0, MOST_REQUESTS + 1] {
            let config = parse(&format!("base_url = \"https://ca.test\"\nmax_requests = {max_requests}"));
            assert_eq!(config.unwrap().validate(), Err(ConfigError::MaxRequests(max_requests)));
        }
    }

    #[test]
    fn unknown_keys_and_unusable_urls_are_refused_with_the_reason() {
        assert!(parse("base_uri = \"https://ca.test\"").is_err());
        let error = parse("base_url = \"http://ca.test\"").unwrap_err().to_string();
        assert!(error.contains("https://"), "{error}");
    }
}
