//! Orders: newOrder, reading one, and finalize (RFC 8555 §7.4).

use std::sync::Arc;

use axum::extract::State;
use cairn_core::api::ra::{FinalizeOrderRequest, NewOrderRequest};
use cairn_core::identifier::IdentifierError;
use cairn_core::{CertificateId, Error, ErrorKind, Identifier, OrderId, OrderWithAuthorizations};
use http::StatusCode;
use http::header::{LOCATION, RETRY_AFTER};

use crate::WebFrontEnd;
use crate::edge::Visit;
use crate::links::{Id, Resource};
use crate::signed::{Asking, Signed};
use crate::text::shown;
use crate::wire::{Answer, Finalize, NewOrder, OrderObject, PostAsGet, WireIdentifier, answer};

/// Bad identifiers that one answer names: more would not be read.
const MAX_NAMED: usize = 5;

/// `POST /new-order`.
pub(crate) async fn new_order(State(wfe): State<Arc<WebFrontEnd>>, signed: Signed<NewOrder>) -> Answer {
    let payload = signed.payload;
    // RFC 8555 §7.4: a CA that cannot give exactly these dates must say so instead of giving others.
    if payload.not_before.is_some() || payload.not_after.is_some() {
        let detail = "This CA sets a certificate's dates itself. Leave out notBefore and notAfter.";
        return Err(Error::new(ErrorKind::Malformed, detail).into());
    }
    let identifiers = identifiers(&payload.identifiers)?;
    let replaces = payload.replaces.as_deref().map(replaced).transpose()?;
    let request = NewOrderRequest { account: signed.signer.id, identifiers, replaces };
    let order = wfe.ra.new_order(request).await?;
    view(&wfe, &signed.visit, StatusCode::CREATED, &order)
}

/// The certificate that an order replaces (RFC 9773 §5).
fn replaced(text: &str) -> Result<CertificateId, Error> {
    text.parse().map_err(|error| {
        let detail = format!(
            "\"replaces\" names no certificate of this CA, \"{}\": {error}. Leave it out.",
            shown(text)
        );
        Error::new(ErrorKind::Malformed, detail)
    })
}

/// `POST /order/{id}`.
pub(crate) async fn order(
    State(wfe): State<Arc<WebFrontEnd>>,
    _: Id<OrderId>,
    signed: Signed<PostAsGet, Asking<OrderWithAuthorizations>>,
) -> Answer {
    let Asking { account, found } = signed.signer;
    let order = found.filter(|found| found.order.account == account.id);
    let order =
        order.ok_or_else(|| Error::new(ErrorKind::NotFound, "There is no such order of this account."))?;
    view(&wfe, &signed.visit, StatusCode::OK, &order)
}

/// `POST /order/{id}/finalize`.
pub(crate) async fn finalize(
    State(wfe): State<Arc<WebFrontEnd>>,
    Id(order): Id<OrderId>,
    signed: Signed<Finalize>,
) -> Answer {
    let request = FinalizeOrderRequest { account: signed.signer.id, order, csr: signed.payload.csr };
    let order = wfe.ra.finalize_order(request).await?;
    view(&wfe, &signed.visit, StatusCode::OK, &order)
}

/// The order, always with its `Location`: two client libraries look for it after finalize, where no RFC demands it.
fn view(wfe: &WebFrontEnd, visit: &Visit, status: StatusCode, order: &OrderWithAuthorizations) -> Answer {
    let object = OrderObject::new(visit, order, wfe.clock.now());
    let mut response = answer(status, &object)?;
    response.headers_mut().insert(LOCATION, visit.link(Resource::Order(order.order.id)).location()?);
    if object.is_processing() {
        response.headers_mut().insert(RETRY_AFTER, wfe.retry_after.clone());
    }
    Ok(response)
}

/// Reads them all, so that a client hears of all that are wrong at once. They cannot be subproblems: what is not an identifier
/// cannot be named as one.
fn identifiers(wire: &[WireIdentifier]) -> Result<Vec<Identifier>, Error> {
    let (mut good, mut bad) = (Vec::with_capacity(wire.len()), Vec::new());
    for identifier in wire {
        match Identifier::parse(&identifier.kind, &identifier.value) {
            Ok(identifier) => good.push(identifier),
            Err(error) => bad.push((identifier, error)),
        }
    }
    let Some((_, first)) = bad.first() else { return Ok(good) };
    let kind = match first {
        IdentifierError::UnsupportedType => ErrorKind::UnsupportedIdentifier,
        _ => ErrorKind::Malformed,
    };
    let named = bad.iter().take(MAX_NAMED).map(|(identifier, error)| {
        format!("{} \"{}\": {error}", shown(&identifier.kind), shown(&identifier.value))
    });
    let mut detail = named.collect::<Vec<_>>().join("; ");
    if bad.len() > MAX_NAMED {
        detail.push_str(&format!("; and {} more", bad.len() - MAX_NAMED));
    }
    Err(Error::new(kind, detail + "."))
}
