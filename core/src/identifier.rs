//! What a certificate is asked for: DNS names (RFC 8555 §7.1.3) and IP addresses (RFC 8738).
//!
//! A [`DnsName`] exists only in valid form: lower case, A-labels, no trailing dot, at most one `*.` and only in front. Whether the
//! CA is willing to issue for it is the policy authority's question, not this file's.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// Longest DNS name in text form without the trailing dot (RFC 1035 §2.3.4: 255 octets on the wire).
const MAX_NAME: usize = 253;
/// Longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// An identifier of an order or authorization.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identifier {
    /// Type `dns`, RFC 8555 §9.7.7.
    Dns(DnsName),
    /// Type `ip`, RFC 8738 §3.
    Ip(IpAddr),
}

impl Identifier {
    /// Reads the `type` and `value` members of an identifier object.
    pub fn parse(kind: &str, value: &str) -> Result<Self, IdentifierError> {
        match kind {
            "dns" => value.parse().map(Self::Dns),
            "ip" => parse_ip(value).map(Self::Ip),
            _ => Err(IdentifierError::UnsupportedType),
        }
    }

    /// The `type` member: `dns` or `ip`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Ip(_) => "ip",
        }
    }

    /// Whether this is a wildcard DNS name.
    pub fn is_wildcard(&self) -> bool {
        matches!(self, Self::Dns(name) if name.is_wildcard())
    }

    /// The identifier that an authorization for this one carries: itself, without a leading `*.` (RFC 8555 §7.1.4).
    #[must_use]
    pub fn base(&self) -> Self {
        match self {
            Self::Dns(name) => Self::Dns(name.base()),
            Self::Ip(ip) => Self::Ip(*ip),
        }
    }
}

/// The `value` member: the name, or the address in the form of RFC 5952 or dotted decimal.
impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(ip) => ip.fmt(f),
        }
    }
}

/// Why a text is no identifier. The message is written for the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// Becomes `unsupportedIdentifier`.
    #[error("the identifier type is not supported; use \"dns\" or \"ip\"")]
    UnsupportedType,
    /// This and all that follow become `malformed`.
    #[error("the name is empty")]
    Empty,
    /// Longer than DNS allows.
    #[error("the name is longer than {MAX_NAME} characters, or one of its labels longer than {MAX_LABEL}")]
    TooLong,
    /// A character outside letters, digits, hyphen and dot.
    #[error(
        "the name has a character that is not a letter, digit, hyphen or dot; write international names as A-labels (xn--…)"
    )]
    BadCharacter,
    /// `a..b`, `.a` or a trailing dot.
    #[error("the name has an empty label; write it without a dot at either end")]
    EmptyLabel,
    /// `-a` or `a-`.
    #[error("a label begins or ends with a hyphen")]
    EdgeHyphen,
    /// A `*` that is not the whole first label, or a bare `*`.
    #[error("a wildcard is written \"*.\" followed by a name, and nowhere else")]
    BadWildcard,
    /// A label with `--` in the third place that is no A-label, or an A-label that does not decode.
    #[error("a label with \"--\" in its third and fourth place is not a valid A-label (RFC 5890)")]
    BadALabel,
    /// The name reads as an IPv4 address.
    #[error("the name reads as an IP address; ask for it with identifier type \"ip\"")]
    IsAddress,
    /// Not an address in the text form of RFC 8738 §3.
    #[error("the value is not an IPv4 address in dotted decimal or an IPv6 address in the form of RFC 5952")]
    BadAddress,
}

/// RFC 8738 §3: IPv4 as in RFC 1123 §2.1, IPv6 as in RFC 5952 §4. Other spellings of the same address are refused, so that one
/// address has one text.
fn parse_ip(value: &str) -> Result<IpAddr, IdentifierError> {
    let ip: IpAddr = value.parse().map_err(|_| IdentifierError::BadAddress)?;
    if ip.to_string() == value.to_ascii_lowercase() { Ok(ip) } else { Err(IdentifierError::BadAddress) }
}

/// A DNS name in lower case, maybe with `*.` in front.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DnsName(String);

impl DnsName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name begins with `*.`.
    pub fn is_wildcard(&self) -> bool {
        self.0.starts_with("*.")
    }

    /// The name without a leading `*.`.
    #[must_use]
    pub fn base(&self) -> Self {
        Self(self.0.strip_prefix("*.").unwrap_or(&self.0).to_owned())
    }

    /// The labels from left to right, a wildcard's `*` included.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DnsName {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        if text.len() > MAX_NAME {
            return Err(IdentifierError::TooLong);
        }
        let name = text.to_ascii_lowercase();
        let base = name.strip_prefix("*.").unwrap_or(&name);
        if base.is_empty() {
            return Err(if name.is_empty() { IdentifierError::Empty } else { IdentifierError::BadWildcard });
        }
        base.split('.').try_for_each(check_label)?;
        // A last label of digits alone is how URL parsers tell an IPv4 address from a name.
        if base.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(IdentifierError::IsAddress);
        }
        Ok(Self(name))
    }
}

fn check_label(label: &str) -> Result<(), IdentifierError> {
    if label.is_empty() {
        return Err(IdentifierError::EmptyLabel);
    }
    if label.len() > MAX_LABEL {
        return Err(IdentifierError::TooLong);
    }
    if label.contains('*') {
        return Err(IdentifierError::BadWildcard);
    }
    if !label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        return Err(IdentifierError::BadCharacter);
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(IdentifierError::EdgeHyphen);
    }
    if label.get(2..4) == Some("--") && !is_a_label(label) {
        return Err(IdentifierError::BadALabel);
    }
    Ok(())
}

/// Whether `label` is the A-label of some U-label (RFC 5890 §2.3.2.1): it decodes, and encodes to itself again.
fn is_a_label(label: &str) -> bool {
    let (unicode, decoded) = idna::domain_to_unicode(label);
    label.starts_with("xn--")
        && decoded.is_ok()
        && !unicode.is_ascii()
        && idna::domain_to_ascii_strict(&unicode).is_ok_and(|ascii| ascii == label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dns(text: &str) -> Result<Identifier, IdentifierError> {
        Identifier::parse("dns", text)
    }

    #[test]
    fn names_are_lower_cased() {
        assert_eq!(dns("WWW.Example.TEST").unwrap().to_string(), "www.example.test");
    }

    #[test]
    fn a_wildcard_stands_only_in_front() {
        assert!(dns("*.example.test").unwrap().is_wildcard());
        assert_eq!(dns("*.example.test").unwrap().base(), dns("example.test").unwrap());
        for text in ["*", "*.", "a.*.test", "*a.test", "*.*.test"] {
            assert_eq!(dns(text), Err(IdentifierError::BadWildcard), "{text}");
        }
    }

    #[test]
    fn names_that_dns_cannot_hold_are_refused() {
        assert_eq!(dns(""), Err(IdentifierError::Empty));
        assert_eq!(dns("example.test."), Err(IdentifierError::EmptyLabel));
        assert_eq!(dns("a..test"), Err(IdentifierError::EmptyLabel));
        assert_eq!(dns("-a.test"), Err(IdentifierError::EdgeHyphen));
        assert_eq!(dns("a-.test"), Err(IdentifierError::EdgeHyphen));
        assert_eq!(dns("a_b.test"), Err(IdentifierError::BadCharacter));
        assert_eq!(dns("a b.test"), Err(IdentifierError::BadCharacter));
        assert_eq!(dns(&"a".repeat(64)), Err(IdentifierError::TooLong));
        assert_eq!(dns(&"a.".repeat(127)), Err(IdentifierError::TooLong));
        assert_eq!(dns("127.0.0.1"), Err(IdentifierError::IsAddress));
    }

    #[test]
    fn only_real_a_labels_may_look_like_one() {
        assert!(dns("xn--bcher-kva.test").is_ok());
        assert_eq!(dns("bücher.test"), Err(IdentifierError::BadCharacter));
        assert_eq!(dns("ab--cd.test"), Err(IdentifierError::BadALabel));
        assert_eq!(dns("xn--a.test"), Err(IdentifierError::BadALabel));
        assert_eq!(dns("xn--.test"), Err(IdentifierError::EdgeHyphen));
    }

    #[test]
    fn one_address_has_one_text() {
        assert_eq!(Identifier::parse("ip", "2001:db8::1").unwrap().to_string(), "2001:db8::1");
        assert!(Identifier::parse("ip", "192.0.2.1").is_ok());
        for text in ["2001:db8:0::1", "192.0.2.01", "192.0.2", "[::1]", "example.test", "fe80::1%eth0"] {
            assert_eq!(Identifier::parse("ip", text), Err(IdentifierError::BadAddress), "{text}");
        }
    }

    #[test]
    fn other_types_are_unsupported() {
        assert_eq!(Identifier::parse("email", "a@b.test"), Err(IdentifierError::UnsupportedType));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_parses_reads_back(text in "\\PC{0,80}") {
            if let Ok(name) = text.parse::<DnsName>() {
                prop_assert_eq!(name.as_str().parse::<DnsName>().unwrap(), name);
            }
        }
    }
}
