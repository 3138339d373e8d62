//! CSRs between CAs.

use cairn_x509::{
    CaCsr, CaCsrError, CaProfile, CaRequest, Csr, CsrError, CsrRequest, FileSigner, IntermediateInputs,
    KeySpec, KeyUsage, Name, SignatureAlgorithm, Signer, Urls, intermediate, lint_intermediate,
};
use der::{Decode, Encode};

use crate::support::{CA_VALIDITY, Ca, SERIAL};

const CA: Option<CaRequest> = Some(CaRequest { path_len: Some(0), digital_signature: false });

fn name() -> Name {
    Name::new("Our Intermediate", Some("Example")).unwrap()
}

#[test]
fn a_request_reads_back_as_it_was_made_for_keys_of_every_kind() {
    let pss = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let pss = pss.with_algorithm(SignatureAlgorithm::RsaPssSha256).unwrap();
    let generated = [KeySpec::P256, KeySpec::P384, KeySpec::Ed25519, KeySpec::MlDsa44, KeySpec::MlDsa87]
        .map(|spec| FileSigner::generate(spec).unwrap());
    for signer in generated.into_iter().chain([pss]) {
        let csr = CsrRequest { subject: &name(), ca: CA }.sign(&signer).unwrap();
        assert_eq!(CaCsr::from_der(csr.der()).unwrap(), csr);
        assert_eq!(CaCsr::from_pem(&csr.to_pem()).unwrap(), csr);
        assert_eq!(csr.subject().der(), name().der());
        assert_eq!(csr.public_key(), signer.public_key());
        assert!(csr.asks_for_ca());
        assert_eq!(csr.path_len(), Some(0));
        assert_eq!(csr.subject_key_identifier(), Some(signer.public_key().key_identifier().as_slice()));
        assert_eq!(csr.description().key_usage, [KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
        assert_eq!(csr.description().others, [""; 0]);
    }
}

#[test]
fn a_request_without_wishes_has_an_empty_set_of_attributes() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let csr = CsrRequest { subject: &name(), ca: None }.sign(&signer).unwrap();
    assert!(!csr.asks_for_ca());
    assert_eq!(csr.subject_key_identifier(), None);
    // RFC 2986 §4.1, seen by x509-cert.
    let theirs = x509_cert::request::CertReq::from_der(csr.der()).unwrap();
    assert_eq!(theirs.info.attributes.len(), 0);
    assert_eq!(theirs.to_der().unwrap(), csr.der());
    assert_eq!(theirs.info.subject.to_string(), "CN=Our Intermediate,O=Example");
}

#[test]
fn what_another_ca_asks_for_is_issued_by_ours() {
    let top = Ca::root(KeySpec::P384);
    let theirs = FileSigner::generate(KeySpec::MlDsa65).unwrap();
    let csr = CsrRequest { subject: &name(), ca: CA }.sign(&theirs).unwrap();
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: csr.public_key(),
        subject: csr.subject(),
        urls: Urls::default(),
    };
    let tbs = intermediate(&CaProfile::for_tls(), &top.certificate, top.signer.algorithm(), inputs).unwrap();
    let certificate = tbs.sign(&top.signer).unwrap();
    assert_eq!(lint_intermediate(&certificate, &top.certificate), []);
    assert_eq!(certificate.subject_key_identifier(), csr.subject_key_identifier());
}

#[test]
fn a_request_of_rcgen_is_read() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "Their CA");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(2));
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let request = params.serialize_request(&key).unwrap();
    let csr = CaCsr::from_der(request.der()).unwrap();
    assert_eq!(csr.subject().common_name(), Some("Their CA"));
    assert_eq!(csr.description().key_usage, [KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
    assert_eq!(csr.public_key().der(), rcgen::PublicKeyData::subject_public_key_info(&key));
}

#[test]
fn a_changed_request_is_refused() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let csr = CsrRequest { subject: &name(), ca: CA }.sign(&signer).unwrap();
    let mut der = csr.der().to_vec();
    let at = der.windows(3).position(|window| window == b"Our").unwrap();
    der[at] = b'Y';
    assert!(matches!(CaCsr::from_der(&der), Err(CaCsrError::Signature(_))));
    let mut longer = csr.der().to_vec();
    longer.push(0);
    assert!(matches!(CaCsr::from_der(&longer), Err(CaCsrError::Malformed(_))));
    assert_eq!(CaCsr::from_der(&vec![0; 1 << 17]), Err(CaCsrError::TooLong(1 << 17)));
    assert_eq!(CaCsr::from_pem("CERTIFICATE REQUEST"), Err(CaCsrError::Pem));
}

/// RFC 5280 §4.2, RFC 2985 §5.4.2.
#[test]
fn what_may_stand_once_in_a_request_is_refused_twice() {
    use der::asn1::{Any, SetOfVec};
    use x509_cert::attr::Attribute;
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let csr = CsrRequest { subject: &name(), ca: CA }.sign(&signer).unwrap();
    let resigned = |spoil: &dyn Fn(&mut x509_cert::request::CertReqInfo)| {
        let mut theirs = x509_cert::request::CertReq::from_der(csr.der()).unwrap();
        spoil(&mut theirs.info);
        let signature = signer.sign(&theirs.info.to_der().unwrap()).unwrap();
        theirs.signature = der::asn1::BitString::from_bytes(&signature).unwrap();
        CaCsr::from_der(&theirs.to_der().unwrap())
    };
    assert_eq!(resigned(&|_| {}).unwrap().subject(), csr.subject());
    let set = |info: &mut x509_cert::request::CertReqInfo, values: Vec<Any>| {
        let oid = "1.2.840.113549.1.9.14".parse().unwrap();
        let values = SetOfVec::try_from(values).unwrap();
        info.attributes = SetOfVec::try_from(vec![Attribute { oid, values }]).unwrap();
    };
    let usage = [0x30, 14, 6, 3, 0x55, 0x1d, 15, 1, 1, 0xff, 4, 4, 3, 2, 1, 6];
    let list = |times| Any::new(der::Tag::Sequence, usage.repeat(times)).unwrap();
    let twice = resigned(&|info| set(info, vec![list(2)]));
    assert_eq!(twice, Err(CaCsrError::Repeated("extension 2.5.29.15".to_owned())));
    let lists = resigned(&|info| set(info, vec![list(0), list(1)]));
    assert_eq!(lists, Err(CaCsrError::Repeated("an extension request".to_owned())));
    let malformed = resigned(&|info| set(info, vec![Any::new(der::Tag::Sequence, [5, 0]).unwrap()]));
    assert!(matches!(malformed, Err(CaCsrError::Malformed(_))));
    let once = resigned(&|info| set(info, vec![list(1)])).unwrap();
    assert_eq!(once.description().key_usage, [KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
}

#[test]
fn a_request_needs_a_subject() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let empty = Name::common_name_only(None).unwrap();
    let made = CsrRequest { subject: &empty, ca: CA }.sign(&signer);
    assert_eq!(made, Err(CaCsrError::NoSubject));
}

/// A subscriber's request is read by its own rules, which know neither such names nor such keys.
#[test]
fn the_request_of_a_ca_is_none_of_a_subscribers() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let csr = CsrRequest { subject: &name(), ca: CA }.sign(&signer).unwrap();
    assert_eq!(Csr::parse(csr.der()), Err(CsrError::InvalidName("our intermediate".to_owned())));

    let subject = Name::new("www.example.test", None).unwrap();
    let signer = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let signer = signer.with_algorithm(SignatureAlgorithm::RsaPssSha256).unwrap();
    let csr = CsrRequest { subject: &subject, ca: None }.sign(&signer).unwrap();
    let error = Csr::parse(csr.der()).unwrap_err();
    assert!(error.to_string().contains("RSASSA-PSS with SHA-256 is not supported"), "{error}");
    let signer = FileSigner::generate(KeySpec::MlDsa87).unwrap();
    let csr = CsrRequest { subject: &subject, ca: None }.sign(&signer).unwrap();
    let error = Csr::parse(csr.der()).unwrap_err();
    assert!(error.to_string().contains("ML-DSA-87 is not supported"), "{error}");
}
