//! What a certificate authority stands on: its issuers, and the CA certificates of which their chains are made.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cairn_core::api::sa::CertificateStore;
use cairn_core::certificate::{CaCertificate, MAX_CA_CERTIFICATES};
use cairn_core::{IssuerId, Result, Timestamp};
use cairn_x509::{Certificate, Crl};

use crate::choice::Terms;
use crate::issuer::Issuer;
use crate::metrics::Handles;
use crate::ocsp::{self, Responder, Voice};

/// The issuers, and all CA certificates that are known besides theirs.
#[derive(Clone, Debug, Default)]
pub struct Hierarchy {
    /// Those to issue from; which one does is decided for each certificate. Of equals, the first.
    pub issuers: Vec<Arc<Issuer>>,
    /// Roots, cross-certificates and others, in any order; those of the issuers may be among them.
    pub authorities: Vec<Certificate>,
    /// OCSP responders that answer for a CA whose key is not here.
    pub responders: Vec<Arc<Responder>>,
    /// What the CAs above have revoked.
    pub crls: Vec<Crl>,
}

impl From<Issuer> for Hierarchy {
    fn from(issuer: Issuer) -> Self {
        Self { issuers: vec![Arc::new(issuer)], ..Self::default() }
    }
}

/// A hierarchy as it is used.
pub(crate) struct InUse {
    pub(crate) issuers: Vec<Ready>,
    /// All certificates, each once.
    certificates: Vec<Certificate>,
    /// Of CAs above.
    pub(crate) crls: Vec<Crl>,
    /// Whether the storage has them.
    recorded: AtomicBool,
    /// For whom OCSP can be answered.
    pub(crate) voices: Vec<Voice>,
}

/// An issuer with its counters.
pub(crate) struct Ready {
    pub(crate) issuer: Arc<Issuer>,
    pub(crate) metrics: Arc<Handles>,
}

impl InUse {
    pub(crate) fn new<'a>(hierarchy: Hierarchy, profiles: impl Iterator<Item = &'a String> + Clone) -> Self {
        let ready = |issuer: Arc<Issuer>| {
            let metrics = Arc::new(Handles::new(&issuer, profiles.clone()));
            Ready { issuer, metrics }
        };
        let own = hierarchy.issuers.iter().map(|issuer| issuer.certificate().clone());
        let mut certificates: Vec<_> = own.chain(hierarchy.authorities).collect();
        let mut seen = BTreeSet::new();
        certificates.retain(|certificate| seen.insert(certificate.sha256_fingerprint()));
        let issuers: Vec<_> = hierarchy.issuers.into_iter().map(ready).collect();
        let voices = ocsp::voices(&issuers, &hierarchy.responders, &hierarchy.crls, &certificates);
        Self { issuers, voices, certificates, crls: hierarchy.crls, recorded: AtomicBool::new(false) }
    }

    /// Sees that the storage has the certificates: once for each hierarchy, and again after a failure. Two that meet here both
    /// record, which does no harm.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn ensure_recorded(&self, store: &dyn CertificateStore, now: Timestamp) -> Result<()> {
        if self.recorded.load(Ordering::Acquire) {
            return Ok(());
        }
        let record = |certificate: &Certificate| CaCertificate {
            der: certificate.der().to_vec(),
            subject: id(certificate),
            at: now,
        };
        for some in self.certificates.chunks(MAX_CA_CERTIFICATES) {
            store.record_ca_certificates(some.iter().map(record).collect()).await?;
        }
        self.recorded.store(true, Ordering::Release);
        Ok(())
    }
}

/// The name of a CA in the database: its subject key identifier, if that has 20 octets.
pub(crate) fn id(certificate: &Certificate) -> Option<IssuerId> {
    certificate.subject_key_identifier()?.try_into().ok().map(IssuerId::from_bytes)
}

impl AsRef<Terms> for Ready {
    fn as_ref(&self) -> &Terms {
        self.issuer.terms()
    }
}

impl fmt::Debug for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.issuers.iter().map(|ready| &ready.issuer)).finish()
    }
}
