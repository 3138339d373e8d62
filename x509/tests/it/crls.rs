//! CRLs as they are made and read, seen with x509-cert's and rcgen's eyes, and each lint of them.

use cairn_x509::{
    BuildError, Crl, CrlContents, CrlError, CrlInputs, CrlReason, CrlScope, FileSigner, Finding, KeySpec,
    RevokedEntry, SignError, SignatureAlgorithm, Signer, TbsCrl, VerifyError, crl, lint_crl,
    throwaway_signer,
};
use der::{
    Decode, Encode, Sequence, Tag,
    asn1::{Any, BitString, OctetString},
};
use p256::{ecdsa::signature::Verifier, pkcs8::DecodePublicKey};
use proptest::prelude::*;
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::{
    Extension,
    pkix::{CrlNumber, CrlReason as WireReason, crl::IssuingDistributionPoint, name::DistributionPointName},
};

use crate::support::{Ca, DAY, NOW, integer};

const CRL_NUMBER: &str = "2.5.29.20";
const CRL_REASON: &str = "2.5.29.21";
const DELTA_CRL_INDICATOR: &str = "2.5.29.27";
const SCOPE: &str = "2.5.29.28";
const AUTHORITY_KEY_IDENTIFIER: &str = "2.5.29.35";

const INPUTS: CrlInputs<'static> = CrlInputs {
    this_update: NOW,
    next_update: NOW + 7 * DAY,
    number: 0x01_80,
    scope: None,
    base: None,
    delta_url: None,
};

/// 2051-01-01T00:00:00Z: in the time of GeneralizedTime.
const LATER: i64 = 2_556_144_000;

const ENTRIES: [RevokedEntry<'static>; 3] = [
    RevokedEntry { serial: &[0, 0x80, 1], revoked_at: NOW - DAY, reason: None },
    RevokedEntry { serial: &[2], revoked_at: NOW - 2 * DAY, reason: Some(CrlReason::KeyCompromise) },
    RevokedEntry { serial: &[0x7f; 20], revoked_at: LATER, reason: Some(CrlReason::AaCompromise) },
];

fn tbs(ca: &Ca, inputs: CrlInputs<'_>, entries: &[RevokedEntry<'_>]) -> Result<TbsCrl, BuildError> {
    crl(&ca.certificate, ca.signer.algorithm(), inputs, entries.iter().copied())
}

fn made(ca: &Ca, inputs: CrlInputs<'_>, entries: &[RevokedEntry<'_>]) -> Crl {
    tbs(ca, inputs, entries).unwrap().sign(&ca.signer).unwrap()
}

fn shard() -> CrlScope {
    CrlScope {
        urls: vec!["http://crl.example.test/1.crl".to_owned()],
        contents: CrlContents::UserCertificates,
    }
}

// -- what is made

#[test]
fn a_crl_says_what_was_asked_for_by_ascending_serials() {
    let ca = Ca::root(KeySpec::P256);
    let crl = made(&ca, INPUTS, &ENTRIES);
    let [one, two, three] = ENTRIES;
    assert_eq!(crl.tbs().entries().collect::<Vec<_>>(), [two, one, three]);
    assert_eq!(crl.tbs().number(), Some([1, 0x80].as_slice()));
    assert_eq!(crl.tbs().number_as_u64(), Some(0x01_80));
    assert_eq!((crl.tbs().this_update(), crl.tbs().next_update()), (NOW, Some(NOW + 7 * DAY)));
    assert_eq!(crl.tbs().issuer().der(), ca.certificate.subject().der());
    assert_eq!(crl.tbs().authority_key_identifier(), ca.certificate.subject_key_identifier());
    assert_eq!(crl.tbs().scope(), None);
    crl.verify_issued_by(&ca.certificate).unwrap();
    assert_eq!(lint_crl(&crl, &ca.certificate), []);
    // What the builder says of its bytes is what the bytes say.
    assert_eq!(Crl::from_der(crl.der()).unwrap(), crl);
    assert_eq!(TbsCrl::from_der(crl.tbs().der()).unwrap(), *crl.tbs());
    assert_eq!(Crl::from_pem(&crl.to_pem()).unwrap(), crl);
    // The order of the entries that came makes no difference.
    assert_eq!(tbs(&ca, INPUTS, &[three, one, two]).unwrap(), *crl.tbs());
}

#[test]
fn x509_cert_and_p256_agree_with_a_crl() {
    let ca = Ca::root(KeySpec::P256);
    let scope = shard();
    let crl = made(&ca, CrlInputs { scope: Some(&scope), ..INPUTS }, &ENTRIES);
    let parsed =
        x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(crl.der()).unwrap();
    assert_eq!(parsed.to_der().unwrap(), crl.der());
    let list = parsed.tbs_cert_list.revoked_certificates.as_ref().unwrap();
    assert_eq!(list[0].serial_number.as_bytes(), [2]);
    let extensions = list[0].crl_entry_extensions.as_ref().unwrap();
    assert_eq!(extensions[0].extn_id.to_string(), CRL_REASON);
    let reason = WireReason::from_der(extensions[0].extn_value.as_bytes()).unwrap();
    assert_eq!(reason, WireReason::KeyCompromise);
    assert!(list[1].crl_entry_extensions.is_none());
    assert_eq!(list[2].revocation_date.to_date_time().to_string(), "2051-01-01T00:00:00Z");

    let extensions = parsed.tbs_cert_list.crl_extensions.as_ref().unwrap();
    let kinds: Vec<_> = extensions.iter().map(|one| (one.extn_id.to_string(), one.critical)).collect();
    let expected = [(AUTHORITY_KEY_IDENTIFIER, false), (CRL_NUMBER, false), (SCOPE, true)];
    assert_eq!(kinds, expected.map(|(oid, critical)| (oid.to_owned(), critical)));
    let number = CrlNumber::from_der(extensions[1].extn_value.as_bytes()).unwrap();
    assert_eq!(number.0.as_bytes(), [1, 0x80]);
    let point = IssuingDistributionPoint::from_der(extensions[2].extn_value.as_bytes()).unwrap();
    assert!(point.only_contains_user_certs && !point.only_contains_ca_certs);
    assert!(
        matches!(point.distribution_point, Some(DistributionPointName::FullName(names)) if names.len() == 1)
    );

    let key = p256::ecdsa::VerifyingKey::from_public_key_der(ca.certificate.public_key().der()).unwrap();
    let signature = p256::ecdsa::Signature::from_der(parsed.signature.as_bytes().unwrap()).unwrap();
    key.verify(crl.tbs().der(), &signature).unwrap();
}

#[test]
fn scopes_read_back_as_they_were_written() {
    let ca = Ca::root(KeySpec::P256);
    for scope in [
        shard(),
        CrlScope { urls: Vec::new(), contents: CrlContents::CaCertificates },
        CrlScope { contents: CrlContents::All, ..shard() },
    ] {
        let crl = made(&ca, CrlInputs { scope: Some(&scope), ..INPUTS }, &ENTRIES);
        assert_eq!(Crl::from_der(crl.der()).unwrap().tbs().scope(), Some(&scope));
        assert_eq!(lint_crl(&crl, &ca.certificate), []);
    }
    let nothing = CrlScope::default();
    let inputs = CrlInputs { scope: Some(&nothing), ..INPUTS };
    assert_eq!(tbs(&ca, inputs, &ENTRIES).unwrap_err(), BuildError::CrlScope);
}

/// RFC 5280 §5.1.2.6: then there is no list at all.
#[test]
fn nothing_revoked_is_no_list() {
    let ca = Ca::root(KeySpec::P256);
    let crl = made(&ca, CrlInputs { number: 0, ..INPUTS }, &[]);
    assert_eq!(crl.tbs().entries().count(), 0);
    assert_eq!(crl.tbs().number(), Some([0].as_slice()));
    assert_eq!(Crl::from_der(crl.der()).unwrap(), crl);
    assert_eq!(lint_crl(&crl, &ca.certificate), []);
    let parsed =
        x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(crl.der()).unwrap();
    assert!(parsed.tbs_cert_list.revoked_certificates.is_none());
}

#[test]
fn keys_of_every_kind_sign_crls_and_throw_away_keys_rehearse_them() {
    for spec in [KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa65] {
        let ca = Ca::root(spec);
        let tbs = tbs(&ca, CrlInputs { number: u64::MAX, ..INPUTS }, &ENTRIES).unwrap();
        let rehearsal = tbs.sign(&throwaway_signer(&ca.signer).unwrap()).unwrap();
        assert_eq!(lint_crl(&rehearsal, &ca.certificate), []);
        assert!(matches!(rehearsal.verify_issued_by(&ca.certificate), Err(VerifyError::Signature(_))));
        let crl = tbs.sign(&ca.signer).unwrap();
        assert_eq!(crl.tbs(), rehearsal.tbs());
        crl.verify_issued_by(&ca.certificate).unwrap();
        assert_eq!(crl.tbs().number_as_u64(), Some(u64::MAX));
    }
}

#[test]
fn every_reason_reads_back_but_two_are_not_written() {
    let ca = Ca::root(KeySpec::P256);
    for code in 0..=11 {
        let Some(reason) = CrlReason::from_code(code) else {
            assert!([7, 11].contains(&code));
            continue;
        };
        assert_eq!(reason.code(), code);
        let entry = RevokedEntry { serial: &[1], revoked_at: NOW, reason: Some(reason) };
        let built = tbs(&ca, INPUTS, &[entry]);
        if [0, 8].contains(&code) {
            assert_eq!(built.unwrap_err(), BuildError::CrlReason);
        } else {
            assert_eq!(built.unwrap().entries().collect::<Vec<_>>(), [entry]);
        }
    }
}

#[test]
fn impossible_crls_are_refused() {
    let ca = Ca::root(KeySpec::P256);
    let refused = |inputs, entries: &[RevokedEntry<'_>]| tbs(&ca, inputs, entries).unwrap_err();
    let backwards = CrlInputs { next_update: NOW, ..INPUTS };
    assert!(matches!(refused(backwards, &ENTRIES), BuildError::Validity { .. }));
    let before_time = CrlInputs { this_update: -1, ..INPUTS };
    assert!(matches!(refused(before_time, &ENTRIES), BuildError::Validity { .. }));
    let [entry, ..] = ENTRIES;
    assert_eq!(refused(INPUTS, &[entry, entry]), BuildError::CrlRepeats);
    for serial in [&[][..], &[0], &[0x80], &[0, 1], &[1; 21]] {
        assert_eq!(refused(INPUTS, &[RevokedEntry { serial, ..entry }]), BuildError::Serial, "{serial:?}");
    }
    let never = RevokedEntry { revoked_at: i64::MAX, ..entry };
    assert!(matches!(refused(INPUTS, &[never]), BuildError::Validity { .. }));

    let leaf = ca.ordinary_leaf(&ca.signer);
    let by_a_leaf = crl(&leaf, SignatureAlgorithm::EcdsaSha256, INPUTS, ENTRIES);
    assert_eq!(by_a_leaf.unwrap_err(), BuildError::IssuerNotACa);
    let with_rsa = crl(&ca.certificate, SignatureAlgorithm::RsaSha256, INPUTS, ENTRIES);
    assert!(matches!(with_rsa.unwrap_err(), BuildError::Algorithm { .. }));
    let other = FileSigner::generate(KeySpec::P384).unwrap();
    let error = tbs(&ca, INPUTS, &ENTRIES).unwrap().sign(&other).unwrap_err();
    assert!(matches!(error, SignError::AlgorithmMismatch { .. }));
}

#[test]
fn a_ca_that_may_not_sign_crls_makes_and_verifies_none() {
    use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
    let ca = Ca::root(KeySpec::P256);
    let mut forge = crate::support::Forge::open(&ca.certificate);
    forge.replace_extension("2.5.29.15", &KeyUsage(KeyUsages::KeyCertSign.into()));
    let crl_of_another = made(&ca, INPUTS, &ENTRIES);
    let certificate = forge.close();
    let built = crl(&certificate, ca.signer.algorithm(), INPUTS, ENTRIES);
    assert_eq!(built.unwrap_err(), BuildError::CrlSign);
    assert_eq!(crl_of_another.verify_issued_by(&certificate), Err(VerifyError::CrlSign));
    let found = lint_crl(&crl_of_another, &certificate);
    assert_eq!(names_of(&found), ["crl_issuer"]);
}

/// Long lists are what the entries are written by hand for; that it is quick is measured, not tested.
#[test]
fn a_hundred_thousand_entries_are_made_read_and_linted() {
    let ca = Ca::root(KeySpec::P256);
    let serials: Vec<[u8; 18]> = (0..100_000_u32)
        .map(|number| {
            let mut serial = [0x11; 18];
            serial[1..5].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            serial
        })
        .collect();
    let entries = serials.iter().map(|serial| RevokedEntry {
        serial,
        revoked_at: NOW - DAY,
        reason: Some(CrlReason::Superseded),
    });
    let crl = crl(&ca.certificate, ca.signer.algorithm(), INPUTS, entries).unwrap();
    let crl = crl.sign(&ca.signer).unwrap();
    assert_eq!(lint_crl(&crl, &ca.certificate), []);
    let read = Crl::from_der(crl.der()).unwrap();
    assert_eq!(read.tbs().entries().count(), 100_000);
    assert!(read.tbs().entries().map(|entry| entry.serial).is_sorted());
}

// -- what is read

#[test]
fn a_crl_of_rcgen_is_read_and_verified() {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    let certificate = cairn_x509::Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
    let theirs = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2026, 1, 8),
        crl_number: rcgen::SerialNumber::from(7_u64),
        issuing_distribution_point: Some(rcgen::CrlIssuingDistributionPoint {
            distribution_point: rcgen::CrlDistributionPoint { uris: vec!["http://a.test/1.crl".to_owned()] },
            scope: Some(rcgen::CrlScope::UserCertsOnly),
        }),
        revoked_certs: vec![rcgen::RevokedCertParams {
            serial_number: rcgen::SerialNumber::from(9_u64),
            revocation_time: rcgen::date_time_ymd(2025, 12, 31),
            reason_code: Some(rcgen::RevocationReason::CessationOfOperation),
            invalidity_date: Some(rcgen::date_time_ymd(2025, 12, 30)),
        }],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    let issuer = rcgen::Issuer::from_params(&params, &key);
    let crl = Crl::from_der(theirs.signed_by(&issuer).unwrap().der()).unwrap();
    crl.verify_issued_by(&certificate).unwrap();
    assert_eq!(crl.tbs().number_as_u64(), Some(7));
    let entry =
        RevokedEntry { serial: &[9], revoked_at: NOW - DAY, reason: Some(CrlReason::CessationOfOperation) };
    assert_eq!(crl.tbs().entries().collect::<Vec<_>>(), [entry]);
    let scope = crl.tbs().scope().unwrap();
    assert_eq!(
        (scope.urls.as_slice(), scope.contents),
        (&["http://a.test/1.crl".to_owned()][..], CrlContents::UserCertificates)
    );
}

#[test]
fn a_crl_verifies_by_its_issuer_alone() {
    let ca = Ca::root(KeySpec::P256);
    let crl = made(&ca, INPUTS, &ENTRIES);
    let twin = Ca::root(KeySpec::P256);
    assert_eq!(crl.verify_issued_by(&twin.certificate), Err(VerifyError::KeyIdentifier));
    let middle = ca.intermediate(KeySpec::P256);
    assert!(matches!(crl.verify_issued_by(&middle.certificate), Err(VerifyError::Name { .. })));
    let mut torn = crl.der().to_vec();
    *torn.last_mut().unwrap() ^= 1;
    let torn = Crl::from_der(&torn).unwrap();
    assert!(matches!(torn.verify_issued_by(&ca.certificate), Err(VerifyError::Signature(_))));
}

// -- what is refused, and what is found

#[derive(Clone, Sequence)]
struct Forge {
    tbs: ForgedTbs,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

#[derive(Clone, Sequence)]
struct ForgedTbs {
    version: Option<u8>,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Any,
    this_update: x509_cert::time::Time,
    next_update: Option<x509_cert::time::Time>,
    revoked: Option<Vec<ForgedEntry>>,
    #[asn1(context_specific = "0", optional = "true")]
    extensions: Option<Vec<Extension>>,
}

#[derive(Clone, Sequence)]
struct ForgedEntry {
    serial: Any,
    date: Any,
    extensions: Option<Vec<Extension>>,
}

impl ForgedTbs {
    fn extension(&mut self, oid: &str) -> &mut Extension {
        self.extensions.as_mut().unwrap().iter_mut().find(|one| one.extn_id.to_string() == oid).unwrap()
    }

    fn set(&mut self, oid: &str, value: &[u8]) {
        self.extension(oid).extn_value = OctetString::new(value).unwrap();
    }

    fn drop(&mut self, oid: &str) {
        self.extensions.as_mut().unwrap().retain(|one| one.extn_id.to_string() != oid);
    }

    /// The second entry, which has a reason.
    fn entry(&mut self) -> &mut ForgedEntry {
        &mut self.revoked.as_mut().unwrap()[0]
    }

    fn reason(&mut self) -> &mut Extension {
        &mut self.entry().extensions.as_mut().unwrap()[0]
    }
}

fn extension(oid: &str, critical: bool, value: &[u8]) -> Extension {
    Extension { extn_id: oid.parse().unwrap(), critical, extn_value: OctetString::new(value).unwrap() }
}

fn names_of(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.lint).collect()
}

fn forged(spoil: impl FnOnce(&mut ForgedTbs)) -> (Ca, Result<Crl, CrlError>) {
    let ca = Ca::root(KeySpec::P256);
    let scope = shard();
    let crl = made(&ca, CrlInputs { scope: Some(&scope), ..INPUTS }, &ENTRIES);
    assert_eq!(lint_crl(&crl, &ca.certificate), []);
    let mut forge = Forge::from_der(crl.der()).unwrap();
    spoil(&mut forge.tbs);
    (ca, Crl::from_der(&forge.to_der().unwrap()))
}

/// The names of the lints that a spoilt CRL fails.
fn spoilt(spoil: impl FnOnce(&mut ForgedTbs)) -> Vec<&'static str> {
    let (ca, crl) = forged(spoil);
    names_of(&lint_crl(&crl.unwrap(), &ca.certificate))
}

fn refused(spoil: impl FnOnce(&mut ForgedTbs)) -> CrlError {
    forged(spoil).1.unwrap_err()
}

#[test]
fn what_a_reader_cannot_understand_is_refused() {
    let add = |critical, oid: &'static str| {
        move |tbs: &mut ForgedTbs| tbs.extensions.as_mut().unwrap().push(extension(oid, critical, &[2, 1, 1]))
    };
    assert_eq!(refused(add(true, DELTA_CRL_INDICATOR)), CrlError::Critical(DELTA_CRL_INDICATOR.to_owned()));
    assert_eq!(refused(add(false, CRL_NUMBER)), CrlError::Repeated(CRL_NUMBER.to_owned()));
    let certificate_issuer = "2.5.29.29";
    let error = refused(|tbs| *tbs.reason() = extension(certificate_issuer, true, &[0x30, 0]));
    assert_eq!(error, CrlError::Critical(certificate_issuer.to_owned()));
    let error = refused(|tbs| {
        let twin = tbs.reason().clone();
        tbs.entry().extensions.as_mut().unwrap().push(twin);
    });
    assert_eq!(error, CrlError::Repeated(CRL_REASON.to_owned()));
    for value in [&[0x0a, 1, 7][..], &[0x0a, 1, 11], &[0x0a, 2, 0, 1], &[2, 1, 1], &[0x0a, 0], &[]] {
        let error = refused(|tbs| tbs.reason().extn_value = OctetString::new(value).unwrap());
        assert!(matches!(error, CrlError::Malformed(_)), "{value:?}");
    }
    for version in [None, Some(0), Some(2)] {
        assert!(matches!(refused(|tbs| tbs.version = version), CrlError::Malformed(_)), "{version:?}");
    }
    let error = refused(|tbs| tbs.entry().serial = integer(&[0x80]));
    assert!(matches!(error, CrlError::Malformed(_)));
    for number in [&[2, 1, 0x80][..], &[&[2, 21][..], &[1; 21]].concat()] {
        assert_eq!(refused(|tbs| tbs.set(CRL_NUMBER, number)), CrlError::Number);
    }
}

/// RFC 5280 §5.2.5.
#[test]
fn scopes_that_are_not_of_complete_crls_are_refused() {
    for (value, text) in [
        (&[0x30, 3, 0x84, 1, 0xff][..], "other CAs"),
        (&[0x30, 3, 0x85, 1, 0xff], "attribute"),
        (&[0x30, 6, 0x81, 1, 0xff, 0x82, 1, 0xff], "nothing"),
        (&[0x30, 4, 0x83, 2, 6, 0x40], "some reasons"),
    ] {
        let error = refused(|tbs| tbs.set(SCOPE, value));
        assert!(matches!(error, CrlError::Scope(found) if found.contains(text)), "{error}");
    }
}

#[test]
fn a_crl_that_is_too_long_is_not_read() {
    let long = vec![0; crl::MAX_CRL_LEN + 1];
    assert_eq!(Crl::from_der(&long), Err(CrlError::TooLong(long.len())));
    assert_eq!(Crl::from_pem("-----BEGIN X509 CRL-----\n"), Err(CrlError::Pem));
    let big = || extension("1.3.6.1.4.1.99999.1", false, &[0; 20_000]);
    let error = refused(|tbs| tbs.extensions.as_mut().unwrap().push(big()));
    assert!(matches!(error, CrlError::Extensions(20_000..)), "{error}");
    let error = refused(|tbs| tbs.entry().extensions.as_mut().unwrap().push(big()));
    assert!(matches!(error, CrlError::Extensions(20_000..)), "{error}");
    assert_eq!(Crl::from_pem(&Ca::root(KeySpec::P256).certificate.to_pem()), Err(CrlError::Pem));
}

#[test]
fn missing_and_foreign_extensions_are_found() {
    assert_eq!(spoilt(|tbs| tbs.drop(CRL_NUMBER)), ["crl_number"]);
    assert_eq!(spoilt(|tbs| tbs.drop(AUTHORITY_KEY_IDENTIFIER)), ["crl_authority_key_identifier"]);
    assert_eq!(
        spoilt(|tbs| tbs.set(AUTHORITY_KEY_IDENTIFIER, &[0x30, 3, 0x80, 1, 7])),
        ["crl_authority_key_identifier"]
    );
    assert_eq!(spoilt(|tbs| tbs.extension(CRL_NUMBER).critical = true), ["crl_extensions"]);
    assert_eq!(spoilt(|tbs| tbs.extension(SCOPE).critical = false), ["crl_extensions"]);
    let delta = extension(DELTA_CRL_INDICATOR, false, &[2, 1, 1]);
    assert_eq!(spoilt(|tbs| tbs.extensions.as_mut().unwrap().push(delta)), ["crl_extensions"]);
    assert_eq!(spoilt(|tbs| tbs.set(SCOPE, &[0x30, 0])), ["crl_scope"]);
    let https = [&[0x30, 14, 0xa0, 12, 0xa0, 10, 0x86, 8][..], b"https://"].concat();
    assert_eq!(spoilt(|tbs| tbs.set(SCOPE, &https)), ["crl_scope"]);
}

#[test]
fn wrong_times_are_found() {
    assert_eq!(spoilt(|tbs| tbs.next_update = None), ["crl_next_update"]);
    assert_eq!(spoilt(|tbs| tbs.next_update = Some(tbs.this_update)), ["crl_next_update"]);
    let early = Any::new(Tag::GeneralizedTime, *b"20260101000000Z").unwrap();
    assert_eq!(spoilt(|tbs| tbs.entry().date = early), ["crl_times"]);
}

#[test]
fn wrong_entries_are_found() {
    assert_eq!(spoilt(|tbs| tbs.revoked = Some(Vec::new())), ["crl_list_is_not_empty"]);
    assert_eq!(spoilt(|tbs| tbs.entry().serial = integer(&[1; 21])), ["crl_serials"]);
    assert_eq!(spoilt(|tbs| tbs.entry().serial = integer(&[0])), ["crl_serials"]);
    assert_eq!(
        spoilt(|tbs| {
            let twin = tbs.entry().clone();
            tbs.revoked.as_mut().unwrap().push(twin);
        }),
        ["crl_serials"]
    );
    assert_eq!(spoilt(|tbs| tbs.entry().extensions = Some(Vec::new())), ["crl_entry_extensions"]);
    assert_eq!(spoilt(|tbs| tbs.reason().critical = true), ["crl_entry_extensions"]);
    let private = extension("1.3.6.1.4.1.99999.1", false, &[5, 0]);
    assert_eq!(spoilt(|tbs| *tbs.reason() = private), ["crl_entry_extensions"]);
    for code in [0, 8] {
        let value = OctetString::new([0x0a, 1, code]).unwrap();
        assert_eq!(spoilt(|tbs| tbs.reason().extn_value = value), ["crl_reasons"]);
    }
}

#[test]
fn a_foreign_issuer_and_unfit_algorithms_are_found() {
    let empty = Any::new(Tag::Sequence, []).unwrap();
    assert_eq!(spoilt(|tbs| tbs.issuer = empty), ["crl_issuer"]);
    let sha384 = "1.2.840.10045.4.3.3".parse().unwrap();
    assert_eq!(
        spoilt(|tbs| tbs.algorithm.oid = sha384),
        ["crl_signature_algorithms_agree", "crl_signature_fits_issuer"]
    );
}

/// A CRL whose entries and extensions are any bytes.
#[derive(Sequence)]
struct Raw {
    tbs: RawTbs,
    algorithm: AlgorithmIdentifierOwned,
    signature: BitString,
}

#[derive(Sequence)]
struct RawTbs {
    version: Option<u8>,
    algorithm: AlgorithmIdentifierOwned,
    issuer: Any,
    this_update: x509_cert::time::Time,
    next_update: Option<x509_cert::time::Time>,
    revoked: Option<Vec<Any>>,
    #[asn1(context_specific = "0", optional = "true")]
    extensions: Option<Vec<Any>>,
}

/// `critical` is FALSE by default, and DER leaves defaults out: in the list and behind it.
#[test]
fn a_default_that_is_written_is_found() {
    let ca = Ca::root(KeySpec::P256);
    let good = made(&ca, INPUTS, &ENTRIES);
    let spoilt = |spoil: &dyn Fn(&mut RawTbs)| {
        let mut raw = Raw::from_der(good.der()).unwrap();
        spoil(&mut raw.tbs);
        let crl = Crl::from_der(&raw.to_der().unwrap()).unwrap();
        names_of(&lint_crl(&crl, &ca.certificate))
    };
    assert_eq!(spoilt(&|_| {}), [""; 0]);
    let reason = [&[0x30, 15, 0x30, 13, 6, 3, 0x55, 0x1d, 0x15, 1, 1, 0][..], &[4, 3, 0x0a, 1, 1]].concat();
    let entry = [&[2, 1, 2][..], &[0x17, 13], b"260101000000Z", &reason].concat();
    let entry = Any::new(Tag::Sequence, entry).unwrap();
    assert_eq!(spoilt(&|tbs| tbs.revoked = Some(vec![entry.clone()])), ["crl_round_trip"]);
    let number = Any::new(Tag::Sequence, [6, 3, 0x55, 0x1d, 0x14, 1, 1, 0, 4, 3, 2, 1, 7]).unwrap();
    assert_eq!(spoilt(&|tbs| tbs.extensions.as_mut().unwrap()[1] = number.clone()), ["crl_round_trip"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever is listed reads back: the entries, by number, and the lints have nothing to say.
    #[test]
    fn any_entries_read_back(
        serials in proptest::collection::btree_set(
            proptest::collection::vec(1_u8..0x80, 1..20), 0..40
        ),
        at in 0_i64..4_000_000_000,
        code in prop::option::of(1_u8..7),
    ) {
        static CA: std::sync::LazyLock<Ca> = std::sync::LazyLock::new(|| Ca::root(KeySpec::P256));
        let reason = code.and_then(CrlReason::from_code);
        let mut entries: Vec<_> = serials
            .iter()
            .map(|serial| RevokedEntry { serial, revoked_at: at, reason })
            .collect();
        let crl = made(&CA, INPUTS, &entries);
        entries.sort_by_key(|entry| (entry.serial.len(), entry.serial));
        let read = Crl::from_der(crl.der()).unwrap();
        prop_assert_eq!(read.tbs().entries().collect::<Vec<_>>(), entries);
        prop_assert_eq!(lint_crl(&crl, &CA.certificate), []);
    }
}
