//! Downloading a certificate with its chain (RFC 8555 §7.4.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cairn_core::{CertificateRecord, Error, ErrorKind, Serial};
use cairn_x509::Certificate;
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use crate::WebFrontEnd;
use crate::links::Id;
use crate::signed::{Asking, Signed};
use crate::wire::{Answer, PostAsGet};

const PEM_CHAIN: HeaderValue = HeaderValue::from_static("application/pem-certificate-chain");

/// What a client hears of a fault with a stored certificate.
const UNUSABLE: &str = "The certificate cannot be given out.";

/// `POST /certificate/{serial}`: the leaf, then what certifies it, without the root.
pub(crate) async fn certificate(
    State(wfe): State<Arc<WebFrontEnd>>,
    _: Id<Serial>,
    signed: Signed<PostAsGet, Asking<CertificateRecord>>,
) -> Answer {
    let Asking { account, found } = signed.signer;
    let record =
        found.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no certificate with this serial."))?;
    // Serials are public, so that there is such a certificate is no secret to keep (RFC 8555 §6.3).
    if record.account != Some(account.id) {
        return Err(
            Error::new(ErrorKind::Unauthorized, "The certificate was issued to another account.").into()
        );
    }
    let leaf = Certificate::from_der(&record.der).map_err(|error| Error::internal(UNUSABLE, error))?;
    let issuers = wfe.chains.pem(record.issuer).ok_or_else(|| {
        Error::internal(UNUSABLE, format!("no certificate of issuer {} is configured", record.issuer))
    })?;
    let mut response = Response::new(Body::from(leaf.to_pem() + issuers));
    response.headers_mut().insert(CONTENT_TYPE, PEM_CHAIN);
    Ok(response)
}
