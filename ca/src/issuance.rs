//! The issuance cycle. The numbers are those of docs/ISSUANCE.md, which tells why each step is there and what a crash after it
//! leaves behind.

use std::sync::Arc;

use cairn_core::api::ca::{IssuanceRequest, IssuedCertificate};
use cairn_core::api::sa::{Intent, NewCertificate};
use cairn_core::{Error, ErrorKind, Identifier, Result, Timestamp};
use cairn_x509::certificate::{CertificateError, SignError};
use cairn_x509::{
    BuildError, Certificate, Finding, LeafInputs, LeafProfile, PublicKey, SpkiError, SubjectAltName,
    TbsCertificate, Validity, leaf, lint_leaf,
};

use crate::choice::{Asked, NoIssuer, choose};
use crate::hierarchy::Ready;
use crate::issuer::{Issuer, list};
use crate::profile::LeafValidity;
use crate::signing::away;
use crate::{Ca, audit, serial};

/// Why nothing was issued: each a fault of ours or of the configuration, since whoever calls has proven and checked what a client
/// get wrong. All become `serverInternal`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuanceError {
    #[error("there is no profile named {0:?}; add it to the profiles of the CA's configuration")]
    UnknownProfile(String),
    #[error(transparent)]
    NoIssuer(#[from] NoIssuer),
    #[error("the subject's public key cannot be used")]
    PublicKey(#[from] SpkiError),
    #[error("the certificate cannot be built")]
    Build(#[from] BuildError),
    #[error("the lint certificate has findings: {}", list(.0))]
    Lints(Vec<Finding>),
    #[error("signing failed")]
    Sign(#[from] SignError),
    #[error("the signed certificate does not read back")]
    ReadBack(#[from] CertificateError),
    #[error(
        "the signed certificate is not what was recorded; nothing was given out. Stop issuing until the cause is known"
    )]
    Differs,
}

impl From<IssuanceError> for Error {
    fn from(error: IssuanceError) -> Self {
        if let IssuanceError::NoIssuer(NoIssuer::Name(name)) = &error {
            let detail = format!("This CA may not issue certificates for {name}.");
            return Self {
                source: Some(Arc::new(error)),
                ..Self::new(ErrorKind::RejectedIdentifier, detail)
            };
        }
        Self::internal(
            "The CA could not issue the certificate; its operator finds the reason in the log.",
            error,
        )
    }
}

impl Ca {
    #[tracing::instrument(level = "debug", name = "issue_certificate", skip_all, fields(order.id = request.order.map(tracing::field::display)))]
    pub(crate) async fn issue(&self, request: IssuanceRequest) -> Result<IssuedCertificate> {
        let now = self.clock.now();

        // 1. The profile.
        let profile = self.profiles.get(&request.profile);
        let profile = profile.ok_or_else(|| IssuanceError::UnknownProfile(request.profile.clone()))?;

        // 2. The issuer and the validity. They belong together: an issuer is chosen by what it can still cover.
        let public_key = PublicKey::from_der(&request.public_key).map_err(IssuanceError::from)?;
        let names: Vec<SubjectAltName> = request.identifiers.iter().map(name).collect();
        let asked = Asked { profile_name: &request.profile, profile, key: public_key.kind(), names: &names };
        let hierarchy = self.hierarchy.load_full();
        let (Ready { issuer, metrics }, LeafValidity { validity, shortened }) =
            choose(&hierarchy.issuers, asked, now).map_err(IssuanceError::from)?;
        if shortened {
            warn_of_shortening(issuer, validity);
        }

        // 3. The serial, and where to look for what becomes of it.
        let serial = serial::new(self.serial_prefix, now, self.random.as_ref());
        let published = self.publication.as_ref().map(|publication| publication.of(issuer.id(), &serial));

        // 4. The bytes to sign.
        let inputs = LeafInputs {
            serial: serial.as_bytes(),
            validity,
            public_key: &public_key,
            names: &names,
            // A wish would come from a CSR, and none comes here: the profile takes the first name that fits.
            common_name: None,
            crl_url: published.as_ref().map(|published| published.crl.as_str()),
            ocsp_url: published.as_ref().map(|published| published.ocsp.as_str()),
            issuer_url: published.as_ref().map(|published| published.issuer.as_str()),
        };
        // The CA's own listeners staple nothing.
        let must_staple = profile.leaf.must_staple && request.order.is_some();
        let tbs = to_be_signed(&LeafProfile { must_staple, ..profile.leaf }, issuer, inputs)?;

        // 5. The lint certificate.
        let lint_certificate = lint(&tbs, issuer).inspect_err(|error| {
            if matches!(error, IssuanceError::Lints(_)) {
                metrics.lints_failed();
            }
        })?;

        // 6. The record of intent, as soon as the key can be had, and after those of the CA certificates that tell whose it is. From
        // here on the certificate counts as existing.
        hierarchy.ensure_recorded(self.store.as_ref(), now).await?;
        let turn = issuer.key().turn().await?;
        let intent = Intent {
            serial: serial.clone(),
            order: request.order,
            account: request.account,
            issuer: issuer.id(),
            crl_shard: published.as_ref().map(|published| published.shard),
            lint_certificate: lint_certificate.der().to_vec(),
            at: now,
        };
        self.store.record_intent(intent).await?;
        audit::intent(&request, &serial, validity, issuer);

        // 7. The signature, over the bytes that were recorded. In memory it takes from 15 µs (P-256) to 2 ms (RSA-4096), less than
        // moving it to another thread is worth.
        let certificate = metrics.signing(issuer.key().sign(turn, &tbs)).await.map_err(unsigned)?;
        audit::signed(&request, &serial, &certificate);

        // 8. Is it what was recorded?
        compare(&certificate, &lint_certificate)?;

        // 9. The certificate is stored.
        let stored = NewCertificate {
            serial: serial.clone(),
            der: certificate.der().to_vec(),
            spki_sha256: Some(public_key.sha256()),
            not_after: Timestamp::from_unix(validity.not_after),
            at: self.clock.now(),
        };
        let ended_order = self
            .store
            .add_certificate(stored)
            .await
            .inspect_err(|error| audit::not_stored(&serial, &certificate, error))?;

        metrics.issued(&request.profile);

        // 10. Only now does anybody get it: nobody does who gave up waiting for it.
        if request.order.is_some() && !ended_order {
            return Err(Error::new(
                ErrorKind::Conflict,
                "the order was given up while its certificate was being made",
            ));
        }
        Ok(IssuedCertificate { serial, der: certificate.der().to_vec() })
    }
}

fn warn_of_shortening(issuer: &Issuer, validity: Validity) {
    tracing::warn!(
        issuer = %issuer.certificate().subject(),
        not_after = %Timestamp::from_unix(validity.not_after),
        "the issuer's certificate ends before the new certificate should, which is shortened to that; \
         make a new intermediate and configure it as issuer"
    );
}

/// A key that is away comes back; what else keeps one from signing does not pass by itself.
pub(crate) fn unsigned(error: SignError) -> Error {
    match error {
        SignError::Signer(cause) if cause.is_temporary() => away(cause),
        other => IssuanceError::from(other).into(),
    }
}

fn to_be_signed(
    profile: &LeafProfile,
    issuer: &Issuer,
    inputs: LeafInputs<'_>,
) -> Result<TbsCertificate, IssuanceError> {
    Ok(leaf(profile, issuer.certificate(), issuer.signer().algorithm(), inputs)?)
}

fn name(identifier: &Identifier) -> SubjectAltName {
    match identifier {
        Identifier::Dns(name) => SubjectAltName::Dns(name.as_str().to_owned()),
        Identifier::Ip(address) => SubjectAltName::Ip(*address),
    }
}

/// Signs with the throw-away key and judges the whole certificate.
fn lint(tbs: &TbsCertificate, issuer: &Issuer) -> Result<Certificate, IssuanceError> {
    let lint_certificate = tbs.sign(issuer.lint_signer())?;
    let findings = lint_leaf(&lint_certificate, issuer.certificate());
    if findings.is_empty() { Ok(lint_certificate) } else { Err(IssuanceError::Lints(findings)) }
}

/// Reads both certificates from their bytes, as a client and an auditor will, and compares what was signed. That the signature is
/// the issuer's was proven when the issuer was loaded; to verify each one would cost three times what making it does.
pub(crate) fn compare(certificate: &Certificate, recorded: &Certificate) -> Result<(), IssuanceError> {
    let certificate = Certificate::from_der(certificate.der())?;
    let recorded = Certificate::from_der(recorded.der())?;
    let same = certificate.tbs_der() == recorded.tbs_der()
        && certificate.signature_algorithm() == recorded.signature_algorithm();
    if same { Ok(()) } else { Err(IssuanceError::Differs) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_x509::{FileSigner, KeySpec, Name, RootInputs, Signer, root};

    fn certificate(serial: u8, key: &FileSigner) -> Certificate {
        let inputs = RootInputs {
            serial: &[serial; 16],
            validity: Validity { not_before: 0, not_after: 1 },
            public_key: key.public_key(),
            subject: &Name::new("Test", None).unwrap(),
            digital_signature: false,
        };
        root(key.algorithm(), inputs).unwrap().sign(key).unwrap()
    }

    #[test]
    fn only_the_recorded_bytes_pass_whoever_signed_them() {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let recorded = certificate(1, &key);
        let other_signature = recorded.tbs().sign(&FileSigner::generate(KeySpec::P256).unwrap()).unwrap();
        assert_ne!(other_signature, recorded);
        compare(&other_signature, &recorded).unwrap();
        assert!(matches!(compare(&certificate(2, &key), &recorded), Err(IssuanceError::Differs)));
    }
}
