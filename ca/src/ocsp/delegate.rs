//! Delegated responders (RFC 6960 §4.2.2.2): for each issuer a key in memory, with a short-lived certificate that the issuer issues through
//! the same steps as any other, docs/ISSUANCE.md. It is renewed at half of its life; whoever meets a responder that is due renews
//! it, while the others go on with the one that there is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use cairn_core::api::ca::IssuanceRequest;
use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::{Error, IssuerId, Result, Timestamp};
use cairn_x509::{
    Certificate, FileSigner, KeySpec, Name, NameError, OcspResponderInputs, SignatureAlgorithm, Signer,
    SignerError, Validity, lint_ocsp_responder, ocsp_responder,
};

use super::Responder;
use super::voice::Speaking;
use crate::hierarchy::Ready;
use crate::issuance::{IssuanceError, compare, unsigned};
use crate::issuer::Issuer;
use crate::signing::SigningKey;
use crate::{Ca, OcspSigner, audit, serial};

/// What such certificates are called where profiles are named.
const PROFILE: &str = "ocsp-responder";

/// How long before its issuance such a certificate begins, for clients whose clocks are slow.
const BACKDATE: i64 = 60 * 60;

/// The delegated responders, by issuer.
#[derive(Default)]
pub(super) struct Delegates(Mutex<HashMap<IssuerId, Arc<Seat>>>);

/// Where an issuer's responder is.
#[derive(Default)]
struct Seat {
    current: ArcSwapOption<Delegate>,
    /// Held by who makes the next one.
    renewing: tokio::sync::Mutex<()>,
}

/// A responder.
pub(super) struct Delegate {
    /// Whoever has another certificate for the same key now does not certify this one.
    issuer: Certificate,
    certificate: Certificate,
    key: SigningKey,
    renew_from: i64,
}

/// Who signs an answer.
pub(super) enum Speaker<'a> {
    Issuer(&'a Issuer),
    Delegate(Arc<Delegate>),
    Installed(&'a Responder),
}

impl Speaker<'_> {
    pub(super) fn certificate(&self) -> &Certificate {
        match self {
            Self::Issuer(issuer) => issuer.certificate(),
            Self::Delegate(delegate) => &delegate.certificate,
            Self::Installed(responder) => responder.certificate(),
        }
    }

    pub(super) fn key(&self) -> &SigningKey {
        match self {
            Self::Issuer(issuer) => issuer.key(),
            Self::Delegate(delegate) => &delegate.key,
            Self::Installed(responder) => responder.key(),
        }
    }

    pub(super) const fn is_delegated(&self) -> bool {
        !matches!(self, Self::Issuer(_))
    }

    /// Until when what it signs can be verified.
    pub(super) fn last_second(&self) -> Option<i64> {
        Some(self.certificate().validity().not_after)
    }
}

impl Delegate {
    /// Whether it can answer now.
    fn is_good(&self, issuer: &Issuer, now: Timestamp) -> bool {
        self.issuer == *issuer.certificate() && now.unix() <= self.certificate.validity().not_after
    }
}

impl Ca {
    /// Sees that each issuer has a responder that is good for at least half of its life, where responders are to answer.
    ///
    /// # Errors
    /// Those of issuing; the responders that there are go on.
    pub async fn renew_responders(&self) -> Result<()> {
        if self.ocsp.config.signer != OcspSigner::Delegated {
            return Ok(());
        }
        let hierarchy = self.hierarchy.load_full();
        let now = self.clock.now();
        let mut outcome = Ok(());
        for Ready { issuer, metrics } in &hierarchy.issuers {
            if now.unix() <= issuer.certificate().validity().not_after {
                let speaking = Speaking { issuer: Arc::clone(issuer), metrics: Arc::clone(metrics) };
                outcome = self.delegate(&speaking, now).await.map(drop).and(outcome);
            }
        }
        outcome
    }

    /// The issuer's responder.
    pub(super) async fn delegate(&self, speaking: &Speaking, now: Timestamp) -> Result<Arc<Delegate>> {
        let issuer = &speaking.issuer;
        let seat = self.ocsp.delegates.seat(issuer.id());
        let good = || seat.current.load_full().filter(|delegate| delegate.is_good(issuer, now));
        match good() {
            Some(current) if now.unix() < current.renew_from => Ok(current),
            Some(current) => {
                let Ok(_alone) = seat.renewing.try_lock() else { return Ok(current) };
                match self.new_delegate(speaking, now).await {
                    Ok(next) => {
                        seat.current.store(Some(Arc::clone(&next)));
                        Ok(next)
                    }
                    Err(error) => {
                        tracing::warn!(%error, issuer = %issuer.id(), "the OCSP responder cannot be renewed; trying again");
                        Ok(current)
                    }
                }
            }
            None => {
                let _alone = seat.renewing.lock().await;
                if let Some(made) = good() {
                    return Ok(made);
                }
                let next = self.new_delegate(speaking, now).await?;
                seat.current.store(Some(Arc::clone(&next)));
                Ok(next)
            }
        }
    }

    async fn new_delegate(&self, speaking: &Speaking, now: Timestamp) -> Result<Arc<Delegate>> {
        let Speaking { issuer, metrics } = speaking;
        let authority = issuer.certificate();
        let within = authority.validity();
        let validity = Validity {
            not_before: now.unix().saturating_sub(BACKDATE).max(within.not_before),
            not_after: now
                .unix()
                .saturating_add(self.ocsp.config.responder_lifetime.seconds())
                .saturating_sub(1)
                .min(within.not_after),
        };
        let key = generate(issuer.signer().algorithm()).await?;
        let serial = serial::new(self.serial_prefix, now, self.random.as_ref());
        let subject = subject(authority).map_err(|error| Error::internal(UNISSUED, error))?;
        let inputs = OcspResponderInputs {
            serial: serial.as_bytes(),
            validity,
            public_key: key.public_key(),
            subject: &subject,
        };
        let tbs =
            ocsp_responder(authority, issuer.signer().algorithm(), inputs).map_err(IssuanceError::from)?;
        let lint_certificate = tbs.sign(issuer.lint_signer()).map_err(IssuanceError::from)?;
        let findings = lint_ocsp_responder(&lint_certificate, authority);
        if !findings.is_empty() {
            metrics.lints_failed();
            return Err(IssuanceError::Lints(findings).into());
        }
        let request = IssuanceRequest {
            order: None,
            account: None,
            profile: PROFILE.to_owned(),
            public_key: key.public_key().der().to_vec(),
            identifiers: Vec::new(),
        };
        self.hierarchy.load_full().ensure_recorded(self.store.as_ref(), now).await?;
        let turn = issuer.key().turn().await?;
        let intent = Intent {
            serial: serial.clone(),
            order: None,
            account: None,
            issuer: issuer.id(),
            crl_shard: None,
            lint_certificate: lint_certificate.der().to_vec(),
            at: now,
        };
        self.store.record_intent(intent).await?;
        audit::intent(&request, &serial, validity, issuer);
        let certificate = metrics.signing(issuer.key().sign(turn, &tbs)).await.map_err(unsigned)?;
        audit::signed(&request, &serial, &certificate);
        compare(&certificate, &lint_certificate)?;
        let stored = NewCertificate {
            serial: serial.clone(),
            der: certificate.der().to_vec(),
            spki_sha256: Some(key.public_key().sha256()),
            not_after: Timestamp::from_unix(validity.not_after),
            at: self.clock.now(),
        };
        let stored = self.store.add_certificate(stored).await;
        stored.inspect_err(|error| audit::not_stored(&serial, &certificate, error))?;
        tracing::info!(issuer = %issuer.id(), ends = %Timestamp::from_unix(validity.not_after), "a new OCSP responder answers");
        let half = validity.not_after.saturating_sub(now.unix()) / 2;
        Ok(Arc::new(Delegate {
            issuer: authority.clone(),
            certificate,
            key: SigningKey::new(Box::new(key)),
            renew_from: now.unix().saturating_add(half),
        }))
    }
}

impl Delegates {
    fn seat(&self, issuer: IssuerId) -> Arc<Seat> {
        // What is under the lock is whole after each step.
        let mut seats = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(seats.entry(issuer).or_default())
    }
}

/// What is said when there is no responder.
const UNISSUED: &str = "The OCSP responder cannot be made; its operator finds the reason in the log.";

/// Longest common name, RFC 5280 appendix A.1.
const MAX_COMMON_NAME: usize = 64;

/// The issuer's name, as a responder's.
fn subject(issuer: &Certificate) -> Result<Name, NameError> {
    const ROLE: &str = " OCSP Responder";
    let whole = issuer.subject().common_name().unwrap_or("CA");
    let short: String = whole.chars().take(MAX_COMMON_NAME - ROLE.len()).collect();
    Name::new(&format!("{short}{ROLE}"), None)
}

/// A key of the kind that the issuer has, so that whoever can verify the one can verify the other. An RSA key takes long to make.
async fn generate(like: SignatureAlgorithm) -> Result<FileSigner> {
    let spec = match like {
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::EcdsaSha512 => KeySpec::P256,
        SignatureAlgorithm::RsaSha256
        | SignatureAlgorithm::RsaSha384
        | SignatureAlgorithm::RsaSha512
        | SignatureAlgorithm::RsaPssSha256
        | SignatureAlgorithm::RsaPssSha384
        | SignatureAlgorithm::RsaPssSha512 => KeySpec::Rsa2048,
        SignatureAlgorithm::Ed25519 => KeySpec::Ed25519,
        SignatureAlgorithm::MlDsa44 => KeySpec::MlDsa44,
        SignatureAlgorithm::MlDsa65 => KeySpec::MlDsa65,
        SignatureAlgorithm::MlDsa87 => KeySpec::MlDsa87,
    };
    let made = tokio::task::spawn_blocking(move || FileSigner::generate(spec)).await;
    made.unwrap_or(Err(SignerError::Signing)).map_err(|error| Error::internal(UNISSUED, error))
}
