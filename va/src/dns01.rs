//! dns-01, RFC 8555 §8.4: a digest of the key authorization stands in a TXT record below the name.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cairn_core::api::va::ValidationRequest;
use cairn_core::{Identifier, ProblemType, ValidationRecord};
use tokio::time::Instant;

use crate::digest;
use crate::dns::Dns;
use crate::failure::Failure;

/// Looks for the record. Any one of several may match: other clients may be at work for the same name.
pub(crate) async fn validate(
    dns: &Dns,
    request: &ValidationRequest,
    deadline: Instant,
    records: &mut Vec<ValidationRecord>,
) -> Result<(), Failure> {
    let hostname = request.identifier.to_string();
    records.push(ValidationRecord { hostname, ..ValidationRecord::default() });
    let Identifier::Dns(name) = &request.identifier else {
        // RFC 8738 §7: there is no name to put a record under.
        let detail = "dns-01 cannot validate IP addresses; use http-01 or tls-alpn-01.";
        return Err(Failure::challenge(ProblemType::Malformed, detail));
    };
    let name = format!("_acme-challenge.{name}");
    let expected = URL_SAFE_NO_PAD.encode(digest(&request.key_authorization));
    let texts = dns.texts(&name, deadline).await?;
    if texts.iter().any(|text| text == expected.as_bytes()) {
        return Ok(());
    }
    let detail = match texts.len() {
        0 => format!("{name} has no TXT record; expected one with the value \"{expected}\"."),
        count => format!(
            "None of the TXT records at {name} ({count} found) has the value \"{expected}\"; wait until the record has reached all \
             name servers, and remove those of former attempts."
        ),
    };
    Err(Failure::challenge(ProblemType::Unauthorized, detail))
}
