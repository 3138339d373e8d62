//! What the transport counts, by the `metrics` facade: calls and connections, of both sides.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use cairn_core::Metric;
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tonic::Code;

use super::answer::split;
use super::refusal::Reason;
use crate::Role;

/// Every metric of the transport.
pub const METRICS: &[Metric] = &[
    SERVER_CALLS,
    SERVER_SECONDS,
    SERVER_IN_FLIGHT,
    SERVER_CONNECTIONS,
    SERVER_REFUSED,
    SERVER_HANDSHAKES_REFUSED,
    CLIENT_CALLS,
    CLIENT_SECONDS,
    CLIENT_IN_FLIGHT,
    CLIENT_RETRIES,
    CLIENT_CONNECTIONS,
    CLIENT_CONNECT_FAILURES,
];

const SERVER_CALLS: Metric = Metric::counter(
    "cairn_rpc_server_calls_total",
    &["service", "method", "code"],
    "Calls that another service made and this one answered, by gRPC status code.",
);
const SERVER_SECONDS: Metric = Metric::histogram(
    "cairn_rpc_server_call_seconds",
    &["service", "method"],
    "How long the answers to other services' calls took.",
);
const SERVER_IN_FLIGHT: Metric = Metric::gauge(
    "cairn_rpc_server_calls_in_flight",
    &["role"],
    "Calls of other services that are being worked on, by the role that they are made to.",
);
const SERVER_CONNECTIONS: Metric = Metric::gauge(
    "cairn_rpc_server_connections",
    &["role"],
    "Connections of other services that are open, by the role that they are made to.",
);
const SERVER_REFUSED: Metric = Metric::counter(
    "cairn_rpc_server_calls_refused_total",
    &["role", "reason"],
    "Calls that were refused before the service saw them, by reason.",
);
const SERVER_HANDSHAKES_REFUSED: Metric = Metric::counter(
    "cairn_rpc_server_handshakes_refused_total",
    &["role", "reason"],
    "Connections that were refused before the first call, by reason.",
);
const CLIENT_CALLS: Metric = Metric::counter(
    "cairn_rpc_client_calls_total",
    &["service", "method", "code"],
    "Calls made to other services, by gRPC status code; retries within a call are not counted.",
);
const CLIENT_SECONDS: Metric = Metric::histogram(
    "cairn_rpc_client_call_seconds",
    &["service", "method"],
    "How long calls to other services took, retries included.",
);
const CLIENT_IN_FLIGHT: Metric = Metric::gauge(
    "cairn_rpc_client_calls_in_flight",
    &["role"],
    "Calls to other services that wait for their answer, by the callee's role.",
);
const CLIENT_RETRIES: Metric = Metric::counter(
    "cairn_rpc_client_retries_total",
    &["role"],
    "How often a call was sent to another endpoint, by the callee's role.",
);
const CLIENT_CONNECTIONS: Metric = Metric::gauge(
    "cairn_rpc_client_connections",
    &["role"],
    "Endpoints of other services that are connected, by the callee's role.",
);
const CLIENT_CONNECT_FAILURES: Metric = Metric::counter(
    "cairn_rpc_client_connect_failures_total",
    &["role"],
    "Attempts to connect to another service's endpoint that failed, by the callee's role.",
);

/// Which side of a call one is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// What one side of a channel, or of a server, counts of its calls. Each counter is looked up once, and not for every call.
pub(super) struct Calls {
    side: Side,
    in_flight: Gauge,
    /// By path. Only methods that exist come here: their number bounds it.
    methods: RwLock<HashMap<String, Arc<Method>>>,
}

/// The counters of one method.
struct Method {
    seconds: Histogram,
    /// By code; few ever come.
    by_code: [OnceLock<Counter>; CODES],
}

/// How many codes there are (they are numbered from 0).
const CODES: usize = 17;

impl Calls {
    /// `role` is the callee's.
    pub(super) fn new(side: Side, role: Role) -> Self {
        let metric = match side {
            Side::Client => CLIENT_IN_FLIGHT,
            Side::Server => SERVER_IN_FLIGHT,
        };
        Self { side, in_flight: gauge!(metric.name, "role" => role.name()), methods: RwLock::default() }
    }

    /// Counts a call that is under way, until the result is dropped.
    pub(super) fn in_flight(&self) -> Held {
        Held::new(self.in_flight.clone())
    }

    /// Counts a call that is over.
    pub(super) fn ended(&self, path: &str, code: Code, took: Duration) {
        let method = self.method(path, code);
        method.seconds.record(took);
        if let Some(counter) = method.by_code.get(code as usize) {
            counter.get_or_init(|| self.counter(path, code)).increment(1);
        }
    }

    fn method(&self, path: &str, code: Code) -> Arc<Method> {
        let known = self.methods.read().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        known.unwrap_or_else(|| {
            let (service, method) = labels(path, code);
            let name = match self.side {
                Side::Client => CLIENT_SECONDS.name,
                Side::Server => SERVER_SECONDS.name,
            };
            let seconds = histogram!(name, "service" => service, "method" => method);
            let method = Arc::new(Method { seconds, by_code: Default::default() });
            if code != Code::Unimplemented {
                let mut methods = self.methods.write().unwrap_or_else(PoisonError::into_inner);
                methods.insert(path.to_owned(), Arc::clone(&method));
            }
            method
        })
    }

    fn counter(&self, path: &str, code: Code) -> Counter {
        let (service, method) = labels(path, code);
        let name = match self.side {
            Side::Client => CLIENT_CALLS.name,
            Side::Server => SERVER_CALLS.name,
        };
        counter!(name, "service" => service, "method" => method, "code" => code_name(code))
    }
}

/// Service and method. A method that we do not have is a text of the caller's: as a label it would let a peer fill our memory.
fn labels(path: &str, code: Code) -> (String, String) {
    let (service, method) = split(path);
    let method = if code == Code::Unimplemented { "unknown" } else { method };
    (service.to_owned(), method.to_owned())
}

/// One more, until it is dropped.
pub(super) struct Held(Gauge);

impl Held {
    fn new(gauge: Gauge) -> Self {
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

pub(super) fn connection(side: Side, role: Role) -> Held {
    let metric = match side {
        Side::Client => CLIENT_CONNECTIONS,
        Side::Server => SERVER_CONNECTIONS,
    };
    Held::new(gauge!(metric.name, "role" => role.name()))
}

pub(super) fn call_refused(role: Role, reason: Reason) {
    counter!(SERVER_REFUSED.name, "role" => role.name(), "reason" => reason.name()).increment(1);
}

pub(super) fn handshake_refused(role: Role, reason: &'static str) {
    counter!(SERVER_HANDSHAKES_REFUSED.name, "role" => role.name(), "reason" => reason).increment(1);
}

pub(super) fn retry(callee: Role) {
    counter!(CLIENT_RETRIES.name, "role" => callee.name()).increment(1);
}

pub(super) fn connect_failed(callee: Role) {
    counter!(CLIENT_CONNECT_FAILURES.name, "role" => callee.name()).increment(1);
}

/// As gRPC writes them.
const fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
