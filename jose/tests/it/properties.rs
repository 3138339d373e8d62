//! What holds for every input: nothing panics, and nothing that was altered verifies.

use cairn_jose::{Algorithm, Jwk, Jws, KeyReference, Thumbprint, base64url, sign::SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{header_with_jwk, header_with_kid, parse_header};

/// A name or value that means something to us, or any text.
fn text() -> impl Strategy<Value = String> {
    const KNOWN: [&str; 30] = [
        "protected",
        "payload",
        "signature",
        "signatures",
        "header",
        "alg",
        "nonce",
        "url",
        "kid",
        "jwk",
        "crit",
        "b64",
        "kty",
        "crv",
        "x",
        "y",
        "n",
        "e",
        "d",
        "ES256",
        "EdDSA",
        "RS256",
        "EC",
        "OKP",
        "RSA",
        "P-256",
        "P-521",
        "Ed25519",
        "AQAB",
        "e30",
    ];
    prop_oneof![
        4 => proptest::sample::select(&KNOWN[..]).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => proptest::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| base64url::encode(&bytes)),
    ]
}

/// Any JSON, often with our own names in it.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        6 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 8, |inner| {
        prop_oneof![
            1 => proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            4 => proptest::collection::hash_map(text(), inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Takes a body through every step that needs no key of the caller's.
fn parse_and_verify(body: &[u8]) -> bool {
    let Ok(jws) = Jws::parse(body) else { return false };
    match &jws.header.key {
        KeyReference::Jwk(key) => jws.verify(key).is_ok(),
        KeyReference::Kid(_) => false,
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), text in any::<String>()) {
        prop_assert!(!parse_and_verify(&bytes));
        prop_assert!(Jwk::from_spki_der(&bytes).is_err());
        let _ = parse_header(&text);
        let _ = text.parse::<Algorithm>();
        let _ = text.parse::<Thumbprint>();
    }

    #[test]
    fn arbitrary_json_never_panics_nor_verifies(json in any_json()) {
        prop_assert!(!parse_and_verify(json.to_string().as_bytes()));
        let protected = base64url::encode(json.to_string().as_bytes());
        let body = json!({ "protected": protected, "payload": "", "signature": "AA" });
        prop_assert!(!parse_and_verify(body.to_string().as_bytes()));
    }

    #[test]
    fn a_key_is_the_same_from_value_and_from_text(json in any_json()) {
        let from_text = serde_json::from_str::<Jwk>(&json.to_string());
        prop_assert_eq!(Jwk::from_value(&json).ok(), from_text.ok());
    }

    #[test]
    fn arbitrary_rsa_numbers_survive_json_and_der(
        modulus in proptest::collection::vec(any::<u8>(), 120..300),
        exponent in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let json = json!({ "kty": "RSA", "n": base64url::encode(&modulus), "e": base64url::encode(&exponent) });
        if let Ok(key) = Jwk::from_value(&json) {
            prop_assert_eq!(&Jwk::from_value(&serde_json::to_value(&key).unwrap()).unwrap(), &key);
            prop_assert_eq!(&Jwk::from_spki_der(&key.to_spki_der()).unwrap(), &key);
        }
    }

    #[test]
    fn a_text_is_base64url_only_in_its_one_spelling(text in "[A-Za-z0-9_=+/-]{0,20}") {
        if let Ok(bytes) = base64url::decode(&text) {
            prop_assert_eq!(base64url::encode(&bytes), text);
        }
    }

    #[test]
    fn der_with_any_altered_byte_is_no_key_or_another_one(at in any::<proptest::sample::Index>(), flip in 1..=255u8) {
        for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
            let key = SigningKey::generate(algorithm).unwrap();
            let mut der = key.jwk().to_spki_der();
            der[at.index(key.jwk().to_spki_der().len())] ^= flip;
            if let Ok(other) = Jwk::from_spki_der(&der) {
                prop_assert_ne!(&other, key.jwk());
                prop_assert_eq!(other.to_spki_der(), der);
            }
        }
    }
}

#[test]
fn no_altered_bit_of_a_signed_request_is_accepted() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let key = SigningKey::generate(algorithm).unwrap();
        for header in [header_with_jwk(&key), header_with_kid(algorithm)] {
            let mut body = key.jws(&header, br#"{"termsOfServiceAgreed":true}"#).unwrap().into_bytes();
            assert_eq!(Jws::parse(&body).unwrap().verify(key.jwk()), Ok(()));
            for at in 0..body.len() {
                for bit in 0..8 {
                    body[at] ^= 1 << bit;
                    let accepted = Jws::parse(&body).is_ok_and(|jws| jws.verify(key.jwk()).is_ok());
                    assert!(!accepted && !parse_and_verify(&body), "{algorithm}: bit {bit} of byte {at}");
                    body[at] ^= 1 << bit;
                }
            }
        }
    }
}
