//! The certificates of the CA's issuers: served as DER (RFC 5280 §4.2.2.1), and known by the hashes under which OCSP clients name them.
//!
//! They are those that the CA has recorded, and it records them before it issues. They are read every minute, and when one is asked for
//! that is not known.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::body::Body;
use axum::extract::{RawPathParams, State};
use axum::response::Response;
use cairn_core::api::PkiRead;
use cairn_core::pki::CERTIFICATE_SUFFIX;
use cairn_core::{CaCertificate, Clock, IssuerId, Result};
use cairn_x509::Certificate;
use cairn_x509::ocsp::{CertId, IssuerNames};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::warn;

use super::{Pki, no_such_resource};

/// How often what was recorded is read without need.
const EVERY: Duration = Duration::from_secs(60);
/// The least time between two reads that strangers are the cause of; who comes meanwhile waits for the next.
const PAUSE: Duration = Duration::from_millis(100);

/// RFC 2585 §4.1.
const PKIX_CERT: HeaderValue = HeaderValue::from_static("application/pkix-cert");
/// A day: under the URL there is always a certificate with the same name and key, and mostly the same one.
const KEPT: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// The issuers that are known.
pub(super) struct Issuers {
    published: Arc<dyn PkiRead>,
    clock: Arc<dyn Clock>,
    /// Replaced as a whole.
    known: ArcSwap<Known>,
    /// When the last read began; held while one is under way.
    last: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    served: HashMap<IssuerId, Served>,
    /// How OCSP clients name them.
    names: HashSet<IssuerNames>,
}

/// A certificate as it is served.
#[derive(Clone)]
struct Served {
    certificate: Certificate,
    etag: HeaderValue,
}

impl Issuers {
    /// None yet.
    pub(super) fn new(published: Arc<dyn PkiRead>, clock: Arc<dyn Clock>) -> Self {
        Self { published, clock, known: ArcSwap::default(), last: Mutex::new(None) }
    }

    /// Reads now and every minute; to be stopped by dropping it.
    pub(super) async fn keep_current(&self) {
        loop {
            self.read(&mut *self.last.lock().await).await;
            sleep(EVERY).await;
        }
    }

    /// Whether one of these is named as the certificate of a CA that is known. Whoever asks about others is not worth a call.
    pub(super) async fn any_named(&self, ids: &[CertId]) -> bool {
        let named = |known: &Known| known.names.iter().any(|names| ids.iter().any(|id| names.include(id)));
        self.find(|known| named(known).then_some(())).await.is_some()
    }

    /// Whether there is such a CA.
    pub(super) async fn knows(&self, issuer: IssuerId) -> bool {
        self.find(|known| known.served.contains_key(&issuer).then_some(())).await.is_some()
    }

    /// Looks for something among what is known, and once more after a read if it is not there.
    async fn find<T>(&self, look: impl Fn(&Known) -> Option<T>) -> Option<T> {
        if let Some(found) = look(&self.known.load()) {
            return Some(found);
        }
        let missed = Instant::now();
        let mut last = self.last.lock().await;
        // Whoever waited for a read that began later has its answer by that.
        if last.is_none_or(|began| began < missed) {
            if let Some(began) = *last {
                sleep_until(began + PAUSE).await;
            }
            self.read(&mut last).await;
        }
        drop(last);
        look(&self.known.load())
    }

    async fn read(&self, last: &mut Option<Instant>) {
        *last = Some(Instant::now());
        if let Err(error) = self.try_read().await {
            warn!(%error, "the CA certificates in the storage cannot be read; trying again");
        }
    }

    async fn try_read(&self) -> Result<()> {
        let recorded = self.published.published_ca_certificates().await?;
        let mut known = Known::default();
        for CaCertificate { der, subject, .. } in recorded {
            let Ok(certificate) = Certificate::from_der(&der) else { continue };
            known.names.insert(IssuerNames::of(&certificate));
            let Some(id) = subject else { continue };
            let other = known.served.get(&id);
            let is_better = other.is_none_or(|other| self.is_better(&certificate, &other.certificate));
            if is_better {
                let etag = etag(&certificate.sha256_fingerprint());
                known.served.insert(id, Served { certificate, etag });
            }
        }
        self.known.store(Arc::new(known));
        Ok(())
    }

    /// Of several certificates for one key, a root's own serves best, since clients may have it; else one that is valid; else the one
    /// that ends last. What they certify is the same.
    fn is_better(&self, one: &Certificate, other: &Certificate) -> bool {
        let now = self.clock.now().unix();
        let worth = |it: &Certificate| {
            let validity = it.validity();
            let is_valid = (validity.not_before..=validity.not_after).contains(&now);
            (it.issuer() == it.subject(), is_valid, validity.not_after)
        };
        worth(one) > worth(other)
    }
}

fn etag(fingerprint: &[u8; 32]) -> HeaderValue {
    let hex: String = fingerprint.iter().map(|octet| format!("{octet:02x}")).collect();
    HeaderValue::try_from(format!("\"{hex}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// `GET /issuers/{issuer}.cer`.
pub(super) async fn certificate(
    State(pki): State<Arc<Pki>>,
    parameters: RawPathParams,
    headers: HeaderMap,
) -> Response {
    let name = parameters.iter().next().map(|(_, name)| name).unwrap_or_default();
    let Some(id) = name.strip_suffix(CERTIFICATE_SUFFIX).and_then(|id| id.parse::<IssuerId>().ok()) else {
        return no_such_resource().await;
    };
    let Some(Served { certificate, etag }) = pki.issuers.find(|known| known.served.get(&id).cloned()).await
    else {
        return no_such_resource().await;
    };
    let is_known = has_etag(&headers, &etag);
    let body = if is_known { Body::empty() } else { Body::from(certificate.der().to_vec()) };
    let mut response = Response::new(body);
    if is_known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(CONTENT_TYPE, PKIX_CERT);
    }
    response.headers_mut().insert(CACHE_CONTROL, KEPT);
    response.headers_mut().insert(ETAG, etag);
    response
}

/// Whether the client has this version already (RFC 9110 §13.1.2). Weak tags compare like strong ones there.
pub(super) fn has_etag(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == etag.as_bytes())
}
