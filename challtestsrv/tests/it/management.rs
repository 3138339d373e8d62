//! The management interface, through its router and seen from the resolver.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use challtestsrv::{MAX_BODY_BYTES, MAX_RECORDS, Zone, management};
use hickory_proto::rr::RecordType;
use tower::ServiceExt;

use crate::world::{World, addresses, lookup, texts};

async fn send(router: &Router, method: Method, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(path).body(body.into()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), MAX_BODY_BYTES).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

async fn post(router: &Router, path: &str, body: impl Into<Body>) -> (StatusCode, String) {
    send(router, Method::POST, path, body).await
}

async fn assert_done(router: &Router, path: &str, body: &str) {
    assert_eq!(post(router, path, body.to_owned()).await, (StatusCode::OK, String::new()), "{path} {body}");
}

const COMMANDS: [&str; 14] = [
    "/set-default-ipv4",
    "/set-default-ipv6",
    "/add-a",
    "/clear-a",
    "/add-aaaa",
    "/clear-aaaa",
    "/set-cname",
    "/clear-cname",
    "/set-servfail",
    "/clear-servfail",
    "/set-txt",
    "/clear-txt",
    "/add-caa",
    "/clear-caa",
];

#[tokio::test]
async fn default_addresses_are_set_and_the_empty_string_unsets_them() {
    let world = World::new().await;
    let (router, resolver) = (management(world.zone.clone()), world.resolver());
    assert_done(&router, "/set-default-ipv4", r#"{"ip":"192.0.2.1"}"#).await;
    assert_done(&router, "/set-default-ipv6", r#"{"ip":"2001:db8::1"}"#).await;
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["192.0.2.1"]);
    assert_eq!(addresses(&resolver, "a.test.", RecordType::AAAA).await, ["2001:db8::1"]);

    assert_done(&router, "/set-default-ipv4", r#"{"ip":""}"#).await;
    assert_done(&router, "/set-default-ipv6", r#"{"ip":""}"#).await;
    assert!(addresses(&resolver, "a.test.", RecordType::A).await.is_empty());
    assert!(addresses(&resolver, "a.test.", RecordType::AAAA).await.is_empty());
}

#[tokio::test]
async fn addresses_are_added_and_cleared() {
    let world = World::new().await;
    let (router, resolver) = (management(world.zone.clone()), world.resolver());
    assert_done(&router, "/add-a", r#"{"host":"a.test","addresses":["192.0.2.1"]}"#).await;
    assert_done(&router, "/add-aaaa", r#"{"host":"a.test.","addresses":["::1"]}"#).await;
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["192.0.2.1"]);
    assert_eq!(addresses(&resolver, "a.test.", RecordType::AAAA).await, ["::1"]);

    assert_done(&router, "/clear-a", r#"{"host":"A.test."}"#).await;
    assert_done(&router, "/clear-aaaa", r#"{"host":"a.test"}"#).await;
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["127.0.0.1"]);
    assert!(addresses(&resolver, "a.test.", RecordType::AAAA).await.is_empty());
}

#[tokio::test]
async fn a_dns_01_client_sets_and_clears_its_value() {
    let world = World::new().await;
    let (router, resolver) = (management(world.zone.clone()), world.resolver());
    assert_done(&router, "/set-txt", r#"{"host":"_acme-challenge.a.test.","value":"one"}"#).await;
    assert_done(&router, "/set-txt", r#"{"host":"_acme-challenge.a.test","value":"two"}"#).await;
    assert_eq!(texts(&resolver, "_acme-challenge.a.test.").await, ["one", "two"]);
    assert_done(&router, "/clear-txt", r#"{"host":"_acme-challenge.a.test."}"#).await;
    assert!(texts(&resolver, "_acme-challenge.a.test.").await.is_empty());
}

#[tokio::test]
async fn aliases_failures_and_caa_are_set_and_cleared() {
    let world = World::new().await;
    let (router, resolver) = (management(world.zone.clone()), world.resolver());
    assert_done(&router, "/set-cname", r#"{"host":"a.test","target":"b.test"}"#).await;
    assert_done(&router, "/set-txt", r#"{"host":"b.test","value":"v"}"#).await;
    assert_eq!(texts(&resolver, "a.test.").await, ["v"]);
    assert_done(&router, "/clear-cname", r#"{"host":"a.test"}"#).await;
    assert!(texts(&resolver, "a.test.").await.is_empty());

    assert_done(&router, "/set-servfail", r#"{"host":"a.test"}"#).await;
    assert!(resolver.lookup("a.test.", RecordType::A).await.is_err());
    assert_done(&router, "/clear-servfail", r#"{"host":"a.test"}"#).await;
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["127.0.0.1"]);

    let caa = r#"{"host":"a.test","policies":[{"tag":"issue","value":"ca.test"},{"tag":"iodef","value":"mailto:x"}]}"#;
    assert_done(&router, "/add-caa", caa).await;
    assert_eq!(lookup(&resolver, "a.test.", RecordType::CAA).await.len(), 2);
    assert_done(&router, "/clear-caa", r#"{"host":"a.test"}"#).await;
    assert!(lookup(&resolver, "a.test.", RecordType::CAA).await.is_empty());
}

#[tokio::test]
async fn the_content_type_and_unknown_members_do_not_matter() {
    let zone = Zone::new();
    let router = management(zone);
    let body = r#"{"host":"a.test","value":"v","comment":1}"#;
    for content_type in ["application/x-www-form-urlencoded", "text/plain", "application/json"] {
        let request =
            Request::post("/set-txt").header("content-type", content_type).body(Body::from(body)).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_in_a_sentence() {
    let router = management(Zone::new());
    for (path, body, why) in [
        ("/set-txt", "", "EOF"),
        ("/set-txt", "host=a.test&value=v", "expected value"),
        ("/set-txt", r#"{"host":"a.test"}"#, "missing field `value`"),
        ("/set-txt", r#"{"host":"","value":"v"}"#, "DNS name"),
        ("/set-default-ipv4", r#"{"ip":"localhost"}"#, "invalid IPv4 address"),
        ("/set-default-ipv4", r#"{"ip":"::1"}"#, "invalid IPv4 address"),
        ("/set-default-ipv4", "{}", "missing field `ip`"),
        ("/set-default-ipv6", r#"{"ip":"127.0.0.1"}"#, "invalid IPv6 address"),
        ("/add-a", r#"{"host":"a.test","addresses":["::1"]}"#, "IPv4 address"),
        ("/add-a", r#"{"host":"a..test","addresses":["127.0.0.1"]}"#, "DNS name"),
        ("/add-aaaa", r#"{"host":"a.test","addresses":"::1"}"#, "expected a sequence"),
        ("/set-cname", r#"{"host":"a.test","target":""}"#, "DNS name"),
        ("/set-servfail", r#"{"host":5}"#, "expected a string"),
        ("/add-caa", r#"{"host":"a.test","policies":[{"tag":"is sue","value":""}]}"#, "CAA tag"),
        ("/clear-txt", r#"{"host":"two words"}"#, "DNS name"),
    ] {
        let (status, sentence) = post(&router, path, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path} {body}");
        assert!(sentence.contains(why), "{path} {body}: {sentence}");
    }
}

#[tokio::test]
async fn half_a_command_changes_nothing() {
    let world = World::new().await;
    let (router, resolver) = (management(world.zone.clone()), world.resolver());
    let body = r#"{"host":"a.test","addresses":["192.0.2.1","nonsense"]}"#;
    assert_eq!(post(&router, "/add-a", body).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(addresses(&resolver, "a.test.", RecordType::A).await, ["127.0.0.1"]);
}

#[tokio::test]
async fn a_full_zone_is_unavailable_until_something_is_cleared() {
    let zone = Zone::new();
    zone.add_a("many.test", &vec![std::net::Ipv4Addr::LOCALHOST; MAX_RECORDS]).unwrap();
    let router = management(zone);
    let body = r#"{"host":"a.test","value":"v"}"#;
    let (status, sentence) = post(&router, "/set-txt", body).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(sentence.contains("no room"), "{sentence}");
    assert_done(&router, "/clear-a", r#"{"host":"many.test"}"#).await;
    assert_done(&router, "/set-txt", body).await;
}

#[tokio::test]
async fn a_body_that_is_too_long_is_not_read() {
    let router = management(Zone::new());
    for path in COMMANDS {
        let body = vec![b' '; MAX_BODY_BYTES + 1];
        assert_eq!(post(&router, path, body).await.0, StatusCode::PAYLOAD_TOO_LARGE, "{path}");
    }
}

#[tokio::test]
async fn commands_are_posted_and_nothing_else_is_there() {
    let router = management(Zone::new());
    for path in COMMANDS {
        assert_eq!(send(&router, Method::GET, path, "").await.0, StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    for path in ["/", "/add-mx", "/set-txt/"] {
        assert_eq!(send(&router, Method::GET, path, "").await.0, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(post(&router, path, "{}").await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
