//! The Policy Authority: what the CA is willing to do at all, whoever asks.
//!
//! Three questions, each a file of pure functions: may this name or address be certified (`identifiers`), how may it be
//! proven (`challenges`), is this key good enough (`keys`, with the arithmetic of RSA in `rsa`). Nothing here knows an
//! account, an order, a clock or a network, and names that DNS cannot hold never get here: [`cairn_core::DnsName`] exists only
//! in valid form.
//!
//! Not looked for: the keys that Debian's OpenSSL made from 2006 to 2008. Finding them takes lists of megabytes.

mod config;

mod challenges;
mod identifiers;
mod keys;
mod rsa;

use async_trait::async_trait;
use cairn_core::api::{KeyUse, PolicyAuthority};
use cairn_core::{ChallengeType, Identifier, Result};

pub use crate::config::{Config, ConfigError, KeyAlgorithm};

use crate::identifiers::NamePolicy;

/// The policy of one configuration.
#[derive(Clone, Debug)]
pub struct Pa {
    config: Config,
    names: NamePolicy,
}

impl Pa {
    /// The policy that `config` describes.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let names = config.name_policy()?;
        Ok(Self { config, names })
    }
}

#[async_trait]
impl PolicyAuthority for Pa {
    async fn willing_to_issue(&self, identifiers: &[Identifier]) -> Result<Vec<Vec<ChallengeType>>> {
        identifiers::willing_to_issue(&self.names, &self.config.challenges, identifiers)
    }

    async fn challenge_enabled(
        &self,
        challenge: ChallengeType,
        identifier: &Identifier,
        wildcard: bool,
    ) -> Result<bool> {
        Ok(challenges::enabled(&self.config.challenges, challenge, identifier, wildcard))
    }

    async fn good_key(&self, spki: &[u8], key_use: KeyUse) -> Result<()> {
        keys::good_key(self.config.keys_for(key_use), key_use, spki)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::ErrorKind;

    #[tokio::test]
    async fn every_question_is_answered_by_the_configuration() {
        let pa = Pa::new(Config { challenges: vec![ChallengeType::Http01], ..Config::default() }).unwrap();
        let name = Identifier::parse("dns", "a.test").unwrap();
        let offers = pa.willing_to_issue(std::slice::from_ref(&name)).await.unwrap();
        assert_eq!(offers, [[ChallengeType::Http01]]);
        assert!(pa.challenge_enabled(ChallengeType::Http01, &name, false).await.unwrap());
        assert!(!pa.challenge_enabled(ChallengeType::Dns01, &name, false).await.unwrap());
        let error = pa.good_key(b"no key", KeyUse::Account).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadPublicKey);
    }

    #[test]
    fn no_policy_is_made_from_a_wrong_configuration() {
        assert!(Pa::new(Config { allowed_names: vec!["*".to_owned()], ..Config::default() }).is_err());
    }
}
