//! The Certificate Authority: the only room that signs certificates.
//!
//! It gets a public key, names that others have proven and the name of a profile, and never a CSR. What it is about to sign it
//! stores first, so that no certificate can exist that nobody knows of. `issuance.rs` is the whole cycle, numbered as in
//! docs/ISSUANCE.md; the other files are its parts.
//!
//! It decides nothing about the names and the key: whether they are acceptable is the policy authority's question, and who may
//! have them the registration authority's. It makes no issuer either: the hierarchy is made before it starts.

pub mod calendar;
pub mod config;
pub mod crl;
pub mod hierarchy;
pub mod issuer;
pub mod serial;

mod audit;
mod choice;
mod issuance;
mod metrics;
mod ocsp;
mod profile;
mod publication;
mod signing;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use cairn_core::api::ca::{CertificateAuthority, IssuanceRequest, IssuedCertificate};
use cairn_core::api::sa::CertificateStore;
use cairn_core::api::{OcspAnswer, OcspResponder};
use cairn_core::{Clock, Random, Result};

pub use crate::choice::{Usage, Use};
pub use crate::config::{
    Config, ConfigError, CrlConfig, DEFAULT_PROFILE, OcspConfig, OcspSigner, ProfileConfig,
};
pub use crate::crl::Crls;
pub use crate::hierarchy::Hierarchy;
pub use crate::issuer::{Issuer, IssuerError};
pub use crate::metrics::{Gauges, METRICS};
pub use crate::ocsp::{Responder, ResponderError};
pub use crate::serial::SerialPrefix;

use crate::hierarchy::{InUse, Ready};
use crate::ocsp::Ocsp;
use crate::profile::Profile;
use crate::publication::Publication;

/// A certificate authority with its issuers, which can be exchanged while it runs.
pub struct Ca {
    profiles: BTreeMap<String, Profile>,
    publication: Option<Publication>,
    crl: CrlConfig,
    serial_prefix: SerialPrefix,
    /// Exchanged as a whole: what has begun with one set ends with it.
    hierarchy: ArcSwap<InUse>,
    ocsp: Ocsp,
    store: Arc<dyn CertificateStore>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl Ca {
    /// A certificate authority that signs with the issuers of `hierarchy` and records in `store`.
    ///
    /// # Errors
    /// If `config` is not valid.
    pub fn new(
        config: Config,
        hierarchy: impl Into<Hierarchy>,
        store: Arc<dyn CertificateStore>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Result<Self, ConfigError> {
        config.validate()?;
        let hierarchy = InUse::new(hierarchy.into(), config.profiles.keys());
        let publication = Publication::new(&config);
        let profiles = config.profiles.into_iter().map(|(name, profile)| (name, Profile::from(profile)));
        Ok(Self {
            profiles: profiles.collect(),
            publication,
            crl: config.crl,
            serial_prefix: config.serial_prefix,
            hierarchy: ArcSwap::from_pointee(hierarchy),
            ocsp: Ocsp::new(config.ocsp),
            store,
            clock,
            random,
        })
    }

    /// Sees that the storage has the certificates of the hierarchy in use, so that every front end can make chains before the first
    /// leaf of a new issuer. Nothing is issued before that either way.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn record(&self) -> Result<()> {
        let hierarchy = self.hierarchy.load_full();
        hierarchy.ensure_recorded(self.store.as_ref(), self.clock.now()).await
    }

    /// Issues with `hierarchy` from now on. What has begun ends with the issuer that it began with.
    pub fn exchange(&self, hierarchy: Hierarchy) {
        self.hierarchy.store(Arc::new(InUse::new(hierarchy, self.profiles.keys())));
    }

    /// Whether an issuer's key can sign, as far as is known; those that are elsewhere are asked now and then. While one issuer can
    /// issue, the certificate authority can do something.
    ///
    /// # Errors
    /// `Unavailable` if none can.
    pub async fn check_keys(&self) -> Result<()> {
        let hierarchy = self.hierarchy.load_full();
        let mut last = Ok(());
        for Ready { issuer, .. } in &hierarchy.issuers {
            last = issuer.key().check().await;
            if last.is_ok() {
                break;
            }
        }
        last
    }
}

#[async_trait]
impl OcspResponder for Ca {
    async fn ocsp_response(&self, request: Vec<u8>) -> Result<OcspAnswer> {
        self.answer_ocsp(&request).await
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
            .field("hierarchy", &self.hierarchy.load())
            .finish_non_exhaustive()
    }
}
