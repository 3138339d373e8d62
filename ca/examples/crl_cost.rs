//! What a long CRL costs: the real loop over a real storage makes one of so many revoked certificates, and says how much CPU time and memory
//! that took. docs/PERFORMANCE.md tells how to run it.
//!
//! ```sh
//! cargo run --release --example crl_cost -- 100000
//! CAIRN_CRL_POSTGRES=/run/postgresql:5432:cairn_bench cargo run --release --example crl_cost -- 1000000
//! ```
//!
//! On SQLite the whole storage is in this process and counted. On PostgreSQL (a socket's folder, a port and an empty database, whose owner
//! is whoever runs this) it is the client's side.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for developers, which may fail loudly and says what it found"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use cairn_ca::{Ca, Config, Crls, Issuer};
use cairn_core::api::Storage;
use cairn_core::time::{FakeClock, SystemClock};
use cairn_core::{Clock, CrlKind, CrlShard, IssuerId, ShardId, SystemRandom};
use cairn_sa::{Credentials, Engine, PostgresStorage, SqliteStorage};
use cairn_x509::{FileSigner, KeySpec, Name, RootInputs, Signer, Validity, root};

#[tokio::main]
async fn main() {
    let count: u64 = std::env::args().nth(1).and_then(|count| count.parse().ok()).expect("how many entries?");
    let folder = tempfile::tempdir().unwrap();
    let now = SystemClock.now();
    let clock = Arc::new(FakeClock::new(now));
    let key = FileSigner::generate(KeySpec::P256).unwrap();
    let inputs = RootInputs {
        serial: &[1; 16],
        validity: Validity { not_before: now.unix() - 10, not_after: now.unix() + 400_000_000 },
        public_key: key.public_key(),
        subject: &Name::new("Benchmark", None).unwrap(),
        digital_signature: false,
    };
    let certificate = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
    let issuer: [u8; 20] = certificate.subject_key_identifier().unwrap().try_into().unwrap();
    let pem = certificate.to_pem();
    let signer = Issuer::load(&pem, &pem, Box::new(key), now).unwrap();

    let storage = open(folder.path(), &issuer, count, now.unix()).await;
    let config: Config = Config { pki_url: Some("http://pki.example".parse().unwrap()), ..Config::default() };
    let ca = Ca::new(config, signer, storage.clone(), clock.clone(), Arc::new(SystemRandom)).unwrap();
    let crls = Crls::new(Arc::new(ca), storage.clone()).unwrap();

    let shard = ShardId { issuer: IssuerId::from_bytes(issuer), shard: CrlShard::new(0) };
    // The storage has answered and stored something before: that is idle.
    storage.revoked(shard, None, 1000).await.unwrap();
    let idle = status("VmRSS:");
    for round in 1..=3 {
        // The highest so far is forgotten.
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (began, cpu) = (std::time::Instant::now(), cpu_millis());
        crls.round().await.unwrap();
        let (took, cpu) = (began.elapsed(), cpu_millis() - cpu);
        let head = storage.latest_crl(shard, CrlKind::Complete).await.unwrap().unwrap();
        let above = status("VmHWM:").saturating_sub(idle);
        println!(
            "round {round}: {} entries, {} octets; CPU {cpu} ms, {} ms in all; {above} KiB above the {idle} KiB when idle",
            head.entries,
            head.length,
            took.as_millis(),
        );
        clock.advance(3600);
    }
}

/// A storage with `count` revocations in one shard.
async fn open(folder: &Path, issuer: &[u8; 20], count: u64, now: i64) -> Arc<dyn Storage> {
    let issuer: String = issuer.iter().map(|octet| format!("{octet:02x}")).collect();
    let end = now + 300_000_000;
    let mut config = cairn_sa::Config::default();
    let Ok(place) = std::env::var("CAIRN_CRL_POSTGRES") else {
        config.path = folder.join("cairn.db");
        SqliteStorage::open(&config).unwrap().close().await;
        let sql = format!(
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count}) \
             INSERT INTO revocations SELECT cast(x'01' || randomblob(15) AS BLOB), x'{issuer}', 0, {end}, {now}, 4, i FROM n"
        );
        assert!(Command::new("sqlite3").arg(&config.path).arg(sql).status().unwrap().success());
        return Arc::new(SqliteStorage::open(&config).unwrap());
    };
    let [host, port, database] =
        place.split(':').collect::<Vec<_>>().try_into().expect("folder:port:database");
    let user = String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    config.engine = Engine::Postgres;
    config.postgres.host = host.to_owned();
    config.postgres.port = port.parse().unwrap();
    config.postgres.database = database.to_owned();
    config.postgres.user = user.trim().to_owned();
    PostgresStorage::open(&config, &Credentials::default()).await.unwrap().close().await;
    let sql = format!(
        "INSERT INTO revocations SELECT '\\x01' || substr(sha256(int8send(i)), 1, 15), '\\x{issuer}', 0, {end}, {now}, 4, i \
         FROM generate_series(1, {count}) i"
    );
    let psql = [sql.as_str(), "VACUUM ANALYZE revocations"];
    let psql = Command::new("psql")
        .args(["-q", "-h", host, "-p", port, "-d", database])
        .args(psql.map(|sql| format!("-c{sql}")))
        .status();
    assert!(psql.unwrap().success());
    Arc::new(PostgresStorage::open(&config, &Credentials::default()).await.unwrap())
}

/// KiB.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Of all threads.
fn cpu_millis() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let nanos = threads.map(|thread| {
        let schedstat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        schedstat.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    nanos.sum::<u64>() / 1_000_000
}
