//! RFC 7517, RFC 7518 §6, RFC 7638: public keys in JSON and DER, and their thumbprints.

use aws_lc_rs::{encoding::AsDer, signature::*};
use cairn_jose::{Algorithm, Base64UrlError, Jwk, JwkError, KeyKind, base64url, sign::SigningKey};
use serde_json::{Value, json};

use crate::es256;

/// The key of RFC 7638 §3.1, with the members that do not count.
fn rfc_7638_key() -> Value {
    let modulus = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB\
                   ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8\
                   KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_\
                   xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    json!({ "kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" })
}

fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<Jwk, JwkError> {
    let (n, e) = (base64url::encode(modulus), base64url::encode(exponent));
    Jwk::from_value(&json!({ "kty": "RSA", "n": n, "e": e }))
}

/// A JWK with one member set or, by `None`, removed.
fn with(jwk: &Jwk, member: &str, value: Option<&str>) -> Result<Jwk, JwkError> {
    let mut json = serde_json::to_value(jwk).unwrap();
    match value {
        Some(value) => json[member] = json!(value),
        None => drop(json.as_object_mut().unwrap().remove(member)),
    }
    Jwk::from_value(&json)
}

#[test]
fn the_thumbprints_of_the_rfcs_are_reproduced() {
    let key = Jwk::from_value(&rfc_7638_key()).unwrap();
    assert_eq!(key.thumbprint().to_string(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs", "RFC 7638 §3.1");
    let key = json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let key = Jwk::from_value(&key).unwrap();
    assert_eq!(key.thumbprint().to_string(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k", "RFC 8037 A.3");
}

#[test]
fn a_key_is_written_with_its_required_members_in_canonical_order() {
    let ed25519 = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let key: Jwk = serde_json::from_str(ed25519).unwrap();
    assert_eq!(serde_json::to_string(&key).unwrap(), ed25519);
    let key = Jwk::from_value(&rfc_7638_key()).unwrap();
    let written = serde_json::to_string(&key).unwrap();
    assert!(written.starts_with(r#"{"e":"AQAB","kty":"RSA","n":"0vx7"#), "{written}");
    assert!(!written.contains("kid") && !written.contains("alg"));
}

#[test]
fn every_kind_of_key_is_read_back_from_json_and_from_der() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let jwk = key.jwk();
        let json = serde_json::to_string(jwk).unwrap();
        assert_eq!(&serde_json::from_str::<Jwk>(&json).unwrap(), jwk);
        assert_eq!(&Jwk::from_value(&serde_json::from_str(&json).unwrap()).unwrap(), jwk);
        assert_eq!(
            &serde_json::from_reader::<_, Jwk>(json.as_bytes()).unwrap(),
            jwk,
            "nothing to borrow from"
        );
        assert_eq!(&Jwk::from_spki_der(&jwk.to_spki_der()).unwrap(), jwk);
        assert!(algorithm.fits(jwk));
    }
}

#[test]
fn the_kind_of_a_key_names_its_curve_or_size() {
    let kind = |algorithm| SigningKey::generate(algorithm).unwrap().jwk().kind();
    assert_eq!(kind(Algorithm::Es256), KeyKind::P256);
    assert_eq!(kind(Algorithm::Es384), KeyKind::P384);
    assert_eq!(kind(Algorithm::Es512), KeyKind::P521);
    assert_eq!(kind(Algorithm::EdDsa), KeyKind::Ed25519);
    assert_eq!(kind(Algorithm::Rs512), KeyKind::Rsa { modulus_bits: 2048 });
}

#[test]
fn private_members_are_refused_of_whatever_type() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth"] {
        for value in [json!("AQAB"), json!(null), json!([])] {
            let mut key = rfc_7638_key();
            key[member] = value;
            assert_eq!(Jwk::from_value(&key), Err(JwkError::PrivateMember(member)));
        }
    }
    assert!(serde_json::from_str::<Jwk>(r#"{"kty":"OKP","crv":"Ed25519","x":"","d":""}"#).is_err());
}

#[test]
fn unknown_members_are_ignored() {
    let mut key = rfc_7638_key();
    key["use"] = json!("sig");
    key["key_ops"] = json!(["verify"]);
    key["x5c"] = json!([{ "nested": [1] }]);
    assert_eq!(Jwk::from_value(&key), Jwk::from_value(&rfc_7638_key()));
}

#[test]
fn a_missing_or_mistyped_member_is_named() {
    let key = es256();
    for member in ["kty", "crv", "x", "y"] {
        assert_eq!(with(key.jwk(), member, None), Err(JwkError::Missing(member)));
    }
    for member in ["kty", "n", "e"] {
        let mut key = rfc_7638_key();
        key[member] = json!(65537);
        assert_eq!(Jwk::from_value(&key), Err(JwkError::NotAString(member)));
    }
    assert_eq!(
        with(key.jwk(), "x", Some("AA==")),
        Err(JwkError::Base64Url { member: "x", source: Base64UrlError::Padding })
    );
    for value in [json!(null), json!("x"), json!([]), json!(["EC", "P-256", "", ""])] {
        assert_eq!(Jwk::from_value(&value), Err(JwkError::NotAnObject));
    }
}

#[test]
fn unsupported_types_and_curves_are_named() {
    let key = es256();
    let kty = |name: &str| Err(JwkError::UnsupportedKeyType(name.to_owned()));
    let crv = |name: &str| Err(JwkError::UnsupportedCurve(name.to_owned()));
    assert_eq!(with(key.jwk(), "kty", Some("oct")), kty("oct"));
    assert_eq!(with(key.jwk(), "kty", Some("ec")), kty("ec"));
    assert_eq!(with(key.jwk(), "crv", Some("secp256k1")), crv("secp256k1"));
    assert_eq!(with(key.jwk(), "crv", Some("Ed25519")), crv("Ed25519"));
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    for name in ["Ed448", "X25519", "P-256"] {
        assert_eq!(with(key.jwk(), "crv", Some(name)), crv(name));
    }
}

#[test]
fn a_coordinate_of_another_length_than_its_curve_is_refused() {
    for (algorithm, expected) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        let key = SigningKey::generate(algorithm).unwrap();
        for member in ["x", "y"] {
            let json = serde_json::to_value(key.jwk()).unwrap();
            let coordinate = base64url::decode(json[member].as_str().unwrap()).unwrap();
            let padded = [&[0], &coordinate[..]].concat();
            for wrong in [&coordinate[1..], &coordinate[..expected - 1], &padded, &[]] {
                assert_eq!(
                    with(key.jwk(), member, Some(&base64url::encode(wrong))),
                    Err(JwkError::Length { member, expected, actual: wrong.len() })
                );
            }
        }
    }
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let wrong = Some(base64url::encode(&[1; 31]));
    assert_eq!(
        with(key.jwk(), "x", wrong.as_deref()),
        Err(JwkError::Length { member: "x", expected: 32, actual: 31 })
    );
}

#[test]
fn coordinates_that_are_no_point_of_the_curve_are_refused() {
    for (algorithm, curve, bytes) in
        [(Algorithm::Es256, "P-256", 32), (Algorithm::Es384, "P-384", 48), (Algorithm::Es512, "P-521", 66)]
    {
        let key = SigningKey::generate(algorithm).unwrap();
        for wrong in [vec![0; bytes], vec![1; bytes], vec![0xff; bytes]] {
            let wrong = base64url::encode(&wrong);
            assert_eq!(with(key.jwk(), "y", Some(&wrong)), Err(JwkError::NotOnCurve(curve)));
            let both = json!({ "kty": "EC", "crv": curve, "x": wrong, "y": wrong });
            assert_eq!(Jwk::from_value(&both), Err(JwkError::NotOnCurve(curve)));
        }
    }
}

#[test]
fn leading_zeros_of_rsa_numbers_do_not_make_another_key() {
    let modulus = [0xc5; 256];
    let plain = rsa(&modulus, &[1, 0, 1]).unwrap();
    let padded = rsa(&[&[0, 0][..], &modulus].concat(), &[0, 1, 0, 1]).unwrap();
    assert_eq!(plain, padded);
    assert_eq!(plain.thumbprint(), padded.thumbprint());
    assert_eq!(plain.to_spki_der(), padded.to_spki_der());
    assert_eq!(plain.rsa_modulus(), Some(&modulus[..]));
    assert_eq!(padded.rsa_exponent(), Some(&[1, 0, 1][..]));
    assert_eq!(es256().jwk().rsa_modulus(), None);
    assert_eq!(es256().jwk().rsa_exponent(), None);
}

#[test]
fn an_rsa_modulus_is_read_from_1024_to_8192_bits() {
    let of_bits = |bits: usize| {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] >>= (8 - bits % 8) % 8;
        rsa(&modulus, &[1, 0, 1]).map(|key| key.kind())
    };
    for bits in [1024, 1025, 2047, 2048, 4096, 8191, 8192] {
        assert_eq!(of_bits(bits), Ok(KeyKind::Rsa { modulus_bits: bits }));
    }
    for bits in [1, 512, 1023, 8193, 1_000_000] {
        assert_eq!(of_bits(bits), Err(JwkError::ModulusSize { bits }));
    }
    assert_eq!(rsa(&[], &[3]), Err(JwkError::ModulusSize { bits: 0 }));
    assert_eq!(rsa(&[0; 256], &[3]), Err(JwkError::ModulusSize { bits: 0 }));
    assert_eq!(rsa(&[0xfe; 256], &[3]), Err(JwkError::EvenModulus));
}

#[test]
fn an_rsa_exponent_is_odd_above_one_and_small() {
    let modulus = [0xc5; 256];
    for good in [&[3][..], &[1, 0, 1], &[0xff; 4], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(rsa(&modulus, good).is_ok(), "{good:?}");
    }
    for bad in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[3, 0, 0, 0, 1], &[0xff; 256]] {
        assert_eq!(rsa(&modulus, bad), Err(JwkError::Exponent), "{bad:?}");
    }
}

#[test]
fn der_is_what_aws_lc_writes() {
    let ecdsa = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_FIXED_SIGNING).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let rsa = RsaKeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
    let written = [
        ecdsa.public_key().as_der().unwrap(),
        ed25519.public_key().as_der().unwrap(),
        rsa.public_key().as_der().unwrap(),
    ];
    for der in written {
        assert_eq!(Jwk::from_spki_der(der.as_ref()).unwrap().to_spki_der(), der.as_ref());
    }
}

#[test]
fn the_ed25519_key_of_rfc_8410_is_read() {
    // RFC 8410 §10.1.
    let der = base64url::decode("MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE").unwrap();
    let key = Jwk::from_spki_der(&der).unwrap();
    assert_eq!(key.kind(), KeyKind::Ed25519);
    assert_eq!(key.to_spki_der(), der);
}

#[test]
fn der_in_any_other_form_is_refused() {
    let key = es256();
    let der = key.jwk().to_spki_der();
    assert_eq!(Jwk::from_spki_der(&[]), Err(JwkError::Spki));
    assert_eq!(Jwk::from_spki_der(&der[..der.len() - 1]), Err(JwkError::Spki));
    assert_eq!(Jwk::from_spki_der(&[&der[..], &[0]].concat()), Err(JwkError::Spki), "something behind it");

    // The same point in compressed form: 02 or 03, then x.
    let mut compressed = der[..27 + 32].to_vec();
    compressed[1] -= 32;
    compressed[24] -= 32;
    compressed[26] = 2 + (der[der.len() - 1] & 1);
    assert_eq!(Jwk::from_spki_der(&compressed), Err(JwkError::Spki));

    // The same point in the hybrid form of X9.62: 06 or 07, then both coordinates.
    let mut hybrid = der.clone();
    hybrid[26] = 6 + (der[der.len() - 1] & 1);
    assert_eq!(Jwk::from_spki_der(&hybrid), Err(JwkError::Spki));

    // RFC 3279 §2.3.1: the parameters of rsaEncryption must be NULL. Here they are 05 00 turned into 04 00.
    let mut rsa = Jwk::from_value(&rfc_7638_key()).unwrap().to_spki_der();
    let null = rsa.windows(2).position(|pair| pair == [5, 0]).unwrap();
    rsa[null] = 4;
    assert_eq!(Jwk::from_spki_der(&rsa), Err(JwkError::Spki));

    // id-X25519, which only agrees on keys, is 1.3.101.110.
    let mut x25519 = SigningKey::generate(Algorithm::EdDsa).unwrap().jwk().to_spki_der();
    x25519[8] = 110;
    assert_eq!(Jwk::from_spki_der(&x25519), Err(JwkError::UnsupportedKeyType("1.3.101.110".to_owned())));
}

#[test]
fn a_key_is_shown_by_kind_and_thumbprint() {
    let key = Jwk::from_value(&rfc_7638_key()).unwrap();
    assert_eq!(format!("{key:?}"), "Jwk(RSA with 2048 bits, NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs)");
}
