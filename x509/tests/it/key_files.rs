//! Private keys from files, as people have them.

use cairn_x509::{FileSigner, KeyFileError, KeyKind, KeySpec, SignatureAlgorithm, Signer};
use p256::{
    ecdsa::signature::Verifier,
    pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, LineEnding},
};

const PASSPHRASE: &[u8] = b"correct horse battery staple";

#[test]
fn p256_signatures_and_keys_are_understood_by_the_p256_crate() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    assert_eq!(signer.algorithm(), SignatureAlgorithm::EcdsaSha256);
    let signature = p256::ecdsa::Signature::from_der(&signer.sign(b"message").unwrap()).unwrap();
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(signer.public_key().der()).unwrap();
    key.verify(b"message", &signature).unwrap();

    let pem = signer.to_pkcs8_pem(None).unwrap();
    let secret = p256::SecretKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!(secret.public_key(), p256::PublicKey::from(&key));
}

#[test]
fn p384_signatures_are_understood_by_the_p384_crate() {
    let signer = FileSigner::generate(KeySpec::P384).unwrap();
    assert_eq!(signer.algorithm(), SignatureAlgorithm::EcdsaSha384);
    let signature = p384::ecdsa::Signature::from_der(&signer.sign(b"message").unwrap()).unwrap();
    let key = p384::ecdsa::VerifyingKey::from_public_key_der(signer.public_key().der()).unwrap();
    key.verify(b"message", &signature).unwrap();
}

#[test]
fn rsa_keys_have_the_size_that_was_asked_for_and_sign_with_sha256() {
    for (spec, modulus_bits) in [(KeySpec::Rsa2048, 2048), (KeySpec::Rsa3072, 3072)] {
        let signer = FileSigner::generate(spec).unwrap();
        assert_eq!(signer.public_key().kind(), KeyKind::Rsa { modulus_bits });
        assert_eq!(signer.algorithm(), SignatureAlgorithm::RsaSha256);
        let signature = signer.sign(b"message").unwrap();
        assert_eq!(signature.len() * 8, modulus_bits);
        signer.public_key().verify(SignatureAlgorithm::RsaSha256, b"message", &signature).unwrap();
    }
}

#[test]
fn a_key_reads_back_from_its_own_pem_plain_and_encrypted() {
    for spec in [
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::Rsa2048,
        KeySpec::Ed25519,
        KeySpec::MlDsa44,
        KeySpec::MlDsa65,
        KeySpec::MlDsa87,
    ] {
        let signer = FileSigner::generate(spec).unwrap();
        let plain = signer.to_pkcs8_pem(None).unwrap();
        assert!(!FileSigner::is_encrypted(&plain));
        assert_eq!(FileSigner::from_pem(&plain, None).unwrap().public_key(), signer.public_key());
        // A passphrase for a plain key is not an error: the operator may have one for all keys.
        assert!(FileSigner::from_pem(&plain, Some(PASSPHRASE)).is_ok());

        let encrypted = signer.to_pkcs8_pem(Some(PASSPHRASE)).unwrap();
        assert!(encrypted.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
        assert!(FileSigner::is_encrypted(&encrypted));
        let read = FileSigner::from_pem(&encrypted, Some(PASSPHRASE)).unwrap();
        assert_eq!(read.public_key(), signer.public_key());
    }
}

#[test]
fn a_missing_and_a_wrong_passphrase_are_told_apart() {
    let pem = FileSigner::generate(KeySpec::P256).unwrap().to_pkcs8_pem(Some(PASSPHRASE)).unwrap();
    assert_eq!(FileSigner::from_pem(&pem, None).unwrap_err(), KeyFileError::PassphraseMissing);
    assert_eq!(FileSigner::from_pem(&pem, Some(b"wrong")).unwrap_err(), KeyFileError::WrongPassphrase);
}

/// What `openssl genpkey -aes-256-cbc` writes: PBKDF2 with HMAC-SHA-256.
#[test]
fn a_key_encrypted_with_pbkdf2_is_read() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let pem = signer.to_pkcs8_pem(None).unwrap();
    let (_, document) = der::SecretDocument::from_pem(&pem).unwrap();
    let parameters =
        pkcs8::pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(2048, b"saltsalt", [7; 16])
            .unwrap();
    let info: pkcs8::PrivateKeyInfoRef<'_> = document.decode_msg().unwrap();
    let encrypted = info.encrypt_with_params(parameters, PASSPHRASE).unwrap();
    let pem = encrypted.to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF).unwrap();
    let read = FileSigner::from_pem(&pem, Some(PASSPHRASE)).unwrap();
    assert_eq!(read.public_key(), signer.public_key());
}

#[test]
fn a_sec1_key_is_read_with_comments_and_curve_parameters_before_it() {
    let secret = p384::SecretKey::from_slice(&[7; 48]).unwrap();
    let pem = format!(
        "# the intermediate\n-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n{}",
        secret.to_sec1_pem(LineEnding::LF).unwrap().as_str()
    );
    let signer = FileSigner::from_pem(&pem, None).unwrap();
    assert_eq!(signer.public_key().kind(), KeyKind::P384);
    let signature = p384::ecdsa::Signature::from_der(&signer.sign(b"message").unwrap()).unwrap();
    p384::ecdsa::VerifyingKey::from(secret.public_key()).verify(b"message", &signature).unwrap();
}

#[test]
fn a_pkcs1_key_is_read() {
    let signer = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let pem = signer.to_pkcs8_pem(None).unwrap();
    let (_, document) = der::SecretDocument::from_pem(&pem).unwrap();
    let info: pkcs8::PrivateKeyInfoRef<'_> = document.decode_msg().unwrap();
    let pkcs1 = der::SecretDocument::try_from(info.private_key.as_bytes()).unwrap();
    let pem = pkcs1.to_pem("RSA PRIVATE KEY", LineEnding::LF).unwrap();
    assert_eq!(FileSigner::from_pem(&pem, None).unwrap().public_key(), signer.public_key());
}

/// RFC 8410 §7 has version 1 without the public key; RFC 5958 §2 version 2 with it.
#[test]
fn both_versions_of_an_ed25519_key_are_read_and_the_first_is_written() {
    let key = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap();
    let (first, second) = (key.to_pkcs8v1().unwrap(), key.to_pkcs8().unwrap());
    assert_ne!(first.as_ref(), second.as_ref());
    for der in [first.as_ref(), second.as_ref()] {
        let signer = FileSigner::from_pem(&pem_of(der), None).unwrap();
        assert_eq!(signer.public_key().kind(), KeyKind::Ed25519);
        assert_eq!(signer.algorithm(), SignatureAlgorithm::Ed25519);
        assert_eq!(signer.sign(b"message").unwrap(), key.sign(b"message").as_ref());
        assert_eq!(signer.to_pkcs8_pem(None).unwrap().as_str(), pem_of(first.as_ref()));
    }
    // The public key of version 2 must be that of the private key.
    let mut torn = second.as_ref().to_vec();
    *torn.last_mut().unwrap() ^= 1;
    assert_eq!(FileSigner::from_pem(&pem_of(&torn), None).unwrap_err(), KeyFileError::Damaged);
}

fn pem_of(der: &[u8]) -> String {
    let document = der::SecretDocument::try_from(der).unwrap();
    document.to_pem("PRIVATE KEY", LineEnding::LF).unwrap().to_string()
}

/// RFC 9881 §6: the seed alone, in `[0]`.
#[test]
fn an_ml_dsa_key_is_written_as_its_seed() {
    let pem = FileSigner::generate(KeySpec::MlDsa65).unwrap().to_pkcs8_pem(None).unwrap();
    let (_, document) = der::SecretDocument::from_pem(&pem).unwrap();
    assert_eq!(document.as_bytes().len(), 54);
    let info: pkcs8::PrivateKeyInfoRef<'_> = document.decode_msg().unwrap();
    assert_eq!(info.private_key.as_bytes()[..2], [0x80, 32]);
}

/// Its signatures, public keys and key files, in both directions.
fn the_ml_dsa_crate_agrees<P>(spec: KeySpec, algorithm: SignatureAlgorithm)
where
    P: ml_dsa::MlDsaParams + spki::AssociatedAlgorithmIdentifier<Params = der::asn1::AnyRef<'static>>,
{
    use ml_dsa::{
        Signature, SigningKey, VerifyingKey,
        signature::{Keypair, Signer as _, Verifier as _},
    };
    let ours = FileSigner::generate(spec).unwrap();
    assert_eq!(ours.algorithm(), algorithm);
    let key = VerifyingKey::<P>::from_public_key_der(ours.public_key().der()).unwrap();
    let signature = Signature::<P>::try_from(ours.sign(b"message").unwrap().as_slice()).unwrap();
    key.verify(b"message", &signature).unwrap();
    assert!(key.verify(b"massage", &signature).is_err());

    let theirs = SigningKey::<P>::from_pkcs8_pem(&ours.to_pkcs8_pem(None).unwrap()).unwrap();
    assert_eq!(theirs.verifying_key(), key);
    let signature = theirs.sign(b"message").encode();
    ours.public_key().verify(algorithm, b"message", signature.as_slice()).unwrap();
    assert!(ours.public_key().verify(algorithm, b"massage", signature.as_slice()).is_err());
    let read = FileSigner::from_pem(&theirs.to_pkcs8_pem(LineEnding::LF).unwrap(), None).unwrap();
    assert_eq!(read.public_key(), ours.public_key());
}

#[test]
fn ml_dsa_signatures_and_keys_are_understood_by_the_ml_dsa_crate() {
    the_ml_dsa_crate_agrees::<ml_dsa::MlDsa44>(KeySpec::MlDsa44, SignatureAlgorithm::MlDsa44);
    the_ml_dsa_crate_agrees::<ml_dsa::MlDsa65>(KeySpec::MlDsa65, SignatureAlgorithm::MlDsa65);
    the_ml_dsa_crate_agrees::<ml_dsa::MlDsa87>(KeySpec::MlDsa87, SignatureAlgorithm::MlDsa87);
}

#[test]
fn an_rsa_key_signs_as_it_is_told_and_other_keys_only_in_their_own_way() {
    use SignatureAlgorithm as Alg;
    let mut signer = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    for algorithm in [
        Alg::RsaSha384,
        Alg::RsaSha512,
        Alg::RsaPssSha256,
        Alg::RsaPssSha384,
        Alg::RsaPssSha512,
        Alg::RsaSha256,
    ] {
        signer = signer.with_algorithm(algorithm).unwrap();
        assert_eq!(signer.algorithm(), algorithm);
        let signature = signer.sign(b"message").unwrap();
        signer.public_key().verify(algorithm, b"message", &signature).unwrap();
        let other = if algorithm == Alg::RsaPssSha256 { Alg::RsaSha256 } else { Alg::RsaPssSha256 };
        assert!(signer.public_key().verify(other, b"message", &signature).is_err());
    }
    let error = signer.with_algorithm(Alg::EcdsaSha256).unwrap_err();
    assert_eq!(error.to_string(), "the RSA 2048 key cannot sign with ECDSA with SHA-256");
    let p256 = FileSigner::generate(KeySpec::P256).unwrap();
    let p256 = p256.with_algorithm(Alg::EcdsaSha256).unwrap();
    assert!(p256.with_algorithm(Alg::EcdsaSha384).is_err());
}

#[test]
fn unsupported_keys_are_named() {
    let p521 =
        aws_lc_rs::signature::EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P521_SHA512_ASN1_SIGNING)
            .unwrap()
            .to_pkcs8v1()
            .unwrap();
    let error = FileSigner::from_pem(&pem_of(p521.as_ref()), None).unwrap_err();
    assert_eq!(error, KeyFileError::UnsupportedKey("ECDSA P-521".to_owned()));
    let openssh = "-----BEGIN OPENSSH PRIVATE KEY-----\nMAA=\n-----END OPENSSH PRIVATE KEY-----\n";
    let error = FileSigner::from_pem(openssh, None).unwrap_err();
    assert_eq!(error, KeyFileError::UnsupportedKey("OPENSSH".to_owned()));
}

#[test]
fn a_small_rsa_key_is_refused_for_its_size() {
    // SEQUENCE { INTEGER 0, INTEGER 2^1024 - 1 }, which is as far as anybody needs to read.
    let key = [&[0x30, 0x81, 135, 2, 1, 0, 2, 0x81, 129, 0][..], &[0xff; 128]].concat();
    let document = der::SecretDocument::try_from(key.as_slice()).unwrap();
    let pem = document.to_pem("RSA PRIVATE KEY", LineEnding::LF).unwrap();
    let error = FileSigner::from_pem(&pem, None).unwrap_err();
    assert_eq!(error, KeyFileError::UnsupportedKey("RSA 1024".to_owned()));
}

#[test]
fn openssls_old_encryption_is_told_how_to_convert() {
    let pem = "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nMAA=\n\
               -----END EC PRIVATE KEY-----\n";
    assert!(FileSigner::is_encrypted(pem));
    let error = FileSigner::from_pem(pem, Some(PASSPHRASE)).unwrap_err();
    assert_eq!(error, KeyFileError::UnsupportedEncryption);
    assert!(error.to_string().contains("openssl pkcs8"));
}

#[test]
fn damaged_files_are_errors_not_panics() {
    let pem = FileSigner::generate(KeySpec::P256).unwrap().to_pkcs8_pem(None).unwrap();
    let torn = pem.replacen("MI", "MA", 1);
    assert_eq!(FileSigner::from_pem(&torn, None).unwrap_err(), KeyFileError::Damaged);
    assert_eq!(FileSigner::from_pem("", None).unwrap_err(), KeyFileError::NoPrivateKey);
    assert_eq!(
        FileSigner::from_pem("-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n", None)
            .unwrap_err(),
        KeyFileError::Damaged
    );
}

#[test]
fn debug_shows_the_public_key_only() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let secret = p256::SecretKey::from_pkcs8_pem(&signer.to_pkcs8_pem(None).unwrap()).unwrap();
    let hex: String = secret.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = format!("{signer:?}");
    assert!(debug.starts_with("FileSigner { public_key: PublicKey(ECDSA P-256, "), "{debug}");
    assert!(!debug.to_lowercase().contains(&hex[..16]));
    // The crate that reads it back agrees on the form.
    assert!(secret.to_pkcs8_pem(LineEnding::LF).is_ok());
}
