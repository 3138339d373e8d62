//! Revocation, by the account's key or the certificate's (RFC 8555 §7.6).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cairn_core::api::ra::{RevocationProof, RevokeCertificateRequest};

use crate::WebFrontEnd;
use crate::signed::{AccountOrKey, NewKey, Signed};
use crate::wire::{Answer, RevokeCert};

/// `POST /revoke-cert`.
pub(crate) async fn revoke_certificate(
    State(wfe): State<Arc<WebFrontEnd>>,
    signed: Signed<RevokeCert, AccountOrKey>,
) -> Answer {
    let proof = match signed.signer {
        AccountOrKey::Account(account) => RevocationProof::Account(account.id),
        AccountOrKey::Key(NewKey(key)) => RevocationProof::CertificateKey(Box::new(key)),
    };
    let RevokeCert { certificate, reason } = signed.payload;
    wfe.ra.revoke_certificate(RevokeCertificateRequest { proof, certificate, reason }).await?;
    Ok(Response::new(Body::empty()))
}
