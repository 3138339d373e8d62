//! The ready file: which addresses are really bound, for programs that start Cairn on port 0.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// What is written, as JSON, when everything listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The process.
    pub pid: u32,
    /// The ACME directory's URL; where the front end is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Where the ACME API listens.
    pub api: Vec<SocketAddr>,
    /// Where relying parties are served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pki: Vec<SocketAddr>,
    /// Where the management listener listens.
    pub management: Vec<SocketAddr>,
    /// Where the services listen for those in other processes, by role.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub internal: BTreeMap<String, Vec<SocketAddr>>,
    /// Where the fake DNS listens; `dev` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<SocketAddr>,
    /// Where the fake DNS is managed; `dev` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_management: Option<SocketAddr>,
    /// The root to trust, PEM; absent when it is not in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_file: Option<String>,
    /// The SHA-256 fingerprint of the root; where the front end or the certificate authority is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_sha256: Option<String>,
}

impl Ready {
    /// Writes the file whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let json = serde_json::to_string_pretty(self)? + "\n";
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        std::fs::write(&partial, json)
            .and_then(|()| std::fs::rename(&partial, path))
            .with_context(|| format!("cannot write the ready file {}", path.display()))
    }
}
