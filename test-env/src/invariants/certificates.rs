//! What stands in the certificates, against what stands beside them in their rows.

use anyhow::{Result, bail};
use cairn_x509::Certificate;

use super::{Database, Finding, from_hex};

/// How many certificates are read at a time: some 30 MB of text.
const PAGE: usize = 5000;

/// Every certificate with the lint certificate of its intent.
pub(super) fn look_into(database: &Database) -> Result<Vec<Finding>> {
    let (mut looked_at, mut misfiled, mut altered) = (0, Vec::new(), Vec::new());
    let mut last = String::new();
    loop {
        // By the key, so that no page begins with counting what came before it.
        let after = database.literal(&last);
        let rows = database.rows(&format!(
            "SELECT c.serial, c.der, i.lint_certificate FROM certificates c LEFT JOIN intents i ON i.serial = c.serial \
             WHERE c.serial > {after} ORDER BY c.serial LIMIT {PAGE}"
        ))?;
        for row in &rows {
            let [serial, der, lint] = &row[..] else { bail!("a row of three columns has {row:?}") };
            looked_at += 1;
            let Some(certificate) = certificate(der) else {
                misfiled.push(format!("{serial} (no certificate)"));
                continue;
            };
            if super::hex(certificate.serial()) != *serial {
                misfiled.push(serial.clone());
            }
            // Both were signed over the same bytes, by two keys.
            if self::certificate(lint).is_none_or(|lint| lint.tbs_der() != certificate.tbs_der()) {
                altered.push(serial.clone());
            }
        }
        match rows.last().and_then(|row| row.first()) {
            Some(serial) if rows.len() == PAGE => last.clone_from(serial),
            _ => break,
        }
    }
    let finding = |invariant: &str, offenders| Finding {
        invariant: invariant.to_owned(),
        looked_at: (looked_at, "certificates"),
        offenders,
    };
    Ok(vec![
        finding("a certificate stands under its own serial", misfiled),
        finding("what was signed is, byte for byte, what was linted and recorded before", altered),
    ])
}

fn certificate(hex: &str) -> Option<Certificate> {
    from_hex(hex).and_then(|der| Certificate::from_der(&der).ok())
}
