//! The certificate of a subscriber: a TLS server, perhaps a TLS client.

use super::{BuildError, Parts, assemble, authority, check_validity};
use crate::{
    algorithm::SignatureAlgorithm, certificate::Certificate, extension, name::Name, purpose::Purpose,
    san::SubjectAltName, spki::PublicKey, tbs::TbsCertificate, validity::Validity,
};

/// ub-common-name (RFC 5280 appendix A.1).
const MAX_COMMON_NAME_LEN: usize = 64;

/// What a subscriber's certificate shall look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeafProfile {
    /// Carry the must-staple TLS feature (RFC 7633).
    pub must_staple: bool,
    /// Carry a common name: the one asked for if it is among the names, else the first DNS name, either
    /// only if it has at most 64 characters. Without one the subject is empty and the subjectAltName
    /// critical (RFC 5280 §4.2.1.6).
    pub common_name: bool,
    /// Good for TLS servers.
    pub server_auth: bool,
    /// Good for TLS clients.
    pub client_auth: bool,
}

impl Default for LeafProfile {
    fn default() -> Self {
        Self { must_staple: false, common_name: true, server_auth: true, client_auth: false }
    }
}

/// What goes into one leaf.
#[derive(Clone, Copy, Debug)]
pub struct LeafInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity.
    pub validity: Validity,
    /// The key to certify.
    pub public_key: &'a PublicKey,
    /// The names to certify, in this order.
    pub names: &'a [SubjectAltName],
    /// The common name the subscriber would like.
    pub common_name: Option<&'a str>,
    /// Where the CRL that would list this certificate is published.
    pub crl_url: Option<&'a str>,
    /// Where OCSP answers for it.
    pub ocsp_url: Option<&'a str>,
    /// Where the issuer's certificate is published.
    pub issuer_url: Option<&'a str>,
}

/// Builds a leaf. The extensions stand in a fixed order: keyUsage, extendedKeyUsage, basicConstraints,
/// subjectKeyIdentifier, authorityKeyIdentifier, subjectAltName, then authorityInfoAccess,
/// cRLDistributionPoints and TLS feature where there are any.
pub fn leaf(
    profile: &LeafProfile,
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: LeafInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    if inputs.names.is_empty() {
        return Err(BuildError::NoNames);
    }
    if !profile.server_auth && !profile.client_auth {
        return Err(BuildError::NoPurpose);
    }
    check_validity(inputs.validity, Some(issuer.validity()))?;
    let authority = authority(issuer, signature)?;

    let common_name = if profile.common_name { common_name(inputs.common_name, inputs.names) } else { None };
    let subject = Name::common_name_only(common_name)?;
    let mut extensions = Vec::with_capacity(9);
    extensions.push(extension::leaf_key_usage(inputs.public_key.kind())?);
    extensions.push(extension::extended_key_usage(&purposes(profile))?);
    extensions.push(extension::basic_constraints(false, None)?);
    extensions.push(extension::subject_key_identifier(&inputs.public_key.key_identifier())?);
    extensions.push(extension::authority_key_identifier(authority)?);
    extensions.push(extension::subject_alt_name(inputs.names, subject.is_empty())?);
    extensions
        .extend(extension::authority_info_access(inputs.ocsp_url.as_slice(), inputs.issuer_url.as_slice())?);
    extensions.extend(extension::crl_distribution_point(inputs.crl_url.as_slice())?);
    if profile.must_staple {
        extensions.push(extension::must_staple()?);
    }
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: issuer.subject(),
        validity: inputs.validity,
        subject: &subject,
        public_key: inputs.public_key,
        extensions,
    })
}

fn purposes(profile: &LeafProfile) -> Vec<Purpose> {
    let purposes = [(profile.server_auth, Purpose::ServerAuth), (profile.client_auth, Purpose::ClientAuth)];
    purposes.into_iter().filter_map(|(wanted, purpose)| wanted.then_some(purpose)).collect()
}

/// The common name to write: the wish if it is one of the names, else the first DNS name; short ones only.
fn common_name<'a>(wish: Option<&'a str>, names: &'a [SubjectAltName]) -> Option<&'a str> {
    let is_short = |name: &&str| name.len() <= MAX_COMMON_NAME_LEN;
    let is_among_the_names = |wish: &&str| {
        names.iter().any(|name| match name {
            SubjectAltName::Dns(name) => name == wish,
            SubjectAltName::Ip(address) => address.to_string() == **wish,
        })
    };
    let first_dns_name = || {
        names.iter().find_map(|name| match name {
            SubjectAltName::Dns(name) if is_short(&name.as_str()) => Some(name.as_str()),
            SubjectAltName::Dns(_) | SubjectAltName::Ip(_) => None,
        })
    };
    wish.filter(is_among_the_names).filter(is_short).or_else(first_dns_name)
}
