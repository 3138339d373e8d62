//! What a certified key is for: keyUsage (RFC 5280 §4.2.1.3) and extendedKeyUsage (§4.2.1.12), in the words of
//! those sections.

use std::{fmt, str::FromStr};

use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::{KeyUsage as WireKeyUsage, KeyUsages};

use crate::oid;

/// A purpose of extendedKeyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// TLS servers
    ServerAuth,
    /// TLS clients
    ClientAuth,
    /// Programs
    CodeSigning,
    /// S/MIME
    EmailProtection,
    /// Timestamps (RFC 3161)
    TimeStamping,
    /// OCSP responses (RFC 6960 §4.2.2.2)
    OcspSigning,
    /// Another one
    Other(ObjectIdentifier),
}

impl Purpose {
    const NAMED: [Self; 6] = [
        Self::ServerAuth,
        Self::ClientAuth,
        Self::CodeSigning,
        Self::EmailProtection,
        Self::TimeStamping,
        Self::OcspSigning,
    ];

    pub(crate) fn oid(self) -> ObjectIdentifier {
        match self {
            Self::ServerAuth => oid::SERVER_AUTH,
            Self::ClientAuth => oid::CLIENT_AUTH,
            Self::CodeSigning => oid::CODE_SIGNING,
            Self::EmailProtection => oid::EMAIL_PROTECTION,
            Self::TimeStamping => oid::TIME_STAMPING,
            Self::OcspSigning => oid::OCSP_SIGNING,
            Self::Other(oid) => oid,
        }
    }

    pub(crate) fn from_oid(oid: ObjectIdentifier) -> Self {
        Self::NAMED.into_iter().find(|purpose| purpose.oid() == oid).unwrap_or(Self::Other(oid))
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerAuth => "serverAuth",
            Self::ClientAuth => "clientAuth",
            Self::CodeSigning => "codeSigning",
            Self::EmailProtection => "emailProtection",
            Self::TimeStamping => "timeStamping",
            Self::OcspSigning => "OCSPSigning",
            Self::Other(oid) => return oid.fmt(f),
        })
    }
}

/// The text is no [`Purpose`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown purpose {0:?}: use serverAuth, clientAuth, codeSigning, emailProtection, timeStamping or OCSPSigning"
)]
pub struct UnknownPurpose(String);

/// Reads the names; an OID in place of a name is not taken, since it is more often a slip than a wish.
impl FromStr for Purpose {
    type Err = UnknownPurpose;

    fn from_str(text: &str) -> Result<Self, UnknownPurpose> {
        Self::NAMED
            .into_iter()
            .find(|purpose| purpose.to_string() == text)
            .ok_or_else(|| UnknownPurpose(text.chars().take(32).collect()))
    }
}

/// A bit of keyUsage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// digitalSignature
    DigitalSignature,
    /// nonRepudiation, which later editions of X.509 call contentCommitment
    NonRepudiation,
    /// keyEncipherment
    KeyEncipherment,
    /// dataEncipherment
    DataEncipherment,
    /// keyAgreement
    KeyAgreement,
    /// keyCertSign
    KeyCertSign,
    /// cRLSign
    CrlSign,
    /// encipherOnly
    EncipherOnly,
    /// decipherOnly
    DecipherOnly,
}

impl KeyUsage {
    /// Those of an extension, in the order of its bits.
    pub(crate) fn from_wire(usage: WireKeyUsage) -> Vec<Self> {
        let all = [
            (KeyUsages::DigitalSignature, Self::DigitalSignature),
            (KeyUsages::NonRepudiation, Self::NonRepudiation),
            (KeyUsages::KeyEncipherment, Self::KeyEncipherment),
            (KeyUsages::DataEncipherment, Self::DataEncipherment),
            (KeyUsages::KeyAgreement, Self::KeyAgreement),
            (KeyUsages::KeyCertSign, Self::KeyCertSign),
            (KeyUsages::CRLSign, Self::CrlSign),
            (KeyUsages::EncipherOnly, Self::EncipherOnly),
            (KeyUsages::DecipherOnly, Self::DecipherOnly),
        ];
        all.into_iter().filter_map(|(bit, name)| usage.0.contains(bit).then_some(name)).collect()
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DigitalSignature => "digitalSignature",
            Self::NonRepudiation => "nonRepudiation",
            Self::KeyEncipherment => "keyEncipherment",
            Self::DataEncipherment => "dataEncipherment",
            Self::KeyAgreement => "keyAgreement",
            Self::KeyCertSign => "keyCertSign",
            Self::CrlSign => "cRLSign",
            Self::EncipherOnly => "encipherOnly",
            Self::DecipherOnly => "decipherOnly",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_read_back_as_they_print() {
        for purpose in Purpose::NAMED {
            assert_eq!(purpose.to_string().parse(), Ok(purpose));
            assert_eq!(Purpose::from_oid(purpose.oid()), purpose);
        }
        let any = Purpose::from_oid("2.5.29.37.0".parse().unwrap());
        assert_eq!(any.to_string(), "2.5.29.37.0");
        assert!("server-auth".parse::<Purpose>().unwrap_err().to_string().contains("serverAuth"));
    }
}
