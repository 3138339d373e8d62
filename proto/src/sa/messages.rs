//! What is stored and found.

use cairn_core::api::sa::{
    Intent, NewCertificate, NewOrder, NewRevocation, ProcessingOrder, RunningValidation,
};
use cairn_core::certificate::MAX_CA_CERTIFICATES;
use cairn_core::{Authorization, CaCertificate};

use crate::reading::{BadMessage, Read, list, read, time, wire};
use crate::v1;
use crate::vocabulary::{account_id, crl_shard, issuer_id, order_id, serial, sha256, thumbprint};

impl From<Option<Authorization>> for v1::AuthorizationResponse {
    fn from(found: Option<Authorization>) -> Self {
        Self { authorization: found.map(Into::into) }
    }
}

impl From<Intent> for v1::Intent {
    fn from(intent: Intent) -> Self {
        let Intent { serial, order, account, issuer, crl_shard, lint_certificate, at } = intent;
        Self {
            serial: serial.as_bytes().to_vec(),
            order: order.map(|id| id.as_bytes().to_vec()),
            account: account.map(|id| id.as_bytes().to_vec()),
            issuer: issuer.as_bytes().to_vec(),
            lint_certificate,
            at: Some(at.unix()),
            crl_shard: crl_shard.map(|shard| shard.number().into()),
        }
    }
}

impl TryFrom<v1::Intent> for Intent {
    type Error = BadMessage;

    fn try_from(it: v1::Intent) -> Read<Self> {
        Ok(Self {
            serial: serial("Intent.serial", &it.serial)?,
            order: it.order.map(|id| order_id("Intent.order", &id)).transpose()?,
            account: it.account.map(|id| account_id("Intent.account", &id)).transpose()?,
            issuer: issuer_id("Intent.issuer", &it.issuer)?,
            crl_shard: it.crl_shard.map(|number| crl_shard("Intent.crl_shard", number)).transpose()?,
            lint_certificate: it.lint_certificate,
            at: time("Intent.at", it.at)?,
        })
    }
}

impl From<NewCertificate> for v1::NewCertificate {
    fn from(certificate: NewCertificate) -> Self {
        let NewCertificate { serial, der, spki_sha256, not_after, at } = certificate;
        Self {
            serial: serial.as_bytes().to_vec(),
            der,
            not_after: Some(not_after.unix()),
            at: Some(at.unix()),
            spki_sha256: spki_sha256.map(|sha256| sha256.to_vec()),
        }
    }
}

impl TryFrom<v1::NewCertificate> for NewCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::NewCertificate) -> Read<Self> {
        Ok(Self {
            serial: serial("NewCertificate.serial", &it.serial)?,
            der: it.der,
            spki_sha256: it.spki_sha256.map(|it| sha256("NewCertificate.spki_sha256", &it)).transpose()?,
            not_after: time("NewCertificate.not_after", it.not_after)?,
            at: time("NewCertificate.at", it.at)?,
        })
    }
}

impl From<CaCertificate> for v1::CaCertificate {
    fn from(certificate: CaCertificate) -> Self {
        let CaCertificate { der, subject, at } = certificate;
        Self { der, subject: subject.map(|id| id.as_bytes().to_vec()), at: Some(at.unix()) }
    }
}

impl TryFrom<v1::CaCertificate> for CaCertificate {
    type Error = BadMessage;

    fn try_from(it: v1::CaCertificate) -> Read<Self> {
        Ok(Self {
            der: it.der,
            subject: it.subject.map(|id| issuer_id("CaCertificate.subject", &id)).transpose()?,
            at: time("CaCertificate.at", it.at)?,
        })
    }
}

impl From<Vec<CaCertificate>> for v1::CaCertificateList {
    fn from(certificates: Vec<CaCertificate>) -> Self {
        Self { certificates: wire(certificates) }
    }
}

impl TryFrom<v1::CaCertificateList> for Vec<CaCertificate> {
    type Error = BadMessage;

    fn try_from(it: v1::CaCertificateList) -> Read<Self> {
        if it.certificates.len() > MAX_CA_CERTIFICATES {
            return Err(BadMessage::new("CaCertificateList.certificates", "are more than are ever told"));
        }
        list(it.certificates)
    }
}

impl From<NewOrder> for v1::NewOrderAndAuthorizationsRequest {
    fn from(new: NewOrder) -> Self {
        let NewOrder { order, new_authorizations } = new;
        Self { order: Some(order.into()), new_authorizations: wire(new_authorizations) }
    }
}

impl TryFrom<v1::NewOrderAndAuthorizationsRequest> for NewOrder {
    type Error = BadMessage;

    fn try_from(it: v1::NewOrderAndAuthorizationsRequest) -> Read<Self> {
        Ok(Self {
            order: read("NewOrderAndAuthorizationsRequest.order", it.order)?,
            new_authorizations: list(it.new_authorizations)?,
        })
    }
}

impl From<ProcessingOrder> for v1::ProcessingOrder {
    fn from(order: ProcessingOrder) -> Self {
        let ProcessingOrder { id, since } = order;
        Self { id: id.as_bytes().to_vec(), since: Some(since.unix()) }
    }
}

impl TryFrom<v1::ProcessingOrder> for ProcessingOrder {
    type Error = BadMessage;

    fn try_from(it: v1::ProcessingOrder) -> Read<Self> {
        Ok(Self {
            id: order_id("ProcessingOrder.id", &it.id)?,
            since: time("ProcessingOrder.since", it.since)?,
        })
    }
}

impl From<RunningValidation> for v1::RunningValidation {
    fn from(validation: RunningValidation) -> Self {
        let RunningValidation { authorization, thumbprint } = validation;
        Self { authorization: Some(authorization.into()), thumbprint: thumbprint.as_bytes().to_vec() }
    }
}

impl TryFrom<v1::RunningValidation> for RunningValidation {
    type Error = BadMessage;

    fn try_from(it: v1::RunningValidation) -> Read<Self> {
        Ok(Self {
            authorization: read("RunningValidation.authorization", it.authorization)?,
            thumbprint: thumbprint("RunningValidation.thumbprint", &it.thumbprint)?,
        })
    }
}

impl From<NewRevocation> for v1::StorageRevokeCertificateRequest {
    fn from(new: NewRevocation) -> Self {
        let NewRevocation { serial, revocation, blocked_key } = new;
        Self {
            serial: serial.as_bytes().to_vec(),
            revocation: Some(revocation.into()),
            blocked_key: blocked_key.map(|sha256| sha256.to_vec()),
        }
    }
}

impl TryFrom<v1::StorageRevokeCertificateRequest> for NewRevocation {
    type Error = BadMessage;

    fn try_from(it: v1::StorageRevokeCertificateRequest) -> Read<Self> {
        let blocked = it.blocked_key.map(|key| sha256("StorageRevokeCertificateRequest.blocked_key", &key));
        Ok(Self {
            serial: serial("StorageRevokeCertificateRequest.serial", &it.serial)?,
            revocation: read("StorageRevokeCertificateRequest.revocation", it.revocation)?,
            blocked_key: blocked.transpose()?,
        })
    }
}
