//! The bits that remember which nonces were used.

/// The last `size` numbers given out, and which of them were used.
pub(super) struct Window {
    size: u64,
    /// The number to give out next.
    next: u64,
    /// A bit for each number, at its remainder by `size`: set when it was used.
    used: Box<[u64]>,
}

impl Window {
    /// `size` is a multiple of 64.
    pub(super) fn new(size: u64) -> Self {
        let words = usize::try_from(size / 64).unwrap_or(usize::MAX);
        Self { size, next: 0, used: vec![0; words].into_boxed_slice() }
    }

    /// Gives out a number; the oldest in the window falls out of it.
    pub(super) fn issue(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        let (word, bit) = self.place(number);
        if let Some(word) = word {
            *word &= !bit;
        }
        number
    }

    /// Uses up a number; `false` if it was used, is too old, or was never given out.
    pub(super) fn redeem(&mut self, number: u64) -> bool {
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

    use proptest::prelude::*;

    use super::*;

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
    }
}
