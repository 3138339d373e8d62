//! The one place where a signature is checked: RFC 7515 §5.2, with the algorithms of RFC 7518 §3 and RFC 8037
//! §3.1.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    EcdsaVerificationAlgorithm, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::{
    Algorithm, Jwk, KeyKind,
    jwk::{Curve, Material},
};

/// Verifies one signature with one key.
///
/// The algorithm is the header's and the key is the caller's, so the two are matched here first: otherwise a
/// client would choose how its account key is used.
pub(crate) fn verify(
    algorithm: Algorithm,
    key: &Jwk,
    message: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    let verified = match (algorithm, &key.material) {
        (Algorithm::Es256, Material::Ec { curve: curve @ Curve::P256, point })
        | (Algorithm::Es384, Material::Ec { curve: curve @ Curve::P384, point })
        | (Algorithm::Es512, Material::Ec { curve: curve @ Curve::P521, point }) => {
            UnparsedPublicKey::new(curve.ecdsa(), point).verify(message, signature)
        }
        (Algorithm::EdDsa, Material::Ed25519(point)) => {
            UnparsedPublicKey::new(&ED25519, point).verify(message, signature)
        }
        (Algorithm::Rs256, Material::Rsa { modulus: n, exponent: e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
        }
        (Algorithm::Rs384, Material::Rsa { modulus: n, exponent: e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA384, message, signature)
        }
        (Algorithm::Rs512, Material::Rsa { modulus: n, exponent: e }) => {
            RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA512, message, signature)
        }
        _ => return Err(VerifyError::Unfit { kind: key.kind(), algorithm }),
    };
    verified.map_err(|_| VerifyError::Signature)
}

/// Whether an uncompressed point is on its curve and not at infinity.
pub(crate) fn is_on_curve(curve: Curve, point: &[u8]) -> bool {
    ParsedPublicKey::new(curve.ecdsa(), point).is_ok()
}

impl Curve {
    /// The curve's only JWS algorithm, with signatures as RFC 7518 §3.4 writes them: `r ‖ s`, each of full
    /// length.
    const fn ecdsa(self) -> &'static EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
            Self::P384 => &ECDSA_P384_SHA384_FIXED,
            Self::P521 => &ECDSA_P521_SHA512_FIXED,
        }
    }
}

/// Why a JWS is not signed by a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// The header's algorithm does not sign with this type of key. Becomes `badSignatureAlgorithm`: with a
    /// `kid` the key is fixed, and the algorithm is what the client has to change.
    #[error("{algorithm} does not sign with this key, which is of type {kind}")]
    Unfit {
        /// The key's type.
        kind: KeyKind,
        /// The header's algorithm.
        algorithm: Algorithm,
    },
    /// The signature is not one by this key over this header and payload. Becomes `malformed`. An RSA key
    /// below 2048 bits can be read but verifies nothing (RFC 7518 §3.3), so it ends here too.
    #[error("the signature of the JWS does not verify")]
    Signature,
}

#[cfg(test)]
mod tests;
