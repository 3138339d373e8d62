//! The configuration of `cairn serve`: one TOML file. The services' own sections are their own `Config`s; this file puts them together
//! and adds what belongs to the process: addresses, files, logs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::telemetry;

/// Everything that `cairn serve` is told. Relative paths are relative to the file's own folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder of the database, made if it does not exist. One process uses it at a time. Required, unless the database is
    /// PostgreSQL's (`sa.engine`): then there is nothing in it.
    pub data_dir: Option<PathBuf>,
    /// The ACME listener.
    #[serde(default)]
    pub api: Api,
    /// The management listener.
    #[serde(default)]
    pub management: Management,
    /// The certificate and key that sign. Required.
    pub issuer: Issuer,
    /// Logs.
    #[serde(default)]
    pub log: telemetry::Config,
    /// Traces.
    #[serde(default)]
    pub trace: telemetry::Trace,
    /// The ACME front end. Its `base_url` is required.
    pub wfe: cairn_wfe::Config,
    /// Accounts and orders.
    #[serde(default)]
    pub ra: cairn_ra::Config,
    /// Validation.
    #[serde(default)]
    pub va: cairn_va::Config,
    /// Issuance.
    #[serde(default)]
    pub ca: cairn_ca::Config,
    /// Storage.
    #[serde(default)]
    pub sa: cairn_sa::Config,
    /// Policy.
    #[serde(default)]
    pub pa: cairn_pa::Config,
}

/// The `[api]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    /// The addresses to listen on. Default `["127.0.0.1:14000"]`: reachable from this machine alone, as behind a proxy; for clients
    /// elsewhere write for example `["0.0.0.0:443", "[::]:443"]`.
    pub listen: Vec<SocketAddr>,
    /// Where the listener's certificate comes from. `"self"` (default): the CA issues it for the host in `wfe.base_url` and renews it.
    /// `"files"`: `certificate` and `key`, read again when they change. `"off"`: plain HTTP, for a proxy in front that does TLS; name
    /// the proxy in `wfe.trusted_proxies`.
    pub tls: Tls,
    /// With `tls = "files"`: the certificate and its intermediates, PEM, leaf first.
    pub certificate: Option<PathBuf>,
    /// With `tls = "files"`: the private key, PEM.
    pub key: Option<PathBuf>,
}

/// Where the certificate of the API's listener comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// From the CA itself.
    #[serde(rename = "self")]
    SelfIssued,
    /// From two files.
    Files,
    /// None: a proxy in front does TLS.
    Off,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: vec![SocketAddr::from(([127, 0, 0, 1], 14000))],
            tls: Tls::SelfIssued,
            certificate: None,
            key: None,
        }
    }
}

/// The `[management]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Management {
    /// The addresses of the management listener (`/roots/0`, `/intermediates/0`, `/readyz`, and `/metrics` for
    /// Prometheus), with the API's TLS. Default
    /// `["127.0.0.1:15000"]`; an empty list means none.
    pub listen: Vec<SocketAddr>,
}

impl Default for Management {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 15000))] }
    }
}

/// The `[issuer]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// The root's certificate, PEM: what clients trust. Its key is never needed here. Required.
    pub root: PathBuf,
    /// The intermediate's certificate, PEM. Required.
    pub certificate: PathBuf,
    /// The intermediate's private key: PEM, PKCS#8, encrypted or plain. Nobody but its owner may be able to read the file if it is plain.
    /// Required.
    pub key: PathBuf,
    /// The file with the passphrase of an encrypted key. Nobody but its owner may be able to read it.
    pub passphrase_file: Option<PathBuf>,
}

impl Config {
    /// Reads and parses a file. What it says is judged later, by [`crate::serve::prepare`].
    ///
    /// # Errors
    /// If the file cannot be read, is no TOML, or has a key that does not exist: with the line, and what was expected.
    pub fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        let mut config: Self =
            toml::from_str(&text).with_context(|| format!("{} cannot be used", path.display()))?;
        config.anchor(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    /// Makes relative paths relative to `folder`.
    fn anchor(&mut self, folder: &Path) {
        let required = [&mut self.issuer.root, &mut self.issuer.certificate, &mut self.issuer.key];
        let optional = [
            &mut self.data_dir,
            &mut self.api.certificate,
            &mut self.api.key,
            &mut self.issuer.passphrase_file,
            &mut self.sa.postgres.password_file,
            &mut self.sa.postgres.root_certificate,
        ];
        for path in required.into_iter().chain(optional.into_iter().flatten()) {
            *path = folder.join(&path);
        }
    }
}
