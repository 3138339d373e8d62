//! Which addresses are dialled, in which order, and what is said when none answers.

use std::net::{IpAddr, Ipv6Addr};

use cairn_core::api::va::ValidationAuthority;
use cairn_core::{ChallengeType, ErrorKind, Period, ProblemType};
use cairn_va::{Config, Va};
use tokio::net::UdpSocket;

use crate::world::{LOOPBACK, NAME, World, assert_valid, dns, ip, problem, request, right};

const LOOPBACK6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

#[tokio::test]
async fn ipv6_is_dialled_first() {
    let mut world = World::on(LOOPBACK6).await;
    world.zone.add_aaaa(NAME, &[Ipv6Addr::LOCALHOST]).unwrap();
    world.serve_http(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records[0].addresses_resolved, [LOOPBACK6, LOOPBACK]);
    assert_eq!(result.records[0].address_used, Some(LOOPBACK6));
}

#[tokio::test]
async fn ipv4_is_dialled_when_ipv6_fails() {
    let mut world = World::new().await;
    world.zone.add_aaaa(NAME, &[Ipv6Addr::LOCALHOST]).unwrap();
    world.serve_http(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records[0].address_used, Some(LOOPBACK));
}

#[tokio::test]
async fn a_refused_connection_names_address_and_port() {
    let world = World::new().await;
    // The port is ours on 127.0.0.1, and nobody's on 127.0.0.2.
    world.zone.add_a(NAME, &["127.0.0.2".parse().unwrap()]).unwrap();
    let result = world.http01(NAME).await;
    let peer = format!("127.0.0.2:{}", world.config.http_port);
    assert_eq!(problem(&result, &[NAME, &peer, "refused"]).kind, ProblemType::Connection);
    assert_eq!(result.records[0].address_used, Some("127.0.0.2".parse().unwrap()));

    let result = world.tls_alpn01(&dns(NAME)).await;
    let peer = format!("127.0.0.2:{}", world.config.tls_alpn_port);
    assert_eq!(problem(&result, &[&peer]).kind, ProblemType::Connection);
}

#[tokio::test]
async fn loopback_is_not_dialled_unless_allowed() {
    let mut world = World::new().await;
    let requests = world.serve_http(|_| right());
    world.config.allowed_networks.clear();
    world.zone.add_aaaa(NAME, &[Ipv6Addr::LOCALHOST, "::ffff:127.0.0.1".parse().unwrap()]).unwrap();
    for (challenge, identifier) in [
        (ChallengeType::Http01, dns(NAME)),
        (ChallengeType::TlsAlpn01, dns(NAME)),
        (ChallengeType::Http01, ip(LOOPBACK)),
        (ChallengeType::TlsAlpn01, ip(LOOPBACK6)),
        (ChallengeType::Http01, dns("localhost.test")),
    ] {
        let result = world.validate(challenge, &identifier).await;
        let problem = problem(&result, &["was not dialled", "not public"]);
        assert_eq!(problem.kind, ProblemType::Connection);
        assert_eq!(result.records[0].address_used, None);
        assert!(!result.records[0].addresses_resolved.is_empty());
    }
    assert!(requests.all().is_empty());
}

#[tokio::test]
async fn an_allowed_address_is_found_among_others() {
    let mut world = World::new().await;
    world.config.allowed_networks = vec!["127.0.0.1/32".parse().unwrap()];
    world.zone.add_a(NAME, &["10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap()]).unwrap();
    world.zone.add_aaaa(NAME, &["fd00::1".parse().unwrap()]).unwrap();
    world.serve_http(|_| right());
    let result = world.http01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records[0].addresses_resolved.len(), 3);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_a_dns_problem() {
    let world = World::new().await;
    world.zone.set_servfail("broken.test").unwrap();
    world.zone.set_default_ipv4(None);
    for (name, words) in [
        ("broken.test", "SERVFAIL"),
        ("nothing.invalid", "NXDOMAIN"),
        ("empty.test", "has no A or AAAA records"),
    ] {
        let result = world.http01(name).await;
        assert_eq!(problem(&result, &[name, words]).kind, ProblemType::Dns);
        assert_eq!(result.records.len(), 1);
    }
}

#[tokio::test]
async fn aliases_are_followed() {
    let mut world = World::new().await;
    world.zone.set_cname(NAME, "target.test").unwrap();
    world.serve_http(|_| right());
    assert_valid(&world.http01(NAME).await);
}

#[tokio::test]
async fn a_silent_resolver_does_not_hold_the_validation_for_ever() {
    let mut world = World::new().await;
    let silent = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    world.config.resolvers = vec![silent.local_addr().unwrap()];
    world.config.lookup_timeout = Period::from_millis(100);
    let result = world.http01(NAME).await;
    assert_eq!(problem(&result, &[NAME, "in time"]).kind, ProblemType::Dns);
}

#[tokio::test]
async fn a_full_house_turns_validations_away() {
    let mut world = World::new().await;
    let listener = world.http.take().unwrap();
    let config = Config { max_concurrent: 1, max_waiting: 0, ..world.config.clone() };
    let va = Va::alone(&config).unwrap();
    let first = va.validate(request(ChallengeType::Http01, &dns(NAME)));
    let second = async {
        // The first is inside as soon as it has connected.
        let held = listener.accept().await.unwrap();
        let error = va.validate(request(ChallengeType::Http01, &dns(NAME))).await.unwrap_err();
        drop(held);
        error
    };
    let (first, error) = tokio::join!(first, second);
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert_eq!(problem(&first.unwrap(), &[]).kind, ProblemType::Connection);
}

#[tokio::test]
async fn a_wildcard_is_never_validated() {
    let world = World::new().await;
    let va = Va::alone(&world.config).unwrap();
    for challenge in ChallengeType::ALL {
        let error = va.validate(request(challenge, &dns("*.example.test"))).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Internal);
    }
}
