//! Whether the CA is willing to issue for an identifier. What is refused comes back as `rejectedIdentifier` with one subproblem
//! for each identifier, so that a client can leave those out and go on (RFC 8555 §6.7.1).

use std::net::IpAddr;

use cairn_core::{ChallengeType, DnsName, Error, ErrorKind, Identifier, ProblemType, Result, Subproblem};
use ipnet::IpNet;

use crate::challenges;

/// The rules for names and addresses, parsed.
#[derive(Clone, Debug)]
pub(crate) struct NamePolicy {
    /// Suffixes that are issued for; all if empty.
    pub(crate) allowed: Vec<DnsName>,
    /// Suffixes that are never issued for.
    pub(crate) denied: Vec<DnsName>,
    pub(crate) single_labels: bool,
    pub(crate) wildcards: bool,
    pub(crate) networks: Vec<IpNet>,
}

/// Why an identifier is refused. The message is written for the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Rejection {
    #[error("this CA issues no wildcard certificates; ask for each name by itself")]
    Wildcard,
    #[error("this CA issues only for names with at least two labels; use the full name")]
    SingleLabel,
    #[error("this CA does not issue for names under {0}; ask its operator which names it serves")]
    Denied(DnsName),
    #[error("the wildcard would cover {0}, for which this CA does not issue; ask for each name by itself")]
    CoversDenied(DnsName),
    #[error(
        "the name is not under one of the domains that this CA issues for; ask its operator which names it serves"
    )]
    NotAllowed,
    #[error("the address does not belong to one host; ask for a name, or for the address of a host")]
    NotAHost,
    #[error(
        "the address is not in one of the networks that this CA issues for; ask for a name, or ask its operator"
    )]
    Network,
    #[error("wildcards are proven by dns-01, which this CA has switched off; ask for each name by itself")]
    NoChallengeForWildcard,
    #[error("addresses are proven by http-01 or tls-alpn-01, which this CA has switched off; ask for a name")]
    NoChallengeForAddress,
    #[error("no challenge that this CA has switched on can prove the name")]
    NoChallenge,
}

/// For each identifier the challenges by which it may be proven, or one error for all that are refused.
pub(crate) fn willing_to_issue(
    policy: &NamePolicy,
    switched_on: &[ChallengeType],
    identifiers: &[Identifier],
) -> Result<Vec<Vec<ChallengeType>>> {
    let mut offers = Vec::with_capacity(identifiers.len());
    let mut rejected = Vec::new();
    for identifier in identifiers {
        match judge(policy, switched_on, identifier) {
            Ok(offer) => offers.push(offer),
            Err(rejection) => rejected.push(Subproblem {
                kind: ProblemType::RejectedIdentifier,
                detail: rejection.to_string(),
                identifier: identifier.clone(),
            }),
        }
    }
    if rejected.is_empty() { Ok(offers) } else { Err(rejected_identifiers(rejected)) }
}

fn rejected_identifiers(rejected: Vec<Subproblem>) -> Error {
    let detail = match rejected.as_slice() {
        [one] => format!("{}: {}", one.identifier, one.detail),
        several => {
            format!("this CA does not issue for {} of the identifiers; see the subproblems", several.len())
        }
    };
    Error::new(ErrorKind::RejectedIdentifier, detail).with_subproblems(rejected)
}

fn judge(
    policy: &NamePolicy,
    switched_on: &[ChallengeType],
    identifier: &Identifier,
) -> Result<Vec<ChallengeType>, Rejection> {
    match identifier {
        Identifier::Dns(name) => judge_name(policy, name)?,
        Identifier::Ip(address) => judge_address(&policy.networks, *address)?,
    }
    let offer = challenges::offered(switched_on, identifier);
    match identifier {
        _ if !offer.is_empty() => Ok(offer),
        Identifier::Ip(_) => Err(Rejection::NoChallengeForAddress),
        Identifier::Dns(name) if name.is_wildcard() => Err(Rejection::NoChallengeForWildcard),
        Identifier::Dns(_) => Err(Rejection::NoChallenge),
    }
}

fn judge_name(policy: &NamePolicy, name: &DnsName) -> Result<(), Rejection> {
    let base = name.base();
    if name.is_wildcard() && !policy.wildcards {
        return Err(Rejection::Wildcard);
    }
    if !policy.single_labels && base.labels().count() == 1 {
        return Err(Rejection::SingleLabel);
    }
    if let Some(denied) = policy.denied.iter().find(|suffix| is_under(&base, suffix)) {
        return Err(Rejection::Denied(denied.clone()));
    }
    if let Some(denied) = policy.denied.iter().find(|denied| name.is_wildcard() && is_child(denied, &base)) {
        return Err(Rejection::CoversDenied(denied.clone()));
    }
    if !policy.allowed.is_empty() && !policy.allowed.iter().any(|suffix| is_under(&base, suffix)) {
        return Err(Rejection::NotAllowed);
    }
    Ok(())
}

/// Whether `name` is `suffix` or a name below it, label by label: `badcorp.example` is not under `corp.example`.
fn is_under(name: &DnsName, suffix: &DnsName) -> bool {
    name.as_str().strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// Whether `name` is one label below `parent`: the names that `*.parent` covers.
fn is_child(name: &DnsName, parent: &DnsName) -> bool {
    name.as_str().split_once('.').is_some_and(|(_, rest)| rest == parent.as_str())
}

fn judge_address(networks: &[IpNet], address: IpAddr) -> Result<(), Rejection> {
    let is_host = match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_broadcast() && !v4.is_multicast(),
        // An IPv4 address in IPv6 clothes would escape the rules for IPv4 networks.
        IpAddr::V6(v6) => !v6.is_unspecified() && !v6.is_multicast() && v6.to_ipv4_mapped().is_none(),
    };
    if !is_host {
        return Err(Rejection::NotAHost);
    }
    if networks.iter().any(|network| network.contains(&address)) { Ok(()) } else { Err(Rejection::Network) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn identifier(text: &str) -> Identifier {
        let kind = if text.parse::<IpAddr>().is_ok() { "ip" } else { "dns" };
        Identifier::parse(kind, text).unwrap()
    }

    fn list(entries: &[&str]) -> Vec<String> {
        entries.iter().copied().map(str::to_owned).collect()
    }

    fn verdict(config: &Config, name: &str) -> Result<(), Rejection> {
        judge(&config.name_policy().unwrap(), &config.challenges, &identifier(name)).map(|_| ())
    }

    #[test]
    fn by_default_every_name_of_two_labels_is_served_and_no_address() {
        let config = Config::default();
        for name in ["a.test", "*.a.test", "a.b.c.d.test"] {
            assert_eq!(verdict(&config, name), Ok(()), "{name}");
        }
        assert_eq!(verdict(&config, "192.0.2.1"), Err(Rejection::Network));
    }

    #[test]
    fn a_single_label_needs_permission_and_so_does_its_wildcard() {
        for name in ["localhost", "*.test"] {
            assert_eq!(verdict(&Config::default(), name), Err(Rejection::SingleLabel));
            let config = Config { single_labels: true, ..Config::default() };
            assert_eq!(verdict(&config, name), Ok(()));
        }
    }

    #[test]
    fn allowed_names_cover_whole_labels_below_them() {
        let config = Config { allowed_names: list(&["corp.example"]), ..Config::default() };
        for name in ["corp.example", "a.corp.example", "*.corp.example", "*.a.corp.example"] {
            assert_eq!(verdict(&config, name), Ok(()), "{name}");
        }
        for name in ["badcorp.example", "example.test", "*.example.com", "corp.example.test"] {
            assert_eq!(verdict(&config, name), Err(Rejection::NotAllowed), "{name}");
        }
    }

    #[test]
    fn denied_names_win_and_take_the_wildcard_above_them_along() {
        let config = Config {
            allowed_names: list(&["corp.example"]),
            denied_names: list(&["pay.corp.example"]),
            ..Config::default()
        };
        let denied: DnsName = "pay.corp.example".parse().unwrap();
        for name in ["pay.corp.example", "a.pay.corp.example", "*.pay.corp.example", "*.a.pay.corp.example"] {
            assert_eq!(verdict(&config, name), Err(Rejection::Denied(denied.clone())), "{name}");
        }
        assert_eq!(verdict(&config, "*.corp.example"), Err(Rejection::CoversDenied(denied)));
        assert_eq!(verdict(&config, "repay.corp.example"), Ok(()));
        assert_eq!(verdict(&config, "*.repay.corp.example"), Ok(()));
    }

    #[test]
    fn wildcards_can_be_switched_off() {
        let config = Config { wildcards: false, ..Config::default() };
        assert_eq!(verdict(&config, "*.a.test"), Err(Rejection::Wildcard));
        assert_eq!(verdict(&config, "a.test"), Ok(()));
    }

    #[test]
    fn addresses_are_served_from_the_listed_networks() {
        let networks = ["10.0.0.0/8", "2001:db8::/32"].map(|network| network.parse().unwrap());
        let config = Config { allowed_networks: networks.to_vec(), ..Config::default() };
        for address in ["10.1.2.3", "2001:db8::7"] {
            assert_eq!(verdict(&config, address), Ok(()), "{address}");
        }
        for address in ["11.1.2.3", "2001:db9::7"] {
            assert_eq!(verdict(&config, address), Err(Rejection::Network), "{address}");
        }
    }

    #[test]
    fn addresses_that_no_host_has_are_refused_whatever_is_listed() {
        let networks = ["0.0.0.0/0", "::/0"].map(|network| network.parse().unwrap());
        let config = Config { allowed_networks: networks.to_vec(), ..Config::default() };
        assert_eq!(verdict(&config, "127.0.0.1"), Ok(()));
        for address in ["0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "ff02::1", "::ffff:10.0.0.1"] {
            assert_eq!(verdict(&config, address), Err(Rejection::NotAHost), "{address}");
        }
    }

    #[test]
    fn an_identifier_that_no_challenge_can_prove_is_refused_at_once() {
        let without_dns = Config { challenges: vec![ChallengeType::Http01], ..Config::default() };
        assert_eq!(verdict(&without_dns, "*.a.test"), Err(Rejection::NoChallengeForWildcard));
        let dns_alone = Config {
            challenges: vec![ChallengeType::Dns01],
            allowed_networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..Config::default()
        };
        assert_eq!(verdict(&dns_alone, "10.0.0.1"), Err(Rejection::NoChallengeForAddress));
    }

    #[test]
    fn every_refused_identifier_has_its_subproblem() {
        let config = Config { wildcards: false, ..Config::default() };
        let identifiers = ["a.test", "*.a.test", "localhost"].map(identifier);
        let policy = config.name_policy().unwrap();
        let error = willing_to_issue(&policy, &config.challenges, &identifiers).unwrap_err();
        assert_eq!(error.kind, ErrorKind::RejectedIdentifier);
        let named: Vec<String> = error.subproblems.iter().map(|sub| sub.identifier.to_string()).collect();
        assert_eq!(named, ["*.a.test", "localhost"]);

        let error = willing_to_issue(&policy, &config.challenges, &[identifier("localhost")]).unwrap_err();
        assert_eq!(error.subproblems.len(), 1);
        assert!(error.detail.starts_with("localhost: "), "{}", error.detail);
    }

    #[test]
    fn offers_come_in_the_order_of_the_identifiers() {
        let config = Config::default();
        let identifiers = ["a.test", "*.a.test"].map(identifier);
        let offers =
            willing_to_issue(&config.name_policy().unwrap(), &config.challenges, &identifiers).unwrap();
        assert_eq!(offers, [ChallengeType::ALL.to_vec(), vec![ChallengeType::Dns01]]);
    }
}
