//! A private key in a hardware security module, by PKCS #11 (OASIS, versions 2.40 to 3.2).
//!
//! [`Pkcs11Signer`] finds its key by the token's and the object's names, refuses one that could leave the module or do
//! more than sign, and signs with whatever session its pool gives. A session that was lost (the module was
//! restarted, the token pulled and put back) is opened again with a new login before an error is returned, and is
//! used only after it has signed something that verifies: so a signer heals by itself, and never changes its key.
//!
//! A wrong PIN is tried once and never again, by this process and by those after it, as far as the token tells that one was given; and none
//! is tried where one more mistake would lock the token.

mod attributes;
mod error;
mod mechanism;
mod module;
mod object;
mod pool;
mod session;

use std::{fmt, path::PathBuf};

use cryptoki::mechanism::MechanismType;
use zeroize::Zeroizing;

pub use self::{attributes::KeyAttributes, error::Pkcs11Error};
use self::{
    mechanism::How,
    module::Module,
    pool::Pool,
    session::{Login, Sessions},
};
use super::{HashedMessage, KeySpec, Signer, SignerError};
use crate::{algorithm::SignatureAlgorithm, spki::PublicKey};

/// Where a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Place {
    /// The module: a shared library that the maker of the device gives.
    pub module: PathBuf,
    /// The token's label.
    pub token: String,
    /// The token's serial number, where several have that label.
    pub serial: Option<String>,
    /// The key's label (CKA_LABEL).
    pub label: Option<String>,
    /// The key's id (CKA_ID).
    pub id: Option<Vec<u8>>,
}

/// What a token says of a key that is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The token's label.
    pub token: String,
    /// The token's serial number.
    pub serial: String,
    /// The key's label.
    pub label: String,
    /// The key's id.
    pub id: Vec<u8>,
    /// What the key may do, as it was checked.
    pub attributes: KeyAttributes,
}

/// What opens a token.
pub struct Pin {
    text: Zeroizing<String>,
    is_typed: bool,
}

impl Pin {
    /// One that is kept somewhere, and may be tried again and again by whatever starts the process. It is not tried when a wrong one was
    /// given since the last right one, unless this process has logged in with it before: restarts cannot lock the token.
    #[must_use]
    pub fn kept(text: Zeroizing<String>) -> Self {
        Self { text, is_typed: false }
    }

    /// One that a person has just typed.
    #[must_use]
    pub fn typed(text: Zeroizing<String>) -> Self {
        Self { text, is_typed: true }
    }
}

/// A private key in a module.
pub struct Pkcs11Signer {
    pool: Pool<Sessions>,
    public_key: PublicKey,
    facts: KeyFacts,
    /// What its token can do.
    mechanisms: Vec<MechanismType>,
    algorithm: SignatureAlgorithm,
    how: How,
}

impl Pkcs11Signer {
    /// Opens a key that exists. `known` is its public part, if the caller has it: for modules that keep none.
    pub fn open(place: &Pkcs11Place, pin: Pin, known: Option<&PublicKey>) -> Result<Self, Pkcs11Error> {
        let login = Login { module: Module::load(&place.module)?, place: place.clone(), pin };
        let found = login.find(known)?;
        found.facts.attributes.check(&found.facts.label)?;
        Self::new(login, found)
    }

    /// Makes a key in the module, which must have a label that no key there has: it stays in the token, cannot leave
    /// it, and can only sign. Its id is random.
    pub fn generate(spec: KeySpec, place: &Pkcs11Place, pin: Pin) -> Result<Self, Pkcs11Error> {
        let login = Login { module: Module::load(&place.module)?, place: place.clone(), pin };
        let id = login.generate(spec)?;
        let place = Pkcs11Place { id: Some(id), ..login.place.clone() };
        let login = Login { place, ..login };
        let made = login.find(None).and_then(|found| {
            found.facts.attributes.check(&found.facts.label)?;
            Ok(found)
        });
        match made {
            Ok(found) => Self::new(login, found),
            Err(error) => {
                // Nobody shall take it for one that was made well.
                login.destroy()?;
                Err(error)
            }
        }
    }

    /// Signs with `algorithm` from now on: an RSA key with PKCS#1 v1.5 or PSS and any SHA-2, any other key with the one
    /// algorithm it has.
    pub fn use_algorithm(&mut self, algorithm: SignatureAlgorithm) -> Result<(), SignerError> {
        let kind = self.public_key.kind();
        if algorithm == self.algorithm {
            return Ok(());
        }
        if !mechanism::is_rsa(algorithm) || !algorithm.fits(kind) {
            return Err(SignerError::Unfit { key: kind, algorithm });
        }
        let how = How::choose(algorithm, &self.mechanisms)
            .ok_or_else(|| Pkcs11Error::Mechanism { token: self.facts.token.clone(), algorithm })?;
        let sessions = self.pool.source_mut();
        (sessions.algorithm, sessions.how) = (algorithm, how);
        (self.algorithm, self.how) = (algorithm, how);
        Ok(())
    }

    /// What the token says of it.
    #[must_use]
    pub fn facts(&self) -> &KeyFacts {
        &self.facts
    }

    /// Destroys the key, its public part included: for one that was made and is not wanted.
    pub fn destroy(self) -> Result<(), Pkcs11Error> {
        let id = self.facts.id;
        let Sessions { login, .. } = self.pool.into_source();
        let place = Pkcs11Place { id: Some(id), ..login.place.clone() };
        Login { place, ..login }.destroy()
    }

    fn new(login: Login, found: object::Found) -> Result<Self, Pkcs11Error> {
        let object::Found { public_key, facts, mechanisms } = found;
        let algorithm = mechanism::usual(public_key.kind())?;
        let how = How::choose(algorithm, &mechanisms)
            .ok_or_else(|| Pkcs11Error::Mechanism { token: facts.token.clone(), algorithm })?;
        // From here on it is this key and no other, whatever else gets its name.
        let id = (!facts.id.is_empty()).then(|| facts.id.clone());
        let place = Pkcs11Place { id: id.or(login.place.id), ..login.place };
        let login = Login { place, ..login };
        let pool = Pool::new(Sessions { login, public_key: public_key.clone(), algorithm, how });
        let signer = Self { pool, public_key, facts, mechanisms, algorithm, how };
        // The first session: that the key signs is said at once.
        signer.signature(SELF_TEST)?;
        Ok(signer)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, Pkcs11Error> {
        self.pool.with(|opened| self.pool.source().sign(opened, message))
    }
}

/// What a key signs to show that it does. Not the form of anything that is ever signed, so the signature can serve
/// nobody.
const SELF_TEST: &[u8] = b"Cairn: self-test of a key in a hardware security module";

impl Signer for Pkcs11Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.signature(message)?)
    }

    /// A module that can sign a hash is not handed megabytes.
    fn sign_hashed(&self, message: &HashedMessage<'_>) -> Result<Vec<u8>, SignerError> {
        let way = message.hash(self.algorithm).zip(How::of_hash(self.algorithm, &self.mechanisms));
        let Some((hash, how)) = way else { return self.sign(message.octets()) };
        let input = how.hash_input(hash.as_ref());
        Ok(self.pool.with(|opened| self.pool.source().sign_input(opened, how, &input))?)
    }

    fn is_local(&self) -> bool {
        false
    }
}

/// Names the key, and no PIN.
impl fmt::Debug for Pkcs11Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Signer")
            .field("public_key", &self.public_key)
            .field("token", &self.facts.token)
            .field("label", &self.facts.label)
            .field("how", &self.how)
            .finish_non_exhaustive()
    }
}

/// Octets as hexadecimal digits: ids of keys are written so.
#[must_use]
pub fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// Octets from hexadecimal digits, with or without colons between them.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|character| *character != ':')
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    if digits.is_empty() || digits.len() % 2 == 1 {
        return None;
    }
    Some(digits.chunks_exact(2).map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_are_written() {
        assert_eq!(from_hex("0aff"), Some(vec![10, 255]));
        assert_eq!(from_hex("0A:FF"), Some(vec![10, 255]));
        assert_eq!(hex(&[10, 255]), "0aff");
        for wrong in ["", "0", "0g", "abc"] {
            assert_eq!(from_hex(wrong), None, "{wrong}");
        }
    }
}
