//! How long a call waits, on each hop.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::time::Instant;
use tonic::Code;

use super::super::*;
use super::world::*;
use crate::Role;

fn left() -> Duration {
    deadline::current().unwrap() - Instant::now()
}

#[tokio::test]
async fn each_hop_has_less_time_than_the_one_before() {
    let (pki, _log) = (Pki::new(), Log::new());
    let sa = Script::new(|_| async { Ok(left().as_micros().to_string()) });
    let (_sa, to_sa) = pki.pair(&sa).await;
    let ra = Script::new(move |_| {
        let to_sa = to_sa.clone();
        async move {
            let here = left().as_micros();
            Ok(format!("{here} {}", say(&to_sa, "Read", "").await?))
        }
    });
    let server = Server::new(pki.identity(Role::Ra), ServerConfig::default()).add(ra, &[Role::Wfe]);
    let serving = Serving::start(&server).await;
    let channel = pki.channel(Role::Wfe, Role::Ra, &[serving.address]);
    let all = Duration::from_secs(10);
    let answer = deadline::scope(Instant::now() + all, say(&channel, "Read", "")).await.unwrap();
    let (at_ra, at_sa) = answer.split_once(' ').unwrap();
    let (at_ra, at_sa): (u128, u128) = (at_ra.parse().unwrap(), at_sa.parse().unwrap());
    assert!(at_ra <= (all - deadline::MARGIN).as_micros(), "{answer}");
    assert!(at_sa <= at_ra - deadline::MARGIN.as_micros(), "{answer}");
}

#[tokio::test]
async fn a_call_outside_of_any_deadline_has_the_channels_own() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::new(|_| async { Ok(left().as_secs().to_string()) })).await;
    let seconds: u64 = say(&channel, "Read", "").await.unwrap().parse().unwrap();
    assert!(seconds < 30, "{seconds}");
    // A longer one is not believed.
    let far = Instant::now() + Duration::from_secs(3600);
    let seconds: u64 = deadline::scope(far, say(&channel, "Read", "")).await.unwrap().parse().unwrap();
    assert!(seconds < 30, "{seconds}");
}

#[tokio::test]
async fn a_call_with_too_little_time_is_not_sent() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    say(&channel, "Write", "").await.unwrap();
    let status =
        deadline::scope(Instant::now() + deadline::MARGIN, say(&channel, "Write", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(is_not_processed(&status) && status.message().contains("too little time"), "{status:?}");
}

#[tokio::test]
async fn when_time_is_over_the_waiting_ends_and_the_work_goes_on() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let script = {
        let (go_on, done) = (Arc::clone(&go_on), Arc::clone(&done));
        Script::new(move |_| {
            let (go_on, done) = (Arc::clone(&go_on), Arc::clone(&done));
            async move {
                go_on.notified().await;
                done.notify_one();
                Ok(String::new())
            }
        })
    };
    let (_serving, channel) = pki.pair(&script).await;
    until(&channel, |channel| connected(channel) == 1).await;
    let deadline = Instant::now() + Duration::from_millis(300);
    let status = deadline::scope(deadline, say(&channel, "Write", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!(!is_not_processed(&status));
    go_on.notify_one();
    done.notified().await;
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_end_the_work() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (begun, go_on, done) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
    let script = {
        let all = (Arc::clone(&begun), Arc::clone(&go_on), Arc::clone(&done));
        Script::new(move |_| {
            let (begun, go_on, done) = all.clone();
            async move {
                begun.notify_one();
                go_on.notified().await;
                done.notify_one();
                Ok(String::new())
            }
        })
    };
    let (_serving, channel) = pki.pair(&script).await;
    tokio::select! {
        _ = say(&channel, "Write", "") => panic!("it was answered"),
        () = begun.notified() => {}
    }
    drop(channel);
    go_on.notify_one();
    done.notified().await;
}

#[tokio::test]
async fn many_callers_that_go_away_at_once_do_not_cost_the_others_their_connection() {
    let (pki, log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    say(&channel, "Write", "").await.unwrap();
    // At various stages: not sent, sent, begun, about to be answered.
    for stage in 0..20 {
        let mut calls = join_all((0..300).map(|_| say(&channel, "Write", "")));
        for _ in 0..stage {
            let _ = (&mut calls).now_or_never();
            tokio::task::yield_now().await;
        }
    }
    say(&channel, "Write", "").await.unwrap();
    assert_eq!(log.count(&["connected", "callee=sa"]), 1);
    assert_eq!(log.count(&["cannot be reached"]), 0);
}
