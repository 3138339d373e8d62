//! What lies in the hierarchy folder: read, and not judged yet. No key is opened here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use cairn_ca::{Usage, Use};
use cairn_x509::{Certificate, Crl};
use serde::Deserialize;

use super::CONFIGURED;
use super::files::{entries, read_certificate, read_text};
use crate::config;
use crate::key_place::{KeyPlace, Pkcs11};

/// What the configuration and the folder hold.
#[derive(Clone, Debug, Default)]
pub struct Inventory {
    /// The issuers, the configured one first.
    pub issuers: Vec<IssuerEntry>,
    /// The OCSP responders.
    pub responders: Vec<ResponderEntry>,
    /// The configured root, named [`CONFIGURED`] too, then the CA certificates of the folder, by the names of their files.
    pub certificates: Vec<(String, Certificate)>,
    /// CRLs of the CAs above, by the names of their files.
    pub crls: Vec<(String, Crl)>,
    /// What cannot be read: where, and why.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// An issuer's files.
#[derive(Clone, Debug)]
pub struct IssuerEntry {
    /// The name of its folder, or [`CONFIGURED`].
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Where its key is; `None` for a process that is not told.
    pub key: Option<KeyPlace>,
    /// How it is used.
    pub usage: Usage,
    /// What its files look like from outside: while this stays, so do they.
    pub stamp: Stamp,
}

/// A responder's files.
#[derive(Clone, Debug)]
pub struct ResponderEntry {
    /// The name of its folder.
    pub name: String,
    /// Its certificate.
    pub certificate: Certificate,
    /// Where its key is.
    pub key: KeyPlace,
    /// What its files look like from outside.
    pub stamp: Stamp,
}

/// Names, dates and lengths of files.
pub type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// `issuer.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerFile {
    /// PKCS#8, relative to the folder.
    key: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    pkcs11: Option<Pkcs11>,
    #[serde(default, rename = "use")]
    from: Use,
    /// All if absent.
    profiles: Option<BTreeSet<String>>,
}

/// `responder.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ResponderFile {
    key: Option<PathBuf>,
    passphrase_file: Option<PathBuf>,
    pkcs11: Option<Pkcs11>,
}

impl Inventory {
    /// Reads what `[issuer]` names. What cannot be read is told, and the rest is there.
    #[must_use]
    pub fn read(config: &config::Issuer) -> Self {
        let mut inventory = Self::default();
        inventory.read_configured(config);
        if let Some(folder) = &config.folder {
            inventory.read_folder(folder);
        }
        inventory
    }

    /// One issuer below one root, of which no more is to be told.
    #[must_use]
    pub fn of(issuer: Certificate, root: Certificate) -> Self {
        let name = || CONFIGURED.to_owned();
        let (usage, stamp) = (Usage::default(), Stamp::new());
        let issuer = IssuerEntry { name: name(), certificate: issuer, key: None, usage, stamp };
        Self { issuers: vec![issuer], certificates: vec![(name(), root)], ..Self::default() }
    }

    /// All CA certificates: the issuers' and the others.
    pub fn authorities(&self) -> impl Iterator<Item = &Certificate> {
        let issuers = self.issuers.iter().map(|issuer| &issuer.certificate);
        issuers.chain(self.certificates.iter().map(|(_, certificate)| certificate))
    }

    /// The certificate of the CA that issued `certificate`, if it is here.
    #[must_use]
    pub fn above(&self, certificate: &Certificate) -> Option<&Certificate> {
        self.authorities().find(|above| certificate.verify_issued_by(above).is_ok())
    }

    fn read_configured(&mut self, config: &config::Issuer) {
        if let Some(path) = &config.root {
            let read = |path: &Path| Ok((CONFIGURED.to_owned(), read_certificate(path)?));
            self.note(path, read, |all| &mut all.certificates);
        }
        if let Some(path) = &config.certificate {
            let read = |path: &Path| {
                let key = Some(config.key_place()).filter(KeyPlace::is_named);
                let usage = Usage::default();
                let (name, certificate) = (CONFIGURED.to_owned(), read_certificate(path)?);
                Ok(IssuerEntry { name, certificate, key, usage, stamp: Stamp::new() })
            };
            self.note(path, read, |all| &mut all.issuers);
        }
    }

    fn read_folder(&mut self, folder: &Path) {
        for path in self.entries(&folder.join("certificates"), Some("pem")) {
            self.note(&path, |path| Ok((stem(path), read_certificate(path)?)), |all| &mut all.certificates);
        }
        for path in self.entries(&folder.join("crls"), Some("pem")) {
            self.note(&path, |path| Ok((stem(path), Crl::from_pem(&read_text(path)?)?)), |all| &mut all.crls);
        }
        for path in self.entries(&folder.join("issuers"), None) {
            self.note(&path, issuer, |all| &mut all.issuers);
        }
        for path in self.entries(&folder.join("responders"), None) {
            self.note(&path, responder, |all| &mut all.responders);
        }
    }

    /// Keeps what is read at `path`, or why that cannot be.
    fn note<T>(
        &mut self,
        path: &Path,
        read: impl FnOnce(&Path) -> Result<T>,
        list: impl FnOnce(&mut Self) -> &mut Vec<T>,
    ) {
        match read(path) {
            Ok(it) => list(self).push(it),
            Err(error) => self.unreadable.push((path.to_owned(), format!("{error:#}"))),
        }
    }

    fn entries(&mut self, folder: &Path, extension: Option<&str>) -> Vec<PathBuf> {
        let entries = entries(folder, extension);
        entries.unwrap_or_else(|error| {
            self.unreadable.push((folder.to_owned(), format!("{error:#}")));
            Vec::new()
        })
    }
}

/// What the folder looks like from outside: while this stays, so does what it holds.
#[must_use]
pub fn stamp(folder: &Path) -> Stamp {
    let mut stamp = Stamp::new();
    for kind in ["certificates", "crls"] {
        stamp.extend(stamp_of(&folder.join(kind)));
    }
    for kind in ["issuers", "responders"] {
        for entry in entries(&folder.join(kind), None).unwrap_or_default() {
            stamp.extend(stamp_of(&entry));
        }
    }
    stamp
}

/// The folder's own files.
fn stamp_of(folder: &Path) -> Stamp {
    let files = entries(folder, None).unwrap_or_default().into_iter();
    let stamp = |path: PathBuf| {
        let metadata = path.metadata().ok();
        let written = metadata.as_ref().and_then(|metadata| metadata.modified().ok());
        (path, written, metadata.map_or(0, |metadata| metadata.len()))
    };
    files.map(stamp).collect()
}

fn issuer(folder: &Path) -> Result<IssuerEntry> {
    // Before the files are read: what is written in between is seen the next time.
    let stamp = stamp_of(folder);
    let path = folder.join("issuer.toml");
    let file: IssuerFile =
        toml::from_str(&read_text(&path)?).with_context(|| format!("{} cannot be used", path.display()))?;
    ensure!(
        file.profiles.as_ref().is_none_or(|profiles| !profiles.is_empty()),
        "profiles is empty in {}; leave it out, which means all, or take the issuer away",
        path.display()
    );
    let IssuerFile { key, passphrase_file, pkcs11, from, profiles } = file;
    Ok(IssuerEntry {
        name: name(folder)?,
        certificate: read_certificate(&folder.join("certificate.pem"))?,
        key: Some(KeyPlace { key, passphrase_file, pkcs11 }.anchored(folder)),
        usage: Usage { from, profiles: profiles.unwrap_or_default() },
        stamp,
    })
}

fn responder(folder: &Path) -> Result<ResponderEntry> {
    let stamp = stamp_of(folder);
    let path = folder.join("responder.toml");
    let file: ResponderFile =
        toml::from_str(&read_text(&path)?).with_context(|| format!("{} cannot be used", path.display()))?;
    let ResponderFile { key, passphrase_file, pkcs11 } = file;
    Ok(ResponderEntry {
        name: name(folder)?,
        certificate: read_certificate(&folder.join("certificate.pem"))?,
        key: KeyPlace { key, passphrase_file, pkcs11 }.anchored(folder),
        stamp,
    })
}

fn name(folder: &Path) -> Result<String> {
    let name = folder.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("the name of {} is no text", folder.display()))?;
    ensure!(
        name != CONFIGURED,
        "\"{CONFIGURED}\" is the name of the issuer in the configuration; rename the folder"
    );
    Ok(name.to_owned())
}

/// The name of a file, without its extension.
fn stem(path: &Path) -> String {
    path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
