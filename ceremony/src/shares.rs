//! A secret in parts of which some are needed and fewer tell nothing: SLIP-0039, which other programs read too.
//!
//! What is split is 32 random octets, and a key's file is encrypted with them written in hex. So any other implementation of SLIP-0039
//! that prints the secret it recovers (Python's `shamir recover` does) gives the passphrase that opens the file, also when there is no
//! Cairn any more.
//!
//! Only one level of groups is made here, m of n; shares of two levels can be combined.

mod cipher;
mod gf256;
mod mnemonic;
mod rs1024;
pub(crate) mod wordlist;

use std::collections::BTreeMap;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SecureRandom;
use zeroize::Zeroizing;

use self::mnemonic::{Family, Share};

/// The places on a polynomial of what is shared and of its digest (SLIP-0039, "Shamir's secret-sharing").
const SECRET_AT: u8 = 255;
const DIGEST_AT: u8 = 254;
/// Octets of the digest; the rest at its place is random.
const DIGEST: usize = 4;

/// Most shares of one secret: their places have four bits.
pub const MAX_SHARES: u8 = 16;

/// Exponent of the cost of what a passphrase would add: none is used, so the least.
const EXPONENT: u8 = 0;

/// Why shares cannot be read or combined. The texts are for whoever holds the paper.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// No word of the list.
    #[error("word {place} is none of the words that shares are made of; compare it with the paper")]
    Word {
        /// Counted from 1.
        place: usize,
    },
    /// Words are missing, or there are too many.
    #[error("the share has a wrong number of words; ours have 33")]
    Length,
    /// Some word is wrong, or two are exchanged.
    #[error(
        "the checksum is wrong: a word is misread, missing or in the wrong place; compare all with the paper"
    )]
    Checksum,
    /// Right by its checksum, and yet none that an implementation makes.
    #[error("the share was not made by a correct implementation: its padding is not zero")]
    Padding,
    /// More groups needed than there are.
    #[error("the share contradicts itself: it needs more groups than there are")]
    Inconsistent,
    /// Shares of different secrets.
    #[error(
        "share {place} does not belong with the first: it is of another secret, or of another splitting; shares that belong \
         together begin with the same two words"
    )]
    Foreign {
        /// Counted from 1.
        place: usize,
    },
    /// The same share twice.
    #[error("share {place} is there twice")]
    Repeated {
        /// Counted from 1.
        place: usize,
    },
    /// Not enough.
    #[error("{needed} shares are needed, and there are {given}")]
    TooFew {
        /// How many are needed.
        needed: usize,
        /// How many are there.
        given: usize,
    },
    /// More than needed: then nobody knows which of them were checked.
    #[error("{needed} shares are needed, and there are {given}; leave out those that are not needed")]
    TooMany {
        /// How many are needed.
        needed: usize,
        /// How many are there.
        given: usize,
    },
    /// Shares are right by their checksums, and do not lie on one polynomial: somebody made one up.
    #[error("the shares do not give the secret that was split: at least one of them is forged")]
    Digest,
    /// What was asked for cannot be split.
    #[error(
        "a secret is split into 1 to {MAX_SHARES} shares, of which as many or fewer are needed, and at least 2 if there are several"
    )]
    Threshold,
    /// The system gives no randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// How many shares there are, and how many of them are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// Needed.
    pub threshold: u8,
    /// Made.
    pub shares: u8,
}

/// Splits `secret`, of 16 octets or more, an even number. Each share is a line of words.
///
/// # Errors
/// If the scheme makes no sense, or there is no randomness.
pub fn split(
    secret: &[u8],
    scheme: Scheme,
    random: &dyn SecureRandom,
) -> Result<Vec<Zeroizing<String>>, ShareError> {
    let Scheme { threshold, shares } = scheme;
    let is_possible = (1..=MAX_SHARES).contains(&shares)
        && (1..=shares).contains(&threshold)
        // Several copies of the whole secret are no shares (SLIP-0039, "Two-level scheme").
        && (threshold > 1 || shares == 1);
    if !is_possible || secret.len() < 16 || !secret.len().is_multiple_of(2) {
        return Err(ShareError::Threshold);
    }
    let mut id = [0; 2];
    random.fill(&mut id).map_err(|_unspecified| ShareError::Random)?;
    let family = Family { id: u16::from_be_bytes(id) >> 1, extendable: true, exponent: EXPONENT };
    let encrypted = cipher::encrypt(secret, b"", family);
    let values = split_octets(&encrypted, scheme, random)?;
    let shares = (0..).zip(values).map(|(member, value)| {
        Share { family, group: 0, group_threshold: 1, groups: 1, member, threshold, value }.to_mnemonic()
    });
    Ok(shares.collect())
}

/// The secret that shares were made of; exactly as many as are needed.
///
/// # Errors
/// What is wrong with which share.
pub fn combine(mnemonics: &[&str]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    combine_with(mnemonics, b"")
}

/// How many shares are needed in all to recover what `mnemonic` is a part of; of shares in several groups, one group's.
///
/// # Errors
/// If it cannot be read.
pub fn needed(mnemonic: &str) -> Result<u8, ShareError> {
    Ok(Share::from_mnemonic(mnemonic)?.threshold)
}

fn combine_with(mnemonics: &[&str], passphrase: &[u8]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    let shares = mnemonics.iter().map(|text| Share::from_mnemonic(text)).collect::<Result<Vec<_>, _>>()?;
    let Some(first) = shares.first() else { return Err(ShareError::TooFew { needed: 1, given: 0 }) };

    let mut groups: BTreeMap<u8, Vec<&Share>> = BTreeMap::new();
    for (place, share) in (1..).zip(&shares) {
        let group = groups.entry(share.group).or_default();
        if !belongs(share, first) || group.first().is_some_and(|other| other.threshold != share.threshold) {
            return Err(ShareError::Foreign { place });
        }
        if group.iter().any(|other| other.member == share.member) {
            return Err(ShareError::Repeated { place });
        }
        group.push(share);
    }

    exactly(first.group_threshold, groups.len())?;
    let mut recovered = Vec::with_capacity(groups.len());
    for (place, members) in &groups {
        let threshold = members.first().map_or(1, |member| member.threshold);
        exactly(threshold, members.len())?;
        let points: Vec<_> = members.iter().map(|member| (member.member, member.value.as_slice())).collect();
        recovered.push((*place, recover_octets(threshold, &points)?));
    }
    let points: Vec<_> = recovered.iter().map(|(place, value)| (*place, value.as_slice())).collect();
    let encrypted = recover_octets(first.group_threshold, &points)?;
    Ok(cipher::decrypt(&encrypted, passphrase, first.family))
}

fn belongs(share: &Share, first: &Share) -> bool {
    share.family == first.family
        && share.group_threshold == first.group_threshold
        && share.groups == first.groups
        && share.value.len() == first.value.len()
}

fn exactly(needed: u8, given: usize) -> Result<(), ShareError> {
    let needed = usize::from(needed);
    match given.cmp(&needed) {
        std::cmp::Ordering::Less => Err(ShareError::TooFew { needed, given }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(ShareError::TooMany { needed, given }),
    }
}

/// SLIP-0039, "SplitSecret": the first shares are random, and the others follow from them, the secret and its digest.
fn split_octets(
    secret: &[u8],
    scheme: Scheme,
    random: &dyn SecureRandom,
) -> Result<Vec<Zeroizing<Vec<u8>>>, ShareError> {
    if scheme.threshold == 1 {
        return Ok((0..scheme.shares).map(|_| Zeroizing::new(secret.to_vec())).collect());
    }
    let octets = || {
        let mut octets = Zeroizing::new(vec![0; secret.len()]);
        random.fill(&mut octets).map_err(|_unspecified| ShareError::Random)?;
        Ok(octets)
    };
    let mut values = (0..scheme.threshold - 2).map(|_| octets()).collect::<Result<Vec<_>, _>>()?;
    let mut digest = octets()?;
    let (head, key) = digest.split_at_mut(DIGEST);
    head.copy_from_slice(&digest_of(secret, key));

    let mut points: Vec<_> = (0..).zip(values.iter().map(|value| value.as_slice())).collect();
    points.extend([(DIGEST_AT, digest.as_slice()), (SECRET_AT, secret)]);
    let others: Vec<_> = (scheme.threshold - 2..scheme.shares)
        .map(|place| Zeroizing::new(gf256::interpolate(&points, place)))
        .collect();
    values.extend(others);
    Ok(values)
}

/// SLIP-0039, "RecoverSecret".
fn recover_octets(threshold: u8, points: &[(u8, &[u8])]) -> Result<Zeroizing<Vec<u8>>, ShareError> {
    if threshold == 1 {
        return Ok(Zeroizing::new(points.first().map(|(_, value)| value.to_vec()).unwrap_or_default()));
    }
    let secret = Zeroizing::new(gf256::interpolate(points, SECRET_AT));
    let digest = Zeroizing::new(gf256::interpolate(points, DIGEST_AT));
    let (head, key) = digest.split_at_checked(DIGEST).ok_or(ShareError::Digest)?;
    verify_slices_are_equal(head, &digest_of(&secret, key)).map_err(|_unspecified| ShareError::Digest)?;
    Ok(secret)
}

fn digest_of(secret: &[u8], key: &[u8]) -> [u8; DIGEST] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), secret);
    tag.as_ref().first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
