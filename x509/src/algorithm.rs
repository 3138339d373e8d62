//! Signature algorithms and how they are named in DER.
//!
//! ECDSA: RFC 5758 §3.2 (no parameters). RSA PKCS#1 v1.5: RFC 4055 §5 (parameters NULL). RSASSA-PSS:
//! RFC 4055 §3 (`pss.rs` has its parameters). Ed25519: RFC 8410 §3 (no parameters). ML-DSA:
//! RFC 9881 §2 (no parameters).

use std::fmt;

use der::asn1::AnyRef;
use spki::AlgorithmIdentifierRef;

use crate::{oid, pss, spki::KeyKind};

/// A signature algorithm this crate can check. A [`Signer`](crate::signer::Signer) offers some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256
    EcdsaSha256,
    /// ecdsa-with-SHA384
    EcdsaSha384,
    /// ecdsa-with-SHA512
    EcdsaSha512,
    /// sha256WithRSAEncryption, PKCS#1 v1.5
    RsaSha256,
    /// sha384WithRSAEncryption, PKCS#1 v1.5
    RsaSha384,
    /// sha512WithRSAEncryption, PKCS#1 v1.5
    RsaSha512,
    /// RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 octets
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384, MGF1 with SHA-384 and a salt of 48 octets
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512, MGF1 with SHA-512 and a salt of 64 octets
    RsaPssSha512,
    /// Ed25519
    Ed25519,
    /// ML-DSA-44, pure, with an empty context
    MlDsa44,
    /// ML-DSA-65, pure, with an empty context
    MlDsa65,
    /// ML-DSA-87, pure, with an empty context
    MlDsa87,
}

/// An AlgorithmIdentifier that is not one of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// The hash is broken: a signature over it proves nothing.
    #[error("{0} signatures are not accepted; sign with SHA-256 or stronger")]
    Broken(&'static str),
    /// Not known here.
    #[error("signature algorithm {0} is not supported")]
    Unsupported(String),
    /// The algorithm is known, its parameters are not the ones its RFC demands.
    #[error("the parameters of signature algorithm {0} are wrong")]
    Parameters(SignatureAlgorithm),
    /// RSASSA-PSS is its parameters, and these are not one of the three sets that are used here.
    #[error(
        "the parameters of the RSASSA-PSS signature are not supported; use SHA-256, SHA-384 or SHA-512, MGF1 with the same hash and a salt as long as the hash"
    )]
    PssParameters,
}

impl SignatureAlgorithm {
    /// Whether a key of this kind can make such a signature at all.
    #[must_use]
    pub fn fits(self, key: KeyKind) -> bool {
        match self {
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => {
                matches!(key, KeyKind::P256 | KeyKind::P384 | KeyKind::P521)
            }
            Self::RsaSha256
            | Self::RsaSha384
            | Self::RsaSha512
            | Self::RsaPssSha256
            | Self::RsaPssSha384
            | Self::RsaPssSha512 => matches!(key, KeyKind::Rsa { .. }),
            Self::Ed25519 => key == KeyKind::Ed25519,
            Self::MlDsa44 => key == KeyKind::MlDsa44,
            Self::MlDsa65 => key == KeyKind::MlDsa65,
            Self::MlDsa87 => key == KeyKind::MlDsa87,
        }
    }

    /// What a key of this kind signs with unless it is told otherwise: P-256 with SHA-256, P-384 with SHA-384, RSA PKCS#1 v1.5
    /// with SHA-256, Ed25519 and ML-DSA as themselves. `None` of kinds that nothing here signs with.
    #[must_use]
    pub fn usual(key: KeyKind) -> Option<Self> {
        match key {
            KeyKind::P256 => Some(Self::EcdsaSha256),
            KeyKind::P384 => Some(Self::EcdsaSha384),
            KeyKind::P521 => None,
            KeyKind::Rsa { .. } => Some(Self::RsaSha256),
            KeyKind::Ed25519 => Some(Self::Ed25519),
            KeyKind::MlDsa44 => Some(Self::MlDsa44),
            KeyKind::MlDsa65 => Some(Self::MlDsa65),
            KeyKind::MlDsa87 => Some(Self::MlDsa87),
        }
    }

    /// The AlgorithmIdentifier to write into a certificate.
    pub(crate) fn identifier(self) -> AlgorithmIdentifierRef<'static> {
        let (oid, parameters) = match self {
            Self::EcdsaSha256 => (oid::ECDSA_WITH_SHA256, None),
            Self::EcdsaSha384 => (oid::ECDSA_WITH_SHA384, None),
            Self::EcdsaSha512 => (oid::ECDSA_WITH_SHA512, None),
            Self::RsaSha256 => (oid::SHA256_WITH_RSA, Some(AnyRef::NULL)),
            Self::RsaSha384 => (oid::SHA384_WITH_RSA, Some(AnyRef::NULL)),
            Self::RsaSha512 => (oid::SHA512_WITH_RSA, Some(AnyRef::NULL)),
            Self::RsaPssSha256 => (oid::RSASSA_PSS, Some(pss::SHA256)),
            Self::RsaPssSha384 => (oid::RSASSA_PSS, Some(pss::SHA384)),
            Self::RsaPssSha512 => (oid::RSASSA_PSS, Some(pss::SHA512)),
            Self::Ed25519 => (oid::ED25519, None),
            Self::MlDsa44 => (oid::ML_DSA_44, None),
            Self::MlDsa65 => (oid::ML_DSA_65, None),
            Self::MlDsa87 => (oid::ML_DSA_87, None),
        };
        AlgorithmIdentifierRef { oid, parameters }
    }

    /// Reads an AlgorithmIdentifier.
    pub(crate) fn from_identifier(identifier: &AlgorithmIdentifierRef<'_>) -> Result<Self, AlgorithmError> {
        let algorithm = match identifier.oid {
            oid::ECDSA_WITH_SHA256 => Self::EcdsaSha256,
            oid::ECDSA_WITH_SHA384 => Self::EcdsaSha384,
            oid::ECDSA_WITH_SHA512 => Self::EcdsaSha512,
            oid::SHA256_WITH_RSA => Self::RsaSha256,
            oid::SHA384_WITH_RSA => Self::RsaSha384,
            oid::SHA512_WITH_RSA => Self::RsaSha512,
            oid::RSASSA_PSS => return pss::read(identifier.parameters).ok_or(AlgorithmError::PssParameters),
            oid::ED25519 => Self::Ed25519,
            oid::ML_DSA_44 => Self::MlDsa44,
            oid::ML_DSA_65 => Self::MlDsa65,
            oid::ML_DSA_87 => Self::MlDsa87,
            oid::MD5_WITH_RSA => return Err(AlgorithmError::Broken("MD5 with RSA")),
            oid::SHA1_WITH_RSA => return Err(AlgorithmError::Broken("SHA-1 with RSA")),
            oid::ECDSA_WITH_SHA1 => return Err(AlgorithmError::Broken("ECDSA with SHA-1")),
            other => return Err(AlgorithmError::Unsupported(other.to_string())),
        };
        // RFC 4055 §5: write NULL, and accept it absent. RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2: absent, always.
        let parameters_are_right = match identifier.parameters {
            None => true,
            Some(parameters) => {
                parameters.is_null()
                    && matches!(algorithm, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
            }
        };
        if parameters_are_right { Ok(algorithm) } else { Err(AlgorithmError::Parameters(algorithm)) }
    }
}

impl fmt::Display for SignatureAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
            Self::RsaSha256 => "RSA with SHA-256",
            Self::RsaSha384 => "RSA with SHA-384",
            Self::RsaSha512 => "RSA with SHA-512",
            Self::RsaPssSha256 => "RSASSA-PSS with SHA-256",
            Self::RsaPssSha384 => "RSASSA-PSS with SHA-384",
            Self::RsaPssSha512 => "RSASSA-PSS with SHA-512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SignatureAlgorithm; 13] = [
        SignatureAlgorithm::EcdsaSha256,
        SignatureAlgorithm::EcdsaSha384,
        SignatureAlgorithm::EcdsaSha512,
        SignatureAlgorithm::RsaSha256,
        SignatureAlgorithm::RsaSha384,
        SignatureAlgorithm::RsaSha512,
        SignatureAlgorithm::RsaPssSha256,
        SignatureAlgorithm::RsaPssSha384,
        SignatureAlgorithm::RsaPssSha512,
        SignatureAlgorithm::Ed25519,
        SignatureAlgorithm::MlDsa44,
        SignatureAlgorithm::MlDsa65,
        SignatureAlgorithm::MlDsa87,
    ];

    #[test]
    fn every_algorithm_is_read_back_from_its_identifier() {
        for algorithm in ALL {
            assert_eq!(SignatureAlgorithm::from_identifier(&algorithm.identifier()), Ok(algorithm));
        }
    }

    #[test]
    fn rsa_parameters_may_be_absent_but_those_of_the_others_must_be() {
        let rsa = AlgorithmIdentifierRef { oid: oid::SHA256_WITH_RSA, parameters: None };
        assert_eq!(SignatureAlgorithm::from_identifier(&rsa), Ok(SignatureAlgorithm::RsaSha256));
        for (oid, algorithm) in [
            (oid::ECDSA_WITH_SHA256, SignatureAlgorithm::EcdsaSha256),
            (oid::ED25519, SignatureAlgorithm::Ed25519),
            (oid::ML_DSA_65, SignatureAlgorithm::MlDsa65),
        ] {
            let with_null = AlgorithmIdentifierRef { oid, parameters: Some(AnyRef::NULL) };
            let error = SignatureAlgorithm::from_identifier(&with_null).unwrap_err();
            assert_eq!(error, AlgorithmError::Parameters(algorithm));
        }
    }

    #[test]
    fn sha1_and_md5_are_refused_by_name() {
        for (oid, name) in
            [(oid::MD5_WITH_RSA, "MD5"), (oid::SHA1_WITH_RSA, "SHA-1"), (oid::ECDSA_WITH_SHA1, "SHA-1")]
        {
            let error =
                SignatureAlgorithm::from_identifier(&AlgorithmIdentifierRef { oid, parameters: None })
                    .unwrap_err();
            assert!(matches!(error, AlgorithmError::Broken(text) if text.contains(name)));
        }
    }

    #[test]
    fn an_algorithm_fits_only_keys_of_its_family() {
        assert!(SignatureAlgorithm::EcdsaSha384.fits(KeyKind::P256));
        assert!(!SignatureAlgorithm::EcdsaSha384.fits(KeyKind::Ed25519));
        assert!(SignatureAlgorithm::RsaSha256.fits(KeyKind::Rsa { modulus_bits: 2048 }));
        assert!(!SignatureAlgorithm::RsaSha256.fits(KeyKind::P384));
        assert!(SignatureAlgorithm::RsaPssSha512.fits(KeyKind::Rsa { modulus_bits: 2048 }));
        assert!(SignatureAlgorithm::MlDsa65.fits(KeyKind::MlDsa65));
        assert!(!SignatureAlgorithm::MlDsa65.fits(KeyKind::MlDsa87));
    }
}
