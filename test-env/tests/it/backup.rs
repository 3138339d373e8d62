//! `cairn admin backup` and `restore`: an operator's bad day.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cairn_test_env::acme::{Account, Certified, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::harness::run;
use cairn_test_env::port;
use cairn_test_env::site::{Serve, Site};
use challtestsrv::{DnsServer, Zone};
use tokio::task::{JoinSet, block_in_place};
use tokio_util::sync::CancellationToken;

use crate::world::{assert_refused, certificates, dns, es256};

/// A `cairn serve` that validates on this machine.
struct Town {
    site: Site,
    serve: Serve,
    endpoint: Arc<Endpoint>,
    http01: Responder,
    _fake_dns: JoinSet<std::io::Result<()>>,
}

impl Town {
    async fn new() -> Self {
        let zone = Zone::new();
        zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
        let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
        let http_port = port::free().unwrap();
        let site = Site::new().unwrap();
        site.validate_here(fake_dns.local_addr(), http_port).unwrap();
        site.settle("").unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(fake_dns.run(CancellationToken::new()));
        let http01 = Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
        let endpoint = Arc::new(Endpoint::new(&site.directory(), &site.root().unwrap()).unwrap());
        let (serve, _) = Serve::start(&site).unwrap();
        Self { site, serve, endpoint, http01, _fake_dns: tasks }
    }

    async fn client(&self) -> Client {
        Client::connect(Arc::clone(&self.endpoint), &self.site.directory()).await.unwrap()
    }

    async fn certificate(&self, client: &mut Client, account: &Account, names: &[Identifier]) -> Certified {
        let csr = cairn_test_env::acme::CertificateRequest::new(names).unwrap().der;
        certify(client, account, &self.http01, names, &csr).await.unwrap()
    }

    fn admin(&self, command: &[&str]) -> (bool, String) {
        admin(&self.site, command)
    }
}

fn admin(site: &Site, command: &[&str]) -> (bool, String) {
    let config = site.config().display().to_string();
    block_in_place(|| run(&[&["admin"], command, &["--config", &config]].concat())).unwrap()
}

fn leaf(certified: &Certified) -> Vec<u8> {
    certificates(&certified.chain)[0].der().to_vec()
}

fn kept_aside(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.to_string_lossy().contains(".replaced-")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_was_made_under_load_brings_the_ca_back() {
    let town = Town::new().await;
    let mut client = town.client().await;
    let account = client.new_account(es256()).await.unwrap();
    let before = town.certificate(&mut client, &account, &dns(["before.example.com"])).await;

    // Under load: others get certificates all the while.
    let file = town.site.home.path().join("cairn.backup");
    let backup = file.to_str().unwrap();
    let (mut busy, done) = (JoinSet::new(), CancellationToken::new());
    for number in 0..4 {
        let (mut client, http01, done) = (town.client().await, town.http01.clone(), done.clone());
        busy.spawn(async move {
            let account = client.new_account(es256()).await.unwrap();
            let mut issued = 0;
            while !done.is_cancelled() || issued == 0 {
                let names = dns([format!("busy-{number}-{issued}.example.com").as_str()]);
                let csr = cairn_test_env::acme::CertificateRequest::new(&names).unwrap().der;
                certify(&mut client, &account, &http01, &names, &csr).await.unwrap();
                issued += 1;
            }
        });
    }
    let (well, printed) = town.admin(&["backup", "--to", backup]);
    assert!(well && printed.contains("is a good backup"), "{printed}");
    done.cancel();
    while let Some(outcome) = busy.join_next().await {
        outcome.unwrap();
    }
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (well, printed) = town.admin(&["backup", "--to", backup]);
    assert!(!well && printed.contains("nothing is overwritten"), "{printed}");
    let after = town.certificate(&mut client, &account, &dns(["after.example.com"])).await;

    // Not while a server runs, and not in the place of a database that nobody gave up.
    let (well, printed) = town.admin(&["restore", "--from", backup, "--replace"]);
    assert!(!well && printed.contains("in use by another cairn") && printed.contains("stop it"), "{printed}");
    let Town { site, serve, endpoint, http01, _fake_dns } = town;
    block_in_place(|| serve.kill()).unwrap();
    let (well, printed) = admin(&site, &["restore", "--from", backup]);
    assert!(!well && printed.contains("--replace"), "{printed}");
    let (well, printed) = admin(&site, &["restore", "--from", backup, "--replace"]);
    assert!(well && printed.contains("holds the backup") && printed.contains(".replaced-"), "{printed}");
    assert_eq!(fs::metadata(site.path("data/cairn.db")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(kept_aside(&site.path("data")).len(), 1, "one whole file, log and all");

    let (serve, _) = Serve::start(&site).unwrap();
    let town = Town { site, serve, endpoint, http01, _fake_dns };
    let mut client = town.client().await;
    assert_eq!(client.certificate(&account, &before.url).await.unwrap(), before.chain);
    assert_refused(client.certificate(&account, &after.url).await, 404, "malformed");
    town.certificate(&mut client, &account, &dns(["again.example.com"])).await;
    client.revoke((&account).into(), &leaf(&before), None).await.unwrap();
    assert_refused(client.revoke((&account).into(), &leaf(&before), None).await, 400, "alreadyRevoked");

    // The other way round: what was put aside is as good as ever.
    let Town { site, serve, endpoint, http01, _fake_dns } = town;
    block_in_place(|| serve.stop()).unwrap();
    let aside = kept_aside(&site.path("data")).remove(0);
    let (well, printed) = admin(&site, &["restore", "--from", aside.to_str().unwrap(), "--replace"]);
    assert!(well, "{printed}");
    let (serve, _) = Serve::start(&site).unwrap();
    let town = Town { site, serve, endpoint, http01, _fake_dns };
    let mut client = town.client().await;
    assert_eq!(client.certificate(&account, &after.url).await.unwrap(), after.chain);
    block_in_place(|| town.serve.stop()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_not_restored_and_harms_nothing() {
    let site = Site::new().unwrap();
    site.settle("").unwrap();
    let (well, printed) = admin(&site, &["backup", "--to", "nowhere"]);
    assert!(!well && printed.contains("no server has run"), "{printed}");
    let (serve, _) = Serve::start(&site).unwrap();
    block_in_place(|| serve.stop()).unwrap();
    let database = fs::read(site.path("data/cairn.db")).unwrap();

    let backup = site.home.path().join("cairn.backup");
    let from = backup.to_str().unwrap();
    let refusals = ["cannot read", "is empty", "another program", "no backup"];
    for (number, words) in refusals.into_iter().enumerate() {
        match number {
            0 => {}
            1 => fs::write(&backup, "").unwrap(),
            2 => fs::write(&backup, "a letter to the editor ".repeat(100)).unwrap(),
            _ => {
                fs::write(&backup, &database).unwrap();
                fs::write(site.home.path().join("cairn.backup-wal"), "").unwrap();
            }
        }
        let (well, printed) = admin(&site, &["restore", "--from", from, "--replace"]);
        assert!(!well && printed.contains(words), "{words}: {printed}");
    }
    assert_eq!(fs::read(site.path("data/cairn.db")).unwrap(), database);
    let left = fs::read_dir(site.path("data")).unwrap().map(|file| file.unwrap().file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, ["cairn.db", "lock"]);
    let (serve, _) = Serve::start(&site).unwrap();
    block_in_place(|| serve.stop()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresqls_databases_are_left_to_postgresqls_tools() {
    let site = Site::new().unwrap();
    site.settle("\n[sa]\nengine = \"postgres\"\n\n[sa.postgres]\nhost = \"db.example.com\"\n").unwrap();
    for (command, words) in [
        (["backup", "--to", "cairn.dump"], "pg_dump --host db.example.com --port 5432"),
        (["restore", "--from", "cairn.dump"], "pg_restore --host db.example.com --port 5432"),
    ] {
        let (well, printed) = admin(&site, &command);
        assert!(!well && printed.contains(words), "{printed}");
    }
}
