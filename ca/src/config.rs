//! The configuration of the certificate authority. Which files hold the issuer is the caller's configuration: this room reads none.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use cairn_core::{Period, PkiUrl};
use serde::Deserialize;

use crate::serial::SerialPrefix;

/// The profile of orders that name none; it must exist.
pub const DEFAULT_PROFILE: &str = "default";

/// Apple's platforms refuse TLS server certificates that are valid longer, private roots included.
const LONGEST_LIFETIME: Period = Period::from_days(825);
/// Times in CRLs are whole seconds.
const SHORTEST_INTERVAL: Period = Period::from_secs(1);
const LONGEST_INTERVAL: Period = Period::from_days(1);
/// The Baseline Requirements allow no more (§4.9.7), and who keeps a CRL for longer learns too late.
const LONGEST_VALIDITY: Period = Period::from_days(10);
/// A clock that is wrong by more than a day breaks so much else that certificates need not care.
const LONGEST_BACKDATE: Period = Period::from_days(1);

/// Clients' clocks differ by minutes, and half of it must leave time to fetch the next.
const SHORTEST_ANSWER: Period = Period::from_secs(60 * 60);
/// Baseline Requirements §4.9.10.
const LONGEST_ANSWER: Period = Period::from_days(10);
/// What cannot be revoked must end by itself, soon.
const LONGEST_RESPONDER: Period = Period::from_days(30);

/// How certificates are issued.
///
/// ```
/// # let text = r#"
/// serial_prefix = 1
///
/// [profiles.default]
/// lifetime = "90d"
///
/// [profiles.short]
/// lifetime = "6d"
/// common_name = false
/// # "#;
/// # let config: cairn_ca::Config = toml::from_str(text).unwrap();
/// # config.validate().unwrap();
/// # assert_eq!(config.profiles["short"].backdate, cairn_core::Period::from_secs(3600));
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The first octet of every serial number, 1 to 127. Default: 1. When several instances sign with the same issuer, each needs
    /// its own, so that no two can ever make the same serial.
    pub serial_prefix: SerialPrefix,
    /// The kinds of certificates, by name; orders choose one by its name. Default: one named `default`. When this is set, it
    /// replaces the default, and must contain a profile named `default`: orders that name no profile get that one.
    pub profiles: BTreeMap<String, ProfileConfig>,
    /// What the URLs in certificates begin with by which relying parties find out whether one is revoked (OCSP, CRL) and who issued it:
    /// `"http://pki.example.com"`. Plain HTTP, a host and maybe a port. A certificate keeps what it was issued with, so choose a name
    /// that can stay. Default: none; then certificates say nothing of where to look, and who checks for revocation finds nothing.
    pub pki_url: Option<PkiUrl>,
    /// CRLs.
    pub crl: CrlConfig,
    /// OCSP.
    pub ocsp: OcspConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            serial_prefix: SerialPrefix::default(),
            profiles: BTreeMap::from([(DEFAULT_PROFILE.to_owned(), ProfileConfig::default())]),
            pki_url: None,
            crl: CrlConfig::default(),
            ocsp: OcspConfig::default(),
        }
    }
}

/// The `[ca.crl]` section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CrlConfig {
    /// Among how many CRLs the certificates of an issuer are divided, so that none grows too long to be fetched, 1 to 65535. Default: 1.
    /// It can be changed at any time: a certificate stays on the CRL that it was issued for.
    pub shards: NonZeroU16,
    /// How often a new CRL of each shard is made, from `1s` to `1d`. Default: `1h`. A certificate that is revoked because its key is in
    /// other hands does not wait for that: then a new one is made at once.
    pub interval: Period,
    /// How long a CRL is good for (nextUpdate), from twice the `interval` to `10d`. Default: `3d`. If no CRL can be made for so long,
    /// for example because the key cannot be used, relying parties that insist on a CRL refuse every certificate of the issuer. Caches
    /// may keep one for as long.
    pub validity: Period,
    /// How often a delta CRL is made, which tells what was revoked since the last complete one, at least `1s` and less than `interval`.
    /// Default: none are made; few programs look for them.
    pub delta_interval: Option<Period>,
}

impl Default for CrlConfig {
    fn default() -> Self {
        Self {
            shards: NonZeroU16::MIN,
            interval: Period::from_secs(60 * 60),
            validity: Period::from_days(3),
            delta_interval: None,
        }
    }
}

impl CrlConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field: &str, problem: String| Err(ConfigError { key: format!("crl.{field}"), problem });
        let Self { interval, validity, delta_interval, .. } = *self;
        let is_whole = |period: Period| period.duration().subsec_nanos() == 0;
        if !(SHORTEST_INTERVAL..=LONGEST_INTERVAL).contains(&interval) || !is_whole(interval) {
            return wrong(
                "interval",
                format!(
                    "{interval} cannot be used; write whole seconds from {SHORTEST_INTERVAL} to {LONGEST_INTERVAL}"
                ),
            );
        }
        if validity > LONGEST_VALIDITY || validity.seconds() < 2 * interval.seconds() {
            return wrong(
                "validity",
                format!(
                    "{validity} cannot be used; write at least twice the interval of {interval}, and at most {LONGEST_VALIDITY}"
                ),
            );
        }
        match delta_interval {
            Some(delta) if delta < SHORTEST_INTERVAL || delta >= interval || !is_whole(delta) => wrong(
                "delta_interval",
                format!(
                    "{delta} cannot be used; write whole seconds from {SHORTEST_INTERVAL} to less than the interval of {interval}"
                ),
            ),
            _ => Ok(()),
        }
    }
}

/// The `[ca.ocsp]` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OcspConfig {
    /// How long an answer is good, from its thisUpdate to its nextUpdate: 1h to 10d. Default: `24h`. Front ends ask for a new one at half of
    /// that. Shorter makes a stolen or kept "good" useless earlier, and costs signatures.
    pub validity: Period,
    /// Who signs answers. `"issuer"` (default): the issuer itself. `"delegated"`: a key that is made in memory, with a certificate
    /// that the issuer issues for that purpose alone (RFC 6960 §4.2.2.2) and that is renewed by itself: so that answers are not
    /// signed in a hardware security module.
    pub signer: OcspSigner,
    /// How long the certificate of a delegated responder is valid, at most `30d`, and at least twice as long as an answer. Default: `3d`.
    /// It cannot be revoked, so let it be short. It is renewed at half of its life.
    pub responder_lifetime: Period,
}

/// Who signs OCSP answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OcspSigner {
    /// The issuer.
    #[default]
    Issuer,
    /// A responder that it has delegated to.
    Delegated,
}

impl Default for OcspConfig {
    fn default() -> Self {
        Self {
            validity: Period::from_days(1),
            signer: OcspSigner::Issuer,
            responder_lifetime: Period::from_days(3),
        }
    }
}

impl OcspConfig {
    fn validate(&self) -> Result<(), ConfigError> {
        let wrong = |field: &str, problem: String| Err(ConfigError { key: format!("ocsp.{field}"), problem });
        if !(SHORTEST_ANSWER..=LONGEST_ANSWER).contains(&self.validity) {
            return wrong(
                "validity",
                format!("{} is not from {SHORTEST_ANSWER} to {LONGEST_ANSWER}", self.validity),
            );
        }
        let least = Period::from_secs(u32::try_from(2 * self.validity.seconds()).unwrap_or(u32::MAX));
        if !(least..=LONGEST_RESPONDER).contains(&self.responder_lifetime) {
            return wrong(
                "responder_lifetime",
                format!(
                    "{} is not from {least}, twice the validity of an answer, to {LONGEST_RESPONDER}",
                    self.responder_lifetime
                ),
            );
        }
        Ok(())
    }
}

/// One kind of certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfileConfig {
    /// How long a certificate is valid, `backdate` included. Default: `90d`; at most `825d`, more than which Apple's platforms
    /// refuse. Near the end of the issuer's own certificate, certificates get shorter: none outlives its issuer.
    pub lifetime: Period,
    /// How long before its issuance a certificate begins, so that clients whose clocks are slow accept it at once. Default: `1h`;
    /// at most `1d`, and less than half of `lifetime`.
    pub backdate: Period,
    /// Whether the first name of at most 64 characters is also the subject's common name. Default: true, since some old software
    /// looks nowhere else. Without it the subject is empty.
    pub common_name: bool,
    /// Whether the certificate is also good for TLS clients (extendedKeyUsage clientAuth). Default: false. Beware when other
    /// services take any client certificate from this CA as a login: then whoever controls a name can log in.
    pub client_auth: bool,
    /// Whether TLS servers must staple an OCSP answer (the TLS feature status_request, RFC 7633): clients that know it refuse a connection
    /// without one. Default: false. It needs `pki_url`, and servers that staple by themselves from the first connection on.
    pub must_staple: bool,
}

impl Default for ProfileConfig {
    fn default() -> Self {
        Self {
            lifetime: Period::from_days(90),
            backdate: Period::from_secs(60 * 60),
            common_name: true,
            client_auth: false,
            must_staple: false,
        }
    }
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigError {
    /// Which, as a path of keys.
    pub key: String,
    /// What is wrong, and how to mend it.
    pub problem: String,
}

impl Config {
    /// Checks what the types cannot say.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !self.profiles.contains_key(DEFAULT_PROFILE) {
            return Err(ConfigError {
                key: "profiles".to_owned(),
                problem: format!(
                    "there is no profile named \"{DEFAULT_PROFILE}\", and orders that name none need one; \
                     add [profiles.{DEFAULT_PROFILE}]"
                ),
            });
        }
        self.ocsp.validate()?;
        if let Some((name, _)) =
            self.profiles.iter().find(|(_, profile)| profile.must_staple && self.pki_url.is_none())
        {
            return Err(ConfigError {
                key: format!("profiles.{name}.must_staple"),
                problem: "such certificates are good for nothing without a place where servers get OCSP answers; set pki_url to the \
                          plain-HTTP URL of the front end for relying parties, for example \"http://pki.example.com\", or leave it out"
                    .to_owned(),
            });
        }
        self.crl.validate()?;
        self.profiles.iter().try_for_each(|(name, profile)| profile.validate(name))
    }
}

impl ProfileConfig {
    fn validate(&self, name: &str) -> Result<(), ConfigError> {
        let wrong = |field: &str, problem: String| {
            Err(ConfigError { key: format!("profiles.{name}.{field}"), problem })
        };
        if self.lifetime > LONGEST_LIFETIME {
            return wrong(
                "lifetime",
                format!("{} is too long; use at most {LONGEST_LIFETIME}", self.lifetime),
            );
        }
        if self.backdate > LONGEST_BACKDATE {
            return wrong(
                "backdate",
                format!("{} is too long; use at most {LONGEST_BACKDATE}", self.backdate),
            );
        }
        if self.lifetime.seconds() <= 2 * self.backdate.seconds() {
            return wrong(
                "lifetime",
                format!(
                    "{} leaves too little after a backdate of {}; use more than twice the backdate",
                    self.lifetime, self.backdate
                ),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        let config: Config = toml::from_str(text).unwrap();
        config.validate().unwrap_err().to_string()
    }

    #[test]
    fn the_default_is_valid_and_an_empty_file_means_the_same() {
        Config::default().validate().unwrap();
        let empty: Config = toml::from_str("").unwrap();
        assert_eq!(empty.profiles, Config::default().profiles);
        assert_eq!(empty.serial_prefix, SerialPrefix::default());
    }

    #[test]
    fn there_must_be_a_default_profile() {
        assert!(error_of("[profiles.short]\nlifetime = \"6d\"").contains("add [profiles.default]"));
        assert!(error_of("profiles = {}").contains("add [profiles.default]"));
    }

    #[test]
    fn a_lifetime_must_outlast_its_backdate_and_be_no_longer_than_clients_accept() {
        assert!(
            error_of("[profiles.default]\nlifetime = \"2h\"").starts_with("profiles.default.lifetime: 2h")
        );
        assert!(error_of("[profiles.default]\nlifetime = \"826d\"").contains("at most 2y 95d"));
        assert!(error_of("[profiles.default]\nbackdate = \"25h\"").contains("at most 1d"));
    }

    #[test]
    fn crls_are_made_in_time_and_are_good_for_some_time() {
        let error_of = |text: &str| error_of(&format!("[crl]\n{text}"));
        assert!(error_of("interval = \"2d\"").starts_with("crl.interval: 2d"));
        assert!(error_of("interval = \"100ms\"").starts_with("crl.interval"));
        assert!(error_of("validity = \"11d\"").contains("at most 10d"));
        assert!(error_of("validity = \"119m\"").starts_with("crl.validity"));
        assert!(error_of("delta_interval = \"1h\"").starts_with("crl.delta_interval"));
        let config: Config = toml::from_str("[crl]\ninterval = \"10m\"\ndelta_interval = \"1m\"").unwrap();
        config.validate().unwrap();
        assert!(toml::from_str::<Config>("[crl]\nshards = 0").is_err());
    }

    #[test]
    fn answers_and_their_responders_live_neither_too_short_nor_too_long() {
        for validity in ["59m", "11d"] {
            let text = format!("[ocsp]\nvalidity = \"{validity}\"\nresponder_lifetime = \"30d\"");
            assert!(error_of(&text).starts_with("ocsp.validity: "), "{validity}");
        }
        assert!(error_of("[ocsp]\nresponder_lifetime = \"47h\"").contains("is not from 2d, twice"));
        assert!(error_of("[ocsp]\nresponder_lifetime = \"31d\"").starts_with("ocsp.responder_lifetime: "));
    }

    #[test]
    fn whoever_must_staple_must_know_where_from() {
        let text = "[profiles.default]\nmust_staple = true";
        let error = error_of(text);
        assert!(
            error.starts_with("profiles.default.must_staple: ") && error.contains("set pki_url"),
            "{error}"
        );
        let config: Config = toml::from_str(&format!("pki_url = \"http://pki.test\"\n{text}")).unwrap();
        config.validate().unwrap();
    }

    #[test]
    fn unknown_keys_and_impossible_prefixes_are_refused_while_reading() {
        for text in
            ["serial_prefix = 0", "serial_prefix = 128", "prefix = 1", "[profiles.default]\nlife = \"1d\""]
        {
            assert!(toml::from_str::<Config>(text).is_err(), "{text}");
        }
    }
}
