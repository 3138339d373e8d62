//! Makes passphrases: strong enough that only they protect a key file in a stranger's hands, and fit to be written down by hand.

use cairn_core::Random;
use cairn_core::random::bytes;
use zeroize::Zeroizing;

/// Crockford's base 32 in lower case: no `i`, `l`, `o` or `u`, so that no two of them are mixed up on paper.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Characters, 5 bits each: 150 bits.
const LENGTH: usize = 30;
/// Characters between two hyphens.
const GROUP: usize = 5;

/// A new passphrase: `9kd3f-0a7xz-…`, six groups.
pub(crate) fn generate(random: &dyn Random) -> Zeroizing<String> {
    let octets = Zeroizing::new(bytes::<LENGTH>(random));
    let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
    for (at, octet) in octets.iter().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        // 256 is a multiple of 32, so every character is as likely as every other.
        let character = ALPHABET.get(usize::from(octet % 32)).copied().unwrap_or_default();
        text.push(char::from(character));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use cairn_core::random::SeededRandom;

    #[test]
    fn a_passphrase_is_six_groups_of_five_unmistakable_characters() {
        let random = SeededRandom::new(1);
        let passphrase = generate(&random);
        let groups: Vec<_> = passphrase.split('-').collect();
        assert_eq!(groups.len(), 6);
        assert!(
            groups.iter().all(|group| group.len() == 5 && group.bytes().all(|byte| ALPHABET.contains(&byte)))
        );
        assert_ne!(passphrase, generate(&random));
    }
}
