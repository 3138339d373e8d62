//! The configuration of each process: the same for all of a Cairn but for where it listens itself, and what stands between it and others.

use std::fmt::Write as _;
use std::net::SocketAddr;

use anyhow::Result;

use super::Role;
use crate::postgres::USER;

/// What all processes of a Cairn are told.
#[derive(Debug)]
pub(super) struct Shared {
    /// Where clients connect.
    pub(super) front: SocketAddr,
    /// Where certificates send relying parties.
    pub(super) pki: SocketAddr,
    /// Where http-01 and tls-alpn-01 look for clients' answers.
    pub(super) http_port: u16,
    pub(super) tls_port: u16,
    pub(super) resolver: SocketAddr,
    pub(super) database: String,
    /// All hosts of it, as the configuration has them.
    pub(super) database_hosts: String,
    /// Where those listen of them that name no port, as a socket's folder does not.
    pub(super) database_port: u16,
    /// How long answers wait for what may be quick, as a setting.
    pub(super) answer_grace: &'static str,
}

/// What one process is told.
#[derive(Debug)]
pub(super) struct Own {
    /// Where it listens for clients.
    pub(super) api: SocketAddr,
    /// Where it listens for relying parties, if it serves them.
    pub(super) pki: Option<SocketAddr>,
    /// Where it listens for the others, if it plays a single role.
    pub(super) internal: Option<SocketAddr>,
    pub(super) role: Option<Role>,
    /// What begins its serials, if it signs.
    pub(super) serial_prefix: usize,
    /// Where it finds the others: their processes, or the relays before them.
    pub(super) others: Vec<(Role, Vec<SocketAddr>)>,
}

/// The hierarchy folder, beside the file.
pub(super) const HIERARCHY: &str = "hierarchy";

/// The file's text. It lies in the folder that `cairn init` and `cairn internal-pki init` have filled.
pub(super) fn text(shared: &Shared, own: &Own) -> Result<String> {
    let Shared {
        front,
        pki: published,
        http_port,
        tls_port,
        resolver,
        database,
        database_hosts,
        database_port,
        answer_grace,
    } = shared;
    let Own { api, pki, internal, role, serial_prefix, others } = own;
    let front = front.port();
    let pki = pki.map(|address| format!("\"{address}\"")).unwrap_or_default();
    let folder = match role {
        None | Some(Role::Ca) => format!("folder = \"{HIERARCHY}\"\n"),
        Some(_) => String::new(),
    };
    let mut text = format!(
        r#"
[api]
listen = ["{api}"]

[pki]
listen = [{pki}]

[management]
listen = ["127.0.0.1:0"]

[issuer]
root = "root.pem"
certificate = "intermediate.pem"
key = "intermediate-key.pem"
passphrase_file = "intermediate-key.passphrase"
{folder}
[wfe]
base_url = "https://localhost:{front}"
retry_after = "1s"

[ra]
answer_grace = "{answer_grace}"
# Each order is validated anew: that is what a test wants to see.
reuse_orders = false
reuse_authorizations = false
# What a lost process left is taken up soon: nobody wants to wait for a test.
sweep_interval = "2s"
heartbeat_interval = "500ms"
lease = "5s"

[pa]
single_labels = true
allowed_networks = ["0.0.0.0/0", "::/0"]

[ca]
serial_prefix = {serial_prefix}
pki_url = "http://{published}"

[sa]
engine = "postgres"

[sa.postgres]
host = "{database_hosts}"
port = {database_port}
user = "{USER}"
database = "{database}"
password_file = "database.password"
tls = "disable"
connections = 8

[va]
http_port = {http_port}
tls_alpn_port = {tls_port}
resolvers = ["{resolver}"]
allowed_networks = ["0.0.0.0/0", "::/0"]
"#
    );
    let Some(role) = role else {
        write!(text, "\n[admin]\nsocket = \"admin.sock\"\n")?;
        return Ok(text);
    };
    for (_, addresses) in others.iter().filter(|(other, _)| *other == Role::RemoteVa) {
        for (number, address) in addresses.iter().enumerate() {
            write!(
                text,
                "\n[[va.perspectives]]\nname = \"elsewhere-{number}\"\naddresses = [\"{address}\"]\n"
            )?;
        }
    }
    write!(text, "\n[internal]\npki = \"internal-pki\"\n")?;
    for (other, addresses) in others {
        let listen = if other == role { *internal } else { None };
        let of_all: &[SocketAddr] = if *other == Role::RemoteVa { &[] } else { addresses };
        // Nobody calls the front end for relying parties.
        if *other == Role::Pki || (listen.is_none() && of_all.is_empty()) {
            continue;
        }
        writeln!(text, "\n[internal.{other}]")?;
        if let Some(listen) = listen {
            writeln!(text, "listen = [\"{listen}\"]")?;
        }
        if !of_all.is_empty() {
            let list: Vec<String> = of_all.iter().map(|address| format!("\"{address}\"")).collect();
            writeln!(text, "addresses = [{}]", list.join(", "))?;
        }
    }
    Ok(text)
}
