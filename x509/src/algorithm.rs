//! Signature algorithms and how they are named in DER.
//!
//! ECDSA: RFC 5758 §3.2 (no parameters). RSA PKCS#1 v1.5: RFC 4055 §5 (parameters NULL).
//! Ed25519: RFC 8410 §3 (no parameters). RSA-PSS is not offered.

use std::fmt;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use spki::AlgorithmIdentifierRef;

use crate::{oid, spki::KeyKind};

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
    /// Ed25519
    Ed25519,
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
}

impl SignatureAlgorithm {
    /// Whether a key of this kind can make such a signature at all.
    #[must_use]
    pub fn fits(self, key: KeyKind) -> bool {
        match self {
            Self::EcdsaSha256 | Self::EcdsaSha384 | Self::EcdsaSha512 => {
                matches!(key, KeyKind::P256 | KeyKind::P384 | KeyKind::P521)
            }
            Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => matches!(key, KeyKind::Rsa { .. }),
            Self::Ed25519 => key == KeyKind::Ed25519,
        }
    }

    /// The AlgorithmIdentifier to write into a certificate.
    pub(crate) fn identifier(self) -> AlgorithmIdentifierRef<'static> {
        AlgorithmIdentifierRef { oid: self.oid(), parameters: self.is_rsa().then_some(AnyRef::NULL) }
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
            oid::ED25519 => Self::Ed25519,
            oid::MD5_WITH_RSA => return Err(AlgorithmError::Broken("MD5 with RSA")),
            oid::SHA1_WITH_RSA => return Err(AlgorithmError::Broken("SHA-1 with RSA")),
            oid::ECDSA_WITH_SHA1 => return Err(AlgorithmError::Broken("ECDSA with SHA-1")),
            other => return Err(AlgorithmError::Unsupported(other.to_string())),
        };
        // RFC 4055 §5: write NULL, and accept it absent. RFC 5758 §3.2, RFC 8410 §3: absent, always.
        let parameters_are_right = match identifier.parameters {
            None => true,
            Some(parameters) => algorithm.is_rsa() && parameters.is_null(),
        };
        if parameters_are_right { Ok(algorithm) } else { Err(AlgorithmError::Parameters(algorithm)) }
    }

    fn is_rsa(self) -> bool {
        matches!(self, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512)
    }

    fn oid(self) -> ObjectIdentifier {
        match self {
            Self::EcdsaSha256 => oid::ECDSA_WITH_SHA256,
            Self::EcdsaSha384 => oid::ECDSA_WITH_SHA384,
            Self::EcdsaSha512 => oid::ECDSA_WITH_SHA512,
            Self::RsaSha256 => oid::SHA256_WITH_RSA,
            Self::RsaSha384 => oid::SHA384_WITH_RSA,
            Self::RsaSha512 => oid::SHA512_WITH_RSA,
            Self::Ed25519 => oid::ED25519,
        }
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
            Self::Ed25519 => "Ed25519",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [SignatureAlgorithm; 7] = [
        SignatureAlgorithm::EcdsaSha256,
        SignatureAlgorithm::EcdsaSha384,
        SignatureAlgorithm::EcdsaSha512,
        SignatureAlgorithm::RsaSha256,
        SignatureAlgorithm::RsaSha384,
        SignatureAlgorithm::RsaSha512,
        SignatureAlgorithm::Ed25519,
    ];

    #[test]
    fn every_algorithm_is_read_back_from_its_identifier() {
        for algorithm in ALL {
            assert_eq!(SignatureAlgorithm::from_identifier(&algorithm.identifier()), Ok(algorithm));
        }
    }

    #[test]
    fn rsa_parameters_may_be_absent_but_ecdsa_parameters_must_be() {
        let rsa = AlgorithmIdentifierRef { oid: oid::SHA256_WITH_RSA, parameters: None };
        assert_eq!(SignatureAlgorithm::from_identifier(&rsa), Ok(SignatureAlgorithm::RsaSha256));
        let ecdsa = AlgorithmIdentifierRef { oid: oid::ECDSA_WITH_SHA256, parameters: Some(AnyRef::NULL) };
        assert_eq!(
            SignatureAlgorithm::from_identifier(&ecdsa),
            Err(AlgorithmError::Parameters(SignatureAlgorithm::EcdsaSha256))
        );
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
    }
}
