//! What the environment is for: it starts, issues to clients in it and beside it, and is still itself after `down` and `up`. And how it
//! is laid out: nobody has a route, a key or a right that it does not need.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Certified, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Dns01, Responder};
use tokio::runtime::Runtime;

use crate::in_turn;
use crate::project::{Project, SERVICES};

#[test]
fn a_fresh_environment_issues_to_clients_in_it_and_beside_it() -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up("everyday")?;
    let endpoint = project.endpoint(runtime.handle())?;
    let mut subscriber = runtime.block_on(Subscriber::new(&project, &endpoint))?;

    runtime.block_on(async {
        let http = Responder::Http01(Arc::new(project.http01().await?));
        subscriber.certificate(&http, &["host.test", "www.host.test"]).await?;
        let dns = format!("127.0.0.1:{}", project.dns_management()).parse()?;
        let dns = Responder::Dns01(Arc::new(Dns01::new(dns)?));
        subscriber.certificate(&dns, &["wild.test", "*.wild.test"]).await?;
        anyhow::Ok(())
    })?;

    project.start_client()?;
    let (directory, port) = (project.directory(), project.http_port().to_string());
    let certbot =
        ["certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"];
    let folders = ["--config-dir", "certbot", "--work-dir", "certbot", "--logs-dir", "certbot"];
    let how = ["--standalone", "--http-01-port", &port, "--server", &directory, "-d", "certbot.test"];
    project.exec("client", &[&certbot[..], &folders, &how].concat())?;
    verify(&project, "certbot/live/certbot.test/cert.pem", "certbot/live/certbot.test/chain.pem")?;

    let lego =
        ["lego", "--server", &directory, "--accept-tos", "--email", "you@example.test", "--path", "lego"];
    let port = format!(":{port}");
    project
        .exec("client", &[&lego[..], &["--http", "--http.port", &port, "-d", "lego.test", "run"]].concat())?;
    verify(&project, "lego/certificates/lego.test.crt", "lego/certificates/lego.test.issuer.crt")
}

#[test]
fn down_and_up_keeps_hierarchy_accounts_and_certificates() -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up("down")?;
    let endpoint = project.endpoint(runtime.handle())?;
    let root = project.root()?;
    let mut subscriber = runtime.block_on(Subscriber::new(&project, &endpoint))?;
    let dns = format!("127.0.0.1:{}", project.dns_management()).parse()?;
    let dns = Responder::Dns01(Arc::new(Dns01::new(dns)?));
    let before = runtime.block_on(subscriber.certificate(&dns, &["kept.test"]))?;

    project.down()?;
    project.start()?;

    let endpoint = project.endpoint(runtime.handle())?;
    ensure!(project.root()? == root, "there is another root now");
    subscriber.client = runtime.block_on(Client::connect(endpoint, &project.directory()))?;
    let again = runtime.block_on(subscriber.client.certificate(&subscriber.account, &before.url))?;
    ensure!(again == before.chain, "the certificate is another one now");
    runtime.block_on(subscriber.certificate(&dns, &["new.test"]))?;
    Ok(())
}

#[test]
fn services_have_neither_routes_nor_rights_nor_keys_that_they_do_not_need() -> Result<()> {
    let (_turn, runtime) = (in_turn(), Runtime::new()?);
    let project = Project::up("walls")?;
    project.endpoint(runtime.handle())?;
    for service in SERVICES {
        let outside = !project.only_internal_networks(service)?;
        ensure!(outside == service.contains("va"), "{service} has a way out, or none");
        // Not only by name: the fake DNS stands where only those can go who validate.
        let fake_dns = format!("timeout 5 bash -c '</dev/tcp/{}/8055' && echo there", project.fake_dns());
        let reached = project.exec(service, &["bash", "-c", &format!("{fake_dns} || true")])?;
        ensure!(
            reached.contains("there") == (service == "va"),
            "{service} and the fake DNS of the VA: {reached}"
        );

        let root = project.exec(service, &["sh", "-c", "id -u; touch /usr/local/bin/new 2>&1 || true"])?;
        ensure!(!root.starts_with("0\n") && root.contains("Read-only"), "{service} may do this:\n{root}");

        let keys = project.exec(service, &["find", "/etc/cairn", "-name", "*key.pem"])?;
        let own = service.trim_end_matches(|end: char| end == '-' || end.is_ascii_digit());
        let mut expected = vec![format!("/etc/cairn/internal-pki/{own}-key.pem")];
        if service == "ca" {
            expected.push("/etc/cairn/issuer/intermediate-key.pem".to_owned());
        }
        let mut keys: Vec<_> = keys.lines().collect();
        keys.sort_unstable();
        ensure!(keys == expected, "{service} has {keys:?}");
    }
    Ok(())
}

/// Somebody on this machine who wants certificates.
struct Subscriber {
    client: Client,
    account: Account,
}

impl Subscriber {
    async fn new(project: &Project, endpoint: &Arc<Endpoint>) -> Result<Self> {
        let mut client = Client::connect(Arc::clone(endpoint), &project.directory()).await?;
        let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
        Ok(Self { client, account })
    }

    async fn certificate(&mut self, responder: &Responder, names: &[&str]) -> Result<Certified> {
        let identifiers: Vec<_> = names.iter().map(|name| Identifier::dns((*name).to_owned())).collect();
        let csr = CertificateRequest::new(&identifiers)?.der;
        Ok(certify(&mut self.client, &self.account, responder, &identifiers, &csr).await?)
    }
}

/// Whether OpenSSL takes a certificate in the clients' container for one of this CA's.
fn verify(project: &Project, certificate: &str, chain: &str) -> Result<()> {
    let root = "/etc/cairn/public/root.pem";
    let said =
        project.exec("client", &["openssl", "verify", "-CAfile", root, "-untrusted", chain, certificate])?;
    ensure!(said.contains(": OK"), "{said}");
    Ok(())
}
