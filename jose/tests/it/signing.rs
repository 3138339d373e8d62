//! The signing half: keys are made, stored and read again, and sign whatever header they are given.

use cairn_jose::{
    Algorithm, Jws, KeyKind, base64url,
    sign::{SignError, SigningKey},
};
use serde_json::{Value, json};

use crate::{es256, header_with_jwk};

#[test]
fn a_key_is_read_back_from_pkcs8() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pkcs8_der(algorithm, &key.to_pkcs8_der().unwrap()).unwrap();
        assert_eq!(again.algorithm(), algorithm);
        assert_eq!(again.jwk(), key.jwk());
        let body = again.jws(&header_with_jwk(&key), b"{}").unwrap();
        assert_eq!(Jws::parse(body.as_bytes()).unwrap().verify(key.jwk()), Ok(()), "{algorithm}");
    }
}

#[test]
fn a_key_is_not_read_for_an_algorithm_that_it_does_not_fit() {
    let der = es256().to_pkcs8_der().unwrap();
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Es256) {
        assert!(
            matches!(SigningKey::from_pkcs8_der(algorithm, &der), Err(SignError::Rejected(_))),
            "{algorithm}"
        );
    }
    assert!(SigningKey::from_pkcs8_der(Algorithm::Es256, b"not a key").is_err());
}

#[test]
fn rsa_keys_are_made_in_three_sizes() {
    for bits in [2048, 3072, 4096] {
        let key = SigningKey::generate_rsa(bits).unwrap();
        assert_eq!(key.jwk().kind(), KeyKind::Rsa { modulus_bits: bits });
        assert_eq!(key.algorithm(), Algorithm::Rs256);
        let body = key.jws(&header_with_jwk(&key), b"{}").unwrap();
        assert_eq!(Jws::parse(body.as_bytes()).unwrap().verify(key.jwk()), Ok(()));
    }
    assert_eq!(SigningKey::generate_rsa(1024).unwrap_err(), SignError::Size(1024));
}

#[test]
fn exactly_the_given_header_is_signed() {
    for header in [json!({ "alg": "none", "crit": ["x"], "url": 7 }), json!([]), json!({})] {
        let jws: Value = serde_json::from_str(&es256().jws(&header, b"payload").unwrap()).unwrap();
        let protected = base64url::decode(jws["protected"].as_str().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&protected).unwrap(), header);
        assert_eq!(jws["payload"], "cGF5bG9hZA");
    }
}

#[test]
fn a_signing_key_does_not_show_its_secret() {
    let key = es256();
    assert_eq!(format!("{key:?}"), format!("SigningKey(ES256, {:?})", key.jwk()));
}
