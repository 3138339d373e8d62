//! The JSON of RFC 8555 §7: what clients send ([`Payload`]s), and the objects that they get, as views that borrow core's types.

mod objects;
mod requests;

use axum::body::Body;
use axum::response::Response;
use cairn_core::Error;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::problem::Rejection;

pub(crate) use objects::{
    AccountObject, AuthorizationObject, ChallengeObject, DirectoryObject, OrderObject, RenewalInfoObject,
};
pub(crate) use requests::{
    AccountUpdate, AuthorizationUpdate, ChallengeResponse, Finalize, NewAccount, NewOrder, Payload,
    PostAsGet, RevokeCert, WireIdentifier,
};

/// What a handler gives.
pub(crate) type Answer = Result<Response, Rejection>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Room for most objects, so that writing one seldom moves it.
const USUAL_OBJECT: usize = 1024;

/// An answer that holds one object.
pub(crate) fn answer(status: StatusCode, object: &impl Serialize) -> Answer {
    let mut body = Vec::with_capacity(USUAL_OBJECT);
    serde_json::to_writer(&mut body, object)
        .map_err(|error| Error::internal("The answer could not be written.", error))?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(response)
}
