//! What the storage counts: each call by its method's name, and what the engines wait for.

use std::sync::LazyLock;
use std::time::Instant;

use cairn_core::{ErrorKind, Metric, Result};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

use crate::prune::Pruned;

/// Every metric of the storage. Those that begin with `cairn_sa_sqlite` and `cairn_sa_postgres` are of one engine.
pub const METRICS: &[Metric] = &[
    CALLS,
    CALL_DURATION,
    PRUNED_ROWS,
    QUEUE_LENGTH,
    GROUP_SIZE,
    COMMIT_DURATION,
    CONNECTIONS_IN_USE,
    CONNECTIONS,
    WAITING,
    CHANGES_TOGETHER,
    REPEATED,
    REPLICA_READS,
];

const CALLS: Metric = Metric::counter(
    "cairn_sa_calls_total",
    &["call", "result"],
    "Reads and changes by the name of the storage's method: ok, refused (another change came first, or there is no such thing), \
     unavailable (nothing was done), error.",
);
const CALL_DURATION: Metric = Metric::histogram(
    "cairn_sa_call_duration_seconds",
    &["call"],
    "How long callers waited. A change is on the disk when it returns.",
);
const PRUNED_ROWS: Metric = Metric::counter(
    "cairn_sa_pruned_total",
    &["table"],
    "Rows that were deleted because they ended longer ago than sa.keep says. An intent goes with its certificate.",
);
const QUEUE_LENGTH: Metric = Metric::gauge(
    "cairn_sa_sqlite_queue_length",
    &[],
    "Changes that wait for the writer (at most sa.queue).",
);
const GROUP_SIZE: Metric = Metric::histogram(
    "cairn_sa_sqlite_group_size",
    &[],
    "Changes that were committed together; it grows with the load, since the disk is flushed once for each group.",
);
const COMMIT_DURATION: Metric = Metric::histogram(
    "cairn_sa_sqlite_commit_duration_seconds",
    &[],
    "How long groups took, from their first change to the end of their commit.",
);
const CONNECTIONS_IN_USE: Metric = Metric::gauge(
    "cairn_sa_postgres_connections_in_use",
    &[],
    "Connections that run statements (at most sa.postgres.connections).",
);
const CONNECTIONS: Metric =
    Metric::gauge("cairn_sa_postgres_connections", &[], "Connections that are open, but for the lock's.");
const WAITING: Metric =
    Metric::gauge("cairn_sa_postgres_waiting", &[], "Statements that wait for a connection.");
const CHANGES_TOGETHER: Metric = Metric::histogram(
    "cairn_sa_postgres_group_size",
    &[],
    "Changes that were committed together; it grows with the load, since what waits for a connection goes in one group.",
);
const REPEATED: Metric = Metric::counter(
    "cairn_sa_postgres_repeated_total",
    &[],
    "Statements that the server undid because they, or others of their group, met another one or were refused, and that were run again.",
);

const REPLICA_READS: Metric = Metric::counter(
    "cairn_sa_postgres_replica_reads_total",
    &["server"],
    "With sa.postgres.replica: reads that it answered, and reads that went to the primary instead.",
);

/// One method.
pub(crate) struct Call {
    ok: Counter,
    refused: Counter,
    unavailable: Counter,
    error: Counter,
    duration: Histogram,
}

impl Call {
    pub(crate) fn new(name: &'static str) -> Self {
        let [ok, refused, unavailable, error] = ["ok", "refused", "unavailable", "error"]
            .map(|result| counter!(CALLS.name, "call" => name, "result" => result));
        Self { ok, refused, unavailable, error, duration: histogram!(CALL_DURATION.name, "call" => name) }
    }

    pub(crate) fn ended<T>(&self, result: &Result<T>, began: Instant) {
        match result.as_ref().map_err(|error| error.kind) {
            Ok(_) => &self.ok,
            Err(ErrorKind::Unavailable) => &self.unavailable,
            Err(ErrorKind::Internal) => &self.error,
            Err(_) => &self.refused,
        }
        .increment(1);
        self.duration.record(began.elapsed());
    }
}

/// What was let go.
pub(crate) struct PrunedRows {
    orders: Counter,
    authorizations: Counter,
    certificates: Counter,
}

pub(crate) static PRUNED: LazyLock<PrunedRows> = LazyLock::new(|| {
    let [orders, authorizations, certificates] = ["orders", "authorizations", "certificates"]
        .map(|table| counter!(PRUNED_ROWS.name, "table" => table));
    PrunedRows { orders, authorizations, certificates }
});

impl PrunedRows {
    pub(crate) fn went(&self, pruned: Pruned) {
        self.orders.increment(pruned.orders);
        self.authorizations.increment(pruned.authorizations);
        self.certificates.increment(pruned.certificates);
    }
}

/// The writer of SQLite.
pub(crate) struct Writing {
    queue: Gauge,
    group: Histogram,
    commit: Histogram,
}

pub(crate) static WRITING: LazyLock<Writing> = LazyLock::new(|| Writing {
    queue: gauge!(QUEUE_LENGTH.name),
    group: histogram!(GROUP_SIZE.name),
    commit: histogram!(COMMIT_DURATION.name),
});

impl Writing {
    pub(crate) fn queued(&self) {
        self.queue.increment(1.0);
    }

    /// That one did not find room in the queue.
    pub(crate) fn turned_away(&self) {
        self.queue.decrement(1.0);
    }

    pub(crate) fn taken(&self, jobs: usize) {
        self.queue.decrement(lossy(jobs));
    }

    pub(crate) fn committed(&self, jobs: usize, began: Instant) {
        self.group.record(lossy(jobs));
        self.commit.record(began.elapsed());
    }
}

/// The connections to PostgreSQL.
pub(crate) struct Pool {
    in_use: Gauge,
    open: Gauge,
    waiting: Gauge,
    group: Histogram,
    repeated: Counter,
}

pub(crate) static POOL: LazyLock<Pool> = LazyLock::new(|| Pool {
    in_use: gauge!(CONNECTIONS_IN_USE.name),
    open: gauge!(CONNECTIONS.name),
    waiting: gauge!(WAITING.name),
    group: histogram!(CHANGES_TOGETHER.name),
    repeated: counter!(REPEATED.name),
});

/// Reads that a replica might have answered.
pub(crate) struct Reads {
    replica: Counter,
    primary: Counter,
}

pub(crate) static READS: LazyLock<Reads> = LazyLock::new(|| {
    let [replica, primary] =
        ["replica", "primary"].map(|server| counter!(REPLICA_READS.name, "server" => server));
    Reads { replica, primary }
});

impl Reads {
    pub(crate) fn by_replica(&self) {
        self.replica.increment(1);
    }

    pub(crate) fn by_primary(&self) {
        self.primary.increment(1);
    }
}

/// Until dropped, one more.
pub(crate) struct OneMore(&'static Gauge);

impl OneMore {
    fn of(gauge: &'static Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl Pool {
    pub(crate) fn uses() -> OneMore {
        OneMore::of(&POOL.in_use)
    }

    pub(crate) fn opens() -> OneMore {
        OneMore::of(&POOL.open)
    }

    pub(crate) fn queued(&self) {
        self.waiting.increment(1.0);
    }

    /// That so many wait no more.
    pub(crate) fn took(&self, statements: usize) {
        self.waiting.decrement(lossy(statements));
    }

    pub(crate) fn committed(&self, changes: usize) {
        self.group.record(lossy(changes));
    }

    pub(crate) fn repeats(&self) {
        self.repeated.increment(1);
    }
}

#[expect(clippy::cast_precision_loss, reason = "queues hold thousands")]
fn lossy(jobs: usize) -> f64 {
    jobs as f64
}
