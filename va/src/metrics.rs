//! What the validation authority counts. By the kind of challenge and of record alone: whose name it was is in the log.

use std::sync::LazyLock;
use std::time::Duration;

use cairn_core::{ChallengeType, Metric};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use tokio::time::Instant;

/// Every metric of the validation authority.
pub const METRICS: &[Metric] =
    &[VALIDATIONS, DURATION, PERSPECTIVES, DNS_QUERIES, DNS_DURATION, RUNNING, WAITING, REFUSED];

const VALIDATIONS: Metric = Metric::counter(
    "cairn_va_validations_total",
    &["challenge", "result"],
    "Attempts at challenges: valid, invalid (what was found there), error (a fault of ours).",
);
const DURATION: Metric = Metric::histogram(
    "cairn_va_validation_duration_seconds",
    &["challenge"],
    "How long attempts took, without the wait for their turn.",
);
const PERSPECTIVES: Metric = Metric::counter(
    "cairn_va_perspective_answers_total",
    &["perspective", "result"],
    "What the remote validation authorities saw: agrees, disagrees, error (it could not look, or did not answer in time). Those that \
     are not waited for are not counted.",
);
const DNS_QUERIES: Metric = Metric::counter(
    "cairn_va_dns_queries_total",
    &["type", "result"],
    "Questions to the resolvers: found, none (no such record or name), error, timeout.",
);
const DNS_DURATION: Metric = Metric::histogram(
    "cairn_va_dns_query_duration_seconds",
    &["type"],
    "How long the resolvers took; A and AAAA records are asked for together.",
);
const RUNNING: Metric = Metric::gauge(
    "cairn_va_validations_running",
    &[],
    "Attempts that are under way (at most va.max_concurrent).",
);
const WAITING: Metric = Metric::gauge(
    "cairn_va_validations_waiting",
    &[],
    "Attempts that wait for their turn (at most va.max_waiting).",
);
const REFUSED: Metric = Metric::counter(
    "cairn_va_validations_refused_total",
    &[],
    "Attempts that were turned away because too many waited, or none ended in time.",
);

static HANDLES: LazyLock<Handles> = LazyLock::new(|| Handles {
    validations: ChallengeType::ALL.map(Validations::new),
    addresses: Queries::new("address"),
    texts: Queries::new("TXT"),
    running: gauge!(RUNNING.name),
    waiting: gauge!(WAITING.name),
    refused: counter!(REFUSED.name),
});

struct Handles {
    validations: [Validations; ChallengeType::ALL.len()],
    addresses: Queries,
    texts: Queries,
    running: Gauge,
    waiting: Gauge,
    refused: Counter,
}

struct Validations {
    challenge: ChallengeType,
    valid: Counter,
    invalid: Counter,
    error: Counter,
    duration: Histogram,
}

impl Validations {
    fn new(challenge: ChallengeType) -> Self {
        let name = challenge.as_str();
        let [valid, invalid, error] = ["valid", "invalid", "error"]
            .map(|result| counter!(VALIDATIONS.name, "challenge" => name, "result" => result));
        Self { challenge, valid, invalid, error, duration: histogram!(DURATION.name, "challenge" => name) }
    }
}

struct Queries {
    found: Counter,
    none: Counter,
    error: Counter,
    timeout: Counter,
    duration: Histogram,
}

impl Queries {
    fn new(kind: &'static str) -> Self {
        let [found, none, error, timeout] = ["found", "none", "error", "timeout"]
            .map(|result| counter!(DNS_QUERIES.name, "type" => kind, "result" => result));
        Self { found, none, error, timeout, duration: histogram!(DNS_DURATION.name, "type" => kind) }
    }
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Valid,
    Invalid,
    Error,
}

pub(crate) fn validation(challenge: ChallengeType, outcome: Outcome, duration: Duration) {
    let Some(handles) = HANDLES.validations.iter().find(|it| it.challenge == challenge) else { return };
    match outcome {
        Outcome::Valid => &handles.valid,
        Outcome::Invalid => &handles.invalid,
        Outcome::Error => &handles.error,
    }
    .increment(1);
    handles.duration.record(duration);
}

/// What a remote validation authority said.
pub(crate) struct Answers {
    agrees: Counter,
    disagrees: Counter,
    error: Counter,
}

impl Answers {
    /// By its name in the configuration.
    pub(crate) fn of(perspective: &str) -> Self {
        let [agrees, disagrees, error] = ["agrees", "disagrees", "error"].map(
            |result| counter!(PERSPECTIVES.name, "perspective" => perspective.to_owned(), "result" => result),
        );
        Self { agrees, disagrees, error }
    }

    pub(crate) fn agrees(&self) {
        self.agrees.increment(1);
    }

    pub(crate) fn disagrees(&self) {
        self.disagrees.increment(1);
    }

    pub(crate) fn fails(&self) {
        self.error.increment(1);
    }
}

/// What was asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Question {
    Addresses,
    Texts,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    Found,
    Nothing,
    Error,
    Late,
}

pub(crate) fn dns(question: Question, answer: Answer, asked: Instant) {
    let queries = match question {
        Question::Addresses => &HANDLES.addresses,
        Question::Texts => &HANDLES.texts,
    };
    match answer {
        Answer::Found => &queries.found,
        Answer::Nothing => &queries.none,
        Answer::Error => &queries.error,
        Answer::Late => &queries.timeout,
    }
    .increment(1);
    queries.duration.record(asked.elapsed());
}

/// An attempt runs, until this is dropped.
#[derive(Debug)]
pub(crate) struct Running;

impl Running {
    pub(crate) fn begin() -> Self {
        HANDLES.running.increment(1.0);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        HANDLES.running.decrement(1.0);
    }
}

/// An attempt waits, until this is dropped.
pub(crate) struct Waiting;

impl Waiting {
    pub(crate) fn begin() -> Self {
        HANDLES.waiting.increment(1.0);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        HANDLES.waiting.decrement(1.0);
    }
}

pub(crate) fn refused() {
    HANDLES.refused.increment(1);
}
