//! Revoking certificates, RFC 8555 §7.6.
//!
//! A certificate that has expired can be revoked too: it does no harm, and clients that clean up need not look at the date.

use cairn_core::api::ra::{RevocationProof, RevokeCertificateRequest};
use cairn_core::api::sa::NewRevocation;
use cairn_core::{
    AccountId, CertificateRecord, Error, ErrorKind, Identifier, Jwk, Result, Revocation, RevocationReason,
    Serial,
};
use cairn_x509::{Certificate, SubjectAltName};

use crate::{Ra, audit, metrics};

/// Revokes a certificate.
///
/// 1. The certificate must be one of ours, octet for octet.
/// 2. The requester must have the right: issued it, proven all its names, or hold its key.
/// 3. The reason must be one that subscribers may give.
/// 4. It must not be revoked yet. (Only who has the right learns that.)
/// 5. If the key itself signed that it is compromised, it is blocked from now on.
#[tracing::instrument(level = "debug", skip_all)]
pub(crate) async fn revoke_certificate(ra: &Ra, request: RevokeCertificateRequest) -> Result<()> {
    let malformed = |error| {
        Error::new(ErrorKind::Malformed, format!("{error}; send the certificate that this CA issued"))
    };
    let certificate = Certificate::from_der(&request.certificate).map_err(malformed)?;
    let record = ours(ra, &certificate).await?;
    match &request.proof {
        RevocationProof::Account(account) => check_account(ra, *account, &record, &certificate).await?,
        RevocationProof::CertificateKey(key) => check_key(key, &certificate)?,
    }
    let reason = reason(request.reason)?;
    if let Some(revocation) = record.revocation {
        let detail = format!("the certificate was revoked at {}", revocation.at);
        return Err(Error::new(ErrorKind::AlreadyRevoked, detail));
    }
    let revocation = Revocation { at: ra.deps.clock.now(), reason };
    let blocked_key = blocks_key(&request.proof, reason).then(|| certificate.public_key().sha256());
    let new = NewRevocation { serial: record.serial.clone(), revocation, blocked_key };
    ra.deps.sa.revoke_certificate(new).await?;
    metrics::revocation();
    audit::certificate_revoked(&record.serial, &revocation, &by(&request.proof), blocked_key.is_some());
    Ok(())
}

/// Who revokes, for the auditor.
fn by(proof: &RevocationProof) -> String {
    match proof {
        RevocationProof::Account(account) => format!("account {account}"),
        RevocationProof::CertificateKey(key) => format!("certificate key {}", key.thumbprint()),
    }
}

/// The record of a certificate of ours. The serial finds it; only the whole certificate proves that it is the same.
async fn ours(ra: &Ra, certificate: &Certificate) -> Result<CertificateRecord> {
    let record = match Serial::from_bytes(certificate.serial()) {
        Some(serial) => ra.deps.sa.certificate(&serial).await?,
        None => None,
    };
    record.filter(|record| record.der == certificate.der()).ok_or_else(|| {
        Error::new(
            ErrorKind::NotFound,
            "this CA did not issue the certificate; ask the CA that did to revoke it",
        )
    })
}

/// The account that the certificate was issued to may revoke it, and any that has proven control of all its names.
async fn check_account(
    ra: &Ra,
    account: AccountId,
    record: &CertificateRecord,
    certificate: &Certificate,
) -> Result<()> {
    if record.account == Some(account) {
        return Ok(());
    }
    let unauthorized = || {
        let detail = "the account was not issued the certificate and has not proven control of all its names; sign with the \
            account or the key of the certificate, or complete authorizations for its names first";
        Error::new(ErrorKind::Unauthorized, detail)
    };
    let names: Option<Vec<Identifier>> = certificate.names().iter().map(identifier).collect();
    let names = names.filter(|names| !names.is_empty()).ok_or_else(unauthorized)?;
    let proven = ra.deps.sa.valid_authorizations(account, &names, ra.deps.clock.now()).await?;
    if proven.len() == names.len() && proven.iter().all(Option::is_some) {
        Ok(())
    } else {
        Err(unauthorized())
    }
}

fn identifier(name: &SubjectAltName) -> Option<Identifier> {
    match name {
        SubjectAltName::Dns(name) => name.parse().ok().map(Identifier::Dns),
        SubjectAltName::Ip(address) => Some(Identifier::Ip(*address)),
    }
}

/// Good or bad, blocked or not: who holds the key may revoke.
fn check_key(key: &Jwk, certificate: &Certificate) -> Result<()> {
    if key.to_spki_der() == certificate.public_key().der() {
        return Ok(());
    }
    let detail = "the request is not signed by the certificate's key; sign with that key or with the account";
    Err(Error::new(ErrorKind::Unauthorized, detail))
}

/// RFC 5280 §5.3.1: `unspecified` is the same as no reason, and left out.
fn reason(code: Option<i64>) -> Result<Option<RevocationReason>> {
    let code = match code {
        None | Some(0) => return Ok(None),
        Some(code) => code,
    };
    let known = u8::try_from(code).ok().and_then(RevocationReason::from_code);
    known.map(Some).ok_or_else(|| {
        let allowed = RevocationReason::ALL.map(|reason| reason.code().to_string()).join(", ");
        let detail = format!("reason {code} is not allowed; leave the reason out or use one of 0, {allowed}");
        Error::new(ErrorKind::BadRevocationReason, detail)
    })
}

/// Only who signs with a key proves that it is in other hands than an account's: an account that merely says so must not be able
/// to have another's key blocked.
fn blocks_key(proof: &RevocationProof, reason: Option<RevocationReason>) -> bool {
    matches!(proof, RevocationProof::CertificateKey(_)) && reason == Some(RevocationReason::KeyCompromise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_reason_and_unspecified_are_the_same() {
        assert_eq!(reason(None), Ok(None));
        assert_eq!(reason(Some(0)), Ok(None));
    }

    #[test]
    fn subscribers_reasons_are_taken_and_others_answered_with_the_list() {
        assert_eq!(reason(Some(1)), Ok(Some(RevocationReason::KeyCompromise)));
        for code in [-1, 2, 6, 7, 8, 10, 11, 256, 257, i64::MAX] {
            let error = reason(Some(code)).unwrap_err();
            assert_eq!(error.kind, ErrorKind::BadRevocationReason);
            assert!(error.detail.contains("0, 1, 3, 4, 5, 9"), "{}", error.detail);
        }
    }
}
