//! Those who look up whether a certificate is revoked: plain HTTP, one request to a connection, as the smallest of them do it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use cairn_x509::Certificate;
use cairn_x509::ocsp::{CertId, IssuerHash, Request, Response, ResponseError, Status};

/// Far longer than any answer takes.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// What came behind them.
    pub body: Vec<u8>,
}

impl Answer {
    /// The value of a header; empty if there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// The OCSP response in it.
    ///
    /// # Errors
    /// If it is none, or a refusal.
    pub fn ocsp(&self) -> Result<Response, ResponseError> {
        Response::from_der(&self.body)
    }
}

/// Sends a request of these octets, and reads its answer to the end.
///
/// # Errors
/// If there is no answer.
pub fn exchange(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(request)?;
    let mut octets = Vec::new();
    stream.read_to_end(&mut octets)?;
    let end = octets
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .context("the answer has no end of its head")?;
    let (head, body) = octets.split_at(end + 4);
    let mut lines = std::str::from_utf8(head)?.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("the answer has no status")?;
    let header =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    Ok(Answer { status: status.parse()?, headers: lines.filter_map(header).collect(), body: body.to_vec() })
}

/// Gets a path.
///
/// # Errors
/// If there is no answer.
pub fn get(address: SocketAddr, path: &str, headers: &str) -> Result<Answer> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\r\n");
    exchange(address, head.as_bytes())
}

/// Posts an OCSP request.
///
/// # Errors
/// If there is no answer.
pub fn post(address: SocketAddr, request: &[u8]) -> Result<Answer> {
    let length = request.len();
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/ocsp-request\r\n\
         Content-Length: {length}\r\n\r\n"
    );
    exchange(address, &[head.as_bytes(), request].concat())
}

/// A request about one certificate.
///
/// # Errors
/// If its serial is none.
pub fn request(issuer: &Certificate, leaf: &Certificate) -> Result<Vec<u8>> {
    let certificates = vec![CertId::new(IssuerHash::Sha1, issuer, leaf.serial())];
    Ok(Request { certificates, nonce: None }.to_der()?)
}

/// What is said of a certificate, proven.
///
/// # Errors
/// If nothing is, or nobody may say it.
pub fn status(address: SocketAddr, issuer: &Certificate, leaf: &Certificate) -> Result<Status> {
    let answer = post(address, &request(issuer, leaf)?)?;
    let response = answer.ocsp()?;
    response.verify(issuer)?;
    let [single] = response.responses.as_slice() else { bail!("not one answer: {response:?}") };
    ensure!(single.id.serial == leaf.serial(), "the answer is about another certificate");
    Ok(single.status)
}

/// The host and port of a plain-HTTP URL, and its path.
///
/// # Errors
/// If it is none, or the host is a name.
pub fn place(url: &str) -> Result<(SocketAddr, String)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("{url} is no plain HTTP"))?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    Ok((authority.parse()?, format!("/{path}")))
}
