//! Who wants certificates of the environment: a client on this machine, and those in the container that has some.

use std::sync::Arc;

use anyhow::{Result, ensure};
use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Certified, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Dns01, Responder};

use crate::project::Project;

/// Somebody on this machine.
pub(crate) struct Subscriber {
    pub(crate) client: Client,
    pub(crate) account: Account,
}

impl Subscriber {
    pub(crate) async fn new(project: &Project, endpoint: Arc<Endpoint>) -> Result<Self> {
        let mut client = Client::connect(endpoint, &project.directory()).await?;
        let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
        Ok(Self { client, account })
    }

    /// A certificate by http-01, and one by dns-01 with a wildcard; the second.
    pub(crate) async fn by_http_and_dns(&mut self, project: &Project) -> Result<Certified> {
        let http = Responder::Http01(Arc::new(project.http01().await?));
        self.certificate(&http, &["host.test", "www.host.test"]).await?;
        let dns = format!("127.0.0.1:{}", project.dns_management()).parse()?;
        let dns = Responder::Dns01(Arc::new(Dns01::new(dns)?));
        self.certificate(&dns, &["wild.test", "*.wild.test"]).await
    }

    async fn certificate(&mut self, responder: &Responder, names: &[&str]) -> Result<Certified> {
        let identifiers: Vec<_> = names.iter().map(|name| Identifier::dns((*name).to_owned())).collect();
        let csr = CertificateRequest::new(&identifiers)?.der;
        Ok(certify(&mut self.client, &self.account, responder, &identifiers, &csr).await?)
    }
}

/// Certbot and lego in the container that README.md offers to those who have no client. Nobody on this machine may listen for challenges.
pub(crate) fn in_it_have_certificates(project: &Project) -> Result<()> {
    project.start_client()?;
    let (directory, port) = (project.directory(), project.http_port().to_string());
    let certbot =
        ["certbot", "certonly", "--non-interactive", "--agree-tos", "--register-unsafely-without-email"];
    let folders = ["--config-dir", "certbot", "--work-dir", "certbot", "--logs-dir", "certbot"];
    let how = ["--standalone", "--http-01-port", &port, "--server", &directory, "-d", "certbot.test"];
    project.exec("client", &[&certbot[..], &folders, &how].concat())?;
    verify(project, "certbot/live/certbot.test/cert.pem", "certbot/live/certbot.test/chain.pem")?;

    let lego =
        ["lego", "--server", &directory, "--accept-tos", "--email", "you@example.test", "--path", "lego"];
    let port = format!(":{port}");
    project
        .exec("client", &[&lego[..], &["--http", "--http.port", &port, "-d", "lego.test", "run"]].concat())?;
    verify(project, "lego/certificates/lego.test.crt", "lego/certificates/lego.test.issuer.crt")?;
    // Afterwards this machine's clients may listen again.
    project.stop("client")
}

/// Whether OpenSSL takes a certificate in the clients' container for one of this CA's.
fn verify(project: &Project, certificate: &str, chain: &str) -> Result<()> {
    let root = "/etc/cairn/public/root.pem";
    let said =
        project.exec("client", &["openssl", "verify", "-CAfile", root, "-untrusted", chain, certificate])?;
    ensure!(said.contains(": OK"), "{said}");
    Ok(())
}
