//! From a request to a ceremony file: a draft that people change and review. What only they can know (who they are, where the issuer's
//! certificate lies) stands there as an example.

use std::fmt::Write as _;

use cairn_x509::Name;

use super::{Asks, IntermediateRequest, Request, ResponderRequest, RevocationRequest, Signed};
use crate::file::{Digest, Utc, hex, reason_name};

const DAY: i64 = 24 * 60 * 60;
/// A list is there for so long: a ceremony each year, with time left before it ends.
const LIST_DAYS: i64 = 365;
/// An OCSP responder's longest life, and a CA's, in days: a draft does not ask for what a ceremony refuses.
const MOST_DAYS: i64 = 15 * 365;

/// A draft of the ceremony file that answers a request.
#[must_use]
pub fn draft(request: &Signed<Request>) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _written = write(request, &mut text);
    text
}

fn write(signed: &Signed<Request>, text: &mut String) -> std::fmt::Result {
    let request = signed.content();
    let (kind, title) = match &request.asks {
        Asks::Intermediate(IntermediateRequest { replaces: Some(_), .. }) => ("rollover", "Intermediate"),
        Asks::Intermediate(_) => ("intermediate", "Intermediate"),
        Asks::Crl(_) => ("crl", "CRL"),
        Asks::OcspSigner(_) => ("ocsp-signer", "OCSP responder"),
    };
    writeln!(
        text,
        "# Answers this request. Change it as you decide, and review it with the others; its SHA-256 is what you agree on."
    )?;
    writeln!(text, "#")?;
    for line in signed.head().lines() {
        writeln!(text, "# {line}")?;
    }
    writeln!(text, "\nkind = \"{kind}\"\ntitle = {}", quoted(&format!("{title} {}", request.name), 64))?;
    writeln!(text, "# Who takes part.")?;
    writeln!(
        text,
        "people = [{{ name = \"Alice Archer\", role = \"operator\" }}, {{ name = \"Bob Baker\", role = \"witness\" }}]"
    )?;
    writeln!(
        text,
        "\n# The request, which the machine file names as `request` in [inputs], and the key of the CA that asks.\n[answers]"
    )?;
    writeln!(
        text,
        "sha256 = \"{}\"\nrequester = \"{}\"",
        signed.digest(),
        Digest::of(request.requester.der())
    )?;
    writeln!(text, "\n# {}\n[issuer]\nsha256 = \"{}\"", request.issuer.subject, request.issuer.sha256)?;
    match &request.asks {
        Asks::Intermediate(asked) => intermediate(request, asked, text),
        Asks::OcspSigner(asked) => responder(request, asked, text),
        Asks::Crl(asked) => list(request, asked, text),
    }
}

fn intermediate(request: &Request, asked: &IntermediateRequest, text: &mut String) -> std::fmt::Result {
    if let Some(old) = asked.replaces {
        writeln!(
            text,
            "\n# The machine file names its certificate as `replaces` in [inputs].\n[replaces]\nsha256 = \"{old}\""
        )?;
    }
    writeln!(text, "\n[key]\nrequest = \"{}\"", Digest::of(asked.csr.der()))?;
    writeln!(text, "\n[certificate]\n{}", subject(asked.csr.subject()))?;
    validity(request.made, asked.days, text)?;
    match asked.csr.path_len() {
        Some(length) => writeln!(text, "path_length = {length}")?,
        None => writeln!(text, "# path_length = 0")?,
    }
    let purposes: Vec<_> = asked.purposes.iter().map(|purpose| format!("\"{purpose}\"")).collect();
    writeln!(text, "extended_key_usage = [{}]", purposes.join(", "))?;
    let list =
        |items: Vec<String>| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ");
    let (dns, ip) = (
        list(asked.dns().map(ToOwned::to_owned).collect()),
        list(asked.ip().map(ToString::to_string).collect()),
    );
    if asked.permitted.is_empty() {
        writeln!(text, "# name_constraints = {{ permitted = {{ dns = [\"example.com\"] }} }}")?;
    } else {
        let forms = [("dns", dns), ("ip", ip)].into_iter().filter(|(_, items)| !items.is_empty());
        let forms: Vec<_> = forms.map(|(form, items)| format!("{form} = [{items}]")).collect();
        writeln!(text, "name_constraints = {{ permitted = {{ {} }} }}", forms.join(", "))?;
    }
    writeln!(text, "# Where the issuer's certificate (DER) and its CRL lie.")?;
    writeln!(
        text,
        "# issuer_urls = [\"http://pki.example.com/root.der\"]\n# crl_urls = [\"http://pki.example.com/root.crl\"]"
    )?;
    if asked.csr.description().key_usage.contains(&cairn_x509::KeyUsage::DigitalSignature) {
        writeln!(text, "digital_signature = true")?;
    }
    Ok(())
}

fn responder(request: &Request, asked: &ResponderRequest, text: &mut String) -> std::fmt::Result {
    writeln!(text, "\n[key]\nrequest = \"{}\"", Digest::of(asked.csr.der()))?;
    writeln!(text, "\n[certificate]\n{}", subject(asked.csr.subject()))?;
    validity(request.made, asked.days, text)
}

fn list(request: &Request, asked: &RevocationRequest, text: &mut String) -> std::fmt::Result {
    let installed = asked.installed.as_ref();
    if let Some(crl) = installed {
        writeln!(
            text,
            "\n# The list before; the machine file names it as `replaces` in [inputs].\n[replaces]\nsha256 = \"{}\"",
            Digest::of(crl.der())
        )?;
    }
    let number = installed.and_then(|crl| crl.tbs().number_as_u64()).unwrap_or_default().saturating_add(1);
    writeln!(
        text,
        "\n[crl]\nnumber = {number}\nthis_update = {}\nnext_update = {}",
        Utc(request.made),
        Utc(request.made + LIST_DAYS * DAY)
    )?;
    writeln!(text, "revoked = [")?;
    for entry in installed.iter().flat_map(|crl| crl.tbs().entries()) {
        let reason =
            entry.reason.and_then(reason_name).map_or(String::new(), |name| format!(", reason = \"{name}\""));
        writeln!(
            text,
            "  {{ serial = \"{}\", at = {}{reason} }},",
            hex(entry.serial),
            Utc(entry.revoked_at)
        )?;
    }
    for revoke in &asked.revoke {
        let reason = revoke.reason.as_ref().map_or(String::new(), |name| format!(", reason = \"{name}\""));
        writeln!(text, "  {{ serial = \"{}\", at = {}{reason} }},", hex(&revoke.serial), Utc(request.made))?;
    }
    writeln!(text, "]")
}

/// From the moment of the request on, and not from the beginning of its day: the issuer may have begun on the same.
fn validity(made: i64, days: u32, text: &mut String) -> std::fmt::Result {
    let days = i64::from(days).min(MOST_DAYS);
    writeln!(text, "not_before = {}\nnot_after = {}", Utc(made), Utc(made + days * DAY - 1))
}

/// The attributes of a name that a ceremony file can have.
fn subject(name: &Name) -> String {
    let attributes = name.attributes();
    let fields = [
        ("country", attributes.country),
        ("state", attributes.state),
        ("locality", attributes.locality),
        ("organization", attributes.organization),
        ("organizational_unit", attributes.organizational_unit),
        ("common_name", attributes.common_name),
    ];
    let fields =
        fields.into_iter().filter_map(|(field, value)| Some(format!("{field} = {}", quoted(value?, 128))));
    format!("subject = {{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

/// A TOML string.
fn quoted(text: &str, longest: usize) -> String {
    toml::Value::String(text.chars().take(longest).collect()).to_string()
}
