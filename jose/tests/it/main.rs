//! Black-box tests of the public API, one module per story.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on shall stop, and clippy knows only functions marked #[test] as tests"
)]

mod keys;
mod oracle;
mod properties;
mod requests;
mod signing;

use cairn_jose::{Algorithm, Jws, JwsError, sign::SigningKey};
use serde_json::{Value, json};

/// The header of a request that carries its own key, as a client's newAccount does.
fn header_with_jwk(key: &SigningKey) -> Value {
    json!({
        "alg": key.algorithm().name(),
        "nonce": "bm9uY2U",
        "url": "https://ca.test/new-account",
        "jwk": key.jwk(),
    })
}

/// The same, with a kid in place of the key.
fn header_with_kid(algorithm: Algorithm) -> Value {
    json!({
        "alg": algorithm.name(),
        "nonce": "bm9uY2U",
        "url": "https://ca.test/new-order",
        "kid": "https://ca.test/account/1",
    })
}

fn es256() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

/// What a request is answered whose protected header is this JSON text.
fn parse_header(header: &str) -> Result<Jws, JwsError> {
    let protected = cairn_jose::base64url::encode(header.as_bytes());
    Jws::parse(json!({ "protected": protected, "payload": "", "signature": "" }).to_string().as_bytes())
}

/// The sentence with which a malformed JWS is refused.
fn malformed(result: Result<Jws, JwsError>) -> String {
    match result {
        Err(JwsError::Malformed(detail)) => detail,
        other => panic!("expected it to be malformed, got {other:?}"),
    }
}
