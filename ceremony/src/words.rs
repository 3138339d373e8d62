//! Hashes as words: people compare and read aloud thirteen words, and nobody compares 64 digits.

use crate::file::Digest;
use crate::shares::wordlist;

/// Words of a fingerprint: 130 bits, more than anybody can search for a second file or key of the same words.
const WORDS: usize = 13;

/// The first 130 bits of a SHA-256 as words of SLIP-0039's list.
#[must_use]
pub fn fingerprint(digest: &Digest) -> String {
    let (mut bits, mut held) = (0_u32, 0);
    let mut words = Vec::with_capacity(WORDS);
    for octet in digest.octets() {
        bits = bits << 8 | u32::from(*octet);
        held += 8;
        if held >= wordlist::BITS {
            held -= wordlist::BITS;
            words.push(wordlist::word(u16::try_from(bits >> held & 0x3ff).unwrap_or_default()));
            bits &= (1 << held) - 1;
        }
    }
    words.truncate(WORDS);
    words.join(" ")
}

/// Whether `text` is what a person writes for `digest`: all its 64 digits, its first 32 or more, or its words; or a line of `sha256sum`.
#[must_use]
pub fn is_for(text: &str, digest: &Digest) -> bool {
    let is_line_of_sha256sum = |first: &str| first.len() == 64 && first.parse() == Ok(*digest);
    if text.split_whitespace().next().is_some_and(is_line_of_sha256sum) {
        return true;
    }
    let digits: String = text.chars().filter(|character| !matches!(character, ':' | ' ')).collect();
    if digits.len() >= 32 && digest.to_string().starts_with(&digits.to_lowercase()) {
        return true;
    }
    let given: Option<Vec<u16>> = text.split_whitespace().map(wordlist::index).collect();
    let expected: Option<Vec<u16>> = fingerprint(digest).split(' ').map(wordlist::index).collect();
    given == expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirteen_words_say_the_first_130_bits() {
        let digest = Digest::of(b"");
        let words = fingerprint(&digest);
        assert_eq!(words.split(' ').count(), 13);
        // e3b0c44298fc… is 1110001110 1100001100 0100010000 1010011000 1111110000 …
        let expected = [0b11_1000_1110, 0b11_0000_1100, 0b01_0001_0000, 0b10_1001_1000, 0b11_1111_0000];
        let first: Vec<_> = words.split(' ').take(5).map(|word| wordlist::index(word).unwrap()).collect();
        assert_eq!(first, expected);
        assert_ne!(words, fingerprint(&Digest::of(b"x")));
    }

    #[test]
    fn a_person_writes_all_digits_half_of_them_or_the_words() {
        let digest = Digest::of(b"");
        let (digits, words) = (digest.to_string(), fingerprint(&digest));
        let (half, more) = (&digits[..32], digits[..40].to_uppercase());
        let (shouted, line) = (words.to_uppercase(), format!("{digits}  root.toml\n"));
        for text in [digits.as_str(), half, &more, &words, &shouted, &line] {
            assert!(is_for(text, &digest), "{text}");
            assert!(!is_for(text, &Digest::of(b"x")), "{text}");
        }
        let twelve = words.rsplit_once(' ').unwrap().0;
        for text in ["", &digits[..31], &format!("{digits}0"), twelve, "acid"] {
            assert!(!is_for(text, &digest), "{text}");
        }
    }
}
