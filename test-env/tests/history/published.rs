//! What is published of a certificate, found by what the certificate itself says of where to look.

use std::sync::Arc;

use bytes::Bytes;
use cairn_jose::base64url;
use cairn_test_env::acme::{Connection, Endpoint, Response};
use cairn_x509::ocsp::{
    CertId, IssuerHash, Request as OcspRequest, Response as OcspResponse, SingleResponse,
};
use cairn_x509::{Certificate, Crl};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::Full;
use serde_json::Value;

use crate::world::World;

/// What OCSP says. Every other certificate is asked about by GET.
pub(crate) async fn ocsp(
    world: &World,
    certificate: &Certificate,
    hash: IssuerHash,
    by_get: bool,
) -> SingleResponse {
    let [url] = &certificate.description().unwrap().ocsp_urls[..] else { panic!("one place for OCSP") };
    let id = CertId::new(hash, &world.issuer, certificate.serial());
    let request = OcspRequest { certificates: vec![id.clone()], nonce: None }.to_der().unwrap();
    let response = if by_get {
        let text = escaped(&standard_base64(&request));
        get(&format!("{url}/{text}")).await
    } else {
        let mut message = Request::new(Full::new(Bytes::from(request)));
        *message.method_mut() = Method::POST;
        let kind = HeaderValue::from_static("application/ocsp-request");
        message.headers_mut().insert(header::CONTENT_TYPE, kind);
        send(url, message).await
    };
    assert_eq!(response.status, StatusCode::OK);
    assert_eq!(response.header(header::CONTENT_TYPE), "application/ocsp-response");
    let answer = OcspResponse::from_der(&response.body).unwrap();
    answer.verify(&world.issuer).unwrap();
    let [single] = &answer.responses[..] else { panic!("{answer:?}") };
    assert_eq!(single.id, id);
    let now = world.clock.now();
    assert!(
        single.this_update <= now && single.next_update.is_some_and(|next| next > now),
        "{single:?} at {now}"
    );
    single.clone()
}

/// The CRL at `url`.
pub(crate) async fn crl(world: &World, url: &str) -> Crl {
    let response = get(url).await;
    assert_eq!(response.status, StatusCode::OK, "{url}");
    assert_eq!(response.header(header::CONTENT_TYPE), "application/pkix-crl");
    let crl = Crl::from_der(&response.body).unwrap();
    crl.verify_issued_by(&world.issuer).unwrap();
    assert_eq!(crl.tbs().scope().map(|scope| scope.urls.clone()), Some(vec![url.to_owned()]));
    crl
}

/// Where the CRL of a certificate lies.
pub(crate) fn crl_url(certificate: &Certificate) -> String {
    let [url] = &certificate.description().unwrap().crl_urls[..] else { panic!("one place for CRLs") };
    url.clone()
}

/// The window in which a certificate should be renewed (RFC 9773 §4.2), as text.
pub(crate) async fn window(world: &World, certificate: &Certificate) -> (String, String) {
    let mut client = world.client().await;
    let base = directory(world).await["renewalInfo"].as_str().unwrap().to_owned();
    let authority = base64url::encode(certificate.authority_key_identifier().unwrap());
    let url = format!("{base}/{authority}.{}", base64url::encode(certificate.serial()));
    let response = client.send(Method::GET, &url, None, Bytes::new()).await.unwrap();
    assert_eq!(response.status, StatusCode::OK, "{url}");
    assert!(response.retry_after().is_some(), "RFC 9773 §4.3");
    let answer: Value = response.json().unwrap();
    let text = |name: &str| answer["suggestedWindow"][name].as_str().unwrap().to_owned();
    (text("start"), text("end"))
}

async fn directory(world: &World) -> Value {
    let mut client = world.client().await;
    let answer = client.send(Method::GET, &world.site.directory(), None, Bytes::new()).await.unwrap();
    answer.json().unwrap()
}

async fn get(url: &str) -> Response {
    send(url, Request::new(Full::new(Bytes::new()))).await
}

async fn send(url: &str, mut request: Request<Full<Bytes>>) -> Response {
    let endpoint = Arc::new(Endpoint::new(url, "").unwrap());
    let uri: http::Uri = url.parse().unwrap();
    *request.uri_mut() = uri.path().parse().unwrap();
    Connection::new(endpoint).send(request).await.unwrap()
}

/// RFC 4648 §4, which RFC 6960 appendix A.1 wants: with `+`, `/` and padding.
fn standard_base64(octets: &[u8]) -> String {
    let text = base64url::encode(octets).replace('-', "+").replace('_', "/");
    let padding = text.len().next_multiple_of(4) - text.len();
    text + &"=".repeat(padding)
}

fn escaped(text: &str) -> String {
    text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}
