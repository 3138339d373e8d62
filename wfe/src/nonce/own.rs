//! Nonces of one process: numbers with a tag that proves that we gave them out, and one bit for each that remembers whether it was
//! used.
//!
//! The number is in big endian, and the tag the beginning of an HMAC-SHA-256 over it under a key that lives as long as the process.
//! So nothing is stored for a nonce that is never used, nobody can guess the next one (RFC 8555 §6.5.1), and a nonce of an earlier
//! process is refused.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use cairn_core::api::{NonceOwner, NoncePrefix, NonceService};
use cairn_core::random::bytes;
use cairn_core::{Random, Result};
use cairn_jose::base64url;

use super::window::Window;

/// Octets of the number.
const NUMBER: usize = 8;
/// Octets of the tag: 128 bits, which nobody guesses.
const TAG: usize = 16;
/// Octets of a nonce: 40 characters.
const LENGTH: usize = NoncePrefix::LENGTH + NUMBER + TAG;
/// How many nonces, counted back from the newest, can be redeemed. Each costs a bit: 128 KiB in all. At 10,000 requests a second a
/// client has 100 seconds to use its nonce, and one that comes later gets `badNonce` with a new one and tries again.
const WINDOW: u64 = 1 << 20;

/// Nonces that only this process can redeem. Others may ask it to ([`NonceOwner`]).
pub struct Nonces {
    prefix: NoncePrefix,
    key: hmac::Key,
    /// Locked for a few instructions by every request; never across an await.
    window: Mutex<Window>,
}

impl Nonces {
    /// No nonce given out yet, with a new random prefix and key.
    pub fn new(random: &dyn Random) -> Self {
        Self {
            prefix: NoncePrefix::new(random),
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes::<32>(random)),
            window: Mutex::new(Window::new(WINDOW)),
        }
    }

    pub(super) fn issue(&self) -> String {
        let number = self.with_window(Window::issue).to_be_bytes();
        let tag = hmac::sign(&self.key, &number);
        let mut nonce = [0; LENGTH];
        let parts = self.prefix.as_bytes().iter().chain(&number).chain(tag.as_ref());
        nonce.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
        base64url::encode(&nonce)
    }

    /// Whether a nonce names this process.
    pub(super) fn is_ours(&self, prefix: NoncePrefix) -> bool {
        self.prefix == prefix
    }

    pub(super) fn use_up(&self, nonce: &str) -> bool {
        // One spelling per nonce: the decoder is strict, and the length is exact.
        let Ok(nonce) = base64url::decode(nonce) else { return false };
        let Some(nonce) = nonce.strip_prefix(self.prefix.as_bytes()) else { return false };
        let Some((number, tag)) = nonce.split_first_chunk::<NUMBER>() else { return false };
        let expected = hmac::sign(&self.key, number);
        let genuine = expected
            .as_ref()
            .first_chunk::<TAG>()
            .is_some_and(|expected| aws_lc_rs::constant_time::verify_slices_are_equal(expected, tag).is_ok());
        genuine && self.with_window(|window| window.redeem(u64::from_be_bytes(*number)))
    }

    fn with_window<T>(&self, f: impl FnOnce(&mut Window) -> T) -> T {
        // Nothing under the lock can panic half-way, so a poisoned window is a whole one.
        f(&mut self.window.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl NonceService for Nonces {
    async fn nonce(&self) -> Result<String> {
        Ok(self.issue())
    }

    async fn redeem(&self, nonce: &str) -> Result<bool> {
        Ok(self.use_up(nonce))
    }
}

#[async_trait]
impl NonceOwner for Nonces {
    async fn prefix(&self) -> Result<NoncePrefix> {
        Ok(self.prefix)
    }

    async fn redeem_own(&self, nonce: &str) -> Result<bool> {
        Ok(self.use_up(nonce))
    }
}

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use cairn_core::random::SeededRandom;
    use proptest::prelude::*;

    use super::*;

    fn nonces() -> Nonces {
        Nonces::new(&SeededRandom::new(1))
    }

    #[test]
    fn a_nonce_can_be_redeemed_once() {
        let nonces = nonces();
        let nonce = nonces.issue();
        assert!(nonces.use_up(&nonce));
        assert!(!nonces.use_up(&nonce));
    }

    #[test]
    fn nonces_are_base64url_and_no_two_are_alike() {
        let nonces = nonces();
        let all: HashSet<String> = (0..1000).map(|_| nonces.issue()).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|nonce| nonce.len() == 40 && base64url::decode(nonce).is_ok()));
    }

    #[test]
    fn what_this_process_did_not_give_out_is_refused() {
        let (ours, theirs) = (nonces(), Nonces::new(&SeededRandom::new(2)));
        let (nonce, foreign) = (ours.issue(), theirs.issue());
        assert!(!ours.use_up(&foreign));
        for forged in [
            "",
            "AAAA",
            &format!("{nonce}AAAA"),
            &nonce[..16],
            &nonce.replace(&nonce[8..16], "AAAAAAAB"),
            &nonce[8..],
        ] {
            assert!(!ours.use_up(forged), "{forged}");
        }
        assert!(ours.use_up(&nonce), "refusing others has not used it up");
    }

    #[test]
    fn of_many_redemptions_at_once_one_succeeds() {
        let nonces = nonces();
        let all: Vec<String> = (0..200).map(|_| nonces.issue()).collect();
        let redeemed: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| scope.spawn(|| all.iter().filter(|nonce| nonces.use_up(nonce)).count()))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(redeemed, all.len());
    }

    proptest! {
        #[test]
        fn no_text_is_a_nonce(text in "\\PC{0,60}|[A-Za-z0-9_-]{40}") {
            prop_assert!(!nonces().use_up(&text));
        }
    }
}
