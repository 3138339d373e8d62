//! Certificate policies (RFC 5280 §4.2.1.4): under which rules a certificate was issued, as an OID and perhaps
//! the URL of the text.

use const_oid::ObjectIdentifier;
use der::asn1::{Any, Ia5String};
use x509_cert::ext::pkix::certpolicy::{PolicyInformation, PolicyQualifierInfo};

use crate::oid;

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificatePolicy {
    identifier: ObjectIdentifier,
    cps_url: Option<String>,
}

/// Why a policy cannot be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not an OID in dotted numbers.
    #[error("{0:?} is no object identifier, such as 1.3.6.1.4.1.99999.1")]
    Identifier(String),
    /// Not an http or https URL in ASCII (BRs §7.1.2.10.5).
    #[error("{0:?} is no URL that begins with http:// or https://")]
    Url(String),
}

impl CertificatePolicy {
    /// The policy with this OID, and where the certification practice statement lies.
    pub fn new(identifier: &str, cps_url: Option<&str>) -> Result<Self, PolicyError> {
        let shortened = |text: &str| text.chars().take(128).collect();
        let identifier =
            identifier.parse().map_err(|_oid_error| PolicyError::Identifier(shortened(identifier)))?;
        if let Some(url) = cps_url {
            let is_web = url.starts_with("http://") || url.starts_with("https://");
            if !is_web || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(PolicyError::Url(shortened(url)));
            }
        }
        Ok(Self { identifier, cps_url: cps_url.map(str::to_owned) })
    }

    /// The OID in dotted numbers.
    #[must_use]
    pub fn identifier(&self) -> String {
        self.identifier.to_string()
    }

    /// Where the certification practice statement lies.
    #[must_use]
    pub fn cps_url(&self) -> Option<&str> {
        self.cps_url.as_deref()
    }

    pub(crate) fn to_wire(&self) -> der::Result<PolicyInformation> {
        let qualifier = |url: &String| -> der::Result<_> {
            let qualifier = Some(Any::encode_from(&Ia5String::new(url)?)?);
            Ok(vec![PolicyQualifierInfo { policy_qualifier_id: oid::CPS, qualifier }])
        };
        Ok(PolicyInformation {
            policy_identifier: self.identifier,
            policy_qualifiers: self.cps_url.as_ref().map(qualifier).transpose()?,
        })
    }

    /// The policy, and what else was said about it that has no place in it.
    pub(crate) fn from_wire(wire: &PolicyInformation) -> (Self, Vec<String>) {
        let mut policy = Self { identifier: wire.policy_identifier, cps_url: None };
        let mut others = Vec::new();
        for qualifier in wire.policy_qualifiers.iter().flatten() {
            let url = qualifier.qualifier.as_ref().and_then(|any| any.decode_as::<Ia5String>().ok());
            match url {
                Some(url) if qualifier.policy_qualifier_id == oid::CPS && policy.cps_url.is_none() => {
                    policy.cps_url = Some(url.as_str().to_owned());
                }
                _ => others.push(format!(
                    "qualifier {} of policy {}",
                    qualifier.policy_qualifier_id, policy.identifier
                )),
            }
        }
        (policy, others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_back_as_it_was_written() {
        for url in [None, Some("https://ca.example.test/cps")] {
            let policy = CertificatePolicy::new("1.3.6.1.4.1.99999.1", url).unwrap();
            let (read, others) = CertificatePolicy::from_wire(&policy.to_wire().unwrap());
            assert_eq!((read, others), (policy, Vec::new()));
        }
    }

    #[test]
    fn what_is_no_oid_or_no_url_is_refused() {
        for text in ["", "1", "policy", "1.2.", "9.1.1"] {
            assert!(matches!(CertificatePolicy::new(text, None), Err(PolicyError::Identifier(_))), "{text}");
        }
        for url in ["", "ftp://ca.example.test", "http://müller.test", "http://a b"] {
            assert!(matches!(CertificatePolicy::new("1.2.3", Some(url)), Err(PolicyError::Url(_))), "{url}");
        }
    }

    #[test]
    fn a_user_notice_is_told() {
        let notice = PolicyQualifierInfo { policy_qualifier_id: oid::USER_NOTICE, qualifier: None };
        let wire = PolicyInformation {
            policy_identifier: "1.2.3".parse().unwrap(),
            policy_qualifiers: Some(vec![notice]),
        };
        let (_, others) = CertificatePolicy::from_wire(&wire);
        assert_eq!(others, ["qualifier 1.3.6.1.5.5.7.2.2 of policy 1.2.3"]);
    }
}
