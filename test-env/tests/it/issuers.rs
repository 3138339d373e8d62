//! Several issuers: the hierarchy folder of a running `cairn serve`, and the chains that clients get.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use cairn_test_env::acme::{Account, CertificateRequest, Client, Connection, Endpoint, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::site::{Serve, Site};
use cairn_test_env::{port, wait};
use cairn_x509::{
    CaProfile, Certificate, CrossInputs, FileSigner, IntermediateInputs, KeySpec, Name, RootInputs, Signer,
    Urls, Validity, cross_certificate, intermediate, root,
};
use challtestsrv::{DnsServer, Zone};
use http::Request;
use http_body_util::Full;
use tokio::task::{JoinSet, spawn_blocking};
use tokio_util::sync::CancellationToken;

use crate::world::{PATIENCE, World, certificates, dns, es256, verified_leaf};

/// A site with a hierarchy folder, and the root's key out of its safe.
struct Hierarchy {
    site: Site,
    root: Certificate,
    root_key: FileSigner,
}

impl Hierarchy {
    fn new() -> Self {
        let site = Site::new().unwrap();
        let passphrase = site.printed.lines().find_map(|line| line.strip_prefix("    ")).unwrap();
        let key = fs::read_to_string(site.path("root-offline/root-key.pem")).unwrap();
        let root_key = FileSigner::from_pem(&key, Some(passphrase.as_bytes())).unwrap();
        let root = Certificate::from_pem(&site.root().unwrap()).unwrap();
        Self { site, root, root_key }
    }

    /// As long as the intermediate that is there.
    fn validity(&self) -> Validity {
        Certificate::from_pem(&fs::read_to_string(self.site.path("intermediate.pem")).unwrap())
            .unwrap()
            .validity()
    }

    /// Makes another intermediate below the root, and has it appear in the folder.
    fn install(&self, name: &str, key: KeySpec) -> Certificate {
        let key = FileSigner::generate(key).unwrap();
        let inputs = IntermediateInputs {
            serial: &[7; 16],
            validity: self.validity(),
            public_key: key.public_key(),
            subject: &Name::new(name, Some("Example")).unwrap(),
            urls: Urls::default(),
        };
        let tbs = intermediate(&CaProfile::for_tls(), &self.root, self.root_key.algorithm(), inputs).unwrap();
        let certificate = tbs.sign(&self.root_key).unwrap();
        let unfinished = self.site.path(&format!("hierarchy/issuers/.{name}"));
        fs::create_dir_all(&unfinished).unwrap();
        write(&unfinished.join("certificate.pem"), &certificate.to_pem());
        write(&unfinished.join("key.pem"), &key.to_pkcs8_pem(None).unwrap());
        write(&unfinished.join("issuer.toml"), "key = \"key.pem\"\n");
        fs::rename(unfinished, self.site.path(&format!("hierarchy/issuers/{name}"))).unwrap();
        certificate
    }

    /// Another root, which vouches for ours.
    fn cross_certify(&self) -> (Certificate, Certificate) {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let inputs = RootInputs {
            serial: &[8; 16],
            validity: self.validity(),
            public_key: key.public_key(),
            subject: &Name::new("Old Root", None).unwrap(),
            digital_signature: false,
        };
        let old = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        let inputs = CrossInputs {
            serial: &[9; 16],
            validity: self.validity(),
            existing: &self.root,
            urls: Urls::default(),
        };
        let profile = CaProfile { path_len: Some(1), ..CaProfile::for_tls() };
        let cross = cross_certificate(&profile, &old, key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        fs::create_dir_all(self.site.path("hierarchy/certificates")).unwrap();
        let ended = RootInputs {
            serial: &[10; 16],
            validity: Validity { not_before: 0, not_after: 1 },
            public_key: key.public_key(),
            subject: &Name::new("Ended Root", None).unwrap(),
            digital_signature: false,
        };
        let ended = root(key.algorithm(), ended).unwrap().sign(&key).unwrap();
        write(&self.site.path("hierarchy/certificates/ended.pem"), &ended.to_pem());
        write(&self.site.path("hierarchy/certificates/old-root.pem"), &old.to_pem());
        write(&self.site.path("hierarchy/certificates/cross.pem"), &cross.to_pem());
        (old, cross)
    }
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// A client, and what answers its challenges.
struct Subscriber {
    client: Client,
    account: Account,
    http01: Responder,
    root: String,
}

impl Subscriber {
    /// A certificate for a key of this kind: the intermediate that signed it.
    async fn issuer_for(&mut self, key: KeySpec) -> Certificate {
        let identifiers = dns(["www.example.com"]);
        let key = FileSigner::generate(key).unwrap().to_pkcs8_pem(None).unwrap();
        let csr = CertificateRequest::with_key(&identifiers, &key).unwrap().der;
        let Self { client, account, http01, root } = self;
        let certified = certify(client, account, http01, &identifiers, &csr).await.unwrap();
        verified_leaf(&certified.chain, root);
        certificates(&certified.chain).swap_remove(1)
    }
}

#[tokio::test]
async fn an_issuer_that_is_put_into_the_folder_is_used_without_a_restart_and_a_broken_one_harms_nothing() {
    let (zone, stop) = (Zone::new(), CancellationToken::new());
    zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
    let fake_dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await.unwrap();
    let http_port = port::free().unwrap();
    let hierarchy = Hierarchy::new();
    let (old_root, cross) = hierarchy.cross_certify();
    hierarchy.site.validate_here(fake_dns.local_addr(), http_port).unwrap();
    hierarchy.site.settle("").unwrap();
    let (serve, ready) = Serve::start(&hierarchy.site).unwrap();

    let mut tasks = JoinSet::new();
    tasks.spawn(fake_dns.run(stop.clone()));
    let http01 = Responder::Http01(Arc::new(Http01::start(http_port).await.unwrap()));
    let (root, directory) = (hierarchy.site.root().unwrap(), hierarchy.site.directory());
    let endpoint = Arc::new(Endpoint::new(&directory, &root).unwrap());
    let mut client = Client::connect(endpoint, &directory).await.unwrap();
    let account = client.new_account(es256()).await.unwrap();
    let mut subscriber = Subscriber { client, account, http01, root };
    let first = Certificate::from_pem(&fs::read_to_string(hierarchy.site.path("intermediate.pem")).unwrap());
    let first = first.unwrap();
    assert_eq!(subscriber.issuer_for(KeySpec::Rsa2048).await, first, "there is no other");

    let rsa = hierarchy.install("rsa", KeySpec::Rsa2048);
    let broken = hierarchy.site.path("hierarchy/issuers/broken");
    fs::create_dir_all(&broken).unwrap();
    write(&broken.join("certificate.pem"), "nothing");
    let log = hierarchy.site.home.path().join("log");
    let said = spawn_blocking(move || {
        wait::until("the log to tell of both", PATIENCE, || {
            let log = fs::read_to_string(&log)?;
            let both = log.contains("an issuer was put to use") && log.contains("issuers/broken");
            Ok(both.then_some(log))
        })
    });
    let log = said.await.unwrap().unwrap();
    assert_eq!(log.lines().filter(|line| line.contains("issuers/broken")).count(), 1, "{log}");
    assert_eq!(subscriber.issuer_for(KeySpec::Rsa2048).await, rsa);
    assert_eq!(subscriber.issuer_for(KeySpec::P256).await, first);
    let (well, printed) = hierarchy.site.judge("check-config").unwrap();
    assert!(!well && printed.contains("issuer.folder: ") && printed.contains("issuers/broken"), "{printed}");

    let (well, listed) = hierarchy.site.judge_as(&["ca", "list", "--json"]).unwrap();
    assert!(well, "{listed}");
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let issuers = listed["issuers"].as_array().unwrap();
    let told = |name: &str| issuers.iter().map(|it| it[name].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(told("name"), ["configured", "rsa"]);
    assert_eq!(told("key_type"), ["ECDSA P-256", "RSA 2048"]);
    assert_eq!(told("state"), ["good", "good"]);
    assert!(told("key")[1].ends_with("hierarchy/issuers/rsa/key.pem"), "{listed}");
    let chains = &issuers[1]["chains"];
    assert_eq!(chains.as_array().unwrap().len(), 2, "{chains}");
    assert!(chains[1].as_str().unwrap().ends_with(" < Old Root"), "{chains}");
    assert!(listed["unreadable"][0]["path"].as_str().unwrap().ends_with("issuers/broken"), "{listed}");
    let (well, text) = hierarchy.site.judge_as(&["ca", "list"]).unwrap();
    assert!(well && text.contains("issuers\n  name                configured\n"), "{text}");

    // What must be renewed does not make the server unready.
    let management = ready["management"][0].as_str().unwrap();
    let url = format!("https://localhost:{}/readyz", management.rsplit(':').next().unwrap());
    let mut connection = Connection::new(Arc::new(Endpoint::new(&url, &subscriber.root).unwrap()));
    let request = Request::builder().uri("/readyz").body(Full::default()).unwrap();
    let answer = connection.send(request).await.unwrap();
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert_eq!(answer.status, 200, "{text}");
    assert!(text.starts_with("ready\nauthority ended ended at 1970-01-01T00:00:01Z; "), "{text}");

    // The cross-certificate makes an alternate of every chain, and each names the other.
    let identifiers = dns(["www.example.com"]);
    let csr = CertificateRequest::new(&identifiers).unwrap().der;
    let Subscriber { client, account, http01, .. } = &mut subscriber;
    let certified = certify(client, account, http01, &identifiers, &csr).await.unwrap();
    let alternates = client.alternates(account, &certified.url).await.unwrap();
    assert_eq!(alternates, [format!("{}/1", certified.url)]);
    let alternate = client.certificate(account, &alternates[0]).await.unwrap();
    verified_leaf(&alternate, &old_root.to_pem());
    assert_eq!(certificates(&alternate)[1..], [first, cross]);
    assert_eq!(certificates(&alternate)[0], certificates(&certified.chain)[0]);
    assert_eq!(client.alternates(account, &alternates[0]).await.unwrap(), [certified.url]);

    serve.stop().unwrap();
    stop.cancel();
}

#[tokio::test]
async fn alternate_roots_of_cairn_dev_are_as_many_chains_and_each_root_can_be_fetched() {
    let world = World::dev(&["--alternate-roots", "2"]).await;
    let (mut client, account) = world.member().await;
    let (certified, _) = world.certificate(&mut client, &account, &dns(["a.test"])).await;
    verified_leaf(&certified.chain, &world.root);
    let alternates = client.alternates(&account, &certified.url).await.unwrap();
    assert_eq!(alternates, [format!("{}/1", certified.url), format!("{}/2", certified.url)]);

    let get = async |path: &str| {
        let url = world.cairn.management_url(path).unwrap();
        let mut connection = Connection::new(Arc::new(Endpoint::new(&url, &world.root).unwrap()));
        connection.send(Request::builder().uri(path).body(Full::default()).unwrap()).await.unwrap()
    };
    let mut tops = Vec::new();
    for number in 0..3 {
        let root = get(&format!("/roots/{number}")).await;
        assert_eq!(
            (root.status.as_u16(), root.header("content-type")),
            (200, "application/pem-certificate-chain")
        );
        let root = String::from_utf8(root.body.to_vec()).unwrap();
        let intermediate = get(&format!("/intermediates/{number}")).await;
        assert_eq!(intermediate.headers.get_all("link").iter().count(), 2);
        let intermediate = String::from_utf8(intermediate.body.to_vec()).unwrap();
        tops.push((Certificate::from_pem(&intermediate).unwrap(), root));
    }
    assert_eq!(get("/roots/3").await.status, 404);
    assert_eq!(get("/intermediates/3").await.status, 404);

    for url in [certified.url.clone()].iter().chain(&alternates) {
        let chain = client.certificate(&account, url).await.unwrap();
        let intermediate = certificates(&chain).swap_remove(1);
        let at = tops.iter().position(|(it, _)| *it == intermediate).unwrap();
        let (_, root) = tops.swap_remove(at);
        verified_leaf(&chain, &root);
    }
    assert!(tops.is_empty(), "each root has its chain");
    world.end().await;
}
