//! Certificates and revocations.

use cairn_core::api::ca::IssuedCertificate;
use cairn_core::{CertificateRecord, Revocation, RevocationReason};

use super::{account_id, issuer_id, order_id, serial};
use crate::reading::{BadMessage, Read, maybe, same_names, time, value};
use crate::v1;

same_names!(RevocationReason {
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
});

impl From<Revocation> for v1::Revocation {
    fn from(revocation: Revocation) -> Self {
        let Revocation { at, reason } = revocation;
        Self { at: Some(at.unix()), reason: reason.map(|reason| v1::RevocationReason::from(reason).into()) }
    }
}

impl TryFrom<v1::Revocation> for Revocation {
    type Error = BadMessage;

    fn try_from(it: v1::Revocation) -> Read<Self> {
        let reason = it.reason.map(|it| value::<v1::RevocationReason, _>("Revocation.reason", it));
        Ok(Self { at: time("Revocation.at", it.at)?, reason: reason.transpose()? })
    }
}

impl From<CertificateRecord> for v1::CertificateRecord {
    fn from(record: CertificateRecord) -> Self {
        let CertificateRecord { serial, order, account, issuer, der, not_after, revocation } = record;
        Self {
            serial: serial.as_bytes().to_vec(),
            order: order.map(|id| id.as_bytes().to_vec()),
            account: account.map(|id| id.as_bytes().to_vec()),
            issuer: issuer.as_bytes().to_vec(),
            der,
            not_after: Some(not_after.unix()),
            revocation: revocation.map(Into::into),
        }
    }
}

impl TryFrom<v1::CertificateRecord> for CertificateRecord {
    type Error = BadMessage;

    fn try_from(it: v1::CertificateRecord) -> Read<Self> {
        Ok(Self {
            serial: serial("CertificateRecord.serial", &it.serial)?,
            order: it.order.map(|id| order_id("CertificateRecord.order", &id)).transpose()?,
            account: it.account.map(|id| account_id("CertificateRecord.account", &id)).transpose()?,
            issuer: issuer_id("CertificateRecord.issuer", &it.issuer)?,
            der: it.der,
            not_after: time("CertificateRecord.not_after", it.not_after)?,
            revocation: maybe(it.revocation)?,
        })
    }
}

impl From<IssuedCertificate> for v1::IssuedCertificate {
    fn from(certificate: IssuedCertificate) -> Self {
        let IssuedCertificate { serial, der } = certificate;
        Self { serial: serial.as_bytes().to_vec(), der }
    }
}

impl TryFrom<v1::IssuedCertificate> for IssuedCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::IssuedCertificate) -> Read<Self> {
        Ok(Self { serial: serial("IssuedCertificate.serial", &it.serial)?, der: it.der })
    }
}
