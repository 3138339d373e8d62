//! Authorizations and challenges. RFC 8555 §7.1.4, §7.5, §8.

use cairn_core::{
    AuthorizationProgress as Progress, ChallengeType, Identifier, Problem, ProblemType, ValidationRecord,
};
use http::StatusCode;
use serde_json::{Value, json};

use crate::fakes::NOW;
use crate::world::{BASE, Client, World};

struct Story {
    world: World,
    client: Client,
    /// The authorization's path, and those of its challenges.
    authz: String,
    http: String,
    dns: String,
}

/// A client with an order for one name.
async fn story(name: &str) -> Story {
    let world = World::new();
    let client = world.client().await;
    world.fake.add_order(client.account(), &[Identifier::parse("dns", name).unwrap()]);
    let id = world.fake.state().authorizations[0].id;
    let challenge = |kind: &str| format!("/challenge/{id}/{kind}");
    Story {
        authz: format!("/authz/{id}"),
        http: challenge("http-01"),
        dns: challenge("dns-01"),
        world,
        client,
    }
}

impl Story {
    fn set(&self, progress: Progress) {
        self.world.fake.state().authorizations[0].progress = progress;
    }

    async fn authz(&self) -> Value {
        self.world.post_as_get(&self.client, &self.authz).await.assert_object(StatusCode::OK)
    }

    async fn challenge(&self, path: &str) -> Value {
        self.world.post_as_get(&self.client, path).await.assert_object(StatusCode::OK)
    }
}

fn record() -> ValidationRecord {
    ValidationRecord { hostname: "a.test".to_owned(), port: Some(80), ..ValidationRecord::default() }
}

fn valid() -> Progress {
    Progress::Valid { challenge: ChallengeType::Http01, at: NOW, records: vec![record()] }
}

fn invalid() -> Progress {
    let problem = Problem::new(ProblemType::Connection, "nobody there");
    Progress::Invalid { challenge: ChallengeType::Http01, at: NOW, records: vec![record()], problem }
}

#[tokio::test]
async fn a_pending_authorization_offers_all_its_challenges() {
    let story = story("a.test").await;
    let token = story.world.fake.state().authorizations[0].token.to_string();
    let challenge = |kind: &str, path: &str| json!({"type": kind, "url": format!("{BASE}{path}"), "status": "pending", "token": token});
    assert_eq!(
        story.authz().await,
        json!({
            "status": "pending",
            "expires": "2026-01-02T03:05:45Z",
            "identifier": {"type": "dns", "value": "a.test"},
            "challenges": [challenge("http-01", &story.http), challenge("dns-01", &story.dns)],
        })
    );
}

#[tokio::test]
async fn a_wildcards_authorization_says_so_and_names_the_base() {
    let authz = story("*.a.test").await.authz().await;
    assert_eq!(authz["wildcard"], true);
    assert_eq!(authz["identifier"]["value"], "a.test");
}

#[tokio::test]
async fn answering_a_challenge_shows_it_processing_with_the_way_up_and_the_time_to_wait() {
    let story = story("a.test").await;
    // Older clients put the key authorization in.
    let reply = story.world.post(&story.client, &story.http, &json!({"keyAuthorization": "x.y"})).await;
    let challenge = reply.assert_object(StatusCode::OK);
    assert_eq!(challenge["status"], "processing");
    assert_eq!(reply.header("retry-after"), "3");
    let up = format!("<{BASE}{}>;rel=\"up\"", story.authz);
    assert!(reply.links().contains(&up.as_str()), "{:?}", reply.links());

    let reply = story.world.post_as_get(&story.client, &story.authz).await;
    let authz = reply.assert_object(StatusCode::OK);
    assert_eq!(authz["status"], "pending");
    assert_eq!(authz["challenges"][0]["status"], "processing");
    assert_eq!(authz["challenges"][1]["status"], "pending");
    assert_eq!(reply.header("retry-after"), "3");
}

#[tokio::test]
async fn reading_a_challenge_does_not_answer_it() {
    let story = story("a.test").await;
    assert_eq!(story.challenge(&story.http).await["status"], "pending");
    assert_eq!(story.world.fake.state().authorizations[0].progress, Progress::Pending);
}

#[tokio::test]
async fn only_an_object_answers_a_challenge() {
    let story = story("a.test").await;
    for payload in [json!([]), json!(null), json!("x")] {
        story.world.post(&story.client, &story.http, &payload).await.assert_problem(400, "malformed");
    }
}

#[tokio::test]
async fn a_valid_authorization_shows_the_challenge_that_succeeded_and_when() {
    let story = story("a.test").await;
    story.set(valid());
    let reply = story.world.post_as_get(&story.client, &story.authz).await;
    let authz = reply.assert_object(StatusCode::OK);
    assert_eq!(authz["status"], "valid");
    assert!(!reply.headers.contains_key("retry-after"));
    let challenges = authz["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), 1);
    assert_eq!(challenges[0]["type"], "http-01");
    assert_eq!(challenges[0]["status"], "valid");
    assert_eq!(challenges[0]["validated"], "2026-01-02T03:04:05Z");
    assert_eq!(challenges[0]["validationRecord"][0]["hostname"], "a.test");
    assert_eq!(challenges[0].get("error"), None);
}

#[tokio::test]
async fn an_invalid_authorization_shows_the_challenge_that_failed_and_why() {
    let story = story("a.test").await;
    story.set(invalid());
    let authz = story.authz().await;
    assert_eq!(authz["status"], "invalid");
    let challenges = authz["challenges"].as_array().unwrap();
    assert_eq!(challenges.len(), 1);
    assert_eq!(challenges[0]["status"], "invalid");
    assert_eq!(challenges[0]["error"]["type"], "urn:ietf:params:acme:error:connection");
    assert_eq!(challenges[0].get("validated"), None);
    assert_eq!(story.challenge(&story.http).await, challenges[0]);
}

#[tokio::test]
async fn who_polls_a_challenge_of_an_authorization_that_has_ended_learns_it() {
    let story = story("a.test").await;
    story.set(Progress::Validating { challenge: ChallengeType::Http01, since: NOW });
    story.world.clock.advance(100);
    assert_eq!(story.authz().await["status"], "expired");
    let reply = story.world.post_as_get(&story.client, &story.http).await;
    let challenge = reply.assert_object(StatusCode::OK);
    assert_eq!(challenge["status"], "invalid");
    assert_eq!(challenge["error"]["type"], "urn:ietf:params:acme:error:unauthorized");
    assert!(!reply.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn an_authorization_can_be_given_up_and_nothing_else_done_to_it() {
    let story = story("a.test").await;
    for payload in [json!({}), json!({"status": "valid"}), json!({"status": 1})] {
        story.world.post(&story.client, &story.authz, &payload).await.assert_problem(400, "malformed");
    }
    let reply = story.world.post(&story.client, &story.authz, &json!({"status": "deactivated"})).await;
    let authz = reply.assert_object(StatusCode::OK);
    assert_eq!(authz["status"], "deactivated");
    assert_eq!(authz["challenges"][0]["status"], "invalid");
}

#[tokio::test]
async fn another_accounts_authorizations_and_challenges_look_like_none() {
    let story = story("a.test").await;
    let other = story.world.client().await;
    let unknown = "000102030405060708090a0b0c0d0e0f";
    for (theirs, none) in
        [(&story.authz, format!("/authz/{unknown}")), (&story.http, format!("/challenge/{unknown}/http-01"))]
    {
        for payload in ["", r#"{"status":"deactivated"}"#] {
            let mut details = Vec::new();
            for path in [theirs, &none] {
                let jws = story.world.jws(&other, path, payload).await;
                details.push(story.world.post_raw(path, jws).await.assert_problem(404, "malformed"));
            }
            assert_eq!(details[0], details[1]);
        }
    }
    assert_eq!(story.world.fake.state().authorizations[0].progress, Progress::Pending);
}

#[tokio::test]
async fn a_challenge_that_is_not_offered_is_not_there() {
    let story = story("a.test").await;
    let path = story.http.replace("http-01", "tls-alpn-01");
    story.world.post_as_get(&story.client, &path).await.assert_problem(404, "malformed");
}
