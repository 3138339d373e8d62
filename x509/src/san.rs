//! Subject alternative names (RFC 5280 §4.2.1.6): DNS names and IP addresses, the two a TLS server has.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use der::{
    Decode, Reader, SliceReader, Tag, TagNumber, Tagged,
    asn1::{AnyRef, Ia5String},
};
use x509_cert::ext::pkix::name::GeneralName;

/// A name a leaf certificate is good for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectAltName {
    /// A DNS name in lower case, perhaps with a `*` as its leftmost label.
    Dns(String),
    /// An IP address.
    Ip(IpAddr),
}

impl fmt::Display for SubjectAltName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => f.write_str(name),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// One GeneralName as found in a request or certificate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FoundName {
    Known(SubjectAltName),
    /// A kind that is not for TLS servers, in words.
    Other(&'static str),
}

/// Reads the GeneralNames of a subjectAltName extension.
pub(crate) fn read_general_names(bytes: &[u8]) -> der::Result<Vec<FoundName>> {
    let mut reader = SliceReader::new(bytes)?;
    let names = reader.sequence(|body| -> der::Result<_> {
        let mut names = Vec::new();
        while !body.is_finished() {
            names.push(read_general_name(AnyRef::decode(body)?)?);
        }
        Ok(names)
    })?;
    reader.finish()?;
    // GeneralNames ::= SEQUENCE SIZE (1..MAX) OF GeneralName
    if names.is_empty() { Err(Tag::Sequence.length_error().into()) } else { Ok(names) }
}

fn read_general_name(name: AnyRef<'_>) -> der::Result<FoundName> {
    let Tag::ContextSpecific { number: TagNumber(number), constructed } = name.tag() else {
        return Err(name.tag().value_error().into());
    };
    Ok(match (number, constructed) {
        (0, true) => FoundName::Other("an otherName"),
        (1, false) => FoundName::Other("an email address"),
        (2, false) => FoundName::Known(read_dns(name)?),
        (3, true) => FoundName::Other("an X.400 address"),
        (4, true) => FoundName::Other("a directory name"),
        (5, true) => FoundName::Other("an EDI party name"),
        (6, false) => FoundName::Other("a URI"),
        (7, false) => FoundName::Known(read_ip(name)?),
        (8, false) => FoundName::Other("a registered ID"),
        _ => return Err(name.tag().value_error().into()),
    })
}

fn read_dns(name: AnyRef<'_>) -> der::Result<SubjectAltName> {
    match std::str::from_utf8(name.value()) {
        Ok(text) if text.is_ascii() => Ok(SubjectAltName::Dns(text.to_ascii_lowercase())),
        _ => Err(name.tag().value_error().into()),
    }
}

fn read_ip(name: AnyRef<'_>) -> der::Result<SubjectAltName> {
    let octets = name.value();
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        Ok(SubjectAltName::Ip(Ipv4Addr::from(v4).into()))
    } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
        Ok(SubjectAltName::Ip(Ipv6Addr::from(v6).into()))
    } else {
        Err(name.tag().length_error().into())
    }
}

impl TryFrom<&SubjectAltName> for GeneralName {
    type Error = der::Error;

    fn try_from(name: &SubjectAltName) -> der::Result<Self> {
        Ok(match name {
            SubjectAltName::Dns(name) => Self::DnsName(Ia5String::new(name)?),
            SubjectAltName::Ip(address) => Self::from(*address),
        })
    }
}

#[cfg(test)]
mod tests {
    use der::Encode;

    use super::*;

    #[test]
    fn names_read_back_as_they_were_written_but_in_lower_case() {
        let written = vec![
            GeneralName::DnsName(Ia5String::new("WWW.Example.test").unwrap()),
            GeneralName::from(IpAddr::from([192, 0, 2, 1])),
            GeneralName::from(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
        ];
        let expected = [
            SubjectAltName::Dns("www.example.test".into()),
            SubjectAltName::Ip([192, 0, 2, 1].into()),
            SubjectAltName::Ip([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
        ]
        .map(FoundName::Known);
        assert_eq!(read_general_names(&written.to_der().unwrap()).unwrap(), expected);
    }

    #[test]
    fn other_kinds_are_told_in_words() {
        let names = vec![GeneralName::Rfc822Name(Ia5String::new("a@example.test").unwrap())];
        assert_eq!(
            read_general_names(&names.to_der().unwrap()).unwrap(),
            [FoundName::Other("an email address")]
        );
    }

    #[test]
    fn an_empty_list_a_five_octet_address_and_a_foreign_tag_are_refused() {
        assert!(read_general_names(&[0x30, 0]).is_err());
        assert!(read_general_names(&[0x30, 7, 0x87, 5, 1, 2, 3, 4, 5]).is_err());
        assert!(read_general_names(&[0x30, 3, 0x02, 1, 1]).is_err());
    }
}
