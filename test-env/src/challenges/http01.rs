//! A web server with nothing but `/.well-known/acme-challenge/`, RFC 8555 §8.3. One request per connection.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::listen;

/// Longest request head; validation sends some hundred bytes.
const MAX_HEAD: usize = 8 * 1024;

/// How long a request may take to arrive, and how long a held answer is held at most.
const PATIENCE: Duration = Duration::from_secs(60);

const PREFIX: &str = "/.well-known/acme-challenge/";

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct Http01 {
    shelf: Arc<Shelf>,
    gate: watch::Sender<bool>,
    _tasks: JoinSet<()>,
}

/// A request for an answer that was there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The `Host` header.
    pub host: String,
    /// The address at which it arrived: tells IPv4 from IPv6.
    pub at: IpAddr,
}

/// The answers by token, each with the requests for it.
#[derive(Debug, Default)]
struct Shelf(Mutex<HashMap<String, (String, Vec<Asked>)>>);

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (String, Vec<Asked>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Http01 {
    /// Starts on the port where the validation looks.
    ///
    /// # Errors
    /// If somebody else listens there.
    pub async fn start(port: u16) -> io::Result<Self> {
        Ok(Self::on(listen::loopback(port).await?))
    }

    /// Starts on one address alone, for a validation that comes from elsewhere than this machine.
    ///
    /// # Errors
    /// If it is not this machine's, or somebody else listens there.
    pub async fn start_at(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::on(vec![TcpListener::bind(address).await?]))
    }

    fn on(listeners: Vec<TcpListener>) -> Self {
        let shelf = Arc::new(Shelf::default());
        let (gate, _) = watch::channel(true);
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(accept(listener, Arc::clone(&shelf), gate.subscribe()));
        }
        Self { shelf, gate, _tasks: tasks }
    }

    /// Puts an answer under a token.
    pub fn put(&self, token: &str, key_authorization: &str) {
        self.shelf.lock().insert(token.to_owned(), (key_authorization.to_owned(), Vec::new()));
    }

    /// Takes an answer away, and says who has asked for it.
    pub fn take(&self, token: &str) -> Vec<Asked> {
        self.shelf.lock().remove(token).map(|(_, asked)| asked).unwrap_or_default()
    }

    /// Who has asked for an answer so far.
    pub fn asked(&self, token: &str) -> Vec<Asked> {
        self.shelf.lock().get(token).map(|(_, asked)| asked.clone()).unwrap_or_default()
    }

    /// From now on requests are read and noted, but wait for [`Http01::release`] to be answered.
    pub fn hold(&self) {
        self.gate.send_replace(false);
    }

    /// Answers what was held, and everything after it.
    pub fn release(&self) {
        self.gate.send_replace(true);
    }
}

async fn accept(listener: TcpListener, shelf: Arc<Shelf>, gate: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        // A connection that was gone before it was accepted is nobody's loss.
        if let Ok((stream, _)) = listener.accept().await {
            let (shelf, gate) = (Arc::clone(&shelf), gate.clone());
            connections.spawn(async move {
                let _outcome = timeout(PATIENCE, serve(stream, &shelf, gate)).await;
            });
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: TcpStream, shelf: &Shelf, mut gate: watch::Receiver<bool>) -> io::Result<()> {
    let head = read_head(&mut stream).await?;
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    let host = head
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("host"))
        .map_or("", |(_, value)| value.trim());
    let asked = Asked { host: host.to_owned(), at: stream.local_addr()?.ip() };
    let answer = path.strip_prefix(PREFIX).and_then(|token| {
        let mut shelf = shelf.lock();
        let (key_authorization, requests) = shelf.get_mut(token)?;
        requests.push(asked);
        Some(key_authorization.clone())
    });
    // An error means that the responder is being dropped; then nobody waits for the answer.
    gate.wait_for(|open| *open).await.map(drop).map_err(io::Error::other)?;
    let (status, body) = match &answer {
        Some(key_authorization) => ("200 OK", key_authorization.as_str()),
        None => ("404 Not Found", "There is no such token here.\n"),
    };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await
}

async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= MAX_HEAD || stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    String::from_utf8(head).map_err(|_| io::ErrorKind::InvalidData.into())
}
