//! Groups of jobs: which of them is stored when one fails, when the commit fails, when the thread dies.

use std::sync::MutexGuard;

use super::*;

/// A database with one table of numbers, and another that a commit fails for: its rows must point to a row of the first.
fn numbers() -> Arc<Mutex<Connection>> {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch(
        "PRAGMA foreign_keys = ON;
         CREATE TABLE numbers (n INTEGER PRIMARY KEY) STRICT;
         CREATE TABLE pointers (n INTEGER REFERENCES numbers DEFERRABLE INITIALLY DEFERRED) STRICT;",
    )
    .unwrap();
    Arc::new(Mutex::new(db))
}

fn stored(db: &Connection) -> Vec<i64> {
    query::all(db, "SELECT n FROM numbers ORDER BY n", [], |row| row.get(0)).unwrap()
}

fn insert(n: i64) -> impl FnOnce(&Connection) -> Result<i64, DbError> + Send {
    move |db| query::change(db, "INSERT INTO numbers VALUES (?1)", [n]).map(|()| n)
}

type Answer = oneshot::Receiver<Result<i64, DbError>>;

fn job(work: impl FnOnce(&Connection) -> Result<i64, DbError> + Send + 'static) -> (Box<dyn Job>, Answer) {
    let (reply, answer) = oneshot::channel();
    (Box::new(Task { work: Some(work), outcome: Err(DEAD), reply }), answer)
}

/// Runs the jobs as one group and gives their answers.
fn group(db: &Mutex<Connection>, jobs: Vec<(Box<dyn Job>, Answer)>) -> Vec<Result<i64, DbError>> {
    let (mut jobs, answers): (Vec<_>, Vec<_>) = jobs.into_iter().unzip();
    let committed = commit(&db.lock().unwrap(), &mut jobs);
    jobs.into_iter().for_each(|job| job.answer(committed.clone()));
    answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
}

#[test]
fn a_job_that_fails_is_undone_alone() {
    let db = numbers();
    let fails_late = |db: &Connection| insert(2)(db).and(Err(DbError::NotFound));
    let answers = group(&db, vec![job(insert(1)), job(fails_late), job(insert(3))]);
    assert!(matches!(answers[..], [Ok(1), Err(DbError::NotFound), Ok(3)]), "{answers:?}");
    assert_eq!(stored(&db.lock().unwrap()), [1, 3]);
}

#[test]
fn a_unique_value_that_is_taken_is_a_conflict_and_spoils_nothing() {
    let db = numbers();
    let answers = group(&db, vec![job(insert(1)), job(insert(1)), job(insert(2))]);
    assert!(matches!(answers[..], [Ok(1), Err(DbError::Conflict), Ok(2)]), "{answers:?}");
    assert_eq!(stored(&db.lock().unwrap()), [1, 2]);
}

#[test]
fn when_the_commit_fails_every_job_fails_and_nothing_is_stored() {
    let db = numbers();
    let dangling = |db: &Connection| query::change(db, "INSERT INTO pointers VALUES (99)", []).map(|()| 0);
    let refused = |_: &Connection| Err(DbError::NotFound);
    let answers = group(&db, vec![job(insert(1)), job(dangling), job(refused)]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(DbError::Engine(_)))), "{answers:?}");
    assert_eq!(stored(&db.lock().unwrap()), [0; 0]);
    let answers = group(&db, vec![job(insert(2))]);
    assert!(matches!(answers[..], [Ok(2)]), "the next group is not disturbed: {answers:?}");
}

#[test]
fn when_the_transaction_is_lost_no_further_job_runs() {
    let db = numbers();
    // As SQLite itself does when the disk is full.
    let loses = |db: &Connection| query::run(db, "ROLLBACK").and(Err(DbError::Stopped("disk full")));
    let answers = group(&db, vec![job(insert(1)), job(loses), job(insert(3))]);
    assert!(answers.iter().all(|answer| matches!(answer, Err(DbError::Stopped("disk full")))), "{answers:?}");
    assert_eq!(stored(&db.lock().unwrap()), [0; 0]);
}

#[test]
fn on_a_full_disk_changes_fail_and_what_was_stored_before_stays() {
    let db = numbers();
    group(&db, vec![job(insert(1))]);
    // A database that may not grow fails as on a full disk.
    db.lock().unwrap().pragma_update_and_check(None, "max_page_count", 4, |_| Ok(())).unwrap();
    let many = |db: &Connection| (100..10_000).try_fold(0, |_, n| insert(n)(db));
    let answers = group(&db, vec![job(insert(2)), job(many)]);
    assert!(matches!(answers[1], Err(DbError::Engine(_))), "{answers:?}");
    let stored = stored(&db.lock().unwrap());
    assert_eq!(stored.contains(&2), answers[0].is_ok(), "what was answered is true: {answers:?}");
    assert!(stored.contains(&1) && stored.len() <= 2);
    let answers = group(&db, vec![job(insert(3))]);
    assert!(matches!(answers[..], [Ok(3)]), "small changes still fit: {answers:?}");
}

#[test]
fn a_database_that_another_program_holds_is_busy() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("shared.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE numbers (n INTEGER PRIMARY KEY); BEGIN IMMEDIATE").unwrap();
    let ours = Connection::open(&path).unwrap();
    ours.busy_timeout(std::time::Duration::ZERO).unwrap();
    let ours = Mutex::new(ours);
    let answers = group(&ours, vec![job(insert(1))]);
    assert!(matches!(answers[..], [Err(DbError::Busy(_))]), "{answers:?}");
    other.execute_batch("COMMIT").unwrap();
    let answers = group(&ours, vec![job(insert(1))]);
    assert!(matches!(answers[..], [Ok(1)]), "{answers:?}");
}

/// Puts jobs into the queue of a writer whose connection is held, until one is refused.
fn fill(writer: &Writer, _held: &MutexGuard<'_, Connection>) -> (Vec<Answer>, DbError) {
    let mut accepted = Vec::new();
    // The thread may already have taken a first group when it waits for the connection.
    for n in 0..i64::try_from(2 * MAX_GROUP).unwrap() {
        let (job, answer) = job(insert(n));
        match writer.enqueue(job) {
            Ok(()) => accepted.push(answer),
            Err(error) => return (accepted, error),
        }
    }
    panic!("the queue has no bound");
}

#[test]
fn a_full_queue_refuses_at_once_and_what_it_holds_is_still_done() {
    let db = numbers();
    let writer = Writer::start(db.clone(), 4).unwrap();
    let held = db.lock().unwrap();
    let (accepted, error) = fill(&writer, &held);
    assert!(matches!(error, DbError::Busy(_)), "{error:?}");
    drop(held);
    writer.stop();
    let count = accepted.len();
    accepted.into_iter().for_each(|mut answer| assert!(matches!(answer.try_recv(), Ok(Ok(_)))));
    assert_eq!(stored(&db.lock().unwrap()).len(), count);
}

#[tokio::test]
async fn a_writer_that_was_stopped_refuses_as_busy() {
    let writer = Writer::start(numbers(), 4).unwrap();
    assert_eq!(writer.submit(insert(1)).await.unwrap(), 1);
    writer.stop();
    writer.stop();
    assert!(matches!(writer.submit(insert(2)).await, Err(DbError::Busy(_))));
}

#[tokio::test]
async fn a_job_that_panics_fails_itself_and_all_that_follow() {
    let writer = Writer::start(numbers(), 4).unwrap();
    let panics = writer.submit(|_| -> Result<(), DbError> { panic!("a fault in the program") }).await;
    assert!(matches!(panics, Err(DbError::Stopped(_))), "{panics:?}");
    for n in 0..10 {
        let after = writer.submit(insert(n)).await;
        assert!(matches!(after, Err(DbError::Stopped(_))), "{after:?}");
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_undo_its_change() {
    let db = numbers();
    let writer = Writer::start(db.clone(), 4).unwrap();
    let (job, answer) = job(insert(1));
    drop(answer);
    writer.enqueue(job).unwrap();
    writer.submit(insert(2)).await.unwrap();
    assert_eq!(stored(&db.lock().unwrap()), [1, 2]);
}
