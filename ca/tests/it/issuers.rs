//! What is found wrong with an issuer when it is loaded.

use cairn_ca::{Issuer, IssuerError};
use cairn_core::Timestamp;
use cairn_x509::{
    Certificate, FileSigner, KeySpec, LeafInputs, LeafProfile, PublicKey, SignatureAlgorithm, Signer,
    SignerError, SubjectAltName, leaf,
};

use crate::world::{DAY, Hierarchy, NOW, validity};

fn load(
    certificate: &Certificate,
    root: &Certificate,
    key: FileSigner,
    now: Timestamp,
) -> Result<Issuer, IssuerError> {
    Issuer::load(&certificate.to_pem(), &root.to_pem(), Box::new(key), now)
}

/// `der` with the first occurrence of `from` replaced by `to`, of the same length, and `key`'s signature over the result.
fn patched(certificate: &Certificate, from: &[u8], to: &[u8], key: &FileSigner) -> Certificate {
    let mut tbs = certificate.tbs_der().to_vec();
    let at = tbs.windows(from.len()).position(|window| window == from).unwrap();
    tbs[at..at + to.len()].copy_from_slice(to);
    let tbs = cairn_x509::TbsCertificate::from_der(&tbs).unwrap();
    tbs.sign(key).unwrap()
}

#[test]
fn an_intermediate_and_a_root_that_issues_leaves_itself_are_accepted() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let issuer = load(&hierarchy.intermediate, &hierarchy.root, hierarchy.intermediate_key, NOW).unwrap();
    assert_eq!(issuer.certificate(), &hierarchy.intermediate);
    assert_eq!(Some(&issuer.id().as_bytes()[..]), hierarchy.intermediate.subject_key_identifier());
    load(&hierarchy.root, &hierarchy.root, hierarchy.root_key, NOW).unwrap();
}

#[test]
fn the_key_must_be_the_certificates() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let error = load(&hierarchy.intermediate, &hierarchy.root, hierarchy.root_key, NOW).unwrap_err();
    assert!(matches!(error, IssuerError::OtherKey { .. }), "{error}");
    assert!(error.to_string().contains("CN=Test Intermediate"), "{error}");
}

#[test]
fn the_root_must_be_the_intermediates() {
    let (one, other) = (Hierarchy::new(KeySpec::P256, 1825), Hierarchy::new(KeySpec::P256, 1825));
    let error = load(&one.intermediate, &other.root, one.intermediate_key, NOW).unwrap_err();
    assert!(matches!(error, IssuerError::OtherRoot { .. }), "{error}");
}

#[test]
fn files_with_anything_but_one_certificate_are_refused() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let (certificate, root) = (hierarchy.intermediate.to_pem(), hierarchy.root.to_pem());
    let key = || Box::new(FileSigner::generate(KeySpec::P256).unwrap());
    for text in ["", "no PEM", &format!("{certificate}{root}")] {
        let error = Issuer::load(text, &root, key(), NOW).unwrap_err();
        assert!(error.to_string().contains("this certificate alone"), "{error}");
        let error = Issuer::load(&certificate, text, key(), NOW).unwrap_err();
        assert!(error.to_string().starts_with("the root's certificate"), "{error}");
    }
}

#[test]
fn a_leaf_is_no_issuer() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = LeafInputs {
        serial: &[3; 16],
        validity: validity(30),
        public_key: key.public_key(),
        names: &[SubjectAltName::Dns("www.example.test".to_owned())],
        common_name: None,
        crl_url: None,
        ocsp_url: None,
        issuer_url: None,
    };
    let algorithm = hierarchy.intermediate_key.algorithm();
    let tbs = leaf(&LeafProfile::default(), &hierarchy.intermediate, algorithm, inputs).unwrap();
    let certificate = tbs.sign(&hierarchy.intermediate_key).unwrap();
    let error = load(&certificate, &hierarchy.intermediate, key, NOW).unwrap_err();
    assert!(matches!(error, IssuerError::NotACa { .. }), "{error}");
}

#[test]
fn an_issuer_counts_from_its_first_second_to_its_last() {
    let hierarchy = || Hierarchy::new(KeySpec::P256, 1);
    let at = |seconds: i64| {
        let Hierarchy { root, intermediate, intermediate_key, .. } = hierarchy();
        load(&intermediate, &root, intermediate_key, NOW.plus(seconds))
    };
    assert!(at(-DAY).is_ok() && at(DAY).is_ok());
    assert!(matches!(at(-DAY - 1), Err(IssuerError::NotYetValid { .. })));
    let error = at(DAY + 1).unwrap_err();
    assert!(matches!(error, IssuerError::Expired { ended, .. } if ended == NOW.plus(DAY)), "{error}");
}

#[test]
fn an_issuer_must_be_allowed_to_sign_certificates() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    // keyUsage: keyCertSign and cRLSign become cRLSign alone.
    let key_usage = [0x04, 4, 0x03, 2, 1, 6];
    let crl_sign = [0x04, 4, 0x03, 2, 1, 2];
    let certificate = patched(&hierarchy.intermediate, &key_usage, &crl_sign, &hierarchy.root_key);
    let error = load(&certificate, &hierarchy.root, hierarchy.intermediate_key, NOW).unwrap_err();
    assert!(matches!(error, IssuerError::Lints { .. }), "{error}");
    assert!(error.to_string().contains("ca_key_usage"), "{error}");
}

#[test]
fn an_issuer_needs_a_subject_key_identifier_of_20_octets() {
    let hierarchy = Hierarchy::new(KeySpec::P256, 1825);
    // The extension's OID becomes an unknown one.
    let certificate =
        patched(&hierarchy.root, &[6, 3, 0x55, 29, 14], &[6, 3, 0x55, 29, 99], &hierarchy.root_key);
    let error = load(&certificate, &certificate, hierarchy.root_key, NOW).unwrap_err();
    assert!(matches!(error, IssuerError::KeyIdentifier { .. }), "{error}");
}

/// A key that signs something else than it is told, or nothing.
struct BrokenKey {
    key: FileSigner,
    answer: Result<(), SignerError>,
}

impl Signer for BrokenKey {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignerError> {
        self.answer.clone()?;
        self.key.sign(b"something else")
    }
}

#[test]
fn a_key_that_signs_wrongly_or_not_at_all_is_found_at_start() {
    for (answer, expected) in
        [(Ok(()), "failed its self-test"), (Err(SignerError::Signing), "cannot be used")]
    {
        let Hierarchy { root, intermediate, intermediate_key: key, .. } = Hierarchy::new(KeySpec::P256, 1825);
        let key = Box::new(BrokenKey { key, answer });
        let error = Issuer::load(&intermediate.to_pem(), &root.to_pem(), key, NOW).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}
