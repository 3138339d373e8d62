//! The ceremony file: everything that decides what a ceremony makes, and nothing else. It is what people review, and its SHA-256 is what
//! the operator confirms and the record keeps.
//!
//! What belongs to a machine (where files lie, how a passphrase is read) stands in a second file, [`crate::machine`], so that
//! the reviewed file is the executed one wherever it is executed. Files that a ceremony starts from (an issuer's certificate, a request)
//! are named here by their SHA-256, and by their paths there.
//!
//! ```
//! # let text = r#"
//! kind = "root"
//! title = "Example Root R1"
//! people = [{ name = "Alice Archer", role = "operator" }, { name = "Bob Baker", role = "witness" }]
//!
//! [key]
//! algorithm = "p384"
//! shares = { needed = 2, holders = ["Alice Archer", "Bob Baker", "Carol Cole"] }
//!
//! [certificate]
//! subject = { country = "DE", organization = "Example Corp", common_name = "Example Root R1" }
//! not_before = 2027-01-01
//! not_after = 2046-12-31
//! # "#;
//! # let file = cairn_ceremony::file::CeremonyFile::parse(text).unwrap();
//! # assert_eq!(file.title, "Example Root R1");
//! ```

mod certificate;
mod crl;
mod digest;
mod key;
mod moment;

use std::fmt;

use serde::Deserialize;

pub use self::certificate::{CertificateSpec, NameConstraints, NameForms, Policy, Subject};
pub use self::crl::{CrlSpec, Revocation};
pub(crate) use self::crl::{REASONS, hex, read_reason, read_serial, reason_name};
pub use self::digest::Digest;
pub use self::key::{KeyChoice, KeySpec, Shares, Signature, Store};
pub use self::moment::Moment;
pub(crate) use self::moment::Utc;

/// Longest ceremony file in bytes: room for a CRL of some thousand entries.
pub const MAX_FILE: usize = 1024 * 1024;

/// Longest title and name of a person, in characters: they stand in file names and tables.
const MAX_TEXT: usize = 64;

/// What a ceremony is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A new root: `[key]`, `[certificate]`.
    Root,
    /// A CA below a root: `[issuer]`, `[key]`, `[certificate]`.
    Intermediate,
    /// A certificate for a CA that exists already, from another one: `[issuer]`, `[subject]`, `[certificate]` without a subject.
    CrossSign,
    /// A request, for somebody else to sign: `[key]`, `[request]`.
    Csr,
    /// A list of what a CA has revoked: `[issuer]`, `[crl]`.
    Crl,
    /// A delegated OCSP responder: `[issuer]`, `[key]`, `[certificate]`.
    OcspSigner,
    /// A key alone: `[key]`.
    Key,
    /// The next intermediate (with `[issuer]`: `[replaces]`, `[key]`, `[certificate]`), or the next root (without: `[replaces]`, `[key]`,
    /// `[certificate]`, and `[cross_from_old]` and `[cross_from_new]` for the certificates by which each leads to the other).
    Rollover,
    /// A CRL with one entry more than the last: `[issuer]`, `[replaces]` the last CRL if there is one, `[revoke]`, `[crl]`.
    RevokeIntermediate,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
            Self::CrossSign => "cross-sign",
            Self::Csr => "csr",
            Self::Crl => "crl",
            Self::OcspSigner => "ocsp-signer",
            Self::Key => "key",
            Self::Rollover => "rollover",
            Self::RevokeIntermediate => "revoke-intermediate",
        })
    }
}

/// A ceremony file. Which of its tables there must be, and which there must not be, follows from its kind; [`crate::plan`] holds it to
/// that.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CeremonyFile {
    /// What it is for.
    pub kind: Kind,
    /// A line that tells it from all others; stands in the record. At most 64 characters.
    pub title: String,
    /// Who takes part. The first `operator` is who types.
    pub people: Vec<Person>,
    /// The key that is certified, or made.
    pub key: Option<KeySpec>,
    /// The CA that signs, unless a root signs itself.
    pub issuer: Option<Pinned>,
    /// The CA that gets another certificate.
    pub subject: Option<Pinned>,
    /// What comes to its end by this: an intermediate, a root, a CRL.
    pub replaces: Option<Pinned>,
    /// What the certificate says.
    pub certificate: Option<CertificateSpec>,
    /// What the old root says of the new one's key.
    pub cross_from_old: Option<CertificateSpec>,
    /// What the new root says of the old one's key.
    pub cross_from_new: Option<CertificateSpec>,
    /// What the request says.
    pub request: Option<RequestSpec>,
    /// What the CRL says.
    pub crl: Option<CrlSpec>,
    /// The certificate to revoke.
    pub revoke: Option<Revocation>,
    /// The request of a CA that serves, which this answers: then there is a [`crate::bundle::Response`] among what is made.
    pub answers: Option<Answers>,
}

/// Who takes part.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// At most 64 characters.
    pub name: String,
    /// What they do: `operator` types, `witness` watches; any other word may stand here.
    pub role: String,
}

/// A file that the ceremony starts from, by its SHA-256; the machine file says where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Of the DER: for a certificate, what is known as its SHA-256 fingerprint.
    pub sha256: Digest,
    /// How its key signs, of an RSA key that signs here; as in `[key]`.
    pub signature: Option<Signature>,
}

/// A request that a ceremony answers; the machine file says where it lies.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// Of the request's file.
    pub sha256: Digest,
    /// The key of the CA that asks: the SHA-256 of its public key (SubjectPublicKeyInfo). Compare it with what the people who run that
    /// CA have told you, when you hear from them first.
    pub requester: Option<Digest>,
}

/// A request for somebody else to sign.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestSpec {
    /// The name that is asked for.
    pub subject: Subject,
    /// The path length that is asked for.
    pub path_length: Option<u8>,
}

/// Why a ceremony file cannot be used. The text says where, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// Not TOML, or a field is missing, unknown or of another type. The text shows the line.
    #[error("{0}")]
    Toml(Box<toml::de::Error>),
    /// A field's value makes no sense.
    #[error("{field}: {problem}")]
    Value {
        /// Its path.
        field: String,
        /// What is wrong, and what to write.
        problem: String,
    },
    /// Longer than [`MAX_FILE`].
    #[error("the ceremony file is longer than {MAX_FILE} bytes")]
    Length,
}

impl FileError {
    pub(crate) fn value(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Value { field: field.into(), problem: problem.into() }
    }
}

impl CeremonyFile {
    /// Reads a ceremony file. Whether its tables fit its kind is seen when it is planned.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        if text.len() > MAX_FILE {
            return Err(FileError::Length);
        }
        let file: Self = toml::from_str(text).map_err(|error| FileError::Toml(Box::new(error)))?;
        check_line("title", &file.title)?;
        for (place, person) in file.people.iter().enumerate() {
            check_line(&format!("people[{place}].name"), &person.name)?;
            check_line(&format!("people[{place}].role"), &person.role)?;
        }
        if file.operator().is_none() {
            return Err(FileError::value("people", "nobody has the role \"operator\"; name who types"));
        }
        Ok(file)
    }

    /// Who types.
    #[must_use]
    pub fn operator(&self) -> Option<&str> {
        self.people.iter().find(|person| person.role == "operator").map(|person| person.name.as_str())
    }
}

/// A line of text that stands in tables and on terminals as it is.
fn check_line(field: &str, text: &str) -> Result<(), FileError> {
    let length = text.chars().count();
    if !(1..=MAX_TEXT).contains(&length) {
        return Err(FileError::value(field, format!("has {length} characters; write 1 to {MAX_TEXT}")));
    }
    if text.contains(|character: char| character.is_control() || character == '|') {
        return Err(FileError::value(
            field,
            "contains a control character or a \"|\", which would break the record's tables",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = r#"
        kind = "root"
        title = "Example Root R1"
        people = [{ name = "Alice", role = "operator" }]
        [key]
        algorithm = "p384"
        [certificate]
        subject = { common_name = "Example Root R1" }
        not_before = 2027-01-01
        not_after = 2046-12-31
    "#;

    fn refusal(text: &str) -> String {
        CeremonyFile::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_file_says_who_takes_part_and_what_is_made() {
        let file = CeremonyFile::parse(ROOT).unwrap();
        assert_eq!((file.kind, file.operator()), (Kind::Root, Some("Alice")));
        assert_eq!(file.key.unwrap().choice().unwrap(), KeyChoice::New(cairn_x509::KeySpec::P384));
    }

    #[test]
    fn an_unknown_field_is_told_with_its_line() {
        let text = refusal(&ROOT.replace("not_after", "not_afer"));
        assert!(text.contains("line 10") && text.contains("not_afer"), "{text}");
    }

    #[test]
    fn somebody_must_type() {
        assert!(refusal(&ROOT.replace("operator", "witness")).contains("name who types"));
    }

    #[test]
    fn names_that_would_break_the_record_are_refused() {
        for name in ["", "A|B", "A\\nB", &"x".repeat(65)] {
            assert!(refusal(&ROOT.replace("Alice", name)).starts_with("people[0].name: "), "{name}");
        }
    }

    #[test]
    fn arbitrary_text_is_refused_without_a_panic() {
        for text in ["", "kind", "kind = \"root\"", "\0", "[[[", &"[".repeat(10_000)] {
            CeremonyFile::parse(text).unwrap_err();
        }
        assert_eq!(CeremonyFile::parse(&" ".repeat(MAX_FILE + 1)), Err(FileError::Length));
    }
}
