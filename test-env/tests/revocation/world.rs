//! A `cairn dev`, a certificate of it, and the files that programs want of both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use cairn_jose::{Algorithm, sign::SigningKey};
use cairn_test_env::acme::{Account, CertificateRequest, Client, Endpoint, Identifier, certify};
use cairn_test_env::challenges::{Http01, Responder};
use cairn_test_env::harness::Cairn;
use cairn_test_env::home::Home;
use cairn_test_env::{relying_party as party, wait};
use cairn_x509::Certificate;
use cairn_x509::ocsp::Status;
use rustls_pki_types::PrivatePkcs8KeyDer;
use tokio::runtime::Runtime;

/// Far longer than anything here takes; it only ends a test that has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The name in the certificate.
pub(crate) const NAME: &str = "www.revocation.test";

const END: &str = "-----END CERTIFICATE-----\n";

pub(crate) struct World {
    pub(crate) cairn: Cairn,
    /// `root.pem`, `issuer.pem`, `leaf.pem`, `chain.pem` (leaf and issuer) and `key.pem`.
    pub(crate) home: Home,
    pub(crate) leaf: Certificate,
    pub(crate) issuer: Certificate,
    /// Where the certificate sends those who look.
    pub(crate) pki: SocketAddr,
    client: Client,
    account: Account,
    // Last: what is above ends in it.
    runtime: Runtime,
}

impl World {
    pub(crate) fn new(arguments: &[&str]) -> Result<Self> {
        let cairn = Cairn::dev().args(arguments).start()?;
        let runtime = Runtime::new()?;
        let home = Home::new()?;
        let root = std::fs::read_to_string(cairn.root_file()?)?;
        let endpoint = Arc::new(Endpoint::new(&cairn.ready.directory, &root)?);
        let name = [Identifier::dns(NAME)];
        let request = CertificateRequest::new(&name)?;
        let (client, account, chain) = runtime.block_on(async {
            let mut client = Client::connect(endpoint, &cairn.ready.directory).await?;
            let account = client.new_account(SigningKey::generate(Algorithm::Es256)?).await?;
            let http01 = Responder::Http01(Arc::new(Http01::start(cairn.http_port()).await?));
            let certified = certify(&mut client, &account, &http01, &name, &request.der).await?;
            anyhow::Ok((client, account, certified.chain))
        })?;
        let chain = String::from_utf8(chain.to_vec())?;
        let (leaf, issuer) = chain.split_once(END).context("there is no issuer in the chain")?;
        let leaf = format!("{leaf}{END}");
        let key = rcgen::KeyPair::try_from(&PrivatePkcs8KeyDer::from(request.key.as_slice()))?;
        for (file, text) in [
            ("root.pem", &root),
            ("issuer.pem", &issuer.to_owned()),
            ("leaf.pem", &leaf),
            ("chain.pem", &chain),
            ("key.pem", &key.serialize_pem()),
            ("issuer-and-root.pem", &format!("{issuer}{root}")),
        ] {
            home.write(file, text)?;
        }
        let (leaf, issuer) = (Certificate::from_pem(&leaf)?, Certificate::from_pem(issuer)?);
        let url = leaf
            .description()?
            .ocsp_urls
            .first()
            .context("the certificate does not say where to look")?
            .clone();
        let (pki, _) = party::place(&url)?;
        Ok(Self { cairn, home, leaf, issuer, pki, client, account, runtime })
    }

    /// The URL in the certificate.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/ocsp", self.pki)
    }

    /// Revokes the certificate, and waits until that is seen.
    pub(crate) fn revoke(&mut self) -> Result<()> {
        const SUPERSEDED: i64 = 4;
        self.revoke_for(SUPERSEDED)
    }

    /// The same for this reason.
    pub(crate) fn revoke_for(&mut self, reason: i64) -> Result<()> {
        let Self { runtime, client, account, leaf, .. } = self;
        runtime.block_on(client.revoke((&*account).into(), leaf.der(), Some(reason)))?;
        wait::until("a revoked answer", PATIENCE, || {
            let seen = party::status(self.pki, &self.issuer, &self.leaf)?;
            Ok((seen != Status::Good).then_some(()))
        })
    }

    pub(crate) fn end(self) -> Result<()> {
        let Self { cairn, client, runtime, .. } = self;
        drop((client, runtime));
        cairn.stop().map(drop)
    }
}
