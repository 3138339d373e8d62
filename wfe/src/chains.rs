//! The certificates that go out below a leaf, RFC 8555 §7.4.2: each certifies the one before it, and the root stays at home.

use std::collections::HashMap;

use cairn_core::IssuerId;
use cairn_x509::Certificate;

/// For each issuer, its certificate and those above it but the root, as PEM.
#[derive(Debug)]
pub(crate) struct Chains(HashMap<IssuerId, String>);

impl Chains {
    /// From every CA certificate there is, in any order.
    pub(crate) fn new(authorities: &[Certificate]) -> Self {
        let chains = authorities.iter().filter_map(|issuer| Some((id(issuer)?, chain(issuer, authorities))));
        Self(chains.collect())
    }

    /// What to send below a leaf of this issuer.
    pub(crate) fn pem(&self, issuer: IssuerId) -> Option<&str> {
        self.0.get(&issuer).map(String::as_str)
    }
}

fn id(certificate: &Certificate) -> Option<IssuerId> {
    certificate.subject_key_identifier()?.try_into().ok().map(IssuerId::from_bytes)
}

fn chain(issuer: &Certificate, authorities: &[Certificate]) -> String {
    let mut pem = String::new();
    let mut next = Some(issuer);
    // Certificates that certify each other in a circle would have no end; a real chain is no longer than all there are.
    for _ in authorities {
        let Some(certificate) = next.filter(|certificate| !is_root(certificate)) else { break };
        pem.push_str(&certificate.to_pem());
        next = authorities.iter().find(|above| certificate.verify_issued_by(above).is_ok());
    }
    pem
}

fn is_root(certificate: &Certificate) -> bool {
    certificate.issuer() == certificate.subject()
}
