//! Every kind of key: root, intermediate, responder and list, verified by all who know its algorithm.

use cairn_x509::SubjectAltName;

use crate::hall::{Hall, dns};
use crate::judges::{Judge, Question, pkilint};

/// A kind of key, and who knows it: for a server's certificate, the web's rules leave Python two kinds.
fn holds(key: &str, verifiers: &[Judge], of_chains: &[Judge]) {
    let hall = Hall::new();
    let root = hall.root("Example Root", key);
    let intermediate = hall.intermediate("Example Intermediate", key, &root, "");
    let responder = hall.ocsp_signer("Example Responder", key, &root);
    let crl = hall.crl("crl", &root, 1, &[]);
    let leaf = hall.leaf(
        "leaf.pem",
        &intermediate,
        &[dns("www.example.com"), SubjectAltName::Ip([10, 0, 0, 1].into())],
    );

    let request = hall.csr("Example Request", key);

    for judge in verifiers {
        judge.request(&request).assert_good((key, judge, "request"));
        for certificate in [&root.file, &intermediate.file, &responder] {
            judge.issued(&root.file, certificate).assert_good((key, judge, certificate));
        }
        judge.issued(&intermediate.file, &leaf).assert_good((key, judge, "leaf"));
        judge
            .issued(&intermediate.file, &responder)
            .assert_bad(&["issuer", "match"], (key, judge, "another's"));
        judge.not_revoked(&root.file, &crl, &intermediate.file).assert_good((key, judge, "crl"));
    }
    for judge in of_chains {
        for name in ["www.example.com", "10.0.0.1"] {
            if name == "10.0.0.1" && matches!(judge, Judge::OpenSsl | Judge::NewOpenSsl) {
                // `-verify_hostname` knows no addresses.
                continue;
            }
            let sent = [leaf.as_path(), &intermediate.file];
            let question = Question { trusted: &root.file, sent: &sent, name };
            judge.chain(&question).assert_good((key, judge, name));
        }
        let sent = [leaf.as_path(), &intermediate.file];
        let question = Question { trusted: &root.file, sent: &sent, name: "other.example.com" };
        judge.chain(&question).assert_bad(&["hostname", "subject", "name"], (key, judge, "other name"));
    }
    for certificate in [&root.file, &intermediate.file, &responder] {
        pkilint("lint_pkix_cert", &[], certificate).assert_good((key, "pkilint", certificate));
    }
    pkilint("lint_crl", &["--type", "CRL", "--profile", "PKIX"], &crl).assert_good((key, "pkilint", "crl"));
}

const NEWEST: [Judge; 2] = [Judge::NewOpenSsl, Judge::Python];
const NOT_PYTHON: [Judge; 3] = [Judge::OpenSsl, Judge::NewOpenSsl, Judge::GnuTls];

#[test]
fn ecdsa() {
    for key in ["p256", "p384"] {
        holds(key, &Judge::ALL, &Judge::ALL);
    }
}

#[test]
fn rsa() {
    for key in ["rsa2048", "rsa3072", "rsa4096"] {
        holds(key, &Judge::ALL, &Judge::ALL);
    }
}

#[test]
fn rsa_pss() {
    for signature in ["rsa-pss-sha256", "rsa-pss-sha384", "rsa-pss-sha512"] {
        let line = format!("signature = {signature:?}\n");
        let hall = Hall::new();
        let root = hall.root_that_signs("Example Root", "rsa2048", &line);
        let intermediate = hall.intermediate_signed("Example Intermediate", "p256", &root, "", &line);
        let leaf = hall.leaf("leaf.pem", &intermediate, &[dns("www.example.com")]);
        for judge in Judge::ALL {
            judge.issued(&root.file, &root.file).assert_good((signature, judge, "root"));
            judge.issued(&root.file, &intermediate.file).assert_good((signature, judge, "intermediate"));
            let sent = [leaf.as_path(), &intermediate.file];
            let question = Question { trusted: &root.file, sent: &sent, name: "www.example.com" };
            judge.chain(&question).assert_good((signature, judge, "chain"));
        }
        for certificate in [&root.file, &intermediate.file] {
            pkilint("lint_pkix_cert", &[], certificate).assert_good((signature, "pkilint", certificate));
        }
    }
}

#[test]
fn ed25519() {
    holds("ed25519", &Judge::ALL, &NOT_PYTHON);
}

#[test]
fn ml_dsa() {
    for key in ["ml-dsa-44", "ml-dsa-65", "ml-dsa-87"] {
        holds(key, &NEWEST, &[Judge::NewOpenSsl]);
    }
}
