//! The 1024 words that SLIP-0039 prescribes, each of which says ten bits. Any of them is known by its first four letters.
//!
//! `words.txt` is that list: part of SLIP-0039, by SatoshiLabs, and under the MIT licence in its reference implementation.

use std::sync::LazyLock;

/// How many bits a word says.
pub(crate) const BITS: usize = 10;

/// How many letters tell a word from all others.
const PREFIX: usize = 4;

static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("words.txt").lines().collect());

/// The word for the lowest ten bits of `index`.
pub(crate) fn word(index: u16) -> &'static str {
    WORDS.get(usize::from(index & 0x3ff)).copied().unwrap_or_default()
}

/// Which word `text` is, in whatever case, or the first four letters of which.
pub(crate) fn index(text: &str) -> Option<u16> {
    let text = text.to_ascii_lowercase();
    let found = WORDS.binary_search(&text.as_str()).or_else(|place| {
        let begun = WORDS.get(place).filter(|word| text.len() == PREFIX && word.starts_with(&text));
        begun.map(|_| place).ok_or(())
    });
    found.ok().and_then(|place| u16::try_from(place).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_what_the_lookup_relies_on() {
        assert_eq!(WORDS.len(), 1 << BITS);
        assert!(WORDS.is_sorted());
        let mut prefixes: Vec<_> = WORDS.iter().map(|word| &word[..PREFIX]).collect();
        prefixes.dedup();
        assert_eq!(prefixes.len(), WORDS.len());
    }

    #[test]
    fn words_are_found_in_any_case_and_by_their_first_four_letters() {
        for at in 0..1024 {
            assert_eq!(index(word(at)), Some(at));
            assert_eq!(index(&word(at)[..PREFIX]), Some(at));
        }
        assert_eq!(index("ACADEMIC"), Some(0));
        for wrong in ["", "aca", "acadx", "academi", "zzzz", "academics"] {
            assert_eq!(index(wrong), None, "{wrong}");
        }
    }
}
