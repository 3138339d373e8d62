//! Signatures with keys that may be elsewhere. One in memory signs at once, on the thread that asks: moving it to another costs more
//! than it takes. One in a module may take long, hang or be away: it signs on a thread for waiting, so many wait at most, and while it is
//! away nobody waits for it at all. Whoever wants a signature then is refused before anything is recorded, and may ask again.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use cairn_core::{Error, ErrorKind, Result};
use cairn_x509::certificate::SignError;
use cairn_x509::ocsp::TbsResponse;
use cairn_x509::{Certificate, LargeCrl, LintedCrl, Signer, SignerError, TbsCertificate};
use metrics::Gauge;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// How many signatures may be under way or wait with one key. A module gives some hundred in a second; who came after so many would
/// wait for longer than its client does.
const MAX_WAITING: usize = 64;

/// How long a signature is waited for. Modules take milliseconds; what takes so long hangs.
const LIMIT: Duration = Duration::from_secs(15);

/// When somebody who was refused may come again.
const PAUSE: Duration = Duration::from_secs(10);

/// For how long a key that has signed is believed to be there.
const FRESH: Duration = Duration::from_secs(10);

/// What a key signs when nobody needs anything signed, to see whether it does. Not the form of anything that is ever signed.
const PROBE: &[u8] = b"Cairn: looks whether the issuer's key is there";

/// An issuer's key in use.
pub(crate) struct SigningKey {
    signer: Arc<dyn Signer>,
    turns: Arc<Semaphore>,
    limit: Duration,
    /// Whether the last signature failed.
    away: AtomicBool,
    /// When that was last seen.
    seen: Mutex<Instant>,
    /// Held by who looks whether it is back.
    looking: tokio::sync::Mutex<()>,
    /// 1 while it can sign.
    shown: OnceLock<Gauge>,
}

/// The right to one signature.
pub(crate) struct Turn(Option<OwnedSemaphorePermit>);

impl SigningKey {
    /// A key that has just signed.
    pub(crate) fn new(signer: Box<dyn Signer>) -> Self {
        Self {
            signer: Arc::from(signer),
            turns: Arc::new(Semaphore::new(MAX_WAITING)),
            limit: LIMIT,
            away: AtomicBool::new(false),
            seen: Mutex::new(Instant::now()),
            looking: tokio::sync::Mutex::new(()),
            shown: OnceLock::new(),
        }
    }

    /// The key.
    pub(crate) fn signer(&self) -> &dyn Signer {
        self.signer.as_ref()
    }

    /// Shows whether it can sign.
    pub(crate) fn show_in(&self, gauge: Gauge) {
        gauge.set(if self.is_away() { 0.0 } else { 1.0 });
        // There is one set of metrics for each issuer.
        let _first = self.shown.set(gauge);
    }

    /// The right to one signature: to be had before anything is recorded of what is to be signed.
    ///
    /// # Errors
    /// `Unavailable` if too many wait, or the key is away.
    pub(crate) async fn turn(&self) -> Result<Turn> {
        if self.signer.is_local() {
            return Ok(Turn(None));
        }
        if self.is_away() {
            self.look().await?;
        }
        self.place().map(|permit| Turn(Some(permit)))
    }

    /// Signs.
    pub(crate) async fn sign(&self, turn: Turn, tbs: &TbsCertificate) -> Result<Certificate, SignError> {
        let Turn(Some(permit)) = turn else { return tbs.sign(self.signer.as_ref()) };
        let tbs = tbs.clone();
        self.elsewhere(permit, move |signer| tbs.sign(signer)).await
    }

    /// Signs an OCSP response.
    pub(crate) async fn sign_response(&self, turn: Turn, tbs: TbsResponse) -> Result<Vec<u8>, SignError> {
        let Turn(Some(permit)) = turn else { return tbs.sign(self.signer.as_ref()) };
        self.elsewhere(permit, move |signer| tbs.sign(signer)).await
    }

    /// Signs a CRL, on a thread for waiting: one that is long takes its time with a key in memory too.
    ///
    /// # Errors
    /// `Unavailable` if the key is away.
    pub(crate) async fn sign_crl(&self, crl: LintedCrl) -> Result<LargeCrl> {
        let failed = |error: SignError| match error {
            SignError::Signer(cause) if cause.is_temporary() => away(cause),
            other => Error::internal("The CRL could not be signed.", other),
        };
        let Turn(Some(permit)) = self.turn().await? else {
            let signer = Arc::clone(&self.signer);
            let signed = tokio::task::spawn_blocking(move || crl.sign(signer.as_ref())).await;
            return signed.unwrap_or_else(|_cancelled| Err(SignerError::Signing.into())).map_err(failed);
        };
        self.elsewhere(permit, move |signer| crl.sign(signer)).await.map_err(failed)
    }

    /// Whether it can sign, as far as is known; a key of which nothing was heard for some time is asked.
    ///
    /// # Errors
    /// `Unavailable` if it cannot.
    pub(crate) async fn check(&self) -> Result<()> {
        let heard_of = self.seen.lock().unwrap_or_else(PoisonError::into_inner).elapsed() < FRESH;
        if self.signer.is_local() || (heard_of && !self.is_away()) {
            return Ok(());
        }
        self.look().await
    }

    /// Has it sign something. One looks at a time; the others believe what was seen last.
    async fn look(&self) -> Result<()> {
        let Ok(_alone) = self.looking.try_lock() else {
            return if self.is_away() { Err(away(SignerError::Late)) } else { Ok(()) };
        };
        let probed = self.elsewhere(self.place()?, |signer| {
            signer.sign(PROBE).map(|_signature| ()).map_err(SignError::from)
        });
        probed.await.map_err(away)
    }

    fn place(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().map_err(|full| {
            Error::new(ErrorKind::Unavailable, "the CA is busy; try again in a moment")
                .with_retry_after(PAUSE)
                .with_source(full)
        })
    }

    /// Works with the key on a thread for waiting. The place is free again when that thread is, however long nobody waits for it any
    /// more.
    fn elsewhere<T: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        work: impl FnOnce(&dyn Signer) -> Result<T, SignError> + Send + 'static,
    ) -> impl Future<Output = Result<T, SignError>> {
        let signer = Arc::clone(&self.signer);
        let working = tokio::task::spawn_blocking(move || {
            let outcome = work(signer.as_ref());
            drop(permit);
            outcome
        });
        async move {
            let outcome = match tokio::time::timeout(self.limit, working).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(_cancelled)) => Err(SignerError::Signing.into()),
                Err(_elapsed) => Err(SignerError::Late.into()),
            };
            self.note(outcome.as_ref().err());
            outcome
        }
    }

    fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// Remembers how a signature went, and says so when that changes.
    fn note(&self, trouble: Option<&SignError>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let was_away = self.away.swap(trouble.is_some(), Ordering::AcqRel);
        if let Some(gauge) = self.shown.get() {
            gauge.set(if trouble.is_some() { 0.0 } else { 1.0 });
        }
        match trouble {
            Some(error) if !was_away => {
                tracing::error!(%error, "the issuer's key cannot be used; nothing is issued until it can");
            }
            None if was_away => tracing::info!("the issuer's key can be used again"),
            _ => {}
        }
    }
}

/// What whoever wants a signature is told of a key that cannot give one at this moment.
pub(crate) fn away(error: impl Into<SignError>) -> Error {
    Error::new(ErrorKind::Unavailable, "the CA cannot sign at this moment; try again later")
        .with_retry_after(PAUSE)
        .with_source(error.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;

    use cairn_x509::{
        FileSigner, KeySpec, Name, Pkcs11Error, PublicKey, RootInputs, SignatureAlgorithm, Validity, root,
    };

    use super::*;

    /// A key in a device, which can be pulled, or hold what it is asked to sign.
    struct Device {
        key: FileSigner,
        state: Mutex<State>,
        changed: Condvar,
    }

    #[derive(Default)]
    struct State {
        pulled: bool,
        holds: bool,
        /// Signatures that are asked for and held.
        held: usize,
    }

    impl Device {
        fn change(&self, change: impl FnOnce(&mut State)) {
            change(&mut self.state.lock().unwrap());
            self.changed.notify_all();
        }

        fn wait_for_held(&self, count: usize) {
            let state = self.state.lock().unwrap();
            drop(self.changed.wait_while(state, |state| state.held < count).unwrap());
        }
    }

    struct Handle(Arc<Device>);

    impl Signer for Handle {
        fn public_key(&self) -> &PublicKey {
            self.0.key.public_key()
        }

        fn algorithm(&self) -> SignatureAlgorithm {
            self.0.key.algorithm()
        }

        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
            let mut state = self.0.state.lock().unwrap();
            state.held += 1;
            self.0.changed.notify_all();
            state = self.0.changed.wait_while(state, |state| state.holds).unwrap();
            state.held -= 1;
            if state.pulled {
                let (token, reason) = ("ca".to_owned(), "CKR_DEVICE_REMOVED".to_owned());
                return Err(Pkcs11Error::Lost { token, reason }.into());
            }
            drop(state);
            self.0.key.sign(message)
        }

        fn is_local(&self) -> bool {
            false
        }
    }

    fn key() -> (Arc<Device>, Arc<SigningKey>) {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let device = Arc::new(Device { key, state: Mutex::default(), changed: Condvar::new() });
        (Arc::clone(&device), Arc::new(SigningKey::new(Box::new(Handle(device)))))
    }

    fn tbs(key: &SigningKey) -> TbsCertificate {
        let inputs = RootInputs {
            serial: &[1; 16],
            validity: Validity { not_before: 0, not_after: 1 },
            public_key: key.signer().public_key(),
            subject: &Name::new("Test", None).unwrap(),
            digital_signature: false,
        };
        root(key.signer().algorithm(), inputs).unwrap()
    }

    fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
        result.err().map(|error| error.kind)
    }

    #[tokio::test]
    async fn a_key_that_is_away_costs_one_signature_and_the_others_are_refused_until_it_is_back() {
        let (device, key) = key();
        let tbs = tbs(&key);
        key.sign(key.turn().await.unwrap(), &tbs).await.unwrap();

        device.change(|state| state.pulled = true);
        let turn = key.turn().await.unwrap();
        let error = key.sign(turn, &tbs).await.unwrap_err().to_string();
        assert!(error.contains("connection to the token \"ca\" is lost"), "{error}");
        for _ in 0..2 {
            let refused = key.turn().await.err().unwrap();
            assert_eq!((refused.kind, refused.retry_after), (ErrorKind::Unavailable, Some(PAUSE)));
        }
        assert_eq!(kind(key.check().await), Some(ErrorKind::Unavailable));

        device.change(|state| state.pulled = false);
        key.check().await.unwrap();
        key.sign(key.turn().await.unwrap(), &tbs).await.unwrap();
    }

    #[tokio::test]
    async fn a_key_that_nobody_needed_for_some_time_is_asked_whether_it_is_there() {
        let (device, key) = key();
        device.change(|state| state.pulled = true);
        key.check().await.expect("it was there just now");
        *key.seen.lock().unwrap() = Instant::now().checked_sub(FRESH).unwrap();
        assert_eq!(kind(key.check().await), Some(ErrorKind::Unavailable));
    }

    #[tokio::test]
    async fn so_many_wait_and_the_next_is_refused_at_once() {
        let (device, key) = key();
        let tbs = tbs(&key);
        device.change(|state| state.holds = true);
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..MAX_WAITING {
            let (key, tbs, turn) = (Arc::clone(&key), tbs.clone(), key.turn().await.unwrap());
            waiting.spawn(async move { key.sign(turn, &tbs).await });
        }
        assert_eq!(kind(key.turn().await), Some(ErrorKind::Unavailable));
        let held = Arc::clone(&device);
        tokio::task::spawn_blocking(move || held.wait_for_held(MAX_WAITING)).await.unwrap();
        device.change(|state| state.holds = false);
        for signed in waiting.join_all().await {
            signed.unwrap();
        }
        key.turn().await.unwrap();
    }

    #[tokio::test]
    async fn a_key_that_hangs_is_not_waited_for_and_keeps_its_place() {
        let (device, key) = key();
        let mut key = Arc::into_inner(key).unwrap();
        // It hangs for longer than any limit.
        key.limit = Duration::from_millis(1);
        let tbs = tbs(&key);
        let turn = key.turn().await.unwrap();
        device.change(|state| state.holds = true);
        let hung = key.sign(turn, &tbs).await.unwrap_err();
        assert_eq!(hung, SignerError::Late.into());
        assert_eq!(key.turns.available_permits(), MAX_WAITING - 1);
        device.change(|state| state.holds = false);
    }

    #[tokio::test]
    async fn a_key_in_memory_waits_for_nobody() {
        let key = SigningKey::new(Box::new(FileSigner::generate(KeySpec::P256).unwrap()));
        let turns: Vec<_> = {
            let mut turns = Vec::new();
            for _ in 0..2 * MAX_WAITING {
                turns.push(key.turn().await.unwrap());
            }
            turns
        };
        let tbs = tbs(&key);
        for turn in turns {
            key.sign(turn, &tbs).await.unwrap();
        }
        key.check().await.unwrap();
    }
}
