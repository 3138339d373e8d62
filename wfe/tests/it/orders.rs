//! Orders and finalize. RFC 8555 §7.1.3, §7.4.

use cairn_core::{
    AuthorizationProgress, Error, ErrorKind, Identifier, OrderProgress, Problem, ProblemType, Serial,
    Subproblem,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::fakes::NOW;
use crate::world::{BASE, Client, World, path};

fn names(names: &[&str]) -> Value {
    let identifiers: Vec<Value> = names.iter().map(|name| json!({"type": "dns", "value": name})).collect();
    json!({ "identifiers": identifiers })
}

/// A new order's path.
async fn order(world: &World, client: &Client) -> String {
    path(&json!(world.post(client, "/new-order", &names(&["a.test"])).await.header("location")))
}

#[tokio::test]
async fn a_new_order_is_201_with_everything_that_a_client_goes_on_with() {
    let world = World::new();
    let client = world.client().await;
    let payload =
        json!({"identifiers": [{"type": "dns", "value": "*.A.test"}, {"type": "ip", "value": "192.0.2.1"}]});
    let reply = world.post(&client, "/new-order", &payload).await;
    let object = reply.assert_object(StatusCode::CREATED);
    let stored = world.fake.state().orders[0].clone();
    assert_eq!(reply.header("location"), format!("{BASE}/order/{}", stored.id));
    let authz = |index: usize| format!("{BASE}/authz/{}", stored.authorizations[index]);
    assert_eq!(
        object,
        json!({
            "status": "pending",
            "expires": "2026-01-02T03:05:45Z",
            "identifiers": [{"type": "dns", "value": "*.a.test"}, {"type": "ip", "value": "192.0.2.1"}],
            "authorizations": [authz(0), authz(1)],
            "finalize": format!("{BASE}/order/{}/finalize", stored.id),
        })
    );
    assert!(!reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn dates_that_a_client_wishes_for_are_refused_and_not_dropped() {
    let world = World::new();
    let client = world.client().await;
    for member in ["notBefore", "notAfter"] {
        let mut payload = names(&["a.test"]);
        payload[member] = json!("2030-01-01T00:00:00Z");
        let detail = world.post(&client, "/new-order", &payload).await.assert_problem(400, "malformed");
        assert!(detail.contains("notBefore"), "{detail}");
    }
    assert!(world.fake.state().orders.is_empty());
}

#[tokio::test]
async fn what_is_no_identifier_is_named_tamely() {
    let world = World::new();
    let client = world.client().await;
    let reply =
        world.post(&client, "/new-order", &names(&["good.test", "bad_name.test", "\u{1b}[31m.test"])).await;
    let detail = reply.assert_problem(400, "malformed");
    assert!(detail.contains("bad_name.test") && !detail.contains("good.test"), "{detail}");
    assert!(detail.contains("\\u{1b}"), "{detail}");
    let many: Vec<String> = (0..200).map(|n| format!("bad_{n}.test")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let detail = world.post(&client, "/new-order", &names(&many)).await.assert_problem(400, "malformed");
    assert!(detail.contains("and 195 more"), "{detail}");
}

#[tokio::test]
async fn an_identifier_of_another_type_is_unsupported() {
    let world = World::new();
    let client = world.client().await;
    let payload = json!({"identifiers": [{"type": "email", "value": "a@a.test"}]});
    world.post(&client, "/new-order", &payload).await.assert_problem(400, "unsupportedIdentifier");
}

#[tokio::test]
async fn an_order_without_a_list_of_identifiers_is_malformed() {
    let world = World::new();
    let client = world.client().await;
    for payload in
        ["", "{}", r#"{"identifiers":null}"#, r#"{"identifiers":["a.test"]}"#, r#"{"identifiers":[{}]}"#]
    {
        let jws = world.jws(&client, "/new-order", payload).await;
        world.post_raw("/new-order", jws).await.assert_problem(400, "malformed");
    }
}

#[tokio::test]
async fn rejected_identifiers_come_as_subproblems() {
    let world = World::new();
    let client = world.client().await;
    let subproblem = Subproblem {
        kind: ProblemType::RejectedIdentifier,
        detail: "not for this".to_owned(),
        identifier: Identifier::parse("dns", "a.test").unwrap(),
    };
    let refusal = Error::new(ErrorKind::RejectedIdentifier, "no").with_subproblems(vec![subproblem]);
    world.fake.state().refusal = Some(refusal);
    let reply = world.post(&client, "/new-order", &names(&["a.test"])).await;
    reply.assert_problem(400, "rejectedIdentifier");
    assert_eq!(reply.json()["subproblems"][0]["identifier"], json!({"type": "dns", "value": "a.test"}));
}

#[tokio::test]
async fn an_order_shows_its_status_its_certificate_and_its_error() {
    let world = World::new();
    let client = world.client().await;
    let url = order(&world, &client).await;

    world.fake.state().orders[0].progress = OrderProgress::Processing { since: NOW };
    let reply = world.post_as_get(&client, &url).await;
    assert_eq!(reply.assert_object(StatusCode::OK)["status"], "processing");
    assert_eq!(reply.header("retry-after"), "3");

    let serial = Serial::from_bytes(&[0x12, 0xab]).unwrap();
    world.fake.state().orders[0].progress = OrderProgress::Issued { serial };
    let reply = world.post_as_get(&client, &url).await;
    let object = reply.assert_object(StatusCode::OK);
    assert_eq!(object["status"], "valid");
    assert_eq!(object["certificate"], format!("{BASE}/certificate/12ab"));
    assert!(!reply.headers.contains_key("retry-after"));

    let problem = Problem::new(ProblemType::Caa, "CAA says no");
    world.fake.state().orders[0].progress = OrderProgress::Failed { problem };
    let object = world.post_as_get(&client, &url).await.assert_object(StatusCode::OK);
    assert_eq!(object["status"], "invalid");
    assert_eq!(object["error"]["type"], "urn:ietf:params:acme:error:caa");
    assert_eq!(object.get("certificate"), None);
}

#[tokio::test]
async fn an_order_is_ready_when_its_authorizations_are_valid_and_invalid_when_it_has_expired() {
    let world = World::new();
    let client = world.client().await;
    let url = order(&world, &client).await;
    let challenge = cairn_core::ChallengeType::Http01;
    world.fake.state().authorizations[0].progress =
        AuthorizationProgress::Valid { challenge, at: NOW, records: Vec::new() };
    assert_eq!(world.post_as_get(&client, &url).await.json()["status"], "ready");
    world.clock.advance(100);
    let object = world.post_as_get(&client, &url).await.assert_object(StatusCode::OK);
    assert_eq!(object["status"], "invalid");
    assert!(object["error"].is_object());
}

#[tokio::test]
async fn another_accounts_order_looks_like_no_order() {
    let world = World::new();
    let (client, other) = (world.client().await, world.client().await);
    let theirs = order(&world, &other).await;
    let unknown = "/order/000102030405060708090a0b0c0d0e0f";
    let details = [
        world.post_as_get(&client, &theirs).await.assert_problem(404, "malformed"),
        world.post_as_get(&client, unknown).await.assert_problem(404, "malformed"),
    ];
    assert_eq!(details[0], details[1]);
}

#[tokio::test]
async fn an_order_takes_no_payload() {
    let world = World::new();
    let client = world.client().await;
    let url = order(&world, &client).await;
    world.post(&client, &url, &json!({})).await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn finalize_answers_with_the_order_where_it_is_and_when_to_ask_again() {
    let world = World::new();
    let client = world.client().await;
    let url = order(&world, &client).await;
    let reply = world.post(&client, &format!("{url}/finalize"), &json!({"csr": "MAA"})).await;
    assert_eq!(reply.assert_object(StatusCode::OK)["status"], "processing");
    assert_eq!(reply.header("location"), format!("{BASE}{url}"));
    assert_eq!(reply.header("retry-after"), "3");
    assert_eq!(world.fake.state().finalized[0].csr, [0x30, 0]);
    assert_eq!(world.fake.state().finalized[0].account, client.account());
}

#[tokio::test]
async fn a_csr_is_der_in_base64url() {
    let world = World::new();
    let client = world.client().await;
    let url = format!("{}/finalize", order(&world, &client).await);
    for payload in [
        json!({}),
        json!({"csr": 1}),
        json!({"csr": "MAA="}),
        json!({"csr": "M+A/"}),
        json!({"csr": "-----BEGIN CERTIFICATE REQUEST-----"}),
    ] {
        world.post(&client, &url, &payload).await.assert_problem(400, "malformed");
    }
    world.post_as_get(&client, &url).await.assert_problem(400, "malformed");
    assert!(world.fake.state().finalized.is_empty());
}

#[tokio::test]
async fn a_csr_with_a_hundred_long_names_fits() {
    let world = World::new();
    let client = world.client().await;
    let url = format!("{}/finalize", order(&world, &client).await);
    let csr = cairn_jose::base64url::encode(&vec![0x30; 100 * 260 + 2000]);
    assert_eq!(world.post(&client, &url, &json!({ "csr": csr })).await.status, StatusCode::OK);
}
