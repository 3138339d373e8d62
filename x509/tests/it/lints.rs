//! Every lint finds what it is there to find: a good certificate is taken to pieces, one piece is spoilt, and
//! the finding is that piece's.

use cairn_x509::{
    Certificate, FileSigner, Finding, KeySpec, LeafProfile, SignatureAlgorithm, lint_ca, lint_leaf,
};
use der::{
    Tag,
    asn1::{Any, BitString, Ia5String, Null, OctetString},
    flagset::FlagSet,
};
use x509_cert::{
    Version,
    ext::pkix::{
        BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier, name::GeneralName,
    },
};

use crate::support::{Ca, Forge, dns, integer, leaf_inputs};

const SUBJECT_KEY_IDENTIFIER: &str = "2.5.29.14";
const KEY_USAGE: &str = "2.5.29.15";
const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const CRL_DISTRIBUTION_POINTS: &str = "2.5.29.31";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const AUTHORITY_INFO_ACCESS: &str = "1.3.6.1.5.5.7.1.1";
const TLS_FEATURE: &str = "1.3.6.1.5.5.7.1.24";

fn names_of(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.lint).collect()
}

/// A leaf with every extension, and its issuer.
fn good_leaf(subscriber: KeySpec) -> (Certificate, Ca) {
    let ca = Ca::root(KeySpec::P256);
    let subscriber = FileSigner::generate(subscriber).unwrap();
    let names = [dns("www.example.test"), dns("*.example.test")];
    let mut inputs = leaf_inputs(&subscriber, &names);
    inputs.crl_url = Some("http://crl.example.test/1.crl");
    inputs.ocsp_url = Some("http://ocsp.example.test/");
    let profile = LeafProfile { must_staple: true, ..LeafProfile::default() };
    let certificate = ca.leaf(profile, inputs).sign(&ca.signer).unwrap();
    assert_eq!(lint_leaf(&certificate, &ca.certificate), []);
    (certificate, ca)
}

/// The names of the lints that a spoilt leaf fails.
fn spoilt(spoil: impl FnOnce(&mut Forge)) -> Vec<&'static str> {
    spoilt_leaf_for(KeySpec::P256, spoil)
}

fn spoilt_leaf_for(subscriber: KeySpec, spoil: impl FnOnce(&mut Forge)) -> Vec<&'static str> {
    let (certificate, ca) = good_leaf(subscriber);
    let mut forge = Forge::open(&certificate);
    spoil(&mut forge);
    names_of(&lint_leaf(&forge.close(), &ca.certificate))
}

fn utc(text: &str) -> Vec<u8> {
    [&[0x17, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn generalized(text: &str) -> Vec<u8> {
    [&[0x18, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn validity(not_before: &[u8], not_after: &[u8]) -> Any {
    Any::new(Tag::Sequence, [not_before, not_after].concat()).unwrap()
}

fn general_names(names: &[&str]) -> Vec<GeneralName> {
    names.iter().map(|name| GeneralName::DnsName(Ia5String::new(*name).unwrap())).collect()
}

fn common_name(text: &str) -> Any {
    use der::Decode;
    Any::from_der(cairn_x509::Name::new(text, None).unwrap().der()).unwrap()
}

#[test]
fn a_finding_names_its_lint_its_source_and_what_is_wrong() {
    let (certificate, ca) = good_leaf(KeySpec::P256);
    let mut forge = Forge::open(&certificate);
    forge.tbs.serial = integer(&[1; 21]);
    let findings = lint_leaf(&forge.close(), &ca.certificate);
    assert_eq!(
        findings,
        [Finding {
            lint: "serial",
            citation: "RFC 5280 §4.1.2.2",
            message: "the serial number has 21 octets".to_owned()
        }]
    );
}

// -- any certificate

#[test]
fn a_certificate_that_is_not_der_is_found() {
    // `critical` is FALSE by default, and DER leaves defaults out.
    let (certificate, ca) = good_leaf(KeySpec::P256);
    let der = certificate.der();
    let at = der.windows(5).position(|window| window == [0x06, 3, 0x55, 0x1d, 0x25]).unwrap();
    // Grow the extension, the list, its tag, the TBS and the certificate by the three octets of the default.
    let mut wrong = der[..at + 5].to_vec();
    wrong.extend([1, 1, 0]);
    wrong.extend(&der[at + 5..]);
    wrong[at - 1] += 3;
    grow_enclosing(&mut wrong, at, 3);
    let wrong = Certificate::from_der(&wrong).unwrap();
    assert_eq!(names_of(&lint_leaf(&wrong, &ca.certificate)), ["round_trip"]);
}

/// Adds `by` to the two-octet lengths of all headers that enclose `at`: certificate, TBS, `[3]`, extensions.
fn grow_enclosing(der: &mut [u8], at: usize, by: u8) {
    let starts: Vec<usize> = (0..at)
        .filter(|start| {
            let header = &der[*start..];
            let is_long = matches!(header[0], 0x30 | 0xa3) && header[1] == 0x82;
            let length = usize::from(header[2]) * 256 + usize::from(header[3]);
            is_long && *start + 4 + length + usize::from(by) >= at && length < der.len()
        })
        .collect();
    for start in starts {
        let length = u16::from_be_bytes([der[start + 2], der[start + 3]]) + u16::from(by);
        der[start + 2..start + 4].copy_from_slice(&length.to_be_bytes());
    }
}

#[test]
fn versions_1_and_2_are_found() {
    assert_eq!(spoilt(|forge| forge.tbs.version = None), ["version_3"]);
    assert_eq!(spoilt(|forge| forge.tbs.version = Some(Version::V2 as u8)), ["version_3"]);
}

#[test]
fn long_zero_and_short_serials_are_found() {
    assert_eq!(spoilt(|forge| forge.tbs.serial = integer(&[1; 21])), ["serial"]);
    assert_eq!(spoilt(|forge| forge.tbs.serial = integer(&[0])), ["serial", "serial_entropy"]);
    assert_eq!(spoilt(|forge| forge.tbs.serial = integer(&[1; 7])), ["serial_entropy"]);
}

#[test]
fn a_negative_serial_is_not_even_read() {
    let (certificate, _) = good_leaf(KeySpec::P256);
    let mut forge = Forge::open(&certificate);
    forge.tbs.serial = integer(&[0x80; 16]);
    let bytes = der::Encode::to_der(&forge).unwrap();
    assert_eq!(Certificate::from_der(&bytes), Err(cairn_x509::CertificateError::NegativeSerial));
}

#[test]
fn disagreeing_unfit_and_badly_parametrised_signature_algorithms_are_found() {
    let sha384 = "1.2.840.10045.4.3.3".parse().unwrap();
    assert_eq!(spoilt(|forge| forge.algorithm.oid = sha384), ["signature_algorithms_agree"]);
    let both = |forge: &mut Forge| {
        forge.algorithm.oid = sha384;
        forge.tbs.algorithm.oid = sha384;
    };
    assert_eq!(spoilt(both), ["signature_fits_issuer"]);

    let ca = Ca::root(KeySpec::Rsa2048);
    let certificate = ca.ordinary_leaf(&FileSigner::generate(KeySpec::P256).unwrap());
    let mut forge = Forge::open(&certificate);
    forge.algorithm.parameters = None;
    forge.tbs.algorithm.parameters = None;
    assert_eq!(names_of(&lint_leaf(&forge.close(), &ca.certificate)), ["signature_parameters"]);

    // A hash of a PSS signature without its NULL: readable, but not what the BRs demand.
    let ca = Ca::root_of(ca.signer.with_algorithm(SignatureAlgorithm::RsaPssSha512).unwrap());
    let certificate = ca.ordinary_leaf(&FileSigner::generate(KeySpec::P256).unwrap());
    assert_eq!(lint_leaf(&certificate, &ca.certificate), []);
    let mut forge = Forge::open(&certificate);
    let hash = [0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
    let mgf1 = [&[0x30, 24, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 8][..], &hash].concat();
    let content = [&[0xa0, 13][..], &hash, &[0xa1, 26], &mgf1, &[0xa2, 3, 2, 1, 64]].concat();
    let parameters = Some(Any::new(Tag::Sequence, content).unwrap());
    forge.algorithm.parameters.clone_from(&parameters);
    forge.tbs.algorithm.parameters = parameters;
    assert_eq!(names_of(&lint_leaf(&forge.close(), &ca.certificate)), ["signature_parameters"]);
}

#[test]
fn an_issuer_name_that_does_not_chain_is_found() {
    assert_eq!(spoilt(|forge| forge.tbs.issuer = common_name("Somebody Else")), ["issuer_name"]);
    let empty = Any::new(Tag::Sequence, []).unwrap();
    assert_eq!(spoilt(|forge| forge.tbs.issuer = empty), ["issuer_name"]);
}

/// The same characters in another string type are another name, byte for byte.
#[test]
fn an_issuer_name_in_another_string_type_is_found() {
    let spoil = |forge: &mut Forge| {
        let mut bytes = forge.tbs.issuer.value().to_vec();
        // The string of an attribute follows its two-octet arc under 2.5.4: 0c is UTF8String, 13 Printable.
        let at = bytes.windows(4).position(|window| window == [0x55, 4, 3, 0x0c]).unwrap();
        bytes[at + 3] = 0x13;
        forge.tbs.issuer = Any::new(Tag::Sequence, bytes).unwrap();
    };
    assert_eq!(spoilt(spoil), ["issuer_name"]);
}

#[test]
fn wrong_validities_are_found() {
    let (a, b) = (utc("260101000000Z"), utc("260401000000Z"));
    assert_eq!(spoilt(|forge| forge.tbs.validity = validity(&b, &a)), ["validity_order"]);
    assert_eq!(
        spoilt(|forge| forge.tbs.validity = validity(&a, &generalized("20260401000000Z"))),
        ["round_trip", "validity_encoding"]
    );
    assert_eq!(
        spoilt(|forge| forge.tbs.validity = validity(&a, &generalized("20600101000000Z"))),
        ["validity_within_issuer"]
    );
    assert_eq!(
        spoilt(|forge| forge.tbs.validity = validity(&utc("200101000000Z"), &b)),
        ["validity_within_issuer"]
    );
}

#[test]
fn unique_identifiers_are_found() {
    let identifier = BitString::from_bytes(&[1]).unwrap();
    assert_eq!(spoilt(|forge| forge.tbs.issuer_unique_id = Some(identifier)), ["no_unique_identifiers"]);
}

#[test]
fn repeated_and_unknown_critical_extensions_are_found() {
    let repeat = |forge: &mut Forge| {
        let twin = forge.extension(TLS_FEATURE).clone();
        forge.extensions().push(twin);
    };
    assert_eq!(spoilt(repeat), ["no_repeated_extensions"]);
    let private = "1.3.6.1.4.1.99999.1";
    assert_eq!(spoilt(|forge| forge.add_extension(private, true, &[5, 0])), ["no_unknown_criticals"]);
    assert!(spoilt(|forge| forge.add_extension(private, false, &[5, 0])).is_empty());
    for oid in [EXTENDED_KEY_USAGE, SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER, TLS_FEATURE] {
        assert_eq!(spoilt(|forge| forge.extension(oid).critical = true), ["no_unknown_criticals"]);
    }
}

#[test]
fn missing_and_foreign_key_identifiers_are_found() {
    assert_eq!(spoilt(|forge| forge.drop_extension(AUTHORITY_KEY_IDENTIFIER)), ["authority_key_identifier"]);
    let foreign = |forge: &mut Forge| {
        let own = forge.extension(SUBJECT_KEY_IDENTIFIER).extn_value.as_bytes()[2..].to_vec();
        let value = [&[0x30, 22, 0x80, 20][..], &own].concat();
        forge.extension(AUTHORITY_KEY_IDENTIFIER).extn_value = OctetString::new(value).unwrap();
    };
    assert_eq!(spoilt(foreign), ["authority_key_identifier"]);
    assert_eq!(spoilt(|forge| forge.drop_extension(SUBJECT_KEY_IDENTIFIER)), ["subject_key_identifier"]);
    let empty = SubjectKeyIdentifier(OctetString::new([]).unwrap());
    assert_eq!(
        spoilt(|forge| forge.replace_extension(SUBJECT_KEY_IDENTIFIER, &empty)),
        ["subject_key_identifier"]
    );
}

#[test]
fn https_urls_are_found() {
    let https = |forge: &mut Forge, oid: &str| {
        let value = forge.extension(oid).extn_value.as_bytes().to_vec();
        let at = value.windows(7).position(|window| window == b"http://").unwrap();
        let mut changed = value;
        changed[at..at + 7].copy_from_slice(b"https:/");
        forge.extension(oid).extn_value = OctetString::new(changed).unwrap();
    };
    for oid in [AUTHORITY_INFO_ACCESS, CRL_DISTRIBUTION_POINTS] {
        assert_eq!(spoilt(|forge| https(forge, oid)), ["urls_are_http"]);
    }
}

#[test]
fn weak_and_odd_rsa_keys_are_found() {
    let key = |modulus: &[u8], exponent: u8| {
        use der::{Decode, Encode};
        #[derive(der::Sequence)]
        struct Rsa {
            modulus: der::asn1::Uint,
            exponent: u8,
        }
        let key = Rsa { modulus: der::asn1::Uint::new(modulus).unwrap(), exponent };
        let info = spki::SubjectPublicKeyInfoOwned {
            algorithm: spki::AlgorithmIdentifierOwned {
                oid: "1.2.840.113549.1.1.1".parse().unwrap(),
                parameters: Some(Any::encode_from(&Null).unwrap()),
            },
            subject_public_key: BitString::from_bytes(&key.to_der().unwrap()).unwrap(),
        };
        Any::from_der(&info.to_der().unwrap()).unwrap()
    };
    for public_key in [key(&[0xff; 128], 3), key(&[0x7f; 256], 3), key(&[0xff; 256], 4), key(&[0xff; 256], 1)]
    {
        let found = spoilt_leaf_for(KeySpec::Rsa2048, |forge| forge.tbs.public_key = public_key);
        assert_eq!(found, ["rsa_key"]);
    }
}

// -- leaves

#[test]
fn a_key_usage_that_is_missing_mild_or_unfit_is_found() {
    let usage = |usages: FlagSet<KeyUsages>| {
        move |forge: &mut Forge| {
            forge.replace_extension(KEY_USAGE, &KeyUsage(usages));
        }
    };
    assert_eq!(spoilt(|forge| forge.drop_extension(KEY_USAGE)), ["leaf_key_usage"]);
    assert_eq!(spoilt(|forge| forge.extension(KEY_USAGE).critical = false), ["leaf_key_usage"]);
    let both = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment;
    assert_eq!(spoilt(usage(both)), ["leaf_key_usage"]);
    assert!(spoilt_leaf_for(KeySpec::Rsa2048, usage(both)).is_empty());
    let signing = KeyUsages::DigitalSignature | KeyUsages::KeyCertSign;
    assert_eq!(spoilt_leaf_for(KeySpec::Rsa2048, usage(signing)), ["leaf_key_usage"]);
    assert_eq!(spoilt(usage(KeyUsages::KeyAgreement.into())), ["leaf_key_usage"]);
}

#[test]
fn a_leaf_that_is_a_ca_is_found() {
    let ca = BasicConstraints { ca: true, path_len_constraint: None };
    assert_eq!(spoilt(|forge| forge.replace_extension(BASIC_CONSTRAINTS, &ca)), ["leaf_is_no_ca"]);
    let path = BasicConstraints { ca: false, path_len_constraint: Some(0) };
    assert_eq!(spoilt(|forge| forge.replace_extension(BASIC_CONSTRAINTS, &path)), ["leaf_is_no_ca"]);
    assert!(spoilt(|forge| forge.drop_extension(BASIC_CONSTRAINTS)).is_empty());
}

#[test]
fn purposes_that_are_missing_or_foreign_are_found() {
    assert_eq!(spoilt(|forge| forge.drop_extension(EXTENDED_KEY_USAGE)), ["leaf_purposes"]);
    let none = ExtendedKeyUsage(Vec::new());
    assert_eq!(spoilt(|forge| forge.replace_extension(EXTENDED_KEY_USAGE, &none)), ["leaf_purposes"]);
    let any = ExtendedKeyUsage(vec!["2.5.29.37.0".parse().unwrap()]);
    assert_eq!(spoilt(|forge| forge.replace_extension(EXTENDED_KEY_USAGE, &any)), ["leaf_purposes"]);
}

#[test]
fn a_subject_alt_name_that_is_missing_or_of_wrong_criticality_is_found() {
    assert_eq!(
        spoilt(|forge| forge.drop_extension(SUBJECT_ALT_NAME)),
        ["subject_alt_name", "common_name_is_a_name"]
    );
    assert_eq!(spoilt(|forge| forge.extension(SUBJECT_ALT_NAME).critical = true), ["subject_alt_name"]);
    let empty = Any::new(Tag::Sequence, []).unwrap();
    assert_eq!(spoilt(|forge| forge.tbs.subject = empty), ["subject_alt_name"]);
}

#[test]
fn illegal_dns_names_are_found() {
    let long_label = format!("{}.test", "x".repeat(64));
    let long_name = ["x".repeat(63).as_str(); 5].join(".");
    for name in [
        "a..test",
        "a.test.",
        "-a.test",
        "a-.test",
        "a_b.test",
        "a.*.test",
        "*a.test",
        "*.*.test",
        "*",
        "*.",
        "a b.test",
        "192.0.2.1",
        &long_label,
        &long_name,
    ] {
        let names = general_names(&["www.example.test", name]);
        assert_eq!(
            spoilt(|forge| forge.replace_extension(SUBJECT_ALT_NAME, &names)),
            ["dns_names"],
            "{name}"
        );
    }
    for name in ["localhost", "xn--mller-kva.test", "a--b.test", "0.test", "*.test"] {
        let names = general_names(&["www.example.test", name]);
        assert!(spoilt(|forge| forge.replace_extension(SUBJECT_ALT_NAME, &names)).is_empty(), "{name}");
    }
}

#[test]
fn names_of_other_kinds_and_names_that_stand_twice_are_found() {
    let mut names = general_names(&["www.example.test"]);
    names.push(GeneralName::Rfc822Name(Ia5String::new("a@example.test").unwrap()));
    assert_eq!(spoilt(|forge| forge.replace_extension(SUBJECT_ALT_NAME, &names)), ["names_are_dns_or_ip"]);
    let names = general_names(&["www.example.test", "WWW.example.test"]);
    assert_eq!(spoilt(|forge| forge.replace_extension(SUBJECT_ALT_NAME, &names)), ["names_stand_once"]);
}

#[test]
fn a_common_name_that_is_no_name_is_found() {
    assert_eq!(
        spoilt(|forge| forge.tbs.subject = common_name("other.example.test")),
        ["common_name_is_a_name"]
    );
    let organization = cairn_x509::Name::new("www.example.test", Some("Example")).unwrap();
    let organization = <Any as der::Decode>::from_der(organization.der()).unwrap();
    assert_eq!(spoilt(|forge| forge.tbs.subject = organization), ["subject_is_common_name_only"]);
}

#[test]
fn other_tls_features_than_must_staple_are_found() {
    assert_eq!(spoilt(|forge| forge.replace_extension(TLS_FEATURE, &vec![17_u16])), ["must_staple"]);
    assert!(spoilt(|forge| forge.drop_extension(TLS_FEATURE)).is_empty());
}

// -- CAs

/// The names of the lints that a spoilt intermediate fails.
fn spoilt_ca(spoil: impl FnOnce(&mut Forge)) -> Vec<&'static str> {
    let top = Ca::root(KeySpec::P256);
    let mut forge = Forge::open(&top.intermediate(KeySpec::P256).certificate);
    spoil(&mut forge);
    names_of(&lint_ca(&forge.close(), &top.certificate))
}

#[test]
fn a_ca_without_the_marks_of_one_is_found() {
    let empty = Any::new(Tag::Sequence, []).unwrap();
    assert_eq!(spoilt_ca(|forge| forge.tbs.subject = empty), ["ca_subject"]);
    assert_eq!(spoilt_ca(|forge| forge.drop_extension(KEY_USAGE)), ["ca_key_usage"]);
    let usage = KeyUsage(KeyUsages::KeyCertSign.into());
    assert_eq!(spoilt_ca(|forge| forge.replace_extension(KEY_USAGE, &usage)), ["ca_key_usage"]);
    assert_eq!(spoilt_ca(|forge| forge.drop_extension(BASIC_CONSTRAINTS)), ["ca_basic_constraints"]);
    assert_eq!(
        spoilt_ca(|forge| forge.extension(BASIC_CONSTRAINTS).critical = false),
        ["ca_basic_constraints"]
    );
    let leaf = BasicConstraints { ca: false, path_len_constraint: None };
    assert_eq!(
        spoilt_ca(|forge| forge.replace_extension(BASIC_CONSTRAINTS, &leaf)),
        ["ca_basic_constraints"]
    );
    assert_eq!(
        spoilt_ca(|forge| forge.drop_extension(AUTHORITY_KEY_IDENTIFIER)),
        ["authority_key_identifier"]
    );
}

#[test]
fn an_intermediate_deeper_than_its_issuer_allows_is_found() {
    let top = Ca::root(KeySpec::P256);
    let middle = top.intermediate(KeySpec::P256);
    let below = middle.ordinary_leaf(&middle.signer);
    let mut forge = Forge::open(&below);
    forge.replace_extension(BASIC_CONSTRAINTS, &BasicConstraints { ca: true, path_len_constraint: Some(0) });
    forge.replace_extension(KEY_USAGE, &KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign));
    assert_eq!(names_of(&lint_ca(&forge.close(), &middle.certificate)), ["ca_basic_constraints"]);
}

#[test]
fn a_root_with_a_path_length_or_purposes_is_found() {
    let top = Ca::root(KeySpec::P256);
    let found = |spoil: &dyn Fn(&mut Forge)| {
        let mut forge = Forge::open(&top.certificate);
        spoil(&mut forge);
        let root = forge.close();
        names_of(&lint_ca(&root, &root))
    };
    let path = BasicConstraints { ca: true, path_len_constraint: Some(1) };
    assert_eq!(found(&|forge| forge.replace_extension(BASIC_CONSTRAINTS, &path)), ["root_is_unconstrained"]);
    let purposes = [0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1];
    assert_eq!(
        found(&|forge| forge.add_extension(EXTENDED_KEY_USAGE, false, &purposes)),
        ["root_is_unconstrained"]
    );
}
