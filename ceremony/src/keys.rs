//! The keys of a ceremony: opens those that exist, makes new ones, and sees to it that what guards a new one really opens it.

mod share_file;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::rand::SecureRandom;
use cairn_x509::signer::pkcs11::{KeyFacts, Pin};
use cairn_x509::{FileSigner, KeySpec as Algorithm, Pkcs11Signer, PublicKey, SignatureAlgorithm, Signer};
use zeroize::Zeroizing;

use crate::file::Shares;
use crate::key_file::{open_key_file, read_passphrase_file, read_pin_file, read_secret_file};
use crate::machine::{KeyPlace, Pkcs11};
use crate::shares::{self, Scheme};
use crate::terminal::Dialogue;

pub use self::share_file::{ShareFile, words_of};

/// Octets of the secret that shares are made of.
const SECRET: usize = 32;

/// Shortest passphrase that a person may choose, in characters: with scrypt behind it, a random one of this length is out of reach.
pub const MIN_PASSPHRASE: usize = 14;

/// Longest passphrase or PIN read from a descriptor in bytes.
const MAX_PASSPHRASE: u64 = 4096;

/// A key that was made, and the file to keep it in.
pub struct NewKey {
    /// The key.
    pub signer: FileSigner,
    /// Its file: PKCS#8, encrypted.
    pub pem: Zeroizing<String>,
    /// The shares of what opens it, if it was split.
    pub shares: Vec<ShareFile>,
}

/// A key that is used here, wherever it is kept.
pub enum OpenKey {
    /// In a file.
    File(Box<FileSigner>),
    /// In a module.
    Module(Box<Pkcs11Signer>),
}

impl OpenKey {
    /// What signs.
    #[must_use]
    pub fn signer(&self) -> &dyn Signer {
        match self {
            Self::File(signer) => signer.as_ref(),
            Self::Module(signer) => signer.as_ref(),
        }
    }

    /// The same, signing as the ceremony file says, if it says so.
    ///
    /// # Errors
    /// If the key cannot.
    pub fn signing(self, algorithm: Option<SignatureAlgorithm>) -> Result<Self> {
        let Some(algorithm) = algorithm else { return Ok(self) };
        Ok(match self {
            Self::File(signer) => Self::File(Box::new(signer.with_algorithm(algorithm)?)),
            Self::Module(mut signer) => {
                signer.use_algorithm(algorithm)?;
                Self::Module(signer)
            }
        })
    }

    /// What its token says of it, if it is in one.
    #[must_use]
    pub fn facts(&self) -> Option<&KeyFacts> {
        match self {
            Self::File(_) => None,
            Self::Module(signer) => Some(signer.facts()),
        }
    }
}

/// Opens a key. `known` is its public part, where that is known: some modules keep none.
///
/// # Errors
/// If it cannot be opened. The text says what to do.
pub fn open(
    place: &KeyPlace,
    name: &str,
    known: Option<&PublicKey>,
    dialogue: &mut dyn Dialogue,
) -> Result<OpenKey> {
    if let Some(pkcs11) = &place.pkcs11 {
        let signer = Pkcs11Signer::open(&pkcs11.place(), pin_of(pkcs11, dialogue)?, known)
            .with_context(|| format!("the {name} cannot be used"))?;
        return Ok(OpenKey::Module(Box::new(signer)));
    }
    let Some(path) = &place.file else {
        bail!("the machine file does not say where the key is; add file or pkcs11 to [{name}]");
    };
    let signer = open_key_file(path, || match passphrase_of(place)? {
        Some(passphrase) => Ok(passphrase),
        None if place.ask_for_shares => ask_for_shares(name, dialogue),
        None => dialogue.ask_secretly(&format!("passphrase of the {name} in {}:", path.display())),
    })?;
    Ok(OpenKey::File(Box::new(signer)))
}

/// Makes a key in a module.
///
/// # Errors
/// If the machine file does not say where, or the module does not make it.
pub fn generate_in_module(
    algorithm: Algorithm,
    place: &KeyPlace,
    dialogue: &mut dyn Dialogue,
) -> Result<Pkcs11Signer> {
    let pkcs11 = place.pkcs11.as_ref().context(
        "the ceremony file keeps the new key in a hardware security module; add [key.pkcs11] to the machine file",
    )?;
    ensure!(
        pkcs11.label.is_some() && pkcs11.id.is_none(),
        "[key.pkcs11] in the machine file: a new key has a label that is given, and an id that is not; write label, and no id"
    );
    let pin = pin_of(pkcs11, dialogue)?;
    Pkcs11Signer::generate(algorithm, &pkcs11.place(), pin).context("the key cannot be made")
}

fn pin_of(pkcs11: &Pkcs11, dialogue: &mut dyn Dialogue) -> Result<Pin> {
    match (&pkcs11.pin_file, pkcs11.pin_descriptor) {
        (Some(path), _) => read_pin_file(path).map(Pin::kept),
        (None, Some(descriptor)) => read_descriptor(descriptor, "PIN").map(Pin::kept),
        (None, None) => dialogue.ask_secretly(&format!("PIN of the token {}:", pkcs11.token)).map(Pin::typed),
    }
}

/// Makes a key. What opens its file is split if there are holders, and otherwise comes from where the machine file says, or is asked for.
///
/// # Errors
/// If there is no randomness, or no good passphrase.
pub fn generate(
    algorithm: Algorithm,
    title: &str,
    shares: Option<&Shares>,
    place: &KeyPlace,
    dialogue: &mut dyn Dialogue,
    random: &dyn SecureRandom,
) -> Result<NewKey> {
    let signer = FileSigner::generate(algorithm)?;
    let Some(holders) = shares else {
        let passphrase = match passphrase_of(place)? {
            Some(passphrase) => passphrase,
            None => choose_passphrase(dialogue)?,
        };
        ensure!(
            passphrase.chars().count() >= MIN_PASSPHRASE,
            "the passphrase of the new key is too short; use at least {MIN_PASSPHRASE} characters"
        );
        let pem = signer.to_pkcs8_pem(Some(passphrase.as_bytes()))?;
        prove(&pem, &passphrase, &signer)?;
        return Ok(NewKey { signer, pem, shares: Vec::new() });
    };
    share(signer, title, holders, random)
}

/// Encrypts a key with a new passphrase, which is split among holders.
///
/// # Errors
/// If there is no randomness, or the key cannot be written.
pub fn share(signer: FileSigner, title: &str, holders: &Shares, random: &dyn SecureRandom) -> Result<NewKey> {
    let mut secret = Zeroizing::new([0; SECRET]);
    random.fill(secret.as_mut_slice()).ok().context("the system gives no random numbers")?;
    let passphrase = passphrase_from(secret.as_slice());
    let pem = signer.to_pkcs8_pem(Some(passphrase.as_bytes()))?;
    let shares = split(secret.as_slice(), title, holders, &signer, random)?;
    // Of the last ones, which were computed and not drawn.
    let needed = shares.iter().rev().take(holders.needed.into()).map(ShareFile::words).collect::<Vec<_>>();
    prove(&pem, &passphrase_from(&shares::combine(&needed)?), &signer)?;
    Ok(NewKey { signer, pem, shares })
}

/// Splits what opens a key among holders.
///
/// # Errors
/// If there is no randomness.
fn split(
    secret: &[u8],
    title: &str,
    holders: &Shares,
    key: &FileSigner,
    random: &dyn SecureRandom,
) -> Result<Vec<ShareFile>> {
    let total = u8::try_from(holders.holders.len())?;
    let scheme = Scheme { threshold: holders.needed, shares: total };
    let words = shares::split(secret, scheme, random)?;
    let shares = (1..).zip(holders.holders.iter().zip(words));
    Ok(shares
        .map(|(number, (holder, words))| {
            ShareFile::new(title, scheme, number, holder, key.public_key(), words)
        })
        .collect())
}

/// The passphrase that shares give.
///
/// # Errors
/// What is wrong with which share.
pub fn passphrase_from_shares(mnemonics: &[&str]) -> Result<Zeroizing<String>> {
    Ok(passphrase_from(&shares::combine(mnemonics)?))
}

/// What other implementations of SLIP-0039 print of a secret that they recovered.
fn passphrase_from(secret: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(secret.len() * 2));
    for octet in secret {
        for digit in [octet >> 4, octet & 0xf] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
        }
    }
    text
}

/// Asks one holder after the other, none of whom sees what another types.
fn ask_for_shares(name: &str, dialogue: &mut dyn Dialogue) -> Result<Zeroizing<String>> {
    let mut given: Vec<Zeroizing<String>> = Vec::new();
    let mut needed = 1;
    while given.len() < needed {
        let question = format!("share {} for the {name}, its words in one line:", given.len() + 1);
        let share = dialogue.ask_secretly(&question)?;
        match shares::needed(&share) {
            Ok(threshold) => {
                needed = threshold.into();
                given.push(share);
                dialogue.tell(&format!("{} of {needed} shares given", given.len()));
            }
            Err(error) => dialogue.tell(&error.to_string()),
        }
    }
    passphrase_from_shares(&given.iter().map(|share| share.as_str()).collect::<Vec<_>>())
}

fn choose_passphrase(dialogue: &mut dyn Dialogue) -> Result<Zeroizing<String>> {
    let passphrase = dialogue
        .ask_secretly(&format!("passphrase for the new key, at least {MIN_PASSPHRASE} characters:"))?;
    let again = dialogue.ask_secretly("the same again:")?;
    ensure!(*passphrase == *again, "the two passphrases differ; nothing was made, begin again");
    Ok(passphrase)
}

/// The passphrase, unless somebody has to be asked.
fn passphrase_of(place: &KeyPlace) -> Result<Option<Zeroizing<String>>> {
    if let Some(path) = &place.passphrase_file {
        return read_passphrase_file(path).map(Some);
    }
    if let Some(descriptor) = place.passphrase_descriptor {
        return read_descriptor(descriptor, "passphrase").map(Some);
    }
    if place.share_files.is_empty() {
        return Ok(None);
    }
    passphrase_from_share_files(&place.share_files).context("the share files do not open the key").map(Some)
}

/// The passphrase that the shares in these files give.
///
/// # Errors
/// If others can read one, or what is wrong with which share.
pub fn passphrase_from_share_files(paths: &[PathBuf]) -> Result<Zeroizing<String>> {
    let shares = paths.iter().map(|path| read_share(path)).collect::<Result<Vec<_>>>()?;
    passphrase_from_shares(&shares.iter().map(|share| share.as_str()).collect::<Vec<_>>())
}

/// The words in a share's file.
///
/// # Errors
/// If others can read it.
fn read_share(path: &Path) -> Result<Zeroizing<String>> {
    Ok(words_of(&read_secret_file(path, "a share of a key")?))
}

fn read_descriptor(descriptor: u32, what: &str) -> Result<Zeroizing<String>> {
    let cannot_read = || format!("cannot read a {what} from descriptor {descriptor}");
    let file = std::fs::File::open(format!("/dev/fd/{descriptor}")).with_context(cannot_read)?;
    let mut text = Zeroizing::new(String::with_capacity(usize::try_from(MAX_PASSPHRASE + 1)?));
    file.take(MAX_PASSPHRASE + 1).read_to_string(&mut text).with_context(cannot_read)?;
    ensure!(
        text.len() <= usize::try_from(MAX_PASSPHRASE)?,
        "the {what} is longer than {MAX_PASSPHRASE} bytes"
    );
    let line = text.trim_end_matches(['\r', '\n']);
    ensure!(!line.is_empty() && !line.contains('\n'), "{}: it must be one line", cannot_read());
    Ok(Zeroizing::new(line.to_owned()))
}

/// That the file can be opened again: the last moment at which a mistake costs nothing.
fn prove(pem: &str, passphrase: &str, signer: &FileSigner) -> Result<()> {
    let opened = FileSigner::from_pem(pem, Some(passphrase.as_bytes()))?;
    ensure!(opened.public_key() == signer.public_key(), "the new key's file does not hold the new key");
    Ok(())
}

#[cfg(test)]
mod tests;
