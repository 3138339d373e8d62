//! Sessions that are used again, so many at most, and opened anew when they were lost. What a session is, is behind [`Source`].

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

use super::{error::Pkcs11Error, module::lock};

/// The most sessions of a signer. A module signs with few at a time, and devices have room for some dozen in all.
pub(super) const MAX_SESSIONS: usize = 8;

/// How long a signature waits for a session. One takes milliseconds: if none comes back, the device hangs.
const PATIENCE: Duration = Duration::from_secs(10);

/// What opens sessions.
pub(super) trait Source {
    /// A session.
    type Session;

    /// Opens one.
    fn open(&self) -> Result<Self::Session, Pkcs11Error>;

    /// Does what may help when none can be opened.
    fn revive(&self);

    /// What to say when none is free.
    fn busy(&self) -> Pkcs11Error;
}

/// A pool.
pub(super) struct Pool<S: Source> {
    source: S,
    state: Mutex<State<S::Session>>,
    given_back: Condvar,
    patience: Duration,
}

struct State<Session> {
    idle: Vec<Session>,
    /// In use or idle.
    open: usize,
}

impl<S: Source> Pool<S> {
    pub(super) fn new(source: S) -> Self {
        let state = State { idle: Vec::new(), open: 0 };
        Self { source, state: Mutex::new(state), given_back: Condvar::new(), patience: PATIENCE }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut S {
        &mut self.source
    }

    pub(super) fn into_source(self) -> S {
        self.source
    }

    /// Does `work` with a session; once more with a fresh one, if that was lost.
    pub(super) fn with<R>(
        &self,
        work: impl Fn(&S::Session) -> Result<R, Pkcs11Error>,
    ) -> Result<R, Pkcs11Error> {
        let session = match self.take()? {
            Some(session) => Ok(session),
            None => self.source.open(),
        };
        let first = session.and_then(|session| work(&session).map(|result| (session, result)));
        let outcome = match first {
            Err(error) if error.is_loss() => {
                // What was lost with one session is lost with all.
                self.drop_idle();
                self.open_again().and_then(|session| work(&session).map(|result| (session, result)))
            }
            outcome => outcome,
        };
        match outcome {
            Ok((session, result)) => {
                lock(&self.state).idle.push(session);
                self.given_back.notify_one();
                Ok(result)
            }
            Err(error) => {
                lock(&self.state).open -= 1;
                self.given_back.notify_one();
                Err(error)
            }
        }
    }

    /// An idle session, or the right to open one.
    fn take(&self) -> Result<Option<S::Session>, Pkcs11Error> {
        let mut state = lock(&self.state);
        loop {
            if let Some(session) = state.idle.pop() {
                return Ok(Some(session));
            }
            if state.open < MAX_SESSIONS {
                state.open += 1;
                return Ok(None);
            }
            let (next, waited) =
                self.given_back.wait_timeout(state, self.patience).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if waited.timed_out() && state.idle.is_empty() && state.open >= MAX_SESSIONS {
                return Err(self.source.busy());
            }
        }
    }

    fn open_again(&self) -> Result<S::Session, Pkcs11Error> {
        match self.source.open() {
            Err(error) if error.is_loss() => {
                self.source.revive();
                self.source.open()
            }
            outcome => outcome,
        }
    }

    fn drop_idle(&self) {
        let mut state = lock(&self.state);
        state.open -= state.idle.len();
        let idle = std::mem::take(&mut state.idle);
        // Closing them may call the module, which others need not wait for.
        drop(state);
        drop(idle);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use super::*;

    /// A device that can be pulled, and whose sessions of before are lost when it comes back.
    #[derive(Default)]
    struct Device {
        away: AtomicBool,
        /// Comes back when it is revived.
        sleeps: AtomicBool,
        era: AtomicUsize,
        opened: AtomicUsize,
        revived: AtomicUsize,
    }

    fn lost() -> Pkcs11Error {
        Pkcs11Error::Lost { token: "ca".to_owned(), reason: "CKR_DEVICE_REMOVED".to_owned() }
    }

    impl Source for &Device {
        type Session = usize;

        fn open(&self) -> Result<usize, Pkcs11Error> {
            if self.away.load(Ordering::SeqCst) {
                return Err(lost());
            }
            self.opened.fetch_add(1, Ordering::SeqCst);
            Ok(self.era.load(Ordering::SeqCst))
        }

        fn revive(&self) {
            self.revived.fetch_add(1, Ordering::SeqCst);
            if self.sleeps.swap(false, Ordering::SeqCst) {
                self.put_back();
            }
        }

        fn busy(&self) -> Pkcs11Error {
            Pkcs11Error::Busy { token: "ca".to_owned() }
        }
    }

    impl Device {
        fn pull(&self) {
            self.away.store(true, Ordering::SeqCst);
            self.era.fetch_add(1, Ordering::SeqCst);
        }

        fn put_back(&self) {
            self.away.store(false, Ordering::SeqCst);
        }

        fn sign(&self, session: &usize) -> Result<usize, Pkcs11Error> {
            if *session == self.era.load(Ordering::SeqCst) { Ok(*session) } else { Err(lost()) }
        }

        fn opened(&self) -> usize {
            self.opened.load(Ordering::SeqCst)
        }
    }

    #[test]
    fn a_session_is_used_again() {
        let device = Device::default();
        let pool = Pool::new(&device);
        for _ in 0..5 {
            pool.with(|session| device.sign(session)).unwrap();
        }
        assert_eq!(device.opened(), 1);
    }

    #[test]
    fn a_device_that_comes_back_is_used_again_without_an_error_in_between() {
        let device = Device::default();
        let pool = Pool::new(&device);
        assert_eq!(pool.with(|session| device.sign(session)), Ok(0));
        device.pull();
        device.put_back();
        assert_eq!(pool.with(|session| device.sign(session)), Ok(1));
        assert_eq!(device.opened(), 2);
    }

    #[test]
    fn while_a_device_is_away_each_signature_says_so_and_then_it_heals() {
        let device = Device::default();
        let pool = Pool::new(&device);
        pool.with(|session| device.sign(session)).unwrap();
        device.pull();
        for _ in 0..3 * MAX_SESSIONS {
            assert_eq!(pool.with(|session| device.sign(session)), Err(lost()));
        }
        device.put_back();
        assert_eq!(pool.with(|session| device.sign(session)), Ok(1));
    }

    #[test]
    fn a_device_that_has_to_be_looked_for_is_found() {
        let device = Device::default();
        let pool = Pool::new(&device);
        pool.with(|session| device.sign(session)).unwrap();
        device.pull();
        device.sleeps.store(true, Ordering::SeqCst);
        assert_eq!(pool.with(|session| device.sign(session)), Ok(1));
        assert_eq!(device.revived.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn what_the_key_refuses_is_not_tried_again() {
        let device = Device::default();
        let pool = Pool::new(&device);
        let tried = AtomicUsize::new(0);
        let refused = pool.with(|_| -> Result<(), _> {
            tried.fetch_add(1, Ordering::SeqCst);
            Err(Pkcs11Error::PinIncorrect { token: "ca".to_owned() })
        });
        assert!(matches!(refused, Err(Pkcs11Error::PinIncorrect { .. })));
        assert_eq!(tried.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn so_many_sessions_and_no_more() {
        let device: &'static Device = Box::leak(Box::default());
        let pool = Arc::new(Pool { patience: Duration::from_millis(1), ..Pool::new(device) });
        let (all_in, end) =
            (Arc::new(Barrier::new(MAX_SESSIONS + 1)), Arc::new(Barrier::new(MAX_SESSIONS + 1)));
        let workers: Vec<_> = (0..MAX_SESSIONS)
            .map(|_| {
                let (pool, all_in, end) = (Arc::clone(&pool), Arc::clone(&all_in), Arc::clone(&end));
                std::thread::spawn(move || {
                    pool.with(|session| {
                        all_in.wait();
                        end.wait();
                        device.sign(session)
                    })
                })
            })
            .collect();
        all_in.wait();
        // Each of them is in the middle of a signature.
        assert!(matches!(pool.with(|session| device.sign(session)), Err(Pkcs11Error::Busy { .. })));
        assert_eq!(device.opened(), MAX_SESSIONS);
        end.wait();
        for worker in workers {
            worker.join().unwrap().unwrap();
        }
        pool.with(|session| device.sign(session)).unwrap();
        assert_eq!(device.opened(), MAX_SESSIONS);
    }
}
