//! CAs with everything that RFC 5280 has for them, cross-certificates, and OCSP responders.

use cairn_x509::{
    BuildError, CaProfile, Certificate, CertificatePolicy, CrossInputs, FileSigner, IntermediateInputs,
    KeySpec, KeyUsage, Name, NameConstraints, OcspResponderInputs, Purpose, RootInputs, Signer, Subtree,
    Urls, cross_certificate, intermediate, lint_ca, lint_root, ocsp_responder, root,
};
use der::Decode;
use x509_cert::ext::pkix::{NameConstraints as WireNameConstraints, name::GeneralName};

use crate::support::{CA_VALIDITY, Ca, LEAF_VALIDITY, SERIAL};

fn name(common_name: &str) -> Name {
    Name::new(common_name, None).unwrap()
}

fn dns(name: &str) -> Subtree {
    Subtree::Dns(name.to_owned())
}

fn policies() -> Vec<CertificatePolicy> {
    vec![
        CertificatePolicy::new("2.23.140.1.2.1", None).unwrap(),
        CertificatePolicy::new("1.3.6.1.4.1.99999.1", Some("https://ca.example.test/cps")).unwrap(),
    ]
}

/// With every extension there is.
pub(crate) fn full_profile() -> CaProfile {
    CaProfile {
        path_len: Some(1),
        purposes: vec![Purpose::ServerAuth, Purpose::OcspSigning, Purpose::EmailProtection],
        digital_signature: true,
        name_constraints: NameConstraints {
            permitted: vec![dns("example.test"), Subtree::Ip("192.0.2.0/24".parse().unwrap())],
            excluded: vec![dns("secret.example.test"), Subtree::Ip("::/0".parse().unwrap())],
        },
        policies: policies(),
    }
}

const URLS: Urls<'static> = Urls {
    issuer: &["http://a.example.test/root.der", "http://b.example.test/root.der"],
    ocsp: &["http://a.example.test/ocsp"],
    crl: &["http://a.example.test/root.crl", "http://b.example.test/root.crl"],
};

pub(crate) fn made(top: &Ca, profile: &CaProfile, signer: &FileSigner) -> Result<Certificate, BuildError> {
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: signer.public_key(),
        subject: &name("Made"),
        urls: URLS,
    };
    let tbs = intermediate(profile, &top.certificate, top.signer.algorithm(), inputs)?;
    Ok(tbs.sign(&top.signer).unwrap())
}

fn oids(certificate: &Certificate) -> Vec<(String, bool)> {
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let extensions = parsed.tbs_certificate().extensions().unwrap().iter();
    extensions.map(|extension| (extension.extn_id.to_string(), extension.critical)).collect()
}

#[test]
fn an_intermediate_with_everything_says_what_was_asked_for() {
    let top = Ca::root(KeySpec::P384);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let profile = full_profile();
    let certificate = made(&top, &profile, &signer).unwrap();
    let description = certificate.description().unwrap();
    assert_eq!(description.key_usage, [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
    assert_eq!(description.purposes, profile.purposes);
    assert_eq!(description.name_constraints, profile.name_constraints);
    assert_eq!(description.policies, profile.policies);
    assert_eq!(description.issuer_urls, URLS.issuer);
    assert_eq!(description.ocsp_urls, URLS.ocsp);
    assert_eq!(description.crl_urls, URLS.crl);
    assert!(!description.ocsp_no_check);
    assert_eq!(description.others, [""; 0]);
    assert_eq!(certificate.path_len(), Some(1));
    certificate.verify_issued_by(&top.certificate).unwrap();
    // The extensions stand in their order, and only those are critical that RFC 5280 wants so.
    let expected = [
        ("2.5.29.19", true),
        ("2.5.29.15", true),
        ("2.5.29.37", false),
        ("2.5.29.14", false),
        ("2.5.29.35", false),
        ("1.3.6.1.5.5.7.1.1", false),
        ("2.5.29.31", false),
        ("2.5.29.30", true),
        ("2.5.29.32", false),
    ];
    assert_eq!(oids(&certificate), expected.map(|(oid, critical)| (oid.to_owned(), critical)));
}

/// RFC 5280 §4.2.1.10: an address and its mask, 8 octets for IPv4 and 32 for IPv6.
#[test]
fn name_constraints_are_what_x509_cert_reads() {
    let top = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let certificate = made(&top, &full_profile(), &signer).unwrap();
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let (critical, constraints) =
        parsed.tbs_certificate().get_extension::<WireNameConstraints>().unwrap().unwrap();
    assert!(critical);
    let bases = |subtrees: Option<Vec<x509_cert::ext::pkix::constraints::name::GeneralSubtree>>| {
        subtrees.unwrap().into_iter().map(|subtree| subtree.base).collect::<Vec<_>>()
    };
    let permitted = bases(constraints.permitted_subtrees);
    assert!(matches!(&permitted[0], GeneralName::DnsName(name) if name.as_str() == "example.test"));
    let octets = [192, 0, 2, 0, 255, 255, 255, 0];
    assert!(matches!(&permitted[1], GeneralName::IpAddress(address) if address.as_bytes() == octets));
    let excluded = bases(constraints.excluded_subtrees);
    assert!(matches!(&excluded[1], GeneralName::IpAddress(address) if address.as_bytes() == [0; 32]));
}

#[test]
fn constraints_that_cannot_be_are_refused_with_a_text() {
    let top = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let mut profile = CaProfile::for_tls();
    profile.name_constraints.permitted.push(dns("*.example.test"));
    let error = made(&top, &profile, &signer).unwrap_err();
    assert_eq!(error.to_string(), "\"*.example.test\" is no DNS name such as example.test");
}

#[test]
fn an_intermediate_with_its_issuers_name_is_refused() {
    let top = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: signer.public_key(),
        subject: top.certificate.subject(),
        urls: Urls::default(),
    };
    let built = intermediate(&CaProfile::for_tls(), &top.certificate, top.signer.algorithm(), inputs);
    assert_eq!(built.unwrap_err(), BuildError::SameName);
}

#[test]
fn a_roots_key_may_sign_ocsp_responses() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = RootInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: signer.public_key(),
        subject: &name("Root"),
        digital_signature: true,
    };
    let certificate = root(signer.algorithm(), inputs).unwrap().sign(&signer).unwrap();
    let usage = certificate.description().unwrap().key_usage;
    assert_eq!(usage, [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
    assert_eq!(lint_root(&certificate), []);
}

// -- cross-certificates

fn root_named(common_name: &str, spec: KeySpec) -> Ca {
    let signer = FileSigner::generate(spec).unwrap();
    let inputs = RootInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: signer.public_key(),
        subject: &name(common_name),
        digital_signature: false,
    };
    let certificate = root(signer.algorithm(), inputs).unwrap().sign(&signer).unwrap();
    Ca { certificate, signer }
}

fn crossed(existing: &Certificate, by: &Ca, profile: &CaProfile) -> Result<Certificate, BuildError> {
    let inputs = CrossInputs { serial: &[2; 16], validity: LEAF_VALIDITY, existing, urls: URLS };
    Ok(cross_certificate(profile, &by.certificate, by.signer.algorithm(), inputs)?.sign(&by.signer).unwrap())
}

#[test]
fn what_a_ca_issued_chains_to_both_roots_by_a_cross_certificate() {
    let (new, old) = (root_named("New Root", KeySpec::MlDsa65), root_named("Old Root", KeySpec::P384));
    let cross = crossed(&new.certificate, &old, &CaProfile::default()).unwrap();
    assert_eq!(cross.subject().der(), new.certificate.subject().der());
    assert_eq!(cross.public_key(), new.certificate.public_key());
    assert_eq!(cross.subject_key_identifier(), new.certificate.subject_key_identifier());
    assert_eq!(cross.authority_key_identifier(), old.certificate.subject_key_identifier());
    cross.verify_issued_by(&old.certificate).unwrap();
    assert_eq!(lint_ca(&cross, &old.certificate), []);

    let below = new.intermediate(KeySpec::P256).certificate;
    below.verify_issued_by(&new.certificate).unwrap();
    below.verify_issued_by(&cross).unwrap();
}

/// The identifier is the one in use, whoever computed it and how.
#[test]
fn a_cross_certificate_repeats_a_foreign_key_identifier() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1, 2, 3]);
    let theirs = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    let old = root_named("Old Root", KeySpec::P256);
    let cross = crossed(&theirs, &old, &CaProfile::default()).unwrap();
    assert_eq!(cross.subject_key_identifier(), Some([1, 2, 3].as_slice()));
    assert_eq!(cross.subject().der(), theirs.subject().der());
}

#[test]
fn a_cross_certificate_has_a_path_length_of_its_own() {
    let (new, old) = (root_named("New Root", KeySpec::P256), root_named("Old Root", KeySpec::P256));
    let cross = crossed(&new.certificate, &old, &full_profile()).unwrap();
    assert_eq!(cross.path_len(), Some(1));
    assert_eq!(cross.description().unwrap().name_constraints, full_profile().name_constraints);
    // Below an intermediate that allows none there is no room for it.
    let middle = old.intermediate(KeySpec::P256);
    assert_eq!(crossed(&new.certificate, &middle, &full_profile()), Err(BuildError::PathLength));
}

#[test]
fn only_another_ca_can_be_cross_certified() {
    let old = root_named("Old Root", KeySpec::P256);
    let leaf = old.ordinary_leaf(&old.signer);
    assert_eq!(crossed(&leaf, &old, &CaProfile::default()), Err(BuildError::SubjectNotACa));
    assert_eq!(crossed(&old.certificate, &old, &CaProfile::default()), Err(BuildError::SameName));
}

// -- OCSP responders

/// RFC 6960 §4.2.2.2.
#[test]
fn an_ocsp_responder_signs_responses_and_nothing_else() {
    let ca = Ca::root(KeySpec::P384);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = OcspResponderInputs {
        serial: &SERIAL,
        validity: LEAF_VALIDITY,
        public_key: signer.public_key(),
        subject: &name("Responder"),
    };
    let tbs = ocsp_responder(&ca.certificate, ca.signer.algorithm(), inputs).unwrap();
    let certificate = tbs.sign(&ca.signer).unwrap();
    certificate.verify_issued_by(&ca.certificate).unwrap();
    let description = certificate.description().unwrap();
    assert!(!certificate.is_ca());
    assert!(description.ocsp_no_check);
    assert_eq!(description.purposes, [Purpose::OcspSigning]);
    assert_eq!(description.key_usage, [KeyUsage::DigitalSignature]);
    assert_eq!(description.others, [""; 0]);
    // The value of id-pkix-ocsp-nocheck is NULL.
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let mut extensions = parsed.tbs_certificate().extensions().unwrap().iter();
    let no_check = extensions.find(|one| one.extn_id.to_string() == "1.3.6.1.5.5.7.48.1.5").unwrap();
    assert_eq!(no_check.extn_value.as_bytes(), [5, 0]);
    assert!(!no_check.critical);

    let inputs = OcspResponderInputs { subject: ca.certificate.subject(), ..inputs };
    let built = ocsp_responder(&ca.certificate, ca.signer.algorithm(), inputs);
    assert_eq!(built.unwrap_err(), BuildError::SameName);
}

// -- what else a certificate says

#[test]
fn what_is_not_described_is_told_in_words() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["www.example.test".to_owned()]).unwrap();
    let mut unknown = rcgen::CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
    unknown.set_criticality(true);
    params.custom_extensions = vec![unknown];
    let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    let description = certificate.description().unwrap();
    assert_eq!(description.others, ["critical extension 1.3.6.1.4.1.99999.1"]);
}

#[test]
fn a_malformed_extension_is_an_error_when_it_is_described() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(&[2, 5, 29, 30], vec![1, 1, 0])];
    let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    assert!(certificate.description().is_err());
}
