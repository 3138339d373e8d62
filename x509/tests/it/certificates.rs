//! What the builder builds, seen with x509-cert's eyes and verified with the p256 and p384 crates.

use cairn_x509::{
    BuildError, CaProfile, Certificate, CertificateError, FileSigner, IntermediateInputs, KeySpec,
    LeafProfile, Name, RootInputs, SignError, SignatureAlgorithm, Signer, TbsCertificate, Urls, Validity,
    VerifyError, intermediate, leaf, lint_ca, lint_leaf, root, throwaway_signer,
};
use der::{Decode, Encode};
use p256::{ecdsa::signature::Verifier, pkcs8::DecodePublicKey};
use x509_cert::{Version, ext::pkix::KeyUsage, time::Time};

use crate::support::{CA_VALIDITY, Ca, DAY, LEAF_VALIDITY, NOW, SERIAL, dns, ip, leaf_inputs};

/// The dotted OIDs of a certificate's extensions and whether they are critical, in their order.
fn extensions(certificate: &Certificate) -> Vec<(String, bool)> {
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let extensions = parsed.tbs_certificate().extensions().unwrap();
    extensions.iter().map(|extension| (extension.extn_id.to_string(), extension.critical)).collect()
}

fn expected(list: &[(&str, bool)]) -> Vec<(String, bool)> {
    list.iter().map(|(oid, critical)| ((*oid).to_owned(), *critical)).collect()
}

#[test]
fn a_leaf_with_everything_has_its_extensions_in_order() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let profile = LeafProfile { must_staple: true, client_auth: true, ..LeafProfile::default() };
    let names = [dns("www.example.test"), dns("*.example.test"), ip("192.0.2.1"), ip("2001:db8::1")];
    let mut inputs = leaf_inputs(&subscriber, &names);
    inputs.crl_url = Some("http://crl.example.test/1.crl");
    inputs.ocsp_url = Some("http://ocsp.example.test/");
    inputs.issuer_url = Some("http://ca.example.test/issuer.der");
    let certificate = ca.leaf(profile, inputs).sign(&ca.signer).unwrap();

    assert_eq!(
        extensions(&certificate),
        expected(&[
            ("2.5.29.15", true),
            ("2.5.29.37", false),
            ("2.5.29.19", true),
            ("2.5.29.14", false),
            ("2.5.29.35", false),
            ("2.5.29.17", false),
            ("1.3.6.1.5.5.7.1.1", false),
            ("2.5.29.31", false),
            ("1.3.6.1.5.5.7.1.24", false),
        ])
    );
    assert_eq!(certificate.names(), names);
    assert_eq!(certificate.subject().to_string(), "CN=www.example.test");
    assert_eq!(certificate.serial(), SERIAL);
    assert_eq!(certificate.validity(), LEAF_VALIDITY);
    assert_eq!(certificate.validity().lifetime(), 90 * DAY);
    assert_eq!(certificate.public_key(), subscriber.public_key());
    assert_eq!(
        certificate.subject_key_identifier(),
        Some(subscriber.public_key().key_identifier().as_slice())
    );
    assert_eq!(certificate.authority_key_identifier(), ca.certificate.subject_key_identifier());
    assert!(!certificate.is_ca());
    assert_eq!(lint_leaf(&certificate, &ca.certificate), []);
}

#[test]
fn what_x509_cert_reads_is_what_was_asked_for() {
    let ca = Ca::root(KeySpec::P384);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let certificate = ca.ordinary_leaf(&subscriber);
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    let tbs = parsed.tbs_certificate();
    assert_eq!(parsed.to_der().unwrap(), certificate.der());
    assert_eq!(tbs.to_der().unwrap(), certificate.tbs_der());
    assert_eq!(tbs.version(), Version::V3);
    assert_eq!(tbs.serial_number().as_bytes(), SERIAL);
    assert_eq!(tbs.signature().oid.to_string(), "1.2.840.10045.4.3.3");
    assert!(tbs.signature().parameters.is_none());
    assert!(matches!(tbs.validity().not_after, Time::UtcTime(_)));
    assert_eq!(tbs.validity().not_before.to_date_time().to_string(), "2026-01-01T00:00:00Z");
    assert_eq!(tbs.validity().not_after.to_date_time().to_string(), "2026-03-31T23:59:59Z");
}

#[test]
fn the_p256_and_p384_crates_agree_with_our_signatures() {
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let signature = |certificate: &Certificate| {
        let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
        parsed.signature().as_bytes().unwrap().to_vec()
    };

    let ca = Ca::root(KeySpec::P256);
    let certificate = ca.ordinary_leaf(&subscriber);
    let key = p256::ecdsa::VerifyingKey::from_public_key_der(ca.certificate.public_key().der()).unwrap();
    let wire = p256::ecdsa::Signature::from_der(&signature(&certificate)).unwrap();
    key.verify(certificate.tbs_der(), &wire).unwrap();

    let ca = Ca::root(KeySpec::P384);
    let certificate = ca.ordinary_leaf(&subscriber);
    let key = p384::ecdsa::VerifyingKey::from_public_key_der(ca.certificate.public_key().der()).unwrap();
    let wire = p384::ecdsa::Signature::from_der(&signature(&certificate)).unwrap();
    key.verify(certificate.tbs_der(), &wire).unwrap();
}

#[test]
fn a_chain_of_three_verifies_link_by_link_and_no_other_way() {
    let top = Ca::root(KeySpec::P384);
    let middle = top.intermediate(KeySpec::P256);
    let leaf = middle.ordinary_leaf(&FileSigner::generate(KeySpec::P256).unwrap());
    top.certificate.verify_issued_by(&top.certificate).unwrap();
    middle.certificate.verify_issued_by(&top.certificate).unwrap();
    leaf.verify_issued_by(&middle.certificate).unwrap();

    assert!(matches!(leaf.verify_issued_by(&top.certificate), Err(VerifyError::Name { .. })));
    // The same name, another key.
    let impostor = top.intermediate(KeySpec::P256);
    assert_eq!(leaf.verify_issued_by(&impostor.certificate), Err(VerifyError::KeyIdentifier));
}

#[test]
fn a_signature_by_another_key_does_not_verify() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let tbs = ca.leaf(LeafProfile::default(), leaf_inputs(&subscriber, &names));
    let rehearsal = tbs.sign(&throwaway_signer(&ca.signer).unwrap()).unwrap();
    assert!(matches!(rehearsal.verify_issued_by(&ca.certificate), Err(VerifyError::Signature(_))));
    // Yet it is the same TBS, byte for byte, and lints look at nothing else.
    assert_eq!(rehearsal.tbs_der(), tbs.sign(&ca.signer).unwrap().tbs_der());
    assert_eq!(lint_leaf(&rehearsal, &ca.certificate), []);
}

#[test]
fn a_leaf_is_no_issuer() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let certificate = ca.ordinary_leaf(&subscriber);
    let names = [dns("www.example.test")];
    let built =
        leaf(&LeafProfile::default(), &certificate, subscriber.algorithm(), leaf_inputs(&subscriber, &names));
    assert_eq!(built.unwrap_err(), BuildError::IssuerNotACa);
}

#[test]
fn a_recorded_tbs_read_back_is_signed_as_the_same_bytes() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let tbs = ca.leaf(LeafProfile::default(), leaf_inputs(&subscriber, &names));
    let recorded = TbsCertificate::from_der(tbs.der()).unwrap();
    assert_eq!(recorded, tbs);
    let certificate = recorded.sign(&ca.signer).unwrap();
    assert_eq!(certificate.tbs_der(), tbs.der());
    assert_eq!(Certificate::from_der(certificate.der()).unwrap(), certificate);
}

#[test]
fn a_signer_with_another_algorithm_is_refused() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let tbs = ca.leaf(LeafProfile::default(), leaf_inputs(&subscriber, &names));
    assert_eq!(
        tbs.sign(&FileSigner::generate(KeySpec::P384).unwrap()).unwrap_err(),
        SignError::AlgorithmMismatch {
            tbs: SignatureAlgorithm::EcdsaSha256,
            signer: SignatureAlgorithm::EcdsaSha384
        }
    );
}

#[test]
fn pem_has_64_columns_and_nothing_around_it() {
    let ca = Ca::root(KeySpec::P256);
    let pem = ca.certificate.to_pem();
    let lines: Vec<&str> = pem.lines().collect();
    assert_eq!(lines.first(), Some(&"-----BEGIN CERTIFICATE-----"));
    assert_eq!(lines.last(), Some(&"-----END CERTIFICATE-----"));
    assert!(lines[1..lines.len() - 2].iter().all(|line| line.len() == 64));
    assert!(pem.ends_with("-----END CERTIFICATE-----\n"));
    assert_eq!(Certificate::from_pem(&pem).unwrap(), ca.certificate);

    let key = ca.signer.to_pkcs8_pem(None).unwrap();
    assert_eq!(Certificate::from_pem(&key), Err(CertificateError::Pem));
    assert_eq!(Certificate::from_pem(&format!("{pem}{pem}")), Err(CertificateError::Pem));
}

#[test]
fn an_rsa_subscriber_and_an_rsa_issuer_are_linted_clean() {
    let ca = Ca::root(KeySpec::Rsa2048);
    let subscriber = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let certificate = ca.ordinary_leaf(&subscriber);
    assert_eq!(lint_leaf(&certificate, &ca.certificate), []);
    certificate.verify_issued_by(&ca.certificate).unwrap();
    let parsed = x509_cert::Certificate::from_der(certificate.der()).unwrap();
    assert!(parsed.signature_algorithm().parameters.as_ref().unwrap().is_null());
    let (_, usage) = parsed.tbs_certificate().get_extension::<KeyUsage>().unwrap().unwrap();
    assert!(usage.digital_signature() && usage.key_encipherment());
}

#[test]
fn cas_of_every_kind_of_key_are_linted_clean_and_verify() {
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    for spec in [KeySpec::P384, KeySpec::Ed25519, KeySpec::MlDsa44, KeySpec::MlDsa65, KeySpec::MlDsa87] {
        let top = Ca::root(spec);
        let middle = top.intermediate(spec);
        let leaf = middle.ordinary_leaf(&subscriber);
        top.certificate.verify_issued_by(&top.certificate).unwrap();
        middle.certificate.verify_issued_by(&top.certificate).unwrap();
        leaf.verify_issued_by(&middle.certificate).unwrap();
        assert_eq!(lint_ca(&top.certificate, &top.certificate), [], "{spec}");
        assert_eq!(lint_ca(&middle.certificate, &top.certificate), [], "{spec}");
        assert_eq!(lint_leaf(&leaf, &middle.certificate), [], "{spec}");
    }
}

/// BRs §7.1.3.2.1: the whole AlgorithmIdentifier, octet by octet.
#[test]
fn an_rsa_ca_that_is_told_to_signs_with_pss() {
    let signer = FileSigner::generate(KeySpec::Rsa2048).unwrap();
    let signer = signer.with_algorithm(SignatureAlgorithm::RsaPssSha256).unwrap();
    let ca = Ca::root_of(signer);
    ca.certificate.verify_issued_by(&ca.certificate).unwrap();
    assert_eq!(lint_ca(&ca.certificate, &ca.certificate), []);
    assert_eq!(ca.certificate.signature_algorithm(), SignatureAlgorithm::RsaPssSha256);
    let parsed = x509_cert::Certificate::from_der(ca.certificate.der()).unwrap();
    let hex: String =
        parsed.signature_algorithm().to_der().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        "304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d0609\
         6086480165030402010500a203020120"
    );
    // The key itself is an ordinary RSA key (BRs §7.1.3.1.1).
    assert_eq!(
        parsed.tbs_certificate().subject_public_key_info().algorithm.oid.to_string(),
        "1.2.840.113549.1.1.1"
    );
}

#[test]
fn an_rcgen_certificate_is_read() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["www.example.test".to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(3));
    let theirs = params.self_signed(&key).unwrap();
    let certificate = Certificate::from_der(theirs.der()).unwrap();
    assert_eq!(certificate.names(), [dns("www.example.test")]);
    assert!(certificate.is_ca());
    assert_eq!(certificate.path_len(), Some(3));
    certificate.verify_issued_by(&certificate).unwrap();
}

// -- the subject

fn subject_of(profile: LeafProfile, wish: Option<&str>, names: &[cairn_x509::SubjectAltName]) -> Certificate {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let mut inputs = leaf_inputs(&subscriber, names);
    inputs.common_name = wish;
    let certificate = ca.leaf(profile, inputs).sign(&ca.signer).unwrap();
    assert_eq!(lint_leaf(&certificate, &ca.certificate), []);
    certificate
}

#[test]
fn the_common_name_is_the_wish_if_it_is_among_the_names_else_the_first_dns_name() {
    let names = [ip("192.0.2.1"), dns("a.example.test"), dns("b.example.test")];
    let common_name =
        |wish| subject_of(LeafProfile::default(), wish, &names).subject().common_name().map(str::to_owned);
    assert_eq!(common_name(Some("b.example.test")).as_deref(), Some("b.example.test"));
    assert_eq!(common_name(Some("192.0.2.1")).as_deref(), Some("192.0.2.1"));
    assert_eq!(common_name(Some("evil.example.test")).as_deref(), Some("a.example.test"));
    assert_eq!(common_name(None).as_deref(), Some("a.example.test"));
}

/// RFC 5280 §4.2.1.6: the subjectAltName is critical if the subject is empty.
#[test]
fn without_a_common_name_the_subject_is_empty_and_the_alternative_name_critical() {
    let long = format!("{}.example.test", "x".repeat(60));
    let without = LeafProfile { common_name: false, ..LeafProfile::default() };
    for certificate in [
        subject_of(without, Some("a.example.test"), &[dns("a.example.test")]),
        subject_of(LeafProfile::default(), Some(&long), &[dns(&long)]),
        subject_of(LeafProfile::default(), None, &[ip("2001:db8::1")]),
    ] {
        assert!(certificate.subject().is_empty());
        assert!(extensions(&certificate).contains(&("2.5.29.17".to_owned(), true)));
    }
}

#[test]
fn a_single_label_is_a_good_name_for_a_private_ca() {
    let certificate = subject_of(LeafProfile::default(), None, &[dns("localhost")]);
    assert_eq!(certificate.subject().common_name(), Some("localhost"));
}

// -- what is refused

#[test]
fn a_leaf_never_outlives_its_issuer_nor_begins_before_it() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let built = |validity| {
        let mut inputs = leaf_inputs(&subscriber, &names);
        inputs.validity = validity;
        leaf(&LeafProfile::default(), &ca.certificate, ca.signer.algorithm(), inputs)
    };
    assert!(built(CA_VALIDITY).is_ok());
    for validity in [
        Validity { not_before: NOW, not_after: CA_VALIDITY.not_after + 1 },
        Validity { not_before: CA_VALIDITY.not_before - 1, not_after: NOW },
    ] {
        assert_eq!(built(validity).unwrap_err(), BuildError::BeyondIssuer { validity, issuer: CA_VALIDITY });
    }
    let backwards = Validity { not_before: NOW + 1, not_after: NOW };
    assert_eq!(built(backwards).unwrap_err(), BuildError::Validity { validity: backwards });
}

#[test]
fn a_serial_is_positive_minimal_and_has_at_most_20_octets() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let built = |serial: &[u8]| {
        let inputs = cairn_x509::LeafInputs { serial, ..leaf_inputs(&subscriber, &names) };
        leaf(&LeafProfile::default(), &ca.certificate, ca.signer.algorithm(), inputs)
    };
    for serial in [&[][..], &[0], &[0x80; 16], &[0, 1, 2, 3], &[1; 21]] {
        assert_eq!(built(serial).unwrap_err(), BuildError::Serial, "{serial:?}");
    }
    for serial in [&[1][..], &[1; 20], &[0, 0x80, 1]] {
        let certificate = built(serial).unwrap().sign(&ca.signer).unwrap();
        assert_eq!(certificate.serial(), serial);
    }
}

#[test]
fn a_leaf_needs_names_purposes_and_an_algorithm_its_issuer_has() {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    let names = [dns("www.example.test")];
    let algorithm = ca.signer.algorithm();
    let inputs = leaf_inputs(&subscriber, &[]);
    let nameless = leaf(&LeafProfile::default(), &ca.certificate, algorithm, inputs);
    assert_eq!(nameless.unwrap_err(), BuildError::NoNames);

    let profile = LeafProfile { server_auth: false, client_auth: false, ..LeafProfile::default() };
    let purposeless = leaf(&profile, &ca.certificate, algorithm, leaf_inputs(&subscriber, &names));
    assert_eq!(purposeless.unwrap_err(), BuildError::NoPurpose);

    let inputs = leaf_inputs(&subscriber, &names);
    let foreign = leaf(&LeafProfile::default(), &ca.certificate, SignatureAlgorithm::RsaSha256, inputs);
    assert!(matches!(foreign.unwrap_err(), BuildError::Algorithm { .. }));

    let names = [dns("müller.test")];
    let inputs = leaf_inputs(&subscriber, &names);
    let foreign = leaf(&LeafProfile::default(), &ca.certificate, algorithm, inputs);
    assert!(matches!(foreign.unwrap_err(), BuildError::Encoding(_)));
}

// -- roots and intermediates

#[test]
fn a_root_and_an_intermediate_have_the_extensions_of_rfc_5280_and_no_findings() {
    let top = Ca::root(KeySpec::P384);
    let middle = top.intermediate(KeySpec::P256);
    assert_eq!(
        extensions(&top.certificate),
        expected(&[("2.5.29.19", true), ("2.5.29.15", true), ("2.5.29.14", false)])
    );
    assert_eq!(top.certificate.path_len(), None);
    assert_eq!(
        extensions(&middle.certificate),
        expected(&[
            ("2.5.29.19", true),
            ("2.5.29.15", true),
            ("2.5.29.37", false),
            ("2.5.29.14", false),
            ("2.5.29.35", false),
            ("1.3.6.1.5.5.7.1.1", false),
            ("2.5.29.31", false),
        ])
    );
    assert_eq!(middle.certificate.path_len(), Some(0));
    assert!(middle.certificate.is_ca());
    // What the builder says of its bytes is what the bytes say.
    for ca in [&top, &middle] {
        assert_eq!(Certificate::from_der(ca.certificate.der()).as_ref(), Ok(&ca.certificate));
    }
    assert_eq!(lint_ca(&top.certificate, &top.certificate), []);
    assert_eq!(lint_ca(&middle.certificate, &top.certificate), []);
    // The root of these tests ends after 2049.
    let parsed = x509_cert::Certificate::from_der(top.certificate.der()).unwrap();
    assert!(matches!(parsed.tbs_certificate().validity().not_after, Time::GeneralTime(_)));
}

#[test]
fn an_intermediate_without_purposes_has_no_extended_key_usage() {
    let top = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let subject = Name::new("Any Purpose", None).unwrap();
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: LEAF_VALIDITY,
        public_key: signer.public_key(),
        subject: &subject,
        urls: Urls::default(),
    };
    let profile = CaProfile::default();
    let tbs = intermediate(&profile, &top.certificate, top.signer.algorithm(), inputs).unwrap();
    let certificate = tbs.sign(&top.signer).unwrap();
    assert!(!extensions(&certificate).iter().any(|(oid, _)| oid == "2.5.29.37"));
    assert_eq!(lint_ca(&certificate, &top.certificate), []);
}

#[test]
fn a_path_length_of_zero_allows_no_intermediate_below() {
    let middle = Ca::root(KeySpec::P256).intermediate(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let subject = Name::new("Too Deep", None).unwrap();
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: LEAF_VALIDITY,
        public_key: signer.public_key(),
        subject: &subject,
        urls: Urls::default(),
    };
    let built = intermediate(&CaProfile::for_tls(), &middle.certificate, middle.signer.algorithm(), inputs);
    assert_eq!(built.unwrap_err(), BuildError::PathLength);
}

#[test]
fn a_ca_needs_a_subject_and_a_possible_validity() {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let empty = Name::common_name_only(None).unwrap();
    let named = Name::new("Root", None).unwrap();
    let built = |subject, validity| {
        let public_key = signer.public_key();
        let inputs = RootInputs { serial: &SERIAL, validity, public_key, subject, digital_signature: false };
        root(signer.algorithm(), inputs).unwrap_err()
    };
    assert_eq!(built(&empty, CA_VALIDITY), BuildError::NoSubject);
    let before_time = Validity { not_before: -1, not_after: NOW };
    assert_eq!(built(&named, before_time), BuildError::Validity { validity: before_time });
}
