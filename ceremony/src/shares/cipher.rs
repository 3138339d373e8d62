//! The permutation that the secret passes before it is split, so that parts of shares tell nothing of parts of the secret (SLIP-0039,
//! "Encryption of the master secret"): four Feistel rounds of PBKDF2.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use zeroize::Zeroizing;

use super::mnemonic::Family;

/// A quarter of the iterations that the exponent 0 stands for.
const BASE_ITERATIONS: NonZeroU32 = NonZeroU32::new(2500).unwrap();

/// What is split, of the secret.
pub(super) fn encrypt(secret: &[u8], passphrase: &[u8], family: Family) -> Zeroizing<Vec<u8>> {
    feistel(secret, passphrase, family, [0, 1, 2, 3])
}

/// The secret, of what was split. Another passphrase gives another secret, and nothing tells which is right.
pub(super) fn decrypt(encrypted: &[u8], passphrase: &[u8], family: Family) -> Zeroizing<Vec<u8>> {
    feistel(encrypted, passphrase, family, [3, 2, 1, 0])
}

fn feistel(input: &[u8], passphrase: &[u8], family: Family, rounds: [u8; 4]) -> Zeroizing<Vec<u8>> {
    let (left, right) = input.split_at(input.len() / 2);
    let (mut left, mut right) = (Zeroizing::new(left.to_vec()), Zeroizing::new(right.to_vec()));
    for round in rounds {
        let key = round_key(round, passphrase, family, &right);
        for (octet, mask) in left.iter_mut().zip(key.iter()) {
            *octet ^= mask;
        }
        std::mem::swap(&mut left, &mut right);
    }
    right.extend_from_slice(&left);
    right
}

fn round_key(round: u8, passphrase: &[u8], family: Family, right: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut password = Zeroizing::new(Vec::with_capacity(1 + passphrase.len()));
    password.push(round);
    password.extend_from_slice(passphrase);
    let mut salt = Zeroizing::new(Vec::with_capacity(8 + right.len()));
    if !family.extendable {
        salt.extend_from_slice(b"shamir");
        salt.extend_from_slice(&family.id.to_be_bytes());
    }
    salt.extend_from_slice(right);
    // Four bits: at most 2500 · 2¹⁵.
    let iterations =
        BASE_ITERATIONS.saturating_mul(NonZeroU32::MIN.saturating_mul(power_of_two(family.exponent)));
    let mut key = Zeroizing::new(vec![0; right.len()]);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, &password, &mut key);
    key
}

fn power_of_two(exponent: u8) -> NonZeroU32 {
    1_u32.checked_shl(exponent.into()).and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MAX)
}
