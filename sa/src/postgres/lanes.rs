//! The sessions on a server, and what waits for them.
//!
//! What is asked for waits in a queue, and whoever serves it takes all that waits: so the busier it gets, the more goes in one group
//! ([`super::session`]), for one journey and one commit. A lane is a task with a session. One lane serves the lookups, and one the changes;
//! further ones come to their help when more waits than suits a group, or when a group takes its time. While one waits for the disk,
//! the next group gathers. What was undone, or had better be without company, has a lane for itself.
//!
//! A group fails as a whole, so that each of its members is run again, alone: the one that is at fault is told so then, and the others do not
//! notice. For the same reason a group waits for rows that others have in hand only for a moment ([`LOCK_LIMIT`]).

use std::collections::VecDeque;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::task::TaskTracker;

use super::messages::Refusal;
use super::session::{Failure, Session, Statement};
use super::signin::Server;
use super::values::{Parameters, Row};
use crate::error::DbError;
use crate::metrics::{OneMore, POOL, Pool};

/// Statements in a group at most: it bounds how long the first waits for the last (one takes some 20 to 100 µs), and how much is run again
/// when one of them fails.
const MAX_GROUP: usize = 64;

/// Bytes of a group at most, unless a single statement has more: orders can be for many names.
const MAX_BYTES: usize = 1 << 20;

/// When so many wait for a lane, another one helps.
const CROWD: usize = 16;

/// A group that takes longer is not waited for: what comes after it goes to another lane. Most flushes are faster.
const SLOW: Duration = Duration::from_millis(20);

/// How long a group waits for each row that somebody else has in hand, so that a forgotten lock, or two groups that wait for each other,
/// hold up nobody for long; PostgreSQL looks for a deadlock after a second. What is run alone waits for as long as a statement may take.
pub(super) const LOCK_LIMIT: (&str, &str) = ("lock_timeout", "200ms");
static UNLIMITED: Statement =
    Statement { sql: "SELECT set_config('lock_timeout', '0', true)", parameters: Parameters::NONE };

/// A session that was idle for longer is asked for a sign of life before it is used: a restart of the database, or a
/// firewall, may have ended it. One that was used just now is trusted, which saves a round trip.
const TRUSTED_FOR: Duration = Duration::from_secs(1);

/// Sessions that were idle for so long are closed: a server at rest keeps a few.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// Sessions are replaced after this time: the database's memory for one only grows.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// Pause between two attempts to open a session.
const RETRY: Duration = Duration::from_millis(100);

const CLOSED: DbError = DbError::Busy("it is being closed, or moves to another host");
const READ_ONLY: DbError = DbError::Busy("the server is the primary no more");

/// In whose company a statement is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// With other lookups.
    Lookup,
    /// With other changes.
    Change,
    /// With nobody.
    Alone,
}

/// Why a statement has no rows.
#[derive(Debug)]
pub(super) enum Setback {
    /// It was undone, for no fault of its own or not surely for one: it shall be run alone.
    Again(Statement),
    /// The server does not want it. It is undone.
    Refused(Refusal),
    /// The connection is lost: whether it is stored, nobody can say.
    Lost(Arc<io::Error>),
    /// Nothing was begun.
    NotBegun(DbError),
}

/// The bounds of what is done on a server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) lanes: usize,
    /// How long a statement waits for its turn, and a lane for its session.
    pub(super) turn: Duration,
    /// How long a group may take.
    pub(super) answer: Duration,
}

/// All that is done on one server. When it is dropped, its sessions end with what runs on them.
pub(super) struct Lanes(Arc<Shared>);

struct Shared {
    server: Arc<Server>,
    limits: Limits,
    /// Rung when a session breaks or cannot be opened.
    broken: Arc<Notify>,
    /// Held for moments.
    state: Mutex<State>,
    tasks: TaskTracker,
}

#[derive(Default)]
struct State {
    /// By [`Kind`].
    queues: [VecDeque<Job>; 3],
    /// How many lanes see to each kind: they have been told to take what waits, or will take more in a moment.
    serving: [usize; 3],
    /// Lanes without work, the one that was busy last at the end: few do most of the work, and those that are not needed end. They are told
    /// what to take.
    idle: Vec<oneshot::Sender<Kind>>,
    /// Lanes at all.
    lanes: usize,
    closed: bool,
    /// The number of the next job.
    next: u64,
    /// Why no session could be opened, since the last that could.
    trouble: Option<Arc<io::Error>>,
}

/// A statement that waits, and its caller.
struct Job {
    number: u64,
    statement: Statement,
    reply: oneshot::Sender<Result<Vec<Row>, Setback>>,
}

impl Lanes {
    pub(super) fn new(server: Arc<Server>, limits: Limits, broken: Arc<Notify>) -> Self {
        let (state, tasks) = (Mutex::default(), TaskTracker::new());
        Self(Arc::new(Shared { server, limits, broken, state, tasks }))
    }

    /// Runs a statement and gives its rows. What it has changed is stored when this returns. It is run, or not, whether somebody waits for
    /// it or not.
    pub(super) async fn run(&self, kind: Kind, statement: Statement) -> Result<Vec<Row>, Setback> {
        let (reply, mut answer) = oneshot::channel();
        let number = self.0.submit(kind, statement, reply).map_err(Setback::NotBegun)?;
        if let Ok(answer) = timeout(self.0.limits.turn, &mut answer).await {
            return answer.unwrap_or(Err(DIED));
        }
        if let Some(refusal) = self.0.withdraw(kind, number) {
            return Err(Setback::NotBegun(refusal));
        }
        // It is being run, which has its own bound.
        answer.await.unwrap_or(Err(DIED))
    }

    /// Refuses what waits and what will come, and lets what runs end.
    pub(super) async fn close(&self) {
        self.0.shut();
        if timeout(self.0.limits.answer, self.0.tasks.wait()).await.is_err() {
            tracing::warn!("the sessions on the database could not be closed in order");
        }
    }
}

/// A lane that ends without an answer.
const DIED: Setback = Setback::NotBegun(DbError::Stopped("a session's task has panicked"));

impl Drop for Lanes {
    fn drop(&mut self) {
        self.0.shut();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shut(&self) {
        let mut state = self.state();
        state.closed = true;
        state.idle.clear();
        let waiting: Vec<Job> = state.queues.iter_mut().flat_map(std::mem::take).collect();
        drop(state);
        POOL.took(waiting.len());
        for job in waiting {
            let _gone = job.reply.send(Err(Setback::NotBegun(CLOSED)));
        }
        self.tasks.close();
    }

    fn submit(
        self: &Arc<Self>,
        kind: Kind,
        statement: Statement,
        reply: oneshot::Sender<Result<Vec<Row>, Setback>>,
    ) -> Result<u64, DbError> {
        self.change(|state| {
            if state.closed {
                return Err(CLOSED);
            }
            let number = state.next;
            state.next += 1;
            POOL.queued();
            state.queue(kind).push_back(Job { number, statement, reply });
            Ok(number)
        })
    }

    /// Takes back what has waited for too long, unless it was begun. Gives the reason.
    fn withdraw(&self, kind: Kind, number: u64) -> Option<DbError> {
        let mut state = self.state();
        let queue = state.queue(kind);
        let place = queue.binary_search_by_key(&number, |job| job.number).ok()?;
        queue.remove(place)?;
        POOL.took(1);
        self.broken.notify_one();
        let trouble = state.trouble.clone();
        Some(
            trouble.map_or(DbError::Busy("no connection became free in time"), |error| {
                DbError::Unreachable(error)
            }),
        )
    }

    /// Changes the state, and sees to it that somebody serves what waits.
    fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state();
        let changed = change(&mut state);
        let more = state.dispatch(self.limits.lanes);
        // A task that is spawned while the program ends is dropped at once, and wants the state for that.
        drop(state);
        for kind in more {
            self.tasks.spawn(Lane { shared: Arc::clone(self), open: None }.work(kind));
        }
        changed
    }
}

impl State {
    #[expect(clippy::indexing_slicing, reason = "there is a place for each kind")]
    fn queue(&mut self, kind: Kind) -> &mut VecDeque<Job> {
        &mut self.queues[kind as usize]
    }

    #[expect(clippy::indexing_slicing, reason = "there is a place for each kind")]
    fn serving(&mut self, kind: Kind) -> &mut usize {
        &mut self.serving[kind as usize]
    }

    /// Puts lanes to work on what waits. Gives what lanes are to be begun for, of which there may be `most`.
    fn dispatch(&mut self, most: usize) -> Vec<Kind> {
        let mut more = Vec::new();
        for kind in [Kind::Lookup, Kind::Change, Kind::Alone] {
            while !self.closed && self.wants(kind) {
                if !std::iter::from_fn(|| self.idle.pop()).any(|idle| idle.send(kind).is_ok()) {
                    if self.lanes >= most {
                        break;
                    }
                    self.lanes += 1;
                    more.push(kind);
                }
                *self.serving(kind) += 1;
            }
        }
        more
    }

    /// Whether one lane more should see to this kind.
    fn wants(&mut self, kind: Kind) -> bool {
        let (waiting, serving) = (self.queue(kind).len(), *self.serving(kind));
        match kind {
            // Each lane takes one.
            Kind::Alone => waiting > serving,
            Kind::Lookup | Kind::Change => waiting > 0 && waiting >= CROWD * serving,
        }
    }

    /// The next group of a kind.
    fn take(&mut self, kind: Kind) -> Vec<Job> {
        let queue = self.queue(kind);
        let (mut group, mut bytes) = (Vec::new(), 0);
        let most = if kind == Kind::Alone { 1 } else { MAX_GROUP };
        while let Some(job) = queue.front()
            && group.len() < most
        {
            bytes += job.statement.parameters.values().len();
            if bytes > MAX_BYTES && !group.is_empty() {
                break;
            }
            group.extend(queue.pop_front());
        }
        POOL.took(group.len());
        if kind == Kind::Lookup {
            // Nobody wants to know any more.
            group.retain(|job| !job.reply.is_closed());
        }
        group
    }
}

/// A task that serves what waits, on a session of its own.
struct Lane {
    shared: Arc<Shared>,
    open: Option<Open>,
}

struct Open {
    session: Session,
    _counted: OneMore,
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.shared.state().lanes -= 1;
    }
}

/// A lane's word to see to a kind. Others do it too when it is dropped.
struct Turn<'a> {
    shared: &'a Arc<Shared>,
    kind: Kind,
    counts: bool,
}

impl Turn<'_> {
    /// Has others see to what comes, since this will take time.
    fn pass_on(&mut self) {
        if std::mem::take(&mut self.counts) {
            self.shared.change(|state| *state.serving(self.kind) -= 1);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.counts {
            *self.shared.state().serving(self.kind) -= 1;
        }
    }
}

impl Lane {
    async fn work(mut self, first: Kind) {
        let mut next = Some(first);
        while let Some(kind) = next {
            self.serve(kind).await;
            next = self.next(kind).await;
        }
        let (shared, open) = (Arc::clone(&self.shared), self.open.take());
        drop(self);
        // What came when this lane counted still and did not listen any more.
        shared.change(|_| ());
        if let Some(open) = open {
            let _late = timeout(shared.limits.turn, open.session.close()).await;
        }
    }

    /// What to do after serving `last`; nothing when there was nothing to do for long, or all is closed.
    async fn next(&mut self, last: Kind) -> Option<Kind> {
        let mut told = {
            let mut state = self.shared.state();
            if state.closed {
                return None;
            }
            // Where there is one lane for everything, each kind has its turn.
            let order = match last {
                Kind::Lookup => [Kind::Change, Kind::Alone, Kind::Lookup],
                Kind::Change => [Kind::Alone, Kind::Lookup, Kind::Change],
                Kind::Alone => [Kind::Lookup, Kind::Change, Kind::Alone],
            };
            if let Some(kind) = order.into_iter().find(|kind| state.wants(*kind)) {
                *state.serving(kind) += 1;
                return Some(kind);
            }
            let (tell, told) = oneshot::channel();
            state.idle.push(tell);
            told
        };
        match timeout(IDLE, &mut told).await {
            Ok(kind) => kind.ok(),
            Err(_idle) => {
                told.close();
                told.try_recv().ok()
            }
        }
    }

    /// Takes what waits of a kind, and runs it.
    async fn serve(&mut self, kind: Kind) {
        let shared = Arc::clone(&self.shared);
        let mut turn = Turn { shared: &shared, kind, counts: true };
        let Some(mut open) = self.opened(&mut turn).await else { return };
        let group = shared.state().take(kind);
        if kind == Kind::Alone {
            turn.pass_on();
        }
        if group.is_empty() {
            self.open = Some(open);
            return;
        }
        let result = {
            let _shown = Pool::uses();
            let alone = (kind == Kind::Alone).then_some(&UNLIMITED);
            let statements: Vec<_> =
                alone.into_iter().chain(group.iter().map(|job| &job.statement)).collect();
            awaited(open.session.run(&statements), shared.limits.answer, &mut turn).await
        };
        match result {
            Ok(mut rows) => {
                self.open = Some(open);
                if kind == Kind::Change {
                    POOL.committed(group.len());
                }
                let rows = rows.split_off(rows.len().saturating_sub(group.len()));
                for (job, rows) in group.into_iter().zip(rows) {
                    let _gone = job.reply.send(Ok(rows));
                }
            }
            Err(Failure::Refused(refusal)) if refusal.code() == READ_ONLY_TRANSACTION => {
                shared.broken.notify_one();
                for job in group {
                    let _gone = job.reply.send(Err(Setback::NotBegun(READ_ONLY)));
                }
            }
            Err(Failure::Refused(refusal)) => {
                self.open = Some(open);
                let again = group.len() > 1 || must_be_repeated(refusal.code());
                for job in group {
                    let setback =
                        if again { Setback::Again(job.statement) } else { Setback::Refused(refusal.clone()) };
                    let _gone = job.reply.send(Err(setback));
                }
            }
            Err(Failure::Lost(error)) => {
                shared.broken.notify_one();
                let error = Arc::new(error);
                for job in group {
                    let _gone = job.reply.send(Err(Setback::Lost(Arc::clone(&error))));
                }
            }
        }
    }

    /// A session that is believed to live; nothing when nobody waits for it any more. Meanwhile callers wait in the queue, each as long as it
    /// may.
    async fn opened(&mut self, turn: &mut Turn<'_>) -> Option<Open> {
        let Shared { server, limits, broken, .. } = &*Arc::clone(&self.shared);
        loop {
            {
                let mut state = self.shared.state();
                if state.closed || state.queue(turn.kind).is_empty() {
                    return None;
                }
            }
            if let Some(mut open) = self.open.take() {
                let (age, idle) = open.session.age();
                if age > LIFETIME {
                    let _late = timeout(limits.turn, open.session.close()).await;
                } else if idle < TRUSTED_FOR
                    || matches!(timeout(limits.turn, open.session.ping()).await, Ok(Ok(())))
                {
                    return Some(open);
                } else {
                    broken.notify_one();
                }
            }
            match awaited(Session::open(server), limits.turn, turn).await {
                Ok(session) => {
                    self.shared.state().trouble = None;
                    self.open = Some(Open { session, _counted: Pool::opens() });
                }
                Err(error) => {
                    self.shared.state().trouble = Some(Arc::new(error));
                    broken.notify_one();
                    // Others may have a session.
                    turn.pass_on();
                    sleep(RETRY).await;
                }
            }
        }
    }
}

/// What comes of something that takes a moment, or too long.
async fn awaited<T, E>(
    work: impl Future<Output = Result<T, E>>,
    limit: Duration,
    turn: &mut Turn<'_>,
) -> Result<T, E>
where
    E: From<io::Error>,
{
    let mut work = pin!(work);
    if let Ok(result) = timeout(SLOW, &mut work).await {
        return result;
    }
    turn.pass_on();
    timeout(limit, work).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}

/// `read_only_sql_transaction`: nothing was changed.
const READ_ONLY_TRANSACTION: &str = "25006";

/// `serialization_failure` and `deadlock_detected`: the server has undone the statement and asks for it again. `lock_not_available`: it
/// waited for as long as a group waits; alone it may wait longer.
fn must_be_repeated(code: &str) -> bool {
    matches!(code, "40001" | "40P01" | "55P03")
}

#[cfg(test)]
mod tests;
