//! The certificate of the server's own listeners: issued by the CA itself and renewed in time, or read from two files and read
//! again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use arc_swap::ArcSwap;
use cairn_core::api::{CertificateAuthority, IssuanceRequest};
use cairn_core::{Clock, Identifier, Timestamp};
use cairn_x509::Certificate;
use cairn_x509::signer::{FileSigner, KeySpec, Signer};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

/// How often the renewal looks at the clock and the files at their dates. A lifetime is days, and an operator who replaces files
/// expects to see them served within the minute.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The certificate that is being served; shared by all listeners and replaced while they run.
#[derive(Debug)]
pub struct Served(ArcSwap<CertifiedKey>);

impl Served {
    /// A TLS acceptor that serves whatever certificate is current: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// Never in practice: the provider supports both versions.
    pub fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(self) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for Served {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

/// Issues the listeners' certificate through the CA.
pub struct SelfIssued {
    /// Signs it, as any other.
    pub ca: Arc<dyn CertificateAuthority>,
    /// Tells when to renew.
    pub clock: Arc<dyn Clock>,
    /// By which profile.
    pub profile: String,
    /// For which names and addresses.
    pub names: Vec<Identifier>,
    /// What to send along: the intermediate.
    pub chain: Vec<CertificateDer<'static>>,
}

impl fmt::Debug for SelfIssued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfIssued").field("names", &self.names).finish_non_exhaustive()
    }
}

impl SelfIssued {
    /// Issues the first certificate.
    ///
    /// # Errors
    /// If the CA cannot issue.
    pub async fn start(&self) -> Result<(Arc<Served>, Timestamp)> {
        let (certificate, renew_at) = self.issue().await?;
        Ok((Arc::new(Served(ArcSwap::from_pointee(certificate))), renew_at))
    }

    async fn issue(&self) -> Result<(CertifiedKey, Timestamp)> {
        let key = FileSigner::generate(KeySpec::P256)?;
        let issued = self
            .ca
            .issue_certificate(IssuanceRequest {
                order: None,
                account: None,
                profile: self.profile.clone(),
                public_key: key.public_key().der().to_vec(),
                identifiers: self.names.clone(),
            })
            .await
            .context("cannot issue the certificate of the server's own listeners")?;
        let validity = Certificate::from_der(&issued.der)?.validity();
        let chain = std::iter::once(CertificateDer::from(issued.der)).chain(self.chain.iter().cloned());
        let pem = key.to_pkcs8_pem(None)?;
        let certified = certified_key(chain.collect(), pem.as_bytes())?;
        // At two thirds of its life: a third is left for an operator to notice what keeps it from being renewed.
        let lifetime = validity.not_after - validity.not_before;
        Ok((certified, Timestamp::from_unix(validity.not_before + lifetime / 3 * 2)))
    }

    /// Renews until `shutdown`.
    pub async fn renew(self, served: Arc<Served>, mut renew_at: Timestamp, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            if self.clock.now() >= renew_at {
                match self.issue().await {
                    Ok((certificate, next)) => {
                        served.0.store(Arc::new(certificate));
                        renew_at = next;
                        info!(next_renewal = %next, "renewed the certificate of the server's own listeners");
                    }
                    Err(error) => error!(
                        error = format!("{error:#}"),
                        "cannot renew the listeners' certificate; trying again"
                    ),
                }
            }
        }
    }
}

/// The listeners' certificate in two PEM files.
#[derive(Clone, Debug)]
pub struct Files {
    /// Certificate and intermediates, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

impl Files {
    /// Reads the files.
    ///
    /// # Errors
    /// If they cannot be read or do not fit each other.
    pub fn start(&self) -> Result<Arc<Served>> {
        Ok(Arc::new(Served(ArcSwap::from_pointee(self.read()?))))
    }

    fn read(&self) -> Result<CertifiedKey> {
        let pem = read(&self.certificate)?;
        let chain: Vec<_> =
            CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|error| {
                anyhow!("{} is no PEM certificate chain: {error}", self.certificate.display())
            })?;
        if chain.is_empty() {
            bail!("{} holds no certificate", self.certificate.display());
        }
        let key = read(&self.key)?;
        certified_key(chain, &key)
            .with_context(|| format!("{} and {}", self.certificate.display(), self.key.display()))
    }

    /// When the files were last written; `None` while one is missing, as happens in the middle of a replacement.
    fn written(&self) -> Option<[SystemTime; 2]> {
        let written = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
        Some([written(&self.certificate)?, written(&self.key)?])
    }

    /// Serves what is in the files whenever they change, until `shutdown`. Files that do not fit each other, as in the middle of a
    /// replacement, change nothing.
    pub async fn reload(self, served: Arc<Served>, shutdown: CancellationToken) {
        let mut seen = self.written();
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            let written = self.written();
            if written.is_none() || written == seen {
                continue;
            }
            match self.read() {
                Ok(certificate) => {
                    served.0.store(Arc::new(certificate));
                    seen = written;
                    info!(file = %self.certificate.display(), "serving the new certificate");
                }
                Err(error) => error!(
                    error = format!("{error:#}"),
                    "the new certificate cannot be used; serving the old one"
                ),
            }
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn certified_key(chain: Vec<CertificateDer<'static>>, key_pem: &[u8]) -> Result<CertifiedKey> {
    let key =
        PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| anyhow!("no private key in PEM: {error}"))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .context("the private key is of a type that TLS cannot use")?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => Ok(certified),
        Err(error) => Err(error).context("the private key is not the certificate's"),
    }
}
