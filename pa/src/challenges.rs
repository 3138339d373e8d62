//! Which challenges can prove which identifier.

use cairn_core::{ChallengeType, Identifier};

/// The switched-on challenges that can prove `identifier`, in the order in which they are offered. Clients that cannot choose
/// take the first, so http-01 leads.
pub(crate) fn offered(switched_on: &[ChallengeType], identifier: &Identifier) -> Vec<ChallengeType> {
    let fits =
        |challenge: &ChallengeType| enabled(switched_on, *challenge, identifier, identifier.is_wildcard());
    ChallengeType::ALL.into_iter().filter(fits).collect()
}

/// Whether `challenge` is switched on and can prove `identifier`, or `*.identifier` if `wildcard`.
pub(crate) fn enabled(
    switched_on: &[ChallengeType],
    challenge: ChallengeType,
    identifier: &Identifier,
    wildcard: bool,
) -> bool {
    switched_on.contains(&challenge) && can_prove(challenge, identifier, wildcard)
}

fn can_prove(challenge: ChallengeType, identifier: &Identifier, wildcard: bool) -> bool {
    match (challenge, identifier) {
        // RFC 8738 §7: dns-01 MUST NOT be used to prove an address.
        (ChallengeType::Dns01, Identifier::Ip(_)) => false,
        (ChallengeType::Dns01, Identifier::Dns(_)) => true,
        // A web server shows control of one name. RFC 8555 §7.1.3 leaves it to the CA; RFC 8737 §3 and the CA/Browser Forum
        // (BRs 3.2.2.4.19, .20) forbid these for wildcards.
        (ChallengeType::Http01 | ChallengeType::TlsAlpn01, _) => !wildcard,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ChallengeType::{Dns01, Http01, TlsAlpn01};

    fn offered_for(kind: &str, value: &str) -> Vec<ChallengeType> {
        offered(&[TlsAlpn01, Dns01, Http01], &Identifier::parse(kind, value).unwrap())
    }

    #[test]
    fn a_name_is_proven_by_any_challenge_and_http_01_comes_first() {
        assert_eq!(offered_for("dns", "a.test"), [Http01, Dns01, TlsAlpn01]);
    }

    #[test]
    fn a_wildcard_is_proven_by_dns_alone() {
        assert_eq!(offered_for("dns", "*.a.test"), [Dns01]);
        let base = Identifier::parse("dns", "a.test").unwrap();
        assert!(!enabled(&ChallengeType::ALL, Http01, &base, true));
    }

    #[test]
    fn an_address_is_never_proven_by_dns() {
        assert_eq!(offered_for("ip", "192.0.2.1"), [Http01, TlsAlpn01]);
        assert_eq!(offered_for("ip", "2001:db8::1"), [Http01, TlsAlpn01]);
    }

    #[test]
    fn what_is_switched_off_is_not_offered() {
        assert_eq!(offered(&[Dns01], &Identifier::parse("dns", "a.test").unwrap()), [Dns01]);
        assert_eq!(offered(&[Dns01], &Identifier::parse("ip", "192.0.2.1").unwrap()), []);
    }
}
