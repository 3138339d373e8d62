//! The door of signed requests: JWS, nonce, url, kid and jwk, signature. RFC 8555 §6.2 to §6.5.

use axum::body::Body;
use cairn_core::AccountStatus;
use cairn_jose::{Algorithm, base64url};
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::world::{BASE, Client, JOSE, Reply, World, stored};

/// A client with an account that changes its request before it signs it.
async fn altered(alter: impl FnOnce(&mut Value)) -> Reply {
    let world = World::new();
    let client = world.client().await;
    let mut header = client.header("/dir", &world.nonce().await);
    alter(&mut header);
    world.post_raw("/dir", client.sign(&header, "")).await
}

#[tokio::test]
async fn every_algorithm_of_ours_is_accepted() {
    let world = World::new();
    for algorithm in Algorithm::ALL {
        let client = Client::new(algorithm);
        let reply = world.post(&client, "/new-account", &json!({})).await;
        assert_eq!(reply.status, StatusCode::CREATED, "{algorithm}: {reply:?}");
    }
}

#[tokio::test]
async fn what_is_no_flattened_jws_is_malformed() {
    let world = World::new();
    let client = world.client().await;
    let good = world.jws(&client, "/dir", "").await;
    let good: Value = serde_json::from_str(&good).unwrap();
    let without = |member: &str| {
        let mut jws = good.clone();
        jws.as_object_mut().unwrap().remove(member);
        jws
    };
    let with = |member: &str, value: Value| {
        let mut jws = good.clone();
        jws[member] = value;
        jws
    };
    let padded = |member: &str| with(member, json!(format!("{}=", good[member].as_str().unwrap())));
    for jws in [
        json!({}),
        json!([good]),
        without("protected"),
        without("payload"),
        without("signature"),
        with("signatures", json!([])),
        with("header", json!({})),
        with("payload", json!(null)),
        padded("protected"),
        padded("payload"),
        padded("signature"),
        with("protected", json!("")),
        with("protected", json!(base64url::encode(b"[]"))),
    ] {
        world.post_raw("/dir", jws.to_string()).await.assert_problem(400, "malformed");
    }
    for body in ["", "x", "{", "null"] {
        world.post_raw("/dir", body).await.assert_problem(400, "malformed");
    }
    let reply = world.post_raw("/dir", good.to_string()).await;
    assert_eq!(reply.status, StatusCode::OK, "none of that has used up the nonce");
}

#[tokio::test]
async fn extensions_and_unencoded_payloads_are_refused() {
    altered(|header| header["b64"] = json!(false)).await.assert_problem(400, "malformed");
    altered(|header| header["crit"] = json!(["b64"])).await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn jwk_and_kid_exclude_each_other_and_one_must_be_there() {
    let key = serde_json::to_value(Client::new(Algorithm::Es256).key.jwk()).unwrap();
    altered(|header| header["jwk"] = key).await.assert_problem(400, "malformed");
    let neither = altered(|header| drop(header.as_object_mut().unwrap().remove("kid"))).await;
    neither.assert_problem(400, "malformed");
}

#[tokio::test]
async fn each_resource_takes_the_kind_of_key_that_the_rfc_gives_it() {
    let world = World::new();
    let (client, stranger) = (world.client().await, Client::new(Algorithm::Es256));
    let detail = world.post(&client, "/new-account", &json!({})).await.assert_problem(400, "malformed");
    assert!(detail.contains("jwk"), "{detail}");
    for path in ["/new-order", "/dir", "/nonce"] {
        let detail = world.post_as_get(&stranger, path).await.assert_problem(400, "malformed");
        assert!(detail.contains("kid"), "{detail}");
    }
}

#[tokio::test]
async fn an_unsupported_algorithm_is_answered_with_those_that_are() {
    for algorithm in ["none", "HS256", "ES256K", "PS256"] {
        let reply = altered(|header| header["alg"] = json!(algorithm)).await;
        reply.assert_problem(400, "badSignatureAlgorithm");
        let algorithms = reply.json()["algorithms"].clone();
        assert!(algorithms.as_array().unwrap().contains(&json!("ES256")), "{algorithms}");
    }
}

#[tokio::test]
async fn an_algorithm_that_does_not_fit_the_accounts_key_is_answered_with_the_one_that_does() {
    let reply = altered(|header| header["alg"] = json!("RS256")).await;
    reply.assert_problem(400, "badSignatureAlgorithm");
    assert_eq!(reply.json()["algorithms"], json!(["ES256"]));
}

#[tokio::test]
async fn a_key_that_cannot_be_one_is_a_bad_public_key() {
    let world = World::new();
    let client = Client::new(Algorithm::Es256);
    let mut header = client.header("/new-account", &world.nonce().await);
    header["jwk"]["x"] = header["jwk"]["y"].clone();
    let reply = world.post_raw("/new-account", client.sign(&header, "{}")).await;
    reply.assert_problem(400, "badPublicKey");
}

#[tokio::test]
async fn a_wrong_signature_is_malformed_and_nothing_happens() {
    let world = World::new();
    let (client, thief) = (world.client().await, Client::new(Algorithm::Es256));
    let path = format!("/account/{}", client.account());
    let header = client.header(&path, &world.nonce().await);
    let reply = world.post_raw(&path, thief.sign(&header, r#"{"status":"deactivated"}"#)).await;
    let detail = reply.assert_problem(400, "malformed");
    assert!(detail.contains("JWS verification error"), "{detail}");
    assert_eq!(stored(&world, &client).status, AccountStatus::Valid);
}

#[tokio::test]
async fn a_nonce_serves_one_request_and_the_refusal_brings_a_good_one() {
    let world = World::new();
    let client = world.client().await;
    let nonce = world.nonce().await;
    let jws = client.sign(&client.header("/dir", &nonce), "");
    assert_eq!(world.post_raw("/dir", jws.clone()).await.status, StatusCode::OK);
    let replay = world.post_raw("/dir", jws).await;
    replay.assert_problem(400, "badNonce");
    let retry = client.sign(&client.header("/dir", replay.header("replay-nonce")), "");
    assert_eq!(world.post_raw("/dir", retry).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_to_a_post_brings_a_nonce_that_works() {
    let world = World::new();
    let client = world.client().await;
    let mut nonce = world.nonce().await;
    for path in ["/dir", "/new-order", "/nonce", "/authz/000102030405060708090a0b0c0d0e0f"] {
        let reply = world.post_raw(path, client.sign(&client.header(path, &nonce), "")).await;
        assert_ne!(reply.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!String::from_utf8_lossy(&reply.body).contains("badNonce"), "{reply:?}");
        reply.header("replay-nonce").clone_into(&mut nonce);
    }
}

#[tokio::test]
async fn a_nonce_that_we_did_not_give_out_is_bad_and_one_that_is_no_base64url_malformed() {
    altered(|header| header["nonce"] = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"))
        .await
        .assert_problem(400, "badNonce");
    altered(|header| header["nonce"] = json!("")).await.assert_problem(400, "badNonce");
    altered(|header| drop(header.as_object_mut().unwrap().remove("nonce")))
        .await
        .assert_problem(400, "badNonce");
    for nonce in ["no nonce", "AAAA=", "+/AA"] {
        altered(|header| header["nonce"] = json!(nonce)).await.assert_problem(400, "malformed");
    }
    altered(|header| header["nonce"] = json!(1)).await.assert_problem(400, "malformed");
}

#[tokio::test]
async fn a_nonce_is_used_up_before_the_signature_is_looked_at() {
    let world = World::new();
    let (client, thief) = (world.client().await, Client::new(Algorithm::Es256));
    let header = client.header("/dir", &world.nonce().await);
    world.post_raw("/dir", thief.sign(&header, "")).await.assert_problem(400, "malformed");
    world.post_raw("/dir", client.sign(&header, "")).await.assert_problem(400, "badNonce");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_with_one_nonce_at_once_one_is_served() {
    let world = World::new();
    let client = world.client().await;
    let jws = world.jws(&client, "/dir", "").await;
    let requests = (0..16).map(|_| world.post_raw("/dir", jws.clone()));
    let replies = futures_util::future::join_all(requests).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == StatusCode::OK).count(), 1);
    replies.iter().filter(|reply| reply.status != StatusCode::OK).for_each(|reply| {
        reply.assert_problem(400, "badNonce");
    });
}

#[tokio::test]
async fn a_replay_nonce_header_in_a_request_counts_for_nothing() {
    let world = World::new();
    let client = world.client().await;
    let mut header = client.header("/dir", "");
    header.as_object_mut().unwrap().remove("nonce");
    let request = Request::post("/dir")
        .header(CONTENT_TYPE, JOSE)
        .header("replay-nonce", world.nonce().await)
        .body(Body::from(client.sign(&header, "")));
    world.send(request.unwrap()).await.assert_problem(400, "badNonce");
}

#[tokio::test]
async fn the_url_must_be_there_and_must_be_that_of_the_request() {
    altered(|header| drop(header.as_object_mut().unwrap().remove("url")))
        .await
        .assert_problem(400, "malformed");
    for url in [
        format!("{BASE}/new-order"),
        format!("{BASE}/dir/"),
        format!("{BASE}/dir?x"),
        "https://evil.test/dir".to_owned(),
        "http://ca.test/dir".to_owned(),
        "/dir".to_owned(),
        String::new(),
    ] {
        altered(|header| header["url"] = json!(url)).await.assert_problem(403, "unauthorized");
    }
}

#[tokio::test]
async fn a_kid_that_is_no_account_of_ours_does_not_exist() {
    for kid in [
        format!("{BASE}/account/000102030405060708090a0b0c0d0e0f"),
        format!("{BASE}/account/x"),
        "https://evil.test/account/000102030405060708090a0b0c0d0e0f".to_owned(),
        String::new(),
    ] {
        altered(|header| header["kid"] = json!(kid)).await.assert_problem(400, "accountDoesNotExist");
    }
}

#[tokio::test]
async fn a_kid_must_be_the_accounts_url_exactly() {
    for end in ["/", "?", "#", " "] {
        let reply =
            altered(|header| header["kid"] = json!(format!("{}{end}", header["kid"].as_str().unwrap())))
                .await;
        reply.assert_problem(400, "accountDoesNotExist");
    }
}

#[tokio::test]
async fn an_account_that_is_not_valid_any_more_is_refused_everywhere() {
    let world = World::new();
    let client = world.client().await;
    for status in [AccountStatus::Deactivated, AccountStatus::Revoked] {
        world.fake.state().account_mut(client.account()).status = status;
        for path in ["/dir", "/new-order", "/revoke-cert", &format!("/account/{}", client.account())] {
            let detail = world.post_as_get(&client, path).await.assert_problem(401, "unauthorized");
            assert!(detail.contains(status.as_str()), "{detail}");
        }
    }
}
