//! Where an operator sits who reaches a Cairn over the network: what `cairn admin` needs there, and nothing else.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

/// The files of the internal PKI that an operator is given.
const GIVEN: [&str; 3] = ["root.pem", "admin.pem", "admin-key.pem"];

/// Writes the configuration, and puts the operator's part of `pki` into the folder `internal-pki` beside it.
pub(super) fn equip(config: &Path, pki: &Path, ras: &[SocketAddr]) -> Result<()> {
    let own = config.with_file_name("internal-pki");
    fs::create_dir_all(&own)?;
    for file in GIVEN {
        fs::copy(pki.join(file), own.join(file)).with_context(|| format!("there is no {file} to give"))?;
    }
    let ras: Vec<String> = ras.iter().map(|address| format!("\"{address}\"")).collect();
    let ras = ras.join(", ");
    Ok(fs::write(config, format!("[internal]\npki = \"internal-pki\"\nra.addresses = [{ras}]\n"))?)
}
