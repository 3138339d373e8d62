//! The certificates of CAs: roots, intermediates, and cross-certificates by which another root vouches for a
//! CA that exists.

use x509_cert::ext::Extension;

use super::{BuildError, Parts, assemble, authority, check_algorithm, check_validity};
use crate::{
    algorithm::SignatureAlgorithm, certificate::Certificate, constraints::NameConstraints, extension,
    name::Name, policy::CertificatePolicy, purpose::Purpose, spki::PublicKey, tbs::TbsCertificate,
    validity::Validity,
};

/// What the certificate of an intermediate, or a cross-certificate, shall look like. The default is a CA
/// without any limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaProfile {
    /// How many more intermediates may follow; 0 if it issues leaves only (RFC 5280 §4.2.1.9).
    pub path_len: Option<u8>,
    /// What it may issue for, in this order. With none there is no extendedKeyUsage, which means anything.
    pub purposes: Vec<Purpose>,
    /// Its key may sign other things than certificates and CRLs, such as OCSP responses (RFC 5280 §4.2.1.3).
    pub digital_signature: bool,
    /// The names that it may issue for (RFC 5280 §4.2.1.10). Empty ones are not written.
    pub name_constraints: NameConstraints,
    /// The policies that it may issue under (RFC 5280 §4.2.1.4), in this order.
    pub policies: Vec<CertificatePolicy>,
}

impl CaProfile {
    /// An intermediate that issues TLS certificates, and no other intermediates.
    #[must_use]
    pub fn for_tls() -> Self {
        let purposes = vec![Purpose::ServerAuth, Purpose::ClientAuth];
        Self { path_len: Some(0), purposes, ..Self::default() }
    }
}

/// What goes into a root.
#[derive(Clone, Copy, Debug)]
pub struct RootInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid.
    pub validity: Validity,
    /// The root's own key.
    pub public_key: &'a PublicKey,
    /// The root's name; must not be empty.
    pub subject: &'a Name,
    /// The root's key may sign OCSP responses too (BRs §7.1.2.1.2).
    pub digital_signature: bool,
}

/// What goes into an intermediate.
#[derive(Clone, Copy, Debug)]
pub struct IntermediateInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity.
    pub validity: Validity,
    /// The intermediate's key.
    pub public_key: &'a PublicKey,
    /// The intermediate's name; neither empty nor the issuer's.
    pub subject: &'a Name,
    /// What the issuer publishes, and where.
    pub urls: Urls<'a>,
}

/// What goes into a cross-certificate. Name, key and key identifier are those of the CA that exists.
#[derive(Clone, Copy, Debug)]
pub struct CrossInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity.
    pub validity: Validity,
    /// The certificate that the CA has already.
    pub existing: &'a Certificate,
    /// What the issuer of the cross-certificate publishes, and where.
    pub urls: Urls<'a>,
}

/// Where an issuer publishes what belongs to the certificates that it issues. Several of a kind are copies of
/// one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Urls<'a> {
    /// Its certificate.
    pub issuer: &'a [&'a str],
    /// Its OCSP responder.
    pub ocsp: &'a [&'a str],
    /// Its CRL.
    pub crl: &'a [&'a str],
}

/// Builds a root, which issues itself: no authorityKeyIdentifier, no path length, no extendedKeyUsage.
pub fn root(signature: SignatureAlgorithm, inputs: RootInputs<'_>) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.is_empty() {
        return Err(BuildError::NoSubject);
    }
    check_algorithm(inputs.public_key.kind(), signature)?;
    check_validity(inputs.validity, None)?;
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: inputs.subject,
        validity: inputs.validity,
        subject: inputs.subject,
        public_key: inputs.public_key,
        extensions: vec![
            extension::basic_constraints(true, None)?,
            extension::ca_key_usage(inputs.digital_signature)?,
            extension::subject_key_identifier(&inputs.public_key.key_identifier())?,
        ],
    })
}

/// Builds an intermediate below `issuer`. The extensions stand in a fixed order: basicConstraints, keyUsage,
/// extendedKeyUsage, subjectKeyIdentifier, authorityKeyIdentifier, authorityInfoAccess,
/// cRLDistributionPoints, nameConstraints, certificatePolicies, as far as there are any.
pub fn intermediate(
    profile: &CaProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: IntermediateInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.is_empty() {
        return Err(BuildError::NoSubject);
    }
    let subject_key = inputs.public_key.key_identifier();
    subordinate(profile, issuer, signature, &inputs, &subject_key)
}

/// Builds a cross-certificate: `issuer` vouches for a CA that has a certificate already. What it issued stays
/// valid, and chains to either.
pub fn cross_certificate(
    profile: &CaProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: CrossInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    let CrossInputs { serial, validity, existing, urls } = inputs;
    if !existing.is_ca() {
        return Err(BuildError::SubjectNotACa);
    }
    let subject_key = existing.subject_key_identifier().ok_or(BuildError::SubjectKeyIdentifier)?;
    let inputs = IntermediateInputs {
        serial,
        validity,
        public_key: existing.public_key(),
        subject: existing.subject(),
        urls,
    };
    subordinate(profile, issuer, signature, &inputs, subject_key)
}

fn subordinate(
    profile: &CaProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: &IntermediateInputs<'_>,
    subject_key: &[u8],
) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.der() == issuer.subject().der() {
        return Err(BuildError::SameName);
    }
    check_validity(inputs.validity, Some(issuer.validity()))?;
    let authority = authority(issuer, signature)?;
    // RFC 5280 §4.2.1.9: the issuer's constraint counts the intermediates below it, this one included.
    if let Some(allowed) = issuer.path_len()
        && profile.path_len.is_none_or(|path_len| path_len >= allowed)
    {
        return Err(BuildError::PathLength);
    }
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: issuer.subject(),
        validity: inputs.validity,
        subject: inputs.subject,
        public_key: inputs.public_key,
        extensions: extensions(profile, inputs.urls, subject_key, authority)?,
    })
}

fn extensions(
    profile: &CaProfile,
    urls: Urls<'_>,
    subject_key: &[u8],
    authority: &[u8],
) -> Result<Vec<Extension>, BuildError> {
    let mut extensions = vec![
        extension::basic_constraints(true, profile.path_len)?,
        extension::ca_key_usage(profile.digital_signature)?,
    ];
    if !profile.purposes.is_empty() {
        extensions.push(extension::extended_key_usage(&profile.purposes)?);
    }
    extensions.push(extension::subject_key_identifier(subject_key)?);
    extensions.push(extension::authority_key_identifier(authority)?);
    extensions.extend(extension::authority_info_access(urls.ocsp, urls.issuer)?);
    extensions.extend(extension::crl_distribution_point(urls.crl)?);
    if !profile.name_constraints.is_empty() {
        let constraints = profile.name_constraints.to_wire().map_err(BuildError::NameConstraint)?;
        extensions.push(extension::name_constraints(&constraints)?);
    }
    if !profile.policies.is_empty() {
        let policies = profile.policies.iter().map(CertificatePolicy::to_wire);
        extensions.push(extension::certificate_policies(policies.collect::<der::Result<_>>()?)?);
    }
    Ok(extensions)
}
