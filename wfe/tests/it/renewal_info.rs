//! When to renew, and what an order replaces (RFC 9773).

use cairn_core::{CertificateId, Error, ErrorKind, IssuerId, OpenIncident, Renewal, Serial};
use cairn_wfe::Config;
use http::{Method, StatusCode};
use serde_json::json;

use crate::fakes::NOW;
use crate::world::{BASE, Reply, World};

const ISSUER: IssuerId = IssuerId::from_bytes([9; 20]);
const SIX_HOURS: &str = "21600";

fn id() -> CertificateId {
    CertificateId { issuer: ISSUER, serial: Serial::from_bytes(&[0, 0x87, 0x65]).unwrap() }
}

/// A CA that knows one certificate.
fn world(incident: Option<OpenIncident>) -> World {
    let world = World::new();
    let renewal = Renewal {
        issuer: ISSUER,
        issued: NOW,
        not_after: NOW.plus(90 * 86_400),
        revoked: None,
        incident,
        replace_by: None,
    };
    world.fake.state().renewals.push((id().serial, renewal));
    world
}

async fn asked(world: &World, id: &str) -> Reply {
    world.bare(Method::GET, &format!("/renewal-info/{id}")).await
}

#[tokio::test]
async fn whoever_asks_is_told_when_to_renew_and_when_to_ask_again() {
    let reply = asked(&world(None), &id().to_string()).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("retry-after"), SIX_HOURS);
    assert!(!reply.headers.contains_key("replay-nonce"), "nobody signs the next request");
    assert_eq!(
        reply.json(),
        json!({"suggestedWindow": {"start": "2026-03-02T05:28:05Z", "end": "2026-03-04T00:40:05Z"}})
    );
    reply.assert_cors();
}

#[tokio::test]
async fn an_incident_is_explained() {
    let explanation = Some("https://ca.test/why".to_owned());
    let world = world(Some(OpenIncident { since: NOW, explanation }));
    let reply = asked(&world, &id().to_string()).await;
    assert_eq!(
        reply.json(),
        json!({
            "suggestedWindow": {"start": "2026-01-02T02:04:05Z", "end": "2026-01-02T02:34:05Z"},
            "explanationURL": "https://ca.test/why",
        })
    );
}

#[tokio::test]
async fn what_is_no_id_is_malformed_and_what_is_unknown_is_not_found() {
    let world = world(None);
    let known = id().to_string();
    for text in ["x", "a.b.c", &format!("{known}="), &known.replace('.', "%20"), "%ff", "AQ.AA"] {
        let reply = asked(&world, text).await;
        reply.assert_problem(400, "malformed");
        assert_eq!(reply.header("retry-after"), SIX_HOURS, "{text}");
    }
    let other_serial = CertificateId { serial: Serial::from_bytes(&[1]).unwrap(), ..id() };
    let other_issuer = CertificateId { issuer: IssuerId::from_bytes([8; 20]), ..id() };
    for text in [other_serial.to_string(), other_issuer.to_string(), "AQ.AIdl".to_owned()] {
        let reply = asked(&world, &text).await;
        reply.assert_problem(404, "malformed");
        assert_eq!(reply.header("retry-after"), SIX_HOURS, "{text}");
    }
}

#[tokio::test]
async fn every_answer_says_when_to_ask_again() {
    let world = world(None);
    let known = format!("/renewal-info/{}", id());
    let post = world.bare(Method::POST, &known).await;
    assert_eq!((post.status, post.header("retry-after")), (StatusCode::METHOD_NOT_ALLOWED, SIX_HOURS));
    for path in ["/renewal-info", "/renewal-info/", "/renewal-info/x/y"] {
        let reply = world.bare(Method::GET, path).await;
        assert_eq!((reply.status, reply.header("retry-after")), (StatusCode::NOT_FOUND, SIX_HOURS), "{path}");
    }
    let head = world.bare(Method::HEAD, &known).await;
    assert_eq!((head.status, head.header("retry-after")), (StatusCode::OK, SIX_HOURS));
    let options = world.bare(Method::OPTIONS, &known).await;
    assert_eq!(options.header("retry-after"), SIX_HOURS);
    world.fake.state().failure = Some(Error::internal("It failed.", "as the test wants"));
    let failed = world.bare(Method::GET, &known).await;
    assert_eq!((failed.status, failed.header("retry-after")), (StatusCode::INTERNAL_SERVER_ERROR, SIX_HOURS));
    // A fault that passes is asked for again when it has passed.
    world.fake.state().failure = Some(Error::new(ErrorKind::Unavailable, "It is busy."));
    let busy = world.bare(Method::GET, &known).await;
    assert_eq!((busy.status, busy.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "10"));
    world.fake.state().panics = true;
    let panicked = world.bare(Method::GET, &known).await;
    assert_eq!(panicked.header("retry-after"), SIX_HOURS);
    // Of no other resource.
    assert!(!world.bare(Method::GET, "/dir").await.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn an_order_shows_what_it_replaces() {
    let world = World::new();
    let client = world.client().await;
    let order = json!({"identifiers": [{"type": "dns", "value": "a.test"}], "replaces": id().to_string()});
    let placed = world.post(&client, "/new-order", &order).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(placed.json()["replaces"], id().to_string());
    let url = placed.header("location").strip_prefix(BASE).unwrap().to_owned();
    assert_eq!(world.post_as_get(&client, &url).await.json()["replaces"], id().to_string());
    let plain = json!({"identifiers": [{"type": "dns", "value": "a.test"}]});
    assert!(world.post(&client, "/new-order", &plain).await.json().get("replaces").is_none());

    for bad in ["", "x", "AQ.AIdl", &format!("{}=", id())] {
        let order = json!({"identifiers": [{"type": "dns", "value": "a.test"}], "replaces": bad});
        let detail = world.post(&client, "/new-order", &order).await.assert_problem(400, "malformed");
        assert!(detail.contains("replaces"), "{detail}");
    }
    world.fake.state().refusal = Some(Error::new(ErrorKind::AlreadyReplaced, "It is replaced."));
    world.post(&client, "/new-order", &order).await.assert_problem(409, "alreadyReplaced");
}

#[test]
fn clients_are_told_to_ask_again_within_the_bounds_that_they_keep_to() {
    let config = |period: &str| Config {
        base_url: Some(BASE.parse().unwrap()),
        renewal_info_retry_after: period.parse().unwrap(),
        ..Config::default()
    };
    for good in ["1m", "6h", "1d"] {
        assert!(config(good).validate().is_ok(), "{good}");
    }
    for bad in ["59s", "25h", "90500ms"] {
        let error = config(bad).validate().unwrap_err().to_string();
        assert!(error.contains("renewal_info_retry_after"), "{error}");
    }
}
