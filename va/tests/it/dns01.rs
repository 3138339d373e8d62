//! dns-01, RFC 8555 §8.4.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cairn_core::{ChallengeType, Period, ProblemType};
use hickory_resolver::proto::op::ResponseCode;
use tokio::net::UdpSocket;

use crate::scripted_dns::serve;
use crate::world::{LOOPBACK, NAME, World, assert_valid, digest, ip, key_authorization, problem};

const HOST: &str = "_acme-challenge.www.example.test";

fn right() -> String {
    URL_SAFE_NO_PAD.encode(digest())
}

#[tokio::test]
async fn the_right_record_makes_the_challenge_valid() {
    let world = World::new().await;
    world.zone.add_txt(HOST, &right()).unwrap();
    let result = world.dns01(NAME).await;
    assert_valid(&result);
    assert_eq!(result.records.len(), 1);
    assert_eq!(result.records[0].hostname, NAME);
    assert_eq!((result.records[0].port, result.records[0].address_used), (None, None));
}

#[tokio::test]
async fn one_right_record_among_others_is_enough() {
    let world = World::new().await;
    for value in ["v=spf1 -all", &"x".repeat(2000), &right(), "another"] {
        world.zone.add_txt(HOST, value).unwrap();
    }
    assert_valid(&world.dns01(NAME).await);
}

#[tokio::test]
async fn many_records_are_fetched_over_tcp() {
    let world = World::new().await;
    for number in 0..40 {
        world.zone.add_txt(HOST, &format!("{number:060}")).unwrap();
    }
    world.zone.add_txt(HOST, &right()).unwrap();
    assert_valid(&world.dns01(NAME).await);
}

#[tokio::test]
async fn character_strings_are_joined() {
    let mut world = World::new().await;
    let right = right();
    let (a, b) = right.split_at(20);
    let texts = vec![vec!["x".to_owned()], vec![a.to_owned(), String::new(), b.to_owned()]];
    world.config.resolvers = vec![serve(&world, ResponseCode::NoError, texts).await];
    assert_valid(&world.dns01(NAME).await);
}

#[tokio::test]
async fn records_are_not_joined_with_each_other() {
    let mut world = World::new().await;
    let right = right();
    let (a, b) = right.split_at(20);
    let texts = vec![vec![a.to_owned()], vec![b.to_owned()]];
    world.config.resolvers = vec![serve(&world, ResponseCode::NoError, texts).await];
    assert_eq!(problem(&world.dns01(NAME).await, &["2 found"]).kind, ProblemType::Unauthorized);
}

#[tokio::test]
async fn aliases_are_followed() {
    let world = World::new().await;
    world.zone.set_cname(HOST, "a.delegated.test").unwrap();
    world.zone.set_cname("a.delegated.test", "b.delegated.test").unwrap();
    world.zone.add_txt("b.delegated.test", &right()).unwrap();
    assert_valid(&world.dns01(NAME).await);
}

#[tokio::test]
async fn every_validation_asks_anew() {
    let world = World::new().await;
    let va = cairn_va::Va::alone(&world.config).unwrap();
    let request = || crate::world::request(ChallengeType::Dns01, &crate::world::dns(NAME));
    use cairn_core::api::va::ValidationAuthority as _;
    assert!(va.validate(request()).await.unwrap().problem.is_some());
    world.zone.add_txt(HOST, &right()).unwrap();
    assert_valid(&va.validate(request()).await.unwrap());
    world.zone.clear_txt(HOST);
    assert!(va.validate(request()).await.unwrap().problem.is_some());
}

#[tokio::test]
async fn wrong_records_are_counted_but_not_repeated() {
    let world = World::new().await;
    world.zone.add_txt(HOST, "something else").unwrap();
    // The key authorization itself, instead of its digest, is a common mistake.
    world.zone.add_txt(HOST, key_authorization().as_str()).unwrap();
    let result = world.dns01(NAME).await;
    let problem = problem(&result, &[HOST, "2 found", &right()]);
    assert_eq!(problem.kind, ProblemType::Unauthorized);
    assert!(!problem.detail.contains("something else"), "{}", problem.detail);
}

#[tokio::test]
async fn a_name_without_txt_records_is_unauthorized() {
    let world = World::new().await;
    let result = world.dns01(NAME).await;
    assert_eq!(problem(&result, &[HOST, "no TXT record", &right()]).kind, ProblemType::Unauthorized);
}

#[tokio::test]
async fn a_failed_lookup_is_a_dns_problem() {
    for (code, words) in [
        (ResponseCode::NXDomain, "does not exist (NXDOMAIN)"),
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::Refused, "Refused"),
    ] {
        let mut world = World::new().await;
        world.config.resolvers = vec![serve(&world, code, Vec::new()).await];
        let result = world.dns01(NAME).await;
        assert_eq!(problem(&result, &[HOST, words]).kind, ProblemType::Dns);
        assert_eq!(result.records.len(), 1);
    }
}

#[tokio::test]
async fn a_silent_resolver_does_not_hold_the_validation_for_ever() {
    let mut world = World::new().await;
    let silent = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    world.config.resolvers = vec![silent.local_addr().unwrap()];
    world.config.timeout = Period::from_millis(100);
    assert_eq!(problem(&world.dns01(NAME).await, &[HOST, "in time"]).kind, ProblemType::Dns);
}

#[tokio::test]
async fn the_second_resolver_answers_when_the_first_is_gone() {
    let mut world = World::new().await;
    let gone = UdpSocket::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap();
    world.config.resolvers.insert(0, gone);
    world.zone.add_txt(HOST, &right()).unwrap();
    assert_valid(&world.dns01(NAME).await);
}

#[tokio::test]
async fn a_name_too_long_for_the_prefix_is_a_dns_problem() {
    let world = World::new().await;
    let name = format!("{}test", "a23456789.".repeat(24));
    assert_eq!(problem(&world.dns01(&name).await, &["cannot be looked up"]).kind, ProblemType::Dns);
}

#[tokio::test]
async fn addresses_have_no_dns_challenge() {
    let world = World::new().await;
    let result = world.validate(ChallengeType::Dns01, &ip(LOOPBACK)).await;
    assert_eq!(problem(&result, &["IP addresses"]).kind, ProblemType::Malformed);
}
