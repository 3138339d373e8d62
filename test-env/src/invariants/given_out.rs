//! What clients were given, against the database: what was acknowledged must be there.

use std::collections::HashMap;

use anyhow::Result;

use super::{Database, Finding, hex};
use crate::ledger::Entry;

/// How many certificates are asked for at a time: a command line has room for some thousand serials.
const AT_A_TIME: usize = 500;

pub(super) fn compare(database: &Database, ledger: &[Entry]) -> Result<Vec<Finding>> {
    let stored = stored(database, ledger)?;
    let (mut lost, mut strangers) = (Vec::new(), Vec::new());
    let (mut serial_of, mut order_of) = (HashMap::new(), HashMap::new());
    let mut twice = Vec::new();
    for entry in ledger {
        let serial = hex(&entry.serial()?);
        let row = stored.get(&serial);
        if row.is_none_or(|(der, _)| *der != hex(&entry.leaf)) {
            lost.push(format!("{serial} ({})", entry.certificate));
        } else if row.is_some_and(|(_, order)| *order != entry.order_id()) {
            strangers.push(format!("{serial} ({})", entry.order));
        }
        // A client may download a certificate twice, but then gets the same.
        let its_only = *serial_of.entry(&entry.order).or_insert_with(|| serial.clone()) == serial;
        let its_alone = *order_of.entry(serial.clone()).or_insert(&entry.order) == &entry.order;
        if !its_only || !its_alone {
            twice.push(format!("{serial} ({})", entry.order));
        }
    }
    let finding = |invariant: &str, offenders| Finding {
        invariant: invariant.to_owned(),
        looked_at: (ledger.len(), "certificates given out"),
        offenders,
    };
    Ok(vec![
        finding("a certificate that was given out is stored, byte for byte", lost),
        finding("a certificate that was given out is for the order it was given out for", strangers),
        finding("an order was never given two certificates, nor two orders the same", twice),
    ])
}

/// The certificate and the issued order of each serial in the ledger that the database knows.
fn stored(database: &Database, ledger: &[Entry]) -> Result<HashMap<String, (String, String)>> {
    let mut stored = HashMap::new();
    for entries in ledger.chunks(AT_A_TIME) {
        let serials: Result<Vec<String>> =
            entries.iter().map(|entry| Ok(database.literal(&hex(&entry.serial()?)))).collect();
        let rows = database.rows(&format!(
            "SELECT c.serial, c.der, o.id FROM certificates c LEFT JOIN orders o ON o.serial = c.serial AND o.id = c.order_id \
             WHERE c.serial IN ({})",
            serials?.join(", ")
        ))?;
        for row in rows {
            if let [serial, der, order] = &row[..] {
                stored.insert(serial.clone(), (der.clone(), order.clone()));
            }
        }
    }
    Ok(stored)
}
