//! The Certificate Authority: the only room that signs certificates.
//!
//! It gets a public key, names that others have proven and the name of a profile, and never a CSR. What it is about to sign it
//! stores first, so that no certificate can exist that nobody knows of. `issuance.rs` is the whole cycle, numbered as in
//! docs/ISSUANCE.md; the other files are its parts.
//!
//! It decides nothing about the names and the key: whether they are acceptable is the policy authority's question, and who may
//! have them the registration authority's. It makes no issuer either: the hierarchy is made before it starts.

pub mod config;
pub mod issuer;
pub mod serial;

mod audit;
mod issuance;
mod metrics;
mod profile;
mod signing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use cairn_core::api::ca::{CertificateAuthority, IssuanceRequest, IssuedCertificate};
use cairn_core::api::sa::CertificateStore;
use cairn_core::{Clock, Random, Result};

pub use crate::config::{Config, ConfigError, DEFAULT_PROFILE, ProfileConfig};
pub use crate::issuer::{Issuer, IssuerError};
pub use crate::metrics::METRICS;
pub use crate::serial::SerialPrefix;

use crate::metrics::Handles;
use crate::profile::Profile;

/// A certificate authority with one issuer.
pub struct Ca {
    profiles: BTreeMap<String, Profile>,
    serial_prefix: SerialPrefix,
    issuer: Issuer,
    store: Arc<dyn CertificateStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    metrics: Handles,
}

impl Ca {
    /// A certificate authority that signs with `issuer` and records in `store`.
    ///
    /// # Errors
    /// If `config` is not valid.
    pub fn new(
        config: Config,
        issuer: Issuer,
        store: Arc<dyn CertificateStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let metrics = Handles::new(&issuer, config.profiles.keys());
        let profiles = config.profiles.into_iter().map(|(name, profile)| (name, Profile::from(profile)));
        Ok(Self {
            profiles: profiles.collect(),
            serial_prefix: config.serial_prefix,
            issuer,
            store,
            clock,
            random,
            metrics,
        })
    }
}

impl Ca {
    /// Whether the issuer's key can sign, as far as is known; one that is elsewhere is asked now and then.
    ///
    /// # Errors
    /// `Unavailable` if it cannot.
    pub async fn check_key(&self) -> Result<()> {
        self.issuer.key().check().await
    }
}

#[async_trait]
impl CertificateAuthority for Ca {
    async fn issue_certificate(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        self.issue(request).await
    }
}

impl fmt::Debug for Ca {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ca")
            .field("profiles", &self.profiles)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}
