//! The certificate of the server's own listeners: issued by the CA itself and renewed in time, or read from two files and read
//! again when they change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use arc_swap::ArcSwap;
use cairn_core::api::ListenerCertificates;
use cairn_core::{Clock, IssuerId, Timestamp};
use cairn_wfe::Chains;
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

/// The least time between two attempts to renew.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Issues the listeners' certificate through the CA.
pub struct SelfIssued {
    /// Has it issued, like any other.
    pub issuer: Arc<dyn ListenerCertificates>,
    /// Tells when to renew.
    pub clock: Arc<dyn Clock>,
    /// Know what to send along.
    pub chains: Arc<Chains>,
}

impl fmt::Debug for SelfIssued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelfIssued").finish_non_exhaustive()
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
            .issuer
            .listener_certificate(key.public_key().der().to_vec())
            .await
            .context("cannot issue the certificate of the server's own listeners")?;
        let certificate = Certificate::from_der(&issued.der)?;
        let issuer = certificate.authority_key_identifier().and_then(|id| id.try_into().ok());
        let issuer = issuer.context("the listeners' certificate does not name its issuer")?;
        let below = self.chains.default_pem(IssuerId::from_bytes(issuer)).await?;
        let mut chain = vec![CertificateDer::from(issued.der)];
        for certificate in CertificateDer::pem_slice_iter(below.as_bytes()) {
            chain.push(certificate.context("a chain cannot be read")?);
        }
        let pem = key.to_pkcs8_pem(None)?;
        let certified = certified_key(chain, pem.as_bytes())?;
        let validity = certificate.validity();
        // At two thirds of its life: a third is left for an operator to notice what keeps it from being renewed.
        let lifetime = validity.not_after - validity.not_before;
        Ok((certified, Timestamp::from_unix(validity.not_before + lifetime / 3 * 2)))
    }

    /// Renews until `shutdown`.
    pub async fn renew(self, served: Arc<Served>, mut renew_at: Timestamp, shutdown: CancellationToken) {
        loop {
            // A lifetime of minutes, as tests like it, is renewed in time too.
            let due = u64::try_from(renew_at.since(self.clock.now())).unwrap_or_default();
            let pause = Duration::from_secs(due).clamp(RETRY_AFTER, LOOK_EVERY);
            if shutdown.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
            renew_at = self.renew_if_due(&served, renew_at).await;
        }
    }

    /// Renews if it is time, and tells when the next time is.
    async fn renew_if_due(&self, served: &Served, renew_at: Timestamp) -> Timestamp {
        if self.clock.now() < renew_at {
            return renew_at;
        }
        match self.issue().await {
            Ok((certificate, next)) => {
                served.0.store(Arc::new(certificate));
                info!(next_renewal = %next, "renewed the certificate of the server's own listeners");
                next
            }
            Err(error) => {
                error!(error = format!("{error:#}"), "cannot renew the listeners' certificate; trying again");
                renew_at
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
            seen = self.read_if_changed(&served, seen);
        }
    }

    /// Reads the files if they were written since `seen`, and tells when those that are now served were.
    fn read_if_changed(&self, served: &Served, seen: Option<[SystemTime; 2]>) -> Option<[SystemTime; 2]> {
        let written = self.written();
        if written.is_none() || written == seen {
            return seen;
        }
        match self.read() {
            Ok(certificate) => {
                served.0.store(Arc::new(certificate));
                info!(file = %self.certificate.display(), "serving the new certificate");
                written
            }
            Err(error) => {
                error!(
                    error = format!("{error:#}"),
                    "the new certificate cannot be used; serving the old one"
                );
                seen
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

#[cfg(test)]
mod tests {
    use std::fs;

    use async_trait::async_trait;
    use cairn_ca::{Ca, Issuer};
    use cairn_core::api::ca::IssuedCertificate;
    use cairn_core::api::{CertificateAuthority, IssuanceRequest};
    use cairn_core::time::FakeClock;
    use cairn_core::{Period, SystemRandom};
    use cairn_sa::SqliteStorage;

    use super::*;
    use crate::hierarchy::{self, HierarchySpec};

    const START: Timestamp = Timestamp::from_unix(1_800_000_000);

    /// A CA that certifies any key for `localhost`.
    struct ForLocalhost(Ca);

    #[async_trait]
    impl ListenerCertificates for ForLocalhost {
        async fn listener_certificate(&self, public_key: Vec<u8>) -> cairn_core::Result<IssuedCertificate> {
            let request = IssuanceRequest {
                order: None,
                account: None,
                profile: cairn_ca::DEFAULT_PROFILE.to_owned(),
                public_key,
                identifiers: vec![crate::names::parse("localhost").unwrap()],
            };
            self.0.issue_certificate(request).await
        }
    }

    /// On a clock that the test turns.
    fn self_issued(clock: &Arc<FakeClock>) -> SelfIssued {
        let made = hierarchy::create(&HierarchySpec::dev(), clock.as_ref(), &SystemRandom).unwrap();
        let (root, intermediate) = (made.root.to_pem(), made.intermediate.to_pem());
        let issuer = Issuer::load(&intermediate, &root, Box::new(made.intermediate_key), START).unwrap();
        let store = Arc::new(SqliteStorage::open_ephemeral().unwrap());
        let (clock, random) = (Arc::clone(clock) as Arc<dyn Clock>, Arc::new(SystemRandom));
        let certificates = vec![made.intermediate, made.root];
        let chains = Chains::new(certificates, None, store.clone(), Arc::clone(&clock));
        let ca = Ca::new(cairn_ca::Config::default(), issuer, store, Arc::clone(&clock), random).unwrap();
        SelfIssued { issuer: Arc::new(ForLocalhost(ca)), clock, chains: Arc::new(chains) }
    }

    fn leaf(served: &Served) -> Vec<u8> {
        served.0.load().cert[0].to_vec()
    }

    #[tokio::test]
    async fn the_own_certificate_is_renewed_at_two_thirds_of_its_life_and_not_before() {
        let clock = Arc::new(FakeClock::new(START));
        let issued = self_issued(&clock);
        let (served, renew_at) = issued.start().await.unwrap();
        let first = leaf(&served);
        assert_eq!(served.0.load().cert.len(), 2, "the intermediate is sent along");

        clock.advance(Period::from_days(59).seconds());
        assert_eq!(issued.renew_if_due(&served, renew_at).await, renew_at);
        assert_eq!(leaf(&served), first);

        clock.advance(Period::from_days(1).seconds());
        assert!(issued.renew_if_due(&served, renew_at).await > renew_at);
        assert_ne!(leaf(&served), first);
    }

    /// A certificate and its key, PEM.
    async fn pair() -> (String, String) {
        let clock = Arc::new(FakeClock::new(START));
        let issued = self_issued(&clock);
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let certificate = issued.issuer.listener_certificate(key.public_key().der().to_vec()).await.unwrap();
        let certificate = Certificate::from_der(&certificate.der).unwrap();
        (certificate.to_pem(), key.to_pkcs8_pem(None).unwrap().to_string())
    }

    #[tokio::test]
    async fn new_files_are_served_when_both_have_come_and_fit() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        assert!(files.start().unwrap_err().to_string().contains("cannot read"));

        let (certificate, key) = pair().await;
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
        let served = files.start().unwrap();
        let (first, seen) = (leaf(&served), files.written());
        assert_eq!(files.read_if_changed(&served, seen), seen);

        // In the middle of a replacement, the new certificate stands beside the old key.
        let (certificate, key) = pair().await;
        fs::write(&files.certificate, certificate).unwrap();
        assert_eq!(files.read_if_changed(&served, None), None);
        assert_eq!(leaf(&served), first);

        fs::write(&files.key, key).unwrap();
        assert_eq!(files.read_if_changed(&served, None), files.written());
        assert_ne!(leaf(&served), first);
    }
}
