//! Requests: on the disk with their keys before anybody gets the file, found again by their nonces, and kept when they are answered.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use cairn_ceremony::bundle::{Nonce, Request, Response, Signed};
use cairn_ceremony::file::Digest;
use cairn_ceremony::folder::{PRIVATE, PUBLIC, Staging, make_folder, replace_file};
use cairn_ceremony::key_file::read_key_file;
use cairn_x509::{FileSigner, KeySpec, PublicKey};

use super::folder::{Folder, sync};
use super::key::{self, NewKey};
use crate::issuers::files::{entries, read, read_if_there};

const REQUEST: &str = "request.txt";
/// The response, beside what it brought.
pub(super) const RESPONSE: &str = "response.txt";
/// The folder of what was answered; no request has its name.
const ANSWERED: &str = "answered";
const RECORD_KEYS: &str = "record-keys";
/// What lies beside requests, and the name of the issuer that the configuration file names itself.
const RESERVED: [&str; 3] = [ANSWERED, RECORD_KEYS, "configured"];
const REQUESTER_KEY: &str = "requester-key.pem";

/// A request that waits for its response.
#[derive(Debug)]
pub(super) struct Pending {
    /// Its folder.
    pub(super) path: PathBuf,
    pub(super) request: Signed<Request>,
}

/// What a nonce belongs to.
#[derive(Debug)]
pub(super) enum Found {
    Pending(Box<Pending>),
    /// It was answered, and this is where that is kept.
    Answered(PathBuf),
    Nothing,
}

/// The key that signs this CA's requests, made with the first.
///
/// # Errors
/// If it cannot be opened or made.
pub(super) fn requester_key(folder: &Folder) -> Result<FileSigner> {
    let path = folder.requests().join(REQUESTER_KEY);
    if path.exists() {
        return read_key_file(&path, None);
    }
    let key = FileSigner::generate(KeySpec::P256)?;
    // Not encrypted: who reads this folder has the issuers' keys as well.
    replace_file(&path, key.to_pkcs8_pem(None)?.as_bytes(), PRIVATE)?;
    Ok(key)
}

/// That there is no request of this name, and none is to be had.
///
/// # Errors
/// If there is.
pub(super) fn check_free(folder: &Folder, name: &str) -> Result<()> {
    Request::check_name(name)?;
    ensure!(!RESERVED.contains(&name), "no request can have the name {name}; choose another");
    let path = folder.request(name).join(REQUEST);
    ensure!(
        !path.exists(),
        "there is a request {name} already, which was not answered yet; its file is {}. Give it up with `cairn ca cancel {name}`, or \
         choose another name",
        path.display()
    );
    Ok(())
}

/// Puts a request and its key onto the disk.
///
/// # Errors
/// If there is one of this name, or the disk refuses.
pub(super) fn keep(folder: &Folder, request: &Signed<Request>, key: Option<&NewKey>) -> Result<()> {
    let staging = Staging::new(&folder.request(&request.content().name))?;
    staging.write(REQUEST, request.text().as_bytes(), PUBLIC)?;
    key.map_or(Ok(()), |key| key.write(&staging))?;
    staging.commit()
}

/// Gives a request up.
///
/// # Errors
/// If there is none of this name.
pub fn cancel(folder: &Folder, name: &str) -> Result<()> {
    Request::check_name(name)?;
    let path = folder.request(name);
    ensure!(
        path.join(REQUEST).exists(),
        "there is no request {name} that waits for a response in {}",
        folder.requests().display()
    );
    // Its key first: without the request's file, nothing would tell that there is one.
    for name in key::FILES.into_iter().chain([REQUEST]) {
        remove(&path.join(name))?;
    }
    fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    sync(&folder.requests())
}

/// What `nonce` belongs to.
///
/// # Errors
/// If a request cannot be read.
pub(super) fn find(folder: &Folder, nonce: Nonce) -> Result<Found> {
    let answered = folder.requests().join(ANSWERED).join(nonce.to_string());
    if answered.exists() {
        return Ok(Found::Answered(answered));
    }
    for path in entries(&folder.requests(), None)? {
        let Ok(Some(text)) = read_if_there(&path.join(REQUEST)) else { continue };
        let request = Signed::<Request>::read(&text).with_context(|| {
            format!("{} was changed; give it up with `cairn ca cancel`", path.join(REQUEST).display())
        })?;
        if request.content().nonce == nonce {
            return Ok(Found::Pending(Box::new(Pending { path, request })));
        }
    }
    Ok(Found::Nothing)
}

impl Pending {
    /// Keeps the request with its response among those that were answered, without its key. Can be done again after any of its steps.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(super) fn answered(&self, folder: &Folder, response: &Signed<Response>) -> Result<()> {
        for name in key::FILES {
            remove(&self.path.join(name))?;
        }
        replace_file(&self.path.join(RESPONSE), response.text().as_bytes(), PUBLIC)?;
        let answered = folder.requests().join(ANSWERED);
        make_folder(&answered)?;
        let target = answered.join(self.request.content().nonce.to_string());
        fs::rename(&self.path, &target).with_context(|| format!("cannot make {}", target.display()))?;
        sync(&answered)?;
        sync(&folder.requests())
    }
}

/// The key that signs the responses of the CA with this fingerprint, as it was confirmed.
///
/// # Errors
/// If it cannot be read.
pub(super) fn record_key(folder: &Folder, issuer: &Digest) -> Result<Option<PublicKey>> {
    let path = record_key_file(folder, issuer);
    if !path.exists() {
        return Ok(None);
    }
    let pem = String::from_utf8(read(&path)?)?;
    PublicKey::from_pem(&pem).map(Some).with_context(|| path.display().to_string())
}

/// Keeps that key.
///
/// # Errors
/// If the disk refuses.
pub(super) fn keep_record_key(folder: &Folder, issuer: &Digest, key: &PublicKey) -> Result<()> {
    make_folder(&folder.requests().join(RECORD_KEYS))?;
    replace_file(&record_key_file(folder, issuer), key.to_pem().as_bytes(), PUBLIC)
}

/// Where it is. Each root has its own records, and its own key for them.
pub(super) fn record_key_file(folder: &Folder, issuer: &Digest) -> PathBuf {
    folder.requests().join(RECORD_KEYS).join(format!("{}.pem", short(issuer)))
}

/// Enough of a fingerprint to tell the CAs of one hierarchy apart, which nobody has reason to make collide: they are this CA's own.
pub(super) fn short(digest: &Digest) -> String {
    digest.to_string().chars().take(16).collect()
}

fn remove(path: &std::path::Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other.with_context(|| format!("cannot remove {}", path.display())),
    }
}
