//! The certificate of a delegated OCSP responder (RFC 6960 §4.2.2.2): a key that answers for a CA, so that the
//! CA's own can stay in its safe.

use super::{BuildError, Parts, assemble, authority, check_validity};
use crate::{
    algorithm::SignatureAlgorithm, certificate::Certificate, extension, name::Name, purpose::Purpose,
    spki::PublicKey, tbs::TbsCertificate, validity::Validity,
};

/// What goes into the certificate of an OCSP responder.
#[derive(Clone, Copy, Debug)]
pub struct OcspResponderInputs<'a> {
    /// The serial number, in the form of [`Certificate::serial`].
    pub serial: &'a [u8],
    /// When it is valid; within the issuer's validity. It cannot be revoked, so let it be short.
    pub validity: Validity,
    /// The responder's key.
    pub public_key: &'a PublicKey,
    /// The responder's name; must not be empty.
    pub subject: &'a Name,
}

/// Builds the certificate of a responder that answers for `issuer`, and must be issued by the very CA that
/// issued what it answers for (RFC 6960 §4.2.2.2). Clients are told not to check it (§4.2.2.2.1), so nothing
/// says where one could. That it is no CA is said by having no basicConstraints.
pub fn ocsp_responder(
    issuer: &Certificate,
    signature: SignatureAlgorithm,
    inputs: OcspResponderInputs<'_>,
) -> Result<TbsCertificate, BuildError> {
    if inputs.subject.is_empty() {
        return Err(BuildError::NoSubject);
    }
    if inputs.subject.der() == issuer.subject().der() {
        return Err(BuildError::SameName);
    }
    check_validity(inputs.validity, Some(issuer.validity()))?;
    let authority = authority(issuer, signature)?;
    assemble(Parts {
        serial: inputs.serial,
        signature,
        issuer: issuer.subject(),
        validity: inputs.validity,
        subject: inputs.subject,
        public_key: inputs.public_key,
        extensions: vec![
            extension::signing_key_usage()?,
            extension::extended_key_usage(&[Purpose::OcspSigning])?,
            extension::ocsp_no_check()?,
            extension::subject_key_identifier(&inputs.public_key.key_identifier())?,
            extension::authority_key_identifier(authority)?,
        ],
    })
}
