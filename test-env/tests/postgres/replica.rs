//! `sa.postgres.replica`: clients are answered from a standby, never find less there than they were told, and notice nothing when it is
//! gone.

use std::sync::Arc;

use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::postgres::Server;
use cairn_test_env::site::Serve;
use tokio::task::block_in_place;
use tokio::time::timeout;

use crate::{PATIENCE, site};

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_answered_from_a_standby_and_go_on_without_it() {
    let primary = block_in_place(|| Server::start(&["max_connections=50"])).unwrap();
    primary.create_database("cairn").unwrap();
    let mut standby = block_in_place(|| primary.standby()).unwrap();
    let site = site(&primary);
    site.replace(
        "tls = \"disable\"",
        &format!("tls = \"disable\"\nreplica = \"127.0.0.1:{}\"", standby.port()),
    )
    .unwrap();
    let subscribers = site.validate_for_real().await.unwrap();
    let directory = site.directory();
    let endpoint = Arc::new(Endpoint::new(&directory, &site.root().unwrap()).unwrap());

    let (serve, _) = Serve::start(&site).unwrap();
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let identifiers = ["www.example.com", "example.com"].map(Identifier::dns);
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    // Each step asks for what the one before was told.
    let certified = certify(&mut client, &account, &subscribers.http01, &identifiers, &csr).await.unwrap();

    // A standby counts the reads that it answers itself, and no others.
    let scans = || {
        let sql = "SELECT sum(idx_scan) FROM pg_stat_user_indexes";
        block_in_place(|| standby.sql("cairn", sql)).unwrap()
    };
    let before = scans();
    let counted = async {
        while scans() == before {
            assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
        }
    };
    timeout(PATIENCE, counted).await.expect("the standby is not read");

    // Commits wait for it no more, as when an operator has given it up; and then it is gone.
    for sql in ["ALTER SYSTEM SET synchronous_standby_names = ''", "SELECT pg_reload_conf()"] {
        primary.sql("cairn", sql).unwrap();
    }
    block_in_place(|| standby.kill()).unwrap();
    assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
    let renewed = certify(&mut client, &account, &subscribers.http01, &identifiers, &csr).await.unwrap();
    assert_ne!(renewed.chain, certified.chain);
    block_in_place(|| serve.stop()).unwrap();
}
