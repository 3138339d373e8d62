//! What the front end for relying parties counts. As in the ACME front end, counters are looked up once and then held.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use cairn_core::Metric;
use cairn_x509::ocsp::Refusal;
use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use super::path;

/// Every metric of this front end.
pub const METRICS: &[Metric] =
    &[REQUESTS, DURATION, OCSP_ANSWERS, OCSP_REFUSALS, OCSP_SHED, OCSP_CACHED, FEED_SILENCE];

const REQUESTS: Metric = Metric::counter(
    "cairn_pki_requests_total",
    &["endpoint", "method", "status"],
    "Requests of relying parties that were answered, by the pattern of their path.",
);
const DURATION: Metric = Metric::histogram(
    "cairn_pki_request_duration_seconds",
    &["endpoint"],
    "From the head of a relying party's request to its answer.",
);

const OCSP_ANSWERS: Metric = Metric::counter(
    "cairn_pki_ocsp_answers_total",
    &["source"],
    "OCSP requests by where their answer came from: cache, or ca, which was asked; single are those of the latter whose answers are for one \
     client alone, with a nonce or about several certificates.",
);
const OCSP_REFUSALS: Metric = Metric::counter(
    "cairn_pki_ocsp_refusals_total",
    &["status"],
    "OCSP requests that were refused, by the status of the response (RFC 6960 section 2.3).",
);
const OCSP_SHED: Metric = Metric::counter(
    "cairn_pki_ocsp_shed_total",
    &[],
    "OCSP requests that were put off because as many as may be were waiting for the certificate authority.",
);
const OCSP_CACHED: Metric =
    Metric::gauge("cairn_pki_ocsp_cached_answers", &[], "Signed OCSP answers that are kept in memory.");
const FEED_SILENCE: Metric = Metric::gauge(
    "cairn_pki_feed_silence_seconds",
    &[],
    "For how long nothing was heard of what the storage revokes: below a second, unless the storage cannot be read; after five seconds no \
     OCSP answer is taken from memory any more. Infinite before the first time.",
);

/// What paths that are no resource's are counted as, and methods and statuses that are none of ours.
const OTHER: &str = "other";
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", OTHER];
/// Every status that an answer of ours can have.
const STATUSES: [&str; 11] = ["200", "304", "400", "404", "405", "408", "413", "415", "500", "503", OTHER];

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    from_cache: counter!(OCSP_ANSWERS.name, "source" => "cache"),
    asked: counter!(OCSP_ANSWERS.name, "source" => "ca"),
    for_one: counter!(OCSP_ANSWERS.name, "source" => "single"),
    refusals: REFUSALS.map(|refusal| counter!(OCSP_REFUSALS.name, "status" => name(refusal))),
    shed: counter!(OCSP_SHED.name),
    cached: gauge!(OCSP_CACHED.name),
    silence: gauge!(FEED_SILENCE.name),
    endpoints: path::ALL.map(Endpoint::new),
    no_endpoint: Endpoint::new(OTHER),
});

struct Handles {
    from_cache: Counter,
    asked: Counter,
    for_one: Counter,
    refusals: [Counter; REFUSALS.len()],
    shed: Counter,
    cached: Gauge,
    silence: Gauge,
    endpoints: [Endpoint; path::ALL.len()],
    no_endpoint: Endpoint,
}

struct Endpoint {
    pattern: &'static str,
    duration: OnceLock<Histogram>,
    /// By method and status; each made when it is first needed, so that what never happens is no series.
    requests: [[OnceLock<Counter>; STATUSES.len()]; METHODS.len()],
}

impl Endpoint {
    fn new(pattern: &'static str) -> Self {
        Self { pattern, duration: OnceLock::new(), requests: Default::default() }
    }
}

/// The pattern as it is counted.
fn endpoint(pattern: Option<&str>) -> &'static Endpoint {
    let endpoint = HANDLES.endpoints.iter().find(|endpoint| Some(endpoint.pattern) == pattern);
    endpoint.unwrap_or(&HANDLES.no_endpoint)
}

/// A request was answered by the route with this pattern.
pub(super) fn request(pattern: Option<&str>, method: &Method, status: StatusCode, duration: Duration) {
    let endpoint = endpoint(pattern);
    let named = endpoint.duration.get_or_init(|| histogram!(DURATION.name, "endpoint" => endpoint.pattern));
    named.record(duration);
    let (method, method_name) = place(&METHODS, method.as_str());
    let (status, status_name) = place(&STATUSES, status.as_str());
    if let Some(counter) = endpoint.requests.get(method).and_then(|statuses| statuses.get(status)) {
        let made = counter.get_or_init(|| {
            counter!(REQUESTS.name, "endpoint" => endpoint.pattern, "method" => method_name, "status" => status_name)
        });
        made.increment(1);
    }
}

/// Where a value stands in its list; at the end, as [`OTHER`], if it does not.
fn place<const N: usize>(values: &[&'static str; N], value: &str) -> (usize, &'static str) {
    let found = values.iter().enumerate().find(|(_, known)| **known == value);
    found.map_or((N - 1, OTHER), |(place, known)| (place, known))
}

/// Every refusal that there is.
const REFUSALS: [Refusal; 5] = [
    Refusal::MalformedRequest,
    Refusal::InternalError,
    Refusal::TryLater,
    Refusal::SigRequired,
    Refusal::Unauthorized,
];

/// The name of a refusal (RFC 6960 §4.2.1).
pub(super) const fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::MalformedRequest => "malformedRequest",
        Refusal::InternalError => "internalError",
        Refusal::TryLater => "tryLater",
        Refusal::SigRequired => "sigRequired",
        Refusal::Unauthorized => "unauthorized",
    }
}

/// An answer was in the cache.
pub(super) fn ocsp_from_cache() {
    HANDLES.from_cache.increment(1);
}

/// The certificate authority is asked.
pub(super) fn ocsp_asked() {
    HANDLES.asked.increment(1);
}

/// An answer is for one client alone.
pub(super) fn ocsp_for_one() {
    HANDLES.for_one.increment(1);
}

/// A request was put off, since too many wait.
pub(super) fn ocsp_shed() {
    HANDLES.shed.increment(1);
}

/// A request was refused.
pub(super) fn ocsp_refused(refusal: Refusal) {
    let counters = REFUSALS.iter().zip(&HANDLES.refusals);
    counters.filter(|(known, _)| **known == refusal).for_each(|(_, counter)| counter.increment(1));
}

/// How many answers are kept, and for how long no revocation was heard of.
#[expect(clippy::cast_precision_loss, reason = "far fewer than a float can count")]
pub(super) fn ocsp_cache(answers: usize, silence: Option<Duration>) {
    HANDLES.cached.set(answers as f64);
    HANDLES.silence.set(silence.map_or(f64::INFINITY, |silence| silence.as_secs_f64()));
}
