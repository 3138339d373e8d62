//! More requests than there are places.

use std::io;
use std::pin::pin;
use std::sync::atomic::Ordering;

use axum::body::{Body, Bytes};
use futures_util::future::join_all;
use futures_util::{FutureExt, stream};
use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{Client, World};

/// A body of which nothing ever comes.
fn no_body_yet() -> Body {
    Body::from_stream(stream::pending::<io::Result<Bytes>>())
}

/// A JWS that reads the client's own account.
async fn reading(world: &World, client: &Client) -> (String, String) {
    let path = format!("/account/{}", client.account());
    let jws = world.jws(client, &path, "").await;
    (path, jws)
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_is_told_to_come_back_and_the_others_finish() {
    let world = World::with_places(2);
    let client = world.client().await;
    let requests = [reading(&world, &client).await, reading(&world, &client).await];
    let (path, jws) = reading(&world, &client).await;

    let closed = world.fake.gate.lock().await;
    let mut working = pin!(join_all(requests.iter().map(|(path, jws)| world.post_raw(path, jws.clone()))));
    assert!(working.as_mut().now_or_never().is_none());
    assert_eq!(world.fake.at_the_gate.load(Ordering::SeqCst), 2);

    for body in [Body::from(jws.clone()), no_body_yet()] {
        let reply = world.post_raw(&path, body).await;
        reply.assert_problem(503, "serverInternal");
        assert_eq!(reply.header("retry-after"), "10");
    }
    // What needs no place goes on: a client that comes back asks for these first.
    assert_eq!(world.bare(Method::GET, "/dir").await.status, StatusCode::OK);
    assert_eq!(world.bare(Method::HEAD, "/nonce").await.status, StatusCode::OK);

    drop(closed);
    for reply in working.await {
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    let again = world.post_raw(&path, jws).await;
    assert_eq!(again.status, StatusCode::OK, "being turned away has not used up the nonce: {again:?}");
}

#[tokio::test]
async fn clients_that_send_slowly_take_no_place() {
    let world = World::with_places(1);
    let client = world.client().await;
    let mut slow = pin!(join_all((0..50).map(|_| world.post_raw("/new-order", no_body_yet()))));
    assert!(slow.as_mut().now_or_never().is_none());
    let reply = world.post(&client, "/new-account", &json!({"onlyReturnExisting": true})).await;
    assert_ne!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
}

#[tokio::test]
async fn a_place_is_given_back_after_every_outcome() {
    let world = World::with_places(1);
    let client = world.client().await;
    world.fake.state().panics = true;
    let (path, jws) = reading(&world, &client).await;
    assert_eq!(world.post_raw(&path, jws).await.status, StatusCode::INTERNAL_SERVER_ERROR);
    world.fake.state().panics = false;
    assert_eq!(world.post_raw(&path, "no JWS").await.status, StatusCode::BAD_REQUEST);
    let (path, jws) = reading(&world, &client).await;
    {
        let _closed = world.fake.gate.lock().await;
        assert!(world.post_raw(&path, jws).now_or_never().is_none(), "its client hangs up");
    }
    let (path, jws) = reading(&world, &client).await;
    assert_eq!(world.post_raw(&path, jws).await.status, StatusCode::OK);
}
