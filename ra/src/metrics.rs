//! What the registration authority counts.

use std::sync::LazyLock;

use cairn_core::{ChallengeType, Metric};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

/// Every metric of the registration authority.
pub const METRICS: &[Metric] = &[
    ORDERS,
    VALIDATIONS,
    VALIDATION_DURATION,
    VALIDATIONS_IN_PROGRESS,
    ISSUANCES,
    ISSUANCE_DURATION,
    ISSUANCES_IN_PROGRESS,
    PERMITS,
    REFUSED,
    REVOCATIONS,
    RETRIES,
    SWEEPS,
    SWEPT,
    UPKEEP,
    FOLLOWED,
];

const ORDERS: Metric = Metric::counter(
    "cairn_ra_orders_total",
    &["result"],
    "Orders that were placed (new), or asked for again and given back (reused).",
);
const VALIDATIONS: Metric = Metric::counter(
    "cairn_ra_validations_total",
    &["challenge", "result"],
    "Validations that ended: valid, invalid (the client's challenge failed), error (a fault of ours; the client sees an invalid \
     authorization, or the sweeper tries again).",
);
const VALIDATION_DURATION: Metric = Metric::histogram(
    "cairn_ra_validation_duration_seconds",
    &["challenge"],
    "From the begin of a validation to its stored outcome, with all attempts.",
);
const VALIDATIONS_IN_PROGRESS: Metric =
    Metric::gauge("cairn_ra_validations_in_progress", &[], "Validations that are under way.");
const ISSUANCES: Metric = Metric::counter(
    "cairn_ra_issuances_total",
    &["result"],
    "Issuances that ended: issued, failed (the order is invalid), unknown (the sweeper will find out).",
);
const ISSUANCE_DURATION: Metric = Metric::histogram(
    "cairn_ra_issuance_duration_seconds",
    &[],
    "From the begin of an issuance to its stored outcome.",
);
const ISSUANCES_IN_PROGRESS: Metric =
    Metric::gauge("cairn_ra_issuances_in_progress", &[], "Issuances that are under way.");
const PERMITS: Metric = Metric::gauge(
    "cairn_ra_permits",
    &["work"],
    "How many validations and issuances may be under way at once (ra.max_validations, ra.max_issuances).",
);
const REFUSED: Metric = Metric::counter(
    "cairn_ra_refused_total",
    &["work"],
    "Validations and issuances that were not begun because as many as may be were under way, or the process was stopping; clients are \
     told to come back.",
);
const REVOCATIONS: Metric =
    Metric::counter("cairn_ra_revocations_total", &[], "Certificates that were revoked.");
const RETRIES: Metric = Metric::counter(
    "cairn_ra_retries_total",
    &[],
    "Calls of another service that failed by a fault of ours and were made again.",
);
const SWEEPS: Metric = Metric::counter(
    "cairn_ra_sweeps_total",
    &["result"],
    "Searches for work that another process left undone: ok, error.",
);
const SWEPT: Metric = Metric::counter(
    "cairn_ra_swept_total",
    &["object"],
    "What sweeps took up: orders and validations that were left undone.",
);

const UPKEEP: Metric = Metric::counter(
    "cairn_ra_upkeep_total",
    &["result"],
    "Rounds of what is done by the clock (keys that are compromised, incidents that end): ok, error.",
);
const FOLLOWED: Metric = Metric::counter(
    "cairn_ra_followed_total",
    &["cause"],
    "Certificates that were revoked by the clock: since their key is compromised (key), at the end of an incident (incident).",
);

pub(crate) static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    orders: ["new", "reused"].map(|result| counter!(ORDERS.name, "result" => result)),
    validations: ChallengeType::ALL.map(Validations::new),
    validations_in_progress: gauge!(VALIDATIONS_IN_PROGRESS.name),
    issuances: ["issued", "failed", "unknown"].map(|result| counter!(ISSUANCES.name, "result" => result)),
    issuance_duration: histogram!(ISSUANCE_DURATION.name),
    issuances_in_progress: gauge!(ISSUANCES_IN_PROGRESS.name),
    permits: WORK.map(|work| gauge!(PERMITS.name, "work" => work)),
    refused: WORK.map(|work| counter!(REFUSED.name, "work" => work)),
    revocations: counter!(REVOCATIONS.name),
    retries: counter!(RETRIES.name),
    sweeps: ["ok", "error"].map(|result| counter!(SWEEPS.name, "result" => result)),
    swept: ["order", "validation"].map(|object| counter!(SWEPT.name, "object" => object)),
    upkeep: ["ok", "error"].map(|result| counter!(UPKEEP.name, "result" => result)),
    followed: ["key", "incident"].map(|cause| counter!(FOLLOWED.name, "cause" => cause)),
});

const WORK: [&str; 2] = ["validation", "issuance"];

pub(crate) struct Handles {
    orders: [Counter; 2],
    validations: [Validations; ChallengeType::ALL.len()],
    pub(crate) validations_in_progress: Gauge,
    issuances: [Counter; 3],
    issuance_duration: Histogram,
    pub(crate) issuances_in_progress: Gauge,
    permits: [Gauge; 2],
    refused: [Counter; 2],
    revocations: Counter,
    retries: Counter,
    sweeps: [Counter; 2],
    swept: [Counter; 2],
    upkeep: [Counter; 2],
    followed: [Counter; 2],
}

struct Validations {
    challenge: ChallengeType,
    ended: [Counter; 3],
    duration: Histogram,
}

impl Validations {
    fn new(challenge: ChallengeType) -> Self {
        let name = challenge.as_str();
        let ended = ["valid", "invalid", "error"]
            .map(|result| counter!(VALIDATIONS.name, "challenge" => name, "result" => result));
        Self { challenge, ended, duration: histogram!(VALIDATION_DURATION.name, "challenge" => name) }
    }
}

/// An order was given to a client.
pub(crate) fn order(reused: bool) {
    let [new, again] = &HANDLES.orders;
    if reused { again } else { new }.increment(1);
}

/// How a validation ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Validated {
    Valid,
    Invalid,
    Error,
}

pub(crate) fn validation(challenge: ChallengeType, result: Validated, began: Instant) {
    let Some(handles) = HANDLES.validations.iter().find(|it| it.challenge == challenge) else { return };
    let [valid, invalid, error] = &handles.ended;
    match result {
        Validated::Valid => valid,
        Validated::Invalid => invalid,
        Validated::Error => error,
    }
    .increment(1);
    handles.duration.record(began.elapsed());
}

/// How an issuance ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ended {
    Issued,
    Failed,
    Unknown,
}

pub(crate) fn issuance(result: Ended, began: Instant) {
    let [issued, failed, unknown] = &HANDLES.issuances;
    match result {
        Ended::Issued => issued,
        Ended::Failed => failed,
        Ended::Unknown => unknown,
    }
    .increment(1);
    HANDLES.issuance_duration.record(began.elapsed());
}

/// How many may be under way.
#[expect(clippy::cast_precision_loss, reason = "permits are thousands")]
pub(crate) fn permits(validations: usize, issuances: usize) {
    for (gauge, permits) in HANDLES.permits.iter().zip([validations, issuances]) {
        gauge.set(permits as f64);
    }
}

pub(crate) fn validation_refused() {
    let [validations, _] = &HANDLES.refused;
    validations.increment(1);
}

pub(crate) fn issuance_refused() {
    let [_, issuances] = &HANDLES.refused;
    issuances.increment(1);
}

pub(crate) fn revocation() {
    HANDLES.revocations.increment(1);
}

pub(crate) fn retry() {
    HANDLES.retries.increment(1);
}

pub(crate) fn sweep(succeeded: bool) {
    let [ok, error] = &HANDLES.sweeps;
    if succeeded { ok } else { error }.increment(1);
}

pub(crate) fn upkeep(succeeded: bool) {
    let [ok, error] = &HANDLES.upkeep;
    if succeeded { ok } else { error }.increment(1);
}

pub(crate) fn followed_key() {
    let [keys, _] = &HANDLES.followed;
    keys.increment(1);
}

pub(crate) fn followed_incident() {
    let [_, incidents] = &HANDLES.followed;
    incidents.increment(1);
}

pub(crate) fn swept_order() {
    let [orders, _] = &HANDLES.swept;
    orders.increment(1);
}

pub(crate) fn swept_validation() {
    let [_, validations] = &HANDLES.swept;
    validations.increment(1);
}
