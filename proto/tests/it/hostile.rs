//! Peers that send what no service of ours sends: every such thing is an error, and nothing panics.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use cairn_core::api::{NonceOwner, RegistrationAuthority, StorageRead};
use cairn_core::{AccountId, Error, ErrorKind, OrderId};
use cairn_proto::{
    Carrier, RemoteNonceOwner, RemoteRegistrationAuthority, RemoteStorageRead, registration_authority_server,
};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tower::{Service, ServiceExt};

use crate::fake::Fake;

/// A peer that answers every call with these octets and these trailers.
#[derive(Clone)]
struct Peer {
    body: Vec<u8>,
    headers: HeaderMap,
    trailers: HeaderMap,
}

impl Service<Request<Body>> for Peer {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let Self { body, headers, trailers } = self.clone();
        let body = Full::new(Bytes::from(body)).with_trailers(std::future::ready(Some(Ok(trailers))));
        let mut response = Response::new(Body::new(body));
        *response.headers_mut() = headers;
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        Box::pin(std::future::ready(Ok(response)))
    }
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
}

const DONE: &[(&str, &str)] = &[("grpc-status", "0")];

/// A peer that says that all went well, with `message` as the message.
fn says(message: &[u8]) -> Peer {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    let body = [&[0], length.as_slice(), message].concat();
    Peer { body, headers: HeaderMap::new(), trailers: headers(DONE) }
}

fn fails(trailers: &[(&'static str, &'static str)]) -> Peer {
    Peer { body: Vec::new(), headers: HeaderMap::new(), trailers: headers(trailers) }
}

async fn order_of(peer: impl Carrier) -> Error {
    RemoteStorageRead::new(peer).order(OrderId::from_bytes([1; 16])).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_that_is_no_message_is_a_fault() {
    for message in [&[0xff; 40][..], &[0x0a, 0x7f, 1], &[0x0a, 0x02, 0x0a, 0x05]] {
        let error = order_of(says(message)).await;
        assert_eq!(error.kind, ErrorKind::Internal, "{message:?}: {error}");
    }
    for body in [&[][..], &[0], &[0, 0, 0, 0, 9, 1], &[1, 0, 0, 0, 0], &[9; 9], &[0, 0xff, 0xff, 0xff, 0xff]]
    {
        let peer = Peer { body: body.to_vec(), ..says(&[]) };
        let error = order_of(peer).await;
        assert_eq!(error.kind, ErrorKind::Internal, "{body:?}: {error}");
    }
}

#[tokio::test]
async fn an_answer_that_lacks_something_names_what_it_lacks() {
    // An empty order in the answer.
    let error = order_of(says(&[0x0a, 0])).await;
    assert!(error.to_string().contains("OrderWithAuthorizations.order is missing"), "{error}");
    assert!(!error.detail.contains("OrderWithAuthorizations"), "the field is for the log alone");
    let error = RemoteNonceOwner::new(says(&[])).redeem_own("x").await.unwrap_err();
    assert!(error.to_string().contains("RedeemOwnResponse.redeemed is missing"), "{error}");
    // One CA certificate without a time, and one more than there may be.
    let certificates = async |message: &[u8]| {
        RemoteStorageRead::new(says(message)).ca_certificates().await.unwrap_err().to_string()
    };
    let error = certificates(&[0x0a, 0]).await;
    assert!(error.contains("CaCertificate.at is missing"), "{error}");
    let error = certificates(&[0x0a, 2, 0x18, 1].repeat(257)).await;
    assert!(error.contains("CaCertificateList.certificates are more"), "{error}");
    let ra = RemoteRegistrationAuthority::new(says(&[]));
    let error = ra.deactivate_account(AccountId::from_bytes([1; 16])).await.unwrap_err();
    assert!(error.to_string().contains("Account.id does not have the length"), "{error}");
}

#[tokio::test]
async fn a_status_with_nonsense_in_it_is_a_fault_and_no_panic() {
    for trailers in [
        &[("grpc-status", "13"), ("grpc-status-details-bin", "?!?")][..],
        &[("grpc-status", "13"), ("cairn-error-bin", "?!?")],
        &[("grpc-status", "13"), ("cairn-error-bin", "/////w")],
        &[("grpc-status", "13"), ("cairn-error-bin", "CGM")],
        &[("grpc-status", "13"), ("grpc-message", "%ff%zz")],
        &[("grpc-status", "99")],
        &[("grpc-status", "?")],
        &[],
    ] {
        let error = order_of(fails(trailers)).await;
        assert_eq!(error.kind, ErrorKind::Internal, "{trailers:?}: {error}");
        // The same, as a head without a body.
        let error = order_of(Peer { headers: headers(trailers), ..fails(&[]) }).await;
        assert_eq!(error.kind, ErrorKind::Internal, "{trailers:?}: {error}");
    }
}

#[tokio::test]
async fn a_request_that_is_no_message_is_refused_before_the_service_hears_of_it() {
    let fake = Arc::new(Fake::new());
    let server = registration_authority_server(Arc::<Fake>::clone(&fake));
    for body in
        [&[][..], &[0], &[0, 0, 0, 0, 2, 1], &[0, 0, 0, 0, 1, 0xff], &[0, 0xff, 0xff, 0xff, 0xff], &[7; 99]]
    {
        let request = Request::post("/cairn.v1.RegistrationAuthority/NewOrder")
            .header("content-type", "application/grpc")
            .body(Body::new(Full::new(Bytes::copy_from_slice(body))))
            .unwrap();
        let response = server.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let trailers = body.collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let status = head.headers.get("grpc-status").or(trailers.get("grpc-status"));
        assert!(status.is_some_and(|status| status != "0"), "{status:?}");
    }
    assert!(fake.heard().is_empty());
}

#[tokio::test]
async fn a_request_that_lacks_something_is_refused_before_the_service_hears_of_it() {
    let fake = Arc::new(Fake::new());
    let server = registration_authority_server(Arc::<Fake>::clone(&fake));
    // An empty message, which has no account.
    let request = Request::post("/cairn.v1.RegistrationAuthority/NewOrder")
        .header("content-type", "application/grpc")
        .body(Body::new(Full::new(Bytes::from_static(&[0; 5]))))
        .unwrap();
    let response = server.oneshot(request).await.unwrap();
    assert_eq!(response.headers().get("grpc-status").unwrap(), "13");
    assert!(fake.heard().is_empty());
}
