//! All that a certificate's extensions say, as plain data: for a person to read, or to compare with what was
//! asked for. Reading happens here and not when a certificate is parsed, since issuing has no use for most of
//! it.

use der::Decode;
use x509_cert::ext::{
    Extension,
    pkix::{
        AuthorityInfoAccessSyntax, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage,
        KeyUsage as WireKeyUsage, NameConstraints as WireNameConstraints,
        name::{DistributionPointName, GeneralName},
    },
};

use crate::{
    certificate::{Certificate, CertificateError},
    constraints::NameConstraints,
    oid,
    policy::CertificatePolicy,
    purpose::{KeyUsage, Purpose},
    tbs::TbsCertificate,
    wire::TbsCertificateFields,
};

/// What a certificate says besides what [`Certificate`] has accessors for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description {
    /// keyUsage; empty if there is none.
    pub key_usage: Vec<KeyUsage>,
    /// extendedKeyUsage in its order; empty if there is none.
    pub purposes: Vec<Purpose>,
    /// nameConstraints; empty if there are none.
    pub name_constraints: NameConstraints,
    /// certificatePolicies in their order.
    pub policies: Vec<CertificatePolicy>,
    /// Where OCSP answers (authorityInfoAccess).
    pub ocsp_urls: Vec<String>,
    /// Where the issuer's certificate lies (authorityInfoAccess).
    pub issuer_urls: Vec<String>,
    /// Where the CRL lies (cRLDistributionPoints).
    pub crl_urls: Vec<String>,
    /// Clients need not ask whether it is revoked (RFC 6960 §4.2.2.2.1).
    pub ocsp_no_check: bool,
    /// What is there besides, each in words: an extension that is not described here, or a part of one.
    pub others: Vec<String>,
}

impl Certificate {
    /// Reads what the extensions say. One that is malformed is an error.
    pub fn description(&self) -> Result<Description, CertificateError> {
        self.tbs().description()
    }
}

impl TbsCertificate {
    /// Reads what the extensions say. One that is malformed is an error.
    pub fn description(&self) -> Result<Description, CertificateError> {
        let fields = TbsCertificateFields::from_der(&self.der)?;
        Ok(Description::of(fields.extensions.as_deref().unwrap_or_default())?)
    }
}

impl Description {
    pub(crate) fn of(extensions: &[Extension]) -> der::Result<Self> {
        let mut description = Self::default();
        for extension in extensions {
            description.add(extension)?;
        }
        Ok(description)
    }

    fn add(&mut self, extension: &Extension) -> der::Result<()> {
        let value = extension.extn_value.as_bytes();
        match extension.extn_id {
            oid::KEY_USAGE => self.key_usage = KeyUsage::from_wire(WireKeyUsage::from_der(value)?),
            oid::EXTENDED_KEY_USAGE => {
                let ExtendedKeyUsage(purposes) = ExtendedKeyUsage::from_der(value)?;
                self.purposes = purposes.into_iter().map(Purpose::from_oid).collect();
            }
            oid::NAME_CONSTRAINTS => {
                self.name_constraints = NameConstraints::from_wire(&WireNameConstraints::from_der(value)?)?;
            }
            oid::CERTIFICATE_POLICIES => {
                for policy in CertificatePolicies::from_der(value)?.0 {
                    let (policy, others) = CertificatePolicy::from_wire(&policy);
                    self.policies.push(policy);
                    self.others.extend(others);
                }
            }
            oid::AUTHORITY_INFO_ACCESS => self.add_access(AuthorityInfoAccessSyntax::from_der(value)?),
            oid::CRL_DISTRIBUTION_POINTS => self.add_crls(CrlDistributionPoints::from_der(value)?),
            oid::OCSP_NO_CHECK => self.ocsp_no_check = true,
            // Certificate has accessors for these.
            oid::BASIC_CONSTRAINTS
            | oid::SUBJECT_KEY_IDENTIFIER
            | oid::AUTHORITY_KEY_IDENTIFIER
            | oid::SUBJECT_ALT_NAME => {}
            other => {
                let critical = if extension.critical { "critical " } else { "" };
                self.others.push(format!("{critical}extension {other}"));
            }
        }
        Ok(())
    }

    fn add_access(&mut self, access: AuthorityInfoAccessSyntax) {
        for description in access.0 {
            let urls = match description.access_method {
                oid::OCSP => &mut self.ocsp_urls,
                oid::CA_ISSUERS => &mut self.issuer_urls,
                other => {
                    self.others.push(format!("authorityInfoAccess by method {other}"));
                    continue;
                }
            };
            match description.access_location {
                GeneralName::UniformResourceIdentifier(url) => urls.push(url.as_str().to_owned()),
                _ => self.others.push("authorityInfoAccess at a place that is no URL".to_owned()),
            }
        }
    }

    fn add_crls(&mut self, points: CrlDistributionPoints) {
        for point in points.0 {
            if point.reasons.is_some() || point.crl_issuer.is_some() {
                self.others.push("a CRL distribution point for some reasons or by another issuer".to_owned());
            }
            let Some(DistributionPointName::FullName(names)) = point.distribution_point else {
                self.others.push("a CRL distribution point without a full name".to_owned());
                continue;
            };
            for name in names {
                match name {
                    GeneralName::UniformResourceIdentifier(url) => {
                        self.crl_urls.push(url.as_str().to_owned())
                    }
                    _ => self.others.push("a CRL distribution point that is no URL".to_owned()),
                }
            }
        }
    }
}
