//! nameConstraints (RFC 5280 §4.2.1.10): well made, and within those of the issuer.

use std::mem::discriminant;

use der::{Decode, Encode};
use x509_cert::ext::pkix::{
    NameConstraints,
    constraints::name::{GeneralSubtree, GeneralSubtrees},
    name::GeneralName,
};

use super::{Lint, Subject, ensure, rfc5280::is_label};
use crate::oid;

pub(super) const CA: &[Lint] = &[
    Lint { name: "name_constraints", citation: "RFC 5280 §4.2.1.10", check: name_constraints },
    Lint {
        name: "name_constraints_within_issuer",
        citation: "RFC 5280 §6.1.4 (g)",
        check: name_constraints_within_issuer,
    },
    Lint { name: "names_within_issuer", citation: "RFC 5280 §6.1.3 (b), (c)", check: names_within_issuer },
];

pub(super) const END_ENTITY: &[Lint] = &[
    Lint { name: "no_name_constraints", citation: "RFC 5280 §4.2.1.10", check: no_name_constraints },
    Lint { name: "names_within_issuer", citation: "RFC 5280 §6.1.3 (b), (c)", check: names_within_issuer },
];

fn no_name_constraints(subject: &Subject<'_>) -> Result<(), String> {
    ensure(subject.extension(oid::NAME_CONSTRAINTS).is_none(), || {
        "there are nameConstraints in a certificate that is not a CA's".to_owned()
    })
}

/// Critical, not empty, without distances; addresses with a mask that is a prefix, DNS names that can be.
fn name_constraints(subject: &Subject<'_>) -> Result<(), String> {
    let Some((critical, constraints)) = subject.decoded::<NameConstraints>(oid::NAME_CONSTRAINTS)? else {
        return Ok(());
    };
    ensure(critical, || "nameConstraints is not critical".to_owned())?;
    let lists = [&constraints.permitted_subtrees, &constraints.excluded_subtrees];
    ensure(lists.iter().any(|list| list.is_some()), || "the nameConstraints are empty".to_owned())?;
    for list in lists.into_iter().flatten() {
        // GeneralSubtrees ::= SEQUENCE SIZE (1..MAX) OF GeneralSubtree
        ensure(!list.is_empty(), || "there is an empty list of subtrees".to_owned())?;
        list.iter().try_for_each(subtree)?;
    }
    // Everything of a kind is permitted by saying nothing of it.
    let is_all_dns =
        |one: &GeneralSubtree| matches!(&one.base, GeneralName::DnsName(name) if name.is_empty());
    ensure(!constraints.permitted_subtrees.iter().flatten().any(is_all_dns), || {
        "the empty DNS name is permitted".to_owned()
    })
}

fn subtree(subtree: &GeneralSubtree) -> Result<(), String> {
    ensure(subtree.minimum == 0 && subtree.maximum.is_none(), || {
        "a subtree has a minimum or maximum distance".to_owned()
    })?;
    match &subtree.base {
        GeneralName::DnsName(name) => {
            let name = name.as_str();
            ensure(name.is_empty() || name.split('.').all(is_label), || format!("{name:?} is no DNS name"))
        }
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            ensure(matches!(octets.len(), 8 | 32), || format!("an iPAddress has {} octets", octets.len()))?;
            let (address, mask) = octets.split_at(octets.len() / 2);
            // After the first zero bit of a prefix there is no one.
            let bits: Vec<bool> =
                mask.iter().flat_map(|octet| (0..8).map(move |bit| octet & (0x80 >> bit) != 0)).collect();
            ensure(bits.is_sorted_by(|left, right| left >= right), || {
                format!("the mask {mask:?} of an iPAddress is no prefix")
            })?;
            ensure(address.iter().zip(mask).all(|(address, mask)| address & !mask == 0), || {
                format!("the iPAddress {address:?} has bits beyond its mask")
            })
        }
        GeneralName::DirectoryName(name) => {
            ensure(!name.is_empty(), || "a directory name is empty".to_owned())
        }
        _ => Ok(()),
    }
}

/// Path validation takes what both permit and what either excludes (RFC 5280 §6.1.4 (g)): what is permitted
/// here and not there would be a promise that no verifier keeps. A kind that is not mentioned here is as
/// constrained as it is there.
fn name_constraints_within_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, own)) = subject.decoded::<NameConstraints>(oid::NAME_CONSTRAINTS)? else { return Ok(()) };
    let Some(outer) = of_the_issuer(subject)? else { return Ok(()) };
    let mut permitted = own.permitted_subtrees.iter().flatten();
    permitted.try_for_each(|permitted| check_within(&permitted.base, &outer, is_within))
}

/// Every name of the certificate, its subject included, is one that its issuer may issue for. A root constrains
/// what is below it alone.
fn names_within_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let Some(outer) = of_the_issuer(subject)? else { return Ok(()) };
    if subject.is_self_issued() {
        return Ok(());
    }
    if !subject.tbs().subject().is_empty() {
        let name = GeneralName::DirectoryName(subject.tbs().subject().clone());
        check_within(&name, &outer, is_name_within)?;
    }
    let names = subject.decoded::<Vec<GeneralName>>(oid::SUBJECT_ALT_NAME)?;
    let mut names = names.iter().flat_map(|(_, names)| names);
    names.try_for_each(|name| check_within(name, &outer, is_name_within))
}

fn of_the_issuer(subject: &Subject<'_>) -> Result<Option<NameConstraints>, String> {
    let value = subject.issuer.tbs().extensions.name_constraints.as_deref();
    let constraints = value.map(NameConstraints::from_der).transpose();
    constraints.map_err(|error| format!("the issuer's nameConstraints do not decode: {error}"))
}

/// `inner` lies within something permitted, if anything of its kind is, and within nothing excluded.
fn check_within(
    inner: &GeneralName,
    outer: &NameConstraints,
    is_within: fn(&GeneralName, &GeneralName) -> bool,
) -> Result<(), String> {
    let of_its_kind = |list: &Option<GeneralSubtrees>| -> Vec<GeneralName> {
        let bases = list.iter().flatten().map(|subtree| subtree.base.clone());
        bases.filter(|base| discriminant(base) == discriminant(inner)).collect()
    };
    let permitted = of_its_kind(&outer.permitted_subtrees);
    ensure(permitted.is_empty() || permitted.iter().any(|base| is_within(inner, base)), || {
        format!("{inner:?} is not permitted to the issuer")
    })?;
    ensure(!of_its_kind(&outer.excluded_subtrees).iter().any(|base| is_within(inner, base)), || {
        format!("{inner:?} is excluded to the issuer")
    })
}

/// Whether a name, not a range of them, is one of `base`. An address has no mask of its own.
fn is_name_within(name: &GeneralName, base: &GeneralName) -> bool {
    match (name, base) {
        (GeneralName::IpAddress(address), GeneralName::IpAddress(base)) => {
            let address = address.as_bytes();
            is_subnet(&[address, &vec![0xff; address.len()]].concat(), base.as_bytes())
        }
        _ => is_within(name, base),
    }
}

/// Whether every name of `inner` is one of `outer`; both are of one kind.
fn is_within(inner: &GeneralName, outer: &GeneralName) -> bool {
    match (inner, outer) {
        (GeneralName::DnsName(inner), GeneralName::DnsName(outer)) => {
            let (inner, outer) = (inner.as_str(), outer.as_str());
            outer.is_empty() || inner.eq_ignore_ascii_case(outer) || is_below(inner, outer)
        }
        (GeneralName::IpAddress(inner), GeneralName::IpAddress(outer)) => {
            is_subnet(inner.as_bytes(), outer.as_bytes())
        }
        (GeneralName::Rfc822Name(inner), GeneralName::Rfc822Name(outer)) => {
            is_host_within(inner.as_str(), outer.as_str())
        }
        (GeneralName::UniformResourceIdentifier(inner), GeneralName::UniformResourceIdentifier(outer)) => {
            is_host_within(inner.as_str(), outer.as_str())
        }
        (GeneralName::DirectoryName(inner), GeneralName::DirectoryName(outer)) => {
            let rdns = |name: &x509_cert::name::Name| -> Vec<Option<Vec<u8>>> {
                name.iter_rdn().map(|rdn| rdn.to_der().ok()).collect()
            };
            rdns(inner).starts_with(&rdns(outer))
        }
        _ => inner == outer,
    }
}

/// Whether `name` has labels before `domain`.
fn is_below(name: &str, domain: &str) -> bool {
    let tail = name.len().checked_sub(domain.len() + 1).and_then(|at| name.get(at..));
    tail.and_then(|tail| tail.strip_prefix('.')).is_some_and(|tail| tail.eq_ignore_ascii_case(domain))
}

fn is_subnet(inner: &[u8], outer: &[u8]) -> bool {
    let (inner_address, inner_mask) = inner.split_at(inner.len() / 2);
    let (outer_address, outer_mask) = outer.split_at(outer.len() / 2);
    inner.len() == outer.len()
        && inner_mask.iter().zip(outer_mask).all(|(inner, outer)| inner & outer == *outer)
        && inner_address
            .iter()
            .zip(outer_address)
            .zip(outer_mask)
            .all(|((inner, outer), mask)| inner & mask == outer & mask)
}

/// A mailbox holds itself, a host its mailboxes, and `.domain` all hosts below it but not itself.
fn is_host_within(inner: &str, outer: &str) -> bool {
    if inner.eq_ignore_ascii_case(outer) {
        return true;
    }
    let host = inner.rsplit_once('@').map_or(inner, |(_, host)| host);
    match outer.strip_prefix('.') {
        Some(domain) => is_below(host, domain),
        None => inner.contains('@') && !outer.contains('@') && host.eq_ignore_ascii_case(outer),
    }
}
