//! Nonces of one process, RFC 8555 §6.5: numbers with a tag that proves that we gave them out, and one bit for each that remembers
//! whether it was used.
//!
//! A nonce is `number ‖ tag`: eight octets, big endian, and the first 16 of an HMAC-SHA-256 over them under a key that lives as long
//! as the process. So nothing is stored for a nonce that is never used, nobody can guess the next one (RFC 8555 §6.5.1), and a nonce
//! of an earlier process is refused. Several processes behind one name would put an instance's prefix in front of the number and
//! ask the instance that it names.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::hmac;
use cairn_core::api::NonceService;
use cairn_core::random::bytes;
use cairn_core::{Random, Result};
use cairn_jose::base64url;

/// Octets of the number.
const NUMBER: usize = 8;
/// Octets of the tag: 128 bits, which nobody guesses.
const TAG: usize = 16;
/// How many nonces, counted back from the newest, can be redeemed. Each costs a bit: 128 KiB in all. At 10,000 requests a second a
/// client has 100 seconds to use its nonce, and one that comes later gets `badNonce` with a new one and tries again.
const WINDOW: u64 = 1 << 20;

/// Nonces that only this process can redeem.
pub struct Nonces {
    key: hmac::Key,
    /// Locked for a few instructions by every request; never across an await.
    window: Mutex<Window>,
}

impl Nonces {
    /// No nonce given out yet, under a new random key.
    pub fn new(random: &dyn Random) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &bytes::<32>(random)),
            window: Mutex::new(Window::new(WINDOW)),
        }
    }

    fn issue(&self) -> String {
        let number = self.with_window(Window::issue).to_be_bytes();
        let mut nonce = [0; NUMBER + TAG];
        let tag = hmac::sign(&self.key, &number);
        nonce.iter_mut().zip(number.iter().chain(tag.as_ref())).for_each(|(to, from)| *to = *from);
        base64url::encode(&nonce)
    }

    fn use_up(&self, nonce: &str) -> bool {
        // One spelling per nonce: the decoder is strict, and the length is exact.
        let Ok(nonce) = base64url::decode(nonce) else { return false };
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

impl fmt::Debug for Nonces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nonces")
    }
}

/// The last `size` numbers given out, and which of them were used.
struct Window {
    size: u64,
    /// The number to give out next.
    next: u64,
    /// A bit for each number, at its remainder by `size`: set when it was used.
    used: Box<[u64]>,
}

impl Window {
    /// `size` is a multiple of 64.
    fn new(size: u64) -> Self {
        let words = usize::try_from(size / 64).unwrap_or(usize::MAX);
        Self { size, next: 0, used: vec![0; words].into_boxed_slice() }
    }

    /// Gives out a number; the oldest in the window falls out of it.
    fn issue(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        let (word, bit) = self.place(number);
        if let Some(word) = word {
            *word &= !bit;
        }
        number
    }

    /// Uses up a number; `false` if it was used, is too old, or was never given out.
    fn redeem(&mut self, number: u64) -> bool {
        if number >= self.next || self.next - number > self.size {
            return false;
        }
        let (Some(word), bit) = self.place(number) else { return false };
        let unused = *word & bit == 0;
        *word |= bit;
        unused
    }

    fn place(&mut self, number: u64) -> (Option<&mut u64>, u64) {
        let slot = number % self.size;
        let word = usize::try_from(slot / 64).ok().and_then(|index| self.used.get_mut(index));
        (word, 1 << (slot % 64))
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
        assert!(all.iter().all(|nonce| nonce.len() == 32 && base64url::decode(nonce).is_ok()));
    }

    #[test]
    fn what_this_process_did_not_give_out_is_refused() {
        let (ours, theirs) = (nonces(), Nonces::new(&SeededRandom::new(2)));
        let (nonce, foreign) = (ours.issue(), theirs.issue());
        assert!(!ours.use_up(&foreign));
        for forged in
            ["", "AAAA", &format!("{nonce}AAAA"), &nonce[..16], &nonce.replace(&nonce[..8], "AAAAAAAB")]
        {
            assert!(!ours.use_up(forged), "{forged}");
        }
        assert!(ours.use_up(&nonce), "refusing others has not used it up");
    }

    #[test]
    fn a_nonce_older_than_the_window_is_refused_although_its_place_is_free_again() {
        let mut window = Window::new(128);
        let first = window.issue();
        let second = window.issue();
        for _ in 0..127 {
            window.issue();
        }
        assert!(!window.redeem(first));
        assert!(window.redeem(second));
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
        /// Against a model that remembers every number: whatever comes in whatever order, a number is redeemed at most once, and
        /// exactly while it is in the window.
        #[test]
        fn the_window_agrees_with_a_set(steps in prop::collection::vec(prop::option::of(0..400u64), 0..800)) {
            let mut window = Window::new(64);
            let (mut issued, mut used) = (0, HashSet::new());
            for step in steps {
                match step {
                    None => {
                        prop_assert_eq!(window.issue(), issued);
                        issued += 1;
                    }
                    Some(number) => {
                        let expected = number < issued && number + 64 >= issued && used.insert(number);
                        prop_assert_eq!(window.redeem(number), expected);
                    }
                }
            }
        }

        #[test]
        fn no_text_is_a_nonce(text in "\\PC{0,60}|[A-Za-z0-9_-]{32}") {
            prop_assert!(!nonces().use_up(&text));
        }
    }
}
