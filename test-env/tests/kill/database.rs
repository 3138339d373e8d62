//! What the database must look like whenever the server was killed, asked with SQLite's own shell.

use std::collections::HashSet;
use std::path::Path;

use cairn_test_env::program::Program;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use crate::ledger::Ledger;

/// Questions whose answer must be nothing, and what an answer means.
const NOTHING_OF: [(&str, &str); 7] = [
    (
        "an order with two certificates",
        "SELECT hex(order_id) FROM certificates WHERE order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1",
    ),
    (
        "an order with two intents",
        "SELECT hex(order_id) FROM intents WHERE order_id IS NOT NULL GROUP BY order_id HAVING count(*) > 1",
    ),
    (
        "a certificate that nobody intended to sign",
        "SELECT hex(c.serial) FROM certificates c LEFT JOIN intents i ON i.serial = c.serial WHERE i.serial IS NULL",
    ),
    (
        "a certificate for another order than was intended",
        "SELECT hex(c.serial) FROM certificates c JOIN intents i ON i.serial = c.serial WHERE i.order_id IS NOT c.order_id",
    ),
    (
        "an issued order without its certificate",
        "SELECT hex(o.id) FROM orders o LEFT JOIN certificates c ON c.serial = o.serial AND c.order_id = o.id \
         WHERE o.status = 'issued' AND c.serial IS NULL",
    ),
    (
        "a certificate whose order does not know it",
        "SELECT hex(c.serial) FROM certificates c LEFT JOIN orders o ON o.id = c.order_id \
         WHERE c.order_id IS NOT NULL AND (o.status IS NOT 'issued' OR o.serial IS NOT c.serial)",
    ),
    (
        "an order or a validation that nobody works on",
        "SELECT hex(id) FROM orders WHERE status = 'processing' \
         UNION ALL SELECT hex(id) FROM authorizations WHERE status = 'validating'",
    ),
];

pub(crate) fn verify(database: &Path, ledger: &Ledger) {
    assert_eq!(ask(database, "PRAGMA integrity_check"), "ok");
    for (what, question) in NOTHING_OF {
        assert_eq!(ask(database, question), "", "there is {what}");
    }
    let stored = ask(database, "SELECT hex(der) FROM certificates");
    let stored: HashSet<&str> = stored.lines().collect();
    for certified in ledger.certificates() {
        let leaf = CertificateDer::from_pem_slice(&certified.chain).unwrap();
        assert!(stored.contains(hex(&leaf).as_str()), "{} is not in the database", certified.url);
    }
}

fn ask(database: &Path, question: &str) -> String {
    let shell = Program::installed("sqlite3", database.parent().unwrap()).unwrap();
    // The server writes at the same time: its listeners' certificate, its sweeper.
    let shell = shell.args(["-batch", "-cmd", ".timeout 10000"]).arg(database).arg(question);
    shell.run().unwrap().trim_end().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}
