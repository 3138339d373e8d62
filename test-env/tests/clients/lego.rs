//! lego: all three challenges, four kinds of key, renewal, revocation, and what it is refused.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use cairn_test_env::{harness::Cairn, home::Home, port, program::Program};

use crate::chain;

#[test]
fn lego_obtains_by_http_01_with_every_kind_of_key() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let kinds = [
        ("ec256", "NIST CURVE: P-256"),
        ("ec384", "NIST CURVE: P-384"),
        ("rsa2048", "Public-Key: (2048 bit)"),
        ("rsa4096", "Public-Key: (4096 bit)"),
    ];
    for (kind, described) in kinds {
        let name = format!("{kind}.test");
        lego(&cairn, &home, &name)?.args(http_01(&cairn)).args(["--key-type", kind, "run"]).run()?;
        let chain = chain_file(&home, &name);
        chain::verify(&cairn, &chain, &[&format!("DNS:{name}")])?;
        let text = chain::text(&chain)?;
        ensure!(text.contains(described), "the key should be {kind}\n{text}");
    }
    cairn.stop()?;
    Ok(())
}

#[test]
fn lego_obtains_by_tls_alpn_01() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let port = format!("127.0.0.1:{}", cairn.tls_port());

    lego(&cairn, &home, "alpn.test")?.args(["--tls", "--tls.port", &port, "run"]).run()?;
    chain::verify(&cairn, &chain_file(&home, "alpn.test"), &["DNS:alpn.test"])?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn lego_obtains_by_dns_01() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let hook = home.write_script("hook", &dns_hook(&cairn))?;

    // Without --dns.disable-cp, lego looks for the zone's public name servers before it asks the CA to look.
    let lego = lego(&cairn, &home, "dns.test")?.env("EXEC_PATH", hook);
    lego.args(["--dns", "exec", "--dns.disable-cp", "run"]).run()?;
    chain::verify(&cairn, &chain_file(&home, "dns.test"), &["DNS:dns.test"])?;

    cairn.stop()?;
    Ok(())
}

#[test]
fn lego_renews_and_revokes() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let lego = || Ok::<_, anyhow::Error>(lego(&cairn, &home, "renewed.test")?.args(http_01(&cairn)));
    let chain = chain_file(&home, "renewed.test");

    lego()?.arg("run").run()?;
    let before = chain::serial(&chain)?;
    lego()?.args(["renew", "--days", "10000", "--no-random-sleep"]).run()?;
    chain::verify(&cairn, &chain, &["DNS:renewed.test"])?;
    ensure!(chain::serial(&chain)? != before, "renewal left the old certificate");

    lego()?.args(["revoke", "--keep", "--reason", "1"]).run()?;
    let refusal = lego()?.args(["revoke", "--keep"]).fails()?;
    ensure!(refusal.contains("alreadyRevoked"), "{refusal}");

    cairn.stop()?;
    Ok(())
}

#[test]
fn lego_is_refused_a_name_for_which_nobody_answers() -> Result<()> {
    let (cairn, home) = (Cairn::under_test()?.start()?, Home::new()?);
    let elsewhere = format!("127.0.0.1:{}", port::free()?);

    let refusal =
        lego(&cairn, &home, "silent.test")?.args(["--http", "--http.port", &elsewhere, "run"]).fails()?;
    ensure!(refusal.contains("urn:ietf:params:acme:error:connection"), "{refusal}");

    cairn.stop()?;
    Ok(())
}

/// lego for one name, with its folder in `home` and the root trusted.
fn lego(cairn: &Cairn, home: &Home, name: &str) -> Result<Program> {
    let lego = home.program("lego")?.env("LEGO_CA_CERTIFICATES", cairn.root_file()?);
    let lego = lego.args(["--server", &cairn.ready.directory, "--path", "lego", "--accept-tos"]);
    Ok(lego.args(["--email", "lego@example.org", "--domains", name]))
}

fn http_01(cairn: &Cairn) -> [String; 3] {
    ["--http".to_owned(), "--http.port".to_owned(), format!("127.0.0.1:{}", cairn.http_port())]
}

fn chain_file(home: &Home, name: &str) -> PathBuf {
    home.path("lego/certificates").join(format!("{name}.crt"))
}

/// lego calls it as `hook present FQDN VALUE` and `hook cleanup FQDN VALUE`.
fn dns_hook(cairn: &Cairn) -> String {
    let (set, clear) = (cairn.dns_management_url("/set-txt"), cairn.dns_management_url("/clear-txt"));
    format!(
        r#"#!/bin/sh
case "$1" in
present) url={set} ;;
cleanup) url={clear} ;;
esac
exec curl --silent --show-error --fail "$url" --data '{{"host":"'"$2"'","value":"'"$3"'"}}'
"#
    )
}
