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
    let (cairn, home) = (Cairn::dev().start()?, Home::new()?);
    home.write("Caddyfile", &caddyfile(&cairn, but))?;
    let mut caddy = home.program("caddy")?.args(["run", "--config", "Caddyfile"]).start()?;
    caddy.listens_on(cairn.tls_port())?;

    // Caddy listens before it has its certificate, and breaks off every handshake until it has.
    let curl = home.program("curl")?.args(["--silent", "--show-error", "--fail", "--retry", "60"]);
    let curl = curl.args(["--retry-delay", "1", "--retry-all-errors"]);
    let curl = curl.arg("--cacert").arg(&cairn.ready.root_file);
    let curl = curl.args(["--resolve", &format!("caddy.test:{}:127.0.0.1", cairn.tls_port())]);
    let page = curl.arg(format!("https://caddy.test:{}/", cairn.tls_port())).run();
    let page = page.with_context(|| caddy.printed())?;
    // The tries before, if any, left their complaints behind the page.
    ensure!(page.starts_with(PAGE), "{page}\n{}", caddy.printed());
    chain::verify(&cairn, &chain_file(&home)?, &["DNS:caddy.test"])?;

    caddy.stop()?;
    cairn.stop()?;
    Ok(())
}

/// The two ports that browsers use by default are here the two where Cairn looks for answers.
fn caddyfile(cairn: &Cairn, but: &str) -> String {
    format!(
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
        root = cairn.ready.root_file.display(),
        http_port = cairn.http_port(),
        tls_port = cairn.tls_port(),
    )
}

/// Caddy keeps it in a folder named after the CA's directory.
fn chain_file(home: &Home) -> Result<PathBuf> {
    let mut cas = fs::read_dir(home.path("store/certificates"))?;
    let ca = cas.next().context("Caddy has stored no certificate")??;
    Ok(ca.path().join("caddy.test/caddy.test.crt"))
}
