//! CRLs that are made, linted and signed in one buffer, and delta CRLs: read with other eyes, and spoilt.

use cairn_x509::{
    BuildError, Crl, CrlContents, CrlError, CrlInputs, CrlReason, CrlScope, CrlWriter, EntriesLength,
    FileSigner, KeySpec, LargeCrl, LargeCrlError, RevokedEntry, SignError, Signer, crl, throwaway_signer,
};
use der::{Decode, Encode};
use x509_cert::ext::pkix::{CrlNumber, FreshestCrl};

use crate::support::{Ca, DAY, Forge, NOW};

const FRESHEST_CRL: &str = "2.5.29.46";
const DELTA_CRL_INDICATOR: &str = "2.5.29.27";
const DELTA_URL: &str = "http://pki.example.test/crls/1-delta.crl";

const INPUTS: CrlInputs<'static> = CrlInputs {
    this_update: NOW,
    next_update: NOW + 3 * DAY,
    number: 1_790_000_000_000_000_000,
    scope: None,
    base: None,
    delta_url: None,
};

fn shard() -> CrlScope {
    CrlScope {
        urls: vec!["http://pki.example.test/crls/1.crl".to_owned()],
        contents: CrlContents::UserCertificates,
    }
}

fn entry(serial: &[u8]) -> RevokedEntry<'_> {
    RevokedEntry { serial, revoked_at: NOW - DAY, reason: Some(CrlReason::Superseded) }
}

fn length(entries: &[RevokedEntry<'_>]) -> EntriesLength {
    let mut length = EntriesLength::default();
    for entry in entries {
        length.add(entry).unwrap();
    }
    length
}

fn written(ca: &Ca, inputs: CrlInputs<'_>, entries: &[RevokedEntry<'_>]) -> Result<CrlWriter, BuildError> {
    let mut writer = CrlWriter::new(&ca.certificate, ca.signer.algorithm(), inputs, length(entries))?;
    entries.iter().try_for_each(|entry| writer.push(entry))?;
    Ok(writer)
}

fn made(ca: &Ca, inputs: CrlInputs<'_>, entries: &[RevokedEntry<'_>]) -> LargeCrl {
    let unsigned = written(ca, inputs, entries).unwrap().finish().unwrap();
    let throwaway = throwaway_signer(&ca.signer).unwrap();
    unsigned.lint(&ca.certificate, &throwaway).unwrap().sign(&ca.signer).unwrap()
}

#[test]
fn a_large_crl_is_the_same_as_a_small_one() {
    let later = RevokedEntry { revoked_at: 2_556_144_000, reason: None, ..entry(&[0x7f; 20]) };
    let last_of_utc = RevokedEntry { revoked_at: 2_524_607_999, ..entry(&[5; 16]) };
    let first_beyond = RevokedEntry { revoked_at: 2_524_608_000, ..entry(&[6; 16]) };
    let entries = [entry(&[2]), entry(&[3]), last_of_utc, first_beyond, later];
    for spec in [KeySpec::P256, KeySpec::P384, KeySpec::Rsa2048, KeySpec::Ed25519, KeySpec::MlDsa87] {
        let ca = Ca::root(spec);
        let scope = shard();
        for inputs in [INPUTS, CrlInputs { scope: Some(&scope), delta_url: Some(DELTA_URL), ..INPUTS }] {
            for count in 0..=entries.len() {
                let large = made(&ca, inputs, &entries[..count]);
                let small =
                    crl(&ca.certificate, ca.signer.algorithm(), inputs, entries[..count].iter().copied());
                let read = Crl::from_der(large.der()).unwrap();
                assert_eq!(read.tbs(), &small.unwrap());
                read.verify_issued_by(&ca.certificate).unwrap();
                assert_eq!(large.count(), count as u64);
            }
        }
    }
}

/// Heads of 2, 3, 4 and 5 octets.
#[test]
fn lists_of_every_length_have_their_heads() {
    let ca = Ca::root(KeySpec::P256);
    let serials: Vec<[u8; 16]> = (0..6_000_u32)
        .map(|number| {
            let mut serial = [1; 16];
            serial[12..].copy_from_slice(&number.to_be_bytes());
            serial
        })
        .collect();
    let entries: Vec<_> = serials.iter().map(|serial| entry(serial)).collect();
    for count in [1, 2, 3, 5, 6, 1_337, 1_338, 6_000] {
        let large = made(&ca, INPUTS, &entries[..count]);
        let read = Crl::from_der(large.der()).unwrap();
        assert_eq!(read.tbs().entries().count(), count);
        read.verify_issued_by(&ca.certificate).unwrap();
        assert_eq!(large.sha256().len(), 32);
    }
}

#[test]
fn entries_come_by_ascending_serials_in_one_order_or_the_other() {
    let ca = Ca::root(KeySpec::P256);
    let refused = |entries: &[RevokedEntry<'_>]| written(&ca, INPUTS, entries).err().unwrap();
    // As numbers, and as octets.
    made(&ca, INPUTS, &[entry(&[2]), entry(&[1, 0]), entry(&[1, 1])]);
    made(&ca, INPUTS, &[entry(&[1, 0]), entry(&[1, 1]), entry(&[2])]);
    assert_eq!(refused(&[entry(&[2]), entry(&[2])]), BuildError::CrlRepeats);
    assert_eq!(refused(&[entry(&[2]), entry(&[1])]), BuildError::CrlOrder);
    assert_eq!(refused(&[entry(&[2]), entry(&[1, 0]), entry(&[2])]), BuildError::CrlOrder);
    assert_eq!(refused(&[entry(&[1, 0]), entry(&[2]), entry(&[1, 1])]), BuildError::CrlOrder);
    for serial in [&[][..], &[0], &[0x80], &[1; 21]] {
        assert_eq!(refused(&[entry(serial)]), BuildError::Serial);
    }
    for reason in [CrlReason::Unspecified, CrlReason::RemoveFromCrl] {
        let given = RevokedEntry { reason: Some(reason), ..entry(&[1]) };
        assert_eq!(refused(&[given]), BuildError::CrlReason);
    }
}

/// What was revoked between the two passes finds room too.
#[test]
fn more_entries_than_were_told_fit() {
    let ca = Ca::root(KeySpec::P256);
    let mut writer =
        CrlWriter::new(&ca.certificate, ca.signer.algorithm(), INPUTS, EntriesLength::default()).unwrap();
    for number in 1..=1_000_u32 {
        writer.push(&entry(&[&[1], &number.to_be_bytes()[..]].concat())).unwrap();
    }
    let throwaway = throwaway_signer(&ca.signer).unwrap();
    let linted = writer.finish().unwrap().lint(&ca.certificate, &throwaway).unwrap();
    let large = linted.sign(&ca.signer).unwrap();
    assert_eq!(Crl::from_der(large.der()).unwrap().tbs().entries().count(), 1_000);
}

#[test]
fn a_delta_crl_names_its_base_and_no_delta_of_its_own() {
    let ca = Ca::root(KeySpec::P256);
    let scope = shard();
    let inputs = CrlInputs { scope: Some(&scope), base: Some(0x01_80), ..INPUTS };
    let delta = made(&ca, inputs, &[entry(&[7])]);
    let parsed =
        x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(delta.der()).unwrap();
    let extensions = parsed.tbs_cert_list.crl_extensions.as_ref().unwrap();
    let indicator = extensions.iter().find(|one| one.extn_id.to_string() == DELTA_CRL_INDICATOR).unwrap();
    assert!(indicator.critical);
    let base = CrlNumber::from_der(indicator.extn_value.as_bytes()).unwrap();
    assert_eq!(base.0.as_bytes(), [1, 0x80]);
    assert!(extensions.iter().all(|one| one.extn_id.to_string() != FRESHEST_CRL));
    // Whoever does not know deltas must not take it for the whole.
    assert_eq!(Crl::from_der(delta.der()), Err(CrlError::Critical(DELTA_CRL_INDICATOR.to_owned())));

    for wrong in [
        CrlInputs { base: Some(INPUTS.number + 1), ..INPUTS },
        CrlInputs { base: Some(1), delta_url: Some(DELTA_URL), ..INPUTS },
    ] {
        assert_eq!(written(&ca, wrong, &[]).err(), Some(BuildError::CrlBase));
    }
    let by_crl = crl(&ca.certificate, ca.signer.algorithm(), inputs, []);
    assert_eq!(by_crl.unwrap_err(), BuildError::CrlBase);
    // Of one moment with the complete list.
    made(&ca, CrlInputs { base: Some(INPUTS.number), ..INPUTS }, &[]);
}

#[test]
fn a_complete_crl_tells_where_its_delta_lies() {
    let ca = Ca::root(KeySpec::P256);
    let large = made(&ca, CrlInputs { delta_url: Some(DELTA_URL), ..INPUTS }, &[entry(&[7])]);
    let parsed =
        x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(large.der()).unwrap();
    let extensions = parsed.tbs_cert_list.crl_extensions.as_ref().unwrap();
    let freshest = extensions.iter().find(|one| one.extn_id.to_string() == FRESHEST_CRL).unwrap();
    assert!(!freshest.critical);
    let points = FreshestCrl::from_der(freshest.extn_value.as_bytes()).unwrap();
    assert!(points.to_der().unwrap().windows(DELTA_URL.len()).any(|part| part == DELTA_URL.as_bytes()));
}

#[test]
fn what_lints_refuse_is_not_signed() {
    let ca = Ca::root(KeySpec::P256);
    let scope = CrlScope { urls: vec!["https://pki.example.test/1.crl".to_owned()], ..shard() };
    let throwaway = throwaway_signer(&ca.signer).unwrap();
    for (inputs, lint) in [
        (CrlInputs { scope: Some(&scope), ..INPUTS }, "crl_scope"),
        (CrlInputs { delta_url: Some("ldap://pki.example.test"), ..INPUTS }, "crl_freshest"),
    ] {
        let unsigned = written(&ca, inputs, &[entry(&[7])]).unwrap().finish().unwrap();
        let refused = unsigned.lint(&ca.certificate, &throwaway).err().unwrap();
        let LargeCrlError::Lints(findings) = &refused else { panic!("{refused}") };
        assert_eq!(findings.iter().map(|finding| finding.lint).collect::<Vec<_>>(), [lint]);
        assert!(refused.to_string().contains(lint), "{refused}");
    }
    // By an issuer that is not the one of the list.
    let twin = Ca::root(KeySpec::P256);
    let unsigned = written(&ca, INPUTS, &[]).unwrap().finish().unwrap();
    let refused = unsigned.lint(&twin.certificate, &throwaway).err().unwrap();
    assert!(refused.to_string().contains("crl_authority_key_identifier"), "{refused}");
}

#[test]
fn a_key_of_another_kind_and_a_certificate_that_may_not_sign_crls_are_refused() {
    use x509_cert::ext::pkix::{KeyUsage, KeyUsages};
    let ca = Ca::root(KeySpec::P256);
    let other = FileSigner::generate(KeySpec::P384).unwrap();
    let unsigned = written(&ca, INPUTS, &[]).unwrap().finish().unwrap();
    let refused = unsigned.lint(&ca.certificate, &other).err().unwrap();
    assert!(matches!(refused, LargeCrlError::Sign(SignError::AlgorithmMismatch { .. })));
    let mut forge = Forge::open(&ca.certificate);
    forge.replace_extension("2.5.29.15", &KeyUsage(KeyUsages::KeyCertSign.into()));
    let certificate = forge.close();
    let refused = CrlWriter::new(&certificate, ca.signer.algorithm(), INPUTS, EntriesLength::default());
    assert_eq!(refused.err(), Some(BuildError::CrlSign));
}
