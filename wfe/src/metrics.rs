//! What the front end counts. The counters are looked up once and then held: at some thousand requests a second a lookup by name and
//! labels would be noticed.

use std::sync::{LazyLock, OnceLock};
use std::time::Duration;

use cairn_core::Metric;
use http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::links::path;

/// Every metric of the front end.
pub const METRICS: &[Metric] =
    &[REQUESTS, DURATION, IN_FLIGHT, SHED, NONCES_MADE, NONCES_REDEEMED, NONCES_REFUSED];

const REQUESTS: Metric = Metric::counter(
    "cairn_wfe_requests_total",
    &["endpoint", "method", "status"],
    "Requests that were answered, by the pattern of their path.",
);
const DURATION: Metric = Metric::histogram(
    "cairn_wfe_request_duration_seconds",
    &["endpoint"],
    "From a request's head to its answer.",
);
const IN_FLIGHT: Metric =
    Metric::gauge("cairn_wfe_requests_in_flight", &[], "Requests that are being answered.");
const SHED: Metric = Metric::counter(
    "cairn_wfe_requests_shed_total",
    &[],
    "Requests that were turned away because as many as may be (wfe.max_requests) were being worked on.",
);
const NONCES_MADE: Metric = Metric::counter("cairn_wfe_nonces_made_total", &[], "Nonces given to clients.");
const NONCES_REDEEMED: Metric = Metric::counter(
    "cairn_wfe_nonces_redeemed_total",
    &[],
    "Nonces that requests came with and that were good.",
);
const NONCES_REFUSED: Metric = Metric::counter(
    "cairn_wfe_nonces_refused_total",
    &[],
    "Nonces that were unknown, used or too old: some are normal, many mean that clients reach a front end that cannot ask the one \
     that made their nonces.",
);

/// What paths that are no resource's are counted as, and methods and statuses that are none of ours.
const OTHER: &str = "other";
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "OPTIONS", OTHER];
/// Every status that an answer of ours can have.
const STATUSES: [&str; 17] = [
    "200", "201", "204", "400", "401", "403", "404", "405", "408", "409", "413", "415", "421", "429", "500",
    "503", OTHER,
];

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    in_flight: gauge!(IN_FLIGHT.name),
    shed: counter!(SHED.name),
    nonces_made: counter!(NONCES_MADE.name),
    nonces_redeemed: counter!(NONCES_REDEEMED.name),
    nonces_refused: counter!(NONCES_REFUSED.name),
    endpoints: path::ALL.map(Endpoint::new),
    no_endpoint: Endpoint::new(OTHER),
});

struct Handles {
    in_flight: Gauge,
    shed: Counter,
    nonces_made: Counter,
    nonces_redeemed: Counter,
    nonces_refused: Counter,
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

    fn is_of(&self, path: &str) -> bool {
        let (mut pattern, mut path) = (self.pattern.split('/'), path.split('/'));
        loop {
            match (pattern.next(), path.next()) {
                (None, None) => return true,
                (Some(pattern), Some(segment)) if pattern == segment || pattern.starts_with('{') => {}
                _ => return false,
            }
        }
    }
}

/// A request is being answered, until this is dropped.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn begin() -> Self {
        HANDLES.in_flight.increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        HANDLES.in_flight.decrement(1.0);
    }
}

/// The pattern of a path, by which requests are counted.
pub(crate) fn pattern(path: &str) -> &'static str {
    endpoint(path).pattern
}

fn endpoint(path: &str) -> &'static Endpoint {
    let endpoint = HANDLES.endpoints.iter().find(|endpoint| endpoint.is_of(path));
    endpoint.unwrap_or(&HANDLES.no_endpoint)
}

/// A request was answered.
pub(crate) fn request(path: &str, method: &Method, status: StatusCode, duration: Duration) {
    let endpoint = endpoint(path);
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

/// Where a name stands among those that are known, the last of which is all others.
fn place(known: &[&'static str], name: &str) -> (usize, &'static str) {
    let found = known.iter().copied().enumerate().find(|(_, known)| *known == name);
    found.unwrap_or((known.len() - 1, OTHER))
}

pub(crate) fn shed() {
    HANDLES.shed.increment(1);
}

pub(crate) fn nonce_made() {
    HANDLES.nonces_made.increment(1);
}

pub(crate) fn nonce_came(good: bool) {
    let counter = if good { &HANDLES.nonces_redeemed } else { &HANDLES.nonces_refused };
    counter.increment(1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_counted_by_their_pattern_and_strangers_paths_make_no_series() {
        for (path, pattern) in [
            ("/dir", path::DIRECTORY),
            ("/order/0123", path::ORDER),
            ("/order/0123/finalize", path::FINALIZE),
            ("/challenge/0123/http-01", path::CHALLENGE),
            ("/", OTHER),
            ("/order", OTHER),
            ("/order/0123/other", OTHER),
            ("/.env", OTHER),
        ] {
            assert_eq!(super::pattern(path), pattern, "{path}");
        }
        assert_eq!(place(&METHODS, "BREW"), (4, OTHER));
        assert_eq!(place(&STATUSES, "418"), (16, OTHER));
        assert_eq!(place(&STATUSES, "503"), (15, "503"));
    }
}
