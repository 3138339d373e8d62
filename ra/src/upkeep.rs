//! What is done by the clock: certificates whose key was blocked are revoked, incidents are ended, and certificates of older programs are
//! let be found by their keys.
//!
//! Nothing of this is begun by one process and must be ended by it: what is to do stands in the storage until it is done, and what is done is
//! guarded there. So several processes may do it side by side, and one that is killed leaves the rest to the next round.

use std::time::Duration;

use cairn_core::api::revocations::KeyToSweep;
use cairn_core::{ErrorKind, Result, RevocationReason};
use cairn_x509::Certificate;
use tokio::time::sleep;

use crate::revocation::{Wanted, revoke};
use crate::{Ra, incidents, metrics};

/// How many rows are asked for at once.
const BATCH: usize = 100;

/// Between two batches of keys that are entered, which nobody waits for.
const PAUSE: Duration = Duration::from_millis(20);

/// Of a stored certificate that cannot be read: it is not looked at again.
const NO_KEY: [u8; 32] = [0; 32];

impl Ra {
    /// Does what is to do, at once, in the configured interval, and when it is rung for.
    pub(crate) async fn keep_up_until_shutdown(self) {
        let rung = self.upkeep.clone();
        loop {
            let kept = self.keep_up().await;
            metrics::upkeep(kept.is_ok());
            if let Err(error) = kept {
                tracing::error!(%error, "what is done by the clock was not all done; the next round tries again");
            }
            tokio::select! {
                ended = self.shutdown_within_an_interval() => if ended { return },
                () = rung.notified() => if self.deps.shutdown.is_cancelled() { return },
            }
        }
    }

    /// Does what is to do by the clock, all of it, unless shutdown begins.
    ///
    /// # Errors
    /// The first one. The rest is tried all the same.
    pub async fn keep_up(&self) -> Result<()> {
        let entered = self.enter_keys().await;
        // Without the keys of all certificates, some of a blocked key may not be found yet.
        let swept = self.sweep_keys(matches!(entered, Ok(true))).await;
        let ended = incidents::end_due(self).await;
        entered.map(drop).and(swept).and(ended)
    }

    /// Enters the keys of certificates that programs issued which did not; whether none is left.
    async fn enter_keys(&self) -> Result<bool> {
        loop {
            let found = self.deps.sa.certificates_without_key(BATCH).await?;
            if found.is_empty() {
                return Ok(true);
            }
            let keys = found.into_iter().map(|(serial, der)| {
                let key = Certificate::from_der(&der).map(|certificate| certificate.public_key().sha256());
                let key = key.unwrap_or_else(|error| {
                    tracing::error!(certificate.serial = %serial, %error, "a stored certificate cannot be read");
                    NO_KEY
                });
                (serial, key)
            });
            self.deps.sa.enter_keys(keys.collect()).await?;
            if self.deps.shutdown.is_cancelled() {
                return Ok(false);
            }
            sleep(PAUSE).await;
        }
    }

    /// Revokes the certificates of keys that were blocked lately, also those that were issued while that was done.
    async fn sweep_keys(&self, all_found: bool) -> Result<()> {
        let mut after = None;
        loop {
            let keys = self.deps.sa.keys_to_sweep(after, BATCH).await?;
            for key in &keys {
                self.sweep_key(key.spki_sha256).await?;
                if all_found && key.until <= self.deps.clock.now() {
                    self.deps.sa.end_sweep(*key).await?;
                }
            }
            match keys.last() {
                Some(KeyToSweep { spki_sha256, .. }) if keys.len() == BATCH => after = Some(*spki_sha256),
                _ => return Ok(()),
            }
        }
    }

    async fn sweep_key(&self, spki_sha256: [u8; 32]) -> Result<()> {
        let by = format!("compromised key {}", hex(&spki_sha256));
        let mut after = Vec::new();
        loop {
            let found = self.deps.sa.certificates_of_key(spki_sha256, &after, BATCH).await?;
            for certificate in &found {
                let record = &certificate.record;
                if record.not_after < self.deps.clock.now() {
                    continue;
                }
                let reason = Some(RevocationReason::KeyCompromise);
                if record.revocation.is_some_and(|revocation| revocation.reason == reason) {
                    continue;
                }
                match revoke(self, record, Wanted { reason, blocked_key: None, corrects: true, by: &by })
                    .await
                {
                    Ok(_) => metrics::followed_key(),
                    // Another process was faster.
                    Err(error) if error.kind == ErrorKind::AlreadyRevoked => {}
                    Err(error) => return Err(error),
                }
            }
            match found.last() {
                Some(last) if found.len() == BATCH => after = last.record.serial.as_bytes().to_vec(),
                _ => return Ok(()),
            }
        }
    }
}

pub(crate) fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
