//! Puts to use what a response brings: checked against the request that was made, and against the CA's own trust, before anything is
//! written; then there at once.
//!
//! An issuer or a responder appears as a folder, with its key, by one rename; a CRL takes the place of the one before by one rename. Before
//! that the request waits as it did; after it there is only cleaning up to do, and whoever runs the same command again does it.

use std::collections::HashSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use cairn_ceremony::bundle::{
    Asks, Difference, Issued, Response, RevocationRequest, Signed, crl_differences, differences,
};
use cairn_ceremony::file::Digest;
use cairn_ceremony::folder::{PUBLIC, Staging, make_folder, replace_file};
use cairn_ceremony::words;
use cairn_core::{Clock, Timestamp};
use cairn_x509::{Certificate, Crl, Finding, lint_ca, lint_crl, lint_intermediate, lint_ocsp_responder};

use super::folder::Folder;
use super::key;
use super::known::{Known, newest_crl};
use super::pending::{self, Found, Pending, RESPONSE, short};
use crate::issuers::files::read_if_there;

/// What the operator says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// The record key, as the people who hold it have told.
    pub record_key: Option<&'a str>,
    /// Whether what is wider than, or otherwise than it was asked for, shall be used all the same.
    pub accept_differences: bool,
}

/// A response that was checked.
#[derive(Debug)]
pub struct Installation<'a> {
    folder: &'a Folder,
    pending: Pending,
    response: Signed<Response>,
    issuer: Certificate,
    /// What the folder lacks of the chain between the issuer and the root.
    unknown: Vec<Certificate>,
    differences: Vec<Difference>,
    /// It is in its place, by a run before this one that did not come to its end.
    in_place: bool,
}

impl<'a> Installation<'a> {
    /// Checks a response. Nothing is written.
    ///
    /// # Errors
    /// Why it is not installed, and what to do.
    pub fn check(
        response: &[u8],
        folder: &'a Folder,
        known: &Known,
        terms: &Terms<'_>,
        clock: &dyn Clock,
    ) -> Result<Self> {
        let response = Signed::<Response>::read(response)?;
        let content = response.content();
        ensure!(
            !content.rehearsal,
            "it is a rehearsal's, whose keys were throw-away; hold the ceremony in earnest"
        );
        let pending = match pending::find(folder, content.nonce)? {
            Found::Pending(pending) => *pending,
            Found::Answered(path) => bail!(
                "its request was answered before, and what it brought was installed; both are kept in {}",
                path.display()
            ),
            Found::Nothing => bail!(
                "it answers no request that waits in {}; it may be another CA's, or its request was given up",
                folder.requests().display()
            ),
        };
        ensure!(
            content.is_to(&pending.request),
            "it has the nonce of the request {}, and answers another file: somebody changed the request on its way; make a new one",
            pending.request.content().name
        );
        let issuer = content.chain.first().context("it has no issuer")?;
        let asked = &pending.request.content().issuer;
        ensure!(
            asked.sha256 == Digest::of(issuer.der()),
            "{} has signed it, SHA-256 {}, and {} was asked",
            issuer.subject(),
            Digest::of(issuer.der()),
            asked.subject
        );
        check_record_key(folder, &asked.sha256, content, terms.record_key)?;

        let now = clock.now();
        let below = u8::from(matches!(content.issued, Issued::Intermediate(_)));
        let chain = known.chain(issuer, &content.chain, below, now)?;
        let issuer = issuer.clone();
        let unknown = chain.into_iter().filter(|certificate| !known.has(certificate)).collect();
        let mut installation =
            Self { folder, pending, response, issuer, unknown, differences: Vec::new(), in_place: false };
        installation.in_place = installation.is_in_place()?;
        if !installation.in_place {
            installation.differences = installation.check_issued(now)?;
            let wider: Vec<_> =
                installation.differences.iter().filter(|difference| !difference.is_less).collect();
            ensure!(
                wider.is_empty() || terms.accept_differences,
                "it is not what was asked for:\n{}\nIf the people who signed it say that it shall be so, add --accept-differences",
                list(&wider)
            );
        }
        Ok(installation)
    }

    /// Makes it appear where servers find it.
    ///
    /// # Errors
    /// If the disk refuses; then nothing is installed, and the request waits as it did.
    pub fn put_in_place(&self) -> Result<()> {
        if self.in_place {
            return Ok(());
        }
        let request = self.pending.request.content();
        pending::keep_record_key(self.folder, &request.issuer.sha256, &self.response.content().record_key)?;
        for certificate in &self.unknown {
            make_folder(&self.folder.certificates())?;
            let name = format!("{}.pem", short(&Digest::of(certificate.der())));
            replace_file(&self.folder.certificates().join(name), certificate.to_pem().as_bytes(), PUBLIC)?;
        }
        match &self.response.content().issued {
            Issued::Intermediate(certificate) => {
                let settings = format!("{}use = \"when-needed\"\n", key::PLACE);
                self.make_folder(certificate, "issuer.toml", &settings)
            }
            Issued::OcspSigner(certificate) => self.make_folder(certificate, "responder.toml", key::PLACE),
            Issued::Crl(crl) => {
                make_folder(&self.folder.crls())?;
                replace_file(&self.target(), crl.to_pem().as_bytes(), PUBLIC)
            }
        }
    }

    /// Keeps the request among those that were answered, and deletes the copy of its key.
    ///
    /// # Errors
    /// If the disk refuses; what is installed stays so, and the same command again does the rest.
    pub fn clean_up(&self) -> Result<()> {
        self.pending.answered(self.folder, &self.response).with_context(|| {
            format!("{} is installed; run the same command again to finish", self.target().display())
        })
    }

    /// What was done, for the operator.
    #[must_use]
    pub fn report(&self) -> String {
        let differences: Vec<_> = self.differences.iter().collect();
        let differences = match differences.as_slice() {
            [] => String::new(),
            some => format!("It differs from what was asked for:\n{}\n", list(some)),
        };
        format!(
            "{}\n{differences}Installed {}. A running server puts it to use by itself.\n",
            self.response.head(),
            self.target().display()
        )
    }

    /// Where it is, or will be.
    fn target(&self) -> PathBuf {
        let request = self.pending.request.content();
        match self.response.content().issued {
            Issued::Intermediate(_) => self.folder.issuer(&request.name),
            Issued::OcspSigner(_) => self.folder.responder(&request.name),
            Issued::Crl(_) => self.folder.crls().join(format!("{}.pem", short(&request.issuer.sha256))),
        }
    }

    fn make_folder(&self, certificate: &Certificate, settings_file: &str, settings: &str) -> Result<()> {
        let staging = Staging::new(&self.target())?;
        key::copy(&self.pending.path, certificate.public_key(), &staging)?;
        staging.write("certificate.pem", certificate.to_pem().as_bytes(), PUBLIC)?;
        staging.write(settings_file, settings.as_bytes(), PUBLIC)?;
        staging.write(RESPONSE, self.response.text().as_bytes(), PUBLIC)?;
        staging.commit()
    }

    /// Whether a run before this one has done it.
    fn is_in_place(&self) -> Result<bool> {
        let target = self.target();
        if let Issued::Crl(crl) = &self.response.content().issued {
            let there = read_if_there(&target)?;
            return Ok(there.is_some_and(|pem| pem == crl.to_pem().as_bytes()));
        }
        if !target.exists() {
            return Ok(false);
        }
        let there = read_if_there(&target.join(RESPONSE))?;
        ensure!(
            there.is_some_and(|text| text == self.response.text().as_bytes()),
            "{} exists already, and keys are never overwritten; move it away, or ask again under another name",
            target.display()
        );
        Ok(true)
    }

    /// Checks what was signed, and tells how it differs from what was asked for.
    fn check_issued(&self, now: Timestamp) -> Result<Vec<Difference>> {
        let request = self.pending.request.content();
        let issuer = &self.issuer;
        match (&request.asks, &self.response.content().issued) {
            (Asks::Intermediate(asked), Issued::Intermediate(certificate)) => {
                // One for any use says nothing of uses.
                let findings = if certificate.description()?.purposes.is_empty() && asked.purposes.is_empty()
                {
                    lint_ca(certificate, issuer)
                } else {
                    lint_intermediate(certificate, issuer)
                };
                self.check_certificate(certificate, asked.csr.public_key(), &findings, now)?;
            }
            (Asks::OcspSigner(asked), Issued::OcspSigner(certificate)) => {
                let findings = lint_ocsp_responder(certificate, issuer);
                self.check_certificate(certificate, asked.csr.public_key(), &findings, now)?;
            }
            (Asks::Crl(asked), Issued::Crl(crl)) => return self.check_crl(asked, crl, now),
            _ => bail!("{} was asked for, and something else is in it", request.what()),
        }
        match &self.response.content().issued {
            Issued::Intermediate(certificate) | Issued::OcspSigner(certificate) => {
                Ok(differences(request, certificate)?)
            }
            Issued::Crl(_) => Ok(Vec::new()),
        }
    }

    fn check_certificate(
        &self,
        certificate: &Certificate,
        key: &cairn_x509::PublicKey,
        findings: &[Finding],
        now: Timestamp,
    ) -> Result<()> {
        let issuer = &self.issuer;
        ensure!(
            certificate.public_key() == key,
            "its certificate is for another key than the one that was made for the request"
        );
        key::check(&self.pending.path, key)?;
        certificate
            .verify_issued_by(issuer)
            .with_context(|| format!("its certificate was not signed by {}", issuer.subject()))?;
        no_findings(findings)?;
        let validity = certificate.validity();
        ensure!(validity.is_within(&issuer.validity()), "its certificate is valid when its issuer is not");
        in_time(validity.not_before, Some(validity.not_after), now)
    }

    fn check_crl(&self, asked: &RevocationRequest, crl: &Crl, now: Timestamp) -> Result<Vec<Difference>> {
        let issuer = &self.issuer;
        crl.verify_issued_by(issuer)
            .with_context(|| format!("its CRL was not signed by {}", issuer.subject()))?;
        no_findings(&lint_crl(crl, issuer))?;
        let tbs = crl.tbs();
        in_time(tbs.this_update(), tbs.next_update(), now)?;
        let number = tbs.number_as_u64().context("its CRL has no number")?;
        if let Some((before, old)) = newest_crl(self.folder, issuer)? {
            ensure!(
                number > before,
                "its CRL has the number {number}, and the installed one {before}: clients would go back to an older state"
            );
            let kept: HashSet<_> = tbs.entries().map(|entry| entry.serial).collect();
            ensure!(
                old.tbs().entries().all(|entry| kept.contains(entry.serial)),
                "its CRL lacks certificates that the installed one has revoked; make it again, from the installed one"
            );
        }
        Ok(crl_differences(asked, crl))
    }
}

/// That the response is signed by the key that signs this root's records, confirmed by the operator with the first.
fn check_record_key(
    folder: &Folder,
    issuer: &Digest,
    response: &Response,
    given: Option<&str>,
) -> Result<()> {
    let found = Digest::of(response.record_key.der());
    let kept = pending::record_key(folder, issuer)?;
    if let Some(kept) = kept {
        ensure!(
            kept == response.record_key,
            "it is signed by another key (SHA-256 {found}) than the responses before. If the people with the root's key have begun new \
             records, remove {} and confirm their key with --record-key",
            pending::record_key_file(folder, issuer).display()
        );
    }
    match given {
        Some(given) => ensure!(
            words::is_for(given, &found),
            "it is signed by another record key than the one named by --record-key: its SHA-256 is {found}, its words are: {}",
            words::fingerprint(&found)
        ),
        None => ensure!(
            pending::record_key(folder, issuer)?.is_some(),
            "it is the first of this root's, signed by the record key\n\n  {found}\n  {}\n\nAsk the people with the root's key whether \
             that is theirs (it stands in record.md), and add it: --record-key {found}",
            words::fingerprint(&found)
        ),
    }
    Ok(())
}

fn in_time(begins: i64, ends: Option<i64>, now: Timestamp) -> Result<()> {
    ensure!(
        begins <= now.unix(),
        "it is valid only from {} on, and this machine's clock says {now}; set the clock, or install it then",
        Timestamp::from_unix(begins)
    );
    ensure!(
        ends.is_none_or(|ends| now.unix() < ends),
        "it has ended, and this machine's clock says {now}; set the clock, or ask again"
    );
    Ok(())
}

fn no_findings(findings: &[Finding]) -> Result<()> {
    let list: Vec<String> = findings
        .iter()
        .map(|Finding { lint, citation, message }| format!("- {message} ({lint}, {citation})"))
        .collect();
    ensure!(list.is_empty(), "it breaks rules that clients hold it to:\n{}", list.join("\n"));
    Ok(())
}

fn list(differences: &[&Difference]) -> String {
    differences.iter().map(|difference| format!("- {difference}")).collect::<Vec<_>>().join("\n")
}
