//! How a module makes each signature: hashed here and signed there where that is all it can do, both there otherwise.

use aws_lc_rs::digest;
use cryptoki::{
    mechanism::{
        Mechanism, MechanismType,
        rsa::{PkcsMgfType, PkcsPssParams},
    },
    types::Ulong,
};
use der::{Encode, asn1::UintRef};

use super::error::Pkcs11Error;
use crate::{algorithm::SignatureAlgorithm, spki::KeyKind, wire::EcdsaSignature};

/// How a message becomes a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// ECDSA over the hash; what comes back is r and s of so many octets each.
    Ecdsa { hash: Hash, coordinate: usize },
    /// PKCS#1 v1.5 (RFC 8017 §8.2), hash and signature there.
    Rsa(Hash),
    /// PKCS#1 v1.5 over a DigestInfo that is made here.
    RsaOfDigestInfo(Hash),
    /// RSASSA-PSS (RFC 8017 §8.1), hash and signature there.
    RsaPss(Hash),
    /// RSASSA-PSS over a hash that is made here.
    RsaPssOfHash(Hash),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The algorithm that a key signs with unless told otherwise.
pub(super) fn usual(kind: KeyKind) -> Result<SignatureAlgorithm, Pkcs11Error> {
    match kind {
        KeyKind::P256 | KeyKind::P384 | KeyKind::Rsa { modulus_bits: 2048..=4096 } => {
            SignatureAlgorithm::usual(kind).ok_or(Pkcs11Error::NoAlgorithm(kind))
        }
        other => Err(Pkcs11Error::NoAlgorithm(other)),
    }
}

pub(super) fn is_rsa(algorithm: SignatureAlgorithm) -> bool {
    of_rsa(algorithm).is_some()
}

/// The hash of an RSA signature, and whether it is PSS.
fn of_rsa(algorithm: SignatureAlgorithm) -> Option<(Hash, bool)> {
    match algorithm {
        SignatureAlgorithm::RsaSha256 => Some((Hash::Sha256, false)),
        SignatureAlgorithm::RsaSha384 => Some((Hash::Sha384, false)),
        SignatureAlgorithm::RsaSha512 => Some((Hash::Sha512, false)),
        SignatureAlgorithm::RsaPssSha256 => Some((Hash::Sha256, true)),
        SignatureAlgorithm::RsaPssSha384 => Some((Hash::Sha384, true)),
        SignatureAlgorithm::RsaPssSha512 => Some((Hash::Sha512, true)),
        SignatureAlgorithm::EcdsaSha256
        | SignatureAlgorithm::EcdsaSha384
        | SignatureAlgorithm::EcdsaSha512
        | SignatureAlgorithm::Ed25519
        | SignatureAlgorithm::MlDsa44
        | SignatureAlgorithm::MlDsa65
        | SignatureAlgorithm::MlDsa87 => None,
    }
}

impl How {
    /// The way that a token with these mechanisms can go.
    pub(super) fn choose(algorithm: SignatureAlgorithm, can: &[MechanismType]) -> Option<Self> {
        let first = |ways: [(MechanismType, Self); 2]| {
            ways.into_iter().find(|(mechanism, _)| can.contains(mechanism)).map(|(_, way)| way)
        };
        match (algorithm, of_rsa(algorithm)) {
            (_, Some((hash, false))) => {
                first([(hash.rsa(), Self::Rsa(hash)), (MechanismType::RSA_PKCS, Self::RsaOfDigestInfo(hash))])
            }
            (_, Some((hash, true))) => first([
                (hash.rsa_pss(), Self::RsaPss(hash)),
                (MechanismType::RSA_PKCS_PSS, Self::RsaPssOfHash(hash)),
            ]),
            (SignatureAlgorithm::EcdsaSha256, None) => {
                let way = Self::Ecdsa { hash: Hash::Sha256, coordinate: 32 };
                can.contains(&MechanismType::ECDSA).then_some(way)
            }
            (SignatureAlgorithm::EcdsaSha384, None) => {
                let way = Self::Ecdsa { hash: Hash::Sha384, coordinate: 48 };
                can.contains(&MechanismType::ECDSA).then_some(way)
            }
            (_, None) => None,
        }
    }

    /// The way for a message that is hashed already, if the token has one.
    pub(super) fn of_hash(algorithm: SignatureAlgorithm, can: &[MechanismType]) -> Option<Self> {
        match of_rsa(algorithm) {
            Some((hash, false)) => {
                can.contains(&MechanismType::RSA_PKCS).then_some(Self::RsaOfDigestInfo(hash))
            }
            Some((hash, true)) => {
                can.contains(&MechanismType::RSA_PKCS_PSS).then_some(Self::RsaPssOfHash(hash))
            }
            None => Self::choose(algorithm, can),
        }
    }

    pub(super) fn mechanism(self) -> Mechanism<'static> {
        match self {
            Self::Ecdsa { .. } => Mechanism::Ecdsa,
            Self::Rsa(Hash::Sha256) => Mechanism::Sha256RsaPkcs,
            Self::Rsa(Hash::Sha384) => Mechanism::Sha384RsaPkcs,
            Self::Rsa(Hash::Sha512) => Mechanism::Sha512RsaPkcs,
            Self::RsaOfDigestInfo(_) => Mechanism::RsaPkcs,
            Self::RsaPss(Hash::Sha256) => Mechanism::Sha256RsaPkcsPss(Hash::Sha256.pss()),
            Self::RsaPss(Hash::Sha384) => Mechanism::Sha384RsaPkcsPss(Hash::Sha384.pss()),
            Self::RsaPss(Hash::Sha512) => Mechanism::Sha512RsaPkcsPss(Hash::Sha512.pss()),
            Self::RsaPssOfHash(hash) => Mechanism::RsaPkcsPss(hash.pss()),
        }
    }

    /// What the module is given.
    pub(super) fn input(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(_) | Self::RsaPss(_) => message.to_vec(),
            Self::Ecdsa { hash, .. } | Self::RsaPssOfHash(hash) | Self::RsaOfDigestInfo(hash) => {
                self.hash_input(&hash.of(message))
            }
        }
    }

    /// The same of a hash, where the hash is made here.
    pub(super) fn hash_input(self, hashed: &[u8]) -> Vec<u8> {
        match self {
            Self::RsaOfDigestInfo(hash) => [hash.digest_info_head(), hashed].concat(),
            Self::Rsa(_) | Self::RsaPss(_) | Self::Ecdsa { .. } | Self::RsaPssOfHash(_) => hashed.to_vec(),
        }
    }

    /// What goes into a certificate, from what the module gives.
    pub(super) fn signature(self, raw: Vec<u8>) -> Option<Vec<u8>> {
        match self {
            Self::Ecdsa { coordinate, .. } => ecdsa_der(&raw, coordinate),
            _ => Some(raw),
        }
    }
}

/// From r and s side by side (PKCS #11 §6.3.1) to Ecdsa-Sig-Value (RFC 3279 §2.2.3).
fn ecdsa_der(raw: &[u8], coordinate: usize) -> Option<Vec<u8>> {
    if raw.len() != 2 * coordinate {
        return None;
    }
    let (r, s) = raw.split_at_checked(coordinate)?;
    EcdsaSignature { r: UintRef::new(r).ok()?, s: UintRef::new(s).ok()? }.to_der().ok()
}

impl Hash {
    fn of(self, message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, message).as_ref().to_vec()
    }

    const fn rsa(self) -> MechanismType {
        match self {
            Self::Sha256 => MechanismType::SHA256_RSA_PKCS,
            Self::Sha384 => MechanismType::SHA384_RSA_PKCS,
            Self::Sha512 => MechanismType::SHA512_RSA_PKCS,
        }
    }

    const fn rsa_pss(self) -> MechanismType {
        match self {
            Self::Sha256 => MechanismType::SHA256_RSA_PKCS_PSS,
            Self::Sha384 => MechanismType::SHA384_RSA_PKCS_PSS,
            Self::Sha512 => MechanismType::SHA512_RSA_PKCS_PSS,
        }
    }

    /// MGF1 with the same hash, and a salt as long as the hash: what the certificate says (RFC 4055 §3.1).
    fn pss(self) -> PkcsPssParams {
        let (hash_alg, mgf, s_len) = match self {
            Self::Sha256 => (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
            Self::Sha384 => (MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
            Self::Sha512 => (MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        };
        PkcsPssParams { hash_alg, mgf, s_len: Ulong::new(s_len) }
    }

    /// What stands before the hash in a DigestInfo (RFC 8017 §9.2, note 1).
    const fn digest_info_head(self) -> &'static [u8] {
        match self {
            Self::Sha256 => {
                &[0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20]
            }
            Self::Sha384 => {
                &[0x30, 0x41, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 0x30]
            }
            Self::Sha512 => {
                &[0x30, 0x51, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3, 5, 0, 4, 0x40]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_and_s_become_the_shortest_positive_integers() {
        let mut raw = [0; 64];
        raw[31] = 1;
        raw[32] = 0x80;
        let der = ecdsa_der(&raw, 32).unwrap();
        // r is 1; s would be negative without a zero before it.
        assert_eq!(der[..6], [0x30, 38, 2, 1, 1, 2]);
        assert_eq!(der[6..9], [33, 0, 0x80]);
        assert_eq!(der.len(), 40);
    }

    #[test]
    fn a_signature_of_another_length_is_none() {
        for length in [0, 1, 63, 65, 96] {
            assert_eq!(ecdsa_der(&vec![1; length], 32), None, "{length}");
        }
        assert!(ecdsa_der(&[1; 96], 48).is_some());
    }

    /// The signatures of p256 are r and s side by side too.
    #[test]
    fn what_another_implementation_signs_verifies_after_the_conversion() {
        use p256::ecdsa::{Signature, SigningKey, signature::Signer as _};
        use p256::pkcs8::EncodePublicKey as _;
        for seed in 1..=20_u8 {
            let key = SigningKey::from_slice(&[seed; 32]).unwrap();
            let signature: Signature = key.sign(b"message");
            let der = ecdsa_der(&signature.to_bytes(), 32).unwrap();
            let public = key.verifying_key().to_public_key_der().unwrap();
            let public = crate::PublicKey::from_der(public.as_bytes()).unwrap();
            public.verify(SignatureAlgorithm::EcdsaSha256, b"message", &der).unwrap();
        }
    }

    #[test]
    fn a_token_that_cannot_hash_is_given_what_was_hashed_here() {
        let choose = |algorithm, can: &[MechanismType]| How::choose(algorithm, can);
        let (rsa, pss) = (SignatureAlgorithm::RsaSha256, SignatureAlgorithm::RsaPssSha384);
        assert_eq!(
            choose(rsa, &[MechanismType::SHA256_RSA_PKCS, MechanismType::RSA_PKCS]),
            Some(How::Rsa(Hash::Sha256))
        );
        assert_eq!(choose(rsa, &[MechanismType::RSA_PKCS]), Some(How::RsaOfDigestInfo(Hash::Sha256)));
        assert_eq!(choose(pss, &[MechanismType::RSA_PKCS_PSS]), Some(How::RsaPssOfHash(Hash::Sha384)));
        assert_eq!(choose(pss, &[MechanismType::SHA384_RSA_PKCS_PSS]), Some(How::RsaPss(Hash::Sha384)));
        assert_eq!(choose(rsa, &[MechanismType::ECDSA]), None);
        assert_eq!(choose(SignatureAlgorithm::EcdsaSha256, &[MechanismType::RSA_PKCS]), None);
        assert_eq!(choose(SignatureAlgorithm::MlDsa65, &[MechanismType::ECDSA]), None);
        // What is hashed already goes there as a hash, where that is possible.
        let of_hash = |algorithm, can: &[MechanismType]| How::of_hash(algorithm, can);
        assert_eq!(of_hash(rsa, &[MechanismType::SHA256_RSA_PKCS]), None);
        assert_eq!(
            of_hash(rsa, &[MechanismType::SHA256_RSA_PKCS, MechanismType::RSA_PKCS]),
            Some(How::RsaOfDigestInfo(Hash::Sha256))
        );
        assert_eq!(of_hash(pss, &[MechanismType::RSA_PKCS_PSS]), Some(How::RsaPssOfHash(Hash::Sha384)));
        assert_eq!(of_hash(pss, &[MechanismType::SHA384_RSA_PKCS_PSS]), None);
        let p256 = SignatureAlgorithm::EcdsaSha256;
        assert_eq!(of_hash(p256, &[MechanismType::ECDSA]), choose(p256, &[MechanismType::ECDSA]));
        for (hash, length) in [(Hash::Sha256, 51), (Hash::Sha384, 67), (Hash::Sha512, 83)] {
            assert_eq!(How::RsaOfDigestInfo(hash).input(b"message").len(), length);
        }
    }
}
