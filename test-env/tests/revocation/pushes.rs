//! CRLs that are put where others serve them: a server that pushes into a folder and into a bucket, of moto as the S3-compatible store.

use std::fs::Permissions;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::home::Home;
use cairn_test_env::program::Running;
use cairn_test_env::relay::Relay;
use cairn_test_env::site::{Serve, Site, Subscribers};
use cairn_test_env::{port, relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::crl::Crl;
use tokio::runtime::Runtime;

use crate::askers::tools;
use crate::world::{NAME, PATIENCE};

const KEY_COMPROMISE: i64 = 1;

/// An S3-compatible store with the bucket `pki`, which verifies signatures and rights.
struct Store {
    address: SocketAddr,
    key_id: String,
    secret: String,
    home: Home,
    _moto: Running,
}

/// A CRL in the bucket.
struct Object {
    octets: Vec<u8>,
    /// Its type, what caches are told, and its number.
    said: [String; 3],
}

impl Store {
    fn start() -> Result<Self> {
        let (home, port) = (Home::new()?, port::free()?);
        // By its path: it is not among the installed ones.
        let moto = home.program("env")?.arg(tools()?.join("bin/moto_server"));
        let mut moto = moto.args(["-p", &port.to_string()]).start()?;
        moto.listens_on(port)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let key = store(&home, address, &["make"])?;
        let (key_id, secret) = key.trim().split_once(' ').context("there is no key")?;
        Ok(Self { address, key_id: key_id.to_owned(), secret: secret.to_owned(), home, _moto: moto })
    }

    /// The object that belongs to this path of a CRL's URL, if it is there.
    fn object(&self, path: &str) -> Result<Option<Object>> {
        let name = format!("internal{path}");
        let get = ["get", &self.key_id, &self.secret, &name, "object"];
        let said = store(&self.home, self.address, &get)?;
        if said.is_empty() {
            return Ok(None);
        }
        let said = serde_json::from_str(&said).with_context(|| said.clone())?;
        Ok(Some(Object { octets: std::fs::read(self.home.path("object"))?, said }))
    }
}

/// What store.py prints.
fn store(home: &Home, address: SocketAddr, arguments: &[&str]) -> Result<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/revocation/store.py");
    let mut command = Command::new(tools()?.join("bin/python"));
    command.arg(script).arg(format!("http://{address}")).args(arguments).current_dir(home.folder());
    let output = command.output()?;
    ensure!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

struct Pushing {
    serve: Serve,
    site: Site,
    management: SocketAddr,
    store: Store,
    /// Between the server and the store.
    relay: Relay,
    client: Client,
    account: Account,
    subscribers: Subscribers,
    // Last: what is above ends in it.
    runtime: Runtime,
}

impl Pushing {
    fn start() -> Result<Self> {
        let (store, site, runtime) = (Store::start()?, Site::new()?, Runtime::new()?);
        let relay = Relay::start(runtime.handle(), 0, vec![store.address])?;
        let pki = SocketAddr::from((Ipv4Addr::LOCALHOST, port::free()?));
        site.replace("127.0.0.1:4002", &pki.to_string())?;
        site.replace("# pki_url = \"http://pki.example.com\"", &format!("pki_url = \"http://{pki}\""))?;
        site.settle(&format!(
            "\n[crl_push]\nfolder = \"pushed\"\n\n[crl_push.s3]\nendpoint = \"http://{}\"\nbucket = \"pki\"\n\
             prefix = \"internal\"\naccess_key = \"{}\"\nsecret_key_file = \"s3-secret-key\"\n",
            relay.address(),
            store.key_id
        ))?;
        let (well, said) = site.judge("check-config")?;
        ensure!(!well && said.contains("[crl_push]: s3: secret_key_file: cannot read"), "{said}");
        write_secret(&site, &store.secret)?;
        let (well, said) = site.judge("check-config")?;
        ensure!(well, "{said}");
        let subscribers = runtime.block_on(site.validate_for_real())?;
        // What others would be led by: neither a proxy nor a key of the environment is asked.
        let nobody = format!("http://127.0.0.1:{}", port::free()?);
        let environment = ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"];
        let environment = environment.map(|name| (name, nobody.clone()));
        let (serve, ready) =
            Serve::start_in(&cairn_test_env::harness::Binary::under_test()?, &site, &environment)?;
        let management = ready["management"][0].as_str().context("no management listener")?.parse()?;
        let endpoint = Arc::new(Endpoint::new(&site.directory(), &site.root()?)?);
        let (client, account) = runtime.block_on(async {
            let mut client = Client::connect(endpoint, &site.directory()).await?;
            let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
            anyhow::Ok((client, account))
        })?;
        Ok(Self { serve, site, management, store, relay, client, account, subscribers, runtime })
    }

    fn certificate(&mut self) -> Result<Certificate> {
        let Self { client, account, subscribers, runtime, .. } = self;
        let name = [Identifier::dns(NAME)];
        let request = CertificateRequest::new(&name)?;
        let certified =
            runtime.block_on(certify(client, account, &subscribers.http01, &name, &request.der))?;
        let chain = String::from_utf8(certified.chain.to_vec())?;
        let leaf = chain.split_inclusive("-----END CERTIFICATE-----\n").next().context("no certificate")?;
        Ok(Certificate::from_pem(leaf)?)
    }

    fn compromise(&mut self, leaf: &Certificate) -> Result<()> {
        let Self { client, account, runtime, .. } = self;
        runtime.block_on(client.revoke((&*account).into(), leaf.der(), Some(KEY_COMPROMISE)))?;
        Ok(())
    }

    /// The CRL that Cairn itself serves, once `leaf` stands on it.
    fn served(&self, place: &(SocketAddr, String), leaf: &Certificate) -> Result<Vec<u8>> {
        wait::until("the certificate on the CRL", PATIENCE, || {
            let answer = party::get(place.0, &place.1, "")?;
            Ok((answer.status == 200 && lists(&answer.body, leaf)?).then_some(answer.body))
        })
    }

    /// The object, once it is `crl`.
    fn pushed(&self, path: &str, crl: &[u8]) -> Result<Object> {
        wait::until("the CRL in the bucket", PATIENCE, || {
            Ok(self.store.object(path)?.filter(|object| object.octets == crl))
        })
    }

    /// Waits until the file in the folder is `crl`.
    fn in_folder(&self, path: &str, crl: &[u8]) -> Result<()> {
        let file = self.site.path("pushed").join(path.trim_start_matches('/'));
        wait::until("the CRL in the folder", PATIENCE, || {
            Ok(std::fs::read(&file).is_ok_and(|octets| octets == crl).then_some(()))
        })
    }

    /// What is counted of pushes to the bucket with this result.
    fn counted(&self, result: &str) -> Result<u64> {
        let home = Home::new()?;
        let curl =
            home.program("curl")?.args(["--silent", "--fail", "--cacert"]).arg(self.site.path("root.pem"));
        let port = self.management.port();
        let metrics = curl.arg(format!("https://localhost:{port}/metrics")).run()?;
        let name = format!("cairn_crl_pushes_total{{place=\"s3\",result=\"{result}\"}} ");
        let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
        Ok(value.unwrap_or("0").parse()?)
    }

    fn end(self) -> Result<String> {
        let Self { serve, site, client, runtime, .. } = self;
        drop((client, runtime));
        serve.stop()?;
        Ok(std::fs::read_to_string(site.home.path().join("log"))?)
    }
}

fn write_secret(site: &Site, secret: &str) -> Result<()> {
    let file = site.path("s3-secret-key");
    std::fs::write(&file, format!("{secret}\n"))?;
    Ok(std::fs::set_permissions(file, Permissions::from_mode(0o600))?)
}

fn number(crl: &[u8]) -> Result<u64> {
    Crl::from_der(crl)?.tbs().number_as_u64().context("the CRL has no number")
}

fn lists(crl: &[u8], leaf: &Certificate) -> Result<bool> {
    let crl = Crl::from_der(crl)?;
    Ok(crl.tbs().entries().any(|entry| entry.serial == leaf.serial()))
}

#[test]
fn what_is_served_lies_in_the_folder_and_in_the_bucket_and_comes_there_later_if_it_must() -> Result<()> {
    let mut world = Pushing::start()?;
    let (one, other) = (world.certificate()?, world.certificate()?);
    let url = one.description()?.crl_urls.first().cloned().context("the certificate names no CRL")?;
    let place = party::place(&url)?;
    let path = place.1.as_str();
    let first = wait::until("the first CRL in the bucket", PATIENCE, || world.store.object(path))?;

    world.compromise(&one)?;
    let served = world.served(&place, &one)?;
    let second = world.pushed(path, &served)?;
    world.in_folder(path, &served)?;
    ensure!(number(&second.octets)? > number(&first.octets)?, "the number did not rise");
    let number_of_it = number(&second.octets)?.to_string();
    let expected =
        ["application/pkix-crl", "public, max-age=300, no-transform, must-revalidate", &number_of_it];
    ensure!(second.said == expected, "{:?}", second.said);

    // The store is away: CRLs are made, served and put into the folder as before.
    world.runtime.block_on(world.relay.refuse());
    world.compromise(&other)?;
    let served = world.served(&place, &other)?;
    world.in_folder(path, &served)?;
    wait::until("a failure to be counted", PATIENCE, || Ok((world.counted("failed")? > 0).then_some(())))?;
    ensure!(world.store.object(path)?.is_some_and(|object| object.octets == second.octets));
    world.runtime.block_on(world.relay.heal());
    let third = world.pushed(path, &served)?;
    ensure!(number(&third.octets)? > number(&second.octets)?, "the number did not rise");
    wait::until("the pushes to be counted", PATIENCE, || Ok((world.counted("pushed")? >= 3).then_some(())))?;

    let secret = world.store.secret.clone();
    let log = world.end()?;
    for said in ["a CRL could not be put where others serve it", "could be put where others serve it again"] {
        ensure!(log.contains(said), "{said}: {log}");
    }
    ensure!(!log.contains(&secret) && !log.contains("Signature="), "{log}");
    Ok(())
}
