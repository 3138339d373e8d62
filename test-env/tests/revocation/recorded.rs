//! Requests of clients that are not here, as they were recorded on the wire, with our certificate in the place of theirs.
//!
//! `java-17-*.http` is what the `PKIXRevocationChecker` of OpenJDK 17.0.21 sends, recorded by a socket that wrote down all that came: by
//! GET as it does on its own, with `-Dcom.sun.security.ocsp.useget=false`, and with `-Djdk.security.certpath.ocspNonce=true`. The same
//! program, pointed at the URL in a certificate of a `cairn dev`, found it valid. Firefox's is written after its source
//! (`CreateEncodedOCSPRequest` in mozilla::pkix, and the HTTP client in front of it).

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use cairn_test_env::relying_party as party;
use cairn_x509::ocsp::{CertId, IssuerHash, Request, Status};

use crate::world::World;

const JAVA_GET: &[u8] = include_bytes!("testdata/java-17-get.http");
const JAVA_GET_NONCE: &[u8] = include_bytes!("testdata/java-17-get-nonce.http");
const JAVA_POST: &[u8] = include_bytes!("testdata/java-17-post.http");

const FIREFOX_HEAD: &str = "POST /ocsp HTTP/1.1\r\nHost: pki.example.com\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\nAccept: */*\r\n\
    Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate\r\nContent-Type: application/ocsp-request\r\n\
    Content-Length: 83\r\nConnection: keep-alive\r\nPriority: u=2\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n\r\n";

#[test]
fn java_and_firefox_are_understood() -> Result<()> {
    let mut world = World::new(&[])?;
    let ours = CertId::new(IssuerHash::Sha1, &world.issuer, world.leaf.serial());
    let firefox = Request { certificates: vec![ours.clone()], nonce: None }.to_der()?;
    let requests = [
        ("Java, GET", get(JAVA_GET, &ours)?, false),
        ("Java, GET with a nonce", get(JAVA_GET_NONCE, &ours)?, true),
        ("Java, POST", post(JAVA_POST, &ours)?, false),
        ("Firefox", [FIREFOX_HEAD.as_bytes(), &firefox].concat(), false),
    ];
    for revoked in [false, true] {
        if revoked {
            world.revoke()?;
        }
        for (who, request, has_nonce) in &requests {
            let answer = ask(world.pki, request).with_context(|| format!("{who}, revoked: {revoked}"))?;
            let response = answer.ocsp().with_context(|| format!("{who}: {answer:?}"))?;
            response.verify(&world.issuer)?;
            let said = response.responses.first().context("nothing is said")?;
            ensure!(said.id == ours, "{who} compares the id, octet by octet");
            ensure!((said.status == Status::Good) != revoked, "{who}: {said:?}");
            ensure!(response.nonce.is_some() == *has_nonce, "{who}");
        }
    }
    world.end()
}

/// They keep their connection; the answer shall end here.
fn ask(address: SocketAddr, request: &[u8]) -> Result<party::Answer> {
    let end = request.windows(4).position(|four| four == b"\r\n\r\n").context("no head")?;
    let (head, body) = request.split_at(end);
    let head = std::str::from_utf8(head)?.replace("Connection: keep-alive", "Connection: close");
    party::exchange(address, &[head.as_bytes(), body].concat())
}

/// The recorded GET, about our certificate.
fn get(recorded: &[u8], ours: &CertId) -> Result<Vec<u8>> {
    let text = std::str::from_utf8(recorded)?;
    let (before, rest) = text.split_once("/ocsp/").context("not recorded at /ocsp")?;
    let (path, behind) = rest.split_once(' ').context("no request line")?;
    let der = base64(&path.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="))?;
    let patched = unbase64(&patched(&der, ours)?).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    Ok(format!("{before}/ocsp/{patched} {behind}").into_bytes())
}

/// The recorded POST, about our certificate.
fn post(recorded: &[u8], ours: &CertId) -> Result<Vec<u8>> {
    let end = recorded.windows(4).position(|four| four == b"\r\n\r\n").context("no head")? + 4;
    let (head, der) = recorded.split_at(end);
    Ok([head, &patched(der, ours)?].concat())
}

/// Their octets with our hashes and serial, which are as long.
fn patched(der: &[u8], ours: &CertId) -> Result<Vec<u8>> {
    let theirs = Request::from_der(der)?.certificates.into_iter().next().context("no certificate")?;
    let mut der = der.to_vec();
    for (from, to) in [(&theirs.name, &ours.name), (&theirs.key, &ours.key), (&theirs.serial, &ours.serial)] {
        ensure!(from.len() == to.len(), "recorded with another hash, or a shorter serial");
        let at = der
            .windows(from.len())
            .position(|window| window == from.as_slice())
            .context("not in the request")?;
        der.splice(at..at + to.len(), to.iter().copied());
    }
    ensure!(Request::from_der(&der)?.certificates == std::slice::from_ref(ours));
    Ok(der)
}

fn base64(text: &str) -> Result<Vec<u8>> {
    let url = text.replace('+', "-").replace('/', "_");
    Ok(cairn_jose::base64url::decode(url.trim_end_matches('='))?)
}

fn unbase64(octets: &[u8]) -> String {
    let text = cairn_jose::base64url::encode(octets).replace('-', "+").replace('_', "/");
    let padding = "=".repeat((4 - text.len() % 4) % 4);
    format!("{text}{padding}")
}
