//! The ASN.1 shapes of RFC 5280 §4.1, §5.1 and RFC 2986 §4, as this crate reads and writes them.
//!
//! Names and keys stay raw here (`AnyRef`), and [`Signed`] lends the signed bytes exactly as they came:
//! what is signed, recorded and compared is bytes, never a re-encoding of a parsed structure.

use const_oid::ObjectIdentifier;
use der::{
    Decode, DecodeValue, Encode, EncodeValue, Header, Length, Reader, Sequence, SliceReader, Writer,
    asn1::{AnyRef, BitStringRef, ContextSpecific, IntRef, SetOfVec, UintRef},
};
use spki::AlgorithmIdentifierRef;
use x509_cert::{
    Version,
    ext::Extension,
    time::{Time, Validity},
};

/// The outermost SEQUENCE of a certificate (RFC 5280 §4.1.1), a CRL (§5.1.1) and a CSR (RFC 2986 §4.2).
pub(crate) struct Signed<'a> {
    /// The signed part with its tag and length: the message of the signature.
    pub(crate) message: &'a [u8],
    pub(crate) algorithm: AlgorithmIdentifierRef<'a>,
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn from_der(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let signed = reader.sequence(|body| -> der::Result<Self> {
            let message = body.tlv_bytes()?;
            let algorithm = AlgorithmIdentifierRef::decode(body)?;
            let bits = BitStringRef::decode(body)?;
            let signature = bits.as_bytes().ok_or_else(|| der::Tag::BitString.value_error())?;
            Ok(Self { message, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    pub(crate) fn to_der(&self) -> der::Result<Vec<u8>> {
        let signature = BitStringRef::from_bytes(self.signature)?;
        SignedFields { message: AnyRef::from_der(self.message)?, algorithm: self.algorithm, signature }
            .to_der()
    }
}

#[derive(Sequence)]
struct SignedFields<'a> {
    message: AnyRef<'a>,
    algorithm: AlgorithmIdentifierRef<'a>,
    signature: BitStringRef<'a>,
}

/// TBSCertificate (RFC 5280 §4.1.2).
#[derive(Sequence)]
pub(crate) struct TbsCertificateFields<'a> {
    #[asn1(context_specific = "0", default = "Default::default")]
    pub(crate) version: Version,
    pub(crate) serial: IntRef<'a>,
    pub(crate) signature: AlgorithmIdentifierRef<'a>,
    pub(crate) issuer: AnyRef<'a>,
    pub(crate) validity: Validity,
    pub(crate) subject: AnyRef<'a>,
    pub(crate) public_key: AnyRef<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) issuer_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) subject_unique_id: Option<BitStringRef<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) extensions: Option<Vec<Extension>>,
}

/// TBSCertList (RFC 5280 §5.1.2). Entries and extensions stay raw: there may be many.
#[derive(Sequence)]
pub(crate) struct TbsCertListFields<'a> {
    pub(crate) version: Version,
    pub(crate) signature: AlgorithmIdentifierRef<'a>,
    pub(crate) issuer: AnyRef<'a>,
    pub(crate) this_update: Time,
    pub(crate) next_update: Option<Time>,
    pub(crate) revoked: Option<RawSequence<'a>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(crate) extensions: Option<RawSequence<'a>>,
}

/// A SEQUENCE whose content is left as it lies.
#[derive(Clone, Copy)]
pub(crate) struct RawSequence<'a>(pub(crate) &'a [u8]);

impl<'a> Sequence<'a> for RawSequence<'a> {}

impl<'a> DecodeValue<'a> for RawSequence<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
        reader.read_slice(header.length()).map(Self)
    }
}

impl EncodeValue for RawSequence<'_> {
    fn value_len(&self) -> der::Result<Length> {
        self.0.len().try_into()
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

/// CertificationRequestInfo (RFC 2986 §4.1). Clients that ask for nothing leave the attributes out, though
/// the ASN.1 wants an empty set there.
#[derive(Sequence)]
pub(crate) struct CsrInfoFields<'a> {
    pub(crate) version: Version,
    pub(crate) subject: AnyRef<'a>,
    pub(crate) public_key: AnyRef<'a>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) attributes: Option<SetOfVec<AttributeFields<'a>>>,
}

/// Attribute (RFC 2986 §4.1).
#[derive(Clone, Sequence, der::ValueOrd)]
pub(crate) struct AttributeFields<'a> {
    pub(crate) kind: ObjectIdentifier,
    pub(crate) values: SetOfVec<AnyRef<'a>>,
}

/// RSAPublicKey (RFC 8017 appendix A.1.1).
#[derive(Sequence)]
pub(crate) struct RsaPublicKeyFields<'a> {
    pub(crate) modulus: UintRef<'a>,
    pub(crate) exponent: UintRef<'a>,
}

/// Ecdsa-Sig-Value (RFC 3279 §2.2.3).
#[derive(Sequence)]
pub(crate) struct EcdsaSignature<'a> {
    pub(crate) r: UintRef<'a>,
    pub(crate) s: UintRef<'a>,
}

/// The size of an RSAPrivateKey's modulus (RFC 8017 appendix A.1.2).
pub(crate) fn pkcs1_modulus_bits(bytes: &[u8]) -> der::Result<usize> {
    let mut reader = SliceReader::new(bytes)?;
    reader.sequence(|body| -> der::Result<_> {
        let _version = u8::decode(body)?;
        let bits = bit_length(UintRef::decode(body)?.as_bytes());
        while !body.is_finished() {
            AnyRef::decode(body)?;
        }
        Ok(bits)
    })
}

/// How many bits a big-endian number without leading zero octets has.
pub(crate) fn bit_length(number: &[u8]) -> usize {
    let unused = number.first().map_or(0, |first| first.leading_zeros());
    (number.len() * 8).saturating_sub(usize::try_from(unused).unwrap_or_default())
}

/// The start of an ECPrivateKey (RFC 5915 §3), as far as it tells the curve.
pub(crate) fn sec1_curve(bytes: &[u8]) -> der::Result<Option<ObjectIdentifier>> {
    let mut reader = SliceReader::new(bytes)?;
    let curve = reader.sequence(|body| -> der::Result<_> {
        let _version = u8::decode(body)?;
        let _private_key = <&der::asn1::OctetStringRef>::decode(body)?;
        let curve = ContextSpecific::<ObjectIdentifier>::decode_explicit(body, der::TagNumber(0))?;
        let _public_key = ContextSpecific::<BitStringRef<'_>>::decode_explicit(body, der::TagNumber(1))?;
        Ok(curve.map(|field| field.value))
    })?;
    reader.finish()?;
    Ok(curve)
}
