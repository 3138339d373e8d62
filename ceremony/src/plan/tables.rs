//! Which tables a ceremony file has, and which of them its kind asks for.

use crate::file::{
    CeremonyFile, CertificateSpec, CrlSpec, FileError, KeyChoice, RequestSpec, Revocation, Signature,
};

/// The tables of a file. Each is asked for by name; what is left over at the end does not belong there.
pub(super) struct Tables<'a> {
    file: &'a CeremonyFile,
    asked: Vec<&'static str>,
}

impl<'a> Tables<'a> {
    pub(super) const fn new(file: &'a CeremonyFile) -> Self {
        Self { file, asked: Vec::new() }
    }

    /// The file.
    pub(super) const fn file(&self) -> &'a CeremonyFile {
        self.file
    }

    /// A key that signs nothing here.
    pub(super) fn key(&mut self) -> Result<KeyChoice, FileError> {
        let key = self.need("key", self.file.key.as_ref())?;
        silent("key.signature", key.signature)?;
        key.choice()
    }

    /// A key that signs here.
    pub(super) fn signing_key(&mut self) -> Result<KeyChoice, FileError> {
        match self.need("key", self.file.key.as_ref())?.choice()? {
            key @ (KeyChoice::New(_) | KeyChoice::Existing(_)) => Ok(key),
            KeyChoice::Request(_) | KeyChoice::PublicKey(_) => Err(FileError::value(
                "key",
                "it has to sign its own certificate or request: write algorithm for a new key, or existing",
            )),
        }
    }

    pub(super) fn issuer(&mut self) -> Result<(), FileError> {
        self.need("issuer", self.file.issuer.as_ref()).map(|_| ())
    }

    pub(super) fn subject(&mut self) -> Result<(), FileError> {
        silent("subject.signature", self.need("subject", self.file.subject.as_ref())?.signature)
    }

    pub(super) fn replaces(&mut self) -> Result<(), FileError> {
        silent("replaces.signature", self.need("replaces", self.file.replaces.as_ref())?.signature)
    }

    /// What is replaced, with a key that signs here.
    pub(super) fn replaces_and_signs(&mut self) -> Result<(), FileError> {
        self.need("replaces", self.file.replaces.as_ref()).map(|_| ())
    }

    pub(super) fn certificate(&mut self) -> Result<&'a CertificateSpec, FileError> {
        self.need("certificate", self.file.certificate.as_ref())
    }

    pub(super) fn cross_from_old(&mut self) -> Result<&'a CertificateSpec, FileError> {
        self.need("cross_from_old", self.file.cross_from_old.as_ref())
    }

    pub(super) fn cross_from_new(&mut self) -> Result<&'a CertificateSpec, FileError> {
        self.need("cross_from_new", self.file.cross_from_new.as_ref())
    }

    /// There may be something that is replaced.
    pub(super) fn may_replace(&mut self) -> Result<(), FileError> {
        self.asked.push("replaces");
        silent("replaces.signature", self.file.replaces.as_ref().and_then(|pinned| pinned.signature))
    }

    /// There may be a request of a CA that is answered.
    pub(super) fn may_answer(&mut self) {
        self.asked.push("answers");
    }

    pub(super) fn request(&mut self) -> Result<&'a RequestSpec, FileError> {
        self.need("request", self.file.request.as_ref())
    }

    pub(super) fn crl(&mut self) -> Result<&'a CrlSpec, FileError> {
        self.need("crl", self.file.crl.as_ref())
    }

    pub(super) fn revoke(&mut self) -> Result<&'a Revocation, FileError> {
        self.need("revoke", self.file.revoke.as_ref())
    }

    fn need<T>(&mut self, name: &'static str, table: Option<&'a T>) -> Result<&'a T, FileError> {
        self.asked.push(name);
        table.ok_or_else(|| {
            FileError::value(name, format!("is missing; a ceremony of this kind needs [{name}]"))
        })
    }

    /// Fails if there is a table that nobody asked for.
    pub(super) fn finish(self) -> Result<(), FileError> {
        let CeremonyFile {
            kind: _,
            title: _,
            people: _,
            key,
            issuer,
            subject,
            replaces,
            certificate,
            cross_from_old,
            cross_from_new,
            request,
            crl,
            revoke,
            answers,
        } = self.file;
        let there = [
            ("key", key.is_some()),
            ("issuer", issuer.is_some()),
            ("subject", subject.is_some()),
            ("replaces", replaces.is_some()),
            ("certificate", certificate.is_some()),
            ("cross_from_old", cross_from_old.is_some()),
            ("cross_from_new", cross_from_new.is_some()),
            ("request", request.is_some()),
            ("crl", crl.is_some()),
            ("revoke", revoke.is_some()),
            ("answers", answers.is_some()),
        ];
        match there.into_iter().find(|(name, is_there)| *is_there && !self.asked.contains(name)) {
            None => Ok(()),
            Some((name, _)) => {
                Err(FileError::value(name, format!("a ceremony of this kind has no [{name}]; take it out")))
            }
        }
    }
}

/// What is said of signatures of a key that makes none here would be taken for done.
fn silent(field: &str, signature: Option<Signature>) -> Result<(), FileError> {
    match signature {
        None => Ok(()),
        Some(_) => {
            Err(FileError::value(field, "this key signs nothing in a ceremony of this kind; take it out"))
        }
    }
}
