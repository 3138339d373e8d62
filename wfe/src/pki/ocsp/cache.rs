//! Signed answers in memory, and the questions that are under way. [`feed`](super::feed) says why nothing old stays here.
//!
//! Answers lie by serial, so that a revocation finds all of one certificate: there is one for each way in which clients write the same id
//! (the hash, its parameters). A bounded number is kept; when there are more, the one goes that came first and was not asked for since.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cairn_core::{Error, ErrorKind, Timestamp};
use cairn_x509::ocsp::CertId;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, WeakShared};

use super::answer::Answer;

/// So that threads seldom wait for each other.
const SHARDS: usize = 16;

/// How often a question is asked that revocations overtake. One more overtakes it again only if the certificate's revocation is changed
/// once more in the meantime.
const ATTEMPTS: usize = 3;

/// What the certificate authority said.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Signed(Arc<Answer>),
    Unauthorized,
}

type Outcome = Result<Asked, Error>;

/// The cache.
pub(super) struct Cache {
    shards: Vec<Mutex<Shard>>,
    /// Strangers do not know where what they ask for lies.
    hasher: RandomState,
    /// How many answers a shard keeps.
    capacity: usize,
    questions: AtomicU64,
}

#[derive(Default)]
struct Shard {
    kept: HashMap<Box<[u8]>, Vec<Kept>>,
    /// The serials of what is kept, in the order in which they came. One that was forgotten may stand here for a while.
    queue: VecDeque<Box<[u8]>>,
    questions: HashMap<Box<[u8]>, Vec<Question>>,
    /// Answers that are kept.
    len: usize,
}

struct Kept {
    form: u64,
    answer: Arc<Answer>,
    /// Whether it was asked for since it came, or since it was spared.
    wanted: bool,
}

/// A question that is under way.
struct Question {
    form: u64,
    number: u64,
    /// Whether the certificate was revoked since it was asked.
    spoiled: bool,
    /// Those who wait for the answer drive it. When all have gone away, it ends.
    flight: WeakShared<BoxFuture<'static, Outcome>>,
}

/// Where an answer lies.
struct Place<'a> {
    shard: &'a Mutex<Shard>,
    /// The whole id as it was written: two forms of an id are two answers.
    form: u64,
}

impl Cache {
    /// One that keeps so many answers at most.
    pub(super) fn new(answers: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            capacity: answers.div_ceil(SHARDS),
            questions: AtomicU64::new(0),
        }
    }

    /// The answer for `id`, if there is one that is fresh.
    pub(super) fn get(&self, id: &CertId, now: Timestamp) -> Option<Arc<Answer>> {
        let place = self.place(id);
        let mut shard = lock(place.shard);
        let kept = shard.kept.get_mut(id.serial.as_slice())?;
        let kept = kept.iter_mut().find(|kept| kept.form == place.form && kept.answer.is_fresh(now))?;
        kept.wanted = true;
        Some(Arc::clone(&kept.answer))
    }

    /// What is asked for `id`: by whoever comes first, while the others wait for the same. Kept, where it is to be, unless a revocation is
    /// heard of in the meantime; then it is asked again.
    pub(super) async fn ask_once<F, A>(self: &Arc<Self>, id: &CertId, keep: bool, ask: F) -> Outcome
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Outcome> + Send,
    {
        let flight = {
            let Place { shard, form } = self.place(id);
            let mut shard = lock(shard);
            let questions = shard.questions.entry(id.serial.as_slice().into()).or_default();
            let same = questions.iter().filter(|question| question.form == form);
            match same.filter_map(|question| question.flight.upgrade()).next() {
                Some(flight) => flight,
                None => {
                    let number = self.questions.fetch_add(1, Ordering::Relaxed);
                    let under_way = UnderWay { cache: Arc::clone(self), id: id.clone(), form, number };
                    let flight = async move { under_way.run(keep, ask).await }.boxed().shared();
                    // It has not ended, so that it can be found.
                    questions.extend(flight.downgrade().map(|flight| Question {
                        form,
                        number,
                        spoiled: false,
                        flight,
                    }));
                    flight
                }
            }
        };
        flight.await
    }

    /// The certificate with this serial was revoked: drops what is said of it, and spoils what is being asked.
    pub(super) fn forget(&self, serial: &[u8]) {
        let mut shard = lock(self.shard(serial));
        let gone = shard.kept.remove(serial).map_or(0, |kept| kept.len());
        shard.len = shard.len.saturating_sub(gone);
        for question in shard.questions.get_mut(serial).into_iter().flatten() {
            question.spoiled = true;
        }
    }

    /// How many answers are kept.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len).sum()
    }

    fn place(&self, id: &CertId) -> Place<'_> {
        Place { shard: self.shard(&id.serial), form: self.hasher.hash_one(id) }
    }

    #[expect(clippy::indexing_slicing, reason = "a remainder by the number of shards is a shard's")]
    fn shard(&self, serial: &[u8]) -> &Mutex<Shard> {
        let number = self.hasher.hash_one(serial) % self.shards.len() as u64;
        &self.shards[usize::try_from(number).unwrap_or(0)]
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    // What is under the lock is whole after each step.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A question as long as somebody waits for its answer.
struct UnderWay {
    cache: Arc<Cache>,
    id: CertId,
    form: u64,
    number: u64,
}

impl UnderWay {
    async fn run<F, A>(self, keep: bool, ask: F) -> Outcome
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Outcome> + Send,
    {
        for _ in 0..ATTEMPTS {
            let outcome = ask().await;
            let mut shard = lock(self.cache.shard(&self.id.serial));
            let own = shard.questions.get_mut(self.id.serial.as_slice()).into_iter().flatten();
            let own = own.into_iter().find(|question| question.number == self.number);
            match (outcome, own) {
                (Ok(Asked::Signed(_)), Some(own)) if own.spoiled => own.spoiled = false,
                (Ok(Asked::Signed(answer)), Some(_)) => {
                    // Under the same lock as the question ends: whoever hears of a revocation meets the one or the other.
                    if keep {
                        shard.keep(&self.id.serial, self.form, &answer, self.cache.capacity);
                    }
                    shard.end(&self.id.serial, self.number);
                    return Ok(Asked::Signed(answer));
                }
                (outcome, _) => return outcome,
            }
        }
        Err(Error::new(ErrorKind::Unavailable, "the certificate is being revoked; ask again in a moment"))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        lock(self.cache.shard(&self.id.serial)).end(&self.id.serial, self.number);
    }
}

impl Shard {
    fn keep(&mut self, serial: &[u8], form: u64, answer: &Arc<Answer>, capacity: usize) {
        let new = Kept { form, answer: Arc::clone(answer), wanted: false };
        match self.kept.get_mut(serial) {
            Some(forms) => match forms.iter_mut().find(|kept| kept.form == form) {
                Some(kept) => *kept = new,
                None => {
                    forms.push(new);
                    self.len += 1;
                }
            },
            None => {
                self.kept.insert(serial.into(), vec![new]);
                self.queue.push_back(serial.into());
                self.len += 1;
            }
        }
        while self.len > capacity {
            let Some(oldest) = self.queue.pop_front() else { break };
            match self.kept.get_mut(&oldest) {
                Some(forms) if forms.iter().any(|kept| kept.wanted) => {
                    forms.iter_mut().for_each(|kept| kept.wanted = false);
                    self.queue.push_back(oldest);
                }
                Some(forms) => {
                    self.len = self.len.saturating_sub(forms.len());
                    self.kept.remove(&oldest);
                }
                None => {}
            }
        }
        // Serials of what was forgotten: few, unless very many are revoked that were asked for.
        if self.queue.len() > 2 * (self.kept.len() + SHARDS) {
            let mut seen = std::collections::HashSet::new();
            let kept = &self.kept;
            self.queue.retain(|serial| kept.contains_key(serial) && seen.insert(serial.clone()));
        }
    }

    fn end(&mut self, serial: &[u8], number: u64) {
        if let Some(questions) = self.questions.get_mut(serial) {
            questions.retain(|question| question.number != number);
            if questions.is_empty() {
                self.questions.remove(serial);
            }
        }
    }
}
