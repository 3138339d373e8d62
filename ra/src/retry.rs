//! Trying again when one of our own services failed: a result that cost a client's work must not be lost to a moment's trouble.

use std::future::Future;

use cairn_core::{ErrorKind, Result};

use crate::{Ra, metrics};

/// How often a call is made in all. With the pause doubling each time, the calls span seven pauses.
const ATTEMPTS: u32 = 4;

impl Ra {
    /// Makes the call until it gives something else than a fault of ours, at most four times: for what does no harm when it is done
    /// twice. Stops early when shutdown begins: then what is left undone is the sweeper's.
    pub(crate) async fn persist<T, F: Future<Output = Result<T>>>(
        &self,
        what: &'static str,
        mut call: impl FnMut() -> F,
    ) -> Result<T> {
        let mut pause = self.config.retry_pause.duration();
        let mut attempt = 1;
        loop {
            let error = match call().await {
                Err(error) if matches!(error.kind, ErrorKind::Internal | ErrorKind::Unavailable) => error,
                outcome => return outcome,
            };
            tracing::warn!(what, attempt, %error, "a call failed");
            if attempt == ATTEMPTS {
                return Err(error);
            }
            tokio::select! {
                () = self.deps.shutdown.cancelled() => return Err(error),
                () = tokio::time::sleep(pause) => {}
            }
            attempt += 1;
            metrics::retry();
            pause = pause.saturating_mul(2);
        }
    }
}
