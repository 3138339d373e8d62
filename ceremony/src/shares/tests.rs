//! What SLIP-0039 publishes, and what its vectors do not cover.

use super::*;
use aws_lc_rs::rand::SystemRandom;
use serde::Deserialize;

/// Of all vectors, as SLIP-0039 says.
const PASSPHRASE: &[u8] = b"TREZOR";

/// Description, shares, and the secret in hex: empty where combining must fail. The last is of no interest here.
#[derive(Deserialize)]
struct Vector(String, Vec<String>, String, #[expect(dead_code, reason = "for wallets")] String);

#[test]
fn the_published_vectors_give_their_secrets_or_are_refused() {
    let vectors: Vec<Vector> = serde_json::from_str(include_str!("vectors.json")).unwrap();
    assert_eq!(vectors.len(), 45);
    for Vector(description, shares, secret, _) in vectors {
        let shares: Vec<&str> = shares.iter().map(String::as_str).collect();
        let combined = combine_with(&shares, PASSPHRASE);
        if secret.is_empty() {
            let error = combined.err().unwrap_or_else(|| panic!("{description}"));
            assert!(!error.to_string().is_empty());
        } else {
            assert_eq!(hex(&combined.unwrap()), secret, "{description}");
        }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn shares_of(secret: &[u8], threshold: u8, shares: u8) -> Vec<Zeroizing<String>> {
    split(secret, Scheme { threshold, shares }, &SystemRandom::new()).unwrap()
}

fn texts<'a>(shares: &'a [Zeroizing<String>], which: &[usize]) -> Vec<&'a str> {
    which.iter().map(|at| shares[*at].as_str()).collect()
}

#[test]
fn any_shares_of_the_needed_number_give_the_secret() {
    let secret = [0x5a; 32];
    let shares = shares_of(&secret, 3, 5);
    for which in [[0, 1, 2], [4, 2, 0], [1, 3, 4], [2, 3, 4]] {
        assert_eq!(*combine(&texts(&shares, &which)).unwrap(), secret, "{which:?}");
    }
    assert!(shares.iter().all(|share| share.split(' ').count() == 33));
    assert_eq!(needed(&shares[0]), Ok(3));
}

#[test]
fn every_possible_scheme_works() {
    let secret: Vec<u8> = (0..32).collect();
    for total in 2..=MAX_SHARES {
        for threshold in [2, total / 2 + 1, total] {
            let shares = shares_of(&secret, threshold, total);
            assert_eq!(shares.len(), usize::from(total));
            // The last ones, none of which was merely drawn.
            let which: Vec<usize> = (usize::from(total - threshold)..usize::from(total)).collect();
            assert_eq!(*combine(&texts(&shares, &which)).unwrap(), secret, "{threshold} of {total}");
        }
    }
    assert_eq!(*combine(&texts(&shares_of(&secret, 1, 1), &[0])).unwrap(), secret);
}

#[test]
fn too_few_too_many_repeated_and_foreign_shares_are_told_apart() {
    let (shares, others) = (shares_of(&[1; 32], 3, 5), shares_of(&[1; 32], 3, 5));
    assert_eq!(combine(&[]), Err(ShareError::TooFew { needed: 1, given: 0 }));
    assert_eq!(combine(&texts(&shares, &[0, 1])), Err(ShareError::TooFew { needed: 3, given: 2 }));
    assert_eq!(combine(&texts(&shares, &[0, 1, 2, 3])), Err(ShareError::TooMany { needed: 3, given: 4 }));
    assert_eq!(combine(&texts(&shares, &[0, 1, 1])), Err(ShareError::Repeated { place: 3 }));
    let mixed = [texts(&shares, &[0, 1]), texts(&others, &[2])].concat();
    // Two splittings have the same random number once in 32,768 times.
    if others[0].split(' ').take(2).ne(shares[0].split(' ').take(2)) {
        assert_eq!(combine(&mixed), Err(ShareError::Foreign { place: 3 }));
    }
}

#[test]
fn a_wrong_word_is_told_by_its_place_or_by_the_checksum() {
    let shares = shares_of(&[2; 32], 2, 2);
    let mut words: Vec<&str> = shares[0].split(' ').collect();
    words[6] = "cairn";
    assert_eq!(needed(&words.join(" ")), Err(ShareError::Word { place: 7 }));
    words[6] = if shares[0].split(' ').nth(6) == Some("acid") { "acne" } else { "acid" };
    assert_eq!(needed(&words.join(" ")), Err(ShareError::Checksum));
    words.truncate(19);
    assert_eq!(needed(&words.join(" ")), Err(ShareError::Length));
    assert_eq!(needed(&"acid ".repeat(100_000)), Err(ShareError::Length));
}

#[test]
fn a_share_that_somebody_made_up_is_found_out() {
    let shares = shares_of(&[3; 32], 2, 3);
    let mut forged = Share::from_mnemonic(&shares[1]).unwrap();
    forged.value[0] ^= 1;
    let forged = forged.to_mnemonic();
    assert_eq!(combine(&[&shares[0], &forged]), Err(ShareError::Digest));
}

#[test]
fn shares_are_read_in_any_case_by_four_letters_and_over_several_lines() {
    let secret = [4; 32];
    let shares = shares_of(&secret, 2, 3);
    let short: Vec<String> = shares[2].split(' ').map(|word| word[..4].to_uppercase()).collect();
    let short = short.join("\n  ");
    assert_eq!(*combine(&[&shares[1], &short]).unwrap(), secret);
}

#[test]
fn schemes_that_share_nothing_are_refused() {
    for (threshold, shares) in [(0, 1), (1, 2), (3, 2), (2, 17), (1, 0)] {
        let scheme = Scheme { threshold, shares };
        assert_eq!(
            split(&[0; 32], scheme, &SystemRandom::new()).err(),
            Some(ShareError::Threshold),
            "{scheme:?}"
        );
    }
    let scheme = Scheme { threshold: 2, shares: 3 };
    assert_eq!(split(&[0; 15], scheme, &SystemRandom::new()).err(), Some(ShareError::Threshold));
    assert_eq!(split(&[0; 17], scheme, &SystemRandom::new()).err(), Some(ShareError::Threshold));
}
