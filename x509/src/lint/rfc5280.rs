//! What RFC 5280 demands of every certificate, of leaves and of CAs, and the RFCs on keys, algorithms and
//! must-staple beside it. Name constraints have a file of their own.

use std::collections::HashSet;

use der::Encode;
use spki::AlgorithmIdentifierOwned;
use x509_cert::{
    Version,
    ext::pkix::{
        AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage, KeyUsages,
        SubjectKeyIdentifier, name::GeneralName,
    },
    time::Time,
};

use super::{Lint, Subject, ensure};
use crate::{oid, validity::Validity};

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL_LEN: usize = 20;

/// The last year of UTCTime (RFC 5280 §4.1.2.5).
const LAST_UTC_YEAR: u16 = 2049;

/// RFC 1035 §2.3.4.
const MAX_LABEL_LEN: usize = 63;
const MAX_DNS_NAME_LEN: usize = 253;

/// The parameters of RSASSA-PSS with SHA-256, SHA-384 and SHA-512 as BRs §7.1.3.2.1 print them.
const PSS_PARAMETERS: [&str; 3] = [
    "3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120",
    "3034a00f300d06096086480165030402020500a11c301a06092a864886f70d010108300d06096086480165030402020500a203020130",
    "3034a00f300d06096086480165030402030500a11c301a06092a864886f70d010108300d06096086480165030402030500a203020140",
];

pub(super) const ANY: &[Lint] = &[
    Lint { name: "round_trip", citation: "X.690 §10, RFC 5280 §4.1", check: round_trip },
    Lint { name: "version_3", citation: "RFC 5280 §4.1.2.1", check: version_3 },
    Lint { name: "serial", citation: "RFC 5280 §4.1.2.2", check: serial },
    Lint {
        name: "signature_algorithms_agree",
        citation: "RFC 5280 §4.1.1.2",
        check: signature_algorithms_agree,
    },
    Lint {
        name: "signature_parameters",
        citation: "RFC 4055 §3.1, §5, RFC 5758 §3.2, RFC 8410 §3, RFC 9881 §2",
        check: signature_parameters,
    },
    Lint { name: "issuer_name", citation: "RFC 5280 §4.1.2.4", check: issuer_name },
    Lint { name: "validity_order", citation: "RFC 5280 §4.1.2.5", check: validity_order },
    Lint { name: "validity_encoding", citation: "RFC 5280 §4.1.2.5", check: validity_encoding },
    Lint {
        name: "validity_within_issuer",
        citation: "RFC 5280 §6.1.3 (a)(2)",
        check: validity_within_issuer,
    },
    Lint {
        name: "key_parameters",
        citation: "RFC 5480 §2.1.1, RFC 3279 §2.3.1, RFC 9881 §2",
        check: key_parameters,
    },
    Lint { name: "no_unique_identifiers", citation: "RFC 5280 §4.1.2.8", check: no_unique_identifiers },
    Lint { name: "no_repeated_extensions", citation: "RFC 5280 §4.2", check: no_repeated_extensions },
    Lint { name: "no_unknown_criticals", citation: "RFC 5280 §4.2", check: no_unknown_criticals },
    Lint {
        name: "authority_key_identifier", citation: "RFC 5280 §4.2.1.1", check: authority_key_identifier
    },
    Lint { name: "subject_key_identifier", citation: "RFC 5280 §4.2.1.2", check: subject_key_identifier },
    Lint { name: "certificate_policies", citation: "RFC 5280 §4.2.1.4", check: certificate_policies },
    Lint { name: "ml_dsa_key_usage", citation: "RFC 9881 §5", check: ml_dsa_key_usage },
];

pub(super) const NO_CA: &[Lint] =
    &[Lint { name: "leaf_is_no_ca", citation: "RFC 5280 §4.2.1.9", check: leaf_is_no_ca }];

pub(super) const LEAF: &[Lint] = &[
    Lint { name: "leaf_key_usage", citation: "RFC 5280 §4.2.1.3, RFC 8813 §3", check: leaf_key_usage },
    Lint { name: "leaf_is_no_ca", citation: "RFC 5280 §4.2.1.9", check: leaf_is_no_ca },
    Lint { name: "subject_alt_name", citation: "RFC 5280 §4.2.1.6", check: subject_alt_name },
    Lint { name: "dns_names", citation: "RFC 5280 §4.2.1.6, RFC 1034 §3.5", check: dns_names },
    Lint { name: "must_staple", citation: "RFC 7633 §4", check: must_staple },
];

pub(super) const CA: &[Lint] = &[
    Lint { name: "ca_subject", citation: "RFC 5280 §4.1.2.6", check: ca_subject },
    Lint { name: "ca_key_usage", citation: "RFC 5280 §4.2.1.3", check: ca_key_usage },
    Lint { name: "ca_basic_constraints", citation: "RFC 5280 §4.2.1.9", check: ca_basic_constraints },
    Lint { name: "ca_purposes", citation: "RFC 5280 §4.2.1.12", check: ca_purposes },
];

/// DER has one encoding for one value, so writing what was read gives the same bytes.
fn round_trip(subject: &Subject<'_>) -> Result<(), String> {
    let again = subject.parsed.to_der().map_err(|error| error.to_string())?;
    ensure(again == subject.certificate.der(), || {
        "the certificate is not DER: encoding it again gives other bytes".to_owned()
    })
}

fn version_3(subject: &Subject<'_>) -> Result<(), String> {
    let version = subject.tbs().version();
    ensure(version == Version::V3, || format!("the version is {version:?}"))
}

fn serial(subject: &Subject<'_>) -> Result<(), String> {
    let serial = subject.tbs().serial_number().as_bytes();
    ensure(serial.first().is_some_and(|first| *first < 0x80), || "the serial number is negative".to_owned())?;
    ensure(serial.iter().any(|octet| *octet != 0), || "the serial number is zero".to_owned())?;
    ensure(serial.len() <= MAX_SERIAL_LEN, || format!("the serial number has {} octets", serial.len()))
}

fn signature_algorithms_agree(subject: &Subject<'_>) -> Result<(), String> {
    let (outer, inner) = (subject.parsed.signature_algorithm(), subject.tbs().signature());
    ensure(outer == inner, || {
        format!("signatureAlgorithm is {}, but signature inside the certificate is {}", outer.oid, inner.oid)
    })
}

fn signature_parameters(subject: &Subject<'_>) -> Result<(), String> {
    check_signature_parameters(subject.tbs().signature())
}

/// Of a certificate's or a CRL's signature.
pub(super) fn check_signature_parameters(algorithm: &AlgorithmIdentifierOwned) -> Result<(), String> {
    let parameters = algorithm.parameters.as_ref();
    match algorithm.oid {
        oid::SHA256_WITH_RSA | oid::SHA384_WITH_RSA | oid::SHA512_WITH_RSA => {
            ensure(parameters.is_some_and(|any| any.is_null()), || {
                "the parameters of the RSA signature are not NULL".to_owned()
            })
        }
        oid::RSASSA_PSS => {
            let parameters = parameters.map(Encode::to_der).transpose().map_err(|error| error.to_string())?;
            let hex: String = parameters.iter().flatten().map(|octet| format!("{octet:02x}")).collect();
            ensure(PSS_PARAMETERS.contains(&hex.as_str()), || {
                format!("the parameters of the RSASSA-PSS signature are {hex:?}")
            })
        }
        _ => ensure(parameters.is_none(), || format!("signature algorithm {} has parameters", algorithm.oid)),
    }
}

/// Compares bytes: name chaining must not depend on a verifier's comparison rules.
fn issuer_name(subject: &Subject<'_>) -> Result<(), String> {
    let issuer = subject.tbs().issuer();
    ensure(!issuer.is_empty(), || "the issuer is empty".to_owned())?;
    let der = issuer.to_der().map_err(|error| error.to_string())?;
    ensure(der == subject.issuer.subject().der(), || {
        format!(
            "the issuer is {issuer}, but the issuing certificate's subject is {}",
            subject.issuer.subject()
        )
    })
}

fn validity_order(subject: &Subject<'_>) -> Result<(), String> {
    let validity = Validity::from_wire(subject.tbs().validity());
    ensure(validity.not_before <= validity.not_after, || {
        format!("notAfter {} is before notBefore {}", validity.not_after, validity.not_before)
    })
}

fn validity_encoding(subject: &Subject<'_>) -> Result<(), String> {
    let validity = subject.tbs().validity();
    [validity.not_before, validity.not_after].into_iter().try_for_each(check_time)
}

/// Of a certificate's or a CRL's time, that it is of the type for its year.
pub(super) fn check_time(time: Time) -> Result<(), String> {
    match time {
        // A UTCTime cannot say a later year.
        Time::UtcTime(_) => Ok(()),
        Time::GeneralTime(_) => {
            let date = time.to_date_time();
            ensure(date.year() > LAST_UTC_YEAR, || format!("{date} is a GeneralizedTime, not a UTCTime"))
        }
    }
}

fn validity_within_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let (validity, issuer) = (Validity::from_wire(subject.tbs().validity()), subject.issuer.validity());
    ensure(validity.is_within(&issuer), || {
        format!(
            "the validity {} to {} exceeds the issuer's {} to {}",
            validity.not_before, validity.not_after, issuer.not_before, issuer.not_after
        )
    })
}

fn key_parameters(subject: &Subject<'_>) -> Result<(), String> {
    let algorithm = &subject.tbs().subject_public_key_info().algorithm;
    let parameters = algorithm.parameters.as_ref();
    match algorithm.oid {
        oid::EC_PUBLIC_KEY => {
            let curve = parameters.and_then(|any| any.decode_as::<const_oid::ObjectIdentifier>().ok());
            ensure(curve.is_some(), || "the EC public key does not name its curve".to_owned())
        }
        oid::RSA_ENCRYPTION => ensure(parameters.is_some_and(|any| any.is_null()), || {
            "the parameters of the RSA public key are not NULL".to_owned()
        }),
        _ => {
            ensure(parameters.is_none(), || format!("public key algorithm {} has parameters", algorithm.oid))
        }
    }
}

fn no_unique_identifiers(subject: &Subject<'_>) -> Result<(), String> {
    let tbs = subject.tbs();
    ensure(tbs.issuer_unique_id().is_none() && tbs.subject_unique_id().is_none(), || {
        "there is an issuer or subject unique identifier".to_owned()
    })
}

fn no_repeated_extensions(subject: &Subject<'_>) -> Result<(), String> {
    let mut seen = HashSet::new();
    subject.extensions().iter().try_for_each(|extension| {
        ensure(seen.insert(extension.extn_id), || format!("extension {} is there twice", extension.extn_id))
    })
}

fn no_unknown_criticals(subject: &Subject<'_>) -> Result<(), String> {
    const MAY_BE_CRITICAL: [const_oid::ObjectIdentifier; 3] =
        [oid::KEY_USAGE, oid::BASIC_CONSTRAINTS, oid::SUBJECT_ALT_NAME];
    // RFC 5280 §4.2.1.10, §4.2.1.11, §4.2.1.14: in CAs, and always critical there.
    const MUST_BE_CRITICAL_IN_CAS: [const_oid::ObjectIdentifier; 3] =
        [oid::NAME_CONSTRAINTS, oid::POLICY_CONSTRAINTS, oid::INHIBIT_ANY_POLICY];
    let constraints = subject.decoded::<BasicConstraints>(oid::BASIC_CONSTRAINTS)?;
    let is_ca = constraints.is_some_and(|(_, constraints)| constraints.ca);
    subject.extensions().iter().filter(|extension| extension.critical).try_for_each(|extension| {
        let is_known = MAY_BE_CRITICAL.contains(&extension.extn_id)
            || (is_ca && MUST_BE_CRITICAL_IN_CAS.contains(&extension.extn_id));
        ensure(is_known, || format!("extension {} is critical", extension.extn_id))
    })
}

/// A self-issued certificate may leave it out.
fn authority_key_identifier(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, authority)) = subject.decoded::<AuthorityKeyIdentifier>(oid::AUTHORITY_KEY_IDENTIFIER)?
    else {
        return ensure(subject.is_self_issued(), || "there is no authorityKeyIdentifier".to_owned());
    };
    let identifier = authority.key_identifier.as_ref().map(|octets| octets.as_bytes());
    ensure(identifier.is_some() && identifier == subject.issuer.subject_key_identifier(), || {
        "the authorityKeyIdentifier is not the issuer's subjectKeyIdentifier".to_owned()
    })
}

fn subject_key_identifier(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, identifier)) = subject.decoded::<SubjectKeyIdentifier>(oid::SUBJECT_KEY_IDENTIFIER)? else {
        return Err("there is no subjectKeyIdentifier".to_owned());
    };
    ensure(!identifier.0.as_bytes().is_empty(), || "the subjectKeyIdentifier is empty".to_owned())
}

/// If there are policies there is at least one, and none twice.
fn certificate_policies(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, CertificatePolicies(policies))) = subject.decoded(oid::CERTIFICATE_POLICIES)? else {
        return Ok(());
    };
    ensure(!policies.is_empty(), || "the certificatePolicies are empty".to_owned())?;
    let mut seen = HashSet::new();
    policies.iter().try_for_each(|policy| {
        let identifier = policy.policy_identifier;
        ensure(seen.insert(identifier), || format!("policy {identifier} is there twice"))
    })
}

/// An ML-DSA key signs, and nothing is encrypted to it.
fn ml_dsa_key_usage(subject: &Subject<'_>) -> Result<(), String> {
    const ML_DSA: [const_oid::ObjectIdentifier; 3] = [oid::ML_DSA_44, oid::ML_DSA_65, oid::ML_DSA_87];
    if !ML_DSA.contains(&subject.tbs().subject_public_key_info().algorithm.oid) {
        return Ok(());
    }
    let Some((_, KeyUsage(usages))) = subject.decoded(oid::KEY_USAGE)? else { return Ok(()) };
    let signs =
        KeyUsages::DigitalSignature | KeyUsages::NonRepudiation | KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    ensure(!usages.is_empty() && (usages - signs).is_empty(), || {
        format!("keyUsage {usages:?} does not fit an ML-DSA key")
    })
}

/// An EC or Edwards key signs (RFC 8813 §3); an RSA key may be encrypted to besides.
fn leaf_key_usage(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, KeyUsage(usages))) = subject.decoded(oid::KEY_USAGE)? else {
        return Err("there is no keyUsage".to_owned());
    };
    ensure(critical, || "keyUsage is not critical".to_owned())?;
    ensure(usages.contains(KeyUsages::DigitalSignature), || "keyUsage lacks digitalSignature".to_owned())?;
    let permitted = match subject.tbs().subject_public_key_info().algorithm.oid {
        oid::RSA_ENCRYPTION => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
        _ => KeyUsages::DigitalSignature.into(),
    };
    ensure((usages - permitted).is_empty(), || format!("keyUsage {usages:?} does not fit the key"))
}

fn leaf_is_no_ca(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, constraints)) = subject.decoded::<BasicConstraints>(oid::BASIC_CONSTRAINTS)? else {
        return Ok(());
    };
    ensure(!constraints.ca, || "the leaf is a CA".to_owned())?;
    ensure(constraints.path_len_constraint.is_none(), || "the leaf has a pathLenConstraint".to_owned())
}

/// Present, never empty, of addresses with 4 or 16 octets; critical if and only if the subject is empty.
fn subject_alt_name(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, names)) = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)? else {
        return Err("there is no subjectAltName".to_owned());
    };
    ensure(!names.is_empty(), || "the subjectAltName is empty".to_owned())?;
    ensure(critical == subject.tbs().subject().is_empty(), || {
        format!("the subjectAltName is {}critical", if critical { "" } else { "not " })
    })?;
    names.iter().try_for_each(|name| match name {
        GeneralName::IpAddress(octets) => ensure(matches!(octets.as_bytes().len(), 4 | 16), || {
            format!("an iPAddress has {} octets", octets.as_bytes().len())
        }),
        _ => Ok(()),
    })
}

/// The preferred name syntax; a wildcard is a whole leftmost label. A single label is a legal name.
fn dns_names(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, names)) = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)? else { return Ok(()) };
    names.iter().try_for_each(|name| match name {
        GeneralName::DnsName(text) => {
            let text = text.as_str();
            let bare = text.strip_prefix("*.").unwrap_or(text);
            let is_legal = text.len() <= MAX_DNS_NAME_LEN
                && bare.split('.').all(is_label)
                && bare.parse::<std::net::Ipv4Addr>().is_err();
            ensure(is_legal, || format!("{text:?} is not a legal DNS name"))
        }
        _ => Ok(()),
    })
}

pub(super) fn is_label(label: &str) -> bool {
    (1..=MAX_LABEL_LEN).contains(&label.len())
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
}

fn must_staple(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, features)) = subject.decoded::<Vec<u16>>(oid::TLS_FEATURE)? else { return Ok(()) };
    ensure(features == [5], || format!("the TLS features are {features:?}, not status_request alone"))
}

fn ca_subject(subject: &Subject<'_>) -> Result<(), String> {
    ensure(!subject.tbs().subject().is_empty(), || "the subject of the CA is empty".to_owned())
}

fn ca_key_usage(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, KeyUsage(usages))) = subject.decoded(oid::KEY_USAGE)? else {
        return Err("there is no keyUsage".to_owned());
    };
    ensure(critical, || "keyUsage is not critical".to_owned())?;
    let needed = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
    ensure(usages.contains(needed) && (usages - needed - KeyUsages::DigitalSignature).is_empty(), || {
        format!("keyUsage is {usages:?}, not keyCertSign and cRLSign, with or without digitalSignature")
    })
}

/// If there are purposes there is at least one, and none twice.
fn ca_purposes(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, ExtendedKeyUsage(purposes))) = subject.decoded(oid::EXTENDED_KEY_USAGE)? else {
        return Ok(());
    };
    ensure(!purposes.is_empty(), || "the extendedKeyUsage is empty".to_owned())?;
    let mut seen = HashSet::new();
    purposes
        .iter()
        .try_for_each(|purpose| ensure(seen.insert(*purpose), || format!("purpose {purpose} is there twice")))
}

/// A CA, critically so; below an issuer with a path length, one with a smaller path length.
fn ca_basic_constraints(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, constraints)) = subject.decoded::<BasicConstraints>(oid::BASIC_CONSTRAINTS)? else {
        return Err("there is no basicConstraints".to_owned());
    };
    ensure(critical, || "basicConstraints is not critical".to_owned())?;
    ensure(constraints.ca, || "basicConstraints does not say CA".to_owned())?;
    match subject.issuer.path_len() {
        Some(allowed) if !subject.is_self_issued() => {
            ensure(constraints.path_len_constraint.is_some_and(|path_len| path_len < allowed), || {
                format!("the issuer's pathLenConstraint is {allowed}")
            })
        }
        _ => Ok(()),
    }
}
