//! Whatever comes, no panic, and a whole answer.

use cairn_jose::base64url;
use proptest::prelude::*;
use serde_json::json;

use crate::world::{Client, World};

const PATHS: [&str; 5] = [
    "/new-account",
    "/new-order",
    "/revoke-cert",
    "/order/000102030405060708090a0b0c0d0e0f/finalize",
    "/challenge/000102030405060708090a0b0c0d0e0f/http-01",
];

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// JSON of any shape, and the members that we know in it.
fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|value| json!(value)),
        any::<f64>().prop_map(|value| json!(value)),
        any::<i64>().prop_map(|value| json!(value)),
        "\\PC{0,40}".prop_map(|value| json!(value)),
    ];
    let member = prop_oneof![
        Just("identifiers".to_owned()),
        Just("type".to_owned()),
        Just("value".to_owned()),
        Just("contact".to_owned()),
        Just("csr".to_owned()),
        Just("certificate".to_owned()),
        Just("reason".to_owned()),
        Just("status".to_owned()),
        "[a-z]{0,5}",
    ];
    leaf.prop_recursive(3, 20, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|values| json!(values)),
            prop::collection::hash_map(member.clone(), inner, 0..5).prop_map(|values| json!(values)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_body_is_left_without_a_problem_and_a_nonce(body in prop::collection::vec(any::<u8>(), 0..300), path in 0..5usize) {
        let reply = run(async { World::new().post_raw(PATHS[path], body).await });
        reply.assert_problem(400, "malformed");
    }

    #[test]
    fn no_protected_header_is_left_without_a_problem_and_a_nonce(header in any_json(), path in 0..5usize) {
        let protected = base64url::encode(header.to_string().as_bytes());
        let jws = json!({"protected": protected, "payload": "", "signature": ""}).to_string();
        let reply = run(async { World::new().post_raw(PATHS[path], jws).await });
        let kind = reply.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
        reply.assert_problem(400, &kind);
    }

    #[test]
    fn no_signed_payload_makes_us_fail(payload in prop_oneof![any_json().prop_map(|json| json.to_string()), "\\PC{0,60}"], path in 0..5usize) {
        let reply = run(async {
            let world = World::new();
            let mut client = world.client().await;
            if PATHS[path] == "/new-account" {
                client = Client { kid: None, ..client };
            }
            let jws = world.jws(&client, PATHS[path], &payload).await;
            world.post_raw(PATHS[path], jws).await
        });
        prop_assert!(reply.status.as_u16() < 500, "{:?}", reply);
        prop_assert!(!reply.header("replay-nonce").is_empty());
    }
}
