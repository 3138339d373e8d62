//! The parameters of RSASSA-PSS (RFC 4055 §3.1), of which three sets are in use.
//!
//! Written: the hash, MGF1 with the same hash, a salt as long as the hash, each AlgorithmIdentifier of a hash
//! with NULL, the trailer left out since DER leaves out defaults. These are the bytes that BRs §7.1.3.2.1
//! demand. Read: the same values; a hash's NULL may be absent too (RFC 4055 §2.1).

use der::{Sequence, Tag, asn1::AnyRef};
use spki::AlgorithmIdentifierRef;

use crate::{algorithm::SignatureAlgorithm, oid};

pub(crate) const SHA256: AnyRef<'static> = parameters(&content(1, 32));
pub(crate) const SHA384: AnyRef<'static> = parameters(&content(2, 48));
pub(crate) const SHA512: AnyRef<'static> = parameters(&content(3, 64));

/// What the parameters' SEQUENCE holds: the hashes' OIDs differ in their last octet.
const fn content(hash: u8, salt_len: u8) -> [u8; 52] {
    [
        // [0] SEQUENCE { OID 2.16.840.1.101.3.4.2.hash, NULL }
        0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00,
        // [1] SEQUENCE { OID id-mgf1,
        0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,
        // SEQUENCE { OID 2.16.840.1.101.3.4.2.hash, NULL } }
        0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, hash, 0x05, 0x00,
        // [2] INTEGER
        0xa2, 0x03, 0x02, 0x01, salt_len,
    ]
}

#[expect(clippy::panic, reason = "evaluated by the compiler: content of this length always fits")]
const fn parameters(content: &'static [u8]) -> AnyRef<'static> {
    match AnyRef::new(Tag::Sequence, content) {
        Ok(parameters) => parameters,
        Err(_too_long) => panic!("the content is too long"),
    }
}

/// RSASSA-PSS-params. A field that is absent means a default with SHA-1, and is not taken.
#[derive(Sequence)]
struct Parameters<'a> {
    #[asn1(context_specific = "0")]
    hash: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "1")]
    mask_generation: AlgorithmIdentifierRef<'a>,
    #[asn1(context_specific = "2")]
    salt_len: u8,
}

/// The algorithm that these parameters mean, if it is one of ours.
pub(crate) fn read(parameters: Option<AnyRef<'_>>) -> Option<SignatureAlgorithm> {
    let parameters: Parameters<'_> = parameters?.decode_as().ok()?;
    let (algorithm, salt_len) = match hash(parameters.hash)? {
        oid::SHA256 => (SignatureAlgorithm::RsaPssSha256, 32),
        oid::SHA384 => (SignatureAlgorithm::RsaPssSha384, 48),
        oid::SHA512 => (SignatureAlgorithm::RsaPssSha512, 64),
        _ => return None,
    };
    let AlgorithmIdentifierRef { oid: oid::MGF1, parameters: Some(mask_hash) } = parameters.mask_generation
    else {
        return None;
    };
    let is_same_hash = hash(mask_hash.decode_as().ok()?) == hash(parameters.hash);
    (is_same_hash && parameters.salt_len == salt_len).then_some(algorithm)
}

/// RFC 4055 §2.1: the parameters of a hash are NULL or absent.
fn hash(identifier: AlgorithmIdentifierRef<'_>) -> Option<const_oid::ObjectIdentifier> {
    identifier.parameters.is_none_or(|parameters| parameters.is_null()).then_some(identifier.oid)
}

#[cfg(test)]
mod tests {
    use der::{Decode, Encode};

    use super::*;

    fn changed(from: &[u8], to: &[u8]) -> Option<SignatureAlgorithm> {
        let mut der = SHA256.to_der().unwrap();
        let at = der.windows(from.len()).rposition(|window| window == from).unwrap();
        der[at..at + from.len()].copy_from_slice(to);
        read(Some(AnyRef::from_der(&der).unwrap()))
    }

    /// BRs §7.1.3.2.1 give these bytes, with the OID before them.
    #[test]
    fn the_parameters_are_those_of_the_baseline_requirements() {
        let hex: String = SHA384.to_der().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            hex,
            "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d0609608648016503040202\
             0500a203020130"
        );
        assert_eq!(read(Some(SHA384)), Some(SignatureAlgorithm::RsaPssSha384));
    }

    #[test]
    fn another_salt_mask_or_hash_is_refused() {
        assert_eq!(changed(&[2, 1, 32], &[2, 1, 32]), Some(SignatureAlgorithm::RsaPssSha256));
        // A salt of 20 octets, the default of old; MGF1 with another hash; a mask that is not MGF1.
        assert_eq!(changed(&[2, 1, 32], &[2, 1, 20]), None);
        assert_eq!(changed(&[4, 2, 1], &[4, 2, 2]), None);
        assert_eq!(changed(&[1, 1, 8], &[1, 1, 9]), None);
        assert_eq!(read(None), None);
        assert_eq!(read(Some(AnyRef::NULL)), None);
        // An empty SEQUENCE is SHA-1 everywhere.
        assert_eq!(read(Some(AnyRef::new(Tag::Sequence, &[]).unwrap())), None);
    }

    #[test]
    fn a_trailer_is_a_default_that_der_leaves_out() {
        let mut content = content(1, 32).to_vec();
        content.extend([0xa3, 3, 2, 1, 1]);
        assert_eq!(read(Some(AnyRef::new(Tag::Sequence, &content).unwrap())), None);
    }

    #[test]
    fn a_hash_without_its_null_is_read_too() {
        let hash = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
        let mgf1 = [&[0x30, 24, 6, 9][..], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 8], &hash].concat();
        let content = [&[0xa0, 13][..], &hash, &[0xa1, 26], &mgf1, &[0xa2, 3, 2, 1, 64]].concat();
        let parameters = AnyRef::new(Tag::Sequence, &content).unwrap();
        assert_eq!(read(Some(parameters)), Some(SignatureAlgorithm::RsaPssSha512));
    }
}
