//! Which endpoint is called, and how often.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cairn_core::ErrorKind;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tonic::Code;
use tonic::body::Body;

use super::super::spawn::Spawn;
use super::super::*;
use super::world::*;
use crate::Role;

/// Three SAs that say their number, and a channel that is connected to all.
async fn three(pki: &Pki) -> (Vec<Serving>, Channel) {
    let mut serving = Vec::new();
    for number in ["0", "1", "2"] {
        serving.push(Serving::start(&pki.server(Role::Sa, &Script::echo(number))).await);
    }
    let addresses: Vec<_> = serving.iter().map(|serving| serving.address).collect();
    let channel = pki.channel(Role::Ra, Role::Sa, &addresses);
    until(&channel, |channel| connected(channel) == 3).await;
    (serving, channel)
}

/// How many of `calls` each of three answered.
async fn answers(channel: &Channel, calls: usize) -> [usize; 3] {
    let mut answers = [0; 3];
    for _ in 0..calls {
        answers[say(channel, "Write", "").await.unwrap().parse::<usize>().unwrap()] += 1;
    }
    answers
}

#[tokio::test]
async fn calls_are_spread_over_all_endpoints() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = three(&pki).await;
    assert_eq!(answers(&channel, 30).await, [10, 10, 10]);
}

#[tokio::test]
async fn an_endpoint_that_has_more_to_do_is_called_less() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        Script::new(move |_| {
            let (begun, go_on) = (Arc::clone(&begun), Arc::clone(&go_on));
            async move {
                begun.notify_one();
                go_on.notified().await;
                Ok("slow".to_owned())
            }
        })
    };
    let slow = Serving::start(&pki.server(Role::Sa, &slow)).await;
    let quick = Serving::start(&pki.server(Role::Sa, &Script::echo("quick"))).await;
    let channel = pki.channel(Role::Ra, Role::Sa, &[slow.address, quick.address]);
    until(&channel, |channel| connected(channel) == 2).await;
    let at_slow =
        channel.endpoints().into_iter().find(|endpoint| endpoint.address() == slow.address).unwrap();
    let busy = say(&at_slow, "Write", "");
    let others = async {
        begun.notified().await;
        for _ in 0..10 {
            assert_eq!(say(&channel, "Write", "").await.unwrap(), "quick");
        }
        go_on.notify_one();
    };
    assert_eq!(tokio::join!(busy, others).0.unwrap(), "slow");
}

#[tokio::test]
async fn an_endpoint_that_dies_is_left_out_and_taken_back() {
    let (pki, log) = (Pki::new(), Log::new());
    let (mut serving, channel) = three(&pki).await;
    let dead = serving.remove(1);
    let address = dead.address;
    dead.stop().await;
    until(&channel, |channel| connected(channel) == 2).await;
    let counted = answers(&channel, 10).await;
    assert_eq!((counted[0] + counted[2], counted[1]), (10, 0));
    log.has(&["WARN", "sa cannot be reached", &address.to_string()]);

    let _again = Serving::start_at(&pki.server(Role::Sa, &Script::echo("1")), address).await;
    until(&channel, |channel| connected(channel) == 3).await;
    assert_eq!(answers(&channel, 9).await, [3, 3, 3]);
}

#[tokio::test]
async fn each_endpoint_can_be_called_by_itself() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (serving, channel) = three(&pki).await;
    for endpoint in channel.endpoints() {
        let number = serving.iter().position(|serving| serving.address == endpoint.address()).unwrap();
        for _ in 0..3 {
            assert_eq!(say(&endpoint, "Write", "").await.unwrap(), number.to_string());
        }
    }
}

#[tokio::test]
async fn a_call_that_finds_nobody_says_whom_it_looked_for_and_why_in_vain() {
    let (pki, log) = (Pki::new(), Log::new());
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let channel = pki.channel(Role::Ra, Role::Sa, &[address]);
    let soon = tokio::time::Instant::now() + std::time::Duration::from_millis(200);
    let status = deadline::scope(soon, say(&channel, "Write", "")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(status.message(), format!("no sa answers at {address}: connection refused"));
    assert!(is_not_processed(&status));
    assert_eq!(crate::status::into_error(status).kind, ErrorKind::Unavailable);
    // However often it tries, the log hears of it once.
    assert_eq!(log.count(&["WARN", "sa cannot be reached: connection refused", &address.to_string()]), 1);
}

#[tokio::test]
async fn a_call_waits_for_an_endpoint_that_is_about_to_come() {
    let (pki, _log) = (Pki::new(), Log::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let channel = pki.channel(Role::Ra, Role::Sa, &[address]);
    until(&channel, |channel| channel.nobody_answers().message().contains("refused")).await;
    let later = async { Serving::start_at(&pki.server(Role::Sa, &Script::echo("here")), address).await };
    let (answer, _serving) = tokio::join!(say(&channel, "Write", ""), later);
    assert_eq!(answer.unwrap(), "here");
}

#[tokio::test]
async fn names_are_looked_up() {
    let (pki, _log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo("here"))).await;
    let config = ChannelConfig {
        caller: pki.identity(Role::Ra),
        callee: Role::Sa,
        addresses: vec![format!("localhost:{}", serving.address.port()).parse().unwrap()],
        call_timeout: std::time::Duration::from_secs(30),
        clock: pki.clock.clone(),
        random: Arc::new(cairn_core::random::SeededRandom::new(1)),
    };
    let channel = Channel::connect(config, &TaskTracker::new(), tokio_util::sync::CancellationToken::new());
    assert_eq!(say(&channel, "Write", "").await.unwrap(), "here");
}

/// An SA that resets every call for `reason`, and how many calls it has had.
async fn resetting(pki: &Pki, reason: h2::Reason) -> (SocketAddr, Arc<AtomicUsize>) {
    let (listener, calls) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), Arc::new(AtomicUsize::new(0)));
    let (address, tls) = (listener.local_addr().unwrap(), TlsAcceptor::from(pki.identity(Role::Sa).server()));
    let (tracker, counted) = (TaskTracker::new(), Arc::clone(&calls));
    tracker.clone().spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, counted) = (tls.clone(), Arc::clone(&counted));
            let builder = hyper::server::conn::http2::Builder::new(Spawn(tracker.clone()));
            tracker.spawn(async move {
                let service = service_fn(move |_| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async move { Err::<http::Response<Body>, _>(h2::Error::from(reason)) }
                });
                let stream = tls.accept(stream).await.unwrap();
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    (address, calls)
}

/// Makes `calls` calls of `method` to a good SA and one that resets; gives the answers and how often the latter was asked.
async fn beside_a_good_one(
    reason: h2::Reason,
    method: &str,
    calls: usize,
) -> (Vec<Result<String, Code>>, usize) {
    let (pki, _log) = (Pki::new(), Log::new());
    let good = Serving::start(&pki.server(Role::Sa, &Script::echo("good"))).await;
    let (bad, asked) = resetting(&pki, reason).await;
    let channel = pki.channel(Role::Ra, Role::Sa, &[good.address, bad]);
    until(&channel, |channel| connected(channel) == 2).await;
    let mut answers = Vec::new();
    for _ in 0..calls {
        answers.push(say(&channel, method, "").await.map_err(|status| {
            // What the caller of the trait is told: that nobody knows what became of it.
            assert_eq!(crate::status::into_error(status.clone()).kind, ErrorKind::Internal, "{status:?}");
            status.code()
        }));
    }
    (answers, asked.load(Ordering::SeqCst))
}

#[tokio::test]
async fn a_call_that_may_have_been_begun_is_made_again_only_if_it_is_idempotent() {
    let (answers, asked) = beside_a_good_one(h2::Reason::INTERNAL_ERROR, "Read", 4).await;
    assert!(asked > 0 && answers.iter().all(Result::is_ok), "{answers:?} {asked}");

    let (answers, asked) = beside_a_good_one(h2::Reason::INTERNAL_ERROR, "Write", 4).await;
    let failed = answers.iter().filter(|answer| **answer == Err(Code::Unavailable)).count();
    assert!(asked > 0 && failed == asked, "{answers:?} {asked}");
}

#[tokio::test]
async fn a_call_that_was_surely_not_begun_is_made_elsewhere() {
    let (answers, asked) = beside_a_good_one(h2::Reason::REFUSED_STREAM, "Write", 4).await;
    assert!(asked > 0 && answers.iter().all(Result::is_ok), "{answers:?} {asked}");
}

#[tokio::test]
async fn a_call_is_made_three_times_at_most() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (bad, asked) = resetting(&pki, h2::Reason::INTERNAL_ERROR).await;
    let channel = pki.channel(Role::Ra, Role::Sa, &[bad]);
    assert_eq!(say(&channel, "Read", "").await.unwrap_err().code(), Code::Unavailable);
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_endpoint_with_too_much_to_do_is_passed_over() {
    let (pki, _log) = (Pki::new(), Log::new());
    let config = ServerConfig { max_calls: 0, ..ServerConfig::default() };
    let full = Server::new(pki.identity(Role::Sa), config).add(Script::echo("full"), &[Role::Ra]);
    let full = Serving::start(&full).await;
    let free = Serving::start(&pki.server(Role::Sa, &Script::echo("free"))).await;
    let channel = pki.channel(Role::Ra, Role::Sa, &[full.address, free.address]);
    until(&channel, |channel| connected(channel) == 2).await;
    for _ in 0..4 {
        assert_eq!(say(&channel, "Write", "").await.unwrap(), "free");
    }
}

#[tokio::test]
async fn errors_of_the_service_arrive_as_they_are() {
    let (pki, _log) = (Pki::new(), Log::new());
    let script = Script::new(|_| async { Err(tonic::Status::not_found("no such thing")) });
    let (_serving, channel) = pki.pair(&script).await;
    let status = say(&channel, "Read", "").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no such thing"));
    assert!(!is_not_processed(&status));
}

#[tokio::test]
async fn a_message_larger_than_what_may_be_sent_unread_arrives_whole() {
    let (pki, _log) = (Pki::new(), Log::new());
    let (_serving, channel) = pki.pair(&Script::echo("")).await;
    // Larger than the windows of streams and, on the server's side, of connections.
    let large = "a".repeat(3 * 1024 * 1024);
    let (one, other) = tokio::join!(say(&channel, "Read", &large), say(&channel, "Read", &large));
    assert!(one.unwrap() == large && other.unwrap() == large);
}

#[tokio::test]
async fn a_service_that_panics_fails_one_call_and_no_other() {
    let (pki, log) = (Pki::new(), Log::new());
    let script = Script::new(|request| async move {
        let said = request.into_inner().service;
        assert!(said != "panic", "as the test wants it");
        Ok(said)
    });
    let (_serving, channel) = pki.pair(&script).await;
    let (bad, good) = tokio::join!(say(&channel, "Write", "panic"), say(&channel, "Write", "good"));
    let bad = bad.unwrap_err();
    assert_eq!(bad.code(), Code::Internal, "{bad}");
    assert!(!is_not_processed(&bad));
    assert_eq!(good.unwrap(), "good");
    assert_eq!(say(&channel, "Write", "again").await.unwrap(), "again");
    log.has(&["ERROR", "a call panicked", "test.Script"]);
    assert_eq!(log.count(&["connected", "callee=sa"]), 1);
}

#[tokio::test]
async fn the_tasks_of_a_channel_end_with_the_process_and_its_connections_outlive_them() {
    let (pki, _log) = (Pki::new(), Log::new());
    let serving = Serving::start(&pki.server(Role::Sa, &Script::echo("here"))).await;
    let (tracker, shutdown) = (TaskTracker::new(), tokio_util::sync::CancellationToken::new());
    let config = ChannelConfig {
        caller: pki.identity(Role::Ra),
        callee: Role::Sa,
        addresses: vec![serving.address.to_string().parse().unwrap()],
        call_timeout: std::time::Duration::from_secs(30),
        clock: pki.clock.clone(),
        random: Arc::new(cairn_core::random::SeededRandom::new(1)),
    };
    let channel = Channel::connect(config, &tracker, shutdown.clone());
    until(&channel, |channel| connected(channel) == 1).await;
    shutdown.cancel();
    tracker.close();
    tracker.wait().await;
    // The work that is being finished still needs it.
    assert_eq!(say(&channel, "Write", "").await.unwrap(), "here");
}

#[expect(dead_code, reason = "says that a channel can be shared and boxed")]
fn channels_are_shared(channel: Channel) -> Box<dyn std::any::Any + Send + Sync> {
    let _: &dyn Fn(Infallible) = &|never| match never {};
    Box::new(channel)
}
