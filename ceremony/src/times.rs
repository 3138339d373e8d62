//! What this machine's clock is held against. A machine without a network has nobody to set it, and its times stand in the record.
//!
//! A clock before the issuer's beginning or before the last ceremony's end is wrong; after the issuer's end, nothing that it signs is
//! worth anything. What is made may begin later: a root is often made before its time. It may even have ended, as when a list is
//! made again for the record; then the people are told.

use anyhow::{Result, bail, ensure};

use crate::file::Utc;
use crate::inputs::Inputs;
use crate::plan::{Plan, Product};
use crate::record::Record;

/// Whether whoever signs is valid at this time.
///
/// # Errors
/// If not.
pub(crate) fn check_issuer(now: i64, inputs: &Inputs) -> Result<()> {
    let Some(issuer) = inputs.signing_certificate() else { return Ok(()) };
    let (validity, subject) = (issuer.validity(), issuer.subject());
    if now < validity.not_before {
        bail!(
            "this machine's clock says {}, and the issuer's certificate, {subject}, begins only at {}; set the clock (`date -u -s …`), or \
             wait",
            Utc(now),
            Utc(validity.not_before)
        );
    }
    ensure!(
        now <= validity.not_after,
        "the issuer's certificate, {subject}, ended at {}, and this machine's clock says {}: nothing that it signs is trusted any more. \
         If the clock is wrong, set it (`date -u -s …`); otherwise take the issuer's successor",
        Utc(validity.not_after),
        Utc(now)
    );
    Ok(())
}

/// Whether the ceremony before lies before this one.
///
/// # Errors
/// If not.
pub(crate) fn check_order(now: i64, previous: &Record) -> Result<()> {
    let now = Utc(now).to_string();
    // Both are of one form, of which the alphabet's order is the time's.
    ensure!(
        previous.ended <= now,
        "this machine's clock says {now}, and the ceremony before this one, {:?}, ended only at {}; set the clock (`date -u -s …`)",
        previous.title,
        previous.ended
    );
    Ok(())
}

/// What people should know of the times of what is made.
pub(crate) fn remarks(now: i64, plan: &Plan) -> Vec<String> {
    let ends = plan.products.iter().filter_map(|product| match product {
        Product::Certificate(plan) => Some((plan.file, plan.validity.not_after)),
        Product::Crl(plan) => Some((crate::make::CRL_FILE, plan.next_update)),
        Product::Request(_) => None,
    });
    let ended = ends.filter(|(_, end)| *end < now);
    ended
        .map(|(file, end)| format!("Beware: {file} ends at {}, which is over by this clock.", Utc(end)))
        .collect()
}
