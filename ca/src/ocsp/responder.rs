//! An OCSP responder that was installed: a CA whose key is elsewhere has certified a key that answers for it (RFC 6960 §4.2.2.2).

use std::fmt;

use cairn_core::Timestamp;
use cairn_x509::{Certificate, Finding, Signer, SignerError, VerifyError, lint_ocsp_responder};

use crate::issuer::list;
use crate::signing::SigningKey;

/// A responder's certificate with its key, and the CA for which it answers.
pub struct Responder {
    certificate: Certificate,
    authority: Certificate,
    key: SigningKey,
}

/// Why a responder cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponderError {
    /// Certificate and key do not belong together.
    #[error(
        "the key is not that of the responder's certificate ({0}); give the certificate and the key of the same responder"
    )]
    OtherKey(String),
    /// Its time has gone.
    #[error("the responder's certificate ended at {0}; have the CA issue the next one and install it")]
    Ended(Timestamp),
    /// It answers for nobody.
    #[error("the responder's certificate was not issued by the CA that it is to answer for: {0}")]
    Delegation(VerifyError),
    /// Clients would not take its answers.
    #[error("the responder's certificate must be reissued, since clients may refuse its answers: {}", list(.0))]
    Lints(Vec<Finding>),
    /// The key does not sign.
    #[error("the responder's key cannot be used: {0}")]
    Signer(#[from] SignerError),
}

impl Responder {
    /// The responder with this certificate, which `authority` issued, and this key.
    ///
    /// # Errors
    /// If it should not answer at `now`; the error's text is for the operator.
    pub fn load(
        certificate: Certificate,
        authority: Certificate,
        signer: Box<dyn Signer>,
        now: Timestamp,
    ) -> Result<Self, ResponderError> {
        if certificate.public_key() != signer.public_key() {
            return Err(ResponderError::OtherKey(certificate.subject().to_string()));
        }
        let ends = certificate.validity().not_after;
        if now.unix() > ends {
            return Err(ResponderError::Ended(Timestamp::from_unix(ends)));
        }
        certificate.verify_issued_by(&authority).map_err(ResponderError::Delegation)?;
        let findings = lint_ocsp_responder(&certificate, &authority);
        if !findings.is_empty() {
            return Err(ResponderError::Lints(findings));
        }
        Ok(Self { certificate, authority, key: SigningKey::new(signer) })
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The CA for which it answers.
    pub const fn authority(&self) -> &Certificate {
        &self.authority
    }

    pub(super) const fn key(&self) -> &SigningKey {
        &self.key
    }
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder")
            .field("subject", &self.certificate.subject().to_string())
            .finish_non_exhaustive()
    }
}
