//! HTTP itself: methods, media types, sizes, headers, and problems wherever they arise. RFC 8555 §6.1 to §6.3, §6.7, §7.1, §7.2.

use axum::body::Body;
use cairn_core::{Error, ErrorKind};
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use serde_json::json;

use crate::world::{BASE, JOSE, World};

const SIGNED_RESOURCES: [&str; 9] = [
    "/new-account",
    "/new-order",
    "/revoke-cert",
    "/account/000102030405060708090a0b0c0d0e0f",
    "/order/000102030405060708090a0b0c0d0e0f",
    "/order/000102030405060708090a0b0c0d0e0f/finalize",
    "/authz/000102030405060708090a0b0c0d0e0f",
    "/challenge/000102030405060708090a0b0c0d0e0f/http-01",
    "/certificate/0102",
];

#[tokio::test]
async fn the_directory_lists_what_there_is_and_nothing_else() {
    let reply = World::new().bare(Method::GET, "/dir").await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(
        reply.json(),
        json!({
            "newNonce": format!("{BASE}/nonce"),
            "newAccount": format!("{BASE}/new-account"),
            "newOrder": format!("{BASE}/new-order"),
            "revokeCert": format!("{BASE}/revoke-cert"),
            "renewalInfo": format!("{BASE}/renewal-info"),
        })
    );
    assert!(reply.links().is_empty(), "only other resources link to the directory");
    assert!(!reply.headers.contains_key("replay-nonce"));
    reply.assert_cors();
}

#[tokio::test]
async fn the_directory_and_new_nonce_can_be_read_by_post_as_get_too() {
    let world = World::new();
    let client = world.client().await;
    let directory = world.post_as_get(&client, "/dir").await;
    assert_eq!(directory.status, StatusCode::OK);
    assert_eq!(directory.json(), world.bare(Method::GET, "/dir").await.json());
    assert!(!directory.header("replay-nonce").is_empty());
    assert_eq!(world.post_as_get(&client, "/nonce").await.status, StatusCode::NO_CONTENT);
    let reply = world.post(&client, "/dir", &json!({})).await;
    reply.assert_problem(400, "malformed");
}

#[tokio::test]
async fn new_nonce_answers_head_with_200_and_get_with_204() {
    let world = World::new();
    let (head, get) = (world.bare(Method::HEAD, "/nonce").await, world.bare(Method::GET, "/nonce").await);
    assert_eq!((head.status, get.status), (StatusCode::OK, StatusCode::NO_CONTENT));
    assert_ne!(head.header("replay-nonce"), get.header("replay-nonce"));
    for reply in [head, get] {
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(reply.links(), ["<https://ca.test/dir>;rel=\"index\""]);
        assert!(reply.body.is_empty());
        reply.assert_cors();
    }
}

#[tokio::test]
async fn a_get_where_a_post_as_get_belongs_is_405_malformed() {
    let world = World::new();
    for path in SIGNED_RESOURCES {
        for method in [Method::GET, Method::HEAD, Method::PUT, Method::DELETE] {
            let reply = world.bare(method, path).await;
            reply.assert_problem(405, "malformed");
            assert_eq!(reply.header("allow"), "POST");
            assert_eq!(reply.links(), ["<https://ca.test/dir>;rel=\"index\""]);
        }
    }
    assert_eq!(world.bare(Method::DELETE, "/dir").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_path_that_no_resource_has_is_a_problem_too() {
    let world = World::new();
    for path in [
        "/",
        "/directory",
        "/key-change",
        "/new-authz",
        "/renewal-info",
        "/renewal-info/x/y",
        "/renewal-infos/x",
        "/order",
        "/dir/",
        "/%ff",
        "//dir",
    ] {
        for method in [Method::GET, Method::POST] {
            world.bare(method, path).await.assert_problem(404, "malformed");
        }
    }
}

#[tokio::test]
async fn what_is_no_id_names_nothing() {
    let world = World::new();
    for path in [
        "/account/1",
        "/order/000102030405060708090A0B0C0D0E0F",
        "/order/x/finalize",
        "/authz/%ff",
        "/challenge/000102030405060708090a0b0c0d0e0f/tls-sni-01",
        "/certificate/zz",
        "/certificate/0000",
    ] {
        world.post_raw(path, "{}").await.assert_problem(404, "malformed");
    }
}

#[tokio::test]
async fn another_content_type_is_415() {
    let world = World::new();
    for path in SIGNED_RESOURCES {
        for content_type in [None, Some("application/json"), Some("application/jose"), Some("text/plain")] {
            let mut request = Request::post(path);
            if let Some(content_type) = content_type {
                request = request.header(CONTENT_TYPE, content_type);
            }
            let reply = world.send(request.body(Body::from("{}")).unwrap()).await;
            reply.assert_problem(415, "malformed");
        }
    }
}

#[tokio::test]
async fn a_parameter_of_the_content_type_is_tolerated() {
    let world = World::new();
    let client = world.client().await;
    let jws = world.jws(&client, "/dir", "").await;
    let request = Request::post("/dir").header(CONTENT_TYPE, "Application/JOSE+json; charset=utf-8");
    assert_eq!(world.send(request.body(Body::from(jws)).unwrap()).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_whether_announced_or_not() {
    let world = World::new();
    let large = "x".repeat(64 * 1024 + 1);
    world.post_raw("/new-order", large.clone()).await.assert_problem(413, "malformed");
    let announced =
        Request::post("/new-order").header(CONTENT_TYPE, JOSE).header("content-length", "99999999");
    world.send(announced.body(Body::empty()).unwrap()).await.assert_problem(413, "malformed");
    let largest = "x".repeat(64 * 1024);
    world.post_raw("/new-order", largest).await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn a_preflight_is_answered_with_what_a_browser_may_do() {
    let world = World::new();
    for path in ["/dir", "/nonce", "/new-order"] {
        let reply = world.bare(Method::OPTIONS, path).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
        assert!(reply.header("access-control-allow-methods").contains("POST"));
        assert_eq!(reply.header("access-control-allow-headers"), "Content-Type");
        reply.assert_cors();
    }
}

#[tokio::test]
async fn a_panic_becomes_a_problem_with_a_nonce() {
    let world = World::new();
    let client = world.client().await;
    world.fake.state().panics = true;
    let detail = world.post_as_get(&client, "/dir").await.assert_problem(500, "serverInternal");
    assert!(!detail.contains("as the test wants"), "{detail}");
}

#[tokio::test]
async fn a_fault_of_ours_tells_the_client_no_more_than_its_detail() {
    let world = World::new();
    let client = world.client().await;
    world.fake.state().failure = Some(Error::internal("Try later.", "disk /dev/sda is on fire"));
    let reply = world.post_as_get(&client, "/dir").await;
    assert_eq!(reply.assert_problem(500, "serverInternal"), "Try later.");
    assert!(!String::from_utf8(reply.body).unwrap().contains("sda"));
}

#[tokio::test]
async fn a_service_that_is_too_busy_says_when_to_come_back() {
    let world = World::new();
    let client = world.client().await;
    world.fake.state().failure = Some(Error::new(ErrorKind::Unavailable, "Too busy."));
    let reply = world.post_as_get(&client, "/dir").await;
    reply.assert_problem(503, "serverInternal");
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
}

#[tokio::test]
async fn errors_of_the_registration_authority_keep_their_type_and_status() {
    let world = World::new();
    let client = world.client().await;
    let order = json!({"identifiers": [{"type": "dns", "value": "a.test"}]});
    for (kind, status, name) in [
        (ErrorKind::RejectedIdentifier, 400, "rejectedIdentifier"),
        (ErrorKind::OrderNotReady, 403, "orderNotReady"),
        (ErrorKind::BadCsr, 400, "badCSR"),
        (ErrorKind::Conflict, 409, "malformed"),
        (ErrorKind::InvalidContact, 400, "invalidContact"),
        (ErrorKind::UnsupportedContact, 400, "unsupportedContact"),
    ] {
        world.fake.state().refusal = Some(Error::new(kind, "no"));
        world.post(&client, "/new-order", &order).await.assert_problem(status, name);
    }
}
