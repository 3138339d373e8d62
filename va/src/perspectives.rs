//! Looking from several places in the network, Baseline Requirements §3.2.2.9: whoever bends the routes near one of them, or answers
//! it with forged DNS, does not deceive the others.
//!
//! The perspectives are other Validation Authorities. All look at the same time as this one does, each once for each validation, and
//! the outcome is told as soon as nothing can change it any more; who is still looking then is no longer waited for. This one must see
//! the right answer itself, and `quorum` of the others must agree.
//!
//! A perspective that cannot say anything (out of reach, too busy, too slow) does not agree. But a subscriber is never blamed for that:
//! if the quorum fails for lack of answers, it is a fault of ours.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use cairn_core::api::va::{ValidationAuthority, ValidationRequest, ValidationResult};
use cairn_core::{Error, ErrorKind, Problem, ProblemType, Result, ValidationRecord};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::timeout;

use crate::config::{Config, ConfigError};
use crate::metrics::Answers;

/// A Validation Authority elsewhere in the network.
#[derive(Clone)]
pub struct Perspective {
    /// As records and problems call it: a name from the configuration.
    pub name: String,
    /// How to ask it.
    pub va: Arc<dyn ValidationAuthority>,
}

/// All that are asked, and how many must agree.
pub(crate) struct Perspectives {
    all: Vec<Perspective>,
    /// What each said, counted.
    answers: Vec<Answers>,
    quorum: usize,
    /// How long one may take.
    patience: Duration,
}

/// What a perspective may take longer than this Validation Authority does: the way there and back.
const TRAVEL: Duration = Duration::from_secs(2);

impl Perspectives {
    /// None: what this Validation Authority sees is what counts.
    pub(crate) fn none() -> Self {
        Self { all: Vec::new(), answers: Vec::new(), quorum: 0, patience: Duration::ZERO }
    }

    /// Those of the configuration, which is valid.
    ///
    /// # Errors
    /// Unless `all` are just these, in their order: else a validation would silently be seen from fewer places than the operator
    /// wrote.
    pub(crate) fn new(config: &Config, all: Vec<Perspective>) -> Result<Self, ConfigError> {
        if !all.iter().map(|it| &it.name).eq(config.perspectives.iter().map(|it| &it.name)) {
            let wrong = "this process cannot ask the perspectives in the configuration";
            return Err(ConfigError::new("perspectives", wrong, "leave them out"));
        }
        let quorum = config.required_perspectives();
        Ok(Self {
            answers: all.iter().map(|perspective| Answers::of(&perspective.name)).collect(),
            all,
            quorum,
            patience: config.queue_timeout.duration() + config.timeout.duration() + TRAVEL,
        })
    }

    /// Asks all and looks itself (`own`), until the outcome is certain.
    ///
    /// # Errors
    /// Faults of ours: of the own look, or of so many perspectives that the quorum cannot be had.
    pub(crate) async fn validate(
        &self,
        request: &ValidationRequest,
        own: impl Future<Output = Result<ValidationResult>>,
    ) -> Result<ValidationResult> {
        let mut own = pin!(own);
        let mut seen: Option<ValidationResult> = None;
        let places = self.all.iter().enumerate();
        let mut looks: FuturesUnordered<_> =
            places.map(|(place, perspective)| self.look(place, perspective, request)).collect();
        let mut tally = Tally::new(self);
        let own = loop {
            // A quorum that failed waits for what this one sees: if it sees the same, its problem is the plainer one.
            if let Some(own) = seen.take_if(|own| own.problem.is_some() || tally.is_certain()) {
                break own;
            }
            tokio::select! {
                result = &mut own, if seen.is_none() => seen = Some(result?),
                Some((place, answer)) = looks.next(), if !looks.is_empty() => tally.note(place, answer),
            }
        };
        tally.judge(own, request)
    }

    async fn look(
        &self,
        place: usize,
        perspective: &Perspective,
        request: &ValidationRequest,
    ) -> (usize, Answer) {
        let answer = match timeout(self.patience, perspective.va.validate(request.clone())).await {
            Ok(Ok(ValidationResult { records, problem: None })) => Answer::Agrees(records),
            Ok(Ok(ValidationResult { records, problem: Some(problem) })) => {
                Answer::Disagrees(records, problem)
            }
            Ok(Err(error)) => Answer::Fault(error),
            Err(_) => Answer::Fault(Error::new(ErrorKind::Unavailable, "No answer in time.")),
        };
        if let Some(answers) = self.answers.get(place) {
            match &answer {
                Answer::Agrees(_) => answers.agrees(),
                Answer::Disagrees(..) => answers.disagrees(),
                Answer::Fault(_) => answers.fails(),
            }
        }
        (place, answer)
    }
}

/// What came of a look.
enum Answer {
    /// The right answer is there.
    Agrees(Vec<ValidationRecord>),
    /// It is not.
    Disagrees(Vec<ValidationRecord>, Problem),
    /// It could not look.
    Fault(Error),
}

/// Who said what so far.
struct Tally<'a> {
    perspectives: &'a [Perspective],
    quorum: usize,
    /// In the order of the perspectives; `None` for those that are still looking.
    answers: Vec<Option<Answer>>,
}

impl<'a> Tally<'a> {
    fn new(perspectives: &'a Perspectives) -> Self {
        let answers = perspectives.all.iter().map(|_| None).collect();
        Self { perspectives: &perspectives.all, quorum: perspectives.quorum, answers }
    }

    fn note(&mut self, place: usize, answer: Answer) {
        if let (Some(perspective), Some(entry)) = (self.perspectives.get(place), self.answers.get_mut(place))
        {
            match &answer {
                Answer::Agrees(_) => tracing::debug!(perspective = perspective.name, "agrees"),
                Answer::Disagrees(_, problem) => {
                    tracing::info!(perspective = perspective.name, detail = problem.detail, "disagrees");
                }
                Answer::Fault(error) => {
                    tracing::warn!(perspective = perspective.name, %error, "a perspective failed")
                }
            }
            *entry = Some(answer);
        }
    }

    fn count(&self, kind: impl Fn(&Answer) -> bool) -> usize {
        self.answers.iter().flatten().filter(|answer| kind(answer)).count()
    }

    /// Whether enough agree.
    fn is_reached(&self) -> bool {
        self.count(|answer| matches!(answer, Answer::Agrees(_))) >= self.quorum
    }

    /// Whether so many disagree that enough can never agree.
    fn is_refused(&self) -> bool {
        self.answers.len() - self.count(|answer| matches!(answer, Answer::Disagrees(..))) < self.quorum
    }

    /// Whether no further answer can change the outcome. Between a refusal and a lack of answers, one can.
    fn is_certain(&self) -> bool {
        self.is_reached() || self.is_refused() || self.answers.iter().all(Option::is_some)
    }

    fn judge(self, own: ValidationResult, request: &ValidationRequest) -> Result<ValidationResult> {
        let problem = match own.problem {
            Some(problem) => Some(problem),
            None if self.is_reached() => None,
            None if self.is_refused() => self.disagreement(),
            None => return Err(self.lack()),
        };
        let mut records = own.records;
        for (perspective, answer) in self.perspectives.iter().zip(self.answers) {
            records.extend(answer.into_iter().flat_map(|answer| reported(perspective, answer, request)));
        }
        Ok(ValidationResult { records, problem })
    }

    /// What the subscriber hears. Clients know the beginning from other CAs.
    fn disagreement(&self) -> Option<Problem> {
        let mut kind = None;
        let mut detail = "During secondary validation:".to_owned();
        for (perspective, answer) in self.perspectives.iter().zip(&self.answers) {
            if let Some(Answer::Disagrees(_, problem)) = answer {
                let from = if kind.is_none() { "from" } else { "From" };
                detail = format!("{detail} {from} perspective {}: {}", perspective.name, problem.detail);
                kind.get_or_insert(problem.kind);
            }
        }
        kind.map(|kind: ProblemType| Problem::new(kind, detail))
    }

    fn lack(&self) -> Error {
        let faults =
            self.perspectives.iter().zip(&self.answers).filter_map(|(perspective, answer)| match answer {
                Some(Answer::Fault(error)) => Some(format!("{}: {error}", perspective.name)),
                _ => None,
            });
        let source = format!("too few perspectives answered: {}", faults.collect::<Vec<_>>().join("; "));
        let detail =
            "The server cannot look at the challenge from enough places at the moment; try again later.";
        Error::new(ErrorKind::Unavailable, detail).with_source(source)
    }
}

/// The records of what a perspective saw, under its name: at least one, so that it shows that it was asked.
fn reported(perspective: &Perspective, answer: Answer, request: &ValidationRequest) -> Vec<ValidationRecord> {
    let (mut records, problem) = match answer {
        Answer::Agrees(records) => (records, None),
        Answer::Disagrees(records, problem) => (records, Some(problem)),
        // It saw nothing. The log has it.
        Answer::Fault(_) => return Vec::new(),
    };
    if records.is_empty() {
        records.push(ValidationRecord {
            hostname: request.identifier.to_string(),
            ..ValidationRecord::default()
        });
    }
    for record in &mut records {
        record.perspective = Some(perspective.name.clone());
    }
    if let Some(last) = records.last_mut() {
        last.problem = problem;
    }
    records
}

impl fmt::Debug for Perspective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Perspective").field("name", &self.name).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
