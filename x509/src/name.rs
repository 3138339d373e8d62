//! Distinguished names (RFC 5280 §4.1.2.4), kept with the bytes they came in.
//!
//! Names chain by comparing those bytes: a CA that copies its issuer's subject byte for byte never depends
//! on the name comparison rules of RFC 5280 §7.1.

use std::fmt;

use der::{
    Decode, Encode, Tag, Tagged,
    asn1::{Any, SetOfVec},
};
use x509_cert::{
    attr::AttributeTypeAndValue,
    name::{RdnSequence, RelativeDistinguishedName},
};

use crate::oid;

/// ub-common-name and ub-organization-name (RFC 5280 appendix A.1), in characters.
const MAX_ATTRIBUTE_CHARS: usize = 64;

/// A distinguished name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    rdns: RdnSequence,
    der: Vec<u8>,
}

/// Why a name cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not the DER of a Name.
    #[error("the name is not valid DER: {0}")]
    Malformed(#[from] der::Error),
    /// Empty, or longer than RFC 5280 allows.
    #[error("a {0} must have 1 to {MAX_ATTRIBUTE_CHARS} characters")]
    Length(&'static str),
}

impl Name {
    /// The name of a CA: an organization, if any, then a common name, both as UTF8String.
    pub fn new(common_name: &str, organization: Option<&str>) -> Result<Self, NameError> {
        let mut rdns = RdnSequence::default();
        if let Some(organization) = organization {
            rdns.push(attribute(oid::ORGANIZATION, "organization", organization)?);
        }
        rdns.push(attribute(oid::COMMON_NAME, "common name", common_name)?);
        Self::from_rdns(rdns)
    }

    /// The subject of a leaf: a common name, or nothing at all.
    pub fn common_name_only(common_name: Option<&str>) -> Result<Self, NameError> {
        match common_name {
            Some(common_name) => Self::new(common_name, None),
            None => Self::from_rdns(RdnSequence::default()),
        }
    }

    /// Reads the DER of a Name; trailing bytes are an error.
    pub fn from_der(bytes: &[u8]) -> Result<Self, NameError> {
        Ok(Self { rdns: RdnSequence::from_der(bytes)?, der: bytes.to_vec() })
    }

    pub(crate) fn from_vec(der: Vec<u8>) -> der::Result<Self> {
        Ok(Self { rdns: RdnSequence::from_der(&der)?, der })
    }

    fn from_rdns(rdns: RdnSequence) -> Result<Self, NameError> {
        let der = rdns.to_der()?;
        Ok(Self { rdns, der })
    }

    /// The DER, byte for byte as it was read.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether the name has no attribute at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rdns.is_empty()
    }

    /// The first common name, if it is text of a kind in use today.
    #[must_use]
    pub fn common_name(&self) -> Option<&str> {
        self.common_names().next().flatten()
    }

    /// Every common name; `None` for one that is not readable as text.
    pub(crate) fn common_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.rdns
            .iter()
            .flat_map(RelativeDistinguishedName::iter)
            .filter(|attribute| attribute.oid == oid::COMMON_NAME)
            .map(|attribute| text(&attribute.value))
    }
}

/// RFC 4514 text, most specific attribute first.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rdns.fmt(f)
    }
}

fn attribute(
    oid: const_oid::ObjectIdentifier,
    what: &'static str,
    value: &str,
) -> Result<RelativeDistinguishedName, NameError> {
    if !(1..=MAX_ATTRIBUTE_CHARS).contains(&value.chars().count()) {
        return Err(NameError::Length(what));
    }
    let mut set = SetOfVec::new();
    set.insert(AttributeTypeAndValue { oid, value: Any::new(Tag::Utf8String, value.as_bytes())? })?;
    Ok(set.into())
}

fn text(value: &Any) -> Option<&str> {
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => std::str::from_utf8(value.value()).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_name_reads_back_and_prints_most_specific_first() {
        let name = Name::new("Cairn Root, one", Some("Example")).unwrap();
        assert_eq!(name.to_string(), "CN=Cairn Root\\, one,O=Example");
        assert_eq!(name.common_name(), Some("Cairn Root, one"));
        assert_eq!(Name::from_der(name.der()).unwrap(), name);
    }

    #[test]
    fn a_name_without_common_name_is_the_empty_sequence() {
        let name = Name::common_name_only(None).unwrap();
        assert!(name.is_empty());
        assert_eq!(name.der(), [0x30, 0]);
        assert_eq!(name.common_name(), None);
    }

    #[test]
    fn a_common_name_has_between_1_and_64_characters() {
        assert_eq!(Name::new("", None), Err(NameError::Length("common name")));
        assert_eq!(Name::new(&"x".repeat(65), None), Err(NameError::Length("common name")));
        assert_eq!(Name::new("x", Some("")), Err(NameError::Length("organization")));
        // Characters, not bytes: the bound is on the abstract string.
        assert!(Name::new(&"é".repeat(64), None).is_ok());
    }

    #[test]
    fn trailing_bytes_after_a_name_are_refused() {
        let mut der = Name::new("x", None).unwrap().der().to_vec();
        der.push(0);
        assert!(Name::from_der(&der).is_err());
    }
}
