//! Whether a public key is good enough: its kind and size, and for RSA the weaknesses that show in the public half (CA/Browser
//! Forum BRs 6.1.1.3, 6.1.5, 6.1.6). Curves and points are checked where keys are parsed: a [`PublicKey`] is on its curve.

use cairn_core::api::KeyUse;
use cairn_core::{Error, ErrorKind, Result};
use cairn_x509::{KeyKind, PublicKey, SpkiError};

use crate::config::KeyAlgorithm;
use crate::rsa;

/// Sizes of an RSA modulus in bits. Below, it can be factored within a certificate's life; above, every verification costs its
/// clients more than it gains them.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// The largest RSA exponent in octets: BRs 6.1.6 end at 2^256 - 1.
const MAX_EXPONENT: usize = 32;

/// Why a key is refused. The message is written for the client.
#[derive(Debug, thiserror::Error)]
enum BadKey {
    #[error(transparent)]
    Unreadable(#[from] SpkiError),
    #[error("this CA does not accept {kind} keys for {use_name}; use {allowed}")]
    Kind { kind: KeyKind, use_name: &'static str, allowed: String },
    #[error("the RSA modulus has {0} bits; make a key with 2048 to 4096 bits and a multiple of 8")]
    Size(usize),
    #[error("the RSA exponent is even, below 65537 or too large; make a key with exponent 65537")]
    Exponent,
    #[error("the RSA modulus has a small factor; make a new key with another program")]
    SmallFactor,
    #[error(
        "the RSA key was made by a faulty Infineon chip (ROCA, CVE-2017-15361); make a new key elsewhere"
    )]
    Roca,
    #[error(
        "the RSA modulus is the product of two close numbers and easily factored; make a new key with another program"
    )]
    CloseFactors,
}

impl From<BadKey> for Error {
    fn from(bad: BadKey) -> Self {
        Self::new(ErrorKind::BadPublicKey, bad.to_string())
    }
}

/// Whether the key in the DER SubjectPublicKeyInfo `spki` is of an `allowed` kind and free of known weaknesses.
pub(crate) fn good_key(allowed: &[KeyAlgorithm], key_use: KeyUse, spki: &[u8]) -> Result<()> {
    Ok(judge(allowed, key_use, spki)?)
}

fn judge(allowed: &[KeyAlgorithm], key_use: KeyUse, spki: &[u8]) -> Result<(), BadKey> {
    let key = PublicKey::from_der(spki)?;
    let refused = || BadKey::Kind { kind: key.kind(), use_name: use_name(key_use), allowed: list(allowed) };
    let algorithm = match key.kind() {
        KeyKind::P256 => KeyAlgorithm::P256,
        KeyKind::P384 => KeyAlgorithm::P384,
        KeyKind::P521 => KeyAlgorithm::P521,
        KeyKind::Ed25519 => KeyAlgorithm::Ed25519,
        KeyKind::Rsa { .. } => KeyAlgorithm::Rsa,
        // A CA of one's own may sign with these; no client of today can use one as a subscriber.
        KeyKind::MlDsa44 | KeyKind::MlDsa65 | KeyKind::MlDsa87 => return Err(refused()),
    };
    if !allowed.contains(&algorithm) {
        return Err(refused());
    }
    match (key.rsa_modulus(), key.rsa_exponent()) {
        (Some(modulus), Some(exponent)) => judge_rsa(key.kind(), modulus, exponent),
        _ => Ok(()),
    }
}

fn judge_rsa(kind: KeyKind, modulus: &[u8], exponent: &[u8]) -> Result<(), BadKey> {
    if let KeyKind::Rsa { modulus_bits } = kind
        && (!RSA_BITS.contains(&modulus_bits) || modulus_bits % 8 != 0)
    {
        return Err(BadKey::Size(modulus_bits));
    }
    // Two octets hold at most 65535, and 65536 is even.
    if exponent.len() < 3 || exponent.len() > MAX_EXPONENT || exponent.last().is_none_or(|last| last % 2 == 0)
    {
        return Err(BadKey::Exponent);
    }
    if rsa::has_small_factor(modulus) {
        return Err(BadKey::SmallFactor);
    }
    if rsa::has_roca_fingerprint(modulus) {
        return Err(BadKey::Roca);
    }
    if rsa::has_close_factors(modulus) {
        return Err(BadKey::CloseFactors);
    }
    Ok(())
}

const fn use_name(key_use: KeyUse) -> &'static str {
    match key_use {
        KeyUse::Account => "accounts",
        KeyUse::Certificate => "certificates",
    }
}

fn list(allowed: &[KeyAlgorithm]) -> String {
    let name = |algorithm: &KeyAlgorithm| match algorithm {
        KeyAlgorithm::P256 => "ECDSA P-256",
        KeyAlgorithm::P384 => "ECDSA P-384",
        KeyAlgorithm::P521 => "ECDSA P-521",
        KeyAlgorithm::Rsa => "RSA 2048 to 4096",
        KeyAlgorithm::Ed25519 => "Ed25519",
    };
    allowed.iter().map(name).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;
    use rcgen::{KeyPair, PublicKeyData};

    fn verdict(key_use: KeyUse, spki: &[u8]) -> Result<(), String> {
        let config = Config::default();
        good_key(config.keys_for(key_use), key_use, spki).map_err(|error| {
            assert_eq!(error.kind, ErrorKind::BadPublicKey);
            error.detail
        })
    }

    fn generated(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
        KeyPair::generate_for(algorithm).unwrap().subject_public_key_info()
    }

    fn der(tag: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], content].concat()
    }

    /// The SubjectPublicKeyInfo of an RSA key, RFC 3279 §2.3.1.
    fn rsa_spki(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let positive = |number: &[u8]| {
            // Definite lengths in their shortest form, as DER wants them; numbers here are either tiny or long.
            let mut number = number.to_vec();
            if number.first().is_some_and(|first| *first >= 0x80) {
                number.insert(0, 0);
            }
            match u8::try_from(number.len()) {
                Ok(length) if length < 0x80 => [&[2, length], number.as_slice()].concat(),
                _ => der(2, &number),
            }
        };
        let key = der(0x30, &[positive(modulus), positive(exponent)].concat());
        let rsa_encryption = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
        der(0x30, &[&rsa_encryption[..], &der(3, &[&[0], key.as_slice()].concat())].concat())
    }

    /// The modulus of a sound 2048-bit key.
    fn sound_modulus() -> Vec<u8> {
        PublicKey::from_der(&generated(&rcgen::PKCS_RSA_SHA256)).unwrap().rsa_modulus().unwrap().to_vec()
    }

    const F4: [u8; 3] = [1, 0, 1];

    #[test]
    fn ml_dsa_keys_are_refused_by_name() {
        use cairn_x509::{FileSigner, KeySpec, Signer};
        for (spec, name) in [
            (KeySpec::MlDsa44, "ML-DSA-44"),
            (KeySpec::MlDsa65, "ML-DSA-65"),
            (KeySpec::MlDsa87, "ML-DSA-87"),
        ] {
            let key = FileSigner::generate(spec).unwrap();
            let detail = verdict(KeyUse::Certificate, key.public_key().der()).unwrap_err();
            assert!(
                detail.starts_with(&format!("this CA does not accept {name} keys for certificates; use "))
            );
        }
    }

    #[test]
    fn common_keys_are_good_for_everything() {
        for algorithm in [
            &rcgen::PKCS_ECDSA_P256_SHA256,
            &rcgen::PKCS_ECDSA_P384_SHA384,
            &rcgen::PKCS_ECDSA_P521_SHA512,
            &rcgen::PKCS_RSA_SHA256,
        ] {
            let spki = generated(algorithm);
            assert_eq!(verdict(KeyUse::Account, &spki), Ok(()), "{algorithm:?}");
            assert_eq!(verdict(KeyUse::Certificate, &spki), Ok(()), "{algorithm:?}");
        }
    }

    #[test]
    fn ed25519_signs_requests_but_stands_in_no_certificate() {
        let spki = generated(&rcgen::PKCS_ED25519);
        assert_eq!(verdict(KeyUse::Account, &spki), Ok(()));
        let detail = verdict(KeyUse::Certificate, &spki).unwrap_err();
        assert!(detail.contains("Ed25519") && detail.contains("use ECDSA P-256 or"), "{detail}");
    }

    #[test]
    fn rsa_keys_of_odd_sizes_are_refused() {
        let modulus = sound_modulus();
        assert_eq!(verdict(KeyUse::Account, &rsa_spki(&modulus, &F4)), Ok(()));
        let short = &modulus[..255];
        let long = [modulus.as_slice(), &modulus, &modulus].concat();
        let mut uneven = modulus.clone();
        uneven.insert(0, 1);
        for modulus in [short, &long, &uneven] {
            let detail = verdict(KeyUse::Certificate, &rsa_spki(modulus, &F4)).unwrap_err();
            assert!(detail.contains("2048 to 4096"), "{detail}");
        }
    }

    #[test]
    fn rsa_exponents_are_odd_and_neither_small_nor_huge() {
        let modulus = sound_modulus();
        for exponent in [&[3][..], &[0xff, 0xff], &[1, 0, 0], &[1; 33]] {
            let detail = verdict(KeyUse::Account, &rsa_spki(&modulus, exponent)).unwrap_err();
            assert!(detail.contains("exponent"), "{detail}");
        }
    }

    #[test]
    fn rsa_moduli_that_are_easily_factored_are_refused() {
        let mut even = sound_modulus();
        *even.last_mut().unwrap() &= 0xfe;
        let detail = verdict(KeyUse::Certificate, &rsa_spki(&even, &F4)).unwrap_err();
        assert!(detail.contains("small factor"), "{detail}");

        let close = rsa::tests::product_of_close_numbers();
        let detail = verdict(KeyUse::Certificate, &rsa_spki(&close, &F4)).unwrap_err();
        assert!(detail.contains("close numbers"), "{detail}");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for spki in [&[][..], &[0x30, 0], b"-----BEGIN PUBLIC KEY-----"] {
            assert!(verdict(KeyUse::Account, spki).is_err());
        }
    }
}
