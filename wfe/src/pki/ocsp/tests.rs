//! The cache and the feed together: what is kept, what is asked once, and above all that nothing old is given out.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use cairn_core::api::OcspResponse;
use cairn_core::api::pki::{RevocationEvent, RevocationPosition};
use cairn_core::time::FakeClock;
use cairn_core::{
    CaCertificate, CrlHead, CrlId, CrlKind, IssuerId, Result, Revocation, Serial, ShardId, Timestamp,
};
use cairn_x509::ocsp::IssuerHash;
use cairn_x509::{Certificate, FileSigner, KeySpec, Name, RootInputs, Signer, Validity, root};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);
const DAY: i64 = 24 * 60 * 60;

/// What is revoked, and a feed that tells it, or fails.
#[derive(Default)]
struct Published {
    events: Mutex<Vec<RevocationEvent>>,
    fails: Mutex<bool>,
}

impl Published {
    fn revoke(&self, serial: u8) {
        let mut events = self.events.lock().unwrap();
        let position = RevocationPosition::from_number(i64::try_from(events.len()).unwrap() + 1);
        let revocation = Revocation { at: NOW, reason: None };
        let serial = Serial::from_bytes(&[serial]).unwrap();
        events.push(RevocationEvent { position, serial, issuer: IssuerId::from_bytes([1; 20]), revocation });
    }

    fn check(&self) -> Result<()> {
        if *self.fails.lock().unwrap() { Err(Error::new(ErrorKind::Unavailable, "away")) } else { Ok(()) }
    }
}

#[async_trait]
impl PkiRead for Published {
    async fn revocation_position(&self) -> Result<RevocationPosition> {
        self.check()?;
        Ok(self.events.lock().unwrap().last().map(|event| event.position).unwrap_or_default())
    }

    async fn revocations_after(
        &self,
        position: RevocationPosition,
        limit: usize,
    ) -> Result<Vec<RevocationEvent>> {
        self.check()?;
        let events = self.events.lock().unwrap();
        Ok(events.iter().filter(|event| event.position > position).take(limit).cloned().collect())
    }

    async fn published_ca_certificates(&self) -> Result<Vec<CaCertificate>> {
        Ok(Vec::new())
    }

    async fn crl(&self, _: ShardId, _: CrlKind) -> Result<Option<CrlHead>> {
        Ok(None)
    }

    async fn crl_chunk(&self, _: CrlId, _: u32) -> Result<Option<Vec<u8>>> {
        Ok(None)
    }
}

/// A certificate authority whose answers are numbered, and which can be held between its look into the storage and its answer.
#[derive(Default)]
struct Authority {
    asked: AtomicUsize,
    held: Mutex<bool>,
    /// Rung when somebody has been asked and is held.
    waits: Notify,
    go_on: Notify,
    answers: Mutex<VecDeque<Result<OcspAnswer>>>,
}

impl Authority {
    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn hold(&self, held: bool) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        if !held {
            self.go_on.notify_waiters();
        }
    }
}

#[async_trait]
impl OcspResponder for Authority {
    async fn ocsp_response(&self, _: Vec<u8>) -> Result<OcspAnswer> {
        // What it has read is settled here.
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answers.lock().unwrap().pop_front();
        let go_on = self.go_on.notified();
        if *self.held.lock().unwrap() {
            self.waits.notify_one();
            go_on.await;
        }
        let der = format!("answer {number}").into_bytes();
        let signed = OcspAnswer::Signed(OcspResponse { der, this_update: NOW, next_update: NOW.plus(DAY) });
        answer.unwrap_or(Ok(signed))
    }
}

struct World {
    ocsp: Arc<Ocsp>,
    authority: Arc<Authority>,
    published: Arc<Published>,
    clock: Arc<FakeClock>,
    issuer: Certificate,
}

impl World {
    /// One that follows already.
    async fn new() -> Self {
        let world = Self::that_keeps(1000);
        world.catch_up().await;
        world
    }

    fn that_keeps(cached_answers: usize) -> Self {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let inputs = RootInputs {
            serial: &[1],
            validity: Validity { not_before: 0, not_after: 1 },
            public_key: key.public_key(),
            subject: &Name::new("Test", None).unwrap(),
            digital_signature: false,
        };
        let issuer = root(key.algorithm(), inputs).unwrap().sign(&key).unwrap();
        let (authority, published) = (Arc::new(Authority::default()), Arc::new(Published::default()));
        let clock = Arc::new(FakeClock::new(NOW));
        let config = Config { cached_answers, ..Config::default() };
        let ocsp = Ocsp::new(
            Arc::clone(&authority) as _,
            Arc::clone(&published) as _,
            Arc::clone(&clock) as _,
            config,
        );
        Self { ocsp: Arc::new(ocsp), authority, published, clock, issuer }
    }

    async fn catch_up(&self) {
        self.ocsp.feed.catch_up(Instant::now()).await.unwrap();
    }

    fn id(&self, serial: u8) -> CertId {
        CertId::new(IssuerHash::Sha1, &self.issuer, &[serial])
    }

    fn kept(&self, serial: u8) -> bool {
        self.ocsp.cache.get(&self.id(serial), self.clock.now()).is_some()
    }

    /// Asks as the handler does.
    async fn ask(&self, serial: u8) -> Result<Asked> {
        self.ocsp.ask_once(&self.id(serial), Vec::new()).await
    }

    fn begin(&self, serial: u8) -> JoinHandle<Result<Asked>> {
        let (ocsp, id) = (Arc::clone(&self.ocsp), self.id(serial));
        #[expect(clippy::disallowed_methods, reason = "a test waits for what it has begun")]
        tokio::spawn(async move { ocsp.ask_once(&id, Vec::new()).await })
    }
}

#[tokio::test]
async fn an_answer_is_kept_until_half_of_its_life_and_asked_for_anew() {
    let world = World::new().await;
    assert!(!world.kept(1));
    world.ask(1).await.unwrap();
    assert!(world.kept(1) && !world.kept(2));
    // Another way to write the same id is another answer.
    let sha256 = CertId::new(IssuerHash::Sha256, &world.issuer, &[1]);
    assert!(world.ocsp.cache.get(&sha256, NOW).is_none());
    world.clock.advance(DAY / 2 - 1);
    assert!(world.kept(1));
    world.clock.advance(1);
    assert!(!world.kept(1));
}

#[tokio::test]
async fn what_is_revoked_is_forgotten_in_every_form() {
    let world = World::new().await;
    let sha256 = CertId::new(IssuerHash::Sha256, &world.issuer, &[1]);
    world.ask(1).await.unwrap();
    world.ask(2).await.unwrap();
    world.ocsp.ask_once(&sha256, Vec::new()).await.unwrap();
    assert_eq!(world.ocsp.cache.len(), 3);
    world.published.revoke(1);
    assert!(world.kept(1), "nobody has heard of it");
    world.catch_up().await;
    assert!(!world.kept(1) && world.ocsp.cache.get(&sha256, NOW).is_none() && world.kept(2));
    assert_eq!(world.ocsp.cache.len(), 1);
}

#[tokio::test]
async fn an_answer_from_before_a_revocation_is_neither_kept_nor_given_out_after_it() {
    let world = World::new().await;
    world.authority.hold(true);
    let asking = world.begin(1);
    // The certificate authority has looked into the storage, and has not answered.
    world.authority.waits.notified().await;
    world.published.revoke(1);
    world.catch_up().await;
    world.authority.hold(false);
    let Asked::Signed(answer) = asking.await.unwrap().unwrap() else { panic!() };
    assert_eq!(answer.der(), b"answer 1", "it was asked again");
    assert_eq!(world.ocsp.cache.get(&world.id(1), NOW).unwrap().der(), b"answer 1");
    assert_eq!(world.authority.asked(), 2);
}

#[tokio::test]
async fn revocations_of_others_spoil_nothing() {
    let world = World::new().await;
    world.authority.hold(true);
    let asking = world.begin(1);
    world.authority.waits.notified().await;
    world.published.revoke(2);
    world.catch_up().await;
    world.authority.hold(false);
    asking.await.unwrap().unwrap();
    assert!(world.kept(1));
    assert_eq!(world.authority.asked(), 1);
}

#[tokio::test]
async fn a_certificate_whose_revocation_changes_again_and_again_is_put_off_in_the_end() {
    let world = World::new().await;
    world.authority.hold(true);
    let asking = world.begin(1);
    for _ in 0..3 {
        world.authority.waits.notified().await;
        world.published.revoke(1);
        world.catch_up().await;
        world.authority.go_on.notify_waiters();
    }
    assert_eq!(asking.await.unwrap().unwrap_err().kind, ErrorKind::Unavailable);
    assert!(!world.kept(1));
}

#[tokio::test]
async fn what_was_asked_before_it_was_known_from_where_to_follow_is_not_kept() {
    let world = World::that_keeps(1000);
    world.authority.hold(true);
    let asking = world.begin(1);
    world.authority.waits.notified().await;
    // Between the look into the storage and the first place that is known: nobody ever tells of it.
    world.published.revoke(1);
    world.catch_up().await;
    world.authority.hold(false);
    asking.await.unwrap().unwrap();
    assert!(!world.kept(1));
}

#[tokio::test]
async fn many_who_ask_the_same_at_once_have_it_signed_once() {
    let world = World::new().await;
    world.authority.hold(true);
    let asking: Vec<_> = (0..32).map(|_| world.begin(1)).collect();
    let other = world.begin(2);
    world.authority.waits.notified().await;
    // All have come: the runtime has one thread.
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
    world.authority.hold(false);
    for answer in asking {
        let Asked::Signed(answer) = answer.await.unwrap().unwrap() else { panic!() };
        assert!(answer.der().starts_with(b"answer"));
    }
    other.await.unwrap().unwrap();
    assert_eq!(world.authority.asked(), 2);
}

#[tokio::test]
async fn when_those_who_wait_go_away_the_next_one_asks_anew() {
    let world = World::new().await;
    world.authority.hold(true);
    let asking = world.begin(1);
    world.authority.waits.notified().await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    world.authority.hold(false);
    let Asked::Signed(answer) = world.ask(1).await.unwrap() else { panic!() };
    assert_eq!(answer.der(), b"answer 1");
    assert!(world.kept(1));
}

#[tokio::test]
async fn failures_and_refusals_are_not_kept_and_end_the_question() {
    let world = World::new().await;
    let failure = Error::new(ErrorKind::Unavailable, "away");
    world.authority.answers.lock().unwrap().extend([Err(failure), Ok(OcspAnswer::Unauthorized)]);
    assert_eq!(world.ask(1).await.unwrap_err().kind, ErrorKind::Unavailable);
    assert!(matches!(world.ask(1).await, Ok(Asked::Unauthorized)));
    assert!(!world.kept(1));
    world.ask(1).await.unwrap();
    assert!(world.kept(1));
}

#[tokio::test]
async fn without_the_feed_the_cache_is_believed_for_some_seconds_and_again_when_all_was_heard() {
    let world = World::that_keeps(1000);
    let feed = &world.ocsp.feed;
    let began = Instant::now();
    let after = |milliseconds| began + Duration::from_millis(milliseconds);
    assert!(!feed.is_followed_at(began), "nothing was ever heard");
    feed.catch_up(began).await.unwrap();
    world.ask(1).await.unwrap();

    *world.published.fails.lock().unwrap() = true;
    world.published.revoke(1);
    feed.catch_up(after(4_000)).await.unwrap_err();
    assert!(feed.is_followed_at(after(5_000)) && world.kept(1));
    assert!(!feed.is_followed_at(after(5_001)));

    *world.published.fails.lock().unwrap() = false;
    feed.catch_up(after(9_000)).await.unwrap();
    assert!(
        feed.is_followed_at(after(9_001)) && !world.kept(1),
        "what was revoked meanwhile was heard of first"
    );
}

#[tokio::test]
async fn no_more_is_kept_than_may_be_and_what_is_wanted_stays_longest() {
    let world = World::that_keeps(64);
    world.catch_up().await;
    for serial in 1..=127 {
        world.ask(serial).await.unwrap();
        world.kept(1);
        assert!(world.ocsp.cache.len() <= 64);
    }
    assert!(world.kept(1), "it was asked for all the time");
    assert!((2..20).any(|serial| !world.kept(serial)));
    // Forgetting makes room, and leaves nothing behind that would grow.
    for round in 0..200_u8 {
        let serial = 1 + round % 100;
        world.ask(serial).await.unwrap();
        world.ocsp.cache.forget(&[serial]);
    }
    assert!(world.ocsp.cache.len() <= 64);
    let none = World::that_keeps(0);
    none.catch_up().await;
    none.ask(1).await.unwrap();
    assert!(!none.kept(1));
}
