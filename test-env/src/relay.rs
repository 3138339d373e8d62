//! A TCP relay between two services, for bad days of the network: a test tells it to delay, to hold back, to refuse, to cut, and to be
//! well again.
//!
//! With several targets it is a small balancer besides: each connection goes to the next target that accepts it, as clients' connections
//! do that meet several front ends behind one name.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// How many pieces may be on their way in one direction; more wait with the sender, as in a real network.
const ON_THE_WAY: usize = 64;

/// Bytes of one piece at most.
const PIECE: usize = 16 * 1024;

/// Pause before the port is taken again that somebody else has at the moment.
const REBIND: Duration = Duration::from_millis(10);

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Weather {
    /// Passes everything on at once.
    Fair,
    /// Passes everything on so much later, in each direction.
    Delayed(Duration),
    /// Passes nothing on, and keeps everything: connections are accepted, and stay open.
    Stalled,
    /// Nobody listens; connections that stand go on.
    Refusing,
}

/// A relay. It ends when it is dropped, and its connections with it.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    cuts: watch::Sender<u64>,
    /// Whether anybody listens at the moment: lags behind the weather.
    listening: watch::Receiver<bool>,
    task: AbortHandle,
}

/// What every connection is told.
#[derive(Clone)]
struct Sky {
    weather: watch::Receiver<Weather>,
    cuts: watch::Receiver<u64>,
}

impl Relay {
    /// Starts one to these targets, on this port of 127.0.0.1. Its tasks run on `runtime`.
    ///
    /// # Errors
    /// If somebody else listens on the port.
    pub fn start(runtime: &Handle, port: u16, targets: Vec<SocketAddr>) -> io::Result<Self> {
        let _inside = runtime.enter();
        let listener = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
        let address = listener.local_addr()?;
        let ((weather, seen_weather), (cuts, seen_cuts)) = (watch::channel(Weather::Fair), watch::channel(0));
        let (says_listening, listening) = watch::channel(true);
        let sky = Sky { weather: seen_weather, cuts: seen_cuts };
        let task = runtime.spawn(run(listener, address, targets, sky, says_listening)).abort_handle();
        Ok(Self { address, weather, cuts, listening, task })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on everything takes so much longer, in each direction.
    pub fn delay(&self, by: Duration) {
        self.weather.send_replace(Weather::Delayed(by));
    }

    /// From now on nothing comes through, and nobody is told.
    pub fn stall(&self) {
        self.weather.send_replace(Weather::Stalled);
    }

    /// Aborts the connections that stand. New ones are as they were.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// From when it returns, nobody listens. Connections that stand go on.
    pub async fn refuse(&self) {
        self.weather.send_replace(Weather::Refusing);
        self.seen_listening(false).await;
    }

    /// Everything is well again when it returns; what was held back comes through.
    pub async fn heal(&self) {
        self.weather.send_replace(Weather::Fair);
        self.seen_listening(true).await;
    }

    async fn seen_listening(&self, wanted: bool) {
        // An error means that the runtime is gone, and nobody listens any more.
        let mut listening = self.listening.clone();
        let _gone = listening.wait_for(|listening| *listening == wanted).await;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    // The port must be free at once for who refused on it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

async fn run(
    first: TcpListener,
    address: SocketAddr,
    targets: Vec<SocketAddr>,
    mut sky: Sky,
    listening: watch::Sender<bool>,
) {
    let (targets, next) = (Arc::<[SocketAddr]>::from(targets), Arc::new(AtomicUsize::new(0)));
    let mut connections = JoinSet::new();
    let mut listener = Some(first);
    loop {
        let refusing = *sky.weather.borrow_and_update() == Weather::Refusing;
        match &listener {
            Some(_) if refusing => {
                listener = None;
                listening.send_replace(false);
            }
            None if !refusing => match bind(address) {
                Ok(bound) => {
                    listener = Some(bound);
                    listening.send_replace(true);
                }
                Err(_) => sleep(REBIND).await,
            },
            Some(open) => tokio::select! {
                changed = sky.weather.changed() => if changed.is_err() { return },
                // A connection that was gone before it was accepted is nobody's loss.
                Ok((client, _)) = open.accept() => {
                    let (targets, next, sky) = (Arc::clone(&targets), Arc::clone(&next), sky.clone());
                    connections.spawn(async move {
                        if let Some(server) = connect(&targets, &next).await {
                            relay(client, server, sky).await;
                        }
                    });
                }
            },
            None => {
                if sky.weather.changed().await.is_err() {
                    return;
                }
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// The next target that accepts a connection. Where none does, the client's is closed.
async fn connect(targets: &[SocketAddr], next: &AtomicUsize) -> Option<TcpStream> {
    let start = next.fetch_add(1, Ordering::Relaxed);
    for step in 0..targets.len() {
        let target = targets.get(start.wrapping_add(step) % targets.len())?;
        if let Ok(server) = TcpStream::connect(target).await {
            return Some(server);
        }
    }
    None
}

async fn relay(client: TcpStream, server: TcpStream, mut sky: Sky) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    sky.cuts.mark_unchanged();
    let mut cuts = sky.cuts.clone();
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let both = async {
        tokio::join!(pass(from_client, to_server, sky.clone()), pass(from_server, to_client, sky.clone()))
    };
    // Dropped in the middle, both sockets are closed with what they have not read: their peers get a reset.
    tokio::select! {
        _ = both => {}
        _ = cuts.changed() => {}
    }
}

/// Passes bytes on in one direction, until its end.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, mut sky: Sky) {
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(ON_THE_WAY);
    let weather = sky.weather.clone();
    let read = async move {
        loop {
            let mut piece = BytesMut::with_capacity(PIECE);
            match from.read_buf(&mut piece).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
            let due = match *weather.borrow() {
                Weather::Delayed(by) => Instant::now() + by,
                Weather::Fair | Weather::Stalled | Weather::Refusing => Instant::now(),
            };
            if sender.send((due, piece.freeze())).await.is_err() {
                return;
            }
        }
    };
    let write = async move {
        while let Some((due, piece)) = receiver.recv().await {
            sleep_until(due).await;
            let moving = sky.weather.wait_for(|weather| *weather != Weather::Stalled).await.is_ok();
            if !moving || to.write_all(&piece).await.is_err() {
                break;
            }
        }
        let _closed = to.shutdown().await;
    };
    tokio::join!(read, write);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port;

    /// A server that says everything twice: once as it is, once more with its number.
    async fn server(number: u8) -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        Handle::current().spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                Handle::current().spawn(async move {
                    while let Ok(byte) = stream.read_u8().await {
                        if stream.write_all(&[byte, number]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    fn relay_to(targets: Vec<SocketAddr>) -> Relay {
        Relay::start(&Handle::current(), port::free().unwrap(), targets).unwrap()
    }

    async fn say(stream: &mut TcpStream, byte: u8) -> io::Result<[u8; 2]> {
        stream.write_u8(byte).await?;
        let mut answer = [0; 2];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    async fn connected(relay: &Relay) -> TcpStream {
        TcpStream::connect(relay.address()).await.unwrap()
    }

    #[tokio::test]
    async fn in_fair_weather_it_is_not_there() {
        let relay = relay_to(vec![server(1).await]);
        let mut stream = connected(&relay).await;
        assert_eq!(say(&mut stream, 7).await.unwrap(), [7, 1]);
        stream.shutdown().await.unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "the end comes through too");
    }

    #[tokio::test]
    async fn a_delay_holds_each_direction_back_and_loses_nothing() {
        let relay = relay_to(vec![server(1).await]);
        let mut stream = connected(&relay).await;
        let by = Duration::from_millis(50);
        relay.delay(by);
        let sent = Instant::now();
        assert_eq!(say(&mut stream, 7).await.unwrap(), [7, 1]);
        // At least: how much more is the machine's affair.
        assert!(sent.elapsed() >= by * 2);
    }

    #[tokio::test]
    async fn what_is_stalled_comes_through_when_all_is_well_again() {
        let relay = relay_to(vec![server(1).await]);
        let mut stream = connected(&relay).await;
        relay.stall();
        stream.write_u8(7).await.unwrap();
        let mut answer = [0; 2];
        let nothing = tokio::time::timeout(Duration::from_millis(50), stream.read_exact(&mut answer)).await;
        assert!(nothing.is_err());
        relay.heal().await;
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, [7, 1]);
    }

    #[tokio::test]
    async fn a_cut_ends_connections_and_refusal_prevents_new_ones() {
        let relay = relay_to(vec![server(1).await]);
        let mut old = connected(&relay).await;
        say(&mut old, 7).await.unwrap();
        relay.refuse().await;
        assert_eq!(say(&mut old, 8).await.unwrap(), [8, 1]);
        assert!(TcpStream::connect(relay.address()).await.is_err());
        relay.cut();
        assert!(old.read_u8().await.is_err());
        relay.heal().await;
        assert_eq!(say(&mut connected(&relay).await, 9).await.unwrap(), [9, 1]);
    }

    #[tokio::test]
    async fn of_several_targets_each_gets_its_turn_and_one_that_is_away_is_passed_over() {
        let away = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let relay = relay_to(vec![server(1).await, away, server(2).await]);
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(say(&mut connected(&relay).await, 7).await.unwrap()[1]);
        }
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [1, 2]);
    }
}
