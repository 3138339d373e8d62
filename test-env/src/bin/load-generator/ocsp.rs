//! What an OCSP answer costs: from the cache, against a path that has nothing on the same HTTP stack; signed, against a signature alone; and
//! what many answers take in memory.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use cairn_jose::{Algorithm, base64url, sign::SigningKey};
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::harness::Cairn;
use cairn_test_env::invariants::Database;
use cairn_x509::ocsp::{CertId, IssuerHash, Nonce, Request};
use cairn_x509::{Certificate, FileSigner, KeySpec, Signer as _};
use serde::Serialize;

use crate::machine;
use crate::options::Form;
use crate::process::{CpuTime, Memory};
use crate::target::start_own;

/// Connections at the same time.
const CONNECTIONS: usize = 8;
/// Requests of each kind.
const REQUESTS: usize = 100_000;
/// Certificates that are asked about when memory is measured.
const SERIALS: usize = 50_000;
/// How many signatures are made to know what one takes.
const SIGNATURES: u32 = 5_000;
/// As much as an OCSP answer has to sign.
const SIGNED: [u8; 204] = [0x30; 204];

/// In microseconds of CPU time for each request, and MiB.
#[derive(Debug, Serialize)]
pub(crate) struct OcspReport {
    machine: String,
    requests: usize,
    empty_us: f64,
    cached_get_us: f64,
    cached_post_us: f64,
    nonce_us: f64,
    signature_us: f64,
    serials: usize,
    first_us: f64,
    random_us: f64,
    memory_before_mib: f64,
    memory_after_mib: f64,
}

/// Starts a server, fills its database, and asks.
pub(crate) async fn measure() -> Result<OcspReport> {
    let cairn = start_own(Form::Dev, 1)?;
    let pki = *cairn.ready.pki.first().context("nobody serves relying parties")?;
    let [leaf, issuer] = certificate(&cairn).await?;
    let id = |serial: &[u8]| CertId::new(IssuerHash::Sha1, &issuer, serial);
    let about =
        |serial: &[u8], nonce: Option<Nonce>| Ok(Request { certificates: vec![id(serial)], nonce }.to_der()?);
    let pid = cairn.ready.pid;
    let asking = |requests: Vec<Vec<u8>>, status: &'static str| asking(pki, pid, requests, status);

    let der: Vec<u8> = about(leaf.serial(), None)?;
    let text = base64(&der);
    let many = |request: Vec<u8>| vec![request; REQUESTS];
    // Also to warm up.
    asking(vec![get(&format!("/ocsp/{text}")); REQUESTS / 100], "200")?;
    let empty_us = asking(many(get(&format!("/none/{text}"))), "404")?;
    let cached_get_us = asking(many(get(&format!("/ocsp/{text}"))), "200")?;
    let cached_post_us = asking(many(post(&der)), "200")?;
    let nonce_us = asking(many(post(&about(leaf.serial(), Nonce::new(&[7; 16]))?)), "200")?;

    let serials = fill(&cairn.database(), leaf.serial())?;
    let requests: Vec<_> =
        serials.iter().map(|serial| about(serial, None).map(|der| post(&der))).collect::<Result<_>>()?;
    let memory_before_mib = Memory::of(pid)?.resident_mib;
    let first_us = asking(requests.clone(), "200")?;
    let memory_after_mib = Memory::of(pid)?.resident_mib;
    // The order of random octets is none.
    let mut shuffled = requests;
    shuffled.sort_unstable_by(|one, other| one.iter().rev().cmp(other.iter().rev()));
    let random_us = asking(shuffled, "200")?;
    cairn.stop()?;
    Ok(OcspReport {
        machine: machine::description(),
        requests: REQUESTS,
        empty_us,
        cached_get_us,
        cached_post_us,
        nonce_us,
        signature_us: signature()?,
        serials: serials.len(),
        first_us,
        random_us,
        memory_before_mib,
        memory_after_mib,
    })
}

/// A certificate, and its issuer.
async fn certificate(cairn: &Cairn) -> Result<[Certificate; 2]> {
    let root = std::fs::read_to_string(cairn.root_file()?)?;
    let endpoint = Arc::new(Endpoint::new(&cairn.ready.directory, &root)?);
    let mut client = Client::connect(endpoint, &cairn.ready.directory).await?;
    let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
    let http01 = Responder::Http01(Arc::new(Http01::start(cairn.http_port()).await?));
    let name = [Identifier::dns("ocsp.test")];
    let request = CertificateRequest::new(&name)?;
    let chain = certify(&mut client, &account, &http01, &name, &request.der).await?.chain;
    let pem = std::str::from_utf8(&chain)?.split_inclusive("-----END CERTIFICATE-----\n");
    let chain: Vec<_> = pem.take(2).map(Certificate::from_pem).collect::<Result<_, _>>()?;
    chain.try_into().map_err(|_| anyhow::anyhow!("there is no issuer in the chain"))
}

/// Copies the certificate's row under so many serials, and gives those.
fn fill(database: &Database, serial: &[u8]) -> Result<Vec<Vec<u8>>> {
    let Database::Sqlite(file) = database else { bail!("this is no SQLite database") };
    let hex: String = serial.iter().map(|octet| format!("{octet:02x}")).collect();
    // A serial of ours begins with 01, and none of these had an order.
    let insert = format!(
        "PRAGMA busy_timeout = 60000; WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {SERIALS}) \
         INSERT INTO certificates (serial, issuer, der, not_after, at) \
         SELECT x'01' || randomblob(15), issuer, der, not_after, at FROM certificates, number WHERE serial = x'{hex}'; \
         SELECT hex(serial) FROM certificates WHERE order_id IS NULL ORDER BY random() LIMIT {SERIALS};"
    );
    let said = std::process::Command::new("sqlite3")
        .arg(file)
        .arg(insert)
        .output()
        .context("sqlite3 is not installed")?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let octet = |pair: &[u8]| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    let lines = std::str::from_utf8(&said.stdout)?.lines().filter(|line| line.len() == 32);
    lines.map(|line| line.as_bytes().chunks(2).map(octet).collect()).collect()
}

/// CPU time of the server for each of these requests, in microseconds.
fn asking(pki: SocketAddr, pid: u32, requests: Vec<Vec<u8>>, status: &'static str) -> Result<f64> {
    let count = u32::try_from(requests.len())?;
    let before = CpuTime::of(pid)?;
    thread::scope(|scope| {
        let share = requests.len().div_ceil(CONNECTIONS);
        let threads: Vec<_> = requests
            .chunks(share)
            .map(|requests| scope.spawn(move || ask_all(pki, requests, status)))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| bail!("a client broke down")))
    })?;
    Ok((CpuTime::of(pid)? - before).per(count).total_ms() * 1000.0)
}

/// One after the other, over one connection.
fn ask_all(pki: SocketAddr, requests: &[Vec<u8>], status: &str) -> Result<()> {
    let mut stream = TcpStream::connect(pki)?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 8192];
    for request in requests {
        stream.write_all(request)?;
        let mut read = 0;
        loop {
            let more = stream.read(buffer.get_mut(read..).context("the answer is too long")?)?;
            ensure!(more > 0, "the connection was closed");
            read += more;
            let octets = buffer.get(..read).unwrap_or_default();
            if is_whole(octets)? {
                ensure!(
                    octets.starts_with(format!("HTTP/1.1 {status}").as_bytes()),
                    "{}",
                    octets.escape_ascii()
                );
                // A refusal has five octets.
                ensure!(status != "200" || !octets.ends_with(&[0x0a, 1, 6]), "it is not known");
                break;
            }
        }
    }
    Ok(())
}

fn is_whole(octets: &[u8]) -> Result<bool> {
    let Some(end) = octets.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(octets.get(..end).unwrap_or_default())?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    Ok(octets.len() >= end + 4 + length.context("no length")?.parse::<usize>()?)
}

fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: pki.example.com\r\n\r\n").into_bytes()
}

fn post(der: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /ocsp HTTP/1.1\r\nHost: pki.example.com\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        der.len()
    );
    [head.as_bytes(), der].concat()
}

fn base64(octets: &[u8]) -> String {
    base64url::encode(octets).replace('-', "%2B").replace('_', "%2F")
}

/// What a P-256 signature takes here, in microseconds: one thread, nobody else is asked.
fn signature() -> Result<f64> {
    let key = FileSigner::generate(KeySpec::P256)?;
    key.sign(&SIGNED)?;
    let began = Instant::now();
    for _ in 0..SIGNATURES {
        key.sign(&SIGNED)?;
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(SIGNATURES))
}

impl fmt::Display for OcspReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            empty_us, cached_get_us, cached_post_us, nonce_us, signature_us, first_us, random_us, ..
        } = self;
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "CPU time of the server for a request, {} of each kind, in µs:", self.requests)?;
        writeln!(f, "  a path that has nothing       {empty_us:8.1}")?;
        let against = |it: &f64| it / empty_us;
        writeln!(
            f,
            "  OCSP from the cache, GET      {cached_get_us:8.1}   {:.2} times that",
            against(cached_get_us)
        )?;
        writeln!(
            f,
            "  OCSP from the cache, POST     {cached_post_us:8.1}   {:.2} times that",
            against(cached_post_us)
        )?;
        let more = |it: &f64| it - cached_post_us;
        let beyond = |it: &f64| it - cached_post_us - signature_us;
        writeln!(f, "  a signature alone (P-256)     {signature_us:8.1}")?;
        writeln!(
            f,
            "  OCSP with a nonce             {nonce_us:8.1}   {:.1} more than cached: the signature and {:.1}",
            more(nonce_us),
            beyond(nonce_us)
        )?;
        writeln!(
            f,
            "  OCSP asked for the first time {first_us:8.1}   {:.1} more than cached: the signature and {:.1}",
            more(first_us),
            beyond(first_us)
        )?;
        writeln!(f, "  one of {} at random      {random_us:8.1}", self.serials)?;
        let Self { memory_before_mib, memory_after_mib, serials, .. } = self;
        write!(
            f,
            "Memory: {memory_before_mib:.1} MiB before, {memory_after_mib:.1} MiB with {serials} answers: {:.1} MiB more",
            memory_after_mib - memory_before_mib
        )
    }
}
