//! One endpoint: connected, or on the way to it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use cairn_core::{Random, random};
use h2::RecvStream;
use h2::client::SendRequest;
use http::{Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Link;
use super::connect::connect;
use crate::transport::metrics::{self, Side};

/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause. An attempt costs next to nothing, and a peer that has come back should soon be of use.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// A connection that lasted this long was good: the next failure is a first one again.
const GOOD: Duration = Duration::from_secs(10);

pub(super) type Sender = SendRequest<Bytes>;

/// A connection that stood when it was made.
struct Connection {
    sender: Sender,
    /// Set by the task that drives it, at its end.
    ended: Arc<AtomicBool>,
}

/// An address, and the connection to it while there is one.
pub(super) struct Endpoint {
    pub(super) address: SocketAddr,
    /// Set by `keep`; taken away by whoever finds it closed.
    connection: ArcSwapOption<Connection>,
    outstanding: AtomicUsize,
    /// Why there is no connection.
    failure: Mutex<Option<String>>,
}

/// A call that got no answer.
#[derive(Debug)]
pub(super) struct Failed {
    /// The peer has surely not begun it.
    pub(super) not_processed: bool,
    /// What happened to the connection.
    pub(super) source: Option<h2::Error>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => f.write_str(&chain(source)),
            None => f.write_str("the connection was just lost"),
        }
    }
}

/// A call that is under way at an endpoint.
pub(super) struct Outstanding(Arc<Endpoint>);

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.0.outstanding.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Endpoint {
    pub(super) fn new(address: SocketAddr) -> Self {
        let (connection, outstanding) = (ArcSwapOption::default(), AtomicUsize::new(0));
        Self { address, connection, outstanding, failure: Mutex::new(None) }
    }

    pub(super) fn is_live(&self) -> bool {
        self.connection.load().as_ref().is_some_and(|it| !it.ended.load(Ordering::Relaxed))
    }

    /// Calls that are under way here.
    pub(super) fn load(&self) -> usize {
        self.outstanding.load(Ordering::Relaxed)
    }

    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a call until the result is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Outstanding {
        self.outstanding.fetch_add(1, Ordering::Relaxed);
        Outstanding(Arc::clone(self))
    }

    /// Sends a call, and waits for the head of its answer.
    pub(super) async fn send(
        &self,
        request: Request<()>,
        message: Bytes,
    ) -> Result<Response<RecvStream>, Failed> {
        let Some(connection) = self.connection.load_full() else {
            return Err(Failed { not_processed: true, source: None });
        };
        // Nobody else needs to try; `keep` is about to notice.
        let closed = || self.connection.compare_and_swap(&connection, None);
        let sent = connection.sender.clone().send_request(request, false);
        let (answer, mut stream) = sent.map_err(|error| {
            closed();
            Failed { not_processed: true, source: Some(error) }
        })?;
        let sent = stream.send_data(message, true);
        // Why a stream takes no message, it says itself.
        let answer = answer.await;
        drop(sent);
        answer.map_err(|error| {
            if is_goodbye(&error) {
                closed();
            }
            Failed { not_processed: is_goodbye(&error) || is_refusal(&error), source: Some(error) }
        })
    }

    /// Keeps the endpoint connected until `gone`.
    pub(super) async fn keep(self: Arc<Self>, link: Arc<Link>, gone: CancellationToken) {
        let mut renewed = link.config.caller.changes();
        let mut pause = FIRST_PAUSE;
        loop {
            renewed.borrow_and_update();
            let (tls, callee) = (link.config.caller.client(), link.config.callee);
            let connecting = connect(self.address, callee, tls);
            match gone.run_until_cancelled(connecting).await {
                None => return,
                Some(Err(text)) => {
                    metrics::connect_failed(callee);
                    self.down(&link, text);
                }
                Some(Ok((sender, driven))) => {
                    let (say, end) = oneshot::channel();
                    let held = metrics::connection(Side::Client, callee);
                    let connection = Connection { sender, ended: Arc::default() };
                    let ended = Arc::clone(&connection.ended);
                    link.connections.spawn(async move {
                        let result = driven.await;
                        ended.store(true, Ordering::Relaxed);
                        drop(held);
                        // Nobody listens when the endpoint was given up.
                        let _ = say.send(result);
                    });
                    self.up(&link, connection);
                    let since = Instant::now();
                    tokio::select! {
                        () = gone.cancelled() => return,
                        // The certificate is a new one. The old connection goes on until the new one stands, and then lets its calls
                        // finish.
                        _ = renewed.changed() => continue,
                        result = end => {
                            if since.elapsed() >= GOOD {
                                pause = FIRST_PAUSE;
                            }
                            self.down(&link, match result {
                                Ok(Err(text)) => format!("the connection was lost: {text}"),
                                _ => "the peer closed the connection".to_owned(),
                            });
                        }
                    }
                }
            }
            if gone
                .run_until_cancelled(tokio::time::sleep(jittered(pause, link.config.random.as_ref())))
                .await
                .is_none()
            {
                return;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn up(&self, link: &Link, connection: Connection) {
        self.connection.store(Some(Arc::new(connection)));
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        info!(callee = %link.config.callee, peer.address = %self.address, "connected");
        link.changed.send_replace(());
    }

    fn down(&self, link: &Link, text: String) {
        let callee = link.config.callee;
        if link.said.may_say((self.address, text.clone())) {
            warn!(%callee, peer.address = %self.address, "{callee} cannot be reached: {text}");
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
        // While a certificate is replaced, the old connection may well be there.
        if !self.is_live() {
            self.connection.store(None);
            link.failed.notify_one();
        }
        link.changed.send_replace(());
    }
}

/// Between a half and all of `pause`, so that many callers do not come back at once.
fn jittered(pause: Duration, random: &dyn Random) -> Duration {
    let half = pause / 2;
    half + half * u32::from(u16::from_be_bytes(random::bytes(random))) / u32::from(u16::MAX)
}

/// Whether the peer had said goodbye before the call reached it, which it therefore did not begin (RFC 9113 §6.8).
fn is_goodbye(error: &h2::Error) -> bool {
    error.is_remote() && error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR)
}

/// Whether the peer refused the stream without looking at it (RFC 9113 §8.7).
fn is_refusal(error: &h2::Error) -> bool {
    error.is_remote() && error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM)
}

/// An error and its sources, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use cairn_core::random::SeededRandom;

    use super::*;

    #[test]
    fn pauses_are_spread_and_bounded() {
        let random = SeededRandom::new(1);
        let pauses: Vec<_> = (0..100).map(|_| jittered(LONGEST_PAUSE, &random)).collect();
        assert!(pauses.iter().all(|pause| *pause >= LONGEST_PAUSE / 2 && *pause <= LONGEST_PAUSE));
        assert!(pauses.iter().any(|pause| *pause != pauses[0]));
    }
}
