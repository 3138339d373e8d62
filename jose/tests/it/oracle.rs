//! Two other implementations must agree with ours: jsonwebtoken on JWS and JWK, p256 on curve and DER.

use cairn_jose::{Algorithm, Jwk, Jws, VerifyError, base64url, sign::SigningKey};
use jsonwebtoken::{
    Algorithm as TheirAlgorithm, DecodingKey, EncodingKey, crypto,
    jwk::{Jwk as TheirJwk, ThumbprintHash},
};
use p256::{
    ecdsa::{
        Signature, VerifyingKey,
        signature::{Signer, Verifier},
    },
    pkcs8::EncodePublicKey,
};
use serde_json::{Value, json};

use crate::{es256, header_with_jwk};

/// The algorithms that jsonwebtoken knows, with a key of each. It has no ES512.
fn shared() -> impl Iterator<Item = (SigningKey, TheirAlgorithm)> {
    [
        (Algorithm::Es256, TheirAlgorithm::ES256),
        (Algorithm::Es384, TheirAlgorithm::ES384),
        (Algorithm::EdDsa, TheirAlgorithm::EdDSA),
        (Algorithm::Rs256, TheirAlgorithm::RS256),
        (Algorithm::Rs384, TheirAlgorithm::RS384),
        (Algorithm::Rs512, TheirAlgorithm::RS512),
    ]
    .into_iter()
    .map(|(ours, theirs)| (SigningKey::generate(ours).unwrap(), theirs))
}

fn their_private_key(key: &SigningKey) -> EncodingKey {
    let pkcs8 = key.to_pkcs8_der().unwrap();
    match key.algorithm() {
        Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => EncodingKey::from_ec_der(&pkcs8),
        Algorithm::EdDsa => EncodingKey::from_ed_der(&pkcs8),
        // They want RFC 8017's RSAPrivateKey, which for 2048 bits stands behind 26 bytes of PKCS#8.
        Algorithm::Rs256 | Algorithm::Rs384 | Algorithm::Rs512 => EncodingKey::from_rsa_der(&pkcs8[26..]),
    }
}

fn their_public_key(key: &Jwk) -> TheirJwk {
    serde_json::from_value(serde_json::to_value(key).unwrap()).unwrap()
}

/// The three texts of a flattened JWS.
fn texts(jws: &str) -> (String, String) {
    let jws: Value = serde_json::from_str(jws).unwrap();
    let text = |member: &str| jws[member].as_str().unwrap().to_owned();
    (format!("{}.{}", text("protected"), text("payload")), text("signature"))
}

#[test]
fn jsonwebtoken_verifies_what_we_sign() {
    for (key, theirs) in shared() {
        let (signing_input, signature) = texts(&key.jws(&header_with_jwk(&key), b"{}").unwrap());
        let public = DecodingKey::from_jwk(&their_public_key(key.jwk())).unwrap();
        assert!(crypto::verify(&signature, signing_input.as_bytes(), &public, theirs).unwrap(), "{theirs:?}");
        assert!(!crypto::verify(&signature, b"e30.e30", &public, theirs).unwrap(), "{theirs:?}");
    }
}

#[test]
fn we_verify_what_jsonwebtoken_signs() {
    for (key, theirs) in shared() {
        let protected = base64url::encode(header_with_jwk(&key).to_string().as_bytes());
        let signature =
            crypto::sign(format!("{protected}.e30").as_bytes(), &their_private_key(&key), theirs).unwrap();
        let request = |payload: &str| {
            let jws = json!({ "protected": protected, "payload": payload, "signature": signature });
            Jws::parse(jws.to_string().as_bytes()).unwrap().verify(key.jwk())
        };
        assert_eq!(request("e30"), Ok(()), "{theirs:?}");
        assert_eq!(request("e31x"), Err(VerifyError::Signature), "{theirs:?}");
    }
}

#[test]
fn jsonwebtoken_computes_the_same_thumbprints() {
    for (key, theirs) in shared() {
        let thumbprint = their_public_key(key.jwk()).thumbprint(ThumbprintHash::SHA256).unwrap();
        assert_eq!(key.jwk().thumbprint().to_string(), thumbprint, "{theirs:?}");
    }
}

#[test]
fn p256_agrees_on_signatures_in_both_directions() {
    let theirs = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let point = theirs.verifying_key().to_sec1_point(false);
    let jwk = json!({
        "kty": "EC",
        "crv": "P-256",
        "x": base64url::encode(point.x().unwrap()),
        "y": base64url::encode(point.y().unwrap()),
    });
    let protected = base64url::encode(json!({ "alg": "ES256", "jwk": jwk }).to_string().as_bytes());
    let signature: Signature = theirs.sign(format!("{protected}.e30").as_bytes());
    let signature = base64url::encode(&signature.to_bytes());
    let jws = json!({ "protected": protected, "payload": "e30", "signature": signature });
    let ours = Jwk::from_value(&jwk).unwrap();
    assert_eq!(Jws::parse(jws.to_string().as_bytes()).unwrap().verify(&ours), Ok(()));

    let key = es256();
    let signature = Signature::from_slice(&key.sign(b"message").unwrap()).unwrap();
    let theirs = p256::PublicKey::from_sec1_bytes(&key.jwk().to_spki_der()[26..]).unwrap();
    assert!(VerifyingKey::from(&theirs).verify(b"message", &signature).is_ok());
    assert!(VerifyingKey::from(&theirs).verify(b"massage", &signature).is_err());
}

#[test]
fn p256_writes_the_same_der() {
    let key = es256();
    let theirs = p256::PublicKey::from_sec1_bytes(&key.jwk().to_spki_der()[26..]).unwrap();
    assert_eq!(key.jwk().to_spki_der(), theirs.to_public_key_der().unwrap().as_bytes());
}
