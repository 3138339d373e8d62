//! Upgrading, and going back: the program before, which knows the schema up to the last step but one, lives with the newest schema.
//! `./test-env/test upgrade` builds it from the commit before the newest migration.

// Redundant to the compiler; it tells clippy that the functions in here are test code too.
#![cfg(test)]

use std::sync::Arc;
use std::time::Duration;

use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use cairn_test_env::acme::{Account, CertificateRequest, Certified, Client, Endpoint, Identifier, certify};
use cairn_test_env::harness::Binary;
use cairn_test_env::invariants::{self, Database, Limits};
use cairn_test_env::ledger::Entry;
use cairn_test_env::postgres::{Server, USER};
use cairn_test_env::site::{Serve, Site, Subscribers};
use tokio::task::block_in_place;

/// A CA that the program before has made, and a subscriber of it.
struct World {
    site: Site,
    before: Binary,
    after: Binary,
    subscribers: Subscribers,
}

/// What a subscriber has.
struct Subscriber {
    account: Account,
    certificates: Vec<Certified>,
}

impl World {
    async fn new() -> Self {
        let (before, after) = (Binary::previous().unwrap(), Binary::under_test().unwrap());
        let site = block_in_place(|| Site::made_by(&before)).unwrap();
        let subscribers = site.validate_for_real().await.unwrap();
        site.settle("").unwrap();
        Self { site, before, after, subscribers }
    }

    fn start(&self, binary: &Binary) -> Serve {
        block_in_place(|| Serve::start_of(binary, &self.site)).unwrap().0
    }

    async fn client(&self) -> Client {
        let directory = self.site.directory();
        let endpoint = Endpoint::new(&directory, &self.site.root().unwrap()).unwrap();
        Client::connect(Arc::new(endpoint), &directory).await.unwrap()
    }

    async fn subscribe(&self) -> Subscriber {
        let account =
            self.client().await.new_account(SigningKey::generate(Algorithm::Es256).unwrap()).await.unwrap();
        Subscriber { account, certificates: Vec::new() }
    }

    /// Finds everything that was certified before, revokes the last of it, and gets one certificate more.
    async fn use_it(&self, subscriber: &mut Subscriber) {
        let mut client = self.client().await;
        if let Some(last) = subscriber.certificates.last() {
            let leaf = Entry::try_from(last).unwrap().leaf;
            client.revoke((&subscriber.account).into(), &leaf, None).await.unwrap();
        }
        for certified in &subscriber.certificates {
            let found = client.certificate(&subscriber.account, &certified.url).await.unwrap();
            assert_eq!(found, certified.chain);
        }
        let identifiers = ["www.example.com", "example.com"].map(Identifier::dns);
        let csr = CertificateRequest::new(&identifiers).unwrap().der;
        let account = &subscriber.account;
        let next = certify(&mut client, account, &self.subscribers.http01, &identifiers, &csr).await.unwrap();
        subscriber.certificates.push(next);
    }

    /// What `cairn admin db migrate` says.
    fn migrate(&self, binary: &Binary) -> String {
        let config = self.site.config().display().to_string();
        let migrated = block_in_place(|| binary.run(&["admin", "db", "migrate", "--config", &config]));
        let (well, printed) = migrated.unwrap();
        assert!(well, "{printed}");
        printed
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_the_program_before_works_on_the_newest_schema() {
    let world = World::new().await;
    let serve = world.start(&world.before);
    let mut subscriber = world.subscribe().await;
    world.use_it(&mut subscriber).await;
    block_in_place(|| serve.stop()).unwrap();

    // The upgrade, and the way back from it.
    for binary in [&world.after, &world.before, &world.after] {
        world.migrate(binary);
        let serve = world.start(binary);
        world.use_it(&mut subscriber).await;
        block_in_place(|| serve.stop()).unwrap();
    }
    assert_eq!(subscriber.certificates.len(), 4);
    everything_holds(&Database::Sqlite(world.site.path("data/cairn.db")), &subscriber);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_postgresql_the_program_before_works_on_while_the_schema_is_brought_up_to_date() {
    let server = block_in_place(|| Server::start(&[])).unwrap();
    server.create_database("cairn").unwrap();
    let newest = || server.sql("cairn", "SELECT max(version) FROM schema_version").unwrap();
    let world = World::new().await;
    world.site.keep_in(&server).unwrap();
    let serve = world.start(&world.before);
    let old = newest();
    let mut subscriber = world.subscribe().await;
    world.use_it(&mut subscriber).await;

    let printed = world.migrate(&world.after);
    assert_ne!(newest(), old, "{printed}");
    world.use_it(&mut subscriber).await;
    block_in_place(|| serve.stop()).unwrap();
    for binary in [&world.before, &world.after, &world.before] {
        let serve = world.start(binary);
        world.use_it(&mut subscriber).await;
        block_in_place(|| serve.stop()).unwrap();
    }
    assert_eq!(subscriber.certificates.len(), 5);
    let connection =
        format!("host={} port={} user={USER} dbname=cairn", server.socket_folder().display(), server.port());
    everything_holds(&Database::Postgres(connection), &subscriber);
}

/// Whichever program issued or revoked it: also what the program before knows nothing of is as it must be.
fn everything_holds(database: &Database, subscriber: &Subscriber) {
    let given: Vec<Entry> = subscriber.certificates.iter().map(|it| Entry::try_from(it).unwrap()).collect();
    let limits = Limits { processing: Duration::ZERO, given_up: false };
    let report = block_in_place(|| invariants::check(database, limits, Some(&given))).unwrap();
    assert!(report.holds(), "{report}");
    let revocations = format!("({} revocations)", subscriber.certificates.len() - 1);
    assert!(report.to_string().contains(&revocations), "{report}");
}
