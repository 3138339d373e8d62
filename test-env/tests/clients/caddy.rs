//! Caddy: asks for its certificate by itself, answers the challenges where it serves, and serves with what it got.

use std::{fs, path::PathBuf};

use anyhow::{Context, Result, ensure};
use cairn_test_env::{harness::Cairn, home::Home};

use crate::chain;

const PAGE: &str = "Served by Caddy";

#[test]
fn caddy_obtains_by_http_01_and_serves() -> Result<()> {
    obtains_and_serves("disable_tlsalpn_challenge")
}

#[test]
fn caddy_obtains_by_tls_alpn_01_and_serves() -> Result<()> {
    obtains_and_serves("disable_http_challenge")
}

fn obtains_and_serves(but: &str) -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    home.write("Caddyfile", &caddyfile(&cairn, but)?)?;
    let mut caddy = home.program("caddy")?.args(["run", "--config", "Caddyfile"]).start()?;
    caddy.listens_on(cairn.tls_port())?;

    let page = page(&cairn, &home).with_context(|| caddy.printed())?;
    ensure!(page == PAGE, "{page}");
    chain::verify(&cairn, &chain_file(&home)?, &["DNS:caddy.test"])?;

    caddy.stop()?;
    cairn.stop()?;
    Ok(())
}

/// What `caddy.test` serves to a client that trusts the root.
pub(crate) fn page(cairn: &Cairn, home: &Home) -> Result<String> {
    home.write("root-to-trust.pem", &chain::root(cairn)?)?;
    // Caddy listens before it has its certificate, and breaks off every handshake until it has.
    let curl = home.program("curl")?.args(["--silent", "--fail", "--cacert", "root-to-trust.pem"]);
    let curl = curl.args(["--retry", "60", "--retry-delay", "1", "--retry-all-errors"]);
    let curl = curl.args(["--resolve", &format!("caddy.test:{}:127.0.0.1", cairn.tls_port())]);
    curl.arg(format!("https://caddy.test:{}/", cairn.tls_port())).run()
}

/// The two ports that browsers use by default are here the two where Cairn looks for answers.
fn caddyfile(cairn: &Cairn, but: &str) -> Result<String> {
    Ok(format!(
        r#"{{
	admin off
	acme_ca {directory}
	acme_ca_root {root}
	email caddy@example.org
	http_port {http_port}
	https_port {tls_port}
	storage file_system store
}}
caddy.test {{
	bind 127.0.0.1
	tls {{
		issuer acme {{
			{but}
		}}
	}}
	respond "{PAGE}"
}}
"#,
        directory = cairn.ready.directory,
        root = cairn.root_file()?.display(),
        http_port = cairn.http_port(),
        tls_port = cairn.tls_port(),
    ))
}

/// Caddy keeps it in a folder named after the CA's directory.
fn chain_file(home: &Home) -> Result<PathBuf> {
    let mut cas = fs::read_dir(home.path("store/certificates"))?;
    let ca = cas.next().context("Caddy has stored no certificate")??;
    Ok(ca.path().join("caddy.test/caddy.test.crt"))
}
