//! Whatever bytes a stranger sends, the answer is a value or an error.

use std::sync::LazyLock;

use cairn_x509::{
    CaCsr, Certificate, Crl, CrlContents, CrlInputs, CrlReason, CrlScope, Csr, FileSigner, KeySpec, Name,
    PublicKey, RevokedEntry, Signer, TbsCertificate, TbsCrl, crl,
};
use proptest::{collection::vec, prelude::*};

use crate::support::{Ca, DAY, NOW};

static CERTIFICATE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let subscriber = FileSigner::generate(KeySpec::P256).unwrap();
    Ca::root(KeySpec::P256).ordinary_leaf(&subscriber).der().to_vec()
});

/// With every extension that a CA may have.
static CA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let top = Ca::root(KeySpec::P256);
    crate::cas::made(&top, &crate::cas::full_profile(), &top.signer).unwrap().der().to_vec()
});

static CRL: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let top = Ca::root(KeySpec::P256);
    let scope = CrlScope { urls: vec!["http://a.test/".to_owned()], contents: CrlContents::CaCertificates };
    let inputs = CrlInputs {
        this_update: NOW,
        next_update: NOW + DAY,
        number: 300,
        scope: Some(&scope),
        base: None,
        delta_url: None,
    };
    let reason = Some(CrlReason::Superseded);
    let entries = [RevokedEntry { serial: &[1, 2, 3], revoked_at: NOW, reason }];
    let tbs = crl(&top.certificate, top.signer.algorithm(), inputs, entries).unwrap();
    tbs.sign(&top.signer).unwrap().der().to_vec()
});

static ISSUER: LazyLock<Certificate> = LazyLock::new(|| Ca::root(KeySpec::P256).certificate);

static CSR: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let params = rcgen::CertificateParams::new(vec!["www.example.test".to_owned()]).unwrap();
    params.serialize_request(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
});

static SPKI: LazyLock<Vec<u8>> =
    LazyLock::new(|| FileSigner::generate(KeySpec::P384).unwrap().public_key().der().to_vec());

fn read_all(bytes: &[u8]) {
    let _ = Csr::parse(bytes);
    let _ = CaCsr::from_der(bytes);
    let _ = PublicKey::from_der(bytes);
    let _ = TbsCertificate::from_der(bytes);
    let _ = Name::from_der(bytes);
    let _ = TbsCrl::from_der(bytes);
    let _ = cairn_x509::ocsp::Request::from_der(bytes);
    let _ = cairn_x509::ocsp::Response::from_der(bytes);
    if let Ok(crl) = Crl::from_der(bytes) {
        let _ = crl.tbs().entries().count();
        let _ = crl.tbs().number_as_u64();
        let _ = crl.verify_issued_by(&ISSUER);
        let _ = cairn_x509::lint_crl(&crl, &ISSUER);
    }
    if let Ok(certificate) = Certificate::from_der(bytes) {
        let _ = certificate.verify_issued_by(&certificate);
        let _ = cairn_x509::lint_leaf(&certificate, &certificate);
        let _ = cairn_x509::lint_ca(&certificate, &certificate);
        let _ = cairn_x509::lint_root(&certificate);
        let _ = cairn_x509::lint_cross_certificate(&certificate, &certificate, &certificate);
        let _ = cairn_x509::lint_ocsp_responder(&certificate, &certificate);
        let _ = certificate.subject().to_string();
        let _ = certificate.description();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = FileSigner::from_pem(text, Some(b"x"));
        let _ = Certificate::from_pem(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in vec(any::<u8>(), 0..512)) {
        read_all(&bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(-----BEGIN [A-Z ]{0,12}PRIVATE KEY-----)?\\PC{0,80}(-----END)?") {
        read_all(text.as_bytes());
    }

    /// Bytes that are nearly right reach deeper than bytes by chance.
    #[test]
    fn mutated_documents_never_panic(
        which in 0_usize..5,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        is_cut in any::<bool>(),
    ) {
        let mut bytes = [&CERTIFICATE, &CA, &CRL, &CSR, &SPKI][which].to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        read_all(&bytes);
    }
}
