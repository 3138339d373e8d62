//! One share, and the words that say it (SLIP-0039, "Format of the share mnemonic").

use zeroize::{Zeroize, Zeroizing};

use super::{ShareError, rs1024, wordlist};

/// Words before the value: two for the family, two for the place in it.
const HEAD_WORDS: usize = 4;
/// The shortest secret: 128 bits in 13 words.
const MIN_VALUE: usize = 16;
const MIN_WORDS: usize = HEAD_WORDS + 13 + rs1024::CHECKSUM_WORDS;
/// Ours are of 33 words. Longer ones than twice that are nobody's.
const MAX_WORDS: usize = 66;

/// What all shares of one secret have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Family {
    /// 15 random bits, by which shares of different secrets are told apart.
    pub(super) id: u16,
    /// Whether `id` is left out of the encryption, so that the same secret can be split anew.
    pub(super) extendable: bool,
    /// How costly the encryption is: 10,000 · 2ᵉ iterations. Four bits.
    pub(super) exponent: u8,
}

/// A part of a secret.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) family: Family,
    /// Which of the groups; its place on the polynomial of groups.
    pub(super) group: u8,
    /// How many groups are needed, and how many there are.
    pub(super) group_threshold: u8,
    pub(super) groups: u8,
    /// Which member of the group; its place on the group's polynomial.
    pub(super) member: u8,
    /// How many members of the group are needed.
    pub(super) threshold: u8,
    /// Its values there, one octet for each of the secret.
    pub(super) value: Zeroizing<Vec<u8>>,
}

impl Share {
    /// The words, with spaces between.
    pub(super) fn to_mnemonic(&self) -> Zeroizing<String> {
        let mut words = Zeroizing::new(Vec::with_capacity(MAX_WORDS));
        let extendable = u16::from(self.family.extendable);
        let head = [
            self.family.id >> 5,
            self.family.id << 5 | extendable << 4 | u16::from(self.family.exponent),
            u16::from(self.group) << 6
                | u16::from(self.group_threshold - 1) << 2
                | u16::from(self.groups - 1) >> 2,
            u16::from(self.groups - 1) << 8 | u16::from(self.member) << 4 | u16::from(self.threshold - 1),
        ];
        words.extend(head.map(|word| word & 0x3ff));
        // Ten bits at a time, from the end: what is missing in front is zero.
        let (mut value, mut bits, mut held) = (Zeroizing::new(Vec::new()), 0_u32, 0);
        for octet in self.value.iter().rev() {
            bits |= u32::from(*octet) << held;
            held += 8;
            if held >= wordlist::BITS {
                value.push(low_word(bits));
                bits >>= wordlist::BITS;
                held -= wordlist::BITS;
            }
        }
        if held > 0 {
            value.push(low_word(bits));
        }
        bits.zeroize();
        words.extend(value.iter().rev());
        let checksum = rs1024::checksum(self.family.customization(), &words);
        words.extend(checksum);
        // With room for all at once: growing would leave copies in freed memory.
        let mut text = Zeroizing::new(String::with_capacity(words.len() * 9));
        for (place, word) in words.iter().enumerate() {
            if place > 0 {
                text.push(' ');
            }
            text.push_str(wordlist::word(*word));
        }
        text
    }

    /// Reads a person's words: in any case, whole or by their first four letters.
    pub(super) fn from_mnemonic(text: &str) -> Result<Self, ShareError> {
        let mut words = Zeroizing::new(Vec::with_capacity(MAX_WORDS));
        for (place, word) in text.split_whitespace().enumerate() {
            if place == MAX_WORDS {
                return Err(ShareError::Length);
            }
            words.push(wordlist::index(word).ok_or(ShareError::Word { place: place + 1 })?);
        }
        let [id_high, id_low, group, member, rest @ ..] = words.as_slice() else {
            return Err(ShareError::Length);
        };
        let Some(value_words) = rest.len().checked_sub(rs1024::CHECKSUM_WORDS) else {
            return Err(ShareError::Length);
        };
        if words.len() < MIN_WORDS {
            return Err(ShareError::Length);
        }
        let family = Family {
            id: id_high << 5 | id_low >> 5,
            extendable: id_low >> 4 & 1 == 1,
            exponent: nibble(*id_low),
        };
        if !rs1024::is_valid(family.customization(), &words) {
            return Err(ShareError::Checksum);
        }
        let share = Self {
            family,
            group: nibble(group >> 6),
            group_threshold: nibble(group >> 2) + 1,
            groups: nibble((group & 3) << 2 | member >> 8) + 1,
            member: nibble(member >> 4),
            threshold: nibble(*member) + 1,
            value: value(rest.get(..value_words).unwrap_or_default())?,
        };
        if share.group_threshold > share.groups {
            return Err(ShareError::Inconsistent);
        }
        Ok(share)
    }
}

/// The octets that words say, behind fewer than eight bits of zeros.
fn value(words: &[u16]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    // A secret has an even number of octets.
    let padding = words.len() * wordlist::BITS % 16;
    if padding > 8 {
        return Err(ShareError::Length);
    }
    let mut value = Zeroizing::new(Vec::with_capacity(words.len() * 2));
    let (mut bits, mut held) = (0_u32, 0);
    for (place, word) in words.iter().enumerate() {
        bits = bits << wordlist::BITS | u32::from(*word);
        held += wordlist::BITS;
        if place == 0 {
            held -= padding;
            if bits >> held != 0 {
                return Err(ShareError::Padding);
            }
        }
        while held >= 8 {
            held -= 8;
            value.push(u8::try_from(bits >> held & 0xff).unwrap_or_default());
            bits &= (1 << held) - 1;
        }
    }
    if value.len() < MIN_VALUE { Err(ShareError::Length) } else { Ok(value) }
}

fn low_word(bits: u32) -> u16 {
    u16::try_from(bits & 0x3ff).unwrap_or_default()
}

fn nibble(bits: u16) -> u8 {
    u8::try_from(bits & 0xf).unwrap_or_default()
}

impl Family {
    fn customization(self) -> &'static str {
        if self.extendable { "shamir_extendable" } else { "shamir" }
    }
}
