//! Checks a finished ceremony from its folder alone: that its record is signed and continues the one before, that every file is the one
//! recorded, that the ceremony file asks for exactly what was made, byte for byte, that it verifies, and that the lints pass.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use cairn_x509::{CaCsr, Certificate, Crl, PublicKey, SignatureAlgorithm, lint_crl};

use crate::bundle::{Issued, Request, Response, Signed};
use crate::file::{CeremonyFile, Digest};
use crate::inputs::Inputs;
use crate::make::{self, CRL_DER_FILE, CRL_FILE, REQUEST_FILE};
use crate::plan::{Ca, CertificatePlan, CrlPlan, Form, Issuer, Product, RequestPlan, plan};
use crate::record::{self, FileEntry, Record};
use crate::rehearsal;
use crate::run::{CEREMONY_FILE, PUBLIC_KEY_FILE, RESPONSE_FILE, read_record};

/// What was checked, a line each.
pub type Report = Vec<String>;

/// Checks the ceremony in `folder`, which follows the one in `previous`.
///
/// # Errors
/// The first thing that is not as it must be.
pub fn verify(folder: &Path, previous: Option<&Path>) -> Result<Report> {
    let mut report = Report::new();
    let record = check_record(folder, previous, &mut report)?;
    check_files(folder, &record, &mut report)?;

    let text = read_text(&folder.join(CEREMONY_FILE))?;
    ensure!(
        Digest::of(text.as_bytes()).to_string() == record.ceremony_file,
        "{CEREMONY_FILE} is not the file that was confirmed, SHA-256 {}",
        record.ceremony_file
    );
    report.push(format!("{CEREMONY_FILE} is the file that was confirmed, SHA-256 {}", record.ceremony_file));
    let mut file = CeremonyFile::parse(&text)?;
    if record.rehearsal {
        file = rehearsal::marked(&file);
    }
    let inputs = Inputs::read_from_folder(&file, folder, record.rehearsal)?;
    let plan = plan(&file, &inputs)?;
    let signatures = plan.signatures;

    let key = match plan.key {
        Some(_) => Some(PublicKey::from_pem(&read_text(&folder.join(PUBLIC_KEY_FILE))?)?),
        None => None,
    };
    check_keys(&record, key.as_ref(), &inputs)?;
    let (mut made, mut issued) = (Vec::new(), None);
    for product in &plan.products {
        let name = match product {
            Product::Certificate(plan) => {
                let certificate = Certificate::from_pem(&read_text(&folder.join(plan.file))?)
                    .with_context(|| format!("{} cannot be read", plan.file))?;
                check_certificate(plan, &certificate, key.as_ref(), &made)?;
                let signature = match plan.issuer {
                    Issuer::Itself | Issuer::Ca(Ca::New) => signatures.key,
                    Issuer::Ca(Ca::Given(_)) => signatures.issuer,
                };
                let issuer = match &plan.issuer {
                    Issuer::Itself => &certificate,
                    Issuer::Ca(issuer) => make::ca(issuer, &made)?,
                };
                check_signature(plan.file, certificate.signature_algorithm(), signature, issuer)?;
                issued = plan.form.issued(&certificate);
                made.push(certificate);
                plan.file
            }
            Product::Crl(plan) => {
                let crl = check_crl(plan, folder)?;
                check_signature(CRL_FILE, crl.signature_algorithm(), signatures.issuer, &plan.issuer)?;
                issued = Some(Issued::Crl(crl));
                CRL_FILE
            }
            Product::Request(plan) => {
                check_request(plan, key.as_ref(), folder)?;
                REQUEST_FILE
            }
        };
        report.push(format!(
            "{name} says exactly what {CEREMONY_FILE} asks for, verifies, and passes its lints"
        ));
    }
    if let Some(request) = &inputs.bundle {
        let issued = issued.context("there is nothing to answer the request with")?;
        check_response(request, issued, &inputs, &record, folder)?;
        report.push(format!(
            "{RESPONSE_FILE} answers inputs/request.txt, holds what was made, and is signed by the record key"
        ));
    }
    if record.rehearsal {
        report.push("this was a rehearsal: nothing of it is to be used".to_owned());
    }
    Ok(report)
}

fn check_record(folder: &Path, previous: Option<&Path>, report: &mut Report) -> Result<Record> {
    let key = PublicKey::from_pem(&read_text(&folder.join(record::KEY_FILE))?)?;
    let (_, record) = read_record(&folder.join(record::JSON_FILE), &key)?;
    report.push(format!("{} is signed by the record key, SHA-256 {}", record::JSON_FILE, record.record_key));
    let before = match previous {
        None => None,
        Some(folder) => Some(read_record(&folder.join(record::JSON_FILE), &key)?.0),
    };
    if before.is_none() && record.number > 1 {
        report.push(format!(
            "record {} of its chain; name the folder of the one before with --previous to check that",
            record.number
        ));
    } else {
        record.check_follows(before.as_deref()).map_err(|error| anyhow!("{} {error}", record::JSON_FILE))?;
        let place = if record.number == 1 { "begins the chain" } else { "continues the record before it" };
        report.push(format!("record {} {place}", record.number));
    }
    ensure!(
        read_text(&folder.join(record::MARKDOWN_FILE))? == record.to_markdown(),
        "{} does not say what {} says",
        record::MARKDOWN_FILE,
        record::JSON_FILE
    );
    report.push(format!("{} says the same", record::MARKDOWN_FILE));
    Ok(record)
}

fn check_files(folder: &Path, record: &Record, report: &mut Report) -> Result<()> {
    for FileEntry { file, sha256, .. } in record.inputs.iter().chain(&record.outputs) {
        // A record is signed, and still no reason to leave the folder.
        ensure!(
            !file.starts_with('/') && !file.split('/').any(|part| part == ".."),
            "{file} is no file of the folder"
        );
        let contents = fs::read(folder.join(file)).with_context(|| format!("cannot read {file}"))?;
        ensure!(
            Digest::of(&contents).to_string() == *sha256,
            "{file} is not the file in the record: its SHA-256 differs"
        );
    }
    let count = record.inputs.len() + record.outputs.len();
    report.push(format!("{count} files have the SHA-256 in the record"));
    Ok(())
}

fn check_keys(record: &Record, key: Option<&PublicKey>, inputs: &Inputs) -> Result<()> {
    for entry in &record.keys {
        let public = match entry.name.as_str() {
            "key" => key,
            _ => inputs.signing_certificate().map(Certificate::public_key),
        };
        let public =
            public.with_context(|| format!("the record has a key that is not here: {}", entry.name))?;
        ensure!(
            Digest::of(public.der()).to_string() == entry.sha256,
            "the record's {} is another key",
            entry.name
        );
    }
    Ok(())
}

/// Builds what was asked for anew, with the serial number that was drawn, and compares the bytes.
fn check_certificate(
    plan: &CertificatePlan,
    certificate: &Certificate,
    key: Option<&PublicKey>,
    made: &[Certificate],
) -> Result<()> {
    let expected = make::build(plan, certificate.serial(), certificate.signature_algorithm(), key, made)?;
    ensure!(expected.der() == certificate.tbs_der(), "{} is not what {CEREMONY_FILE} asks for", plan.file);
    let issuer = match &plan.issuer {
        Issuer::Itself => certificate,
        Issuer::Ca(issuer) => make::ca(issuer, made)?,
    };
    certificate.verify_issued_by(issuer).with_context(|| format!("{} does not verify", plan.file))?;
    let mut findings = make::lint(plan, certificate, made)?;
    if matches!(plan.form, Form::Root(_)) {
        findings.extend(cairn_x509::lint_root(certificate));
    }
    ensure!(findings.is_empty(), "{} breaks rules for certificates: {findings:?}", plan.file);
    Ok(())
}

fn check_crl(plan: &CrlPlan, folder: &Path) -> Result<Crl> {
    let crl = Crl::from_pem(&read_text(&folder.join(CRL_FILE))?)
        .with_context(|| format!("{CRL_FILE} cannot be read"))?;
    let expected = make::build_crl(plan, crl.signature_algorithm())?;
    ensure!(expected.der() == crl.tbs().der(), "{CRL_FILE} is not what {CEREMONY_FILE} asks for");
    crl.verify_issued_by(&plan.issuer).with_context(|| format!("{CRL_FILE} does not verify"))?;
    let findings = lint_crl(&crl, &plan.issuer);
    ensure!(findings.is_empty(), "{CRL_FILE} breaks rules for CRLs: {findings:?}");
    let der = fs::read(folder.join(CRL_DER_FILE)).with_context(|| format!("cannot read {CRL_DER_FILE}"))?;
    ensure!(der == crl.der(), "{CRL_DER_FILE} is another CRL than {CRL_FILE}");
    Ok(crl)
}

/// That it is signed as the ceremony file says, or else in the usual way of the issuer's key.
fn check_signature(
    file: &str,
    found: SignatureAlgorithm,
    asked: Option<SignatureAlgorithm>,
    issuer: &Certificate,
) -> Result<()> {
    let expected = asked.or_else(|| SignatureAlgorithm::usual(issuer.public_key().kind()));
    ensure!(
        expected == Some(found),
        "{file} is signed with {found}, which is not what {CEREMONY_FILE} asks for"
    );
    Ok(())
}

/// It says no more than the folder does, so it is worked out again.
fn check_response(
    request: &Signed<Request>,
    issued: Issued,
    inputs: &Inputs,
    record: &Record,
    folder: &Path,
) -> Result<()> {
    let response = Signed::<Response>::read(read_text(&folder.join(RESPONSE_FILE))?.as_bytes())
        .with_context(|| format!("{RESPONSE_FILE} cannot be used"))?;
    let key = PublicKey::from_pem(&read_text(&folder.join(record::KEY_FILE))?)?;
    let json = read_text(&folder.join(record::JSON_FILE))?;
    let issuer = inputs.signing_certificate().context("there is no issuer")?;
    let expected = Response::new(request, issued, issuer, (record, json.as_bytes()), &key)?;
    ensure!(*response.content() == expected, "{RESPONSE_FILE} does not say what this folder says");
    Ok(())
}

fn check_request(plan: &RequestPlan, key: Option<&PublicKey>, folder: &Path) -> Result<()> {
    // Reading it proves its signature.
    let request = CaCsr::from_pem(&read_text(&folder.join(REQUEST_FILE))?)
        .with_context(|| format!("{REQUEST_FILE} cannot be read"))?;
    let is_asked_for = request.subject() == &plan.subject
        && Some(request.public_key()) == key
        && request.asks_for_ca()
        && request.path_len() == plan.ca.path_len;
    ensure!(is_asked_for, "{REQUEST_FILE} is not what {CEREMONY_FILE} asks for");
    Ok(())
}

fn read_text(path: &Path) -> Result<String> {
    let length = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?.len();
    if length > record::MAX_RECORD {
        bail!("{} is longer than {} bytes", path.display(), record::MAX_RECORD);
    }
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}
