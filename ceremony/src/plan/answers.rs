//! Whether a ceremony can answer a request at all. How it answers, people decide: [`crate::bundle::differences`] shows it to them.

use super::Plan;
use crate::bundle::{Asks, Request};
use crate::file::{CeremonyFile, FileError, KeyChoice, Kind};

/// That what is made is what was asked for, and for the key that asked.
pub(super) fn check(file: &CeremonyFile, plan: &Plan, request: &Request) -> Result<(), FileError> {
    let fits = match (&request.asks, file.kind) {
        (Asks::Intermediate(_), Kind::Intermediate) | (Asks::OcspSigner(_), Kind::OcspSigner) => true,
        (Asks::Intermediate(_), Kind::Rollover) => file.issuer.is_some(),
        (Asks::Crl(_), Kind::Crl | Kind::RevokeIntermediate) => true,
        _ => false,
    };
    if !fits {
        return Err(FileError::value(
            "answers",
            format!(
                "the request asks for {}, which a ceremony of kind \"{}\" does not make",
                request.what(),
                file.kind
            ),
        ));
    }
    match (request.csr(), plan.key) {
        (Some(_), Some(KeyChoice::Request(_))) | (None, None) => Ok(()),
        _ => Err(FileError::value(
            "key",
            "is not that of the request; write request = \"…\", as `from-request` does",
        )),
    }
}
