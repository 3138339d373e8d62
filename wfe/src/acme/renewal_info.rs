//! When to renew a certificate, for whoever asks (RFC 9773 §4).
//!
//! Every answer of this resource says when to ask again, errors too: `edge` sees to that.

use std::sync::Arc;

use axum::extract::State;
use cairn_core::renewal::CertificateIdError;
use cairn_core::{Error, ErrorKind};
use http::StatusCode;

use crate::WebFrontEnd;
use crate::links::Renewed;
use crate::wire::{Answer, RenewalInfoObject, answer};

/// `GET /renewal-info/{id}`: one read, without an account.
pub(crate) async fn renewal_info(State(wfe): State<Arc<WebFrontEnd>>, Renewed(id): Renewed) -> Answer {
    let unknown = || {
        let detail = "This CA knows no such certificate. What ended long ago is not kept.";
        Error::new(ErrorKind::NotFound, detail)
    };
    let id = id.map_err(|error| match error {
        CertificateIdError::Malformed => {
            Error::new(ErrorKind::Malformed, format!("This is no certificate's id: {error}."))
        }
        CertificateIdError::Foreign => unknown(),
    })?;
    let renewal = wfe.sa.renewal(&id.serial).await?;
    let renewal = renewal.filter(|renewal| renewal.issuer == id.issuer).ok_or_else(unknown)?;
    answer(StatusCode::OK, &RenewalInfoObject::new(&renewal.info(wfe.clock.now())))
}
