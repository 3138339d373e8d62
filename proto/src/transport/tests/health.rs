//! Who is well, as others see it.

use tonic::{Code, Request};

use super::super::*;
use super::world::*;
use crate::Role;

const CHECK: &str = "/grpc.health.v1.Health/Check";

#[tokio::test]
async fn a_role_is_ready_when_one_of_its_endpoints_says_so() {
    let (pki, _log) = (Pki::new(), Log::new());
    let servers = [(); 2].map(|()| pki.server(Role::Sa, &Script::echo("")));
    let (one, two) = (Serving::start(&servers[0]).await, Serving::start(&servers[1]).await);
    // Health is every role's to ask.
    let channel = pki.channel(Role::Wfe, Role::Sa, &[one.address, two.address]);
    until(&channel, |channel| connected(channel) == 2).await;
    check(&channel).await.unwrap();
    servers[0].health().set_serving(false);
    check(&channel).await.unwrap();
    servers[1].health().set_serving(false);
    let status = check(&channel).await.unwrap_err();
    for serving in [&one, &two] {
        assert!(status.message().contains(&format!("{} is not ready", serving.address)), "{status}");
    }
    servers[0].health().set_serving(true);
    check(&channel).await.unwrap();
}

#[tokio::test]
async fn services_have_their_own_health_and_strange_ones_none() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    for known in ["", "test.Script", "grpc.health.v1.Health"] {
        say_to(&channel, CHECK, Request::new(text(known))).await.unwrap_or_else(|status| {
            // The answer has a number where our messages have a text.
            assert_eq!(status.code(), Code::Internal, "{status}");
            String::new()
        });
    }
    let status = say_to(&channel, CHECK, Request::new(text("test.Other"))).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[test]
fn a_server_is_not_ready_before_it_is_said_to_be() {
    let pki = Pki::new();
    assert!(!pki.server(Role::Sa, &Script::echo("")).health().is_serving());
}
