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

/// ub-common-name, ub-organization-name, ub-organizational-unit-name and ub-serial-number (RFC 5280 appendix
/// A.1), in characters.
const MAX_ATTRIBUTE_CHARS: usize = 64;

/// ub-state-name and ub-locality-name (RFC 5280 appendix A.1), in characters.
const MAX_PLACE_CHARS: usize = 128;

/// The attributes of a CA's name, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameAttributes<'a> {
    /// countryName: two upper-case letters (ISO 3166).
    pub country: Option<&'a str>,
    /// stateOrProvinceName
    pub state: Option<&'a str>,
    /// localityName
    pub locality: Option<&'a str>,
    /// organizationName
    pub organization: Option<&'a str>,
    /// organizationalUnitName
    pub organizational_unit: Option<&'a str>,
    /// commonName
    pub common_name: Option<&'a str>,
    /// serialNumber, of the subject and not of the certificate: letters, digits and some signs.
    pub serial_number: Option<&'a str>,
}

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
    /// An attribute that is empty, or longer than RFC 5280 allows.
    #[error("a {what} must have 1 to {max} characters")]
    Length {
        /// The attribute.
        what: &'static str,
        /// The upper bound of RFC 5280 appendix A.1.
        max: usize,
    },
    /// A countryName is a PrintableString of two letters (RFC 5280 appendix A.1, ISO 3166).
    #[error("a country must be two upper-case letters, such as CH")]
    Country,
    /// A serialNumber is a PrintableString (RFC 5280 appendix A.1, X.680 §41.4).
    #[error("a serial number must consist of letters, digits, spaces and '()+,-./:=?")]
    SerialNumber,
    /// Not a single attribute.
    #[error("the name is empty")]
    Empty,
}

impl Name {
    /// The name of a CA: an organization, if any, then a common name, both as UTF8String.
    pub fn new(common_name: &str, organization: Option<&str>) -> Result<Self, NameError> {
        Self::from_attributes(NameAttributes {
            common_name: Some(common_name),
            organization,
            ..NameAttributes::default()
        })
    }

    /// The name with these attributes in the order C, ST, L, O, OU, CN, serialNumber: countries and serial
    /// numbers as PrintableString, the others as UTF8String (RFC 5280 §4.1.2.4).
    pub fn from_attributes(attributes: NameAttributes<'_>) -> Result<Self, NameError> {
        if attributes
            .country
            .is_some_and(|text| text.len() != 2 || !text.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err(NameError::Country);
        }
        if attributes.serial_number.is_some_and(|text| !text.bytes().all(is_printable)) {
            return Err(NameError::SerialNumber);
        }
        let (short, place) = (MAX_ATTRIBUTE_CHARS, MAX_PLACE_CHARS);
        let (utf8, printable) = (Tag::Utf8String, Tag::PrintableString);
        let mut rdns = RdnSequence::default();
        for (value, oid, what, max, tag) in [
            (attributes.country, oid::COUNTRY, "country", 2, printable),
            (attributes.state, oid::STATE, "state", place, utf8),
            (attributes.locality, oid::LOCALITY, "locality", place, utf8),
            (attributes.organization, oid::ORGANIZATION, "organization", short, utf8),
            (attributes.organizational_unit, oid::ORGANIZATIONAL_UNIT, "organizational unit", short, utf8),
            (attributes.common_name, oid::COMMON_NAME, "common name", short, utf8),
            (attributes.serial_number, oid::SERIAL_NUMBER, "serial number", short, printable),
        ] {
            let Some(value) = value else { continue };
            if !(1..=max).contains(&value.chars().count()) {
                return Err(NameError::Length { what, max });
            }
            rdns.push(attribute(oid, tag, value)?);
        }
        if rdns.is_empty() { Err(NameError::Empty) } else { Self::from_rdns(rdns) }
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

    /// The attributes that [`Self::from_attributes`] writes, the first of each; what is not text of a kind in use
    /// today is left out.
    #[must_use]
    pub fn attributes(&self) -> NameAttributes<'_> {
        let first = |kind: const_oid::ObjectIdentifier| {
            let mut attributes = self.rdns.iter().flat_map(RelativeDistinguishedName::iter);
            attributes.find(|attribute| attribute.oid == kind).and_then(|attribute| text(&attribute.value))
        };
        NameAttributes {
            country: first(oid::COUNTRY),
            state: first(oid::STATE),
            locality: first(oid::LOCALITY),
            organization: first(oid::ORGANIZATION),
            organizational_unit: first(oid::ORGANIZATIONAL_UNIT),
            common_name: first(oid::COMMON_NAME),
            serial_number: first(oid::SERIAL_NUMBER),
        }
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
    tag: Tag,
    value: &str,
) -> der::Result<RelativeDistinguishedName> {
    let mut set = SetOfVec::new();
    set.insert(AttributeTypeAndValue { oid, value: Any::new(tag, value.as_bytes())? })?;
    Ok(set.into())
}

/// X.680 §41.4.
fn is_printable(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte)
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
        let length = |what| Err(NameError::Length { what, max: 64 });
        assert_eq!(Name::new("", None), length("common name"));
        assert_eq!(Name::new(&"x".repeat(65), None), length("common name"));
        assert_eq!(Name::new("x", Some("")), length("organization"));
        // Characters, not bytes: the bound is on the abstract string.
        assert!(Name::new(&"é".repeat(64), None).is_ok());
    }

    #[test]
    fn a_name_with_everything_has_its_attributes_in_order() {
        let attributes = NameAttributes {
            country: Some("CH"),
            state: Some("Bern"),
            locality: Some("Biel/Bienne"),
            organization: Some("Exämple"),
            organizational_unit: Some("Keys"),
            common_name: Some("Root"),
            serial_number: Some("CHE-123.456.789"),
        };
        let name = Name::from_attributes(attributes).unwrap();
        assert_eq!(name.attributes(), attributes);
        assert_eq!(
            name.to_string(),
            "SERIALNUMBER=CHE-123.456.789,CN=Root,OU=Keys,O=Exämple,L=Biel/Bienne,ST=Bern,C=CH"
        );
        let strings: Vec<Tag> =
            name.rdns.iter().flat_map(RelativeDistinguishedName::iter).map(|one| one.value.tag()).collect();
        assert_eq!(strings[0], Tag::PrintableString);
        assert!(strings[1..6].iter().all(|tag| *tag == Tag::Utf8String));
        assert_eq!(strings[6], Tag::PrintableString);
        assert_eq!(Name::from_der(name.der()).unwrap(), name);
    }

    #[test]
    fn attributes_have_their_bounds_and_characters() {
        let none = NameAttributes::default();
        let made = Name::from_attributes;
        for country in ["ch", "CHE", "C", "", "Ç", "C1"] {
            assert_eq!(made(NameAttributes { country: Some(country), ..none }), Err(NameError::Country));
        }
        let serial_number = Some("a_b");
        assert_eq!(made(NameAttributes { serial_number, ..none }), Err(NameError::SerialNumber));
        let (fits, long) = ("x".repeat(128), "x".repeat(129));
        assert!(made(NameAttributes { state: Some(&fits), locality: Some(&fits), ..none }).is_ok());
        let error = Err(NameError::Length { what: "locality", max: 128 });
        assert_eq!(made(NameAttributes { locality: Some(&long), ..none }), error);
        let error = Err(NameError::Length { what: "organizational unit", max: 64 });
        assert_eq!(made(NameAttributes { organizational_unit: Some(&fits), ..none }), error);
        assert_eq!(made(none), Err(NameError::Empty));
    }

    #[test]
    fn trailing_bytes_after_a_name_are_refused() {
        let mut der = Name::new("x", None).unwrap().der().to_vec();
        der.push(0);
        assert!(Name::from_der(&der).is_err());
    }
}
