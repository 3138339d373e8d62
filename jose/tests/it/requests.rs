//! RFC 8555 §6.2: which JWS a request may be, and what is said about the others.

use cairn_jose::{
    Algorithm, JwkError, Jws, JwsError, KeyReference, VerifyError, base64url, sign::SigningKey,
};
use serde_json::{Value, json};

use crate::{es256, header_with_jwk, header_with_kid, malformed, parse_header};

#[test]
fn a_request_with_its_own_key_is_parsed_and_verified_for_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let body = key.jws(&header_with_jwk(&key), b"{}").unwrap();
        let jws = Jws::parse(body.as_bytes()).unwrap();
        assert_eq!(jws.header.algorithm, algorithm);
        assert_eq!(jws.header.nonce.as_deref(), Some("bm9uY2U"));
        assert_eq!(jws.header.url.as_deref(), Some("https://ca.test/new-account"));
        assert_eq!(jws.header.key, KeyReference::Jwk(Box::new(key.jwk().clone())));
        assert_eq!(jws.payload, b"{}");
        assert_eq!(jws.verify(key.jwk()), Ok(()), "{algorithm}");
    }
}

#[test]
fn a_request_with_a_kid_is_verified_with_the_key_that_the_caller_knows() {
    let key = es256();
    let body = key.jws(&header_with_kid(Algorithm::Es256), b"{}").unwrap();
    let jws = Jws::parse(body.as_bytes()).unwrap();
    assert_eq!(jws.header.key, KeyReference::Kid("https://ca.test/account/1".to_owned()));
    assert_eq!(jws.verify(key.jwk()), Ok(()));
    assert_eq!(jws.verify(es256().jwk()), Err(VerifyError::Signature));
}

#[test]
fn a_post_as_get_has_an_empty_payload() {
    let key = es256();
    let body = key.jws(&header_with_kid(Algorithm::Es256), b"").unwrap();
    let jws = Jws::parse(body.as_bytes()).unwrap();
    assert!(jws.payload.is_empty());
    assert_eq!(jws.verify(key.jwk()), Ok(()));
}

#[test]
fn an_inner_jws_without_nonce_is_parsed() {
    let key = es256();
    let header = json!({ "alg": "ES256", "url": "https://ca.test/key-change", "jwk": key.jwk() });
    let jws = Jws::parse(key.jws(&header, b"{}").unwrap().as_bytes()).unwrap();
    assert_eq!(jws.header.nonce, None);
    assert_eq!(jws.verify(key.jwk()), Ok(()));
}

#[test]
fn an_account_key_of_another_type_than_the_algorithm_is_told_apart_from_a_wrong_signature() {
    let key = es256();
    let other = SigningKey::generate(Algorithm::Es384).unwrap();
    let body = key.jws(&header_with_kid(Algorithm::Es256), b"{}").unwrap();
    let jws = Jws::parse(body.as_bytes()).unwrap();
    assert_eq!(
        jws.verify(other.jwk()),
        Err(VerifyError::Unfit { kind: other.jwk().kind(), algorithm: Algorithm::Es256 })
    );
}

/// A signed request with one member set or, by `None`, removed.
fn request_with(member: &str, value: Option<Value>) -> Result<Jws, JwsError> {
    let key = es256();
    let mut jws: Value = serde_json::from_str(&key.jws(&header_with_jwk(&key), b"{}").unwrap()).unwrap();
    let members = jws.as_object_mut().unwrap();
    match value {
        Some(value) => members.insert(member.to_owned(), value),
        None => members.remove(member),
    };
    Jws::parse(jws.to_string().as_bytes())
}

#[test]
fn the_general_serialization_and_unprotected_headers_are_refused() {
    for value in [json!([]), json!(null), json!([{ "protected": "", "signature": "" }])] {
        assert!(malformed(request_with("signatures", Some(value))).contains("\"signatures\""));
    }
    for value in [json!({}), json!(null), json!({ "kid": "x" })] {
        assert!(malformed(request_with("header", Some(value))).contains("unprotected"));
    }
}

#[test]
fn a_missing_member_is_named() {
    for member in ["protected", "payload", "signature"] {
        assert_eq!(malformed(request_with(member, None)), format!("the JWS has no \"{member}\""));
        assert_eq!(
            malformed(request_with(member, Some(json!(null)))),
            format!("the \"{member}\" of the JWS is not a string")
        );
        assert_eq!(
            malformed(request_with(member, Some(json!({})))),
            format!("the \"{member}\" of the JWS is not a string")
        );
    }
}

#[test]
fn a_member_that_is_not_strict_base64url_is_refused() {
    for member in ["protected", "payload", "signature"] {
        for text in ["e30=", "e3+0", "e 30", "e31", "e30\n"] {
            let detail = malformed(request_with(member, Some(json!(text))));
            assert!(detail.contains(member) && detail.contains("base64url"), "{detail}");
        }
    }
}

#[test]
fn unknown_members_are_ignored() {
    assert!(request_with("comment", Some(json!({ "deep": [1, 2, 3] }))).is_ok());
}

#[test]
fn a_body_that_is_not_one_json_object_is_refused() {
    let key = es256();
    let body = key.jws(&header_with_jwk(&key), b"{}").unwrap();
    assert!(Jws::parse(format!(" \r\n{body}\t").as_bytes()).is_ok(), "white space is JSON's");
    for bad in [
        String::new(),
        "null".to_owned(),
        "\"e30\"".to_owned(),
        "[\"e30\",\"\",\"\"]".to_owned(),
        format!("[{body}]"),
        format!("{body}{body}"),
        format!("{body}x"),
        body[..body.len() - 1].to_owned(),
        format!("\u{feff}{body}"),
        "e30.e30.e30".to_owned(),
    ] {
        malformed(Jws::parse(bad.as_bytes()));
    }
    malformed(Jws::parse(b"{\"protected\":\"\xff\"}"));
}

#[test]
fn duplicate_members_are_refused() {
    let detail = malformed(Jws::parse(br#"{"protected":"e30","payload":"","payload":"e30","signature":""}"#));
    assert!(detail.contains("duplicate field `payload`"), "{detail}");
    let detail = malformed(parse_header(r#"{"alg":"ES256","alg":"none","kid":"x"}"#));
    assert!(detail.contains("duplicate field `alg`"), "{detail}");
    malformed(parse_header(r#"{"alg":"ES256","jwk":{"kty":"EC","kty":"RSA"}}"#));
}

#[test]
fn nesting_without_end_is_refused_and_not_followed() {
    let deep = "[".repeat(200_000);
    malformed(Jws::parse(format!(r#"{{"protected":{deep}"#).as_bytes()));
    malformed(Jws::parse(format!(r#"{{"unknown":{deep}"#).as_bytes()));
    malformed(parse_header(&format!(r#"{{"alg":{deep}"#)));
}

#[test]
fn a_protected_header_that_is_not_an_object_is_refused() {
    for header in ["", "null", "[]", r#"["ES256","n","u","k"]"#, "\"x\"", "{} {}", "{", "7"] {
        malformed(parse_header(header));
    }
}

#[test]
fn an_unsupported_algorithm_is_named_even_if_the_key_is_bad_too() {
    for name in ["none", "HS256", "HS384", "HS512", "PS256", "ES256K", "es256", ""] {
        for key in [json!({ "kid": "x" }), json!({ "jwk": { "kty": "oct", "k": "AA" } }), json!({})] {
            let mut header = key;
            header["alg"] = json!(name);
            match parse_header(&header.to_string()) {
                Err(JwsError::UnsupportedAlgorithm(error)) => assert_eq!(error.offered, name),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_header_without_a_readable_algorithm_is_malformed() {
    assert_eq!(malformed(parse_header(r#"{"kid":"x"}"#)), "the JWS has no \"alg\"");
    for value in ["null", "7", "[\"ES256\"]", "{}"] {
        let detail = malformed(parse_header(&format!(r#"{{"alg":{value},"kid":"x"}}"#)));
        assert_eq!(detail, "the \"alg\" of the JWS is not a string");
    }
}

#[test]
fn exactly_one_of_jwk_and_kid_is_demanded() {
    let key = es256();
    let both = json!({ "alg": "ES256", "jwk": key.jwk(), "kid": "x" });
    assert!(malformed(parse_header(&both.to_string())).contains("both"));
    assert!(malformed(parse_header(r#"{"alg":"ES256"}"#)).contains("neither"));
    malformed(parse_header(r#"{"alg":"ES256","jwk":null,"kid":"x"}"#));
    malformed(parse_header(r#"{"alg":"ES256","jwk":{},"kid":null}"#));
    malformed(parse_header(r#"{"alg":"ES256","jwk":"x"}"#));
    malformed(parse_header(r#"{"alg":"ES256","jwk":[]}"#));
}

#[test]
fn crit_and_b64_are_refused_whatever_they_say() {
    for member in ["crit", "b64"] {
        for value in ["[]", "[\"exp\"]", "[\"b64\"]", "true", "false", "null"] {
            let detail =
                malformed(parse_header(&format!(r#"{{"alg":"ES256","kid":"x","{member}":{value}}}"#)));
            assert!(detail.contains(member), "{detail}");
        }
    }
}

#[test]
fn a_nonce_or_url_that_is_no_string_is_refused() {
    for member in ["nonce", "url", "kid"] {
        for value in ["null", "1", "[\"x\"]"] {
            let mut header = format!(r#"{{"alg":"ES256","{member}":{value}"#);
            header.push_str(if member == "kid" { "}" } else { r#","kid":"x"}"# });
            assert_eq!(
                malformed(parse_header(&header)),
                format!("the \"{member}\" of the JWS is not a string")
            );
        }
    }
}

#[test]
fn a_key_that_does_not_fit_the_algorithm_is_a_bad_public_key() {
    let key = es256();
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| *algorithm != Algorithm::Es256) {
        let header = json!({ "alg": algorithm.name(), "jwk": key.jwk() });
        match parse_header(&header.to_string()) {
            Err(JwsError::BadPublicKey(JwkError::Unfit { kind, algorithm: refused })) => {
                assert_eq!((kind, refused), (key.jwk().kind(), algorithm));
            }
            other => panic!("{algorithm}: {other:?}"),
        }
    }
}

#[test]
fn the_alg_of_a_jwk_must_agree_with_the_header() {
    let key = es256();
    let with_alg = |alg: Value| {
        let mut jwk = serde_json::to_value(key.jwk()).unwrap();
        jwk["alg"] = alg;
        parse_header(&json!({ "alg": "ES256", "jwk": jwk }).to_string())
    };
    assert!(with_alg(json!("ES256")).is_ok());
    assert_eq!(
        with_alg(json!("ES384")).unwrap_err(),
        JwsError::BadPublicKey(JwkError::OtherAlgorithm {
            intended: "ES384".to_owned(),
            algorithm: Algorithm::Es256
        })
    );
    assert_eq!(with_alg(json!(256)).unwrap_err(), JwsError::BadPublicKey(JwkError::NotAString("alg")));
}

#[test]
fn a_bad_key_is_told_apart_from_a_malformed_request() {
    let with_jwk = |jwk: Value| parse_header(&json!({ "alg": "EdDSA", "jwk": jwk }).to_string()).unwrap_err();
    assert_eq!(
        with_jwk(json!({ "kty": "OKP", "crv": "Ed448", "x": "AA" })),
        JwsError::BadPublicKey(JwkError::UnsupportedCurve("Ed448".to_owned()))
    );
    assert_eq!(with_jwk(json!({})), JwsError::BadPublicKey(JwkError::Missing("kty")));
    assert_eq!(
        with_jwk(json!({ "kty": "OKP", "crv": "Ed25519", "x": 5 })),
        JwsError::BadPublicKey(JwkError::NotAString("x"))
    );
}

#[test]
fn escapes_in_the_json_do_not_change_what_was_signed() {
    let key = es256();
    let body = key.jws(&header_with_jwk(&key), b"{}").unwrap();
    // "e30" is the payload {}; spelt with an escape it is the same JSON string.
    let escaped = body.replace("\"e30\"", "\"\\u006530\"");
    assert_ne!(body, escaped);
    assert_eq!(Jws::parse(escaped.as_bytes()).unwrap().verify(key.jwk()), Ok(()));
}

#[test]
fn an_error_never_quotes_a_whole_request() {
    let long = "x".repeat(100_000);
    let errors = [
        Jws::parse(format!("\"{long}\"").as_bytes()).unwrap_err(),
        parse_header(&json!({ "alg": long }).to_string()).unwrap_err(),
        parse_header(&json!({ "alg": "ES256", "jwk": long }).to_string()).unwrap_err(),
        parse_header(&json!({ "alg": "ES256", "jwk": { "kty": long } }).to_string()).unwrap_err(),
        parse_header(&json!({ "alg": "ES256", "jwk": { "kty": "EC", "crv": long } }).to_string())
            .unwrap_err(),
        parse_header(&json!({ "alg": "ES256", "jwk": { "kty": "EC", "alg": long } }).to_string())
            .unwrap_err(),
        request_with("payload", Some(json!(long + "="))).unwrap_err(),
    ];
    for error in errors {
        assert!(error.to_string().len() < 300, "{error}");
    }
}

#[test]
fn the_signature_covers_the_spelling_and_not_the_meaning_of_the_header() {
    let key = es256();
    let header = header_with_jwk(&key);
    let mut jws: Value = serde_json::from_str(&key.jws(&header, b"{}").unwrap()).unwrap();
    // The same header with a space in front of it says the same and was not signed.
    jws["protected"] = json!(base64url::encode(format!(" {header}").as_bytes()));
    let jws = Jws::parse(jws.to_string().as_bytes()).unwrap();
    assert_eq!(jws.verify(key.jwk()), Err(VerifyError::Signature));
}
