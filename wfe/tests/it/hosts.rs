//! A CA without a fixed base URL: links follow the host, if it is one of ours. RFC 8555 §6.4.

use axum::body::Body;
use cairn_jose::Algorithm;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::world::{Client, JOSE, Reply, World, get};

async fn post(world: &World, client: &Client, host: &str, path: &str, payload: &str) -> Reply {
    let mut header = client.header(path, world.send(get("/nonce", host)).await.header("replay-nonce"));
    header["url"] = json!(format!("https://{host}{path}"));
    let request = Request::post(path).header(HOST, host).header(CONTENT_TYPE, JOSE);
    world.send(request.body(Body::from(client.sign(&header, payload))).unwrap()).await
}

#[tokio::test]
async fn links_follow_the_host() {
    let world = World::following(&["localhost", "127.0.0.1", "::1"]);
    for host in ["localhost:14000", "127.0.0.1:14000", "[::1]:14000"] {
        let reply = world.send(get("/dir", host)).await;
        assert_eq!(reply.json()["newOrder"], format!("https://{host}/new-order"));
        let reply = world.send(get("/nonce", host)).await;
        assert_eq!(reply.links(), [format!("<https://{host}/dir>;rel=\"index\"")]);
    }
}

#[tokio::test]
async fn a_host_that_is_not_ours_is_told_which_are() {
    let world = World::following(&["localhost", "127.0.0.1"]);
    let reply = world.send(get("/dir", "evil.test")).await;
    let detail = reply.assert_problem(421, "malformed");
    assert!(detail.contains("evil.test") && detail.contains("localhost, 127.0.0.1"), "{detail}");
    assert!(reply.links().is_empty(), "there is no URL of ours to link to");
    world.bare(Method::GET, "/dir").await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn an_account_made_under_one_name_works_under_another() {
    let world = World::following(&["localhost", "127.0.0.1"]);
    let mut client = Client::new(Algorithm::Es256);
    let reply = post(&world, &client, "localhost:14000", "/new-account", "{}").await;
    assert_eq!(reply.status, StatusCode::CREATED);
    client.kid = Some(reply.header("location").to_owned());
    assert!(reply.header("location").starts_with("https://localhost:14000/account/"));
    for host in ["localhost:14000", "127.0.0.1:14000"] {
        assert_eq!(post(&world, &client, host, "/dir", "").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn a_request_signed_for_another_of_our_names_is_refused() {
    let world = World::following(&["localhost", "127.0.0.1"]);
    let client = Client::new(Algorithm::Es256);
    let mut header =
        client.header("/new-account", world.send(get("/nonce", "localhost")).await.header("replay-nonce"));
    header["url"] = json!("https://127.0.0.1/new-account");
    let request = Request::post("/new-account").header(HOST, "localhost").header(CONTENT_TYPE, JOSE);
    let reply = world.send(request.body(Body::from(client.sign(&header, "{}"))).unwrap()).await;
    reply.assert_problem(403, "unauthorized");
}

#[tokio::test]
async fn with_a_base_url_the_host_does_not_matter() {
    let world = World::new();
    let reply = world.send(get("/dir", "internal-name:8080")).await;
    assert_eq!(reply.json()["newOrder"], "https://ca.test/new-order");
}
