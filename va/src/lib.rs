//! The Validation Authority: looks whether a subscriber controls what it asks a certificate for, by http-01 (RFC 8555 §8.3), dns-01
//! (RFC 8555 §8.4) and tls-alpn-01 (RFC 8737), for DNS names and for IP addresses (RFC 8738).
//!
//! This is the only room that dials hosts chosen by strangers. Everything they can make long is bounded: answers, redirects, waits,
//! the number of validations at a time. Where they may not lead us is decided in `dial`, once for every connection.
//!
//! Other Validation Authorities elsewhere in the network may look too (`perspectives`).
//!
//! A challenge that fails is a result with a problem that says what was tried, what happened and what to do. An error is a fault of
//! ours, and says nothing about the subscriber.

mod config;

mod perspectives;

mod queue;

mod http01;

mod redirect;

mod get;

mod dns01;

mod tls_alpn01;

mod certificate;

mod tls;

mod dial;

mod networks;

mod dns;

mod failure;

mod metrics;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN};
use cairn_core::api::va::{ValidationAuthority, ValidationRequest, ValidationResult};
use cairn_core::{ChallengeType, Error, KeyAuthorization, Result, ValidationRecord};
use tokio::time::Instant;

pub use crate::config::{Config, ConfigError, PerspectiveConfig};
use crate::dial::Dialer;
use crate::dns::Dns;
use crate::failure::Failure;
use crate::http01::Http01;
pub use crate::metrics::METRICS;
pub use crate::perspectives::Perspective;
use crate::perspectives::Perspectives;
use crate::queue::Queue;
use crate::tls_alpn01::TlsAlpn01;

/// The Validation Authority. Its resolver and TLS configurations are made once; validations share them.
pub struct Va {
    queue: Queue,
    perspectives: Perspectives,
    timeout: Duration,
    dns: Arc<Dns>,
    dialer: Dialer,
    http01: Http01,
    tls_alpn01: TlsAlpn01,
}

impl Va {
    /// A Validation Authority as configured, and how to ask each of its perspectives, in the order of the configuration. If no
    /// resolvers are given, reads the system's.
    ///
    /// # Errors
    /// If the configuration cannot work, or `perspectives` are not those in it.
    pub fn new(config: &Config, perspectives: Vec<Perspective>) -> Result<Self, ConfigError> {
        config.validate()?;
        Self::with_perspectives(config, Perspectives::new(config, perspectives)?)
    }

    /// One that looks alone, whatever perspectives are configured: itself a perspective of another, which may have the same
    /// configuration.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn alone(config: &Config) -> Result<Self, ConfigError> {
        config.validate()?;
        Self::with_perspectives(config, Perspectives::none())
    }

    fn with_perspectives(config: &Config, perspectives: Perspectives) -> Result<Self, ConfigError> {
        let dns = Arc::new(Dns::new(config)?);
        Ok(Self {
            queue: Queue::new(config),
            perspectives,
            timeout: config.timeout.duration(),
            dialer: Dialer::new(config, Arc::clone(&dns)),
            dns,
            http01: Http01::new(config),
            tls_alpn01: TlsAlpn01::new(config),
        })
    }

    /// What this one sees itself.
    async fn look(&self, request: &ValidationRequest) -> Result<ValidationResult> {
        let (mut records, began) = (Vec::new(), Instant::now());
        let outcome = self.attempt(request, &mut records).await;
        let counted = match &outcome {
            Ok(()) => metrics::Outcome::Valid,
            Err(Failure::Challenge(_)) => metrics::Outcome::Invalid,
            Err(Failure::Ours(_)) => metrics::Outcome::Error,
        };
        metrics::validation(request.challenge, counted, began.elapsed());
        match outcome {
            Ok(()) => Ok(ValidationResult { records, problem: None }),
            Err(Failure::Challenge(problem)) => Ok(ValidationResult { records, problem: Some(problem) }),
            Err(Failure::Ours(error)) => Err(error),
        }
    }

    async fn attempt(
        &self,
        request: &ValidationRequest,
        records: &mut Vec<ValidationRecord>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.timeout;
        match request.challenge {
            ChallengeType::Http01 => self.http01.validate(&self.dialer, request, deadline, records).await,
            ChallengeType::Dns01 => dns01::validate(&self.dns, request, deadline, records).await,
            ChallengeType::TlsAlpn01 => {
                self.tls_alpn01.validate(&self.dialer, request, deadline, records).await
            }
        }
    }
}

#[async_trait]
impl ValidationAuthority for Va {
    #[tracing::instrument(
        level = "debug",
        skip_all,
        fields(
            authorization.id = %request.authorization,
            identifier = %request.identifier,
            challenge = %request.challenge,
        )
    )]
    async fn validate(&self, request: ValidationRequest) -> Result<ValidationResult> {
        if request.identifier.is_wildcard() {
            // A wildcard record in DNS would answer for it, and one host would speak for all names.
            return Err(Error::internal(
                "The challenge cannot be validated.",
                "a wildcard was to be validated",
            ));
        }
        let _turn = self.queue.turn().await?;
        let ValidationResult { records, problem } =
            self.perspectives.validate(&request, self.look(&request)).await?;
        // The audit event is the registration authority's, which knows the account.
        tracing::debug!(valid = problem.is_none(), detail = problem.as_ref().map(|it| &*it.detail), ?records);
        Ok(ValidationResult { records, problem })
    }
}

/// The SHA-256 digest of a key authorization: what dns-01 and tls-alpn-01 look for.
fn digest(key_authorization: &KeyAuthorization) -> [u8; SHA256_OUTPUT_LEN] {
    let mut digest = [0; SHA256_OUTPUT_LEN];
    let output = aws_lc_rs::digest::digest(&SHA256, key_authorization.as_str().as_bytes());
    digest.copy_from_slice(output.as_ref());
    digest
}
