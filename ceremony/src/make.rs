//! Makes what a plan says: builds each thing, signs it with a throw-away key and has it linted, and only then touches the real key. What
//! comes back must be the very bytes that were linted, and verify.

use anyhow::{Context, Result, anyhow, bail, ensure};
use cairn_x509::{
    CaCsr, Certificate, Crl, CrlContents, CrlInputs, CrlScope, CrossInputs, CsrRequest, FileSigner, Finding,
    IntermediateInputs, KeyKind, KeySpec, OcspResponderInputs, PublicKey, RevokedEntry, RootInputs,
    SignatureAlgorithm, Signer, TbsCertificate, TbsCrl, Urls, cross_certificate, intermediate, lint_ca,
    lint_crl, lint_cross_certificate, lint_intermediate, lint_ocsp_responder, lint_root, ocsp_responder,
    root,
};

use crate::plan::{Ca, CertificatePlan, CrlPlan, Entry, Form, Issuer, RequestPlan};

/// A CRL's file.
pub const CRL_FILE: &str = "crl.pem";
/// The CRL as clients fetch it.
pub const CRL_DER_FILE: &str = "crl.der";
/// A request's file.
pub const REQUEST_FILE: &str = "request.pem";

/// Octets of a serial number: 127 random bits, and none that makes it negative or begins with a zero.
pub const SERIAL: usize = 16;

/// The keys of a ceremony. One that does not sign is known by its public part alone.
#[derive(Clone, Copy, Default)]
pub struct Keys<'a> {
    /// The key that is certified.
    pub key: Option<Key<'a>>,
    /// The issuer's.
    pub issuer: Option<&'a dyn Signer>,
}

impl<'a> Keys<'a> {
    /// The key that is certified is one that signs here, or else one whose owner is elsewhere.
    #[must_use]
    pub fn new(
        own: Option<&'a dyn Signer>,
        elsewhere: Option<&'a PublicKey>,
        issuer: Option<&'a dyn Signer>,
    ) -> Self {
        Self { key: own.map(Key::Signs).or_else(|| elsewhere.map(Key::Public)), issuer }
    }
}

/// The key that is certified.
#[derive(Clone, Copy)]
pub enum Key<'a> {
    /// It can sign.
    Signs(&'a dyn Signer),
    /// Its owner is elsewhere.
    Public(&'a PublicKey),
}

impl<'a> Key<'a> {
    /// Its public part.
    #[must_use]
    pub fn public(self) -> &'a PublicKey {
        match self {
            Self::Signs(signer) => signer.public_key(),
            Self::Public(key) => key,
        }
    }
}

/// Makes a certificate. `made` are those that the ceremony has made before.
///
/// # Errors
/// If it cannot be built, breaks a rule, or the key does not sign.
pub fn certificate(
    plan: &CertificatePlan,
    serial: &[u8],
    keys: Keys<'_>,
    made: &[Certificate],
) -> Result<Certificate> {
    let signer = signer(plan, keys)?;
    let rehearsed = rehearse(plan, serial, keys, made)?;
    let tbs = rehearsed.tbs();
    let certificate = tbs.sign(signer).with_context(|| format!("{} could not be signed", plan.file))?;
    ensure!(
        certificate.tbs_der() == rehearsed.tbs_der(),
        "{}: what was signed is not what was linted; do not use it, and look for the cause",
        plan.file
    );
    let issuer = issuer_certificate(plan, made).unwrap_or(&certificate);
    certificate.verify_issued_by(issuer).with_context(|| {
        format!("{} does not verify: the issuer's key is not that of its certificate", plan.file)
    })?;
    if matches!(plan.form, Form::Root(_)) {
        no_findings(plan.file, &lint_root(&certificate))?;
    }
    Ok(certificate)
}

/// The same bytes under a throw-away signature, and linted.
///
/// # Errors
/// If it cannot be built, or breaks a rule.
pub fn rehearse(
    plan: &CertificatePlan,
    serial: &[u8],
    keys: Keys<'_>,
    made: &[Certificate],
) -> Result<Certificate> {
    let signer = signer(plan, keys)?;
    let key = keys.key.map(Key::public);
    let tbs = build(plan, serial, signer.algorithm(), key, made)?;
    let throwaway = throwaway(signer.public_key().kind())?.with_algorithm(signer.algorithm())?;
    let rehearsed = tbs.sign(&throwaway)?;
    no_findings(plan.file, &lint(plan, &rehearsed, made)?)?;
    Ok(rehearsed)
}

/// What is signed.
///
/// # Errors
/// If it cannot be built.
pub fn build(
    plan: &CertificatePlan,
    serial: &[u8],
    algorithm: SignatureAlgorithm,
    key: Option<&PublicKey>,
    made: &[Certificate],
) -> Result<TbsCertificate> {
    let urls = [&plan.issuer_urls, &plan.ocsp_urls, &plan.crl_urls]
        .map(|urls| urls.iter().map(String::as_str).collect::<Vec<_>>());
    let [issuer, ocsp, crl] = &urls;
    let (urls, validity) = (Urls { issuer, ocsp, crl }, plan.validity);
    let issuer = issuer_certificate(plan, made);
    let below = || issuer.with_context(|| format!("{} has no issuer", plan.file));
    let public_key = || key.with_context(|| format!("{} has no key", plan.file));
    let built = match &plan.form {
        Form::Root(subject) => {
            let digital_signature = plan.profile.digital_signature;
            root(
                algorithm,
                RootInputs { serial, validity, public_key: public_key()?, subject, digital_signature },
            )
        }
        Form::Intermediate(subject) => {
            let inputs = IntermediateInputs { serial, validity, public_key: public_key()?, subject, urls };
            intermediate(&plan.profile, below()?, algorithm, inputs)
        }
        Form::OcspResponder(subject) => {
            let inputs = OcspResponderInputs { serial, validity, public_key: public_key()?, subject };
            ocsp_responder(below()?, algorithm, inputs)
        }
        Form::Cross(existing) => {
            let inputs = CrossInputs { serial, validity, existing: ca(existing, made)?, urls };
            cross_certificate(&plan.profile, below()?, algorithm, inputs)
        }
    };
    built.with_context(|| format!("{} cannot be made", plan.file))
}

/// Makes a CRL: linted under a throw-away signature first, like a certificate.
///
/// # Errors
/// If it cannot be built, breaks a rule, or the key does not sign.
pub fn crl(plan: &CrlPlan, keys: Keys<'_>) -> Result<Crl> {
    let signer = keys.issuer.context("the CRL has no key that signs it")?;
    let rehearsed = rehearse_crl(plan, signer)?;
    let crl = rehearsed.tbs().sign(signer).context("the CRL could not be signed")?;
    ensure!(
        crl.tbs().der() == rehearsed.tbs().der(),
        "what was signed is not the CRL that was linted; do not use it, and look for the cause"
    );
    let wrong = "the CRL does not verify: the issuer's key is not that of its certificate";
    crl.verify_issued_by(&plan.issuer).context(wrong)?;
    Ok(crl)
}

/// The same bytes under a throw-away signature, and linted.
///
/// # Errors
/// If it cannot be built, or breaks a rule.
pub fn rehearse_crl(plan: &CrlPlan, signer: &dyn Signer) -> Result<Crl> {
    let throwaway = throwaway(signer.public_key().kind())?.with_algorithm(signer.algorithm())?;
    let rehearsed = build_crl(plan, signer.algorithm())?.sign(&throwaway)?;
    no_findings(CRL_FILE, &lint_crl(&rehearsed, &plan.issuer))?;
    Ok(rehearsed)
}

/// What is signed of a CRL.
///
/// # Errors
/// If it cannot be built.
pub fn build_crl(plan: &CrlPlan, algorithm: SignatureAlgorithm) -> Result<TbsCrl> {
    let scope = CrlScope { contents: CrlContents::CaCertificates, ..CrlScope::default() };
    let CrlPlan { this_update, next_update, number, .. } = *plan;
    let inputs =
        CrlInputs { this_update, next_update, number, scope: Some(&scope), base: None, delta_url: None };
    let entries = plan.entries.iter().map(|Entry { serial, at, reason }| RevokedEntry {
        serial,
        revoked_at: *at,
        reason: *reason,
    });
    cairn_x509::crl(&plan.issuer, algorithm, inputs, entries).context("the CRL cannot be made")
}

/// Makes a request, signed by its own key.
///
/// # Errors
/// If the key does not sign.
pub fn request(plan: &RequestPlan, keys: Keys<'_>) -> Result<CaCsr> {
    let Some(Key::Signs(signer)) = keys.key else { bail!("the request has no key that signs it") };
    Ok(CsrRequest { subject: &plan.subject, ca: Some(plan.ca) }.sign(signer)?)
}

/// A key that stands in for one of this kind.
///
/// # Errors
/// If none can be made.
pub fn throwaway(kind: KeyKind) -> Result<FileSigner> {
    Ok(FileSigner::generate(KeySpec::like(kind))?)
}

/// What the lints say of a certificate that was made by `plan`, but for a root's signature.
///
/// # Errors
/// If its issuer is missing.
pub fn lint(plan: &CertificatePlan, certificate: &Certificate, made: &[Certificate]) -> Result<Vec<Finding>> {
    let issuer = issuer_certificate(plan, made).unwrap_or(certificate);
    Ok(match &plan.form {
        Form::Root(_) => lint_ca(certificate, issuer),
        // One for any use says nothing of uses.
        Form::Intermediate(_) if plan.profile.purposes.is_empty() => lint_ca(certificate, issuer),
        Form::Intermediate(_) => lint_intermediate(certificate, issuer),
        Form::OcspResponder(_) => lint_ocsp_responder(certificate, issuer),
        Form::Cross(existing) => lint_cross_certificate(certificate, issuer, ca(existing, made)?),
    })
}

/// The key that signs.
fn signer<'a>(plan: &CertificatePlan, keys: Keys<'a>) -> Result<&'a dyn Signer> {
    match (&plan.issuer, keys.key, keys.issuer) {
        (Issuer::Itself | Issuer::Ca(Ca::New), Some(Key::Signs(signer)), _)
        | (Issuer::Ca(Ca::Given(_)), _, Some(signer)) => Ok(signer),
        _ => Err(anyhow!("{} has no key that signs it", plan.file)),
    }
}

fn issuer_certificate<'a>(plan: &'a CertificatePlan, made: &'a [Certificate]) -> Option<&'a Certificate> {
    match &plan.issuer {
        Issuer::Itself => None,
        Issuer::Ca(issuer) => ca(issuer, made).ok(),
    }
}

pub(crate) fn ca<'a>(ca: &'a Ca, made: &'a [Certificate]) -> Result<&'a Certificate> {
    match ca {
        Ca::Given(certificate) => Ok(certificate),
        // A plan with a new root makes it first.
        Ca::New => made.first().context("the new root is made first"),
    }
}

fn no_findings(file: &str, findings: &[Finding]) -> Result<()> {
    let list: Vec<String> = findings
        .iter()
        .map(|Finding { lint, citation, message }| format!("- {message} ({lint}, {citation})"))
        .collect();
    ensure!(list.is_empty(), "{file} breaks rules that clients hold it to:\n{}", list.join("\n"));
    Ok(())
}
