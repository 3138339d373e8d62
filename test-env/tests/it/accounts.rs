//! Accounts, RFC 8555 §7.3.

use cairn_test_env::acme::{Account, Client, Response, Step};
use serde_json::{Value, json};

use crate::world::{World, assert_refused, dns, es256};

async fn new_account(client: &mut Client, account: &Account, payload: Value) -> Response {
    let url = client.directory.new_account.clone();
    client.post(Step::NewAccount, (&account.key).into(), &url, &payload).await.unwrap()
}

async fn update(
    client: &mut Client,
    account: &Account,
    payload: Value,
) -> cairn_test_env::acme::Result<Value> {
    client.post(Step::Other, account.into(), &account.url, &payload).await?.json()
}

#[tokio::test]
async fn the_second_new_account_of_a_key_is_answered_200_with_the_first() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let response =
        new_account(&mut client, &account, json!({ "contact": ["mailto:late@example.com"] })).await;
    assert_eq!(response.status, 200);
    assert_eq!(response.header("location"), account.url);
    let object: Value = response.json().unwrap();
    assert_eq!(object["status"], "valid");
    // RFC 8555 §7.3.1: what else the request says is passed over.
    assert!(object.get("contact").is_none_or(|contact| contact == &json!([])), "{object}");
    world.end().await;
}

#[tokio::test]
async fn an_account_is_found_by_its_key_and_none_is_made_in_passing() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let found = new_account(&mut client, &account, json!({ "onlyReturnExisting": true })).await;
    assert_eq!((found.status.as_u16(), found.header("location")), (200, account.url.as_str()));
    let url = client.directory.new_account.clone();
    let stranger = es256();
    for _ in 0..2 {
        let payload = json!({ "onlyReturnExisting": true });
        let outcome = client.post(Step::NewAccount, (&stranger).into(), &url, &payload).await;
        assert_refused(outcome, 400, "accountDoesNotExist");
    }
    world.end().await;
}

#[tokio::test]
async fn contacts_are_checked_replaced_and_cleared() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let contact = json!(["mailto:admin@example.com"]);
    let object = update(&mut client, &account, json!({ "contact": contact })).await.unwrap();
    assert_eq!(object["contact"], contact);
    let object = update(&mut client, &account, json!({})).await.unwrap();
    assert_eq!(object["contact"], contact);
    for (bad, name) in [
        ("tel:+123", "unsupportedContact"),
        ("mailto:a@example.com,b@example.com", "invalidContact"),
        ("mailto:a@example.com?subject=x", "invalidContact"),
    ] {
        let outcome = update(&mut client, &account, json!({ "contact": [bad] })).await;
        assert_refused(outcome, 400, name);
    }
    let object = update(&mut client, &account, json!({ "contact": [] })).await.unwrap();
    assert!(object.get("contact").is_none_or(|contact| contact == &json!([])), "{object}");
    world.end().await;
}

#[tokio::test]
async fn a_deactivated_account_may_do_nothing_more() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let placed = client.new_order(&account, &dns(["closed.test"])).await.unwrap();
    let object = update(&mut client, &account, json!({ "status": "deactivated" })).await.unwrap();
    assert_eq!(object["status"], "deactivated");

    // RFC 8555 §7.3.6 names the status.
    assert_refused(client.new_order(&account, &dns(["late.test"])).await, 401, "unauthorized");
    assert_refused(client.order(&account, &placed.url).await, 401, "unauthorized");
    assert_refused(update(&mut client, &account, json!({})).await, 401, "unauthorized");
    let url = client.directory.new_account.clone();
    let outcome = client.post(Step::NewAccount, (&account.key).into(), &url, &json!({})).await;
    assert_refused(outcome, 401, "unauthorized");
    world.end().await;
}

#[tokio::test]
async fn the_objects_of_another_account_are_as_if_they_were_not_there() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["mine.test"]);
    let (certified, request) = world.certificate(&mut client, &account, &identifiers).await;
    let placed = client.new_order(&account, &identifiers).await.unwrap();
    let authz_url = placed.order.authorizations[0].clone();
    let authz = client.authorization(&account, &authz_url).await.unwrap().object;

    let (mut other, stranger) = world.member().await;
    assert_refused(other.order(&stranger, &placed.url).await, 404, "malformed");
    assert_refused(other.authorization(&stranger, &authz_url).await, 404, "malformed");
    assert_refused(other.answer(&stranger, &authz.challenges[0].url).await, 404, "malformed");
    assert_refused(other.finalize(&stranger, &placed.order.finalize, &request.der).await, 404, "malformed");
    assert_refused(other.certificate(&stranger, &certified.url).await, 403, "unauthorized");
    assert_refused(other.post_as_get(Step::Other, &stranger, &account.url).await, 403, "unauthorized");
    let payload = json!({ "status": "deactivated" });
    assert_refused(other.post(Step::Other, (&stranger).into(), &authz_url, &payload).await, 404, "malformed");
    world.end().await;
}
