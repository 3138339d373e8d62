//! What clients were given, written down: a file with a line of JSON for each certificate.
//!
//! ```json
//! {"order":"https://localhost:14000/order/65432100…","certificate":"https://localhost:14000/certificate/…","leaf":"MIIB…"}
//! ```
//!
//! `leaf` is the certificate itself, DER in base64url. `load-generator --ledger FILE` writes one, `check-invariants --ledger FILE` holds it
//! against the database.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use cairn_jose::base64url;
use cairn_x509::Certificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::{Deserialize, Serialize};

use crate::acme::Certified;

/// A certificate that a client was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The order's URL.
    pub order: String,
    /// The certificate's URL.
    pub certificate: String,
    /// The certificate, DER.
    #[serde(with = "text")]
    pub leaf: Vec<u8>,
}

impl Entry {
    /// The order's id, as it stands in its URL.
    #[must_use]
    pub fn order_id(&self) -> &str {
        self.order.rsplit('/').next().unwrap_or_default()
    }

    /// The certificate's serial.
    ///
    /// # Errors
    /// If it is no certificate.
    pub fn serial(&self) -> Result<Vec<u8>> {
        let certificate = Certificate::from_der(&self.leaf);
        Ok(certificate.with_context(|| format!("{} is no certificate", self.certificate))?.serial().to_vec())
    }
}

impl TryFrom<&Certified> for Entry {
    type Error = anyhow::Error;

    fn try_from(certified: &Certified) -> Result<Self> {
        let leaf = CertificateDer::from_pem_slice(&certified.chain)
            .with_context(|| format!("{} is no certificate in PEM", certified.url))?;
        Ok(Self {
            order: certified.order.clone(),
            certificate: certified.url.clone(),
            leaf: leaf.as_ref().to_vec(),
        })
    }
}

/// A ledger that is being written. Each entry is with the system when [`Writer::add`] returns, so that a killed client's is whole.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    /// Held for one line.
    file: Mutex<File>,
}

impl Writer {
    /// Goes on with the file, or begins it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::options().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write the ledger {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file: Mutex::new(file) })
    }

    /// Writes a line.
    ///
    /// # Errors
    /// If that fails.
    pub fn add(&self, certified: &Certified) -> Result<()> {
        let line = serde_json::to_string(&Entry::try_from(certified)?)? + "\n";
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes())
            .with_context(|| format!("cannot write the ledger {}", self.path.display()))
    }
}

/// Reads a ledger.
///
/// # Errors
/// If it cannot be read, with the line.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let file = File::open(path).with_context(|| format!("cannot read the ledger {}", path.display()))?;
    let lines = BufReader::new(file).lines().enumerate();
    lines
        .map(|(number, line)| {
            serde_json::from_str(&line?)
                .with_context(|| format!("line {} of {} is no entry", number + 1, path.display()))
        })
        .collect()
}

/// DER as base64url.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::base64url;

    pub(super) fn serialize<S: Serializer>(der: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&base64url::encode(der))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        base64url::decode(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
