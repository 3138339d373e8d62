//! The lints of CAs, cross-certificates and OCSP responders: a good certificate has no findings, and each thing
//! that is spoilt in it has its own.

use cairn_x509::{
    CaProfile, Certificate, CrossInputs, FileSigner, Finding, IntermediateInputs, KeySpec, LeafProfile, Name,
    NameConstraints, OcspResponderInputs, Signer, SubjectAltName, Subtree, Urls, Validity, cross_certificate,
    intermediate, lint_ca, lint_cross_certificate, lint_intermediate, lint_leaf, lint_ocsp_responder,
    lint_root, ocsp_responder, throwaway_signer,
};
use der::{
    Tag,
    asn1::{Any, Ia5String, OctetString},
};
use x509_cert::ext::pkix::{
    BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints as WireNameConstraints,
    constraints::name::GeneralSubtree, name::GeneralName,
};

use crate::{
    cas::{full_profile, made},
    support::{CA_VALIDITY, Ca, DAY, Forge, LEAF_VALIDITY, NOW, SERIAL, leaf_inputs},
};

const KEY_USAGE: &str = "2.5.29.15";
const BASIC_CONSTRAINTS: &str = "2.5.29.19";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const CERTIFICATE_POLICIES: &str = "2.5.29.32";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const OCSP_NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";

fn names_of(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.lint).collect()
}

fn spoilt_from(certificate: &Certificate, spoil: impl FnOnce(&mut Forge)) -> Certificate {
    let mut forge = Forge::open(certificate);
    spoil(&mut forge);
    forge.close()
}

// -- roots

#[test]
fn a_root_is_clean_once_its_own_key_signed_it() {
    for spec in [KeySpec::P256, KeySpec::Ed25519, KeySpec::MlDsa87] {
        let top = Ca::root(spec);
        assert_eq!(lint_root(&top.certificate), [], "{spec}");
        let throwaway = throwaway_signer(&top.signer).unwrap();
        let rehearsal = top.certificate.tbs().sign(&throwaway).unwrap();
        assert_eq!(lint_ca(&rehearsal, &rehearsal), []);
        assert_eq!(names_of(&lint_root(&rehearsal)), ["self_signed"]);
    }
}

#[test]
fn an_intermediate_is_no_root() {
    let top = Ca::root(KeySpec::P256);
    let middle = top.intermediate(KeySpec::P256);
    let found = names_of(&lint_root(&middle.certificate));
    assert_eq!(found, ["issuer_name", "authority_key_identifier", "ca_basic_constraints", "self_signed"]);
}

#[test]
fn a_root_with_name_constraints_and_one_for_centuries_are_found() {
    let top = Ca::root(KeySpec::P256);
    let value = [0x30, 6, 0xa0, 4, 0x30, 2, 0x82, 0];
    let excluded = [0x30, 6, 0xa1, 4, 0x30, 2, 0x82, 0];
    let root = spoilt_from(&top.certificate, |forge| forge.add_extension(NAME_CONSTRAINTS, true, &excluded));
    assert_eq!(names_of(&lint_ca(&root, &root)), ["root_is_unconstrained"]);
    let root = spoilt_from(&top.certificate, |forge| forge.add_extension(NAME_CONSTRAINTS, true, &value));
    assert_eq!(names_of(&lint_ca(&root, &root)), ["name_constraints", "root_is_unconstrained"]);

    let validity = [b"\x17\x0d260101000000Z".as_slice(), b"\x18\x0f20770101000000Z"].concat();
    let validity = Any::new(Tag::Sequence, validity).unwrap();
    let root = spoilt_from(&top.certificate, |forge| forge.tbs.validity = validity);
    assert_eq!(names_of(&lint_root(&root)), ["ca_lifetime", "self_signed"]);
}

// -- intermediates

fn full(top: &Ca) -> Certificate {
    made(top, &full_profile(), &FileSigner::generate(KeySpec::P256).unwrap()).unwrap()
}

/// The names of the lints that a spoilt intermediate with every extension fails.
fn spoilt(spoil: impl FnOnce(&mut Forge)) -> Vec<&'static str> {
    let top = Ca::root(KeySpec::P256);
    names_of(&lint_intermediate(&spoilt_from(&full(&top), spoil), &top.certificate))
}

#[test]
fn an_intermediate_with_everything_is_clean() {
    let top = Ca::root(KeySpec::P256);
    assert_eq!(lint_intermediate(&full(&top), &top.certificate), []);
    assert_eq!(lint_ca(&full(&top), &top.certificate), []);
    assert_eq!(lint_intermediate(&top.intermediate(KeySpec::MlDsa65).certificate, &top.certificate), []);
}

#[test]
fn an_intermediate_must_say_what_it_is_for_unless_told_otherwise() {
    let top = Ca::root(KeySpec::P256);
    let any = spoilt_from(&full(&top), |forge| forge.drop_extension(EXTENDED_KEY_USAGE));
    assert_eq!(names_of(&lint_intermediate(&any, &top.certificate)), ["ca_has_purposes"]);
    assert_eq!(lint_ca(&any, &top.certificate), []);
    let empty = ExtendedKeyUsage(Vec::new());
    assert_eq!(spoilt(|forge| forge.replace_extension(EXTENDED_KEY_USAGE, &empty)), ["ca_purposes"]);
    let purpose = "1.3.6.1.5.5.7.3.1".parse().unwrap();
    let twice = ExtendedKeyUsage(vec![purpose, purpose]);
    assert_eq!(spoilt(|forge| forge.replace_extension(EXTENDED_KEY_USAGE, &twice)), ["ca_purposes"]);
}

#[test]
fn a_root_is_no_intermediate() {
    let top = Ca::root(KeySpec::P256);
    let found = names_of(&lint_intermediate(&top.certificate, &top.certificate));
    assert_eq!(found, ["not_self_issued", "ca_has_purposes"]);
}

#[test]
fn a_cas_key_may_sign_other_things_but_encrypts_nothing() {
    let usage = |usages| spoilt(|forge| forge.replace_extension(KEY_USAGE, &KeyUsage(usages)));
    assert!(usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign).is_empty());
    let crl = KeyUsages::CRLSign | KeyUsages::DigitalSignature;
    assert_eq!(usage(crl), ["ca_key_usage"]);
    let encrypts = KeyUsages::KeyCertSign | KeyUsages::CRLSign | KeyUsages::KeyEncipherment;
    assert_eq!(usage(encrypts), ["ca_key_usage"]);
}

/// RFC 9881 §5.
#[test]
fn an_ml_dsa_key_that_encrypts_is_found() {
    let top = Ca::root(KeySpec::P256);
    let middle = top.intermediate(KeySpec::MlDsa44).certificate;
    let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign | KeyUsages::KeyAgreement);
    let wrong = spoilt_from(&middle, |forge| forge.replace_extension(KEY_USAGE, &usage));
    assert_eq!(names_of(&lint_ca(&wrong, &top.certificate)), ["ml_dsa_key_usage", "ca_key_usage"]);
}

#[test]
fn policies_that_are_none_or_twice_are_found() {
    let set = |value: &[u8]| {
        spoilt(|forge| {
            forge.extension(CERTIFICATE_POLICIES).extn_value = OctetString::new(value).unwrap();
        })
    };
    assert!(set(&[0x30, 6, 0x30, 4, 6, 2, 0x2a, 3]).is_empty());
    assert_eq!(set(&[0x30, 0]), ["certificate_policies"]);
    let twice = [0x30, 12, 0x30, 4, 6, 2, 0x2a, 3, 0x30, 4, 6, 2, 0x2a, 3];
    assert_eq!(set(&twice), ["certificate_policies"]);
}

/// RFC 5280 §4.2.1.11, §4.2.1.14: critical in CAs; nobody else has them.
#[test]
fn a_ca_may_have_the_other_critical_extensions_of_rfc_5280() {
    let inhibit_any_policy = "2.5.29.54";
    assert!(spoilt(|forge| forge.add_extension(inhibit_any_policy, true, &[2, 1, 0])).is_empty());
    assert_eq!(spoilt(|forge| forge.extension(EXTENDED_KEY_USAGE).critical = true), ["no_unknown_criticals"]);
    let ca = Ca::root(KeySpec::P256);
    let leaf = ca.ordinary_leaf(&ca.signer);
    let leaf = spoilt_from(&leaf, |forge| forge.add_extension(inhibit_any_policy, true, &[2, 1, 0]));
    assert_eq!(names_of(&lint_leaf(&leaf, &ca.certificate)), ["no_unknown_criticals"]);
}

// -- name constraints

fn subtree(base: GeneralName) -> GeneralSubtree {
    GeneralSubtree { base, minimum: 0, maximum: None }
}

fn dns_name(name: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(name).unwrap())
}

fn with_permitted(permitted: Vec<GeneralSubtree>) -> Vec<&'static str> {
    let constraints = WireNameConstraints { permitted_subtrees: Some(permitted), excluded_subtrees: None };
    spoilt(|forge| forge.replace_extension(NAME_CONSTRAINTS, &constraints))
}

#[test]
fn name_constraints_that_are_not_critical_or_empty_are_found() {
    assert_eq!(spoilt(|forge| forge.extension(NAME_CONSTRAINTS).critical = false), ["name_constraints"]);
    let none = WireNameConstraints { permitted_subtrees: None, excluded_subtrees: None };
    assert_eq!(spoilt(|forge| forge.replace_extension(NAME_CONSTRAINTS, &none)), ["name_constraints"]);
    assert_eq!(with_permitted(Vec::new()), ["name_constraints"]);
}

#[test]
fn malformed_subtrees_are_found() {
    assert!(with_permitted(vec![subtree(dns_name("example.test"))]).is_empty());
    for name in ["", ".example.test", "*.example.test", "a..b"] {
        assert_eq!(with_permitted(vec![subtree(dns_name(name))]), ["name_constraints"], "{name}");
    }
    let far = GeneralSubtree { base: dns_name("example.test"), minimum: 0, maximum: Some(1) };
    assert_eq!(with_permitted(vec![far]), ["name_constraints"]);
    let ip = |octets: &[u8]| {
        with_permitted(vec![subtree(GeneralName::IpAddress(OctetString::new(octets).unwrap()))])
    };
    assert!(ip(&[10, 0, 0, 0, 255, 128, 0, 0]).is_empty());
    for wrong in [&[10, 0, 0, 0][..], &[10, 0, 0, 0, 255, 0, 255, 0], &[10, 0, 0, 1, 255, 0, 0, 0]] {
        assert_eq!(ip(wrong), ["name_constraints"], "{wrong:?}");
    }
}

#[test]
fn name_constraints_of_a_leaf_are_found() {
    let ca = Ca::root(KeySpec::P256);
    let leaf = ca.ordinary_leaf(&ca.signer);
    let value = [0x30, 6, 0xa1, 4, 0x30, 2, 0x82, 0];
    let leaf = spoilt_from(&leaf, |forge| forge.add_extension(NAME_CONSTRAINTS, false, &value));
    assert_eq!(names_of(&lint_leaf(&leaf, &ca.certificate)), ["no_name_constraints"]);
}

/// What the lints say of an intermediate with `inner` below one with `outer`.
fn nested(outer: NameConstraints, inner: NameConstraints) -> Vec<&'static str> {
    let top = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let profile = CaProfile { path_len: Some(3), name_constraints: outer, ..full_profile() };
    let certificate = made(&top, &profile, &signer).unwrap();
    let inputs = IntermediateInputs {
        serial: &SERIAL,
        validity: CA_VALIDITY,
        public_key: top.signer.public_key(),
        subject: &Name::new("x", Some("Example")).unwrap(),
        urls: Urls::default(),
    };
    let profile = CaProfile { name_constraints: inner, ..full_profile() };
    let below = intermediate(&profile, &certificate, signer.algorithm(), inputs).unwrap();
    let below = below.sign(&signer).unwrap();
    names_of(&lint_intermediate(&below, &certificate))
}

fn permits(subtrees: &[Subtree]) -> NameConstraints {
    NameConstraints { permitted: subtrees.to_vec(), excluded: Vec::new() }
}

fn excludes(subtrees: &[Subtree]) -> NameConstraints {
    NameConstraints { permitted: Vec::new(), excluded: subtrees.to_vec() }
}

fn dns(name: &str) -> Subtree {
    Subtree::Dns(name.to_owned())
}

fn ip(subnet: &str) -> Subtree {
    Subtree::Ip(subnet.parse().unwrap())
}

fn email(base: &str) -> Subtree {
    Subtree::Email(base.to_owned())
}

fn directory(organization: &str, common_name: Option<&str>) -> Subtree {
    let organization = Some(organization);
    let attributes =
        cairn_x509::NameAttributes { organization, common_name, ..cairn_x509::NameAttributes::default() };
    Subtree::Directory(Name::from_attributes(attributes).unwrap())
}

#[test]
fn narrower_constraints_than_the_issuers_are_clean() {
    let pairs = [
        (dns("example.test"), dns("a.Example.test")),
        (dns("example.test"), dns("example.test")),
        (ip("10.0.0.0/8"), ip("10.1.0.0/16")),
        (ip("2001:db8::/32"), ip("2001:db8:1::/48")),
        (ip("0.0.0.0/0"), ip("10.0.0.0/8")),
        (email("example.test"), email("a@example.test")),
        (email(".example.test"), email("mail.example.test")),
        (email(".example.test"), email("a@mail.example.test")),
        (directory("Example", None), directory("Example", Some("x"))),
        // A kind of which the issuer says nothing is free.
        (dns("example.test"), ip("10.0.0.0/8")),
    ];
    for (outer, inner) in pairs {
        let found = nested(permits(std::slice::from_ref(&outer)), permits(std::slice::from_ref(&inner)));
        assert_eq!(found, [""; 0], "{inner} in {outer}");
    }
    // Nothing said is what the issuer said.
    assert_eq!(nested(permits(&[dns("example.test")]), NameConstraints::default()), [""; 0]);
    assert_eq!(nested(excludes(&[dns("a.test")]), permits(&[dns("b.test")])), [""; 0]);
}

#[test]
fn wider_constraints_than_the_issuers_are_found() {
    let pairs = [
        (dns("example.test"), dns("test")),
        (dns("example.test"), dns("badexample.test")),
        (ip("10.1.0.0/16"), ip("10.0.0.0/8")),
        (ip("10.0.0.0/8"), ip("11.0.0.0/8")),
        (ip("10.0.0.0/8"), ip("2001:db8::/32")),
        (email("example.test"), email(".example.test")),
        (email("a@example.test"), email("b@example.test")),
        (email(".example.test"), email("example.test")),
        (email("a@example.test"), email("example.test")),
        (directory("Example", Some("x")), directory("Example", None)),
    ];
    for (outer, inner) in pairs {
        let found = nested(permits(std::slice::from_ref(&outer)), permits(std::slice::from_ref(&inner)));
        assert_eq!(found, ["name_constraints_within_issuer"], "{inner} in {outer}");
    }
    let found = nested(excludes(&[dns("example.test")]), permits(&[dns("a.example.test")]));
    assert_eq!(found, ["name_constraints_within_issuer"]);
    assert_eq!(nested(excludes(&[dns("")]), permits(&[dns("a.test")])), ["name_constraints_within_issuer"]);
}

/// What the lints say of a leaf with these names below a CA that may issue for some of them.
fn leaf_below(constraints: NameConstraints, names: &[SubjectAltName]) -> Vec<&'static str> {
    let ca = constrained(constraints);
    let profile = LeafProfile { common_name: false, ..LeafProfile::default() };
    let leaf = ca.leaf(profile, leaf_inputs(&ca.signer, names)).sign(&ca.signer).unwrap();
    names_of(&lint_leaf(&leaf, &ca.certificate))
}

fn constrained(name_constraints: NameConstraints) -> Ca {
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let profile = CaProfile { name_constraints, path_len: Some(1), ..CaProfile::for_tls() };
    Ca { certificate: made(&Ca::root(KeySpec::P256), &profile, &signer).unwrap(), signer }
}

/// RFC 5280 §6.1.3 (b), (c): clients would refuse it.
#[test]
fn a_leaf_with_names_that_its_issuer_may_not_issue_for_is_found() {
    let name = |name: &str| SubjectAltName::Dns(name.to_owned());
    let address = |address: &str| SubjectAltName::Ip(address.parse().unwrap());
    let constraints = NameConstraints {
        permitted: vec![dns("example.test"), ip("192.0.2.0/24")],
        excluded: vec![dns("secret.example.test"), ip("192.0.2.7/32")],
    };
    let good = [name("example.test"), name("*.a.example.test"), address("192.0.2.8")];
    assert_eq!(leaf_below(constraints.clone(), &good), [""; 0]);
    for bad in [
        name("example.org"),
        name("secret.example.test"),
        name("a.secret.example.test"),
        address("192.0.2.7"),
        address("198.51.100.1"),
        address("2001:db8::1"),
    ] {
        let found = leaf_below(constraints.clone(), std::slice::from_ref(&bad));
        assert_eq!(found, ["names_within_issuer"], "{bad}");
    }
    // Where nothing is said of a kind, all of it is free.
    assert_eq!(leaf_below(permits(&[dns("example.test")]), &[address("2001:db8::1")]), [""; 0]);
}

/// A directory name constrains subjects, of leaves and of CAs.
#[test]
fn a_subject_that_its_issuer_may_not_issue_for_is_found() {
    let ca = constrained(permits(&[directory("Example", None)]));
    assert_eq!(names_of(&lint_leaf(&ca.ordinary_leaf(&ca.signer), &ca.certificate)), ["names_within_issuer"]);
    let below = ca.intermediate(KeySpec::P256).certificate;
    assert_eq!(names_of(&lint_intermediate(&below, &ca.certificate)), ["names_within_issuer"]);
}

// -- cross-certificates

fn cross(existing: &Certificate, by: &Ca) -> Certificate {
    let inputs = CrossInputs { serial: &SERIAL, validity: LEAF_VALIDITY, existing, urls: Urls::default() };
    let tbs = cross_certificate(&CaProfile::default(), &by.certificate, by.signer.algorithm(), inputs);
    tbs.unwrap().sign(&by.signer).unwrap()
}

#[test]
fn a_cross_certificate_is_for_the_same_ca_octet_by_octet() {
    let old = Ca::root(KeySpec::P256);
    let (existing, other) =
        (old.intermediate(KeySpec::P256).certificate, old.intermediate(KeySpec::P256).certificate);
    let certificate = cross(&existing, &old);
    assert_eq!(lint_cross_certificate(&certificate, &old.certificate, &existing), []);
    // The same name, another key.
    assert_eq!(names_of(&lint_cross_certificate(&certificate, &old.certificate, &other)), ["same_ca"]);
    let name = der::Decode::from_der(Name::new("Another", None).unwrap().der()).unwrap();
    let renamed = spoilt_from(&certificate, |forge| forge.tbs.subject = name);
    assert_eq!(names_of(&lint_cross_certificate(&renamed, &old.certificate, &existing)), ["same_ca"]);
    let identified = spoilt_from(&certificate, |forge| {
        forge.extension("2.5.29.14").extn_value = OctetString::new([4, 1, 7]).unwrap();
    });
    assert_eq!(names_of(&lint_cross_certificate(&identified, &old.certificate, &existing)), ["same_ca"]);
}

// -- OCSP responders

fn spoilt_responder(spoil: impl FnOnce(&mut Forge)) -> Vec<&'static str> {
    let ca = Ca::root(KeySpec::P256);
    let signer = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = OcspResponderInputs {
        serial: &SERIAL,
        validity: Validity { not_before: NOW, not_after: NOW + 30 * DAY },
        public_key: signer.public_key(),
        subject: &Name::new("Responder", None).unwrap(),
    };
    let tbs = ocsp_responder(&ca.certificate, ca.signer.algorithm(), inputs).unwrap();
    let certificate = tbs.sign(&throwaway_signer(&ca.signer).unwrap()).unwrap();
    assert_eq!(lint_ocsp_responder(&certificate, &ca.certificate), []);
    names_of(&lint_ocsp_responder(&spoilt_from(&certificate, spoil), &ca.certificate))
}

#[test]
fn a_responder_that_could_do_more_or_less_is_found() {
    assert!(spoilt_responder(|_| {}).is_empty());
    let empty = Any::new(Tag::Sequence, []).unwrap();
    assert_eq!(spoilt_responder(|forge| forge.tbs.subject = empty), ["ocsp_subject"]);
    assert_eq!(spoilt_responder(|forge| forge.drop_extension(KEY_USAGE)), ["ocsp_key_usage"]);
    let usage = KeyUsage(KeyUsages::DigitalSignature | KeyUsages::KeyCertSign);
    assert_eq!(spoilt_responder(|forge| forge.replace_extension(KEY_USAGE, &usage)), ["ocsp_key_usage"]);
    assert_eq!(spoilt_responder(|forge| forge.drop_extension(EXTENDED_KEY_USAGE)), ["ocsp_purpose"]);
    let purposes =
        ExtendedKeyUsage(vec!["1.3.6.1.5.5.7.3.9".parse().unwrap(), "1.3.6.1.5.5.7.3.1".parse().unwrap()]);
    assert_eq!(
        spoilt_responder(|forge| forge.replace_extension(EXTENDED_KEY_USAGE, &purposes)),
        ["ocsp_purpose"]
    );
    assert_eq!(spoilt_responder(|forge| forge.drop_extension(OCSP_NO_CHECK)), ["ocsp_no_check"]);
    assert_eq!(
        spoilt_responder(|forge| forge.extension(OCSP_NO_CHECK).critical = true),
        ["no_unknown_criticals", "ocsp_no_check"]
    );
    assert_eq!(
        spoilt_responder(
            |forge| forge.extension(OCSP_NO_CHECK).extn_value = OctetString::new([4, 0]).unwrap()
        ),
        ["ocsp_no_check"]
    );
    let ca = BasicConstraints { ca: true, path_len_constraint: None };
    let value = der::Encode::to_der(&ca).unwrap();
    assert_eq!(
        spoilt_responder(|forge| forge.add_extension(BASIC_CONSTRAINTS, true, &value)),
        ["leaf_is_no_ca"]
    );
}

// -- purposes along the chain

#[test]
fn purposes_that_the_issuer_has_not_are_found() {
    let middle = Ca::root(KeySpec::P256).intermediate(KeySpec::P256);
    let leaf = middle.ordinary_leaf(&FileSigner::generate(KeySpec::P256).unwrap());
    let issuer_for = |purposes: &[&str]| {
        let purposes = ExtendedKeyUsage(purposes.iter().map(|purpose| purpose.parse().unwrap()).collect());
        spoilt_from(&middle.certificate, |forge| forge.replace_extension(EXTENDED_KEY_USAGE, &purposes))
    };
    let (server, client, any) = ("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0");
    assert_eq!(names_of(&lint_leaf(&leaf, &issuer_for(&[client]))), ["purposes_within_issuer"]);
    for good in [&[server][..], &[client, server], &[any]] {
        assert_eq!(lint_leaf(&leaf, &issuer_for(good)), [], "{good:?}");
    }
    let unlimited = spoilt_from(&middle.certificate, |forge| forge.drop_extension(EXTENDED_KEY_USAGE));
    assert_eq!(lint_leaf(&leaf, &unlimited), []);

    // A CA below says less, or nothing.
    let top = Ca::root(KeySpec::P256);
    let below = full(&top);
    let narrow = spoilt_from(&top.certificate, |forge| {
        forge.add_extension(EXTENDED_KEY_USAGE, false, &[0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 4]);
    });
    assert_eq!(names_of(&lint_intermediate(&below, &narrow)), ["purposes_within_issuer"]);
    let silent = spoilt_from(&below, |forge| forge.drop_extension(EXTENDED_KEY_USAGE));
    assert_eq!(lint_ca(&silent, &narrow), []);
}
