//! The modules of this process. C_Initialize is for the whole process (PKCS #11 §5.4.1), so each module is loaded once, whoever uses it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
    time::{Duration, Instant},
};

use cryptoki::{
    context::{CInitializeArgs, CInitializeFlags, Pkcs11},
    error::{Error, RvError},
};

use super::error::{Pkcs11Error, text};
use crate::spki::sha256;

/// Everything that was loaded. Nothing is ever unloaded: some modules leave threads behind.
static MODULES: Mutex<BTreeMap<PathBuf, Arc<Module>>> = Mutex::new(BTreeMap::new());

/// Between two starts of a module at least: a start ends the sessions of all its tokens, also of those that work.
const PAUSE: Duration = Duration::from_secs(2);

/// A module that was loaded and started.
pub(super) struct Module {
    library: Pkcs11,
    /// How often it was started. Shared by whoever calls it; held alone while it is started anew, since what then becomes of calls
    /// under way is undefined (PKCS #11 §5.4.2).
    starts: RwLock<u64>,
    last_start: Mutex<Instant>,
    /// Whether a token has taken a PIN, by the token's serial number and the PIN's SHA-256.
    pins: Mutex<BTreeMap<(String, [u8; 32]), bool>>,
}

impl Module {
    /// The module at `path`, loaded and started if it is not yet.
    pub(super) fn load(path: &Path) -> Result<Arc<Self>, Pkcs11Error> {
        let unusable = |reason: String| Pkcs11Error::Module { path: path.to_owned(), reason };
        // One library by two paths would be started once, and ended twice.
        let path = path.canonicalize().map_err(|error| unusable(error.to_string()))?;
        let mut modules = lock(&MODULES);
        if let Some(module) = modules.get(&path) {
            return Ok(Arc::clone(module));
        }
        let library = Pkcs11::new(&path).map_err(|error| unusable(text(&error)))?;
        start(&library).map_err(|error| unusable(text(&error)))?;
        let module = Arc::new(Self {
            library,
            starts: RwLock::new(0),
            last_start: Mutex::new(Instant::now()),
            pins: Mutex::default(),
        });
        modules.insert(path, Arc::clone(&module));
        Ok(module)
    }

    /// Calls it; the number tells which start the call belongs to. Sessions of an earlier start are gone, and their handles may be
    /// other sessions' by now.
    pub(super) fn call<R>(&self, work: impl FnOnce(&Pkcs11, u64) -> R) -> R {
        let starts = self.starts.read().unwrap_or_else(PoisonError::into_inner);
        work(&self.library, *starts)
    }

    /// Starts it anew, unless that was done since the start number `seen`, or just now, or a call is under way: then that may be
    /// what hangs. Many modules look for their devices only then.
    pub(super) fn start_again(&self, seen: u64) {
        let Ok(mut starts) = self.starts.try_write() else { return };
        let mut last = lock(&self.last_start);
        if *starts != seen || last.elapsed() < PAUSE {
            return;
        }
        // Whatever this says: if the module does not work afterwards, the next call does.
        let _ended = self.library.clone().finalize();
        let _started = start(&self.library);
        *starts += 1;
        *last = Instant::now();
    }

    /// Whether the token with this serial number has taken this PIN from this process, or refused it.
    pub(super) fn has_taken(&self, serial: &str, pin: &str) -> Option<bool> {
        lock(&self.pins).get(&(serial.to_owned(), sha256(pin.as_bytes()))).copied()
    }

    /// Remembers that.
    pub(super) fn remember(&self, serial: &str, pin: &str, taken: bool) {
        lock(&self.pins).insert((serial.to_owned(), sha256(pin.as_bytes())), taken);
    }
}

fn start(library: &Pkcs11) -> Result<(), Error> {
    match library.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
        Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(()),
        outcome => outcome,
    }
}

/// Nothing that is locked here is left half-changed by a panic.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
