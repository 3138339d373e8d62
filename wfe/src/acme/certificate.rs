//! Downloading a certificate with its chain, or with one of the others that it has (RFC 8555 §7.4.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use cairn_core::{CertificateRecord, Error, ErrorKind, Serial};
use cairn_x509::Certificate;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, LINK};

use crate::WebFrontEnd;
use crate::links::{Alternate, ChainNumber, Id, Resource};
use crate::signed::{Asking, Signed};
use crate::wire::{Answer, PostAsGet};

const PEM_CHAIN: HeaderValue = HeaderValue::from_static("application/pem-certificate-chain");

/// What a client hears of a fault with a stored certificate.
const UNUSABLE: &str = "The certificate cannot be given out.";

/// A request to see a certificate.
type Download = Signed<PostAsGet, Asking<CertificateRecord>>;

/// `POST /certificate/{serial}`: the leaf, then what certifies it, without the root.
pub(crate) async fn certificate(
    State(wfe): State<Arc<WebFrontEnd>>,
    _: Id<Serial>,
    signed: Download,
) -> Answer {
    download(&wfe, signed, 0).await
}

/// `POST /certificate/{serial}/{chain}`: the same leaf with another chain.
pub(crate) async fn alternate(
    State(wfe): State<Arc<WebFrontEnd>>,
    _: Id<Serial>,
    Alternate(number): Alternate,
    signed: Download,
) -> Answer {
    download(&wfe, signed, number.place()).await
}

/// The leaf with its chain at `place`, and links to all its other chains.
async fn download(wfe: &WebFrontEnd, signed: Download, place: usize) -> Answer {
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
    let chains = wfe.chains.of(record.issuer).await?;
    let chain = chains.all().get(place).ok_or_else(|| {
        Error::new(ErrorKind::NotFound, "The certificate has no chain with this number (any more).")
    })?;
    let mut response = Response::new(Body::from(leaf.to_pem() + &chain.pem));
    response.headers_mut().insert(CONTENT_TYPE, PEM_CHAIN);
    for other in (0..chains.all().len()).filter(|other| *other != place) {
        let resource = match ChainNumber::of_place(other) {
            None => Resource::Certificate(&record.serial),
            Some(number) => Resource::Alternate(&record.serial, number),
        };
        response.headers_mut().append(LINK, signed.visit.link(resource).relation("alternate")?);
    }
    Ok(response)
}
