//! `cairn init`: a root and an intermediate for `serve`, and a configuration to start from.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use cairn_core::time::SystemClock;
use cairn_core::{PkiUrl, SystemRandom};
use cairn_wfe::BaseUrl;

use crate::cli::InitArgs;
use crate::hierarchy::{self, HierarchySpec, InitPaths};

/// The configuration's file in the new folder.
const CONFIG_FILE: &str = "cairn.toml";

/// Makes the folder, and says what is in it and what to do now.
///
/// # Errors
/// If it exists, or cannot be written.
pub fn run(args: &InitArgs) -> Result<()> {
    let base_url: BaseUrl = args.base_url.parse().context("--base-url")?;
    let pki_url: Option<PkiUrl> = args.pki_url.as_deref().map(str::parse).transpose().context("--pki-url")?;
    let passphrase = args.root_passphrase_file.as_deref().map(hierarchy::read_passphrase_file).transpose()?;
    let spec = HierarchySpec {
        organization: args.name.clone(),
        root_key: args.root_key,
        intermediate_key: args.intermediate_key,
        root_lifetime: args.root_lifetime,
        intermediate_lifetime: args.intermediate_lifetime,
        alternate_roots: 0,
    };
    let made = hierarchy::init(&spec, &args.out, passphrase, &SystemClock, &SystemRandom)?;
    made.add_file(CONFIG_FILE, &configuration(made.paths(), &base_url, pki_url.as_ref()))?;

    let mut out = std::io::stdout().lock();
    if let Some(passphrase) = made.root_passphrase() {
        // Before the folder appears: a root key whose passphrase nobody has seen must not exist.
        writeln!(
            out,
            "The passphrase of the root's key. It is shown this once and kept nowhere: write it down, and keep it apart\n\
             from the key.\n\n    {passphrase}\n"
        )?;
        out.flush()?;
    }
    let root = made.root().clone();
    let paths = made.commit()?;
    let (folder, offline) = (paths.folder.display(), paths.offline.display());
    let config = paths.folder.join(CONFIG_FILE);
    writeln!(
        out,
        "Made {folder}: {}.\n\
         SHA-256 {}\n\n\
         1. Take {offline} offline: move it to a medium that no machine on a network ever reads.\n\
         2. Have your clients trust {}.\n\
         3. Read {config} and change what is different with you, then\n\n    \
            cairn check-config --config {config}\n    \
            cairn serve --config {config}",
        root.subject(),
        hierarchy::fingerprint(&root),
        paths.root.display(),
        config = config.display(),
    )?;
    Ok(())
}

/// A configuration that works as it is, on this machine alone. Paths are relative to its own folder.
fn configuration(paths: &InitPaths, base_url: &BaseUrl, pki_url: Option<&PkiUrl>) -> String {
    let file = |path: &Path| path.file_name().unwrap_or_default().display().to_string();
    let pki_url = match pki_url {
        Some(url) => format!("pki_url = \"{url}\""),
        None => "# pki_url = \"http://pki.example.com\"".to_owned(),
    };
    format!(
        r#"# Cairn's configuration; docs/CONFIG.md explains every key.

data_dir = "data"

[api]
# This machine alone. For clients elsewhere: ["0.0.0.0:443", "[::]:443"]
listen = ["127.0.0.1:14000"]

[pki]
# Where relying parties look up whether certificates are revoked, over plain HTTP. For those elsewhere: ["0.0.0.0:80", "[::]:80"]
listen = ["127.0.0.1:4002"]

[issuer]
root = "{root}"
certificate = "{certificate}"
key = "{key}"
passphrase_file = "{passphrase}"
# The issuers after this one, which `cairn ca install` puts there while the server runs.
folder = "hierarchy"

[wfe]
# Every link that clients get begins with this, and account URLs never change: choose a name that lasts.
base_url = "{base_url}"

[pa]
# The names that certificates are issued for, each with all names below it. Empty: every name that passes validation.
allowed_names = []
# The networks whose IP addresses certificates are issued for. Empty: none.
allowed_networks = []

[va]
# The name servers to ask. Empty: those of this machine.
resolvers = []
# Your own networks, if your hosts are in private ones, for example ["10.0.0.0/8"]. Empty: public addresses alone are dialled.
allowed_networks = []

[ca]
# What stands in certificates of where to look that up: a plain-HTTP URL that leads to [pki] and that can stay. Without it nobody sees
# a revocation.
{pki_url}

[ca.profiles.default]
lifetime = "90d"
"#,
        root = file(&paths.root),
        certificate = file(&paths.intermediate),
        key = file(&paths.intermediate_key),
        passphrase = file(&paths.intermediate_passphrase),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_configuration_that_init_writes_is_one() {
        let paths = InitPaths::in_folder(Path::new("/etc/cairn"));
        let url = "http://pki.example.com".parse().unwrap();
        let text = configuration(&paths, &"https://ca.example.com".parse().unwrap(), Some(&url));
        let config: Config = toml::from_str(&text).unwrap();
        assert_eq!(config.ca.pki_url, Some(url));
        assert_eq!(config.issuer.key.as_ref().and_then(|key| key.to_str()), Some("intermediate-key.pem"));
    }
}
