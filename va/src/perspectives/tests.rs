use std::future::{pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use cairn_core::random::SeededRandom;
use cairn_core::{AuthorizationId, ChallengeType, Identifier, Thumbprint, Timestamp, Token};
use futures_util::FutureExt;

use super::*;
use crate::config::PerspectiveConfig;

#[derive(Clone, Copy)]
enum Sees {
    Right,
    Wrong,
    /// It cannot look.
    Trouble,
    /// It looks and looks.
    Nothing,
}
use Sees::{Nothing, Right, Trouble, Wrong};

/// A perspective that sees what it is told, and counts who asked it and who gave up.
struct Fake {
    name: String,
    sees: Sees,
    asked: AtomicUsize,
    given_up: AtomicUsize,
}

#[async_trait]
impl ValidationAuthority for Fake {
    async fn validate(&self, _: ValidationRequest) -> Result<ValidationResult> {
        struct Looking<'a>(&'a Fake);
        impl Drop for Looking<'_> {
            fn drop(&mut self) {
                self.0.given_up.fetch_add(1, Ordering::SeqCst);
            }
        }
        self.asked.fetch_add(1, Ordering::SeqCst);
        match self.sees {
            Right => {
                // Later than all others, so that these have been heard when enough agree.
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                Ok(right())
            }
            Wrong => Ok(wrong(&format!("{} sees another answer.", self.name))),
            Trouble => Err(Error::new(ErrorKind::Unavailable, "busy")),
            Nothing => {
                let _looking = Looking(self);
                pending().await
            }
        }
    }
}

fn right() -> ValidationResult {
    ValidationResult { records: vec![record()], problem: None }
}

fn wrong(detail: &str) -> ValidationResult {
    let problem = Some(Problem::new(ProblemType::Unauthorized, detail));
    ValidationResult { records: vec![record()], problem }
}

fn record() -> ValidationRecord {
    ValidationRecord { hostname: "a.test".to_owned(), ..ValidationRecord::default() }
}

struct World {
    fakes: Vec<Arc<Fake>>,
    perspectives: Perspectives,
}

/// Perspectives called p0, p1 and so on.
fn world(sees: &[Sees]) -> World {
    let fake = |(place, sees): (usize, &Sees)| {
        let name = format!("p{place}");
        Arc::new(Fake { name, sees: *sees, asked: AtomicUsize::new(0), given_up: AtomicUsize::new(0) })
    };
    let fakes: Vec<_> = sees.iter().enumerate().map(fake).collect();
    let all = fakes.iter().map(|fake| Perspective { name: fake.name.clone(), va: fake.clone() }).collect();
    World { perspectives: Perspectives::new(&config(sees.len()), all).unwrap(), fakes }
}

fn config(count: usize) -> Config {
    let perspective =
        |place| PerspectiveConfig { name: format!("p{place}"), addresses: vec!["va:1".to_owned()] };
    Config { perspectives: (0..count).map(perspective).collect(), ..Config::default() }
}

impl World {
    async fn validate(
        &self,
        own: impl Future<Output = Result<ValidationResult>>,
    ) -> Result<ValidationResult> {
        self.perspectives.validate(&request(), own).await
    }

    fn counts(&self, count: impl Fn(&Fake) -> &AtomicUsize) -> Vec<usize> {
        self.fakes.iter().map(|fake| count(fake).load(Ordering::SeqCst)).collect()
    }
}

fn request() -> ValidationRequest {
    let random = SeededRandom::new(1);
    let token = Token::new(&random);
    ValidationRequest {
        authorization: AuthorizationId::new(Timestamp::from_unix(0), &random),
        identifier: Identifier::parse("dns", "a.test").unwrap(),
        challenge: ChallengeType::Http01,
        token,
        key_authorization: token.key_authorization(Thumbprint::from_bytes([1; 32])),
    }
}

fn seen_by<'a>(result: &'a ValidationResult, perspective: &str) -> Vec<&'a ValidationRecord> {
    result.records.iter().filter(|record| record.perspective.as_deref() == Some(perspective)).collect()
}

#[tokio::test]
async fn what_all_see_is_valid_and_all_are_on_record() {
    let world = world(&[Right]);
    let result = world.validate(ready(Ok(right()))).await.unwrap();
    assert_eq!(result.problem, None);
    let perspective = Some("p0".to_owned());
    assert_eq!(result.records, [record(), ValidationRecord { perspective, ..record() }]);
}

#[tokio::test]
async fn one_that_disagrees_within_the_quorum_is_on_record_and_stops_nothing() {
    let world = world(&[Wrong, Right, Right]);
    let result = world.validate(ready(Ok(right()))).await.unwrap();
    assert_eq!(result.problem, None);
    let [dissent] = seen_by(&result, "p0").try_into().unwrap();
    assert_eq!(dissent.problem.as_ref().unwrap().detail, "p0 sees another answer.");
    assert_eq!(seen_by(&result, "p1")[0].problem, None);
}

#[tokio::test]
async fn too_many_that_disagree_make_it_invalid_and_the_subscriber_hears_who_saw_what() {
    let world = world(&[Wrong, Right, Wrong]);
    let result = world.validate(ready(Ok(right()))).await.unwrap();
    let problem = result.problem.clone().unwrap();
    assert_eq!(problem.kind, ProblemType::Unauthorized);
    assert_eq!(
        problem.detail,
        "During secondary validation: from perspective p0: p0 sees another answer. \
         From perspective p2: p2 sees another answer."
    );
    assert_eq!(seen_by(&result, "p2")[0].problem.as_ref().unwrap().detail, "p2 sees another answer.");
}

#[tokio::test]
async fn what_this_one_does_not_see_is_invalid_at_once_whatever_the_others_see() {
    for sees in [Right, Wrong, Nothing, Trouble] {
        let world = world(&[sees; 3]);
        let result = world.validate(ready(Ok(wrong("Not here.")))).await.unwrap();
        assert_eq!(result.problem.unwrap().detail, "Not here.");
    }
}

#[tokio::test]
async fn if_this_one_sees_what_the_others_do_its_problem_is_told() {
    let world = world(&[Wrong; 3]);
    let late = async {
        while world.counts(|fake| &fake.asked).contains(&0) {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        Ok(wrong("Not here."))
    };
    assert_eq!(world.validate(late).await.unwrap().problem.unwrap().detail, "Not here.");
}

#[tokio::test]
async fn who_cannot_look_does_not_agree() {
    assert!(world(&[Trouble, Right, Right]).validate(ready(Ok(right()))).await.unwrap().problem.is_none());
    let error = world(&[Trouble, Right, Trouble]).validate(ready(Ok(right()))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    let log = error.to_string();
    assert!(log.contains("p0: Unavailable: busy") && log.contains("p2:") && !log.contains("p1:"), "{log}");
}

#[tokio::test]
async fn a_subscriber_is_not_blamed_for_perspectives_that_cannot_look() {
    // One that disagrees would be within the quorum.
    let error = world(&[Wrong, Trouble, Right]).validate(ready(Ok(right()))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    // Two are too many, whatever the third says.
    let result = world(&[Wrong, Trouble, Wrong]).validate(ready(Ok(right()))).await.unwrap();
    assert!(result.problem.unwrap().detail.starts_with("During secondary validation: from perspective p0"));
}

#[tokio::test]
async fn a_fault_of_this_one_is_a_fault() {
    let fault = Error::internal("no", "out of order");
    for sees in [Right, Wrong, Nothing] {
        assert_eq!(world(&[sees; 3]).validate(ready(Err(fault.clone()))).await, Err(fault.clone()));
    }
}

#[tokio::test]
async fn nobody_is_waited_for_when_the_outcome_is_certain() {
    let agreed = world(&[Right, Nothing, Right]);
    assert!(agreed.validate(ready(Ok(right()))).await.unwrap().problem.is_none());
    assert_eq!(agreed.counts(|fake| &fake.given_up), [0, 1, 0]);
    let refused = world(&[Wrong, Nothing, Wrong]);
    assert!(refused.validate(ready(Ok(right()))).await.unwrap().problem.is_some());
    assert_eq!(refused.counts(|fake| &fake.given_up), [0, 1, 0]);
}

#[tokio::test]
async fn who_takes_too_long_cannot_look() {
    let mut world = world(&[Nothing, Right, Nothing]);
    world.perspectives.patience = Duration::from_millis(1);
    let error = world.validate(ready(Ok(right()))).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.to_string().contains("p0: Unavailable: No answer in time."), "{error}");
}

#[tokio::test]
async fn everybody_is_asked_once_and_lets_go_when_nobody_waits_any_more() {
    let world = world(&[Nothing; 6]);
    let mut validation = Box::pin(world.validate(pending()));
    while world.counts(|fake| &fake.asked).contains(&0) {
        assert!(validation.as_mut().now_or_never().is_none());
    }
    for _ in 0..10 {
        assert!(validation.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    drop(validation);
    assert_eq!(world.counts(|fake| &fake.asked), [1; 6]);
    assert_eq!(world.counts(|fake| &fake.given_up), [1; 6]);
}

#[tokio::test]
async fn of_six_two_may_disagree() {
    let two = world(&[Wrong, Wrong, Right, Right, Right, Right]);
    assert!(two.validate(ready(Ok(right()))).await.unwrap().problem.is_none());
    let three = world(&[Wrong, Wrong, Wrong, Right, Right, Right]);
    assert!(three.validate(ready(Ok(right()))).await.unwrap().problem.is_some());
}

#[tokio::test]
async fn without_perspectives_what_this_one_sees_counts() {
    let alone = Perspectives::none();
    assert_eq!(alone.validate(&request(), ready(Ok(right()))).await, Ok(right()));
    assert_eq!(alone.validate(&request(), ready(Ok(wrong("no")))).await, Ok(wrong("no")));
}

#[test]
fn perspectives_other_than_the_configured_ones_are_refused() {
    let names = |result: Result<Perspectives, ConfigError>| result.map(|_| ()).unwrap_err().key;
    assert_eq!(names(Perspectives::new(&config(1), Vec::new())), "perspectives");
    let va = world(&[Right]).fakes.remove(0);
    let other = Perspective { name: "other".to_owned(), va };
    assert_eq!(names(Perspectives::new(&config(1), vec![other.clone()])), "perspectives");
    assert_eq!(names(Perspectives::new(&config(0), vec![other])), "perspectives");
}
