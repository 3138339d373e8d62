//! What is remembered of a certificate: its serial, whose it is, and whether it was revoked (RFC 5280 §5.3.1).

use std::fmt;
use std::str::FromStr;

use crate::id::{AccountId, IdError, OrderId, write_hex};
use crate::time::Timestamp;

/// Longest serial in octets, RFC 5280 §4.1.2.2.
const MAX_SERIAL: usize = 20;

/// A certificate's serial number: positive, 1 to 20 octets, big endian without leading zeros but the one that keeps it positive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(Vec<u8>);

impl Serial {
    /// From the content octets of the DER INTEGER. `None` if that is no positive, minimal integer of at most 20 octets.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let minimal_and_positive = match bytes {
            [0, second, ..] => *second >= 0x80,
            [first, ..] => *first < 0x80 && *first > 0,
            [] => false,
        };
        (minimal_and_positive && bytes.len() <= MAX_SERIAL).then(|| Self(bytes.to_vec()))
    }

    /// The content octets of the DER INTEGER.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Lower-case hexadecimal, two digits an octet: as `openssl x509 -serial` shows it, but for case.
impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

impl FromStr for Serial {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text.as_bytes();
        if !digits.len().is_multiple_of(2) || digits.len() > 2 * MAX_SERIAL {
            return Err(IdError);
        }
        let octets = digits.chunks_exact(2).map(|pair| {
            let pair = std::str::from_utf8(pair).map_err(|_| IdError)?;
            crate::id::parse_hex::<1>(pair).map(|[octet]| octet)
        });
        Self::from_bytes(&octets.collect::<Result<Vec<u8>, IdError>>()?).ok_or(IdError)
    }
}

/// Names an issuer by its subject key identifier, which every certificate that it signs repeats as its authority key identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IssuerId([u8; 20]);

impl IssuerId {
    /// From the issuer's subject key identifier.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The subject key identifier.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }
}

impl fmt::Display for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(f, &self.0)
    }
}

impl FromStr for IssuerId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        crate::id::parse_hex(text).map(Self)
    }
}

impl fmt::Debug for IssuerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IssuerId({self})")
    }
}

/// One of the lists into which an issuer's revoked certificates are divided. A certificate names its list when it is issued, and stays
/// on it (RFC 5280 §4.2.1.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrlShard(u16);

impl CrlShard {
    /// The shard with this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CrlShard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An issued certificate and what has become of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Its serial.
    pub serial: Serial,
    /// The order it was issued for; `None` for the CA's own listeners.
    pub order: Option<OrderId>,
    /// The account it was issued to; `None` for the CA's own listeners.
    pub account: Option<AccountId>,
    /// Who signed it.
    pub issuer: IssuerId,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// When it ends.
    pub not_after: Timestamp,
    /// Whether, when and why it was revoked.
    pub revocation: Option<Revocation>,
}

/// What has become of a certificate, for whoever says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateStatus {
    /// Who signed it.
    pub issuer: IssuerId,
    /// Whether, when and why it was revoked.
    pub revocation: Option<Revocation>,
}

/// A revocation, as it stands in the database and later in CRLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// When.
    pub at: Timestamp,
    /// Why; `None` when the client gave no reason or `unspecified`, and then no reasonCode extension may appear (RFC 5280 §5.3.1).
    pub reason: Option<RevocationReason>,
}

/// The reasons that a client may give, RFC 5280 §5.3.1. The others of that section speak of CAs, of attributes, or of certificates
/// on hold, and `unspecified` is the absence of a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationReason {
    /// 1: the private key is in other hands.
    KeyCompromise,
    /// 3: the subject's name changed.
    AffiliationChanged,
    /// 4: replaced by another certificate.
    Superseded,
    /// 5: the service has ended.
    CessationOfOperation,
    /// 9: the subject lost a privilege.
    PrivilegeWithdrawn,
}

impl RevocationReason {
    /// Every reason, by rising code.
    pub const ALL: [Self; 5] = [
        Self::KeyCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// The CRLReason code.
    pub const fn code(self) -> u8 {
        match self {
            Self::KeyCompromise => 1,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
        }
    }

    /// The reason with this CRLReason code.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

/// A CA certificate that is known: an issuer's, a root's, a cross-certificate. Chains are made of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaCertificate {
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its subject key identifier, by which what it issued names it; `None` if that has not 20 octets.
    pub subject: Option<IssuerId>,
    /// When it was recorded first.
    pub at: Timestamp,
}

/// How many CA certificates are told at most: more than a CA needs in its life. Of more, the oldest are left out.
pub const MAX_CA_CERTIFICATES: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_are_positive_minimal_and_at_most_20_octets() {
        assert!(Serial::from_bytes(&[1]).is_some());
        assert!(Serial::from_bytes(&[0, 0x80]).is_some());
        assert!(Serial::from_bytes(&[0x7f; 20]).is_some());
        for bad in [&[][..], &[0], &[0, 1], &[0x80], &[1; 21]] {
            assert_eq!(Serial::from_bytes(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn serials_survive_their_text_form() {
        let serial = Serial::from_bytes(&[0x01, 0xab, 0xcd]).unwrap();
        assert_eq!(serial.to_string(), "01abcd");
        assert_eq!("01abcd".parse(), Ok(serial));
        for text in ["", "0", "1abcd", "zz", "01ABCD", "€€"] {
            assert!(text.parse::<Serial>().is_err(), "{text}");
        }
    }

    #[test]
    fn reasons_read_back_from_their_codes() {
        for reason in RevocationReason::ALL {
            assert_eq!(RevocationReason::from_code(reason.code()), Some(reason));
        }
        for code in [0, 2, 6, 7, 8, 10, 11] {
            assert_eq!(RevocationReason::from_code(code), None, "{code}");
        }
    }
}
