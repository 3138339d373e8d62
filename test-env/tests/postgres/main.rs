//! `cairn serve` on a PostgreSQL server of the tests' own, which `./test-env/test postgres` installs the programs of.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

mod copy;
mod replica;

use std::sync::Arc;
use std::time::Duration;

use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::port;
use cairn_test_env::postgres::Server;
use cairn_test_env::site::{Serve, Site};
use cairn_test_env::wait;
use challtestsrv::{DnsServer, Zone};
use tokio::task::{JoinSet, block_in_place};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// Far longer than anything here takes; it only ends a test that has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A CA on this machine whose database is on that server.
fn site(server: &Server) -> Site {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    site.keep_in(server).unwrap();
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn serve_issues_from_postgresql_and_keeps_everything_over_restarts_of_both() {
    let mut server = block_in_place(|| Server::start(&[])).unwrap();
    server.create_database("cairn").unwrap();
    let (zone, stop) = (Zone::new(), CancellationToken::new());
    zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
    let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
    let http_port = port::free().unwrap();
    let site = site(&server);
    site.validate_here(fake_dns.local_addr(), http_port).unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(fake_dns.run(stop.clone()));
    let http01 = Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
    let directory = site.directory();
    let endpoint = Arc::new(Endpoint::new(&directory, &site.root().unwrap()).unwrap());

    let (well, printed) = site.judge("check-config").unwrap();
    assert!(well, "{printed}");
    let (serve, _) = Serve::start(&site).unwrap();
    assert!(!site.path("data").exists(), "nothing is kept in files");
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let identifiers = ["www.example.com", "example.com"].map(Identifier::dns);
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    let first = certify(&mut client, &account, &http01, &identifiers, &csr).await.unwrap();
    let stored = "SELECT count(*) FROM certificates WHERE order_id IS NOT NULL";
    assert_eq!(server.sql("cairn", stored).unwrap(), "1");

    // Killed, and started again at once on what it has stored.
    serve.kill().unwrap();
    let (serve, _) = Serve::start(&site).unwrap();
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    assert_eq!(client.certificate(&account, &first.url).await.unwrap(), first.chain);

    // The same for the database, while the CA runs on.
    block_in_place(|| server.kill()).unwrap();
    assert!(client.certificate(&account, &first.url).await.is_err(), "nobody can know it now");
    block_in_place(|| server.restart()).unwrap();
    let recovered = async {
        loop {
            if let Ok(second) = certify(&mut client, &account, &http01, &identifiers, &csr).await {
                break second;
            }
        }
    };
    let second = timeout(PATIENCE, recovered).await.expect("it did not recover");
    assert_eq!(client.certificate(&account, &first.url).await.unwrap(), first.chain);
    assert_ne!(second.chain, first.chain);
    assert_eq!(server.sql("cairn", stored).unwrap(), "2");
    block_in_place(|| serve.stop()).unwrap();
    stop.cancel();
}

#[test]
fn two_servers_share_a_database() {
    let server = Server::start(&[]).unwrap();
    server.create_database("cairn").unwrap();
    let (first, second) = (site(&server), site(&server));
    let (one, _) = Serve::start(&first).unwrap();
    let (two, _) = Serve::start(&second).unwrap();
    let workers = "SELECT count(*) FROM workers";
    wait::until("both to give signs of life", PATIENCE, || {
        Ok((server.sql("cairn", workers)? == "2").then_some(()))
    })
    .unwrap();
    one.stop().unwrap();
    assert_eq!(server.sql("cairn", workers).unwrap(), "1", "who ends in order leaves no lease");
    two.stop().unwrap();
}
