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
/// 3. The reason must be one that subscribers may give. What is recorded depends on the right, too.
/// 4. It must not be revoked yet (only who has the right learns that); but who holds the key can have the reason corrected.
/// 5. If the key itself signed, it is blocked from now on, and its other certificates are revoked after this one.
#[tracing::instrument(level = "debug", skip_all)]
pub(crate) async fn revoke_certificate(ra: &Ra, request: RevokeCertificateRequest) -> Result<()> {
    let malformed = |error| {
        Error::new(ErrorKind::Malformed, format!("{error}; send the certificate that this CA issued"))
    };
    let certificate = Certificate::from_der(&request.certificate).map_err(malformed)?;
    let record = ours(ra, &certificate).await?;
    let right = match &request.proof {
        RevocationProof::Account(account) => check_account(ra, *account, &record, &certificate).await?,
        RevocationProof::CertificateKey(key) => check_key(key, &certificate)?,
    };
    let reason = recorded(right, reason(request.reason)?);
    let blocked_key = (right == Right::Key).then(|| certificate.public_key().sha256());
    let corrects = right == Right::Key;
    revoke(ra, &record, Wanted { reason, blocked_key, corrects, by: &by(&request.proof) }).await.map(drop)
}

/// A revocation that whoever wants it has the right to.
pub(crate) struct Wanted<'a> {
    pub(crate) reason: Option<RevocationReason>,
    /// The key to refuse from now on.
    pub(crate) blocked_key: Option<[u8; 32]>,
    /// Whether the reason of a revocation may be changed, which it can only be to `keyCompromise`.
    pub(crate) corrects: bool,
    /// Who wants it, for the auditor.
    pub(crate) by: &'a str,
}

/// Stores a revocation, or corrects the one that there is, and gives what stands then.
pub(crate) async fn revoke(ra: &Ra, record: &CertificateRecord, wanted: Wanted<'_>) -> Result<Revocation> {
    let Wanted { reason, blocked_key, corrects, by } = wanted;
    let compromised = reason == Some(RevocationReason::KeyCompromise);
    let revocation = Revocation { at: ra.deps.clock.now(), reason };
    if record.revocation.is_none() {
        let new = NewRevocation { serial: record.serial.clone(), revocation, blocked_key };
        match ra.deps.sa.revoke_certificate(new).await {
            Ok(()) => {
                metrics::revocation();
                audit::certificate_revoked(&record.serial, &revocation, by, blocked_key.is_some());
                if compromised && blocked_key.is_some() {
                    ra.upkeep.notify_one();
                }
                return Ok(revocation);
            }
            // Somebody else was faster.
            Err(error) if error.kind == ErrorKind::AlreadyRevoked => {}
            Err(error) => return Err(error),
        }
    }
    // The key is blocked also where nothing is left to correct: that its holder was told of the first time may have been without proof.
    let at = ra.deps.clock.now();
    if corrects && compromised {
        let corrected = ra.deps.sa.correct_revocation(&record.serial, blocked_key, at).await?;
        if blocked_key.is_some() {
            ra.upkeep.notify_one();
        }
        if corrected {
            let at = record.revocation.map_or(at, |revocation| revocation.at);
            let revocation = Revocation { at, reason };
            audit::revocation_corrected(&record.serial, &revocation, by, blocked_key.is_some());
            return Ok(revocation);
        }
    }
    let since = record.revocation.map(|revocation| format!(" at {}", revocation.at)).unwrap_or_default();
    Err(Error::new(ErrorKind::AlreadyRevoked, format!("the certificate was revoked{since}")))
}

/// By what right a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// It was issued to the account.
    Issued,
    /// The account has proven control of all its names.
    Names,
    /// The certificate's key signed.
    Key,
}

/// The reason that is recorded, whichever was given.
///
/// Who signs with the key shows that it is in other hands than those that it was certified for, or gives it away: nobody else has a use for
/// this way (docs/DIVERGENCES.md). An account that has proven control of the names says by that that they are not the subscriber's any
/// more, and can know nothing of the key. The subscriber is believed: what it says of its own key harms nobody else, since without a proof
/// the key is not blocked.
fn recorded(right: Right, said: Option<RevocationReason>) -> Option<RevocationReason> {
    match right {
        Right::Issued => said,
        Right::Names => Some(RevocationReason::CessationOfOperation),
        Right::Key => Some(RevocationReason::KeyCompromise),
    }
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
) -> Result<Right> {
    if record.account == Some(account) {
        return Ok(Right::Issued);
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
        Ok(Right::Names)
    } else {
        Err(unauthorized())
    }
}

pub(crate) fn identifier(name: &SubjectAltName) -> Option<Identifier> {
    match name {
        SubjectAltName::Dns(name) => name.parse().ok().map(Identifier::Dns),
        SubjectAltName::Ip(address) => Some(Identifier::Ip(*address)),
    }
}

/// Good or bad, blocked or not: who holds the key may revoke.
fn check_key(key: &Jwk, certificate: &Certificate) -> Result<Right> {
    if key.to_spki_der() == certificate.public_key().der() {
        return Ok(Right::Key);
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
