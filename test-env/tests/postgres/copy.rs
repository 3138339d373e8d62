//! `cairn admin db copy`: a CA that began on SQLite goes on on PostgreSQL, and its clients notice nothing.

use std::sync::Arc;

use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use cairn_test_env::acme::{CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::harness::run;
use cairn_test_env::postgres::{PASSWORD, Server, USER};
use cairn_test_env::site::{Serve, Site};
use tokio::task::block_in_place;

fn copy(site: &Site, to: &[&str]) -> (bool, String) {
    let from = format!("sqlite:{}", site.path("data/cairn.db").display());
    block_in_place(|| run(&[&["admin", "db", "copy", "--from", &from], to].concat())).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_sqlites_days_renews_on_postgresql() {
    let server = block_in_place(|| Server::start(&[])).unwrap();
    server.create_database("cairn").unwrap();
    let site = Site::new().unwrap();
    let subscribers = site.validate_for_real().await.unwrap();
    site.settle("").unwrap();
    let directory = site.directory();
    let endpoint = Arc::new(Endpoint::new(&directory, &site.root().unwrap()).unwrap());

    let (serve, _) = Serve::start(&site).unwrap();
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    let account = client.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
    let identifiers = ["www.example.com", "example.com"].map(Identifier::dns);
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    let first = certify(&mut client, &account, &subscribers.http01, &identifiers, &csr).await.unwrap();

    let password = site.password_file().unwrap();
    let to = format!("postgres://{USER}@127.0.0.1:{}/cairn?sslmode=disable", server.port());
    let to = ["--to", &to, "--password-file", password.to_str().unwrap()];
    let (well, printed) = copy(&site, &to);
    assert!(!well && printed.contains("in use by another cairn") && printed.contains("stop it"), "{printed}");
    block_in_place(|| serve.kill()).unwrap();
    let site_config = site.config().display().to_string();
    let db =
        |command: &str| block_in_place(|| run(&["admin", "db", command, "--config", &site_config])).unwrap();
    let (well, printed) = db("migrate");
    assert!(well && printed.contains("up to date"), "{printed}");
    let (well, printed) = copy(&site, &to);
    assert!(well && printed.contains("accounts") && printed.contains("SHA-256"), "{printed}");
    let (well, printed) = copy(&site, &to);
    assert!(!well && printed.contains("is not empty"), "{printed}");

    site.keep_in(&server).unwrap();
    let (well, printed) = db("migrate");
    assert!(well && printed.contains("up to date"), "{printed}");
    let (well, printed) = db("roles");
    assert!(well && printed.contains("\"cairn_sa\""), "{printed}");
    server.sql("cairn", &printed).unwrap();
    let (serve, _) = Serve::start(&site).unwrap();
    let config = site.config().display().to_string();
    let (well, printed) = copy(&site, &["--to-config", &config]);
    assert!(!well && printed.contains("in use by another cairn"), "{printed}");
    assert!(!printed.contains(PASSWORD), "{printed}");

    let mut client = Client::connect(endpoint, &directory).await.unwrap();
    assert_eq!(client.certificate(&account, &first.url).await.unwrap(), first.chain);
    let renewed = certify(&mut client, &account, &subscribers.http01, &identifiers, &csr).await.unwrap();
    assert_ne!(renewed.chain, first.chain);
    assert_eq!(server.sql("cairn", "SELECT count(*) FROM accounts").unwrap(), "1");
    block_in_place(|| serve.stop()).unwrap();
}
