//! What the front end for relying parties counts. As in the ACME front end, counters are looked up once and then held.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use cairn_core::Metric;
use http::{Method, StatusCode};
use metrics::{Counter, Histogram, counter, histogram};

use super::path;

/// Every metric of this front end.
pub const METRICS: &[Metric] = &[REQUESTS, DURATION];

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

/// What paths that are no resource's are counted as, and methods and statuses that are none of ours.
const OTHER: &str = "other";
const METHODS: [&str; 4] = ["GET", "HEAD", "POST", OTHER];
/// Every status that an answer of ours can have.
const STATUSES: [&str; 11] = ["200", "304", "400", "404", "405", "408", "413", "415", "500", "503", OTHER];

static HANDLES: LazyLock<Handles> =
    LazyLock::new(|| Handles { endpoints: path::ALL.map(Endpoint::new), no_endpoint: Endpoint::new(OTHER) });

struct Handles {
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
