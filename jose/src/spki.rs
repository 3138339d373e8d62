//! The same key as certificates and CSRs carry it: SubjectPublicKeyInfo, RFC 5280 §4.1.2.7.
//!
//! Each key has one encoding: RFC 5480 §2.1.1 with a named curve and an uncompressed point, RFC 8410 §4, RFC
//! 3279 §2.3.1 with NULL parameters. No other is read, so what was read is written back byte for byte, and
//! two keys can be compared in either form.

use der::{
    Decode, Encode, Sequence, asn1::AnyRef, asn1::BitStringRef, asn1::ObjectIdentifier, asn1::UintRef,
};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::{
    Jwk, JwkError,
    jwk::{Curve, Material},
};

/// id-ecPublicKey, RFC 5480 §2.1.1.
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// id-Ed25519, RFC 8410 §3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// rsaEncryption, RFC 3279 §2.3.1.
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The RSAPublicKey of RFC 8017 appendix A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

impl Jwk {
    /// The key as a DER SubjectPublicKeyInfo.
    #[expect(
        clippy::expect_used,
        reason = "encoding fails only for a length beyond 256 MiB, and a key has at most 8192 bits"
    )]
    pub fn to_spki_der(&self) -> Vec<u8> {
        self.spki_der().expect("a bounded key can be encoded")
    }

    /// Reads a DER SubjectPublicKeyInfo, as from a certificate whose key signs its own revocation.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, JwkError> {
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| JwkError::Spki)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(JwkError::Spki)?;
        match (spki.algorithm.oid, spki.algorithm.parameters) {
            (EC_PUBLIC_KEY, Some(parameters)) => {
                let named: ObjectIdentifier = parameters.decode_as().map_err(|_| JwkError::Spki)?;
                let curve = [Curve::P256, Curve::P384, Curve::P521]
                    .into_iter()
                    .find(|curve| curve.oid() == named)
                    .ok_or_else(|| JwkError::UnsupportedCurve(named.to_string()))?;
                // RFC 5480 §2.2: 04 before an uncompressed point. No other form is read.
                match bits.split_first() {
                    Some((4, coordinates)) if coordinates.len() == 2 * curve.coordinate_bytes() => {
                        let (x, y) = coordinates.split_at(curve.coordinate_bytes());
                        Self::from_coordinates(curve, x, y)
                    }
                    _ => Err(JwkError::Spki),
                }
            }
            (ED25519, None) => Self::from_ed25519(bits),
            (RSA_ENCRYPTION, Some(parameters)) if parameters == AnyRef::NULL => {
                let key = RsaPublicKey::from_der(bits).map_err(|_| JwkError::Spki)?;
                Self::from_rsa(key.modulus.as_bytes(), key.exponent.as_bytes())
            }
            (EC_PUBLIC_KEY | ED25519 | RSA_ENCRYPTION, _) => Err(JwkError::Spki),
            (other, _) => Err(JwkError::UnsupportedKeyType(other.to_string())),
        }
    }

    fn spki_der(&self) -> der::Result<Vec<u8>> {
        match &self.material {
            Material::Ec { curve, point } => encode(EC_PUBLIC_KEY, Some(AnyRef::from(&curve.oid())), point),
            Material::Ed25519(key) => encode(ED25519, None, key),
            Material::Rsa { modulus, exponent } => {
                let key = RsaPublicKey { modulus: UintRef::new(modulus)?, exponent: UintRef::new(exponent)? };
                encode(RSA_ENCRYPTION, Some(AnyRef::NULL), &key.to_der()?)
            }
        }
    }
}

fn encode(oid: ObjectIdentifier, parameters: Option<AnyRef<'_>>, key: &[u8]) -> der::Result<Vec<u8>> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters };
    SubjectPublicKeyInfoRef { algorithm, subject_public_key: BitStringRef::from_bytes(key)? }.to_der()
}

impl Curve {
    /// The OID of the named curve, RFC 5480 §2.1.1.1.
    const fn oid(self) -> ObjectIdentifier {
        match self {
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }
}
