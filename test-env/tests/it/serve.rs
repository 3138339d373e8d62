//! `cairn init`, `check-config` and `serve`: a CA for real use, from its first day.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use cairn_test_env::acme::{Client, Endpoint};
use cairn_test_env::challenges::Http01;
use cairn_test_env::harness::Cairn;
use cairn_test_env::port;
use cairn_test_env::site::{Serve, Site};
use challtestsrv::{DnsServer, Zone};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::process::run;
use crate::world::{dns, es256, names, verified_leaf};

/// `check-config` and `serve` both refuse, with these words.
fn assert_refused(site: &Site, words: &[&str]) {
    for subcommand in ["check-config", "serve"] {
        let (well, printed) = site.judge(subcommand).unwrap();
        assert!(!well, "{subcommand}: {printed}");
        for word in words {
            assert!(printed.contains(word), "{subcommand}: \"{word}\" is missing in: {printed}");
        }
    }
    assert!(!site.path("data").exists(), "who refuses makes nothing");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn init_makes_encrypted_keys_that_only_their_owner_can_read_and_shows_the_roots_passphrase() {
    let site = Site::new().unwrap();
    for private in ["intermediate-key.pem", "intermediate-key.passphrase", "root-offline/root-key.pem"] {
        assert_eq!(mode(&site.path(private)), 0o600, "{private}");
    }
    for key in ["intermediate-key.pem", "root-offline/root-key.pem"] {
        let pem = fs::read_to_string(site.path(key)).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}");
    }
    let (well, printed) = site.judge("check-config").unwrap();
    assert!(well && printed.contains("is good"), "{printed}");
    let printed_passphrase = site.printed.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
    let kept = fs::read_to_string(site.path("intermediate-key.passphrase")).unwrap();
    assert_ne!(printed_passphrase, kept.trim_end());

    // A second init harms nothing.
    let root = fs::read(site.path("root.pem")).unwrap();
    let out = site.home.path().join("ca");
    let (well, printed) = run(&["init", "--name", "Example", "--out", out.to_str().unwrap()]);
    assert!(!well, "{printed}");
    assert_eq!(fs::read(site.path("root.pem")).unwrap(), root);
}

#[tokio::test]
async fn serve_issues_with_the_root_offline_and_keeps_everything_over_a_restart() {
    let (zone, stop) = (Zone::new(), CancellationToken::new());
    zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
    let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
    let http_port = port::free().unwrap();
    let site = Site::new().unwrap();
    site.validate_here(fake_dns.local_addr(), http_port).unwrap();
    site.settle("").unwrap();
    fs::rename(site.path("root-offline"), site.home.path().join("safe")).unwrap();

    let mut tasks = JoinSet::new();
    tasks.spawn(fake_dns.run(stop.clone()));
    let http01 =
        cairn_test_env::challenges::Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
    let (root, directory) = (site.root().unwrap(), site.directory());
    let endpoint = Arc::new(Endpoint::new(&directory, &root).unwrap());

    let (serve, ready) = Serve::start(&site).unwrap();
    assert_eq!(ready["directory"], directory.as_str());
    let mut client = Client::connect(Arc::clone(&endpoint), &directory).await.unwrap();
    let account = client.new_account(es256()).await.unwrap();
    let identifiers = dns(["www.example.com"]);
    let csr = cairn_test_env::acme::CertificateRequest::new(&identifiers).unwrap().der;
    let certified =
        cairn_test_env::acme::certify(&mut client, &account, &http01, &identifiers, &csr).await.unwrap();
    assert_eq!(names(&verified_leaf(&certified.chain, &root)), ["www.example.com"]);
    serve.stop().unwrap();

    let (serve, _) = Serve::start(&site).unwrap();
    let mut client = Client::connect(endpoint, &directory).await.unwrap();
    assert_eq!(client.certificate(&account, &certified.url).await.unwrap(), certified.chain);
    serve.stop().unwrap();
    stop.cancel();
}

#[test]
fn secrets_that_others_can_read_are_refused() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    let passphrase = site.path("intermediate-key.passphrase");
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&site, &["issuer.key", "intermediate-key.passphrase", "600"]);
}

#[test]
fn a_wrong_passphrase_is_refused() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    fs::write(site.path("intermediate-key.passphrase"), "open sesame, please\n").unwrap();
    assert_refused(&site, &["issuer.key", "intermediate-key.pem"]);
}

#[test]
fn a_development_hierarchy_is_refused() {
    let stopped = Cairn::dev().start().unwrap().stop().unwrap();
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    for (ours, theirs) in [
        ("root.pem", "root.pem"),
        ("intermediate.pem", "ca/intermediate.pem"),
        ("intermediate-key.pem", "ca/intermediate-key.pem"),
    ] {
        fs::copy(stopped.data_dir().unwrap().join(theirs), site.path(ours)).unwrap();
    }
    site.replace("passphrase_file", "# passphrase_file").unwrap();
    assert_refused(&site, &["cairn dev", "cairn init"]);
}

#[test]
fn a_bad_configuration_is_refused_with_everything_that_is_wrong() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    site.replace("lifetime = \"90d\"", "lifetime = \"ninety days\"").unwrap();
    assert_refused(&site, &["cairn.toml", "lifetime"]);
    site.replace("lifetime = \"ninety days\"", "life_time = \"90d\"").unwrap();
    assert_refused(&site, &["cairn.toml", "life_time"]);
    site.replace("life_time", "lifetime").unwrap();
    site.replace("root = \"root.pem\"", "root = \"missing.pem\"").unwrap();
    site.replace("[management]", "[ra]\nmax_identifiers = 0\n\n[management]").unwrap();
    // Both, not only the first.
    assert_refused(&site, &["issuer.root", "missing.pem", "max_identifiers"]);

    let (well, printed) = run(&["serve", "--config", site.path("nowhere.toml").to_str().unwrap()]);
    assert!(!well && printed.contains("nowhere.toml"), "{printed}");
}

#[test]
fn a_database_server_is_judged_without_asking_it() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    site.replace("data_dir = \"data\"", "# no data_dir").unwrap();
    assert_refused(&site, &["data_dir", "missing"]);
    // A database server needs no folder.
    let section =
        "\n[sa.postgres]\nhost = \"db.example.com\"\npassword_file = \"db.password\"\nconnections = 8\n";
    let mut text = fs::read_to_string(site.config()).unwrap();
    text.push_str(section);
    fs::write(site.config(), text).unwrap();
    assert_refused(&site, &["[sa]", "engine = \"postgres\""]);
    site.replace("[sa.postgres]", "[sa]\nengine = \"postgres\"\n[sa.postgres]").unwrap();
    assert_refused(&site, &["[sa.postgres]", "db.password"]);
    let password = site.path("db.password");
    fs::write(&password, "open sesame\n").unwrap();
    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    assert_refused(&site, &["[sa.postgres]", "db.password", "600"]);
    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let (well, printed) = site.judge("check-config").unwrap();
    assert!(well, "{printed}");
    site.replace(
        "connections = 8",
        "connections = 8\nroot_certificate = \"root.pem\"\nstatement_timeout = \"1ms\"",
    )
    .unwrap();
    assert_refused(&site, &["[sa]", "postgres.statement_timeout"]);
}
