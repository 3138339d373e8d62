//! An issuer in use: a CA certificate, its key, and a throw-away key that stands in for it in lint certificates.
//!
//! Everything that would make it issue worthless certificates is found when it is loaded, at start, and said so that the operator
//! knows what to do.

use std::fmt;

use cairn_core::{IssuerId, Timestamp};
use cairn_x509::certificate::CertificateError;
use cairn_x509::{
    Certificate, FileSigner, Finding, SignatureError, Signer, SignerError, VerifyError, lint_ca,
    throwaway_signer,
};

use crate::choice::{Terms, Usage};
use crate::hierarchy;
use crate::signing::SigningKey;

/// What the key signs once at start, to prove that it signs what the certificate's key verifies. Not the form of anything that is
/// ever signed, so the signature can serve nobody.
const SELF_TEST: &[u8] = b"Cairn: self-test of the issuer's key at start";

/// A CA certificate with its key.
pub struct Issuer {
    id: IssuerId,
    certificate: Certificate,
    key: SigningKey,
    /// Signs lint certificates with the issuer's algorithm; made when it is loaded and never written anywhere.
    lint_signer: FileSigner,
    terms: Terms,
}

/// Why an issuer cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not one PEM certificate.
    #[error("the issuer's certificate cannot be read: {0}; give a PEM file with this certificate alone")]
    Certificate(CertificateError),
    /// Not one PEM certificate.
    #[error("the root's certificate cannot be read: {0}; give a PEM file with this certificate alone")]
    Root(CertificateError),
    /// Certificate and key do not belong together.
    #[error(
        "the key is not that of the issuer's certificate ({subject}); give the certificate and the key of the same issuer"
    )]
    OtherKey {
        /// The certificate's subject.
        subject: String,
    },
    /// A leaf certificate.
    #[error(
        "the certificate ({subject}) is not a CA's (basicConstraints); give the intermediate's certificate"
    )]
    NotACa {
        /// Its subject.
        subject: String,
    },
    /// No subjectKeyIdentifier, or one of another length than ours.
    #[error(
        "the certificate ({subject}) has no subject key identifier of 20 octets; reissue it with the subjectKeyIdentifier \
         extension (RFC 5280 §4.2.1.2)"
    )]
    KeyIdentifier {
        /// Its subject.
        subject: String,
    },
    /// Its time has not come.
    #[error("the issuer's certificate ({subject}) is valid only from {begins}; check this machine's clock")]
    NotYetValid {
        /// Its subject.
        subject: String,
        /// Its first second.
        begins: Timestamp,
    },
    /// Its time has gone.
    #[error(
        "the issuer's certificate ({subject}) ended at {ended}; make a new intermediate and configure it as issuer"
    )]
    Expired {
        /// Its subject.
        subject: String,
        /// Its last second.
        ended: Timestamp,
    },
    /// Clients that trust the root would not trust what this issuer signs.
    #[error(
        "the issuer's certificate ({subject}) was not issued by the given root: {reason}; give the root that belongs to it"
    )]
    OtherRoot {
        /// Its subject.
        subject: String,
        /// How that shows.
        reason: VerifyError,
    },
    /// It breaks rules that clients hold CA certificates to, for example that keyUsage contains keyCertSign.
    #[error(
        "the issuer's certificate ({subject}) must be reissued, since clients may refuse it: {}",
        list(findings)
    )]
    Lints {
        /// Its subject.
        subject: String,
        /// What was found.
        findings: Vec<Finding>,
    },
    /// The key does not sign.
    #[error("the issuer's key cannot be used")]
    Signer(#[from] SignerError),
    /// The key signs, but wrongly: broken memory, or a broken module.
    #[error("the issuer's key failed its self-test; do not issue with it before the cause is known")]
    SelfTest(#[from] SignatureError),
}

/// Findings as one line of text.
pub(crate) fn list(findings: &[Finding]) -> String {
    let texts = findings.iter().map(|finding| {
        let Finding { lint, citation, message } = finding;
        format!("{message} ({lint}, {citation})")
    });
    texts.collect::<Vec<_>>().join("; ")
}

impl Issuer {
    /// The issuer with this certificate, which `root_pem` issued (the same again when a root issues leaves itself), and this key.
    ///
    /// # Errors
    /// If it should not issue at `now`; the error's text is for the operator.
    pub fn load(
        certificate_pem: &str,
        root_pem: &str,
        signer: Box<dyn Signer>,
        now: Timestamp,
    ) -> Result<Self, IssuerError> {
        let certificate = Certificate::from_pem(certificate_pem).map_err(IssuerError::Certificate)?;
        let root = Certificate::from_pem(root_pem).map_err(IssuerError::Root)?;
        let subject = certificate.subject().to_string();
        if certificate.public_key() != signer.public_key() {
            return Err(IssuerError::OtherKey { subject });
        }
        if !certificate.is_ca() {
            return Err(IssuerError::NotACa { subject });
        }
        let Some(id) = hierarchy::id(&certificate) else {
            return Err(IssuerError::KeyIdentifier { subject });
        };
        let (begins, ended) = period(&certificate);
        if now < begins {
            return Err(IssuerError::NotYetValid { subject, begins });
        }
        if now > ended {
            return Err(IssuerError::Expired { subject, ended });
        }
        if let Err(reason) = certificate.verify_issued_by(&root) {
            return Err(IssuerError::OtherRoot { subject, reason });
        }
        let findings = lint_ca(&certificate, &root);
        if !findings.is_empty() {
            return Err(IssuerError::Lints { subject, findings });
        }
        let signature = signer.sign(SELF_TEST)?;
        certificate.public_key().verify(signer.algorithm(), SELF_TEST, &signature)?;
        let lint_signer = throwaway_signer(signer.as_ref())?;
        let constraints = certificate.description().map_err(IssuerError::Certificate)?.name_constraints;
        let terms = Terms::new(&certificate, constraints, Usage::default());
        let key = SigningKey::new(signer);
        Ok(Self { id, certificate, key, lint_signer, terms })
    }

    /// The same, used as its operator says.
    #[must_use]
    pub fn used(mut self, usage: Usage) -> Self {
        self.terms.usage = usage;
        self
    }

    /// Its name in the database.
    pub const fn id(&self) -> IssuerId {
        self.id
    }

    /// What it is called in metrics.
    pub(crate) fn label(&self) -> String {
        let name = self.certificate.subject().common_name();
        name.map_or_else(|| self.id.to_string(), str::to_owned)
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What decides about its use.
    pub(crate) const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Its key.
    pub(crate) fn signer(&self) -> &dyn Signer {
        self.key.signer()
    }

    /// Its key in use.
    pub(crate) const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// The throw-away key.
    pub(crate) fn lint_signer(&self) -> &dyn Signer {
        &self.lint_signer
    }
}

fn period(certificate: &Certificate) -> (Timestamp, Timestamp) {
    let validity = certificate.validity();
    (Timestamp::from_unix(validity.not_before), Timestamp::from_unix(validity.not_after))
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("id", &self.id)
            .field("subject", &self.certificate.subject().to_string())
            .finish_non_exhaustive()
    }
}
