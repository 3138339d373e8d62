//! A CA for real use whose clock can be turned, and what its clients were told.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, Client, Endpoint};
use cairn_test_env::harness::{self, Binary};
use cairn_test_env::port;
use cairn_test_env::postgres::Server;
use cairn_test_env::site::{Serve, Site, Subscribers};
use cairn_test_env::turned_clock::TurnedClock;
use cairn_x509::Certificate;
use serde_json::Value;
use tokio::task::block_in_place;

/// How long subscribers' certificates are valid: so short that a history sees many end.
const LIFETIME: &str = "20d";

/// What is known of a revocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Nobody has asked for one.
    Nothing,
    /// It was acknowledged.
    Revoked,
    /// It was asked for, and no answer came.
    Asked,
}

/// A certificate that a client was given.
pub(crate) struct Known {
    pub(crate) certificate: Certificate,
    pub(crate) account: usize,
    /// Its private key, PKCS#8.
    pub(crate) key: Vec<u8>,
    pub(crate) told: Told,
    /// Whether it is part of an incident.
    pub(crate) hurried: bool,
}

pub(crate) struct World {
    pub(crate) site: Site,
    pub(crate) clock: TurnedClock,
    pub(crate) subscribers: Subscribers,
    pub(crate) issuer: Certificate,
    pub(crate) accounts: Vec<Arc<Account>>,
    pub(crate) known: Vec<Known>,
    /// Of each URL the highest CRL number that was seen there.
    pub(crate) numbers: std::collections::BTreeMap<String, u64>,
    pub(crate) names: u32,
    serve: Option<Serve>,
    root: String,
    _database: Option<Server>,
}

impl World {
    /// On SQLite, or in a database of `server`.
    pub(crate) async fn new(server: Option<Server>) -> Self {
        let site = Site::new().unwrap();
        site.settle(&format!("\n[admin]\nsocket = \"{}\"\n", site.home.path().join("admin").display()))
            .unwrap();
        let pki = format!("127.0.0.1:{}", port::free().unwrap());
        site.replace("listen = [\"127.0.0.1:0\"]\n\n[issuer]", &format!("listen = [\"{pki}\"]\n\n[issuer]"))
            .unwrap();
        let publication = format!("pki_url = \"http://{pki}\"\ncrl = {{ shards = 3 }}");
        site.replace("# pki_url = \"http://pki.example.com\"", &publication).unwrap();
        site.replace("lifetime = \"90d\"", &format!("lifetime = \"{LIFETIME}\"")).unwrap();
        let subscribers = site.validate_for_real().await.unwrap();
        if let Some(server) = &server {
            server.create_database("cairn").unwrap();
            site.keep_in(server).unwrap();
        }
        let issuer = fs::read_to_string(site.path("intermediate.pem")).unwrap();
        let mut world = Self {
            clock: TurnedClock::new().unwrap(),
            subscribers,
            issuer: Certificate::from_pem(&issuer).unwrap(),
            accounts: Vec::new(),
            known: Vec::new(),
            numbers: std::collections::BTreeMap::new(),
            names: 0,
            serve: None,
            root: site.root().unwrap(),
            site,
            _database: server,
        };
        world.start();
        for _ in 0..3 {
            let key = SigningKey::generate(Algorithm::Es256).unwrap();
            let account = world.client().await.new_account(key).await.unwrap();
            world.accounts.push(Arc::new(account));
        }
        world
    }

    pub(crate) fn start(&mut self) {
        let binary = Binary::under_test().unwrap();
        let environment = self.clock.environment();
        let (serve, _) = block_in_place(|| Serve::start_in(&binary, &self.site, &environment)).unwrap();
        self.serve = Some(serve);
    }

    /// As a power cut would.
    pub(crate) fn kill(&mut self) {
        block_in_place(|| self.serve.take().unwrap().kill()).unwrap();
    }

    pub(crate) async fn client(&self) -> Client {
        self.endpoint().connect().await
    }

    /// How clients reach it.
    pub(crate) fn endpoint(&self) -> Reach {
        let (directory, clock) = (self.site.directory(), Arc::new(self.clock.clone()));
        let endpoint = Endpoint::by_clock(&directory, &self.root, clock).unwrap();
        Reach { directory, endpoint: Arc::new(endpoint) }
    }

    /// What an operator is shown of a certificate.
    pub(crate) fn shown(&self, serial: &str) -> Value {
        let printed = self.admin(&["certificate", "show", serial, "--json"]);
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
    }

    /// What `cairn admin` says.
    pub(crate) fn admin(&self, command: &[&str]) -> String {
        let socket: PathBuf = self.site.home.path().join("admin");
        let socket = socket.display().to_string();
        let way = ["--operator", "alice", "--socket", &socket];
        let (well, printed) = block_in_place(|| harness::run(&[&["admin"], command, &way].concat())).unwrap();
        assert!(well, "{command:?}: {printed}");
        printed
    }

    pub(crate) async fn end(mut self) {
        let serve = self.serve.take().unwrap();
        block_in_place(|| serve.stop()).unwrap();
    }
}

/// How a client reaches the CA.
#[derive(Clone)]
pub(crate) struct Reach {
    directory: String,
    endpoint: Arc<Endpoint>,
}

impl Reach {
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(Arc::clone(&self.endpoint), &self.directory).await.unwrap()
    }

    /// Unless there is nobody.
    pub(crate) async fn try_connect(&self) -> Option<Client> {
        Client::connect(Arc::clone(&self.endpoint), &self.directory).await.ok()
    }
}

/// In hexadecimal.
pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
