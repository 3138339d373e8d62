//! The end of a server.

use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::world::*;
use crate::Role;

#[tokio::test]
async fn a_call_that_was_begun_is_answered_after_the_end_began() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let script = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        Script::new(move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok("done".to_owned())
            }
        })
    };
    let (serving, channel) = pki.pair(&script).await;
    let (address, shutdown) = (serving.address, serving.shutdown.clone());
    let ending = async {
        begun.notified().await;
        shutdown.cancel();
        // Until nobody listens any more.
        while TcpStream::connect(address).await.is_ok() {}
        go_on.notify_one();
    };
    let (answer, ()) = tokio::join!(say(&channel, "Write", ""), ending);
    assert_eq!(answer.unwrap(), "done");
    serving.stop().await;
}

#[tokio::test]
async fn peers_that_say_nothing_do_not_delay_the_end() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (serving, channel) = pki.pair(&Script::echo("")).await;
    say(&channel, "Write", "").await.unwrap();
    let _silent = TcpStream::connect(serving.address).await.unwrap();
    serving.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_loses_no_call() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (one, two) = (
        Serving::start(&pki.server(Role::Sa, &Script::echo("one"))).await,
        Serving::start(&pki.server(Role::Sa, &Script::echo("two"))).await,
    );
    let channel = pki.channel(Role::Ra, Role::Sa, &[one.address, two.address]);
    until(&channel, |channel| connected(channel) == 2).await;
    one.shutdown.cancel();
    // Some of them are sent to the one that goes, before its goodbye arrives.
    for _ in 0..20 {
        say(&channel, "Write", "").await.unwrap();
    }
    one.stop().await;
    assert_eq!(say(&channel, "Write", "").await.unwrap(), "two");
}
