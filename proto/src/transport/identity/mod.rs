//! A role's certificate, its key and the root of all roles, as `cairn internal-pki init` writes them: read from a folder, checked, and
//! read again when they change.
//!
//! Files that cannot be used never replace some that can: the new ones are complained of, the old ones kept. Connections that are open
//! stay; a [`Channel`](super::Channel) makes new ones with the new certificate and lets the old ones finish.

mod error;
mod files;
mod name;
mod tls;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use cairn_core::Clock;
use rustls::{ClientConfig, ServerConfig};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use error::IdentityError;
use files::{Files, Written};
pub(super) use name::{Certified, certified};
use tls::Tls;

use crate::Role;

/// How often the files' dates are looked at. An operator who replaces them expects to see it within the minute.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A certificate whose end is nearer is complained of: a week is time enough for whoever reads logs on workdays.
const WARN_SECONDS: i64 = 7 * DAY;
/// And again each day.
const DAY: i64 = 24 * 60 * 60;
/// Longer ago than any day.
const NEVER: i64 = i64::MIN;

/// What a process proves its role with, and what it checks others by.
pub struct Identity {
    role: Role,
    files: Files,
    clock: Arc<dyn Clock>,
    /// Replaced as a whole by [`Self::reload`].
    tls: ArcSwap<Tls>,
    /// When the files in use were written; held while they are read, so that two readers do not undo each other's work.
    written: Mutex<Option<Written>>,
    /// Counts the reloads: channels watch it to connect anew.
    generation: watch::Sender<u64>,
    /// When the end of the certificate was last warned of, in Unix seconds.
    warned: AtomicI64,
}

impl Identity {
    /// Reads `<role>.pem`, `<role>-key.pem` and `root.pem` in `dir`.
    ///
    /// # Errors
    /// If a file is missing, the key can be read by others, or the certificate is not of this role, this key or this root, or not valid
    /// now. The text says what to do.
    pub fn load(dir: &Path, role: Role, clock: Arc<dyn Clock>) -> Result<Arc<Self>, IdentityError> {
        let files = Files::new(dir, role);
        // Before they are read: what is written in between is seen as a change later.
        let written = files.written();
        let tls = Tls::new(role, &files, files.read()?, &clock)?;
        let identity = Self {
            role,
            files,
            clock,
            tls: ArcSwap::from_pointee(tls),
            written: Mutex::new(written),
            generation: watch::Sender::new(0),
            warned: AtomicI64::new(NEVER),
        };
        identity.warn_of_end();
        Ok(Arc::new(identity))
    }

    /// Whose it is.
    #[must_use]
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The clock that certificates are checked by.
    pub(super) const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Looks at the files every now and then until `shutdown`, takes new ones into use, and warns in the log before the end of the
    /// certificate.
    pub async fn watch(self: Arc<Self>, shutdown: CancellationToken) {
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            self.reload_if_changed();
            self.warn_of_end();
        }
    }

    /// Takes what is in the files now into use.
    ///
    /// # Errors
    /// As [`Self::load`]; then nothing has changed.
    pub fn reload(&self) -> Result<(), IdentityError> {
        let mut in_use = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.files.written();
        self.tls.store(Arc::new(Tls::new(self.role, &self.files, self.files.read()?, &self.clock)?));
        *in_use = written;
        self.warned.store(NEVER, Ordering::Relaxed);
        self.generation.send_modify(|generation| *generation += 1);
        info!(role = %self.role, ends = %self.tls.load().ends(), "using the new internal certificate");
        Ok(())
    }

    /// Takes the files into use if they were written since the last time.
    pub(super) fn reload_if_changed(&self) {
        let written = self.files.written();
        let in_use = *self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // One of the files is missing in the middle of a replacement.
        if written.is_none() || written == in_use {
            return;
        }
        if let Err(error) = self.reload() {
            error!(role = %self.role, %error, "the new internal certificate cannot be used; keeping the old one");
        }
    }

    /// Warns when it is time to renew.
    pub(super) fn warn_of_end(&self) {
        let tls = self.tls.load();
        let now = self.clock.now();
        let left = tls.ends().since(now);
        let warned = self.warned.load(Ordering::Relaxed);
        if left <= WARN_SECONDS.min(tls.lifetime() / 3) && now.unix().saturating_sub(warned) >= DAY {
            self.warned.store(now.unix(), Ordering::Relaxed);
            warn!(
                role = %self.role,
                file = %self.files.certificate.display(),
                ends = %tls.ends(),
                days_left = left / DAY,
                "the internal certificate ends soon, and then no other service will talk to this one; renew it with: cairn \
                 internal-pki renew"
            );
        }
    }

    /// How to accept connections from now on.
    pub(super) fn server(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls.load().server)
    }

    /// How to connect from now on.
    pub(super) fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.tls.load().client)
    }

    /// Wakes whenever the certificate was replaced.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("role", &self.role)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}
