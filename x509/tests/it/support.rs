//! A small world to issue in, and a forge for certificates the builder would never make.

use cairn_x509::{
    CaProfile, Certificate, FileSigner, IntermediateInputs, KeySpec, LeafInputs, LeafProfile, Name,
    RootInputs, Signer, SubjectAltName, TbsCertificate, Urls, Validity, intermediate, leaf, root,
};
use der::{
    Decode, Encode, Sequence, Tag,
    asn1::{Any, BitString},
};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::Extension;

/// 2026-01-01T00:00:00Z
pub(crate) const NOW: i64 = 1_767_225_600;
pub(crate) const DAY: i64 = 86_400;

/// From yesterday to the year 2056, so that both forms of time occur.
pub(crate) const CA_VALIDITY: Validity = Validity { not_before: NOW - DAY, not_after: NOW + 30 * 365 * DAY };

/// Ninety days.
pub(crate) const LEAF_VALIDITY: Validity = Validity { not_before: NOW, not_after: NOW + 90 * DAY - 1 };

pub(crate) const SERIAL: [u8; 18] = [0x7f; 18];

pub(crate) struct Ca {
    pub(crate) certificate: Certificate,
    pub(crate) signer: FileSigner,
}

impl Ca {
    pub(crate) fn root(spec: KeySpec) -> Self {
        Self::root_of(FileSigner::generate(spec).unwrap())
    }

    pub(crate) fn root_of(signer: FileSigner) -> Self {
        let subject = Name::new("Cairn Test Root", Some("Cairn")).unwrap();
        let inputs = RootInputs {
            serial: &SERIAL,
            validity: CA_VALIDITY,
            public_key: signer.public_key(),
            subject: &subject,
            digital_signature: false,
        };
        let certificate = root(signer.algorithm(), inputs).unwrap().sign(&signer).unwrap();
        Self { certificate, signer }
    }

    pub(crate) fn intermediate(&self, spec: KeySpec) -> Self {
        let signer = FileSigner::generate(spec).unwrap();
        let subject = Name::new("Cairn Test Intermediate", None).unwrap();
        let inputs = IntermediateInputs {
            serial: &SERIAL,
            validity: CA_VALIDITY,
            public_key: signer.public_key(),
            subject: &subject,
            urls: Urls {
                crl: &["http://crl.example.test/root.crl"],
                issuer: &["http://ca.example.test/root.der"],
                ocsp: &[],
            },
        };
        let profile = CaProfile::for_tls();
        let tbs = intermediate(&profile, &self.certificate, self.signer.algorithm(), inputs).unwrap();
        Self { certificate: tbs.sign(&self.signer).unwrap(), signer }
    }

    pub(crate) fn leaf(&self, profile: LeafProfile, inputs: LeafInputs<'_>) -> TbsCertificate {
        leaf(&profile, &self.certificate, self.signer.algorithm(), inputs).unwrap()
    }

    /// An ordinary leaf, signed.
    pub(crate) fn ordinary_leaf(&self, subscriber: &FileSigner) -> Certificate {
        let names = [dns("www.example.test")];
        self.leaf(LeafProfile::default(), leaf_inputs(subscriber, &names)).sign(&self.signer).unwrap()
    }
}

pub(crate) fn leaf_inputs<'a>(subscriber: &'a FileSigner, names: &'a [SubjectAltName]) -> LeafInputs<'a> {
    LeafInputs {
        serial: &SERIAL,
        validity: LEAF_VALIDITY,
        public_key: subscriber.public_key(),
        names,
        common_name: None,
        crl_url: None,
        ocsp_url: None,
        issuer_url: None,
    }
}

pub(crate) fn dns(name: &str) -> SubjectAltName {
    SubjectAltName::Dns(name.to_owned())
}

pub(crate) fn ip(address: &str) -> SubjectAltName {
    SubjectAltName::Ip(address.parse().unwrap())
}

/// A certificate taken to pieces, to be put together wrongly. The signature is left as it was: lints and the
/// reader do not look at it.
#[derive(Clone, Sequence)]
pub(crate) struct Forge {
    pub(crate) tbs: ForgedTbs,
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

#[derive(Clone, Sequence)]
pub(crate) struct ForgedTbs {
    #[asn1(context_specific = "0", optional = "true")]
    pub(crate) version: Option<u8>,
    pub(crate) serial: Any,
    pub(crate) algorithm: AlgorithmIdentifierOwned,
    pub(crate) issuer: Any,
    pub(crate) validity: Any,
    pub(crate) subject: Any,
    pub(crate) public_key: Any,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(crate) issuer_unique_id: Option<BitString>,
    #[asn1(context_specific = "3", optional = "true")]
    pub(crate) extensions: Option<Vec<Extension>>,
}

impl Forge {
    pub(crate) fn open(certificate: &Certificate) -> Self {
        Self::from_der(certificate.der()).unwrap()
    }

    pub(crate) fn close(&self) -> Certificate {
        Certificate::from_der(&self.to_der().unwrap()).unwrap()
    }

    pub(crate) fn extensions(&mut self) -> &mut Vec<Extension> {
        self.tbs.extensions.as_mut().unwrap()
    }

    pub(crate) fn extension(&mut self, oid: &str) -> &mut Extension {
        self.extensions().iter_mut().find(|extension| extension.extn_id.to_string() == oid).unwrap()
    }

    pub(crate) fn drop_extension(&mut self, oid: &str) {
        self.extensions().retain(|extension| extension.extn_id.to_string() != oid);
    }

    pub(crate) fn replace_extension(&mut self, oid: &str, value: &impl Encode) {
        self.extension(oid).extn_value = der::asn1::OctetString::new(value.to_der().unwrap()).unwrap();
    }

    pub(crate) fn add_extension(&mut self, oid: &str, critical: bool, value: &[u8]) {
        let extn_value = der::asn1::OctetString::new(value).unwrap();
        self.extensions().push(Extension { extn_id: oid.parse().unwrap(), critical, extn_value });
    }
}

pub(crate) fn integer(octets: &[u8]) -> Any {
    Any::new(Tag::Integer, octets).unwrap()
}
