//! How what was signed differs from what was asked for. People decide on both sides, and a difference that nobody noticed is none that
//! anybody decided.

use std::collections::HashSet;

use cairn_x509::{Certificate, Crl, KeyUsage, Purpose, Subtree};

use super::{Asks, IntermediateRequest, Request, RevocationRequest};
use crate::file::hex;

const DAY: i64 = 24 * 60 * 60;

/// Something that was signed otherwise than it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What.
    pub what: &'static str,
    /// As it was asked for.
    pub asked: String,
    /// As it is.
    pub given: String,
    /// Whether it is less than was asked for and nothing else: a shorter life, fewer names.
    pub is_less: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: asked for {}, given {}", self.what, self.asked, self.given)
    }
}

/// How a certificate differs from what was asked for. Its key and its signature are looked at elsewhere.
///
/// # Errors
/// If an extension of it is malformed.
pub fn differences(
    request: &Request,
    certificate: &Certificate,
) -> Result<Vec<Difference>, cairn_x509::certificate::CertificateError> {
    let mut found = Found::default();
    let (csr, days) = match &request.asks {
        Asks::Intermediate(asked) => (&asked.csr, asked.days),
        Asks::OcspSigner(asked) => (&asked.csr, asked.days),
        Asks::Crl(_) => return Ok(Vec::new()),
    };
    let subject = [csr.subject(), certificate.subject()];
    if subject[0].der() != subject[1].der() {
        found.other("subject", subject[0].to_string(), subject[1].to_string());
    }
    let (asked, given) = (i64::from(days) * DAY, certificate.validity().lifetime());
    if asked != given {
        found.add("days", days.to_string(), (given / DAY).to_string(), given < asked);
    }
    if let Asks::Intermediate(asked) = &request.asks {
        path_length(asked, certificate, &mut found);
        let description = certificate.description()?;
        key_usage(&asked.csr.description().key_usage, &description.key_usage, &mut found);
        purposes(&asked.purposes, &description.purposes, &mut found);
        permitted(&asked.permitted, &description.name_constraints.permitted, &mut found);
        let excluded = &description.name_constraints.excluded;
        if !excluded.is_empty() {
            found.less("excluded names", "none".to_owned(), subtrees(excluded.iter()));
        }
    }
    Ok(found.0)
}

/// How a CRL differs from what was asked for.
#[must_use]
pub fn crl_differences(asked: &RevocationRequest, crl: &Crl) -> Vec<Difference> {
    let mut found = Found::default();
    let listed = serials(crl);
    for revoke in asked.revoke.iter().filter(|revoke| !listed.contains(revoke.serial.as_slice())) {
        found.other("revoked", hex(&revoke.serial), "not revoked".to_owned());
    }
    let mut known = asked.installed.as_ref().map(serials).unwrap_or_default();
    known.extend(asked.revoke.iter().map(|revoke| revoke.serial.as_slice()));
    for entry in crl.tbs().entries().filter(|entry| !known.contains(entry.serial)) {
        found.other("revoked", "nothing".to_owned(), hex(entry.serial));
    }
    found.0
}

/// Of what a list has revoked.
fn serials(crl: &Crl) -> HashSet<&[u8]> {
    crl.tbs().entries().map(|entry| entry.serial).collect()
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn add(&mut self, what: &'static str, asked: String, given: String, is_less: bool) {
        self.0.push(Difference { what, asked, given, is_less });
    }

    fn less(&mut self, what: &'static str, asked: String, given: String) {
        self.add(what, asked, given, true);
    }

    fn other(&mut self, what: &'static str, asked: String, given: String) {
        self.add(what, asked, given, false);
    }
}

fn path_length(asked: &IntermediateRequest, certificate: &Certificate, found: &mut Found) {
    let (asked, given) = (asked.csr.path_len(), certificate.path_len());
    if asked != given {
        let text = |length: Option<u8>| length.map_or("any".to_owned(), |length| length.to_string());
        // No number is more than any number.
        let is_less = given.is_some_and(|given| asked.is_none_or(|asked| given < asked));
        found.add("path length", text(asked), text(given), is_less);
    }
}

fn key_usage(asked: &[KeyUsage], given: &[KeyUsage], found: &mut Found) {
    if asked != given {
        let is_less = given.iter().all(|usage| asked.contains(usage));
        found.add("key usage", list(asked, "none"), list(given, "none"), is_less);
    }
}

fn purposes(asked: &[Purpose], given: &[Purpose], found: &mut Found) {
    let is_within = |one: &[Purpose], other: &[Purpose]| {
        // Without the extension, any (RFC 5280 §4.2.1.12).
        other.is_empty() || !one.is_empty() && one.iter().all(|purpose| other.contains(purpose))
    };
    let is_less = is_within(given, asked);
    if !(is_less && is_within(asked, given)) {
        found.add("extended key usage", list(asked, "any"), list(given, "any"), is_less);
    }
}

/// Each form of names by itself: what nothing is permitted of is free (RFC 5280 §4.2.1.10).
fn permitted(asked: &[Subtree], given: &[Subtree], found: &mut Found) {
    type Form = (&'static str, fn(&Subtree) -> bool);
    let forms: [Form; 3] = [
        ("permitted DNS names", |subtree| matches!(subtree, Subtree::Dns(_))),
        ("permitted addresses", |subtree| matches!(subtree, Subtree::Ip(_))),
        ("other permitted names", |subtree| !matches!(subtree, Subtree::Dns(_) | Subtree::Ip(_))),
    ];
    for (what, is_form) in forms {
        let [asked, given] =
            [asked, given].map(|list| list.iter().filter(|one| is_form(one)).collect::<Vec<_>>());
        let is_within = |one: &[&Subtree], other: &[&Subtree]| {
            let is_covered = |subtree: &&Subtree| other.iter().any(|outer| subtree.is_within(outer));
            other.is_empty() || !one.is_empty() && one.iter().all(is_covered)
        };
        let is_less = is_within(&given, &asked);
        if !(is_less && is_within(&asked, &given)) {
            found.add(what, subtrees(asked.into_iter()), subtrees(given.into_iter()), is_less);
        }
    }
}

fn list<T: ToString>(items: &[T], none: &str) -> String {
    if items.is_empty() {
        return none.to_owned();
    }
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn subtrees<'a>(list: impl Iterator<Item = &'a Subtree>) -> String {
    let texts: Vec<_> = list.map(crate::sheet::subtree).collect();
    if texts.is_empty() { "all".to_owned() } else { texts.join(", ") }
}
