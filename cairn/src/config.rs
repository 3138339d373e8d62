//! The configuration of `cairn serve`: one TOML file. The services' own sections are their own `Config`s; this file puts them together
//! and adds what belongs to the process: addresses, files, logs.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use cairn_core::Period;
use cairn_proto::Role;
use cairn_proto::transport::Address;
use ipnet::IpNet;
use serde::Deserialize;

use crate::key_place::{KeyPlace, Pkcs11};
use crate::{crl_push, lifecycle, runtime, telemetry};

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
    /// The listener for relying parties.
    #[serde(default)]
    pub pki: Pki,
    /// CRLs for others to serve.
    #[serde(default)]
    pub crl_push: crl_push::Config,
    /// The management listener.
    #[serde(default)]
    pub management: Management,
    /// The certificates that sign, and the key. Required where the roles `wfe` or `ca` are played.
    #[serde(default)]
    pub issuer: Issuer,
    /// How the process ends.
    #[serde(default)]
    pub lifecycle: lifecycle::Config,
    /// The threads that do the work.
    #[serde(default)]
    pub runtime: runtime::Config,
    /// Logs.
    #[serde(default)]
    pub log: telemetry::Config,
    /// Traces.
    #[serde(default)]
    pub trace: telemetry::Trace,
    /// Operators on this machine.
    #[serde(default)]
    pub admin: Admin,
    /// How the services meet, when they run in several processes.
    #[serde(default)]
    pub internal: Internal,
    /// The ACME front end. Its `base_url` is required where the role `wfe` is played.
    #[serde(default)]
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
    /// elsewhere write for example `["0.0.0.0:443", "[::]:443"]`: all addresses of IPv4, and all of IPv6.
    pub listen: Vec<SocketAddr>,
    /// Where the listener's certificate comes from. `"self"` (default): the CA issues it for the host in `wfe.base_url` and renews it.
    /// `"files"`: `certificate` and `key`, read again when they change. `"off"`: plain HTTP, for a proxy in front that does TLS; name
    /// the proxy in `wfe.trusted_proxies`.
    pub tls: Tls,
    /// With `tls = "files"`: the certificate and its intermediates, PEM, leaf first.
    pub certificate: Option<PathBuf>,
    /// With `tls = "files"`: the private key, PEM.
    pub key: Option<PathBuf>,
    /// Networks of the proxies in front that forward TCP and begin each connection with a PROXY header (version 1 or 2), which says
    /// who the client is. Default: none. A connection from them without a header is refused, and a header from anybody else is not
    /// understood. If it holds addresses that clients can have, they can forge the addresses in the log.
    pub proxy_protocol: Vec<IpNet>,
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
            proxy_protocol: Vec::new(),
        }
    }
}

/// The `[pki]` section: the listener for relying parties, who look up whether certificates are revoked and who issued them. Plain HTTP;
/// any cache may stand in front. Certificates lead there by `ca.pki_url`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pki {
    /// The addresses to listen on, for example `["0.0.0.0:80", "[::]:80"]`: all addresses of IPv4, and all of IPv6. Default: none.
    /// Required where the role `pki` is played by itself.
    pub listen: Vec<SocketAddr>,
    /// Networks of proxies and caches in front whose `X-Forwarded-For` header is believed in the log. Default: none. If it holds
    /// addresses that clients can have, they can forge the addresses in the log.
    pub trusted_proxies: Vec<IpNet>,
    /// How OCSP is answered.
    pub ocsp: cairn_wfe::pki::OcspConfig,
    /// How CRLs are served.
    pub crl: cairn_wfe::pki::CrlConfig,
}

impl From<Pki> for cairn_wfe::pki::Config {
    fn from(Pki { listen: _, trusted_proxies, ocsp, crl }: Pki) -> Self {
        Self { trusted_proxies, ocsp, crl }
    }
}

/// The `[management]` section.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Management {
    /// The addresses of the management listener (`/roots/0`, `/intermediates/0`, `/readyz`, and `/metrics` for Prometheus), with
    /// the API's TLS where the role `wfe` is played, otherwise with none. Default `["127.0.0.1:15000"]`; an empty list means none. Several processes on one machine need
    /// one each: `cairn serve --management ADDRESS` goes before this.
    pub listen: Vec<SocketAddr>,
}

impl Default for Management {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from(([127, 0, 0, 1], 15000))] }
    }
}

/// The `[issuer]` section.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Issuer {
    /// The root's certificate, PEM: what clients trust. Its key is never needed here. Required where the roles `wfe` or `ca` are played.
    pub root: Option<PathBuf>,
    /// The intermediate's certificate, PEM. Required where the roles `wfe` or `ca` are played.
    pub certificate: Option<PathBuf>,
    /// The intermediate's private key: PEM, PKCS#8, encrypted or plain. Nobody but its owner may be able to read the file if it is plain.
    /// This or `[issuer.pkcs11]` is required where the role `ca` is played; a process without that role never opens the file.
    pub key: Option<PathBuf>,
    /// The file with the passphrase of an encrypted key. Nobody but its owner may be able to read it.
    pub passphrase_file: Option<PathBuf>,
    /// Where the key is in a hardware security module, in place of `key`.
    pub pkcs11: Option<Pkcs11>,
    /// The folder of what `cairn ca` asks for and installs: further issuers, OCSP responders, CAs' certificates and CRLs, each in a folder
    /// of its own in it. Made if it does not exist. Default: none.
    pub folder: Option<PathBuf>,
}

impl Issuer {
    /// Where the intermediate's key is.
    #[must_use]
    pub fn key_place(&self) -> KeyPlace {
        let Self { key, passphrase_file, pkcs11, .. } = self.clone();
        KeyPlace { key, passphrase_file, pkcs11 }
    }
}

/// The `[admin]` section.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Admin {
    /// The Unix socket by which `cairn admin` asks the registration authority of a server on this machine. Nobody but the server's own
    /// user, and root, may open it: who does may do everything. Its folder must exist; its path has at most 100 characters. Default:
    /// `admin.sock` in the data directory of a server that keeps its database there; else none.
    pub socket: Option<PathBuf>,
}

/// The `[internal]` section: how services meet that run in several processes. One process that plays every role needs none of it.
///
/// ```toml
/// pki = "internal-pki"
/// ra = { listen = ["0.0.0.0:14102"], addresses = ["ra-1.example:14102", "ra-2.example:14102"] }
/// ```
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Internal {
    /// The folder of certificates by which the services know each other, as `cairn internal-pki init` makes it. A process needs
    /// `root.pem`, and for each role that it plays `<role>.pem` and `<role>-key.pem`. They are read again when they change. Required
    /// as soon as something is set below. Nobody calls the role `pki`, which therefore has no section.
    pub pki: Option<PathBuf>,
    /// The front end.
    pub wfe: Place,
    /// The registration authority.
    pub ra: Place,
    /// The validation authority.
    pub va: Place,
    /// Validation authorities in other networks, which the validation authority asks; their addresses stand in `va.perspectives`.
    pub remote_va: Place,
    /// The certificate authority.
    pub ca: Place,
    /// The storage authority.
    pub sa: Place,
    /// The policy authority. It is part of the registration authority's process unless addresses are set here.
    pub pa: Place,
    /// Bounds of calls.
    pub calls: Calls,
}

/// An `[internal.ROLE]` section: `[internal.wfe]`, `ra`, `va`, `remote-va`, `ca`, `sa` or `pa`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Place {
    /// The addresses where a process that plays this role listens for the others (gRPC, TLS 1.3, certificates on both sides). Default:
    /// none; then only services in the same process reach it.
    pub listen: Vec<SocketAddr>,
    /// Where the others find this role: `"HOST:PORT"`, all addresses of the host; or `"srv:NAME"`, what the SRV records of the name
    /// say. Calls are spread over all of them; those that do not answer are left out until they do. Default: none; then it must be
    /// played by the process that needs it.
    pub addresses: Vec<Address>,
}

/// The `[internal.calls]` section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Calls {
    /// How long a call may take when nothing else bounds it, 1s to 2m. Default: `15s`: less than clients wait for an answer.
    pub timeout: Period,
    /// Calls from a process whose clock differs by more than this are refused, 1s to 1h, since both would date and expire things
    /// differently. Default: `5s`.
    pub max_clock_skew: Period,
}

impl Default for Calls {
    fn default() -> Self {
        Self { timeout: Period::from_secs(15), max_clock_skew: Period::from_secs(5) }
    }
}

impl Calls {
    /// Whether the bounds make sense.
    ///
    /// # Errors
    /// Says which is wrong and what to write.
    pub fn validate(&self) -> Result<()> {
        let second = Period::from_secs(1);
        ensure!(
            (second..=Period::from_secs(120)).contains(&self.timeout),
            "timeout is {}; write 1s at least and 2m at most",
            self.timeout
        );
        ensure!(
            (second..=Period::from_secs(3600)).contains(&self.max_clock_skew),
            "max_clock_skew is {}; write 1s at least and 1h at most",
            self.max_clock_skew
        );
        Ok(())
    }
}

impl Internal {
    /// Where a role is.
    #[must_use]
    pub fn place(&self, role: Role) -> &Place {
        static NOWHERE: Place = Place { listen: Vec::new(), addresses: Vec::new() };
        match role {
            Role::Wfe => &self.wfe,
            Role::Ra => &self.ra,
            Role::Va => &self.va,
            Role::RemoteVa => &self.remote_va,
            Role::Ca => &self.ca,
            Role::Sa => &self.sa,
            Role::Pa => &self.pa,
            // Relying parties alone call the one, and nobody the other.
            Role::Pki | Role::Admin => &NOWHERE,
        }
    }
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
        let paths = [
            &mut self.data_dir,
            &mut self.admin.socket,
            &mut self.api.certificate,
            &mut self.api.key,
            &mut self.internal.pki,
            &mut self.crl_push.folder,
            &mut self.issuer.root,
            &mut self.issuer.certificate,
            &mut self.issuer.folder,
            &mut self.sa.postgres.password_file,
            &mut self.sa.postgres.root_certificate,
        ];
        for path in paths.into_iter().flatten() {
            *path = folder.join(&path);
        }
        if let Some(s3) = &mut self.crl_push.s3 {
            s3.anchor(folder);
        }
        let mut place = self.issuer.key_place();
        place.anchor(folder);
        let KeyPlace { key, passphrase_file, pkcs11 } = place;
        self.issuer = Issuer { key, passphrase_file, pkcs11, ..std::mem::take(&mut self.issuer) };
    }
}
