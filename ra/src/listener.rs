//! The certificate of the front end's own listeners: issued like any other, for names that nobody needs to prove, since the operator
//! wrote them down.

use cairn_core::api::ca::IssuedCertificate;
use cairn_core::api::{IssuanceRequest, KeyUse};
use cairn_core::{Error, ErrorKind, Result};

use crate::{Ra, audit};

/// Issues one. The front end renews it long before it ends, and makes a new key each time.
pub(crate) async fn certificate(ra: &Ra, public_key: Vec<u8>) -> Result<IssuedCertificate> {
    let names = &ra.deps.listener_names;
    if names.is_empty() {
        let detail = "this CA is configured with no name for its own listeners; set `wfe.base_url` in the \
                      configuration of the registration authority, or give the front end a certificate of its own";
        return Err(Error::new(ErrorKind::Unauthorized, detail));
    }
    ra.deps.pa.good_key(&public_key, KeyUse::Certificate).await?;
    let request = IssuanceRequest {
        order: None,
        account: None,
        profile: ra.config.profile.clone(),
        public_key,
        identifiers: names.clone(),
    };
    let issued = ra.deps.ca.issue_certificate(request).await?;
    audit::listener_certificate_issued(&issued.serial, names);
    Ok(issued)
}
