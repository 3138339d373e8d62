//! The certificates that go out below a leaf, RFC 8555 §7.4.2: each certifies the one before it, and the root stays at home.
//!
//! Chains are made of the certificates that are configured and of those that the CA has recorded in the storage, so that a front end
//! knows the chain of an issuer that was put to use while it runs. They are made anew every minute, and when a certificate's issuer is
//! unknown; a request does nothing but look one up.

mod build;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use cairn_core::api::StorageRead;
use cairn_core::{Clock, Error, IssuerId, Result, Timestamp};
use cairn_x509::{Certificate, Name};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

pub(crate) use self::build::Chain;
use self::build::{ByIssuer, each_once};

/// How often what was recorded is read without need: for cross-certificates, which no request misses.
const EVERY: Duration = Duration::from_secs(60);
/// The least time between two reads that unknown issuers are the cause of.
const PAUSE: Duration = Duration::from_secs(1);

/// What a client hears of a certificate whose chain is not known.
const UNUSABLE: &str = "The certificate cannot be given out.";

/// The chains of every issuer that is known.
pub struct Chains {
    configured: Vec<Certificate>,
    preferred: Option<PreferredRoot>,
    sa: Arc<dyn StorageRead>,
    clock: Arc<dyn Clock>,
    /// Replaced as a whole.
    known: ArcSwap<Known>,
    /// When the last read began; held while one is under way.
    last: Mutex<Option<Instant>>,
    /// Whether it was said that no chain ends at the preferred root.
    missed: AtomicBool,
}

#[derive(Default)]
struct Known {
    certificates: Vec<Certificate>,
    chains: ByIssuer,
}

/// All chains of one issuer.
pub(crate) struct OfIssuer {
    known: Arc<Known>,
    issuer: IssuerId,
}

impl OfIssuer {
    /// The default first.
    pub(crate) fn all(&self) -> &[Chain] {
        self.known.chains.get(&self.issuer).map_or(&[], Vec::as_slice)
    }
}

impl Chains {
    /// Of these certificates, and from the first read on of those in `sa` too.
    pub fn new(
        configured: Vec<Certificate>,
        preferred: Option<PreferredRoot>,
        sa: Arc<dyn StorageRead>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let chains = Self {
            configured,
            preferred,
            sa,
            clock,
            known: ArcSwap::from_pointee(Known::default()),
            last: Mutex::new(None),
            missed: AtomicBool::new(false),
        };
        chains.make(Vec::new());
        chains
    }

    /// Reads now and every minute; to be stopped by dropping it.
    pub async fn keep_current(&self) {
        loop {
            let mut last = self.last.lock().await;
            *last = Some(Instant::now());
            if let Err(error) = self.read().await {
                warn!(%error, "the CA certificates in the storage cannot be read; trying again");
            }
            drop(last);
            sleep(EVERY).await;
        }
    }

    /// The chains of an issuer. One that is unknown is looked for in the storage.
    ///
    /// # Errors
    /// Those of the storage; `Internal` if the issuer is not known there either.
    pub(crate) async fn of(&self, issuer: IssuerId) -> Result<OfIssuer> {
        if let Some(found) = self.known_of(issuer) {
            return Ok(found);
        }
        let missed = Instant::now();
        let mut last = self.last.lock().await;
        // Whoever waited for a read that began later than this has its answer by that.
        if self.known_of(issuer).is_none() && last.is_none_or(|began| began < missed) {
            if let Some(began) = *last {
                sleep_until(began + PAUSE).await;
            }
            *last = Some(Instant::now());
            self.read().await?;
        }
        drop(last);
        self.known_of(issuer).ok_or_else(|| {
            let cause = format!("no certificate of issuer {issuer} is configured or recorded");
            Error::internal(UNUSABLE, cause)
        })
    }

    /// The default chain of an issuer, PEM, for whoever else serves its certificates.
    ///
    /// # Errors
    /// As when a client asks for it.
    pub async fn default_pem(&self, issuer: IssuerId) -> Result<String> {
        let chains = self.of(issuer).await?;
        Ok(chains.all().first().map(|chain| chain.pem.clone()).unwrap_or_default())
    }

    /// Every CA certificate that is known: those that are configured first.
    #[must_use]
    pub fn certificates(&self) -> Vec<Certificate> {
        self.known.load().certificates.clone()
    }

    fn known_of(&self, issuer: IssuerId) -> Option<OfIssuer> {
        let known = self.known.load();
        known.chains.contains_key(&issuer).then(|| OfIssuer { known: Arc::clone(&known), issuer })
    }

    async fn read(&self) -> Result<()> {
        let recorded = self.sa.ca_certificates().await?;
        let read = recorded.iter().filter_map(|certificate| {
            let read = Certificate::from_der(&certificate.der);
            read.inspect_err(|error| warn!(%error, "a CA certificate in the storage cannot be read")).ok()
        });
        self.make(read.collect());
        self.preferred.as_ref().inspect(|preferred| self.warn_if_missed(preferred));
        Ok(())
    }

    fn make(&self, recorded: Vec<Certificate>) {
        let certificates = each_once(self.configured.iter().cloned().chain(recorded));
        let chains = build::chains(&certificates, self.preferred.as_ref(), self.clock.now());
        self.known.store(Arc::new(Known { certificates, chains }));
    }

    fn warn_if_missed(&self, preferred: &PreferredRoot) {
        let known = self.known.load();
        let missed = !known.chains.values().flatten().any(|chain| chain.preferred);
        if missed && !self.missed.swap(true, Ordering::Relaxed) {
            warn!(root = %preferred, "no chain ends at wfe.preferred_root; the shortest are the default");
        }
    }
}

/// The chains of an issuer that can be made of these certificates, the default first: for each, the common names from the issuer to the
/// root.
#[must_use]
pub fn chains_of(
    certificates: &[Certificate],
    preferred: Option<&PreferredRoot>,
    issuer: &Certificate,
    now: Timestamp,
) -> Vec<Vec<String>> {
    let certificates = each_once(certificates.iter().cloned());
    let mut chains = build::chains(&certificates, preferred, now);
    let chains = build::id(issuer).and_then(|id| chains.remove(&id)).unwrap_or_default();
    chains.into_iter().map(|chain| chain.names).collect()
}

impl fmt::Debug for Chains {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chains").field("issuers", &self.known.load().chains.keys()).finish_non_exhaustive()
    }
}

/// The root at which the default chains end, where one does: its common name or its SHA-256 fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PreferredRoot {
    text: String,
    fingerprint: Option<[u8; 32]>,
}

/// The text is neither a name nor a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is empty; write a root's common name or SHA-256 fingerprint, or leave it out")]
pub struct NoRoot;

impl TryFrom<String> for PreferredRoot {
    type Error = NoRoot;

    fn try_from(text: String) -> Result<Self, NoRoot> {
        if text.trim().is_empty() {
            return Err(NoRoot);
        }
        let digits: String = text.chars().filter(|character| *character != ':').collect();
        let octet = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        let is_hex = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        let octets = || (0..64).step_by(2).map(octet).collect::<Option<Vec<u8>>>();
        let fingerprint = is_hex.then(octets).flatten().and_then(|octets| octets.try_into().ok());
        Ok(Self { text, fingerprint })
    }
}

impl PreferredRoot {
    fn is(&self, root: &Certificate) -> bool {
        match self.fingerprint {
            Some(fingerprint) => root.sha256_fingerprint() == fingerprint,
            None => self.is_name(root.subject()),
        }
    }

    fn is_name(&self, name: &Name) -> bool {
        self.fingerprint.is_none() && name.common_name() == Some(self.text.as_str())
    }
}

impl fmt::Display for PreferredRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
