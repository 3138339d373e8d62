//! Which role a certificate names, and until when.

use cairn_core::Timestamp;
use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::Role;

/// What a certificate says of its holder. Whether to believe it, TLS has decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Certified {
    pub(in super::super) role: Role,
    pub(in super::super) begins: Timestamp,
    pub(in super::super) ends: Timestamp,
}

/// A certificate that names no role, or not one alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in super::super) enum NameError {
    #[error("its certificate cannot be read")]
    Unreadable,
    #[error(
        "its certificate is for {0}, which is not exactly one of the names that roles have (<role>.cairn.internal)"
    )]
    NotARole(String),
}

/// Reads `certificate`: its only DNS name must be a role's.
pub(in super::super) fn certified(certificate: &CertificateDer<'_>) -> Result<Certified, NameError> {
    let certificate = Certificate::from_der(certificate).map_err(|_| NameError::Unreadable)?;
    let tbs = certificate.tbs_certificate();
    let san = tbs.get_extension::<SubjectAltName>().map_err(|_| NameError::Unreadable)?;
    let names = san.map(|(_, names)| names.0).unwrap_or_default();
    let names: Vec<&str> = names
        .iter()
        .map(|name| match name {
            GeneralName::DnsName(name) => name.as_str(),
            _ => "a name of another type",
        })
        .collect();
    let role = match names.as_slice() {
        [name] => Role::from_dns_name(name),
        _ => None,
    };
    let role = role.ok_or_else(|| {
        NameError::NotARole(if names.is_empty() { "no name".to_owned() } else { names.join(", ") })
    })?;
    let unix = |time: x509_cert::time::Time| {
        Timestamp::from_unix(i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX))
    };
    let validity = tbs.validity();
    Ok(Certified { role, begins: unix(validity.not_before), ends: unix(validity.not_after) })
}
