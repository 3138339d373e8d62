//! newAccount and an account's own resource. RFC 8555 §7.1.2, §7.3.

use cairn_core::AccountStatus;
use cairn_jose::Algorithm;
use http::StatusCode;
use serde_json::json;

use crate::world::{BASE, Client, World, stored};

const CONTACT: &str = "mailto:admin@a.test";

#[tokio::test]
async fn a_new_account_is_201_with_its_url() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    let reply = world
        .post(&client, "/new-account", &json!({"contact": [CONTACT], "termsOfServiceAgreed": true}))
        .await;
    let account = reply.assert_object(StatusCode::CREATED);
    assert_eq!(account, json!({"status": "valid", "contact": [CONTACT]}));
    let id = world.fake.state().accounts[0].id;
    assert_eq!(reply.header("location"), format!("{BASE}/account/{id}"));
}

#[tokio::test]
async fn a_known_key_gets_its_account_back_unchanged() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    let first = world.post(&client, "/new-account", &json!({"contact": [CONTACT]})).await;
    for payload in [json!({"contact": ["mailto:other@a.test"]}), json!({"onlyReturnExisting": true})] {
        let again = world.post(&client, "/new-account", &payload).await;
        assert_eq!(again.assert_object(StatusCode::OK), first.json());
        assert_eq!(again.header("location"), first.header("location"));
    }
}

#[tokio::test]
async fn looking_for_an_account_never_makes_one() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    let reply = world.post(&client, "/new-account", &json!({"onlyReturnExisting": true})).await;
    reply.assert_problem(400, "accountDoesNotExist");
    assert!(world.fake.state().accounts.is_empty());
}

#[tokio::test]
async fn looking_for_a_deactivated_account_is_unauthorized() {
    let world = World::new();
    let mut client = world.client().await;
    world.fake.state().account_mut(client.account()).status = AccountStatus::Deactivated;
    client.kid = None;
    let reply = world.post(&client, "/new-account", &json!({"onlyReturnExisting": true})).await;
    reply.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn members_that_are_not_ours_to_set_are_ignored_and_not_echoed() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    let payload =
        json!({"status": "revoked", "orders": "https://evil.test", "onlyReturnExisting": false, "x": {}});
    let account = world.post(&client, "/new-account", &payload).await.assert_object(StatusCode::CREATED);
    assert_eq!(account, json!({"status": "valid"}));
}

#[tokio::test]
async fn an_account_is_read_by_post_as_get() {
    let world = World::new();
    let client = world.client().await;
    let reply = world.post_as_get(&client, &format!("/account/{}", client.account())).await;
    assert_eq!(reply.assert_object(StatusCode::OK), json!({"status": "valid"}));
}

#[tokio::test]
async fn contacts_are_replaced_cleared_or_left() {
    let world = World::new();
    let client = world.client().await;
    let path = format!("/account/{}", client.account());
    let reply = world.post(&client, &path, &json!({"contact": [CONTACT]})).await;
    assert_eq!(reply.assert_object(StatusCode::OK)["contact"], json!([CONTACT]));
    for unchanging in
        [json!({}), json!({"status": "valid"}), json!({"status": "revoked"}), json!({"contact": null})]
    {
        let reply = world.post(&client, &path, &unchanging).await;
        assert_eq!(reply.assert_object(StatusCode::OK), json!({"status": "valid", "contact": [CONTACT]}));
    }
    let reply = world.post(&client, &path, &json!({"contact": []})).await;
    assert_eq!(reply.assert_object(StatusCode::OK), json!({"status": "valid"}));
}

#[tokio::test]
async fn an_account_closes_itself_and_that_is_its_last_request() {
    let world = World::new();
    let client = world.client().await;
    let path = format!("/account/{}", client.account());
    let reply = world.post(&client, &path, &json!({"status": "deactivated"})).await;
    assert_eq!(reply.assert_object(StatusCode::OK)["status"], "deactivated");
    world.post_as_get(&client, &path).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn an_accounts_url_serves_that_account_alone() {
    let world = World::new();
    let (client, other) = (world.client().await, world.client().await);
    let unknown = "/account/000102030405060708090a0b0c0d0e0f".to_owned();
    let mut details = Vec::new();
    for path in [format!("/account/{}", other.account()), unknown] {
        let reply = world.post(&client, &path, &json!({"status": "deactivated"})).await;
        details.push(reply.assert_problem(403, "unauthorized"));
    }
    assert_eq!(details[0], details[1], "whether there is such an account is not told");
    assert_eq!(stored(&world, &other).status, AccountStatus::Valid);
}

#[tokio::test]
async fn a_payload_of_the_wrong_shape_is_malformed() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    for payload in ["", "[]", "null", r#"{"contact":"mailto:a@a.test"}"#, r#"{"contact":[1]}"#, "{"] {
        let jws = world.jws(&client, "/new-account", payload).await;
        world.post_raw("/new-account", jws).await.assert_problem(400, "malformed");
    }
    assert!(world.fake.state().accounts.is_empty());
}
