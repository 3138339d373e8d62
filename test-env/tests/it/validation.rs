//! Challenges, RFC 8555 §7.5 and §8: what fails, how it is told, and what stays.

use cairn_test_env::acme::{Account, Client, Identifier, Status, Step};
use cairn_test_env::challenges::Responder;
use serde_json::{Value, json};

use crate::world::{World, assert_refused, dns, settled};

/// Orders one name, answers one challenge, and gives the URLs of order and authorization when it is settled.
async fn attempt(client: &mut Client, account: &Account, name: &str, kind: &str) -> (String, String) {
    let placed = client.new_order(account, &[Identifier::dns(name)]).await.unwrap();
    let url = placed.order.authorizations[0].clone();
    let authz = client.authorization(account, &url).await.unwrap().object;
    client.answer(account, &authz.challenge(kind).unwrap().url).await.unwrap();
    settled(client, account, &url).await;
    (placed.url, url)
}

#[tokio::test]
async fn a_failed_challenge_ends_authorization_and_order_and_both_say_why() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    world.fake_dns().command("/set-servfail", &json!({ "host": "broken.test." })).await.unwrap();
    for (name, kind, why) in [
        ("nothing.test", "http-01", &["unauthorized", "incorrectResponse"][..]),
        ("nothing.test", "dns-01", &["unauthorized", "dns"]),
        ("nothing.test", "tls-alpn-01", &["tls", "incorrectResponse"]),
        ("broken.test", "http-01", &["dns"]),
    ] {
        println!("{name} {kind}");
        let (order, authz) = attempt(&mut client, &account, name, kind).await;
        let authz = client.authorization(&account, &authz).await.unwrap().object;
        assert_eq!(authz.status, Status::Invalid);
        let [failed] = &authz.challenges[..] else { panic!("the one that failed, and no other: {authz:?}") };
        assert_eq!((failed.kind.as_str(), failed.status), (kind, Status::Invalid));
        let error = failed.error.as_ref().unwrap();
        assert!(why.contains(&error.name()), "{error:?}");

        let order = client.order(&account, &order).await.unwrap().object;
        assert_eq!(order.status, Status::Invalid);
        let told = order.error.unwrap();
        assert_eq!(told.name(), error.name());
        assert!(told.detail.contains(name), "{told:?}");
        // What has failed stays failed.
        let again = client.answer(&account, &failed.url).await.unwrap().object;
        assert_eq!(again.status, Status::Invalid);
    }
    world.end().await;
}

#[tokio::test]
async fn where_nobody_listens_it_is_a_connection_problem() {
    let mut world = World::new().await;
    let (mut client, account) = world.member().await;
    // Ends the listener: nobody else holds it.
    world.http01 = std::sync::Arc::new(cairn_test_env::challenges::Http01::start(0).await.unwrap());
    let (order, _) = attempt(&mut client, &account, "silent.test", "http-01").await;
    let order = client.order(&account, &order).await.unwrap().object;
    assert_eq!(order.error.unwrap().name(), "connection");
    world.end().await;
}

#[tokio::test]
async fn a_wrong_answer_is_refused_by_every_challenge() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    for responder in [world.http(), world.dns(), world.tls()] {
        println!("{}", responder.kind());
        let placed = client.new_order(&account, &dns(["wrong.test"])).await.unwrap();
        let url = &placed.order.authorizations[0];
        let authz = client.authorization(&account, url).await.unwrap().object;
        let challenge = authz.challenge(responder.kind()).unwrap();
        let somebody_else = format!("{}.{}", challenge.token, "c29tZWJvZHkgZWxzZQ");
        let answer = responder.provide(&authz.identifier, &challenge.token, &somebody_else).await.unwrap();
        client.answer(&account, &challenge.url).await.unwrap();
        let authz = settled(&mut client, &account, url).await;
        assert_eq!(authz.error().unwrap().name(), "unauthorized", "{authz:?}");
        responder.withdraw(answer).await.unwrap();
    }
    world.end().await;
}

#[tokio::test]
async fn a_challenge_that_succeeded_says_when_and_stands_alone() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = world.ready_order(&mut client, &account, &dns(["good.test"])).await;
    let authz = client.authorization(&account, &placed.order.authorizations[0]).await.unwrap().object;
    let [challenge] = &authz.challenges[..] else {
        panic!("the one that succeeded, and no other: {authz:?}")
    };
    assert_eq!((challenge.kind.as_str(), challenge.status), ("http-01", Status::Valid));
    assert!(challenge.validated.is_some());

    let asked = world.http01.asked(&challenge.token).len();
    let response = client.post(Step::Challenge, (&account).into(), &challenge.url, &json!({})).await.unwrap();
    // RFC 8555 §7.5.1.
    assert!(response.headers.get_all("link").iter().any(|link| {
        link.to_str().unwrap() == format!("<{}>;rel=\"up\"", placed.order.authorizations[0])
    }));
    let object: Value = response.json().unwrap();
    assert_eq!((&object["status"], &object["validated"]), (&json!("valid"), &json!(challenge.validated)));
    assert_eq!(world.http01.asked(&challenge.token).len(), asked, "it is not validated again");
    world.end().await;
}

#[tokio::test]
async fn a_challenge_that_is_not_offered_cannot_be_answered() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = client.new_order(&account, &dns(["*.wild.test"])).await.unwrap();
    let authz = client.authorization(&account, &placed.order.authorizations[0]).await.unwrap().object;
    let url = authz.challenge("dns-01").unwrap().url.replace("dns-01", "http-01");
    assert_refused(client.answer(&account, &url).await, 404, "malformed");
    world.end().await;
}

#[tokio::test]
async fn two_values_may_stand_at_one_dns_01_name() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = client.new_order(&account, &dns(["two.test", "*.two.test"])).await.unwrap();
    let Responder::Dns01(dns01) = world.dns() else { panic!("dns-01") };
    let mut challenges = Vec::new();
    for url in &placed.order.authorizations {
        let authz = client.authorization(&account, url).await.unwrap().object;
        let challenge = authz.challenge("dns-01").unwrap().clone();
        dns01.put("two.test", &account.key_authorization(&challenge.token)).await.unwrap();
        challenges.push((url.clone(), challenge));
    }
    for (url, challenge) in challenges {
        client.answer(&account, &challenge.url).await.unwrap();
        assert_eq!(settled(&mut client, &account, &url).await.status, Status::Valid);
    }
    assert_eq!(client.order(&account, &placed.url).await.unwrap().object.status, Status::Ready);
    world.end().await;
}
