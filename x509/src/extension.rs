//! Writes the extensions of RFC 5280 §4.2, RFC 6960 and RFC 7633 that profiles are made of, one function each.
//! Criticality is part of what an extension means, so it is decided here and nowhere else.

use const_oid::ObjectIdentifier;
use der::{
    Encode,
    asn1::{Ia5String, OctetString},
    flagset::FlagSet,
};
use x509_cert::ext::{
    Extension,
    pkix::{
        AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
        CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, NameConstraints,
        SubjectKeyIdentifier,
        certpolicy::PolicyInformation,
        crl::dp::{DistributionPoint, IssuingDistributionPoint},
        name::{DistributionPointName, GeneralName},
    },
};

use crate::{oid, purpose::Purpose, san::SubjectAltName, spki::KeyKind};

/// `SEQUENCE { INTEGER 5 }`: the status_request feature alone, known as must-staple (RFC 7633 §4).
const MUST_STAPLE: [u8; 5] = [0x30, 3, 0x02, 1, 5];

/// What a leaf's key does in TLS (RFC 5280 §4.2.1.3): it signs, and TLS 1.2 may encrypt to an RSA key as
/// well (RFC 5246 §7.4.2).
pub(crate) fn leaf_key_usage(key: KeyKind) -> der::Result<Extension> {
    key_usage(match key {
        KeyKind::Rsa { .. } => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
        KeyKind::P256
        | KeyKind::P384
        | KeyKind::P521
        | KeyKind::Ed25519
        | KeyKind::MlDsa44
        | KeyKind::MlDsa65
        | KeyKind::MlDsa87 => KeyUsages::DigitalSignature.into(),
    })
}

/// A CA's key signs certificates and CRLs (RFC 5280 §4.2.1.3), and other things if it may.
pub(crate) fn ca_key_usage(digital_signature: bool) -> der::Result<Extension> {
    let usages = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    key_usage(if digital_signature { usages | KeyUsages::DigitalSignature } else { usages })
}

/// A key that signs, and nothing else.
pub(crate) fn signing_key_usage() -> der::Result<Extension> {
    key_usage(KeyUsages::DigitalSignature.into())
}

fn key_usage(usages: FlagSet<KeyUsages>) -> der::Result<Extension> {
    extension(oid::KEY_USAGE, true, &KeyUsage(usages))
}

/// extendedKeyUsage (RFC 5280 §4.2.1.12), not critical.
pub(crate) fn extended_key_usage(purposes: &[Purpose]) -> der::Result<Extension> {
    let purposes = purposes.iter().map(|purpose| purpose.oid()).collect();
    extension(oid::EXTENDED_KEY_USAGE, false, &ExtendedKeyUsage(purposes))
}

/// basicConstraints (RFC 5280 §4.2.1.9), always critical.
pub(crate) fn basic_constraints(ca: bool, path_len: Option<u8>) -> der::Result<Extension> {
    extension(oid::BASIC_CONSTRAINTS, true, &BasicConstraints { ca, path_len_constraint: path_len })
}

/// subjectKeyIdentifier (RFC 5280 §4.2.1.2), not critical.
pub(crate) fn subject_key_identifier(identifier: &[u8]) -> der::Result<Extension> {
    extension(oid::SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(OctetString::new(identifier)?))
}

/// authorityKeyIdentifier with the keyIdentifier alone (RFC 5280 §4.2.1.1), not critical.
pub(crate) fn authority_key_identifier(identifier: &[u8]) -> der::Result<Extension> {
    let identifier = AuthorityKeyIdentifier {
        key_identifier: Some(OctetString::new(identifier)?),
        authority_cert_issuer: None,
        authority_cert_serial_number: None,
    };
    extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &identifier)
}

/// subjectAltName; critical if and only if there is no subject (RFC 5280 §4.2.1.6).
pub(crate) fn subject_alt_name(names: &[SubjectAltName], subject_is_empty: bool) -> der::Result<Extension> {
    let names = names.iter().map(GeneralName::try_from).collect::<der::Result<Vec<_>>>()?;
    extension(oid::SUBJECT_ALT_NAME, subject_is_empty, &names)
}

/// authorityInfoAccess (RFC 5280 §4.2.2.1): where OCSP answers, and where the issuer's certificate lies.
pub(crate) fn authority_info_access(
    ocsp_urls: &[&str],
    issuer_urls: &[&str],
) -> der::Result<Option<Extension>> {
    let ocsp = ocsp_urls.iter().map(|url| (oid::OCSP, url));
    let issuer = issuer_urls.iter().map(|url| (oid::CA_ISSUERS, url));
    let descriptions = ocsp
        .chain(issuer)
        .map(|(access_method, url)| Ok(AccessDescription { access_method, access_location: uri(url)? }))
        .collect::<der::Result<Vec<_>>>()?;
    if descriptions.is_empty() {
        return Ok(None);
    }
    extension(oid::AUTHORITY_INFO_ACCESS, false, &AuthorityInfoAccessSyntax(descriptions)).map(Some)
}

/// cRLDistributionPoints with one point, where one CRL lies under all these full names (RFC 5280 §4.2.1.13),
/// not critical.
pub(crate) fn crl_distribution_point(urls: &[&str]) -> der::Result<Option<Extension>> {
    if urls.is_empty() {
        return Ok(None);
    }
    extension(oid::CRL_DISTRIBUTION_POINTS, false, &distribution_points(urls)?).map(Some)
}

fn distribution_points(urls: &[&str]) -> der::Result<CrlDistributionPoints> {
    let names = urls.iter().map(|url| uri(url)).collect::<der::Result<Vec<_>>>()?;
    let point = DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(names)),
        reasons: None,
        crl_issuer: None,
    };
    Ok(CrlDistributionPoints(vec![point]))
}

/// nameConstraints (RFC 5280 §4.2.1.10), always critical: who does not know them must not go on.
pub(crate) fn name_constraints(constraints: &NameConstraints) -> der::Result<Extension> {
    extension(oid::NAME_CONSTRAINTS, true, constraints)
}

/// certificatePolicies (RFC 5280 §4.2.1.4), not critical.
pub(crate) fn certificate_policies(policies: Vec<PolicyInformation>) -> der::Result<Extension> {
    extension(oid::CERTIFICATE_POLICIES, false, &CertificatePolicies(policies))
}

/// cRLNumber (RFC 5280 §5.2.3), not critical.
pub(crate) fn crl_number(number: u64) -> der::Result<Extension> {
    extension(oid::CRL_NUMBER, false, &number)
}

/// deltaCRLIndicator (RFC 5280 §5.2.4), always critical: who does not know it would take the changes for the whole.
pub(crate) fn delta_crl_indicator(base: u64) -> der::Result<Extension> {
    extension(oid::DELTA_CRL_INDICATOR, true, &base)
}

/// freshestCRL (RFC 5280 §5.2.6): where the delta CRL lies, not critical.
pub(crate) fn freshest_crl(url: &str) -> der::Result<Extension> {
    extension(oid::FRESHEST_CRL, false, &distribution_points(&[url])?)
}

/// issuingDistributionPoint (RFC 5280 §5.2.5), always critical: who does not know it would take a part of the
/// list for the whole.
pub(crate) fn issuing_distribution_point(point: &IssuingDistributionPoint) -> der::Result<Extension> {
    extension(oid::ISSUING_DISTRIBUTION_POINT, true, point)
}

/// id-pkix-ocsp-nocheck (RFC 6960 §4.2.2.2.1), not critical.
pub(crate) fn ocsp_no_check() -> der::Result<Extension> {
    extension(oid::OCSP_NO_CHECK, false, &der::asn1::Null)
}

/// The must-staple TLS feature (RFC 7633 §4), not critical: who does not know it may go on.
pub(crate) fn must_staple() -> der::Result<Extension> {
    Ok(Extension { extn_id: oid::TLS_FEATURE, critical: false, extn_value: OctetString::new(MUST_STAPLE)? })
}

fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}

fn extension(extn_id: ObjectIdentifier, critical: bool, value: &impl Encode) -> der::Result<Extension> {
    Ok(Extension { extn_id, critical, extn_value: OctetString::new(value.to_der()?)? })
}
