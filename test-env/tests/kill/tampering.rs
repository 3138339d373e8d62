//! A check that finds nothing proves nothing unless it finds what is there: a good database is spoilt in one place after the other, and
//! check-invariants must say where.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::harness::Cairn;
use cairn_test_env::home::Home;
use cairn_test_env::ledger::Writer;
use tokio::task::block_in_place;

/// What is done to the database, and the words of the invariant that does not hold then.
const SPOILT: &[(&str, &str)] = &[
    (
        "DELETE FROM certificates WHERE order_id = (SELECT min(order_id) FROM certificates)",
        "given out is stored",
    ),
    (
        "DELETE FROM certificates WHERE order_id = (SELECT min(order_id) FROM certificates)",
        "has its certificate",
    ),
    ("DELETE FROM intents WHERE order_id IS NOT NULL", "intended before"),
    ("UPDATE intents SET at = at + 3600", "intended before"),
    ("UPDATE intents SET account_id = zeroblob(16) WHERE order_id IS NOT NULL", "that were intended"),
    ("UPDATE intents SET crl_shard = 7", "on the list that was intended"),
    (
        "UPDATE certificates SET revoked_at = unixepoch(); DELETE FROM revocations",
        "in the order of revocations",
    ),
    (
        "UPDATE certificates SET revoked_at = unixepoch(); UPDATE revocations SET reason = 1",
        "time, reason and list",
    ),
    (
        "INSERT INTO revocations SELECT serial, issuer, 0, not_after, at, NULL, rowid FROM certificates",
        "is revoked",
    ),
    ("UPDATE certificates SET order_id = (SELECT max(id) FROM orders)", "one certificate at most"),
    ("UPDATE orders SET serial = (SELECT max(serial) FROM orders)", "has its certificate"),
    ("UPDATE orders SET status = 'failed', serial = NULL", "order knows it"),
    ("UPDATE orders SET account_id = zeroblob(16)", "account of its order"),
    ("DELETE FROM accounts", "belongs to an account"),
    ("UPDATE authorizations SET status = 'invalid'", "was validated"),
    ("DELETE FROM authorizations", "was validated"),
    ("UPDATE orders SET status = 'processing', processing_since = unixepoch()", "stuck in processing"),
    ("UPDATE authorizations SET status = 'validating', at = unixepoch()", "stuck in validation"),
    ("UPDATE certificates SET der = (SELECT max(der) FROM certificates)", "under its own serial"),
    ("UPDATE certificates SET der = (SELECT max(der) FROM certificates)", "byte for byte, what was linted"),
    ("UPDATE certificates SET der = substr(der, 1, 100)", "given out is stored, byte for byte"),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_in_a_database_is_found_and_named() {
    let home = Home::new().unwrap();
    let ledger = home.path("ledger");
    let cairn = block_in_place(|| Cairn::dev().start()).unwrap();
    issue(&cairn, &ledger).await;
    let stopped = block_in_place(|| cairn.stop()).unwrap();
    let good = stopped.data_dir().unwrap().join("cairn.db");

    let (code, said) = check(&good, &ledger);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("All ") && said.contains("(3 certificates given out)"), "{said}");

    for (spoil, words) in SPOILT {
        let copy = copy(&good, &home);
        home.program("sqlite3").unwrap().arg(&copy).arg(spoil).run().unwrap();
        let (code, said) = check(&copy, &ledger);
        let found = said.lines().any(|line| line.starts_with("FAILED") && line.contains(words));
        assert!(code == Some(1) && found, "{spoil}: exit code {code:?}\n{said}");
    }

    let (code, said) = check(&home.path("nowhere.db"), &ledger);
    assert!(code == Some(2) && said.contains("nowhere.db"), "{code:?} {said}");
}

/// Three certificates, with a line in the ledger for each.
async fn issue(cairn: &Cairn, ledger: &Path) {
    let roots = fs::read_to_string(cairn.root_file().unwrap()).unwrap();
    let endpoint = Arc::new(Endpoint::new(&cairn.ready.directory, &roots).unwrap());
    let responder = Responder::Http01(Arc::new(Http01::start(cairn.http_port()).await.unwrap()));
    let ledger = Writer::open(ledger).unwrap();
    let mut client = Client::connect(endpoint, &cairn.ready.directory).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    for number in 0..3 {
        let identifiers = [Identifier::dns(format!("{number}.tampering.test"))];
        let csr = CertificateRequest::new(&identifiers).unwrap().der;
        let certified = certify(&mut client, &account, &responder, &identifiers, &csr).await.unwrap();
        ledger.add(&certified).unwrap();
    }
}

fn copy(database: &Path, home: &Home) -> PathBuf {
    let copy = home.path("spoilt.db");
    fs::copy(database, &copy).unwrap();
    copy
}

fn check(database: &Path, ledger: &Path) -> (Option<i32>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_check-invariants"));
    program.arg("--sqlite").arg(database).arg("--ledger").arg(ledger).args([
        "--processing-limit",
        "0",
        "--strict",
    ]);
    let output = program.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}
