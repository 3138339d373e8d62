//! What a ceremony will make, for people, before any key is touched: every certificate as it will be, but for its key, its serial number
//! and its signature, and how it differs from what it replaces.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use cairn_x509::{Certificate, FileSigner, SignatureAlgorithm, Signer};

use crate::bundle::{self, Asks, Difference};
use crate::file::{Digest, KeyChoice, Store};
use crate::inputs::Inputs;
use crate::make::{self, Keys, SERIAL, throwaway};
use crate::plan::{Product, Signatures};
use crate::run::{Prepared, UNKNOWN_KIND};
use crate::sheet;
use crate::words;

/// In place of the serial numbers, which are drawn when the certificates are made.
const NO_SERIAL: [u8; SERIAL] = [0x40; SERIAL];

/// What a ceremony will make.
///
/// # Errors
/// If it cannot be made, or what it makes would break a rule.
pub fn show(prepared: &Prepared<'_>) -> Result<String> {
    let Prepared { plan, inputs, .. } = prepared;
    let mut shown = head(prepared)?;
    let stand_ins = StandIns::new(prepared)?;
    let (mut made, mut otherwise): (Vec<Certificate>, Vec<Difference>) = (Vec::new(), Vec::new());
    for product in &plan.products {
        match product {
            Product::Certificate(plan) => {
                let certificate = make::rehearse(plan, &NO_SERIAL, stand_ins.keys(inputs), &made)?;
                let lines = sheet::lines(&certificate)?;
                writeln!(
                    shown,
                    "\n{}, {}:\n{}",
                    plan.file,
                    plan.form.what(),
                    sheet::text(&lines).trim_end()
                )?;
                if made.is_empty()
                    && let Ok(old) = inputs.replaced_certificate()
                {
                    let differences = sheet::differences(&sheet::lines(old)?, &lines);
                    let differences = differences.trim_end();
                    writeln!(shown, "\nIt differs from what it replaces, {}:\n{differences}", old.subject())?;
                }
                if let Some(request) = &inputs.bundle {
                    otherwise = bundle::differences(request.content(), &certificate)?;
                }
                made.push(certificate);
            }
            Product::Crl(plan) => {
                let signer = stand_ins.issuer.as_ref().context("there is no issuer")?;
                let crl = make::rehearse_crl(plan, signer)?;
                let text = sheet::crl(&crl, inputs.replaced_crl());
                writeln!(shown, "\n{}, CRL:\n{}", make::CRL_FILE, text.trim_end())?;
                if let Some(Asks::Crl(asked)) = inputs.bundle.as_ref().map(|request| &request.content().asks)
                {
                    otherwise = bundle::crl_differences(asked, &crl);
                }
            }
            Product::Request(plan) => {
                writeln!(shown, "\n{}, request:\n  {:<19} {}", make::REQUEST_FILE, "subject", plan.subject)?;
            }
        }
    }
    if let Some(request) = &inputs.bundle {
        writeln!(shown, "\nIt answers this request:\n{}", request.head().trim_end())?;
        for difference in &otherwise {
            writeln!(shown, "  not as asked:       {difference}")?;
        }
    } else if let Some(request) = &inputs.request {
        writeln!(shown, "\nThe request asks for:\n{}", sheet::request(request).trim_end())?;
    }
    Ok(shown)
}

fn head(prepared: &Prepared<'_>) -> Result<String> {
    let Prepared { file, plan, existing_kind, .. } = prepared;
    let digest = Digest::of(prepared.ceremony.text);
    let people: Vec<String> =
        file.people.iter().map(|person| format!("{} ({})", person.name, person.role)).collect();
    let mut shown = String::new();
    writeln!(shown, "{} ({})\n", file.title, file.kind)?;
    writeln!(shown, "  ceremony file       SHA-256 {digest}")?;
    writeln!(shown, "  the same as words   {}", words::fingerprint(&digest))?;
    writeln!(shown, "  people              {}", people.join(", "))?;
    let key = match plan.key {
        None => None,
        Some(KeyChoice::New(algorithm)) => Some(match file.key.as_ref().map(|key| key.store) {
            Some(Store::Pkcs11) => format!("a new one, {algorithm}, in a hardware security module"),
            _ => format!("a new one, {algorithm}"),
        }),
        Some(KeyChoice::Existing(digest)) => Some(match existing_kind {
            Some(kind) => format!("one that exists, {kind}, SHA-256 {digest}"),
            None => format!(
                "one that exists, SHA-256 {digest}; nothing here tells its kind, so {UNKNOWN_KIND} is shown. To see it as it \
                 will be, name its public part as public_key in [inputs] of the machine file"
            ),
        }),
        Some(KeyChoice::Request(digest)) => Some(format!("that of a request, SHA-256 {digest}")),
        Some(KeyChoice::PublicKey(digest)) => Some(format!("its owner's, SHA-256 {digest}")),
    };
    if let Some(key) = key {
        writeln!(shown, "  key                 {key}")?;
    }
    if let Some(shares) = file.key.as_ref().and_then(|key| key.shares.as_ref()) {
        let (needed, holders) = (shares.needed, &shares.holders);
        writeln!(
            shown,
            "  its passphrase      split: any {needed} of {}: {}",
            holders.len(),
            holders.join(", ")
        )?;
    }
    Ok(shown)
}

/// Keys of the right kinds, which sign nothing that leaves this process.
struct StandIns {
    key: Option<FileSigner>,
    issuer: Option<FileSigner>,
}

impl StandIns {
    fn new(prepared: &Prepared<'_>) -> Result<Self> {
        let Prepared { plan, inputs, existing_kind, .. } = prepared;
        let key = match plan.key {
            Some(KeyChoice::New(algorithm)) => Some(FileSigner::generate(algorithm)?),
            Some(KeyChoice::Existing(_)) => Some(throwaway(existing_kind.unwrap_or(UNKNOWN_KIND))?),
            Some(KeyChoice::Request(_) | KeyChoice::PublicKey(_)) | None => None,
        };
        let issuer =
            inputs.signing_certificate().map(|issuer| throwaway(issuer.public_key().kind())).transpose()?;
        let signing = |key: Option<FileSigner>, algorithm: Option<SignatureAlgorithm>| match (key, algorithm)
        {
            (Some(key), Some(algorithm)) => key.with_algorithm(algorithm).map(Some),
            (key, _) => Ok(key),
        };
        let Signatures { key: own, issuer: issuers } = plan.signatures;
        Ok(Self { key: signing(key, own)?, issuer: signing(issuer, issuers)? })
    }

    fn keys<'a>(&'a self, inputs: &'a Inputs) -> Keys<'a> {
        let own = self.key.as_ref().map(|key| key as &dyn Signer);
        let issuer = self.issuer.as_ref().map(|key| key as &dyn Signer);
        Keys::new(own, inputs.public_key.as_ref(), issuer)
    }
}
