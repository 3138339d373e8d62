//! What a certificate says, line by line for people, and how two of them differ.

use std::collections::HashSet;
use std::fmt::Write as _;

use anyhow::Result;
use cairn_x509::{CaCsr, Certificate, Crl, Subtree};

use crate::file::{Utc, hex};

const DAY: i64 = 24 * 60 * 60;

/// The lines of a certificate: what, and its value.
pub(crate) type Lines = Vec<(&'static str, String)>;

/// What a certificate says.
///
/// # Errors
/// If an extension is malformed.
pub(crate) fn lines(certificate: &Certificate) -> Result<Lines> {
    let description = certificate.description()?;
    let validity = certificate.validity();
    let list = |items: Vec<String>| if items.is_empty() { "none".to_owned() } else { items.join(", ") };
    let mut lines = vec![
        ("subject", certificate.subject().to_string()),
        ("issuer", certificate.issuer().to_string()),
        ("key", certificate.public_key().kind().to_string()),
        ("signature", certificate.signature_algorithm().to_string()),
        (
            "valid",
            format!(
                "{} to {} ({} days)",
                Utc(validity.not_before),
                Utc(validity.not_after),
                validity.lifetime() / DAY
            ),
        ),
        ("CA", if certificate.is_ca() { "yes" } else { "no" }.to_owned()),
    ];
    if certificate.is_ca() {
        let length =
            certificate.path_len().map_or("any number of CAs below".to_owned(), |length| match length {
                0 => "0: issues leaves only".to_owned(),
                more => more.to_string(),
            });
        lines.push(("path length", length));
    }
    lines.push(("key usage", list(description.key_usage.iter().map(ToString::to_string).collect())));
    let purposes = description.purposes.iter().map(ToString::to_string).collect::<Vec<_>>();
    lines.push((
        "extended key usage",
        if purposes.is_empty() { "any".to_owned() } else { purposes.join(", ") },
    ));
    let constraints = &description.name_constraints;
    if !constraints.is_empty() {
        lines.push(("permitted names", list(constraints.permitted.iter().map(subtree).collect())));
        lines.push(("excluded names", list(constraints.excluded.iter().map(subtree).collect())));
    }
    let policy = |policy: &cairn_x509::CertificatePolicy| match policy.cps_url() {
        Some(url) => format!("{} ({url})", policy.identifier()),
        None => policy.identifier(),
    };
    let optional = [
        ("policies", description.policies.iter().map(policy).collect()),
        ("issuer lies at", description.issuer_urls.clone()),
        ("OCSP answers at", description.ocsp_urls.clone()),
        ("CRL lies at", description.crl_urls.clone()),
        ("besides", description.others.clone()),
    ];
    let optional = optional.into_iter().filter(|(_, values): &(_, Vec<String>)| !values.is_empty());
    lines.extend(optional.map(|(name, values)| (name, values.join(", "))));
    if description.ocsp_no_check {
        lines.push(("revocation", "not checked (id-pkix-ocsp-nocheck)".to_owned()));
    }
    Ok(lines)
}

/// Two columns, indented.
pub(crate) fn text(lines: &Lines) -> String {
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        // Writing into a string cannot fail.
        let _written = writeln!(text, "  {name:<19} {value}");
        text
    })
}

/// What a CRL says, and which of its entries are new.
pub(crate) fn crl(crl: &Crl, old: Option<&Crl>) -> String {
    let tbs = crl.tbs();
    let number = tbs.number_as_u64().map_or("none".to_owned(), |number| number.to_string());
    let next_update = tbs.next_update().map_or("never".to_owned(), |at| Utc(at).to_string());
    let mut text = text(&vec![
        ("issuer", tbs.issuer().to_string()),
        ("signature", tbs.signature_algorithm().to_string()),
        ("number", number),
        ("this update", Utc(tbs.this_update()).to_string()),
        ("next update", next_update),
        ("about", "CA certificates alone".to_owned()),
        ("entries", tbs.entries().count().to_string()),
    ]);
    let old: HashSet<_> = old.iter().flat_map(|old| old.tbs().entries()).map(|entry| entry.serial).collect();
    for entry in tbs.entries() {
        let reason = entry.reason.map_or("no reason".to_owned(), |reason| format!("{reason:?}"));
        let new = if old.contains(entry.serial) { "" } else { ", new" };
        let since = Utc(entry.revoked_at);
        let _written = writeln!(text, "    {}  since {since}, {reason}{new}", hex(entry.serial));
    }
    text
}

/// What a request asks for.
pub(crate) fn request(request: &CaCsr) -> String {
    let ca = if request.asks_for_ca() { "yes" } else { "not said" };
    let mut lines = vec![
        ("subject", request.subject().to_string()),
        ("key", request.public_key().kind().to_string()),
        ("CA", ca.to_owned()),
    ];
    lines.extend(request.path_len().map(|length| ("path length", length.to_string())));
    text(&lines)
}

/// What `new` says otherwise than `old`.
pub(crate) fn differences(old: &Lines, new: &Lines) -> String {
    let of =
        |lines: &Lines, name| lines.iter().find(|(other, _)| *other == name).map(|(_, value)| value.clone());
    let mut text = String::new();
    for (name, value) in new {
        let before = of(old, *name);
        if before.as_ref() != Some(value) {
            let _written = writeln!(text, "  {name:<19} {} -> {value}", before.as_deref().unwrap_or("none"));
        }
    }
    for (name, value) in old.iter().filter(|(name, _)| of(new, *name).is_none()) {
        let _written = writeln!(text, "  {name:<19} {value} -> none");
    }
    text
}

pub(crate) fn subtree(subtree: &Subtree) -> String {
    match subtree {
        Subtree::Dns(name) if name.is_empty() => "all DNS names".to_owned(),
        Subtree::Dns(name) => name.clone(),
        Subtree::Ip(block) => block.to_string(),
        Subtree::Email(name) => format!("mailbox {name}"),
        Subtree::Directory(name) => format!("directory {name}"),
        Subtree::Other(what) => (*what).to_owned(),
    }
}
