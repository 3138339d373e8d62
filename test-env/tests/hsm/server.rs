//! A server whose key is in a module.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use cairn_jose::Algorithm;
use cairn_jose::sign::SigningKey;
use cairn_test_env::acme::{Account, CertificateRequest, Client, Connection, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::hsm::{PIN, SoftHsm, alone, module, spied_module};
use cairn_test_env::site::{Serve, Site};
use cairn_test_env::{port, wait};
use challtestsrv::{DnsServer, Zone};
use http::Request;
use http_body_util::Full;
use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::ceremonies::Room;
use crate::signer::PATIENCE;

/// Everything around a CA: names, a subscriber, and its own configuration.
struct World {
    runtime: Runtime,
    stop: CancellationToken,
    site: Site,
    responder: Responder,
    endpoint: Arc<Endpoint>,
    serve: Serve,
    management: SocketAddr,
}

/// A CA whose intermediate's key is `label` in the token `ca`, certified in the folder of that name.
fn site(hsm: &SoftHsm, label: &str, module: &str) -> Result<Site> {
    let site = Site::new()?;
    fs::copy(hsm.path("root-r1/root.pem"), site.path("root.pem"))?;
    fs::copy(hsm.path(label).join("intermediate.pem"), site.path("intermediate.pem"))?;
    site.replace("key = \"intermediate-key.pem\"", "# The key is in a module.")?;
    site.replace("passphrase_file = ", "# passphrase_file = ")?;
    let pin = hsm.path("pin").display().to_string();
    site.settle(&format!(
        "\n[issuer.pkcs11]\nmodule = \"{module}\"\ntoken = \"ca\"\nlabel = \"{label}\"\npin_file = \"{pin}\"\n"
    ))?;
    Ok(site)
}

impl World {
    fn new(hsm: &SoftHsm, label: &str) -> Result<Self> {
        Self::at(site(hsm, label, &module()?.display().to_string())?)
    }

    fn at(site: Site) -> Result<Self> {
        let runtime = Runtime::new()?;
        let (zone, stop) = (Zone::new(), CancellationToken::new());
        zone.set_default_ipv4(Some([127, 0, 0, 1].into()));
        let http_port = port::free()?;
        let (dns, http01) = runtime.block_on(async {
            let dns = DnsServer::bind(([127, 0, 0, 1], 0).into(), zone).await?;
            Ok::<_, anyhow::Error>((dns, Http01::start(http_port).await?))
        })?;
        site.validate_here(dns.local_addr(), http_port)?;
        runtime.spawn(dns.run(stop.clone()));
        let endpoint = Arc::new(Endpoint::new(&site.directory(), &site.root()?)?);
        let (serve, ready) = Serve::start(&site)?;
        let management = ready["management"][0].as_str().context("no management listener")?.parse()?;
        Ok(Self {
            runtime,
            stop,
            site,
            responder: Responder::Http01(Arc::new(http01)),
            endpoint,
            serve,
            management,
        })
    }

    async fn subscriber(&self) -> Result<(Client, Account)> {
        let mut client = Client::connect(Arc::clone(&self.endpoint), &self.site.directory()).await?;
        let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
        Ok((client, account))
    }

    async fn certify(&self, client: &mut Client, account: &Account) -> Result<String> {
        let identifiers = [Identifier::dns("www.example.com")];
        let csr = CertificateRequest::new(&identifiers)?.der;
        let chain = certify(client, account, &self.responder, &identifiers, &csr).await?.chain;
        Ok(String::from_utf8(chain.to_vec())?)
    }

    /// What the management listener says: status and text.
    async fn manage(&self, path: &str) -> Result<(u16, String)> {
        let url = format!("https://localhost:{}{path}", self.management.port());
        let endpoint = Arc::new(Endpoint::new(&url, &self.site.root()?)?);
        let request = Request::get(&url).body(Full::default())?;
        let response = Connection::new(endpoint).send(request).await?;
        Ok((response.status.as_u16(), String::from_utf8(response.body.to_vec())?))
    }

    /// The value of a metric of the issuer.
    async fn metric(&self, name: &str) -> Result<f64> {
        let (_, text) = self.manage("/metrics").await?;
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")));
        Ok(line.and_then(|line| line.rsplit_once(' ')).context("no such metric")?.1.parse()?)
    }

    fn end(self) -> Result<()> {
        self.serve.stop()?;
        self.stop.cancel();
        Ok(())
    }
}

#[test]
fn a_server_issues_with_keys_in_a_module() -> Result<()> {
    alone("server::a_server_issues_with_keys_in_a_module", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p384", "")?;
        for (label, algorithm) in [("I1", "p256"), ("I2", "rsa2048")] {
            room.intermediate(label, algorithm, &r1)?;
            let world = World::new(hsm, label)?;
            let (well, printed) = world.site.judge("check-config")?;
            ensure!(well, "{printed}");
            world.runtime.block_on(async {
                let (mut client, account) = world.subscriber().await?;
                let chain = world.certify(&mut client, &account).await?;
                let (leaf, intermediate) =
                    chain.split_once("-----END CERTIFICATE-----\n").context("no chain")?;
                let leaf = cairn_x509::Certificate::from_pem(&format!("{leaf}-----END CERTIFICATE-----\n"))?;
                let intermediate = cairn_x509::Certificate::from_pem(intermediate.trim_start())?;
                leaf.verify_issued_by(&intermediate)?;
                intermediate.verify_issued_by(&r1)?;
                ensure!(world.metric("cairn_ca_key_up").await? == 1.0);
                ensure!(world.manage("/readyz").await?.0 == 200);
                Ok::<_, anyhow::Error>(())
            })?;
            world.end()?;
        }
        Ok(())
    })
}

#[test]
fn an_issuer_of_the_hierarchy_folder_has_its_key_in_a_module() -> Result<()> {
    alone("server::an_issuer_of_the_hierarchy_folder_has_its_key_in_a_module", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p384", "")?;
        for label in ["I1", "I2"] {
            room.intermediate(label, "p256", &r1)?;
        }
        let world = World::new(hsm, "I1")?;
        let unfinished = world.site.path("hierarchy/issuers/.next");
        fs::create_dir_all(&unfinished)?;
        let next = fs::read_to_string(hsm.path("I2").join("intermediate.pem"))?;
        fs::write(unfinished.join("certificate.pem"), &next)?;
        let (module, pin) = (module()?.display().to_string(), hsm.path("pin").display().to_string());
        let place = format!("module = \"{module}\"\ntoken = \"ca\"\nlabel = \"I2\"\npin_file = \"{pin}\"\n");
        fs::write(unfinished.join("issuer.toml"), format!("use = \"now\"\n\n[pkcs11]\n{place}"))?;
        fs::rename(unfinished, world.site.path("hierarchy/issuers/next"))?;

        let log = world.site.home.path().join("log");
        wait::until("the server to use it", PATIENCE, || {
            Ok(fs::read_to_string(&log)?.contains("an issuer was put to use").then_some(()))
        })?;
        let chain = world.runtime.block_on(async {
            let (mut client, account) = world.subscriber().await?;
            world.certify(&mut client, &account).await
        })?;
        ensure!(chain.ends_with(&next), "{chain}");
        let (well, listed) = world.site.judge_as(&["ca", "list"])?;
        ensure!(well && listed.contains("key \"I2\" in the token \"ca\""), "{listed}");
        world.end()
    })
}

#[test]
fn what_keeps_a_server_from_its_key_is_said_at_its_start_and_a_wrong_pin_is_tried_once() -> Result<()> {
    let story = "server::what_keeps_a_server_from_its_key_is_said_at_its_start_and_a_wrong_pin_is_tried_once";
    alone(story, |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p256", "")?;
        room.intermediate("I1", "p256", &r1)?;
        room.intermediate("I2", "p256", &r1)?;
        let site = site(hsm, "I1", &spied_module()?.display().to_string())?;
        let refused = |words: &[&str]| -> Result<()> {
            for subcommand in ["check-config", "serve"] {
                let (well, printed) = site.judge(subcommand)?;
                ensure!(!well, "{printed}");
                for word in words {
                    ensure!(printed.contains(word), "{subcommand}: \"{word}\" is missing in: {printed}");
                }
            }
            Ok(())
        };
        hsm.secret("pin", "wrong")?;
        let before = hsm.spied("C_Login")?;
        let (well, printed) = site.judge("check-config")?;
        ensure!(
            !well && printed.contains("[issuer.pkcs11]: the PIN is not that of the token \"ca\""),
            "{printed}"
        );
        // As systemd does when a server does not start.
        for _ in 0..3 {
            refused(&["[issuer.pkcs11]: a wrong PIN was given to the token \"ca\"", "log in to it once"])?;
        }
        assert_eq!(hsm.spied("C_Login")? - before, 1);
        hsm.secret("pin", PIN)?;
        refused(&["a wrong PIN was given to the token \"ca\""])?;
        hsm.tool("ca", &["--list-objects"])?;
        site.replace("label = \"I1\"", "label = \"I3\"")?;
        refused(&["has no private key \"I3\"; it has: \"", "\"I1\"", "\"I2\""])?;
        site.replace("label = \"I3\"", "label = \"I2\"")?;
        refused(&["[issuer.pkcs11]: ", "does not sign what its public key verifies"])?;
        site.replace("label = \"I2\"", "label = \"I1\"\npassphrase = \"x\"")?;
        refused(&["unknown field `passphrase`"])?;
        site.replace("\npassphrase = \"x\"", "")?;
        site.replace("# The key is in a module.", "key = \"intermediate-key.pem\"")?;
        refused(&["both key and pkcs11 say where the key is"])?;
        site.replace("key = \"intermediate-key.pem\"", "# The key is in a module.")?;
        hsm.pull()?;
        refused(&["there is no token \"ca\""])?;
        hsm.put_back()?;
        let (well, printed) = site.judge("check-config")?;
        ensure!(well, "{printed}");
        Ok(())
    })
}

#[test]
fn a_token_that_is_pulled_is_told_and_used_again_when_it_is_back() -> Result<()> {
    alone("server::a_token_that_is_pulled_is_told_and_used_again_when_it_is_back", |hsm| {
        let mut room = Room::new(hsm)?;
        let r1 = room.root("p256", "")?;
        room.intermediate("I1", "p256", &r1)?;
        let world = World::new(hsm, "I1")?;
        world.runtime.block_on(async {
            let (mut client, account) = world.subscriber().await?;
            let before = world.certify(&mut client, &account).await?;

            hsm.pull()?;
            for _ in 0..2 {
                let error = format!("{:#}", world.certify(&mut client, &account).await.unwrap_err());
                ensure!(error.contains("place a new order"), "{error}");
            }
            let (status, text) = world.manage("/readyz").await?;
            ensure!(status == 503 && text.contains("the issuer's key cannot sign"), "{status} {text}");
            ensure!(world.metric("cairn_ca_key_up").await? == 0.0);

            hsm.put_back()?;
            let back = async {
                while world.manage("/readyz").await?.0 != 200 {}
                Ok::<_, anyhow::Error>(())
            };
            timeout(PATIENCE, back).await.context("it is not ready again")??;
            let after = world.certify(&mut client, &account).await?;
            ensure!(after != before);
            ensure!(world.metric("cairn_ca_key_up").await? == 1.0);
            Ok(())
        })?;
        let log = fs::read_to_string(world.site.home.path().join("log"))?;
        for words in [
            "the issuer's key cannot be used; nothing is issued until it can",
            "the issuer's key can be used again",
        ] {
            ensure!(log.contains(words), "{log}");
        }
        ensure!(!log.contains(PIN), "{log}");
        world.end()
    })
}
