//! Which certificates a CRL is about (issuingDistributionPoint, RFC 5280 §5.2.5).

use der::{Decode, asn1::Ia5String};
use x509_cert::ext::pkix::{
    crl::IssuingDistributionPoint,
    name::{DistributionPointName, GeneralName},
};

use super::CrlError;

/// What a CRL is about, if not all that its issuer issued. To say nothing here is not possible: leave the scope
/// away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrlScope {
    /// Where it lies: it is about the certificates that name one of these places as theirs.
    pub urls: Vec<String>,
    /// The kind of certificates that it is about.
    pub contents: CrlContents,
}

/// A kind of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CrlContents {
    /// All.
    #[default]
    All,
    /// Those of subscribers.
    UserCertificates,
    /// Those of CAs.
    CaCertificates,
}

impl CrlScope {
    pub(super) fn is_empty(&self) -> bool {
        self.urls.is_empty() && self.contents == CrlContents::All
    }

    pub(super) fn to_wire(&self) -> der::Result<IssuingDistributionPoint> {
        let url = |url: &String| Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?));
        let names = self.urls.iter().map(url).collect::<der::Result<Vec<_>>>()?;
        Ok(IssuingDistributionPoint {
            distribution_point: (!names.is_empty()).then_some(DistributionPointName::FullName(names)),
            only_contains_user_certs: self.contents == CrlContents::UserCertificates,
            only_contains_ca_certs: self.contents == CrlContents::CaCertificates,
            only_some_reasons: None,
            indirect_crl: false,
            only_contains_attribute_certs: false,
        })
    }

    pub(super) fn read(value: &[u8]) -> Result<Self, CrlError> {
        let wire = IssuingDistributionPoint::from_der(value)?;
        if wire.only_some_reasons.is_some() {
            return Err(CrlError::Scope("it is for some reasons only"));
        }
        if wire.indirect_crl {
            return Err(CrlError::Scope("it lists other CAs' certificates"));
        }
        let contents = match (wire.only_contains_user_certs, wire.only_contains_ca_certs) {
            _ if wire.only_contains_attribute_certs => {
                return Err(CrlError::Scope("it is for attribute certificates"));
            }
            (false, false) => CrlContents::All,
            (true, false) => CrlContents::UserCertificates,
            (false, true) => CrlContents::CaCertificates,
            (true, true) => return Err(CrlError::Scope("it is for nothing")),
        };
        let names = match wire.distribution_point {
            None => Vec::new(),
            Some(DistributionPointName::FullName(names)) => names,
            Some(DistributionPointName::NameRelativeToCRLIssuer(_)) => {
                return Err(CrlError::Scope("its place is a name and no URL"));
            }
        };
        let url = |name| match name {
            GeneralName::UniformResourceIdentifier(url) => Ok(url.as_str().to_owned()),
            _ => Err(CrlError::Scope("its place is a name and no URL")),
        };
        Ok(Self { urls: names.into_iter().map(url).collect::<Result<_, _>>()?, contents })
    }
}
