//! From a `[certificate]` table to what is signed: every field is read, or refused with the reason why there is none.

use cairn_x509::{
    CaProfile, Certificate, CertificatePolicy, Name, NameAttributes, NameConstraints, Purpose, Subtree,
    Validity,
};

use super::limits::{self, Limit};
use super::{Ca, CertificatePlan, Form, Issuer};
use crate::file::{CertificateSpec, FileError, NameForms, Policy, Subject};

/// What does not stand in the table.
pub(super) struct Rules {
    pub(super) file: &'static str,
    pub(super) form: Form,
    pub(super) issuer: Ca,
}

/// A root. What constrains a root is its place in a trust store: many clients look at nothing in its certificate but the key.
pub(super) fn root(table: &str, spec: &CertificateSpec) -> Result<CertificatePlan, FileError> {
    let for_roots = "is not for roots: many clients do not look at it there; write it into the intermediates";
    refuse(table, "path_length", spec.path_length.is_some(), for_roots)?;
    refuse(table, "extended_key_usage", spec.extended_key_usage.is_some(), for_roots)?;
    refuse(table, "name_constraints", spec.name_constraints.is_some(), for_roots)?;
    refuse(table, "policies", !spec.policies.is_empty(), for_roots)?;
    no_urls(table, spec, "is not for roots: nobody issued it, and nobody but its owner can revoke it")?;
    let validity = validity(spec);
    limits::ROOT.check(table, validity, None)?;
    let profile = CaProfile { digital_signature: spec.digital_signature, ..CaProfile::default() };
    let form = Form::Root(subject(table, spec)?);
    Ok(CertificatePlan { profile, ..CertificatePlan::new("root.pem", form, validity) })
}

/// A CA below another.
pub(super) fn below(
    table: &str,
    spec: &CertificateSpec,
    rules: Rules,
    issuer: Validity,
) -> Result<CertificatePlan, FileError> {
    let is_cross = matches!(rules.form, Form::Cross(_));
    let purposes = match &spec.extended_key_usage {
        Some(purposes) => read_purposes(table, purposes)?,
        // A cross-certificate stands for a root, which has none.
        None if is_cross => Vec::new(),
        None => {
            return Err(FileError::value(
                format!("{table}.extended_key_usage"),
                "is missing; write for example [\"serverAuth\", \"clientAuth\"], or [] for a CA that may be used for anything",
            ));
        }
    };
    let profile = CaProfile {
        path_len: spec.path_length,
        purposes,
        digital_signature: spec.digital_signature,
        name_constraints: name_constraints(table, spec)?,
        policies: policies(table, &spec.policies)?,
    };
    finish(table, spec, rules, profile, &limits::CA, issuer)
}

/// A delegated OCSP responder (RFC 6960 §4.2.2.2).
pub(super) fn ocsp_responder(
    table: &str,
    spec: &CertificateSpec,
    issuer: &Certificate,
) -> Result<CertificatePlan, FileError> {
    let not_for_responders =
        "is not for OCSP responders, whose certificates say one thing: that they answer for their issuer";
    refuse(table, "path_length", spec.path_length.is_some(), not_for_responders)?;
    refuse(table, "extended_key_usage", spec.extended_key_usage.is_some(), not_for_responders)?;
    refuse(table, "digital_signature", spec.digital_signature, not_for_responders)?;
    refuse(table, "name_constraints", spec.name_constraints.is_some(), not_for_responders)?;
    refuse(table, "policies", !spec.policies.is_empty(), not_for_responders)?;
    no_urls(
        table,
        spec,
        "is not for OCSP responders: nobody asks whether they are revoked (RFC 6960 §4.2.2.2.1)",
    )?;
    let rules = Rules {
        file: "ocsp-signer.pem",
        form: Form::OcspResponder(subject(table, spec)?),
        issuer: Ca::Given(Box::new(issuer.clone())),
    };
    finish(table, spec, rules, CaProfile::default(), &limits::RESPONDER, issuer.validity())
}

fn finish(
    table: &str,
    spec: &CertificateSpec,
    rules: Rules,
    profile: CaProfile,
    limit: &Limit,
    issuer: Validity,
) -> Result<CertificatePlan, FileError> {
    let validity = validity(spec);
    limit.check(table, validity, Some(issuer))?;
    for (field, urls) in
        [("issuer_urls", &spec.issuer_urls), ("ocsp_urls", &spec.ocsp_urls), ("crl_urls", &spec.crl_urls)]
    {
        check_urls(table, field, urls)?;
    }
    Ok(CertificatePlan {
        file: rules.file,
        form: rules.form,
        issuer: Issuer::Ca(rules.issuer),
        profile,
        validity,
        issuer_urls: spec.issuer_urls.clone(),
        ocsp_urls: spec.ocsp_urls.clone(),
        crl_urls: spec.crl_urls.clone(),
    })
}

/// The name that the table gives.
pub(super) fn subject(table: &str, spec: &CertificateSpec) -> Result<Name, FileError> {
    match &spec.subject {
        Some(subject) => name(table, subject),
        None => Err(FileError::value(
            format!("{table}.subject"),
            "is missing; write for example { organization = \"…\", common_name = \"…\" }",
        )),
    }
}

/// The name of a `subject`.
pub(super) fn name(table: &str, subject: &Subject) -> Result<Name, FileError> {
    let attributes = NameAttributes {
        country: subject.country.as_deref(),
        state: subject.state.as_deref(),
        locality: subject.locality.as_deref(),
        organization: subject.organization.as_deref(),
        organizational_unit: subject.organizational_unit.as_deref(),
        common_name: Some(&subject.common_name),
        serial_number: None,
    };
    Name::from_attributes(attributes)
        .map_err(|error| FileError::value(format!("{table}.subject"), error.to_string()))
}

/// A cross-certificate has the name that its subject has already.
pub(super) fn no_subject(table: &str, spec: &CertificateSpec) -> Result<(), FileError> {
    refuse(
        table,
        "subject",
        spec.subject.is_some(),
        "is that of the CA that gets this certificate; take it out",
    )
}

fn validity(spec: &CertificateSpec) -> Validity {
    Validity { not_before: spec.not_before.beginning(), not_after: spec.not_after.end() }
}

fn read_purposes(table: &str, names: &[String]) -> Result<Vec<Purpose>, FileError> {
    let read = |name: &String| {
        name.parse().map_err(|error: cairn_x509::UnknownPurpose| {
            FileError::value(format!("{table}.extended_key_usage"), error.to_string())
        })
    };
    names.iter().map(read).collect()
}

fn name_constraints(table: &str, spec: &CertificateSpec) -> Result<NameConstraints, FileError> {
    let Some(constraints) = &spec.name_constraints else { return Ok(NameConstraints::default()) };
    let table = format!("{table}.name_constraints");
    let read = NameConstraints {
        permitted: subtrees(&format!("{table}.permitted"), &constraints.permitted)?,
        excluded: subtrees(&format!("{table}.excluded"), &constraints.excluded)?,
    };
    if read.is_empty() { Err(FileError::value(table, "constrains nothing; take it out")) } else { Ok(read) }
}

fn subtrees(table: &str, forms: &NameForms) -> Result<Vec<Subtree>, FileError> {
    let ip = |block: &String| {
        block.parse().map(Subtree::Ip).map_err(|error: cairn_x509::constraints::NotASubnet| {
            FileError::value(format!("{table}.ip"), error.to_string())
        })
    };
    let dns = forms.dns.iter().map(|name| Ok(Subtree::Dns(name.clone())));
    let email = forms.email.iter().map(|name| Ok(Subtree::Email(name.clone())));
    dns.chain(forms.ip.iter().map(ip)).chain(email).collect()
}

fn policies(table: &str, policies: &[Policy]) -> Result<Vec<CertificatePolicy>, FileError> {
    let read = |policy: &Policy| {
        CertificatePolicy::new(&policy.oid, policy.cps.as_deref())
            .map_err(|error| FileError::value(format!("{table}.policies"), error.to_string()))
    };
    policies.iter().map(read).collect()
}

/// Whoever fetches an issuer or asks for a status needs a certificate checked to speak TLS, which needs the same again.
fn check_urls(table: &str, field: &str, urls: &[String]) -> Result<(), FileError> {
    let is_good = |url: &String| {
        url.strip_prefix("http://").is_some_and(|rest| !rest.is_empty())
            && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match urls.iter().find(|url| !is_good(url)) {
        None => Ok(()),
        Some(url) => Err(FileError::value(
            format!("{table}.{field}"),
            format!("{url:?} is no plain http URL; clients fetch these without TLS (RFC 5280 §8)"),
        )),
    }
}

fn no_urls(table: &str, spec: &CertificateSpec, why: &str) -> Result<(), FileError> {
    refuse(table, "issuer_urls", !spec.issuer_urls.is_empty(), why)?;
    refuse(table, "ocsp_urls", !spec.ocsp_urls.is_empty(), why)?;
    refuse(table, "crl_urls", !spec.crl_urls.is_empty(), why)
}

fn refuse(table: &str, field: &str, is_there: bool, why: &str) -> Result<(), FileError> {
    if is_there { Err(FileError::value(format!("{table}.{field}"), why)) } else { Ok(()) }
}
