//! SubjectPublicKeyInfo in all its legal forms, and some illegal ones.

use aws_lc_rs::{
    digest,
    encoding::AsDer,
    signature::{ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _},
};
use cairn_x509::{
    FileSigner, KeyKind, KeySpec, PublicKey, SignatureAlgorithm, SignatureError, Signer, SpkiError,
};
use der::{
    Encode,
    asn1::{Any, BitString, Null},
};
use p256::pkcs8::EncodePublicKey;
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

fn spki(oid: &str, parameters: Option<Any>, key: &[u8]) -> Vec<u8> {
    let algorithm = AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters };
    let subject_public_key = BitString::from_bytes(key).unwrap();
    SubjectPublicKeyInfoOwned { algorithm, subject_public_key }.to_der().unwrap()
}

fn curve(oid: &str) -> Option<Any> {
    Some(Any::encode_from(&oid.parse::<const_oid::ObjectIdentifier>().unwrap()).unwrap())
}

const EC: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";
const ML_DSA_44: &str = "2.16.840.1.101.3.4.3.17";

#[test]
fn every_kind_of_key_is_read_and_kept_byte_for_byte() {
    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_ASN1_SIGNING).unwrap();
    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let keys = [
        (FileSigner::generate(KeySpec::MlDsa44).unwrap().public_key().der().to_vec(), "ML-DSA-44"),
        (FileSigner::generate(KeySpec::MlDsa65).unwrap().public_key().der().to_vec(), "ML-DSA-65"),
        (FileSigner::generate(KeySpec::MlDsa87).unwrap().public_key().der().to_vec(), "ML-DSA-87"),
        (FileSigner::generate(KeySpec::P256).unwrap().public_key().der().to_vec(), "ECDSA P-256"),
        (FileSigner::generate(KeySpec::P384).unwrap().public_key().der().to_vec(), "ECDSA P-384"),
        (p521.public_key().as_der().unwrap().as_ref().to_vec(), "ECDSA P-521"),
        (ed25519.public_key().as_der().unwrap().as_ref().to_vec(), "Ed25519"),
        (FileSigner::generate(KeySpec::Rsa2048).unwrap().public_key().der().to_vec(), "RSA 2048"),
    ];
    for (der, kind) in keys {
        let key = PublicKey::from_der(&der).unwrap();
        assert_eq!(key.der(), der);
        assert_eq!(key.kind().to_string(), kind);
        assert_eq!(key.rsa_modulus().is_some(), kind.starts_with("RSA"));
    }
}

#[test]
fn modulus_and_exponent_come_without_leading_zeros() {
    let key = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let public_key = key.public_key();
    assert_eq!(public_key.rsa_modulus().unwrap().len(), 256);
    assert_eq!(public_key.rsa_exponent(), Some([1, 0, 1].as_slice()));
    assert_eq!(public_key.kind(), KeyKind::Rsa { modulus_bits: 2048 });
}

/// RFC 7093 §2 method 1: the point alone is hashed, without tag, length and unused bits.
#[test]
fn the_key_identifier_is_the_start_of_the_hash_of_the_key_bits() {
    let key = p256::SecretKey::from_slice(&[7; 32]).unwrap().public_key();
    let hash = digest::digest(&digest::SHA256, &key.to_sec1_bytes());
    let der = key.to_public_key_der().unwrap();
    assert_eq!(PublicKey::from_der(der.as_bytes()).unwrap().key_identifier(), hash.as_ref()[..20]);
    let whole = digest::digest(&digest::SHA256, der.as_bytes());
    assert_eq!(PublicKey::from_der(der.as_bytes()).unwrap().sha256(), whole.as_ref());
}

#[test]
fn trailing_bytes_are_refused() {
    let mut der = FileSigner::generate(KeySpec::P256).unwrap().public_key().der().to_vec();
    der.push(0);
    assert!(matches!(PublicKey::from_der(&der), Err(SpkiError::Malformed(_))));
}

#[test]
fn a_point_must_lie_on_the_curve_and_be_uncompressed() {
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let point = key.public_key().der()[26..].to_vec();
    assert_eq!(PublicKey::from_der(&spki(EC, curve(P256), &point)).as_ref(), Ok(key.public_key()));

    let mut off_the_curve = point.clone();
    off_the_curve[64] ^= 1;
    let compressed = [&[2 + (point[64] & 1)], &point[1..33]].concat();
    for point in [&off_the_curve[..], &compressed, &point[..64], &[0], &[]] {
        assert_eq!(PublicKey::from_der(&spki(EC, curve(P256), point)), Err(SpkiError::Invalid("ECDSA")));
    }
}

#[test]
fn an_ec_key_must_name_a_known_curve() {
    let point = [4; 65];
    assert_eq!(PublicKey::from_der(&spki(EC, None, &point)), Err(SpkiError::Parameters("ECDSA")));
    assert_eq!(
        PublicKey::from_der(&spki(EC, Some(Any::null()), &point)),
        Err(SpkiError::Parameters("ECDSA"))
    );
    let secp256k1 = "1.3.132.0.10";
    assert_eq!(
        PublicKey::from_der(&spki(EC, curve(secp256k1), &point)),
        Err(SpkiError::UnsupportedCurve(secp256k1.to_owned()))
    );
}

#[test]
fn rsa_parameters_must_be_null_and_those_of_bare_keys_absent() {
    assert_eq!(PublicKey::from_der(&spki(RSA, None, &[])), Err(SpkiError::Parameters("RSA")));
    let null = Some(Any::encode_from(&Null).unwrap());
    assert_eq!(PublicKey::from_der(&spki(ED25519, null, &[1; 32])), Err(SpkiError::Parameters("Ed25519")));
    assert_eq!(PublicKey::from_der(&spki(ED25519, None, &[1; 31])), Err(SpkiError::Invalid("Ed25519")));
    // RFC 9881 §2, §4.
    let null = Some(Any::encode_from(&Null).unwrap());
    let key = spki(ML_DSA_44, null, &[1; 1312]);
    assert_eq!(PublicKey::from_der(&key), Err(SpkiError::Parameters("ML-DSA-44")));
    assert_eq!(PublicKey::from_der(&spki(ML_DSA_44, None, &[1; 1313])), Err(SpkiError::Invalid("ML-DSA-44")));
    assert!(PublicKey::from_der(&spki(ML_DSA_44, None, &[1; 1312])).is_ok());
}

#[test]
fn an_rsa_key_needs_a_modulus() {
    // SEQUENCE { INTEGER 0, INTEGER 3 }
    let zero = [0x30, 6, 2, 1, 0, 2, 1, 3];
    let info = spki(RSA, Some(Any::null()), &zero);
    assert_eq!(PublicKey::from_der(&info), Err(SpkiError::Invalid("RSA")));
    // The size is told whatever it is: what is enough is not decided here.
    let seven = [0x30, 6, 2, 1, 7, 2, 1, 3];
    let key = PublicKey::from_der(&spki(RSA, Some(Any::null()), &seven)).unwrap();
    assert_eq!(key.kind(), KeyKind::Rsa { modulus_bits: 3 });
}

#[test]
fn an_unknown_algorithm_is_named() {
    let dsa = "1.2.840.10040.4.1";
    let error = PublicKey::from_der(&spki(dsa, None, &[1])).unwrap_err();
    assert_eq!(error, SpkiError::UnsupportedAlgorithm(dsa.to_owned()));
}

#[test]
fn a_signature_verifies_with_its_own_key_message_and_algorithm_only() {
    for spec in [KeySpec::P256, KeySpec::P384, KeySpec::Rsa2048, KeySpec::MlDsa44, KeySpec::MlDsa87] {
        let signer = FileSigner::generate(spec).unwrap();
        let other = FileSigner::generate(KeySpec::P256).unwrap();
        let signature = signer.sign(b"message").unwrap();
        let key = signer.public_key();
        assert_eq!(key.verify(signer.algorithm(), b"message", &signature), Ok(()));
        assert_eq!(key.verify(signer.algorithm(), b"massage", &signature), Err(SignatureError::Wrong));
        assert!(other.public_key().verify(signer.algorithm(), b"message", &signature).is_err());
        let unfit = key.verify(SignatureAlgorithm::Ed25519, b"message", &signature).unwrap_err();
        assert!(unfit.to_string().contains("cannot be used with Ed25519"), "{unfit}");
    }
}
