//! The record of a ceremony: what was done, by whom, when, from what and with which result; once as Markdown for people, and the same as
//! JSON with a signature.
//!
//! The records of all ceremonies of one root are a chain: each has the SHA-256 of the one before, and one key signs them all, which the
//! first ceremony makes. So nobody can leave a ceremony out, change one afterwards, or put one in between, without that key. What it
//! cannot prove is that there was no later one: count the records, or keep the last one's SHA-256 elsewhere.
//!
//! The signature is ECDSA P-256 over the JSON file's bytes as they are, so that any tool can check it:
//! `openssl dgst -sha256 -verify record-key.pub.pem -signature record.json.sig record.json`.

mod markdown;

use cairn_x509::signer::pkcs11::{KeyFacts, hex};
use cairn_x509::{FileSigner, PublicKey, SignatureAlgorithm, SignatureError, Signer};
use serde::{Deserialize, Serialize};

use crate::file::{Digest, Person};

/// The names of a record's files in a ceremony's folder.
pub const JSON_FILE: &str = "record.json";
/// The signature over [`JSON_FILE`].
pub const SIGNATURE_FILE: &str = "record.json.sig";
/// The record for people.
pub const MARKDOWN_FILE: &str = "record.md";
/// The public key that the records of this root are signed with.
pub const KEY_FILE: &str = "record-key.pub.pem";

/// Longest record in bytes.
pub const MAX_RECORD: u64 = 4 * 1024 * 1024;

const FORMAT: &str = "cairn-ceremony-record/1";

/// A record. Hashes are SHA-256 in lower-case hexadecimal digits, times RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Tells readers how to read it.
    pub format: String,
    /// Whether all keys were throw-away: then nothing of it is to be used.
    pub rehearsal: bool,
    /// Its place in the chain, from 1.
    pub number: u64,
    /// The SHA-256 of the record before it; none for the first.
    pub previous: Option<String>,
    /// The public key that signs it (SubjectPublicKeyInfo): its SHA-256.
    pub record_key: String,
    /// The ceremony file's kind.
    pub kind: String,
    /// The ceremony file's title.
    pub title: String,
    /// The ceremony file's SHA-256, as it was confirmed.
    pub ceremony_file: String,
    /// The program that ran it.
    pub program: Program,
    /// Who took part.
    pub people: Vec<Participant>,
    /// When it began, by the machine's clock.
    pub began: String,
    /// When it ended.
    pub ended: String,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What it started from.
    pub inputs: Vec<FileEntry>,
    /// The keys that were made or used.
    pub keys: Vec<KeyEntry>,
    /// What it made, but for the record itself.
    pub outputs: Vec<FileEntry>,
}

/// The program that ran a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// Its SHA-256; none if it could not read itself.
    pub sha256: Option<String>,
}

/// Who took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Participant {
    /// Their name.
    pub name: String,
    /// What they did.
    pub role: String,
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// When.
    pub at: String,
    /// By whom.
    pub by: String,
    /// What.
    pub what: String,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// Its path in the ceremony's folder.
    pub file: String,
    /// What it is.
    pub what: String,
    /// Of the file's bytes.
    pub sha256: String,
    /// Of the DER, where that is something else: for a certificate its fingerprint.
    pub der_sha256: Option<String>,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What it is in this ceremony: `key` or `issuer_key`.
    pub name: String,
    /// What kind of key.
    pub algorithm: String,
    /// Whether it was made, or used.
    pub made: bool,
    /// Where it is kept.
    pub kept: String,
    /// If that is a hardware security module, what its token says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleEntry>,
    /// Of the public key (SubjectPublicKeyInfo).
    pub sha256: String,
    /// The same as words.
    pub words: String,
}

/// A key in a hardware security module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleEntry {
    /// The token's label.
    pub token: String,
    /// The token's serial number.
    pub serial: String,
    /// The key's label.
    pub label: String,
    /// The key's id in hexadecimal digits.
    pub id: String,
    /// What it may do, as it was checked.
    pub attributes: String,
}

impl From<&KeyFacts> for ModuleEntry {
    fn from(facts: &KeyFacts) -> Self {
        Self {
            token: facts.token.clone(),
            serial: printable(&facts.serial),
            label: printable(&facts.label),
            id: hex(&facts.id),
            attributes: facts.attributes.to_string(),
        }
    }
}

/// What a token says, fit for a page.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).collect()
}

/// Why a record cannot be trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a record, or one of a later version.
    #[error("is no record that this version reads: {0}")]
    Malformed(String),
    /// The signature is not that of the key.
    #[error("is not signed by the record key: somebody changed it, or signed it with another key")]
    Signature,
    /// The key is another one than the record says.
    #[error("names another record key than the one given")]
    OtherKey,
    /// The chain is broken.
    #[error("does not continue the record before it: {0}")]
    Chain(&'static str),
    /// The key cannot sign.
    #[error("cannot be signed: {0}")]
    Signing(String),
}

impl Record {
    /// The bytes of `record.json`.
    ///
    /// # Errors
    /// None that can happen with a record.
    pub fn to_json(&self) -> Result<Vec<u8>, RecordError> {
        let mut json =
            serde_json::to_vec_pretty(self).map_err(|error| RecordError::Malformed(error.to_string()))?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a record, without looking at its signature.
    ///
    /// # Errors
    /// If it is none.
    pub fn from_json(json: &[u8]) -> Result<Self, RecordError> {
        let record: Self =
            serde_json::from_slice(json).map_err(|error| RecordError::Malformed(error.to_string()))?;
        if record.format == FORMAT {
            Ok(record)
        } else {
            Err(RecordError::Malformed(format!("its format is \"{}\"", record.format)))
        }
    }

    /// The record for people.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        markdown::write(self)
    }

    /// How this version writes records.
    #[must_use]
    pub fn format() -> String {
        FORMAT.to_owned()
    }

    /// Checks that this is the record after `previous`, whose bytes these are.
    ///
    /// # Errors
    /// How the chain is broken.
    pub fn check_follows(&self, previous: Option<&[u8]>) -> Result<(), RecordError> {
        let Some(json) = previous else {
            return match (self.number, &self.previous) {
                (1, None) => Ok(()),
                _ => Err(RecordError::Chain("it is not the first, and the one before it is missing")),
            };
        };
        let before = Self::from_json(json)?;
        if self.previous.as_deref() != Some(Digest::of(json).to_string().as_str()) {
            return Err(RecordError::Chain("it names another one by its SHA-256"));
        }
        if before.number.checked_add(1) != Some(self.number) {
            return Err(RecordError::Chain("its number is not the next"));
        }
        if before.record_key != self.record_key {
            return Err(RecordError::Chain("it is signed with another key"));
        }
        if before.rehearsal != self.rehearsal {
            return Err(RecordError::Chain("one of them is a rehearsal and the other is not"));
        }
        Ok(())
    }
}

/// The signature over a record's bytes.
///
/// # Errors
/// If the key is none for records, or does not sign.
pub fn sign(json: &[u8], key: &FileSigner) -> Result<Vec<u8>, RecordError> {
    if key.algorithm() != SignatureAlgorithm::EcdsaSha256 {
        return Err(RecordError::Signing("the record key must be an ECDSA P-256 key".to_owned()));
    }
    key.sign(json).map_err(|error| RecordError::Signing(error.to_string()))
}

/// Reads a record whose signature is right.
///
/// # Errors
/// If it is not, or the record names another key.
pub fn verify(json: &[u8], signature: &[u8], key: &PublicKey) -> Result<Record, RecordError> {
    key.verify(SignatureAlgorithm::EcdsaSha256, json, signature)
        .map_err(|_wrong: SignatureError| RecordError::Signature)?;
    let record = Record::from_json(json)?;
    if record.record_key == Digest::of(key.der()).to_string() {
        Ok(record)
    } else {
        Err(RecordError::OtherKey)
    }
}

impl From<&Person> for Participant {
    fn from(person: &Person) -> Self {
        Self { name: person.name.clone(), role: person.role.clone() }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use cairn_x509::KeySpec;

    /// A record of nothing, signed by `key`.
    pub(crate) fn record(number: u64, previous: Option<&[u8]>, key: &FileSigner) -> Record {
        Record {
            format: Record::format(),
            rehearsal: false,
            number,
            previous: previous.map(|json| Digest::of(json).to_string()),
            record_key: Digest::of(key.public_key().der()).to_string(),
            kind: "root".to_owned(),
            title: "Example Root R1".to_owned(),
            ceremony_file: Digest::of(b"file").to_string(),
            program: Program { version: "0.1.0".to_owned(), sha256: None },
            people: vec![Participant { name: "Alice".to_owned(), role: "operator".to_owned() }],
            began: "2027-01-01T00:00:00Z".to_owned(),
            ended: "2027-01-01T00:01:00Z".to_owned(),
            steps: vec![Step {
                at: "2027-01-01T00:00:30Z".to_owned(),
                by: "Alice".to_owned(),
                what: "made a key".to_owned(),
            }],
            inputs: Vec::new(),
            keys: Vec::new(),
            outputs: Vec::new(),
        }
    }

    #[test]
    fn a_record_reads_back_and_its_signature_holds_for_these_bytes_alone() {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let record = record(1, None, &key);
        let json = record.to_json().unwrap();
        let signature = sign(&json, &key).unwrap();
        assert_eq!(verify(&json, &signature, key.public_key()), Ok(record));
        let other = FileSigner::generate(KeySpec::P256).unwrap();
        assert_eq!(verify(&json, &signature, other.public_key()), Err(RecordError::Signature));
        let changed = String::from_utf8(json.clone()).unwrap().replace("Alice", "Malice").into_bytes();
        assert_eq!(verify(&changed, &signature, key.public_key()), Err(RecordError::Signature));
        // Signed by another key, which the record does not name.
        let signature = sign(&json, &other).unwrap();
        assert_eq!(verify(&json, &signature, other.public_key()), Err(RecordError::OtherKey));
    }

    #[test]
    fn the_chain_holds_only_in_its_order() {
        let key = FileSigner::generate(KeySpec::P256).unwrap();
        let first = record(1, None, &key);
        first.check_follows(None).unwrap();
        let json = first.to_json().unwrap();
        let second = record(2, Some(&json), &key);
        second.check_follows(Some(&json)).unwrap();
        second.check_follows(None).unwrap_err();
        record(3, Some(&json), &key).check_follows(Some(&json)).unwrap_err();
        record(2, Some(b"other"), &key).check_follows(Some(&json)).unwrap_err();
        let other = FileSigner::generate(KeySpec::P256).unwrap();
        record(2, Some(&json), &other).check_follows(Some(&json)).unwrap_err();
        Record { rehearsal: true, ..second }.check_follows(Some(&json)).unwrap_err();
    }

    #[test]
    fn a_key_of_another_kind_signs_no_record() {
        let key = FileSigner::generate(KeySpec::P384).unwrap();
        assert!(matches!(sign(b"{}", &key), Err(RecordError::Signing(_))));
    }
}
