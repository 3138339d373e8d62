//! What every request must be, RFC 8555 §6, and what becomes of one that is not.

use std::sync::Arc;

use cairn_jose::base64url;
use cairn_test_env::acme::{Connection, Endpoint, JOSE, Step};
use http::{Method, Request, header};
use http_body_util::Full;
use serde_json::{Value, json};

use crate::world::{World, assert_problem, dns, es256};

/// Makes a protected header wrong.
type Spoil = Box<dyn Fn(&mut Value)>;

/// A right request, spoilt in one place each, and what it is answered.
#[tokio::test]
async fn a_request_that_is_wrong_in_one_place_is_refused_for_that() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let elsewhere = account.url.replace("/account/", "/order/");
    let with = |member: &'static str, value: Value| move |header: &mut Value| header[member] = value.clone();
    let without =
        |member: &'static str| move |header: &mut Value| drop(header.as_object_mut().unwrap().remove(member));
    let jwk = serde_json::to_value(account.key.jwk()).unwrap();
    let spoilt: Vec<(&str, Spoil, u16, &str)> = vec![
        ("no nonce", Box::new(without("nonce")), 400, "badNonce"),
        ("a nonce of somebody else", Box::new(with("nonce", json!("c29tZWJvZHk"))), 400, "badNonce"),
        ("a nonce that is not base64url", Box::new(with("nonce", json!("a+b/="))), 400, "malformed"),
        ("no url", Box::new(without("url")), 400, "malformed"),
        ("the url of another resource", Box::new(with("url", json!(elsewhere))), 403, "unauthorized"),
        (
            "an account that does not exist",
            Box::new(with("kid", json!(format!("{}00", account.url)))),
            400,
            "accountDoesNotExist",
        ),
        ("neither kid nor jwk", Box::new(without("kid")), 400, "malformed"),
        ("both kid and jwk", Box::new(with("jwk", jwk.clone())), 400, "malformed"),
        ("a MAC", Box::new(with("alg", json!("HS256"))), 400, "badSignatureAlgorithm"),
        ("no signature at all", Box::new(with("alg", json!("none"))), 400, "badSignatureAlgorithm"),
        (
            "an algorithm that the key cannot do",
            Box::new(with("alg", json!("ES384"))),
            400,
            "badSignatureAlgorithm",
        ),
        ("an extension that must be understood", Box::new(with("crit", json!(["b64"]))), 400, "malformed"),
    ];
    for (what, spoil, status, name) in spoilt {
        println!("{what}");
        let mut header = client.header((&account).into(), &account.url).await.unwrap();
        spoil(&mut header);
        let body = account.key.jws(&header, b"").unwrap();
        let response = client.send(Method::POST, &account.url, Some(JOSE), body).await.unwrap();
        let problem = assert_problem(&response, status, name);
        // RFC 8555 §6.2: with this one come the algorithms that the server takes.
        assert_eq!(problem.algorithms.is_empty(), name != "badSignatureAlgorithm", "{problem:?}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_signature_over_something_else_is_refused() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let header = client.header((&account).into(), &account.url).await.unwrap();
    let mut body: Value = serde_json::from_str(&account.key.jws(&header, b"").unwrap()).unwrap();
    body["payload"] = json!(base64url::encode(br#"{"status":"deactivated"}"#));
    let response = client.send(Method::POST, &account.url, Some(JOSE), body.to_string()).await.unwrap();
    assert_problem(&response, 400, "malformed");

    let header = client.header((&account).into(), &account.url).await.unwrap();
    let stranger = es256().jws(&header, b"").unwrap();
    let response = client.send(Method::POST, &account.url, Some(JOSE), stranger).await.unwrap();
    assert_problem(&response, 400, "malformed");

    let order = client.new_order(&account, &dns(["still.here.test"])).await;
    assert!(order.is_ok(), "the account is as it was: {order:?}");
    world.end().await;
}

#[tokio::test]
async fn a_body_that_is_no_flattened_jws_is_refused() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let header = client.header((&account).into(), &account.url).await.unwrap();
    let good: Value = serde_json::from_str(&account.key.jws(&header, b"").unwrap()).unwrap();
    let with = |member: &str, value: Value| {
        let mut body = good.clone();
        body[member] = value;
        body.to_string()
    };
    let padded = format!("{}=", good["signature"].as_str().unwrap());
    let bodies = [
        String::new(),
        "{".to_owned(),
        "null".to_owned(),
        with("header", json!({})),
        with("signatures", json!([])),
        with("signature", json!(padded)),
        with("payload", Value::Null),
    ];
    for body in bodies {
        println!("{body}");
        let response = client.send(Method::POST, &account.url, Some(JOSE), body).await.unwrap();
        assert_problem(&response, 400, "malformed");
    }
    world.end().await;
}

#[tokio::test]
async fn another_content_type_is_415() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    for content_type in [None, Some("application/json"), Some("application/jose"), Some("text/plain")] {
        let header = client.header((&account).into(), &account.url).await.unwrap();
        let body = account.key.jws(&header, b"").unwrap();
        let response = client.send(Method::POST, &account.url, content_type, body).await.unwrap();
        assert_problem(&response, 415, "malformed");
    }
    world.end().await;
}

#[tokio::test]
async fn resources_are_not_read_by_get() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let identifiers = dns(["get.test"]);
    let (certified, _) = world.certificate(&mut client, &account, &identifiers).await;
    let order = client.order(&account, &certified.order).await.unwrap().object;
    let authz = client.authorization(&account, &order.authorizations[0]).await.unwrap().object;
    let directory = client.directory.clone();
    let posts_alone = [
        directory.new_account.as_str(),
        &directory.new_order,
        &directory.revoke_cert,
        &account.url,
        &certified.order,
        &order.finalize,
        &order.authorizations[0],
        &authz.challenges[0].url,
        &certified.url,
    ];
    for url in posts_alone {
        println!("{url}");
        let response = client.send(Method::GET, url, None, "").await.unwrap();
        assert_problem(&response, 405, "malformed");
    }
    let response = client.send(Method::GET, &format!("{}/nothing", account.url), None, "").await.unwrap();
    assert_problem(&response, 404, "malformed");
    world.end().await;
}

#[tokio::test]
async fn directory_and_new_nonce_are_read_by_post_as_get_too() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let directory = world.cairn.ready.directory.clone();
    let response = client.post_as_get(Step::Directory, &account, &directory).await.unwrap();
    let listed: Value = response.json().unwrap();
    assert_eq!(listed["newNonce"], json!(client.directory.new_nonce));
    let url = client.directory.new_nonce.clone();
    assert_eq!(client.post_as_get(Step::NewNonce, &account, &url).await.unwrap().status, 204);
    world.end().await;
}

#[tokio::test]
async fn every_answer_names_the_directory_and_may_be_read_by_a_browser() {
    let world = World::new().await;
    let (mut client, account) = world.member().await;
    let response = client.post_as_get(Step::Other, &account, &account.url).await.unwrap();
    let index = format!("<{}>;rel=\"index\"", world.cairn.ready.directory);
    assert_eq!(response.header(header::LINK), index);
    assert_eq!(response.header("access-control-allow-origin"), "*");
    assert!(response.header("access-control-expose-headers").contains("Replay-Nonce"));
    world.end().await;
}

#[tokio::test]
async fn the_directory_offers_nothing_that_is_not_there() {
    let world = World::new().await;
    let mut client = world.client().await;
    let listed: Value =
        client.send(Method::GET, &world.cairn.ready.directory, None, "").await.unwrap().json().unwrap();
    let mut members: Vec<&str> = listed.as_object().unwrap().keys().map(String::as_str).collect();
    members.retain(|member| *member != "meta");
    members.sort_unstable();
    assert_eq!(members, ["newAccount", "newNonce", "newOrder", "renewalInfo", "revokeCert"]);
    world.end().await;
}

#[tokio::test]
async fn links_follow_the_name_under_which_the_server_was_called_and_foreign_names_are_refused() {
    let world = World::dev(&[]).await;
    let port = world.cairn.ready.directory.rsplit(':').next().unwrap().trim_end_matches("/dir").to_owned();
    for host in ["localhost", "127.0.0.1"] {
        let base = format!("https://{host}:{port}");
        let mut client = world.client_at(&format!("{base}/dir")).await;
        assert_eq!(client.directory.new_order, format!("{base}/new-order"));
        let account = client.new_account(es256()).await.unwrap();
        assert!(account.url.starts_with(&base), "{}", account.url);
        let placed = client.new_order(&account, &dns(["host.test"])).await.unwrap();
        assert!(placed.url.starts_with(&base) && placed.order.finalize.starts_with(&base), "{placed:?}");
    }

    // An attacker's name that resolves to the loopback address gets nothing (DNS rebinding).
    let endpoint = Endpoint::new(&world.cairn.ready.directory, &world.root).unwrap();
    let mut connection = Connection::new(Arc::new(endpoint));
    let request =
        Request::builder().uri("/dir").header(header::HOST, "evil.test").body(Full::default()).unwrap();
    assert_problem(&connection.send(request).await.unwrap(), 421, "malformed");
    world.end().await;
}
