//! CSRs as clients send them, by rcgen and by hand.

use aws_lc_rs::{
    digest,
    encoding::AsDer,
    rand::SystemRandom,
    rsa,
    signature::{
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA384,
        RSA_PKCS1_SHA512, RsaEncoding,
    },
};
use cairn_x509::{AlgorithmError, Csr, CsrError, FileSigner, KeyKind, KeySpec, Name, Signer, SpkiError};
use der::{
    Encode, Sequence, Tag,
    asn1::{Any, BitString, Ia5String, OctetString, SetOfVec},
};
use p256::{ecdsa::signature::hazmat::PrehashSigner, pkcs8::EncodePublicKey};
use spki::AlgorithmIdentifierOwned;
use x509_cert::{
    attr::Attribute,
    ext::{Extension, pkix::name::GeneralName},
};

use crate::support::{dns, ip};

const ECDSA_SHA1: &str = "1.2.840.10045.4.1";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
const ECDSA_SHA512: &str = "1.2.840.10045.4.3.4";
const RSA_SHA256: &str = "1.2.840.113549.1.1.11";
const RSA_SHA384: &str = "1.2.840.113549.1.1.12";
const RSA_SHA512: &str = "1.2.840.113549.1.1.13";
const ED25519: &str = "1.3.101.112";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";
const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";
const CHALLENGE_PASSWORD: &str = "1.2.840.113549.1.9.7";

#[derive(Sequence)]
struct Info {
    version: u8,
    subject: Any,
    public_key: Any,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    attributes: Option<SetOfVec<Attribute>>,
}

#[derive(Sequence)]
struct Request {
    info: Info,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

/// A CSR to be, for a P-256 key unless told otherwise.
struct Draft {
    info: Info,
    signer: FileSigner,
}

impl Draft {
    fn new(common_name: Option<&str>) -> Self {
        let signer = FileSigner::generate(KeySpec::P256).unwrap();
        let subject = Name::common_name_only(common_name).unwrap();
        let info = Info {
            version: 0,
            subject: any(subject.der()),
            public_key: any(signer.public_key().der()),
            attributes: Some(SetOfVec::new()),
        };
        Self { info, signer }
    }

    fn key(mut self, spki: &[u8]) -> Self {
        self.info.public_key = any(spki);
        self
    }

    fn extensions(self, extensions: Vec<Extension>) -> Self {
        self.attribute(EXTENSION_REQUEST, Any::encode_from(&extensions).unwrap())
    }

    fn names(self, names: Vec<GeneralName>) -> Self {
        self.extensions(vec![extension(SUBJECT_ALT_NAME, &names.to_der().unwrap())])
    }

    fn attribute(mut self, oid: &str, value: Any) -> Self {
        let values = SetOfVec::try_from(vec![value]).unwrap();
        let attributes = self.info.attributes.as_mut().unwrap();
        attributes.insert(Attribute { oid: oid.parse().unwrap(), values }).unwrap();
        self
    }

    fn sign_with(self, oid: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Vec<u8> {
        let signature = BitString::from_bytes(&sign(&self.info.to_der().unwrap())).unwrap();
        let parameters = oid.starts_with("1.2.840.113549").then(Any::null);
        let algorithm = AlgorithmIdentifierOwned { oid: oid.parse().unwrap(), parameters };
        Request { info: self.info, algorithm, signature }.to_der().unwrap()
    }

    fn sign(self) -> Vec<u8> {
        let signature = self.signer.sign(&self.info.to_der().unwrap()).unwrap();
        self.sign_with(ECDSA_SHA256, |_| signature)
    }
}

fn any(der: &[u8]) -> Any {
    use der::Decode;
    Any::from_der(der).unwrap()
}

fn extension(oid: &str, value: &[u8]) -> Extension {
    Extension { extn_id: oid.parse().unwrap(), critical: false, extn_value: OctetString::new(value).unwrap() }
}

fn dns_name(name: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(name).unwrap())
}

fn rcgen_params(names: &[&str]) -> rcgen::CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = rcgen::CertificateParams::new(names).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
}

// -- what is accepted

#[test]
fn a_csr_of_rcgen_without_common_name_is_read() {
    let key = rcgen::KeyPair::generate().unwrap();
    let request =
        rcgen_params(&["b.example.test", "A.example.test", "192.0.2.1"]).serialize_request(&key).unwrap();
    let csr = Csr::parse(request.der()).unwrap();
    assert_eq!(csr.names(), [dns("a.example.test"), dns("b.example.test"), ip("192.0.2.1")]);
    assert_eq!(csr.common_name(), None);
    assert!(!csr.wants_must_staple());
    assert_eq!(csr.public_key().der(), rcgen::PublicKeyData::subject_public_key_info(&key));
}

#[test]
fn the_common_name_joins_the_names_in_lower_case_and_once() {
    let csr = Csr::parse(&Draft::new(Some("WWW.Example.test")).sign()).unwrap();
    assert_eq!(csr.names(), [dns("www.example.test")]);
    assert_eq!(csr.common_name(), Some("www.example.test"));

    let draft = Draft::new(Some("www.example.test"));
    let csr = Csr::parse(&draft.names(vec![dns_name("WWW.example.test"), dns_name("*.example.test")]).sign());
    assert_eq!(csr.unwrap().names(), [dns("*.example.test"), dns("www.example.test")]);
}

#[test]
fn a_common_name_that_is_an_address_is_an_address() {
    let csr = Csr::parse(&Draft::new(Some("2001:DB8::1")).sign()).unwrap();
    assert_eq!(csr.names(), [ip("2001:db8::1")]);
    let csr = Csr::parse(&Draft::new(Some("192.0.2.1")).sign()).unwrap();
    assert_eq!(csr.names(), [ip("192.0.2.1")]);
}

/// RFC 2986 wants an empty set there; some clients write nothing.
#[test]
fn attributes_may_be_missing_altogether() {
    let mut draft = Draft::new(Some("www.example.test"));
    draft.info.attributes = None;
    assert!(Csr::parse(&draft.sign()).is_ok());
}

#[test]
fn attributes_nobody_asked_for_are_ignored() {
    let password = Any::new(Tag::Utf8String, *b"secret").unwrap();
    let draft = Draft::new(None).names(vec![dns_name("www.example.test")]);
    let csr = Csr::parse(&draft.attribute(CHALLENGE_PASSWORD, password).sign()).unwrap();
    assert_eq!(csr.names(), [dns("www.example.test")]);
}

/// An extension a subscriber may not have, such as basicConstraints with CA, is not looked at.
#[test]
fn extensions_nobody_asked_for_are_ignored() {
    let names = vec![dns_name("www.example.test")].to_der().unwrap();
    let draft = Draft::new(None).extensions(vec![
        extension("2.5.29.19", &[0x30, 3, 1, 1, 0xff]),
        extension(SUBJECT_ALT_NAME, &names),
    ]);
    assert!(Csr::parse(&draft.sign()).is_ok());
}

#[test]
fn must_staple_is_seen() {
    let mut params = rcgen_params(&["www.example.test"]);
    let content = vec![0x30, 3, 2, 1, 5];
    params.custom_extensions =
        vec![rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 24], content)];
    let request = params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    assert!(Csr::parse(request.der()).unwrap().wants_must_staple());

    // status_request_v2 (17) alone is not must-staple.
    let draft = Draft::new(Some("www.example.test"));
    let draft = draft.extensions(vec![extension(TLS_FEATURE, &[0x30, 3, 2, 1, 17])]);
    assert!(!Csr::parse(&draft.sign()).unwrap().wants_must_staple());
}

#[test]
fn a_p256_key_may_sign_with_sha384_and_sha512() {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
    let spki = key.verifying_key().to_public_key_der().unwrap();
    for (oid, hash) in [(ECDSA_SHA384, &digest::SHA384), (ECDSA_SHA512, &digest::SHA512)] {
        let draft = Draft::new(Some("www.example.test")).key(spki.as_bytes());
        let der = draft.sign_with(oid, |message| {
            let hash = digest::digest(hash, message);
            let signature: p256::ecdsa::Signature = key.sign_prehash(hash.as_ref()).unwrap();
            signature.to_der().as_bytes().to_vec()
        });
        let csr = Csr::parse(&der).unwrap();
        // The key's algorithm comes from the key, never from the signature.
        assert_eq!(csr.public_key().kind(), KeyKind::P256);
        assert_eq!(csr.public_key().der(), spki.as_bytes());
    }
}

#[test]
fn p384_p521_and_ed25519_keys_are_accepted() {
    let request = |key: &rcgen::KeyPair| rcgen_params(&["www.example.test"]).serialize_request(key).unwrap();
    for (algorithm, kind) in
        [(&rcgen::PKCS_ECDSA_P384_SHA384, KeyKind::P384), (&rcgen::PKCS_ED25519, KeyKind::Ed25519)]
    {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        assert_eq!(Csr::parse(request(&key).der()).unwrap().public_key().kind(), kind);
    }

    let p521 = EcdsaKeyPair::generate(&ECDSA_P521_SHA512_ASN1_SIGNING).unwrap();
    let draft = Draft::new(Some("www.example.test")).key(p521.public_key().as_der().unwrap().as_ref());
    let der = draft.sign_with(ECDSA_SHA512, |message| {
        p521.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    });
    assert_eq!(Csr::parse(&der).unwrap().public_key().kind(), KeyKind::P521);

    let ed25519 = Ed25519KeyPair::generate().unwrap();
    let draft = Draft::new(Some("www.example.test")).key(ed25519.public_key().as_der().unwrap().as_ref());
    let der = draft.sign_with(ED25519, |message| ed25519.sign(message).as_ref().to_vec());
    assert_eq!(Csr::parse(&der).unwrap().public_key().kind(), KeyKind::Ed25519);
}

#[test]
fn rsa_keys_may_sign_with_sha256_sha384_and_sha512() {
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap();
    let encodings: [(&str, &'static dyn RsaEncoding); 3] = [
        (RSA_SHA256, &aws_lc_rs::signature::RSA_PKCS1_SHA256),
        (RSA_SHA384, &RSA_PKCS1_SHA384),
        (RSA_SHA512, &RSA_PKCS1_SHA512),
    ];
    for (oid, encoding) in encodings {
        let draft = Draft::new(Some("www.example.test")).key(key.public_key().as_der().unwrap().as_ref());
        let der = draft.sign_with(oid, |message| {
            let mut signature = vec![0; 256];
            key.sign(encoding, &SystemRandom::new(), message, &mut signature).unwrap();
            signature
        });
        assert_eq!(Csr::parse(&der).unwrap().public_key().kind(), KeyKind::Rsa { modulus_bits: 2048 });
    }
}

// -- what is refused

#[test]
fn pem_is_told_to_send_der() {
    let request =
        rcgen_params(&["www.example.test"]).serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap();
    let error = Csr::parse(request.pem().unwrap().as_bytes()).unwrap_err();
    assert_eq!(error, CsrError::Pem);
    assert!(error.to_string().contains("DER"));
}

#[test]
fn a_changed_byte_breaks_the_proof_of_possession() {
    let mut der = Draft::new(Some("www.example.test")).sign();
    let at = der.windows(3).position(|window| window == b"www").unwrap();
    der[at] = b'x';
    assert!(matches!(Csr::parse(&der), Err(CsrError::Signature(_))));
}

#[test]
fn a_csr_signed_by_another_key_is_refused() {
    let other = FileSigner::generate(KeySpec::P256).unwrap();
    let draft = Draft::new(Some("www.example.test")).key(other.public_key().der());
    assert!(matches!(Csr::parse(&draft.sign()), Err(CsrError::Signature(_))));
}

#[test]
fn a_signature_algorithm_of_another_family_is_refused() {
    let der = Draft::new(Some("www.example.test")).sign_with(ED25519, |_| vec![0; 64]);
    let error = Csr::parse(&der).unwrap_err();
    assert!(error.to_string().contains("ECDSA P-256 key cannot be used with Ed25519"), "{error}");
}

#[test]
fn sha1_and_unknown_algorithms_are_refused_by_name() {
    let der = Draft::new(Some("www.example.test")).sign_with(ECDSA_SHA1, |_| vec![0; 70]);
    assert_eq!(Csr::parse(&der), Err(CsrError::Algorithm(AlgorithmError::Broken("ECDSA with SHA-1"))));
    let dsa = "2.16.840.1.101.3.4.3.2";
    let der = Draft::new(Some("www.example.test")).sign_with(dsa, |_| vec![0; 70]);
    assert_eq!(Csr::parse(&der), Err(CsrError::Algorithm(AlgorithmError::Unsupported(dsa.to_owned()))));
    let pss = "1.2.840.113549.1.1.10";
    let der = Draft::new(Some("www.example.test")).sign_with(pss, |_| vec![0; 70]);
    assert_eq!(Csr::parse(&der), Err(CsrError::Algorithm(AlgorithmError::PssParameters)));
}

#[test]
fn an_ml_dsa_key_is_refused_by_name() {
    let signer = FileSigner::generate(KeySpec::MlDsa65).unwrap();
    let draft = Draft::new(Some("www.example.test")).key(signer.public_key().der());
    let der = draft.sign_with("2.16.840.1.101.3.4.3.18", |message| signer.sign(message).unwrap());
    let error = Csr::parse(&der).unwrap_err();
    assert!(error.to_string().contains("ML-DSA-65 is not supported; use ECDSA, RSA or Ed25519"), "{error}");
}

#[test]
fn a_1024_bit_rsa_key_is_refused_for_its_size_and_not_for_its_signature() {
    // SubjectPublicKeyInfo of SEQUENCE { INTEGER 2^1024 - 1, INTEGER 3 }
    let mut modulus = vec![0x02, 0x81, 129, 0];
    modulus.extend([0xff; 128]);
    let key = [[0x30, 0x81, 135].as_slice(), &modulus, &[2, 1, 3]].concat();
    let info = spki::SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: "1.2.840.113549.1.1.1".parse().unwrap(),
            parameters: Some(Any::null()),
        },
        subject_public_key: BitString::from_bytes(&key).unwrap(),
    };
    let draft = Draft::new(Some("www.example.test")).key(&info.to_der().unwrap());
    let error = Csr::parse(&draft.sign_with(RSA_SHA256, |_| vec![0; 128])).unwrap_err();
    assert_eq!(error, CsrError::KeySize(KeyKind::Rsa { modulus_bits: 1024 }));
    assert!(error.to_string().contains("RSA 1024"));
}

#[test]
fn an_unknown_kind_of_key_is_refused_by_name() {
    let dsa = spki::SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid: "1.2.840.10040.4.1".parse().unwrap(), parameters: None },
        subject_public_key: BitString::from_bytes(&[1]).unwrap(),
    };
    let draft = Draft::new(Some("www.example.test")).key(&dsa.to_der().unwrap());
    assert!(matches!(Csr::parse(&draft.sign()), Err(CsrError::Key(SpkiError::UnsupportedAlgorithm(_)))));
}

#[test]
fn other_kinds_of_names_are_refused_by_name() {
    let email = GeneralName::Rfc822Name(Ia5String::new("a@example.test").unwrap());
    let uri = GeneralName::UniformResourceIdentifier(Ia5String::new("https://example.test").unwrap());
    for (name, kind) in [(email, "an email address"), (uri, "a URI")] {
        let draft = Draft::new(Some("www.example.test")).names(vec![dns_name("www.example.test"), name]);
        assert_eq!(Csr::parse(&draft.sign()), Err(CsrError::UnsupportedName(kind)));
    }
}

#[test]
fn texts_that_are_no_names_are_refused() {
    for text in
        ["My Device", "www..example.test", "example.test.", "a.*.test", "*", "müller.test", "a_b.test"]
    {
        let error = Csr::parse(&Draft::new(Some(text)).sign()).unwrap_err();
        assert_eq!(error, CsrError::InvalidName(text.to_lowercase()), "{text}");
    }
    let draft = Draft::new(None).names(vec![dns_name("")]);
    assert_eq!(Csr::parse(&draft.sign()), Err(CsrError::InvalidName(String::new())));
}

#[test]
fn no_names_at_all_and_an_empty_list_of_names_are_refused() {
    assert_eq!(Csr::parse(&Draft::new(None).sign()), Err(CsrError::NoNames));
    let draft = Draft::new(Some("www.example.test")).names(Vec::new());
    assert!(matches!(Csr::parse(&draft.sign()), Err(CsrError::Malformed(_))));
}

#[test]
fn an_empty_common_name_is_none() {
    let mut draft = Draft::new(None).names(vec![dns_name("www.example.test")]);
    // SEQUENCE { SET { SEQUENCE { OID 2.5.4.3, UTF8String "" } } }
    draft.info.subject = any(&[0x30, 11, 0x31, 9, 0x30, 7, 6, 3, 0x55, 4, 3, 0x0c, 0]);
    assert_eq!(Csr::parse(&draft.sign()).unwrap().common_name(), None);
}

#[test]
fn what_may_stand_once_is_refused_twice() {
    let names = vec![dns_name("www.example.test")].to_der().unwrap();
    let twice = vec![extension(SUBJECT_ALT_NAME, &names), extension(SUBJECT_ALT_NAME, &names)];
    let error = Csr::parse(&Draft::new(None).extensions(twice).sign()).unwrap_err();
    assert_eq!(error, CsrError::Repeated("a subjectAltName"));

    let mut draft = Draft::new(None);
    // Two common names: a.test and b.test.
    let attribute =
        |letter: u8| [&[0x31, 15, 0x30, 13, 6, 3, 0x55, 4, 3, 0x0c, 6][..], &[letter], b".test"].concat();
    let subject = [&[0x30, 34][..], &attribute(b'a'), &attribute(b'b')].concat();
    draft.info.subject = any(&subject);
    assert_eq!(Csr::parse(&draft.sign()), Err(CsrError::Repeated("a common name")));

    let draft =
        Draft::new(None).names(vec![dns_name("www.example.test")]).names(vec![dns_name("www2.example.test")]);
    assert_eq!(Csr::parse(&draft.sign()), Err(CsrError::Repeated("an extension request")));
}

#[test]
fn another_version_is_refused() {
    let mut draft = Draft::new(Some("www.example.test"));
    draft.info.version = 1;
    assert_eq!(Csr::parse(&draft.sign()), Err(CsrError::Version));
}

#[test]
fn trailing_bytes_and_long_lengths_are_not_der() {
    let der = Draft::new(Some("www.example.test")).sign();
    let trailing = [&der[..], &[0]].concat();
    assert!(matches!(Csr::parse(&trailing), Err(CsrError::Malformed(_))));
    // The same with its length in three octets instead of two: BER, not DER.
    assert_eq!(der[1], 0x81, "the CSR has 128 to 255 octets");
    let long = [&[0x30, 0x82, 0, der[2]], &der[3..]].concat();
    assert!(matches!(Csr::parse(&long), Err(CsrError::Malformed(_))));
    assert!(matches!(Csr::parse(&[]), Err(CsrError::Malformed(_))));
}
