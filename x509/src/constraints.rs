//! Name constraints (RFC 5280 §4.2.1.10): which names a CA may issue for, and which it may not.
//!
//! A kind of names of which nothing is permitted is free, but for what is excluded. Excluding everything of a
//! kind is said by its widest subtree: the empty DNS name, `0.0.0.0/0` and `::/0`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use der::{
    Decode, Encode,
    asn1::{Ia5String, OctetString},
};
use x509_cert::ext::pkix::{
    NameConstraints as WireNameConstraints, constraints::name::GeneralSubtree, name::GeneralName,
};

use crate::{name::Name, san::SubjectAltName};

/// RFC 1035 §2.3.4.
const MAX_DNS_NAME_LEN: usize = 253;
const MAX_LABEL_LEN: usize = 63;

/// The nameConstraints extension.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// Of each kind that occurs here, only these names.
    pub permitted: Vec<Subtree>,
    /// None of these names, permitted or not.
    pub excluded: Vec<Subtree>,
}

/// A range of names of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subtree {
    /// A DNS name and all names below it; all DNS names if it is empty, which can only be excluded.
    Dns(String),
    /// The IP addresses of a subnet.
    Ip(Subnet),
    /// A mailbox (`a@example.test`), all mailboxes of a host (`example.test`), or those of all hosts below a
    /// domain (`.example.test`).
    Email(String),
    /// All names that begin with this one.
    Directory(Name),
    /// A kind that is read and told, but not written.
    Other(&'static str),
}

/// A block of IP addresses: an address whose bits beyond the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Subnet {
    address: IpAddr,
    prefix_len: u8,
}

/// The text is no [`Subnet`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no block of IP addresses such as 192.0.2.0/24 or 2001:db8::/32, with no bit set beyond the prefix"
)]
pub struct NotASubnet(String);

impl NameConstraints {
    /// Whether nothing is permitted and nothing excluded, so that there are no constraints.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// Whether a leaf with this name may stand below the CA (RFC 5280 §6.1.3 (b), (c)): it lies within something
    /// permitted, if anything of its kind is, and within nothing excluded. A wildcard also counts as every name
    /// that it stands for, so that it cannot be the way around what is excluded.
    #[must_use]
    pub fn admits(&self, name: &SubjectAltName) -> bool {
        let mut of_its_kind = self.permitted.iter().filter(|subtree| subtree.is_kind_of(name)).peekable();
        let permitted = of_its_kind.peek().is_none() || of_its_kind.any(|subtree| subtree.holds(name));
        permitted && !self.excluded.iter().any(|subtree| subtree.touches(name))
    }

    /// The error is a text for whoever wrote the constraints.
    pub(crate) fn to_wire(&self) -> Result<WireNameConstraints, String> {
        let all_dns = Subtree::Dns(String::new());
        if self.permitted.contains(&all_dns) {
            return Err(
                "an empty DNS name can only be excluded; to permit all DNS names, constrain none".to_owned()
            );
        }
        let subtrees = |subtrees: &[Subtree]| {
            let wire = subtrees.iter().map(Subtree::to_wire).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, String>((!wire.is_empty()).then_some(wire))
        };
        Ok(WireNameConstraints {
            permitted_subtrees: subtrees(&self.permitted)?,
            excluded_subtrees: subtrees(&self.excluded)?,
        })
    }

    pub(crate) fn from_wire(wire: &WireNameConstraints) -> der::Result<Self> {
        let subtrees = |wire: &Option<Vec<GeneralSubtree>>| {
            wire.iter().flatten().map(Subtree::from_wire).collect::<der::Result<Vec<_>>>()
        };
        Ok(Self {
            permitted: subtrees(&wire.permitted_subtrees)?,
            excluded: subtrees(&wire.excluded_subtrees)?,
        })
    }
}

impl Subtree {
    /// Whether every name in this is in `outer` too. Of kinds that are not told apart, it is said of none.
    #[must_use]
    pub fn is_within(&self, outer: &Self) -> bool {
        match (self, outer) {
            (Self::Dns(name), Self::Dns(domain)) => is_in_domain(name, domain),
            (Self::Ip(block), Self::Ip(outer)) => block.is_within(*outer),
            (Self::Email(_), Self::Email(_)) | (Self::Directory(_), Self::Directory(_)) => self == outer,
            _ => false,
        }
    }

    fn is_kind_of(&self, name: &SubjectAltName) -> bool {
        matches!((self, name), (Self::Dns(_), SubjectAltName::Dns(_)) | (Self::Ip(_), SubjectAltName::Ip(_)))
    }

    /// Whether the name, a wildcard as it is written, is one of these.
    fn holds(&self, name: &SubjectAltName) -> bool {
        match (self, name) {
            (Self::Dns(domain), SubjectAltName::Dns(name)) => is_in_domain(name, domain),
            (Self::Ip(subnet), SubjectAltName::Ip(address)) => subnet.contains(*address),
            _ => false,
        }
    }

    /// Whether the name, or one that it stands for, is one of these.
    fn touches(&self, name: &SubjectAltName) -> bool {
        let stands_for = |name: &str| match (self, name.strip_prefix("*.")) {
            // A wildcard stands for one label.
            (Self::Dns(domain), Some(base)) => {
                domain.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(base))
            }
            _ => false,
        };
        self.holds(name) || matches!(name, SubjectAltName::Dns(name) if stands_for(name))
    }

    fn to_wire(&self) -> Result<GeneralSubtree, String> {
        let text = |text: &str| Ia5String::new(text).map_err(|error| error.to_string());
        let base = match self {
            Self::Dns(name) if name.is_empty() || is_dns_name(name) => GeneralName::DnsName(text(name)?),
            Self::Dns(name) => return Err(format!("{name:?} is no DNS name such as example.test")),
            Self::Ip(subnet) => GeneralName::IpAddress(subnet.to_wire().map_err(|error| error.to_string())?),
            Self::Email(base) if is_email_base(base) => GeneralName::Rfc822Name(text(base)?),
            Self::Email(base) => {
                return Err(format!(
                    "{base:?} is neither a mailbox (a@example.test) nor a host (example.test) nor a domain (.example.test)"
                ));
            }
            Self::Directory(name) => GeneralName::DirectoryName(
                x509_cert::name::Name::from_der(name.der()).map_err(|error| error.to_string())?,
            ),
            Self::Other(kind) => return Err(format!("constraints on {kind} are not written")),
        };
        // RFC 5280 §4.2.1.10: minimum MUST be zero and maximum absent.
        Ok(GeneralSubtree { base, minimum: 0, maximum: None })
    }

    fn from_wire(wire: &GeneralSubtree) -> der::Result<Self> {
        if wire.minimum != 0 || wire.maximum.is_some() {
            return Err(der::Tag::Sequence.value_error().into());
        }
        Ok(match &wire.base {
            GeneralName::DnsName(name) => Self::Dns(name.as_str().to_owned()),
            GeneralName::IpAddress(octets) => Self::Ip(
                Subnet::from_wire(octets.as_bytes())
                    .ok_or_else(|| der::Error::from(der::Tag::OctetString.value_error()))?,
            ),
            GeneralName::Rfc822Name(base) => Self::Email(base.as_str().to_owned()),
            GeneralName::DirectoryName(name) => Self::Directory(Name::from_vec(name.to_der()?)?),
            GeneralName::OtherName(_) => Self::Other("an otherName"),
            GeneralName::EdiPartyName(_) => Self::Other("an EDI party name"),
            GeneralName::UniformResourceIdentifier(_) => Self::Other("a URI"),
            GeneralName::RegisteredId(_) => Self::Other("a registered ID"),
        })
    }
}

impl fmt::Display for Subtree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => write!(f, "DNS {name:?}"),
            Self::Ip(subnet) => write!(f, "IP {subnet}"),
            Self::Email(base) => write!(f, "email {base:?}"),
            Self::Directory(name) => write!(f, "directory name {:?}", name.to_string()),
            Self::Other(kind) => f.write_str(kind),
        }
    }
}

/// RFC 5280 §4.2.1.10: a domain, and what has labels before it; of the empty one, every name.
fn is_in_domain(name: &str, domain: &str) -> bool {
    domain.is_empty() || name.eq_ignore_ascii_case(domain) || is_below(name, domain)
}

/// Whether `name` has labels before `domain`.
fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.as_bytes(), domain.as_bytes());
    let split = name.len().checked_sub(domain.len()).and_then(|at| name.split_at_checked(at));
    split.is_some_and(|(labels, tail)| labels.ends_with(b".") && tail.eq_ignore_ascii_case(domain))
}

fn is_dns_name(name: &str) -> bool {
    name.len() <= MAX_DNS_NAME_LEN && name.split('.').all(is_label) && name.parse::<Ipv4Addr>().is_err()
}

fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_LEN).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn is_email_base(base: &str) -> bool {
    match base.rsplit_once('@') {
        Some((local, host)) => {
            !local.is_empty()
                && local.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'@')
                && is_dns_name(host)
        }
        None => is_dns_name(base.strip_prefix('.').unwrap_or(base)),
    }
}

impl Subnet {
    /// The addresses that share their first `prefix_len` bits with `address`, which has no others set.
    #[must_use]
    pub fn new(address: IpAddr, prefix_len: u8) -> Option<Self> {
        let beyond = match address {
            IpAddr::V4(v4) => u128::from(v4.to_bits() & !u32_mask(prefix_len)?),
            IpAddr::V6(v6) => v6.to_bits() & !u128_mask(prefix_len)?,
        };
        (beyond == 0).then_some(Self { address, prefix_len })
    }

    /// Whether every address of this is one of `outer`'s.
    #[must_use]
    pub fn is_within(self, outer: Self) -> bool {
        outer.contains(self.address) && self.prefix_len >= outer.prefix_len
    }

    /// Whether the address is one of these.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                u32_mask(self.prefix_len).is_some_and(|mask| address.to_bits() & mask == base.to_bits())
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                u128_mask(self.prefix_len).is_some_and(|mask| address.to_bits() & mask == base.to_bits())
            }
            _ => false,
        }
    }

    /// Address and mask (RFC 5280 §4.2.1.10, in the style of RFC 4632).
    fn to_wire(self) -> der::Result<OctetString> {
        OctetString::new(match self.address {
            IpAddr::V4(v4) => {
                let mask = u32_mask(self.prefix_len).unwrap_or_default().to_be_bytes();
                [v4.octets(), mask].concat()
            }
            IpAddr::V6(v6) => {
                let mask = u128_mask(self.prefix_len).unwrap_or_default().to_be_bytes();
                [v6.octets(), mask].concat()
            }
        })
    }

    fn from_wire(octets: &[u8]) -> Option<Self> {
        let (address, mask) = octets.split_at_checked(octets.len() / 2)?;
        let ones = mask.iter().map(|octet| octet.count_ones()).sum::<u32>();
        let leading = mask.iter().take_while(|octet| **octet == 0xff).count();
        let partial = mask.get(leading).map_or(0, |octet| octet.leading_ones());
        let prefix_len = u32::try_from(leading * 8).ok()? + partial;
        let address = match octets.len() {
            8 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(address).ok()?)),
            32 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(address).ok()?)),
            _ => return None,
        };
        // A mask with holes is no prefix.
        if ones != prefix_len {
            return None;
        }
        Self::new(address, u8::try_from(prefix_len).ok()?)
    }
}

fn u32_mask(prefix_len: u8) -> Option<u32> {
    let host_bits = 32_u32.checked_sub(prefix_len.into())?;
    Some(u32::MAX.checked_shl(host_bits).unwrap_or(0))
}

fn u128_mask(prefix_len: u8) -> Option<u128> {
    let host_bits = 128_u32.checked_sub(prefix_len.into())?;
    Some(u128::MAX.checked_shl(host_bits).unwrap_or(0))
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix_len)
    }
}

impl FromStr for Subnet {
    type Err = NotASubnet;

    fn from_str(text: &str) -> Result<Self, NotASubnet> {
        let read = || {
            let (address, prefix_len) = text.split_once('/')?;
            // A number has one text: neither signs nor leading zeros.
            let is_plain = prefix_len.bytes().all(|byte| byte.is_ascii_digit())
                && (prefix_len.len() == 1 || !prefix_len.starts_with('0'));
            Self::new(address.parse().ok()?, prefix_len.parse().ok().filter(|_| is_plain)?)
        };
        read().ok_or_else(|| NotASubnet(text.chars().take(64).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn email(base: &str) -> Subtree {
        Subtree::Email(base.to_owned())
    }

    fn dns(name: &str) -> Subtree {
        Subtree::Dns(name.to_owned())
    }

    #[test]
    fn constraints_read_back_as_they_were_written() {
        let constraints = NameConstraints {
            permitted: vec![
                dns("example.test"),
                Subtree::Ip("192.0.2.0/24".parse().unwrap()),
                Subtree::Ip("2001:db8::/33".parse().unwrap()),
                email("a@example.test"),
                email("example.test"),
                email(".example.test"),
                Subtree::Directory(Name::new("x", Some("Example")).unwrap()),
            ],
            excluded: vec![
                dns(""),
                Subtree::Ip("0.0.0.0/0".parse().unwrap()),
                Subtree::Ip("::/0".parse().unwrap()),
                Subtree::Ip("192.0.2.7/32".parse().unwrap()),
                Subtree::Ip("::1/128".parse().unwrap()),
            ],
        };
        let der = constraints.to_wire().unwrap().to_der().unwrap();
        let wire = WireNameConstraints::from_der(&der).unwrap();
        assert_eq!(NameConstraints::from_wire(&wire).unwrap(), constraints);
    }

    #[test]
    fn a_name_is_admitted_within_what_is_permitted_and_without_what_is_excluded() {
        let name = |text: &str| match text.parse() {
            Ok(address) => SubjectAltName::Ip(address),
            Err(_) => SubjectAltName::Dns(text.to_owned()),
        };
        let ip = |text: &str| Subtree::Ip(text.parse().unwrap());
        let constraints = NameConstraints {
            permitted: vec![dns("example.test"), dns("Other.TEST"), ip("10.0.0.0/8")],
            excluded: vec![dns("secret.example.test"), ip("10.1.0.0/16")],
        };
        for good in [
            "example.test",
            "a.example.test",
            "b.a.example.test",
            "*.a.example.test",
            "x.other.test",
            "10.2.0.1",
        ] {
            assert!(constraints.admits(&name(good)), "{good}");
        }
        for bad in [
            "test",
            "badexample.test",
            "example.test.evil.test",
            "secret.example.test",
            "a.SECRET.example.test",
            "*.secret.example.test",
            "*.example.test",
            "11.0.0.1",
            "10.1.2.3",
            "2001:db8::1",
        ] {
            assert!(!constraints.admits(&name(bad)), "{bad}");
        }
        // A kind of which nothing is permitted is free; one that is excluded as a whole is not.
        let no_addresses = NameConstraints {
            permitted: Vec::new(),
            excluded: vec![ip("0.0.0.0/0"), ip("::/0"), dns("example.test")],
        };
        assert!(no_addresses.admits(&name("a.test")) && no_addresses.admits(&name("*.test.test")));
        for bad in ["10.0.0.1", "::1", "example.test", "*.test"] {
            assert!(!no_addresses.admits(&name(bad)), "{bad}");
        }
        let no_names = NameConstraints { permitted: Vec::new(), excluded: vec![dns("")] };
        assert!(!no_names.admits(&name("a.test")) && no_names.admits(&name("10.0.0.1")));
        assert!(NameConstraints::default().admits(&name("a.test")));
    }

    #[test]
    fn subtrees_that_cannot_be_one_are_refused() {
        for subtree in [
            dns(".example.test"),
            dns("*.example.test"),
            dns("192.0.2.1"),
            dns("a..b"),
            email(""),
            email("@example.test"),
            email("a b@example.test"),
            email("a@"),
            Subtree::Other("a URI"),
        ] {
            let constraints = NameConstraints { permitted: vec![subtree.clone()], excluded: Vec::new() };
            assert!(constraints.to_wire().is_err(), "{subtree}");
        }
        let everything = NameConstraints { permitted: vec![dns("")], excluded: Vec::new() };
        assert!(everything.to_wire().unwrap_err().contains("only be excluded"));
    }

    #[test]
    fn a_subnet_has_no_bits_beyond_its_prefix() {
        for text in ["192.0.2.0/24", "10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::/0", "::1/128"] {
            assert_eq!(text.parse::<Subnet>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "192.0.2.0",
            "192.0.2.1/24",
            "192.0.2.0/33",
            "::/129",
            "1.2.3.4/+8",
            "10.0.0.0/08",
            "a/8",
            "::/",
        ] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_mask_with_holes_and_a_wrong_length_are_refused() {
        assert!(Subnet::from_wire(&[10, 0, 0, 0, 255, 0, 0, 0]).is_some());
        assert_eq!(Subnet::from_wire(&[10, 0, 0, 0, 255, 0, 255, 0]), None);
        assert_eq!(Subnet::from_wire(&[10, 0, 0, 0, 254, 1, 0, 0]), None);
        assert_eq!(Subnet::from_wire(&[10, 0, 0, 1, 255, 0, 0, 0]), None);
        for length in [0, 1, 4, 7, 9, 16, 31, 33] {
            assert_eq!(Subnet::from_wire(&vec![0; length]), None, "{length}");
        }
    }

    #[test]
    fn a_subtree_with_distances_is_refused() {
        let base = GeneralName::DnsName(Ia5String::new("example.test").unwrap());
        let subtree = GeneralSubtree { base, minimum: 1, maximum: None };
        assert!(Subtree::from_wire(&subtree).is_err());
    }

    #[test]
    fn a_subtree_is_within_another_of_its_kind_alone() {
        let ip = |text: &str| Subtree::Ip(text.parse().unwrap());
        for (inner, outer) in [
            (dns("example.test"), dns("example.test")),
            (dns("a.EXAMPLE.test"), dns("example.test")),
            (dns("example.test"), dns("")),
            (ip("10.1.0.0/16"), ip("10.0.0.0/8")),
            (ip("10.0.0.0/8"), ip("0.0.0.0/0")),
            (ip("2001:db8::/48"), ip("2001:db8::/32")),
            (email("a@example.test"), email("a@example.test")),
        ] {
            assert!(inner.is_within(&outer), "{inner} is within {outer}");
            assert!(inner == outer || !outer.is_within(&inner), "{outer} is not within {inner}");
        }
        for (inner, outer) in [
            (dns("badexample.test"), dns("example.test")),
            (dns(""), dns("example.test")),
            (ip("11.0.0.0/16"), ip("10.0.0.0/8")),
            (ip("::/0"), ip("0.0.0.0/0")),
            (ip("10.0.0.0/8"), dns("")),
            (Subtree::Other("a URI"), Subtree::Other("a URI")),
        ] {
            assert!(!inner.is_within(&outer), "{inner} is not within {outer}");
        }
    }
}
