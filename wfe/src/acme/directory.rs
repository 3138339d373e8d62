//! The two resources that need no account: the directory (RFC 8555 §7.1.1) and newNonce (§7.2).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::StatusCode;

use crate::WebFrontEnd;
use crate::edge::{Visit, Visiting, add_nonce};
use crate::signed::Signed;
use crate::wire::{Answer, DirectoryObject, PostAsGet, answer};

/// `GET /dir`.
pub(crate) async fn directory(Visiting(visit): Visiting) -> Answer {
    listing(&visit)
}

/// `POST /dir`, RFC 8555 §6.3.
pub(crate) async fn directory_as_get(signed: Signed<PostAsGet>) -> Answer {
    listing(&signed.visit)
}

fn listing(visit: &Visit) -> Answer {
    answer(StatusCode::OK, &DirectoryObject::new(visit))
}

/// `GET /nonce`.
pub(crate) async fn nonce(State(wfe): State<Arc<WebFrontEnd>>) -> Answer {
    fresh(&wfe, StatusCode::NO_CONTENT).await
}

/// `HEAD /nonce`. RFC 8555 §7.2 gives it another status than GET.
pub(crate) async fn nonce_head(State(wfe): State<Arc<WebFrontEnd>>) -> Answer {
    fresh(&wfe, StatusCode::OK).await
}

/// `POST /nonce`, RFC 8555 §6.3.
pub(crate) async fn nonce_as_get(State(wfe): State<Arc<WebFrontEnd>>, _: Signed<PostAsGet>) -> Answer {
    fresh(&wfe, StatusCode::NO_CONTENT).await
}

async fn fresh(wfe: &WebFrontEnd, status: StatusCode) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    add_nonce(wfe, response.headers_mut()).await?;
    Ok(response)
}
