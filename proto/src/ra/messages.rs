//! The registration authority's requests and answers.

use cairn_core::api::ra::{
    FinalizeOrderRequest, NewAccountRequest, NewAccountResponse, NewOrderRequest, PerformValidationRequest,
    RevocationProof, RevokeCertificateRequest,
};

use crate::reading::{BadMessage, Read, list, maybe, present, read, value, wire};
use crate::v1;
use crate::v1::revoke_certificate_request::Proof;
use crate::vocabulary::{account_id, authorization_id, jwk, order_id, thumbprint};

impl From<NewAccountRequest> for v1::NewAccountRequest {
    fn from(request: NewAccountRequest) -> Self {
        let NewAccountRequest { key, contact } = request;
        Self { key: key.to_spki_der(), contact }
    }
}

impl TryFrom<v1::NewAccountRequest> for NewAccountRequest {
    type Error = BadMessage;

    fn try_from(it: v1::NewAccountRequest) -> Read<Self> {
        Ok(Self { key: jwk("NewAccountRequest.key", &it.key)?, contact: it.contact })
    }
}

impl From<NewAccountResponse> for v1::NewAccountResponse {
    fn from(response: NewAccountResponse) -> Self {
        let NewAccountResponse { account, created } = response;
        Self { account: Some(account.into()), created: Some(created) }
    }
}

impl TryFrom<v1::NewAccountResponse> for NewAccountResponse {
    type Error = BadMessage;

    fn try_from(it: v1::NewAccountResponse) -> Read<Self> {
        Ok(Self {
            account: read("NewAccountResponse.account", it.account)?,
            created: present("NewAccountResponse.created", it.created)?,
        })
    }
}

impl From<NewOrderRequest> for v1::NewOrderRequest {
    fn from(request: NewOrderRequest) -> Self {
        let NewOrderRequest { account, identifiers, replaces } = request;
        Self {
            account: account.as_bytes().to_vec(),
            identifiers: wire(identifiers),
            replaces: replaces.map(Into::into),
        }
    }
}

impl TryFrom<v1::NewOrderRequest> for NewOrderRequest {
    type Error = BadMessage;

    fn try_from(it: v1::NewOrderRequest) -> Read<Self> {
        Ok(Self {
            account: account_id("NewOrderRequest.account", &it.account)?,
            identifiers: list(it.identifiers)?,
            replaces: maybe(it.replaces)?,
        })
    }
}

impl From<PerformValidationRequest> for v1::PerformValidationRequest {
    fn from(request: PerformValidationRequest) -> Self {
        let PerformValidationRequest { account, authorization, challenge, thumbprint } = request;
        Self {
            account: account.as_bytes().to_vec(),
            authorization: authorization.as_bytes().to_vec(),
            challenge: v1::ChallengeType::from(challenge).into(),
            thumbprint: thumbprint.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<v1::PerformValidationRequest> for PerformValidationRequest {
    type Error = BadMessage;

    fn try_from(it: v1::PerformValidationRequest) -> Read<Self> {
        Ok(Self {
            account: account_id("PerformValidationRequest.account", &it.account)?,
            authorization: authorization_id("PerformValidationRequest.authorization", &it.authorization)?,
            challenge: value::<v1::ChallengeType, _>("PerformValidationRequest.challenge", it.challenge)?,
            thumbprint: thumbprint("PerformValidationRequest.thumbprint", &it.thumbprint)?,
        })
    }
}

impl From<FinalizeOrderRequest> for v1::FinalizeOrderRequest {
    fn from(request: FinalizeOrderRequest) -> Self {
        let FinalizeOrderRequest { account, order, csr } = request;
        Self { account: account.as_bytes().to_vec(), order: order.as_bytes().to_vec(), csr }
    }
}

impl TryFrom<v1::FinalizeOrderRequest> for FinalizeOrderRequest {
    type Error = BadMessage;

    fn try_from(it: v1::FinalizeOrderRequest) -> Read<Self> {
        Ok(Self {
            account: account_id("FinalizeOrderRequest.account", &it.account)?,
            order: order_id("FinalizeOrderRequest.order", &it.order)?,
            csr: it.csr,
        })
    }
}

impl From<RevokeCertificateRequest> for v1::RevokeCertificateRequest {
    fn from(request: RevokeCertificateRequest) -> Self {
        let RevokeCertificateRequest { proof, certificate, reason } = request;
        let proof = match proof {
            RevocationProof::Account(account) => Proof::Account(account.as_bytes().to_vec()),
            RevocationProof::CertificateKey(key) => Proof::CertificateKey(key.to_spki_der()),
        };
        Self { proof: Some(proof), certificate, reason }
    }
}

impl TryFrom<v1::RevokeCertificateRequest> for RevokeCertificateRequest {
    type Error = BadMessage;

    fn try_from(it: v1::RevokeCertificateRequest) -> Read<Self> {
        let proof = match present("RevokeCertificateRequest.proof", it.proof)? {
            Proof::Account(id) => {
                RevocationProof::Account(account_id("RevokeCertificateRequest.account", &id)?)
            }
            Proof::CertificateKey(key) => RevocationProof::CertificateKey(Box::new(jwk(
                "RevokeCertificateRequest.certificate_key",
                &key,
            )?)),
        };
        Ok(Self { proof, certificate: it.certificate, reason: it.reason })
    }
}
