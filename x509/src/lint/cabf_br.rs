//! What the CA/Browser Forum's Baseline Requirements add, as far as it makes sense for a CA that is not in
//! the browsers' root programs too. Public names, maximum lifetimes and policy OIDs are not asked for.

use std::collections::HashSet;

use der::{Decode, Encode};
use spki::AlgorithmIdentifierOwned;
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, CrlDistributionPoints, ExtendedKeyUsage,
    name::{DistributionPointName, GeneralName},
};

use super::{Lint, Subject, ensure};
use crate::{
    algorithm::SignatureAlgorithm, certificate::Certificate, name::Name, oid, spki::KeyKind,
    wire::RsaPublicKeyFields,
};

/// BRs §7.1.2: serial numbers carry at least 64 bits from a CSPRNG.
const MIN_SERIAL_LEN: usize = 8;

/// BRs §6.1.5.
const MIN_RSA_BITS: usize = 2048;

/// BRs §7.1.4.2, which is ub-common-name of RFC 5280 appendix A.1.
const MAX_COMMON_NAME_LEN: usize = 64;

pub(super) const ANY: &[Lint] = &[
    Lint { name: "serial_entropy", citation: "BRs §7.1.2", check: serial_entropy },
    Lint { name: "signature_fits_issuer", citation: "BRs §7.1.3.2", check: signature_fits_issuer },
    Lint { name: "rsa_key", citation: "BRs §6.1.5, §6.1.6", check: rsa_key },
    Lint { name: "urls_are_http", citation: "BRs §7.1.2.7.7, §7.1.2.11.2", check: urls_are_http },
];

pub(super) const LEAF: &[Lint] = &[
    Lint { name: "leaf_purposes", citation: "BRs §7.1.2.7.10", check: leaf_purposes },
    Lint {
        name: "subject_is_common_name_only",
        citation: "BRs §7.1.2.7.2",
        check: subject_is_common_name_only,
    },
    Lint { name: "common_name_is_a_name", citation: "BRs §7.1.4.3", check: common_name_is_a_name },
    Lint { name: "names_are_dns_or_ip", citation: "BRs §7.1.2.7.12", check: names_are_dns_or_ip },
    Lint { name: "names_stand_once", citation: "no standard; our own order", check: names_stand_once },
];

pub(super) const CA: &[Lint] = &[Lint {
    name: "root_is_unconstrained",
    citation: "BRs §7.1.2.1.2, §7.1.2.1.4",
    check: root_is_unconstrained,
}];

fn serial_entropy(subject: &Subject<'_>) -> Result<(), String> {
    let length = subject.tbs().serial_number().as_bytes().len();
    ensure(length >= MIN_SERIAL_LEN, || {
        format!("the serial number has {length} octets, too few to be random")
    })
}

/// ECDSA with the hash of the curve's size, RSA with any SHA-2. The BRs know neither Ed25519 nor ML-DSA:
/// those are what RFC 8410 §3 and RFC 9881 §2 say.
fn signature_fits_issuer(subject: &Subject<'_>) -> Result<(), String> {
    check_signature_fits(subject.tbs().signature(), subject.issuer)
}

/// Of a certificate's or a CRL's signature.
pub(super) fn check_signature_fits(
    algorithm: &AlgorithmIdentifierOwned,
    issuer: &Certificate,
) -> Result<(), String> {
    use SignatureAlgorithm as Alg;
    let algorithm =
        SignatureAlgorithm::from_identifier(&algorithm.into()).map_err(|error| error.to_string())?;
    let key = issuer.public_key().kind();
    let fits = match key {
        KeyKind::P256 => algorithm == Alg::EcdsaSha256,
        KeyKind::P384 => algorithm == Alg::EcdsaSha384,
        KeyKind::P521 => algorithm == Alg::EcdsaSha512,
        KeyKind::Rsa { .. } => matches!(
            algorithm,
            Alg::RsaSha256
                | Alg::RsaSha384
                | Alg::RsaSha512
                | Alg::RsaPssSha256
                | Alg::RsaPssSha384
                | Alg::RsaPssSha512
        ),
        KeyKind::Ed25519 => algorithm == Alg::Ed25519,
        KeyKind::MlDsa44 => algorithm == Alg::MlDsa44,
        KeyKind::MlDsa65 => algorithm == Alg::MlDsa65,
        KeyKind::MlDsa87 => algorithm == Alg::MlDsa87,
    };
    ensure(fits, || format!("the issuer's {key} key is not to sign with {algorithm}"))
}

/// At least 2048 bits, divisible by 8; an odd exponent of 3 or more.
fn rsa_key(subject: &Subject<'_>) -> Result<(), String> {
    let info = subject.tbs().subject_public_key_info();
    if info.algorithm.oid != oid::RSA_ENCRYPTION {
        return Ok(());
    }
    let key = RsaPublicKeyFields::from_der(info.subject_public_key.raw_bytes())
        .map_err(|error| format!("the RSA public key does not decode: {error}"))?;
    let modulus = key.modulus.as_bytes();
    let has_whole_octets = modulus.first().is_some_and(|first| *first >= 0x80);
    ensure(has_whole_octets && modulus.len() * 8 >= MIN_RSA_BITS, || {
        format!("an RSA modulus of {} octets, the first {:#x?}", modulus.len(), modulus.first())
    })?;
    let exponent = key.exponent.as_bytes();
    let is_odd = exponent.last().is_some_and(|last| last % 2 == 1);
    ensure(is_odd && exponent != [1], || "the RSA exponent is even or 1".to_owned())
}

/// A client that checks revocation while it sets up TLS must not need TLS for it.
fn urls_are_http(subject: &Subject<'_>) -> Result<(), String> {
    let access = subject.decoded::<AuthorityInfoAccessSyntax>(oid::AUTHORITY_INFO_ACCESS)?;
    for description in access.iter().flat_map(|(_, descriptions)| &descriptions.0) {
        ensure_http(&description.access_location)?;
    }
    let points = subject.decoded::<CrlDistributionPoints>(oid::CRL_DISTRIBUTION_POINTS)?;
    for point in points.iter().flat_map(|(_, points)| &points.0) {
        match &point.distribution_point {
            Some(DistributionPointName::FullName(names)) => names.iter().try_for_each(ensure_http)?,
            _ => return Err("a CRL distribution point has no full name".to_owned()),
        }
    }
    Ok(())
}

fn ensure_http(location: &GeneralName) -> Result<(), String> {
    match location {
        GeneralName::UniformResourceIdentifier(url) => {
            ensure(url.as_str().starts_with("http://"), || format!("{:?} is not an http URL", url.as_str()))
        }
        _ => Err("a location is not a URL".to_owned()),
    }
}

fn leaf_purposes(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, ExtendedKeyUsage(purposes))) = subject.decoded(oid::EXTENDED_KEY_USAGE)? else {
        return Err("there is no extendedKeyUsage".to_owned());
    };
    ensure(!purposes.is_empty(), || "the extendedKeyUsage is empty".to_owned())?;
    purposes.iter().try_for_each(|purpose| {
        ensure([oid::SERVER_AUTH, oid::CLIENT_AUTH].contains(purpose), || {
            format!("purpose {purpose} is neither server nor client authentication")
        })
    })
}

fn subject_is_common_name_only(subject: &Subject<'_>) -> Result<(), String> {
    let mut kinds = subject.tbs().subject().iter().map(|attribute| attribute.oid);
    ensure(matches!((kinds.next(), kinds.next()), (None | Some(oid::COMMON_NAME), None)), || {
        "the subject holds more than one common name".to_owned()
    })
}

fn common_name_is_a_name(subject: &Subject<'_>) -> Result<(), String> {
    let der = subject.tbs().subject().to_der().map_err(|error| error.to_string())?;
    let name = Name::from_der(&der).map_err(|error| error.to_string())?;
    let common_name = match name.common_names().next() {
        None => return Ok(()),
        Some(None) => return Err("the common name is not UTF-8, printable or IA5 text".to_owned()),
        Some(Some(common_name)) => common_name,
    };
    ensure(common_name.chars().count() <= MAX_COMMON_NAME_LEN, || {
        format!("the common name has {} characters", common_name.chars().count())
    })?;
    let names = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)?;
    let is_among_the_names = names.iter().flat_map(|(_, names)| names).any(|name| match name {
        GeneralName::DnsName(name) => name.as_str() == common_name,
        GeneralName::IpAddress(octets) => ip_text(octets.as_bytes()).is_some_and(|text| text == common_name),
        _ => false,
    });
    ensure(is_among_the_names, || format!("the common name {common_name:?} is not in the subjectAltName"))
}

fn ip_text(octets: &[u8]) -> Option<String> {
    let v4 = || Some(std::net::Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).to_string());
    let v6 = || Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).to_string());
    v4().or_else(v6)
}

fn names_are_dns_or_ip(subject: &Subject<'_>) -> Result<(), String> {
    let names = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)?;
    names.iter().flat_map(|(_, names)| names).try_for_each(|name| {
        ensure(matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_)), || {
            "the subjectAltName holds more than DNS names and IP addresses".to_owned()
        })
    })
}

/// Nobody forbids it, but the builder's caller promised a set.
fn names_stand_once(subject: &Subject<'_>) -> Result<(), String> {
    let names = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)?;
    let mut seen = HashSet::new();
    names.iter().flat_map(|(_, names)| names).try_for_each(|name| {
        let key = match name {
            GeneralName::DnsName(name) => name.as_str().to_ascii_lowercase().into_bytes(),
            GeneralName::IpAddress(octets) => octets.as_bytes().to_vec(),
            _ => return Ok(()),
        };
        ensure(seen.insert(key), || "a name stands twice in the subjectAltName".to_owned())
    })
}

/// A root has neither a path length nor purposes nor name constraints.
fn root_is_unconstrained(subject: &Subject<'_>) -> Result<(), String> {
    if !subject.is_self_issued() {
        return Ok(());
    }
    ensure(subject.extension(oid::EXTENDED_KEY_USAGE).is_none(), || {
        "the root has an extendedKeyUsage".to_owned()
    })?;
    ensure(subject.extension(oid::NAME_CONSTRAINTS).is_none(), || "the root has nameConstraints".to_owned())?;
    let constraints = subject.decoded::<x509_cert::ext::pkix::BasicConstraints>(oid::BASIC_CONSTRAINTS)?;
    let path_len = constraints.and_then(|(_, constraints)| constraints.path_len_constraint);
    ensure(path_len.is_none(), || "the root has a pathLenConstraint".to_owned())
}
