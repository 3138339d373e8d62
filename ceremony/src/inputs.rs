//! The files that a ceremony starts from: read from where the machine file says, and refused unless they are those that the ceremony file
//! names by their SHA-256.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use cairn_x509::{CaCsr, Certificate, Crl, KeyKind, PublicKey};

use crate::bundle::{self, Signed};
use crate::file::{Answers, CeremonyFile, Digest, FileError, KeyChoice, KeySpec, Kind};
use crate::machine;

/// Longest input file in bytes: a root's CRL of some ten thousand entries.
const MAX_INPUT: u64 = 1024 * 1024;

/// The certificates that a rehearsal replaces.
const CERTIFICATES: [&str; 3] = ["inputs/issuer.pem", "inputs/subject.pem", "inputs/replaces.pem"];
const REQUEST: &str = "inputs/request.pem";
const BUNDLE: &str = "inputs/request.txt";
const OLD_CRL: &str = "CRL that is replaced";
const PUBLIC_KEY: &str = "inputs/public-key.pem";

/// What a ceremony starts from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inputs {
    issuer: Option<Certificate>,
    subject: Option<Certificate>,
    replaces: Option<Certificate>,
    replaced_crl: Option<Crl>,
    revoked: Vec<Certificate>,
    /// The request of a CA that is answered.
    pub bundle: Option<Signed<bundle::Request>>,
    /// The request whose key is certified, also if it came in that.
    pub request: Option<CaCsr>,
    /// The key whose owner is elsewhere, that of the request included.
    pub public_key: Option<PublicKey>,
    /// The public part of a key that exists and can sign here, if the machine file names it: what it will be, before it is opened.
    existing_key: Option<PublicKey>,
    /// The files, to be kept with what is made.
    pub files: Vec<InputFile>,
}

/// A file that a ceremony started from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// Its path in the ceremony's folder.
    pub name: String,
    /// What it is.
    pub what: &'static str,
    /// Its contents.
    pub contents: Vec<u8>,
    /// The SHA-256 of what is in it, as the ceremony file has it.
    pub digest: Digest,
}

impl Inputs {
    /// Reads what `file` names from where `places` says.
    ///
    /// # Errors
    /// If something is missing, too much, or another file.
    pub fn read(file: &CeremonyFile, places: &machine::Inputs) -> Result<Self> {
        Self::read_as(file, places, Pins::Hold)
    }

    /// The same, of a folder in which a ceremony has left them. A rehearsal's are not those that the ceremony file names.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_from_folder(file: &CeremonyFile, folder: &Path, rehearsal: bool) -> Result<Self> {
        let place = |is_there: bool, name: &str| is_there.then(|| folder.join(name));
        let choice = file.key.as_ref().map(KeySpec::choice).transpose()?;
        let places = machine::Inputs {
            issuer: place(file.issuer.is_some(), "inputs/issuer.pem"),
            subject: place(file.subject.is_some(), "inputs/subject.pem"),
            replaces: place(file.replaces.is_some(), "inputs/replaces.pem"),
            public_key: place(matches!(choice, Some(KeyChoice::PublicKey(_))), PUBLIC_KEY),
            request: match file.answers {
                Some(_) => Some(folder.join(BUNDLE)),
                None => place(matches!(choice, Some(KeyChoice::Request(_))), REQUEST),
            },
            revoked: (0..pinned_revocations(file).count())
                .map(|place| folder.join(revoked_file(place)))
                .collect(),
        };
        Self::read_as(file, &places, if rehearsal { Pins::OfSomethingElse } else { Pins::Hold })
    }

    fn read_as(file: &CeremonyFile, places: &machine::Inputs, pins: Pins) -> Result<Self> {
        let mut inputs = Self::default();
        let machine::Inputs { issuer, subject, replaces, request, public_key, revoked } = places;
        let pinned = |table: &Option<crate::file::Pinned>| table.as_ref().map(|pinned| pinned.sha256);

        inputs.issuer = inputs.certificate("issuer", pinned(&file.issuer), issuer.as_deref(), pins)?;
        inputs.subject = inputs.certificate("subject", pinned(&file.subject), subject.as_deref(), pins)?;
        match file.kind {
            Kind::Crl | Kind::RevokeIntermediate => {
                inputs.replaced_crl = inputs.crl(pinned(&file.replaces), replaces.as_deref(), pins)?;
            }
            _ => {
                let digest = pinned(&file.replaces);
                inputs.replaces = inputs.certificate("replaces", digest, replaces.as_deref(), pins)?;
            }
        }
        let (key_digest, request_digest) = match file.key.as_ref().map(KeySpec::choice).transpose()? {
            Some(KeyChoice::PublicKey(digest)) => (Some(digest), None),
            Some(KeyChoice::Request(digest)) => (None, Some(digest)),
            _ => (None, None),
        };
        match file.key.as_ref().map(KeySpec::choice).transpose()? {
            Some(KeyChoice::Existing(digest)) => {
                inputs.existing_key = existing_key(digest, public_key.as_deref())?;
            }
            _ => inputs.public_key = inputs.public_key(key_digest, public_key.as_deref())?,
        }
        match &file.answers {
            Some(answers) => inputs.bundle(answers, request_digest, request.as_deref(), pins)?,
            None => inputs.request(request_digest, request.as_deref())?,
        }
        inputs.revoked(file, revoked, pins)?;
        Ok(inputs)
    }

    /// The same with other certificates: a rehearsal's, whose keys are at hand.
    ///
    /// # Errors
    /// If one cannot be replaced.
    pub fn replaced(
        self,
        replace: &mut dyn FnMut(&'static str, Certificate) -> Result<Certificate>,
    ) -> Result<Self> {
        let Self { public_key, existing_key, bundle, request, replaced_crl, revoked, .. } = self;
        let mut inputs =
            Self { public_key, existing_key, bundle, request, replaced_crl, revoked, ..Self::default() };
        let is_replaced = |name: &str| CERTIFICATES.contains(&name);
        let is_kept = |file: &InputFile| !is_replaced(&file.name) || file.what == OLD_CRL;
        inputs.files = self.files.into_iter().filter(is_kept).collect();
        let mut next = |role, certificate: Option<Certificate>| -> Result<_> {
            let Some(certificate) = certificate else { return Ok(None) };
            let certificate = replace(role, certificate)?;
            inputs.files.push(InputFile::new(
                role,
                Digest::of(certificate.der()),
                certificate.to_pem().into_bytes(),
            ));
            Ok(Some(certificate))
        };
        let issuer = next("issuer", self.issuer)?;
        let subject = next("subject", self.subject)?;
        let replaces = next("replaces", self.replaces)?;
        Ok(Self { issuer, subject, replaces, ..inputs })
    }

    /// The certificate whose key is the issuer's: that in `[issuer]`, or for the next root the old one.
    #[must_use]
    pub fn signing_certificate(&self) -> Option<&Certificate> {
        self.issuer.as_ref().or(self.replaces.as_ref())
    }

    /// The kind of the key with this SHA-256, where one of the files tells it.
    #[must_use]
    pub fn kind_of_key(&self, digest: Digest) -> Option<KeyKind> {
        let certificates = [&self.issuer, &self.subject, &self.replaces].into_iter().flatten();
        let mut keys = certificates.map(Certificate::public_key).chain(&self.existing_key);
        keys.find(|key| Digest::of(key.der()) == digest).map(PublicKey::kind)
    }

    /// The certificate in `[issuer]`.
    ///
    /// # Errors
    /// If there is none.
    pub fn issuer(&self) -> Result<&Certificate, FileError> {
        self.issuer.as_ref().ok_or_else(|| FileError::value("issuer", "is missing"))
    }

    /// The certificate in `[subject]`.
    ///
    /// # Errors
    /// If there is none.
    pub fn subject(&self) -> Result<&Certificate, FileError> {
        self.subject.as_ref().ok_or_else(|| FileError::value("subject", "is missing"))
    }

    /// The certificate in `[replaces]`.
    ///
    /// # Errors
    /// If there is none.
    pub fn replaced_certificate(&self) -> Result<&Certificate, FileError> {
        self.replaces.as_ref().ok_or_else(|| FileError::value("replaces", "is missing"))
    }

    /// The list that is replaced, if there is one.
    #[must_use]
    pub const fn replaced_crl(&self) -> Option<&Crl> {
        self.replaced_crl.as_ref()
    }

    /// The certificate with this fingerprint, which is revoked.
    ///
    /// # Errors
    /// If it is not there.
    pub fn revoked_certificate(&self, digest: Digest) -> Result<&Certificate, FileError> {
        let found = self.revoked.iter().find(|certificate| Digest::of(certificate.der()) == digest);
        found.ok_or_else(|| FileError::value("revoked", format!("the certificate {digest} is missing")))
    }

    fn crl(&mut self, digest: Option<Digest>, path: Option<&Path>, pins: Pins) -> Result<Option<Crl>> {
        let Some((contents, digest, path)) = pair("replaces", digest, path)? else { return Ok(None) };
        let crl = pem_or_der(&contents, Crl::from_pem, Crl::from_der);
        let crl = crl.with_context(|| format!("{} is no CRL", path.display()))?;
        self.keep("replaces", digest, Digest::of(crl.der()), path, crl.to_pem().into_bytes())?;
        if let Some(file) = self.files.last_mut() {
            file.what = OLD_CRL;
        }
        if pins == Pins::Hold {
            let issuer = self.issuer()?;
            let wrong = || format!("{} is no list of {}", path.display(), issuer.subject());
            crl.verify_issued_by(issuer).with_context(wrong)?;
        }
        Ok(Some(crl))
    }

    fn request(&mut self, digest: Option<Digest>, path: Option<&Path>) -> Result<()> {
        let Some((contents, digest, path)) = pair("request", digest, path)? else { return Ok(()) };
        ensure!(
            !bundle::is_like::<bundle::Request>(&contents),
            "{} is a request of a CA, and the ceremony file has no [answers] that names it; `from-request` drafts one that does",
            path.display()
        );
        let request = pem_or_der(&contents, CaCsr::from_pem, CaCsr::from_der);
        let request =
            request.with_context(|| format!("{} is no request that can be certified", path.display()))?;
        self.keep("request", digest, Digest::of(request.der()), path, request.to_pem().into_bytes())?;
        self.public_key = Some(request.public_key().clone());
        self.request = Some(request);
        Ok(())
    }

    /// A CA's request: signed by the key that asks, for the issuer that signs here.
    fn bundle(
        &mut self,
        answers: &Answers,
        csr: Option<Digest>,
        path: Option<&Path>,
        pins: Pins,
    ) -> Result<()> {
        let Some((contents, digest, path)) = pair("request", Some(answers.sha256), path)? else {
            return Ok(());
        };
        let name = path.display();
        let bundle = Signed::<bundle::Request>::read(&contents)
            .with_context(|| format!("{name} is no request of a CA that can be answered"))?;
        self.keep("bundle", digest, bundle.digest(), path, contents)?;
        let request = bundle.content();
        let requester = Digest::of(request.requester.der());
        ensure!(
            answers.requester.is_none_or(|expected| expected == requester),
            "{name} comes from another CA than the ceremony file names: its key's SHA-256 is {requester}"
        );
        if pins == Pins::Hold {
            let issuer = Digest::of(self.issuer()?.der());
            ensure!(
                request.issuer.sha256 == issuer,
                "{name} asks {}, SHA-256 {}, and the ceremony's issuer is another one, SHA-256 {issuer}",
                request.issuer.subject,
                request.issuer.sha256
            );
        }
        if let (Some(request), Some(expected)) = (request.csr(), csr) {
            let found = Digest::of(request.der());
            ensure!(
                found == expected,
                "the ceremony file names another CSR as key.request than that in {name}, whose SHA-256 is {found}"
            );
            self.public_key = Some(request.public_key().clone());
            self.request = Some(request.clone());
        }
        self.bundle = Some(bundle);
        Ok(())
    }

    /// Certificates that are revoked, in the order in which the ceremony file names them.
    fn revoked(&mut self, file: &CeremonyFile, paths: &[PathBuf], pins: Pins) -> Result<()> {
        let mut found = Vec::new();
        for path in paths {
            let certificate = read_certificate(&read(path)?, path)?;
            found.push((Digest::of(certificate.der()), certificate, path));
        }
        for (place, digest) in pinned_revocations(file).enumerate() {
            let at = found.iter().position(|(other, ..)| *other == digest).with_context(|| {
                format!(
                    "the ceremony file revokes the certificate {digest}; add its path to revoked in [inputs] of the machine file"
                )
            })?;
            let (_, certificate, path) = found.swap_remove(at);
            if pins == Pins::Hold {
                let issuer = self.issuer()?;
                let wrong = || format!("{} was not issued by {}", path.display(), issuer.subject());
                certificate.verify_issued_by(issuer).with_context(wrong)?;
            }
            self.files.push(InputFile {
                name: revoked_file(place),
                what: "certificate that is revoked",
                contents: certificate.to_pem().into_bytes(),
                digest,
            });
            self.revoked.push(certificate);
        }
        if let Some((_, _, path)) = found.first() {
            let path = path.display();
            bail!("inputs.revoked: the ceremony file does not revoke the certificate in {path}; take it out");
        }
        Ok(())
    }

    fn certificate(
        &mut self,
        name: &'static str,
        digest: Option<Digest>,
        path: Option<&Path>,
        pins: Pins,
    ) -> Result<Option<Certificate>> {
        let Some((contents, digest, path)) = pair(name, digest, path)? else { return Ok(None) };
        let certificate = read_certificate(&contents, path)?;
        let found = Digest::of(certificate.der());
        let expected = if pins == Pins::Hold { digest } else { found };
        self.keep(name, expected, found, path, certificate.to_pem().into_bytes())?;
        Ok(Some(certificate))
    }

    fn public_key(&mut self, digest: Option<Digest>, path: Option<&Path>) -> Result<Option<PublicKey>> {
        let Some((contents, digest, path)) = pair("public_key", digest, path)? else { return Ok(None) };
        let key = read_public_key(&contents, path)?;
        self.keep("public_key", digest, Digest::of(key.der()), path, key.to_pem().into_bytes())?;
        Ok(Some(key))
    }

    fn keep(
        &mut self,
        role: &'static str,
        expected: Digest,
        found: Digest,
        path: &Path,
        contents: Vec<u8>,
    ) -> Result<()> {
        ensure!(
            found == expected,
            "{} is not the file that the ceremony file names as {role}: its SHA-256 is {found}, and {expected} is expected",
            path.display()
        );
        self.files.push(InputFile::new(role, found, contents));
        Ok(())
    }
}

impl InputFile {
    fn new(role: &str, digest: Digest, contents: Vec<u8>) -> Self {
        let (name, what) = match role {
            "issuer" => ("inputs/issuer.pem", "certificate of the issuer"),
            "subject" => ("inputs/subject.pem", "certificate of the CA that gets another one"),
            "replaces" => ("inputs/replaces.pem", "certificate that is replaced"),
            "request" => (REQUEST, "request whose key is certified"),
            "bundle" => (BUNDLE, "request that is answered"),
            _ => (PUBLIC_KEY, "public key that is certified"),
        };
        Self { name: name.to_owned(), what, contents, digest }
    }
}

/// Whether files must be those that the ceremony file names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pins {
    Hold,
    OfSomethingElse,
}

/// A file that both files name, or neither.
fn pair<'a>(
    name: &str,
    digest: Option<Digest>,
    path: Option<&'a Path>,
) -> Result<Option<(Vec<u8>, Digest, &'a Path)>> {
    match (digest, path) {
        (None, None) => Ok(None),
        (Some(digest), Some(path)) => Ok(Some((read(path)?, digest, path))),
        (Some(_), None) => {
            bail!(
                "the ceremony file names the {name} by its SHA-256; add {name} = \"PATH\" to [inputs] of the machine file"
            )
        }
        (None, Some(path)) => {
            bail!(
                "inputs.{name}: the ceremony file names no {name}, so {} is not used; take it out",
                path.display()
            )
        }
    }
}

/// The public part of the key that `[key] existing` names, which nobody needs to know before the key is opened.
fn existing_key(digest: Digest, path: Option<&Path>) -> Result<Option<PublicKey>> {
    let Some(path) = path else { return Ok(None) };
    let key = read_public_key(&read(path)?, path)?;
    let found = Digest::of(key.der());
    ensure!(
        found == digest,
        "{} is not the public part of the key that the ceremony file names: its SHA-256 is {found}, and {digest} is expected",
        path.display()
    );
    Ok(Some(key))
}

/// The certificates that a ceremony file revokes by their fingerprints.
fn pinned_revocations(file: &CeremonyFile) -> impl Iterator<Item = Digest> {
    let listed = file.crl.iter().flat_map(|crl| &crl.revoked);
    listed.chain(&file.revoke).filter_map(|revocation| revocation.sha256)
}

fn revoked_file(place: usize) -> String {
    format!("inputs/revoked-{}.pem", place + 1)
}

fn read_certificate(contents: &[u8], path: &Path) -> Result<Certificate> {
    pem_or_der(contents, Certificate::from_pem, Certificate::from_der)
        .with_context(|| format!("{} is no certificate", path.display()))
}

fn read_public_key(contents: &[u8], path: &Path) -> Result<PublicKey> {
    pem_or_der(contents, PublicKey::from_pem, PublicKey::from_der)
        .with_context(|| format!("{} is no public key", path.display()))
}

/// What is in a file: PEM if that begins anywhere in it, otherwise DER.
fn pem_or_der<T, E>(
    contents: &[u8],
    from_pem: impl FnOnce(&str) -> Result<T, E>,
    from_der: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Result<T, E> {
    match std::str::from_utf8(contents).ok().filter(|text| text.contains("-----BEGIN ")) {
        Some(text) => from_pem(text),
        None => from_der(contents),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let cannot_read = || format!("cannot read {}", path.display());
    ensure!(std::fs::metadata(path).with_context(cannot_read)?.is_file(), "{} is not a file", path.display());
    let mut contents = Vec::new();
    File::open(path)
        .with_context(cannot_read)?
        .take(MAX_INPUT + 1)
        .read_to_end(&mut contents)
        .with_context(cannot_read)?;
    ensure!(
        u64::try_from(contents.len())? <= MAX_INPUT,
        "{} is longer than {MAX_INPUT} bytes",
        path.display()
    );
    Ok(contents)
}
