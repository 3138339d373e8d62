//! The checksum of a share's words: a Reed-Solomon code over GF(1024) that finds any three wrong words (SLIP-0039, "Checksum").

/// How many of a mnemonic's words are its checksum.
pub(super) const CHECKSUM_WORDS: usize = 3;

const GENERATOR: [u32; 10] = [
    0x00e0_e040,
    0x01c1_c080,
    0x0383_8100,
    0x0707_0200,
    0x0e0e_0009,
    0x1c0c_2412,
    0x3808_6c24,
    0x3090_fc48,
    0x21b1_f890,
    0x03f3_f120,
];

/// The checksum of `words`, for shares of the kind that `customization` names.
pub(super) fn checksum(customization: &str, words: &[u16]) -> [u16; CHECKSUM_WORDS] {
    let remainder = remainder(customization, words.iter().copied().chain([0; CHECKSUM_WORDS])) ^ 1;
    [20, 10, 0].map(|shift| word(remainder >> shift))
}

/// Whether `words` end with their checksum.
pub(super) fn is_valid(customization: &str, words: &[u16]) -> bool {
    remainder(customization, words.iter().copied()) == 1
}

fn remainder(customization: &str, words: impl Iterator<Item = u16>) -> u32 {
    let values = customization.bytes().map(u32::from).chain(words.map(u32::from));
    values.fold(1, |sum, value| {
        let carried = sum >> 20;
        let shifted = (sum & 0x000f_ffff) << 10 ^ value;
        let terms = GENERATOR.iter().enumerate().filter(|(bit, _)| carried >> bit & 1 == 1);
        terms.fold(shifted, |sum, (_, term)| sum ^ term)
    })
}

/// The lowest ten bits.
fn word(bits: u32) -> u16 {
    u16::try_from(bits & 0x3ff).unwrap_or_default()
}
