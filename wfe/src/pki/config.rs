//! The `[pki]` part of the configuration, but for addresses, which are the process's.

use cairn_core::Period;
use ipnet::IpNet;
use serde::Deserialize;

/// More answers than any CA has certificates that are asked about.
const MOST_ANSWERS: usize = 100_000_000;
/// Half of the longest life of an answer.
const LONGEST_AGE: Period = Period::from_days(5);

/// Settings of the front end for relying parties.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Networks of proxies whose `X-Forwarded-For` header is believed in the log.
    pub trusted_proxies: Vec<IpNet>,
    /// How OCSP is answered.
    pub ocsp: Ocsp,
    /// How CRLs are served.
    pub crl: Crl,
}

/// How CRLs are served.
///
/// ```toml
/// max_age = "5m"
/// cached_octets = 67108864
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Crl {
    /// How long browsers, proxies and CDNs may keep a CRL (`Cache-Control: max-age`), whole seconds from 0s to 5d. Default: `5m`. A
    /// certificate that is revoked meanwhile goes unseen behind them for as long. They are told less at the end of a CRL's life.
    pub max_age: Period,
    /// How many octets of CRLs are kept in memory, 0 for none. Default: 67108864 (64 MiB). A CRL that would take more than half of that is
    /// read from the storage for each request.
    pub cached_octets: usize,
}

impl Default for Crl {
    fn default() -> Self {
        Self { max_age: Period::from_secs(5 * 60), cached_octets: 64 << 20 }
    }
}

/// How OCSP is answered.
///
/// ```toml
/// nonce = "echo"
/// max_age = "5m"
/// cached_answers = 50000
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ocsp {
    /// What becomes of a request's nonce (RFC 9654). `"echo"` (default): it stands in the answer, which is made and signed for this
    /// request alone. `"ignore"`: the answer has none and is the same for everybody, which clients must accept (RFC 6960 §4.4.1) but
    /// some refuse; then nobody can have the CA sign at will.
    pub nonce: NonceUse,
    /// How long browsers, proxies and CDNs may keep an answer (`Cache-Control: max-age`), whole seconds from 0s to 5d. Default: `5m`. They
    /// are told less when less than this is left of the first half of the answer's life. What they keep they do not ask for again,
    /// so for as long a revocation may go unseen behind them; Cairn's own answers change within a second.
    pub max_age: Period,
    /// How many signed answers are kept in memory, 0 for none. Default: 50000, which take some 50 MiB (twice that where delegated
    /// responders sign). What was asked for least is forgotten first, and is signed anew when it is asked for again.
    pub cached_answers: usize,
}

/// What becomes of a request's nonce.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NonceUse {
    /// It stands in the answer.
    #[default]
    Echo,
    /// It is as if there were none.
    Ignore,
}

impl Default for Ocsp {
    fn default() -> Self {
        Self { nonce: NonceUse::Echo, max_age: Period::from_secs(5 * 60), cached_answers: 50_000 }
    }
}

/// What is wrong with a [`Config`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// `max-age` has whole seconds, and no answer is kept for longer than half of its life.
    #[error("ocsp.max_age is {0}: write whole seconds from \"0s\" to \"5d\"")]
    MaxAge(Period),
    /// `max-age` has whole seconds, and no CRL is kept for longer than it lives.
    #[error("crl.max_age is {0}: write whole seconds from \"0s\" to \"5d\"")]
    CrlMaxAge(Period),
    /// There would be no bound.
    #[error("ocsp.cached_answers is {0}: write a number up to {MOST_ANSWERS}")]
    CachedAnswers(usize),
}

impl Config {
    /// Whether the settings make sense.
    ///
    /// # Errors
    /// The first that does not.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let Ocsp { max_age, cached_answers, .. } = self.ocsp;
        if max_age.duration().subsec_nanos() != 0 || max_age > LONGEST_AGE {
            return Err(ConfigError::MaxAge(max_age));
        }
        let Crl { max_age, .. } = self.crl;
        if max_age.duration().subsec_nanos() != 0 || max_age > LONGEST_AGE {
            return Err(ConfigError::CrlMaxAge(max_age));
        }
        if cached_answers > MOST_ANSWERS {
            return Err(ConfigError::CachedAnswers(cached_answers));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Config {
        Config { ocsp: toml::from_str(text).unwrap(), ..Config::default() }
    }

    #[test]
    fn the_documented_example_is_the_default() {
        let config = parse("nonce = \"echo\"\nmax_age = \"5m\"\ncached_answers = 50000");
        assert_eq!(config.validate(), Ok(()));
        assert_eq!(format!("{:?}", config.ocsp), format!("{:?}", Ocsp::default()));
    }

    #[test]
    fn what_no_header_can_say_and_what_bounds_nothing_is_refused() {
        assert!(matches!(parse("max_age = \"1500ms\"").validate(), Err(ConfigError::MaxAge(_))));
        assert!(matches!(parse("max_age = \"6d\"").validate(), Err(ConfigError::MaxAge(_))));
        let many = parse("cached_answers = 100000001").validate();
        assert_eq!(many, Err(ConfigError::CachedAnswers(100_000_001)));
        assert!(toml::from_str::<Ocsp>("nonces = 1").is_err());
    }
}
